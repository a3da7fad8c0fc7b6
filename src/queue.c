/* The send queue: where staged and borrowed bytes wait. It never writes and
 * never calls back. */
#include "queue.h"

#include <string.h>

/* What an empty queue may keep for the next use: a ring, a staging block. */
#define KEPT_RING_BYTES ((size_t) 16 << 10)
#define KEPT_BLOCK_BYTES (IPC__QUEUE_BLOCK_HEAD + 2 * IPC__QUEUE_BLOCK_BYTES)

/* ---- Segments ----------------------------------------------------------- */

static void add_segment(ipc__queue_t* queue,
                        const uint8_t* base,
                        size_t size,
                        ipc__block_t* block) {
  ipc__segment_t* segment;

  segment = ipc__queue_segment(queue, queue->segments.count++);
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
    last = ipc__queue_segment(queue, queue->segments.count - 1);
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
  block = ipc__hub_take(hub, IPC__QUEUE_BLOCK_HEAD + wanted, &memory);
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

  return block != NULL &&
         block->memory - IPC__QUEUE_BLOCK_HEAD - block->used >= size;
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
    const ipc__segment_t* segment = ipc__queue_segment(queue, i);
    size_t size = segment->size;

    if (skip >= size) {
      skip -= size;
      continue;
    }
    size -= skip;
    if (size > limit) size = limit;
    /* uv_buf_t's length is 32 bits wide on Windows. */
    if (size > INT32_MAX) size = limit = INT32_MAX;
    buffers[used].base = (char*) segment->base + skip;
    buffers[used++].len = (unsigned int) size;
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

void ipc__queue_release_block(ipc__hub_t* hub,
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
  ipc__block_t* block = ipc__queue_segment(queue, 0)->block;

  ipc__ring_drop_first(&queue->segments);
  ipc__queue_release_block(hub, queue, block);
}

void ipc__queue_release(ipc__hub_t* hub, ipc__queue_t* queue, size_t bytes) {
  queue->released += bytes;
  hub->queued_bytes -= bytes;
  while (bytes > 0) {
    ipc__segment_t* first = ipc__queue_segment(queue, 0);

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
    ipc__segment_t* segment = ipc__queue_segment(queue, i);
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
