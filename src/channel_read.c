/* Receiving: bytes arrive in the hub's buffer and whole messages are handed out
 * in place. A frame that is cut is kept until the rest has come; a large one is
 * read straight into memory of its own, which grows with what has arrived. */
#include <string.h>

#include "alloc.h"
#include "channel.h"

/* From this size on a frame gets memory of its own. */
#define LARGE_FRAME ((size_t) 32 << 10)

/* No more memory than has arrived and this. */
#define GROW_BYTES ((size_t) 64 << 10)

/* Whether the next read goes to memory of the channel's own. A packet's has to,
 * since it wants exactly its size. */
static int is_large(const ipc_channel_t* channel) {
  return channel->partial_want >= LARGE_FRAME ||
         ipc__channel_is_packet(channel);
}

/* ---- What is kept ------------------------------------------------------- */

void ipc__channel_drop_partial(ipc_channel_t* channel) {
  ipc__hub_give(channel->hub, channel->partial, channel->partial_memory);
  channel->partial = NULL;
  channel->partial_start = 0;
  channel->partial_size = 0;
  channel->partial_memory = 0;
  channel->partial_want = 0;
  channel->wants_more = 0;
}

/* Moves what is kept to the front of its memory. */
static void compact(ipc_channel_t* channel) {
  if (channel->partial_start == 0) return;
  memmove(channel->partial, channel->partial + channel->partial_start,
          channel->partial_size);
  channel->partial_start = 0;
}

/* `bytes` at the front of what is kept are done with. */
static void consume(ipc_channel_t* channel, size_t bytes) {
  channel->partial_start += bytes;
  channel->partial_size -= bytes;
  if (channel->partial_size == 0) ipc__channel_drop_partial(channel);
}

/* How much memory a frame should have of which `size` bytes have arrived. */
static size_t wanted_memory(const ipc_channel_t* channel, size_t size) {
  if (!is_large(channel)) return size;
  /* A packet has arrived as a whole. */
  if (ipc__channel_is_packet(channel)) return channel->partial_want;
  if (channel->wants_more) return size + GROW_BYTES;
  return channel->partial_want < size + GROW_BYTES ? channel->partial_want
                                                   : size + GROW_BYTES;
}

/* Room for what has arrived, `size` bytes, and more of the frame, but never for
 * more than has arrived and GROW_BYTES; except that memory which an earlier
 * message left behind serves the whole frame at once. */
static int reserve_partial(ipc_channel_t* channel, size_t size) {
  ipc__hub_t* hub = channel->hub;
  size_t capacity;
  size_t memory;
  uint8_t* grown;

  compact(channel);
  capacity = wanted_memory(channel, size);
  if (channel->partial_memory > size || channel->partial_memory >= capacity) {
    return 0;
  }
  grown = ipc__hub_take_spare(
      hub, is_large(channel) ? channel->partial_want : capacity, &memory);
  if (grown == NULL) {
    /* Large blocks can often grow in place, or by moving pages. */
    memory = capacity;
    grown = ipc__realloc(&hub->settings.allocator, channel->partial, capacity);
    if (grown == NULL) return UV_ENOMEM;
  } else {
    if (channel->partial_size > 0) {
      memcpy(grown, channel->partial, channel->partial_size);
    }
    ipc__hub_give(hub, channel->partial, channel->partial_memory);
  }
  channel->partial = grown;
  channel->partial_memory = memory;
  return 0;
}

/* Keeps bytes that lie outside of the partial memory, which is empty. */
static int keep(ipc_channel_t* channel, const uint8_t* data, size_t size) {
  int err;

  if (size == 0) return 0;
  err = reserve_partial(channel, size);
  if (err != 0) return err;
  memcpy(channel->partial, data, size);
  channel->partial_size = size;
  return 0;
}

void ipc__channel_deliver_partial(ipc_channel_t* channel) {
  size_t used;

  if (channel->partial_size == 0) return;
  if (channel->partial_size < channel->partial_want) return;
  used = ipc__channel_decode(channel, channel->partial + channel->partial_start,
                             channel->partial_size);
  if (channel->partial_size > 0) consume(channel, used);
}

/* ---- What lies ready ---------------------------------------------------- */

/* Where the next frame begins: in what is being decoded just now, or in what
 * was kept. */
static const uint8_t* front_of(const ipc_channel_t* channel, size_t* size) {
  const ipc__hub_t* hub = channel->hub;

  if (hub->window.channel == channel) {
    *size = hub->window.size;
    return hub->window.data;
  }
  *size = channel->partial_size;
  return channel->partial == NULL ? NULL
                                  : channel->partial + channel->partial_start;
}

/* In a format of others. Nothing that was looked at is noted, so that the
 * decoder finds the same. */
static int find_message(const ipc_channel_t* channel,
                        size_t there,
                        const uint8_t** data,
                        size_t* size,
                        size_t* whole) {
  const ipc__settings_t* settings = &channel->hub->settings;
  size_t scanned = channel->scanned;
  ipc_frame_t frame;

  if (ipc__framing_decode(&settings->format, *data, there,
                          settings->max_message_bytes, &scanned, &frame) != 0) {
    return 0;
  }
  if (frame.size == 0 || frame.size > there) return 0;
  *data += frame.message_start;
  *size = frame.message_size;
  *whole = frame.size;
  return 1;
}

int ipc__channel_front(const ipc_channel_t* channel,
                       const uint8_t** data,
                       size_t* size,
                       size_t* whole) {
  uint32_t max = (uint32_t) channel->hub->settings.max_message_bytes;
  ipc__frame_t frame;
  size_t there;

  if (channel->state != IPC__OPEN) return 0;
  *data = front_of(channel, &there);
  if (there == 0 || there < channel->partial_want) return 0;
  if (ipc__framing_is_foreign(channel->hub->settings.format.framing)) {
    return find_message(channel, there, data, size, whole);
  }
  if (!ipc__channel_is_native(channel)) {
    *size = *whole = there;
    return 1;
  }
  if (there < IPC__WIRE_HEADER_BYTES) return 0;
  if (ipc__wire_get_header(*data, max, &frame) != 0) return 0;
  *whole = IPC__WIRE_HEADER_BYTES + (size_t) frame.size;
  *data += IPC__WIRE_HEADER_BYTES;
  *size = frame.size;
  return frame.kind == IPC__WIRE_MESSAGE && there >= *whole;
}

int ipc__channel_is_amid_message(const ipc_channel_t* channel) {
  size_t there;

  front_of(channel, &there);
  return there > 0 && !ipc__channel_is_native(channel);
}

void ipc__channel_take_front(ipc_channel_t* channel, size_t bytes) {
  ipc__hub_t* hub = channel->hub;

  if (hub->window.channel == channel) {
    hub->window.data += bytes;
    hub->window.size -= bytes;
  } else {
    consume(channel, bytes);
  }
  channel->scanned = 0;
  channel->is_holding = 0;
  ipc__hub_due(hub, channel);
}

int ipc__channel_steal_front(ipc_channel_t* channel, size_t whole) {
  if (channel->hub->window.channel == channel) return 0;
  if (whole < LARGE_FRAME || whole != channel->partial_size) return 0;
  channel->scanned = 0;
  ipc__channel_give_lent(channel, &channel->lent);
  channel->lent.memory = channel->partial;
  channel->lent.capacity = channel->partial_memory;
  channel->partial = NULL;
  channel->partial_memory = 0;
  ipc__channel_drop_partial(channel);
  channel->is_holding = 0;
  ipc__hub_due(channel->hub, channel);
  return 1;
}

/* Whether all that comes is for the user. */
static int is_message_bytes(const ipc_channel_t* channel) {
  return !ipc__channel_is_native(channel) && ipc__channel_can_receive(channel);
}

/* `size` bytes have come into the hub's buffer, what was kept of earlier ones
 * included. */
static void take_from_hub(ipc_channel_t* channel, size_t size) {
  const uint8_t* data = (uint8_t*) channel->hub->read_buffer;
  int was_full = size == channel->hub->read_capacity;
  size_t used;
  int err;

  ipc__channel_drop_partial(channel);
  used = ipc__channel_decode(channel, data, size);
  /* Raw bytes, or a part of a message. */
  if (used < size || is_message_bytes(channel)) ipc__channel_touch(channel);
  err = keep(channel, data + used, size - used);
  if (err != 0) ipc__channel_broken(channel, err);
  if (was_full) {
    ipc__hub_grow_read(channel->hub, 2 * channel->hub->read_capacity);
  }
}

/* ---- From libuv --------------------------------------------------------- */

/* How much of the packet in front is to be read. What isn't there yet isn't
 * read for: a packet that came in the meantime would be cut. */
static int measure_packet(ipc_channel_t* channel) {
  ssize_t size;

  if (channel->partial_size > 0) return 0; /* the rest of one */
  size = ipc__stream_next_packet(&channel->stream);
  if (size == UV_EAGAIN) return UV_EAGAIN;
  if (size > 0 && (size_t) size > channel->hub->settings.max_message_bytes) {
    return UV_EMSGSIZE;
  }
  channel->partial_want = size > 0 ? (size_t) size : 1; /* to be told why not */
  return 0;
}

/* In the channel's own memory. */
static int find_own_room(ipc_channel_t* channel, uv_buf_t* buffer) {
  size_t capacity;
  int err;

  err = reserve_partial(channel, channel->partial_size);
  if (err != 0) return err;
  capacity = channel->partial_memory;
  if (!channel->wants_more && capacity > channel->partial_want) {
    capacity = channel->partial_want;
  }
  *buffer = uv_buf_init((char*) channel->partial + channel->partial_size,
                        (unsigned int) (capacity - channel->partial_size));
  return 0;
}

/* In the hub's buffer. What was kept goes in front, so that a frame lies in one
 * piece. */
static int find_shared_room(ipc_channel_t* channel, uv_buf_t* buffer) {
  ipc__hub_t* hub = channel->hub;

  ipc__hub_grow_read(hub, channel->partial_size + IPC__HUB_READ_MIN);
  if (channel->partial_want > hub->read_capacity) {
    ipc__hub_grow_read(hub, channel->partial_want);
  }
  if (channel->partial_size >= hub->read_capacity) return UV_ENOMEM;
  if (channel->partial_size > 0) {
    memcpy(hub->read_buffer, channel->partial + channel->partial_start,
           channel->partial_size);
  }
  *buffer =
      uv_buf_init(hub->read_buffer + channel->partial_size,
                  (unsigned int) (hub->read_capacity - channel->partial_size));
  return 0;
}

/* Finds room for the next read. UV_EAGAIN: there is nothing to read;
 * UV_EMSGSIZE and UV_ENOMEM end the channel. */
static int find_room(ipc_channel_t* channel, uv_buf_t* buffer) {
  int err = 0;

  *buffer = uv_buf_init(NULL, 0);
  if (ipc__channel_is_packet(channel)) err = measure_packet(channel);
  if (err != 0) return err;
  return is_large(channel) ? find_own_room(channel, buffer)
                           : find_shared_room(channel, buffer);
}

static void on_bytes(ipc_channel_t* channel, size_t size, int into_partial) {
  channel->bytes_received += size;
  ipc__channel_heard(channel);
  if (into_partial) {
    channel->partial_size += size;
    ipc__channel_touch(channel);
    if (channel->partial_size >= channel->partial_want) {
      ipc__channel_deliver_partial(channel);
    }
  } else {
    take_from_hub(channel, channel->partial_size + size);
  }
}

/* The end has come in the middle of a message, and all before that is taken. A
 * paused channel isn't told so, unless it is asked by a receive. */
static int is_cut(const ipc_channel_t* channel) {
  if (channel->is_paused && !ipc__channel_is_pulled(channel)) return 0;
  return channel->state == IPC__OPEN && channel->read_ended &&
         channel->partial_size > 0 && !channel->is_holding &&
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
  channel->is_reading = 0;
  ipc__hub_due(channel->hub, channel);

  if (!is_gone) {
    ipc__channel_broken(channel, status);
  } else if (channel->state != IPC__OPEN) {
    return; /* serve knows what to do */
  } else if (ipc__channel_is_native(channel)) {
    ipc__channel_broken(channel, UV_ECONNRESET);
  } else if (ipc__client_reconnects(channel)) {
    /* In the middle of a message it is no end. */
    channel->fin_received = channel->partial_size == 0;
    ipc__channel_broken(channel, UV_ECONNRESET);
  } else {
    channel->fin_received = 1;
    channel->end_status = 0;
    channel->end_due = 1;
  }
}

/* Without room libuv calls on_read at once, with UV_ENOBUFS. */
static void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  ipc_channel_t* channel = (ipc_channel_t*) handle;

  (void) suggested;
  channel->hub->read_error = find_room(channel, buffer);
}

static void on_read(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) {
  ipc_channel_t* channel = (ipc_channel_t*) stream;
  ipc__hub_t* hub = channel->hub;

  if (nread == UV_ENOBUFS) nread = hub->read_error;
  if (nread == 0 || nread == UV_EAGAIN) return; /* nothing has come */
  ipc__hub_enter(hub);
  if (nread > 0) {
    on_bytes(channel, (size_t) nread,
             channel->partial != NULL &&
                 buf->base == (char*) channel->partial + channel->partial_size);
  } else {
    on_stream_end(channel, (int) nread);
  }
  ipc__hub_due(hub, channel);
  ipc__hub_leave(hub);
}

void ipc__channel_read_now(ipc_channel_t* channel) {
  uv_buf_t buffer;
  ssize_t result;

  result = find_room(channel, &buffer);
  if (result == 0) {
    result = ipc__stream_try_read(&channel->stream, buffer.base, buffer.len);
  }
  if (result == UV_EAGAIN) return;
  if (result > 0) {
    on_bytes(channel, (size_t) result, 0);
  } else {
    on_stream_end(channel, (int) result);
  }
  ipc__hub_due(channel->hub, channel);
}

static int start_reading(ipc_channel_t* channel) {
  int err;

  err = uv_read_start((uv_stream_t*) &channel->stream.pipe, on_alloc, on_read);
  if (err == 0) channel->is_reading = 1;
  return err;
}

/* What a client that waits for its turn may send ahead, and its next read. */
#define WAITING_BYTES (IPC__HUB_READ_MAX - 2 * IPC__HUB_READ_MIN)

static int wants_reading(const ipc_channel_t* channel) {
  if (channel->stream_state != IPC__STREAM_OPEN) return 0;
  if (channel->read_ended) return 0;
  if (!ipc__channel_is_native(channel) && !ipc__channel_can_receive(channel) &&
      !ipc__stream_sees_end(&channel->stream)) {
    return 0;
  }
  switch (channel->state) {
    case IPC__GREETING:
      /* Also to see one leave that waits. */
      if (ipc__channel_is_packet(channel)) return channel->partial_size == 0;
      return !channel->is_waiting || channel->partial_size <= WAITING_BYTES;
    case IPC__REFUSING:
    case IPC__CLOSING:
      return 1;
    case IPC__OPEN:
      if (channel->is_holding) return 0;
      return !channel->is_paused || ipc__channel_is_pulled(channel);
    default:
      return 0;
  }
}

void ipc__channel_update_reading(ipc_channel_t* channel) {
  int err = 0;

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
