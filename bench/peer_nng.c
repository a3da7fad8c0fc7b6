/* nng, over its IPC transport: a pair, or requests where clients are many. */
#include "bench.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>

static nng_socket sock;

/* The message in hand is no longer ours. */
static int is_handed_over;

static void check(int error, const char* what) {
  if (error != 0) bench_fail("%s: %s", what, nng_strerror(error));
}

static int is_pair(void) {
  return bench.clients == 1 && bench.workload <= BENCH_ONE_WAY;
}

static const char* url(void) {
  static char text[256];
  snprintf(text, sizeof text, "ipc://%s", bench.address);
  return text;
}

void peer_listen(void) {
  check(is_pair() ? nng_pair0_open(&sock) : nng_rep0_open(&sock), "open");
  check(nng_setopt_size(sock, NNG_OPT_RECVMAXSZ, 0), "option");
  check(nng_listen(sock, url(), NULL, 0), "listen");
}

void peer_connect(void) {
  check(is_pair() ? nng_pair0_open(&sock) : nng_req0_open(&sock), "open");
  check(nng_setopt_size(sock, NNG_OPT_RECVMAXSZ, 0), "option");
  check(nng_dial(sock, url(), NULL, 0), "dial");
  bench_connected(&sock);
}

bench_send_t peer_send(void* connection, const char* data, size_t size) {
  (void) connection;
  check(nng_send(sock, (char*) data, size, 0), "send");
  return BENCH_COPIED;
}

/* Hands over the memory that it came in. */
void peer_echo(void* connection, const char* data, size_t size) {
  (void) connection;
  check(nng_send(sock, (char*) data, size, NNG_FLAG_ALLOC), "send");
  is_handed_over = 1;
}

void peer_close(void* connection) {
  (void) connection;
  nng_close(sock);
  bench_closed();
}

void peer_run(void) {
  for (;;) {
    char* data;
    size_t size;
    check(nng_recv(sock, &data, &size, NNG_FLAG_ALLOC), "receive");
    bench_message(&sock, data, size);
    if (!is_handed_over) nng_free(data, size);
    is_handed_over = 0;
  }
}
