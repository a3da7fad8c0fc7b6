/* Sends back what comes: echo_server [NAME [raw]]. Runs until it is killed; the
 * next one takes the name over. */
#include <ipc_channel.h>
#include <stdio.h>

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  (void) arg, (void) status, (void) sent;
  ipc_channel_resume(channel);
}

/* Takes nothing more from a client until its echo has left. */
static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  if (ipc_channel_send_copy(channel, data, size, on_sent, NULL) == 0) {
    ipc_channel_pause(channel);
  } else {
    ipc_channel_disconnect(channel);
  }
}

int main(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;
  ipc_server_info_t info;
  int err;

  ipc_server_options_init(&options, argc > 1 ? argv[1] : "echo");
  ipc_server_options_on_message(&options, on_message);
  if (argc > 2) {
    ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  }
  err = ipc_server_listen(uv_default_loop(), &options, NULL, &server);
  if (err != 0) {
    fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
    return 1;
  }
  ipc_server_info(server, &info);
  printf("listening on %s\n", info.os_name);
  fflush(stdout);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
