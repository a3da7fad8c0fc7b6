/* nanomsg, over its IPC transport: a pair, or requests where clients are
 * many. */
#include "bench.h"

#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/reqrep.h>
#include <stdio.h>

static int sock;

/* The message in hand is no longer ours. */
static int is_handed_over;

static int check(int status, const char* what) {
  if (status < 0) bench_fail("%s: %s", what, nn_strerror(nn_errno()));
  return status;
}

static const char* url(void) {
  static char text[256];
  snprintf(text, sizeof text, "ipc://%s", bench.address);
  return text;
}

static void open_socket(void) {
  int is_pair = bench.clients == 1 && bench.workload <= BENCH_ONE_WAY;
  int unlimited = -1;
  int kind = is_pair ? NN_PAIR : bench.is_server ? NN_REP : NN_REQ;
  sock = check(nn_socket(AF_SP, kind), "socket");
  check(nn_setsockopt(sock, NN_SOL_SOCKET, NN_RCVMAXSIZE, &unlimited,
                      sizeof unlimited),
        "option");
}

void peer_listen(void) {
  open_socket();
  check(nn_bind(sock, url()), "bind");
}

void peer_connect(void) {
  open_socket();
  check(nn_connect(sock, url()), "connect");
  bench_connected(&sock);
}

bench_send_t peer_send(void* connection, const char* data, size_t size) {
  (void) connection;
  check(nn_send(sock, data, size, 0), "send");
  return BENCH_COPIED;
}

/* Hands over the memory that it came in. */
void peer_echo(void* connection, const char* data, size_t size) {
  (void) connection, (void) size;
  check(nn_send(sock, &data, NN_MSG, 0), "send");
  is_handed_over = 1;
}

void peer_close(void* connection) {
  (void) connection;
  nn_close(sock);
  bench_closed();
}

void peer_run(void) {
  for (;;) {
    char* data;
    int size = check(nn_recv(sock, &data, NN_MSG, 0), "receive");
    bench_message(&sock, data, (size_t) size);
    if (!is_handed_over) nn_freemsg(data);
    is_handed_over = 0;
  }
}
