/* A receiver of messages in a format of others that notes where they lie: the
 * same bytes must mean the same however they come. */
#ifndef IPC_CHANNEL_TEST_DECODE_WALK_H
#define IPC_CHANNEL_TEST_DECODE_WALK_H

#include "framing.h"

#define WALK_BYTES ((size_t) 8 << 10)

/* What was found in a stream. */
typedef struct walk_s {
  struct {
    size_t start;
    size_t size;
  } messages[WALK_BYTES];
  size_t count;
  int err;     /* that ended it; 0: none */
  size_t left; /* bytes behind the last message */
} walk_t;

/* How a stream comes. */
typedef struct walk_chunks_s {
  size_t first;  /* bytes; 0: as the others */
  size_t others; /* 0: all that is left */
  uint32_t seed; /* not 0: of any size up to `others` */
  int forgets;   /* nothing is remembered between two looks */
} walk_chunks_t;

/* Aborts where the decoder breaks what src/framing.h says of it. */
void walk(const ipc__format_t* format,
          const uint8_t* data,
          size_t size,
          size_t max_bytes,
          const walk_chunks_t* chunks,
          walk_t* result);

/* Whether both have found the same. */
int walk_is_same(const walk_t* a, const walk_t* b);

#endif /* IPC_CHANNEL_TEST_DECODE_WALK_H */
