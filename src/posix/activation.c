/* What a supervisor has passed on: systemd's descriptors, which begin at 3 and
 * are told by the environment, or launchd's, which are asked for by name. It
 * takes all that is asked for or nothing, and must never take what was meant
 * for another process. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __APPLE__
#include <launch.h>
#endif

#include "posix.h"

#ifdef __APPLE__

/* launchd gives them out once, so there is no way to look at them first. */
int ipc__activation_handles(const char* name,
                            uv_os_fd_t* handles,
                            size_t* count) {
  size_t room;
  size_t found;
  size_t i;
  int* fds;
  int err;

  room = *count;
  *count = 0;
  if (name == NULL) return UV_EINVAL;
  fds = NULL;
  found = 0;
  err = launch_activate_socket(name, &fds, &found);
  /* Nothing of that name; not started by launchd; handed out before. */
  if (err == ENOENT || err == ESRCH || err == EALREADY) return UV_ENOENT;
  if (err != 0) return uv_translate_sys_error(err);
  for (i = 0; i < found; i++) {
    if (found > room) {
      close(fds[i]);
    } else {
      ipc__socket_close_on_exec(fds[i]);
      handles[i] = fds[i];
    }
  }
  free(fds);
  *count = found;
  if (found == 0) return UV_ENOENT;
  return found > room ? UV_ENOBUFS : 0;
}

#else

#define FIRST_FD 3

/* What systemd calls descriptors that were given no name. */
#define NO_NAME "unknown"

/* The text as a number of decimal digits, at most as high as leaves room for
 * the first descriptors; -1: it is none. */
static int parse_number(const char* text) {
  int number;

  number = 0;
  if (*text == '\0') return -1;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return -1;
    if (number > (INT_MAX - FIRST_FD - 9) / 10) return -1;
    number = number * 10 + (*text - '0');
  }
  return number;
}

/* How many descriptors have been passed to this very process. */
static int get_passed(int* passed) {
  const char* pid;
  const char* fds;

  pid = getenv("LISTEN_PID");
  fds = getenv("LISTEN_FDS");
  if (pid == NULL || fds == NULL || parse_number(pid) != getpid())
    return UV_ENOENT;
  *passed = parse_number(fds);
  return *passed == -1 ? UV_EINVAL : 0;
}

static int count_names(const char* names) {
  int count;

  for (count = 1; *names != '\0'; names++) count += *names == ':';
  return count;
}

/* Takes the first of the names; whether it is this one. */
static int next_is(const char** names, const char* name) {
  size_t length;
  int is_same;

  length = strcspn(*names, ":");
  is_same = strlen(name) == length && memcmp(name, *names, length) == 0;
  *names += length;
  if (**names == ':') ++*names;
  return is_same;
}

/* Fills in those of that name, as far as there is room, and counts all. */
static int collect(const char* name,
                   int passed,
                   uv_os_fd_t* handles,
                   size_t room,
                   size_t* found) {
  const char* names;
  int fd;

  names = name == NULL ? NULL : getenv("LISTEN_FDNAMES");
  if (names != NULL && count_names(names) != passed) return UV_EINVAL;
  if (name != NULL && names == NULL && strcmp(name, NO_NAME) != 0)
    return UV_ENOENT;
  for (fd = FIRST_FD; fd < FIRST_FD + passed; fd++) {
    if (names != NULL && !next_is(&names, name)) continue;
    if (fcntl(fd, F_GETFD) == -1) return ipc__errno();
    if (*found < room) handles[*found] = fd;
    ++*found;
  }
  return *found == 0 ? UV_ENOENT : 0;
}

int ipc__activation_handles(const char* name,
                            uv_os_fd_t* handles,
                            size_t* count) {
  size_t room;
  size_t found;
  size_t i;
  int passed;
  int err;

  room = *count;
  *count = 0;
  found = 0;
  err = get_passed(&passed);
  if (err == 0) err = collect(name, passed, handles, room, &found);
  if (err != 0) return err;
  *count = found;
  if (found > room) return UV_ENOBUFS;
  for (i = 0; i < found; i++) ipc__socket_close_on_exec(handles[i]);
  /* Other names may be asked for yet. */
  if (name != NULL) return 0;
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  return 0;
}

#endif
