/* A receiver of messages in a format of others. Each look is at memory of its
 * own, which ends where the bytes do, so that the address sanitizer sees a read
 * behind them. */
#include "decode_walk.h"

#include <stdlib.h>
#include <string.h>

typedef struct receiver_s {
  const ipc__format_t* format;
  size_t max_bytes;
  size_t start; /* of the message in front */
  size_t least; /* that it takes, as was said before */
  size_t scanned;
  int forgets;
  walk_t* result;
} receiver_t;

static void check(int holds) {
  if (!holds) abort();
}

static int look(receiver_t* receiver,
                const uint8_t* data,
                size_t size,
                ipc_frame_t* frame) {
  size_t scanned = receiver->forgets ? 0 : receiver->scanned;
  uint8_t* copy = malloc(size);
  int err;

  check(copy != NULL);
  memcpy(copy, data, size);
  memset(frame, 0xa5, sizeof(*frame));
  err = ipc__framing_decode(receiver->format, copy, size, receiver->max_bytes,
                            &scanned, frame);
  free(copy);
  check(err <= 0);
  check(scanned <= size);
  receiver->scanned = scanned;
  return err;
}

static void note(receiver_t* receiver, const ipc_frame_t* frame) {
  walk_t* result = receiver->result;

  check(frame->size >= receiver->least);
  check(frame->message_start <= frame->size);
  check(frame->message_size <= frame->size - frame->message_start);
  check(frame->message_size <= receiver->max_bytes);
  check(result->count < WALK_BYTES);
  result->messages[result->count].start =
      receiver->start + frame->message_start;
  result->messages[result->count++].size = frame->message_size;
  receiver->start += frame->size;
  receiver->least = 0;
  receiver->scanned = 0;
}

/* Finds what is whole in the first `there` bytes. */
static void receive(receiver_t* receiver, const uint8_t* data, size_t there) {
  ipc_frame_t frame;

  while (receiver->start < there) {
    size_t size = there - receiver->start;

    receiver->result->err =
        look(receiver, data + receiver->start, size, &frame);
    if (receiver->result->err != 0) return;
    if (frame.size == 0 || frame.size > size) {
      if (frame.size > receiver->least) receiver->least = frame.size;
      return;
    }
    note(receiver, &frame);
  }
}

static size_t next_chunk(const walk_chunks_t* chunks,
                         size_t left,
                         int is_first,
                         uint32_t* random) {
  size_t chunk = chunks->others == 0 ? left : chunks->others;

  if (chunks->seed != 0) {
    *random = *random * 1664525u + 1013904223u;
    chunk = 1 + (*random >> 8) % chunk;
  }
  if (is_first && chunks->first > 0) chunk = chunks->first;
  return chunk < left ? chunk : left;
}

void walk(const ipc__format_t* format,
          const uint8_t* data,
          size_t size,
          size_t max_bytes,
          const walk_chunks_t* chunks,
          walk_t* result) {
  receiver_t receiver = {0};
  uint32_t random = chunks->seed;
  size_t there = 0;

  receiver.format = format;
  receiver.max_bytes = max_bytes;
  receiver.forgets = chunks->forgets;
  receiver.result = result;
  result->count = 0;
  result->err = 0;
  while (there < size && result->err == 0) {
    there += next_chunk(chunks, size - there, there == 0, &random);
    receive(&receiver, data, there);
  }
  result->left = size - receiver.start;
}

int walk_is_same(const walk_t* a, const walk_t* b) {
  return a->count == b->count && a->err == b->err && a->left == b->left &&
         memcmp(a->messages, b->messages, a->count * sizeof(a->messages[0])) ==
             0;
}
