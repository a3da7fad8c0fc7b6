/* Pipes that aren't open for overlapped I/O, as the standard streams that most
 * programs give to a child. The kernel does one thing at a time with such a
 * handle, in whatever thread or process it was asked, and all others wait for
 * it, also those that want but a fact. So the facts are asked for once, before
 * libuv has a thread that waits for data; and what is written, a thread of ours
 * writes. libuv has one for that as well, but can't end a write that nobody
 * reads: uv_close would never come to its end.
 *
 * The thread has a handle and a copy of the bytes of its own, so that it can be
 * left behind. That happens only where it can't be ended, since another
 * process's write to the same handle goes first. */
#include "win32.h"

#include <stdlib.h>
#include <string.h>

#include "../alloc.h"

/* How much one write takes: it is copied. */
#define WRITE_BYTES ((size_t) 64 * 1024)

/* How long the thread may take to notice that its write is cancelled. */
#define CANCEL_MS 200

/* Shared with the thread, which may be the last to let go of it: from malloc,
 * since an allocator of the user's is for the loop's thread alone. */
typedef struct writer_s {
  uv_async_t done; /* first, so that libuv's handle is the writer */
  ipc__stream_t* stream;
  uv_thread_t thread;
  volatile LONG users;
  HANDLE pipe; /* the thread's own */

  SRWLOCK lock; /* of what follows */
  CONDITION_VARIABLE changed;
  int is_due;  /* there is something to write */
  int is_done; /* and it is written */
  int is_stopping;
  DWORD error;
  DWORD written;
  DWORD size;
  char data[WRITE_BYTES];
} writer_t;

struct ipc__serial_s {
  size_t in_bytes;
  size_t out_bytes;
  int peer_error;
  ipc_peer_t peer;
  writer_t* writer; /* NULL: nothing was written yet */
  ipc__stream_closed_cb on_closed;
};

/* ---- The thread --------------------------------------------------------- */

static void release(writer_t* writer) {
  if (InterlockedDecrement(&writer->users) == 0) free(writer);
}

static void write_out(writer_t* writer) {
  DWORD written = 0;
  DWORD error = 0;

  writer->is_due = 0;
  ReleaseSRWLockExclusive(&writer->lock);
  if (!WriteFile(writer->pipe, writer->data, writer->size, &written, NULL)) {
    error = GetLastError();
  }
  AcquireSRWLockExclusive(&writer->lock);
  writer->written = written;
  writer->error = error;
  writer->is_done = 1;
  if (!writer->is_stopping) uv_async_send(&writer->done);
}

static void serve(void* arg) {
  writer_t* writer = arg;

  AcquireSRWLockExclusive(&writer->lock);
  while (!writer->is_stopping) {
    if (writer->is_due) {
      write_out(writer);
    } else {
      SleepConditionVariableSRW(&writer->changed, &writer->lock, INFINITE, 0);
    }
  }
  ReleaseSRWLockExclusive(&writer->lock);
  CloseHandle(writer->pipe);
  release(writer);
}

/* ---- Writing ------------------------------------------------------------ */

/* ERROR_NO_DATA, which a reader is told too, means that the other has gone. */
static int write_error(DWORD error) {
  if (error == ERROR_NO_DATA) return UV_EPIPE;
  return ipc__write_status(ipc__win32_error(error));
}

/* Where the write has failed it stays in flight, as with overlapped pipes. */
static void on_done(uv_async_t* async) {
  writer_t* writer = (writer_t*) async;
  ipc__stream_t* stream = writer->stream;
  size_t bytes;
  DWORD error;
  int is_done;

  AcquireSRWLockExclusive(&writer->lock);
  is_done = writer->is_done && !writer->is_stopping;
  writer->is_done = 0;
  error = writer->error;
  bytes = writer->written;
  ReleaseSRWLockExclusive(&writer->lock);
  if (!is_done) return;

  uv_unref((uv_handle_t*) &writer->done);
  if (error == 0) {
    stream->os.writing = 0;
    stream->kind->on_written(stream, 0, bytes);
  } else {
    stream->kind->on_written(stream, write_error(error), 0);
  }
}

/* UV_ENOMEM whatever is missing: that may come back. */
static int create_writer(ipc__stream_t* stream, writer_t** out) {
  writer_t* writer = calloc(1, sizeof(*writer));

  if (writer == NULL) return UV_ENOMEM;
  writer->stream = stream;
  writer->users = 2;
  InitializeSRWLock(&writer->lock);
  InitializeConditionVariable(&writer->changed);
  if (ipc__handle_duplicate(ipc__stream_handle(stream), &writer->pipe) != 0) {
    goto fail_memory;
  }
  if (uv_thread_create(&writer->thread, serve, writer) != 0) goto fail_handle;
  /* Last, since it can't be undone without a callback; nor can it fail. */
  uv_async_init(stream->pipe.loop, &writer->done, on_done);
  uv_unref((uv_handle_t*) &writer->done);
  *out = writer;
  return 0;

fail_handle:
  CloseHandle(writer->pipe);
fail_memory:
  free(writer);
  return UV_ENOMEM;
}

static size_t copy_to(writer_t* writer,
                      const uv_buf_t* buffers,
                      unsigned int count) {
  size_t size = 0;
  unsigned int i;

  for (i = 0; i < count && size < WRITE_BYTES; i++) {
    size_t part = buffers[i].len;

    if (part > WRITE_BYTES - size) part = WRITE_BYTES - size;
    memcpy(writer->data + size, buffers[i].base, part);
    size += part;
  }
  return size;
}

ssize_t ipc__serial_write(ipc__stream_t* stream,
                          const uv_buf_t* buffers,
                          unsigned int count) {
  ipc__serial_t* serial = stream->os.serial;
  writer_t* writer;
  int err;

  if (serial->writer == NULL) {
    err = create_writer(stream, &serial->writer);
    if (err != 0) return err;
  }
  writer = serial->writer;
  AcquireSRWLockExclusive(&writer->lock);
  writer->size = (DWORD) copy_to(writer, buffers, count);
  writer->is_due = 1;
  ReleaseSRWLockExclusive(&writer->lock);
  WakeConditionVariable(&writer->changed);
  uv_ref((uv_handle_t*) &writer->done);
  stream->os.writing = writer->size;
  stream->os.unread += writer->size;
  return UV_EAGAIN;
}

/* ---- Facts -------------------------------------------------------------- */

int ipc__serial_peer(const ipc__serial_t* serial, ipc_peer_t* peer) {
  *peer = serial->peer;
  return serial->peer_error;
}

void ipc__serial_buffer_sizes(const ipc__serial_t* serial,
                              size_t* in_bytes,
                              size_t* out_bytes) {
  *in_bytes = serial->in_bytes;
  *out_bytes = serial->out_bytes;
}

/* ---- Life --------------------------------------------------------------- */

int ipc__serial_open(ipc__stream_t* stream, HANDLE pipe) {
  ipc__serial_t* serial = ipc__calloc(stream->kind->allocator, sizeof(*serial));

  if (serial == NULL) return UV_ENOMEM;
  ipc__pipe_sizes(pipe, &serial->in_bytes, &serial->out_bytes);
  serial->peer_error = ipc__peer_get(pipe, 1, &serial->peer);
  stream->os.serial = serial;
  return 0;
}

/* Ends the thread, or leaves it behind. A cancel that comes before the thread
 * is in its write finds nothing to end, so there is more than one. */
static void stop(writer_t* writer) {
  ULONGLONG begin = GetTickCount64();

  AcquireSRWLockExclusive(&writer->lock);
  writer->is_stopping = 1;
  ReleaseSRWLockExclusive(&writer->lock);
  WakeConditionVariable(&writer->changed);
  do {
    CancelSynchronousIo(writer->thread);
  } while (WaitForSingleObject(writer->thread, 1) == WAIT_TIMEOUT &&
           GetTickCount64() - begin < CANCEL_MS);
  CloseHandle(writer->thread);
}

static void finish(ipc__stream_t* stream) {
  ipc__serial_t* serial = stream->os.serial;
  ipc__stream_closed_cb on_closed = serial->on_closed;

  stream->os.serial = NULL;
  ipc__free(stream->kind->allocator, serial);
  on_closed(stream);
}

static void on_async_closed(uv_handle_t* handle) {
  writer_t* writer = (writer_t*) handle;
  ipc__stream_t* stream = writer->stream;

  release(writer);
  finish(stream);
}

void ipc__serial_stop(ipc__stream_t* stream) {
  if (stream->os.serial->writer != NULL) stop(stream->os.serial->writer);
}

void ipc__serial_close(ipc__stream_t* stream, ipc__stream_closed_cb on_closed) {
  ipc__serial_t* serial = stream->os.serial;

  serial->on_closed = on_closed;
  if (serial->writer == NULL) {
    finish(stream);
  } else {
    uv_close((uv_handle_t*) &serial->writer->done, on_async_closed);
  }
}
