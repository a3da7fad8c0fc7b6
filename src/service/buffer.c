/* A text that grows. A failure is remembered, so that a writer looks once, at
 * the end. */
#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 128u

static int make_room(ipc__buffer_t* buffer, size_t more) {
  size_t room = buffer->room == 0 ? FIRST_ROOM : buffer->room;
  char* data;

  if (more > SIZE_MAX / 4 - buffer->size) return 0;
  while (room < buffer->size + more) room *= 2;
  if (room == buffer->room) return 1;
  data = realloc(buffer->data, room);
  if (data == NULL) return 0;
  buffer->data = data;
  buffer->room = room;
  return 1;
}

void ipc__buffer_add(ipc__buffer_t* buffer, const char* data, size_t size) {
  if (buffer->has_failed || size == 0) return;
  if (!make_room(buffer, size)) {
    buffer->has_failed = 1;
    return;
  }
  memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
}

void ipc__buffer_add_text(ipc__buffer_t* buffer, const char* text) {
  ipc__buffer_add(buffer, text, strlen(text));
}

static int on_piece(const char* piece, size_t size, void* arg) {
  ipc__buffer_t* buffer = arg;

  ipc__buffer_add(buffer, piece, size);
  return buffer->has_failed ? -1 : 0;
}

void ipc__buffer_add_json(ipc__buffer_t* buffer, const json_t* value) {
  if (json_dump_callback(value, on_piece, buffer,
                         JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
    buffer->has_failed = 1;
  }
}

void ipc__buffer_release(ipc__buffer_t* buffer) {
  free(buffer->data);
  memset(buffer, 0, sizeof(*buffer));
}
