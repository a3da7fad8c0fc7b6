/* Feeds a text to a program and prints what it says, as it comes, and how it
 * ended: run_child TEXT PROGRAM ARGUMENT... */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 10000

static void on_output(ipc_channel_t* channel, const void* data, size_t size) {
  fwrite(data, 1, size, ipc_channel_data(channel));
  fflush(ipc_channel_data(channel));
}

static void on_output_end(ipc_channel_t* channel, int status) {
  if (status != 0) fprintf(stderr, "output: %s\n", uv_strerror(status));
  ipc_channel_close(channel);
}

/* The child has ended, and all that it wrote has been printed. */
static void on_exit_told(ipc_child_t* child, int64_t status, int signum) {
  printf("ended with %d, signal %d\n", (int) status, signum);
  *(int*) ipc_child_data(child) = status != 0 || signum != 0;
  ipc_child_close(child, NULL);
}

static void output_to(ipc_channel_options_t* options) {
  ipc_channel_options_init(options);
  ipc_channel_options_set_framing(options, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_on_message(options, on_output);
  ipc_channel_options_on_end(options, on_output_end);
}

int main(int argc, char** argv) {
  ipc_channel_options_t out;
  ipc_channel_options_t err;
  ipc_child_options_t options;
  ipc_channel_t* input;
  ipc_child_t* child;
  int result = 1;
  int status;

  if (argc < 3) return 2;
  output_to(&out);
  output_to(&err);
  ipc_child_options_init(&options, argv[2], (const char* const*) argv + 2);
  ipc_child_options_set_stdio(&options, IPC_CHILD_STDIN_SLOT,
                              IPC_CHILD_CHANNEL);
  ipc_child_options_set_channel(&options, IPC_CHILD_STDOUT_SLOT, &out, stdout);
  ipc_child_options_set_channel(&options, IPC_CHILD_STDERR_SLOT, &err, stderr);
  ipc_child_options_on_exit(&options, on_exit_told);
  status = ipc_child_spawn(uv_default_loop(), &options, &result, &child);
  if (status != 0) {
    fprintf(stderr, "%s: %s\n", argv[2], uv_strerror(status));
    return 1;
  }

  input = ipc_child_channel(child, IPC_CHILD_STDIN_SLOT);
  if (argv[1][0] != '\0') {
    ipc_channel_send_copy(input, argv[1], strlen(argv[1]), NULL, NULL);
  }
  ipc_child_quit(child, PATIENCE_MS); /* its input ends after the text */
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return result;
}
