/* Writing: what the library itself has to say goes into the queue, and what is
 * in the queue to the system, as far as that takes it. */
#include <string.h>

#include "channel.h"

/* How much may travel ahead of the server's hello, and is kept until then. */
#define EARLY_BYTES ((size_t) 64 << 10)

/* A message like this is worth a larger buffer at once, if it doesn't fit. */
#define LARGE_MESSAGE ((size_t) 64 << 10)

/* When the system is out of buffers, try again after this. */
#define NO_BUFFERS_RETRY_MS 10

void ipc__channel_make_hello(const ipc_channel_t* channel,
                             ipc__verdict_t verdict,
                             uint8_t* bytes) {
  const ipc__settings_t* settings = &channel->hub->settings;
  ipc__hello_t hello;

  hello.version = IPC__WIRE_VERSION;
  hello.verdict = (uint8_t) verdict;
  hello.features = IPC__FEATURE_HEARTBEAT | IPC__FEATURE_CALLS;
  if (settings->access == IPC_CHANNEL_ACCESS_INBOUND) {
    hello.features |= IPC__FEATURE_NO_SEND;
  } else if (settings->access == IPC_CHANNEL_ACCESS_OUTBOUND) {
    hello.features |= IPC__FEATURE_NO_RECEIVE;
  }
  hello.heartbeat_ms = 0;
  if (settings->heartbeat_ms != IPC_CHANNEL_INFINITE) {
    hello.heartbeat_ms = (uint32_t) settings->heartbeat_ms;
  }
  hello.max_message_bytes = (uint32_t) settings->max_message_bytes;
  ipc__wire_put_hello(bytes, &hello);
}

/* Bytes of the library's own; NULL: no memory. */
static uint8_t* stage(ipc_channel_t* channel, size_t size) {
  ipc__traffic_t* traffic = ipc__channel_own_traffic(channel);

  if (traffic == NULL) return NULL;
  return ipc__queue_stage(channel->hub, &traffic->queue, size, 0);
}

int ipc__channel_put_hello(ipc_channel_t* channel, ipc__verdict_t verdict) {
  uint8_t* to = stage(channel, IPC__WIRE_HELLO_BYTES);

  if (to == NULL) return UV_ENOMEM;
  ipc__channel_make_hello(channel, verdict, to);
  return 0;
}

int ipc__channel_put_control(ipc_channel_t* channel,
                             uint8_t kind,
                             const uint8_t* payload,
                             size_t size) {
  uint8_t* to = stage(channel, IPC__WIRE_HEADER_BYTES + size);

  if (to == NULL) return UV_ENOMEM;
  ipc__wire_put_header(to, kind, (uint32_t) size);
  if (size > 0) memcpy(to + IPC__WIRE_HEADER_BYTES, payload, size);
  ipc__hub_due(channel->hub, channel);
  return 0;
}

int ipc__channel_put_count(ipc_channel_t* channel, uint8_t kind) {
  uint8_t count[IPC__WIRE_COUNT_BYTES];

  ipc__wire_put_u64(count,
                    channel->received - ipc__channel_received_before(channel));
  return ipc__channel_put_control(channel, kind, count, sizeof(count));
}

int ipc_channel_flush(ipc_channel_t* channel) {
  if (channel == NULL) return UV_EINVAL;
  if (channel->state == IPC__DEAD || channel->state == IPC__DESTROYING) {
    return UV_EPIPE;
  }
  ipc__channel_write(channel);
  ipc__hub_due(channel->hub, channel);
  return channel->error != 0 ? UV_EPIPE : 0;
}

/* ---- To the system ------------------------------------------------------ */

/* Until the server's hello has come, what is written stays in the queue, so
 * that it can be sent again should the server tell us to come back. */
static int is_early(const ipc_channel_t* channel) {
  return channel->state == IPC__GREETING && !channel->is_server;
}

/* How much of a queue may be written in which there are only messages, no
 * frames of ours. */
static size_t message_limit(const ipc_channel_t* channel) {
  /* A write is a packet. */
  if (ipc__channel_is_packet(channel)) {
    return ipc__queue_whole(&channel->traffic->queue, 1);
  }
  /* Others may write to it too, and a message is to come whole. */
  if (ipc__channel_transport(channel) == IPC_CHANNEL_TRANSPORT_PIPE) {
    return ipc__queue_whole(&channel->traffic->queue, IPC__ATOMIC_BYTES);
  }
  return SIZE_MAX;
}

/* How much of the queue behind what is early may be written. */
static size_t write_limit(const ipc_channel_t* channel) {
  if (is_early(channel)) return EARLY_BYTES - channel->traffic->early;
  if (!ipc__channel_is_native(channel)) return message_limit(channel);
  /* What is behind the answer to the end is for the next connection. */
  if (channel->fin_received && ipc__client_reconnects(channel)) {
    return (size_t) (channel->traffic->fin_ack_end -
                     channel->traffic->queue.released);
  }
  return SIZE_MAX;
}

uint64_t ipc__channel_written_to(const ipc_channel_t* channel) {
  uint64_t position =
      channel->traffic->queue.released + channel->traffic->early;

  if (channel->stream_state == IPC__STREAM_NONE) return position;
  return position + ipc__stream_in_flight(&channel->stream);
}

static void written(ipc_channel_t* channel, size_t bytes) {
  channel->bytes_sent += bytes;
  ipc__channel_said(channel);
  if (channel->traffic->queue.records.count > 0) ipc__channel_touch(channel);
  if (is_early(channel)) {
    channel->traffic->early += bytes;
  } else {
    ipc__queue_release(channel->hub, &channel->traffic->queue, bytes);
    /* A sender that doesn't return to the loop leaves no more behind than its
     * callbacks. */
    channel->sent += ipc__queue_pop_silent(&channel->traffic->queue);
  }
}

/* No send can succeed from here on. What the peer sent before it left can still
 * be read, so the channel isn't broken until the end of that. */
static void write_failed(ipc_channel_t* channel, int status) {
  channel->write_off = 1;
  /* Ahead of the hello only this attempt has failed; reading tells how. So it
   * does where another connection will take the rest. */
  if (!is_early(channel) && !ipc__client_reconnects(channel) &&
      channel->error == 0) {
    channel->error = status;
  }
  ipc__hub_due(channel->hub, channel);
}

/* Whether a large message, or a part of one, is yet to be written. */
static int has_large_left(const ipc_channel_t* channel) {
  const ipc__queue_t* queue = &channel->traffic->queue;
  uint64_t written = ipc__channel_written_to(channel);
  uint32_t i;

  for (i = queue->records.count; i-- > 0;) {
    const ipc__record_t* record = ipc__queue_record(queue, i);

    if (record->end <= written) return 0;
    if (record->size >= LARGE_MESSAGE) return 1;
  }
  return 0;
}

/* Whether the system's buffer may become larger, once, now that it is full: on
 * a socket of our own, where nothing is to be dropped while it waits. For small
 * messages only if the peer has made room before: one that doesn't read is to
 * hold no more of the system's memory. */
static int may_grow(const ipc_channel_t* channel) {
  const ipc__settings_t* settings = &channel->hub->settings;

  if (channel->has_grown || settings->out_bytes != 0) return 0;
  if (settings->slow_reader != IPC_CHANNEL_SLOW_BLOCK) return 0;
  if (channel->client != NULL && channel->client->is_nameless) return 0;
  return channel->has_made_room || has_large_left(channel);
}

/* The first write of a server's, its hello, may hold replies already. Then it
 * says as well what was taken: a client that wanted no more than that may go
 * without another question. */
static void add_count(ipc_channel_t* channel) {
  if (!channel->is_server || channel->has_counted) return;
  if (channel->state != IPC__OPEN || channel->fin_received) return;
  channel->has_counted = 1;
  if (channel->received == 0 || channel->traffic->queue.records.count == 0) {
    return;
  }
  /* Without memory it is asked. */
  ipc__channel_put_count(channel, IPC__WIRE_TAKEN);
}

void ipc__channel_write(ipc_channel_t* channel) {
  uv_buf_t buffers[IPC__STREAM_WRITE_BUFFERS];
  unsigned int count;
  ssize_t result;

  if (channel->stream_state != IPC__STREAM_OPEN) return;
  if (ipc__channel_is_native(channel)) add_count(channel);
  while (!channel->write_busy && !channel->write_off &&
         channel->traffic->queue.segments.count > 0) {
    count = ipc__queue_gather(&channel->traffic->queue, channel->traffic->early,
                              write_limit(channel), buffers,
                              IPC__STREAM_WRITE_BUFFERS);
    if (count == 0) return;
    result = ipc__stream_write(&channel->stream, buffers, count);
    if (result > 0) {
      written(channel, (size_t) result);
      if ((size_t) result == ipc__pieces_size(buffers, count)) continue;
      if (!may_grow(channel)) continue;
      channel->has_grown = 1;
      ipc__stream_grow(&channel->stream);
    } else if (result == UV_EAGAIN) {
      channel->write_busy = 1;
    } else if (result == UV_ENOBUFS || result == UV_ENOMEM) {
      ipc__channel_serve_again(channel, NO_BUFFERS_RETRY_MS);
      return;
    } else {
      write_failed(channel, (int) result);
    }
  }
}

void ipc__channel_on_written(ipc__stream_t* stream, int status, size_t bytes) {
  ipc_channel_t* channel = (ipc_channel_t*) stream;
  ipc__hub_t* hub = channel->hub;

  ipc__hub_enter(hub);
  channel->write_busy = 0;
  channel->has_made_room = 1;
  if (channel->stream_state == IPC__STREAM_OPEN) {
    if (bytes > 0) written(channel, bytes);
    if (status != 0) write_failed(channel, status);
  }
  ipc__hub_due(hub, channel);
  ipc__hub_leave(hub);
}
