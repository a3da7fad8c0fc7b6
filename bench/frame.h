/* Takes a stream of bytes apart into messages, each behind its length in 32
 * bits: for the peers that have no framing of their own. */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_PREFIX_SIZE 4

/* Begins as zeroes. */
typedef struct frame_reader_s {
  char prefix[FRAME_PREFIX_SIZE];
  uint32_t prefix_have;
  uint32_t size;
  uint32_t have;
  char* message; /* of one that comes in several pieces */
} frame_reader_t;

/* Takes `size` bytes; whole messages go to bench_message, in place where they
 * lie in one piece. */
void frame_take(frame_reader_t* reader,
                void* connection,
                const char* bytes,
                size_t size);

/* Where the rest of a message that has begun can be read straight to, or NULL:
 * then frame_take is to be given what is read elsewhere. */
char* frame_room(frame_reader_t* reader, size_t* room);
/* `size` bytes have been read there. */
void frame_taken(frame_reader_t* reader, void* connection, size_t size);

void frame_release(frame_reader_t* reader);

#endif /* BENCH_FRAME_H */
