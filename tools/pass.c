/* Passes on what a channel has received, no faster than it is taken: at most
 * one piece is held back beside the library's own queue, which is limited. */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

static int keep(pass_t* pass, const void* data, size_t size) {
  pass->kept = malloc(size > 0 ? size : 1);
  if (pass->kept == NULL) return UV_ENOMEM;
  if (size > 0) memcpy(pass->kept, data, size);
  pass->kept_bytes = size;
  ipc_channel_pause(pass->from);
  return 0;
}

int pass_message(pass_t* pass, const void* data, size_t size) {
  int err;

  err = ipc_channel_send_copy(pass->to, data, size, pass->on_sent, pass->arg);
  return err == UV_EAGAIN ? keep(pass, data, size) : err;
}

int pass_drain(pass_t* pass) {
  int err;

  if (pass->kept == NULL) return 0;
  err = ipc_channel_send_copy(pass->to, pass->kept, pass->kept_bytes,
                              pass->on_sent, pass->arg);
  if (err == UV_EAGAIN) return 0;
  pass_release(pass);
  ipc_channel_resume(pass->from);
  return err;
}

void pass_release(pass_t* pass) {
  free(pass->kept);
  pass->kept = NULL;
}
