/* What the bytes mean that have come: frames one by one, messages in a format
 * of others, or raw bytes, and who gets them. Where nobody does yet, they wait.
 */
#include "channel.h"

/* Whether messages still go to the user, or at least count as the protocol's
 * business. */
static int is_receiving(const ipc_channel_t* channel) {
  return channel->state == IPC__OPEN || channel->state == IPC__CLOSING;
}

/* Whether a message would find nobody. A channel that its server owns drops
 * what no callback takes: its user never sees it. */
static int is_held(const ipc_channel_t* channel) {
  if (channel->state != IPC__OPEN) return 0;
  if (channel->pulls != NULL && channel->pulls->receives.first != NULL) {
    return 0;
  }
  if (channel->is_paused) return 1;
  return channel->hub->settings.on_message == NULL && !channel->is_owned;
}

/* A closing channel drops what comes, and nobody takes what has no callback:
 * neither counts as received, so the FIN-ACK tells the peer the truth. */
static void deliver(ipc_channel_t* channel, const uint8_t* data, size_t size) {
  ipc_message_cb on_message = channel->hub->settings.on_message;

  if (channel->state != IPC__OPEN) return;
  if (channel->pulls != NULL && ipc__channel_pull(channel, data, size)) return;
  if (on_message == NULL || channel->is_paused) return;
  channel->received++;
  on_message(channel, data, size);
}

static int on_fin(ipc_channel_t* channel) {
  int err;

  if (channel->fin_received) return UV_EPROTO;
  err = ipc__channel_put_count(channel, IPC__WIRE_FIN_ACK);
  if (err != 0) return err;
  channel->traffic->fin_ack_end = channel->traffic->queue.queued;
  channel->fin_received = 1;
  channel->end_status = 0;
  channel->end_due = 1;
  return 0;
}

/* How much the peer has taken of what we have sent on this connection. */
static int on_count(ipc_channel_t* channel, const uint8_t* payload) {
  uint64_t count = ipc__wire_get_u64(payload);

  /* Those whose callbacks are due yet are still in the queue's records. */
  if (count > channel->sent - ipc__channel_sent_before(channel) +
                  channel->traffic->queue.records.count) {
    return UV_EPROTO;
  }
  channel->confirmed = ipc__channel_confirmed_before(channel) + count;
  return 0;
}

static int on_fin_ack(ipc_channel_t* channel, const uint8_t* payload) {
  if (!channel->fin_queued || channel->fin_acked) return UV_EPROTO;
  channel->fin_acked = 1;
  ipc__hub_due(channel->hub, channel);
  return on_count(channel, payload);
}

/* One PONG at a time waits in the queue, however many PINGs come. */
static int on_ping(ipc_channel_t* channel, const uint8_t* payload) {
  int err;

  if (channel->traffic->pong_end > channel->traffic->queue.released) return 0;
  err = ipc__channel_put_control(channel, IPC__WIRE_PONG, payload,
                                 IPC__WIRE_PING_BYTES);
  if (err == 0) channel->traffic->pong_end = channel->traffic->queue.queued;
  return err;
}

/* A frame that carries a message, in a direction that has any. */
static int on_message_frame(ipc_channel_t* channel,
                            const ipc__frame_t* frame,
                            const uint8_t* payload) {
  if (channel->fin_received || !ipc__channel_can_receive(channel)) {
    return UV_EPROTO;
  }
  ipc__channel_touch(channel);
  if (frame->kind == IPC__WIRE_REQUEST) {
    return ipc__channel_on_request(channel, payload, frame->size);
  }
  if (frame->kind == IPC__WIRE_REPLY) {
    return ipc__channel_on_reply(channel, payload, frame->size);
  }
  deliver(channel, payload, frame->size);
  return 0;
}

static int on_frame(ipc_channel_t* channel,
                    const ipc__frame_t* frame,
                    const uint8_t* payload) {
  switch (frame->kind) {
    case IPC__WIRE_MESSAGE:
    case IPC__WIRE_REQUEST:
    case IPC__WIRE_REPLY:
      return on_message_frame(channel, frame, payload);
    case IPC__WIRE_FIN:
      return on_fin(channel);
    case IPC__WIRE_FIN_ACK:
      return on_fin_ack(channel, payload);
    case IPC__WIRE_TAKEN:
      return on_count(channel, payload);
    case IPC__WIRE_PING:
      return on_ping(channel, payload);
    default:
      return 0; /* PONG, and kinds that may be skipped */
  }
}

/* Whether the frame has to wait until somebody takes it, and all behind it. */
static int must_wait(const ipc_channel_t* channel, uint8_t kind) {
  if (kind == IPC__WIRE_MESSAGE) return is_held(channel);
  return kind == IPC__WIRE_REQUEST && channel->state == IPC__OPEN &&
         (channel->is_paused || channel->is_overasked);
}

/* The messages in front, which need no more than to be handed out. */
static void decode_plain(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;
  uint32_t max = (uint32_t) hub->settings.max_message_bytes;
  const uint8_t* message;
  uint32_t size;

  while (channel->state == IPC__OPEN && !channel->fin_received &&
         hub->window.size >= IPC__WIRE_HEADER_BYTES &&
         ipc__wire_is_message(hub->window.data, max, &size) &&
         hub->window.size - IPC__WIRE_HEADER_BYTES >= size &&
         !is_held(channel)) {
    message = hub->window.data + IPC__WIRE_HEADER_BYTES;
    hub->window.data = message + size;
    hub->window.size -= IPC__WIRE_HEADER_BYTES + (size_t) size;
    ipc__channel_touch(channel);
    deliver(channel, message, size);
  }
}

/* Handles the frames in the hub's window as far as they are whole and wanted. A
 * callback may take more out of the window itself. */
static void decode_frames(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;
  uint32_t max = (uint32_t) hub->settings.max_message_bytes;
  const uint8_t* payload;
  ipc__frame_t frame;
  size_t whole;
  int err;

  for (;;) {
    if (ipc__channel_can_receive(channel)) decode_plain(channel);
    if (!is_receiving(channel)) return;
    if (hub->window.size < IPC__WIRE_HEADER_BYTES) return;
    err = ipc__wire_get_header(hub->window.data, max, &frame);
    whole = IPC__WIRE_HEADER_BYTES + (size_t) frame.size;
    if (err == 0 && hub->window.size < whole) {
      hub->window.search.want = whole;
      return;
    }
    if (err == 0 && must_wait(channel, frame.kind)) {
      channel->is_holding = 1;
      return;
    }
    if (err == 0) {
      payload = hub->window.data + IPC__WIRE_HEADER_BYTES;
      hub->window.data += whole;
      hub->window.size -= whole;
      err = on_frame(channel, &frame, payload);
    }
    if (err != 0) {
      ipc__channel_broken(channel, err);
      return;
    }
  }
}

/* The same for messages in a format of others. What stays behind without an
 * end has been looked at. Nothing in them is for us, so that a closing channel
 * has no use for the rest. */
static void decode_messages(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;
  const uint8_t* message;
  ipc_frame_t frame;
  int err;

  while (channel->state == IPC__OPEN && hub->window.size > 0) {
    err = ipc__framing_decode(&hub->settings.format, hub->window.data,
                              hub->window.size, hub->settings.max_message_bytes,
                              &hub->window.search.scanned, &frame);
    if (err != 0) {
      ipc__channel_broken(channel, err);
      return;
    }
    if (frame.size == 0 || frame.size > hub->window.size) {
      hub->window.search.is_least = frame.size == 0;
      hub->window.search.want =
          frame.size == 0 ? hub->window.size + 1 : frame.size;
      return;
    }
    if (is_held(channel)) {
      channel->is_holding = 1;
      return;
    }
    message = hub->window.data + frame.message_start;
    hub->window.data += frame.size;
    hub->window.size -= frame.size;
    hub->window.search.scanned = 0;
    ipc__channel_touch(channel);
    deliver(channel, message, frame.message_size);
  }
}

/* All that is there: raw bytes, or a packet. */
static void decode_whole(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;
  const uint8_t* data = hub->window.data;
  size_t size = hub->window.size;

  if (size == 0 || !is_receiving(channel)) return;
  if (is_held(channel)) {
    channel->is_holding = 1;
    return;
  }
  hub->window.size = 0;
  deliver(channel, data, size);
}

static void decode(ipc_channel_t* channel) {
  channel->is_holding = 0;
  if (ipc__channel_is_native(channel)) {
    decode_frames(channel);
  } else if (!ipc__channel_can_receive(channel) ||
             channel->state == IPC__CLOSING) {
    channel->hub->window.size = 0; /* read only to see the end */
  } else if (ipc__framing_is_foreign(channel->hub->settings.format.framing)) {
    decode_messages(channel);
    if (channel->state == IPC__CLOSING) channel->hub->window.size = 0;
  } else {
    decode_whole(channel);
  }
}

size_t ipc__channel_decode(ipc_channel_t* channel,
                           const uint8_t* data,
                           size_t size,
                           size_t scanned) {
  ipc__hub_t* hub = channel->hub;
  size_t left;

  hub->window.channel = channel;
  hub->window.data = data;
  hub->window.size = size;
  hub->window.search.want = 0;
  hub->window.search.is_least = 0;
  hub->window.search.scanned = scanned;
  if (channel->state == IPC__GREETING && !channel->is_waiting &&
      ipc__channel_is_native(channel) && ipc__channel_greet(channel) != 0) {
    hub->window.size = 0;
  }
  if (is_receiving(channel)) decode(channel);
  /* A callback may have ended it all. */
  if (!is_receiving(channel) && channel->state != IPC__GREETING) {
    hub->window.size = 0;
  }
  left = hub->window.size;
  hub->window.channel = NULL;
  return size - left;
}
