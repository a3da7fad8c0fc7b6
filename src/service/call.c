/* Our calls: what they wait for, and the five ways in which they end: answered,
 * answered by an error, too late, cancelled, or with their peer gone. */
#include "service.h"

#include <stdlib.h>
#include <string.h>

static ipc__call_t* call_of(ipc__link_t* link) {
  return IPC__HOLDER(ipc__call_t, link, link);
}

int ipc__call_write(ipc__buffer_t* out,
                    const char* method,
                    const json_t* params,
                    uint64_t number) {
  json_t* name;

  if (method == NULL || !ipc__text_is_utf8(method)) return UV_EINVAL;
  if (params != NULL && !json_is_array(params) && !json_is_object(params)) {
    return UV_EINVAL;
  }
  name = json_string(method);
  if (name == NULL) return UV_ENOMEM;
  ipc__rpc_put_request(out, name, params, number);
  json_decref(name);
  return out->has_failed ? UV_ENOMEM : 0;
}

int ipc__call_create(ipc_service_t* service,
                     int timeout_ms,
                     ipc_service_answer_cb cb,
                     void* arg,
                     ipc__call_t** out) {
  ipc__call_t* call;

  if (cb == NULL) return UV_EINVAL;
  if (timeout_ms < 1 && timeout_ms != IPC_CHANNEL_INFINITE) return UV_EINVAL;
  call = calloc(1, sizeof(*call));
  if (call == NULL) return UV_ENOMEM;
  if (ipc__agenda_reserve(&service->agenda) != 0) {
    free(call);
    return UV_ENOMEM;
  }
  call->service = service;
  call->timeout_ms = timeout_ms;
  call->cb = cb;
  call->arg = arg;
  call->entry.number = ++service->last_call;
  ipc__list_init(&call->link);
  *out = call;
  return 0;
}

void ipc__call_discard(ipc__call_t* call) {
  ipc__list_remove(&call->link);
  ipc__agenda_clear(&call->service->agenda, &call->due);
  ipc__agenda_unreserve(&call->service->agenda);
  free(call);
}

int ipc__calls_reserve(ipc_service_t* service, size_t count) {
  if (service->calls.count + count > service->settings.max_calls) {
    return UV_EBUSY;
  }
  return ipc__table_reserve(&service->calls, count);
}

/* ---- Ends --------------------------------------------------------------- */

static void end(ipc__call_t* call, const ipc_service_answer_t* answer) {
  ipc_service_t* service = call->service;
  ipc_service_answer_cb cb = call->cb;
  void* arg = call->arg;

  ipc__table_remove(&service->calls, &call->entry);
  ipc__call_discard(call);
  cb(service, arg, answer);
}

static void end_with(ipc__call_t* call, int status) {
  ipc_service_answer_t answer;

  memset(&answer, 0, sizeof(answer));
  answer.status = status;
  answer.message = "";
  end(call, &answer);
}

static void on_due(ipc__due_t* due) {
  ipc__call_t* call = IPC__HOLDER(ipc__call_t, due, due);

  end_with(call, call->status == 0 ? UV_ETIMEDOUT : call->status);
}

static void end_soon(ipc__call_t* call, int status) {
  call->status = status;
  call->peer = NULL;
  ipc__list_remove(&call->link);
  ipc__agenda_set_soon(&call->service->agenda, &call->due, on_due);
}

void ipc__call_begin(ipc__call_t* call, ipc_service_peer_t* peer) {
  ipc_service_t* service = call->service;

  ipc__list_remove(&call->link);
  call->peer = peer;
  ipc__list_append(&peer->calls, &call->link);
  ipc__table_add(&service->calls, &call->entry);
  ipc__agenda_set(&service->agenda, &call->due, call->timeout_ms, on_due);
  service->stats.calls++;
}

void ipc__calls_end(ipc_service_peer_t* peer, int status) {
  ipc__link_t ending;

  /* A callback may call again, where another connection is being made: that
   * one goes on. */
  ipc__list_init(&ending);
  ipc__list_move(&ending, &peer->calls);
  while (!ipc__list_is_empty(&ending)) {
    end_with(call_of(ending.next), status);
  }
}

void ipc__calls_end_soon(ipc_service_peer_t* peer, int status) {
  while (!ipc__list_is_empty(&peer->calls)) {
    end_soon(call_of(peer->calls.next), status);
  }
}

/* The pending call that a number names, which is any that a peer says. */
static ipc__call_t* find(const ipc_service_t* service, uint64_t number) {
  ipc__entry_t* entry = ipc__table_find(&service->calls, number);
  ipc__call_t* call;

  if (entry == NULL) return NULL;
  call = IPC__HOLDER(ipc__call_t, entry, entry);
  return call->status == 0 ? call : NULL;
}

int ipc_service_cancel(ipc_service_t* service, ipc_service_op_t op) {
  ipc__call_t* call;

  if (service == NULL) return UV_EINVAL;
  call = find(service, op);
  if (call == NULL) return UV_ENOENT;
  end_soon(call, UV_ECANCELED);
  return 0;
}

/* ---- Answers ------------------------------------------------------------ */

/* Nobody waits for it. */
static void count_stray(ipc_service_peer_t* peer, const ipc__rpc_t* rpc) {
  ipc_service_t* service = peer->service;

  if (rpc->number > 0 && rpc->number <= service->last_call &&
      find(service, rpc->number) == NULL) {
    service->stats.late_replies++;
    return;
  }
  service->stats.unknown_replies++;
  if (rpc->kind == IPC__RPC_ERROR && rpc->number == 0) {
    ipc__handlers_tell(service, IPC_SERVICE_ERROR, peer, UV_EPROTO,
                       rpc->message);
  }
}

void ipc__calls_answered(ipc_service_peer_t* peer, const ipc__rpc_t* rpc) {
  ipc_service_t* service = peer->service;
  ipc__call_t* call = find(service, rpc->number);
  ipc_service_answer_t answer;

  if (rpc->kind == IPC__RPC_INVALID_RESPONSE) {
    service->stats.invalid_messages++;
    if (call != NULL && call->peer == peer) end_with(call, UV_EPROTO);
    ipc__handlers_tell(service, IPC_SERVICE_ERROR, peer, UV_EPROTO,
                       rpc->reason);
    return;
  }
  /* No peer answers what another one was asked. */
  if (call == NULL || call->peer != peer) {
    count_stray(peer, rpc);
    return;
  }
  memset(&answer, 0, sizeof(answer));
  answer.message = "";
  if (rpc->kind == IPC__RPC_RESULT) {
    answer.result = rpc->result;
  } else {
    answer.status = UV_EREMOTEIO;
    answer.code = rpc->code;
    answer.message = rpc->message;
    answer.data = rpc->data;
  }
  end(call, &answer);
}

/* ---- Calls -------------------------------------------------------------- */

static int begin(ipc_service_peer_t* peer,
                 const char* method,
                 const json_t* params,
                 ipc__call_t* call) {
  ipc__buffer_t text = {0};
  int err = ipc__call_write(&text, method, params, call->entry.number);

  if (err == 0) err = ipc__calls_reserve(peer->service, 1);
  if (err == 0) err = ipc__peer_send(peer, &text);
  ipc__buffer_release(&text);
  if (err == 0) ipc__call_begin(call, peer);
  return err;
}

int ipc_service_call(ipc_service_peer_t* peer,
                     const char* method,
                     json_t* params,
                     int timeout_ms,
                     ipc_service_answer_cb cb,
                     void* arg,
                     ipc_service_op_t* op) {
  ipc__call_t* call;
  int err = UV_EINVAL;

  if (op != NULL) *op = 0;
  if (peer == NULL) goto done;
  err = ipc__call_create(peer->service, timeout_ms, cb, arg, &call);
  if (err != 0) goto done;
  err = peer->has_ended ? UV_EPIPE : begin(peer, method, params, call);
  if (err != 0) {
    ipc__call_discard(call);
  } else if (op != NULL) {
    *op = call->entry.number;
  }

done:
  json_decref(params);
  return err;
}

int ipc_service_call_name(ipc_service_t* service,
                          const char* name,
                          const char* method,
                          json_t* params,
                          int timeout_ms,
                          ipc_service_answer_cb cb,
                          void* arg,
                          ipc_service_op_t* op) {
  ipc_service_peer_t* peer;
  int err;

  if (op != NULL) *op = 0;
  err = ipc__peer_reach(service, name, &peer);
  if (err == 0) {
    return ipc_service_call(peer, method, params, timeout_ms, cb, arg, op);
  }
  json_decref(params);
  return err;
}
