/* Which sends of a channel may still be in its queue. */
#ifndef IPC_SERVICE_UNSENT_H
#define IPC_SERVICE_UNSENT_H

#include <ipc_channel.h>
#include <stddef.h>

/* Zeroed is empty and ready. A place counts on from one send to the next. */
typedef struct ipc__unsent_s {
  ipc_op_t* ops; /* a ring; 0: over */
  size_t room;   /* a power of two, or 0 */
  size_t begin;
  size_t end; /* the place of the next */
} ipc__unsent_t;

/* Makes room for one. UV_ENOMEM. */
int ipc__unsent_reserve(ipc__unsent_t* unsent);
/* Room for it was reserved. */
void ipc__unsent_add(ipc__unsent_t* unsent, ipc_op_t op);
/* The send of that place is over. */
void ipc__unsent_remove(ipc__unsent_t* unsent, size_t place);
/* Of a place from `begin` to before `end`; 0: it is over. */
ipc_op_t ipc__unsent_get(const ipc__unsent_t* unsent, size_t place);
void ipc__unsent_release(ipc__unsent_t* unsent);

#endif /* IPC_SERVICE_UNSENT_H */
