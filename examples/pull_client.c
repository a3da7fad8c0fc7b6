/* Asks an echo server one thing after the other and prints the answers, each
 * step with a deadline, then gives up waiting for more: pull_client NAME
 * MESSAGE... */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 1000

static char** next_word;
static int status;

static void finish(ipc_channel_t* channel, int why) {
  status = why;
  ipc_channel_close(channel);
}

static void on_nothing(ipc_channel_t* channel,
                       void* arg,
                       int recv_status,
                       const void* data,
                       size_t size) {
  (void) arg, (void) data, (void) size;
  finish(channel, recv_status == UV_ECANCELED ? 0 : recv_status);
}

static void ask(ipc_channel_t* channel);

static void on_answer(ipc_channel_t* channel,
                      void* arg,
                      int recv_status,
                      const void* data,
                      size_t size) {
  (void) arg;
  if (recv_status != 0) {
    finish(channel, recv_status); /* UV_ETIMEDOUT: nothing came in time */
  } else {
    printf("%.*s\n", (int) size, (const char*) data);
    ask(channel);
  }
}

static void on_sent(ipc_channel_t* channel, void* arg, int err, size_t sent) {
  (void) arg,
      (void) sent; /* after UV_ETIMEDOUT, sent tells if it's on its way */
  if (err == 0) err = ipc_channel_recv(channel, PATIENCE_MS, on_answer, NULL);
  if (err != 0) finish(channel, err);
}

static void ask(ipc_channel_t* channel) {
  const char* word = *next_word;
  int err;

  if (word != NULL) {
    next_word++;
    err = ipc_channel_send_timeout(channel, word, strlen(word), PATIENCE_MS,
                                   on_sent, NULL);
  } else {
    err = ipc_channel_recv(channel, IPC_CHANNEL_INFINITE, on_nothing, NULL);
    ipc_channel_cancel(channel, ipc_channel_last_op(channel));
  }
  if (err != 0) finish(channel, err);
}

int main(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  if (argc < 3) return 2;
  next_word = argv + 2;
  ipc_client_options_init(&options, argv[1]);
  status = ipc_client_connect(uv_default_loop(), &options, NULL, &channel);
  if (status == 0) ask(channel);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  if (status != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(status));
  return status != 0;
}
