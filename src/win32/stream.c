/* Connected pipes under libuv, which reads and writes them. It must never let
 * libuv shut a pipe down (that flushes in a thread and cuts the pipe 50 ms
 * later), and never let a peer that doesn't read tie up much of the kernel's
 * memory. */
#include "win32.h"

#include <string.h>

/* How much one write takes, but for a packet. The kernel copies a write as a
 * whole to memory that is never paged out, however small the pipe's buffer;
 * this is four times libuv's buffer, so that a fast reader doesn't notice. */
#define WRITE_LIMIT (256 * 1024)

/* Out of the driver kit, too. */
#define FILE_PIPE_LOCAL_INFORMATION_CLASS 24

/* ---- How full the pipe is ----------------------------------------------- */

int ipc__pipe_query(HANDLE pipe, ipc__pipe_state_t* state) {
  return ipc__file_query(pipe, FILE_PIPE_LOCAL_INFORMATION_CLASS, state,
                         sizeof(*state));
}

/* The same for our end of a pipe that still has another. */
static int query(const ipc__stream_t* stream, ipc__pipe_state_t* state) {
  return ipc__pipe_query(ipc__stream_handle(stream), state) &&
         state->state == IPC__PIPE_CONNECTED;
}

/* How much of the room for what we write is in use. */
static ULONG used_quota(const ipc__pipe_state_t* state) {
  ULONG quota = state->end == IPC__PIPE_END_SERVER ? state->outbound_quota
                                                   : state->inbound_quota;
  if (state->write_quota_available > quota) return 0;
  return quota - state->write_quota_available;
}

/* Bytes in the pipe use up its quota; but so does a read that waits, by what it
 * asks for (a libuv peer asks for none). More in use than can be unread is such
 * a read, and then everything has been read. */
int ipc__stream_has_unread(ipc__stream_t* stream) {
  ipc__pipe_state_t state;
  ULONG used;

  /* One that only reads must not be asked: the answer could wait for data. */
  if (!stream->os.has_quota || stream->os.unread == 0) return 0;
  if (!query(stream, &state)) return 0;
  used = used_quota(&state);
  stream->os.unread = used > stream->os.unread ? 0 : used;
  return stream->os.unread > 0;
}

/* ---- Opening ------------------------------------------------------------ */

/* What has to be known before libuv has the handle. */
static int look_at(ipc__stream_t* stream, HANDLE pipe) {
  int is_serial = 0;
  int err;

  err = ipc__handle_is_serial(pipe, &is_serial);
  return err == 0 && is_serial ? ipc__serial_open(stream, pipe) : err;
}

/* Of a pipe that is connected: nothing is written yet, so no room means that
 * the system (Wine) won't say. What a client that isn't overlapped has written
 * stays when it closes, as everybody expects of an anonymous pipe; so it isn't
 * asked about, where another process that has the handle could make us wait. */
static int has_quota(const ipc__stream_t* stream) {
  ipc__pipe_state_t state;

  if (!query(stream, &state) || state.write_quota_available == 0) return 0;
  return stream->os.serial == NULL || state.end == IPC__PIPE_END_SERVER;
}

int ipc__stream_open(uv_loop_t* loop,
                     ipc__stream_t* stream,
                     uv_os_fd_t handle,
                     ipc_transport_t transport,
                     const ipc__stream_kind_t* kind) {
  int fd;
  int err;

  memset(&stream->os, 0, sizeof(stream->os));
  stream->kind = kind;
  stream->os.is_packet = transport == IPC__PACKET_TRANSPORT;
  err = uv_pipe_init(loop, &stream->pipe, 0); /* can't fail on Windows */
  if (err == 0) err = look_at(stream, handle);
  if (err != 0) {
    CloseHandle(handle);
    return err;
  }
  err = ipc__descriptor_open(handle, &fd);
  if (err != 0) return err;
  err = uv_pipe_open(&stream->pipe, fd);
  if (err != 0) {
    ipc__descriptor_close(fd);
    return err;
  }
  stream->os.has_quota = has_quota(stream);
  return 0;
}

/* ---- Writing ------------------------------------------------------------ */

int ipc__write_status(int status) {
  return status == UV_EOF ? UV_EPIPE : status;
}

/* Of a write that has failed the peer may have read a part, so that it stays in
 * flight for good: nothing of it is to be withdrawn, or sent to another. */
static void on_write(uv_write_t* request, int status) {
  ipc__stream_t* stream = (ipc__stream_t*) request->handle;
  size_t bytes = status == 0 ? stream->os.writing : 0;

  if (status == 0) stream->os.writing = 0;
  if (uv_is_closing((uv_handle_t*) &stream->pipe)) status = UV_ECANCELED;
  stream->kind->on_written(stream, ipc__write_status(status), bytes);
}

/* One buffer at a time: for several libuv would put them end to end in memory
 * of its own, which it forgets when the write fails at once, and which would
 * undo the borrowing of large messages. Small ones are in one buffer anyway. */
ssize_t ipc__stream_write(ipc__stream_t* stream,
                          const uv_buf_t* buffers,
                          unsigned int count) {
  uv_buf_t first = buffers[0];
  int err;

  if (stream->os.serial != NULL) {
    return ipc__serial_write(stream, buffers, count);
  }
  if (!stream->os.is_packet && first.len > WRITE_LIMIT) {
    first.len = WRITE_LIMIT;
  }
  err = uv_write(&stream->os.write, (uv_stream_t*) &stream->pipe, &first, 1,
                 on_write);
  if (err != 0) return ipc__write_status(err);
  stream->os.writing = first.len;
  stream->os.unread += first.len;
  return UV_EAGAIN;
}

/* The server has sized the pipe for good. */
void ipc__stream_grow(ipc__stream_t* stream) {
  (void) stream;
}

size_t ipc__stream_in_flight(const ipc__stream_t* stream) {
  return stream->os.writing;
}

/* ---- Packets ------------------------------------------------------------ */

/* Takes the empty packet in front, which nobody is to see: a read for bytes
 * would go on into the next one. Nobody else reads meanwhile, and libuv's own
 * read, which waits for data, isn't under way where it asks for room. */
static int skip_empty(HANDLE pipe) {
  DWORD messages = PIPE_READMODE_MESSAGE | PIPE_WAIT;
  DWORD bytes = PIPE_READMODE_BYTE | PIPE_WAIT;
  DWORD taken = 0;
  char nothing;

  if (!SetNamedPipeHandleState(pipe, &messages, NULL, NULL)) return 0;
  /* As libuv reads what is there: without an OVERLAPPED nothing is told to its
   * completion port. */
  if (!ReadFile(pipe, &nothing, sizeof(nothing), &taken, NULL)) taken = 1;
  return SetNamedPipeHandleState(pipe, &bytes, NULL, NULL) && taken == 0;
}

ssize_t ipc__stream_next_packet(ipc__stream_t* stream) {
  HANDLE pipe = ipc__stream_handle(stream);
  DWORD total = 0;
  DWORD first = 0;

  while (PeekNamedPipe(pipe, NULL, 0, NULL, &total, &first)) {
    if (total == 0) return UV_EAGAIN;
    if (first > 0) return (ssize_t) first;
    if (!skip_empty(pipe)) return UV_EAGAIN; /* libuv's next read may do so */
  }
  return 0;
}

/* The system says none, but WriteFile takes 32 bits. */
size_t ipc__stream_packet_limit(ipc__stream_t* stream) {
  (void) stream;
  return UINT32_MAX;
}

/* ---- The rest ----------------------------------------------------------- */

ssize_t ipc__stream_try_read(ipc__stream_t* stream, void* data, size_t size) {
  (void) stream;
  (void) data;
  (void) size;
  return UV_EAGAIN;
}

int ipc__stream_shutdown(ipc__stream_t* stream) {
  (void) stream;
  return UV_ENOTSUP;
}

void ipc__pipe_sizes(HANDLE pipe, size_t* in_bytes, size_t* out_bytes) {
  DWORD flags = 0;
  DWORD from_server = 0;
  DWORD to_server = 0;
  int is_server;

  *in_bytes = 0;
  *out_bytes = 0;
  if (!GetNamedPipeInfo(pipe, &flags, &from_server, &to_server, NULL)) return;
  is_server = (flags & PIPE_SERVER_END) != 0;
  *in_bytes = is_server ? to_server : from_server;
  *out_bytes = is_server ? from_server : to_server;
}

void ipc__stream_buffer_sizes(ipc__stream_t* stream,
                              size_t* in_bytes,
                              size_t* out_bytes) {
  if (stream->os.serial != NULL) {
    ipc__serial_buffer_sizes(stream->os.serial, in_bytes, out_bytes);
  } else {
    ipc__pipe_sizes(ipc__stream_handle(stream), in_bytes, out_bytes);
  }
}

int ipc__stream_peer(const ipc__stream_t* stream,
                     int is_server,
                     ipc_peer_t* peer) {
  if (stream->os.serial != NULL) {
    return ipc__serial_peer(stream->os.serial, peer);
  }
  return ipc__peer_get(ipc__stream_handle(stream), is_server, peer);
}

uv_os_fd_t ipc__stream_handle(const ipc__stream_t* stream) {
  uv_os_fd_t handle;

  if (uv_fileno((const uv_handle_t*) &stream->pipe, &handle) != 0) {
    return INVALID_HANDLE_VALUE;
  }
  return handle;
}

int ipc__stream_sees_end(const ipc__stream_t* stream) {
  (void) stream;
  return 0;
}

int ipc__stream_duplicate(const ipc__stream_t* stream, uv_os_fd_t* handle) {
  (void) stream;
  (void) handle;
  return UV_ENOTSUP;
}

static void on_closed(uv_handle_t* handle) {
  ipc__stream_t* stream = (ipc__stream_t*) handle;

  if (stream->os.serial != NULL) {
    ipc__serial_close(stream, stream->kind->on_closed);
  } else {
    stream->kind->on_closed(stream);
  }
}

void ipc__stream_close(ipc__stream_t* stream) {
  if (stream->os.serial != NULL) ipc__serial_stop(stream);
  uv_close((uv_handle_t*) &stream->pipe, on_closed);
}
