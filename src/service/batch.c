/* Batches of ours: calls and notifications gathered into one text. */
#include "service.h"

#include <stdlib.h>

struct ipc_service_batch_s {
  ipc_service_t* service;
  ipc__buffer_t text;
  ipc__link_t calls;
  size_t call_count;
};

int ipc_service_batch_create(ipc_service_t* service,
                             ipc_service_batch_t** out) {
  ipc_service_batch_t* batch;

  if (service == NULL || out == NULL) return UV_EINVAL;
  *out = NULL;
  batch = calloc(1, sizeof(*batch));
  if (batch == NULL) return UV_ENOMEM;
  batch->service = service;
  ipc__list_init(&batch->calls);
  *out = batch;
  return 0;
}

/* Adds one entry; the text stays as it was where that fails. */
static int add(ipc_service_batch_t* batch,
               const char* method,
               const json_t* params,
               uint64_t number) {
  size_t size = batch->text.size;
  int err;

  ipc__buffer_add_text(&batch->text, size == 0 ? "[" : ",");
  err = ipc__call_write(&batch->text, method, params, number);
  if (err != 0) {
    batch->text.size = size;
    batch->text.has_failed = 0;
  }
  return err;
}

int ipc_service_batch_notify(ipc_service_batch_t* batch,
                             const char* method,
                             json_t* params) {
  int err = batch == NULL ? UV_EINVAL : add(batch, method, params, 0);

  json_decref(params);
  return err;
}

int ipc_service_batch_call(ipc_service_batch_t* batch,
                           const char* method,
                           json_t* params,
                           int timeout_ms,
                           ipc_service_answer_cb cb,
                           void* arg,
                           ipc_service_op_t* op) {
  ipc__call_t* call;
  int err = UV_EINVAL;

  if (op != NULL) *op = 0;
  if (batch == NULL) goto done;
  err = ipc__call_create(batch->service, timeout_ms, cb, arg, &call);
  if (err != 0) goto done;
  err = add(batch, method, params, call->entry.number);
  if (err != 0) {
    ipc__call_discard(call);
    goto done;
  }
  ipc__list_append(&batch->calls, &call->link);
  batch->call_count++;
  if (op != NULL) *op = call->entry.number;

done:
  json_decref(params);
  return err;
}

int ipc_service_batch_send(ipc_service_batch_t* batch,
                           ipc_service_peer_t* peer) {
  size_t size;
  int err;

  if (batch == NULL || peer == NULL) return UV_EINVAL;
  if (batch->text.size == 0 || peer->service != batch->service) {
    return UV_EINVAL;
  }
  if (batch->call_count > 0 && peer->has_ended) return UV_EPIPE;
  err = ipc__calls_reserve(batch->service, batch->call_count);
  if (err != 0) return err;
  size = batch->text.size;
  ipc__buffer_add_text(&batch->text, "]");
  err = ipc__peer_send(peer, &batch->text);
  batch->text.size = size;
  batch->text.has_failed = 0;
  if (err != 0) return err;
  while (!ipc__list_is_empty(&batch->calls)) {
    ipc__call_begin(IPC__HOLDER(ipc__call_t, link, batch->calls.next), peer);
  }
  ipc_service_batch_discard(batch);
  return 0;
}

void ipc_service_batch_discard(ipc_service_batch_t* batch) {
  if (batch == NULL) return;
  while (!ipc__list_is_empty(&batch->calls)) {
    ipc__call_discard(IPC__HOLDER(ipc__call_t, link, batch->calls.next));
  }
  ipc__buffer_release(&batch->text);
  free(batch);
}
