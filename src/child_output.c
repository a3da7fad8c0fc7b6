/* A child from its spawn to its end in one call: fed, read from both streams
 * beside each other, killed when it takes too long or says too much. On top of
 * ipc_child_t and channels as any user would be; the result is told when
 * nothing of them is left. */
#include <string.h>

#include "alloc.h"
#include "op.h"
#include "options.h"

/* What one send may take. */
#define SEND_BYTES ((size_t) 1 << 30)

#define FIRST_BYTES ((size_t) 4 << 10)

/* A child that reads its input slowly isn't cut off: the deadline is there for
 * that. */
#define INPUT_CLOSE_MS IPC_CHANNEL_INFINITE

/* How long one that was killed may take to go, and its output to end. */
#define AFTER_KILL_MS 1000

/* Where the child has ended before: time to read what is there. */
#define AFTER_END_MS 50

typedef struct stream_s {
  char* data;
  size_t size;
  size_t capacity; /* always more than the size, once there is any */
} stream_t;

typedef struct run_s {
  ipc_child_t* child;
  ipc_child_output_cb cb;
  void* arg;
  uv_timer_t deadline;
  stream_t out;
  stream_t err;
  size_t max_bytes;
  char* input;
  size_t input_size;
  size_t input_sent;
  int status;
  int64_t exit_status;
  int term_signal;
} run_t;

static void release(run_t* run) {
  ipc__free(&ipc__default_allocator, run->input);
  ipc__free(&ipc__default_allocator, run->out.data);
  ipc__free(&ipc__default_allocator, run->err.data);
  ipc__free(&ipc__default_allocator, run);
}

/* ---- The end ------------------------------------------------------------ */

static const void* text_of(stream_t* stream) {
  if (stream->data == NULL) return "";
  stream->data[stream->size] = '\0';
  return stream->data;
}

static void on_deadline_closed(uv_handle_t* handle) {
  run_t* run = handle->data;
  ipc_child_output_t output;

  output.status = run->status;
  output.exit_status = run->exit_status;
  output.term_signal = run->term_signal;
  output.out = text_of(&run->out);
  output.out_size = run->out.size;
  output.err = text_of(&run->err);
  output.err_size = run->err.size;
  run->cb(run->arg, &output);
  release(run);
}

static void on_child_closed(ipc_child_t* child) {
  run_t* run = ipc_child_data(child);

  uv_close((uv_handle_t*) &run->deadline, on_deadline_closed);
}

static void on_exit(ipc_child_t* child, int64_t exit_status, int term_signal) {
  run_t* run = ipc_child_data(child);

  run->exit_status = exit_status;
  run->term_signal = term_signal;
  uv_timer_stop(&run->deadline);
  ipc_child_close(child, on_child_closed);
}

static void on_deadline(uv_timer_t* timer);

/* The first reason is the reason. What is in the pipes is still read, whatever
 * drain time the options give to what others write there; also where the child
 * has ended already, and somebody else holds them. */
static void stop(run_t* run, int status) {
  if (run->status != 0) return;
  run->status = status;
  if (ipc_child_kill(run->child, SIGKILL) == 0) {
    ipc__timer_start(&run->deadline, AFTER_KILL_MS, on_deadline);
  } else {
    ipc__timer_start(&run->deadline, AFTER_END_MS, on_deadline);
  }
}

static void on_deadline(uv_timer_t* timer) {
  run_t* run = timer->data;

  if (run->status == 0) {
    stop(run, UV_ETIMEDOUT);
  } else {
    ipc_child_close(run->child, on_child_closed);
  }
}

/* ---- Output ------------------------------------------------------------- */

/* Room for `size` bytes more and a 0. */
static int reserve(stream_t* stream, size_t size) {
  size_t capacity =
      stream->capacity < FIRST_BYTES ? FIRST_BYTES : stream->capacity;
  char* data;

  if (stream->capacity > stream->size + size) return 0;
  while (capacity <= stream->size + size) capacity *= 2;
  data = ipc__realloc(&ipc__default_allocator, stream->data, capacity);
  if (data == NULL) return UV_ENOMEM;
  stream->data = data;
  stream->capacity = capacity;
  return 0;
}

/* What is over the limit is not kept, and no more of it is read. */
static void collect(ipc_channel_t* channel,
                    run_t* run,
                    stream_t* stream,
                    const void* data,
                    size_t size) {
  size_t room = run->max_bytes - stream->size;
  int err = 0;

  if (size > room) {
    size = room;
    err = UV_ENOBUFS;
  }
  if (size > 0) {
    if (reserve(stream, size) == 0) {
      memcpy(stream->data + stream->size, data, size);
      stream->size += size;
    } else {
      err = UV_ENOMEM;
    }
  }
  if (err == 0) return;
  stop(run, err);
  ipc_channel_disconnect(channel);
}

static void on_out(ipc_channel_t* channel, const void* data, size_t size) {
  run_t* run = ipc_channel_data(channel);

  collect(channel, run, &run->out, data, size);
}

static void on_err(ipc_channel_t* channel, const void* data, size_t size) {
  run_t* run = ipc_channel_data(channel);

  collect(channel, run, &run->err, data, size);
}

/* Nothing more can be read: the child, which would wait for that, goes. */
static void on_output_end(ipc_channel_t* channel, int status) {
  if (status != 0) stop(ipc_channel_data(channel), status);
}

/* ---- Input -------------------------------------------------------------- */

static void feed(run_t* run, ipc_channel_t* channel);

/* A child need not read all, or any, of it. */
static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  run_t* run = arg;

  run->input_sent += sent;
  if (status == 0 && run->input_sent < run->input_size) {
    feed(run, channel);
  } else {
    ipc_channel_close(channel); /* UV_EALREADY where that is why */
  }
}

static void feed(run_t* run, ipc_channel_t* channel) {
  size_t size = run->input_size - run->input_sent;

  if (size > SEND_BYTES) size = SEND_BYTES;
  if (ipc_channel_send(channel, run->input + run->input_sent, size, on_sent,
                       run) != 0) {
    ipc_channel_close(channel);
  }
}

/* ---- The beginning ------------------------------------------------------ */

static int make_run(const void* input,
                    size_t input_size,
                    size_t max_bytes,
                    run_t** out) {
  run_t* run = ipc__calloc(&ipc__default_allocator, sizeof(*run));

  if (run == NULL) return UV_ENOMEM;
  run->max_bytes = max_bytes;
  if (input_size > 0) {
    run->input = ipc__malloc(&ipc__default_allocator, input_size);
    if (run->input == NULL) {
      release(run);
      return UV_ENOMEM;
    }
    memcpy(run->input, input, input_size);
    run->input_size = input_size;
  }
  *out = run;
  return 0;
}

static void use_channel(ipc_child_options_t* options,
                        unsigned int slot,
                        ipc_channel_options_t* channel,
                        ipc_message_cb on_message,
                        run_t* run) {
  ipc_channel_options_init(channel);
  ipc_channel_options_set_framing(channel, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_set_close_timeout(channel, INPUT_CLOSE_MS);
  ipc_channel_options_on_message(channel, on_message);
  ipc_channel_options_on_end(channel,
                             on_message == NULL ? NULL : on_output_end);
  ipc_child_options_set_channel(options, slot, channel, run);
}

static int spawn(uv_loop_t* loop,
                 const ipc_child_options_t* options,
                 run_t* run) {
  ipc_child_options_t own = *options;
  ipc_channel_options_t channels[IPC_CHILD_EXTRA_SLOT];

  ipc_child_options_set_stdio(&own, IPC_CHILD_STDIN_SLOT, IPC_CHILD_NULL);
  ipc_child_options_set_stdio(&own, IPC_CHILD_EXTRA_SLOT, IPC_CHILD_NULL);
  if (run->input_size > 0) {
    use_channel(&own, IPC_CHILD_STDIN_SLOT, &channels[IPC_CHILD_STDIN_SLOT],
                NULL, run);
  }
  use_channel(&own, IPC_CHILD_STDOUT_SLOT, &channels[IPC_CHILD_STDOUT_SLOT],
              on_out, run);
  use_channel(&own, IPC_CHILD_STDERR_SLOT, &channels[IPC_CHILD_STDERR_SLOT],
              on_err, run);
  ipc_child_options_on_exit(&own, on_exit);
  return ipc_child_spawn(loop, &own, run, &run->child);
}

int ipc_child_output(uv_loop_t* loop,
                     const ipc_child_options_t* options,
                     const void* input,
                     size_t input_size,
                     size_t max_bytes,
                     int timeout_ms,
                     ipc_child_output_cb cb,
                     void* arg) {
  run_t* run;
  int err;

  if (ipc__child_options(options) == NULL || cb == NULL) return UV_EINVAL;
  if (input == NULL && input_size > 0) return UV_EINVAL;
  if (!ipc__op_is_timeout(timeout_ms)) return UV_EINVAL;
  err = make_run(input, input_size, max_bytes, &run);
  if (err != 0) return err;
  run->cb = cb;
  run->arg = arg;
  err = spawn(loop, options, run);
  if (err != 0) {
    release(run);
    return err;
  }
  uv_timer_init(loop, &run->deadline);
  run->deadline.data = run;
  ipc__timer_start(&run->deadline, timeout_ms, on_deadline);
  if (input_size > 0) {
    feed(run, ipc_child_channel(run->child, IPC_CHILD_STDIN_SLOT));
  }
  return 0;
}
