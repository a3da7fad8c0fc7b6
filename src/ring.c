/* Rings: first in, first out, and now and then an item from the middle. */
#include "ring.h"

#include <string.h>

#define FIRST_SLOTS 16u

int ipc__ring_reserve(ipc__hub_t* hub,
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
    memcpy(items + i * item, ipc__ring_at(ring, i, item), item);
  }
  ipc__hub_give(hub, ring->items, ring->memory);
  ring->items = items;
  ring->memory = memory;
  ring->slots = slots;
  ring->first = 0;
  return 0;
}

void ipc__ring_remove(ipc__ring_t* ring,
                      uint32_t i,
                      uint32_t count,
                      size_t item) {
  while (i > 0) {
    i--;
    memcpy(ipc__ring_at(ring, i + count, item), ipc__ring_at(ring, i, item),
           item);
  }
  while (count-- > 0) ipc__ring_drop_first(ring);
}

void* ipc__ring_insert(ipc__ring_t* ring, uint32_t i, size_t item) {
  uint32_t j;

  ring->first = (ring->first - 1) & (ring->slots - 1);
  ring->count++;
  for (j = 0; j < i; j++) {
    memcpy(ipc__ring_at(ring, j, item), ipc__ring_at(ring, j + 1, item), item);
  }
  return ipc__ring_at(ring, i, item);
}

void ipc__ring_give_back(ipc__hub_t* hub, ipc__ring_t* ring) {
  ipc__hub_give(hub, ring->items, ring->memory);
  memset(ring, 0, sizeof(*ring));
}
