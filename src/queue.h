/* What a channel has still to write: bytes in order, some copied into staging
 * blocks, some borrowed from the user, and the sends that are complete when a
 * certain byte has gone. All memory is lent by the hub and goes back when the
 * queue is empty. */
#ifndef IPC_CHANNEL_QUEUE_H
#define IPC_CHANNEL_QUEUE_H

#include "ring.h"

/* A staging block: small messages gather here and leave in one write. */
#define IPC__QUEUE_BLOCK_BYTES ((size_t) 64 << 10)

/* Positions begin here, so that what is put in front of a queue has some too.
 */
#define IPC__QUEUE_START 4096

/* Memory that copies lie in; goes back to the hub with the last segment. */
typedef struct ipc__block_s {
  size_t memory;         /* as the hub lent it */
  size_t used;           /* bytes that were put in */
  unsigned int segments; /* that lie in it and are not done with */
  uint8_t bytes[];
} ipc__block_t;

#define IPC__QUEUE_BLOCK_HEAD offsetof(ipc__block_t, bytes)

typedef struct ipc__segment_s {
  const uint8_t* base;
  size_t size;
  ipc__block_t* block; /* that the bytes are in; NULL: borrowed */
} ipc__segment_t;

struct ipc__op_s;

/* One send of the user. */
typedef struct ipc__record_s {
  uint64_t end; /* counted in bytes from the first ever queued */
  ipc_op_t id;  /* grows along the queue */
  ipc_send_cb cb;
  void* arg;
  struct ipc__op_s* op;   /* with a deadline; NULL: none */
  uint32_t size;          /* in the queue, what the framing adds included */
  signed int status : 15; /* of one that was withdrawn */
  unsigned int head : 7;  /* bytes of the framing's, in front, */
  unsigned int tail : 7;  /* and behind */
  unsigned int stays : 1; /* not dropped for a later one */
  /* A reply: good for this connection only, since nobody else has asked. */
  unsigned int is_reply : 1;
  /* Not for cancelling: a call's or reply's, or timed out. */
  unsigned int is_told : 1;
} ipc__record_t;

static inline uint64_t ipc__record_start(const ipc__record_t* record) {
  return record->end - record->size;
}

typedef struct ipc__queue_s {
  ipc__ring_t segments;
  ipc__ring_t records;
  ipc__ring_t withdrawn; /* records that wait for their callbacks */
  ipc__block_t* staging; /* the block that takes the next copy, or NULL */
  uint64_t queued;       /* bytes ever put in */
  uint64_t released;     /* bytes ever taken out, or withdrawn */
} ipc__queue_t;

/* The i-th from the front. */
static inline ipc__segment_t* ipc__queue_segment(const ipc__queue_t* queue,
                                                 uint32_t i) {
  return ipc__ring_at(&queue->segments, i, sizeof(ipc__segment_t));
}

/* The i-th oldest that is in the queue. */
static inline ipc__record_t* ipc__queue_record(const ipc__queue_t* queue,
                                               uint32_t i) {
  return ipc__ring_at(&queue->records, i, sizeof(ipc__record_t));
}

static inline size_t ipc__queue_bytes(const ipc__queue_t* queue) {
  return (size_t) (queue->queued - queue->released);
}

/* Whether anything is in it, callbacks that are due included. */
static inline int ipc__queue_is_empty(const ipc__queue_t* queue) {
  return queue->segments.count == 0 && queue->records.count == 0 &&
         queue->withdrawn.count == 0;
}

/* Appends `size` bytes, at least 1, which the caller fills in at once where
 * this points to; NULL: no memory. With `has_record` there is a slot for the
 * record that ipc__queue_add_record adds then. */
uint8_t* ipc__queue_stage(ipc__hub_t* hub,
                          ipc__queue_t* queue,
                          size_t size,
                          int has_record);

/* Adds the record of the `size` bytes that were appended last, of which `head`
 * and `tail` are the framing's, and whose slot is there. The caller fills in
 * the rest, which isn't zeroed. */
static inline ipc__record_t* ipc__queue_add_record(ipc__queue_t* queue,
                                                   size_t size,
                                                   size_t head,
                                                   size_t tail) {
  ipc__record_t* record =
      ipc__ring_at(&queue->records, queue->records.count++, sizeof(*record));

  record->end = queue->queued;
  record->size = (uint32_t) size;
  record->status = 0;
  record->head = head & 0x7f;
  record->tail = tail & 0x7f;
  return record;
}

/* What is put into the queue at once: the pieces, and what goes around them. */
typedef struct ipc__put_s {
  const uint8_t* head;
  const uint8_t* tail;
  size_t head_size;
  size_t tail_size;
  size_t replaced; /* bytes at the pieces' front that are left out */
  const uv_buf_t* pieces;
  unsigned int count;
  int borrow;     /* the pieces; else they are copied, as head and tail are */
  int has_rest;   /* with borrow: ipc__queue_copy_borrowed will follow */
  int has_record; /* of the user's send: to be added behind it */
} ipc__put_t;

/* Appends all or nothing; the size, or UV_ENOMEM. */
ssize_t ipc__queue_put(ipc__hub_t* hub,
                       ipc__queue_t* queue,
                       const ipc__put_t* put);

/* The bytes of all pieces; SIZE_MAX also where they are more. */
size_t ipc__pieces_size(const uv_buf_t* pieces, unsigned int count);

/* The buffers from byte `skip` of the queue on, at most `limit` bytes and
 * `count` buffers; returns how many. */
unsigned int ipc__queue_gather(const ipc__queue_t* queue,
                               size_t skip,
                               size_t limit,
                               uv_buf_t* buffers,
                               unsigned int count);

/* How many bytes from the front on are whole records, up to `limit`; where the
 * first is larger, all of it. For queues that hold nothing else. No record that
 * was copied is split between buffers, so that `count` of them above end with
 * one too. */
size_t ipc__queue_whole(const ipc__queue_t* queue, size_t limit);

/* The first `bytes` are done with. */
void ipc__queue_release(ipc__hub_t* hub, ipc__queue_t* queue, size_t bytes);

/* Takes out a record that was withdrawn, or the oldest that is complete, or
 * with `all` the oldest; 0 when there is none. */
int ipc__queue_pop(ipc__queue_t* queue, int all, ipc__record_t* record);

/* Drops the oldest that are complete and have nobody to tell; how many. */
uint64_t ipc__queue_pop_silent(ipc__queue_t* queue);

/* The one with an id or, where that is gone, the next; records.count if there
 * is none. */
uint32_t ipc__queue_find(const ipc__queue_t* queue, ipc_op_t id);

/* One segment less lies in the block; NULL: it was borrowed. */
void ipc__queue_release_block(ipc__hub_t* hub,
                              ipc__queue_t* queue,
                              ipc__block_t* block);

/* queue_edit.c */
/* Takes the i-th record's bytes out of the queue, of which none may have left,
 * and has ipc__queue_pop give the record with `status`. Positions before it
 * grow by its size. UV_ENOMEM: nothing is changed. */
int ipc__queue_withdraw(ipc__hub_t* hub,
                        ipc__queue_t* queue,
                        uint32_t i,
                        int status);

/* Keeps only whole records that begin at `from` or later and are no replies,
 * behind a new head: what the next connection begins with. The records before
 * that end with `status`. UV_ENOMEM: the queue is good for nothing but
 * ipc__queue_drop. */
int ipc__queue_restart(ipc__hub_t* hub,
                       ipc__queue_t* queue,
                       uint64_t from,
                       const uint8_t* head,
                       size_t head_size,
                       int status);

/* Copies what is left of borrowed bytes, for which a put has reserved room. */
void ipc__queue_copy_borrowed(ipc__queue_t* queue);

/* Gives all memory back; what is queued is forgotten, but not the records. */
void ipc__queue_drop(ipc__hub_t* hub, ipc__queue_t* queue);

/* Makes a queue that is empty one that was never used, but for memory that the
 * next will use: as much as a few messages need. */
void ipc__queue_clear(ipc__hub_t* hub, ipc__queue_t* queue);

#endif /* IPC_CHANNEL_QUEUE_H */
