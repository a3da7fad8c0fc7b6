/* What a descriptor is that somebody else has made. It never changes one, and
 * never reads from it. */
#define _GNU_SOURCE 1 /* O_PATH */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
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

/* Streams, or packets in their order; sockets of other families are for other
 * machines. */
static int check_type(int fd, int* is_packet) {
  int type = 0;

  if (get_option(fd, SO_TYPE, &type) == -1) return explain();
  *is_packet = IPC__HAS_PACKETS && type == SOCK_SEQPACKET;
  return (type == SOCK_STREAM || *is_packet) && is_unix(fd) ? 0 : UV_EINVAL;
}

/* A system that doesn't know the option (`unknown`) has it seen by what
 * follows. */
static int listens(int fd, int unknown) {
  int value = 0;

  return get_option(fd, SO_ACCEPTCONN, &value) == -1 ? unknown : value != 0;
}

static int inspect_socket(int fd, ipc__handle_info_t* info) {
  int err;

  err = check_type(fd, &info->is_packet);
  if (err != 0) return err;
  info->transport = info->is_packet ? IPC__PACKET_TRANSPORT : IPC__TRANSPORT;
  return listens(fd, 0) || !is_connected(fd) ? UV_EINVAL : 0;
}

/* What is open, and with which flags. */
static int look(int fd, struct stat* status, int* flags) {
  *flags = fcntl(fd, F_GETFL);
  if (*flags == -1 || fstat(fd, status) == -1) return explain();
#ifdef O_PATH
  /* Names a file and opens none. */
  if (*flags & O_PATH) return UV_EINVAL;
#endif
  return 0;
}

int ipc__handle_inspect(uv_os_fd_t handle, ipc__handle_info_t* info) {
  struct stat status;
  int flags;
  int access;
  int err;

  err = look(handle, &status, &flags);
  if (err != 0) return err;
  access = flags & O_ACCMODE;
  info->can_read = access == O_RDONLY || access == O_RDWR;
  info->can_write = access == O_WRONLY || access == O_RDWR;

  info->transport = IPC_CHANNEL_TRANSPORT_PIPE;
  info->is_packet = 0;
  info->is_serial = 0;
  if (S_ISFIFO(status.st_mode)) return 0;
  return S_ISSOCK(status.st_mode) ? inspect_socket(handle, info) : UV_EINVAL;
}

/* An abstract name (Linux) begins with a NUL and may have others in it; each is
 * shown as "@", as other programs do. */
static int get_name(int fd, char os_name[IPC_CHANNEL_OS_NAME_SIZE]) {
  const size_t start = offsetof(struct sockaddr_un, sun_path);
  struct sockaddr_un address;
  socklen_t size;
  size_t length;
  size_t i;

  memset(&address, 0, sizeof(address));
  size = sizeof(address);
  if (getsockname(fd, (struct sockaddr*) &address, &size) == -1)
    return explain();
  /* The size may count a NUL that is beyond the end. */
  length = size <= start ? 0 : size - start;
  if (length > sizeof(address.sun_path)) length = sizeof(address.sun_path);
  if (address.sun_path[0] != '\0' || !IPC__MEETS_ABSTRACT_NAMES)
    length = strnlen(address.sun_path, length);
  for (i = 0; i < length; i++)
    os_name[i] = address.sun_path[i] == '\0' ? '@' : address.sun_path[i];
  os_name[length] = '\0';
  return 0;
}

int ipc__handle_inspect_listener(uv_os_fd_t handle,
                                 int* is_packet,
                                 char os_name[IPC_CHANNEL_OS_NAME_SIZE]) {
  struct stat status;
  int flags;
  int err;

  err = look(handle, &status, &flags);
  if (err != 0) return err;
  if (!S_ISSOCK(status.st_mode)) return UV_EINVAL;
  err = check_type(handle, is_packet);
  if (err != 0) return err;
  if (!listens(handle, !is_connected(handle))) return UV_EINVAL;
  return get_name(handle, os_name);
}
