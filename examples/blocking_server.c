/* Sends back what comes, one client after the other, without a loop or a
 * callback: blocking_server [NAME]. A client that says "stop" ends it. */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

/* Until the client ends its side, or doesn't take its echo. 1: go on. */
static int serve(ipc_channel_t* channel) {
  const void* data;
  size_t size;
  int goes_on = 1;
  int err;

  do {
    err = ipc_channel_recv_wait(channel, IPC_CHANNEL_INFINITE, &data, &size);
    if (err == 0) err = ipc_channel_send_wait(channel, data, size, 5000, NULL);
    if (err == 0 && size == 4) goes_on = memcmp(data, "stop", 4) != 0;
  } while (err == 0 && goes_on);
  ipc_channel_close_wait(channel, NULL);
  return goes_on;
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
    do {
      err = ipc_server_accept_wait(server, IPC_CHANNEL_INFINITE, &channel);
    } while (err == 0 && serve(channel));
    ipc_server_close_wait(server);
  }
  if (err != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
  return err != 0;
}
