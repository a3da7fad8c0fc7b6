/* Peers: who is there and what they are called, what leaves for them, and what
 * their transport reports. Nothing here knows what a text means. */
#include "service.h"

#include <stdlib.h>
#include <string.h>

/* An answer that waits for room. */
typedef struct answer_s {
  ipc__link_t link;
  size_t size;
  char data[];
} answer_t;

static answer_t* first_answer(const ipc_service_peer_t* peer) {
  return IPC__HOLDER(answer_t, link, peer->answers.next);
}

static void drop_answer(ipc_service_peer_t* peer, answer_t* answer) {
  ipc__list_remove(&answer->link);
  peer->answer_bytes -= answer->size;
  free(answer);
}

static void drop_answers(ipc_service_peer_t* peer) {
  while (!ipc__list_is_empty(&peer->answers)) {
    peer->service->stats.unsent_answers++;
    drop_answer(peer, first_answer(peer));
  }
}

/* Reads on, or not, as the answers that wait say. */
static void set_pace(ipc_service_peer_t* peer) {
  size_t most = peer->service->settings.max_waiting_bytes;
  int is_paused = peer->is_paused ? peer->answer_bytes > most / 2
                                  : peer->answer_bytes > most;

  if (is_paused == peer->is_paused || peer->transport->set_paused == NULL) {
    return;
  }
  if (peer->state >= IPC__PEER_CLOSING || peer->close_is_asked) return;
  peer->is_paused = is_paused;
  peer->transport->set_paused(peer->connection, is_paused);
}

/* It has had its time. */
static void on_linger_over(ipc__due_t* due) {
  ipc_service_peer_t* peer = IPC__HOLDER(ipc_service_peer_t, linger, due);
  ipc_service_t* service = peer->service;

  ipc__handlers_tell(service, IPC_SERVICE_ERROR, peer, UV_ETIMEDOUT,
                     ipc__list_is_empty(&peer->answers)
                         ? "a peer that has ended got no answer in time"
                         : "a peer takes no answers");
  drop_answers(peer);
  ipc_service_peer_close(peer);
  ipc__peer_check(peer);
}

static void start_linger(ipc_service_peer_t* peer) {
  ipc_service_t* service = peer->service;

  ipc__agenda_set(&service->agenda, &peer->linger,
                  service->settings.linger_timeout_ms, on_linger_over);
}

int ipc__peer_is_waiting(const ipc_service_peer_t* peer) {
  return peer->state != IPC__PEER_GONE &&
         (!ipc__list_is_empty(&peer->answers) ||
          !ipc__list_is_empty(&peer->requests));
}

void ipc__peer_check(ipc_service_peer_t* peer) {
  if (peer->state == IPC__PEER_GONE || peer->close_is_asked) return;
  if (!ipc__list_is_empty(&peer->answers)) return;
  if (peer->state != IPC__PEER_CLOSING &&
      (!peer->has_ended || !ipc__list_is_empty(&peer->requests))) {
    return;
  }
  peer->state = IPC__PEER_CLOSING;
  peer->close_is_asked = 1;
  ipc__agenda_clear(&peer->service->agenda, &peer->linger);
  ipc__calls_end_soon(peer, peer->has_ended ? UV_EOF : UV_ECANCELED);
  peer->transport->close(peer->connection);
}

int ipc_service_peer_close(ipc_service_peer_t* peer) {
  if (peer == NULL) return UV_EINVAL;
  if (peer->state >= IPC__PEER_CLOSING) return UV_EALREADY;
  peer->state = IPC__PEER_CLOSING;
  ipc__requests_forget(peer);
  ipc__calls_end_soon(peer, UV_ECANCELED);
  ipc__peer_check(peer);
  return 0;
}

void ipc__peer_fail(ipc_service_peer_t* peer, int status) {
  if (peer->state >= IPC__PEER_CLOSING) return;
  peer->failure = status;
  ipc__calls_end_soon(peer, status);
  ipc_service_peer_close(peer);
}

void ipc__peer_hurry(ipc_service_peer_t* peer) {
  if (peer->state != IPC__PEER_CLOSING) return;
  drop_answers(peer);
  ipc__peer_check(peer);
}

/* ---- What leaves -------------------------------------------------------- */

int ipc__peer_send(ipc_service_peer_t* peer, const ipc__buffer_t* text) {
  int err;

  if (text->has_failed) return UV_ENOMEM;
  if (peer->state >= IPC__PEER_CLOSING) return UV_EPIPE;
  err = ipc__list_is_empty(&peer->answers)
            ? peer->transport->send(peer->connection, text->data, text->size)
            : UV_EAGAIN;
  if (err == UV_EAGAIN) peer->wants_room = 1;
  return err;
}

static int keep_answer(ipc_service_peer_t* peer, const ipc__buffer_t* text) {
  answer_t* answer = malloc(sizeof(*answer) + text->size);

  if (answer == NULL) return UV_ENOMEM;
  memcpy(answer->data, text->data, text->size);
  answer->size = text->size;
  if (ipc__list_is_empty(&peer->answers)) start_linger(peer);
  ipc__list_append(&peer->answers, &answer->link);
  peer->answer_bytes += answer->size;
  set_pace(peer);
  return 0;
}

int ipc__peer_answer(ipc_service_peer_t* peer, const ipc__buffer_t* text) {
  int err = UV_EAGAIN;

  if (text->has_failed) return UV_ENOMEM;
  if (peer->state == IPC__PEER_GONE || peer->close_is_asked) return UV_EPIPE;
  if (ipc__list_is_empty(&peer->answers)) {
    err = peer->transport->send(peer->connection, text->data, text->size);
  }
  return err == UV_EAGAIN ? keep_answer(peer, text) : err;
}

void ipc_service_peer_writable(ipc_service_peer_t* peer) {
  ipc_service_t* service = peer->service;

  ipc__service_enter(service);
  while (!ipc__list_is_empty(&peer->answers)) {
    answer_t* answer = first_answer(peer);
    int err =
        peer->transport->send(peer->connection, answer->data, answer->size);

    if (err == UV_EAGAIN) break;
    drop_answer(peer, answer);
    if (err != 0) service->stats.unsent_answers++;
    if (err == UV_ENOMEM || err == UV_EMSGSIZE) ipc__peer_fail(peer, err);
  }
  if (!ipc__list_is_empty(&peer->answers) || peer->has_ended) {
    start_linger(peer);
  } else {
    ipc__agenda_clear(&service->agenda, &peer->linger);
  }
  set_pace(peer);
  if (ipc__list_is_empty(&peer->answers) && peer->wants_room) {
    peer->wants_room = 0;
    ipc__handlers_tell(service, IPC_SERVICE_PEER_WRITABLE, peer, 0, "");
  }
  ipc__peer_check(peer);
  ipc__service_leave(service);
}

/* Tells it who we are. */
static void say_hello(ipc_service_peer_t* peer) {
  const char* name = peer->service->settings.name;
  ipc__buffer_t text = {0};
  json_t* params;

  if (name == NULL) return;
  params = json_pack("{s:s}", "name", name);
  /* Without memory for it we stay unnamed. */
  if (params != NULL && ipc__call_write(&text, "rpc.hello", params, 0) == 0) {
    ipc__peer_send(peer, &text);
  }
  json_decref(params);
  ipc__buffer_release(&text);
}

/* ---- What a transport reports ------------------------------------------- */

static char* copy_of(const char* text) {
  size_t size = strlen(text) + 1;
  char* copy = malloc(size);

  if (copy != NULL) memcpy(copy, text, size);
  return copy;
}

int ipc_service_peer_connecting(ipc_service_t* service,
                                const ipc_service_transport_t* transport,
                                void* connection,
                                const char* name,
                                ipc_service_peer_t** out) {
  ipc_service_peer_t* peer;

  if (service == NULL || transport == NULL || out == NULL) return UV_EINVAL;
  *out = NULL;
  if (!ipc__service_is_open(service)) return UV_EPIPE;
  peer = calloc(1, sizeof(*peer));
  if (peer == NULL) return UV_ENOMEM;
  if (name != NULL && (peer->name = copy_of(name)) == NULL) goto fail;
  if (ipc__agenda_reserve(&service->agenda) != 0) goto fail;
  peer->service = service;
  peer->transport = transport;
  peer->connection = connection;
  peer->state = IPC__PEER_CONNECTING;
  ipc__list_init(&peer->calls);
  ipc__list_init(&peer->requests);
  ipc__list_init(&peer->answers);
  ipc__list_append(&service->peers, &peer->link);
  *out = peer;
  return 0;

fail:
  free(peer->name);
  free(peer);
  return UV_ENOMEM;
}

void ipc_service_peer_connected(ipc_service_peer_t* peer) {
  if (peer->state != IPC__PEER_CONNECTING) return;
  ipc__service_enter(peer->service);
  peer->state = IPC__PEER_OPEN;
  say_hello(peer);
  ipc__handlers_tell(peer->service, IPC_SERVICE_PEER_CAME, peer, 0, "");
  ipc__service_leave(peer->service);
}

int ipc_service_peer_came(ipc_service_t* service,
                          const ipc_service_transport_t* transport,
                          void* connection,
                          const char* name,
                          ipc_service_peer_t** peer) {
  int err =
      ipc_service_peer_connecting(service, transport, connection, name, peer);

  if (err == 0) ipc_service_peer_connected(*peer);
  return err;
}

void ipc_service_peer_received(ipc_service_peer_t* peer,
                               const void* data,
                               size_t size) {
  ipc_service_t* service = peer->service;

  if (peer->state >= IPC__PEER_CLOSING) return;
  ipc__service_enter(service);
  ipc__dispatch(peer, data, size);
  ipc__peer_check(peer);
  ipc__service_leave(service);
}

void ipc_service_peer_ended(ipc_service_peer_t* peer) {
  ipc_service_t* service = peer->service;

  if (peer->has_ended || peer->state >= IPC__PEER_CLOSING) return;
  ipc__service_enter(service);
  peer->has_ended = 1;
  ipc__calls_end(peer, UV_EOF);
  if (ipc__peer_is_waiting(peer)) {
    start_linger(peer);
    ipc__handlers_tell(service, IPC_SERVICE_PEER_ENDED, peer, 0, "");
  }
  ipc__peer_check(peer);
  ipc__service_leave(service);
}

/* What was asked on a connection that is no more. */
static void forget_connection(ipc_service_peer_t* peer, int status) {
  ipc__agenda_clear(&peer->service->agenda, &peer->linger);
  drop_answers(peer);
  ipc__requests_forget(peer);
  ipc__calls_end(peer, status);
}

void ipc_service_peer_lost(ipc_service_peer_t* peer, int status) {
  ipc_service_t* service = peer->service;

  if (peer->state != IPC__PEER_OPEN) return;
  ipc__service_enter(service);
  peer->state = IPC__PEER_CONNECTING;
  peer->has_ended = 0;
  forget_connection(peer, status == 0 ? UV_EOF : status);
  set_pace(peer);
  ipc__handlers_tell(service, IPC_SERVICE_PEER_LOST, peer, status, "");
  ipc__service_leave(service);
}

void ipc_service_peer_gone(ipc_service_peer_t* peer, int status) {
  ipc_service_t* service = peer->service;

  if (peer->state == IPC__PEER_GONE) return;
  ipc__service_enter(service);
  peer->state = IPC__PEER_GONE;
  if (status == 0) status = peer->failure;
  service->has_dead = 1;
  forget_connection(peer, status == 0 ? UV_EOF : status);
  ipc__handlers_tell(service, IPC_SERVICE_PEER_GONE, peer, status, "");
  ipc__service_leave(service);
}

void ipc__peers_sweep(ipc_service_t* service) {
  ipc__link_t* link = service->peers.next;

  while (link != &service->peers) {
    ipc_service_peer_t* peer = IPC__HOLDER(ipc_service_peer_t, link, link);

    link = link->next;
    if (peer->state != IPC__PEER_GONE) continue;
    ipc__agenda_clear(&service->agenda, &peer->linger);
    ipc__agenda_unreserve(&service->agenda);
    ipc__list_remove(&peer->link);
    free(peer->name);
    free(peer);
  }
}
