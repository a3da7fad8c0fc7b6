/* A growing ring of fixed-size items, in memory that the hub lends. */
#ifndef IPC_CHANNEL_RING_H
#define IPC_CHANNEL_RING_H

#include "hub.h"

typedef struct ipc__ring_s {
  void* items;
  size_t memory;  /* bytes of items, as the hub lent them */
  uint32_t slots; /* a power of two; 0: no memory yet */
  uint32_t first;
  uint32_t count;
} ipc__ring_t;

static inline void* ipc__ring_at(const ipc__ring_t* ring,
                                 uint32_t i,
                                 size_t item) {
  return (char*) ring->items + ((ring->first + i) & (ring->slots - 1)) * item;
}

/* Room for `more` items beyond those that are there, or UV_ENOMEM. */
int ipc__ring_reserve(ipc__hub_t* hub,
                      ipc__ring_t* ring,
                      uint32_t more,
                      size_t item);

static inline int ipc__ring_has_room(const ipc__ring_t* ring, uint32_t more) {
  return ring->count + more <= ring->slots;
}

static inline void ipc__ring_drop_first(ipc__ring_t* ring) {
  ring->first = (ring->first + 1) & (ring->slots - 1);
  ring->count--;
}

/* Takes out `count` items from the i-th on. What comes before them moves, since
 * it is most often the shorter part. */
void ipc__ring_remove(ipc__ring_t* ring,
                      uint32_t i,
                      uint32_t count,
                      size_t item);

/* Makes a place for an item before the i-th, for which there is room, and
 * returns it. */
void* ipc__ring_insert(ipc__ring_t* ring, uint32_t i, size_t item);

void ipc__ring_give_back(ipc__hub_t* hub, ipc__ring_t* ring);

#endif /* IPC_CHANNEL_RING_H */
