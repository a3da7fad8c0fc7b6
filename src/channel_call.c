/* Request and reply over the native framing: calls of ours that wait for their
 * replies, and requests of the peer. A call is a pending operation like any
 * other (channel_pull.c), whose number on the wire finds it again. */
#include "channel.h"

/* So many may wait to be told that nobody takes their requests, however low the
 * queue's limit is. */
#define LEAST_REFUSALS 1000

/* ---- Our calls ---------------------------------------------------------- */

static int check_call(const ipc_channel_t* channel, size_t size) {
  if (!ipc__channel_is_native(channel)) return UV_EINVAL;
  if (!ipc__channel_may_send(channel)) return UV_EPIPE;
  if (!ipc__channel_can_send(channel) || !ipc__channel_can_receive(channel)) {
    return UV_EACCES;
  }
  if (channel->peer_max_bytes != 0 &&
      !(channel->peer_features & IPC__FEATURE_CALLS)) {
    return UV_EPROTONOSUPPORT;
  }
  if (size > channel->hub->settings.max_message_bytes) return UV_EMSGSIZE;
  return ipc__channel_receive_end(channel) != 0 ? UV_EPIPE : 0;
}

/* What a request and a reply have in common, with what is in front of it. */
static int submit(ipc_channel_t* channel,
                  ipc__send_t* send,
                  const void* data,
                  size_t size) {
  uv_buf_t piece = uv_buf_init((char*) data, (unsigned int) size);

  send->stays = 1;
  send->pieces = &piece;
  send->count = 1;
  return ipc__channel_submit(channel, send);
}

/* Sends the request of a call. */
static int send_request(ipc_channel_t* channel,
                        const ipc__op_t* op,
                        const void* data,
                        size_t size) {
  ipc__send_t send = {0};

  send.kind = IPC__WIRE_REQUEST;
  send.prefix_size = IPC__WIRE_REQUEST_BYTES;
  ipc__wire_put_u32(send.prefix, op->call);
  return submit(channel, &send, data, size);
}

int ipc_channel_call(ipc_channel_t* channel,
                     const void* data,
                     size_t size,
                     int timeout_ms,
                     ipc_reply_cb cb,
                     void* arg) {
  ipc__op_t* op;
  int err;

  if (channel == NULL || cb == NULL || (data == NULL && size > 0)) {
    return UV_EINVAL;
  }
  if (timeout_ms == 0 || !ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  err = check_call(channel, size);
  if (err != 0) return err;
  op = ipc__channel_begin_op(channel, IPC__OP_CALL, arg);
  if (op == NULL) return UV_ENOMEM;
  op->cb.reply = cb;
  op->call = ++channel->last_call;
  err = send_request(channel, op, data, size);
  if (err != 0) {
    ipc__op_release(channel->hub, op);
    return err;
  }
  if (channel->peer_max_bytes == 0) channel->called_early = 1;
  op->id = channel->last_op;
  channel->pulls->calls_pending++;
  ipc__channel_enlist_op(channel, op, timeout_ms);
  return 0;
}

/* ---- Requests of the peer ----------------------------------------------- */

/* A request's name: the connection that it came by, and its number there. The
 * name of one is never that of another of the same hub, so that an answer which
 * comes too late isn't somebody else's; hubs begin to count anywhere. */
static ipc_request_t request_of(const ipc_channel_t* channel, uint32_t call) {
  return (uint64_t) channel->connection << 32 | call;
}

static int reply(ipc_channel_t* channel,
                 uint32_t call,
                 uint32_t status,
                 const void* data,
                 size_t size) {
  ipc__send_t send = {0};

  send.kind = IPC__WIRE_REPLY;
  send.force = 1;
  send.prefix_size = IPC__WIRE_REPLY_BYTES;
  ipc__wire_put_u32(send.prefix, call);
  ipc__wire_put_u32(send.prefix + 4, status);
  return submit(channel, &send, data, size);
}

int ipc_channel_reply(ipc_channel_t* channel,
                      ipc_request_t request,
                      const void* data,
                      size_t size) {
  uint32_t call = (uint32_t) request;
  int err;

  if (channel == NULL || (data == NULL && size > 0)) return UV_EINVAL;
  if (!ipc__channel_may_send(channel)) return UV_EPIPE;
  if (request != request_of(channel, call)) return UV_ENOENT;
  if (size > channel->hub->settings.max_message_bytes) return UV_EMSGSIZE;
  err = reply(channel, call, IPC__REPLY_DONE, data, size);
  /* Who asks without reading has to wait for its next answer. Servers alone do
   * that, so that two who ask each other never wait for one another. */
  if (err == 0 && channel->is_server) {
    channel->is_overasked = ipc__channel_is_over(channel);
  }
  return err;
}

/* Who calls without reading isn't to fill our memory. What else waits to be
 * sent, were it one large message, is no reason to leave a caller waiting. */
static int has_refused_enough(const ipc_channel_t* channel) {
  size_t count = channel->traffic->queue.records.count;
  size_t each = IPC__WIRE_HEADER_BYTES + IPC__WIRE_REPLY_BYTES;

  return count > LEAST_REFUSALS &&
         count > channel->hub->settings.max_queue_bytes / each &&
         ipc__channel_is_over(channel);
}

int ipc__channel_on_request(ipc_channel_t* channel,
                            const uint8_t* payload,
                            size_t size) {
  ipc_request_cb on_request = channel->hub->settings.on_request;
  uint32_t call = ipc__wire_get_u32(payload);

  if (channel->state != IPC__OPEN) return 0;
  channel->received++;
  if (on_request == NULL) {
    /* Where that can't be sent, the caller's deadline says it. */
    if (!has_refused_enough(channel)) {
      reply(channel, call, IPC__REPLY_NOBODY, NULL, 0);
    }
    return 0;
  }
  on_request(channel, request_of(channel, call),
             payload + IPC__WIRE_REQUEST_BYTES, size - IPC__WIRE_REQUEST_BYTES);
  return 0;
}

int ipc__channel_on_reply(ipc_channel_t* channel,
                          const uint8_t* payload,
                          size_t size) {
  uint32_t call = ipc__wire_get_u32(payload);
  uint32_t status = ipc__wire_get_u32(payload + 4);
  ipc__op_t* op = NULL;
  ipc_reply_cb cb;
  void* arg;

  if (channel->state != IPC__OPEN) return 0;
  if (status > IPC__REPLY_NOBODY) return UV_EPROTO;
  channel->received++;
  if (channel->pulls != NULL) {
    op = ipc__ops_find_call(&channel->pulls->calls, call);
  }
  if (op == NULL) {
    if (ipc__channel_pulls(channel) != NULL) channel->pulls->late_replies++;
    return 0;
  }
  ipc__ops_remove(&channel->pulls->calls, op);
  if (status == IPC__REPLY_NOBODY) {
    ipc__channel_finish_op(channel, op, UV_ENOSYS, 0);
    return 0;
  }
  cb = op->cb.reply;
  arg = op->arg;
  ipc__op_release(channel->hub, op);
  channel->pulls->calls_pending--;
  cb(channel, arg, 0, payload + IPC__WIRE_REPLY_BYTES,
     size - IPC__WIRE_REPLY_BYTES);
  return 0;
}
