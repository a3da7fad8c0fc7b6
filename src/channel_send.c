/* Sending, the user's side: what a message is on the wire, and how it gets into
 * the queue. No callback runs inside a send, and nothing is written inside it
 * unless a staging block is full. channel_sent.c has the rest of a send's life.
 */
#include <string.h>

#include "channel.h"

/* A message up to this size is copied even where it could be borrowed: the copy
 * is cheaper than a buffer of its own in the system call. */
#define COPY_BYTES ((size_t) 8 << 10)

/* What one send takes: a record counts in 32 bits. */
#define MAX_SEND ((size_t) INT32_MAX)

/* ---- From the user ------------------------------------------------------ */

int ipc__channel_check_pieces(const uv_buf_t* pieces, unsigned int count) {
  unsigned int i;

  if (pieces == NULL && count > 0) return UV_EINVAL;
  for (i = 0; i < count; i++) {
    if (pieces[i].base == NULL && pieces[i].len > 0) return UV_EINVAL;
  }
  return 0;
}

static int check_size(const ipc_channel_t* channel, size_t size) {
  if (!ipc__channel_has_messages(channel)) {
    if (size == 0) return UV_EINVAL;
    return size > MAX_SEND ? UV_EMSGSIZE : 0;
  }
  if (size > channel->hub->settings.max_message_bytes) return UV_EMSGSIZE;
  if (channel->peer_max_bytes != 0 && size > channel->peer_max_bytes) {
    return UV_EMSGSIZE;
  }
  return 0;
}

static int check_send(const ipc_channel_t* channel, size_t size) {
  if (!ipc__channel_may_send(channel)) return UV_EPIPE;
  if (!ipc__channel_can_send(channel)) return UV_EACCES;
  return check_size(channel, size);
}

/* Only for what can be sent: others may be dropped for it. */
static int find_room(ipc_channel_t* channel,
                     const ipc__send_t* send,
                     size_t size) {
  if (send->force || !ipc__channel_is_full(channel, size)) return 0;
  return ipc__channel_make_room(channel, size);
}

/* How a message lies in the queue. */
typedef struct placed_s {
  size_t size; /* head and tail included */
  size_t head;
  size_t tail;
  int is_lent; /* its bytes; until the end of the send */
} placed_t;

static int is_borrowed(const ipc__send_t* send, size_t size) {
  return send->borrow && size > COPY_BYTES;
}

/* Whether a message that is to be copied may be written from where it is, and
 * only what the system doesn't take at once is copied: where it would be
 * written in the send anyway, since it fills the staging block. */
static int is_lent(const ipc_channel_t* channel,
                   const ipc__send_t* send,
                   size_t size) {
  return IPC__WRITES_AT_ONCE && !send->borrow && send->count == 1 &&
         size >= IPC__QUEUE_BLOCK_BYTES && channel->state == IPC__OPEN &&
         channel->traffic->queue.segments.count == 0 && !channel->write_busy;
}

/* What goes around the message. */
static int wrap_message(const ipc_channel_t* channel,
                        const ipc__send_t* send,
                        size_t size,
                        ipc__wrap_t* wrap) {
  if (!ipc__channel_is_native(channel)) {
    return ipc__framing_encode(&channel->hub->settings.format, send->pieces,
                               send->count, size, wrap);
  }
  ipc__wire_put_header(wrap->head, send->kind,
                       (uint32_t) (send->prefix_size + size));
  memcpy(wrap->head + IPC__WIRE_HEADER_BYTES, send->prefix, send->prefix_size);
  wrap->head_size = IPC__WIRE_HEADER_BYTES + (size_t) send->prefix_size;
  wrap->tail_size = wrap->replaced = 0;
  return 0;
}

static int put_message(ipc_channel_t* channel,
                       const ipc__send_t* send,
                       size_t size,
                       placed_t* placed) {
  ipc__put_t put = {0};
  ipc__wrap_t wrap;
  ssize_t result;
  int err;

  err = wrap_message(channel, send, size, &wrap);
  if (err == 0) err = find_room(channel, send, size);
  if (err != 0) return err;
  put.head = wrap.head;
  put.head_size = wrap.head_size;
  put.tail = wrap.tail;
  put.tail_size = wrap.tail_size;
  put.replaced = wrap.replaced;
  put.pieces = send->pieces;
  put.count = send->count;
  put.has_rest = placed->is_lent = is_lent(channel, send, size);
  put.borrow = placed->is_lent || is_borrowed(send, size);
  put.has_record = 1;
  result = ipc__queue_put(channel->hub, &channel->traffic->queue, &put);
  if (result < 0) return (int) result;
  placed->size = (size_t) result;
  placed->head = wrap.head_size - wrap.replaced;
  placed->tail = wrap.tail_size;
  return 0;
}

/* For the caller to fill in what few sends have. */
static ipc__record_t* add_record(ipc_channel_t* channel,
                                 const placed_t* placed,
                                 ipc_send_cb cb,
                                 void* arg) {
  ipc__record_t* record;

  record = ipc__queue_add_record(&channel->traffic->queue, placed->size,
                                 placed->head, placed->tail);
  record->id = ++channel->last_op;
  record->cb = cb;
  record->arg = arg;
  record->op = NULL;
  record->stays = record->is_told = record->is_reply = 0;
  return record;
}

/* What has to be done behind each send. */
static void was_queued(ipc_channel_t* channel, size_t size) {
  channel->room_wanted = 0;
  ipc__channel_touch(channel);
  if (channel->peer_max_bytes == 0 && size > channel->largest_early) {
    channel->largest_early = size;
  }
  /* Small messages gather in one staging block; what fills it must go. */
  if (ipc__queue_bytes(&channel->traffic->queue) >= IPC__QUEUE_BLOCK_BYTES) {
    ipc__channel_write(channel);
  }
  ipc__hub_due(channel->hub, channel);
}

int ipc__channel_submit(ipc_channel_t* channel, const ipc__send_t* send) {
  placed_t placed = {0};
  ipc__record_t* record;
  size_t size;
  int err;

  err = ipc__channel_check_pieces(send->pieces, send->count);
  if (err != 0) return err;
  size = ipc__pieces_size(send->pieces, send->count);
  err = check_send(channel, size);
  if (err != 0) return err;
  if (ipc__channel_own_traffic(channel) == NULL) return UV_ENOMEM;
  err = put_message(channel, send, size, &placed);
  if (err != 0) return err;
  record = add_record(channel, &placed, send->cb, send->arg);
  record->op = send->op;
  record->stays = record->is_told = send->stays & 1u;
  record->is_reply = send->kind == IPC__WIRE_REPLY;
  was_queued(channel, size);
  if (placed.is_lent) ipc__queue_copy_borrowed(&channel->traffic->queue);
  return 0;
}

/* Whether the send is one of nearly all: a small native message for which there
 * is room in every sense. */
static int is_plain(const ipc_channel_t* channel, size_t size) {
  return size <= COPY_BYTES && ipc__channel_is_native(channel) &&
         check_send(channel, size) == 0 && !ipc__channel_is_full(channel, size);
}

static int send_plain(ipc_channel_t* channel,
                      const void* data,
                      size_t size,
                      ipc_send_cb cb,
                      void* arg) {
  ipc__traffic_t* traffic = ipc__channel_own_traffic(channel);
  placed_t placed = {0};
  uint8_t* to;

  if (traffic == NULL) return UV_ENOMEM;
  placed.head = IPC__WIRE_HEADER_BYTES;
  placed.size = placed.head + size;
  to = ipc__queue_stage(channel->hub, &traffic->queue, placed.size, 1);
  if (to == NULL) return UV_ENOMEM;
  ipc__wire_put_header(to, IPC__WIRE_MESSAGE, (uint32_t) size);
  if (size > 0) memcpy(to + IPC__WIRE_HEADER_BYTES, data, size);
  add_record(channel, &placed, cb, arg);
  was_queued(channel, size);
  return 0;
}

static int send_other(ipc_channel_t* channel,
                      const void* data,
                      size_t size,
                      uint8_t borrow,
                      ipc_send_cb cb,
                      void* arg) {
  ipc__send_t send = {0};
  uv_buf_t piece;

  if (size > MAX_SEND) {
    return ipc__channel_may_send(channel) ? UV_EMSGSIZE : UV_EPIPE;
  }
  piece = uv_buf_init((char*) data, (unsigned int) size);
  send.kind = IPC__WIRE_MESSAGE;
  send.borrow = borrow;
  send.pieces = &piece;
  send.count = 1;
  send.cb = cb;
  send.arg = arg;
  return ipc__channel_submit(channel, &send);
}

static int send_one(ipc_channel_t* channel,
                    const void* data,
                    size_t size,
                    uint8_t borrow,
                    ipc_send_cb cb,
                    void* arg) {
  if (channel == NULL || (data == NULL && size > 0)) return UV_EINVAL;
  return is_plain(channel, size)
             ? send_plain(channel, data, size, cb, arg)
             : send_other(channel, data, size, borrow, cb, arg);
}

int ipc_channel_send(ipc_channel_t* channel,
                     const void* data,
                     size_t size,
                     ipc_send_cb cb,
                     void* arg) {
  return send_one(channel, data, size, 1, cb, arg);
}

int ipc_channel_send_copy(ipc_channel_t* channel,
                          const void* data,
                          size_t size,
                          ipc_send_cb cb,
                          void* arg) {
  return send_one(channel, data, size, 0, cb, arg);
}

int ipc__channel_post(ipc_channel_t* channel,
                      const uv_buf_t* pieces,
                      unsigned int count,
                      int force) {
  size_t size = ipc__pieces_size(pieces, count);
  ipc__send_t send = {0};

  if (!force && ipc__channel_is_full(channel, size)) {
    channel->wants_posts = 1;
    ipc__channel_want_room(channel, size);
    return UV_EAGAIN;
  }
  send.kind = IPC__WIRE_MESSAGE;
  send.force = 1;
  send.pieces = pieces;
  send.count = count;
  return ipc__channel_submit(channel, &send);
}

/* ---- With a deadline ---------------------------------------------------- */

int ipc_channel_send_vector(ipc_channel_t* channel,
                            const uv_buf_t* pieces,
                            unsigned int count,
                            int timeout_ms,
                            ipc_send_cb cb,
                            void* arg) {
  ipc__send_t send = {0};
  ipc__op_t* op = NULL;
  int err;

  if (channel == NULL || !ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  if (timeout_ms != IPC_CHANNEL_INFINITE) {
    op = ipc__op_create(channel->hub, channel, arg);
    if (op == NULL) return UV_ENOMEM;
    op->cb.send = cb;
  }
  send.kind = IPC__WIRE_MESSAGE;
  send.pieces = pieces;
  send.count = count;
  send.cb = cb;
  send.arg = arg;
  send.op = op;
  err = ipc__channel_submit(channel, &send);
  if (op == NULL) return err;
  if (err != 0) {
    ipc__op_release(channel->hub, op);
    return err;
  }
  op->id = channel->last_op;
  ipc__hub_set_deadline(channel->hub, &op->deadline, timeout_ms, 1,
                        ipc__channel_on_send_deadline);
  return 0;
}

int ipc_channel_send_timeout(ipc_channel_t* channel,
                             const void* data,
                             size_t size,
                             int timeout_ms,
                             ipc_send_cb cb,
                             void* arg) {
  uv_buf_t piece;

  if (channel == NULL || (data == NULL && size > 0)) return UV_EINVAL;
  if (!ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  if (size > MAX_SEND) return UV_EMSGSIZE;
  piece = uv_buf_init((char*) data, (unsigned int) size);
  return ipc_channel_send_vector(channel, &piece, 1, timeout_ms, cb, arg);
}

/* ---- Trying ------------------------------------------------------------- */

/* The pieces' first `size` bytes, one send a piece. */
static int send_part(ipc_channel_t* channel,
                     const uv_buf_t* pieces,
                     size_t size,
                     size_t* sent) {
  int err = 0;

  *sent = 0;
  while (size > 0 && err == 0) {
    size_t part = pieces->len < size ? pieces->len : size;

    if (part > 0) err = send_one(channel, pieces->base, part, 0, NULL, NULL);
    if (err != 0) break;
    *sent += part;
    size -= part;
    pieces++;
  }
  return *sent > 0 ? 0 : err;
}

int ipc_channel_try_send_vector(ipc_channel_t* channel,
                                const uv_buf_t* pieces,
                                unsigned int count,
                                size_t* sent) {
  size_t size;
  size_t room;
  int err;

  if (channel == NULL || ipc__channel_check_pieces(pieces, count) != 0)
    return UV_EINVAL;
  if (sent != NULL) *sent = 0;
  size = ipc__pieces_size(pieces, count);
  if (!ipc__channel_has_messages(channel)) {
    if (sent == NULL) return UV_EINVAL;
    room = size <= MAX_SEND ? size : MAX_SEND;
    if (ipc__channel_may_send(channel) && ipc__channel_can_send(channel)) {
      room = ipc__channel_room(channel, room);
    }
    if (room > 0 && room < size) return send_part(channel, pieces, room, sent);
  }
  err = ipc_channel_send_vector(channel, pieces, count, IPC_CHANNEL_INFINITE,
                                NULL, NULL);
  if (err == 0 && sent != NULL) *sent = size;
  return err;
}

int ipc_channel_try_send(ipc_channel_t* channel,
                         const void* data,
                         size_t size,
                         size_t* sent) {
  uv_buf_t piece;

  if (channel == NULL || (data == NULL && size > 0)) return UV_EINVAL;
  if (size > MAX_SEND) {
    if (ipc__channel_has_messages(channel)) return UV_EMSGSIZE;
    size = MAX_SEND; /* a part is as good */
  }
  piece = uv_buf_init((char*) data, (unsigned int) size);
  return ipc_channel_try_send_vector(channel, &piece, 1, sent);
}
