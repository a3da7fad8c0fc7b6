/* A service's life: made, quit, closed; and what may be released when. Whoever
 * calls a handler does it between enter and leave, since the handler may remove
 * anything: what is dead is released when the last of these has returned. */
#include "service.h"

#include <stdlib.h>
#include <string.h>

static void on_time(uv_timer_t* timer) {
  ipc_service_t* service = timer->data;

  ipc__service_enter(service);
  ipc__agenda_run(&service->agenda);
  ipc__service_leave(service);
}

int ipc_service_create(uv_loop_t* loop,
                       const ipc_service_options_t* options,
                       void* data,
                       ipc_service_t** out) {
  const ipc__service_settings_t* settings;
  ipc_service_t* service;
  int err = 0;

  if (out == NULL) return UV_EINVAL;
  *out = NULL;
  settings = ipc__service_settings(options, &err);
  if (loop == NULL || settings == NULL) return UV_EINVAL;
  if (err != 0) return err;
  service = calloc(1, sizeof(*service));
  if (service == NULL) return UV_ENOMEM;
  service->settings = *settings;
  if (settings->name != NULL) {
    size_t size = strlen(settings->name) + 1;

    service->name = malloc(size);
    if (service->name == NULL) goto fail;
    memcpy(service->name, settings->name, size);
  }
  service->settings.name = service->name;
  err = ipc__agenda_init(&service->agenda, loop, on_time);
  if (err != 0) goto fail_with;
  /* For the end of a quit. Without memory the timer has to go first, which
   * takes a turn. */
  err = ipc__agenda_reserve(&service->agenda);
  service->agenda.timer.data = service;
  service->loop = loop;
  service->data = data;
  ipc__list_init(&service->peers);
  ipc__list_init(&service->handlers);
  ipc__list_init(&service->servers);
  if (err != 0) {
    ipc_service_close(service, NULL);
    return err;
  }
  *out = service;
  return 0;

fail:
  err = UV_ENOMEM;
fail_with:
  free(service->name);
  free(service);
  return err;
}

void* ipc_service_data(const ipc_service_t* service) {
  return service == NULL ? NULL : service->data;
}

uv_loop_t* ipc_service_loop(const ipc_service_t* service) {
  return service == NULL ? NULL : service->loop;
}

int ipc_service_stats(const ipc_service_t* service,
                      ipc_service_stats_t* stats) {
  const ipc__link_t* link;

  if (service == NULL || stats == NULL) return UV_EINVAL;
  *stats = service->stats;
  stats->calls_pending = service->calls.count;
  stats->requests_pending = service->requests.count;
  for (link = service->peers.next; link != &service->peers; link = link->next) {
    const ipc_service_peer_t* peer =
        IPC__HOLDER(ipc_service_peer_t, link, link);

    if (peer->state == IPC__PEER_GONE) continue;
    stats->peers++;
    stats->answer_bytes_queued += peer->answer_bytes;
  }
  return 0;
}

int ipc__service_is_open(const ipc_service_t* service) {
  return service->state == IPC__SERVICE_RUNNING;
}

/* ---- The end ------------------------------------------------------------ */

static int is_waiting(const ipc_service_t* service) {
  const ipc__link_t* link;

  if (service->requests.count > 0 || service->calls.count > 0) return 1;
  for (link = service->peers.next; link != &service->peers; link = link->next) {
    if (ipc__peer_is_waiting(IPC__HOLDER(ipc_service_peer_t, link, link))) {
      return 1;
    }
  }
  return 0;
}

/* Closes all peers. */
static void start_leaving(ipc_service_t* service) {
  ipc__link_t* link;

  service->state = IPC__SERVICE_LEAVING;
  ipc__agenda_clear(&service->agenda, &service->quit_due);
  ipc__servers_close(service);
  for (link = service->peers.next; link != &service->peers; link = link->next) {
    ipc_service_peer_t* peer = IPC__HOLDER(ipc_service_peer_t, link, link);

    if (!service->is_closing) ipc__requests_refuse(peer);
    ipc_service_peer_close(peer);
  }
}

/* Nobody waits for peers that take no answers. */
static void hurry_peers(ipc_service_t* service) {
  ipc__link_t* link;

  for (link = service->peers.next; link != &service->peers; link = link->next) {
    ipc__peer_hurry(IPC__HOLDER(ipc_service_peer_t, link, link));
  }
}

static void on_grace_over(ipc__due_t* due) {
  start_leaving(IPC__HOLDER(ipc_service_t, quit_due, due));
}

static void on_left(ipc__due_t* due) {
  ipc_service_t* service = IPC__HOLDER(ipc_service_t, quit_due, due);
  ipc_service_close_cb cb = service->on_quit;

  service->quit_is_due = 0;
  if (cb != NULL) cb(service);
}

static void on_closed(uv_handle_t* handle) {
  ipc_service_t* service = handle->data;

  if (service->on_close != NULL) service->on_close(service);
  ipc__handlers_sweep(service, 1);
  ipc__table_release(&service->calls);
  ipc__table_release(&service->requests);
  ipc__agenda_release(&service->agenda);
  free(service->name);
  free(service);
}

void ipc__service_settle(ipc_service_t* service) {
  uv_handle_t* timer = (uv_handle_t*) &service->agenda.timer;

  if (service->busy > 0) return;
  if (service->has_dead) {
    service->has_dead = 0;
    ipc__handlers_sweep(service, 0);
    ipc__peers_sweep(service);
  }
  if (service->state == IPC__SERVICE_QUITTING && !is_waiting(service)) {
    start_leaving(service);
  }
  if (service->state == IPC__SERVICE_LEAVING &&
      ipc__list_is_empty(&service->peers) &&
      ipc__list_is_empty(&service->servers)) {
    service->state = IPC__SERVICE_LEFT;
    if (service->quit_is_due) {
      ipc__agenda_set_soon(&service->agenda, &service->quit_due, on_left);
    }
  }
  if (service->is_closing && service->state == IPC__SERVICE_LEFT &&
      service->calls.count == 0 && !service->quit_is_due &&
      !uv_is_closing(timer)) {
    uv_close(timer, on_closed);
  }
}

void ipc__service_enter(ipc_service_t* service) {
  service->busy++;
}

void ipc__service_leave(ipc_service_t* service) {
  if (--service->busy == 0) ipc__service_settle(service);
}

int ipc_service_quit(ipc_service_t* service,
                     int grace_ms,
                     ipc_service_close_cb cb) {
  if (service == NULL) return UV_EINVAL;
  if (grace_ms < 0 && grace_ms != IPC_CHANNEL_INFINITE) return UV_EINVAL;
  if (service->state != IPC__SERVICE_RUNNING) return UV_EALREADY;
  service->state = IPC__SERVICE_QUITTING;
  service->on_quit = cb;
  service->quit_is_due = 1;
  ipc__servers_close(service);
  ipc__agenda_set(&service->agenda, &service->quit_due, grace_ms,
                  on_grace_over);
  ipc__service_settle(service);
  return 0;
}

int ipc_service_close(ipc_service_t* service, ipc_service_close_cb cb) {
  if (service == NULL) return UV_EINVAL;
  if (service->is_closing) return UV_EALREADY;
  service->is_closing = 1;
  service->on_close = cb;
  if (service->state < IPC__SERVICE_LEAVING) start_leaving(service);
  hurry_peers(service);
  ipc__service_settle(service);
  return 0;
}
