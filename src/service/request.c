/* Requests of peers that wait for an answer, and how they get it: by the
 * handler, by this library, or together with the others of a batch. */
#include "service.h"

#include <stdlib.h>
#include <string.h>

typedef struct request_s {
  ipc__entry_t entry;
  ipc__link_t link; /* of the peer's */
  ipc_service_peer_t* peer;
  ipc__gather_t* gather; /* NULL: not of a batch */
  size_t id_size;
  char id[]; /* as it came */
} request_t;

/* ---- One answer --------------------------------------------------------- */

/* In the place of an answer that can't be sent, without a value that would need
 * memory of its own. */
static void put_instead(ipc__buffer_t* out, ipc__span_t id, int err) {
  ipc__buffer_add_text(out,
                       "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,"
                       "\"message\":\"Internal error\",\"data\":{\"problem\":");
  ipc__buffer_add_text(out, err == UV_EMSGSIZE
                                ? "\"the answer is too large\"}},\"id\":"
                                : "\"no memory for the answer\"}},\"id\":");
  ipc__buffer_add(out, id.data, id.size);
  ipc__buffer_add_text(out, "}");
}

/* The same for each of a batch's. */
static void put_each_instead(ipc__buffer_t* out,
                             const ipc__buffer_t* batch,
                             int err) {
  ipc__span_t text = {batch->data, batch->size};
  ipc__span_t entry;
  size_t at = 0;

  while ((entry = ipc__text_element(text, &at)).data != NULL) {
    ipc__buffer_add_text(out, out->size == 0 ? "[" : ",");
    put_instead(out, ipc__text_member(entry, "id"), err);
  }
  ipc__buffer_add_text(out, "]");
}

/* A peer never waits for an answer that doesn't come: where not even an error
 * can be sent it is given up. `id` has no data for a whole batch. */
static int send_answer(ipc_service_peer_t* peer,
                       ipc__span_t id,
                       const ipc__buffer_t* text) {
  int err = ipc__peer_answer(peer, text);
  ipc__buffer_t instead = {0};

  if (err != UV_EMSGSIZE && err != UV_ENOMEM) return err;
  if (id.data != NULL) {
    put_instead(&instead, id, err);
  } else if (text->has_failed) {
    instead.has_failed = 1;
  } else {
    put_each_instead(&instead, text, err);
  }
  if (ipc__peer_answer(peer, &instead) != 0) ipc__peer_fail(peer, err);
  ipc__buffer_release(&instead);
  return err;
}

/* Lays it to the others of its batch. */
static int gather_answer(ipc__gather_t* gather,
                         ipc__span_t id,
                         const ipc__buffer_t* text) {
  ipc__buffer_t instead = {0};
  int err = 0;

  if (gather->is_forgotten) return 0;
  if (text->has_failed) {
    err = UV_ENOMEM;
    put_instead(&instead, id, err);
    text = &instead;
  }
  ipc__buffer_add_text(&gather->text, gather->text.size == 0 ? "[" : ",");
  ipc__buffer_add(&gather->text, text->data, text->size);
  gather->text.has_failed |= text->has_failed;
  ipc__buffer_release(&instead);
  return err;
}

static int deliver(ipc_service_peer_t* peer,
                   ipc__gather_t* gather,
                   ipc__span_t id,
                   const ipc__buffer_t* text) {
  return gather == NULL ? send_answer(peer, id, text)
                        : gather_answer(gather, id, text);
}

/* ---- Batches ------------------------------------------------------------ */

ipc__gather_t* ipc__gather_create(void) {
  ipc__gather_t* gather = calloc(1, sizeof(*gather));

  if (gather != NULL) gather->waiting = 1;
  return gather;
}

int ipc__gather_drop(ipc__gather_t* gather, ipc_service_peer_t* peer) {
  static const ipc__span_t all = {NULL, 0};
  int err = 0;

  if (gather == NULL || --gather->waiting > 0) return 0;
  if ((gather->text.size > 0 || gather->text.has_failed) &&
      !gather->is_forgotten) {
    ipc__buffer_add_text(&gather->text, "]");
    err = send_answer(peer, all, &gather->text);
  }
  ipc__buffer_release(&gather->text);
  free(gather);
  return err;
}

/* ---- Requests ----------------------------------------------------------- */

ipc_service_request_t ipc__request_create(ipc_service_peer_t* peer,
                                          ipc__span_t id,
                                          ipc__gather_t* gather) {
  ipc_service_t* service = peer->service;
  request_t* request = malloc(sizeof(*request) + id.size);

  if (request == NULL) return 0;
  if (ipc__table_reserve(&service->requests, 1) != 0) {
    free(request);
    return 0;
  }
  request->peer = peer;
  request->gather = gather;
  request->id_size = id.size;
  memcpy(request->id, id.data, id.size);
  request->entry.number = ++service->last_request;
  ipc__table_add(&service->requests, &request->entry);
  ipc__list_append(&peer->requests, &request->link);
  peer->request_count++;
  if (gather != NULL) gather->waiting++;
  return request->entry.number;
}

static void remove_request(request_t* request) {
  request->peer->request_count--;
  ipc__list_remove(&request->link);
  ipc__table_remove(&request->peer->service->requests, &request->entry);
}

static ipc__span_t id_of(const request_t* request) {
  ipc__span_t id;

  id.data = request->id;
  id.size = request->id_size;
  return id;
}

/* Takes the text. The request is over. */
static int answer(request_t* request, ipc__buffer_t* text) {
  ipc_service_peer_t* peer = request->peer;
  int err;
  int batch_err;

  remove_request(request);
  err = deliver(peer, request->gather, id_of(request), text);
  batch_err = ipc__gather_drop(request->gather, peer);
  if (err == 0) err = batch_err;
  if (err != 0) peer->service->stats.unsent_answers++;
  ipc__buffer_release(text);
  free(request);
  ipc__peer_check(peer);
  ipc__service_settle(peer->service);
  return err;
}

static request_t* find(ipc_service_t* service, ipc_service_request_t number) {
  ipc__entry_t* entry = ipc__table_find(&service->requests, number);

  return entry == NULL ? NULL : IPC__HOLDER(request_t, entry, entry);
}

int ipc_service_reply(ipc_service_t* service,
                      ipc_service_request_t number,
                      json_t* result) {
  ipc__buffer_t text = {0};
  request_t* request;
  int err = UV_EINVAL;

  if (service == NULL || result == NULL) goto done;
  err = 0;
  if (number == 0) goto done;
  request = find(service, number);
  err = UV_ENOENT;
  if (request == NULL) goto done;
  ipc__rpc_put_result(&text, id_of(request), result);
  err = answer(request, &text);

done:
  json_decref(result);
  return err;
}

int ipc_service_reply_error(ipc_service_t* service,
                            ipc_service_request_t number,
                            int code,
                            const char* message,
                            json_t* data) {
  ipc__buffer_t text = {0};
  json_t* words = NULL;
  request_t* request;
  int err = UV_EINVAL;

  if (message == NULL) message = ipc__rpc_message(code);
  if (service == NULL || !ipc__text_is_utf8(message)) goto done;
  err = 0;
  if (number == 0) goto done;
  request = find(service, number);
  err = UV_ENOENT;
  if (request == NULL) goto done;
  words = json_string(message);
  ipc__rpc_put_error(&text, id_of(request), code, words, data);
  err = answer(request, &text);

done:
  json_decref(words);
  json_decref(data);
  return err;
}

/* ---- Without a handler -------------------------------------------------- */

void ipc__request_refuse_with(ipc_service_peer_t* peer,
                              ipc__gather_t* gather,
                              ipc__span_t id,
                              int code,
                              json_t* data) {
  json_t* message = json_string(ipc__rpc_message(code));
  ipc__buffer_t text = {0};

  peer->service->stats.refused_requests++;
  ipc__rpc_put_error(&text, id, code, message, data);
  if (deliver(peer, gather, id, &text) != 0) {
    peer->service->stats.unsent_answers++;
  }
  json_decref(message);
  json_decref(data);
  ipc__buffer_release(&text);
}

void ipc__request_refuse(ipc_service_peer_t* peer,
                         ipc__gather_t* gather,
                         ipc__span_t id,
                         int code,
                         const char* reason) {
  json_t* data = NULL;

  if (reason != NULL) data = json_pack("{s:s}", "problem", reason);
  ipc__request_refuse_with(peer, gather, id, code, data);
}

void ipc__requests_refuse(ipc_service_peer_t* peer) {
  ipc__link_t* link;

  while ((link = peer->requests.next) != &peer->requests) {
    request_t* request = IPC__HOLDER(request_t, link, link);

    remove_request(request);
    ipc__request_refuse(peer, request->gather, id_of(request),
                        IPC_SERVICE_SHUTTING_DOWN, NULL);
    ipc__gather_drop(request->gather, peer);
    free(request);
  }
}

void ipc__requests_forget(ipc_service_peer_t* peer) {
  ipc__link_t* link;

  while ((link = peer->requests.next) != &peer->requests) {
    request_t* request = IPC__HOLDER(request_t, link, link);

    remove_request(request);
    if (request->gather != NULL) {
      ipc__buffer_release(&request->gather->text);
      request->gather->is_forgotten = 1;
    }
    ipc__gather_drop(request->gather, peer);
    free(request);
  }
}
