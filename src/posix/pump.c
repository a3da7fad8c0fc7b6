/* What to wait for: the loop's own epoll or kqueue, which is readable while
 * it has something to tell. uv_run reads it, so there is nothing to do around a
 * run; changes that it hasn't told the system of yet make uv_backend_timeout
 * say 0. */
#include "../platform.h"

int ipc__backend_open(uv_loop_t* loop, ipc__backend_t* backend) {
  backend->loop = loop;
  return uv_backend_fd(loop) == -1 ? UV_ENOTSUP : 0;
}

uv_os_fd_t ipc__backend_handle(const ipc__backend_t* backend) {
  /* Asked each time: uv_loop_fork makes a new one. */
  return uv_backend_fd(backend->loop);
}

void ipc__backend_before_run(ipc__backend_t* backend) {
  (void) backend;
}

void ipc__backend_after_run(ipc__backend_t* backend) {
  (void) backend;
}

void ipc__backend_close(ipc__backend_t* backend) {
  (void) backend;
}
