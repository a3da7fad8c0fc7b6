/* Drives a loop for a program that waits somewhere else: what to wait for comes
 * from the system's side (ipc__backend_t), how long and what to do from libuv.
 * Never waits itself. */
#include "alloc.h"
#include "loop.h"
#include "platform.h"

struct ipc_pump_s {
  uv_loop_t* loop;
  ipc__backend_t backend;
  uv_prepare_t keeper;
  int keeper_is_open;
  int is_running;
  int has_run;
};

int ipc_pump_create(uv_loop_t* loop, ipc_pump_t** pump) {
  ipc_pump_t* created;
  int err;

  if (loop == NULL || pump == NULL) return UV_EINVAL;
  ipc__libuv_begin();
  created = ipc__calloc(&ipc__default_allocator, sizeof(*created));
  if (created == NULL) return UV_ENOMEM;
  created->loop = loop;
  err = ipc__backend_open(loop, &created->backend);
  if (err != 0) {
    ipc__free(&ipc__default_allocator, created);
    return err;
  }
  *pump = created;
  return 0;
}

uv_os_fd_t ipc_pump_handle(const ipc_pump_t* pump) {
  return ipc__backend_handle(&pump->backend);
}

int ipc_pump_timeout(const ipc_pump_t* pump) {
  /* libuv says 0 for a loop with nothing alive, which would have the program
   * spin. The first run is due in any case: it tells the system of the loop's
   * own wake-up, which doesn't count as alive. */
  if (!uv_loop_alive(pump->loop))
    return pump->has_run ? IPC_CHANNEL_INFINITE : 0;
  /* The program may have slept or computed since libuv last looked. */
  uv_update_time(pump->loop);
  return uv_backend_timeout(pump->loop);
}

static void on_keeper_closed(uv_handle_t* handle) {
  ipc_pump_t* pump = handle->data;

  pump->keeper_is_open = 0;
}

static void on_keeper(uv_prepare_t* keeper) {
  uv_close((uv_handle_t*) keeper, on_keeper_closed);
}

/* libuv doesn't look at the system at all for a loop with nothing alive. What
 * the system has to say of handles without a reference, a poster's or one that
 * was stopped, would leave our handle signalled for ever. So this makes the
 * loop alive for one turn, at the end of which it is gone. */
static void keep_alive(ipc_pump_t* pump) {
  uv_prepare_init(pump->loop, &pump->keeper);
  pump->keeper.data = pump;
  pump->keeper_is_open = 1;
  uv_prepare_start(&pump->keeper, on_keeper);
}

int ipc_pump_run(ipc_pump_t* pump) {
  if (pump == NULL) return UV_EINVAL;
  if (pump->is_running) return UV_EALREADY;
  pump->is_running = 1;
  pump->has_run = 1;
  ipc__backend_before_run(&pump->backend);
  if (!uv_loop_alive(pump->loop)) keep_alive(pump);
  do {
    uv_run(pump->loop, UV_RUN_NOWAIT);
    /* Once more where an uv_stop from before this call has cut it short. */
  } while (pump->keeper_is_open);
  ipc__backend_after_run(&pump->backend);
  pump->is_running = 0;
  return uv_loop_alive(pump->loop) != 0;
}

int ipc_pump_destroy(ipc_pump_t* pump) {
  if (pump == NULL) return UV_EINVAL;
  if (pump->is_running) return UV_EALREADY;
  ipc__backend_close(&pump->backend);
  ipc__free(&ipc__default_allocator, pump);
  return 0;
}
