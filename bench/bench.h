/* The harness that all peers of the benchmark share. A peer is one program that
 * is either the server or a client:
 *
 *   peer serve WORKLOAD ADDRESS [KEY=NUMBER...]
 *   peer drive WORKLOAD ADDRESS [KEY=NUMBER...]
 *
 * The harness has main, decides what is sent when, stamps and checks every
 * message, counts and takes the time. The peer moves messages, by the functions
 * peer_*, and tells what happened, by calling bench_*. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

typedef enum bench_workload_e {
  BENCH_ROUND_TRIP, /* one message each way at a time */
  BENCH_ONE_WAY,    /* as many as the peer takes; one acknowledgement */
  BENCH_CONNECT,    /* connect, one round trip, close; again */
  BENCH_IDLE        /* connections that stay open after one round trip */
} bench_workload_t;

/* What the command line says. */
typedef struct bench_options_s {
  const char* address; /* a path in a directory that exists */
  int is_server;
  bench_workload_t workload;
  size_t size;       /* of a message; at least BENCH_ACK_SIZE */
  unsigned clients;  /* how many will connect: processes */
  unsigned client;   /* which of them this is, from 0 */
  unsigned per_turn; /* sends per turn of the loop; 0: as many as go */
  unsigned duration_ms;
  uint64_t count; /* of messages, in place of a duration; 0: none */
} bench_options_t;

extern bench_options_t bench;

/* The size of the smallest message, and of an acknowledgement. */
#define BENCH_ACK_SIZE 64

/* What became of a message that peer_send was given. */
typedef enum bench_send_e {
  BENCH_FULL,    /* not taken: bench_writable will tell when to go on */
  BENCH_COPIED,  /* the bytes may change as soon as peer_send returns */
  BENCH_BORROWED /* they must not until bench_sent, which comes in order */
} bench_send_t;

/* --- supplied by each peer ------------------------------------------------ */

/* Listens on bench.address, or begins to connect to it. */
void peer_listen(void);
void peer_connect(void);
bench_send_t peer_send(void* connection, const char* data, size_t size);
/* Server: sends back the message in hand, whose bytes go when the call of
 * bench_message that brought them returns. */
void peer_echo(void* connection, const char* data, size_t size);
/* Ends in bench_closed, now or later. */
void peer_close(void* connection);
/* Runs until the harness exits. */
void peer_run(void);

/* --- called by the peers -------------------------------------------------- */

/* Client: peer_connect has succeeded. */
void bench_connected(void* connection);
/* Client: peer_close has. */
void bench_closed(void);
/* One whole message has come. */
void bench_message(void* connection, const char* data, size_t size);
void bench_sent(void* connection);
void bench_writable(void* connection);
/* Client, where bench.per_turn isn't 0: once for each turn of the loop. 0: not
 * again before the next bench_sent or bench_writable. */
int bench_turn(void* connection);

/* Ends the program, which is then counted as failed. */
_Noreturn void bench_fail(const char* format, ...);
/* `status`, where negative, ends it too: an errno or a libuv error. */
void bench_check(int status, const char* what);

#endif /* BENCH_H */
