/* The library, by its public API, with its default options. */
#include "bench.h"

#include <ipc_channel.h>

/* Above this a copy costs more than the callback that says when the bytes are
 * free again. */
#define COPY_MAX 1024

static uv_idle_t idle;

static void on_turn(uv_idle_t* handle) {
  if (!bench_turn(handle->data)) uv_idle_stop(handle);
}

static void go_on_turning(void) {
  if (bench.per_turn != 0 && !bench.is_server) uv_idle_start(&idle, on_turn);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  bench_message(channel, data, size);
  go_on_turning();
}

/* A request need not wait for the connection. */
static int is_sent_ahead(void) {
  return bench.workload == BENCH_CONNECT || bench.workload == BENCH_IDLE;
}

static void on_connect(ipc_channel_t* channel, int status) {
  bench_check(status, "connect");
  if (is_sent_ahead()) return;
  if (bench.per_turn != 0) uv_idle_init(uv_default_loop(), &idle);
  idle.data = channel;
  bench_connected(channel);
  go_on_turning();
}

static void on_drain(ipc_channel_t* channel) {
  bench_writable(channel);
  go_on_turning();
}

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  (void) arg, (void) sent;
  bench_check(status, "send");
  bench_sent(channel);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  (void) channel;
  bench_check(result->status, "close");
  bench_closed();
}

void peer_listen(void) {
  ipc_server_options_t options;
  ipc_server_t* server;
  ipc_server_options_init(&options, bench.address);
  ipc_server_options_on_message(&options, on_message);
  bench_check(ipc_server_listen(uv_default_loop(), &options, NULL, &server),
              "listen");
}

void peer_connect(void) {
  ipc_client_options_t options;
  ipc_channel_t* channel;
  ipc_client_options_init(&options, bench.address);
  ipc_client_options_on_connect(&options, on_connect);
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_drain(&options, on_drain);
  ipc_client_options_on_close(&options, on_close);
  bench_check(ipc_client_connect(uv_default_loop(), &options, NULL, &channel),
              "connect");
  if (is_sent_ahead()) bench_connected(channel);
}

bench_send_t peer_send(void* connection, const char* data, size_t size) {
  ipc_send_cb cb = size <= COPY_MAX ? NULL : on_sent;
  int status = cb == NULL
                   ? ipc_channel_send_copy(connection, data, size, NULL, NULL)
                   : ipc_channel_send(connection, data, size, cb, NULL);
  if (status == UV_EAGAIN) return BENCH_FULL;
  bench_check(status, "send");
  return cb == NULL ? BENCH_COPIED : BENCH_BORROWED;
}

void peer_echo(void* connection, const char* data, size_t size) {
  bench_check(ipc_channel_send_copy(connection, data, size, NULL, NULL),
              "send");
}

void peer_close(void* connection) {
  bench_check(ipc_channel_close(connection), "close");
}

void peer_run(void) {
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
