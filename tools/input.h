/* Standard input, whatever it is, in lines or in bytes. */
#ifndef IPC_CHANNEL_TOOL_INPUT_H
#define IPC_CHANNEL_TOOL_INPUT_H

#include <uv.h>

/* A line without its newline, or some bytes. 0: taken. UV_EAGAIN: not now; the
 * same piece comes again after input_resume. Any other value ends the input,
 * without input_end_cb. */
typedef int (*input_piece_cb)(void* arg, const char* data, size_t size);

/* No more comes: 0 at the end, UV_EMSGSIZE when a line is too long, or what
 * reading failed with. Called once. */
typedef void (*input_end_cb)(void* arg, int status);

typedef struct input_s {
  uv_loop_t* loop;
  input_piece_cb on_piece;
  input_end_cb on_end;
  void* arg;
  /* Lines: the longest. 0: bytes. */
  size_t max_line;

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

  unsigned int is_open : 1;
  unsigned int is_stream : 1;
  unsigned int is_reading : 1;    /* a stream that has been started */
  unsigned int is_requested : 1;  /* a file's read that is under way */
  unsigned int is_delivering : 1; /* inside on_piece */
  unsigned int is_held : 1;       /* until input_resume */
  unsigned int is_drained : 1;    /* the end of the input has been read */
} input_t;

/* Begins to read. The fields on top are set by the caller, all others are zero.
 * A callback may come from inside the call. */
void input_open(input_t* input);

void input_resume(input_t* input);

/* No callback comes after this; may be called twice, and from the callbacks. */
void input_close(input_t* input);

/* Whether a read of a file blocks and can't be cancelled. */
int input_is_stuck(const input_t* input);

#endif /* IPC_CHANNEL_TOOL_INPUT_H */
