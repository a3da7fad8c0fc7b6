/* A child process and the channels to its standard streams: spawned as a whole
 * or not at all, told of when both the process and its output have ended. What
 * it knows of its channels' ends it hears as their follower; it must never
 * take a callback of theirs, which are the user's. */
#include <string.h>

#include "alloc.h"
#include "channel.h"
#include "child.h"

typedef struct slot_s {
  ipc__follower_t follower; /* first, so that it is the slot */
  ipc_child_t* child;
  ipc_channel_t* channel; /* NULL: none, or gone */
  int is_over;            /* its end was told */
} slot_t;

struct ipc_child_s {
  uv_process_t process; /* first, so that libuv's handle is the child */
  uv_timer_t timer;     /* while it quits, then while its output drains */
  slot_t slots[IPC__CHILD_SLOTS];
  void* data;
  ipc_child_exit_cb on_exit;
  ipc_child_close_cb on_close;
  int64_t exit_status;
  int term_signal;
  int drain_timeout_ms;
  int grace_ms;
  int handles; /* of libuv's, still open */
  unsigned int has_ended : 1;
  unsigned int exit_told : 1;
  unsigned int is_quitting : 1;
  unsigned int is_asked : 1; /* by SIGTERM */
  unsigned int is_closing : 1;
};

static ipc_child_t* child_of(uv_timer_t* timer) {
  return (ipc_child_t*) ((char*) timer - offsetof(ipc_child_t, timer));
}

/* ---- The end ------------------------------------------------------------ */

static void on_handle_closed(uv_handle_t* handle) {
  ipc_child_t* child = handle->data;

  if (--child->handles > 0) return;
  if (child->on_close != NULL) child->on_close(child);
  ipc__free(&ipc__default_allocator, child);
}

/* Goes when nothing of it is left. */
static void check_closed(ipc_child_t* child) {
  unsigned int i;

  if (!child->is_closing || !child->exit_told) return;
  if (uv_is_closing((uv_handle_t*) &child->process)) return;
  for (i = 0; i < IPC__CHILD_SLOTS; i++) {
    if (child->slots[i].channel != NULL) return;
  }
  uv_close((uv_handle_t*) &child->process, on_handle_closed);
  uv_close((uv_handle_t*) &child->timer, on_handle_closed);
}

static void tell_exit(ipc_child_t* child) {
  child->exit_told = 1;
  uv_timer_stop(&child->timer);
  if (child->on_exit != NULL) {
    child->on_exit(child, child->exit_status, child->term_signal);
  }
  check_closed(child);
}

static int is_over(const slot_t* slot) {
  return slot->channel == NULL || slot->is_over;
}

static int is_drained(const ipc_child_t* child) {
  return is_over(&child->slots[IPC_CHILD_STDOUT_SLOT]) &&
         is_over(&child->slots[IPC_CHILD_STDERR_SLOT]) &&
         is_over(&child->slots[IPC_CHILD_EXTRA_SLOT]);
}

static void check_exit(ipc_child_t* child) {
  if (child->has_ended && !child->exit_told && is_drained(child)) {
    tell_exit(child);
  }
}

static void on_channel_end(ipc__follower_t* follower) {
  slot_t* slot = (slot_t*) follower;

  if (slot->is_over) return;
  slot->is_over = 1;
  check_exit(slot->child);
}

static void on_channel_gone(ipc__follower_t* follower) {
  slot_t* slot = (slot_t*) follower;
  ipc_child_t* child = slot->child;

  slot->channel = NULL;
  check_exit(child);
  check_closed(child);
}

static void on_drain_timeout(uv_timer_t* timer) {
  tell_exit(child_of(timer));
}

static void on_process_exit(uv_process_t* process,
                            int64_t exit_status,
                            int term_signal) {
  ipc_child_t* child = (ipc_child_t*) process;

  child->has_ended = 1;
  child->exit_status = exit_status;
  child->term_signal = term_signal;
  ipc__timer_start(&child->timer, child->drain_timeout_ms, on_drain_timeout);
  check_exit(child);
}

/* ---- Spawning ----------------------------------------------------------- */

/* One spawn, while it is being made. */
typedef struct spawn_s {
  uv_loop_t* loop;
  const ipc__child_options_t* options;
  ipc_child_t* child;
  uv_stdio_container_t stdio[IPC__CHILD_SLOTS];
  int fds[IPC__CHILD_SLOTS]; /* the child's ends; -1: none */
} spawn_t;

/* A child inherits what is inheritable at that moment, on Windows; so one
 * spawn's ends must not be there during another one's. */
static uv_once_t once = UV_ONCE_INIT;
static uv_mutex_t spawning;
static int mutex_status;

static void make_mutex(void) {
  mutex_status = uv_mutex_init(&spawning);
}

static int give(spawn_t* spawn, unsigned int slot, uv_os_fd_t handle) {
  int err;

  err = ipc__descriptor_open(handle, &spawn->fds[slot]);
  if (err != 0) {
    spawn->fds[slot] = -1;
    return err;
  }
  spawn->stdio[slot].flags = UV_INHERIT_FD;
  spawn->stdio[slot].data.fd = spawn->fds[slot];
  return 0;
}

static int give_handle(spawn_t* spawn, unsigned int slot) {
  uv_os_fd_t duplicate;
  int err;

  err =
      ipc__handle_duplicate(spawn->options->slots[slot].is.handle, &duplicate);
  return err != 0 ? err : give(spawn, slot, duplicate);
}

/* The options of the slot's channel, with what the slot has to say. */
static int channel_options(const spawn_t* spawn,
                           unsigned int slot,
                           ipc_channel_options_t* options) {
  const ipc_channel_options_t* given = spawn->options->slots[slot].is.channel;
  const ipc__channel_options_t* o;

  if (given == NULL) {
    ipc_channel_options_init(options);
  } else {
    *options = *given;
  }
  if (slot == IPC_CHILD_EXTRA_SLOT) return 0;
  if (given == NULL) {
    ipc_channel_options_set_framing(options, IPC_CHANNEL_FRAMING_RAW);
  }
  o = ipc__channel_options(options);
  if (o == NULL || !ipc__settings_have_bytes(&o->base.channel)) {
    return UV_EINVAL;
  }
  return ipc_channel_options_set_access(
      options, slot == IPC_CHILD_STDIN_SLOT ? IPC_CHANNEL_ACCESS_OUTBOUND
                                            : IPC_CHANNEL_ACCESS_INBOUND);
}

static int give_channel(spawn_t* spawn, unsigned int slot) {
  ipc_channel_options_t options;
  uv_os_fd_t ours;
  uv_os_fd_t theirs;
  int err;

  err = channel_options(spawn, slot, &options);
  if (err != 0) return err;
  err = ipc__child_pair(slot, &ours, &theirs);
  if (err != 0) return err;
  err = ipc__adopt(spawn->loop, &options, IPC__NAMELESS, ours,
                   &spawn->child->slots[slot].channel);
  if (err != 0) {
    ipc__handle_close(ours);
    ipc__handle_close(theirs);
    return err;
  }
  return give(spawn, slot, theirs);
}

/* What is inherited comes first: a new descriptor may get the number of one
 * that this process doesn't have. */
static void give_inherited(spawn_t* spawn) {
  unsigned int slot;

  for (slot = 0; slot < IPC__CHILD_SLOTS; slot++) {
    spawn->stdio[slot].flags = UV_IGNORE;
    spawn->fds[slot] = -1;
    if (spawn->options->slots[slot].stdio != IPC_CHILD_INHERIT) continue;
    if (!ipc__descriptor_is_open((int) slot)) continue;
    spawn->stdio[slot].flags = UV_INHERIT_FD;
    spawn->stdio[slot].data.fd = (int) slot;
  }
}

static int give_all(spawn_t* spawn) {
  unsigned int slot;
  int err = 0;

  give_inherited(spawn);
  for (slot = 0; slot < IPC__CHILD_SLOTS && err == 0; slot++) {
    switch (spawn->options->slots[slot].stdio) {
      case IPC_CHILD_CHANNEL:
        err = give_channel(spawn, slot);
        break;
      case IPC_CHILD_STDOUT:
        spawn->stdio[slot] = spawn->stdio[IPC_CHILD_STDOUT_SLOT];
        break;
      case IPC__CHILD_HANDLE:
        err = give_handle(spawn, slot);
        break;
      default:
        break;
    }
  }
  return err;
}

/* The only copies of the child's ends are the child's from here on. */
static void close_ends(spawn_t* spawn) {
  unsigned int slot;

  for (slot = 0; slot < IPC__CHILD_SLOTS; slot++) {
    if (spawn->fds[slot] != -1) ipc__descriptor_close(spawn->fds[slot]);
  }
}

static int start_process(spawn_t* spawn) {
  const ipc__child_options_t* o = spawn->options;
  uv_process_options_t options;
  int err;

  memset(&options, 0, sizeof(options));
  err = ipc__environment_make(
      o->env, o->slots[IPC_CHILD_EXTRA_SLOT].stdio == IPC_CHILD_CHANNEL,
      &options.env);
  if (err != 0) return err;
  options.exit_cb = on_process_exit;
  options.file = o->base.name;
  options.args = (char**) o->args;
  options.cwd = o->directory;
  options.stdio = spawn->stdio;
  options.stdio_count = IPC__CHILD_SLOTS;
  err = uv_spawn(spawn->loop, &spawn->child->process, &options);
  ipc__environment_free(options.env);
  return err;
}

/* The spawn has failed. */
static void abandon(ipc_child_t* child) {
  unsigned int slot;

  for (slot = 0; slot < IPC__CHILD_SLOTS; slot++) {
    if (child->slots[slot].channel != NULL) {
      ipc__client_abandon(child->slots[slot].channel);
    }
  }
  if (uv_handle_get_type((uv_handle_t*) &child->process) == UV_PROCESS) {
    child->handles = 1;
    uv_close((uv_handle_t*) &child->process, on_handle_closed);
  } else {
    ipc__free(&ipc__default_allocator, child);
  }
}

/* It runs: from here on nothing can fail. */
static void begin(ipc_child_t* child, const ipc__child_options_t* o) {
  unsigned int i;

  uv_timer_init(child->process.loop, &child->timer);
  child->timer.data = child;
  child->handles = 2;
  child->on_exit = o->on_exit;
  child->drain_timeout_ms = o->drain_timeout_ms;
  for (i = 0; i < IPC__CHILD_SLOTS; i++) {
    slot_t* slot = &child->slots[i];

    if (slot->channel == NULL) continue;
    slot->child = child;
    slot->follower.on_end = on_channel_end;
    slot->follower.on_gone = on_channel_gone;
    slot->channel->follower = &slot->follower;
    ipc__client_begin(slot->channel, o->slots[i].data);
  }
}

int ipc_child_spawn(uv_loop_t* loop,
                    const ipc_child_options_t* options,
                    void* data,
                    ipc_child_t** out) {
  spawn_t spawn;
  ipc_child_t* child;
  int err;

  if (out == NULL) return UV_EINVAL;
  *out = NULL;
  spawn.options = ipc__child_options(options);
  if (loop == NULL || spawn.options == NULL) return UV_EINVAL;
  if (spawn.options->base.error != 0) return spawn.options->base.error;
  ipc__libuv_begin();
  uv_once(&once, make_mutex);
  if (mutex_status != 0) return mutex_status;
  child = ipc__calloc(&ipc__default_allocator, sizeof(*child));
  if (child == NULL) return UV_ENOMEM;
  child->process.data = child;
  child->data = data;
  spawn.loop = loop;
  spawn.child = child;

  uv_mutex_lock(&spawning);
  err = give_all(&spawn);
  if (err == 0) err = start_process(&spawn);
  close_ends(&spawn);
  uv_mutex_unlock(&spawning);
  if (err != 0) {
    abandon(child);
    return err;
  }
  begin(child, spawn.options);
  *out = child;
  return 0;
}

/* ---- The user's side ---------------------------------------------------- */

void* ipc_child_data(const ipc_child_t* child) {
  return child == NULL ? NULL : child->data;
}

int ipc_child_pid(const ipc_child_t* child) {
  if (child == NULL) return UV_EINVAL;
  return (int) uv_process_get_pid(&child->process);
}

ipc_channel_t* ipc_child_channel(const ipc_child_t* child, unsigned int slot) {
  ipc_channel_t* channel;

  if (child == NULL || slot >= IPC__CHILD_SLOTS) return NULL;
  channel = child->slots[slot].channel;
  if (channel == NULL) return NULL;
  return ipc__channel_public_state(channel) == IPC_CHANNEL_CLOSING ? NULL
                                                                   : channel;
}

int ipc_child_kill(ipc_child_t* child, int signum) {
  if (child == NULL) return UV_EINVAL;
  if (child->has_ended) return UV_ESRCH;
  return uv_process_kill(&child->process, signum);
}

/* Asks, and then doesn't ask. */
static void on_grace_over(uv_timer_t* timer) {
  ipc_child_t* child = child_of(timer);

  if (child->is_asked) {
    uv_process_kill(&child->process, SIGKILL);
    return;
  }
  child->is_asked = 1;
  uv_process_kill(&child->process, SIGTERM);
  ipc__timer_start(&child->timer, child->grace_ms, on_grace_over);
}

static void close_gracefully(slot_t* slot) {
  if (slot->channel != NULL) ipc_channel_close(slot->channel);
}

void ipc__child_ask(ipc_child_t* child, int grace_ms) {
  if (child->has_ended || child->is_closing) return;
  child->is_quitting = 1;
  child->grace_ms = grace_ms;
  close_gracefully(&child->slots[IPC_CHILD_STDIN_SLOT]);
  close_gracefully(&child->slots[IPC_CHILD_EXTRA_SLOT]);
  ipc__timer_start(&child->timer, grace_ms, on_grace_over);
}

int ipc__child_was_made_to_go(const ipc_child_t* child) {
  return child->is_asked;
}

int ipc_child_quit(ipc_child_t* child, int grace_ms) {
  if (child == NULL || !ipc__op_is_timeout(grace_ms)) return UV_EINVAL;
  if (child->has_ended) return UV_ESRCH;
  if (child->is_quitting || child->is_closing) return UV_EALREADY;
  ipc__child_ask(child, grace_ms);
  return 0;
}

int ipc_child_close(ipc_child_t* child, ipc_child_close_cb cb) {
  unsigned int i;

  if (child == NULL) return UV_EINVAL;
  if (child->is_closing) return UV_EALREADY;
  child->is_closing = 1;
  child->on_close = cb;
  if (!child->has_ended) {
    uv_timer_stop(&child->timer);
    uv_process_kill(&child->process, SIGKILL);
  }
  for (i = 0; i < IPC__CHILD_SLOTS; i++) {
    ipc_channel_t* channel = child->slots[i].channel;

    if (channel == NULL) continue;
    ipc_channel_disconnect(channel);
    ipc_channel_close(channel);
  }
  check_closed(child);
  return 0;
}
