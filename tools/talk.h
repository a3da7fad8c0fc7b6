/* Standard input and output on one side, one or more channels on the other:
 * what listen and connect have in common. */
#ifndef IPC_CHANNEL_TOOL_TALK_H
#define IPC_CHANNEL_TOOL_TALK_H

#include <ipc_channel.h>

#include "arguments.h"
#include "input.h"
#include "pass.h"

typedef struct talk_s talk_t;
typedef struct run_s run_t;

/* How far a connection has come.
 *
 *   CONNECTING -> TALKING         talk_begin
 *   TALKING -> ENDED -> GONE      its end (talk_on_end), and
 *   TALKING -> BROKEN -> GONE     a send that fails (talk_broke), in any order
 *   all of these -> CLOSING       talk_close
 *   CLOSING -> CLOSED             talk_on_close
 *
 * talk_settle closes one that is done for; GONE always is. */
typedef enum peer_state_e {
  PEER_CONNECTING,
  PEER_TALKING,
  PEER_ENDED,   /* says nothing more; still takes what we send */
  PEER_BROKEN,  /* takes nothing more; may still have something to say */
  PEER_GONE,    /* neither */
  PEER_CLOSING, /* by us */
  PEER_CLOSED
} peer_state_t;

/* One channel; it is the channel's data. */
typedef struct peer_s {
  talk_t* talk;
  peer_state_t state;
  ipc_channel_t* channel; /* until it is closed */
  struct peer_s* next;
  origin_t origin;
  run_t* run; /* with --exec: the command, once there is one */
  /* With --echo: what goes back. */
  pass_t echo;
  uint64_t last_received;        /* uv_hrtime */
  unsigned int owes : 1;         /* hasn't taken the piece of input at hand */
  unsigned int has_failed : 1;   /* and has been reported */
  unsigned int is_half_open : 1; /* our end can't be told to it */
} peer_t;

/* What we are, and so how many peers there are to be. */
typedef enum talk_role_e {
  TALK_SERVER,
  TALK_SERVER_ONCE, /* one peer, and then the end */
  TALK_CLIENT       /* likewise */
} talk_role_t;

/* How far standard input has been read, and the end of all.
 *
 *   WAITING -> READING            talk_begin; never with --echo and --exec
 *   READING <-> OFFERING          a piece that not all have taken at once
 *   READING -> INPUT_ENDED
 *   all of these -> OVER          talk_stop */
typedef enum talk_state_e {
  TALK_WAITING, /* for the first peer */
  TALK_READING,
  TALK_OFFERING, /* peers owe the piece at hand, or have taken it */
  TALK_INPUT_ENDED,
  TALK_OVER /* nothing is done any more but to close */
} talk_state_t;

struct talk_s {
  const arguments_t* arguments;
  talk_role_t role;
  talk_state_t state;
  const char* name;
  uv_loop_t* loop;
  ipc_server_t* server;
  input_t input;
  uv_timer_t timer;
  peer_t* peers;
  uint64_t input_bytes;
  uint64_t connections; /* that have begun */
  int status;           /* the exit status */
};

void talk_init(talk_t* talk,
               uv_loop_t* loop,
               const arguments_t* arguments,
               talk_role_t role);

/* One peer, and then the end. */
int talk_is_single(const talk_t* talk);

int talk_is_native(const talk_t* talk);

/* Whether names are those of pipes, which have no half-close, and commands are
 * for cmd.exe. */
int talk_is_windows(void);

/* A peer without a channel yet; NULL: no memory. */
peer_t* talk_add(talk_t* talk);
void talk_bind(peer_t* peer, ipc_channel_t* channel);
void talk_remove(peer_t* peer);

/* The channel is connected: it gets the input, or its command. */
void talk_begin(peer_t* peer);

/* Neither closed nor about to be. */
int talk_is_open(const peer_t* peer);

/* Closes the channel of a peer with which nothing more can be exchanged. */
void talk_settle(peer_t* peer);

/* A send has failed: it takes nothing more. */
void talk_broke(peer_t* peer);

void talk_close(peer_t* peer);

/* Removes a peer of which nothing is left open; the end of the program, where
 * it was the single one. */
void talk_reap(peer_t* peer);

/* From now on looks every so often for what no callback tells: a peer that has
 * left after its end, or one that our end can't be told to and that is quiet.
 */
void talk_look(talk_t* talk);

/* Says that a message of so many bytes is more than this channel takes. */
void talk_too_long(const peer_t* peer, size_t size);

/* For each send: notices those that the connection has lost. */
void talk_on_sent(ipc_channel_t* channel, void* arg, int status, size_t sent);

/* The callbacks of its channels. */
void talk_on_message(ipc_channel_t* channel, const void* data, size_t size);
void talk_on_drain(ipc_channel_t* channel);
void talk_on_end(ipc_channel_t* channel, int status);
void talk_on_close(ipc_channel_t* channel, const ipc_close_result_t* result);

/* Something has failed with this peer, and it has been said what: nothing else
 * is to be said, and of a single one it is the end of the program. */
void talk_blame(peer_t* peer, int status);

/* The same, and it is done for. */
void talk_fail(peer_t* peer, int status);

/* All is: the end of the program. */
void talk_stop(talk_t* talk, int status);

/* Runs the loop until all is over; returns the exit status. */
int talk_run(talk_t* talk);

/* ---- Input -------------------------------------------------------------- */

/* Sets how `input` is cut into what is sent. */
void talk_set_input(const talk_t* talk, input_t* input, size_t max_message);

/* UV_EINVAL for a message that the framing can't have; input->problem says why.
 */
int talk_check(input_t* input,
               const talk_t* talk,
               const char* data,
               size_t size);

/* Sends it. peer->owes stays set when the channel is to get it again later. */
void talk_offer(peer_t* peer, const char* data, size_t size);

/* Says why an input, of which `what` is the name, has ended before its end. */
void talk_report_input(const talk_t* talk,
                       const input_t* input,
                       const char* what,
                       int status);

#endif /* IPC_CHANNEL_TOOL_TALK_H */
