/* A program at whose standard streams somebody else sits, as an editor does at
 * those of a language server: messages behind "Content-Length" headers come in,
 * and each is answered.
 *
 *   printf 'Content-Length: 5\r\n\r\nhello' | stdio_filter
 */
#include <ipc_channel.h>
#include <stdio.h>

static ipc_channel_t* input;
static ipc_channel_t* output;
static int failed;

static void stop(int status) {
  failed = status != UV_EOF;
  if (failed) fprintf(stderr, "stopped: %s\n", uv_strerror(status));
  ipc_channel_close(input);
  ipc_channel_close(output);
}

static void on_received(ipc_channel_t* channel,
                        void* arg,
                        int status,
                        const void* data,
                        size_t size);

/* The next is read when the answer has left: so a reader that is slow slows us
 * down, and nothing piles up. */
static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  if (status == 0) {
    status = ipc_channel_recv(input, IPC_CHANNEL_INFINITE, on_received, arg);
  }
  if (status != 0) stop(status);
  (void) channel;
  (void) sent;
}

static void on_received(ipc_channel_t* channel,
                        void* arg,
                        int status,
                        const void* data,
                        size_t size) {
  uv_buf_t pieces[2];

  if (status == 0) {
    pieces[0] = uv_buf_init("you said ", 9);
    pieces[1] = uv_buf_init((char*) data, (unsigned int) size);
    status = ipc_channel_send_vector(output, pieces, 2, IPC_CHANNEL_INFINITE,
                                     on_sent, arg);
  }
  if (status != 0) stop(status);
  (void) channel;
}

static int open_stream(int fd, ipc_access_t access, ipc_channel_t** channel) {
  ipc_channel_options_t options;
  int err;

  ipc_channel_options_init(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
  ipc_channel_options_set_access(&options, access);
  err = ipc_channel_open(uv_default_loop(), &options, uv_get_osfhandle(fd),
                         NULL, channel);
  if (err != 0) fprintf(stderr, "stream %d: %s\n", fd, uv_strerror(err));
  return err;
}

int main(void) {
  if (open_stream(0, IPC_CHANNEL_ACCESS_INBOUND, &input) != 0) return 1;
  if (open_stream(1, IPC_CHANNEL_ACCESS_OUTBOUND, &output) != 0) return 1;
  if (ipc_channel_recv(input, IPC_CHANNEL_INFINITE, on_received, NULL) != 0)
    return 1;
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_loop_close(uv_default_loop());
  return failed;
}
