/* ZeroMQ, over its IPC transport: a pair, or a router where clients are many.
 */
#include "bench.h"

#include <stdio.h>
#include <zmq.h>

static void* context;
static void* sock;

/* The message in hand, and who sent it, as a router's socket says. */
static zmq_msg_t sender;
static zmq_msg_t message;

static void check(int status, const char* what) {
  if (status < 0) bench_fail("%s: %s", what, zmq_strerror(zmq_errno()));
}

static int is_pair(void) {
  return bench.clients == 1 && bench.workload <= BENCH_ONE_WAY;
}

static int is_router(void) {
  return bench.is_server && !is_pair();
}

static const char* url(void) {
  static char text[256];
  snprintf(text, sizeof text, "ipc://%s", bench.address);
  return text;
}

static void open_socket(void) {
  int kind = is_pair() ? ZMQ_PAIR : is_router() ? ZMQ_ROUTER : ZMQ_DEALER;
  if (context == NULL) {
    context = zmq_ctx_new();
    /* Its default of 1023 doesn't do for as many idle connections. */
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 8192);
  }
  sock = zmq_socket(context, kind);
  if (sock == NULL) check(-1, "socket");
}

void peer_listen(void) {
  open_socket();
  check(zmq_bind(sock, url()), "bind");
}

void peer_connect(void) {
  open_socket();
  check(zmq_connect(sock, url()), "connect");
  bench_connected(sock);
}

static void send_sender(void* connection) {
  if (is_router()) {
    check(zmq_msg_send(&sender, connection, ZMQ_SNDMORE), "send");
  }
}

bench_send_t peer_send(void* connection, const char* data, size_t size) {
  send_sender(connection);
  check(zmq_send(connection, data, size, 0), "send");
  return BENCH_COPIED;
}

/* Hands over the memory that it came in. */
void peer_echo(void* connection, const char* data, size_t size) {
  (void) data, (void) size;
  send_sender(connection);
  check(zmq_msg_send(&message, connection, 0), "send");
}

void peer_close(void* connection) {
  zmq_close(connection);
  bench_closed();
}

void peer_run(void) {
  for (;;) {
    zmq_msg_init(&message);
    if (is_router()) {
      zmq_msg_init(&sender);
      check(zmq_msg_recv(&sender, sock, 0), "receive");
    }
    check(zmq_msg_recv(&message, sock, 0), "receive");
    bench_message(sock, zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
  }
}
