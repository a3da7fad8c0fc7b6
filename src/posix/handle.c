/* What a descriptor is that somebody else has made. It never changes one, and
 * never reads from it. */
#define _GNU_SOURCE 1 /* O_PATH */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "posix.h"

void ipc__handle_close(uv_os_fd_t handle) {
  close(handle);
}

/* A failure to find out, with no more codes than there are situations. */
static int explain(void) {
  return errno == EBADF ? UV_EBADF : UV_EACCES;
}

static int get_option(int fd, int option, int* value) {
  socklen_t size;

  size = sizeof(*value);
  return getsockopt(fd, SOL_SOCKET, option, value, &size);
}

static int is_unix(int fd) {
  struct sockaddr_storage address = {0};
  socklen_t size;

  size = sizeof(address);
  return getsockname(fd, (struct sockaddr*) &address, &size) == 0 &&
         address.ss_family == AF_UNIX;
}

/* EINVAL is macOS's word for one that was connected until its peer went: what
 * came from there can still be read. */
static int is_connected(int fd) {
  struct sockaddr_storage address;
  socklen_t size;

  size = sizeof(address);
  return getpeername(fd, (struct sockaddr*) &address, &size) == 0 ||
         errno == EINVAL;
}

/* Stream sockets of other families are for other machines. */
static int inspect_socket(int fd) {
  int type = 0;
  int listens = 0;

  if (get_option(fd, SO_TYPE, &type) == -1) return explain();
  if (type != SOCK_STREAM || !is_unix(fd)) return UV_EINVAL;
  /* A system that doesn't know the option has it seen by what follows. */
  (void) get_option(fd, SO_ACCEPTCONN, &listens);
  return listens || !is_connected(fd) ? UV_EINVAL : 0;
}

int ipc__handle_inspect(uv_os_fd_t handle, ipc__handle_info_t* info) {
  struct stat status;
  int flags;
  int access;

  flags = fcntl(handle, F_GETFL);
  if (flags == -1 || fstat(handle, &status) == -1) return explain();
#ifdef O_PATH
  /* Names a file and opens none. */
  if (flags & O_PATH) return UV_EINVAL;
#endif
  access = flags & O_ACCMODE;
  info->can_read = access == O_RDONLY || access == O_RDWR;
  info->can_write = access == O_WRONLY || access == O_RDWR;

  if (S_ISFIFO(status.st_mode)) {
    info->transport = IPC_CHANNEL_TRANSPORT_PIPE;
    return 0;
  }
  info->transport = IPC_CHANNEL_TRANSPORT_UNIX_SOCKET;
  return S_ISSOCK(status.st_mode) ? inspect_socket(handle) : UV_EINVAL;
}
