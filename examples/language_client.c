/* Asks a language server what it can do: a child that speaks messages behind
 * "Content-Length" headers on its standard streams.
 *
 *   language_client clangd
 */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define INITIALIZE                                                      \
  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":" \
  "{\"processId\":null,\"rootUri\":null,\"capabilities\":{}}}"

static const char* const requests[] = {
    INITIALIZE, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"shutdown\"}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"exit\"}"};

static int answers;

/* Its answers come one by one; each is the sign for the next request. */
static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  ipc_child_t** child = ipc_channel_data(channel);
  ipc_channel_t* input = ipc_child_channel(*child, IPC_CHILD_STDIN_SLOT);
  int i;

  printf("%d bytes: %.*s\n", (int) size, size < 60 ? (int) size : 60,
         (const char*) data);
  if (++answers > 2) return;
  for (i = answers; i <= (answers == 1 ? 1 : 2); i++) {
    ipc_channel_send_copy(input, requests[i], strlen(requests[i]), NULL, NULL);
  }
  if (answers == 2) ipc_channel_close(input);
}

static void on_end(ipc_channel_t* channel, int status) {
  if (status != 0) fprintf(stderr, "output: %s\n", uv_strerror(status));
  ipc_channel_close(channel);
}

static void on_exit_told(ipc_child_t* child, int64_t status, int signum) {
  printf("ended with %d, signal %d\n", (int) status, signum);
  ipc_child_close(child, NULL);
}

int main(int argc, char** argv) {
  ipc_channel_options_t channel;
  ipc_child_options_t options;
  ipc_child_t* child;
  int status;

  if (argc < 2) return 2;
  ipc_channel_options_init(&channel);
  ipc_channel_options_set_framing(&channel, IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
  ipc_channel_options_on_message(&channel, on_message);
  ipc_channel_options_on_end(&channel, on_end);
  ipc_child_options_init(&options, argv[1], (const char* const*) argv + 1);
  ipc_child_options_set_channel(&options, IPC_CHILD_STDIN_SLOT, &channel, NULL);
  ipc_child_options_set_channel(&options, IPC_CHILD_STDOUT_SLOT, &channel,
                                &child);
  ipc_child_options_set_stdio(&options, IPC_CHILD_STDERR_SLOT, IPC_CHILD_NULL);
  ipc_child_options_on_exit(&options, on_exit_told);
  status = ipc_child_spawn(uv_default_loop(), &options, NULL, &child);
  if (status != 0) {
    fprintf(stderr, "%s: %s\n", argv[1], uv_strerror(status));
    return 1;
  }
  ipc_channel_send_copy(ipc_child_channel(child, IPC_CHILD_STDIN_SLOT),
                        requests[0], strlen(requests[0]), NULL, NULL);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_loop_close(uv_default_loop());
  return answers >= 2 ? 0 : 1;
}
