/* What a stream needs on POSIX beside uv_pipe_t. */
#ifndef IPC_CHANNEL_POSIX_TYPES_H
#define IPC_CHANNEL_POSIX_TYPES_H

#include <limits.h>
#include <uv.h>

/* Whether endpoints have permission bits and an owner (else: a descriptor). */
#define IPC__HAS_POSIX_MODE 1
/* Whether what was written is delivered after a close. */
#define IPC__CLOSE_DELIVERS 1
/* Whether a write that succeeds has read all of what it took. */
#define IPC__WRITES_AT_ONCE 1
/* Whether ipc__stream_try_read ever finds anything. */
#define IPC__HAS_TRY_READ 1
/* Whether a stream can end one direction and keep the other. */
#define IPC__HAS_HALF_CLOSE 1
/* Whether a handle that listens can come from somebody else. */
#define IPC__HAS_LISTENERS 1
/* Whether a client has a say in the size of the system's buffers. */
#define IPC__CLIENT_SIZES_BUFFERS 1
/* Whether an endpoint may have a name that is no path; not where a Linux build
 * takes the path of the other systems. */
#if defined(__linux__) && !defined(IPC_CHANNEL_PORTABLE)
#define IPC__HAS_ABSTRACT_NAMES 1
#else
#define IPC__HAS_ABSTRACT_NAMES 0
#endif

/* Whether the system keeps packets apart: only Linux has SOCK_SEQPACKET for
 * such sockets. */
#define IPC__HAS_PACKETS IPC__HAS_ABSTRACT_NAMES

/* Of an endpoint with a name, and of one with packets. */
#define IPC__TRANSPORT IPC_CHANNEL_TRANSPORT_UNIX_SOCKET
#define IPC__PACKET_TRANSPORT IPC_CHANNEL_TRANSPORT_SEQPACKET

/* How many bytes a write to a pipe keeps together, whoever else writes; at
 * least 512. */
#ifdef PIPE_BUF
#define IPC__ATOMIC_BYTES ((size_t) PIPE_BUF)
#else
#define IPC__ATOMIC_BYTES ((size_t) _POSIX_PIPE_BUF)
#endif

typedef struct ipc__stream_os_s {
  int fd;
  uint8_t transport; /* an ipc_transport_t */
  /* Whether the system spares us the SIGPIPE; else each write holds it back. */
  uint8_t is_muted;
  uint8_t is_full; /* the last write was cut short: the next waits for room */
  /* Waits for room on a duplicate of the descriptor; made when a write first
   * finds none, kept until the stream closes. NULL: never needed. */
  struct ipc__room_s* room;
} ipc__stream_os_t;

/* A loop's descriptor is there already. */
struct ipc__backend_s {
  uv_loop_t* loop;
};

#endif /* IPC_CHANNEL_POSIX_TYPES_H */
