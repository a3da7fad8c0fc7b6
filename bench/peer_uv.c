/* Plain libuv, as a program would use it: one uv_write for each message, which
 * borrows its bytes, and an allocation for each read. */
#include "bench.h"
#include "frame.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct connection_s {
  uv_pipe_t pipe;
  frame_reader_t reader;
} connection_t;

typedef struct write_s {
  uv_write_t request;
  uint32_t prefix;
} write_t;

static uv_idle_t idle;

static void* allocate(size_t count, size_t size) {
  void* memory = calloc(count, size);
  if (memory == NULL) bench_fail("no memory");
  return memory;
}

static void on_turn(uv_idle_t* handle) {
  if (!bench_turn(handle->data)) uv_idle_stop(handle);
}

static void go_on_turning(void) {
  if (bench.per_turn != 0 && !bench.is_server) uv_idle_start(&idle, on_turn);
}

static void on_close(uv_handle_t* handle) {
  connection_t* connection = (connection_t*) handle;
  frame_release(&connection->reader);
  free(connection);
  bench_closed();
}

void peer_close(void* connection) {
  uv_close(connection, on_close);
}

static void on_allocate(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  (void) handle;
  *buf = uv_buf_init(malloc(suggested), (unsigned) suggested);
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  connection_t* connection = (connection_t*) stream;
  if (size > 0) {
    frame_take(&connection->reader, connection, buf->base, (size_t) size);
    go_on_turning();
  } else if (size < 0) {
    if (!bench.is_server) bench_fail("the connection broke");
    peer_close(connection);
  }
  free(buf->base);
}

static connection_t* new_connection(void) {
  connection_t* connection = allocate(1, sizeof *connection);
  uv_pipe_init(uv_default_loop(), &connection->pipe, 0);
  return connection;
}

static void begin_to_read(connection_t* connection) {
  bench_check(
      uv_read_start((uv_stream_t*) &connection->pipe, on_allocate, on_read),
      "read");
}

static void on_connection(uv_stream_t* listener, int status) {
  connection_t* connection = new_connection();
  bench_check(status, "listen");
  bench_check(uv_accept(listener, (uv_stream_t*) &connection->pipe), "accept");
  begin_to_read(connection);
}

static void on_connect(uv_connect_t* request, int status) {
  connection_t* connection = (connection_t*) request->handle;
  free(request);
  bench_check(status, "connect");
  begin_to_read(connection);
  if (bench.per_turn != 0) uv_idle_init(uv_default_loop(), &idle);
  idle.data = connection;
  bench_connected(connection);
  go_on_turning();
}

static void on_written(uv_write_t* request, int status) {
  uv_stream_t* stream = request->handle;
  free(request);
  if (status == UV_ECANCELED) return;
  bench_check(status, "write");
  bench_sent(stream);
  go_on_turning();
}

void peer_listen(void) {
  static uv_pipe_t listener;
  uv_pipe_init(uv_default_loop(), &listener, 0);
  bench_check(uv_pipe_bind(&listener, bench.address), "bind");
  bench_check(uv_listen((uv_stream_t*) &listener, 128, on_connection),
              "listen");
}

void peer_connect(void) {
  uv_pipe_connect(allocate(1, sizeof(uv_connect_t)), &new_connection()->pipe,
                  bench.address, on_connect);
}

static void write_message(write_t* write,
                          void* connection,
                          const char* data,
                          size_t size) {
  uv_buf_t bufs[2];
  write->prefix = (uint32_t) size;
  bufs[0] = uv_buf_init((char*) &write->prefix, sizeof write->prefix);
  bufs[1] = uv_buf_init((char*) data, (unsigned) size);
  bench_check(uv_write(&write->request, connection, bufs, 2, on_written),
              "write");
}

static write_t* new_write(size_t copied) {
  write_t* write = malloc(sizeof *write + copied);
  if (write == NULL) bench_fail("no memory");
  return write;
}

bench_send_t peer_send(void* connection, const char* data, size_t size) {
  write_message(new_write(0), connection, data, size);
  return BENCH_BORROWED;
}

void peer_echo(void* connection, const char* data, size_t size) {
  write_t* write = new_write(size);
  memcpy(write + 1, data, size);
  write_message(write, connection, (char*) (write + 1), size);
}

void peer_run(void) {
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
