/* The channel's insides, for the files that make up the channel and for the two
 * that give birth to channels, client.c and server.c. */
#ifndef IPC_CHANNEL_CHANNEL_H
#define IPC_CHANNEL_CHANNEL_H

#include "hub.h"
#include "platform.h"
#include "queue.h"
#include "wire.h"

/* The one state machine. Legal transitions:
 *
 *   CONNECTING -> GREETING | OPEN (raw) | DEAD | DESTROYING
 *   GREETING   -> OPEN | CONNECTING (told to come back) | DEAD | DESTROYING
 *   REFUSING   -> DESTROYING
 *   OPEN       -> CLOSING | DEAD | DESTROYING
 *   CLOSING    -> DESTROYING
 *   DEAD       -> DESTROYING
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
  ipc_peers_t server_peers;
  ipc_impersonation_t impersonation;
  char* server_user; /* NULL: as server_peers says */
  int wait_for_server;
  int wait_when_busy;
  int retry_interval_ms;
  unsigned int patience; /* intervals between tries, grows when told "busy" */
  int is_bare;
  int attempt_due;
  int last_attempt;
  uint64_t attempts;
  uint32_t random;
} ipc__client_t;

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
  ipc__deadline_t retry;    /* connecting, writing or closing goes on */

  ipc__queue_t queue;
  size_t early; /* bytes written ahead of the hello, kept in the queue */

  /* The beginning of a frame whose end has not come; while paused, what came
   * and was not delivered. */
  uint8_t* partial;
  size_t partial_size;
  size_t partial_memory;
  size_t partial_want; /* the whole frame's size; 0: not known */

  uint64_t last_activity; /* on the loop's clock */
  uint64_t received;      /* messages delivered */
  uint64_t sent;          /* messages handed to the system */
  uint64_t unsent;        /* messages that never will be */
  uint64_t confirmed;     /* as the peer's FIN-ACK said */
  uint64_t bytes_received;
  uint64_t bytes_sent;
  uint64_t pong_end;       /* queue position behind the last PONG */
  size_t largest_early;    /* message sent before the peer's limit was known */
  uint32_t peer_max_bytes; /* 0: not known */
  int error;               /* why sends fail; 0: they don't */
  int end_status;          /* for on_end */
  int connect_status;      /* for on_connect, when it has failed */
  int close_status;        /* for on_close */

  uint8_t state;
  uint8_t stream_state;
  unsigned int is_server : 1;
  unsigned int is_surfaced : 1; /* the user knows it, so on_close is due */
  unsigned int is_refused : 1;  /* its server has said no */
  unsigned int was_open : 1;    /* there was a connection */
  unsigned int is_owned : 1;    /* its server closes it */
  unsigned int is_due : 1;      /* in the hub's list */
  unsigned int is_paused : 1;
  unsigned int is_reading : 1;
  unsigned int write_busy : 1;   /* on_written is to come */
  unsigned int write_off : 1;    /* this stream takes no more writes */
  unsigned int wants_drain : 1;  /* a send was refused */
  unsigned int connect_told : 1; /* on_connect was called */
  unsigned int end_due : 1;      /* on_end is to be called */
  unsigned int end_told : 1;     /* on_end was called */
  unsigned int close_due : 1;    /* close was called while connecting */
  unsigned int fin_queued : 1;   /* we ended our side */
  unsigned int shutdown_due : 1; /* raw: end the stream when written */
  unsigned int fin_received : 1;
  unsigned int fin_acked : 1;
  unsigned int read_ended : 1; /* nothing more can come from the stream */
};

static inline ipc_channel_t* ipc__channel_of_deadline(
    ipc__deadline_t* deadline) {
  return (ipc_channel_t*) ((char*) deadline -
                           offsetof(ipc_channel_t, deadline));
}

static inline ipc_channel_t* ipc__channel_of_retry(ipc__deadline_t* retry) {
  return (ipc_channel_t*) ((char*) retry - offsetof(ipc_channel_t, retry));
}

/* channel.c: life */
ipc_channel_t* ipc__channel_create(ipc__hub_t* hub);
/* Does all that is due; called by the hub only. May release the channel. */
void ipc__channel_serve(ipc_channel_t* channel);
/* Gives a connected handle to libuv, as ipc__stream_open. */
int ipc__channel_adopt(ipc_channel_t* channel, uv_os_fd_t handle);
void ipc__channel_close_stream(ipc_channel_t* channel);
/* The connection works: from here on the user may send and receive. */
void ipc__channel_opened(ipc_channel_t* channel);
/* It doesn't any more; on_end says so unless it was told before. */
void ipc__channel_broken(ipc_channel_t* channel, int status);
void ipc__channel_destroy(ipc_channel_t* channel, int status);
/* A client is not connected, and makes no further attempts. */
void ipc__client_failed(ipc_channel_t* channel, int status);
/* For the retry deadline: serves the channel again. */
void ipc__channel_on_retry(ipc__deadline_t* deadline);
/* Bytes have moved: the idle timeout begins anew. */
void ipc__channel_touch(ipc_channel_t* channel);
int ipc__channel_is_native(const ipc_channel_t* channel);

/* channel_close.c: the graceful end */
void ipc__channel_begin_close(ipc_channel_t* channel);
/* Whether all that a graceful close waits for has come; then it destroys. */
void ipc__channel_check_closed(ipc_channel_t* channel);

/* channel_read.c */
/* Makes libuv's reading agree with the state and with pause. */
void ipc__channel_update_reading(ipc_channel_t* channel);
/* Reads once, now, what is there already. */
void ipc__channel_read_now(ipc_channel_t* channel);
/* Delivers what came before a pause. */
void ipc__channel_deliver_partial(ipc_channel_t* channel);
void ipc__channel_drop_partial(ipc_channel_t* channel);

/* channel_write.c */
int ipc__channel_put_hello(ipc_channel_t* channel, ipc__verdict_t verdict);
int ipc__channel_put_control(ipc_channel_t* channel,
                             uint8_t kind,
                             const uint8_t* payload,
                             size_t size);
/* Whether a send, or our end, may still be queued. */
int ipc__channel_may_send(const ipc_channel_t* channel);
/* Writes what the system takes. */
void ipc__channel_write(ipc_channel_t* channel);
void ipc__channel_on_written(ipc__stream_t* stream, int status, size_t bytes);
/* Calls back the sends that are complete, or all when they never will be. */
void ipc__channel_complete_sends(ipc_channel_t* channel);

/* channel_greet.c: the hello, both sides */
/* Reads a hello from the front of the bytes that came; returns the bytes used,
 * 0 when there are too few, or -1 after it has ended the channel. */
ptrdiff_t ipc__channel_greet(ipc_channel_t* channel,
                             const uint8_t* data,
                             size_t size);

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

/* server.c */
/* A client's hello is good: surfaces the channel. */
void ipc__server_greeted(ipc_channel_t* channel);
/* Tells a client no. */
void ipc__server_refuse(ipc_channel_t* channel, ipc__verdict_t verdict);
/* A client went before it had surfaced. */
void ipc__server_handshake_failed(ipc_channel_t* channel);
/* The channel is about to be released. */
void ipc__server_forget(ipc_channel_t* channel);

#endif /* IPC_CHANNEL_CHANNEL_H */
