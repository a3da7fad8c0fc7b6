/* The progress line. Bytes that pass drive it, so it needs no timer, and where
 * nothing is to be shown it costs one comparison. */
#include "progress.h"

#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#define NANOSECONDS UINT64_C(1000000000)

/* A transfer is long from here on. */
#define SHOW_AFTER_NS NANOSECONDS

/* At most ten times a second. */
#define INTERVAL_NS (NANOSECONDS / 10)

/* The widest line there is, to wipe it with blanks: not every console of
 * Windows knows the escape sequences. */
#define LINE_WIDTH 48

enum { UNKNOWN, OFF, ON };

static struct {
  int mode;
  int is_shown;
  uint64_t bytes;
  uint64_t began;
  uint64_t shown;
} progress;

/* What somebody types or reads on the same terminal is not to be disturbed. */
static int find_mode(void) {
  if (uv_guess_handle(2) != UV_TTY) return OFF;
  if (uv_guess_handle(0) == UV_TTY || uv_guess_handle(1) == UV_TTY) return OFF;
  return ON;
}

static const char* scale(double* value) {
  static const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t i = 0;

  while (*value >= 1024 && i < sizeof(units) / sizeof(units[0]) - 1) {
    *value /= 1024;
    i++;
  }
  return units[i];
}

static void show(uint64_t now) {
  double total = (double) progress.bytes;
  double rate = total * (double) NANOSECONDS / (double) (now - progress.began);
  const char* total_unit = scale(&total);
  const char* rate_unit = scale(&rate);

  fprintf(stderr, "\r%12.1f %s %12.1f %s/s  ", total, total_unit, rate,
          rate_unit);
  fflush(stderr);
  progress.is_shown = 1;
  progress.shown = now;
}

void progress_add(size_t bytes) {
  uint64_t now;

  if (progress.mode == OFF) return;
  if (progress.mode == UNKNOWN) {
    progress.mode = find_mode();
    progress.began = uv_hrtime();
  }
  progress.bytes += bytes;
  now = uv_hrtime();
  if (now - progress.began < SHOW_AFTER_NS) return;
  if (now - progress.shown < INTERVAL_NS) return;
  if (progress.mode == ON) show(now);
}

void progress_hide(void) {
  if (!progress.is_shown) return;
  progress.is_shown = 0;
  fprintf(stderr, "\r%*s\r", LINE_WIDTH, "");
  fflush(stderr);
}
