/* The channel's life: born by client.c or server.c, served when something is
 * due, released when its handles are closed and on_close has been called. */
#include "channel.h"

#include <string.h>

#include "alloc.h"
#include "poster.h"
#include "server.h"

ipc_channel_t* ipc__channel_create(ipc__hub_t* hub) {
  ipc_channel_t* channel;

  channel = ipc__calloc(&hub->settings.allocator, sizeof(*channel));
  if (channel == NULL) return NULL;
  channel->hub = hub;
  channel->connection = ++hub->last_connection;
  channel->traffic = (ipc__traffic_t*) &ipc__no_traffic;
  ipc__hub_ref(hub);
  return channel;
}

int ipc__channel_adopt(ipc_channel_t* channel, uv_os_fd_t handle) {
  size_t limit;
  int err;

  channel->stream_state = IPC__STREAM_OPEN;
  channel->read_ended = 0;
  channel->write_off = 0;
  channel->has_made_room = 0;
  channel->has_grown = 0;
  err = ipc__stream_open(channel->hub->loop, &channel->stream, handle,
                         ipc__channel_transport(channel),
                         &channel->hub->stream_kind);
  if (err != 0 || !ipc__channel_is_packet(channel)) return err;
  limit = ipc__stream_packet_limit(&channel->stream);
  channel->peer_max_bytes = limit < UINT32_MAX ? (uint32_t) limit : UINT32_MAX;
  return 0;
}

void ipc__channel_on_stream_closed(ipc__stream_t* stream) {
  ipc_channel_t* channel = (ipc_channel_t*) stream;
  ipc__hub_t* hub = channel->hub;

  ipc__hub_enter(hub);
  channel->stream_state = IPC__STREAM_NONE;
  channel->write_busy = 0;
  if (channel->state == IPC__CONNECTING) ipc__client_stream_closed(channel);
  ipc__hub_due(hub, channel);
  ipc__hub_leave(hub);
}

void ipc__channel_close_stream(ipc_channel_t* channel) {
  if (channel->stream_state != IPC__STREAM_OPEN) return;
  channel->stream_state = IPC__STREAM_CLOSING;
  channel->is_reading = 0;
  ipc__stream_close(&channel->stream);
}

/* ---- Changes of state --------------------------------------------------- */

void ipc__channel_opened(ipc_channel_t* channel) {
  channel->state = IPC__OPEN;
  channel->was_open = 1;
  channel->last_activity = channel->last_heard = channel->last_said =
      (uint32_t) uv_now(channel->hub->loop);
  ipc__channel_touch(channel);
  ipc__channel_heard(channel);
  ipc__channel_watch(channel);
  ipc__hub_due(channel->hub, channel);
}

/* Waits for nothing any more, and gives the connection up. */
static void let_go(ipc_channel_t* channel) {
  ipc__hub_clear_deadline(channel->hub, &channel->deadline);
  if (channel->client != NULL) {
    ipc__hub_clear_deadline(channel->hub, &channel->client->retry);
  }
  ipc__channel_serve_no_more(channel);
  ipc__channel_close_stream(channel);
  ipc__hub_due(channel->hub, channel);
}

static void become_dead(ipc_channel_t* channel, int status) {
  channel->state = IPC__DEAD;
  if (channel->error == 0) channel->error = status;
  if (channel->posters != NULL) ipc__posters_end(channel, 0);
  let_go(channel);
  if (channel->server != NULL) ipc__server_lost(channel);
}

void ipc__channel_broken(ipc_channel_t* channel, int status) {
  if (channel->state == IPC__CLOSING) {
    ipc__channel_destroy(channel, status);
  } else if (channel->state == IPC__GREETING && channel->is_server) {
    ipc__server_handshake_failed(channel);
  } else if (channel->state == IPC__GREETING) {
    ipc__client_failed(channel, status);
  } else if (channel->state == IPC__OPEN) {
    if (ipc__client_lost(channel, status)) return;
    if (!channel->fin_received) {
      channel->end_status = status;
      channel->end_due = 1;
    }
    /* What is staged may be our hello, which tells the peer what it did wrong:
     * it goes as far as the system takes it at once. */
    ipc__channel_write(channel);
    become_dead(channel, status);
  }
}

void ipc__channel_cut(ipc_channel_t* channel) {
  if (ipc__client_lost(channel, UV_ECONNRESET)) return;
  become_dead(channel, channel->error);
}

void ipc__client_failed(ipc_channel_t* channel, int status) {
  if (channel->client->is_reconnecting) {
    /* There was a connection, whose end nobody has told yet. */
    channel->end_status = status;
    channel->end_due = 1;
    if (status == UV_ECANCELED) channel->end_told = 1;
  } else {
    channel->connect_status = status;
  }
  become_dead(channel, status);
  if (channel->close_due) ipc__channel_destroy(channel, status);
}

void ipc__channel_destroy(ipc_channel_t* channel, int status) {
  if (channel->state == IPC__DESTROYING) return;
  if (channel->connect_status == 0) channel->connect_status = UV_ECANCELED;
  channel->state = IPC__DESTROYING;
  channel->close_status = status;
  if (channel->posters != NULL) ipc__posters_close(channel, 0);
  let_go(channel);
  if (channel->server != NULL) ipc__server_lost(channel);
}

ipc_channel_state_t ipc__channel_public_state(const ipc_channel_t* channel) {
  if (channel->close_due) return IPC_CHANNEL_CLOSING;
  switch (channel->state) {
    case IPC__OPEN:
      return IPC_CHANNEL_CONNECTED;
    case IPC__DEAD:
      return IPC_CHANNEL_DEAD;
    case IPC__CLOSING:
    case IPC__DESTROYING:
      return IPC_CHANNEL_CLOSING;
    default:
      return channel->client != NULL && channel->client->is_reconnecting
                 ? IPC_CHANNEL_RECONNECTING
                 : IPC_CHANNEL_CONNECTING;
  }
}

int ipc_channel_disconnect(ipc_channel_t* channel) {
  if (channel == NULL) return UV_EINVAL;
  switch (channel->state) {
    case IPC__CONNECTING:
    case IPC__GREETING:
      ipc__client_failed(channel, UV_ECANCELED);
      return 0;
    case IPC__OPEN:
      /* A client that was let in just now is told so first: else it would take
       * the end for a server that is going away. */
      if (channel->bytes_sent == 0) ipc__channel_write(channel);
      channel->end_told = 1;
      become_dead(channel, UV_ECANCELED);
      if (channel->server != NULL) ipc__server_vacate(channel);
      return 0;
    case IPC__CLOSING:
      ipc__channel_destroy(channel, UV_ECANCELED);
      return 0;
    default:
      return UV_EPIPE;
  }
}

/* ---- What is due -------------------------------------------------------- */

/* The stream ended in a state that isn't OPEN. */
static void handle_early_end(ipc_channel_t* channel) {
  if (!channel->read_ended) return;
  /* A raw client may leave when it has said all. */
  if (channel->is_waiting && !ipc__channel_is_native(channel) &&
      channel->traffic->kept.size > 0) {
    return;
  }
  if (channel->state == IPC__REFUSING) {
    ipc__channel_destroy(channel, 0);
  } else if (channel->state == IPC__GREETING && channel->is_server) {
    ipc__server_handshake_failed(channel);
  } else if (channel->state == IPC__GREETING) {
    ipc__client_attempt_failed(channel, UV_ECONNREFUSED);
  }
}

/* Why the channel is in this state. */
static int status_of(const ipc_channel_t* channel, ipc_channel_state_t state) {
  switch (state) {
    case IPC_CHANNEL_RECONNECTING:
      return channel->client->lost_status;
    case IPC_CHANNEL_DEAD:
      if (channel->connect_status != 0) return channel->connect_status;
      return channel->end_due ? channel->end_status : channel->error;
    default:
      return 0;
  }
}

void ipc__channel_tell_state(ipc_channel_t* channel) {
  ipc_state_cb on_state = channel->hub->settings.on_state;
  ipc_channel_state_t state = ipc__channel_public_state(channel);

  if (state == channel->told_state || !channel->is_surfaced) return;
  channel->told_state = (uint8_t) state;
  if (on_state != NULL) on_state(channel, state, status_of(channel, state));
}

/* Tells that connecting has failed: on_connect, or on_end in its place. */
static void tell_connect(ipc_channel_t* channel) {
  ipc__client_t* client = channel->client;
  int status = channel->connect_status;

  if (client == NULL || channel->connect_told || status == 0) return;
  channel->connect_told = 1;
  channel->end_told = 1;
  if (client->on_connect != NULL) {
    client->on_connect(channel, status);
  } else if (status != UV_ECANCELED && channel->hub->settings.on_end != NULL) {
    channel->hub->settings.on_end(channel, status);
  }
}

static void tell_end(ipc_channel_t* channel) {
  if (!channel->end_due || channel->end_told) return;
  if (channel->is_holding && channel->state == IPC__OPEN) return;
  if (channel->state == IPC__OPEN && ipc__client_reconnects(channel)) return;
  if (channel->state != IPC__OPEN && channel->state != IPC__DEAD) return;
  if (channel->state == IPC__OPEN && channel->is_paused) return;
  channel->end_told = 1;
  if (channel->hub->settings.on_end != NULL) {
    channel->hub->settings.on_end(channel, channel->end_status);
  }
}

int ipc__channel_told_error(const ipc_channel_t* channel) {
  if (!channel->was_open) {
    return channel->connect_told ? channel->connect_status : 0;
  }
  return channel->end_told ? channel->end_status : 0;
}

static void tell_follower(ipc_channel_t* channel) {
  if (channel->follower == NULL) return;
  if (!channel->end_told && channel->state < IPC__CLOSING) return;
  channel->follower->on_end(channel->follower);
}

/* Whether the queue has drained; if it is the server's other channels that
 * stand in the way, looks again later. */
static int has_room(ipc_channel_t* channel) {
  if (ipc__channel_is_drained(channel)) return 1;
  ipc__channel_wait_for_others(channel);
  return 0;
}

static void tell_drain(ipc_channel_t* channel) {
  const ipc__settings_t* settings = &channel->hub->settings;

  if (!channel->wants_drain || channel->error != 0) return;
  if (channel->state >= IPC__CLOSING) return;
  if (!has_room(channel)) return;
  channel->wants_drain = 0;
  channel->room_wanted = 0;
  if (settings->on_drain != NULL) settings->on_drain(channel);
}

static void take_posts(ipc_channel_t* channel) {
  if (!channel->wants_posts || channel->posters == NULL) return;
  if (!has_room(channel)) return;
  channel->wants_posts = 0;
  ipc__posters_drain(channel);
}

/* Raw: ends our direction once all is written. */
static void shut_down(ipc_channel_t* channel) {
  if (!channel->shutdown_due || channel->state != IPC__OPEN) return;
  if (ipc__queue_bytes(&channel->traffic->queue) > 0) return;
  channel->shutdown_due = 0;
  if (channel->error == 0) ipc__stream_shutdown(&channel->stream);
}

/* A server without on_connection closes what has ended. */
static void close_owned(ipc_channel_t* channel) {
  if (!channel->is_owned) return;
  if (channel->state == IPC__DEAD ||
      (channel->state == IPC__OPEN && channel->end_told)) {
    ipc_channel_close(channel);
  }
}

/* Whatever happened to the connection: nothing lost is nothing wrong. */
static void tell_close(ipc_channel_t* channel) {
  ipc_close_cb on_close = channel->hub->settings.on_close;
  ipc_close_result_t result;

  if (!channel->is_surfaced) return;
  result.unsent = channel->unsent;
  result.unconfirmed = 0;
  if (ipc__channel_is_native(channel) && channel->sent > channel->confirmed) {
    result.unconfirmed = channel->sent - channel->confirmed;
  }
  result.status = channel->close_status;
  if (result.unsent + result.unconfirmed > 0) {
    if (result.status == 0) result.status = UV_EPIPE;
  } else if (channel->was_open) {
    result.status = 0;
  }
  if (on_close != NULL) on_close(channel, &result);
  ipc__loop_gone(channel->hub->own_loop, channel, &result);
}

static void release(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;

  tell_close(channel);
  if (channel->follower != NULL) channel->follower->on_gone(channel->follower);
  if (channel->server != NULL) ipc__server_forget(channel);
  if (channel->client != NULL) ipc__client_release(channel);
  ipc__channel_release_pulls(channel);
  ipc__channel_drop_traffic(channel);
  ipc__free(&hub->settings.allocator, channel);
  ipc__hub_unref(hub);
}

/* Whether all that can be due is to write, and to tell that it was written: of
 * an open channel that pushes, which nothing has happened to. */
static int is_undisturbed(const ipc_channel_t* channel) {
  return channel->state == IPC__OPEN &&
         channel->told_state == IPC_CHANNEL_CONNECTED && !channel->end_due &&
         !channel->read_ended && !channel->fin_received &&
         !channel->fin_queued && !channel->wants_drain &&
         !channel->wants_posts && channel->pulls == NULL &&
         channel->traffic->kept.size == 0;
}

static void serve_all(ipc_channel_t* channel) {
  if (channel->state == IPC__CONNECTING) ipc__client_attempt(channel);
  handle_early_end(channel);
  if (channel->is_waiting) ipc__server_promote(channel);
  ipc__channel_tell_state(channel);
  tell_connect(channel);
  if (channel->state == IPC__OPEN || channel->state == IPC__CLOSING) {
    ipc__channel_deliver_kept(channel);
    ipc__channel_check_cut(channel);
  }
  ipc__channel_tell_state(channel);
  ipc__channel_tell_pulls(channel);
  tell_end(channel);
  tell_follower(channel);
  close_owned(channel);
  ipc__channel_write(channel);
  ipc__channel_complete_sends(channel);
  tell_drain(channel);
  take_posts(channel);
  ipc__channel_tell_readies(channel);
  shut_down(channel);
  if (channel->client != NULL) ipc__client_turn_over(channel);
}

void ipc__channel_serve(ipc_channel_t* channel) {
  if (is_undisturbed(channel)) {
    ipc__channel_write(channel);
    ipc__channel_complete_sends(channel);
  } else {
    serve_all(channel);
  }
  ipc__channel_update_reading(channel);
  ipc__channel_check_spent(channel);
  ipc__channel_settle(channel);
  if (channel->state == IPC__CLOSING) ipc__channel_check_closed(channel);
  if (channel->state == IPC__DESTROYING &&
      channel->stream_state == IPC__STREAM_NONE && !channel->is_due) {
    release(channel);
  }
}
