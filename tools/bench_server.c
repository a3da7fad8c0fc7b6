/* An echo server of bench's own: a second process of this program with a
 * channel to the first one. It ends when that channel does, which is so however
 * the first one has ended, and gives its name back. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "pass.h"
#include "report.h"

/* ---- As the server ------------------------------------------------------ */

typedef struct echo_s {
  ipc_server_t* server;
  ipc_channel_t* starter;
  int status;
} echo_t;

static void on_echo_message(ipc_channel_t* channel,
                            const void* data,
                            size_t size) {
  pass_t* pass = ipc_channel_data(channel);

  if (pass == NULL) {
    pass = calloc(1, sizeof(*pass));
    if (pass == NULL) {
      ipc_channel_disconnect(channel);
      return;
    }
    pass->from = pass->to = channel;
    ipc_channel_set_data(channel, pass);
  }
  /* A connection that is broken ends by itself. */
  if (pass_message(pass, data, size) == UV_ENOMEM) {
    ipc_channel_disconnect(channel);
  }
}

static void on_echo_drain(ipc_channel_t* channel) {
  pass_t* pass = ipc_channel_data(channel);

  if (pass != NULL) pass_drain(pass);
}

static void on_echo_close(ipc_channel_t* channel,
                          const ipc_close_result_t* result) {
  pass_t* pass = ipc_channel_data(channel);

  (void) result;
  if (pass != NULL) pass_release(pass);
  free(pass);
}

static void on_starter_end(ipc_channel_t* channel, int status) {
  echo_t* echo = ipc_channel_data(channel);

  (void) status;
  if (echo->server != NULL) ipc_server_close(echo->server, NULL);
  echo->server = NULL;
  ipc_channel_close(channel);
}

static int listen_to(echo_t* echo, uv_loop_t* loop, const bench_plan_t* plan) {
  ipc_server_options_t options;
  int err;

  ipc_server_options_init(&options, plan->name);
  framing_set_server(&plan->framing, &options);
  /* Nobody waits for what is under way when the measurement is over. */
  ipc_server_options_set_close_timeout(&options, 0);
  ipc_server_options_on_message(&options, on_echo_message);
  ipc_server_options_on_drain(&options, on_echo_drain);
  ipc_server_options_on_close(&options, on_echo_close);
  err = ipc_server_listen(loop, &options, NULL, &echo->server);
  return err == 0 ? 0 : report_listen(plan->name, err, &options);
}

int bench_serve(const bench_plan_t* plan) {
  uv_loop_t* loop = uv_default_loop();
  ipc_channel_options_t options;
  echo_t echo = {0};
  int err;

  /* The keyboard's is for the one that measures. */
  signal(SIGINT, SIG_IGN);
  ipc_channel_options_init(&options);
  ipc_channel_options_on_end(&options, on_starter_end);
  err = ipc_channel_inherit(loop, &options, &echo, &echo.starter);
  if (err != 0) return report_usage("--serve is for bench itself");
  echo.status = listen_to(&echo, loop, plan);
  if (echo.status == 0) {
    ipc_channel_send(echo.starter, "READY", 5, NULL, NULL);
  } else {
    ipc_channel_close(echo.starter);
  }
  uv_run(loop, UV_RUN_DEFAULT);
  return echo.status;
}

/* ---- As its starter ----------------------------------------------------- */

static void on_ready(ipc_channel_t* channel, const void* data, size_t size) {
  bench_t* bench = ipc_channel_data(channel);
  int status;

  (void) data, (void) size;
  if (bench->state == BENCH_OVER) return;
  status = bench_connect(bench);
  if (status != 0) bench_finish(bench, status);
}

static void on_exit(ipc_child_t* child, int64_t exit_status, int term_signal) {
  bench_t* bench = ipc_child_data(child);

  if (bench->state != BENCH_OVER) {
    /* Else it has said itself what is wrong. */
    if (exit_status == 0 || term_signal != 0) {
      report(bench->name, "the server that bench has started is gone");
    }
    bench_finish(bench, STATUS_FAILED);
  }
  bench->server = NULL;
  ipc_child_close(child, NULL);
}

/* One that nobody else has or guesses. */
static int make_name(bench_t* bench) {
  unsigned char random[8];
  char text[2 * sizeof(random) + 1];
  size_t i;
  int err = uv_random(NULL, NULL, random, sizeof(random), 0, NULL);

  if (err != 0) return err;
  for (i = 0; i < sizeof(random); i++) {
    snprintf(text + 2 * i, 3, "%02x", random[i]);
  }
  snprintf(bench->own_name, sizeof(bench->own_name), "ipc-channel-bench-%d-%s",
           (int) uv_os_getpid(), text);
  bench->name = bench->own_name;
  return 0;
}

static int spawn(bench_t* bench, const char* program) {
  const char* args[] = {program,     "bench",   "--serve",
                        bench->name, "--frame", bench->plan->frame,
                        NULL};
  ipc_channel_options_t channel;
  ipc_child_options_t options;

  ipc_channel_options_init(&channel);
  ipc_channel_options_set_connect_timeout(&channel, bench->plan->timeout_ms);
  ipc_channel_options_on_message(&channel, on_ready);
  ipc_child_options_init(&options, program, args);
  ipc_child_options_set_stdio(&options, 0, IPC_CHILD_NULL);
  ipc_child_options_set_stdio(&options, 1, IPC_CHILD_NULL);
  ipc_child_options_set_channel(&options, IPC_CHILD_EXTRA_SLOT, &channel,
                                bench);
  ipc_child_options_on_exit(&options, on_exit);
  return ipc_child_spawn(bench->loop, &options, bench, &bench->server);
}

int bench_start_server(bench_t* bench) {
  char program[4096];
  size_t size = sizeof(program);
  int err = uv_exepath(program, &size);

  if (err == 0) err = make_name(bench);
  if (err == 0) err = spawn(bench, program);
  if (err == 0) return 0;
  report(NULL, "can't start a server: %s", uv_strerror(err));
  return STATUS_FAILED;
}
