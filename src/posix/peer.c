/* Who is at the other end, by the kernel's word only, and which groups it
 * belongs to. Nothing here decides who may in. */
#define _GNU_SOURCE 1      /* struct ucred, getgrouplist */
#define _DARWIN_C_SOURCE 1 /* getpeereid, LOCAL_PEERPID, getgrouplist */

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "posix.h"

/* An entry of the user or group database is read into a buffer that starts with
 * this and doubles; a group of 100,000 members fits into the largest. */
#define ENTRY_BYTES ((size_t) 1024)
#define ENTRY_BYTES_MAX ((size_t) 4 << 20)

/* What a list of groups starts with; NGROUPS_MAX on Linux is 65,536. */
#define GROUPS 64
#define GROUPS_MAX ((int) 65536 + 1)

#ifdef __APPLE__
typedef int group_list_t; /* what getgrouplist takes */
#else
typedef gid_t group_list_t;
#endif

#ifdef __linux__
static int get_credentials(int fd, pid_t* pid, uid_t* uid, gid_t* gid) {
  struct ucred credentials;
  socklen_t size;

  size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == -1)
    return -1;
  *pid = credentials.pid;
  *uid = credentials.uid;
  *gid = credentials.gid;
  /* What an unconnected socket answers. */
  return credentials.uid == (uid_t) -1 ? -1 : 0;
}
#else
static int get_credentials(int fd, pid_t* pid, uid_t* uid, gid_t* gid) {
  *pid = 0;
#ifdef LOCAL_PEERPID
  {
    socklen_t size;

    size = sizeof(*pid);
    if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, pid, &size) == -1) *pid = 0;
  }
#endif
  return getpeereid(fd, uid, gid);
}
#endif

int ipc__peer_get(uv_os_fd_t handle, int is_server, ipc_peer_t* peer) {
  pid_t pid;
  uid_t uid;
  gid_t gid;

  (void) is_server;
  peer->uid = peer->gid = -1; /* 0 is somebody */
  if (get_credentials(handle, &pid, &uid, &gid) == -1) return UV_EACCES;
  peer->pid = pid;
  peer->uid = uid;
  peer->gid = gid;
  snprintf(peer->user, sizeof(peer->user), "%lu", (unsigned long) uid);
  return 0;
}

int ipc__user_is_id(const char* text) {
  gid_t id; /* written like a group's */

  return ipc__gid_parse(text, &id);
}

int ipc__peer_is_me(const ipc_peer_t* peer) {
  return peer->uid == (int64_t) geteuid();
}

int ipc__peer_is_system(const ipc_peer_t* peer) {
  return peer->uid == 0;
}

int ipc__gid_parse(const char* text, gid_t* gid) {
  unsigned long long value;

  if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') return 0;
  errno = 0;
  value = strtoull(text, NULL, 10);
  *gid = (gid_t) value;
  /* The largest stands for "none" wherever a gid is taken. */
  return errno == 0 && *gid == value && *gid != (gid_t) -1;
}

/* One lookup with a buffer of some size; ERANGE: larger, please. */
static int find_by_name(const ipc_allocator_t* allocator,
                        size_t size,
                        const char* name,
                        gid_t* gid) {
  struct group entry;
  struct group* found;
  char* buffer;
  int err;

  buffer = ipc__malloc(allocator, size);
  if (buffer == NULL) return ENOMEM;
  do {
    err = getgrnam_r(name, &entry, buffer, size, &found);
  } while (err == EINTR);
  if (err == 0 && found == NULL) err = ENOENT;
  if (err == 0) *gid = entry.gr_gid;
  ipc__free(allocator, buffer);
  return err;
}

static int find_group(const ipc_allocator_t* allocator,
                      const char* group,
                      gid_t* gid) {
  size_t size;
  int err;

  if (ipc__gid_parse(group, gid)) return 0;
  err = ERANGE;
  for (size = ENTRY_BYTES; err == ERANGE && size <= ENTRY_BYTES_MAX; size *= 2)
    err = find_by_name(allocator, size, group, gid);
  switch (err) {
    case 0:
      return 0;
    case ESRCH: /* what some systems say for "not found" */
    case EBADF:
    case EPERM:
      return UV_ENOENT;
    default:
      return uv_translate_sys_error(err);
  }
}

#if IPC__LINUX && defined(SO_PEERGROUPS)
/* The groups that the peer had when it connected. */
static int has_group(int fd, const ipc_peer_t* peer, gid_t gid) {
  gid_t few[GROUPS];
  gid_t* groups;
  socklen_t size;
  size_t i;
  int found;

  (void) peer;
  groups = few;
  size = sizeof(few);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == -1) {
    if (errno != ERANGE) return 0;
    /* `size` is now what they need. */
    groups = ipc__malloc(&ipc__default_allocator, size);
    if (groups == NULL) return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == -1)
      size = 0;
  }
  found = 0;
  for (i = 0; i < size / sizeof(*groups); i++) found |= groups[i] == gid;
  if (groups != few) ipc__free(&ipc__default_allocator, groups);
  return found;
}
#else
static int list_has(const char* user, gid_t main_gid, int count, gid_t gid) {
  group_list_t* groups;
  int room;
  int found;
  int i;

  groups =
      ipc__malloc(&ipc__default_allocator, (size_t) count * sizeof(*groups));
  if (groups == NULL) return 0;
  room = count;
  found = 0;
  if (getgrouplist(user, (group_list_t) main_gid, groups, &count) == -1)
    found = -1;
  /* Only so many are there, whatever the count says. */
  for (i = 0; i < count && i < room; i++)
    if ((gid_t) groups[i] == gid) found = 1;
  ipc__free(&ipc__default_allocator, groups);
  return found;
}

/* One lookup with a buffer of some size; -1: more of it, please. */
static int account_has(uid_t uid, size_t size, gid_t gid) {
  struct passwd entry;
  struct passwd* found;
  char* buffer;
  int count;
  int has;
  int err;

  buffer = ipc__malloc(&ipc__default_allocator, size);
  if (buffer == NULL) return 0;
  do {
    err = getpwuid_r(uid, &entry, buffer, size, &found);
  } while (err == EINTR);
  has = err == ERANGE ? -1 : 0;
  if (err == 0 && found != NULL) {
    has = -1;
    for (count = GROUPS; has == -1 && count <= GROUPS_MAX; count *= 2)
      has = list_has(entry.pw_name, entry.pw_gid, count, gid);
    if (has == -1) has = 0;
  }
  ipc__free(&ipc__default_allocator, buffer);
  return has;
}

/* The groups of the peer's account, since the kernel doesn't tell its own. */
static int has_group(int fd, const ipc_peer_t* peer, gid_t gid) {
  size_t size;
  int has;

  (void) fd;
  has = -1;
  for (size = ENTRY_BYTES; has == -1 && size <= ENTRY_BYTES_MAX; size *= 2)
    has = account_has((uid_t) peer->uid, size, gid);
  return has == 1;
}
#endif

int ipc__group_resolve(const ipc_allocator_t* allocator,
                       const char* group,
                       char id[IPC_CHANNEL_USER_SIZE]) {
  gid_t gid = 0;
  int err;

  err = find_group(allocator, group, &gid);
  if (err != 0) return err;
  snprintf(id, IPC_CHANNEL_USER_SIZE, "%lu", (unsigned long) gid);
  return 0;
}

int ipc__peer_in_group(uv_os_fd_t handle,
                       const ipc_peer_t* peer,
                       const char* group_id) {
  gid_t gid;

  if (!ipc__gid_parse(group_id, &gid)) return 0;
  return peer->gid == (int64_t) gid || has_group(handle, peer, gid);
}
