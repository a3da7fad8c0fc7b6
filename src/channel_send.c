/* Sending, the user's side: what a message is on the wire, how it gets into the
 * queue or is taken back, and the way back to the user's callback. No callback
 * runs inside a send, and nothing is written inside it unless a staging block
 * is full. */
#include <string.h>

#include "channel.h"

/* A message up to this size is copied even where it could be borrowed: the copy
 * is cheaper than a buffer of its own in the system call. */
#define COPY_BYTES ((size_t) 8 << 10)

/* What one send takes: a record counts in 32 bits. */
#define MAX_SEND ((size_t) INT32_MAX)

/* Without memory for it, a deadline's end is tried again after this. */
#define NO_MEMORY_RETRY_MS 10

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

/* A frame whose message is copied behind its head. */
static int stage_frame(ipc_channel_t* channel,
                       const ipc__send_t* send,
                       size_t size,
                       placed_t* placed) {
  uint8_t* to = ipc__queue_stage(channel->hub, &channel->traffic->queue,
                                 placed->head + size, 1);
  unsigned int i;

  if (to == NULL) return UV_ENOMEM;
  ipc__wire_put_header(to, send->kind, (uint32_t) (send->prefix_size + size));
  to += IPC__WIRE_HEADER_BYTES;
  if (send->prefix_size > 0) memcpy(to, send->prefix, send->prefix_size);
  to += send->prefix_size;
  for (i = 0; i < send->count; i++) {
    if (send->pieces[i].len == 0) continue;
    memcpy(to, send->pieces[i].base, send->pieces[i].len);
    to += send->pieces[i].len;
  }
  placed->size = placed->head + size;
  return 0;
}

/* One that stays where it is, behind its head; or is lent, for the time of the
 * send. */
static int borrow_frame(ipc_channel_t* channel,
                        const ipc__send_t* send,
                        size_t size,
                        placed_t* placed) {
  uint8_t head[IPC__WIRE_HEADER_BYTES + sizeof(send->prefix)];
  ipc__put_t put = {0};
  ssize_t result;

  ipc__wire_put_header(head, send->kind, (uint32_t) (send->prefix_size + size));
  memcpy(head + IPC__WIRE_HEADER_BYTES, send->prefix, send->prefix_size);
  put.head = head;
  put.head_size = placed->head;
  put.pieces = send->pieces;
  put.count = send->count;
  put.borrow = 1;
  put.has_rest = placed->is_lent;
  put.has_record = 1;
  result = ipc__queue_put(channel->hub, &channel->traffic->queue, &put);
  if (result < 0) return (int) result;
  placed->size = (size_t) result;
  return 0;
}

static int put_frame(ipc_channel_t* channel,
                     const ipc__send_t* send,
                     size_t size,
                     placed_t* placed) {
  int err;

  err = find_room(channel, send, size);
  if (err != 0) return err;
  placed->head = IPC__WIRE_HEADER_BYTES + (size_t) send->prefix_size;
  placed->tail = 0;
  placed->is_lent = is_lent(channel, send, size);
  return placed->is_lent || is_borrowed(send, size)
             ? borrow_frame(channel, send, size, placed)
             : stage_frame(channel, send, size, placed);
}

/* The same in any other format. */
static int put_message(ipc_channel_t* channel,
                       const ipc__send_t* send,
                       size_t size,
                       placed_t* placed) {
  ipc__put_t put = {0};
  ipc__wrap_t wrap;
  ssize_t result;
  int err;

  err = ipc__framing_encode(&channel->hub->settings.format, send->pieces,
                            send->count, size, &wrap);
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

static void add_record(ipc_channel_t* channel,
                       const ipc__send_t* send,
                       const placed_t* placed) {
  ipc__record_t* record;

  record = ipc__queue_add_record(&channel->traffic->queue, placed->size,
                                 placed->head, placed->tail);
  record->id = ++channel->last_op;
  record->cb = send->cb;
  record->arg = send->arg;
  record->op = send->op;
  record->stays = record->is_told = send->stays & 1u;
}

/* What has to be done behind each send. */
static void was_queued(ipc_channel_t* channel, size_t size) {
  channel->room_wanted = 0;
  ipc__channel_touch(channel);
  if (channel->peer_max_bytes == 0 && size > channel->largest_early) {
    channel->largest_early = size;
  }
  /* Small messages gather in one staging block; what fills it must go. A sender
   * that doesn't return to the loop leaves no more behind than its callbacks.
   */
  if (ipc__queue_bytes(&channel->traffic->queue) >= IPC__QUEUE_BLOCK_BYTES) {
    ipc__channel_write(channel);
    channel->sent += ipc__queue_pop_silent(&channel->traffic->queue);
  }
  ipc__hub_due(channel->hub, channel);
}

int ipc__channel_submit(ipc_channel_t* channel, const ipc__send_t* send) {
  placed_t placed = {0};
  size_t size;
  int err;

  err = ipc__channel_check_pieces(send->pieces, send->count);
  if (err != 0) return err;
  size = ipc__pieces_size(send->pieces, send->count);
  err = check_send(channel, size);
  if (err != 0) return err;
  if (ipc__channel_own_traffic(channel) == NULL) return UV_ENOMEM;
  err = ipc__channel_is_native(channel)
            ? put_frame(channel, send, size, &placed)
            : put_message(channel, send, size, &placed);
  if (err != 0) return err;
  add_record(channel, send, &placed);
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
  const size_t whole = IPC__WIRE_HEADER_BYTES + size;
  ipc__traffic_t* traffic = ipc__channel_own_traffic(channel);
  ipc__record_t* record;
  uint8_t* to;

  if (traffic == NULL) return UV_ENOMEM;
  to = ipc__queue_stage(channel->hub, &traffic->queue, whole, 1);
  if (to == NULL) return UV_ENOMEM;
  ipc__wire_put_header(to, IPC__WIRE_MESSAGE, (uint32_t) size);
  if (size > 0) memcpy(to + IPC__WIRE_HEADER_BYTES, data, size);
  record =
      ipc__queue_add_record(&traffic->queue, whole, IPC__WIRE_HEADER_BYTES, 0);
  record->id = ++channel->last_op;
  record->cb = cb;
  record->arg = arg;
  record->op = NULL;
  record->stays = record->is_told = 0;
  was_queued(channel, size);
  return 0;
}

static int send_one(ipc_channel_t* channel,
                    const void* data,
                    size_t size,
                    uint8_t borrow,
                    ipc_send_cb cb,
                    void* arg) {
  ipc__send_t send = {0};
  uv_buf_t piece;

  if (channel == NULL || (data == NULL && size > 0)) return UV_EINVAL;
  if (is_plain(channel, size)) {
    return send_plain(channel, data, size, cb, arg);
  }
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

/* The message's own bytes; of one that was withdrawn, those that had left. */
static size_t message_size(const ipc__record_t* record) {
  size_t around = (size_t) record->head + record->tail;

  return record->size > around ? record->size - around : 0;
}

/* How many of them have gone once the queue has up to a position. */
static size_t gone_of(const ipc__record_t* record, uint64_t position) {
  uint64_t first = ipc__record_start(record) + record->head;
  size_t size = message_size(record);

  if (position <= first) return 0;
  return position - first < size ? (size_t) (position - first) : size;
}

/* ---- With a deadline ---------------------------------------------------- */

static void on_send_deadline(ipc__deadline_t* deadline) {
  ipc__op_t* op = (ipc__op_t*) deadline;
  ipc_channel_t* channel = op->owner;
  ipc__record_t* record;
  size_t sent;
  int err;

  err = ipc__channel_withdraw(channel, op->id, UV_ETIMEDOUT);
  if (err == UV_ENOMEM) {
    ipc__hub_set_deadline(channel->hub, deadline, NO_MEMORY_RETRY_MS, 1,
                          on_send_deadline);
  } else if (err == UV_EBUSY) {
    /* It goes on by itself; its user is told now. */
    record =
        ipc__queue_record(&channel->traffic->queue,
                          ipc__queue_find(&channel->traffic->queue, op->id));
    if (record->end <= channel->traffic->queue.released) return; /* just done */
    if (message_size(record) == 0) return; /* nothing to count */
    record->op = NULL;
    record->cb = NULL;
    record->is_told = 1;
    /* Its header has begun to leave at least, and the rest will follow. */
    sent = gone_of(record, ipc__channel_written_to(channel));
    if (sent == 0) sent = 1;
    if (op->cb.send != NULL) {
      op->cb.send(channel, op->arg, UV_ETIMEDOUT, sent);
    }
    ipc__op_release(channel->hub, op);
  }
}

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
                        on_send_deadline);
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

/* ---- Taking back -------------------------------------------------------- */

static int has_begun(const ipc_channel_t* channel,
                     const ipc__record_t* record) {
  return record->end <= channel->traffic->queue.released ||
         ipc__record_start(record) < ipc__channel_written_to(channel);
}

int ipc__channel_has_begun(const ipc_channel_t* channel, ipc_op_t id) {
  const ipc__queue_t* queue = &channel->traffic->queue;
  uint32_t i = ipc__queue_find(queue, id);
  const ipc__record_t* record;

  if (i == queue->records.count) return 1;
  record = ipc__queue_record(queue, i);
  return record->id != id || has_begun(channel, record);
}

int ipc__channel_withdraw(ipc_channel_t* channel, ipc_op_t id, int status) {
  ipc__queue_t* queue = &channel->traffic->queue;
  uint32_t i = ipc__queue_find(queue, id);
  ipc__record_t* record;
  uint64_t start;
  uint32_t size;
  int err;

  if (i == queue->records.count) return UV_ENOENT;
  record = ipc__queue_record(queue, i);
  if (record->id != id) return UV_ENOENT;
  start = ipc__record_start(record);
  size = record->size;
  if (has_begun(channel, record)) return UV_EBUSY;
  err = ipc__queue_withdraw(channel->hub, queue, i, status);
  if (err != 0) return err;
  /* What is in front has moved up. */
  if (channel->traffic->pong_end <= start) channel->traffic->pong_end += size;
  if (channel->traffic->fin_ack_end <= start)
    channel->traffic->fin_ack_end += size;
  ipc__hub_due(channel->hub, channel);
  return 0;
}

int ipc__channel_cancel_send(ipc_channel_t* channel, ipc_op_t id) {
  ipc__queue_t* queue = &channel->traffic->queue;
  uint32_t i = ipc__queue_find(queue, id);

  if (i < queue->records.count && ipc__queue_record(queue, i)->is_told) {
    return UV_ENOENT;
  }
  return ipc__channel_withdraw(channel, id, UV_ECANCELED);
}

/* ---- Back to the user --------------------------------------------------- */

/* Whether what is queued will never be sent. Memory that a write under way
 * still reads from is not given back before that write is over. */
static int is_hopeless(const ipc_channel_t* channel) {
  if (channel->write_busy) return 0;
  return channel->error != 0 || channel->state == IPC__DEAD ||
         channel->state == IPC__DESTROYING;
}

/* A send that its user took back, knowingly, is not one that was lost. */
static void count(ipc_channel_t* channel, int status, int was_withdrawn) {
  if (status == 0) {
    channel->sent++;
  } else if (!was_withdrawn ||
             (status != UV_ECANCELED && status != UV_ETIMEDOUT)) {
    channel->unsent++;
  }
}

static void call_back(ipc_channel_t* channel,
                      const ipc__record_t* record,
                      int status,
                      size_t sent) {
  ipc_send_cb cb = record->cb;

  count(channel, status, record->status != 0);
  if (record->op != NULL) ipc__op_release(channel->hub, record->op);
  if (cb != NULL) cb(channel, record->arg, status, sent);
}

void ipc__channel_complete_sends(ipc_channel_t* channel) {
  ipc__record_t record;
  int status;

  channel->sent += ipc__queue_pop_silent(&channel->traffic->queue);
  while (ipc__queue_pop(&channel->traffic->queue, 0, &record)) {
    call_back(channel, &record, record.status, message_size(&record));
  }
  if (!is_hopeless(channel)) return;
  /* A record is complete at the byte where it ends, so they go first. */
  status = channel->error != 0 ? channel->error : UV_ECANCELED;
  while (ipc__queue_pop(&channel->traffic->queue, 1, &record)) {
    if (record.status != 0) { /* withdrawn in one of these callbacks */
      call_back(channel, &record, record.status, message_size(&record));
    } else {
      call_back(channel, &record, status,
                gone_of(&record, channel->traffic->queue.released));
    }
  }
  ipc__channel_drop_queue(channel);
}
