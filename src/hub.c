/* The hub: shared resources of the channels of one server or client, and the
 * one place that decides when a channel's work is done. It knows of channels
 * and server only that they can be served, and who hears of their streams. */
#include "hub.h"

#include <string.h>

#include "alloc.h"
#include "backoff.h"
#include "channel.h"
#include "op.h"

static void on_handle_closed(uv_handle_t* handle) {
  ipc__hub_t* hub = handle->data;
  ipc_allocator_t allocator;
  ipc__op_t* op;
  size_t i;

  if (--hub->handles > 0) return;
  allocator = hub->settings.allocator;
  ipc__hub_release_traffics(hub);
  for (i = 0; i < IPC__HUB_SPARES; i++) {
    ipc__free(&allocator, hub->spares[i].memory);
  }
  while ((op = hub->spare_ops) != NULL) {
    hub->spare_ops = op->next;
    ipc__free(&allocator, op);
  }
  ipc__free(&allocator, hub->read_buffer);
  ipc__free(&allocator, hub->os_name);
  ipc__free(&allocator, hub);
}

int ipc__hub_create(uv_loop_t* loop,
                    const ipc__settings_t* settings,
                    const char* os_name,
                    ipc__hub_t** out) {
  const ipc_allocator_t* allocator = &settings->allocator;
  ipc__hub_t* hub;
  int err = UV_ENOMEM;

  ipc__libuv_begin();
  hub = ipc__calloc(allocator, sizeof(*hub));
  if (hub == NULL) return UV_ENOMEM;
  hub->os_name = ipc__strdup(allocator, os_name);
  hub->read_buffer = ipc__malloc(allocator, IPC__HUB_READ_MIN);
  if (hub->os_name == NULL || hub->read_buffer == NULL) goto fail;
  if (loop == NULL) {
    err = ipc__loop_create(allocator, &hub->own_loop);
    if (err != 0) goto fail;
    loop = &hub->own_loop->uv;
  }
  hub->loop = loop;
  hub->settings = *settings;
  hub->stream_kind.allocator = &hub->settings.allocator;
  hub->stream_kind.on_written = ipc__channel_on_written;
  hub->stream_kind.on_closed = ipc__channel_on_stream_closed;
  hub->references = 1;
  hub->last_connection = ipc__backoff_seed(hub);
  hub->read_capacity = IPC__HUB_READ_MIN;

  /* These three can't fail. */
  uv_timer_init(loop, &hub->timer);
  uv_check_init(loop, &hub->check);
  uv_idle_init(loop, &hub->idle);
  hub->timer.data = hub->check.data = hub->idle.data = hub;
  hub->handles = 3;
  uv_unref((uv_handle_t*) &hub->timer);
  *out = hub;
  return 0;

fail:
  ipc__free(allocator, hub->read_buffer);
  ipc__free(allocator, hub->os_name);
  ipc__free(allocator, hub);
  return err;
}

void ipc__hub_ref(ipc__hub_t* hub) {
  hub->references++;
}

void ipc__hub_unref(ipc__hub_t* hub) {
  if (--hub->references > 0) return;
  uv_close((uv_handle_t*) &hub->timer, on_handle_closed);
  uv_close((uv_handle_t*) &hub->check, on_handle_closed);
  uv_close((uv_handle_t*) &hub->idle, on_handle_closed);
}

void ipc__hub_abandon(ipc__hub_t* hub) {
  ipc__loop_t* own_loop = hub->own_loop;

  ipc__hub_unref(hub);
  ipc__loop_leave(own_loop);
}

/* ---- Work that is due --------------------------------------------------- */

static int is_due(const ipc__hub_t* hub) {
  return hub->due_first != NULL || hub->due_server != NULL;
}

/* Serves what is due now; what becomes due meanwhile waits for the next round,
 * so that no channel can hold up the loop. */
static void serve_round(ipc__hub_t* hub) {
  ipc_channel_t* channel = hub->due_first;
  ipc_server_t* server = hub->due_server;

  hub->due_first = hub->due_last = NULL;
  hub->due_server = NULL;
  if (server != NULL) ipc__server_serve(server);
  while (channel != NULL) {
    ipc_channel_t* next = channel->due_next;

    channel->due_next = NULL;
    channel->is_due = 0;
    ipc__channel_serve(channel);
    channel = next;
  }
}

static void serve_from_hook(ipc__hub_t* hub) {
  ipc__hub_ref(hub);
  hub->depth++;
  serve_round(hub);
  hub->depth--;
  if (!is_due(hub)) {
    uv_check_stop(&hub->check);
    uv_idle_stop(&hub->idle);
  }
  ipc__hub_unref(hub);
}

static void on_check(uv_check_t* handle) {
  serve_from_hook(handle->data);
}

static void on_idle(uv_idle_t* handle) {
  serve_from_hook(handle->data);
}

/* An idle handle runs before the loop polls and keeps it from blocking; a check
 * handle runs after it has polled. One of them comes first. */
static void start_hooks(ipc__hub_t* hub) {
  uv_check_start(&hub->check, on_check);
  uv_idle_start(&hub->idle, on_idle);
}

void ipc__hub_due(ipc__hub_t* hub, ipc_channel_t* channel) {
  if (channel->is_due) return;
  channel->is_due = 1;
  if (hub->due_last == NULL) {
    hub->due_first = channel;
  } else {
    hub->due_last->due_next = channel;
  }
  hub->due_last = channel;
  if (hub->depth == 0) start_hooks(hub);
}

void ipc__hub_server_due(ipc__hub_t* hub, ipc_server_t* server) {
  hub->due_server = server;
  if (hub->depth == 0) start_hooks(hub);
}

void ipc__hub_enter(ipc__hub_t* hub) {
  ipc__hub_ref(hub);
  hub->depth++;
}

void ipc__hub_leave(ipc__hub_t* hub) {
  if (hub->depth == 1 && is_due(hub)) {
    serve_round(hub);
    if (is_due(hub)) start_hooks(hub);
  }
  hub->depth--;
  ipc__hub_unref(hub);
}

/* ---- Memory ------------------------------------------------------------- */

/* A spare fits when it isn't wastefully large for the taker. */
static int fits(size_t capacity, size_t size) {
  return capacity >= size && capacity / 2 <= size + IPC__HUB_READ_MIN;
}

void* ipc__hub_take_spare(ipc__hub_t* hub, size_t size, size_t* capacity) {
  size_t best = IPC__HUB_SPARES;
  void* memory;
  size_t i;

  for (i = 0; i < IPC__HUB_SPARES; i++) {
    if (hub->spares[i].memory == NULL) continue;
    if (!fits(hub->spares[i].capacity, size)) continue;
    if (best == IPC__HUB_SPARES ||
        hub->spares[i].capacity < hub->spares[best].capacity) {
      best = i;
    }
  }
  if (best == IPC__HUB_SPARES) return NULL;
  memory = hub->spares[best].memory;
  *capacity = hub->spares[best].capacity;
  hub->spares[best].memory = NULL;
  hub->spare_bytes -= *capacity;
  return memory;
}

void* ipc__hub_take(ipc__hub_t* hub, size_t size, size_t* capacity) {
  void* memory = ipc__hub_take_spare(hub, size, capacity);

  if (memory != NULL) return memory;
  *capacity = size;
  return ipc__malloc(&hub->settings.allocator, size);
}

/* A place for a spare: an empty one, or that of the smallest, which is the
 * least loss. */
static size_t find_place(const ipc__hub_t* hub) {
  size_t smallest = 0;
  size_t i;

  for (i = 0; i < IPC__HUB_SPARES; i++) {
    if (hub->spares[i].memory == NULL) return i;
    if (hub->spares[i].capacity < hub->spares[smallest].capacity) smallest = i;
  }
  return smallest;
}

void ipc__hub_give(ipc__hub_t* hub, void* memory, size_t capacity) {
  size_t i;

  if (memory == NULL) return;
  i = find_place(hub);
  if (hub->spares[i].memory != NULL && hub->spares[i].capacity < capacity) {
    ipc__free(&hub->settings.allocator, hub->spares[i].memory);
    hub->spare_bytes -= hub->spares[i].capacity;
    hub->spares[i].memory = NULL;
  }
  if (hub->spares[i].memory != NULL ||
      hub->spare_bytes + capacity > IPC__HUB_SPARE_BYTES) {
    ipc__free(&hub->settings.allocator, memory);
    return;
  }
  hub->spares[i].memory = memory;
  hub->spares[i].capacity = capacity;
  hub->spare_bytes += capacity;
}

void ipc__hub_grow_read(ipc__hub_t* hub, size_t bytes) {
  size_t capacity = hub->read_capacity;
  char* buffer;

  if (bytes > IPC__HUB_READ_MAX) bytes = IPC__HUB_READ_MAX;
  while (capacity < bytes) capacity *= 2;
  if (capacity == hub->read_capacity) return;
  buffer = ipc__malloc(&hub->settings.allocator, capacity);
  if (buffer == NULL) return;
  ipc__free(&hub->settings.allocator, hub->read_buffer);
  hub->read_buffer = buffer;
  hub->read_capacity = capacity;
}

/* ---- Deadlines ---------------------------------------------------------- */

static void on_timer(uv_timer_t* timer);

/* Points the timer at the earliest deadline. */
static void arm(ipc__hub_t* hub) {
  uint64_t now;

  if (hub->deadlines == NULL) {
    uv_timer_stop(&hub->timer);
    return;
  }
  now = uv_now(hub->loop);
  uv_timer_start(&hub->timer, on_timer,
                 hub->deadlines->at > now ? hub->deadlines->at - now : 0, 0);
}

static void on_timer(uv_timer_t* timer) {
  ipc__hub_t* hub = timer->data;
  uint64_t now = uv_now(hub->loop);

  ipc__hub_enter(hub);
  while (hub->deadlines != NULL && hub->deadlines->at <= now) {
    ipc__deadline_t* deadline = hub->deadlines;

    ipc__hub_clear_deadline(hub, deadline);
    deadline->expired(deadline);
  }
  arm(hub);
  ipc__hub_leave(hub);
}

void ipc__hub_clear_deadline(ipc__hub_t* hub, ipc__deadline_t* deadline) {
  if (deadline->at == 0) return;
  hub->deadlines = ipc__deadline_remove(hub->deadlines, deadline);
  /* A wait without an end is cheaper for the system than one with. */
  if (hub->deadlines == NULL) uv_timer_stop(&hub->timer);
  if (!deadline->keeps_loop) return;
  if (--hub->keeping == 0) uv_unref((uv_handle_t*) &hub->timer);
}

void ipc__hub_set_deadline(ipc__hub_t* hub,
                           ipc__deadline_t* deadline,
                           int timeout_ms,
                           int keeps_loop,
                           ipc__deadline_cb expired) {
  ipc__hub_clear_deadline(hub, deadline);
  if (timeout_ms == IPC_CHANNEL_INFINITE) return;

  /* The loop's clock stands still during a turn and cuts off fractions: with
   * the time brought up to date and one more, a deadline is never early. */
  uv_update_time(hub->loop);
  deadline->at = uv_now(hub->loop) + (uint64_t) timeout_ms + 1;
  deadline->order = hub->deadline_order++;
  deadline->expired = expired;
  deadline->keeps_loop = keeps_loop;
  hub->deadlines = ipc__deadline_insert(hub->deadlines, deadline);
  if (keeps_loop && hub->keeping++ == 0) uv_ref((uv_handle_t*) &hub->timer);
  if (hub->deadlines == deadline) arm(hub);
}
