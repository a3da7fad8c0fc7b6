/* The channel's insides, for the files that make up the channel and for the two
 * that give birth to channels, client.c and server.c. */
#ifndef IPC_CHANNEL_CHANNEL_H
#define IPC_CHANNEL_CHANNEL_H

#include "hub.h"
#include "op.h"
#include "platform.h"
#include "queue.h"
#include "wire.h"

/* The one state machine. Legal transitions:
 *
 *   CONNECTING -> GREETING | OPEN (raw) | DEAD | DESTROYING
 *   GREETING   -> OPEN | CONNECTING (told to come back) | REFUSING (server) |
 * DEAD | DESTROYING REFUSING   -> DESTROYING OPEN       -> CLOSING | DEAD |
 * DESTROYING | CONNECTING (makes another) CLOSING    -> DESTROYING DEAD ->
 * DESTROYING
 *
 * The order counts: from CLOSING on, the user can send no more.
 */
typedef enum ipc__state_e {
  IPC__CONNECTING, /* client: no stream; waiting, or about to try */
  IPC__GREETING,   /* native: a stream, the peer's hello is due */
  IPC__REFUSING,   /* server: has said no, waits for the client to leave */
  IPC__OPEN,
  IPC__CLOSING,   /* asked to close; delivers what is queued */
  IPC__DEAD,      /* broken or disconnected; waits for the user's close */
  IPC__DESTROYING /* handles are closing, then on_close */
} ipc__state_t;

typedef enum ipc__stream_state_e {
  IPC__STREAM_NONE,
  IPC__STREAM_OPEN,
  IPC__STREAM_CLOSING
} ipc__stream_state_t;

/* What a client needs until it is connected, and to say why it was not. */
typedef struct ipc__client_s {
  ipc_connect_cb on_connect;
  uv_os_fd_t handle; /* of a channel without a name, until it begins */
  ipc_transport_t transport;
  int has_handle;
  int is_nameless;
  uv_os_fd_t keeper; /* of a FIFO that is read; closed with the channel */
  int has_keeper;
  int is_fifo;
  ipc_peers_t server_peers;
  ipc_impersonation_t impersonation;
  char* server_user; /* NULL: as server_peers says */
  int wait_for_server;
  int wait_for_instance;
  int wait_for_backlog;
  int retry_interval_ms;
  int connect_timeout_ms;
  int reconnect_first_ms; /* 0: off */
  int reconnect_max_ms;
  int backoff_ms; /* before the next attempt to make another */
  ipc_channel_t* channel;
  ipc__deadline_t retry; /* the next attempt */
  uint64_t sent_before;  /* these three: on earlier connections */
  uint64_t received_before;
  uint64_t confirmed_before;
  int is_reconnecting;
  int lost_status;  /* why the last connection went */
  int restart_due;  /* the queue is still that of the last connection */
  uint64_t lost_at; /* where in it the next one begins */
  uint64_t reconnects;
  unsigned int patience; /* intervals between tries, grows when told "busy" */
  ipc__place_t place;
  int attempt_due;
  int last_attempt;
  uint64_t attempts;
  uint32_t random;
} ipc__client_t;

/* The beginning of a frame whose end has not come; while the channel is paused,
 * what came and was not delivered. */
typedef struct ipc__kept_s {
  uint8_t* memory; /* NULL: nothing */
  size_t capacity;
  size_t start; /* bytes at its front that are done with */
  size_t size;  /* bytes behind those */
  ipc__search_t search;
} ipc__kept_t;

/* What a channel has only while something is on its way; where nothing is, it
 * shares a constant with all others. */
typedef struct ipc__traffic_s {
  ipc_channel_t* channel;
  struct ipc__traffic_s* next; /* of those that nobody has */
  ipc__deadline_t again;       /* serve it then */

  ipc__queue_t queue;
  size_t early;      /* bytes written ahead of the hello, kept in the queue */
  uint64_t pong_end; /* queue position behind the last PONG, */
  uint64_t fin_ack_end; /* and behind the FIN-ACK */

  ipc__kept_t kept;
} ipc__traffic_t;

/* Memory that the user reads from. */
typedef struct ipc__lent_s {
  void* memory; /* NULL: none */
  size_t capacity;
} ipc__lent_t;

/* What is there only for those who use it: pull style and calls. */
typedef struct ipc__pulls_s {
  ipc__lent_t lent; /* by the last receive */
  ipc__ops_t receives;
  ipc__ops_t readies;
  ipc__ops_t calls;
  ipc__ops_t ended;  /* over; their callbacks are due */
  ipc__lent_t reply; /* of the last call that was waited for */
  uint64_t calls_pending;
  uint64_t late_replies;
} ipc__pulls_t;

/* Who else in the library is to know what becomes of a channel; 0 or one for
 * each. All are called where the user's callbacks are. */
typedef struct ipc__follower_s ipc__follower_t;
struct ipc__follower_s {
  /* on_connect(0) was called, and has left the connection alone. May be NULL.
   */
  void (*on_open)(ipc__follower_t* follower);
  /* Nothing more is received: on_end was called, or the channel is closed. May
   * come more than once. */
  void (*on_end)(ipc__follower_t* follower);
  /* on_close was called; the channel goes. */
  void (*on_gone)(ipc__follower_t* follower);
};

struct ipc_channel_s {
  ipc__stream_t stream; /* first, so that libuv's handle is the channel */
  ipc__hub_t* hub;
  ipc_server_t* server;  /* NULL: a client, or the server is gone */
  ipc__client_t* client; /* NULL: accepted */
  void* data;
  ipc_channel_t* previous; /* in the server's list */
  ipc_channel_t* next;
  ipc_channel_t* due_next;  /* in the hub's list */
  ipc__deadline_t deadline; /* of the state: connect, hello, idle, close */
  /* Its own, or &ipc__no_traffic: never NULL, and not to be written to before
   * ipc__channel_own_traffic. */
  ipc__traffic_t* traffic;

  ipc__pulls_t* pulls; /* NULL: nothing pulled yet */
  ipc_poster_t* posters;
  ipc__follower_t* follower; /* NULL: nobody */
  ipc_op_t last_op;

  uint64_t received;  /* messages delivered */
  uint64_t sent;      /* messages handed to the system */
  uint64_t unsent;    /* messages that never will be */
  uint64_t confirmed; /* as the peer has said */
  uint64_t dropped;   /* messages, by the slow-reader policy */
  uint64_t bytes_received;
  uint64_t bytes_sent;
  size_t largest_early;    /* message sent before the peer's limit was known */
  uint32_t peer_max_bytes; /* 0: not known */
  uint32_t room_wanted;    /* by the message that last found none */
  uint32_t peer_heartbeat_ms;
  uint32_t connection; /* counts them */
  uint32_t last_call;  /* number on the wire */
  uint32_t
      last_activity;   /* three times on the loop's clock: a message moved, */
  uint32_t last_heard; /* anything came, */
  uint32_t last_said;  /* anything went */
  uint16_t peer_features;
  int error;          /* why sends fail; 0: they don't */
  int end_status;     /* for on_end */
  int connect_status; /* for on_connect, when it has failed */
  int close_status;   /* for on_close */

  uint8_t state;
  uint8_t told_state; /* the ipc_channel_state_t that on_state knows */
  uint8_t stream_state;
  unsigned int is_server : 1;
  unsigned int is_surfaced : 1; /* the user knows it, so on_close is due */
  unsigned int is_refused : 1;  /* its server has said no */
  unsigned int was_open : 1;    /* there was a connection */
  unsigned int is_owned : 1;    /* its server closes it */
  unsigned int is_due : 1;      /* in the hub's list */
  unsigned int is_paused : 1;
  unsigned int is_waiting : 1;       /* in the server's waiting room */
  unsigned int has_instance : 1;     /* counts as one of the server's */
  unsigned int is_dead_instance : 1; /* counts as a dead one */
  unsigned int is_holding : 1;   /* a message lies ready that nobody takes */
  unsigned int is_overasked : 1; /* replies fill the queue over its limit */
  unsigned int has_grace : 1;    /* the peer had one more chance to be heard */
  unsigned int has_idle_grace : 1; /* and to move something */
  unsigned int called_early : 1;   /* before the peer's features were known */
  unsigned int is_reading : 1;
  unsigned int has_counted : 1;   /* its first write was looked at */
  unsigned int has_made_room : 1; /* the peer, in the system's full buffer */
  unsigned int has_grown : 1;     /* that buffer has */
  unsigned int write_busy : 1;    /* on_written is to come */
  unsigned int write_off : 1;     /* this stream takes no more writes */
  unsigned int wants_posts : 1;   /* a post found the queue full */
  unsigned int wants_drain : 1;   /* a send was refused */
  unsigned int connect_told : 1;  /* on_connect was called */
  unsigned int end_due : 1;       /* on_end is to be called */
  unsigned int end_told : 1;      /* on_end was called */
  unsigned int close_due : 1;     /* close was called while connecting */
  unsigned int fin_queued : 1;    /* we ended our side */
  unsigned int shutdown_due : 1;  /* raw: end the stream when written */
  unsigned int fin_received : 1;
  unsigned int fin_acked : 1;
  unsigned int read_ended : 1; /* nothing more can come from the stream */
};

static inline int ipc__channel_is_native(const ipc_channel_t* channel) {
  return channel->hub->settings.format.framing == IPC_CHANNEL_FRAMING_NATIVE;
}

/* Whether it has messages, and whether the system keeps them apart. */
static inline int ipc__channel_has_messages(const ipc_channel_t* channel) {
  return ipc__framing_has_messages(channel->hub->settings.format.framing);
}

static inline int ipc__channel_is_packet(const ipc_channel_t* channel) {
  return ipc__settings_have_packets(&channel->hub->settings);
}

static inline ipc_channel_t* ipc__channel_of_deadline(
    ipc__deadline_t* deadline) {
  return (ipc_channel_t*) ((char*) deadline -
                           offsetof(ipc_channel_t, deadline));
}

/* What was sent and received before the connection that there is. */
static inline uint64_t ipc__channel_sent_before(const ipc_channel_t* channel) {
  return channel->client == NULL ? 0 : channel->client->sent_before;
}

static inline uint64_t ipc__channel_confirmed_before(
    const ipc_channel_t* channel) {
  return channel->client == NULL ? 0 : channel->client->confirmed_before;
}

static inline uint64_t ipc__channel_received_before(
    const ipc_channel_t* channel) {
  return channel->client == NULL ? 0 : channel->client->received_before;
}

/* channel.c: life */
ipc_channel_t* ipc__channel_create(ipc__hub_t* hub);
/* Does all that is due; called by the hub only. May release the channel. */
void ipc__channel_serve(ipc_channel_t* channel);
/* Gives a connected handle to libuv, as ipc__stream_open. */
int ipc__channel_adopt(ipc_channel_t* channel, uv_os_fd_t handle);
void ipc__channel_close_stream(ipc_channel_t* channel);
void ipc__channel_on_stream_closed(ipc__stream_t* stream);
/* The connection works: from here on the user may send and receive. */
void ipc__channel_opened(ipc_channel_t* channel);
/* It doesn't any more; on_end says so unless it was told before. */
void ipc__channel_broken(ipc_channel_t* channel, int status);
/* The same, but nobody is told more than has been said by failed sends. */
void ipc__channel_cut(ipc_channel_t* channel);
void ipc__channel_destroy(ipc_channel_t* channel, int status);
/* A client is not connected, and makes no further attempts. */
void ipc__client_failed(ipc_channel_t* channel, int status);
/* What on_connect or on_end has told; 0: neither has told an error. */
int ipc__channel_told_error(const ipc_channel_t* channel);
/* on_state, if there is news. */
void ipc__channel_tell_state(ipc_channel_t* channel);
ipc_channel_state_t ipc__channel_public_state(const ipc_channel_t* channel);

/* channel_traffic.c */
extern const ipc__traffic_t ipc__no_traffic;
static inline int ipc__channel_has_traffic(const ipc_channel_t* channel) {
  return channel->traffic != &ipc__no_traffic;
}
ipc__traffic_t* ipc__channel_take_traffic(ipc_channel_t* channel);
/* Its own, to be written to; NULL: no memory. */
static inline ipc__traffic_t* ipc__channel_own_traffic(ipc_channel_t* channel) {
  return ipc__channel_has_traffic(channel) ? channel->traffic
                                           : ipc__channel_take_traffic(channel);
}
/* Gives it back where nothing is on its way; or in any case, with all that is
 * queued or kept. */
void ipc__channel_settle(ipc_channel_t* channel);
void ipc__channel_drop_traffic(ipc_channel_t* channel);
/* Forgets what is queued. */
void ipc__channel_drop_queue(ipc_channel_t* channel);
/* Serves the channel after so long, or earlier where that was asked for: what
 * nobody tells has to be looked at. */
void ipc__channel_serve_again(ipc_channel_t* channel, int ms);
/* Not any more. */
void ipc__channel_serve_no_more(ipc_channel_t* channel);

/* channel_watch.c: idle timeout and heartbeat */
/* Sets the deadline of an open channel. */
void ipc__channel_watch(ipc_channel_t* channel);
/* Notes of when; use the three below. */
void ipc__channel_note_activity(ipc_channel_t* channel);
void ipc__channel_note_heard(ipc_channel_t* channel);

/* A message has moved, or a part of one. */
static inline void ipc__channel_touch(ipc_channel_t* channel) {
  if (channel->hub->settings.idle_timeout_ms == IPC_CHANNEL_INFINITE) return;
  ipc__channel_note_activity(channel);
}

/* Something has come from the peer; something has gone to it. */
static inline void ipc__channel_heard(ipc_channel_t* channel) {
  if (channel->hub->settings.heartbeat_ms == IPC_CHANNEL_INFINITE) return;
  ipc__channel_note_heard(channel);
}

static inline void ipc__channel_said(ipc_channel_t* channel) {
  if (channel->peer_heartbeat_ms == 0) return;
  channel->last_said = (uint32_t) uv_now(channel->hub->loop);
}

/* channel_pull.c: receives, readiness, cancel */
/* Whether messages come, as far as is known. */
static inline int ipc__channel_can_receive(const ipc_channel_t* channel) {
  return channel->hub->settings.access != IPC_CHANNEL_ACCESS_OUTBOUND &&
         !(channel->peer_features & IPC__FEATURE_NO_SEND);
}
/* Why nothing more will be received; 0: something may be. */
int ipc__channel_receive_end(const ipc_channel_t* channel);
/* Why a receive fails at once; 0: it doesn't. */
int ipc__channel_check_receive(const ipc_channel_t* channel);
/* Calls back what can be called back now. */
void ipc__channel_tell_pulls(ipc_channel_t* channel);
/* The same for waits; after what was written. */
void ipc__channel_tell_readies(ipc_channel_t* channel);
/* Hands a message to the oldest receive; 0: there is none. `pulls` is there. */
int ipc__channel_pull(ipc_channel_t* channel, const void* data, size_t size);
/* Whether anybody waits for what comes, beside on_message. */
int ipc__channel_is_pulled(const ipc_channel_t* channel);
/* All calls that are pending end with this status; or those whose requests have
 * begun to leave. */
void ipc__channel_fail_calls(ipc_channel_t* channel, int status);
void ipc__channel_fail_calls_under_way(ipc_channel_t* channel, int status);
void ipc__channel_release_pulls(ipc_channel_t* channel);
/* A new operation in no list yet, or NULL: no memory. */
ipc__op_t* ipc__channel_begin_op(ipc_channel_t* channel,
                                 uint8_t kind,
                                 void* arg);
/* It is pending from here on; names it unless it has a name. */
void ipc__channel_enlist_op(ipc_channel_t* channel,
                            ipc__op_t* op,
                            int timeout_ms);
/* Calls back without data; the operation is in no list. */
void ipc__channel_finish_op(ipc_channel_t* channel,
                            ipc__op_t* op,
                            int status,
                            int events);
/* NULL: no memory. */
ipc__pulls_t* ipc__channel_pulls(ipc_channel_t* channel);

/* channel_try.c */
/* What a try or wait hands out lives until the next does: memory for that, or
 * NULL. What was lent before goes back. */
void* ipc__channel_lend(ipc_channel_t* channel, ipc__lent_t* lent, size_t size);
void ipc__channel_give_lent(ipc_channel_t* channel, ipc__lent_t* lent);

/* channel_call.c: requests and replies */
int ipc__channel_on_request(ipc_channel_t* channel,
                            const uint8_t* payload,
                            size_t size);
int ipc__channel_on_reply(ipc_channel_t* channel,
                          const uint8_t* payload,
                          size_t size);

/* channel_info.c */
ipc_transport_t ipc__channel_transport(const ipc_channel_t* channel);

/* channel_close.c: the graceful end */
/* Windows drops what the peer hasn't read when a pipe is closed, and nothing
 * tells when it has: look this often. */
#define IPC__UNREAD_POLL_MS 2
void ipc__channel_begin_close(ipc_channel_t* channel);
/* Whether all that a graceful close waits for has come; then it destroys. */
void ipc__channel_check_closed(ipc_channel_t* channel);

/* channel_decode.c */
/* Handles what is in `data`, of which the first `scanned` bytes have no end of
 * a message in them; returns how much of it is done with. What comes of the
 * search in the rest is in the hub's window then. */
size_t ipc__channel_decode(ipc_channel_t* channel,
                           const uint8_t* data,
                           size_t size,
                           size_t scanned);

/* channel_kept.c */
/* Keeps what ipc__channel_decode has left, where nothing is kept. */
int ipc__channel_keep(ipc_channel_t* channel, const uint8_t* data, size_t size);
/* Whether the next read is to go behind what is kept, and room for it there. A
 * packet has to, since it wants exactly its size. */
int ipc__channel_has_large(const ipc_channel_t* channel);
int ipc__channel_room_to_keep(ipc_channel_t* channel, uv_buf_t* buffer);
/* Delivers what came before a pause, or while nobody received. */
void ipc__channel_deliver_kept(ipc_channel_t* channel);
void ipc__channel_drop_kept(ipc_channel_t* channel);
/* Whether there are bytes of a message that isn't there as a whole. Not native,
 * with none in front. */
int ipc__channel_is_amid_message(const ipc_channel_t* channel);
/* The message that lies in front, if a whole one does (raw: all bytes that are
 * there); and `bytes` of the front are done with. */
int ipc__channel_front(const ipc_channel_t* channel,
                       const uint8_t** data,
                       size_t* size,
                       size_t* whole);
void ipc__channel_take_front(ipc_channel_t* channel, size_t bytes);
/* Lends the memory with the message in front, where it is all there is and
 * large; 0: it isn't. */
int ipc__channel_steal_front(ipc_channel_t* channel,
                             size_t whole,
                             ipc__lent_t* lent);

/* channel_read.c */
/* Makes libuv's reading agree with the state and with pause. */
void ipc__channel_update_reading(ipc_channel_t* channel);
/* Reads once, now, what is there already. UV_EAGAIN: nothing. */
int ipc__channel_read_now(ipc_channel_t* channel);
/* Ends a channel which can't be written to any more, nor read. */
void ipc__channel_check_spent(ipc_channel_t* channel);
/* Ends a channel whose peer has left in the middle of a message. */
void ipc__channel_check_cut(ipc_channel_t* channel);

/* channel_limit.c: room in the queue */
/* Whether a message of this size would find none. */
int ipc__channel_is_full(const ipc_channel_t* channel, size_t size);
/* 1: replies, which are never refused, have filled it over its limit. */
unsigned int ipc__channel_is_over(const ipc_channel_t* channel);
/* Does what the slow-reader policy says. 0: now there is room. */
int ipc__channel_make_room(ipc_channel_t* channel, size_t size);
/* How much of `size` raw bytes would find room. */
size_t ipc__channel_room(const ipc_channel_t* channel, size_t size);
/* A message of this size has found none; is_drained then waits for so much. */
void ipc__channel_want_room(ipc_channel_t* channel, size_t size);
/* Room enough for on_drain and for IPC_CHANNEL_WRITABLE. */
int ipc__channel_is_drained(const ipc_channel_t* channel);
/* Where the other channels of the server leave none, looks again. */
void ipc__channel_wait_for_others(ipc_channel_t* channel);

/* channel_send.c: from the user into the queue, and back to the callback */
typedef struct ipc__send_s {
  uint8_t kind;  /* of the frame */
  uint8_t stays; /* exempt from the slow-reader policy */
  uint8_t borrow;
  uint8_t force;       /* exempt from the limits */
  uint8_t prefix_size; /* native: */
  uint8_t prefix[8];   /* in front of the message */
  const uv_buf_t* pieces;
  unsigned int count;
  ipc_send_cb cb;
  void* arg;
  ipc__op_t* op; /* with a deadline; NULL: none */
} ipc__send_t;

/* Whether a send, or our end, may still be queued; and whether messages go, as
 * far as is known. */
static inline int ipc__channel_may_send(const ipc_channel_t* channel) {
  return channel->state < IPC__CLOSING && channel->error == 0 &&
         !channel->close_due && !channel->fin_queued;
}

static inline int ipc__channel_can_send(const ipc_channel_t* channel) {
  return channel->hub->settings.access != IPC_CHANNEL_ACCESS_INBOUND &&
         !(channel->peer_features & IPC__FEATURE_NO_RECEIVE);
}
int ipc__channel_submit(ipc_channel_t* channel, const ipc__send_t* send);
/* UV_EINVAL: memory is missing. */
int ipc__channel_check_pieces(const uv_buf_t* pieces, unsigned int count);
/* For posters: a copy, without a callback. */
int ipc__channel_post(ipc_channel_t* channel,
                      const uv_buf_t* pieces,
                      unsigned int count,
                      int force);

/* channel_sent.c: from there on */
/* Calls back the sends that are complete, or all when they never will be. */
void ipc__channel_complete_sends(ipc_channel_t* channel);
void ipc__channel_on_send_deadline(ipc__deadline_t* deadline);
/* Takes what was sent out of the queue; its callback gets the status. UV_EBUSY,
 * UV_ENOENT and UV_ENOMEM as ipc_channel_cancel. */
int ipc__channel_withdraw(ipc_channel_t* channel, ipc_op_t id, int status);
/* Whether something of what was sent has left, be it all. */
int ipc__channel_has_begun(const ipc_channel_t* channel, ipc_op_t id);
/* ipc_channel_cancel for a send. */
int ipc__channel_cancel_send(ipc_channel_t* channel, ipc_op_t id);

/* channel_write.c */
void ipc__channel_make_hello(const ipc_channel_t* channel,
                             ipc__verdict_t verdict,
                             uint8_t* bytes);
int ipc__channel_put_hello(ipc_channel_t* channel, ipc__verdict_t verdict);
int ipc__channel_put_control(ipc_channel_t* channel,
                             uint8_t kind,
                             const uint8_t* payload,
                             size_t size);
/* A frame that says how much has been received on this connection. */
int ipc__channel_put_count(ipc_channel_t* channel, uint8_t kind);
/* Writes what the system takes. */
void ipc__channel_write(ipc_channel_t* channel);
void ipc__channel_on_written(ipc__stream_t* stream, int status, size_t bytes);
/* How much of the queue has been written, or is being written just now. */
uint64_t ipc__channel_written_to(const ipc_channel_t* channel);

/* channel_greet.c: the hello, both sides */
/* Takes a hello from the front of the hub's window, where it is whole; -1: the
 * channel has been ended. */
int ipc__channel_greet(ipc_channel_t* channel);

/* adopt.c */
/* The os_name of a channel that has none. */
#define IPC__NAMELESS ""
/* A channel on a handle that is connected, for ipc__client_begin or _abandon.
 * When this succeeds the handle is the channel's. */
int ipc__adopt(uv_loop_t* loop,
               const ipc_channel_options_t* options,
               const char* os_name,
               uv_os_fd_t handle,
               ipc_channel_t** channel);

/* client.c */
void ipc__client_attempt(ipc_channel_t* channel);
/* The attempt ended like this: tries again where the options say so, else the
 * channel is dead and on_connect is due. */
void ipc__client_attempt_failed(ipc_channel_t* channel, int status);
/* The channel is open: tells the user, or closes where that was asked for. */
void ipc__client_succeeded(ipc_channel_t* channel);
/* Connecting may take no longer than this from now on. */
void ipc__client_hurry(ipc_channel_t* channel, int timeout_ms);
/* Sets the time of the next attempt. */
void ipc__client_wait_to_retry(ipc_channel_t* channel);
void ipc__client_release(ipc_channel_t* channel);
/* A channel that is to connect, with a client that is yet to be filled in. What
 * uv_loop_init says, or UV_ENOMEM. `verdict` is for its hello. */
int ipc__client_create(uv_loop_t* loop,
                       const ipc__settings_t* settings,
                       const char* os_name,
                       ipc__verdict_t verdict,
                       ipc_channel_t** channel);
/* Surfaces it, and has it connect. */
void ipc__client_begin(ipc_channel_t* channel, void* data);
/* Or releases it. */
void ipc__client_abandon(ipc_channel_t* channel);
/* The connection is lost. 1: another is being made; 0: it was the last. */
int ipc__client_lost(ipc_channel_t* channel, int status);
/* The server has ended its side, and been answered: another connection takes
 * the place of this one. */
void ipc__client_turn_over(ipc_channel_t* channel);
/* The stream of the last attempt, or connection, is closed. */
void ipc__client_stream_closed(ipc_channel_t* channel);
/* A lost connection is replaced, so that its end is nobody's business. */
int ipc__client_reconnects(const ipc_channel_t* channel);

/* server.c */
/* A client's hello is good: surfaces the channel, or lets it wait. */
void ipc__server_greeted(ipc_channel_t* channel);
/* Surfaces a channel that waits, if its turn has come. */
void ipc__server_promote(ipc_channel_t* channel);
/* The channel has no connection any more. */
void ipc__server_lost(ipc_channel_t* channel);
/* Its place is free: somebody else may have it. */
void ipc__server_vacate(ipc_channel_t* channel);
/* Tells a client no. */
void ipc__server_refuse(ipc_channel_t* channel, ipc__verdict_t verdict);
/* A client went before it had surfaced. */
void ipc__server_handshake_failed(ipc_channel_t* channel);
/* Does what is due; called by the hub only. */
void ipc__server_serve(ipc_server_t* server);
/* The channel is about to be released. */
void ipc__server_forget(ipc_channel_t* channel);

#endif /* IPC_CHANNEL_CHANNEL_H */
