/* A server and a client that write down what happens to them: most tests need
 * no callback of their own beyond one or two hooks. */
#ifndef IPC_CHANNEL_TEST_PAIR_H
#define IPC_CHANNEL_TEST_PAIR_H

#include "harness.h"

typedef struct side_s side_t;
typedef struct pair_s pair_t;

/* One end of a connection. Zeroed is ready. */
struct side_s {
  pair_t* pair;
  ipc_channel_t* channel; /* NULL: not yet, or closed */

  /* What has happened. */
  int opens;    /* on_connection, or on_connect(0) */
  int connects; /* on_connect, whatever its status */
  int connect_status;
  int messages;
  uint64_t bytes; /* in messages */
  int drains;
  int ends;
  int end_status;
  int closes;
  ipc_close_result_t result;
  int sent;   /* callbacks of side_send and side_lend with 0 */
  int failed; /* with an error */
  int failure;
  uint64_t opened_at; /* uv_hrtime */
  uint64_t ended_at;
  uint64_t closed_at;

  /* Every byte received, where keeps_log says so. */
  int keeps_log;
  uint8_t* log;
  size_t log_size;
  size_t log_memory;

  /* What to do beside writing it down; NULL: nothing. */
  void (*on_open)(side_t* side);
  void (*on_message)(side_t* side, const void* data, size_t size);
  void (*on_drain)(side_t* side);
  void (*on_end)(side_t* side);
  void (*on_close)(side_t* side);
  void (*on_sent)(side_t* side);
  int stays; /* on_end doesn't close it */
  int echoes;

  intptr_t asked; /* sends so far */
  int in_call;
};

struct pair_s {
  ipc_server_options_t server_options;
  ipc_client_options_t client_options;
  const char* name;
  ipc_server_t* server; /* NULL: not yet, or closed */
  int server_closes;
  side_t accepted;
  side_t client;
  int stays; /* the server doesn't close with its first channel */
  /* Where the next client is written down; NULL: in `accepted`. */
  side_t* (*next_side)(pair_t* pair);
  void (*on_server_close)(pair_t* pair, ipc_server_t* server);
};

/* Zeroes the pair and fills both builders with a fresh name and all callbacks;
 * the test may then change them. */
void pair_init(pair_t* pair);
void pair_listen(pair_t* pair);
/* Connects pair->client. */
void pair_connect(pair_t* pair);
/* Both, and runs until both sides are open. */
void pair_open(pair_t* pair);
/* The same, with a client that comes first: it is told that nobody is there,
 * and then waits until somebody is. */
void pair_wait_for_server(pair_t* pair);
/* The callbacks alone, into builders for another name. */
void pair_fill(pair_t* pair);
/* A builder of a channel without a name, with all callbacks; `data` is the
 * side.
 */
void side_options(ipc_channel_options_t* options);
/* Connects one more client. */
void pair_connect_side(pair_t* pair, side_t* side);
/* Closes the server, unless that was done before. */
void pair_close_server(pair_t* pair);
/* Closes what is open, runs the loop dry, asserts that each side that was open
 * has had one on_close, and releases the logs. */
void pair_finish(pair_t* pair);

/* The client speaks raw bytes: a peer that may misbehave. */
void pair_raw_client(pair_t* pair);
/* The server does. */
void pair_raw_server(pair_t* pair);
/* Both do. */
void pair_raw(pair_t* pair);

/* Sends a copy; its callback is counted, and asserted to come in order and not
 * inside the call. Answers what the send answered. */
int side_send(side_t* side, const void* data, size_t size);
/* The same with bytes that the caller keeps. */
int side_lend(side_t* side, const void* data, size_t size);
void side_close(side_t* side);
void side_free(side_t* side);

/* Runs until *count is at least `target`. */
void run_until(const int* count, int target);

/* Bytes that tell which message they belong to, and where. */
void pattern_fill(void* out, size_t size, unsigned int seed);
void pattern_check(const void* data, size_t size, unsigned int seed);

/* Milliseconds since uv_hrtime said `from`. */
int elapsed_ms(uint64_t from);

/* Calls back on the test's loop after so long. */
void after(int ms, void (*call)(void* arg), void* arg);

#endif /* IPC_CHANNEL_TEST_PAIR_H */
