/* What bench has measured, as text and as JSON. */
#include <stdio.h>

#include "bench.h"

#define MIB 1048576.0
#define US 1000.0
#define S 1000000000.0

static double per_second(const bench_run_t* run) {
  double elapsed = run->elapsed_ns > 0 ? (double) run->elapsed_ns : 1;

  return (double) run->messages * S / elapsed;
}

static double mib_per_second(const bench_run_t* run) {
  return per_second(run) * (double) run->size / MIB;
}

void bench_print_head(void) {
  printf("%8s %9s %10s %7s %7s %7s %7s %7s %7s\n", "bytes", "messages",
         "messages/s", "MiB/s", "p50 us", "p90 us", "p99 us", "p99.9us",
         "max us");
  fflush(stdout);
}

void bench_print_run(const bench_run_t* run) {
  printf("%8zu %9llu %10.0f %7.1f %7.1f %7.1f %7.1f %7.1f %7.1f\n", run->size,
         (unsigned long long) run->messages, per_second(run),
         mib_per_second(run), (double) run->p50_ns / US,
         (double) run->p90_ns / US, (double) run->p99_ns / US,
         (double) run->p99_9_ns / US, (double) run->max_ns / US);
  fflush(stdout);
}

static void print_json_run(const bench_run_t* run) {
  printf("{\"size_bytes\":%zu,\"messages\":%llu,\"elapsed_s\":%.9f,", run->size,
         (unsigned long long) run->messages, (double) run->elapsed_ns / S);
  printf("\"messages_per_s\":%.3f,\"mib_per_s\":%.6f,", per_second(run),
         mib_per_second(run));
  printf("\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,",
         (double) run->p50_ns / US, (double) run->p90_ns / US,
         (double) run->p99_ns / US);
  printf("\"p99_9_us\":%.3f,\"max_us\":%.3f}", (double) run->p99_9_ns / US,
         (double) run->max_ns / US);
}

void bench_print_json(const bench_t* bench) {
  unsigned int i;

  /* A --frame that has been understood needs no escapes. */
  printf("{\"frame\":\"%s\",\"clients\":%u,\"pipeline\":%u,",
         bench->plan->frame, bench->plan->clients, bench->plan->pipeline);
  printf("\"interrupted\":%s,\"runs\":[",
         bench->is_interrupted ? "true" : "false");
  for (i = 0; i < bench->run_count; i++) {
    if (i > 0) printf(",");
    print_json_run(&bench->runs[i]);
  }
  printf("]}\n");
}
