/* What a child is given: two sockets for a slot, so that one side can end
 * itself and still hear the other; and the descriptors that go to uv_spawn,
 * which are the handles themselves. */
#define _DARWIN_C_SOURCE 1 /* SO_NOSIGPIPE */

#include <fcntl.h>
#include <unistd.h>

#include "posix.h"

/* Many a program ends itself by the SIGPIPE that a write to nobody raises. */
static void unmute(int fd) {
#ifdef SO_NOSIGPIPE
  int off;

  off = 0;
  (void) setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &off, sizeof(off));
#else
  (void) fd;
#endif
}

/* The extra one blocks, too: programs without this library may use it, and
 * with it it doesn't matter. */
int ipc__child_pair(unsigned int slot, uv_os_fd_t* ours, uv_os_fd_t* theirs) {
  uv_os_fd_t ends[2];
  int err;

  (void) slot;
  err = ipc__pair_create(IPC_PAIR_DUPLEX | IPC_PAIR_BLOCKING_1, 0, ends);
  if (err != 0) return err;
  unmute(ends[1]);
  *ours = ends[0];
  *theirs = ends[1];
  return 0;
}

int ipc__handle_duplicate(uv_os_fd_t handle, uv_os_fd_t* duplicate) {
  *duplicate = fcntl(handle, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  return *duplicate == -1 ? ipc__errno() : 0;
}

int ipc__descriptor_open(uv_os_fd_t handle, int* fd) {
  *fd = handle;
  return 0;
}

void ipc__descriptor_close(int fd) {
  close(fd);
}

int ipc__descriptor_is_open(int fd) {
  return fcntl(fd, F_GETFD) != -1;
}
