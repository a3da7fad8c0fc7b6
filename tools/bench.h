/* ipc-channel bench: clients of an echo server, and what they measure. */
#ifndef IPC_CHANNEL_TOOL_BENCH_H
#define IPC_CHANNEL_TOOL_BENCH_H

#include <ipc_channel.h>

#include "framing.h"
#include "histogram.h"

#define BENCH_MAX_SIZES 32

/* What the words ask for. */
typedef struct bench_plan_s {
  const char* name; /* NULL: a server of our own */
  framing_t framing;
  const char* frame; /* what --frame says of it */
  size_t sizes[BENCH_MAX_SIZES];
  unsigned int size_count;
  unsigned int clients;
  unsigned int pipeline;
  int duration_ms;
  uint64_t count; /* of messages; 0: as many as go into the duration */
  int timeout_ms;
  int json;
  int serve; /* as the server that another bench has started */
} bench_plan_t;

/* One size's. */
typedef struct bench_run_s {
  size_t size;
  uint64_t messages;
  uint64_t elapsed_ns;
  uint64_t p50_ns;
  uint64_t p90_ns;
  uint64_t p99_ns;
  uint64_t p99_9_ns;
  uint64_t max_ns;
} bench_run_t;

typedef struct bench_s bench_t;

/*   STARTING -> MEASURING    when all clients are connected
 *   either -> OVER           bench_finish */
typedef enum bench_state_e {
  BENCH_STARTING, /* the server, if it is our own, and the connections */
  BENCH_MEASURING,
  BENCH_OVER
} bench_state_t;

/* One connection, and its messages that are on their way. */
typedef struct client_s {
  bench_t* bench;
  ipc_channel_t* channel; /* NULL: closed */
  unsigned int number;
  uint64_t sent;
  uint64_t received;
  uint64_t* times; /* when those that are on their way were sent */
} client_t;

struct bench_s {
  const bench_plan_t* plan;
  bench_state_t state;
  uv_loop_t* loop;
  uv_timer_t timer;
  const char* name; /* the server's */
  int status;
  int is_interrupted;

  /* A server of our own. */
  ipc_child_t* server;
  char own_name[80];

  client_t* clients;
  uint64_t* times;
  unsigned int connected;
  unsigned char* pattern; /* what all messages are made of */

  /* The size at hand; `run_count` sizes are done. */
  bench_run_t runs[BENCH_MAX_SIZES];
  unsigned int run_count;
  histogram_t latencies;
  uint64_t started;
  uint64_t answered;
  uint64_t begin_ns;
  uint64_t last_ns; /* of the last reply, or of the beginning */
};

/* 0, or STATUS_USAGE. */
int bench_parse(char** words, bench_plan_t* plan);

/* Starts the server of our own; bench_connect follows, or bench_finish. */
int bench_start_server(bench_t* bench);
/* Being it: returns the exit status. */
int bench_serve(const bench_plan_t* plan);

/* The byte of a message that these bits stand for: never the framing's
 * delimiter. */
unsigned char bench_byte(const bench_plan_t* plan, uint64_t bits);

/* Connects the clients, which then begin the first run. 0 or a status. */
int bench_connect(bench_t* bench);
/* The size at hand is done with, as far as it got. */
void bench_end_run(bench_t* bench);

/* All is over: ends the clients and the server. Once more: nothing. */
void bench_finish(bench_t* bench, int status);

void bench_print_head(void);
void bench_print_run(const bench_run_t* run);
void bench_print_json(const bench_t* bench);

#endif /* IPC_CHANNEL_TOOL_BENCH_H */
