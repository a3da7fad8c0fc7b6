/* Changes to a send queue elsewhere than at its ends: a send that is withdrawn,
 * and what the next connection begins with. */
#include <string.h>

#include "queue.h"

/* ---- Taking out of the middle ------------------------------------------- */

/* The segment that begins `offset` bytes from the front, made by cutting one in
 * two where need be; there is a slot for that. */
static uint32_t cut_at(ipc__queue_t* queue, uint64_t offset) {
  ipc__segment_t* left;
  ipc__segment_t* right;
  uint32_t i;

  for (i = 0; i < queue->segments.count && offset > 0; i++) {
    size_t size = ipc__queue_segment(queue, i)->size;

    if (offset < size) {
      left = ipc__ring_insert(&queue->segments, i, sizeof(*left));
      right = ipc__queue_segment(queue, i + 1);
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
    ipc__queue_release_block(hub, queue, ipc__queue_segment(queue, i)->block);
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
  slot->status = status;
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
  block = ipc__hub_take(hub, IPC__QUEUE_BLOCK_HEAD + size, &memory);
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
    } else if (record->is_reply || ipc__record_start(record) < from) {
      uint64_t start = ipc__record_start(record);
      uint64_t gone = start < from ? from - start : 0;

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
