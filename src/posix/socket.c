/* Sockets and pipes made the way this library wants them: closed on exec and
 * non-blocking from the first moment where the system can do that, from the
 * second where it can't, and sockets never raising SIGPIPE. Most of what
 * differs between the POSIX systems is in this file. It decides nothing: errors
 * go up as the system gives them. */
#define _GNU_SOURCE 1      /* accept4, pipe2, F_SETPIPE_SZ */
#define _DARWIN_C_SOURCE 1 /* SO_NOSIGPIPE */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../name.h"
#include "posix.h"

/* What a pipe holds at least, on Linux: a page. */
#define PIPE_BYTES_MIN 4096

int ipc__errno(void) {
  return uv_translate_sys_error(errno);
}

/* macOS refuses options on a socket whose peer has gone (EINVAL), but an
 * accepted socket has this one from the listening socket already. */
int ipc__socket_mute(int fd) {
#ifdef SO_NOSIGPIPE
  int on;

  on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)) == 0;
#else
  (void) fd;
  return 1;
#endif
}

void ipc__socket_close_on_exec(int fd) {
  int flags;

  flags = fcntl(fd, F_GETFD);
  if (flags != -1) (void) fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

#if !IPC__LINUX
static int set_flags(int fd) {
  int flags;

  flags = fcntl(fd, F_GETFL);
  if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
    return ipc__errno();
  return 0;
}

/* Takes over a descriptor that has just been made. */
static int prepare(int made, int* fd) {
  int err;

  if (made == -1) return ipc__errno();
  err = set_flags(made);
  if (err != 0) {
    close(made);
    return err;
  }
  (void) ipc__socket_mute(made);
  *fd = made;
  return 0;
}

/* The same for two, as one. */
static int prepare_both(int result, const int ends[2]) {
  int err;

  if (result == -1) return ipc__errno();
  err = set_flags(ends[0]);
  if (err == 0) err = set_flags(ends[1]);
  if (err == 0) return 0;
  close(ends[0]);
  close(ends[1]);
  return err;
}
#endif

int ipc__socket_open(int type, int* fd) {
#if IPC__LINUX
  *fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return *fd == -1 ? ipc__errno() : 0;
#else
  return prepare(socket(AF_UNIX, type, 0), fd);
#endif
}

int ipc__socket_accept(int listening, int* fd) {
#if IPC__LINUX
  *fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return *fd == -1 ? ipc__errno() : 0;
#else
  return prepare(accept(listening, NULL, NULL), fd);
#endif
}

int ipc__socket_pair(int type, int ends[2]) {
#if IPC__LINUX
  type |= SOCK_CLOEXEC | SOCK_NONBLOCK;
  return socketpair(AF_UNIX, type, 0, ends) == -1 ? ipc__errno() : 0;
#else
  int err;

  err = prepare_both(socketpair(AF_UNIX, type, 0, ends), ends);
  if (err != 0) return err;
  (void) ipc__socket_mute(ends[0]);
  (void) ipc__socket_mute(ends[1]);
  return 0;
#endif
}

int ipc__pipe_pair(int ends[2]) {
#if IPC__LINUX
  return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1 ? ipc__errno() : 0;
#else
  return prepare_both(pipe(ends), ends);
#endif
}

int ipc__socket_limit_mode(int fd, mode_t mode) {
#if IPC__LINUX
  return fchmod(fd, mode) == -1 ? ipc__errno() : 0;
#else
  (void) fd;
  (void) mode;
  return 0;
#endif
}

static int make_address(const char* path,
                        struct sockaddr_un* address,
                        socklen_t* size) {
  size_t length;
  int is_abstract;

  length = strlen(path);
  is_abstract = ipc__name_is_abstract(path);
  if (length + !is_abstract > sizeof(address->sun_path)) return UV_ENAMETOOLONG;
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, length);
  /* An abstract name begins with a NUL and ends where the address does. */
  if (is_abstract) address->sun_path[0] = '\0';
  *size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length +
                       !is_abstract);
  return 0;
}

int ipc__socket_bind(int fd, const char* path) {
  struct sockaddr_un address;
  socklen_t size;
  int err;

  err = make_address(path, &address, &size);
  if (err != 0) return err;
  return bind(fd, (struct sockaddr*) &address, size) == -1 ? ipc__errno() : 0;
}

int ipc__socket_connect(
    int type, const char* path, size_t in_bytes, size_t out_bytes, int* fd) {
  struct sockaddr_un address;
  socklen_t size;
  int err;

  err = make_address(path, &address, &size);
  if (err != 0) return err;
  err = ipc__socket_open(type, fd);
  if (err != 0) return err;
  ipc__socket_set_buffers(*fd, in_bytes, out_bytes);

  do {
    err = connect(*fd, (struct sockaddr*) &address, size);
  } while (err == -1 && errno == EINTR);
  /* EISCONN: the attempt that a signal interrupted has come through. */
  if (err == 0 || errno == EISCONN) return 0;
  /* No system is known to say these here; nobody would wait for the rest. */
  if (errno == EINPROGRESS || errno == EALREADY) errno = EAGAIN;
  err = ipc__errno();
  close(*fd);
  *fd = -1;
  return err;
}

/* Linux cuts a size that is too large, macOS refuses it with ENOBUFS. */
static void set_buffer(int fd, int option, size_t bytes) {
  int size;

  size = bytes > INT_MAX ? INT_MAX : (int) bytes;
  while (size > 0 &&
         setsockopt(fd, SOL_SOCKET, option, &size, sizeof(size)) == -1 &&
         errno == ENOBUFS)
    size /= 2;
}

void ipc__socket_set_buffers(int fd, size_t in_bytes, size_t out_bytes) {
  set_buffer(fd, SO_RCVBUF, in_bytes);
  set_buffer(fd, SO_SNDBUF, out_bytes);
}

static size_t get_buffer(int fd, int option) {
  socklen_t size;
  int bytes;

  size = sizeof(bytes);
  if (getsockopt(fd, SOL_SOCKET, option, &bytes, &size) == -1) return 0;
  return (size_t) bytes;
}

void ipc__socket_get_buffers(int fd, size_t* in_bytes, size_t* out_bytes) {
  *in_bytes = get_buffer(fd, SO_RCVBUF);
  *out_bytes = get_buffer(fd, SO_SNDBUF);
}

/* Without privileges, no more than a limit of the system's (EPERM). */
void ipc__pipe_set_buffer(int fd, size_t bytes) {
#if IPC__LINUX
  int size;

  size = bytes > INT_MAX ? INT_MAX : (int) bytes;
  while (size > 0 && fcntl(fd, F_SETPIPE_SZ, size) == -1 &&
         size > PIPE_BYTES_MIN)
    size /= 2;
#else
  (void) fd;
  (void) bytes;
#endif
}

size_t ipc__pipe_get_buffer(int fd) {
#if IPC__LINUX
  int size;

  size = fcntl(fd, F_GETPIPE_SZ);
  return size == -1 ? 0 : (size_t) size;
#else
  (void) fd;
  return 0;
#endif
}
