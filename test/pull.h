/* Pending operations that write down how they ended, and assert what holds for
 * each: one callback, never inside the call, no data without success. */
#ifndef IPC_CHANNEL_TEST_PULL_H
#define IPC_CHANNEL_TEST_PULL_H

#include "pair.h"

typedef struct op_s op_t;

/* Zeroed is ready; can be used again when it has ended. */
struct op_s {
  side_t* side;
  ipc_op_t id;
  int in_call;
  int calls;
  int status;
  size_t size;       /* of what a receive got */
  char text[64];     /* the beginning of that, as a string */
  size_t sent;       /* of a send */
  int events;        /* of a ready */
  uint64_t began_at; /* uv_hrtime */
  uint64_t ended_at;
  void (*on_end)(op_t* op, const void* data); /* NULL: nothing more */
  void* arg;                                  /* for on_end */
};

/* pair_init with neither on_message: both sides receive. They stay until
 * pair_finish. */
void pull_init(pair_t* pair);

/* Each begins an operation, which must be possible. */
void op_recv(op_t* op, side_t* side, int timeout_ms);
void op_call(op_t* op, side_t* side, int timeout_ms);
void op_ready(op_t* op, side_t* side, int events, int timeout_ms);
void op_send(
    op_t* op, side_t* side, const void* data, size_t size, int timeout_ms);
/* By ipc_channel_send, or with `copy` by ipc_channel_send_copy. */
void op_put(op_t* op, side_t* side, const void* data, size_t size, int copy);

/* Cancels; answers what the cancel answered. */
int op_cancel(op_t* op);

/* Runs until it has ended, with this. */
void op_ends(op_t* op, int status);
/* Runs until a receive has ended with this text as its message. */
void op_gets(op_t* op, const char* text);
/* A receive from its beginning to its end, without a deadline. */
void side_gets(side_t* side, const char* text);

void assert_not_early(const op_t* op, int timeout_ms);

/* Sends a copy of a string. */
void side_say(side_t* side, const char* text);

#endif /* IPC_CHANNEL_TEST_PULL_H */
