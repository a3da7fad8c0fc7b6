/* A text that grows. */
#ifndef IPC_SERVICE_BUFFER_H
#define IPC_SERVICE_BUFFER_H

#include <jansson.h>
#include <stddef.h>

/* Zeroed is empty and ready. */
typedef struct ipc__buffer_s {
  char* data;
  size_t size;
  size_t room;
  int has_failed; /* for want of memory, or a value that can't be written; then
                     it takes nothing more */
} ipc__buffer_t;

void ipc__buffer_add(ipc__buffer_t* buffer, const char* data, size_t size);
void ipc__buffer_add_text(ipc__buffer_t* buffer, const char* text);
/* The value as compact JSON, without a line break. Borrows it. */
void ipc__buffer_add_json(ipc__buffer_t* buffer, const json_t* value);
void ipc__buffer_release(ipc__buffer_t* buffer);

#endif /* IPC_SERVICE_BUFFER_H */
