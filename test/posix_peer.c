/* See posix_peer.h. */
#define _GNU_SOURCE 1 /* setgroups, on Linux */

#include "posix_peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define MAX_FDS 250 /* less than SCM_MAX_FD, which is 253 */

int posix_has_linux_features(void) {
#if defined(__linux__) && !defined(IPC_CHANNEL_PORTABLE)
  return 1;
#else
  return 0;
#endif
}

/* ---- Sockets ------------------------------------------------------------ */

static void fill_address(struct sockaddr_un* address, const char* path) {
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  assert_true(strlen(path) < sizeof(address->sun_path));
  memcpy(address->sun_path, path, strlen(path));
}

static int bind_socket(const char* path, int type) {
  struct sockaddr_un address;
  int fd;

  fill_address(&address, path);
  fd = socket(AF_UNIX, type, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr*) &address, sizeof(address)), 0);
  return fd;
}

int posix_listen(const char* path) {
  int fd = bind_socket(path, SOCK_STREAM);

  assert_int_equal(listen(fd, 16), 0);
  return fd;
}

int posix_bind_datagram(const char* path) {
  return bind_socket(path, SOCK_DGRAM);
}

int posix_connect(const char* path) {
  struct sockaddr_un address;
  int err;
  int fd;

  fill_address(&address, path);
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  if (connect(fd, (struct sockaddr*) &address, sizeof(address)) == 0) return fd;
  err = errno;
  close(fd);
  return -err;
}

void posix_send_with_fds(int fd, const void* data, size_t size, int count) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
  } control;
  struct iovec vector;
  struct msghdr message;
  struct cmsghdr* header;
  int fds[MAX_FDS];
  int i;

  assert_true(count > 0 && count <= MAX_FDS);
  fds[0] = open("/dev/null", O_RDWR);
  assert_true(fds[0] >= 0);
  for (i = 1; i < count; i++) fds[i] = fds[0];

  memset(&message, 0, sizeof(message));
  memset(&control, 0, sizeof(control));
  vector.iov_base = (void*) data;
  vector.iov_len = size;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE((size_t) count * sizeof(int));
  header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN((size_t) count * sizeof(int));
  memcpy(CMSG_DATA(header), fds, (size_t) count * sizeof(int));
  assert_int_equal(sendmsg(fd, &message, 0), size);
  close(fds[0]);
}

size_t posix_drain(int fd, void* data, size_t size) {
  char buffer[256];
  size_t total = 0;
  size_t room;
  ssize_t n;

  while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
    room = total < size ? size - total : 0;
    memcpy((char*) data + (total < size ? total : 0), buffer,
           (size_t) n < room ? (size_t) n : room);
    total += (size_t) n;
  }
  return total;
}

/* ---- Processes ---------------------------------------------------------- */

pid_t posix_fork(int (*play)(void* arg), void* arg) {
  pid_t pid;

  fflush(NULL);
  pid = fork();
  assert_true(pid != -1);
  if (pid == 0) _exit(play(arg));
  return pid;
}

int posix_reap(pid_t pid) {
  int status;
  pid_t reaped;

  while ((reaped = waitpid(pid, &status, WNOHANG)) == 0) {
    uv_run(test_loop(), UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  assert_int_equal(reaped, pid);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void posix_become(unsigned int uid, unsigned int gid) {
  gid_t group = (gid_t) gid;

  if (setgroups(1, &group) != 0 || setgid((gid_t) gid) != 0 ||
      setuid((uid_t) uid) != 0) {
    _exit(98);
  }
}

/* ---- Files -------------------------------------------------------------- */

void posix_look(const char* path, posix_file_t* file) {
  int fd;

  memset(file, 0, sizeof(*file));
  assert_int_equal(lstat(path, &file->status), 0);
  if (S_ISLNK(file->status.st_mode)) {
    assert_true(readlink(path, file->content, sizeof(file->content) - 1) > 0);
  } else if (S_ISREG(file->status.st_mode)) {
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(read(fd, file->content, sizeof(file->content) - 1) >= 0);
    close(fd);
  }
}

void posix_unchanged(const char* path, const posix_file_t* file) {
  posix_file_t now;

  posix_look(path, &now);
  assert_int_equal(now.status.st_dev, file->status.st_dev);
  assert_int_equal(now.status.st_ino, file->status.st_ino);
  assert_int_equal(now.status.st_mode, file->status.st_mode);
  assert_int_equal(now.status.st_uid, file->status.st_uid);
  assert_int_equal(now.status.st_gid, file->status.st_gid);
  assert_int_equal(now.status.st_nlink, file->status.st_nlink);
  assert_int_equal(now.status.st_mtime, file->status.st_mtime);
  assert_string_equal(now.content, file->content);
}

int posix_exists(const char* path) {
  struct stat status;

  return lstat(path, &status) == 0;
}

int posix_count(const char* directory) {
  DIR* stream = opendir(directory);
  int count = 0;

  assert_non_null(stream);
  while (readdir(stream) != NULL) count++;
  closedir(stream);
  return count - 2; /* "." and ".." */
}

void posix_write(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
}
