/* What a text that has come means, and who is to have it. Everything that a
 * hostile peer can say goes through here, and is measured before it is parsed.
 */
#include <stdio.h>
#include <string.h>

#include "service.h"

/* ---- What can't be taken ------------------------------------------------ */

static void refuse_text(ipc_service_peer_t* peer, int code, const char* why) {
  ipc_service_t* service = peer->service;

  service->stats.invalid_messages++;
  ipc__request_refuse(peer, NULL, ipc__rpc_null_id, code, why);
  ipc__handlers_tell(service, IPC_SERVICE_ERROR, peer, UV_EPROTO, why);
}

/* NULL: it was refused. Without memory nobody knows who waits for what, so that
 * the connection has to end. */
static json_t* parse(ipc_service_peer_t* peer, const char* data, size_t size) {
  const ipc__service_settings_t* settings = &peer->service->settings;
  char why[JSON_ERROR_TEXT_LENGTH + 64];
  json_error_t error;
  json_t* root;

  if (size > settings->max_message_bytes) {
    snprintf(why, sizeof(why), "%llu bytes, and %llu is the most",
             (unsigned long long) size,
             (unsigned long long) settings->max_message_bytes);
    refuse_text(peer, IPC_SERVICE_INVALID_REQUEST, why);
    return NULL;
  }
  if (ipc__text_depth(data, size) > settings->max_depth) {
    snprintf(why, sizeof(why), "more than %u arrays and objects in each other",
             settings->max_depth);
    refuse_text(peer, IPC_SERVICE_INVALID_REQUEST, why);
    return NULL;
  }
  root = json_loadb(data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (root != NULL) return root;
  if (json_error_code(&error) == json_error_out_of_memory) {
    ipc__peer_fail(peer, UV_ENOMEM);
    return NULL;
  }
  snprintf(why, sizeof(why), "byte %d: %s", error.position, error.text);
  refuse_text(peer, IPC_SERVICE_PARSE_ERROR, why);
  return NULL;
}

/* ---- Requests and notifications ----------------------------------------- */

/* What the handler is to get; NULL in `*named` for no params at all. */
static int take_params(const ipc__method_t* method,
                       const ipc__rpc_t* rpc,
                       json_t** named,
                       json_t** problem) {
  *problem = NULL;
  *named = NULL;
  if (method->description->params != NULL) {
    return ipc__params_take(method->description->params, rpc->params, named,
                            problem);
  }
  *named = json_incref(rpc->params);
  return 0;
}

static void call_method(ipc_service_peer_t* peer,
                        const ipc__method_t* found,
                        const ipc__rpc_t* rpc,
                        ipc__gather_t* gather) {
  ipc_service_t* service = peer->service;
  ipc__method_t method = *found; /* it may be removed while it runs */
  ipc_service_request_t request = 0;
  json_t* problem;
  json_t* params;
  int err = take_params(&method, rpc, &params, &problem);

  if (err == 0 && rpc->kind == IPC__RPC_REQUEST) {
    request = ipc__request_create(peer, rpc->id, gather);
    if (request == 0) err = UV_ENOMEM;
  }
  if (err == 0) {
    service->stats.requests += request != 0;
    method.cb(service, peer, request, params, method.arg);
  } else if (rpc->kind == IPC__RPC_REQUEST) {
    ipc__request_refuse_with(peer, gather, rpc->id,
                             err == UV_EINVAL ? IPC_SERVICE_INVALID_PARAMS
                                              : IPC_SERVICE_INTERNAL_ERROR,
                             json_incref(problem));
  } else if (err == UV_ENOMEM) {
    ipc__handlers_tell(service, IPC_SERVICE_ERROR, peer, UV_ENOMEM,
                       "no memory for a notification");
  } else {
    service->stats.invalid_messages++;
  }
  json_decref(params);
  json_decref(problem);
}

static void discover(ipc_service_peer_t* peer,
                     const ipc__rpc_t* rpc,
                     ipc__gather_t* gather) {
  ipc_service_request_t request = ipc__request_create(peer, rpc->id, gather);
  json_t* document;

  if (request == 0) {
    ipc__request_refuse(peer, gather, rpc->id, IPC_SERVICE_INTERNAL_ERROR,
                        NULL);
    return;
  }
  document = ipc_service_describe(peer->service);
  if (document == NULL) {
    ipc_service_reply_error(peer->service, request, IPC_SERVICE_INTERNAL_ERROR,
                            NULL, NULL);
  } else {
    ipc_service_reply(peer->service, request, document);
  }
}

static void take_request(ipc_service_peer_t* peer,
                         const ipc__rpc_t* rpc,
                         ipc__gather_t* gather) {
  ipc_service_t* service = peer->service;
  const ipc__method_t* method = ipc__handler_method(service, rpc->method);

  if (service->state != IPC__SERVICE_RUNNING) {
    ipc__request_refuse(peer, gather, rpc->id, IPC_SERVICE_SHUTTING_DOWN, NULL);
  } else if (peer->request_count >= service->settings.max_requests) {
    ipc__request_refuse(peer, gather, rpc->id, IPC_SERVICE_TOO_MANY, NULL);
  } else if (service->settings.discovers &&
             strcmp(rpc->method, "rpc.discover") == 0) {
    discover(peer, rpc, gather);
  } else if (method == NULL) {
    ipc__request_refuse(peer, gather, rpc->id, IPC_SERVICE_METHOD_NOT_FOUND,
                        NULL);
  } else {
    call_method(peer, method, rpc, gather);
  }
}

static void take_notification(ipc_service_peer_t* peer, const ipc__rpc_t* rpc) {
  ipc_service_t* service = peer->service;
  const ipc__method_t* method = ipc__handler_method(service, rpc->method);
  int is_taken = method != NULL;

  service->stats.notifications++;
  if (strcmp(rpc->method, "rpc.hello") == 0) {
    ipc__peer_claim_name(peer, rpc->params);
    return;
  }
  is_taken |= ipc__handlers_notify(service, peer, rpc->method, rpc->params);
  /* A handler may have removed it. */
  method = ipc__handler_method(service, rpc->method);
  if (method != NULL) call_method(peer, method, rpc, NULL);
  is_taken |=
      ipc__handlers_notify_from(service, peer, rpc->method, rpc->params);
  if (!is_taken) {
    ipc__handlers_notify_rest(service, peer, rpc->method, rpc->params);
  }
}

/* ---- Messages ----------------------------------------------------------- */

static void take_one(ipc_service_peer_t* peer,
                     const json_t* value,
                     ipc__span_t text,
                     ipc__gather_t* gather) {
  ipc_service_t* service = peer->service;
  ipc__rpc_t rpc;

  ipc__rpc_read(value, text, &rpc);
  switch (rpc.kind) {
    case IPC__RPC_REQUEST:
      take_request(peer, &rpc, gather);
      break;
    case IPC__RPC_NOTIFICATION:
      take_notification(peer, &rpc);
      break;
    case IPC__RPC_INVALID_REQUEST:
      service->stats.invalid_messages++;
      ipc__request_refuse(peer, gather, rpc.id, IPC_SERVICE_INVALID_REQUEST,
                          rpc.reason);
      ipc__handlers_tell(service, IPC_SERVICE_ERROR, peer, UV_EPROTO,
                         rpc.reason);
      break;
    default:
      ipc__calls_answered(peer, &rpc);
  }
}

static void take_batch(ipc_service_peer_t* peer,
                       const json_t* entries,
                       ipc__span_t text) {
  size_t count = json_array_size(entries);
  ipc__gather_t* gather;
  size_t at = 0;
  size_t i;

  if (count == 0) {
    refuse_text(peer, IPC_SERVICE_INVALID_REQUEST, "an empty batch");
    return;
  }
  if (count > peer->service->settings.max_batch) {
    refuse_text(peer, IPC_SERVICE_INVALID_REQUEST, "too large a batch");
    return;
  }
  gather = ipc__gather_create();
  if (gather == NULL) {
    /* One error for all would be none for any of its ids. */
    ipc__peer_fail(peer, UV_ENOMEM);
    return;
  }
  for (i = 0; i < count && peer->state < IPC__PEER_CLOSING; i++) {
    take_one(peer, json_array_get(entries, i), ipc__text_element(text, &at),
             gather);
  }
  if (ipc__gather_drop(gather, peer) != 0) {
    peer->service->stats.unsent_answers++;
  }
}

void ipc__dispatch(ipc_service_peer_t* peer, const char* data, size_t size) {
  json_t* root = parse(peer, data, size);
  ipc__span_t text;

  if (root == NULL) return;
  text = ipc__text_trim(data, size);
  if (json_is_array(root)) {
    take_batch(peer, root, text);
  } else {
    take_one(peer, root, text, NULL);
  }
  json_decref(root);
}
