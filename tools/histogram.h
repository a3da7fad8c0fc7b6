/* How often each latency was seen, in constant memory. */
#ifndef IPC_CHANNEL_TOOL_HISTOGRAM_H
#define IPC_CHANNEL_TOOL_HISTOGRAM_H

#include <stdint.h>

/* Values below 2 * HISTOGRAM_STEPS have a bucket each; above, each power of two
 * is parted into so many of equal width. */
#define HISTOGRAM_STEP_BITS 7
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

/* Zeroed before its first use. */
typedef struct histogram_s {
  uint64_t count;
  uint64_t max;
  uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram_t;

void histogram_add(histogram_t* histogram, uint64_t value);

/* The value that this share (0 to 1) of all values doesn't exceed; 0: there are
 * none. It may be up to 1 / HISTOGRAM_STEPS of itself too large, never more
 * than the largest value. */
uint64_t histogram_at(const histogram_t* histogram, double share);

#endif /* IPC_CHANNEL_TOOL_HISTOGRAM_H */
