/* Pull style: receives, calls and waits that are pending. All of it from the
 * library's own queues, so that it is the same on every system. A callback
 * never runs inside the call that asks for it or cancels it: it comes when the
 * channel is served, or from the deadline. */
#include "alloc.h"
#include "channel.h"

/* ---- State -------------------------------------------------------------- */

ipc__pulls_t* ipc__channel_pulls(ipc_channel_t* channel) {
  if (channel->pulls == NULL) {
    channel->pulls =
        ipc__calloc(&channel->hub->settings.allocator, sizeof(*channel->pulls));
  }
  return channel->pulls;
}

void ipc__channel_release_pulls(ipc_channel_t* channel) {
  if (channel->pulls == NULL) return;
  ipc__channel_give_lent(channel, &channel->pulls->lent);
  ipc__channel_give_lent(channel, &channel->pulls->reply);
  ipc__free(&channel->hub->settings.allocator, channel->pulls);
}

/* Whether the user has closed it. */
static int is_ending(const ipc_channel_t* channel) {
  return channel->close_due ||
         (channel->state >= IPC__CLOSING && channel->state != IPC__DEAD);
}

int ipc__channel_receive_end(const ipc_channel_t* channel) {
  const uint8_t* data;
  size_t size;
  size_t whole;

  if (is_ending(channel)) return UV_ECANCELED;
  if (channel->state == IPC__DEAD) {
    if (channel->connect_status != 0) return channel->connect_status;
    if (channel->end_due && channel->end_status != 0) {
      return channel->end_status;
    }
    if (channel->fin_received) return UV_EOF;
    return channel->error != 0 ? channel->error : UV_ECANCELED;
  }
  if (channel->state != IPC__OPEN || channel->is_holding) return 0;
  if (ipc__client_reconnects(channel) || !channel->fin_received) return 0;
  /* The end of a stream is known before all that came ahead of it is taken. */
  if (ipc__channel_front(channel, &data, &size, &whole)) return 0;
  /* Nor is it one where a message was cut: that is about to be told. */
  return ipc__channel_is_amid_message(channel) ? 0 : UV_EOF;
}

/* What is held may also be a request, which waits for a resume. */
static int is_readable(const ipc_channel_t* channel) {
  const uint8_t* data;
  size_t size;
  size_t whole;

  if (!ipc__channel_can_receive(channel)) return 1; /* an error */
  if (channel->is_holding) {
    return ipc__channel_front(channel, &data, &size, &whole);
  }
  return ipc__channel_receive_end(channel) != 0;
}

static int is_writable(const ipc_channel_t* channel) {
  return !ipc__channel_may_send(channel) || ipc__channel_is_drained(channel);
}

int ipc__channel_is_pulled(const ipc_channel_t* channel) {
  const ipc__pulls_t* pulls = channel->pulls;
  const ipc__op_t* op;

  if (pulls == NULL) return 0;
  if (pulls->receives.first != NULL || pulls->calls.first != NULL) return 1;
  for (op = pulls->readies.first; op != NULL; op = op->next) {
    if (op->events & IPC_CHANNEL_READABLE) return 1;
  }
  return 0;
}

/* ---- The end of an operation -------------------------------------------- */

/* Calls back; the operation is in no list. */
void ipc__channel_finish_op(ipc_channel_t* channel,
                            ipc__op_t* op,
                            int status,
                            int events) {
  ipc__op_t copy = *op;

  ipc__op_release(channel->hub, op);
  switch (copy.kind) {
    case IPC__OP_RECEIVE:
      copy.cb.recv(channel, copy.arg, status, NULL, 0);
      break;
    case IPC__OP_READY:
      copy.cb.ready(channel, copy.arg, status, events);
      break;
    default:
      channel->pulls->calls_pending--;
      copy.cb.reply(channel, copy.arg, status, NULL, 0);
      break;
  }
}

static ipc__ops_t* list_of(ipc__pulls_t* pulls, const ipc__op_t* op) {
  switch (op->kind) {
    case IPC__OP_RECEIVE:
      return &pulls->receives;
    case IPC__OP_READY:
      return &pulls->readies;
    default:
      return &pulls->calls;
  }
}

int ipc__channel_pull(ipc_channel_t* channel, const void* data, size_t size) {
  ipc__op_t* op;
  ipc_recv_cb cb;
  void* arg;

  op = ipc__ops_pop(&channel->pulls->receives);
  if (op == NULL) return 0;
  cb = op->cb.recv;
  arg = op->arg;
  ipc__op_release(channel->hub, op);
  ipc__channel_give_lent(channel, &channel->pulls->lent);
  channel->received++;
  cb(channel, arg, 0, data, size);
  return 1;
}

/* A call that is over must not be carried out later. In a dead channel nothing
 * is. */
static int withdraw_request(ipc_channel_t* channel,
                            const ipc__op_t* op,
                            int status) {
  if (channel->state >= IPC__DEAD) return UV_ENOENT;
  return ipc__channel_withdraw(channel, op->id, status);
}

void ipc__channel_fail_calls(ipc_channel_t* channel, int status) {
  ipc__ops_t* calls;
  ipc__op_t* op;

  if (channel->pulls == NULL) return;
  calls = &channel->pulls->calls;
  if (calls->first == NULL) return;
  for (op = calls->first; op != NULL; op = op->next) {
    ipc__hub_clear_deadline(channel->hub, &op->deadline);
    op->status = status;
    /* The code that a deadline has is not for a request that is lost. */
    withdraw_request(channel, op,
                     status == UV_ETIMEDOUT ? UV_ECONNRESET : status);
  }
  ipc__ops_append_all(&channel->pulls->ended, calls);
  ipc__hub_due(channel->hub, channel);
}

void ipc__channel_fail_calls_under_way(ipc_channel_t* channel, int status) {
  ipc__op_t* op;
  ipc__op_t* next;

  if (channel->pulls == NULL) return;
  for (op = channel->pulls->calls.first; op != NULL; op = next) {
    next = op->next;
    if (!ipc__channel_has_begun(channel, op->id)) continue;
    ipc__hub_clear_deadline(channel->hub, &op->deadline);
    op->status = status;
    ipc__ops_remove(&channel->pulls->calls, op);
    ipc__ops_append(&channel->pulls->ended, op);
  }
  ipc__hub_due(channel->hub, channel);
}

/* Ends as many as are there now; callbacks may add some and cancel others. */
static void end_all(ipc_channel_t* channel, ipc__ops_t* ops, int status) {
  size_t count = ipc__ops_count(ops);
  ipc__op_t* op;

  while (count-- > 0 && (op = ipc__ops_pop(ops)) != NULL) {
    ipc__channel_finish_op(channel, op, op->status != 0 ? op->status : status,
                           0);
  }
}

/* Each of them once; callbacks may add some and cancel others. */
void ipc__channel_tell_readies(ipc_channel_t* channel) {
  ipc__ops_t* readies;
  ipc__op_t* op;
  size_t count;

  if (channel->pulls == NULL) return;
  readies = &channel->pulls->readies;
  count = ipc__ops_count(readies);
  while (count-- > 0 && (op = ipc__ops_pop(readies)) != NULL) {
    int events = 0;

    if (is_readable(channel)) events |= IPC_CHANNEL_READABLE;
    if (is_writable(channel)) events |= IPC_CHANNEL_WRITABLE;
    events &= op->events;
    if (is_ending(channel)) {
      ipc__channel_finish_op(channel, op, UV_ECANCELED, 0);
    } else if (events != 0) {
      ipc__channel_finish_op(channel, op, 0, events);
    } else {
      ipc__ops_append(readies, op);
      if (op->events & IPC_CHANNEL_WRITABLE) {
        ipc__channel_wait_for_others(channel);
      }
    }
  }
}

void ipc__channel_tell_pulls(ipc_channel_t* channel) {
  int status;

  if (channel->pulls == NULL) return;
  end_all(channel, &channel->pulls->ended, UV_ECANCELED);
  status = ipc__channel_receive_end(channel);
  if (status == 0) return;
  end_all(channel, &channel->pulls->receives, status);
  ipc__channel_fail_calls(channel, status);
  end_all(channel, &channel->pulls->ended, UV_ECANCELED);
}

static void on_deadline(ipc__deadline_t* deadline) {
  ipc__op_t* op = (ipc__op_t*) deadline;
  ipc_channel_t* channel = op->owner;

  /* The loop may have been busy: what has come meanwhile counts. */
  if (!op->is_grace) {
    op->is_grace = 1;
    ipc__hub_set_deadline(channel->hub, deadline, 0, 1, on_deadline);
    return;
  }
  ipc__ops_remove(list_of(channel->pulls, op), op);
  if (op->kind == IPC__OP_CALL) withdraw_request(channel, op, UV_ETIMEDOUT);
  ipc__channel_finish_op(channel, op, UV_ETIMEDOUT, 0);
  ipc__hub_due(channel->hub, channel);
}

/* ---- The beginning ------------------------------------------------------ */

/* NULL: no memory. */
ipc__op_t* ipc__channel_begin_op(ipc_channel_t* channel,
                                 uint8_t kind,
                                 void* arg) {
  ipc__op_t* op;

  if (ipc__channel_pulls(channel) == NULL) return NULL;
  op = ipc__op_create(channel->hub, channel, arg);
  if (op != NULL) op->kind = kind;
  return op;
}

void ipc__channel_enlist_op(ipc_channel_t* channel,
                            ipc__op_t* op,
                            int timeout_ms) {
  if (op->id == 0) op->id = ++channel->last_op;
  ipc__ops_append(list_of(channel->pulls, op), op);
  ipc__hub_set_deadline(channel->hub, &op->deadline, timeout_ms, 1,
                        on_deadline);
  ipc__hub_due(channel->hub, channel);
  /* A paused channel reads for it. */
  if (channel->hub->depth == 0) ipc__channel_update_reading(channel);
}

int ipc__channel_check_receive(const ipc_channel_t* channel) {
  int status;

  if (!ipc__channel_can_receive(channel)) return UV_EACCES;
  status = ipc__channel_receive_end(channel);
  if (status == 0 || status == UV_EOF) return status;
  return UV_EPIPE;
}

int ipc_channel_recv(ipc_channel_t* channel,
                     int timeout_ms,
                     ipc_recv_cb cb,
                     void* arg) {
  ipc__op_t* op;
  int err;

  if (channel == NULL || cb == NULL) return UV_EINVAL;
  if (!ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  err = ipc__channel_check_receive(channel);
  if (err != 0) return err;
  op = ipc__channel_begin_op(channel, IPC__OP_RECEIVE, arg);
  if (op == NULL) return UV_ENOMEM;
  op->cb.recv = cb;
  ipc__channel_enlist_op(channel, op, timeout_ms);
  return 0;
}

int ipc_channel_ready(ipc_channel_t* channel,
                      int events,
                      int timeout_ms,
                      ipc_ready_cb cb,
                      void* arg) {
  ipc__op_t* op;

  if (channel == NULL || cb == NULL) return UV_EINVAL;
  if (!ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  if (events == 0 ||
      (events & ~(IPC_CHANNEL_READABLE | IPC_CHANNEL_WRITABLE)) != 0) {
    return UV_EINVAL;
  }
  if (is_ending(channel)) return UV_EPIPE;
  op = ipc__channel_begin_op(channel, IPC__OP_READY, arg);
  if (op == NULL) return UV_ENOMEM;
  op->cb.ready = cb;
  op->events = (uint8_t) events;
  ipc__channel_enlist_op(channel, op, timeout_ms);
  return 0;
}

/* ---- Cancel ------------------------------------------------------------- */

static ipc__op_t* find_op(const ipc__pulls_t* pulls, ipc_op_t id) {
  ipc__op_t* op;

  if (pulls == NULL) return NULL;
  op = ipc__ops_find(&pulls->receives, id);
  if (op == NULL) op = ipc__ops_find(&pulls->readies, id);
  if (op == NULL) op = ipc__ops_find(&pulls->calls, id);
  return op;
}

ipc_op_t ipc_channel_last_op(const ipc_channel_t* channel) {
  return channel == NULL ? 0 : channel->last_op;
}

int ipc_channel_cancel(ipc_channel_t* channel, ipc_op_t id) {
  ipc__op_t* op;

  if (channel == NULL) return UV_EINVAL;
  op = find_op(channel->pulls, id);
  if (op == NULL) return ipc__channel_cancel_send(channel, id);
  if (op->kind == IPC__OP_CALL) withdraw_request(channel, op, UV_ECANCELED);
  ipc__ops_remove(list_of(channel->pulls, op), op);
  ipc__hub_clear_deadline(channel->hub, &op->deadline);
  op->status = UV_ECANCELED;
  ipc__ops_append(&channel->pulls->ended, op);
  ipc__hub_due(channel->hub, channel);
  return 0;
}
