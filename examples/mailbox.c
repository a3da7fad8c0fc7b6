/* A mailbox whose lines are commands, for shell scripts and whatever else can
 * write to a file: a FIFO or, where there are none, a named pipe of one way.
 *
 *   mailbox /run/user/1000/mailbox &             start mailbox mailbox
 *   echo reload > /run/user/1000/mailbox         echo reload > \\.\pipe\mailbox
 *   echo quit > /run/user/1000/mailbox           echo quit > \\.\pipe\mailbox
 */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

static ipc_server_t* server; /* NULL: it is a FIFO */

static void quit(ipc_channel_t* channel) {
  if (server != NULL) {
    ipc_server_close(server, NULL); /* and with it the channels */
  } else {
    /* From here on nobody finds it; those who have it open lose their reader.
     */
    ipc_fifo_remove(channel);
    ipc_channel_close(channel);
  }
}

/* One line. The echo of cmd.exe puts a blank and a carriage return behind its
 * words. */
static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  const char* line = data;

  while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\r')) size--;
  printf("%.*s\n", (int) size, line);
  fflush(stdout);
  if (size == 4 && memcmp(line, "quit", 4) == 0) quit(channel);
}

static int open_fifo(const char* path) {
  ipc_channel_options_t options;
  ipc_channel_t* channel;

  ipc_channel_options_init(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_channel_options_set_access(&options, IPC_CHANNEL_ACCESS_INBOUND);
  ipc_channel_options_on_message(&options, on_message);
  return ipc_fifo_open(uv_default_loop(), &options, path, NULL, &channel);
}

static int serve_pipe(const char* name) {
  ipc_server_options_t options;

  ipc_server_options_init(&options, name);
  ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_server_options_set_access(&options, IPC_CHANNEL_ACCESS_INBOUND);
  ipc_server_options_on_message(&options, on_message);
  return ipc_server_listen(uv_default_loop(), &options, NULL, &server);
}

int main(int argc, char** argv) {
  const char* name = argc > 1 ? argv[1] : "mailbox";
  int err;

  err = ipc_fifo_create(name, 0600);
  if (err == 0) {
    err = open_fifo(name);
  } else if (err == UV_ENOTSUP) { /* a system without FIFOs: Windows */
    err = serve_pipe(name);
  }
  if (err != 0) {
    fprintf(stderr, "%s: %s\n", name, uv_strerror(err));
    return 1;
  }
  printf("reading %s\n", name);
  fflush(stdout);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_loop_close(uv_default_loop());
  return 0;
}
