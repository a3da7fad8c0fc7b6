/* The graceful end: what is queued goes first, then our FIN; the peer's FIN-ACK
 * says how much it has taken. The wait is bounded by the close timeout. */
#include "channel.h"
#include "poster.h"

static void on_close_deadline(ipc__deadline_t* deadline) {
  ipc_channel_t* channel = ipc__channel_of_deadline(deadline);

  ipc__channel_destroy(channel, UV_ETIMEDOUT);
}

/* What will have been received when all is over. It saves the peer, should it
 * close after us, from asking one who is gone. After its FIN it knows. */
static int queue_count(ipc_channel_t* channel) {
  if (channel->fin_received ||
      channel->received == ipc__channel_received_before(channel)) {
    return 0;
  }
  return ipc__channel_put_count(channel, IPC__WIRE_TAKEN);
}

/* Queues the end of our direction. */
static int queue_end(ipc_channel_t* channel) {
  int err = 0;

  if (channel->fin_queued) return 0;
  if (ipc__channel_is_native(channel)) {
    err = ipc__channel_put_control(channel, IPC__WIRE_FIN, NULL, 0);
  } else {
    channel->shutdown_due = 1;
  }
  if (err != 0) return err;
  channel->fin_queued = 1;
  ipc__hub_due(channel->hub, channel);
  return 0;
}

static int has_half_close(const ipc_channel_t* channel) {
  return IPC__HAS_HALF_CLOSE &&
         ipc__channel_transport(channel) != IPC_CHANNEL_TRANSPORT_PIPE;
}

int ipc_channel_end(ipc_channel_t* channel) {
  if (channel == NULL) return UV_EINVAL;
  if (!ipc__channel_may_send(channel)) return UV_EPIPE;
  if (!ipc__channel_can_send(channel)) return UV_EACCES;
  if (!ipc__channel_is_native(channel) && !has_half_close(channel)) {
    return UV_ENOTSUP;
  }
  if (channel->posters != NULL) ipc__posters_end(channel, 1);
  return queue_end(channel);
}

void ipc__channel_begin_close(ipc_channel_t* channel) {
  int err = 0;

  channel->state = IPC__CLOSING;
  ipc__hub_set_deadline(channel->hub, &channel->deadline,
                        channel->hub->settings.close_timeout_ms, 1,
                        on_close_deadline);
  if (ipc__channel_is_native(channel)) {
    err = queue_count(channel);
    if (err == 0) err = queue_end(channel);
  }
  if (err != 0) ipc__channel_destroy(channel, err);
  ipc__hub_due(channel->hub, channel);
}

int ipc_channel_close(ipc_channel_t* channel) {
  if (channel == NULL) return UV_EINVAL;
  if (channel->close_due) return UV_EALREADY;
  if (channel->posters != NULL && channel->state <= IPC__OPEN) {
    ipc__posters_close(channel, 1);
  }
  ipc__channel_fail_calls(channel, UV_ECANCELED);
  switch (channel->state) {
    case IPC__CONNECTING:
    case IPC__GREETING:
      if (channel->traffic->queue.records.count > 0) {
        /* What waits to be sent gets its chance. */
        channel->close_due = 1;
        ipc__hub_due(channel->hub, channel);
        ipc__client_hurry(channel, channel->hub->settings.close_timeout_ms);
      } else {
        ipc__channel_destroy(channel, UV_ECANCELED);
      }
      return 0;
    case IPC__OPEN:
      ipc__channel_begin_close(channel);
      return 0;
    case IPC__DEAD:
      ipc__channel_destroy(channel, channel->error);
      return 0;
    default:
      return UV_EALREADY;
  }
}

/* The peer has said already that it has taken all, and what we have taken is on
 * its way to it. */
static int needs_no_answer(const ipc_channel_t* channel) {
  return IPC__CLOSE_DELIVERS && channel->sent > 0 &&
         channel->confirmed == channel->sent &&
         ipc__queue_bytes(&channel->traffic->queue) == 0;
}

/* Whether the peer has taken, or never can take, what was sent. */
static int is_settled(const ipc_channel_t* channel) {
  if (channel->error != 0) {
    /* What the peer wrote before it left may hold the FIN-ACK. */
    return channel->read_ended || !ipc__channel_is_native(channel);
  }
  if (ipc__channel_is_native(channel)) {
    if (channel->read_ended) return 1;
    if (needs_no_answer(channel)) return 1;
    /* Also where nothing was sent: the peer may be closing too, and its FIN,
     * which asks for our FIN-ACK, comes before its FIN-ACK. */
    return channel->fin_acked &&
           ipc__queue_bytes(&channel->traffic->queue) == 0;
  }
  return ipc__queue_bytes(&channel->traffic->queue) == 0;
}

void ipc__channel_check_closed(ipc_channel_t* channel) {
  if (!is_settled(channel)) {
    if (channel->hub->settings.close_timeout_ms == 0) {
      ipc__channel_destroy(channel, UV_ETIMEDOUT);
    }
    return;
  }
  if (!channel->read_ended && channel->error == 0 &&
      ipc__stream_has_unread(&channel->stream)) {
    ipc__channel_serve_again(channel, IPC__UNREAD_POLL_MS);
    return;
  }
  if (channel->error == 0 && channel->read_ended && !channel->fin_acked &&
      ipc__channel_is_native(channel)) {
    channel->error = UV_ECONNRESET;
  }
  ipc__channel_destroy(channel, channel->error);
}
