/* Reads standard input: terminals, pipes and sockets as streams, anything else
 * with file reads; or is given what a channel receives. Reads no further while
 * a piece waits to be taken. */
#include "input.h"

#include <stdlib.h>
#include <string.h>

/* What one read asks for. */
#define READ_BYTES ((size_t) 64 << 10)

static void read_more(input_t* input);

static void release(input_t* input) {
  free(input->buffer);
  input->buffer = NULL;
  text_release(&input->message);
}

static void finish(input_t* input, int status) {
  if (!input->is_open) return;
  input_close(input);
  input->on_end(input->arg, status);
}

/* ---- Delivering --------------------------------------------------------- */

/* The longest line: an escape of a byte has four characters at most, and there
 * are quotes and perhaps blanks around. */
static size_t max_line(const input_t* input) {
  if (input->format == FORMAT_RAW) return input->max_message;
  return 4 * input->max_message + 16;
}

/* The next piece, if there is a whole one; `used` counts its newline too. */
static int find_piece(input_t* input, size_t* size, size_t* used) {
  size_t available = input->end - input->begin;
  const char* newline = NULL;

  if (available == 0) return 0;
  *size = *used = available;
  if (!input->is_lines) return 1;
  if (input->scanned < input->end) {
    newline = memchr(input->buffer + input->scanned, '\n',
                     input->end - input->scanned);
  }
  if (newline == NULL) {
    input->scanned = input->end;
    return input->is_drained;
  }
  *size = (size_t) (newline - input->buffer) - input->begin;
  *used = *size + 1;
  return 1;
}

/* Reads the message that a line stands for, once. */
static int decode(input_t* input, const char* line, size_t size) {
  if (input->is_decoded) return 0;
  text_clear(&input->message);
  input->problem = format_decode(&input->message, input->format, line, size);
  if (input->problem != NULL) return UV_EINVAL;
  if (input->message.has_failed) return UV_ENOMEM;
  input->is_decoded = 1;
  return 0;
}

static int deliver_piece(input_t* input, size_t size) {
  const char* piece = input->buffer + input->begin;
  int result;

  if (input->is_lines && input->format != FORMAT_RAW) {
    result = decode(input, piece, size);
    if (result != 0) return result;
    piece = input->message.data;
    size = input->message.size;
  }
  input->is_delivering = 1;
  result = input->on_piece(input->arg, piece, size);
  input->is_delivering = 0;
  return result;
}

/* No file is being read then: its read has brought what is to be held. */
static void hold(input_t* input) {
  input->is_held = 1;
  if (!input->is_reading) return;
  input->is_reading = 0;
  if (input->source == INPUT_CHANNEL) ipc_channel_pause(input->channel);
  if (input->source == INPUT_STREAM) uv_read_stop(&input->in.stream);
}

static int is_too_long(const input_t* input, size_t size) {
  return input->is_lines && size > max_line(input);
}

static void deliver(input_t* input) {
  size_t size;
  size_t used;
  int result;

  while (input->is_open && find_piece(input, &size, &used)) {
    if (is_too_long(input, size)) {
      finish(input, UV_EMSGSIZE);
      return;
    }
    result = deliver_piece(input, size);
    if (!input->is_open) {
      if (input->source != INPUT_STREAM) release(input);
      return;
    }
    if (result == UV_EAGAIN) {
      hold(input);
      return;
    }
    if (result != 0) {
      finish(input, result);
      return;
    }
    input->begin += used;
    input->scanned = input->begin;
    input->is_decoded = 0;
    input->line++;
  }
  if (!input->is_open) return;
  if (input->is_drained) {
    finish(input, 0);
  } else if (is_too_long(input, input->end - input->begin)) {
    finish(input, UV_EMSGSIZE);
  } else {
    read_more(input);
  }
}

static void on_bytes(input_t* input, ssize_t count) {
  if (count > 0) {
    input->end += (size_t) count;
  } else if (count == 0 || count == UV_EOF) {
    input->is_drained = 1;
  } else {
    finish(input, (int) count);
    return;
  }
  deliver(input);
}

/* ---- Reading ------------------------------------------------------------ */

/* Moves what is unread to the front and makes room behind it. */
static int make_room(input_t* input, size_t size) {
  size_t unread = input->end - input->begin;
  size_t capacity = input->capacity;
  char* grown;

  if (capacity - input->end >= size) return 0;
  if (unread > 0 && input->begin > 0) {
    memmove(input->buffer, input->buffer + input->begin, unread);
  }
  input->scanned -= input->begin;
  input->begin = 0;
  input->end = unread;
  if (capacity - unread >= size) return 0;
  capacity = 2 * capacity + size;
  grown = realloc(input->buffer, capacity);
  if (grown == NULL) return UV_ENOMEM;
  input->buffer = grown;
  input->capacity = capacity;
  return 0;
}

static void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  input_t* input = handle->data;

  (void) suggested;
  *buffer = uv_buf_init(NULL, 0); /* libuv then reports UV_ENOBUFS */
  if (make_room(input, READ_BYTES) != 0) return;
  *buffer = uv_buf_init(input->buffer + input->end, READ_BYTES);
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  (void) buf;
  if (count != 0) on_bytes(stream->data, count); /* 0: nothing has come */
}

static void on_file_read(uv_fs_t* request) {
  input_t* input = request->data;
  ssize_t count = request->result;

  uv_fs_req_cleanup(request);
  input->is_reading = 0;
  if (input->is_open) {
    on_bytes(input, count);
  } else {
    release(input);
  }
}

static int read_file(input_t* input) {
  uv_buf_t buffer;
  int err = make_room(input, READ_BYTES);

  if (err != 0) return err;
  buffer = uv_buf_init(input->buffer + input->end, READ_BYTES);
  input->request.data = input;
  return uv_fs_read(input->loop, &input->request, 0, &buffer, 1, -1,
                    on_file_read);
}

static int start_reading(input_t* input) {
  switch (input->source) {
    case INPUT_CHANNEL:
      ipc_channel_resume(input->channel);
      return 0;
    case INPUT_STREAM:
      return uv_read_start(&input->in.stream, on_alloc, on_read);
    default:
      return read_file(input);
  }
}

static void read_more(input_t* input) {
  int err;

  if (input->is_reading) return;
  err = start_reading(input);
  input->is_reading = err == 0;
  if (err != 0) finish(input, err);
}

/* Its thread may write to the buffer at any moment. */
static int is_file_being_read(const input_t* input) {
  return input->source == INPUT_FILE && input->is_reading;
}

void input_take(input_t* input, const void* data, size_t size) {
  if (!input->is_open) return;
  if (make_room(input, size) != 0) {
    finish(input, UV_ENOMEM);
    return;
  }
  memcpy(input->buffer + input->end, data, size);
  on_bytes(input, (ssize_t) size);
}

void input_take_end(input_t* input, int status) {
  if (!input->is_open) return;
  if (input->is_held && status == 0) {
    input->is_drained = 1; /* after the piece that waits */
  } else {
    on_bytes(input, status == 0 ? UV_EOF : status);
  }
}

/* ---- Opening and closing ------------------------------------------------ */

/* Opens it as a stream where it is one. What can't be opened so is left to file
 * reads: under Wine that is a pipe of the host. */
static int open_stream(input_t* input) {
  int err;

  switch (uv_guess_handle(0)) {
    case UV_TTY:
      return uv_tty_init(input->loop, &input->in.tty, 0, 1);
    case UV_NAMED_PIPE:
      err = uv_pipe_init(input->loop, &input->in.pipe, 0);
      if (err == 0) err = uv_pipe_open(&input->in.pipe, 0);
      break;
    case UV_TCP:
      err = uv_tcp_init(input->loop, &input->in.tcp);
      if (err == 0) err = uv_tcp_open(&input->in.tcp, 0);
      break;
    default:
      return UV_ENOTSUP;
  }
  if (err != 0) uv_close(&input->in.handle, NULL);
  return err;
}

void input_open(input_t* input) {
  input->is_open = 1;
  input->line = 1;
  if (input->channel != NULL) {
    input->source = INPUT_CHANNEL;
  } else if (open_stream(input) == 0) {
    input->source = INPUT_STREAM;
    input->in.handle.data = input;
  }
  read_more(input);
}

void input_resume(input_t* input) {
  if (!input->is_open || !input->is_held || input->is_delivering) return;
  input->is_held = 0;
  deliver(input);
}

/* On Windows a read that is being cancelled may still use the buffer. */
static void on_stream_closed(uv_handle_t* handle) {
  release(handle->data);
}

void input_close(input_t* input) {
  if (!input->is_open) return;
  input->is_open = 0;
  if (input->source == INPUT_STREAM) {
    /* Whoever reads from the same pipe after us expects it to block. */
    uv_stream_set_blocking(&input->in.stream, 1);
    uv_close(&input->in.handle, on_stream_closed);
  } else if (!input->is_delivering && !is_file_being_read(input)) {
    release(input);
  }
}

int input_is_stuck(const input_t* input) {
  return !input->is_open && is_file_being_read(input);
}
