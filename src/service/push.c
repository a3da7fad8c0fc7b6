/* Notifications that go: to a peer, to a name, to many. */
#include "service.h"

static int write_and_send(ipc_service_peer_t* peer,
                          const char* method,
                          const json_t* params) {
  ipc__buffer_t text = {0};
  int err = ipc__call_write(&text, method, params, 0);

  if (err == 0) err = ipc__peer_send(peer, &text);
  ipc__buffer_release(&text);
  return err;
}

int ipc_service_notify(ipc_service_peer_t* peer,
                       const char* method,
                       json_t* params) {
  int err = peer == NULL ? UV_EINVAL : write_and_send(peer, method, params);

  json_decref(params);
  return err;
}

int ipc_service_send(ipc_service_t* service,
                     const char* name,
                     const char* method,
                     json_t* params) {
  ipc_service_peer_t* peer;
  int err = ipc__peer_reach(service, name, &peer);

  if (err == 0) err = write_and_send(peer, method, params);
  json_decref(params);
  return err;
}

/* The text once, for all. */
static size_t send_to_all(ipc_service_t* service,
                          const ipc__buffer_t* text,
                          ipc_service_filter_cb filter,
                          void* arg) {
  ipc__link_t* link;
  size_t reached = 0;

  for (link = service->peers.next; link != &service->peers; link = link->next) {
    ipc_service_peer_t* peer = IPC__HOLDER(ipc_service_peer_t, link, link);

    if (peer->state != IPC__PEER_OPEN) continue;
    if (filter != NULL && !filter(peer, arg)) continue;
    if (ipc__peer_send(peer, text) == 0) reached++;
  }
  return reached;
}

int ipc_service_push(ipc_service_t* service,
                     ipc_service_filter_cb filter,
                     void* arg,
                     const char* method,
                     json_t* params,
                     size_t* reached) {
  ipc__buffer_t text = {0};
  size_t count = 0;
  int err = UV_EINVAL;

  if (service == NULL) goto done;
  err = service->state >= IPC__SERVICE_LEAVING
            ? UV_EPIPE
            : ipc__call_write(&text, method, params, 0);
  if (err != 0) goto done;
  ipc__service_enter(service); /* for what the filter does */
  count = send_to_all(service, &text, filter, arg);
  ipc__service_leave(service);

done:
  if (reached != NULL) *reached = count;
  ipc__buffer_release(&text);
  json_decref(params);
  return err;
}
