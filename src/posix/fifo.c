/* FIFOs: made with exact bits, opened without waiting for anybody, removed
 * where they are still the ones that were opened. Nothing here follows a
 * symbolic link at the path, opens what isn't a FIFO, or changes or removes
 * anything else. */
#define _GNU_SOURCE 1 /* O_PATH */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "posix.h"

/* A round is lost only to somebody who makes, removes or replaces what is at
 * the path between two system calls of ours. */
#define ROUNDS_MAX 100

/* Of which 0777 are the user's to set. */
#define MODE_BITS 07777

#define OPEN_FLAGS (O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY)

static int explain(void) {
  switch (errno) {
    case ENOTDIR:
      return UV_ENOENT;
    case EPERM:
      return UV_EACCES;
    default:
      return ipc__errno();
  }
}

static mode_t bits_of(const struct stat* status) {
  return status->st_mode & MODE_BITS;
}

/* UV_EEXIST: what is there is no FIFO. */
static int look(const char* path, struct stat* status) {
  if (lstat(path, status) == -1) return explain();
  return S_ISFIFO(status->st_mode) ? 0 : UV_EEXIST;
}

/* Removes this file, and nothing that has taken its place. */
static int remove_file(const char* path, const struct stat* file) {
  struct stat present;

  if (lstat(path, &present) == -1) return explain();
  if (!ipc__same_file(&present, file)) return UV_EEXIST;
  return unlink(path) == -1 ? explain() : 0;
}

/* ---- Making ------------------------------------------------------------- */

#if IPC__LINUX

/* chmod follows links, so it is given one of the kernel's own, to the very file
 * that was made. O_PATH opens nothing: no writer that waits for a reader takes
 * us for one. */
static int set_mode(const char* path, const struct stat* file, mode_t mode) {
  char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
  struct stat status;
  int err;
  int fd;

  fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd == -1) return explain();
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  err = 0;
  if (fstat(fd, &status) == -1)
    err = explain();
  else if (!ipc__same_file(&status, file))
    err = UV_EEXIST;
  else if (chmod(link, mode) == -1)
    err = errno == ENOENT ? UV_ENOTSUP : explain(); /* there is no /proc */
  close(fd);
  return err;
}

#else

static int set_mode(const char* path, const struct stat* file, mode_t mode) {
  (void) file;
  if (fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) == -1)
    return explain();
  return 0;
}

#endif

/* Makes one and gives it the bits that the umask has kept back. */
static int make(const char* path, mode_t mode) {
  struct stat made;
  int err;

  if (mkfifo(path, mode) == -1) return explain();
  err = look(path, &made);
  if (err != 0) return err;
  if (made.st_uid != geteuid()) return UV_EACCES; /* in its place already */
  if (bits_of(&made) == mode) return 0;
  err = set_mode(path, &made, mode);
  if (err != 0) (void) remove_file(path, &made);
  return err;
}

/* A name in the same directory that no other process or thread has just now.
 * UV_ENOENT: the path names nothing in one. */
static int hidden_name(const char* path, char* hidden) {
  const char* last;
  int size;

  last = strrchr(path, '/');
  if (*(last == NULL ? path : last + 1) == '\0') return UV_ENOENT;
  size = snprintf(hidden, PATH_MAX, "%.*s.ipc-%ld-%llx-%llx",
                  last == NULL ? 0 : (int) (last + 1 - path), path,
                  (long) getpid(), (unsigned long long) (uintptr_t) hidden,
                  (unsigned long long) uv_hrtime());
  return size < PATH_MAX ? 0 : UV_ENAMETOOLONG;
}

/* Makes it under another name and links it to the path, so that whoever finds
 * it there finds all its bits. UV_EEXIST: something is there by now. */
static int make_whole(const char* path, mode_t mode) {
  char hidden[PATH_MAX];
  int err;

  err = hidden_name(path, hidden);
  if (err == 0) err = make(hidden, mode);
  if (err != 0) return err;
  if (link(hidden, path) == -1) err = explain();
  unlink(hidden);
  /* A file system without such links. */
  if (err != 0 && err != UV_EEXIST && err != UV_ENOENT) err = make(path, mode);
  return err;
}

/* Whether what is there is as good. */
static int check_present(const char* path, mode_t mode) {
  struct stat present;
  int err;

  err = look(path, &present);
  if (err != 0) return err;
  if (present.st_uid != geteuid()) return UV_EACCES;
  return bits_of(&present) == mode ? 0 : UV_EEXIST;
}

int ipc__fifo_create(const char* path, int mode) {
  int round;
  int err;

  err = UV_EEXIST;
  for (round = 0; err == UV_EEXIST && round < ROUNDS_MAX; round++) {
    err = check_present(path, (mode_t) mode);
    if (err != UV_ENOENT) return err;
    err = make_whole(path, (mode_t) mode);
  }
  return err;
}

/* ---- Opening ------------------------------------------------------------ */

/* Opens one end of this file. UV_EAGAIN: it was replaced since. */
static int open_end(const char* path,
                    int access,
                    const struct stat* file,
                    int* end) {
  struct stat opened;
  int err;

  do {
    *end = open(path, access | OPEN_FLAGS);
  } while (*end == -1 && errno == EINTR);
  /* Nobody reads. */
  if (*end == -1 && errno == ENXIO) return UV_ENOENT;
  if (*end == -1) return explain();
  err = 0;
  if (fstat(*end, &opened) == -1)
    err = explain();
  else if (!ipc__same_file(&opened, file))
    err = UV_EAGAIN;
  else
    err = ipc__move_above_stdio(end);
  if (err != 0) close(*end);
  return err;
}

static int open_once(const char* path, ipc_access_t access, ipc__fifo_t* fifo) {
  struct stat file;
  int err;

  err = look(path, &file);
  if (err != 0) return err;
  /* Whoever owns it could read and write it, whatever the bits say. */
  if (file.st_uid != geteuid() && file.st_uid != 0) return UV_EACCES;
  if (access == IPC_CHANNEL_ACCESS_OUTBOUND)
    return open_end(path, O_WRONLY, &file, &fifo->handle);

  err = open_end(path, O_RDONLY, &file, &fifo->handle);
  if (err != 0) return err;
  err = open_end(path, O_WRONLY, &file, &fifo->keeper);
  fifo->has_keeper = err == 0;
  if (err != 0) close(fifo->handle);
  return err;
}

int ipc__fifo_open(const char* path, ipc_access_t access, ipc__fifo_t* fifo) {
  int round;
  int err;

  fifo->has_keeper = 0;
  err = UV_EAGAIN;
  for (round = 0; err == UV_EAGAIN && round < ROUNDS_MAX; round++) {
    if (round > 0) sched_yield();
    err = open_once(path, access, fifo);
  }
  return err == UV_EAGAIN ? UV_ENOENT : err;
}

int ipc__fifo_remove(const char* path, uv_os_fd_t handle) {
  struct stat opened;

  if (fstat(handle, &opened) == -1) return ipc__errno();
  return remove_file(path, &opened);
}
