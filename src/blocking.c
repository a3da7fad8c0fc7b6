/* The *_wait functions: each begins the operation of the same name and runs the
 * private loop until that has called back. Between two turns a callback of the
 * user's may have closed anything, so nothing but the wait is looked at before
 * it has said that the channel or server is still there. */
#include <string.h>

#include "channel.h"
#include "loop.h"
#include "op.h"
#include "server.h"

/* ---- Waiting ------------------------------------------------------------ */

static int begin(ipc__wait_t* wait, ipc__loop_t* loop, const void* object) {
  if (loop == NULL) return UV_EINVAL;
  if (loop->is_running) return UV_EALREADY;
  memset(wait, 0, sizeof(*wait));
  wait->loop = loop;
  wait->id = ++loop->waits;
  wait->object = object;
  loop->wait = wait;
  return 0;
}

/* The loop goes with its last user. */
static int end(ipc__wait_t* wait, int status) {
  wait->loop->wait = NULL;
  ipc__loop_leave(wait->loop);
  return status;
}

/* The argument of an operation's callback, and the way back from it: NULL where
 * nobody waits any more. */
static void* argument(const ipc__wait_t* wait) {
  return (void*) wait->id;
}

static ipc__wait_t* awaited(const ipc__hub_t* hub, void* arg) {
  ipc__wait_t* wait = hub->own_loop->wait;

  return wait != NULL && argument(wait) == arg ? wait : NULL;
}

static void be_over(ipc__wait_t* wait, int status) {
  wait->is_over = 1;
  wait->status = status;
}

/* With a copy of the message, in place of what was lent before. */
static int be_over_with(ipc__wait_t* wait,
                        ipc_channel_t* channel,
                        ipc__lent_t* lent,
                        int status,
                        const void* data,
                        size_t size) {
  void* copy = NULL;

  if (status == 0) {
    copy = ipc__channel_lend(channel, lent, size);
    if (copy == NULL) status = UV_ENOMEM;
  }
  if (status == 0 && size > 0) memcpy(copy, data, size);
  wait->data = copy;
  wait->size = size;
  be_over(wait, status);
  return status;
}

static int is_over(void* arg) {
  const ipc__wait_t* wait = arg;

  return wait->is_over;
}

static int is_gone(void* arg) {
  const ipc__wait_t* wait = arg;

  return wait->object == NULL;
}

/* Runs until the operation is over. */
static int run_operation(ipc__wait_t* wait, ipc_channel_t* channel) {
  int err = ipc__loop_run(wait->loop, is_over, wait);

  if (err == 0) return wait->status;
  /* It must not take what is meant for the next. */
  if (!is_gone(wait)) ipc_channel_cancel(channel, wait->op);
  return err;
}

/* ---- Connecting and accepting ------------------------------------------- */

static int has_connected(void* arg) {
  const ipc__wait_t* wait = arg;
  const ipc_channel_t* channel = wait->object;

  if (channel == NULL || channel->was_open) return 1;
  return channel->state == IPC__DEAD || channel->state == IPC__DESTROYING;
}

/* Closes the channel, be it for the second time, and runs until it is gone. */
static void run_to_close(ipc__wait_t* wait, ipc_channel_t* channel) {
  ipc_channel_close(channel);
  if (ipc__loop_run(wait->loop, is_gone, wait) == 0) return;
  ipc_channel_disconnect(channel);
  ipc__loop_run(wait->loop, is_gone, wait);
}

int ipc_client_connect_wait(const ipc_client_options_t* options,
                            void* data,
                            ipc_channel_t** out) {
  ipc_channel_t* channel;
  ipc__wait_t wait;
  int err;

  err = ipc_client_connect(NULL, options, data, out);
  if (err != 0) return err;
  channel = *out;
  *out = NULL;
  begin(&wait, channel->hub->own_loop, channel);
  err = ipc__loop_run(wait.loop, has_connected, &wait);
  if (wait.object == NULL) { /* on_connect, or on_end, has closed it */
    err = wait.result.status;
  } else if (channel->was_open) {
    *out = channel;
    return end(&wait, 0);
  } else {
    if (err == 0) err = channel->connect_status;
    run_to_close(&wait, channel);
  }
  return end(&wait, err == 0 ? UV_ECANCELED : err);
}

static void on_accepted(ipc_server_t* server,
                        void* arg,
                        int status,
                        ipc_channel_t* channel) {
  ipc__wait_t* wait = awaited(server->hub, arg);

  if (wait != NULL) {
    be_over(wait, status);
    wait->accepted = channel;
  } else if (channel != NULL) {
    ipc_channel_close(channel);
  }
}

int ipc_server_accept_wait(ipc_server_t* server,
                           int timeout_ms,
                           ipc_channel_t** channel) {
  ipc__wait_t wait;
  int err;

  if (server == NULL || channel == NULL) return UV_EINVAL;
  *channel = NULL;
  err = begin(&wait, server->hub->own_loop, server);
  if (err != 0) return err;
  err = ipc_server_accept(server, timeout_ms, on_accepted, argument(&wait));
  if (err != 0) return end(&wait, err);
  wait.op = ipc_server_last_op(server);
  err = ipc__loop_run(wait.loop, is_over, &wait);
  if (err != 0) {
    if (!is_gone(&wait)) ipc_server_cancel(server, wait.op);
    return end(&wait, err);
  }
  *channel = wait.accepted;
  err = wait.status;
  if (err == 0 && wait.accepted == NULL) err = UV_ECANCELED; /* closed again */
  return end(&wait, err);
}

/* ---- Sending ------------------------------------------------------------ */

/* A message, or a request, for which the queue may have no room yet. */
typedef struct offer_s {
  ipc__wait_t* wait;
  ipc_channel_t* channel;
  const void* data;
  size_t size;
  int is_request;
  uint64_t expires_at; /* by uv_hrtime; 0: never */
  int err;             /* UV_EAGAIN: not taken yet */
} offer_t;

static int left_ms(uint64_t expires_at) {
  uint64_t now = uv_hrtime();

  if (expires_at == 0) return IPC_CHANNEL_INFINITE;
  if (now >= expires_at) return 0;
  return (int) ((expires_at - now + 999999) / 1000000);
}

static void on_sent(ipc_channel_t* channel, void* arg, int status, size_t n) {
  ipc__wait_t* wait = awaited(channel->hub, arg);

  if (wait == NULL) return;
  be_over(wait, status);
  wait->sent = n;
}

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  ipc__wait_t* wait = awaited(channel->hub, arg);

  if (wait == NULL) return;
  be_over_with(wait, channel, &channel->pulls->reply, status, data, size);
}

static int put(const offer_t* offer) {
  void* arg = argument(offer->wait);
  int ms = left_ms(offer->expires_at);

  if (offer->is_request) {
    return ipc_channel_call(offer->channel, offer->data, offer->size,
                            ms == 0 ? 1 : ms, on_reply, arg);
  }
  /* We don't return before it is over: no copy. */
  if (ms == IPC_CHANNEL_INFINITE) {
    return ipc_channel_send(offer->channel, offer->data, offer->size, on_sent,
                            arg);
  }
  return ipc_channel_send_timeout(offer->channel, offer->data, offer->size, ms,
                                  on_sent, arg);
}

/* Tries once more, unless it was taken or refused already. */
static int is_taken(void* arg) {
  offer_t* offer = arg;

  if (offer->err != UV_EAGAIN) return 1;
  if (offer->wait->object == NULL) {
    offer->err = UV_ECANCELED;
  } else {
    offer->err = put(offer);
    offer->wait->op = ipc_channel_last_op(offer->channel);
  }
  if (offer->err == UV_EAGAIN && offer->wait->loop->is_late) {
    offer->err = UV_ETIMEDOUT;
  }
  return offer->err != UV_EAGAIN;
}

/* Puts it into the queue as soon as that has room, and runs until it is over.
 */
static int run_offer(offer_t* offer, int timeout_ms) {
  ipc__loop_t* loop = offer->wait->loop;
  int err;

  offer->err = UV_EAGAIN;
  if (timeout_ms != IPC_CHANNEL_INFINITE) {
    offer->expires_at = uv_hrtime() + (uint64_t) timeout_ms * 1000000;
  }
  if (!is_taken(offer)) {
    ipc__loop_set_timer(loop, timeout_ms);
    err = ipc__loop_run(loop, is_taken, offer);
    ipc__loop_clear_timer(loop);
    if (err != 0) return err;
  }
  if (offer->err != 0) return offer->err;
  return run_operation(offer->wait, offer->channel);
}

int ipc_channel_send_wait(ipc_channel_t* channel,
                          const void* data,
                          size_t size,
                          int timeout_ms,
                          size_t* sent) {
  ipc__wait_t wait;
  offer_t offer;
  int err;

  if (sent != NULL) *sent = 0;
  if (channel == NULL || !ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  err = begin(&wait, channel->hub->own_loop, channel);
  if (err != 0) return err;
  memset(&offer, 0, sizeof(offer));
  offer.wait = &wait;
  offer.channel = channel;
  offer.data = data;
  offer.size = size;
  err = run_offer(&offer, timeout_ms);
  if (sent != NULL) *sent = wait.sent;
  return end(&wait, err);
}

/* ---- Receiving ---------------------------------------------------------- */

static void on_received(ipc_channel_t* channel,
                        void* arg,
                        int status,
                        const void* data,
                        size_t size) {
  ipc__wait_t* wait = awaited(channel->hub, arg);

  if (wait == NULL) return;
  /* Its place in the order can't be had twice. */
  if (be_over_with(wait, channel, &channel->pulls->lent, status, data, size) !=
      status) {
    ipc__channel_broken(channel, UV_ENOMEM);
  }
}

/* A message that a callback's close has taken away again is none. */
static int hand_out(const ipc__wait_t* wait,
                    int status,
                    const void** data,
                    size_t* size) {
  if (status != 0) return status;
  if (wait->object == NULL) return UV_ECANCELED;
  *data = wait->data;
  *size = wait->size;
  return 0;
}

int ipc_channel_recv_wait(ipc_channel_t* channel,
                          int timeout_ms,
                          const void** data,
                          size_t* size) {
  ipc__wait_t wait;
  int err;

  if (data == NULL || size == NULL) return UV_EINVAL;
  *data = NULL;
  *size = 0;
  if (channel == NULL || !ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  err = begin(&wait, channel->hub->own_loop, channel);
  if (err != 0) return err;
  err = ipc_channel_try_recv(channel, data, size);
  if (err != UV_EAGAIN) return end(&wait, err);
  err = ipc_channel_recv(channel, timeout_ms, on_received, argument(&wait));
  if (err == 0) {
    wait.op = ipc_channel_last_op(channel);
    err = hand_out(&wait, run_operation(&wait, channel), data, size);
  }
  return end(&wait, err);
}

int ipc_channel_call_wait(ipc_channel_t* channel,
                          const void* data,
                          size_t size,
                          int timeout_ms,
                          const void** reply,
                          size_t* reply_size) {
  ipc__wait_t wait;
  offer_t offer;
  int err;

  if (reply == NULL || reply_size == NULL) return UV_EINVAL;
  *reply = NULL;
  *reply_size = 0;
  if (channel == NULL || timeout_ms == 0) return UV_EINVAL;
  if (!ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  err = begin(&wait, channel->hub->own_loop, channel);
  if (err != 0) return err;
  memset(&offer, 0, sizeof(offer));
  offer.wait = &wait;
  offer.channel = channel;
  offer.data = data;
  offer.size = size;
  offer.is_request = 1;
  err = hand_out(&wait, run_offer(&offer, timeout_ms), reply, reply_size);
  return end(&wait, err);
}

/* ---- Closing ------------------------------------------------------------ */

int ipc_channel_close_wait(ipc_channel_t* channel, ipc_close_result_t* result) {
  ipc__wait_t wait;
  int err;

  if (channel == NULL) return UV_EINVAL;
  err = begin(&wait, channel->hub->own_loop, channel);
  if (err != 0) return err;
  run_to_close(&wait, channel);
  if (result != NULL) *result = wait.result;
  return end(&wait, wait.result.status);
}

int ipc_server_close_wait(ipc_server_t* server) {
  ipc__wait_t wait;
  int err;

  if (server == NULL) return UV_EINVAL;
  err = begin(&wait, server->hub->own_loop, server);
  if (err != 0) return err;
  ipc_server_close(server, NULL); /* or was closed before */
  return end(&wait, ipc__loop_run(wait.loop, is_gone, &wait));
}
