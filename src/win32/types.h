/* What a stream needs on Windows beside uv_pipe_t. */
#ifndef IPC_CHANNEL_WIN32_TYPES_H
#define IPC_CHANNEL_WIN32_TYPES_H

#include <uv.h>

/* Whether endpoints have permission bits and an owner (else: a descriptor). */
#define IPC__HAS_POSIX_MODE 0
/* Whether what was written is delivered after a close. */
#define IPC__CLOSE_DELIVERS 0
/* Whether a write that succeeds has read all of what it took. */
#define IPC__WRITES_AT_ONCE 0
/* Whether ipc__stream_try_read ever finds anything. */
#define IPC__HAS_TRY_READ 0
/* Whether a stream can end one direction and keep the other. */
#define IPC__HAS_HALF_CLOSE 0
/* Whether a handle that listens can come from somebody else. */
#define IPC__HAS_LISTENERS 0
/* Whether a client has a say in the size of the system's buffers. */
#define IPC__CLIENT_SIZES_BUFFERS 0
/* Whether an endpoint may have a name like "@name". */
#define IPC__HAS_ABSTRACT_NAMES 0

/* Whether the system keeps packets apart. */
#define IPC__HAS_PACKETS 1

/* Of an endpoint with a name, and of one with packets. */
#define IPC__TRANSPORT IPC_CHANNEL_TRANSPORT_NAMED_PIPE
#define IPC__PACKET_TRANSPORT IPC_CHANNEL_TRANSPORT_MESSAGE_PIPE

/* How many bytes a write to a pipe with many writers keeps together: here there
 * are none. */
#define IPC__ATOMIC_BYTES ((size_t) 512)

struct ipc__serial_s;

typedef struct ipc__stream_os_s {
  uv_write_t write; /* the one write under way */
  size_t writing;   /* its bytes */
  size_t unread;    /* at most so many bytes are unread by the peer */
  int has_quota;    /* the system tells how full the pipe is */
  int is_packet;    /* a write is a packet */
  /* What a pipe has that isn't open for overlapped I/O; NULL: it is. */
  struct ipc__serial_s* serial;
} ipc__stream_os_t;

/* The helper thread and what it shares with the loop's. */
struct ipc__backend_s {
  uv_loop_t* loop;
  uv_thread_t helper;
  HANDLE ready;              /* manual reset: there is something for the loop */
  HANDLE look_again;         /* auto reset: the helper may look again */
  volatile LONG is_waiting;  /* the helper wants to be told of the next run */
  volatile LONG is_stopping; /* the helper is to end */
};

#endif /* IPC_CHANNEL_WIN32_TYPES_H */
