/* The builder of workers. It keeps borrowed pointers only; the spawn copies
 * what they point to. */
#include <assert.h>
#include <string.h>

#include "options.h"

#define WORKER_MAGIC 0x57435049u /* "IPCW" */

#define DEFAULT_FIRST_MS 100
#define DEFAULT_MAX_MS 10000
#define DEFAULT_GRACE_MS 5000

static_assert(sizeof(ipc__worker_options_t) <= sizeof(ipc_worker_options_t),
              "the worker builder has outgrown its room");

static ipc__worker_options_t* builder_of(ipc_worker_options_t* options) {
  ipc__worker_options_t* o = (ipc__worker_options_t*) options;

  return o != NULL && o->base.magic == WORKER_MAGIC ? o : NULL;
}

const ipc__worker_options_t* ipc__worker_options(
    const ipc_worker_options_t* options) {
  return builder_of((ipc_worker_options_t*) options);
}

void ipc_worker_options_init(ipc_worker_options_t* options,
                             const char* file,
                             const char* const* args) {
  ipc__worker_options_t* o = (ipc__worker_options_t*) options;

  if (o == NULL) return;
  memset(options, 0, sizeof(*options));
  ipc__option_init(&o->base, WORKER_MAGIC);
  ipc__option_check_program(&o->base, file, args);
  o->base.name = file;
  o->args = args;
  o->restart_first_ms = DEFAULT_FIRST_MS;
  o->restart_max_ms = DEFAULT_MAX_MS;
  o->grace_ms = DEFAULT_GRACE_MS;
}

const char* ipc_worker_options_error(const ipc_worker_options_t* options) {
  ipc__worker_options_t* o = builder_of((ipc_worker_options_t*) options);

  return ipc__option_error(o == NULL ? NULL : &o->base);
}

int ipc_worker_options_set_env(ipc_worker_options_t* options,
                               const char* const* env) {
  ipc__worker_options_t* o = builder_of(options);

  if (o == NULL) return UV_EINVAL;
  o->env = env;
  return 0;
}

int ipc_worker_options_set_directory(ipc_worker_options_t* options,
                                     const char* path) {
  ipc__worker_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_text(&o->base, "directory", path);
  if (err == 0) o->directory = path;
  return err;
}

int ipc_worker_options_set_stdio(ipc_worker_options_t* options,
                                 unsigned int slot,
                                 ipc_child_stdio_t stdio) {
  ipc__worker_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "slot", slot, 0,
                                IPC_CHILD_EXTRA_SLOT - 1);
  if (err == 0) err = ipc__option_check_stdio(&o->base, slot, stdio);
  if (err != 0) return err;
  if (stdio == IPC_CHILD_CHANNEL) {
    return ipc__option_refuse(&o->base, UV_EINVAL,
                              "slot %u: a worker has one channel, and it isn't "
                              "this one",
                              slot);
  }
  o->stdio[slot] = stdio;
  return 0;
}

int ipc_worker_options_set_channel(ipc_worker_options_t* options,
                                   const ipc_channel_options_t* channel) {
  ipc__worker_options_t* o = builder_of(options);
  const ipc__channel_options_t* c = ipc__channel_options(channel);

  if (o == NULL) return UV_EINVAL;
  if (channel != NULL && c == NULL) {
    return ipc__option_refuse(&o->base, UV_EINVAL, "channel: %s",
                              ipc__option_error(NULL));
  }
  if (c != NULL && c->base.error != 0) {
    return ipc__option_refuse(&o->base, c->base.error, "channel: %s",
                              c->base.reason);
  }
  if (c != NULL &&
      c->base.channel.format.framing != IPC_CHANNEL_FRAMING_NATIVE) {
    return ipc__option_refuse(&o->base, UV_EINVAL,
                              "channel: a worker has the native framing only");
  }
  o->channel = channel;
  return 0;
}

int ipc_worker_options_set_restart(ipc_worker_options_t* options,
                                   int first_ms,
                                   int max_ms) {
  ipc__worker_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  if (first_ms != IPC_CHANNEL_INFINITE) {
    err = ipc__option_check_backoff(&o->base, "restart", first_ms, max_ms);
    if (err != 0) return err;
  }
  o->restart_first_ms = first_ms;
  o->restart_max_ms = max_ms;
  return 0;
}

int ipc_worker_options_set_grace(ipc_worker_options_t* options, int grace_ms) {
  ipc__worker_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_timeout(&o->base, "grace", grace_ms, 0);
  if (err == 0) o->grace_ms = grace_ms;
  return err;
}

int ipc_worker_options_on_ready(ipc_worker_options_t* options,
                                ipc_worker_ready_cb cb) {
  ipc__worker_options_t* o = builder_of(options);

  if (o == NULL) return UV_EINVAL;
  o->on_ready = cb;
  return 0;
}

int ipc_worker_options_on_exit(ipc_worker_options_t* options,
                               ipc_worker_exit_cb cb) {
  ipc__worker_options_t* o = builder_of(options);

  if (o == NULL) return UV_EINVAL;
  o->on_exit = cb;
  return 0;
}
