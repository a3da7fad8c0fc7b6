/* Standard input, whatever it is, or what a channel receives in its place: in
 * lines, in messages that are written in lines, or in bytes. */
#ifndef IPC_CHANNEL_TOOL_INPUT_H
#define IPC_CHANNEL_TOOL_INPUT_H

#include <ipc_channel.h>

#include "format.h"

/* A line without its newline, the message it stands for, or some bytes. 0:
 * taken. UV_EAGAIN: not now; the same piece comes again after input_resume. Any
 * other value ends the input with it. */
typedef int (*input_piece_cb)(void* arg, const char* data, size_t size);

/* No more comes: 0 at the end; UV_EMSGSIZE when a line is too long; UV_EINVAL
 * when one is wrong, `problem` says in which way; what input_piece_cb said, or
 * what reading failed with. Called once. */
typedef void (*input_end_cb)(void* arg, int status);

/* What is read, which input_open finds out. */
typedef enum input_source_e {
  INPUT_FILE,   /* by reads that block a thread */
  INPUT_STREAM, /* that libuv knows */
  INPUT_CHANNEL /* in the place of standard input */
} input_source_t;

typedef struct input_s {
  uv_loop_t* loop;
  input_piece_cb on_piece;
  input_end_cb on_end;
  void* arg;
  ipc_channel_t* channel; /* NULL: standard input */
  int is_lines;
  format_t format; /* of the lines */
  size_t max_message;

  uint64_t line;       /* the number of the one at hand */
  const char* problem; /* what is wrong with it */
  text_t message;      /* that it stands for */

  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
    uv_tty_t tty;
  } in;
  uv_fs_t request;

  /* The unread bytes are those from `begin` to `end`; up to `scanned` no
   * newline is among them. */
  char* buffer;
  size_t capacity;
  size_t begin;
  size_t scanned;
  size_t end;

  input_source_t source;
  unsigned int is_open : 1;
  unsigned int is_reading : 1;    /* more comes without our asking */
  unsigned int is_delivering : 1; /* inside on_piece */
  unsigned int is_held : 1;       /* until input_resume */
  unsigned int is_drained : 1;    /* the end of the input has been read */
  unsigned int is_decoded : 1;    /* `message` is that of the line at hand */
} input_t;

/* Begins to read. The fields on top are set by the caller, all others are zero.
 * A callback may come from inside the call. */
void input_open(input_t* input);

/* What the channel has received, and its end. It is paused while a piece waits.
 */
void input_take(input_t* input, const void* data, size_t size);
void input_take_end(input_t* input, int status);

void input_resume(input_t* input);

/* No callback comes after this; may be called twice, and from the callbacks. */
void input_close(input_t* input);

/* Whether a read of a file blocks and can't be cancelled. */
int input_is_stuck(const input_t* input);

#endif /* IPC_CHANNEL_TOOL_INPUT_H */
