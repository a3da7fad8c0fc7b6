/* Who owns a name. A lock file beside the socket, held with flock for as long
 * as the server lives, decides it; the kernel drops the lock of a process that
 * dies. Taking a name removes the socket that a dead server left, and that is
 * all this file ever removes: nothing that isn't a socket, nothing of another
 * user's, nothing that a server answers for, no lock that it doesn't hold.
 *
 * Owners unlink the lock file, so the file that was opened may not be the one
 * at the path by the time it is locked; then it counts for nothing, and the
 * next round opens what is there now. */
#define _DARWIN_C_SOURCE 1 /* flock */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "posix.h"

#define LOCK_SUFFIX ".lock"
#define LOCK_PATH_SIZE (IPC__PATH_SIZE + sizeof(LOCK_SUFFIX) - 1)

/* A round is lost only to a server that starts or stops in the same moment, or
 * to a look at the lock. So many of them take some 10 ms; who loses them all is
 * one of a crowd, of which another has won. */
#define ROUNDS_MAX 1000

#define LOCK_MODE (S_IRUSR | S_IWUSR)

/* O_NONBLOCK: a FIFO must not hold us up. */
#define OPEN_FLAGS (O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static void lock_path(const char* path, char* result) {
  snprintf(result, LOCK_PATH_SIZE, "%s%s", path, LOCK_SUFFIX);
}

/* Opens the lock file, or creates it and says so. */
static int open_lock(const char* path, int* fd, int* created) {
  *fd = open(path, O_RDWR | OPEN_FLAGS);
  if (*fd == -1 && errno == ENOENT) {
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | OPEN_FLAGS, LOCK_MODE);
    *created = *fd != -1;
    /* The umask may have taken our own bits, without which we couldn't open it
     * after a crash. Where that fails we are no worse off than before. */
    if (*fd != -1) (void) fchmod(*fd, LOCK_MODE);
  }
  if (*fd != -1) return 0;
  switch (errno) {
    case EINTR:
    case EEXIST: /* created by another since we looked */
      return UV_EAGAIN;
    case ENOTDIR:
      return UV_ENOENT;
    case EPERM:
    case EISDIR:
    case ELOOP: /* a symbolic link; FreeBSD: EMLINK */
    case EMLINK:
    case ENXIO: /* a socket; macOS: EOPNOTSUPP */
    case EOPNOTSUPP:
      return UV_EACCES;
    default:
      return ipc__errno();
  }
}

/* Whether the open file can be a lock of ours: those are empty, so that a file
 * of the user's that happens to have the name is never removed. */
static int check_lock(int fd, struct stat* status) {
  if (fstat(fd, status) == -1) return ipc__errno();
  if (!S_ISREG(status->st_mode) || status->st_uid != geteuid())
    return UV_EACCES;
  return status->st_size == 0 ? 0 : UV_EEXIST;
}

/* UV_EADDRINUSE: a server has it. UV_EAGAIN: only those who look whether it is
 * held, who share it and leave at once. */
static int try_lock(int fd) {
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
  if (errno == EINTR) return UV_EAGAIN;
  if (errno != EWOULDBLOCK) return ipc__errno();
  return flock(fd, LOCK_SH | LOCK_NB) == 0 ? UV_EAGAIN : UV_EADDRINUSE;
}

/* `created` is set where this round has made the file. */
static int lock_once(const char* path, int* fd, int* created) {
  struct stat opened;
  struct stat present;
  int err;

  *created = 0;
  err = open_lock(path, fd, created);
  if (err != 0) return err;
  err = check_lock(*fd, &opened);
  if (err == 0) err = try_lock(*fd);
  if (err == 0 &&
      (lstat(path, &present) == -1 || !ipc__same_file(&opened, &present)))
    err = UV_EAGAIN;
  if (err == 0) return 0;
  /* No lock can be had of this file system; with the other two errors, others
   * are using what we made. */
  if (*created && err != UV_EAGAIN && err != UV_EADDRINUSE) unlink(path);
  close(*fd);
  return err;
}

/* `created`: the lock file wasn't there when we came, though another may have
 * made it since; so it can't tell whose a socket is. */
static int lock_file(const char* path, int* fd, int* created) {
  int has_made;
  int round;
  int err;

  *created = 0;
  err = UV_EAGAIN;
  for (round = 0; err == UV_EAGAIN && round < ROUNDS_MAX; round++) {
    /* Who is in the way may be waiting for our processor. */
    if (round > 0) sched_yield();
    err = lock_once(path, fd, &has_made);
    *created |= has_made;
  }
  return err == UV_EAGAIN ? UV_EADDRINUSE : err;
}

/* Whether the server of a socket is dead, be it for streams or packets: a live
 * one of another type says UV_EPROTOTYPE. `ours`: the lock, which nobody held,
 * says that the socket is one of this library's. */
static int check_dead(const char* path, int ours) {
  int fd;
  int err;

  err = ipc__socket_connect(SOCK_STREAM, path, 0, 0, &fd);
  switch (err) {
    case 0:
      close(fd);
      return UV_EADDRINUSE;
    case UV_ENOENT: /* gone since we looked */
      return 0;
    case UV_ECONNREFUSED:
      return ours || IPC__REFUSED_MEANS_DEAD ? 0 : UV_EADDRINUSE;
    case UV_EACCES: /* its mode keeps us out too */
    case UV_EPERM:
      return ours ? 0 : UV_EACCES;
    case UV_EAGAIN:
    case UV_EPROTOTYPE:
      return UV_EADDRINUSE;
    default:
      return err;
  }
}

/* Removes a socket, unless something else has its name by now. */
static int remove_socket(const char* path, const struct stat* socket) {
  struct stat present;

  if (lstat(path, &present) == -1) return errno == ENOENT ? 0 : ipc__errno();
  if (!ipc__same_file(socket, &present)) return UV_EADDRINUSE;
  if (unlink(path) == -1 && errno != ENOENT)
    return errno == EPERM ? UV_EACCES : ipc__errno();
  return 0;
}

/* Makes sure that nothing has the name. */
static int clear_name(const char* path, int ours, int64_t uid) {
  struct stat status;
  int err;

  if (lstat(path, &status) == -1) return errno == ENOENT ? 0 : ipc__errno();
  if (!S_ISSOCK(status.st_mode)) return UV_EEXIST;
  /* Root may have given it away, as its options said. */
  if (status.st_uid != geteuid() && !(ours && uid == (int64_t) status.st_uid))
    return UV_EACCES;
  err = check_dead(path, ours);
  return err != 0 ? err : remove_socket(path, &status);
}

int ipc__lock_take(ipc__lock_t* lock, const char* path, int64_t uid) {
  char file[LOCK_PATH_SIZE];
  int created;
  int err;

  if (strlen(path) >= sizeof(lock->path)) return UV_ENAMETOOLONG;
  memset(lock, 0, sizeof(*lock));
  snprintf(lock->path, sizeof(lock->path), "%s", path);
  lock->owner = getpid();

  lock_path(path, file);
  err = lock_file(file, &lock->fd, &created);
  if (err != 0) return err;
  err = clear_name(path, !created, uid);
  if (err == 0) return 0;
  /* A lock that was there tells whose the socket is; it must stay. */
  if (created) unlink(file);
  close(lock->fd);
  return err;
}

int ipc__lock_note_socket(ipc__lock_t* lock, struct stat* status) {
  int err;

  if (lstat(lock->path, status) == -1) {
    err = ipc__errno();
    unlink(lock->path);
    return err;
  }
  if (!S_ISSOCK(status->st_mode)) return UV_EADDRINUSE;
  lock->device = status->st_dev;
  lock->inode = status->st_ino;
  lock->has_socket = 1;
  return 0;
}

int ipc__lock_has_socket(const ipc__lock_t* lock) {
  struct stat status;

  return lock->has_socket && lstat(lock->path, &status) == 0 &&
         S_ISSOCK(status.st_mode) && status.st_dev == lock->device &&
         status.st_ino == lock->inode;
}

void ipc__lock_release(ipc__lock_t* lock) {
  char file[LOCK_PATH_SIZE];
  struct stat opened;
  struct stat present;

  if (getpid() == lock->owner) {
    if (ipc__lock_has_socket(lock)) unlink(lock->path);
    lock_path(lock->path, file);
    /* Somebody may have tidied up, and another may own the name since. */
    if (fstat(lock->fd, &opened) == 0 && lstat(file, &present) == 0 &&
        ipc__same_file(&opened, &present))
      unlink(file);
  }
  close(lock->fd);
}

int ipc__lock_explains_refusal(const char* path) {
  char file[LOCK_PATH_SIZE];
  struct stat status;
  int held;
  int fd;

  if (IPC__REFUSED_MEANS_DEAD || strlen(path) >= IPC__PATH_SIZE) return 0;
  lock_path(path, file);
  fd = open(file, O_RDONLY | OPEN_FLAGS);
  if (fd == -1) return 0;
  held = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
         flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
  close(fd);
  return held;
}
