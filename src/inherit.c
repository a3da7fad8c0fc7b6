/* The extra channel, from both sides: the variable in a child's environment
 * that tells of it, and the child that picks it up. The child's end is
 * descriptor 3 on every system; libuv hands descriptors on to a C runtime on
 * Windows too. The variable must never reach a process that has no such end. */
#include <string.h>

#include "alloc.h"
#include "child.h"
#include "options.h"
#include "platform.h"

#define VARIABLE "IPC_CHANNEL_INHERIT"
/* IPC_CHILD_EXTRA_SLOT as text, and room for what else may stand there. */
#define VALUE "3"
#define VALUE_SIZE 8

/* What an environment is made of: strings, or libuv's items. */
typedef struct source_s {
  const char* const* strings; /* NULL: the items */
  uv_env_item_t* items;
  int count;
} source_t;

static int open_source(source_t* source, const char* const* given) {
  memset(source, 0, sizeof(*source));
  source->strings = given;
  if (given == NULL) return uv_os_environ(&source->items, &source->count);
  while (given[source->count] != NULL) source->count++;
  return 0;
}

static void close_source(source_t* source) {
  if (source->strings == NULL) {
    uv_os_free_environ(source->items, source->count);
  }
}

static size_t entry_size(const source_t* source, int i) {
  if (source->strings != NULL) return strlen(source->strings[i]) + 1;
  return strlen(source->items[i].name) + strlen(source->items[i].value) + 2;
}

/* As many bytes as entry_size says. */
static void put_entry(const source_t* source, int i, char* out) {
  size_t length;

  if (source->strings != NULL) {
    memcpy(out, source->strings[i], strlen(source->strings[i]) + 1);
    return;
  }
  length = strlen(source->items[i].name);
  memcpy(out, source->items[i].name, length);
  out[length] = '=';
  memcpy(out + length + 1, source->items[i].value,
         strlen(source->items[i].value) + 1);
}

static int is_variable(const char* entry) {
  return strncmp(entry, VARIABLE "=", sizeof(VARIABLE)) == 0;
}

/* One block: the list, then the strings. */
static char** make(const source_t* source, int has_extra) {
  size_t list_bytes = ((size_t) source->count + 2) * sizeof(char*);
  size_t bytes = list_bytes + sizeof(VARIABLE "=" VALUE);
  char** list;
  char* text;
  size_t kept = 0;
  int i;

  for (i = 0; i < source->count; i++) bytes += entry_size(source, i);
  list = ipc__malloc(&ipc__default_allocator, bytes);
  if (list == NULL) return NULL;
  text = (char*) list + list_bytes;
  for (i = 0; i < source->count; i++) {
    put_entry(source, i, text);
    if (is_variable(text)) continue;
    list[kept++] = text;
    text += entry_size(source, i);
  }
  if (has_extra) {
    list[kept++] = memcpy(text, VARIABLE "=" VALUE, sizeof(VARIABLE "=" VALUE));
  }
  list[kept] = NULL;
  return list;
}

int ipc__environment_make(const char* const* given,
                          int has_extra,
                          char*** environment) {
  source_t source;
  int err;

  err = open_source(&source, given);
  if (err != 0) return err;
  *environment = make(&source, has_extra);
  close_source(&source);
  return *environment == NULL ? UV_ENOMEM : 0;
}

void ipc__environment_free(char** environment) {
  ipc__free(&ipc__default_allocator, environment);
}

/* ---- In the child ------------------------------------------------------- */

static int is_told(void) {
  char value[VALUE_SIZE];
  size_t size = sizeof(value);

  return uv_os_getenv(VARIABLE, value, &size) == 0 && strcmp(value, VALUE) == 0;
}

int ipc_channel_inherit(uv_loop_t* loop,
                        const ipc_channel_options_t* options,
                        void* data,
                        ipc_channel_t** channel) {
  const int fd = (int) IPC_CHILD_EXTRA_SLOT;
  uv_os_fd_t handle;
  int err;

  if (channel == NULL || ipc__channel_options(options) == NULL) {
    return UV_EINVAL;
  }
  *channel = NULL;
  if (!is_told()) return UV_ENOENT;
  /* No child of ours may inherit it; and should this fail, all is as it was. */
  err = ipc__handle_duplicate(uv_get_osfhandle(fd), &handle);
  if (err != 0) return err;
  err = ipc_channel_open(loop, options, handle, data, channel);
  if (err != 0) {
    ipc__handle_close(handle);
    return err;
  }
  ipc__descriptor_close(fd);
  uv_os_unsetenv(VARIABLE);
  return 0;
}
