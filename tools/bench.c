/* ipc-channel bench: how fast messages come back. The clients are all on one
 * loop; the server is another process. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "report.h"
#include "stop.h"

/* After this our own server is killed. */
#define GRACE_MS 2000

/* How often to look whether replies still come. */
#define LOOK_MS 50

/* ---- Its end ------------------------------------------------------------ */

void bench_finish(bench_t* bench, int status) {
  unsigned int i;

  if (bench->state == BENCH_OVER) return;
  bench->state = BENCH_OVER;
  bench->status = status;
  stop_unwatch();
  uv_close((uv_handle_t*) &bench->timer, NULL);
  for (i = 0; i < bench->plan->clients; i++) {
    if (bench->clients[i].channel == NULL) continue;
    ipc_channel_disconnect(bench->clients[i].channel);
    ipc_channel_close(bench->clients[i].channel);
  }
  if (bench->server != NULL) ipc_child_quit(bench->server, GRACE_MS);
}

static void on_stop(void* arg) {
  bench_t* bench = arg;

  bench->is_interrupted = 1;
  if (bench->state == BENCH_MEASURING) bench_end_run(bench);
  bench_finish(bench, STATUS_OK);
}

/* Nothing else would notice a server that says nothing. */
static void on_look(uv_timer_t* timer) {
  bench_t* bench = timer->data;
  uint64_t most = (uint64_t) bench->plan->timeout_ms * 1000000;

  if (bench->state != BENCH_MEASURING) return;
  if (uv_hrtime() - bench->last_ns < most) return;
  bench_finish(bench, report_timeout(bench->name, bench->plan->timeout_ms,
                                     "no reply; is it an echo server?"));
}

/* ---- Its life ----------------------------------------------------------- */

/* Bytes without a pattern of their own, always the same. */
static void fill_pattern(const bench_t* bench, size_t size) {
  uint32_t state = 2463534242u; /* any but 0 */
  size_t i;

  for (i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    bench->pattern[i] = bench_byte(bench->plan, state >> 24);
  }
}

static int allocate(bench_t* bench) {
  const bench_plan_t* plan = bench->plan;
  size_t largest = 1;
  unsigned int i;

  for (i = 0; i < plan->size_count; i++) {
    if (plan->sizes[i] > largest) largest = plan->sizes[i];
  }
  bench->clients = calloc(plan->clients, sizeof(*bench->clients));
  bench->times =
      calloc((size_t) plan->clients * plan->pipeline, sizeof(*bench->times));
  bench->pattern = malloc(largest);
  if (bench->clients == NULL || bench->times == NULL ||
      bench->pattern == NULL) {
    return UV_ENOMEM;
  }
  fill_pattern(bench, largest);
  return 0;
}

static void run(bench_t* bench) {
  int status;

  uv_timer_init(bench->loop, &bench->timer);
  bench->timer.data = bench;
  uv_timer_start(&bench->timer, on_look, LOOK_MS, LOOK_MS);
  stop_watch(bench->loop, on_stop, bench);
  if (bench->name == NULL) {
    status = bench_start_server(bench);
  } else {
    status = bench_connect(bench);
  }
  if (status != 0) bench_finish(bench, status);
  uv_run(bench->loop, UV_RUN_DEFAULT);
}

static int measure(const bench_plan_t* plan) {
  bench_t* bench = calloc(1, sizeof(*bench));
  int status = STATUS_FAILED;

  if (bench == NULL) goto fail;
  bench->plan = plan;
  bench->loop = uv_default_loop();
  bench->name = plan->name;
  if (allocate(bench) != 0) goto fail;
  run(bench);
  status = bench->status;
  if (status == STATUS_OK && plan->json) bench_print_json(bench);
  if (report_flush() != STATUS_OK) status = STATUS_FAILED;
  goto done;

fail:
  report(NULL, "%s", uv_strerror(UV_ENOMEM));
done:
  if (bench != NULL) {
    free(bench->clients);
    free(bench->times);
    free(bench->pattern);
  }
  free(bench);
  return status;
}

int command_bench(char** words) {
  bench_plan_t plan;
  int status = bench_parse(words, &plan);

  if (status != 0) return status;
  if (!plan.serve) return measure(&plan);
  if (plan.name == NULL) return report_usage("a name is missing");
  return bench_serve(&plan);
}
