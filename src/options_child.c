/* The builder of child processes. It keeps borrowed pointers only: what they
 * point to is looked at by the spawn. */
#include <assert.h>
#include <string.h>

#include "options.h"

#define CHILD_MAGIC 0x44435049u /* "IPCD" */

#define DEFAULT_DRAIN_MS 1000

/* A program finds these three open whatever the options say. */
#define STANDARD_SLOTS IPC_CHILD_EXTRA_SLOT

static_assert(sizeof(ipc__child_options_t) <= sizeof(ipc_child_options_t),
              "the child builder has outgrown its room");

static ipc__child_options_t* builder_of(ipc_child_options_t* options) {
  ipc__child_options_t* o = (ipc__child_options_t*) options;

  return o != NULL && o->base.magic == CHILD_MAGIC ? o : NULL;
}

const ipc__child_options_t* ipc__child_options(
    const ipc_child_options_t* options) {
  return builder_of((ipc_child_options_t*) options);
}

int ipc__option_check_program(ipc__options_t* o,
                              const char* file,
                              const char* const* args) {
  int err;

  err = ipc__option_check_text(o, "file", file);
  if (err != 0) return err;
  if (args != NULL && args[0] != NULL) return 0;
  return ipc__option_refuse(o, UV_EINVAL, "args: %s",
                            args == NULL ? "is NULL" : "the first one is NULL");
}

void ipc_child_options_init(ipc_child_options_t* options,
                            const char* file,
                            const char* const* args) {
  ipc__child_options_t* o = (ipc__child_options_t*) options;
  unsigned int slot;

  if (o == NULL) return;
  memset(options, 0, sizeof(*options));
  ipc__option_init(&o->base, CHILD_MAGIC);
  ipc__option_check_program(&o->base, file, args);
  o->base.name = file;
  o->args = args;
  o->drain_timeout_ms = DEFAULT_DRAIN_MS;
  for (slot = 0; slot < IPC__CHILD_SLOTS; slot++) {
    o->slots[slot].stdio =
        slot < STANDARD_SLOTS ? IPC_CHILD_INHERIT : IPC_CHILD_NULL;
  }
}

const char* ipc_child_options_error(const ipc_child_options_t* options) {
  ipc__child_options_t* o = builder_of((ipc_child_options_t*) options);

  return ipc__option_error(o == NULL ? NULL : &o->base);
}

int ipc_child_options_set_env(ipc_child_options_t* options,
                              const char* const* env) {
  ipc__child_options_t* o = builder_of(options);

  if (o == NULL) return UV_EINVAL;
  o->env = env;
  return 0;
}

int ipc_child_options_set_directory(ipc_child_options_t* options,
                                    const char* path) {
  ipc__child_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_text(&o->base, "directory", path);
  if (err == 0) o->directory = path;
  return err;
}

/* ---- Slots -------------------------------------------------------------- */

static int check_slot(ipc__child_options_t* o, unsigned int slot) {
  return ipc__option_check_range(&o->base, "slot", slot, 0,
                                 IPC__CHILD_SLOTS - 1);
}

int ipc__option_check_stdio(ipc__options_t* o,
                            unsigned int slot,
                            ipc_child_stdio_t stdio) {
  int err;

  err = ipc__option_check_range(o, "stdio", stdio, IPC_CHILD_INHERIT,
                                IPC_CHILD_STDOUT);
  if (err != 0) return err;
  if (stdio != IPC_CHILD_STDOUT || slot == IPC_CHILD_STDERR_SLOT) return 0;
  return ipc__option_refuse(
      o, UV_EINVAL,
      "slot %u: only standard error can be the same as standard output", slot);
}

int ipc_child_options_set_stdio(ipc_child_options_t* options,
                                unsigned int slot,
                                ipc_child_stdio_t stdio) {
  ipc__child_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_slot(o, slot);
  if (err == 0) err = ipc__option_check_stdio(&o->base, slot, stdio);
  if (err != 0) return err;
  if (stdio == IPC_CHILD_INHERIT && slot >= STANDARD_SLOTS) {
    return ipc__option_refuse(&o->base, UV_EINVAL,
                              "slot %u: there is nothing to inherit", slot);
  }
  if (o->slots[slot].stdio == IPC__CHILD_HANDLE) {
    o->slots[slot].is.channel = NULL;
  }
  o->slots[slot].stdio = stdio;
  return 0;
}

int ipc_child_options_set_stdio_handle(ipc_child_options_t* options,
                                       unsigned int slot,
                                       uv_os_fd_t handle) {
  ipc__child_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "slot", slot, 0, STANDARD_SLOTS - 1);
  if (err != 0) return err;
  o->slots[slot].stdio = IPC__CHILD_HANDLE;
  o->slots[slot].is.handle = handle;
  return 0;
}

int ipc_child_options_set_channel(ipc_child_options_t* options,
                                  unsigned int slot,
                                  const ipc_channel_options_t* channel,
                                  void* data) {
  ipc__child_options_t* o = builder_of(options);
  const ipc__channel_options_t* c = ipc__channel_options(channel);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_slot(o, slot);
  if (err != 0) return err;
  if (c == NULL) {
    return ipc__option_refuse(
        &o->base, UV_EINVAL,
        "slot %u: the options of its channel are NULL or not initialised",
        slot);
  }
  if (c->base.error != 0) {
    return ipc__option_refuse(&o->base, c->base.error, "slot %u: %s", slot,
                              c->base.reason);
  }
  if (slot < STANDARD_SLOTS && !ipc__settings_have_bytes(&c->base.channel)) {
    return ipc__option_refuse(
        &o->base, UV_EINVAL,
        "slot %u: a standard stream is bytes, not native or packets", slot);
  }
  o->slots[slot].stdio = IPC_CHILD_CHANNEL;
  o->slots[slot].is.channel = channel;
  o->slots[slot].data = data;
  return 0;
}

/* ---- Its end ------------------------------------------------------------ */

int ipc_child_options_set_drain_timeout(ipc_child_options_t* options,
                                        int timeout_ms) {
  ipc__child_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_timeout(&o->base, "drain timeout", timeout_ms, 0);
  if (err == 0) o->drain_timeout_ms = timeout_ms;
  return err;
}

int ipc_child_options_on_exit(ipc_child_options_t* options,
                              ipc_child_exit_cb cb) {
  ipc__child_options_t* o = builder_of(options);

  if (o == NULL) return UV_EINVAL;
  o->on_exit = cb;
  return 0;
}
