/* A client for test_examples.py: sends messages, prints what comes, and leaves
 * when a certain message has come: talk NAME UNTIL MESSAGE... */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

static const char* until;

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  printf("%.*s\n", (int) size, (const char*) data);
  fflush(stdout);
  if (size == strlen(until) && memcmp(data, until, size) == 0) {
    ipc_channel_close(channel);
  }
}

static void on_end(ipc_channel_t* channel, int status) {
  fprintf(stderr, "talk: %s\n", status == 0 ? "end" : uv_strerror(status));
  *(int*) ipc_channel_data(channel) = 1;
  ipc_channel_close(channel);
}

int main(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* channel;
  int failed = 0;
  int i;

  if (argc < 3) return 2;
  until = argv[2];
  ipc_client_options_init(&options, argv[1]);
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_end(&options, on_end);
  if (ipc_client_connect(uv_default_loop(), &options, &failed, &channel) != 0) {
    return 1;
  }
  for (i = 3; i < argc; i++) {
    if (ipc_channel_send_copy(channel, argv[i], strlen(argv[i]), NULL, NULL)) {
      failed = 1;
    }
  }
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return failed;
}
