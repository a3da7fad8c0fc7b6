/* What is found by its number: calls and requests. */
#ifndef IPC_SERVICE_TABLE_H
#define IPC_SERVICE_TABLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct ipc__entry_s ipc__entry_t;
struct ipc__entry_s {
  uint64_t number;
  ipc__entry_t* next; /* of the same slot */
};

/* Zeroed is ready. */
typedef struct ipc__table_s {
  ipc__entry_t** slots;
  size_t slot_count; /* a power of two, or 0 */
  size_t count;
} ipc__table_t;

/* UV_ENOMEM. */
int ipc__table_reserve(ipc__table_t* table, size_t more);
/* Room for it was reserved, and the number is in no other entry. */
void ipc__table_add(ipc__table_t* table, ipc__entry_t* entry);
/* NULL: not there. */
ipc__entry_t* ipc__table_find(const ipc__table_t* table, uint64_t number);
void ipc__table_remove(ipc__table_t* table, ipc__entry_t* entry);
void ipc__table_release(ipc__table_t* table);

#endif /* IPC_SERVICE_TABLE_H */
