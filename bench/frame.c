/* The length-prefixed stream of the peers without a framing of their own. */
#include "frame.h"
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Returns how many bytes it took of a prefix. */
static size_t take_prefix(frame_reader_t* reader,
                          const char* bytes,
                          size_t size) {
  size_t taken = smaller(FRAME_PREFIX_SIZE - reader->prefix_have, size);
  memcpy(reader->prefix + reader->prefix_have, bytes, taken);
  reader->prefix_have += (uint32_t) taken;
  if (reader->prefix_have == FRAME_PREFIX_SIZE) {
    memcpy(&reader->size, reader->prefix, sizeof reader->size);
  }
  return taken;
}

static void begin_message(frame_reader_t* reader) {
  reader->message = malloc(reader->size);
  if (reader->message == NULL) bench_fail("no memory for a message");
}

void frame_taken(frame_reader_t* reader, void* connection, size_t size) {
  reader->have += (uint32_t) size;
  if (reader->have < reader->size) return;
  reader->prefix_have = 0;
  reader->have = 0;
  bench_message(connection, reader->message, reader->size);
  frame_release(reader);
}

void frame_take(frame_reader_t* reader,
                void* connection,
                const char* bytes,
                size_t size) {
  size_t taken;
  while (size > 0) {
    if (reader->prefix_have < FRAME_PREFIX_SIZE) {
      taken = take_prefix(reader, bytes, size);
    } else if (reader->message == NULL && size >= reader->size) {
      taken = reader->size;
      reader->prefix_have = 0;
      bench_message(connection, bytes, taken);
    } else {
      if (reader->message == NULL) begin_message(reader);
      taken = smaller(reader->size - reader->have, size);
      memcpy(reader->message + reader->have, bytes, taken);
      frame_taken(reader, connection, taken);
    }
    bytes += taken;
    size -= taken;
  }
}

char* frame_room(frame_reader_t* reader, size_t* room) {
  if (reader->message == NULL) return NULL;
  *room = reader->size - reader->have;
  return reader->message + reader->have;
}

void frame_release(frame_reader_t* reader) {
  free(reader->message);
  reader->message = NULL;
}
