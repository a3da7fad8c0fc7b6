/* Waits that grow, give or take a quarter, so that those who were turned away
 * together, or have died together, don't come back together. */
#include "backoff.h"

#include <uv.h>

uint32_t ipc__backoff_seed(const void* object) {
  return (uint32_t) uv_hrtime() ^ (uint32_t) (uintptr_t) object;
}

int ipc__backoff_vary(int64_t ms, uint32_t* random) {
  int64_t quarter = ms / 4;

  /* A linear congruential generator; the constants are those of Numerical
   * Recipes. */
  *random = *random * 1664525u + 1013904223u;
  ms += (*random >> 8) % (2 * quarter + 1) - quarter;
  return ms < 1 ? 1 : (int) ms;
}

int ipc__backoff_next(int* backoff_ms, int max_ms, uint32_t* random) {
  int backoff = *backoff_ms;

  *backoff_ms = backoff > max_ms / 2 ? max_ms : backoff * 2;
  return ipc__backoff_vary(backoff, random);
}
