/* The loop that a server, or a connecting client, has for itself where the
 * caller gave none: it runs inside the *_wait functions, and nowhere else. */
#ifndef IPC_CHANNEL_LOOP_H
#define IPC_CHANNEL_LOOP_H

#include "ipc_channel.h"

/* Whether what is waited for has come. May begin operations. */
typedef int (*ipc__loop_done_cb)(void* arg);

/* What the one *_wait function that runs just now waits for, and how it went.
 * On its stack: an operation that outlives it finds another id, or nothing. */
typedef struct ipc__wait_s {
  struct ipc__loop_s* loop;
  uintptr_t id;       /* the argument of the operation's callback */
  const void* object; /* the channel or server; NULL: it is gone */
  ipc_op_t op;        /* that it waits for; a callback may begin others */
  int is_over;        /* the operation has called back */
  int status;
  size_t sent;               /* of a send */
  const void* data;          /* of a receive, or a reply */
  size_t size;               /* its bytes */
  ipc_channel_t* accepted;   /* NULL also when it is gone already */
  ipc_close_result_t result; /* of the channel that is gone */
} ipc__wait_t;

typedef struct ipc__loop_s {
  uv_loop_t uv;
  ipc_allocator_t allocator;
  uv_prepare_t before_poll;
  uv_timer_t timer;
  unsigned int users; /* servers, and channels that were handed out */
  int is_running;
  int is_late; /* the timer has fired */
  ipc__loop_done_cb is_done;
  void* arg; /* for is_done */
  ipc__wait_t* wait;
  uintptr_t waits; /* ever, for their ids */
} ipc__loop_t;

/* Ahead of whatever may be the first use of libuv. */
void ipc__libuv_begin(void);

/* Without users. What uv_loop_init says, or UV_ENOMEM. */
int ipc__loop_create(const ipc_allocator_t* allocator, ipc__loop_t** loop);

/* One user more, one less; the result is that of a channel. Both take NULL for
 * a loop that is the caller's. */
void ipc__loop_hold(ipc__loop_t* loop);
void ipc__loop_gone(ipc__loop_t* loop,
                    const void* user,
                    const ipc_close_result_t* result);

/* Releases the loop if it has no users, once what is left of it has ended. Not
 * inside the loop's callbacks. Takes NULL. */
void ipc__loop_leave(ipc__loop_t* loop);

/* Runs until `is_done` says so. UV_EAGAIN: nothing is left that could make it
 * so. */
int ipc__loop_run(ipc__loop_t* loop, ipc__loop_done_cb is_done, void* arg);

/* Starts a timer anew, never early; IPC_CHANNEL_INFINITE: only stops it. For
 * the few timers that aren't a hub's deadlines. */
void ipc__timer_start(uv_timer_t* timer, int timeout_ms, uv_timer_cb cb);

/* Has is_late set after so long, never early; IPC_CHANNEL_INFINITE: never. */
void ipc__loop_set_timer(ipc__loop_t* loop, int timeout_ms);
void ipc__loop_clear_timer(ipc__loop_t* loop);

#endif /* IPC_CHANNEL_LOOP_H */
