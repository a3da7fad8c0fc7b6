/* Connecting: find the server, wait for it where the options say so, verify who
 * it is, and greet it, all under one deadline. There is no client object: the
 * channel is handed out at once and connects by itself. */
#include <string.h>

#include "alloc.h"
#include "backoff.h"
#include "channel.h"

/* A server that says "come back" is asked less and less often, down to an
 * eighth, since each time costs it an accept. */
#define MAX_PATIENCE 8u

static void on_connect_deadline(ipc__deadline_t* deadline) {
  ipc_channel_t* channel = ipc__channel_of_deadline(deadline);

  if (channel->client->is_reconnecting && !channel->close_due) {
    ipc__client_attempt_failed(channel, UV_ETIMEDOUT);
  } else {
    ipc__client_failed(channel, UV_ETIMEDOUT);
  }
}

void ipc__client_hurry(ipc_channel_t* channel, int timeout_ms) {
  ipc__hub_t* hub = channel->hub;
  uint64_t at = channel->deadline.at; /* 0: none */

  if (timeout_ms == IPC_CHANNEL_INFINITE) return;
  if (at != 0 && at <= uv_now(hub->loop) + (uint64_t) timeout_ms) return;
  ipc__hub_set_deadline(hub, &channel->deadline, timeout_ms, 1,
                        on_connect_deadline);
}

static void on_retry(ipc__deadline_t* deadline) {
  ipc__client_t* client =
      (ipc__client_t*) ((char*) deadline - offsetof(ipc__client_t, retry));

  client->attempt_due = 1;
  ipc__hub_due(client->channel->hub, client->channel);
}

void ipc__client_wait_to_retry(ipc_channel_t* channel) {
  ipc__client_t* client = channel->client;
  int ms;

  if (client->is_reconnecting) {
    ms = ipc__backoff_next(&client->backoff_ms, client->reconnect_max_ms,
                           &client->random);
  } else {
    ms = ipc__backoff_vary(
        (int64_t) client->retry_interval_ms * (int64_t) client->patience,
        &client->random);
  }
  ipc__hub_set_deadline(channel->hub, &client->retry, ms, 1, on_retry);
}

/* What another attempt to replace a connection won't change. */
static int is_final(int status) {
  switch (status) {
    case UV_EACCES:
    case UV_EPROTO:
    case UV_EPROTONOSUPPORT:
    case UV_EMSGSIZE:
    case UV_ENOTSOCK:
    case UV_ECANCELED:
      return 1;
    default:
      return 0;
  }
}

static int may_retry(const ipc_channel_t* channel, int status) {
  const ipc__client_t* client = channel->client;

  if (client->is_reconnecting) return !is_final(status);
  switch (status) {
    case UV_EBUSY:
      /* The server itself said so, or the system. */
      return channel->stream_state != IPC__STREAM_NONE
                 ? client->wait_for_instance
                 : client->wait_for_backlog;
    case UV_ENOENT:
    case UV_ECONNREFUSED: /* it was there, and went before it had greeted */
      return client->wait_for_server;
    default:
      return 0;
  }
}

void ipc__client_attempt_failed(ipc_channel_t* channel, int status) {
  ipc__client_t* client = channel->client;

  client->last_attempt = status;
  if (!may_retry(channel, status)) {
    ipc__client_failed(channel, status);
    return;
  }
  if (client->is_reconnecting && !channel->close_due) {
    ipc__hub_clear_deadline(channel->hub, &channel->deadline);
  }
  if (channel->stream_state == IPC__STREAM_NONE) {
    client->patience = 1;
    ipc__client_wait_to_retry(channel);
    return;
  }
  /* Told so by the server itself; what was written goes with the next try. */
  if (client->patience < MAX_PATIENCE) client->patience *= 2;
  channel->state = IPC__CONNECTING;
  channel->traffic->early = 0; /* its hello is there */
  ipc__channel_drop_kept(channel);
  ipc__channel_close_stream(channel);
}

/* Whether the right user runs the server. */
static int verify_server(const ipc__client_t* client, uv_os_fd_t handle) {
  ipc_peer_t peer;
  int err;

  if (client->server_user == NULL &&
      client->server_peers == IPC_CHANNEL_PEERS_ANYBODY) {
    return 0;
  }
  memset(&peer, 0, sizeof(peer));
  err = ipc__peer_get(handle, 1, &peer);
  if (err != 0) return UV_EACCES;
  if (client->server_user != NULL) {
    return strcmp(client->server_user, peer.user) == 0 ? 0 : UV_EACCES;
  }
  if (ipc__peer_is_me(&peer) || ipc__peer_is_system(&peer)) return 0;
  return UV_EACCES;
}

static int connect_once(ipc_channel_t* channel, uv_os_fd_t* handle) {
  const ipc__settings_t* settings = &channel->hub->settings;
  ipc__connect_config_t config;
  int err;

  if (channel->client->has_handle) {
    channel->client->has_handle = 0;
    *handle = channel->client->handle;
    return 0;
  }
  config.os_name = channel->hub->os_name;
  config.place = channel->client->place;
  config.in_bytes = settings->in_bytes;
  config.out_bytes = settings->out_bytes;
  config.impersonation = channel->client->impersonation;
  config.access = ipc__stream_access(settings);
  config.is_packet = ipc__channel_is_packet(channel);
  err = ipc__connect(&config, handle);
  if (err != 0) return err;
  err = verify_server(channel->client, *handle);
  if (err != 0) ipc__handle_close(*handle);
  return err;
}

static void tell_connected(ipc_channel_t* channel) {
  ipc_connect_cb on_connect = channel->client->on_connect;
  ipc__follower_t* follower = channel->follower;

  channel->connect_told = 1;
  if (on_connect != NULL) on_connect(channel, 0);
  if (follower == NULL || follower->on_open == NULL) return;
  if (channel->state == IPC__OPEN && !channel->close_due) {
    follower->on_open(follower);
  }
}

void ipc__client_succeeded(ipc_channel_t* channel) {
  ipc__client_t* client = channel->client;

  if (client->is_reconnecting) {
    client->is_reconnecting = 0;
    client->reconnects++;
  }
  client->backoff_ms = client->reconnect_first_ms;
  ipc__channel_tell_state(channel);
  if (!channel->connect_told) tell_connected(channel);
  if (!channel->close_due) return;
  if (channel->state == IPC__OPEN) {
    ipc__channel_begin_close(channel);
  } else if (channel->state == IPC__DEAD) { /* on_connect has disconnected */
    ipc__channel_destroy(channel, channel->error);
  }
}

void ipc__client_attempt(ipc_channel_t* channel) {
  ipc__client_t* client = channel->client;
  uv_os_fd_t handle;
  int err;

  if (!client->attempt_due) return;
  client->attempt_due = 0;
  client->attempts++;
  if (client->is_reconnecting && !channel->close_due) {
    ipc__hub_set_deadline(channel->hub, &channel->deadline,
                          client->connect_timeout_ms, 1, on_connect_deadline);
  }
  err = connect_once(channel, &handle);
  if (err != 0) {
    ipc__client_attempt_failed(channel, err);
    return;
  }
  client->last_attempt = 0;
  err = ipc__channel_adopt(channel, handle);
  if (err != 0) {
    client->last_attempt = err;
    if (client->is_reconnecting && !is_final(err)) {
      ipc__client_attempt_failed(channel, err);
    } else {
      ipc__client_failed(channel, err);
    }
  } else if (ipc__channel_is_native(channel)) {
    channel->state = IPC__GREETING;
  } else if (ipc__channel_is_packet(channel) &&
             channel->largest_early > channel->peer_max_bytes) {
    ipc__client_failed(channel, UV_EMSGSIZE);
  } else {
    /* A raw connection is made when the system says so. */
    ipc__channel_opened(channel);
    ipc__client_succeeded(channel);
  }
}

/* ---- Another connection ------------------------------------------------- */

int ipc__client_reconnects(const ipc_channel_t* channel) {
  return channel->client != NULL && channel->client->reconnect_first_ms > 0 &&
         channel->state < IPC__CLOSING && !channel->fin_queued &&
         !channel->close_due;
}

int ipc__client_lost(ipc_channel_t* channel, int status) {
  ipc__client_t* client = channel->client;

  if (!ipc__client_reconnects(channel) || is_final(status)) return 0;
  if (status == UV_ENOBUFS) return 0; /* our own slow-reader policy */
  client->lost_status = channel->fin_received ? 0 : status;
  ipc__channel_fail_calls_under_way(channel,
                                    channel->fin_received ? UV_EOF : status);
  client->lost_at = ipc__channel_written_to(channel);
  client->restart_due = 1;
  client->is_reconnecting = 1;
  /* What it has asked can't be answered any more. */
  channel->connection = ++channel->hub->last_connection;
  channel->state = IPC__CONNECTING;
  ipc__channel_drop_kept(channel);
  channel->is_holding = 0;
  channel->end_due = 0;
  channel->peer_heartbeat_ms = 0;
  channel->peer_max_bytes = 0;
  ipc__hub_clear_deadline(channel->hub, &channel->deadline);
  ipc__channel_serve_no_more(channel);
  ipc__channel_close_stream(channel);
  ipc__hub_due(channel->hub, channel);
  return 1;
}

void ipc__client_turn_over(ipc_channel_t* channel) {
  if (channel->state != IPC__OPEN || !channel->fin_received) return;
  if (!ipc__client_reconnects(channel) || channel->is_holding) return;
  if (channel->traffic->fin_ack_end > channel->traffic->queue.released) return;
  if (ipc__stream_has_unread(&channel->stream)) {
    ipc__channel_serve_again(channel, IPC__UNREAD_POLL_MS);
    return;
  }
  ipc__client_lost(channel, UV_EOF);
}

/* Makes the queue what the next connection is to begin with. */
static int restart_queue(ipc_channel_t* channel) {
  ipc__traffic_t* traffic = ipc__channel_own_traffic(channel);
  ipc__client_t* client = channel->client;
  uint8_t hello[IPC__WIRE_HELLO_BYTES];
  size_t size = 0;
  int status = client->lost_status;
  uint32_t i;

  /* The code that a deadline has is not for a send that broke. */
  if (status == 0 || status == UV_ETIMEDOUT) status = UV_ECONNRESET;
  if (ipc__channel_is_native(channel)) {
    ipc__channel_make_hello(channel, IPC__VERDICT_NONE, hello);
    size = sizeof(hello);
  }
  if (traffic == NULL) return UV_ENOMEM;
  client->sent_before = channel->sent;
  client->received_before = channel->received;
  client->confirmed_before = channel->confirmed;
  channel->fin_received = 0;
  traffic->early = 0;
  traffic->pong_end = 0;
  traffic->fin_ack_end = 0;
  channel->called_early =
      channel->pulls != NULL && channel->pulls->calls.first != NULL;
  channel->largest_early = 0;
  if (ipc__queue_restart(channel->hub, &traffic->queue, client->lost_at, hello,
                         size, status) != 0) {
    return UV_ENOMEM;
  }
  /* Our end came after the loss, and the end of the old queue went with it. */
  if (channel->fin_queued && ipc__channel_is_native(channel) &&
      ipc__channel_put_control(channel, IPC__WIRE_FIN, NULL, 0) != 0) {
    return UV_ENOMEM;
  }
  for (i = 0; i < traffic->queue.records.count; i++) {
    const ipc__record_t* record = ipc__queue_record(&traffic->queue, i);

    if (record->end <= traffic->queue.released) {
      client->sent_before++; /* its callback is due */
    } else if (record->size - record->head - record->tail >
               channel->largest_early) {
      channel->largest_early = record->size - record->head - record->tail;
    }
  }
  return 0;
}

void ipc__client_stream_closed(ipc_channel_t* channel) {
  if (channel->client->restart_due) {
    channel->client->restart_due = 0;
    if (restart_queue(channel) != 0) {
      ipc__client_failed(channel, UV_ENOMEM);
      return;
    }
  }
  ipc__client_wait_to_retry(channel);
}

void ipc__client_release(ipc_channel_t* channel) {
  const ipc_allocator_t* allocator = &channel->hub->settings.allocator;

  if (channel->client->has_handle) ipc__handle_close(channel->client->handle);
  if (channel->client->has_keeper) ipc__handle_close(channel->client->keeper);
  ipc__free(allocator, channel->client->server_user);
  ipc__free(allocator, channel->client);
}

/* ---- Birth -------------------------------------------------------------- */

int ipc__client_create(uv_loop_t* loop,
                       const ipc__settings_t* settings,
                       const char* os_name,
                       ipc__verdict_t verdict,
                       ipc_channel_t** out) {
  ipc_channel_t* channel;
  ipc__hub_t* hub;
  int err;

  err = ipc__hub_create(loop, settings, os_name, &hub);
  if (err != 0) return err;
  channel = ipc__channel_create(hub);
  if (channel == NULL) goto fail_hub;
  channel->client = ipc__calloc(&settings->allocator, sizeof(*channel->client));
  if (channel->client == NULL) goto fail_channel;
  channel->client->channel = channel;
  if (ipc__channel_is_native(channel) &&
      ipc__channel_put_hello(channel, verdict) != 0) {
    goto fail_client;
  }
  ipc__hub_unref(hub); /* the channel holds it now */
  channel->state = IPC__CONNECTING;
  *out = channel;
  return 0;

fail_client:
  ipc__channel_drop_traffic(channel);
  ipc__client_release(channel);
fail_channel:
  ipc__free(&hub->settings.allocator, channel);
  ipc__hub_unref(hub);
fail_hub:
  ipc__hub_abandon(hub);
  return UV_ENOMEM;
}

void ipc__client_abandon(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;

  ipc__channel_drop_traffic(channel);
  ipc__client_release(channel);
  ipc__free(&hub->settings.allocator, channel);
  ipc__hub_abandon(hub);
}

void ipc__client_begin(ipc_channel_t* channel, void* data) {
  channel->client->attempt_due = 1;
  channel->client->patience = 1;
  channel->is_surfaced = 1;
  ipc__loop_hold(channel->hub->own_loop);
  channel->data = data;
  ipc__hub_set_deadline(channel->hub, &channel->deadline,
                        channel->client->connect_timeout_ms, 1,
                        on_connect_deadline);
  ipc__hub_due(channel->hub, channel);
}

/* UV_ENOMEM. */
static int take_options(ipc_channel_t* channel,
                        const ipc__client_options_t* o) {
  const ipc_allocator_t* allocator = &channel->hub->settings.allocator;
  ipc__client_t* client = channel->client;

  if (o->server_user != NULL) {
    client->server_user = ipc__strdup(allocator, o->server_user);
    if (client->server_user == NULL) return UV_ENOMEM;
  }
  client->on_connect = o->on_connect;
  client->server_peers = o->server_peers;
  client->impersonation = o->impersonation;
  client->wait_for_server = o->wait_for_server;
  client->wait_for_instance = o->wait_for_instance;
  client->wait_for_backlog = o->wait_for_backlog;
  client->reconnect_first_ms = o->reconnect_first_ms;
  client->reconnect_max_ms = o->reconnect_max_ms;
  client->backoff_ms = o->reconnect_first_ms;
  client->connect_timeout_ms = o->connect_timeout_ms;
  client->retry_interval_ms = o->retry_interval_ms;
  client->place = ipc__name_place(o->base.name);
  client->random = ipc__backoff_seed(client);
  return 0;
}

int ipc_client_connect(uv_loop_t* loop,
                       const ipc_client_options_t* options,
                       void* data,
                       ipc_channel_t** out) {
  const ipc__client_options_t* o = ipc__client_options(options);
  ipc_name_info_t name;
  ipc_channel_t* channel;
  int err;

  if (o == NULL || out == NULL) return UV_EINVAL;
  *out = NULL;
  if (o->base.error != 0) return o->base.error;
  err = ipc_name_resolve(o->base.name, &name);
  if (err != 0) return err;
  err = ipc__client_create(loop, &o->base.channel, name.os_name,
                           IPC__VERDICT_NONE, &channel);
  if (err != 0) return err;
  err = take_options(channel, o);
  if (err != 0) {
    ipc__client_abandon(channel);
    return err;
  }
  ipc__client_begin(channel, data);
  *out = channel;
  return 0;
}
