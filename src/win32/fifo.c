/* Windows has no FIFOs. Its named pipes are no files, so that programs which
 * know nothing of pipes can't do without a server for them. */
#include "../platform.h"

int ipc__fifo_create(const char* path, int mode) {
  (void) path;
  (void) mode;
  return UV_ENOTSUP;
}

int ipc__fifo_open(const char* path, ipc_access_t access, ipc__fifo_t* fifo) {
  (void) path;
  (void) access;
  (void) fifo;
  return UV_ENOTSUP;
}

int ipc__fifo_remove(const char* path, uv_os_fd_t handle) {
  (void) path;
  (void) handle;
  return UV_ENOTSUP;
}
