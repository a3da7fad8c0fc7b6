/* The send queue: where staged and borrowed bytes wait. It never writes and
 * never calls back. */
#include "queue.h"

#include <string.h>

#define FIRST_SLOTS 16u

struct ipc__block_s {
  size_t memory;         /* as the hub lent it */
  size_t used;           /* bytes that were put in */
  unsigned int segments; /* that lie in it and are not done with */
  uint8_t bytes[];
};

#define BLOCK_HEAD offsetof(ipc__block_t, bytes)

/* ---- Rings -------------------------------------------------------------- */

static void* ring_at(const ipc__ring_t* ring, uint32_t i, size_t item) {
  return (char*) ring->items + ((ring->first + i) & (ring->slots - 1)) * item;
}

/* Room for `more` items beyond those that are there. */
static int ring_reserve(ipc__hub_t* hub,
                        ipc__ring_t* ring,
                        uint32_t more,
                        size_t item) {
  uint32_t slots = ring->slots == 0 ? FIRST_SLOTS : ring->slots;
  size_t memory;
  char* items;
  uint32_t i;

  while (slots < ring->count + more) {
    if (slots > UINT32_MAX / 4) return UV_ENOMEM;
    slots *= 2;
  }
  if (slots == ring->slots) return 0;
  items = ipc__hub_take(hub, slots * item, &memory);
  if (items == NULL) return UV_ENOMEM;
  for (i = 0; i < ring->count; i++) {
    memcpy(items + i * item, ring_at(ring, i, item), item);
  }
  ipc__hub_give(hub, ring->items, ring->memory);
  ring->items = items;
  ring->memory = memory;
  ring->slots = slots;
  ring->first = 0;
  return 0;
}

static void ring_drop_first(ipc__ring_t* ring) {
  ring->first = (ring->first + 1) & (ring->slots - 1);
  ring->count--;
}

static void ring_give_back(ipc__hub_t* hub, ipc__ring_t* ring) {
  ipc__hub_give(hub, ring->items, ring->memory);
  memset(ring, 0, sizeof(*ring));
}

/* ---- Segments ----------------------------------------------------------- */

static ipc__segment_t* segment_at(const ipc__queue_t* queue, uint32_t i) {
  return ring_at(&queue->segments, i, sizeof(ipc__segment_t));
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

/* Copies into the staging block, which has the room; bytes that follow each
 * other share a segment. */
static void stage(ipc__queue_t* queue, const void* bytes, size_t size) {
  ipc__block_t* block = queue->staging;
  ipc__segment_t* last;
  uint8_t* to;

  if (size == 0) return;
  to = block->bytes + block->used;
  memcpy(to, bytes, size);
  block->used += size;
  if (queue->segments.count > 0) {
    last = segment_at(queue, queue->segments.count - 1);
    if (last->block == block && last->base + last->size == to) {
      last->size += size;
      return;
    }
  }
  add_segment(queue, to, size, block);
}

/* A staging block with room for `size` bytes. A block that is full stays alive
 * through its segments. */
static int reserve_staging(ipc__hub_t* hub, ipc__queue_t* queue, size_t size) {
  ipc__block_t* block = queue->staging;
  size_t wanted = size;
  size_t memory;

  if (block != NULL && block->memory - BLOCK_HEAD - block->used >= size) {
    return 0;
  }
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

int ipc__queue_put(ipc__hub_t* hub,
                   ipc__queue_t* queue,
                   const uint8_t* head,
                   size_t head_size,
                   const void* body,
                   size_t body_size,
                   int borrow,
                   const ipc__record_t* record) {
  size_t staged = head_size + (borrow ? 0 : body_size);
  ipc__record_t* slot;

  /* Whatever can fail comes first. */
  if (ring_reserve(hub, &queue->segments, 2, sizeof(ipc__segment_t)) != 0) {
    return UV_ENOMEM;
  }
  if (record != NULL &&
      ring_reserve(hub, &queue->records, 1, sizeof(*record)) != 0) {
    return UV_ENOMEM;
  }
  if (staged > 0 && reserve_staging(hub, queue, staged) != 0) {
    return UV_ENOMEM;
  }

  stage(queue, head, head_size);
  if (borrow) {
    add_segment(queue, body, body_size, NULL);
  } else {
    stage(queue, body, body_size);
  }
  queue->queued += head_size + body_size;
  if (record != NULL) {
    slot = ring_at(&queue->records, queue->records.count++, sizeof(*record));
    *slot = *record;
    slot->end = queue->queued;
  }
  return 0;
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

static void drop_first_segment(ipc__hub_t* hub, ipc__queue_t* queue) {
  ipc__block_t* block = segment_at(queue, 0)->block;

  ring_drop_first(&queue->segments);
  if (block == NULL || --block->segments > 0) return;
  if (block == queue->staging) {
    block->used = 0;
  } else {
    ipc__hub_give(hub, block, block->memory);
  }
}

void ipc__queue_release(ipc__hub_t* hub, ipc__queue_t* queue, size_t bytes) {
  queue->released += bytes;
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
  if (queue->segments.count == 0) ipc__queue_drop(hub, queue);
}

int ipc__queue_pop(ipc__hub_t* hub,
                   ipc__queue_t* queue,
                   int all,
                   ipc__record_t* record) {
  ipc__record_t* first;

  if (queue->records.count == 0) return 0;
  first = ring_at(&queue->records, 0, sizeof(*first));
  if (!all && first->end > queue->released) return 0;
  *record = *first;
  ring_drop_first(&queue->records);
  if (queue->records.count == 0) ring_give_back(hub, &queue->records);
  return 1;
}

void ipc__queue_drop(ipc__hub_t* hub, ipc__queue_t* queue) {
  while (queue->segments.count > 0) drop_first_segment(hub, queue);
  ring_give_back(hub, &queue->segments);
  /* Room for a record that a failed put had no use for. */
  if (queue->records.count == 0) ring_give_back(hub, &queue->records);
  if (queue->staging != NULL) {
    ipc__hub_give(hub, queue->staging, queue->staging->memory);
    queue->staging = NULL;
  }
  queue->released = queue->queued;
}
