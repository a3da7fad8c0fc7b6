/* Sends back what comes, one client after the other, without a loop or a
 * callback: blocking_server [NAME]. Runs until it is killed. */
#include <ipc_channel.h>
#include <stdio.h>

/* Until the client ends its side, or doesn't take its echo. */
static void serve(ipc_channel_t* channel) {
  const void* data;
  size_t size;
  int err;

  do {
    err = ipc_channel_recv_wait(channel, IPC_CHANNEL_INFINITE, &data, &size);
    if (err == 0) err = ipc_channel_send_wait(channel, data, size, 5000, NULL);
  } while (err == 0);
  ipc_channel_close_wait(channel, NULL);
}

int main(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;
  ipc_channel_t* channel;
  ipc_server_info_t info;
  int err;

  ipc_server_options_init(&options, argc > 1 ? argv[1] : "echo");
  err = ipc_server_listen(NULL, &options, NULL, &server);
  if (err == 0) {
    ipc_server_info(server, &info);
    printf("listening on %s\n", info.os_name);
    fflush(stdout);
  }
  while (err == 0) {
    err = ipc_server_accept_wait(server, IPC_CHANNEL_INFINITE, &channel);
    if (err == 0) serve(channel);
  }
  fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
  return 1;
}
