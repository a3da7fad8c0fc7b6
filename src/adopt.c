/* Channels without a name: out of a pair, or of a handle that somebody else has
 * made, and the way back to a handle; and such handles that a supervisor has
 * passed on. */
#include "channel.h"
#include "poster.h"

/* Whether a channel with these settings can live on the handle. A FIFO that is
 * open for both is connected with itself. */
static int check_handle(const ipc__settings_t* settings,
                        uv_os_fd_t handle,
                        ipc_transport_t* transport) {
  ipc__handle_info_t info;
  int err;

  err = ipc__handle_inspect(handle, &info);
  if (err != 0) return err;
  *transport = info.transport;
  if (info.is_packet != ipc__settings_have_packets(settings)) {
    return UV_EPROTOTYPE;
  }
  switch (ipc__stream_access(settings)) {
    case IPC_CHANNEL_ACCESS_INBOUND:
      return info.can_read ? 0 : UV_EACCES;
    case IPC_CHANNEL_ACCESS_OUTBOUND:
      return info.can_write ? 0 : UV_EACCES;
    default:
      if (info.transport == IPC_CHANNEL_TRANSPORT_PIPE) return UV_EACCES;
      if (info.is_serial) return UV_EACCES; /* a write would wait for a read */
      return info.can_read && info.can_write ? 0 : UV_EACCES;
  }
}

int ipc__adopt(uv_loop_t* loop,
               const ipc_channel_options_t* options,
               const char* os_name,
               uv_os_fd_t handle,
               ipc_channel_t** out) {
  const ipc__channel_options_t* o = ipc__channel_options(options);
  ipc_transport_t transport;
  ipc_channel_t* channel;
  int err;

  if (o == NULL) return UV_EINVAL;
  if (o->base.error != 0) return o->base.error;
  err = check_handle(&o->base.channel, handle, &transport);
  if (err != 0) return err;
  err = ipc__client_create(loop, &o->base.channel, os_name,
                           IPC__VERDICT_ACCEPTED, &channel);
  if (err != 0) return err;
  channel->client->on_connect = o->on_connect;
  channel->client->is_nameless = 1;
  channel->client->transport = transport;
  channel->client->handle = handle;
  channel->client->has_handle = 1;
  channel->client->connect_timeout_ms = o->connect_timeout_ms;
  *out = channel;
  return 0;
}

int ipc_channel_open(uv_loop_t* loop,
                     const ipc_channel_options_t* options,
                     uv_os_fd_t handle,
                     void* data,
                     ipc_channel_t** channel) {
  int err;

  if (channel == NULL) return UV_EINVAL;
  *channel = NULL;
  err = ipc__adopt(loop, options, IPC__NAMELESS, handle, channel);
  if (err == 0) ipc__client_begin(*channel, data);
  return err;
}

/* Whether bytes would be left behind with the channel. */
static int holds_bytes(const ipc_channel_t* channel) {
  const ipc__hub_t* hub = channel->hub;

  if (channel->traffic->queue.records.count > 0 || channel->write_busy)
    return 1;
  if (channel->shutdown_due || ipc__posters_hold(channel)) return 1;
  /* Its hello, and our end behind it. */
  if (channel->state == IPC__CONNECTING) return channel->fin_queued;
  if (hub->window.channel == channel && hub->window.size > 0) return 1;
  return ipc__queue_bytes(&channel->traffic->queue) > 0 ||
         channel->traffic->kept.size > 0;
}

int ipc_channel_release(ipc_channel_t* channel, uv_os_fd_t* handle) {
  ipc__client_t* client;
  int err;

  if (channel == NULL || handle == NULL) return UV_EINVAL;
  client = channel->client;
  if (channel->close_due) return UV_ENOTCONN;
  if (channel->state == IPC__GREETING) return UV_EBUSY;
  if (channel->state == IPC__CONNECTING && client->has_handle) {
    if (holds_bytes(channel)) return UV_EBUSY;
    *handle = client->handle;
    client->has_handle = 0;
  } else if (channel->state == IPC__OPEN && !channel->read_ended) {
    if (holds_bytes(channel)) return UV_EBUSY;
    err = ipc__stream_duplicate(&channel->stream, handle);
    if (err != 0) return err;
  } else {
    return UV_ENOTCONN;
  }
  return ipc_channel_disconnect(channel);
}

/* ---- Pairs -------------------------------------------------------------- */

int ipc_pair_create(unsigned int flags,
                    size_t buffer_bytes,
                    uv_os_fd_t ends[2]) {
  const unsigned int known = IPC_PAIR_ONE_WAY | IPC_PAIR_INHERITABLE_0 |
                             IPC_PAIR_INHERITABLE_1 | IPC_PAIR_BLOCKING_0 |
                             IPC_PAIR_BLOCKING_1 | IPC_PAIR_PACKET;

  if (ends == NULL || (flags & ~known) != 0) return UV_EINVAL;
  if (flags & IPC_PAIR_PACKET) {
    if (flags & IPC_PAIR_ONE_WAY) return UV_EINVAL;
    if (!IPC__HAS_PACKETS) return UV_ENOTSUP;
  }
  return ipc__pair_create(flags, buffer_bytes, ends);
}

int ipc_channel_pair(uv_loop_t* loop,
                     const ipc_channel_options_t* const options[2],
                     void* const data[2],
                     ipc_channel_t* channels[2]) {
  unsigned int flags = IPC_PAIR_DUPLEX;
  const ipc__channel_options_t* o;
  ipc_channel_t* first;
  ipc_channel_t* second;
  ipc__loop_t* own_loop;
  uv_os_fd_t ends[2];
  int err;

  if (options == NULL || channels == NULL) return UV_EINVAL;
  channels[0] = channels[1] = NULL;
  o = ipc__channel_options(options[0]);
  if (o == NULL) return UV_EINVAL;
  if (ipc__settings_have_packets(&o->base.channel)) flags = IPC_PAIR_PACKET;
  err = ipc_pair_create(flags, 0, ends);
  if (err != 0) return err;
  err = ipc__adopt(loop, options[0], IPC__NAMELESS, ends[0], &first);
  if (err != 0) goto fail_ends;
  own_loop = first->hub->own_loop;
  err = ipc__adopt(own_loop == NULL ? loop : &own_loop->uv, options[1],
                   IPC__NAMELESS, ends[1], &second);
  if (err != 0) goto fail_first;
  second->hub->own_loop = own_loop;
  ipc__client_begin(first, data == NULL ? NULL : data[0]);
  ipc__client_begin(second, data == NULL ? NULL : data[1]);
  channels[0] = first;
  channels[1] = second;
  return 0;

fail_first:
  ipc__client_abandon(first);
  ipc__handle_close(ends[1]);
  return err;
fail_ends:
  ipc__handle_close(ends[0]);
  ipc__handle_close(ends[1]);
  return err;
}

/* ---- Activation --------------------------------------------------------- */

int ipc_activation_handles(const char* name,
                           uv_os_fd_t* handles,
                           size_t* count) {
  if (count == NULL) return UV_EINVAL;
  if (handles == NULL && *count > 0) {
    *count = 0;
    return UV_EINVAL;
  }
  return ipc__activation_handles(name, handles, count);
}
