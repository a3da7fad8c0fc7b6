/* Facts about a channel. */
#include <string.h>

#include "channel.h"
#include "server.h"

void* ipc_channel_data(const ipc_channel_t* channel) {
  return channel == NULL ? NULL : channel->data;
}

void ipc_channel_set_data(ipc_channel_t* channel, void* data) {
  if (channel != NULL) channel->data = data;
}

ipc_server_t* ipc_channel_server(const ipc_channel_t* channel) {
  return channel == NULL ? NULL : channel->server;
}

uv_loop_t* ipc_channel_loop(const ipc_channel_t* channel) {
  if (channel == NULL || channel->hub->own_loop != NULL) return NULL;
  return channel->hub->loop;
}

static int has_stream(const ipc_channel_t* channel) {
  return channel->stream_state == IPC__STREAM_OPEN;
}

/* What the peer doesn't do is not to be had. */
static ipc_access_t effective_access(const ipc_channel_t* channel) {
  if (!ipc__channel_can_send(channel)) return IPC_CHANNEL_ACCESS_INBOUND;
  if (!ipc__channel_can_receive(channel)) return IPC_CHANNEL_ACCESS_OUTBOUND;
  return IPC_CHANNEL_ACCESS_DUPLEX;
}

ipc_transport_t ipc__channel_transport(const ipc_channel_t* channel) {
  if (channel->client != NULL && channel->client->is_nameless) {
    return channel->client->transport;
  }
  return ipc__channel_is_packet(channel) ? IPC__PACKET_TRANSPORT
                                         : IPC__TRANSPORT;
}

int ipc_channel_info(const ipc_channel_t* channel, ipc_channel_info_t* info) {
  if (channel == NULL || info == NULL) return UV_EINVAL;
  memset(info, 0, sizeof(*info));
  info->os_name = channel->hub->os_name;
  info->transport = ipc__channel_transport(channel);
  info->framing = channel->hub->settings.format.framing;
  info->access = effective_access(channel);
  info->state = ipc__channel_public_state(channel);
  info->is_server = channel->is_server;
  info->is_connected =
      channel->state == IPC__OPEN && !channel->close_due && !channel->write_off;
  if (channel->client != NULL) {
    info->last_attempt = channel->client->last_attempt;
  }
  if (has_stream(channel)) {
    ipc__stream_buffer_sizes((ipc__stream_t*) &channel->stream,
                             &info->in_buffer_bytes, &info->out_buffer_bytes);
  }
  if (ipc__channel_has_messages(channel)) {
    info->max_message_bytes = channel->hub->settings.max_message_bytes;
    info->peer_max_message_bytes = channel->peer_max_bytes;
  }
  if (channel->server != NULL) {
    info->max_instances = channel->server->max_instances;
  }
  return 0;
}

int ipc_channel_peer(const ipc_channel_t* channel, ipc_peer_t* peer) {
  if (channel == NULL || peer == NULL) return UV_EINVAL;
  memset(peer, 0, sizeof(*peer));
  if (!has_stream(channel)) return UV_ENOTCONN;
  return ipc__stream_peer(&channel->stream, !channel->is_server, peer);
}

int ipc_channel_handle(const ipc_channel_t* channel, uv_os_fd_t* handle) {
  if (channel == NULL || handle == NULL) return UV_EINVAL;
  if (!has_stream(channel)) return UV_ENOTCONN;
  *handle = ipc__stream_handle(&channel->stream);
  return 0;
}

int ipc_channel_stats(const ipc_channel_t* channel,
                      ipc_channel_stats_t* stats) {
  if (channel == NULL || stats == NULL) return UV_EINVAL;
  memset(stats, 0, sizeof(*stats));
  stats->messages_received = channel->received;
  stats->messages_sent = channel->sent;
  stats->bytes_received = channel->bytes_received;
  stats->bytes_sent = channel->bytes_sent;
  stats->messages_queued = channel->traffic->queue.records.count;
  stats->bytes_queued = ipc__queue_bytes(&channel->traffic->queue);
  if (channel->read_ended) stats->bytes_cut = channel->traffic->kept.size;
  if (channel->client != NULL) {
    stats->connect_attempts = channel->client->attempts;
    stats->reconnects = channel->client->reconnects;
  }
  stats->messages_dropped = channel->dropped;
  if (channel->pulls != NULL) {
    stats->late_replies = channel->pulls->late_replies;
    stats->calls_pending = channel->pulls->calls_pending;
  }
  return 0;
}
