/* A connected socket, pipe or FIFO under libuv: libuv reads, we write, because
 * what libuv writes raises SIGPIPE. A write that finds no room waits with a
 * uv_poll_t on a duplicate of the descriptor, since libuv watches the
 * descriptor itself. The duplicate must never outlive the call that closes the
 * stream: while it is open, the peer sees no end. */
#define _DARWIN_C_SOURCE 1 /* MSG_NOSIGNAL, F_SETNOSIGPIPE */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "posix.h"

/* Some macOS: sockets have SO_NOSIGPIPE instead. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* As much as one call may be asked to write: macOS refuses more than INT_MAX
 * bytes, Linux takes less anyway. */
#define WRITE_BYTES_MAX ((size_t) 1 << 30)

/* What Linux wants free in the buffer beside a packet; unix_dgram_sendmsg of
 * its net/unix/af_unix.c. */
#define PACKET_OVERHEAD 32

/* However large the buffer: Linux puts all of a packet but 68 KiB into one
 * piece of memory, which is 4 MiB at most, and says ENOBUFS for more. */
#define PACKET_BYTES_MAX ((size_t) 4 << 20)

/* What a socket's buffer grows to: 1.2 to 1.4 times as fast for large messages
 * where the system gives that much. With 1 MiB a stream of 64 KiB messages is
 * slower again by a tenth, since what waits is in no cache any more (measured
 * on Linux, which caps it at net.core.wmem_max, and doubles that). */
#define GROWN_BYTES ((size_t) 512 << 10)

/* Waits for room; made at the first need, kept until the stream closes. */
struct ipc__room_s {
  uv_poll_t poll;
  ipc__stream_t* stream;
  int fd;
  int is_pipe_closed; /* whose close is finished before ours */
  int is_watching;
  int is_wanted; /* somebody waits; else the watch is about to end */
};

int ipc__move_above_stdio(int* fd) {
  int moved;

  if (*fd > STDERR_FILENO) return 0;
  moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (moved == -1) return ipc__errno();
  close(*fd);
  *fd = moved;
  return 0;
}

/* What there is to know of a descriptor once and for all. */
static void look_at(ipc__stream_t* stream, int fd, ipc_transport_t transport) {
  stream->os.transport = (uint8_t) transport;
  if (transport != IPC_CHANNEL_TRANSPORT_PIPE) {
    stream->os.is_muted = ipc__socket_mute(fd) != 0;
    return;
  }
#ifdef F_SETNOSIGPIPE
  stream->os.is_muted = fcntl(fd, F_SETNOSIGPIPE, 1) != -1;
#endif
}

int ipc__stream_open(uv_loop_t* loop,
                     ipc__stream_t* stream,
                     uv_os_fd_t handle,
                     ipc_transport_t transport,
                     const ipc__stream_kind_t* kind) {
  int err;

  stream->kind = kind;
  memset(&stream->os, 0, sizeof(stream->os));
  look_at(stream, handle, transport);
  err = uv_pipe_init(loop, &stream->pipe, 0);
  if (err == 0) err = ipc__move_above_stdio(&handle);
  if (err == 0) err = uv_pipe_open(&stream->pipe, handle);
  /* UV_EEXIST: it is that of another handle of this loop. */
  if (err != 0 && err != UV_EEXIST) close(handle);
  stream->os.fd = err == 0 ? handle : -1;
  return err;
}

uv_os_fd_t ipc__stream_handle(const ipc__stream_t* stream) {
  return uv_is_closing((const uv_handle_t*) &stream->pipe) ? -1 : stream->os.fd;
}

static void stop_watching(struct ipc__room_s* room) {
  if (!room->is_watching) return;
  uv_poll_stop(&room->poll);
  room->is_watching = 0;
}

/* There may be room. What stands in the way otherwise, the next write tells:
 * the status of a poll can't be told from its own troubles. */
static void on_writable(uv_poll_t* poll, int status, int events) {
  struct ipc__room_s* room;

  (void) events;
  room = poll->data;
  room->is_wanted = 0;
  room->stream->os.is_full = 0;
  if (status != 0) stop_watching(room); /* libuv has */
  room->stream->kind->on_written(room->stream, 0, 0);
  /* To end a watch and begin another costs three system calls. */
  if (!room->is_wanted && !uv_is_closing((uv_handle_t*) poll))
    stop_watching(room);
}

static int make_room(ipc__stream_t* stream) {
  struct ipc__room_s* room;

  room = ipc__calloc(stream->kind->allocator, sizeof(*room));
  if (room == NULL) return UV_ENOMEM;
  room->fd = fcntl(ipc__stream_handle(stream), F_DUPFD_CLOEXEC, 0);
  if (room->fd == -1) goto fail_memory;
  if (uv_poll_init(stream->pipe.loop, &room->poll, room->fd) != 0) goto fail_fd;
  room->poll.data = room;
  room->stream = stream;
  stream->os.room = room;
  return 0;

fail_fd:
  close(room->fd);
fail_memory:
  ipc__free(stream->kind->allocator, room);
  return UV_ENOBUFS;
}

/* UV_EAGAIN: on_written will come. UV_ENOBUFS: it won't, we have nothing to
 * wait with. */
static int wait_for_room(ipc__stream_t* stream) {
  struct ipc__room_s* room;

  if (stream->os.room == NULL && make_room(stream) != 0) return UV_ENOBUFS;
  room = stream->os.room;
  if (!room->is_watching &&
      uv_poll_start(&room->poll, UV_WRITABLE, on_writable) != 0)
    return UV_ENOBUFS;
  room->is_watching = room->is_wanted = 1;
  return UV_EAGAIN;
}

/* Copies what fits into one call; returns how many entries that takes, and the
 * bytes in them. */
static size_t fill_iovec(struct iovec* vector,
                         const uv_buf_t* buffers,
                         unsigned int count,
                         size_t* bytes) {
  size_t left;
  size_t i;

  left = WRITE_BYTES_MAX;
  for (i = 0; i < count && i < IPC__STREAM_WRITE_BUFFERS && left > 0; i++) {
    vector[i].iov_base = buffers[i].base;
    vector[i].iov_len = buffers[i].len < left ? buffers[i].len : left;
    left -= vector[i].iov_len;
  }
  *bytes = WRITE_BYTES_MAX - left;
  return i;
}

static ssize_t write_once(const ipc__stream_t* stream,
                          struct iovec* vector,
                          size_t count) {
  struct msghdr message = {0};
  int fd;

  fd = stream->os.fd;
  if (stream->os.transport == IPC_CHANNEL_TRANSPORT_PIPE)
    return writev(fd, vector, (int) count);
  if (count == 1)
    return send(fd, vector->iov_base, vector->iov_len,
                MSG_NOSIGNAL | MSG_DONTWAIT);
  message.msg_iov = vector;
  message.msg_iovlen = count;
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int has_packets(const ipc__stream_t* stream) {
  return stream->os.transport == IPC__PACKET_TRANSPORT;
}

/* As write(2), but for the signal. */
static ssize_t write_quietly(const ipc__stream_t* stream,
                             struct iovec* vector,
                             size_t count) {
  ipc__sigpipe_t held;
  ssize_t written;

  if (stream->os.is_muted) return write_once(stream, vector, count);
  ipc__sigpipe_hold(&held);
  written = write_once(stream, vector, count);
  ipc__sigpipe_release(&held);
  return written;
}

ssize_t ipc__stream_write(ipc__stream_t* stream,
                          const uv_buf_t* buffers,
                          unsigned int count) {
  struct iovec vector[IPC__STREAM_WRITE_BUFFERS];
  size_t entries;
  size_t bytes;
  ssize_t written;

  if (stream->os.is_full && wait_for_room(stream) == UV_EAGAIN)
    return UV_EAGAIN;
  stream->os.is_full = 0; /* nothing to wait with: to be tried again */
  entries =
      fill_iovec(vector, buffers, has_packets(stream) ? 1 : count, &bytes);
  do {
    written = write_quietly(stream, vector, entries);
  } while (written == -1 && errno == EINTR);

  if (written >= 0) {
    /* The next write would take nothing. A poll tells at once if it would. */
    stream->os.is_full = (size_t) written < bytes;
    return written;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) return wait_for_room(stream);
  /* The system's own shortage: a poll would report room for ever. */
  if (errno == ENOBUFS || errno == ENOMEM) return UV_ENOBUFS;
  /* The peer left without having read all; of a stream, only reading tells. */
  if (errno == ECONNRESET && has_packets(stream)) return UV_EPIPE;
  /* What macOS says of a socket whose peer is just closing, as libuv knows. */
  if (errno == EPROTOTYPE) return UV_ECONNRESET;
  return ipc__errno();
}

void ipc__stream_grow(ipc__stream_t* stream) {
  size_t in_bytes;
  size_t out_bytes;

  if (stream->os.transport == IPC_CHANNEL_TRANSPORT_PIPE) return;
  ipc__socket_get_buffers(ipc__stream_handle(stream), &in_bytes, &out_bytes);
  if (out_bytes >= GROWN_BYTES) return;
  ipc__socket_set_buffers(ipc__stream_handle(stream), 0, GROWN_BYTES);
  stream->os.is_full = 0;
}

size_t ipc__stream_in_flight(const ipc__stream_t* stream) {
  (void) stream;
  return 0;
}

/* Whether to ask again: with packets ECONNRESET comes ahead of what the peer
 * sent before it left, and once only; the end is told after that. */
static int is_interrupted(const ipc__stream_t* stream) {
  return errno == EINTR || (errno == ECONNRESET && has_packets(stream));
}

/* A packet that is longer than `size` isn't the one that was looked at:
 * somebody else reads from the socket. */
static ssize_t read_packet(int fd, void* data, size_t size) {
  struct msghdr message = {0};
  struct iovec vector;
  ssize_t received;

  vector.iov_base = data;
  vector.iov_len = size;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  received = recvmsg(fd, &message, MSG_DONTWAIT);
  if (received == -1 || !(message.msg_flags & MSG_TRUNC)) return received;
  errno = EIO;
  return -1;
}

ssize_t ipc__stream_try_read(ipc__stream_t* stream, void* data, size_t size) {
  ssize_t received;
  int fd;

  fd = ipc__stream_handle(stream);
  do {
    received = has_packets(stream) ? read_packet(fd, data, size)
                                   : read(fd, data, size);
  } while (received == -1 && is_interrupted(stream));
  if (received > 0) return received;
  return received == 0 ? UV_EOF : ipc__errno();
}

ssize_t ipc__stream_next_packet(ipc__stream_t* stream) {
  ssize_t size;
  int fd;

  fd = ipc__stream_handle(stream);
  do {
    size = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  } while (size == -1 && is_interrupted(stream));
  if (size >= 0) return size;
  return errno == EAGAIN || errno == EWOULDBLOCK ? UV_EAGAIN : 0;
}

size_t ipc__stream_packet_limit(ipc__stream_t* stream) {
  size_t in_bytes;
  size_t out_bytes;

  ipc__socket_get_buffers(ipc__stream_handle(stream), &in_bytes, &out_bytes);
  if (out_bytes <= PACKET_OVERHEAD) return 0;
  out_bytes -= PACKET_OVERHEAD;
  return out_bytes < PACKET_BYTES_MAX ? out_bytes : PACKET_BYTES_MAX;
}

int ipc__stream_shutdown(ipc__stream_t* stream) {
  if (shutdown(ipc__stream_handle(stream), SHUT_WR) == 0) return 0;
  if (errno == ENOTSOCK) return UV_ENOTSUP;
  return errno == ENOTCONN ? UV_EPIPE : ipc__errno();
}

int ipc__stream_has_unread(ipc__stream_t* stream) {
  (void) stream;
  return 0;
}

/* How the descriptor was opened; -1: there is none. */
static int access_mode(const ipc__stream_t* stream) {
  int flags;

  flags = fcntl(ipc__stream_handle(stream), F_GETFL);
  return flags == -1 ? -1 : flags & O_ACCMODE;
}

/* A pipe has one buffer, for the direction that it goes. */
static void pipe_sizes(const ipc__stream_t* stream,
                       size_t* in_bytes,
                       size_t* out_bytes) {
  size_t bytes;
  int access;

  bytes = ipc__pipe_get_buffer(ipc__stream_handle(stream));
  access = access_mode(stream);
  *in_bytes = access == O_WRONLY ? 0 : bytes;
  *out_bytes = access == O_RDONLY ? 0 : bytes;
}

void ipc__stream_buffer_sizes(ipc__stream_t* stream,
                              size_t* in_bytes,
                              size_t* out_bytes) {
  if (stream->os.transport == IPC_CHANNEL_TRANSPORT_PIPE)
    pipe_sizes(stream, in_bytes, out_bytes);
  else
    ipc__socket_get_buffers(ipc__stream_handle(stream), in_bytes, out_bytes);
}

int ipc__stream_peer(const ipc__stream_t* stream,
                     int is_server,
                     ipc_peer_t* peer) {
  return ipc__peer_get(ipc__stream_handle(stream), is_server, peer);
}

int ipc__stream_sees_end(const ipc__stream_t* stream) {
  int access;

  access = access_mode(stream);
  return access == O_RDONLY || access == O_RDWR;
}

/* Not of the room's descriptor, which goes with the stream. */
int ipc__stream_duplicate(const ipc__stream_t* stream, uv_os_fd_t* handle) {
  int fd;

  fd = fcntl(ipc__stream_handle(stream), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (fd == -1) return ipc__errno();
  *handle = fd;
  return 0;
}

/* The later of the two handles to close reports it. */
static void on_pipe_closed(uv_handle_t* handle) {
  ipc__stream_t* stream;

  stream = (ipc__stream_t*) handle;
  if (stream->os.room != NULL)
    stream->os.room->is_pipe_closed = 1;
  else
    stream->kind->on_closed(stream);
}

static void on_poll_closed(uv_handle_t* handle) {
  struct ipc__room_s* room;
  ipc__stream_t* stream;
  int is_last;

  room = handle->data;
  stream = room->stream;
  is_last = room->is_pipe_closed;
  stream->os.room = NULL;
  ipc__free(stream->kind->allocator, room);
  if (is_last) stream->kind->on_closed(stream);
}

void ipc__stream_close(ipc__stream_t* stream) {
  struct ipc__room_s* room;

  room = stream->os.room;
  if (room != NULL) {
    uv_close((uv_handle_t*) &room->poll, on_poll_closed);
    close(room->fd);
  }
  uv_close((uv_handle_t*) &stream->pipe, on_pipe_closed);
}
