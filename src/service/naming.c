/* Peers by name: found, introduced, and connected to when somebody asks for one
 * that isn't there; and what is known of each. */
#include <stdlib.h>
#include <string.h>

#include "service.h"

ipc_service_t* ipc_service_peer_service(const ipc_service_peer_t* peer) {
  return peer == NULL ? NULL : peer->service;
}

const char* ipc_service_peer_name(const ipc_service_peer_t* peer) {
  return peer == NULL ? NULL : peer->name;
}

void* ipc_service_peer_data(const ipc_service_peer_t* peer) {
  return peer == NULL ? NULL : peer->data;
}

void ipc_service_peer_set_data(ipc_service_peer_t* peer, void* data) {
  if (peer != NULL) peer->data = data;
}

ipc_service_peer_t* ipc_service_next_peer(const ipc_service_t* service,
                                          const ipc_service_peer_t* peer) {
  const ipc__link_t* link;

  if (service == NULL) return NULL;
  link = peer == NULL ? service->peers.next : peer->link.next;
  for (; link != &service->peers; link = link->next) {
    ipc_service_peer_t* next = IPC__HOLDER(ipc_service_peer_t, link, link);

    if (next->state != IPC__PEER_GONE) return next;
  }
  return NULL;
}

ipc_service_peer_t* ipc_service_find(const ipc_service_t* service,
                                     const char* name) {
  ipc_service_peer_t* claims = NULL;
  ipc_service_peer_t* peer = NULL;

  if (service == NULL || name == NULL) return NULL;
  while ((peer = ipc_service_next_peer(service, peer)) != NULL) {
    if (peer->state >= IPC__PEER_CLOSING || peer->name == NULL ||
        peer->has_ended || strcmp(peer->name, name) != 0) {
      continue;
    }
    if (!peer->name_is_claimed) return peer;
    if (claims == NULL) claims = peer;
  }
  return claims;
}

void ipc__peer_claim_name(ipc_service_peer_t* peer, const json_t* params) {
  ipc_service_t* service = peer->service;
  const json_t* name = json_object_get(params, "name");
  size_t size = json_string_length(name);

  if (!service->settings.accepts_names || peer->name != NULL) return;
  if (size == 0 || size > IPC_SERVICE_MAX_NAME ||
      strlen(json_string_value(name)) != size) {
    service->stats.invalid_messages++;
    return;
  }
  peer->name = malloc(size + 1);
  if (peer->name == NULL) return;
  memcpy(peer->name, json_string_value(name), size + 1);
  peer->name_is_claimed = 1;
  ipc__handlers_tell(service, IPC_SERVICE_PEER_NAMED, peer, 0, peer->name);
}

/* ---- On demand ---------------------------------------------------------- */

int ipc_service_set_connector(ipc_service_t* service,
                              const ipc_service_transport_t* transport,
                              void* arg) {
  if (service == NULL) return UV_EINVAL;
  if (transport != NULL && transport->connect == NULL) return UV_EINVAL;
  service->connector = transport;
  service->connector_arg = arg;
  return 0;
}

int ipc__peer_reach(ipc_service_t* service,
                    const char* name,
                    ipc_service_peer_t** peer) {
  if (service == NULL || name == NULL || name[0] == '\0') return UV_EINVAL;
  *peer = ipc_service_find(service, name);
  if (*peer != NULL) return 0;
  if (!ipc__service_is_open(service)) return UV_EPIPE;
  if (service->connector == NULL) return UV_ENOTCONN;
  return service->connector->connect(service->connector_arg, service, name,
                                     peer);
}
