/* The waiting room: clients that are connected as far as the system goes and
 * wait for an instance, or for somebody to accept them; and ipc_server_accept,
 * which takes them out. No client is lost here: who isn't taken stays. */
#include <string.h>

#include "server.h"

/* ---- The room ----------------------------------------------------------- */

static int has_free_instance(const ipc_server_t* server) {
  return server->max_instances == IPC_CHANNEL_UNLIMITED ||
         server->used_instances < server->max_instances;
}

/* Whether a client may become a channel now. */
static int may_surface(const ipc_server_t* server) {
  if (!has_free_instance(server)) return 0;
  return !server->is_pulled || server->accepts.first != NULL;
}

int ipc__server_has_room(const ipc_server_t* server) {
  uint64_t places =
      (uint64_t) server->max_instances + ipc__server_waiting_instances(server);

  if (server->is_pulled && server->accepts.first == NULL &&
      server->waiting >= ipc__server_waiting_instances(server)) {
    return 0;
  }
  if (server->max_instances == IPC_CHANNEL_UNLIMITED) return 1;
  return server->instances - server->dead_instances < places;
}

unsigned int ipc__server_waiting_instances(const ipc_server_t* server) {
  if (server->waiting_instances >= 0) {
    return (unsigned int) server->waiting_instances;
  }
  return server->is_pulled ? IPC__SERVER_PULL_WAITING : 0;
}

static void leave_room(ipc_channel_t* channel) {
  if (!channel->is_waiting) return;
  channel->is_waiting = 0;
  channel->server->waiting--;
}

/* The one that waits longest is the last of those that came. */
static ipc_channel_t* oldest_waiting(const ipc_server_t* server) {
  ipc_channel_t* channel = server->channels;
  ipc_channel_t* oldest = NULL;

  for (; channel != NULL; channel = channel->next) {
    if (channel->is_waiting) oldest = channel;
  }
  return oldest;
}

static void wake_oldest(ipc_server_t* server) {
  if (server->waiting == 0 || !may_surface(server)) return;
  ipc__hub_due(server->hub, oldest_waiting(server));
}

/* Hands the channel to whoever it is for. */
static void hand_out(ipc_channel_t* channel) {
  ipc_server_t* server = channel->server;
  ipc__op_t* op;
  ipc_accept_cb cb;
  void* arg;

  if (server->on_connection != NULL) {
    server->on_connection(server, channel);
    return;
  }
  op = ipc__ops_pop(&server->accepts);
  if (op == NULL) {
    channel->is_owned = 1;
    return;
  }
  cb = op->cb.accept;
  arg = op->arg;
  ipc__op_release(server->hub, op);
  cb(server, arg, 0, channel);
}

static void surface(ipc_channel_t* channel) {
  ipc_server_t* server = channel->server;

  leave_room(channel);
  channel->is_surfaced = 1;
  channel->has_instance = 1;
  ipc__loop_hold(channel->hub->own_loop);
  server->used_instances++;
  server->stats.accepted++;
  ipc__channel_opened(channel);
  if (channel->read_ended) { /* a raw client that has left its bytes */
    channel->fin_received = 1;
    channel->end_status = 0;
    channel->end_due = 1;
    channel->is_holding = channel->traffic->kept.size > 0;
  }
  hand_out(channel);
}

/* Lets the client in for good; a native one is told so. */
static void let_in(ipc_channel_t* channel) {
  ipc_server_t* server = channel->server;

  if (!ipc__channel_is_native(channel) ||
      ipc__channel_put_hello(channel, IPC__VERDICT_ACCEPTED) == 0) {
    surface(channel);
    return;
  }
  ipc__channel_destroy(channel, 0);
  ipc__server_report(server, UV_ENOMEM);
}

/* Whether this client may wait for its turn. A place whose connection is gone
 * will be free with the close of its channel, which is mostly a turn away. */
static int may_wait(const ipc_channel_t* channel) {
  const ipc_server_t* server = channel->server;
  uint64_t places = ipc__server_waiting_instances(server);

  if (!ipc__channel_is_native(channel)) return 1;
  if (!has_free_instance(server)) places += server->ending_instances;
  return server->waiting < places;
}

void ipc__server_greeted(ipc_channel_t* channel) {
  ipc_server_t* server = channel->server;

  if (may_surface(server) && server->waiting == 0) {
    let_in(channel);
  } else if (may_wait(channel)) {
    channel->is_waiting = 1;
    server->waiting++;
    /* How long it waits is the client's business. */
    ipc__hub_clear_deadline(channel->hub, &channel->deadline);
    wake_oldest(server);
  } else {
    ipc__server_refuse(channel, IPC__VERDICT_BUSY);
  }
}

void ipc__server_promote(ipc_channel_t* channel) {
  ipc_server_t* server = channel->server;

  if (channel->state != IPC__GREETING || !may_surface(server)) return;
  /* Something else than its turn may be why it is served. */
  if (channel == oldest_waiting(server)) let_in(channel);
  wake_oldest(server);
}

void ipc__server_lost(ipc_channel_t* channel) {
  ipc_server_t* server = channel->server;

  leave_room(channel);
  if (!channel->is_dead_instance && !channel->is_refused) {
    channel->is_dead_instance = 1;
    server->dead_instances++;
    server->ending_instances += channel->has_instance;
  }
  wake_oldest(server); /* whose turn it was may be the one that has gone */
  ipc__server_update_listening(server);
}

void ipc__server_vacate(ipc_channel_t* channel) {
  ipc_server_t* server = channel->server;

  if (!channel->has_instance) return;
  channel->has_instance = 0;
  server->used_instances--;
  server->ending_instances -= channel->is_dead_instance;
  wake_oldest(server);
}

/* ---- Accept ------------------------------------------------------------- */

static void finish_accept(ipc_server_t* server, ipc__op_t* op, int status) {
  ipc_accept_cb cb = op->cb.accept;
  void* arg = op->arg;

  ipc__op_release(server->hub, op);
  cb(server, arg, status, NULL);
}

void ipc__server_cancel_accepts(ipc_server_t* server) {
  ipc__op_t* op;

  if (server->accepts.first == NULL) return;
  for (op = server->accepts.first; op != NULL; op = op->next) {
    ipc__hub_clear_deadline(server->hub, &op->deadline);
  }
  ipc__ops_append_all(&server->ended_accepts, &server->accepts);
  ipc__hub_server_due(server->hub, server);
}

void ipc__server_end_accepts(ipc_server_t* server) {
  ipc__op_t* op;

  while ((op = ipc__ops_pop(&server->ended_accepts)) != NULL) {
    finish_accept(server, op, UV_ECANCELED);
  }
}

/* Tells those that were cancelled until now; callbacks may cancel more. */
void ipc__server_serve(ipc_server_t* server) {
  size_t count = ipc__ops_count(&server->ended_accepts);

  while (count-- > 0) {
    finish_accept(server, ipc__ops_pop(&server->ended_accepts), UV_ECANCELED);
  }
}

static void on_accept_deadline(ipc__deadline_t* deadline) {
  ipc__op_t* op = (ipc__op_t*) deadline;
  ipc_server_t* server = op->owner;

  if (!op->is_grace) {
    /* The loop may have been busy: who has come meanwhile counts. */
    op->is_grace = 1;
    ipc__hub_set_deadline(server->hub, deadline, 0, 1, on_accept_deadline);
  } else {
    ipc__ops_remove(&server->accepts, op);
    finish_accept(server, op, UV_ETIMEDOUT);
  }
}

int ipc_server_accept(ipc_server_t* server,
                      int timeout_ms,
                      ipc_accept_cb cb,
                      void* arg) {
  ipc__op_t* op;

  if (server == NULL || cb == NULL) return UV_EINVAL;
  if (!ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  if (server->on_connection != NULL) return UV_EINVAL;
  if (server->is_closing) return UV_EPIPE;
  op = ipc__op_create(server->hub, server, arg);
  if (op == NULL) return UV_ENOMEM;
  op->cb.accept = cb;
  op->id = ++server->last_op;
  server->is_pulled = 1;
  ipc__ops_append(&server->accepts, op);
  ipc__hub_set_deadline(server->hub, &op->deadline, timeout_ms, 1,
                        on_accept_deadline);
  wake_oldest(server);
  ipc__server_update_listening(server);
  return 0;
}

ipc_op_t ipc_server_last_op(const ipc_server_t* server) {
  return server == NULL ? 0 : server->last_op;
}

int ipc_server_cancel(ipc_server_t* server, ipc_op_t id) {
  ipc__op_t* op;

  if (server == NULL) return UV_EINVAL;
  op = ipc__ops_find(&server->accepts, id);
  if (op == NULL) return UV_ENOENT;
  ipc__ops_remove(&server->accepts, op);
  ipc__hub_clear_deadline(server->hub, &op->deadline);
  ipc__ops_append(&server->ended_accepts, op);
  ipc__hub_server_due(server->hub, server);
  ipc__server_update_listening(server);
  return 0;
}
