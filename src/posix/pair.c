/* Pairs: two sockets, or a pipe where data goes one way only. Whatever the
 * flags say, no other thread's child inherits an end by accident. */
#include <fcntl.h>
#include <unistd.h>

#include "posix.h"

static int allow_inheritance(int fd) {
  int flags;

  flags = fcntl(fd, F_GETFD);
  if (flags == -1) return ipc__errno();
  return fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) == -1 ? ipc__errno() : 0;
}

static int make_blocking(int fd) {
  int flags;

  flags = fcntl(fd, F_GETFL);
  if (flags == -1) return ipc__errno();
  return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1 ? ipc__errno() : 0;
}

/* Ends are made closed on exec and non-blocking; the flags may want less. */
static int relax(int fd, int is_inheritable, int is_blocking) {
  int err;

  err = is_inheritable ? allow_inheritance(fd) : 0;
  if (err == 0 && is_blocking) err = make_blocking(fd);
  return err;
}

static int make(unsigned int flags, size_t bytes, int ends[2]) {
  int err;

  if (flags & IPC_PAIR_ONE_WAY) {
    err = ipc__pipe_pair(ends);
    if (err == 0) ipc__pipe_set_buffer(ends[1], bytes);
    return err;
  }
  err = ipc__socket_pair(IPC__SOCKET_TYPE(flags & IPC_PAIR_PACKET), ends);
  if (err != 0) return err;
  ipc__socket_set_buffers(ends[0], bytes, bytes);
  ipc__socket_set_buffers(ends[1], bytes, bytes);
  return 0;
}

int ipc__pair_create(unsigned int flags, size_t bytes, uv_os_fd_t ends[2]) {
  int err;

  err = make(flags, bytes, ends);
  if (err != 0) return err;
  err = relax(ends[0], (flags & IPC_PAIR_INHERITABLE_0) != 0,
              (flags & IPC_PAIR_BLOCKING_0) != 0);
  if (err == 0)
    err = relax(ends[1], (flags & IPC_PAIR_INHERITABLE_1) != 0,
                (flags & IPC_PAIR_BLOCKING_1) != 0);
  if (err == 0) return 0;
  close(ends[0]);
  close(ends[1]);
  return err;
}
