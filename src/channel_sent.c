/* A send that is queued: its deadline, how it is taken back, and the way back
 * to the user's callback. */
#include "channel.h"

/* Without memory for it, a deadline's end is tried again after this. */
#define NO_MEMORY_RETRY_MS 10

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
  /* Between a loss and the next connection. */
  if (channel->client != NULL && channel->client->restart_due &&
      channel->client->lost_at <= start) {
    channel->client->lost_at += size;
  }
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

/* ---- Its deadline ------------------------------------------------------- */

void ipc__channel_on_send_deadline(ipc__deadline_t* deadline) {
  ipc__op_t* op = (ipc__op_t*) deadline;
  ipc_channel_t* channel = op->owner;
  ipc__record_t* record;
  size_t sent;
  int err;

  err = ipc__channel_withdraw(channel, op->id, UV_ETIMEDOUT);
  if (err == UV_ENOMEM) {
    ipc__hub_set_deadline(channel->hub, deadline, NO_MEMORY_RETRY_MS, 1,
                          ipc__channel_on_send_deadline);
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

  if (channel->state == IPC__OPEN && channel->error == 0 &&
      ipc__queue_is_empty(&channel->traffic->queue)) {
    return; /* as mostly */
  }
  while (ipc__queue_pop(&channel->traffic->queue, 0, &record)) {
    call_back(channel, &record, record.status, message_size(&record));
  }
  if (!is_hopeless(channel)) return;
  /* A record is complete at the byte where it ends, so they go first. */
  status = channel->error != 0 ? channel->error : UV_ECANCELED;
  /* That is for a send's own deadline, behind which it may still complete, or
   * where there was never a connection. */
  if (status == UV_ETIMEDOUT && channel->was_open) status = UV_ECONNRESET;
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
