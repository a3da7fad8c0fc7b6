/* A log-linear histogram: the leading bits of a value are its bucket. */
#include "histogram.h"

/* How many bits of the value its bucket doesn't know. */
static unsigned int unknown_bits(uint64_t value) {
  unsigned int bits = 0;

  while (value >> bits >= UINT64_C(2) * HISTOGRAM_STEPS) bits++;
  return bits;
}

void histogram_add(histogram_t* histogram, uint64_t value) {
  unsigned int bits = unknown_bits(value);

  /* The leading bit is that of HISTOGRAM_STEPS wherever bits are unknown. */
  histogram->buckets[bits * HISTOGRAM_STEPS + (value >> bits)]++;
  histogram->count++;
  if (value > histogram->max) histogram->max = value;
}

/* The largest value of a bucket. */
static uint64_t top_of(unsigned int bucket) {
  unsigned int bits =
      bucket < 2 * HISTOGRAM_STEPS ? 0 : bucket / HISTOGRAM_STEPS - 1;
  uint64_t leading = bucket - bits * HISTOGRAM_STEPS;

  return (leading << bits) + ((UINT64_C(1) << bits) - 1);
}

uint64_t histogram_at(const histogram_t* histogram, double share) {
  double wanted = share * (double) histogram->count;
  uint64_t seen = 0;
  unsigned int i;

  for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
    seen += histogram->buckets[i];
    if (histogram->buckets[i] > 0 && (double) seen >= wanted) {
      uint64_t top = top_of(i);

      return top < histogram->max ? top : histogram->max;
    }
  }
  return histogram->max;
}
