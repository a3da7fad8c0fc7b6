/* Memory, through the allocator that the user gave or the C library's. */
#ifndef IPC_CHANNEL_ALLOC_H
#define IPC_CHANNEL_ALLOC_H

#include "ipc_channel.h"

extern const ipc_allocator_t ipc__default_allocator;

void* ipc__malloc(const ipc_allocator_t* allocator, size_t size);
/* Zeroed. */
void* ipc__calloc(const ipc_allocator_t* allocator, size_t size);
void* ipc__realloc(const ipc_allocator_t* allocator, void* memory, size_t size);
void ipc__free(const ipc_allocator_t* allocator, void* memory);
char* ipc__strdup(const ipc_allocator_t* allocator, const char* text);

#endif /* IPC_CHANNEL_ALLOC_H */
