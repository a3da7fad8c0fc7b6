/* The harness on Linux and macOS. */
#include <poll.h>
#include "harness_os.h"

#include <fcntl.h>
#include <stdio.h>
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
