/* What the files of src/posix share: sockets and pipes made the way we want
 * them, writes that raise no signal, the directory of bare names, groups, and
 * the lock that says who owns a name. */
#ifndef IPC_CHANNEL_POSIX_H
#define IPC_CHANNEL_POSIX_H

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

#include "../alloc.h"
#include "../platform.h"

/* IPC_CHANNEL_PORTABLE makes a Linux build take the path of the other systems,
 * so that it can be tested where macOS can't run. */
#if defined(__linux__) && !defined(IPC_CHANNEL_PORTABLE)
#define IPC__LINUX 1
#else
#define IPC__LINUX 0
#endif

/* Bytes for the longest path of a socket, its NUL included. */
#define IPC__PATH_SIZE sizeof(((struct sockaddr_un*) 0)->sun_path)

/* Whether a socket that others made may have a name that is no path, whatever
 * this build takes itself. */
#ifdef __linux__
#define IPC__MEETS_ABSTRACT_NAMES 1
#else
#define IPC__MEETS_ABSTRACT_NAMES 0
#endif

/* errno as a UV_E* code. */
int ipc__errno(void);

static inline int ipc__same_file(const struct stat* a, const struct stat* b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---- Sockets and pipes (socket.c) --------------------------------------- */

/* Of the sockets that the library makes for itself. */
#define IPC__SOCKET_TYPE(is_packet) ((is_packet) ? SOCK_SEQPACKET : SOCK_STREAM)

/* An unconnected socket: closed on exec, non-blocking, no SIGPIPE. */
int ipc__socket_open(int type, int* fd);

/* The next client, its socket made like that; UV_EAGAIN: there is none. */
int ipc__socket_accept(int listening, int* fd);

/* Two of them, connected with each other. */
int ipc__socket_pair(int type, int ends[2]);

/* An anonymous pipe, made like that but for SIGPIPE: ends[0] reads. */
int ipc__pipe_pair(int ends[2]);

/* Spares whoever writes to a socket that others made the SIGPIPE; 0 where that
 * can't be had (macOS: of one whose peer has gone). Where the system has no
 * option for it, MSG_NOSIGNAL does it. */
int ipc__socket_mute(int fd);

/* For descriptors that others made: no child's from now on. */
void ipc__socket_close_on_exec(int fd);

int ipc__socket_bind(int fd, const char* path);

/* Connects a socket to a path. What connect(2) says: UV_EAGAIN for a full
 * backlog on Linux, UV_ECONNREFUSED for that on macOS; UV_EPROTOTYPE where a
 * socket of another type has the path. */
int ipc__socket_connect(
    int type, const char* path, size_t in_bytes, size_t out_bytes, int* fd);

/* Asks for buffer sizes; 0 leaves one alone. What the system won't give is no
 * error: the sizes in effect can be asked for. */
void ipc__socket_set_buffers(int fd, size_t in_bytes, size_t out_bytes);

/* The sizes in effect; 0 where the system won't say. */
void ipc__socket_get_buffers(int fd, size_t* in_bytes, size_t* out_bytes);

/* The same for pipes, where only Linux has a say: both of its ends get the
 * size, which may be less. */
void ipc__pipe_set_buffer(int fd, size_t bytes);
size_t ipc__pipe_get_buffer(int fd);

/* The permission bits that bind gives the file at most, where the system lets
 * a socket say that (Linux). Elsewhere nobody gets in before listen anyway. */
int ipc__socket_limit_mode(int fd, mode_t mode);

/* What a caller does with ECONNREFUSED: whether it proves that nobody serves
 * the socket. On macOS a full backlog says the same. */
#define IPC__REFUSED_MEANS_DEAD IPC__LINUX

/* ---- Descriptors (stream.c) --------------------------------------------- */

/* libuv never closes descriptors 0 to 2, and whoever prints would write into
 * them; a process without standard streams may well be given one of those. Does
 * nothing to others. */
int ipc__move_above_stdio(int* fd);

/* ---- Writing without a signal (sigpipe.c) ------------------------------- */

typedef struct ipc__sigpipe_s {
  sigset_t before; /* the thread's mask */
  int was_pending;
} ipc__sigpipe_t;

/* Between the two this thread's writes may fail with EPIPE as often as they
 * like: no SIGPIPE comes of it. One that was pending before stays so. Both keep
 * errno. */
void ipc__sigpipe_hold(ipc__sigpipe_t* held);
void ipc__sigpipe_release(const ipc__sigpipe_t* held);

/* ---- Names (name.c) ----------------------------------------------------- */

/* Checks the directory of an endpoint: that it is whose it should be, and that
 * nobody else may write there. `create`: makes the per-user one under /tmp if
 * it isn't there. UV_ENOENT: no directory; UV_EACCES: not one to trust. */
int ipc__directory_check(const char* path, ipc__place_t place, int create);

/* ---- Groups (peer.c) ---------------------------------------------------- */

/* Reads a decimal group id; 0 where the text is none. */
int ipc__gid_parse(const char* text, gid_t* gid);

/* ---- Who owns a name (lock.c) ------------------------------------------- */

typedef struct ipc__lock_s {
  int fd;
  pid_t owner;  /* a fork of the process that took it must not give it back */
  dev_t device; /* the socket's, once there is one */
  ino_t inode;
  int has_socket;
  char path[IPC__PATH_SIZE]; /* of the socket */
} ipc__lock_t;

/* Takes the name of a socket. On success nothing is at the path and the lock is
 * held; a dead server's socket has been removed. `uid`: whom a socket of ours
 * may belong to beside us, or -1. Errors as for ipc_server_listen. */
int ipc__lock_take(ipc__lock_t* lock, const char* path, int64_t uid);

/* Notes which file bind has just made; from then on it goes with the lock. */
int ipc__lock_note_socket(ipc__lock_t* lock, struct stat* status);

/* Whether the path has the socket that was noted. */
int ipc__lock_has_socket(const ipc__lock_t* lock);

/* Removes the socket, if it is still that one, then the lock. */
void ipc__lock_release(ipc__lock_t* lock);

/* Where a full backlog refuses clients too: whether it was that, since a live
 * server holds the lock. Always 0 on Linux, which needs no look at the lock. */
int ipc__lock_explains_refusal(const char* path);

#endif /* IPC_CHANNEL_POSIX_H */
