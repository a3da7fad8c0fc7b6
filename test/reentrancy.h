/* What the table of test_reentrancy.c is made of: a conversation in which every
 * callback comes (reentrancy_talk.c), and the calls that one of them makes once
 * (reentrancy_calls.c). */
#ifndef IPC_CHANNEL_TEST_REENTRANCY_H
#define IPC_CHANNEL_TEST_REENTRANCY_H

#include "harness.h"

/* The callbacks; those of a channel come at either end. */
typedef enum event_e {
  ON_ADMIT,
  ON_SERVER_ERROR,
  ON_SERVER_CLOSE,
  ON_ACCEPT_TIMED_OUT,
  ON_ACCEPT_CANCELLED,
  ON_OPEN, /* on_connection, on_connect(0), the end of an accept */
  ON_CONNECT_FAILED,
  ON_CONNECTED,
  ON_RECONNECTING,
  ON_DEAD,
  ON_CLOSING,
  ON_MESSAGE,
  ON_REQUEST,
  ON_DRAIN,
  ON_END,
  ON_BROKEN, /* on_end with an error */
  ON_CLOSE,
  ON_SENT,
  ON_SEND_TIMED_OUT,
  ON_RECEIVED,
  ON_RECEIVE_ENDED,
  ON_READY,
  ON_REPLY,
  ON_CALL_TIMED_OUT,
  ON_CANCELLED,
  ON_WAKE,
  EVENT_COUNT
} event_t;

typedef enum manner_e {
  PUSH,   /* on_connection and on_message */
  OWNED,  /* a server without on_connection */
  PULL,   /* accepts and receives */
  BLOCKS, /* *_wait over a private loop, the other end is a thread */
} manner_t;

typedef struct op_s op_t;

/* One end of a connection. */
typedef struct end_s {
  ipc_channel_t* channel; /* NULL: not yet, or closed */
  int is_client;
  int is_extra; /* connected by a call of the table */
  int closes;
  int has_closed; /* we have called ipc_channel_close */
  int has_ended;  /* and ipc_channel_end */
  int has_ops;
  ipc_channel_state_t state; /* that on_state told */
  int has_request;
  ipc_request_t request;
  op_t* victim; /* pending all the time */
  /* What has come of the conversation so far. */
  int opens;
  int heard;
  int sent;
  int drained;
  int ready;
  int replied;
  int cancelled;
  int woken;
} end_t;

typedef enum kind_e { SEND, RECEIVE, READY, CALL_PEER, ACCEPT } kind_t;

/* A pending operation, the argument of its callback. */
struct op_s {
  kind_t kind;
  end_t* end;
  ipc_op_t id;
  size_t size; /* of a send */
  int is_cancelled;
  int cancelled_at; /* in turns of the loop */
  int told;
  int status;
};

typedef struct call_s call_t;

typedef struct talk_s {
  /* The entry. */
  event_t event;
  int is_far;  /* the callback is the served end's */
  int to_peer; /* the call is for the other end's channel */
  manner_t manner;
  const call_t* call;

  int is_going_on;
  int has_fired;
  int had_target;
  int is_ending; /* all has been said */
  int turns;     /* of the loop so far */
  int in_call;   /* inside a function that must not call back */
  char name[64];
  char extra_name[64];  /* whom a call's own client connects to */
  ipc_server_t* server; /* stays until its close callback is over */
  int server_is_closed; /* asked for */
  int server_closes;
  int wakes_asked;
  int wakes_told;
  ipc_pump_t* pump; /* runs the loop; NULL: libuv does */
  end_t ends[12];   /* the client, and others as they come */
  int end_count;
  op_t ops[256];
  int op_count;
} talk_t;

extern talk_t talk;

/* ---- The calls ---------------------------------------------------------- */

typedef enum needs_e { NEEDS_NOTHING, NEEDS_SERVER, NEEDS_CHANNEL } needs_t;

struct call_s {
  const char* name;
  void (*make)(end_t* end);
  needs_t needs;
  int pumps; /* the conversation is run by a pump */
};

extern const call_t calls[];
extern const size_t call_count;

/* In reentrancy_nameless.c. */
void channel_builder(end_t* end);
void pairs(end_t* end);
void activation(end_t* end);
void fifos(end_t* end);

/* In reentrancy_child.c. */
void child_builder(end_t* end);
void children(end_t* end);
void worker_builder(end_t* end);
void workers(end_t* end);

/* What a call answers, having called nobody back. Each public function that
 * the table has is called through one of these, by which test_reentrancy.py
 * knows it. */
#define CALL(f) (talk.in_call++, answered(f))
#define RUN(statement) \
  do {                 \
    talk.in_call++;    \
    statement;         \
    talk.in_call--;    \
  } while (0)
int answered(int answer);
#define SET(f) assert_int_equal(CALL(f), 0)
/* An option that one system doesn't have. */
#define ONLY(has_it, f) assert_int_equal(CALL(f), (has_it) ? 0 : UV_ENOTSUP)

/* Framings for the builders. */
extern const ipc_length_prefix_t some_prefix;
extern const ipc_codec_t some_codec;

/* ---- The conversation --------------------------------------------------- */

/* Has one over the test's loop, in which `event` makes the call once. Answers 0
 * where there was nothing to call it for. */
int converse(const talk_t* entry);
/* One over a private loop. */
int converse_blocking(const talk_t* entry);

/* The parts of both. */
void begin_talk(const talk_t* entry);
void fill_server_options(ipc_server_options_t* options);
void fill_client_options(ipc_client_options_t* options);
void accepted(ipc_channel_t* channel);
void check_talk(void);
extern test_memory_t talk_memory;

/* For the calls. The one at the other side, or NULL. */
end_t* other_end(const end_t* end);
end_t* new_client(void);
void fill_extra_options(ipc_client_options_t* options);
op_t* new_op(end_t* end, kind_t kind);
void op_began(op_t* op, int err); /* or could not, and is forgotten */
void op_cancelled(op_t* op);

void on_sent(ipc_channel_t* channel, void* arg, int status, size_t sent);
void on_received(
    ipc_channel_t* channel, void* arg, int status, const void* data, size_t n);
void on_ready(ipc_channel_t* channel, void* arg, int status, int events);
void on_reply(
    ipc_channel_t* channel, void* arg, int status, const void* data, size_t n);
void on_accept(ipc_server_t* server, void* arg, int status, ipc_channel_t* c);
void on_wake(ipc_channel_t* channel, void* arg);
void on_server_close(ipc_server_t* server);

#endif /* IPC_CHANNEL_TEST_REENTRANCY_H */
