/* Sending: from the user's call into the queue, from the queue to the system,
 * and back to the user's callback. No callback runs inside a send, and nothing
 * is written inside it unless a staging block is full. */
#include "channel.h"

/* A message up to this size is copied even where it could be borrowed: the copy
 * is cheaper than a buffer of its own in the system call. */
#define COPY_BYTES ((size_t) 8 << 10)

/* How much may travel ahead of the server's hello, and is kept until then. */
#define EARLY_BYTES ((size_t) 64 << 10)

/* When the system is out of buffers, try again after this. */
#define NO_BUFFERS_RETRY_MS 10

int ipc__channel_put_hello(ipc_channel_t* channel, ipc__verdict_t verdict) {
  uint8_t bytes[IPC__WIRE_HELLO_BYTES];
  ipc__hello_t hello;

  hello.version = IPC__WIRE_VERSION;
  hello.verdict = (uint8_t) verdict;
  hello.features = 0;
  hello.max_message_bytes = (uint32_t) channel->hub->settings.max_message_bytes;
  ipc__wire_put_hello(bytes, &hello);
  return ipc__queue_put(channel->hub, &channel->queue, bytes, sizeof(bytes),
                        NULL, 0, 0, NULL);
}

int ipc__channel_put_control(ipc_channel_t* channel,
                             uint8_t kind,
                             const uint8_t* payload,
                             size_t size) {
  uint8_t header[IPC__WIRE_HEADER_BYTES];
  int err;

  ipc__wire_put_header(header, kind, (uint32_t) size);
  err = ipc__queue_put(channel->hub, &channel->queue, header, sizeof(header),
                       payload, size, 0, NULL);
  if (err == 0) ipc__hub_due(channel->hub, channel);
  return err;
}

/* ---- From the user ------------------------------------------------------ */

int ipc__channel_may_send(const ipc_channel_t* channel) {
  return channel->state < IPC__CLOSING && channel->error == 0 &&
         !channel->close_due && !channel->fin_queued;
}

static int check_send(ipc_channel_t* channel, const void* data, size_t size) {
  const ipc__settings_t* settings = &channel->hub->settings;
  size_t queued = ipc__queue_bytes(&channel->queue);

  if (data == NULL && size > 0) return UV_EINVAL;
  if (!ipc__channel_may_send(channel)) return UV_EPIPE;
  if (ipc__channel_is_native(channel)) {
    if (size > settings->max_message_bytes) return UV_EMSGSIZE;
    if (channel->peer_max_bytes != 0 && size > channel->peer_max_bytes) {
      return UV_EMSGSIZE;
    }
  } else if (size == 0) {
    return UV_EINVAL;
  }
  if (channel->queue.records.count > 0 &&
      (queued >= settings->max_queue_bytes ||
       size > settings->max_queue_bytes - queued)) {
    channel->wants_drain = 1;
    return UV_EAGAIN;
  }
  return 0;
}

static int send_message(ipc_channel_t* channel,
                        const void* data,
                        size_t size,
                        int borrow,
                        ipc_send_cb cb,
                        void* arg) {
  uint8_t header[IPC__WIRE_HEADER_BYTES];
  size_t header_size = 0;
  ipc__record_t record;
  int err;

  if (channel == NULL) return UV_EINVAL;
  err = check_send(channel, data, size);
  if (err != 0) return err;

  if (ipc__channel_is_native(channel)) {
    header_size = sizeof(header);
    ipc__wire_put_header(header, IPC__WIRE_MESSAGE, (uint32_t) size);
  }
  record.cb = cb;
  record.arg = arg;
  record.end = 0;
  err = ipc__queue_put(channel->hub, &channel->queue, header, header_size, data,
                       size, borrow && size > COPY_BYTES, &record);
  if (err != 0) return err;
  if (channel->peer_max_bytes == 0 && size > channel->largest_early) {
    channel->largest_early = size;
  }

  /* Small messages gather in one staging block; what fills it must go. */
  if (ipc__queue_bytes(&channel->queue) >= IPC__QUEUE_BLOCK_BYTES) {
    ipc__channel_write(channel);
  }
  ipc__hub_due(channel->hub, channel);
  return 0;
}

int ipc_channel_send(ipc_channel_t* channel,
                     const void* data,
                     size_t size,
                     ipc_send_cb cb,
                     void* arg) {
  return send_message(channel, data, size, 1, cb, arg);
}

int ipc_channel_send_copy(ipc_channel_t* channel,
                          const void* data,
                          size_t size,
                          ipc_send_cb cb,
                          void* arg) {
  return send_message(channel, data, size, 0, cb, arg);
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

static void written(ipc_channel_t* channel, size_t bytes) {
  channel->bytes_sent += bytes;
  ipc__channel_touch(channel);
  if (is_early(channel)) {
    channel->early += bytes;
  } else {
    ipc__queue_release(channel->hub, &channel->queue, bytes);
  }
}

/* No send can succeed from here on. What the peer sent before it left can still
 * be read, so the channel isn't broken until the end of that. */
static void write_failed(ipc_channel_t* channel, int status) {
  channel->write_off = 1;
  /* Ahead of the hello only this attempt has failed; reading tells how. */
  if (!is_early(channel) && channel->error == 0) channel->error = status;
  ipc__hub_due(channel->hub, channel);
}

void ipc__channel_write(ipc_channel_t* channel) {
  uv_buf_t buffers[IPC__STREAM_WRITE_BUFFERS];
  unsigned int count;
  ssize_t result;
  size_t limit;

  if (channel->stream_state != IPC__STREAM_OPEN) return;
  while (!channel->write_busy && !channel->write_off) {
    limit = is_early(channel) ? EARLY_BYTES - channel->early : SIZE_MAX;
    count = ipc__queue_gather(&channel->queue, channel->early, limit, buffers,
                              IPC__STREAM_WRITE_BUFFERS);
    if (count == 0) return;
    result = ipc__stream_write(&channel->stream, buffers, count);
    if (result > 0) {
      written(channel, (size_t) result);
    } else if (result == UV_EAGAIN) {
      channel->write_busy = 1;
    } else if (result == UV_ENOBUFS || result == UV_ENOMEM) {
      ipc__hub_set_deadline(channel->hub, &channel->retry, NO_BUFFERS_RETRY_MS,
                            1, ipc__channel_on_retry);
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
  if (channel->stream_state == IPC__STREAM_OPEN) {
    if (bytes > 0) written(channel, bytes);
    if (status != 0) write_failed(channel, status);
  }
  ipc__hub_due(hub, channel);
  ipc__hub_leave(hub);
}

/* ---- Back to the user --------------------------------------------------- */

/* Whether what is queued will never be sent. Memory that a write under way
 * still reads from is not given back before that write is over. */
static int is_hopeless(const ipc_channel_t* channel) {
  if (channel->write_busy) return 0;
  return channel->error != 0 || channel->state == IPC__DEAD ||
         channel->state == IPC__DESTROYING;
}

static void call_back(ipc_channel_t* channel,
                      const ipc__record_t* record,
                      int status) {
  if (status == 0) {
    channel->sent++;
  } else {
    channel->unsent++;
  }
  if (record->cb != NULL) record->cb(channel, record->arg, status);
}

void ipc__channel_complete_sends(ipc_channel_t* channel) {
  ipc__record_t record;
  int status;

  while (ipc__queue_pop(channel->hub, &channel->queue, 0, &record)) {
    call_back(channel, &record, 0);
  }
  if (!is_hopeless(channel)) return;
  /* A record is complete at the byte where it ends, so they go first. */
  status = channel->error != 0 ? channel->error : UV_ECANCELED;
  while (ipc__queue_pop(channel->hub, &channel->queue, 1, &record)) {
    call_back(channel, &record, status);
  }
  ipc__queue_drop(channel->hub, &channel->queue);
}
