/* The harness on Linux and macOS. */
#include <poll.h>
#include "harness_os.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

/* No test opens more descriptors than this. */
#define MAX_FD 4096

static char directory[64];

void test_os_start(void) {
  /* Short, so that a socket's path fits into 103 bytes. */
  snprintf(directory, sizeof(directory), "/tmp/ipct-XXXXXX");
  if (mkdtemp(directory) == NULL) exit(99);
  setenv("XDG_RUNTIME_DIR", directory, 1);
}

/* Fails, and so shows in the listing, when a test has left a file. */
void test_os_stop(void) {
  if (rmdir(directory) != 0) perror(directory);
}

const char* test_directory(void) {
  return directory;
}

unsigned int test_count_handles(void) {
  unsigned int count = 0;
  int fd;

  for (fd = 0; fd < MAX_FD; fd++) count += fcntl(fd, F_GETFD) != -1;
  return count;
}

int test_wait_handle(uv_os_fd_t handle, int timeout_ms) {
  struct pollfd wanted = {handle, POLLIN, 0};
  int count = poll(&wanted, 1, timeout_ms);

  assert_true(count == 0 || (count == 1 && wanted.revents == POLLIN));
  return count;
}

int test_is_windows(void) {
  return 0;
}

/* ---- Handles made by hand ----------------------------------------------- */

/* What a supervisor passes first. */
#define FIRST_FD 3

void test_close_handle(uv_os_fd_t handle) {
  close(handle);
}

static int as_result(int fd, uv_os_fd_t* handle) {
  *handle = fd;
  return fd == -1 ? uv_translate_sys_error(errno) : 0;
}

/* A name where `is_abstract`, else a path. */
static void bind_unix(int fd, const char* path, int is_abstract) {
  struct sockaddr_un address;
  size_t size = offsetof(struct sockaddr_un, sun_path);
  size_t length = strlen(path);

  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  assert_true(length + 1 < sizeof(address.sun_path));
  memcpy(address.sun_path + is_abstract, path, length);
  size += length + 1;
  assert_int_equal(bind(fd, (struct sockaddr*) &address, (socklen_t) size), 0);
}

static int make_unix(int type, int is_abstract, int listens, const char* path) {
  int fd = socket(AF_UNIX, type, 0);

  if (fd == -1) return -1; /* macOS has no SOCK_SEQPACKET */
  bind_unix(fd, path, is_abstract);
  if (listens) assert_int_equal(listen(fd, 16), 0);
  return fd;
}

static int make_network_listener(void) {
  struct sockaddr_in address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);

  if (fd == -1) return -1;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(bind(fd, (struct sockaddr*) &address, sizeof(address)), 0);
  assert_int_equal(listen(fd, 1), 0);
  return fd;
}

/* One of two that are connected: the other's place is closed, or kept. */
static int one_of(const int ends[2]) {
  close(ends[1]);
  return ends[0];
}

static int make(test_kind_t kind, const char* path) {
  int ends[2];

  switch (kind) {
    case TEST_LISTENER:
      return make_unix(SOCK_STREAM, 0, 1, path);
    case TEST_LISTENER_ABSTRACT:
      return make_unix(SOCK_STREAM, 1, 1, path);
    case TEST_LISTENER_SEQPACKET:
      return make_unix(SOCK_SEQPACKET, 0, 1, path);
    case TEST_LISTENER_OF_A_NETWORK:
      return make_network_listener();
    case TEST_BOUND_SOCKET:
      return make_unix(SOCK_STREAM, 0, 0, path);
    case TEST_DATAGRAM_SOCKET:
      return make_unix(SOCK_DGRAM, 0, 0, path);
    case TEST_CONNECTED_SOCKET:
      return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1 ? -1
                                                             : one_of(ends);
    case TEST_PIPE:
      return pipe(ends) == -1 ? -1 : one_of(ends);
    case TEST_FILE:
    default:
      return open("/dev/null", O_RDWR);
  }
}

int test_make_handle(test_kind_t kind, const char* path, uv_os_fd_t* handle) {
#ifndef __linux__
  if (kind == TEST_LISTENER_ABSTRACT) return UV_ENOTSUP;
#endif
  return as_result(make(kind, path), handle);
}

uv_os_fd_t test_pass_handle(uv_os_fd_t handle, int n) {
  int place = FIRST_FD + n;

  if (handle == place) return handle;
  assert_int_equal(dup2(handle, place), place);
  close(handle);
  return place;
}

int test_handle_is_open(uv_os_fd_t handle) {
  return fcntl(handle, F_GETFD) != -1;
}

int test_handle_is_inherited(uv_os_fd_t handle) {
  return !(fcntl(handle, F_GETFD) & FD_CLOEXEC);
}

int test_handle_is_blocking(uv_os_fd_t handle) {
  return !(fcntl(handle, F_GETFL) & O_NONBLOCK);
}
