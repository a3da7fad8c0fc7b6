/* The hello of the native framing: what each side says first, and what follows
 * from the other side's. */
#include "channel.h"

/* Something that isn't our framing, or not our version of it. */
static int reject(ipc_channel_t* channel, int status) {
  if (channel->is_server) {
    ipc__server_handshake_failed(channel);
  } else {
    channel->client->last_attempt = status;
    ipc__client_failed(channel, status);
  }
  return -1;
}

static int told_no(ipc_channel_t* channel, int verdict) {
  switch (verdict) {
    case IPC__VERDICT_BUSY:
      ipc__client_attempt_failed(channel, UV_EBUSY);
      return -1;
    case IPC__VERDICT_DENIED:
      return reject(channel, UV_EACCES);
    case IPC__VERDICT_VERSION:
      return reject(channel, UV_EPROTONOSUPPORT);
    case IPC__VERDICT_NONE: /* another client, or our own hello come back */
      return reject(channel, UV_EPROTO);
    default:
      return reject(channel, UV_ECONNREFUSED);
  }
}

/* The server has taken the connection: what was written ahead is sent for good,
 * and the rest may follow. */
static int told_yes(ipc_channel_t* channel) {
  size_t early = channel->traffic->early;

  if (channel->largest_early > channel->peer_max_bytes) {
    return reject(channel, UV_EMSGSIZE);
  }
  if (channel->called_early && !(channel->peer_features & IPC__FEATURE_CALLS)) {
    return reject(channel, UV_EPROTONOSUPPORT);
  }
  channel->traffic->early = 0;
  ipc__channel_opened(channel);
  ipc__queue_release(channel->hub, &channel->traffic->queue, early);
  ipc__client_succeeded(channel);
  return 0;
}

/* Whether the client asks for no more than the server gives. */
static int access_fits(const ipc_channel_t* channel, uint16_t features) {
  int asked = features & IPC__FEATURE_ONE_WAY;

  switch (channel->hub->settings.access) {
    case IPC_CHANNEL_ACCESS_INBOUND:
      return asked == IPC__FEATURE_NO_RECEIVE;
    case IPC_CHANNEL_ACCESS_OUTBOUND:
      return asked == IPC__FEATURE_NO_SEND;
    default:
      return asked != IPC__FEATURE_ONE_WAY;
  }
}

/* Where there is no name there are no roles: the other end may be a client. */
static int is_client(const ipc_channel_t* channel, const ipc__hello_t* hello) {
  return channel->client->is_nameless && hello->verdict == IPC__VERDICT_NONE;
}

int ipc__channel_greet(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;
  ipc__hello_t hello;

  if (!ipc__wire_may_be_hello(hub->window.data, hub->window.size)) {
    return reject(channel, UV_EPROTO);
  }
  if (hub->window.size < IPC__WIRE_HELLO_BYTES) return 0;
  ipc__wire_get_hello(hub->window.data, &hello);
  /* Callbacks see what is behind it. */
  hub->window.data += IPC__WIRE_HELLO_BYTES;
  hub->window.size -= IPC__WIRE_HELLO_BYTES;
  if (hello.version != IPC__WIRE_VERSION) {
    if (!channel->is_server) return reject(channel, UV_EPROTONOSUPPORT);
    ipc__server_refuse(channel, IPC__VERDICT_VERSION);
    return -1;
  }
  if (hello.max_message_bytes == 0) return reject(channel, UV_EPROTO);
  channel->peer_max_bytes = hello.max_message_bytes;
  channel->peer_features = hello.features;
  channel->peer_heartbeat_ms = hello.heartbeat_ms;
  if (channel->is_server) {
    if (!access_fits(channel, hello.features)) {
      ipc__server_refuse(channel, IPC__VERDICT_DENIED);
      return -1;
    }
    ipc__server_greeted(channel);
    return 0;
  }
  if (hello.verdict != IPC__VERDICT_ACCEPTED && !is_client(channel, &hello)) {
    return told_no(channel, hello.verdict);
  }
  return told_yes(channel);
}
