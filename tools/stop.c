/* A server that is told to end gives its name back first. */
#include "stop.h"

#include <signal.h>

static struct {
  uv_signal_t interrupt;
  uv_signal_t terminate;
  stop_cb cb;
  void* arg;
  int is_watched;
} stop;

static void on_signal(uv_signal_t* handle, int number) {
  (void) handle;
  (void) number;
  stop_unwatch();
  stop.cb(stop.arg);
}

static void watch(uv_loop_t* loop, uv_signal_t* handle, int number) {
  uv_signal_init(loop, handle);
  uv_signal_start(handle, on_signal, number);
}

void stop_watch(uv_loop_t* loop, stop_cb cb, void* arg) {
  stop.cb = cb;
  stop.arg = arg;
  stop.is_watched = 1;
  watch(loop, &stop.interrupt, SIGINT);
  watch(loop, &stop.terminate, SIGTERM);
}

void stop_unwatch(void) {
  if (!stop.is_watched) return;
  stop.is_watched = 0;
  uv_close((uv_handle_t*) &stop.interrupt, NULL);
  uv_close((uv_handle_t*) &stop.terminate, NULL);
}
