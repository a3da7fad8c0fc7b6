/* Makes requests of request_server, one after the other, and prints the
 * replies, without a loop or a callback: blocking_call NAME REQUEST... */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  const void* reply;
  ipc_channel_t* channel;
  ipc_client_options_t options;
  size_t size;

  ipc_client_options_init(&options, argc > 1 ? argv[1] : "request");
  int err = ipc_client_connect_wait(&options, NULL, &channel);
  for (int i = 2; err == 0 && i < argc; i++) {
    size = strlen(argv[i]);
    err = ipc_channel_call_wait(channel, argv[i], size, 5000, &reply, &size);
    /* The reply is there until the next call. */
    if (err == 0) printf("%s: %.*s\n", argv[i], (int) size, (char*) reply);
  }
  if (err != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
  if (channel != NULL) ipc_channel_close_wait(channel, NULL);
  return err != 0;
}
