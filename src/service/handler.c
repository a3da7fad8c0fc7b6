/* What is registered, and who of it is told. A handler may remove itself or
 * others while it runs, and register new ones: what is removed is marked, and
 * released when nobody walks over it; what is new waits for the next message.
 */
#include "service.h"

#include <stdlib.h>
#include <string.h>

typedef enum handler_kind_e { METHOD, ACTION, SENDER, REST, EVENT } kind_t;

typedef struct handler_s {
  ipc__link_t link;
  ipc_service_handler_t number;
  kind_t kind;
  int is_removed;
  ipc_service_event_t event; /* EVENT */
  uint32_t hash;             /* of the key */
  char* key;                 /* METHOD and ACTION: the name; SENDER: whose */
  ipc__method_t method;      /* METHOD */
  ipc_service_notification_cb on_notification;
  ipc_service_event_cb on_event;
  void* arg;
} handler_t;

/* FNV-1a, so that most of those that aren't meant are passed by quickly. */
static uint32_t hash_of(const char* text) {
  uint32_t hash = 2166136261u;

  for (; *text != '\0'; text++) {
    hash = (hash ^ (unsigned char) *text) * 16777619u;
  }
  return hash;
}

static handler_t* handler_of(const ipc__link_t* link) {
  return IPC__HOLDER(handler_t, link, link);
}

/* The first behind `link` of this kind and key (NULL: none), registered before
 * `end`; NULL: no more. */
static handler_t* next_of(const ipc_service_t* service,
                          const ipc__link_t* link,
                          kind_t kind,
                          const char* key,
                          ipc_service_handler_t end) {
  uint32_t hash = key == NULL ? 0 : hash_of(key);

  for (link = link->next; link != &service->handlers; link = link->next) {
    handler_t* handler = handler_of(link);

    if (handler->number >= end) break;
    if (handler->is_removed || handler->kind != kind) continue;
    if (key == NULL) return handler;
    if (handler->hash == hash && strcmp(handler->key, key) == 0) return handler;
  }
  return NULL;
}

static void release(handler_t* handler) {
  ipc__list_remove(&handler->link);
  free(handler->key);
  free(handler);
}

void ipc__handlers_sweep(ipc_service_t* service, int all) {
  ipc__link_t* link = service->handlers.next;

  while (link != &service->handlers) {
    handler_t* handler = handler_of(link);

    link = link->next;
    if (all || handler->is_removed) release(handler);
  }
}

/* ---- Telling ------------------------------------------------------------ */

static int notify(ipc_service_t* service,
                  kind_t kind,
                  const char* key,
                  ipc_service_peer_t* peer,
                  const char* method,
                  json_t* params) {
  ipc_service_handler_t end = service->last_handler + 1;
  const ipc__link_t* link = &service->handlers;
  handler_t* handler;
  int is_taken = 0;

  while (!service->is_closing &&
         (handler = next_of(service, link, kind, key, end)) != NULL) {
    is_taken = 1;
    handler->on_notification(service, peer, method, params, handler->arg);
    link = &handler->link;
  }
  return is_taken;
}

int ipc__handlers_notify(ipc_service_t* service,
                         ipc_service_peer_t* peer,
                         const char* method,
                         json_t* params) {
  return notify(service, ACTION, method, peer, method, params);
}

int ipc__handlers_notify_from(ipc_service_t* service,
                              ipc_service_peer_t* peer,
                              const char* method,
                              json_t* params) {
  if (peer->name == NULL) return 0;
  return notify(service, SENDER, peer->name, peer, method, params);
}

int ipc__handlers_notify_rest(ipc_service_t* service,
                              ipc_service_peer_t* peer,
                              const char* method,
                              json_t* params) {
  return notify(service, REST, NULL, peer, method, params);
}

void ipc__handlers_tell(ipc_service_t* service,
                        ipc_service_event_t event,
                        ipc_service_peer_t* peer,
                        int status,
                        const char* text) {
  ipc_service_handler_t end = service->last_handler + 1;
  const ipc__link_t* link = &service->handlers;
  handler_t* handler;

  while ((handler = next_of(service, link, EVENT, NULL, end)) != NULL) {
    if (handler->event == event) {
      handler->on_event(service, event, peer, status, text, handler->arg);
    }
    link = &handler->link;
  }
}

const ipc__method_t* ipc__handler_method(const ipc_service_t* service,
                                         const char* name) {
  handler_t* handler =
      next_of(service, &service->handlers, METHOD, name, UINT64_MAX);

  return handler == NULL ? NULL : &handler->method;
}

/* ---- Registering -------------------------------------------------------- */

static int add(ipc_service_t* service,
               kind_t kind,
               const char* key,
               void* arg,
               handler_t** out) {
  size_t size = key == NULL ? 0 : strlen(key) + 1;
  handler_t* handler;

  if (service->is_closing) return UV_EPIPE;
  handler = calloc(1, sizeof(*handler));
  if (handler == NULL) return UV_ENOMEM;
  if (key != NULL) {
    handler->key = malloc(size);
    if (handler->key == NULL) {
      free(handler);
      return UV_ENOMEM;
    }
    memcpy(handler->key, key, size);
    handler->hash = hash_of(key);
  }
  handler->kind = kind;
  handler->arg = arg;
  handler->number = ++service->last_handler;
  ipc__list_append(&service->handlers, &handler->link);
  *out = handler;
  return 0;
}

static int is_name(const char* name) {
  return name != NULL && name[0] != '\0' && ipc__text_is_utf8(name);
}

static int is_text(const char* text) {
  return text == NULL || ipc__text_is_utf8(text);
}

int ipc_service_add_method(ipc_service_t* service,
                           const ipc_service_method_t* method,
                           ipc_service_method_cb cb,
                           void* arg,
                           ipc_service_handler_t* number) {
  handler_t* handler;
  int err;

  if (service == NULL || method == NULL || cb == NULL) return UV_EINVAL;
  if (!is_name(method->name) || strncmp(method->name, "rpc.", 4) == 0) {
    return UV_EINVAL;
  }
  if (!is_text(method->text) || !is_text(method->result)) return UV_EINVAL;
  if (ipc__params_check_table(method->params) != 0) return UV_EINVAL;
  if (ipc__handler_method(service, method->name) != NULL) return UV_EEXIST;
  err = add(service, METHOD, method->name, arg, &handler);
  if (err != 0) return err;
  handler->method.description = method;
  handler->method.cb = cb;
  handler->method.arg = arg;
  if (number != NULL) *number = handler->number;
  return 0;
}

static int add_notification(ipc_service_t* service,
                            kind_t kind,
                            const char* key,
                            ipc_service_notification_cb cb,
                            void* arg,
                            ipc_service_handler_t* number) {
  handler_t* handler;
  int err;

  if (service == NULL || cb == NULL) return UV_EINVAL;
  if (kind != REST && !is_name(key)) return UV_EINVAL;
  err = add(service, kind, key, arg, &handler);
  if (err != 0) return err;
  handler->on_notification = cb;
  if (number != NULL) *number = handler->number;
  return 0;
}

int ipc_service_on(ipc_service_t* service,
                   const char* method,
                   ipc_service_notification_cb cb,
                   void* arg,
                   ipc_service_handler_t* handler) {
  return add_notification(service, ACTION, method, cb, arg, handler);
}

int ipc_service_on_from(ipc_service_t* service,
                        const char* peer_name,
                        ipc_service_notification_cb cb,
                        void* arg,
                        ipc_service_handler_t* handler) {
  return add_notification(service, SENDER, peer_name, cb, arg, handler);
}

int ipc_service_on_rest(ipc_service_t* service,
                        ipc_service_notification_cb cb,
                        void* arg,
                        ipc_service_handler_t* handler) {
  return add_notification(service, REST, NULL, cb, arg, handler);
}

int ipc_service_on_event(ipc_service_t* service,
                         ipc_service_event_t event,
                         ipc_service_event_cb cb,
                         void* arg,
                         ipc_service_handler_t* number) {
  handler_t* handler;
  int err;

  if (service == NULL || cb == NULL) return UV_EINVAL;
  if ((unsigned int) event > IPC_SERVICE_PEER_GONE) return UV_EINVAL;
  err = add(service, EVENT, NULL, arg, &handler);
  if (err != 0) return err;
  handler->event = event;
  handler->on_event = cb;
  if (number != NULL) *number = handler->number;
  return 0;
}

int ipc_service_remove(ipc_service_t* service, ipc_service_handler_t number) {
  ipc__link_t* link;

  if (service == NULL) return UV_EINVAL;
  for (link = service->handlers.next; link != &service->handlers;
       link = link->next) {
    handler_t* handler = handler_of(link);

    if (handler->number != number || handler->is_removed) continue;
    handler->is_removed = 1;
    service->has_dead = 1;
    ipc__service_settle(service);
    return 0;
  }
  return UV_ENOENT;
}

/* ---- Describing --------------------------------------------------------- */

const char* ipc__handlers_next_offer(const ipc_service_t* service,
                                     const void** at,
                                     const ipc_service_method_t** method) {
  const ipc__link_t* link = *at == NULL ? &service->handlers : *at;

  for (link = link->next; link != &service->handlers; link = link->next) {
    const handler_t* handler = handler_of(link);

    if (handler->is_removed) continue;
    if (handler->kind != METHOD && handler->kind != ACTION) continue;
    *at = link;
    *method = handler->kind == METHOD ? handler->method.description : NULL;
    return handler->key;
  }
  return NULL;
}
