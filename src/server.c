/* Listening: which clients get in, how many, and what becomes of them until
 * their hello is good and they surface as channels. */
#include "server.h"

#include <string.h>

#include "alloc.h"

/* Clients that were told no are given time to read it, but so many at most: the
 * oldest has to go for the next. Nobody else waits for them. */
#define MAX_REFUSING 64u

static void finish(ipc_server_t* server) {
  ipc__hub_t* hub = server->hub;

  if (!server->is_closing || server->listener != NULL) return;
  if (server->channels != NULL || server->refused != NULL) return;
  ipc__server_end_accepts(server);
  if (server->on_close != NULL) server->on_close(server);
  ipc__loop_gone(hub->own_loop, server, NULL);
  hub->due_server = NULL;
  ipc__free(&hub->settings.allocator, server->group_id);
  ipc__free(&hub->settings.allocator, server);
  ipc__hub_unref(hub);
}

/* A raw server takes clients from the system only while there is a place for
 * them; a native one always has one to tell them no. */
void ipc__server_update_listening(ipc_server_t* server) {
  if (server->is_closing) return;
  if (server->hub->settings.format.framing != IPC_CHANNEL_FRAMING_NATIVE &&
      !ipc__server_has_room(server)) {
    ipc__listener_stop(server->listener);
  } else {
    ipc__listener_start(server->listener);
  }
}

static void link_channel(ipc_channel_t** list, ipc_channel_t* channel) {
  channel->previous = NULL;
  channel->next = *list;
  if (channel->next != NULL) channel->next->previous = channel;
  *list = channel;
}

static void unlink_channel(ipc_channel_t** list, ipc_channel_t* channel) {
  if (channel->previous != NULL) {
    channel->previous->next = channel->next;
  } else {
    *list = channel->next;
  }
  if (channel->next != NULL) channel->next->previous = channel->previous;
  channel->previous = channel->next = NULL;
}

static void add_channel(ipc_server_t* server, ipc_channel_t* channel) {
  channel->server = server;
  channel->is_server = 1;
  channel->data = server->data;
  link_channel(&server->channels, channel);
  server->instances++;
}

static void remove_channel(ipc_server_t* server, ipc_channel_t* channel) {
  ipc__server_vacate(channel);
  channel->server = NULL;
  if (channel->is_refused) {
    unlink_channel(&server->refused, channel);
    server->refusing--;
  } else {
    unlink_channel(&server->channels, channel);
    server->instances--;
    if (channel->is_dead_instance) server->dead_instances--;
    if (channel->is_waiting) server->waiting--;
    channel->is_dead_instance = channel->is_waiting = 0;
  }
}

void ipc__server_forget(ipc_channel_t* channel) {
  ipc_server_t* server = channel->server;

  remove_channel(server, channel);
  ipc__server_update_listening(server);
  finish(server);
}

/* ---- Greeting ----------------------------------------------------------- */

static void on_handshake_deadline(ipc__deadline_t* deadline) {
  ipc_channel_t* channel = ipc__channel_of_deadline(deadline);

  if (channel->state == IPC__GREETING) {
    ipc__server_handshake_failed(channel);
  } else {
    ipc__channel_destroy(channel, 0);
  }
}

static void set_handshake_deadline(ipc_channel_t* channel) {
  ipc__hub_set_deadline(channel->hub, &channel->deadline,
                        channel->server->handshake_timeout_ms, 0,
                        on_handshake_deadline);
}

void ipc__server_handshake_failed(ipc_channel_t* channel) {
  if (channel->state == IPC__GREETING && !channel->is_waiting) {
    channel->server->stats.handshake_errors++;
  }
  ipc__channel_destroy(channel, 0);
}

/* It has had its answer; what was written survives the close. */
static void drop_oldest_refused(ipc_server_t* server) {
  ipc_channel_t* channel = server->refused;
  ipc_channel_t* oldest = NULL;

  for (; channel != NULL; channel = channel->next) {
    if (channel->state == IPC__REFUSING) oldest = channel;
  }
  if (oldest != NULL) ipc__channel_destroy(oldest, 0);
}

/* Says no and waits until the client has gone, so that it can read why: a pipe
 * that is closed at once may take the answer with it. */
void ipc__server_refuse(ipc_channel_t* channel, ipc__verdict_t verdict) {
  ipc_server_t* server = channel->server;

  switch (verdict) {
    case IPC__VERDICT_BUSY:
      server->stats.refused_busy++;
      break;
    case IPC__VERDICT_DENIED:
      server->stats.refused_peer++;
      break;
    default:
      server->stats.handshake_errors++;
      break;
  }
  if (server->refusing >= MAX_REFUSING) drop_oldest_refused(server);
  unlink_channel(&server->channels, channel);
  server->instances--;
  channel->state = IPC__REFUSING;
  channel->is_refused = 1;
  link_channel(&server->refused, channel);
  server->refusing++;
  set_handshake_deadline(channel);
  if (ipc__channel_put_hello(channel, verdict) != 0) {
    ipc__channel_destroy(channel, 0);
  }
  ipc__hub_due(channel->hub, channel);
}

/* ---- Accepting ---------------------------------------------------------- */

/* Whether this client may in, before a byte of it has been read. */
static ipc__verdict_t judge(ipc_server_t* server, uv_os_fd_t handle) {
  ipc_peer_t peer;
  int err;

  memset(&peer, 0, sizeof(peer));
  err = ipc__peer_get(handle, 0, &peer);
  if (server->peers != IPC_CHANNEL_PEERS_ANYBODY) {
    if (err != 0) return IPC__VERDICT_DENIED;
    if (!ipc__peer_is_me(&peer) &&
        (server->group_id == NULL ||
         !ipc__peer_in_group(handle, &peer, server->group_id))) {
      return IPC__VERDICT_DENIED;
    }
  }
  if (server->on_admit != NULL && server->on_admit(server, &peer) != 0) {
    return IPC__VERDICT_DENIED;
  }
  return ipc__server_has_room(server) ? IPC__VERDICT_ACCEPTED
                                      : IPC__VERDICT_BUSY;
}

void ipc__server_report(ipc_server_t* server, int status) {
  server->stats.accept_errors++;
  if (server->on_error != NULL && !server->is_closing) {
    server->on_error(server, status);
  }
}

/* Gives a client that has passed, or is to be told why not, a channel. */
static void welcome(ipc_server_t* server,
                    uv_os_fd_t handle,
                    ipc__verdict_t verdict) {
  ipc_channel_t* channel;
  int err;

  channel = ipc__channel_create(server->hub);
  if (channel == NULL) {
    ipc__handle_close(handle);
    ipc__server_report(server, UV_ENOMEM);
    return;
  }
  add_channel(server, channel);
  channel->state = IPC__GREETING;
  err = ipc__channel_adopt(channel, handle);
  if (err != 0) {
    ipc__channel_destroy(channel, 0);
    ipc__server_report(server, err);
  } else if (!ipc__channel_is_native(channel)) {
    ipc__server_greeted(channel);
  } else if (verdict != IPC__VERDICT_ACCEPTED) {
    ipc__server_refuse(channel, verdict);
  } else {
    set_handshake_deadline(channel);
    /* A client speaks first and at once: most often it has already. */
    ipc__channel_read_now(channel);
  }
  ipc__hub_due(server->hub, channel);
}

static void on_accept(void* owner, uv_os_fd_t handle) {
  ipc_server_t* server = owner;
  ipc__hub_t* hub = server->hub;
  ipc__verdict_t verdict;

  ipc__hub_enter(hub);
  verdict = judge(server, handle);
  if (server->is_closing) { /* by on_admit */
    ipc__handle_close(handle);
  } else if (verdict == IPC__VERDICT_DENIED &&
             hub->settings.format.framing != IPC_CHANNEL_FRAMING_NATIVE) {
    server->stats.refused_peer++;
    ipc__handle_close(handle);
  } else {
    welcome(server, handle, verdict);
    ipc__server_update_listening(server);
  }
  ipc__hub_leave(hub);
}

static void on_accept_error(void* owner, int status) {
  ipc_server_t* server = owner;
  ipc__hub_t* hub = server->hub;

  ipc__hub_enter(hub);
  ipc__server_report(server, status);
  ipc__hub_leave(hub);
}

static void on_listener_close(void* owner) {
  ipc_server_t* server = owner;
  ipc__hub_t* hub = server->hub;

  ipc__hub_enter(hub);
  server->listener = NULL;
  finish(server);
  ipc__hub_leave(hub);
}

static const ipc__listener_callbacks_t callbacks = {on_accept, on_accept_error,
                                                    on_listener_close};

/* ---- Life --------------------------------------------------------------- */

static int open_listener(ipc_server_t* server, const ipc__server_options_t* o) {
  ipc__hub_t* hub = server->hub;
  ipc__listen_config_t config;
  int err;

  config.allocator = &hub->settings.allocator;
  config.os_name = hub->os_name;
  config.place =
      o->has_listener ? IPC__PLACE_ANY : ipc__name_place(o->base.name);
  config.pending_instances = o->pending_instances;
  config.in_bytes = o->base.channel.in_bytes;
  config.out_bytes = o->base.channel.out_bytes;
  config.access = ipc__stream_access(&hub->settings);
  config.is_packet = ipc__settings_have_packets(&hub->settings);
  config.peers = o->peers;
  config.group_id = server->group_id;
  config.mode = o->mode;
  config.uid = o->uid;
  config.gid = o->gid;
  config.sddl = o->sddl;
  if (o->has_listener) {
    err = ipc__listener_adopt(hub->loop, &config, &callbacks, server,
                              o->listener, &server->listener);
  } else {
    err = ipc__listener_open(hub->loop, &config, &callbacks, server,
                             &server->listener);
  }
  if (err != 0) return err;
  server->pending_instances = ipc__listener_pending_instances(server->listener);
  return 0;
}

static int create_server(ipc__hub_t* hub,
                         const ipc__server_options_t* o,
                         void* data,
                         ipc_server_t** out) {
  const ipc_allocator_t* allocator = &hub->settings.allocator;
  char group_id[IPC_CHANNEL_USER_SIZE];
  ipc_server_t* server;
  int err;

  server = ipc__calloc(allocator, sizeof(*server));
  if (server == NULL) return UV_ENOMEM;
  if (o->group != NULL) {
    err = ipc__group_resolve(allocator, o->group, group_id);
    if (err != 0) goto fail;
    err = UV_ENOMEM;
    server->group_id = ipc__strdup(allocator, group_id);
    if (server->group_id == NULL) goto fail;
  }
  server->hub = hub;
  server->data = data;
  server->peers = o->peers;
  server->max_instances = o->max_instances;
  server->waiting_instances = o->waiting_instances;
  server->handshake_timeout_ms = o->handshake_timeout_ms;
  server->on_admit = o->on_admit;
  server->on_connection = o->on_connection;
  server->on_error = o->on_error;
  *out = server;
  return 0;

fail:
  ipc__free(allocator, server);
  return err;
}

/* The handle has packets, or not, as the framing does. */
static int inspect_listener(const ipc__server_options_t* o,
                            char os_name[IPC_CHANNEL_OS_NAME_SIZE]) {
  int is_packet;
  int err;

  err = ipc__handle_inspect_listener(o->listener, &is_packet, os_name);
  if (err != 0) return err;
  return is_packet == ipc__settings_have_packets(&o->base.channel)
             ? 0
             : UV_EPROTOTYPE;
}

/* What the system calls the endpoint. */
static int get_os_name(const ipc__server_options_t* o,
                       char os_name[IPC_CHANNEL_OS_NAME_SIZE]) {
  ipc_name_info_t name;
  int err;

  if (o->has_listener) return inspect_listener(o, os_name);
  err = ipc_name_resolve(o->base.name, &name);
  if (err == 0) memcpy(os_name, name.os_name, sizeof(name.os_name));
  return err;
}

int ipc_server_listen(uv_loop_t* loop,
                      const ipc_server_options_t* options,
                      void* data,
                      ipc_server_t** out) {
  const ipc__server_options_t* o = ipc__server_options(options);
  char os_name[IPC_CHANNEL_OS_NAME_SIZE];
  ipc__hub_t* hub;
  ipc_server_t* server;
  int err;

  if (o == NULL || out == NULL) return UV_EINVAL;
  *out = NULL;
  err = ipc__server_options_status(o);
  if (err != 0) return err;
  err = get_os_name(o, os_name);
  if (err != 0) return err;
  err = ipc__hub_create(loop, &o->base.channel, os_name, &hub);
  if (err != 0) return err;
  err = create_server(hub, o, data, &server);
  if (err != 0) goto fail_hub;
  err = open_listener(server, o);
  if (err != 0) goto fail_server;
  ipc__loop_hold(hub->own_loop);
  *out = server;
  return 0;

fail_server:
  ipc__free(&hub->settings.allocator, server->group_id);
  ipc__free(&hub->settings.allocator, server);
fail_hub:
  ipc__hub_abandon(hub);
  return err;
}

/* A server that closes keeps only the channels it owns, to close them. */
static void part_with(ipc_server_t* server, ipc_channel_t* channel) {
  if (!channel->is_surfaced) {
    ipc__channel_destroy(channel, 0);
  } else if (channel->is_owned) {
    ipc_channel_close(channel);
  } else {
    remove_channel(server, channel);
  }
}

int ipc_server_close(ipc_server_t* server, ipc_server_close_cb cb) {
  ipc_channel_t* channel;
  ipc_channel_t* next;

  if (server == NULL) return UV_EINVAL;
  if (server->is_closing) return UV_EALREADY;
  server->is_closing = 1;
  server->on_close = cb;
  for (channel = server->channels; channel != NULL; channel = next) {
    next = channel->next;
    part_with(server, channel);
  }
  for (channel = server->refused; channel != NULL; channel = channel->next) {
    ipc__channel_destroy(channel, 0);
  }
  ipc__listener_close(server->listener);
  ipc__server_cancel_accepts(server);
  return 0;
}

void* ipc_server_data(const ipc_server_t* server) {
  return server == NULL ? NULL : server->data;
}

int ipc_server_info(const ipc_server_t* server, ipc_server_info_t* info) {
  if (server == NULL || info == NULL) return UV_EINVAL;
  memset(info, 0, sizeof(*info));
  info->os_name = server->hub->os_name;
  info->transport = ipc__settings_have_packets(&server->hub->settings)
                        ? IPC__PACKET_TRANSPORT
                        : IPC__TRANSPORT;
  info->framing = server->hub->settings.format.framing;
  info->access = server->hub->settings.access;
  info->max_instances = server->max_instances;
  info->pending_instances = server->pending_instances;
  info->waiting_instances = ipc__server_waiting_instances(server);
  if (server->listener != NULL) {
    ipc__listener_buffer_sizes(server->listener, &info->in_buffer_bytes,
                               &info->out_buffer_bytes);
  }
  return 0;
}

int ipc_server_stats(const ipc_server_t* server, ipc_server_stats_t* stats) {
  if (server == NULL || stats == NULL) return UV_EINVAL;
  *stats = server->stats;
  stats->instances =
      server->instances - server->dead_instances - server->waiting;
  stats->waiting = server->waiting;
  stats->bytes_queued = server->hub->queued_bytes;
  return 0;
}
