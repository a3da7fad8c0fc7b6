/* Sends a message and prints the answer, without a loop or a callback:
 * blocking_client NAME [MESSAGE] */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  const char* message = argc > 2 ? argv[2] : "hello";
  const void* answer;
  ipc_channel_t* channel;
  ipc_client_options_t options;
  size_t size = strlen(message);
  ipc_client_options_init(&options, argc > 1 ? argv[1] : "echo");
  int err = ipc_client_connect_wait(&options, NULL, &channel);
  if (err == 0) err = ipc_channel_send_wait(channel, message, size, 5000, NULL);
  if (err == 0) err = ipc_channel_recv_wait(channel, 5000, &answer, &size);
  if (err == 0) printf("%.*s\n", (int) size, (const char*) answer);
  if (err != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
  if (channel != NULL) ipc_channel_close_wait(channel, NULL);
  return err != 0;
}
