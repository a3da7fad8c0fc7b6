/* The private loop: born with its server or client, run turn by turn until what
 * is waited for has come, released with its last user. It never releases itself
 * inside its own callbacks; the function that has run it does. */
#include "loop.h"

#include "alloc.h"

/* A turn may do what is waited for and still block after it: timers and idle
 * handles come before the poll. This comes between them and the poll. */
static void on_before_poll(uv_prepare_t* prepare) {
  ipc__loop_t* loop = prepare->data;

  if (loop->is_done(loop->arg)) uv_stop(&loop->uv);
}

/* A DLL may have a libuv of its own linked in; whatever asks it for the time
 * initialises it. */
void ipc__libuv_begin(void) {
  uv_hrtime();
}

int ipc__loop_create(const ipc_allocator_t* allocator, ipc__loop_t** out) {
  ipc__loop_t* loop;
  int err;

  loop = ipc__calloc(allocator, sizeof(*loop));
  if (loop == NULL) return UV_ENOMEM;
  err = uv_loop_init(&loop->uv);
  if (err != 0) {
    ipc__free(allocator, loop);
    return err;
  }
  loop->allocator = *allocator;

  /* These two can't fail. */
  uv_prepare_init(&loop->uv, &loop->before_poll);
  uv_timer_init(&loop->uv, &loop->timer);
  loop->before_poll.data = loop->timer.data = loop;
  uv_unref((uv_handle_t*) &loop->before_poll);
  *out = loop;
  return 0;
}

void ipc__loop_hold(ipc__loop_t* loop) {
  if (loop != NULL) loop->users++;
}

void ipc__loop_gone(ipc__loop_t* loop,
                    const void* user,
                    const ipc_close_result_t* result) {
  if (loop == NULL) return;
  loop->users--;
  if (loop->wait == NULL) return;
  if (loop->wait->accepted == user) loop->wait->accepted = NULL;
  if (loop->wait->object != user) return;
  loop->wait->object = NULL;
  if (result != NULL) loop->wait->result = *result;
}

void ipc__loop_leave(ipc__loop_t* loop) {
  ipc_allocator_t allocator;

  if (loop == NULL || loop->users > 0) return;
  uv_close((uv_handle_t*) &loop->before_poll, NULL);
  uv_close((uv_handle_t*) &loop->timer, NULL);
  /* Handles that close are all that can be left. */
  while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) continue;
  if (uv_loop_close(&loop->uv) != 0) return; /* with a handle of the user's */
  allocator = loop->allocator;
  ipc__free(&allocator, loop);
}

int ipc__loop_run(ipc__loop_t* loop, ipc__loop_done_cb is_done, void* arg) {
  int is_alive = 1;
  int err = 0;

  loop->is_done = is_done;
  loop->arg = arg;
  uv_prepare_start(&loop->before_poll, on_before_poll);
  while (err == 0 && !is_done(arg)) {
    if (is_alive) {
      loop->is_running = 1;
      is_alive = uv_run(&loop->uv, UV_RUN_ONCE);
      loop->is_running = 0;
    } else {
      err = UV_EAGAIN;
    }
  }
  uv_prepare_stop(&loop->before_poll);
  return err;
}

void ipc__timer_start(uv_timer_t* timer, int timeout_ms, uv_timer_cb cb) {
  uv_timer_stop(timer);
  if (timeout_ms == IPC_CHANNEL_INFINITE) return;
  /* The loop's clock may be behind, and cuts off fractions. */
  uv_update_time(timer->loop);
  uv_timer_start(timer, cb, (uint64_t) timeout_ms + 1, 0);
}

static void on_timer(uv_timer_t* timer) {
  ipc__loop_t* loop = timer->data;

  loop->is_late = 1;
}

void ipc__loop_set_timer(ipc__loop_t* loop, int timeout_ms) {
  loop->is_late = 0;
  ipc__timer_start(&loop->timer, timeout_ms, on_timer);
}

void ipc__loop_clear_timer(ipc__loop_t* loop) {
  uv_timer_stop(&loop->timer);
  loop->is_late = 0;
}
