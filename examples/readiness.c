/* Sends records to an echo server and takes them back as a select loop would:
 * waits until either can be done, and then tries. readiness [NAME [COUNT]] */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 10000
#define MAX_BODY 2000

static unsigned int count = 1000;
static unsigned int sent, received;
static int status;

/* A record is its number and a body, two pieces of memory and one message. */
static int send_some(ipc_channel_t* channel) {
  static char body[MAX_BODY];
  int err = 0;

  while (err == 0 && sent < count) {
    uv_buf_t pieces[2] = {uv_buf_init((char*) &sent, sizeof(sent)),
                          uv_buf_init(body, sent % MAX_BODY)};

    err = ipc_channel_try_send_vector(channel, pieces, 2, NULL);
    if (err == 0) sent++;
  }
  return err != 0 ? err : ipc_channel_end(channel);
}

static int take_some(ipc_channel_t* channel) {
  static char body[MAX_BODY];
  unsigned int number;
  uv_buf_t pieces[2] = {uv_buf_init((char*) &number, sizeof(number)),
                        uv_buf_init(body, MAX_BODY)};
  size_t size;
  int err;

  for (;;) {
    err = ipc_channel_try_recv_vector(channel, pieces, 2, &size);
    if (err != 0) return err; /* UV_ENOBUFS: a message that is no record */
    if (size != sizeof(number) + number % MAX_BODY) return UV_EPROTO;
    if (number != received++) return UV_EPROTO;
  }
}

static void on_ready(ipc_channel_t* channel, void* arg, int err, int events) {
  (void) arg;
  if (events & IPC_CHANNEL_READABLE) err = take_some(channel);
  if (err == UV_EAGAIN) err = 0;
  if (err == 0 && (events & IPC_CHANNEL_WRITABLE)) err = send_some(channel);
  if (err == 0 || err == UV_EAGAIN) {
    events = IPC_CHANNEL_READABLE;
    if (sent < count) events |= IPC_CHANNEL_WRITABLE;
    err = ipc_channel_ready(channel, events, PATIENCE_MS, on_ready, NULL);
  }
  if (err == 0) return;
  if (status == 0 && (err != UV_EOF || received < count)) status = err;
  ipc_channel_close(channel);
}

/* Why the channel is dead; the tries only say that it is. */
static void on_end(ipc_channel_t* channel, int why) {
  (void) channel;
  status = why;
}

int main(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  if (argc > 2) sscanf(argv[2], "%u", &count);
  ipc_client_options_init(&options, argc > 1 ? argv[1] : "echo");
  ipc_client_options_on_end(&options, on_end);
  status = ipc_client_connect(uv_default_loop(), &options, NULL, &channel);
  if (status == 0) on_ready(channel, NULL, 0, 0);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  printf("%u records sent, %u came back\n", sent, received);
  if (status != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(status));
  return status != 0;
}
