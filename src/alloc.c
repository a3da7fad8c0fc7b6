/* The allocator's call sites, so that no other file calls malloc. */
#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void* default_allocate(size_t size, void* arg) {
  (void) arg;
  return malloc(size);
}

static void* default_resize(void* memory, size_t size, void* arg) {
  (void) arg;
  return realloc(memory, size);
}

static void default_release(void* memory, void* arg) {
  (void) arg;
  free(memory);
}

const ipc_allocator_t ipc__default_allocator = {
    default_allocate, default_resize, default_release, NULL};

void* ipc__malloc(const ipc_allocator_t* allocator, size_t size) {
  return allocator->allocate(size, allocator->arg);
}

void* ipc__calloc(const ipc_allocator_t* allocator, size_t size) {
  void* memory;

  memory = ipc__malloc(allocator, size);
  if (memory != NULL) memset(memory, 0, size);
  return memory;
}

void* ipc__realloc(const ipc_allocator_t* allocator,
                   void* memory,
                   size_t size) {
  return allocator->resize(memory, size, allocator->arg);
}

void ipc__free(const ipc_allocator_t* allocator, void* memory) {
  allocator->release(memory, allocator->arg);
}

char* ipc__strdup(const ipc_allocator_t* allocator, const char* text) {
  size_t size;
  char* copy;

  size = strlen(text) + 1;
  copy = ipc__malloc(allocator, size);
  if (copy != NULL) memcpy(copy, text, size);
  return copy;
}
