/* What a channel has still to write: bytes in order, some copied into staging
 * blocks, some borrowed from the user, and the sends that are complete when a
 * certain byte has gone. All memory is lent by the hub and goes back when the
 * queue is empty. */
#ifndef IPC_CHANNEL_QUEUE_H
#define IPC_CHANNEL_QUEUE_H

#include "hub.h"

/* A staging block: small messages gather here and leave in one write. */
#define IPC__QUEUE_BLOCK_BYTES ((size_t) 64 << 10)

typedef struct ipc__block_s ipc__block_t;

typedef struct ipc__segment_s {
  const uint8_t* base;
  size_t size;
  ipc__block_t* block; /* that the bytes are in; NULL: borrowed */
} ipc__segment_t;

typedef struct ipc__record_s {
  uint64_t end; /* of the send, counted in bytes from the first ever queued */
  ipc_send_cb cb;
  void* arg;
} ipc__record_t;

/* A growing ring of fixed-size items. */
typedef struct ipc__ring_s {
  void* items;
  size_t memory;  /* bytes of items, as the hub lent them */
  uint32_t slots; /* a power of two; 0: no memory yet */
  uint32_t first;
  uint32_t count;
} ipc__ring_t;

typedef struct ipc__queue_s {
  ipc__ring_t segments;
  ipc__ring_t records;
  ipc__block_t* staging; /* the block that takes the next copy, or NULL */
  uint64_t queued;       /* bytes ever put in */
  uint64_t released;     /* bytes ever taken out */
} ipc__queue_t;

static inline size_t ipc__queue_bytes(const ipc__queue_t* queue) {
  return (size_t) (queue->queued - queue->released);
}

/* Appends head and body; the body is copied, or borrowed. All or nothing:
 * UV_ENOMEM. `record`: of the user's send, its `end` is filled in; NULL where
 * the bytes are the library's own. */
int ipc__queue_put(ipc__hub_t* hub,
                   ipc__queue_t* queue,
                   const uint8_t* head,
                   size_t head_size,
                   const void* body,
                   size_t body_size,
                   int borrow,
                   const ipc__record_t* record);

/* The buffers from byte `skip` of the queue on, at most `limit` bytes and
 * `count` buffers; returns how many. */
unsigned int ipc__queue_gather(const ipc__queue_t* queue,
                               size_t skip,
                               size_t limit,
                               uv_buf_t* buffers,
                               unsigned int count);

/* The first `bytes` are done with. */
void ipc__queue_release(ipc__hub_t* hub, ipc__queue_t* queue, size_t bytes);

/* Takes out the oldest send that is complete, or with `all` the oldest; 0 when
 * there is none. */
int ipc__queue_pop(ipc__hub_t* hub,
                   ipc__queue_t* queue,
                   int all,
                   ipc__record_t* record);

/* Gives all memory back; what is queued is forgotten, but not the records. */
void ipc__queue_drop(ipc__hub_t* hub, ipc__queue_t* queue);

#endif /* IPC_CHANNEL_QUEUE_H */
