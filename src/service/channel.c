/* Channels as a transport: servers that listen, clients that connect, and those
 * that were made otherwise. It knows the core by its public header alone, and
 * the service by its transport's side. A peer is gone when its channel has had
 * its last callback. */
#include "service.h"
#include "unsent.h"

#include <stdlib.h>

/* A channel of a peer's. A client remembers what may not have left: it might
 * leave on the next connection, where somebody else takes it for the answer to
 * something of his. */
typedef struct connection_s {
  ipc_channel_t* channel;
  ipc_service_peer_t* peer;
  int has_connected;
  int status; /* why it is over */
  int is_client;
  ipc__unsent_t unsent;
} connection_t;

typedef struct server_s {
  ipc__link_t link;
  ipc_service_t* service;
  ipc_server_t* server;
  int is_closing;
  ipc__due_t ready;
} server_t;

static void on_sent(ipc_channel_t* channel,
                    void* place,
                    int status,
                    size_t sent) {
  connection_t* c = ipc_channel_data(channel);

  (void) status, (void) sent;
  if (c != NULL) ipc__unsent_remove(&c->unsent, (size_t) (uintptr_t) place);
}

static void release(connection_t* c) {
  ipc__unsent_release(&c->unsent);
  free(c);
}

/* ---- The transport ------------------------------------------------------ */

static int send_text(void* connection, const void* data, size_t size) {
  connection_t* c = connection;
  void* place;
  int err;

  if (!c->is_client) {
    return ipc_channel_send_copy(c->channel, data, size, NULL, NULL);
  }
  if (ipc__unsent_reserve(&c->unsent) != 0) return UV_ENOMEM;
  place = (void*) (uintptr_t) c->unsent.end;
  err = ipc_channel_send_copy(c->channel, data, size, on_sent, place);
  if (err == 0) ipc__unsent_add(&c->unsent, ipc_channel_last_op(c->channel));
  return err;
}

static void close_connection(void* connection) {
  connection_t* c = connection;

  ipc_channel_close(c->channel);
}

static void set_paused(void* connection, int is_paused) {
  connection_t* c = connection;

  if (is_paused) {
    ipc_channel_pause(c->channel);
  } else {
    ipc_channel_resume(c->channel);
  }
}

static int dial(void* arg,
                ipc_service_t* service,
                const char* name,
                ipc_service_peer_t** peer) {
  ipc_client_options_t options;
  int err = 0;

  (void) arg;
  ipc_client_options_init(&options, name);
  if (service->on_dial != NULL) {
    err = service->on_dial(service, name, &options, service->dial_arg);
  }
  return err == 0 ? ipc_service_connect(service, &options, name, peer) : err;
}

static const ipc_service_transport_t transport = {send_text, close_connection,
                                                  set_paused, dial};

int ipc_service_set_dial(ipc_service_t* service,
                         ipc_service_dial_cb cb,
                         void* arg) {
  int err = ipc_service_set_connector(service, &transport, NULL);

  if (err != 0) return err;
  service->on_dial = cb;
  service->dial_arg = arg;
  return 0;
}

ipc_channel_t* ipc_service_peer_channel(const ipc_service_peer_t* peer) {
  if (peer == NULL || peer->transport != &transport) return NULL;
  return ((const connection_t*) peer->connection)->channel;
}

/* ---- Callbacks of channels ---------------------------------------------- */

/* NULL: a channel that was not given to a service. */
static connection_t* connection_of(ipc_channel_t* channel) {
  return ipc_channel_data(channel);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  connection_t* c = connection_of(channel);

  if (c != NULL) ipc_service_peer_received(c->peer, data, size);
}

static void on_drain(ipc_channel_t* channel) {
  connection_t* c = connection_of(channel);

  if (c != NULL) ipc_service_peer_writable(c->peer);
}

static void on_end(ipc_channel_t* channel, int status) {
  connection_t* c = connection_of(channel);

  if (c == NULL) return;
  if (status == 0) {
    ipc_service_peer_ended(c->peer);
    return;
  }
  c->status = status;
  ipc_channel_close(channel);
}

static void on_connect(ipc_channel_t* channel, int status) {
  connection_t* c = connection_of(channel);

  if (c == NULL) return;
  if (status == 0) {
    c->has_connected = 1;
    ipc_service_peer_connected(c->peer);
    return;
  }
  c->status = status;
  ipc_channel_close(channel);
}

/* Takes back what waits to leave. Without memory for that nothing must leave
 * any more at all. */
static void withdraw(connection_t* c) {
  size_t place;

  for (place = c->unsent.begin; place != c->unsent.end; place++) {
    ipc_op_t op = ipc__unsent_get(&c->unsent, place);

    if (op == 0 || ipc_channel_cancel(c->channel, op) != UV_ENOMEM) continue;
    c->status = UV_ENOMEM;
    ipc_channel_disconnect(c->channel);
    return;
  }
}

/* Of a client: it may reconnect. */
static void on_state(ipc_channel_t* channel,
                     ipc_channel_state_t state,
                     int status) {
  connection_t* c = connection_of(channel);

  if (c == NULL || !c->has_connected) return;
  if (state == IPC_CHANNEL_RECONNECTING) {
    withdraw(c);
    ipc_service_peer_lost(c->peer, status);
  } else if (state == IPC_CHANNEL_CONNECTED) {
    ipc_service_peer_connected(c->peer);
  }
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  connection_t* c = connection_of(channel);

  (void) result;
  if (c == NULL) return;
  ipc_service_peer_gone(c->peer, c->status == UV_ECANCELED ? 0 : c->status);
  release(c);
}

/* ---- Servers ------------------------------------------------------------ */

static void on_connection(ipc_server_t* server, ipc_channel_t* channel) {
  server_t* record = ipc_server_data(server);
  connection_t* c = calloc(1, sizeof(*c));
  int err = UV_ENOMEM;

  ipc_channel_set_data(channel, NULL);
  if (c != NULL) {
    c->channel = channel;
    c->has_connected = 1;
    /* Before its handlers are called, which may close it. */
    err = ipc_service_peer_connecting(record->service, &transport, c, NULL,
                                      &c->peer);
  }
  if (err != 0) {
    free(c);
    ipc_channel_close(channel);
    return;
  }
  ipc_channel_set_data(channel, c);
  ipc_service_peer_connected(c->peer);
}

static void on_server_error(ipc_server_t* server, int status) {
  server_t* record = ipc_server_data(server);

  ipc__service_enter(record->service);
  ipc__handlers_tell(record->service, IPC_SERVICE_ERROR, NULL, status,
                     "a server can't accept");
  ipc__service_leave(record->service);
}

static void on_server_close(ipc_server_t* server) {
  server_t* record = ipc_server_data(server);
  ipc_service_t* service = record->service;

  ipc__service_enter(service);
  ipc__agenda_clear(&service->agenda, &record->ready);
  ipc__agenda_unreserve(&service->agenda);
  ipc__list_remove(&record->link);
  free(record);
  ipc__service_leave(service);
}

static void on_ready(ipc__due_t* due) {
  server_t* record = IPC__HOLDER(server_t, ready, due);
  ipc_server_info_t info;

  if (ipc_server_info(record->server, &info) != 0) return;
  ipc__handlers_tell(record->service, IPC_SERVICE_READY, NULL, 0, info.os_name);
}

static void close_server(server_t* record) {
  if (record->is_closing) return;
  record->is_closing = 1;
  ipc__agenda_clear(&record->service->agenda, &record->ready);
  ipc_server_close(record->server, on_server_close);
}

void ipc__servers_close(ipc_service_t* service) {
  ipc__link_t* link;

  for (link = service->servers.next; link != &service->servers;
       link = link->next) {
    close_server(IPC__HOLDER(server_t, link, link));
  }
}

static void fill_server_options(ipc_server_options_t* options) {
  ipc_server_options_on_connection(options, on_connection);
  ipc_server_options_on_error(options, on_server_error);
  ipc_server_options_on_message(options, on_message);
  ipc_server_options_on_request(options, NULL);
  ipc_server_options_on_state(options, NULL);
  ipc_server_options_on_drain(options, on_drain);
  ipc_server_options_on_end(options, on_end);
  ipc_server_options_on_close(options, on_close);
}

/* Only the raw framing has no largest message; asked of a copy. */
static int server_is_raw(ipc_server_options_t copy) {
  return ipc_server_options_error(&copy)[0] == '\0' &&
         ipc_server_options_set_max_message_bytes(&copy, 1) != 0;
}

int ipc_service_listen(ipc_service_t* service,
                       const ipc_server_options_t* options) {
  ipc_server_options_t filled;
  server_t* record;
  int err = UV_ENOMEM;

  if (service == NULL || options == NULL) return UV_EINVAL;
  if (!ipc__service_is_open(service)) return UV_EPIPE;
  if (server_is_raw(*options)) return UV_EINVAL;
  filled = *options;
  fill_server_options(&filled);
  record = calloc(1, sizeof(*record));
  if (record == NULL) return UV_ENOMEM;
  if (ipc__agenda_reserve(&service->agenda) != 0) goto fail;
  err = ipc_server_listen(service->loop, &filled, record, &record->server);
  if (err != 0) goto fail_reserved;
  record->service = service;
  ipc__list_append(&service->servers, &record->link);
  ipc__agenda_set_soon(&service->agenda, &record->ready, on_ready);
  return 0;

fail_reserved:
  ipc__agenda_unreserve(&service->agenda);
fail:
  free(record);
  return err;
}

/* ---- Clients, and other channels ----------------------------------------- */

int ipc_service_channel_options(ipc_channel_options_t* options) {
  int err = ipc_channel_options_on_connect(options, on_connect);

  if (err != 0) return err;
  ipc_channel_options_on_message(options, on_message);
  ipc_channel_options_on_request(options, NULL);
  ipc_channel_options_on_state(options, NULL);
  ipc_channel_options_on_drain(options, on_drain);
  ipc_channel_options_on_end(options, on_end);
  return ipc_channel_options_on_close(options, on_close);
}

static int add_channel(ipc_service_t* service,
                       ipc_channel_t* channel,
                       int is_client,
                       const char* name,
                       ipc_service_peer_t** peer) {
  ipc_channel_info_t info;
  connection_t* c;
  int err;

  if (peer != NULL) *peer = NULL;
  if (service == NULL || channel == NULL) return UV_EINVAL;
  if (ipc_channel_info(channel, &info) != 0) return UV_EINVAL;
  if (info.framing == IPC_CHANNEL_FRAMING_RAW) return UV_EINVAL;
  c = calloc(1, sizeof(*c));
  if (c == NULL) return UV_ENOMEM;
  c->channel = channel;
  c->is_client = is_client;
  err = ipc_service_peer_connecting(service, &transport, c, name, &c->peer);
  if (err != 0) {
    free(c);
    return err;
  }
  ipc_channel_set_data(channel, c);
  if (peer != NULL) *peer = c->peer;
  return 0;
}

int ipc_service_add_channel(ipc_service_t* service,
                            ipc_channel_t* channel,
                            const char* name,
                            ipc_service_peer_t** peer) {
  return add_channel(service, channel, 0, name, peer);
}

static void fill_client_options(ipc_client_options_t* options) {
  ipc_client_options_on_connect(options, on_connect);
  ipc_client_options_on_message(options, on_message);
  ipc_client_options_on_request(options, NULL);
  ipc_client_options_on_state(options, on_state);
  ipc_client_options_on_drain(options, on_drain);
  ipc_client_options_on_end(options, on_end);
  ipc_client_options_on_close(options, on_close);
}

static int client_is_raw(ipc_client_options_t copy) {
  return ipc_client_options_error(&copy)[0] == '\0' &&
         ipc_client_options_set_max_message_bytes(&copy, 1) != 0;
}

int ipc_service_connect(ipc_service_t* service,
                        const ipc_client_options_t* options,
                        const char* name,
                        ipc_service_peer_t** peer) {
  ipc_client_options_t filled;
  ipc_channel_t* channel;
  int err;

  if (peer != NULL) *peer = NULL;
  if (service == NULL || options == NULL) return UV_EINVAL;
  if (!ipc__service_is_open(service)) return UV_EPIPE;
  if (client_is_raw(*options)) return UV_EINVAL;
  filled = *options;
  fill_client_options(&filled);
  err = ipc_client_connect(service->loop, &filled, NULL, &channel);
  if (err != 0) return err;
  err = add_channel(service, channel, 1, name, peer);
  if (err != 0) ipc_channel_close(channel);
  return err;
}
