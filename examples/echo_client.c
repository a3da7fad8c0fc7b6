/* Sends its arguments and prints the answers: echo_client NAME MESSAGE... */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  printf("%.*s\n", (int) size, (const char*) data);
}

/* The server has ended its side, or the connection is lost or never was. */
static void on_end(ipc_channel_t* channel, int status) {
  *(int*) ipc_channel_data(channel) = status;
  ipc_channel_close(channel);
}

int main(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* channel;
  int status;
  int i;

  ipc_client_options_init(&options, argc > 1 ? argv[1] : "echo");
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_end(&options, on_end);
  status = ipc_client_connect(uv_default_loop(), &options, &status, &channel);
  for (i = 2; status == 0 && i < argc; i++) {
    status =
        ipc_channel_send_copy(channel, argv[i], strlen(argv[i]), NULL, NULL);
  }
  ipc_channel_end(channel);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  if (status != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(status));
  return status != 0;
}
