/* The send queue: where staged and borrowed bytes wait. It never writes and
 * never calls back. */
#include "queue.h"

#include <string.h>

#define BLOCK_HEAD offsetof(ipc__block_t, bytes)

/* What an empty queue may keep for the next use: a ring, a staging block. */
#define KEPT_RING_BYTES ((size_t) 16 << 10)
#define KEPT_BLOCK_BYTES (BLOCK_HEAD + 2 * IPC__QUEUE_BLOCK_BYTES)

/* ---- Segments ----------------------------------------------------------- */

static ipc__segment_t* segment_at(const ipc__queue_t* queue, uint32_t i) {
  return ipc__ring_at(&queue->segments, i, sizeof(ipc__segment_t));
}

ipc__record_t* ipc__queue_record(const ipc__queue_t* queue, uint32_t i) {
  return ipc__ring_at(&queue->records, i, sizeof(ipc__record_t));
}

static void add_segment(ipc__queue_t* queue,
                        const uint8_t* base,
                        size_t size,
                        ipc__block_t* block) {
  ipc__segment_t* segment;

  segment = segment_at(queue, queue->segments.count++);
  segment->base = base;
  segment->size = size;
  segment->block = block;
  if (block != NULL) block->segments++;
}

/* A place in the staging block, which has the room; bytes that follow each
 * other share a segment, for which there is a slot. */
static uint8_t* take_staged(ipc__queue_t* queue, size_t size) {
  ipc__block_t* block = queue->staging;
  uint8_t* to = block->bytes + block->used;
  ipc__segment_t* last;

  block->used += size;
  if (queue->segments.count > 0) {
    last = segment_at(queue, queue->segments.count - 1);
    if (last->block == block && last->base + last->size == to) {
      last->size += size;
      return to;
    }
  }
  add_segment(queue, to, size, block);
  return to;
}

static void stage(ipc__queue_t* queue, const void* bytes, size_t size) {
  if (size > 0) memcpy(take_staged(queue, size), bytes, size);
}

/* A staging block with room for `size` bytes. A block that is full stays alive
 * through its segments. */
static int reserve_staging(ipc__hub_t* hub, ipc__queue_t* queue, size_t size) {
  ipc__block_t* block;
  size_t wanted = size;
  size_t memory;

  if (wanted < IPC__QUEUE_BLOCK_BYTES) wanted = IPC__QUEUE_BLOCK_BYTES;
  block = ipc__hub_take(hub, BLOCK_HEAD + wanted, &memory);
  if (block == NULL) return UV_ENOMEM;
  block->memory = memory;
  block->used = 0;
  block->segments = 0;
  if (queue->staging != NULL && queue->staging->segments == 0) {
    ipc__hub_give(hub, queue->staging, queue->staging->memory);
  }
  queue->staging = block;
  return 0;
}

size_t ipc__pieces_size(const uv_buf_t* pieces, unsigned int count) {
  size_t size = 0;
  unsigned int i;

  for (i = 0; i < count; i++) {
    if (pieces[i].len > SIZE_MAX - size) return SIZE_MAX;
    size += pieces[i].len;
  }
  return size;
}

static int has_staging(const ipc__queue_t* queue, size_t size) {
  const ipc__block_t* block = queue->staging;

  return block != NULL && block->memory - BLOCK_HEAD - block->used >= size;
}

/* All the room that a put may need. */
static int reserve(ipc__hub_t* hub,
                   ipc__queue_t* queue,
                   size_t staged,
                   uint32_t segments,
                   int has_record) {
  if (!ipc__ring_has_room(&queue->segments, segments) &&
      ipc__ring_reserve(hub, &queue->segments, segments,
                        sizeof(ipc__segment_t)) != 0) {
    return UV_ENOMEM;
  }
  if (has_record && !ipc__ring_has_room(&queue->records, 1) &&
      ipc__ring_reserve(hub, &queue->records, 1, sizeof(ipc__record_t)) != 0) {
    return UV_ENOMEM;
  }
  if (staged == 0 || has_staging(queue, staged)) return 0;
  return reserve_staging(hub, queue, staged);
}

uint8_t* ipc__queue_stage(ipc__hub_t* hub,
                          ipc__queue_t* queue,
                          size_t size,
                          int has_record) {
  if (reserve(hub, queue, size, 1, has_record) != 0) return NULL;
  queue->queued += size;
  hub->queued_bytes += size;
  return take_staged(queue, size);
}

/* The pieces but for their first `skip` bytes. */
static void add_pieces(ipc__queue_t* queue, const ipc__put_t* put) {
  size_t skip = put->replaced;
  unsigned int i;

  for (i = 0; i < put->count; i++) {
    const uint8_t* base = (const uint8_t*) put->pieces[i].base;
    size_t size = put->pieces[i].len;
    size_t left_out = skip < size ? skip : size;

    skip -= left_out;
    size -= left_out;
    if (size == 0) continue;
    if (put->borrow) {
      add_segment(queue, base + left_out, size, NULL);
    } else {
      stage(queue, base + left_out, size);
    }
  }
}

ssize_t ipc__queue_put(ipc__hub_t* hub,
                       ipc__queue_t* queue,
                       const ipc__put_t* put) {
  size_t body = ipc__pieces_size(put->pieces, put->count) - put->replaced;
  size_t around = put->head_size + put->tail_size;
  size_t staged = around + (put->borrow && !put->has_rest ? 0 : body);

  if (reserve(hub, queue, staged, 2 + put->count, put->has_record) != 0) {
    return UV_ENOMEM;
  }
  stage(queue, put->head, put->head_size);
  add_pieces(queue, put);
  stage(queue, put->tail, put->tail_size);
  queue->queued += around + body;
  hub->queued_bytes += around + body;
  return (ssize_t) (around + body);
}

unsigned int ipc__queue_gather(const ipc__queue_t* queue,
                               size_t skip,
                               size_t limit,
                               uv_buf_t* buffers,
                               unsigned int count) {
  unsigned int used = 0;
  uint32_t i;

  for (i = 0; i < queue->segments.count && used < count && limit > 0; i++) {
    const ipc__segment_t* segment = segment_at(queue, i);
    size_t size = segment->size;

    if (skip >= size) {
      skip -= size;
      continue;
    }
    size -= skip;
    if (size > limit) size = limit;
    /* uv_buf_t's length is 32 bits wide on Windows. */
    if (size > INT32_MAX) size = limit = INT32_MAX;
    buffers[used++] =
        uv_buf_init((char*) segment->base + skip, (unsigned int) size);
    limit -= size;
    skip = 0;
  }
  return used;
}

/* How many records end at the position or before it. */
static uint32_t records_until(const ipc__queue_t* queue, uint64_t position) {
  uint32_t low = 0;
  uint32_t high = queue->records.count;

  while (low < high) {
    uint32_t middle = low + (high - low) / 2;

    if (ipc__queue_record(queue, middle)->end <= position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

size_t ipc__queue_whole(const ipc__queue_t* queue, size_t limit) {
  uint32_t complete = records_until(queue, queue->released);
  uint32_t count = records_until(queue, queue->released + limit);

  if (complete == queue->records.count) return 0;
  if (count == complete) count++;
  return (size_t) (ipc__queue_record(queue, count - 1)->end - queue->released);
}

/* One segment less lies in the block. */
static void release_block(ipc__hub_t* hub,
                          ipc__queue_t* queue,
                          ipc__block_t* block) {
  if (block == NULL || --block->segments > 0) return;
  if (block == queue->staging) {
    block->used = 0;
  } else {
    ipc__hub_give(hub, block, block->memory);
  }
}

static void drop_first_segment(ipc__hub_t* hub, ipc__queue_t* queue) {
  ipc__block_t* block = segment_at(queue, 0)->block;

  ipc__ring_drop_first(&queue->segments);
  release_block(hub, queue, block);
}

void ipc__queue_release(ipc__hub_t* hub, ipc__queue_t* queue, size_t bytes) {
  queue->released += bytes;
  hub->queued_bytes -= bytes;
  while (bytes > 0) {
    ipc__segment_t* first = segment_at(queue, 0);

    if (first->size > bytes) {
      first->base += bytes;
      first->size -= bytes;
      break;
    }
    bytes -= first->size;
    drop_first_segment(hub, queue);
  }
}

/* Takes the first record out of a ring. */
static int pop(ipc__ring_t* ring, ipc__record_t* record) {
  *record = *(ipc__record_t*) ipc__ring_at(ring, 0, sizeof(*record));
  ipc__ring_drop_first(ring);
  return 1;
}

int ipc__queue_pop(ipc__queue_t* queue, int all, ipc__record_t* record) {
  if (queue->withdrawn.count > 0) return pop(&queue->withdrawn, record);
  if (queue->records.count == 0) return 0;
  if (!all && ipc__queue_record(queue, 0)->end > queue->released) return 0;
  return pop(&queue->records, record);
}

uint64_t ipc__queue_pop_silent(ipc__queue_t* queue) {
  uint64_t count = 0;

  while (queue->records.count > 0) {
    const ipc__record_t* first = ipc__queue_record(queue, 0);

    if (first->end > queue->released) return count;
    if (first->cb != NULL || first->op != NULL) return count;
    ipc__ring_drop_first(&queue->records);
    count++;
  }
  return count;
}

void ipc__queue_copy_borrowed(ipc__queue_t* queue) {
  ipc__block_t* block = queue->staging;
  uint32_t i;

  for (i = 0; i < queue->segments.count; i++) {
    ipc__segment_t* segment = segment_at(queue, i);
    uint8_t* to;

    if (segment->block != NULL) continue;
    to = block->bytes + block->used;
    memcpy(to, segment->base, segment->size);
    block->used += segment->size;
    block->segments++;
    segment->base = to;
    segment->block = block;
  }
}

uint32_t ipc__queue_find(const ipc__queue_t* queue, ipc_op_t id) {
  uint32_t low = 0;
  uint32_t high = queue->records.count;

  while (low < high) {
    uint32_t middle = low + (high - low) / 2;

    if (ipc__queue_record(queue, middle)->id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void ipc__queue_drop(ipc__hub_t* hub, ipc__queue_t* queue) {
  while (queue->segments.count > 0) drop_first_segment(hub, queue);
  ipc__ring_give_back(hub, &queue->segments);
  /* Room for a record that a failed put had no use for. */
  if (queue->records.count == 0) ipc__ring_give_back(hub, &queue->records);
  if (queue->withdrawn.count == 0) {
    ipc__ring_give_back(hub, &queue->withdrawn);
  }
  if (queue->staging != NULL) {
    ipc__hub_give(hub, queue->staging, queue->staging->memory);
    queue->staging = NULL;
  }
  hub->queued_bytes -= ipc__queue_bytes(queue);
  queue->released = queue->queued;
}

static void trim_ring(ipc__hub_t* hub, ipc__ring_t* ring) {
  if (ring->memory > KEPT_RING_BYTES) ipc__ring_give_back(hub, ring);
  ring->first = 0;
}

void ipc__queue_clear(ipc__hub_t* hub, ipc__queue_t* queue) {
  ipc__block_t* block = queue->staging;

  trim_ring(hub, &queue->segments);
  trim_ring(hub, &queue->records);
  trim_ring(hub, &queue->withdrawn);
  if (block != NULL && block->memory > KEPT_BLOCK_BYTES) {
    ipc__hub_give(hub, block, block->memory);
    queue->staging = NULL;
  }
  if (queue->staging != NULL) queue->staging->used = 0;
  queue->queued = queue->released = IPC__QUEUE_START;
}

/* ---- Taking out of the middle ------------------------------------------- */

/* The segment that begins `offset` bytes from the front, made by cutting one in
 * two where need be; there is a slot for that. */
static uint32_t cut_at(ipc__queue_t* queue, uint64_t offset) {
  ipc__segment_t* left;
  ipc__segment_t* right;
  uint32_t i;

  for (i = 0; i < queue->segments.count && offset > 0; i++) {
    size_t size = segment_at(queue, i)->size;

    if (offset < size) {
      left = ipc__ring_insert(&queue->segments, i, sizeof(*left));
      right = segment_at(queue, i + 1);
      *left = *right;
      left->size = (size_t) offset;
      right->base += offset;
      right->size -= (size_t) offset;
      if (left->block != NULL) left->block->segments++;
      return i + 1;
    }
    offset -= size;
  }
  return i;
}

/* Takes out the bytes from position `from` to `to`; what is before them moves
 * up. */
static int take_out(ipc__hub_t* hub,
                    ipc__queue_t* queue,
                    uint64_t from,
                    uint64_t to) {
  uint32_t first;
  uint32_t last;
  uint32_t i;

  if (from == to) return 0;
  if (ipc__ring_reserve(hub, &queue->segments, 2, sizeof(ipc__segment_t)) !=
      0) {
    return UV_ENOMEM;
  }
  first = cut_at(queue, from - queue->released);
  last = cut_at(queue, to - queue->released);
  for (i = first; i < last; i++) {
    release_block(hub, queue, segment_at(queue, i)->block);
  }
  ipc__ring_remove(&queue->segments, first, last - first,
                   sizeof(ipc__segment_t));
  queue->released += to - from;
  hub->queued_bytes -= (size_t) (to - from);
  for (i = 0; i < queue->records.count; i++) {
    ipc__record_t* record = ipc__queue_record(queue, i);

    if (record->end > from) break;
    record->end += to - from;
  }
  return 0;
}

/* Moves a record, of which `gone` bytes have left, to those that wait for their
 * callbacks; there is a slot. */
static void move_to_withdrawn(ipc__queue_t* queue,
                              uint32_t i,
                              uint32_t gone,
                              int status) {
  ipc__ring_t* ring = &queue->withdrawn;
  ipc__record_t* slot = ipc__ring_at(ring, ring->count++, sizeof(*slot));

  *slot = *ipc__queue_record(queue, i);
  slot->size -= slot->tail;
  slot->tail = 0;
  if (slot->size > gone) slot->size = gone;
  slot->status = (int16_t) status;
  ipc__ring_remove(&queue->records, i, 1, sizeof(*slot));
}

int ipc__queue_withdraw(ipc__hub_t* hub,
                        ipc__queue_t* queue,
                        uint32_t i,
                        int status) {
  ipc__record_t* record = ipc__queue_record(queue, i);
  int err;

  err = ipc__ring_reserve(hub, &queue->withdrawn, 1, sizeof(*record));
  if (err == 0) {
    err = take_out(hub, queue, ipc__record_start(record), record->end);
  }
  if (err != 0) return err;
  move_to_withdrawn(queue, i, 0, status);
  if (queue->segments.count == 0) ipc__queue_drop(hub, queue);
  return 0;
}

/* Puts bytes of the library's own in front of all others. */
static int put_first(ipc__hub_t* hub,
                     ipc__queue_t* queue,
                     const uint8_t* bytes,
                     size_t size) {
  ipc__segment_t* segment;
  ipc__block_t* block;
  size_t memory;
  uint32_t i;

  if (size == 0) return 0;
  if (ipc__ring_reserve(hub, &queue->segments, 1, sizeof(*segment)) != 0) {
    return UV_ENOMEM;
  }
  block = ipc__hub_take(hub, BLOCK_HEAD + size, &memory);
  if (block == NULL) return UV_ENOMEM;
  block->memory = memory;
  block->used = size;
  block->segments = 1;
  memcpy(block->bytes, bytes, size);
  segment = ipc__ring_insert(&queue->segments, 0, sizeof(*segment));
  segment->base = block->bytes;
  segment->size = size;
  segment->block = block;
  /* The front of the queue is earlier now; what is complete stays so. */
  for (i = 0; i < queue->records.count; i++) {
    ipc__record_t* record = ipc__queue_record(queue, i);

    if (record->end > queue->released) break;
    record->end = 0;
  }
  queue->released -= size;
  hub->queued_bytes += size;
  return 0;
}

int ipc__queue_restart(ipc__hub_t* hub,
                       ipc__queue_t* queue,
                       uint64_t from,
                       const uint8_t* head,
                       size_t head_size,
                       int status) {
  uint64_t kept = queue->released;
  ipc__record_t* record;
  uint32_t i = 0;

  if (ipc__ring_reserve(hub, &queue->withdrawn, queue->records.count,
                        sizeof(*record)) != 0) {
    return UV_ENOMEM;
  }
  /* What has begun to leave, and between records what was ours. */
  while (i < queue->records.count) {
    record = ipc__queue_record(queue, i);
    if (record->end <= queue->released) {
      i++; /* complete; its callback is due */
    } else if (ipc__record_start(record) < from) {
      uint64_t gone = from - ipc__record_start(record);

      if (gone > record->size) gone = record->size;
      move_to_withdrawn(queue, i, (uint32_t) gone, status);
    } else {
      /* Moves up what is in front, which is what was kept so far. */
      uint64_t start = ipc__record_start(record);
      uint64_t end = record->end;

      if (take_out(hub, queue, kept, start) != 0) return UV_ENOMEM;
      kept = end;
      i++;
    }
  }
  if (take_out(hub, queue, kept, queue->queued) != 0) return UV_ENOMEM;
  return put_first(hub, queue, head, head_size);
}
