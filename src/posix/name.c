/* What a name is on POSIX, whether the directory where it lives can be trusted,
 * and who serves a name. Nothing here makes, changes or removes a socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "posix.h"
#include "../name.h"

/* Where bare names live without XDG_RUNTIME_DIR; the effective uid follows. */
#define PRIVATE_DIRECTORY "/tmp/ipc_channel-"
/* Room for it with the longest uid. */
#define PRIVATE_DIRECTORY_SIZE (sizeof(PRIVATE_DIRECTORY) + 3 * sizeof(uid_t))

/* Where "system:NAME" lives. On Linux it leads to /run, which macOS hasn't. */
#define SYSTEM_DIRECTORY "/var/run"

/* The group daemon, of which no user is a member; macOS lets it write there. */
#define SYSTEM_GROUP 1

static void private_directory(char* path) {
  snprintf(path, PRIVATE_DIRECTORY_SIZE, "%s%lu", PRIVATE_DIRECTORY,
           (unsigned long) geteuid());
}

ipc__place_t ipc__name_place(const char* name) {
  if (name[0] == '/' || ipc__name_is_abstract(name)) return IPC__PLACE_ANY;
  return ipc__name_system_part(name) != NULL ? IPC__PLACE_SYSTEM
                                             : IPC__PLACE_USER;
}

static int resolve_bare(const char* name, ipc_name_info_t* info) {
  char private[PRIVATE_DIRECTORY_SIZE];
  const char* parts[5];
  const char* directory;
  int err;

  if (strncmp(name, "\\\\", 2) == 0)
    return ipc__name_refuse(info, UV_EINVAL,
                            "a name that begins with \\\\ is one of Windows");
  if (strchr(name, '/') != NULL)
    return ipc__name_refuse(info, UV_EINVAL,
                            "a relative path; a path must begin with '/'");
  err = ipc__name_check_bare(name, info);
  if (err != 0) return err;

  /* A relative path is to be ignored, says the XDG specification. */
  directory = getenv("XDG_RUNTIME_DIR");
  if (directory == NULL || directory[0] != '/') {
    private_directory(private);
    directory = private;
  }
  parts[0] = directory;
  parts[1] = directory[strlen(directory) - 1] == '/' ? "" : "/";
  parts[2] = name;
  parts[3] = ".sock";
  parts[4] = NULL;
  ipc__name_join(info, parts);
  return 0;
}

static int resolve_system(const char* name, ipc_name_info_t* info) {
  const char* parts[4];
  int err;

  err = ipc__name_check_bare(name, info);
  if (err != 0) return err;
  parts[0] = SYSTEM_DIRECTORY "/";
  parts[1] = ipc__name_system_part(name);
  parts[2] = ".sock";
  parts[3] = NULL;
  ipc__name_join(info, parts);
  return 0;
}

static int resolve_path(const char* path, ipc_name_info_t* info) {
  const char* parts[2];
  const char* last;

  last = strrchr(path, '/') + 1;
  if (*last == '\0')
    return ipc__name_refuse(info, UV_EINVAL, "the path ends with '/'");
  if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
    return ipc__name_refuse(info, UV_EINVAL, "the path ends with '/%s'", last);
  parts[0] = path;
  parts[1] = NULL;
  ipc__name_join(info, parts);
  return 0;
}

/* The '@' stands for a NUL, and no other follows the name. */
static int resolve_abstract(const char* name, ipc_name_info_t* info) {
  const char* parts[2];
  ptrdiff_t wrong;

  if (name[1] == '\0')
    return ipc__name_refuse(info, UV_EINVAL, "nothing follows the '@'");
  wrong = ipc__utf8_check(name);
  if (wrong >= 0)
    return ipc__name_refuse(info, UV_EINVAL, "not UTF-8: byte %d of the name",
                            (int) wrong + 1);
  parts[0] = name;
  parts[1] = NULL;
  ipc__name_join(info, parts);
  return 0;
}

int ipc__name_resolve(const char* name, ipc_name_info_t* info) {
  size_t length;
  size_t limit;
  int err;

  limit = IPC__PATH_SIZE - !ipc__name_is_abstract(name);
  info->os_name_limit = limit;
  if (ipc__name_is_abstract(name))
    err = resolve_abstract(name, info);
  else if (ipc__name_place(name) == IPC__PLACE_SYSTEM)
    err = resolve_system(name, info);
  else if (ipc__name_place(name) == IPC__PLACE_USER)
    err = resolve_bare(name, info);
  else
    err = resolve_path(name, info);
  if (err != 0) return err;

  length = info->os_name_length;
  if (length > limit)
    return ipc__name_refuse(info, UV_ENAMETOOLONG,
                            "the path has %zu bytes, %zu over the limit of %zu",
                            length, length - limit, limit);
  return 0;
}

/* With exactly our bits, whatever the umask. Nobody else can put something in
 * the place of a directory of ours in /tmp, which is sticky. */
static int make_directory(const char* path) {
  if (mkdir(path, S_IRWXU) == -1) return -1;
  return chmod(path, S_IRWXU);
}

static int check_user_directory(const char* directory, int create) {
  char private[PRIVATE_DIRECTORY_SIZE];
  struct stat status;
  mode_t unwanted;

  private_directory(private);

  unwanted = S_IWGRP | S_IWOTH;
  if (strcmp(directory, private) == 0) {
    unwanted = S_IRWXG | S_IRWXO;
    if (create && make_directory(private) == -1 && errno != EEXIST)
      return ipc__errno();
  }
  if (lstat(directory, &status) == -1)
    return errno == ENOTDIR ? UV_ENOENT : ipc__errno();
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
      (status.st_mode & unwanted) != 0)
    return UV_EACCES;
  return 0;
}

/* It may be a link, for what that lies in is root's too. */
static int check_system_directory(const char* directory) {
  struct stat status;

  if (stat(directory, &status) == -1)
    return errno == ENOTDIR ? UV_ENOENT : ipc__errno();
  if (!S_ISDIR(status.st_mode) || status.st_uid != 0 ||
      (status.st_mode & S_IWOTH) != 0)
    return UV_EACCES;
  if ((status.st_mode & S_IWGRP) != 0 && status.st_gid != SYSTEM_GROUP)
    return UV_EACCES;
  return 0;
}

int ipc__directory_check(const char* path, ipc__place_t place, int create) {
  char directory[IPC__PATH_SIZE];

  if (place == IPC__PLACE_ANY) return 0;
  snprintf(directory, sizeof(directory), "%s", path);
  /* The slash stays where the directory is the root. */
  directory[strrchr(path, '/') - path + (strrchr(path, '/') == path)] = '\0';
  return place == IPC__PLACE_SYSTEM ? check_system_directory(directory)
                                    : check_user_directory(directory, create);
}

/* Nobody could be reached at a path: what is there? */
static int look(const char* path, ipc_name_state_t* state) {
  struct stat status;

  if (ipc__name_is_abstract(path)) {
    *state = IPC_CHANNEL_NAME_ABSENT;
    return 0;
  }
  if (lstat(path, &status) == -1) {
    *state = IPC_CHANNEL_NAME_ABSENT;
    return errno == ENOENT || errno == ENOTDIR ? 0 : ipc__errno();
  }
  if (!S_ISSOCK(status.st_mode))
    *state = IPC_CHANNEL_NAME_FOREIGN;
  else if (ipc__lock_explains_refusal(path))
    *state = IPC_CHANNEL_NAME_BUSY;
  else
    *state = IPC_CHANNEL_NAME_STALE;
  return 0;
}

/* Whether sockets of one type and the other are named apart: abstract names
 * are, so that a stream finds nobody where packets are served. */
static int may_have_packets(const char* os_name, int err) {
  if (!IPC__HAS_PACKETS) return 0;
  return err == UV_EPROTOTYPE ||
         (err == UV_ECONNREFUSED && ipc__name_is_abstract(os_name));
}

int ipc__name_probe(const char* os_name,
                    ipc__place_t place,
                    ipc_name_state_t* state,
                    ipc_peer_t* peer) {
  int fd;
  int err;

  err = ipc__directory_check(os_name, place, 0);
  if (err == 0) err = ipc__socket_connect(SOCK_STREAM, os_name, 0, 0, &fd);
  if (may_have_packets(os_name, err))
    err = ipc__socket_connect(SOCK_SEQPACKET, os_name, 0, 0, &fd);
  switch (err) {
    case 0:
      *state = IPC_CHANNEL_NAME_LIVE;
      /* A server that the kernel doesn't tell is no less there. */
      (void) ipc__peer_get(fd, 1, peer);
      close(fd);
      return 0;
    case UV_EAGAIN:
      *state = IPC_CHANNEL_NAME_BUSY;
      return 0;
    case UV_EPROTOTYPE: /* a socket, but one for datagrams */
      *state = IPC_CHANNEL_NAME_FOREIGN;
      return 0;
    case UV_ENOENT:
    case UV_ENOTDIR:
    case UV_ECONNREFUSED:
    case UV_ENOTSOCK:
      return look(os_name, state);
    case UV_EPERM:
      return UV_EACCES;
    default:
      return err;
  }
}
