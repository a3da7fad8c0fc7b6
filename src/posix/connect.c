/* One attempt to connect, and what its failure means. Waiting, retrying and
 * checking who the server is are done above. */
#include <sys/stat.h>
#include <unistd.h>

#include "../name.h"
#include "posix.h"

/* Refused: a dead server's socket, or a server that is just about to listen; on
 * macOS a full backlog too, on Linux whatever is no socket. */
static int explain_refusal(const char* path) {
  struct stat status;

  if (ipc__name_is_abstract(path)) return UV_ENOENT;
  if (stat(path, &status) == 0 && !S_ISSOCK(status.st_mode)) return UV_ENOTSOCK;
  return ipc__lock_explains_refusal(path) ? UV_EBUSY : UV_ENOENT;
}

/* A socket of another type has the path. One for datagrams is connected with no
 * more than a name, so that whoever has it isn't disturbed. */
static int explain_type(const char* path) {
  int err;
  int fd;

  if (!IPC__HAS_PACKETS) return UV_ENOTSOCK;
  err = ipc__socket_connect(SOCK_DGRAM, path, 0, 0, &fd);
  if (err == 0) close(fd);
  if (err == UV_ECONNREFUSED || err == UV_ENOENT) return UV_ENOENT;
  return err == UV_EPROTOTYPE ? UV_EPROTOTYPE : UV_ENOTSOCK;
}

int ipc__connect(const ipc__connect_config_t* config, uv_os_fd_t* handle) {
  int err;

  err = ipc__directory_check(config->os_name, config->place, 0);
  if (err != 0) return err;

  err =
      ipc__socket_connect(IPC__SOCKET_TYPE(config->is_packet), config->os_name,
                          config->in_bytes, config->out_bytes, handle);
  switch (err) {
    case UV_EAGAIN: /* the backlog is full */
      return UV_EBUSY;
    case UV_ECONNREFUSED:
      return explain_refusal(config->os_name);
    case UV_ENOTDIR: /* nobody serves a name below a file */
      return UV_ENOENT;
    case UV_EPERM:
      return UV_EACCES;
    case UV_EPROTOTYPE:
      return explain_type(config->os_name);
    default:
      return err;
  }
}
