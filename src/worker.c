/* A program that is kept running: one child after the other, each with a
 * channel. It hears of its child as any user does, and of the channel by
 * standing in front of the child as its follower; it must never take a callback
 * of the channel's, which are the user's. */
#include <string.h>

#include "alloc.h"
#include "backoff.h"
#include "channel.h"
#include "child.h"

struct ipc_worker_s {
  ipc__follower_t follower; /* first, so that it is the worker */
  ipc__follower_t* next;    /* the child */
  uv_timer_t timer;         /* between two lives */
  ipc_child_t* child;       /* NULL: between two lives, or after the last */
  ipc_channel_t* channel;   /* NULL: gone */
  void* data;
  ipc_worker_ready_cb on_ready;
  ipc_worker_exit_cb on_exit;
  ipc_worker_close_cb on_close;
  ipc_allocator_t allocator;
  ipc_child_options_t child_options;
  ipc_channel_options_t channel_options;
  void* strings; /* what the options point to */
  uint64_t restarts;
  uint64_t ready_at; /* on uv_hrtime's clock */
  int64_t exit_status;
  int term_signal;
  int end_status; /* what has broken the channel */
  int restart_first_ms;
  int restart_max_ms;
  int backoff_ms; /* before the next restart */
  int grace_ms;
  uint32_t random;
  unsigned int is_ready : 1;
  unsigned int is_ending : 1; /* this life */
  unsigned int is_quitting : 1;
  unsigned int is_closing : 1;
};

static ipc_worker_t* worker_of(uv_timer_t* timer) {
  return (ipc_worker_t*) ((char*) timer - offsetof(ipc_worker_t, timer));
}

/* ---- The end of all ----------------------------------------------------- */

static void release(ipc_worker_t* worker) {
  ipc_allocator_t allocator = worker->allocator;

  ipc__free(&allocator, worker->strings);
  ipc__free(&allocator, worker);
}

static void on_timer_closed(uv_handle_t* handle) {
  ipc_worker_t* worker = worker_of((uv_timer_t*) handle);

  if (worker->on_close != NULL) worker->on_close(worker);
  release(worker);
}

static void check_closed(ipc_worker_t* worker) {
  if (!worker->is_closing || worker->child != NULL) return;
  if (uv_is_closing((uv_handle_t*) &worker->timer)) return;
  uv_close((uv_handle_t*) &worker->timer, on_timer_closed);
}

/* ---- The end of a life -------------------------------------------------- */

static void on_restart(uv_timer_t* timer);

static int may_restart(const ipc_worker_t* worker) {
  return worker->restart_first_ms != IPC_CHANNEL_INFINITE &&
         !worker->is_quitting && !worker->is_closing;
}

/* The timer runs before the callback, which may stop it. */
static void tell_exit(ipc_worker_t* worker, ipc_worker_exit_t* told) {
  told->restart_ms = IPC_CHANNEL_INFINITE;
  if (may_restart(worker)) {
    told->restart_ms = ipc__backoff_next(
        &worker->backoff_ms, worker->restart_max_ms, &worker->random);
  }
  ipc__timer_start(&worker->timer, told->restart_ms, on_restart);
  if (worker->on_exit != NULL) worker->on_exit(worker, told);
  check_closed(worker);
}

static void on_child_closed(ipc_child_t* child) {
  ipc_worker_t* worker = ipc_child_data(child);
  ipc_worker_exit_t told;

  told.status = worker->end_status;
  if (told.status == 0 && ipc__child_was_made_to_go(child)) {
    told.status = UV_ETIMEDOUT;
  }
  told.exit_status = worker->exit_status;
  told.term_signal = worker->term_signal;
  worker->child = NULL;
  tell_exit(worker, &told);
}

/* From here on nothing more is expected of this life. One that went well for
 * long doesn't count with those before it. */
static void begin_end(ipc_worker_t* worker) {
  uint64_t long_ns = (uint64_t) worker->restart_max_ms * 1000000;

  if (worker->is_ending) return;
  worker->is_ending = 1;
  if (worker->is_ready && uv_hrtime() - worker->ready_at >= long_ns) {
    worker->backoff_ms = worker->restart_first_ms;
  }
}

static void on_child_exit(ipc_child_t* child,
                          int64_t exit_status,
                          int term_signal) {
  ipc_worker_t* worker = ipc_child_data(child);

  begin_end(worker);
  worker->exit_status = exit_status;
  worker->term_signal = term_signal;
  ipc_child_close(child, on_child_closed); /* UV_EALREADY: as our own close */
}

/* What a process that goes does to its channel, and what we do to it, says
 * nothing that its exit doesn't say better. */
static int reason_of(int status) {
  switch (status) {
    case UV_ECONNRESET:
    case UV_ECONNREFUSED:
    case UV_ECANCELED:
      return 0;
    default:
      return status;
  }
}

/* ---- Its channel -------------------------------------------------------- */

static void on_channel_open(ipc__follower_t* follower) {
  ipc_worker_t* worker = (ipc_worker_t*) follower;

  worker->is_ready = 1;
  worker->ready_at = uv_hrtime();
  if (worker->on_ready != NULL) worker->on_ready(worker, worker->channel);
}

static void on_channel_end(ipc__follower_t* follower) {
  ipc_worker_t* worker = (ipc_worker_t*) follower;

  if (!worker->is_ending) {
    begin_end(worker);
    worker->end_status = reason_of(ipc__channel_told_error(worker->channel));
    ipc__child_ask(worker->child, worker->grace_ms);
  }
  worker->next->on_end(worker->next);
}

static void on_channel_gone(ipc__follower_t* follower) {
  ipc_worker_t* worker = (ipc_worker_t*) follower;

  worker->channel = NULL;
  worker->next->on_gone(worker->next);
}

/* ---- The beginning of a life -------------------------------------------- */

static int begin_life(ipc_worker_t* worker, uv_loop_t* loop) {
  int err;

  worker->is_ready = 0;
  worker->is_ending = 0;
  worker->end_status = 0;
  err = ipc_child_spawn(loop, &worker->child_options, worker, &worker->child);
  if (err != 0) return err;
  worker->channel = ipc_child_channel(worker->child, IPC_CHILD_EXTRA_SLOT);
  worker->next = worker->channel->follower;
  worker->channel->follower = &worker->follower;
  return 0;
}

static void on_restart(uv_timer_t* timer) {
  ipc_worker_t* worker = worker_of(timer);
  ipc_worker_exit_t told;

  memset(&told, 0, sizeof(told));
  told.status = begin_life(worker, timer->loop);
  if (told.status == 0) {
    worker->restarts++;
  } else {
    tell_exit(worker, &told);
  }
}

/* ---- Birth -------------------------------------------------------------- */

/* Copies in one block: pointers, then what they point to. */
typedef struct copies_s {
  const char** pointers;
  char* text;
} copies_t;

static size_t text_size(const char* text) {
  return text == NULL ? 0 : strlen(text) + 1;
}

/* With its NULL; 0: there is no list. */
static size_t list_count(const char* const* list) {
  size_t count = 0;

  if (list == NULL) return 0;
  while (list[count++] != NULL) continue;
  return count;
}

static size_t list_size(const char* const* list) {
  size_t count = list_count(list);
  size_t size = count * sizeof(*list);
  size_t i;

  for (i = 0; i < count; i++) size += text_size(list[i]);
  return size;
}

static const char* copy_text(copies_t* copies, const char* text) {
  char* copy = copies->text;

  if (text == NULL) return NULL;
  memcpy(copy, text, text_size(text));
  copies->text += text_size(text);
  return copy;
}

static const char* const* copy_list(copies_t* copies, const char* const* list) {
  const char** copy = copies->pointers;
  size_t count = list_count(list);
  size_t i;

  if (list == NULL) return NULL;
  for (i = 0; i < count; i++) copy[i] = copy_text(copies, list[i]);
  copies->pointers += count;
  return copy;
}

/* The options of each life's child. UV_ENOMEM. */
static int take_program(ipc_worker_t* worker, const ipc__worker_options_t* o) {
  size_t pointers = list_count(o->args) + list_count(o->env);
  ipc_child_options_t* options = &worker->child_options;
  const char* directory;
  const char* file;
  copies_t copies;
  unsigned int slot;

  worker->strings =
      ipc__malloc(&worker->allocator, list_size(o->args) + list_size(o->env) +
                                          text_size(o->base.name) +
                                          text_size(o->directory));
  if (worker->strings == NULL) return UV_ENOMEM;
  copies.pointers = worker->strings;
  copies.text = (char*) (copies.pointers + pointers);
  file = copy_text(&copies, o->base.name);
  directory = copy_text(&copies, o->directory);
  ipc_child_options_init(options, file, copy_list(&copies, o->args));
  ipc_child_options_set_env(options, copy_list(&copies, o->env));
  if (directory != NULL) ipc_child_options_set_directory(options, directory);
  for (slot = 0; slot < IPC_CHILD_EXTRA_SLOT; slot++) {
    ipc_child_options_set_stdio(options, slot, o->stdio[slot]);
  }
  ipc_child_options_set_channel(options, IPC_CHILD_EXTRA_SLOT,
                                &worker->channel_options, worker->data);
  ipc_child_options_on_exit(options, on_child_exit);
  return 0;
}

static void take_options(ipc_worker_t* worker, const ipc__worker_options_t* o) {
  worker->follower.on_open = on_channel_open;
  worker->follower.on_end = on_channel_end;
  worker->follower.on_gone = on_channel_gone;
  worker->on_ready = o->on_ready;
  worker->on_exit = o->on_exit;
  worker->restart_first_ms = o->restart_first_ms;
  worker->restart_max_ms = o->restart_max_ms;
  worker->backoff_ms = o->restart_first_ms;
  worker->grace_ms = o->grace_ms;
  worker->random = ipc__backoff_seed(worker);
}

/* They may have become bad since they were given. */
static int take_channel_options(const ipc__worker_options_t* o,
                                ipc_channel_options_t* options) {
  const ipc__channel_options_t* c;

  if (o->channel == NULL) {
    ipc_channel_options_init(options);
    return 0;
  }
  *options = *o->channel;
  c = ipc__channel_options(options);
  if (c == NULL) return UV_EINVAL;
  if (c->base.error != 0) return c->base.error;
  return c->base.channel.format.framing == IPC_CHANNEL_FRAMING_NATIVE
             ? 0
             : UV_EINVAL;
}

int ipc_worker_spawn(uv_loop_t* loop,
                     const ipc_worker_options_t* options,
                     void* data,
                     ipc_worker_t** out) {
  const ipc__worker_options_t* o = ipc__worker_options(options);
  ipc_channel_options_t channel_options;
  const ipc_allocator_t* allocator;
  ipc_worker_t* worker;
  int err;

  if (out == NULL) return UV_EINVAL;
  *out = NULL;
  if (loop == NULL || o == NULL) return UV_EINVAL;
  if (o->base.error != 0) return o->base.error;
  err = take_channel_options(o, &channel_options);
  if (err != 0) return err;
  allocator = &ipc__channel_options(&channel_options)->base.channel.allocator;
  worker = ipc__calloc(allocator, sizeof(*worker));
  if (worker == NULL) return UV_ENOMEM;
  worker->allocator = *allocator;
  worker->channel_options = channel_options;
  worker->data = data;
  take_options(worker, o);
  err = take_program(worker, o);
  if (err == 0) err = begin_life(worker, loop);
  if (err != 0) {
    release(worker);
    return err;
  }
  uv_timer_init(loop, &worker->timer);
  *out = worker;
  return 0;
}

/* ---- The user's side ---------------------------------------------------- */

void* ipc_worker_data(const ipc_worker_t* worker) {
  return worker == NULL ? NULL : worker->data;
}

ipc_channel_t* ipc_worker_channel(const ipc_worker_t* worker) {
  if (worker == NULL || worker->channel == NULL) return NULL;
  if (!worker->is_ready || worker->is_ending) return NULL;
  return ipc__channel_receive_end(worker->channel) == 0 ? worker->channel
                                                        : NULL;
}

int ipc_worker_pid(const ipc_worker_t* worker) {
  if (worker == NULL) return UV_EINVAL;
  return worker->child == NULL ? 0 : ipc_child_pid(worker->child);
}

uint64_t ipc_worker_restarts(const ipc_worker_t* worker) {
  return worker == NULL ? 0 : worker->restarts;
}

int ipc_worker_kill(ipc_worker_t* worker, int signum) {
  if (worker == NULL) return UV_EINVAL;
  if (worker->child == NULL) return UV_ESRCH;
  return ipc_child_kill(worker->child, signum);
}

int ipc_worker_quit(ipc_worker_t* worker, int grace_ms) {
  if (worker == NULL || !ipc__op_is_timeout(grace_ms)) return UV_EINVAL;
  if (worker->is_quitting || worker->is_closing) return UV_EALREADY;
  worker->is_quitting = 1;
  uv_timer_stop(&worker->timer);
  if (worker->child == NULL) return UV_ESRCH;
  begin_end(worker);
  ipc__child_ask(worker->child, grace_ms);
  return 0;
}

int ipc_worker_close(ipc_worker_t* worker, ipc_worker_close_cb cb) {
  if (worker == NULL) return UV_EINVAL;
  if (worker->is_closing) return UV_EALREADY;
  worker->is_closing = 1;
  worker->on_close = cb;
  uv_timer_stop(&worker->timer);
  if (worker->child != NULL) ipc_child_close(worker->child, on_child_closed);
  check_closed(worker);
  return 0;
}
