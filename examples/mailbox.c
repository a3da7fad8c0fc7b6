/* A mailbox: a FIFO whose lines are commands, for shell scripts and whoever
 * else can write to a file:
 *
 *   mailbox /run/user/1000/mailbox &
 *   echo reload > /run/user/1000/mailbox
 *   echo quit > /run/user/1000/mailbox
 */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 4096

/* The beginning of a line whose end has not come. */
static char line[LINE_SIZE];
static size_t line_size;

static void obey(ipc_channel_t* channel) {
  printf("%.*s\n", (int) line_size, line);
  fflush(stdout);
  if (line_size == 4 && memcmp(line, "quit", 4) == 0) {
    /* From here on nobody finds it; those who have it open lose their reader.
     */
    ipc_fifo_remove(channel);
    ipc_channel_close(channel);
  }
  line_size = 0;
}

/* Bytes as they come: a part of a line, or several. What is too long for one
 * is cut. */
static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  const char* bytes = data;
  size_t i;

  for (i = 0; i < size; i++) {
    if (bytes[i] == '\n') {
      obey(channel);
    } else if (line_size < LINE_SIZE) {
      line[line_size++] = bytes[i];
    }
  }
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "mailbox";
  ipc_channel_options_t options;
  ipc_channel_t* channel;
  int err;

  ipc_channel_options_init(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_set_access(&options, IPC_CHANNEL_ACCESS_INBOUND);
  ipc_channel_options_on_message(&options, on_message);
  err = ipc_fifo_create(path, 0600);
  if (err == 0) {
    err = ipc_fifo_open(uv_default_loop(), &options, path, NULL, &channel);
  }
  if (err == UV_ENOTSUP) {
    fprintf(stderr, "this system has no FIFOs\n");
    return 2;
  }
  if (err != 0) {
    fprintf(stderr, "%s: %s\n", path, uv_strerror(err));
    return 1;
  }
  printf("reading %s\n", path);
  fflush(stdout);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_loop_close(uv_default_loop());
  return 0;
}
