/* Receiving: bytes arrive in the hub's buffer and whole messages are handed out
 * in place. What is cut is kept, and a large frame is read straight into memory
 * of its own: channel_kept.c. */
#include <string.h>

#include "channel.h"

/* Whether all that comes is for the user. */
static int is_message_bytes(const ipc_channel_t* channel) {
  return !ipc__channel_is_native(channel) && ipc__channel_can_receive(channel);
}

/* `size` bytes have come into the hub's buffer, what was kept of earlier ones
 * included. */
static void take_from_hub(ipc_channel_t* channel, size_t size) {
  const uint8_t* data = (uint8_t*) channel->hub->read_buffer;
  size_t scanned = channel->traffic->kept.search.scanned;
  int was_full = size == channel->hub->read_capacity;
  size_t used;
  int err;

  ipc__channel_drop_kept(channel); /* it is in front of the rest */
  used = ipc__channel_decode(channel, data, size, scanned);
  /* Raw bytes, or a part of a message. */
  if (used < size || is_message_bytes(channel)) ipc__channel_touch(channel);
  err = ipc__channel_keep(channel, data + used, size - used);
  if (err != 0) ipc__channel_broken(channel, err);
  if (was_full) {
    ipc__hub_grow_read(channel->hub, 2 * channel->hub->read_capacity);
  }
}

/* ---- From libuv --------------------------------------------------------- */

/* How much of the packet in front is to be read. What isn't there yet isn't
 * read for: a packet that came in the meantime would be cut. */
static int measure_packet(ipc_channel_t* channel) {
  ipc__traffic_t* traffic;
  ssize_t size;

  if (channel->traffic->kept.size > 0) return 0; /* the rest of one */
  size = ipc__stream_next_packet(&channel->stream);
  if (size == UV_EAGAIN) return UV_EAGAIN;
  if (size > 0 && (size_t) size > channel->hub->settings.max_message_bytes) {
    return UV_EMSGSIZE;
  }
  traffic = ipc__channel_own_traffic(channel);
  if (traffic == NULL) return UV_ENOMEM;
  traffic->kept.search.want =
      size > 0 ? (size_t) size : 1; /* to hear why not */
  return 0;
}

/* In the hub's buffer. What was kept goes in front, so that a frame lies in one
 * piece. */
static int find_shared_room(ipc_channel_t* channel, uv_buf_t* buffer) {
  const ipc__kept_t* kept = &channel->traffic->kept;
  ipc__hub_t* hub = channel->hub;

  ipc__hub_grow_read(hub, kept->size + IPC__HUB_READ_MIN);
  if (kept->search.want > hub->read_capacity) {
    ipc__hub_grow_read(hub, kept->search.want);
  }
  if (kept->size >= hub->read_capacity) return UV_ENOMEM;
  if (kept->size > 0) {
    memcpy(hub->read_buffer, kept->memory + kept->start, kept->size);
  }
  *buffer = uv_buf_init(hub->read_buffer + kept->size,
                        (unsigned int) (hub->read_capacity - kept->size));
  return 0;
}

/* Finds room for the next read. UV_EAGAIN: there is nothing to read;
 * UV_EMSGSIZE and UV_ENOMEM end the channel. */
static int find_room(ipc_channel_t* channel, uv_buf_t* buffer) {
  ipc__hub_t* hub = channel->hub;
  int err = 0;

  buffer->base = NULL;
  buffer->len = 0;
  if (ipc__channel_is_packet(channel)) {
    err = measure_packet(channel);
  } else if (!ipc__channel_has_traffic(channel)) {
    /* Nothing is kept: all of the hub's buffer, as mostly. */
    buffer->base = hub->read_buffer;
    buffer->len = (unsigned int) hub->read_capacity;
    return 0;
  }
  if (err != 0) return err;
  return ipc__channel_has_large(channel)
             ? ipc__channel_room_to_keep(channel, buffer)
             : find_shared_room(channel, buffer);
}

static void on_bytes(ipc_channel_t* channel, size_t size, int into_kept) {
  channel->bytes_received += size;
  ipc__channel_heard(channel);
  if (into_kept) {
    channel->traffic->kept.size += size;
    ipc__channel_touch(channel);
    ipc__channel_deliver_kept(channel);
  } else {
    take_from_hub(channel, channel->traffic->kept.size + size);
  }
}

/* The end has come in the middle of a message, and all before that is taken. A
 * paused channel isn't told so, unless it is asked by a receive. */
static int is_cut(const ipc_channel_t* channel) {
  if (channel->is_paused && !ipc__channel_is_pulled(channel)) return 0;
  return channel->state == IPC__OPEN && channel->read_ended &&
         channel->traffic->kept.size > 0 && !channel->is_holding &&
         !ipc__channel_is_native(channel);
}

void ipc__channel_check_cut(ipc_channel_t* channel) {
  if (!is_cut(channel)) return;
  channel->end_status = UV_ECONNRESET;
  channel->end_due = 1;
  ipc__channel_broken(channel, UV_ECONNRESET);
}

/* The stream has no more: the peer is gone, or an error came. */
static void on_stream_end(ipc_channel_t* channel, int status) {
  int is_gone =
      status == UV_EOF || status == UV_ECONNRESET || status == UV_EPIPE;

  channel->read_ended = 1;
  if (channel->is_reading) {
    uv_read_stop((uv_stream_t*) &channel->stream.pipe);
    channel->is_reading = 0;
  }
  ipc__hub_due(channel->hub, channel);

  if (!is_gone) {
    ipc__channel_broken(channel, status);
  } else if (channel->state != IPC__OPEN) {
    return; /* serve knows what to do */
  } else if (ipc__channel_is_native(channel)) {
    ipc__channel_broken(channel, UV_ECONNRESET);
  } else if (ipc__client_reconnects(channel)) {
    /* In the middle of a message it is no end. */
    channel->fin_received = channel->traffic->kept.size == 0;
    ipc__channel_broken(channel, UV_ECONNRESET);
  } else {
    channel->fin_received = 1;
    channel->end_status = 0;
    channel->end_due = 1;
  }
}

static int is_behind_kept(const ipc_channel_t* channel, const uv_buf_t* buf) {
  const ipc__kept_t* kept = &channel->traffic->kept;

  return kept->memory != NULL && buf->base == (char*) kept->memory + kept->size;
}

/* Whether libuv only tells that there is something to read. Its own read would
 * take a peer that leaves between our look at a packet and that read for the
 * end of all (see ipc__stream_next_packet). */
static int reads_itself(const ipc_channel_t* channel) {
  return IPC__HAS_TRY_READ && ipc__channel_is_packet(channel);
}

int ipc__channel_read_now(ipc_channel_t* channel) {
  uv_buf_t buffer;
  ssize_t result;

  result = find_room(channel, &buffer);
  if (result == 0) {
    result = ipc__stream_try_read(&channel->stream, buffer.base, buffer.len);
  }
  if (result == UV_EAGAIN) return UV_EAGAIN;
  if (result > 0) {
    /* Whatever was looked at: what a read takes is a packet. */
    if (reads_itself(channel)) {
      channel->traffic->kept.search.want = (size_t) result;
    }
    on_bytes(channel, (size_t) result, is_behind_kept(channel, &buffer));
  } else {
    on_stream_end(channel, (int) result);
  }
  ipc__hub_due(channel->hub, channel);
  return 0;
}

/* As many at a time as libuv would read. */
#define PACKETS_PER_TURN 32

static void read_packets(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;
  int result = 0;
  int i;

  for (i = 0; i < PACKETS_PER_TURN && result == 0 && channel->is_reading; i++) {
    ipc__hub_enter(hub);
    result = ipc__channel_read_now(channel);
    ipc__hub_leave(hub);
  }
}

/* Without room libuv calls on_read at once, with UV_ENOBUFS. */
static void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  ipc_channel_t* channel = (ipc_channel_t*) handle;

  (void) suggested;
  if (reads_itself(channel)) {
    *buffer = uv_buf_init(NULL, 0);
  } else {
    channel->hub->read_error = find_room(channel, buffer);
  }
}

/* libuv takes a short read from a peer that has gone for the last, but one ends
 * short as well where somebody has passed a descriptor along. It has stopped
 * reading by now. */
static void check_end(ipc_channel_t* channel) {
  channel->is_reading = 0;
  if (ipc__channel_read_now(channel) == UV_EAGAIN) {
    on_stream_end(channel, UV_EOF);
  }
}

static void on_read(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) {
  ipc_channel_t* channel = (ipc_channel_t*) stream;
  ipc__hub_t* hub = channel->hub;

  if (reads_itself(channel)) {
    read_packets(channel);
    return;
  }
  if (nread == UV_ENOBUFS) nread = hub->read_error;
  if (nread == 0 || nread == UV_EAGAIN) return; /* nothing has come */
  ipc__hub_enter(hub);
  if (nread > 0) {
    on_bytes(channel, (size_t) nread, is_behind_kept(channel, buf));
  } else if (nread == UV_EOF && IPC__HAS_TRY_READ &&
             !ipc__channel_is_native(channel)) {
    check_end(channel);
  } else {
    on_stream_end(channel, (int) nread);
  }
  ipc__hub_due(hub, channel);
  ipc__hub_leave(hub);
}

static int start_reading(ipc_channel_t* channel) {
  int err;

  err = uv_read_start((uv_stream_t*) &channel->stream.pipe, on_alloc, on_read);
  if (err == 0) channel->is_reading = 1;
  return err;
}

/* What a client that waits for its turn, or one of whose requests does, may
 * send ahead, and its next read. */
#define WAITING_BYTES (IPC__HUB_READ_MAX - 2 * IPC__HUB_READ_MIN)

/* Nothing can be read, not even that the peer has gone. */
static int is_deaf(const ipc_channel_t* channel) {
  return !ipc__channel_is_native(channel) &&
         !ipc__channel_can_receive(channel) &&
         !ipc__stream_sees_end(&channel->stream);
}

static int wants_reading(const ipc_channel_t* channel) {
  if (channel->stream_state != IPC__STREAM_OPEN) return 0;
  if (channel->read_ended) return 0;
  if (is_deaf(channel)) return 0;
  switch (channel->state) {
    case IPC__GREETING:
      /* Also to see one leave that waits. */
      if (ipc__channel_is_packet(channel))
        return channel->traffic->kept.size == 0;
      return !channel->is_waiting ||
             channel->traffic->kept.size <= WAITING_BYTES;
    case IPC__REFUSING:
    case IPC__CLOSING:
      return 1;
    case IPC__OPEN:
      /* Some more, so that one who has been stopped is missed. */
      if (channel->is_overasked && !channel->is_paused)
        return channel->traffic->kept.size <= WAITING_BYTES;
      if (channel->is_holding || channel->is_overasked) return 0;
      return !channel->is_paused || ipc__channel_is_pulled(channel);
    default:
      return 0;
  }
}

void ipc__channel_update_reading(ipc_channel_t* channel) {
  int err = 0;

  if (channel->is_overasked && !ipc__channel_is_over(channel)) {
    channel->is_overasked = 0;
    ipc__hub_due(channel->hub, channel); /* a request may lie ready */
  }
  if (wants_reading(channel)) {
    if (!channel->is_reading) {
      ipc__channel_heard(channel); /* it was not listened to until now */
      err = start_reading(channel);
    }
    if (err != 0) on_stream_end(channel, err);
  } else if (channel->is_reading) {
    uv_read_stop((uv_stream_t*) &channel->stream.pipe);
    channel->is_reading = 0;
  }
}

/* Where nothing is left to be read, a write that fails is the end: reading,
 * which tells it elsewhere, won't. */
void ipc__channel_check_spent(ipc_channel_t* channel) {
  if (!channel->write_off || channel->state != IPC__OPEN) return;
  if (!channel->read_ended && !is_deaf(channel)) return;
  if (channel->traffic->kept.size > 0 || channel->end_due) return;
  ipc__channel_cut(channel);
}

/* Brings reading into line. Inside a callback of this hub that waits for its
 * end: libuv 1.49 to 1.51 break on Windows when a read is stopped and started
 * within the read's own callback (libuv issue 4738). */
static int set_paused(ipc_channel_t* channel, unsigned int paused) {
  if (channel == NULL) return UV_EINVAL;
  if (channel->state >= IPC__CLOSING) return UV_EPIPE;
  channel->is_paused = paused & 1u;
  /* Elsewhere it can't wait: more may be on its way in this turn. */
  if (channel->hub->depth == 0) ipc__channel_update_reading(channel);
  ipc__hub_due(channel->hub, channel);
  return 0;
}

int ipc_channel_pause(ipc_channel_t* channel) {
  return set_paused(channel, 1);
}

int ipc_channel_resume(ipc_channel_t* channel) {
  return set_paused(channel, 0);
}
