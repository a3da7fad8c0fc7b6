/* Prints what its clients send, one client after the other and never mixed, as
 * for a printer: one_at_a_time [NAME [PATIENCE_MS [ALONE_MS]]]. A client that
 * is silent for PATIENCE_MS loses its turn. Ends when nobody has come for
 * ALONE_MS, or when a client says "quit". */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

static int patience_ms = 10000;
static int alone_ms = 60000;
static ipc_channel_t* current;

static void on_line(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    const void* data,
                    size_t size) {
  ipc_server_t* server = arg;

  if (status == UV_ETIMEDOUT) {
    puts("(silent for too long)");
    ipc_channel_disconnect(channel); /* a close alone would wait for it */
  } else if (status == 0 && size == 4 && memcmp(data, "quit", 4) == 0) {
    ipc_server_cancel(server, ipc_server_last_op(server));
    status = UV_EOF;
  } else if (status == 0) {
    printf("%.*s\n", (int) size, (const char*) data);
    status = ipc_channel_recv(channel, patience_ms, on_line, server);
  }
  fflush(stdout);
  if (status != 0) ipc_channel_close(channel);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  (void) channel, (void) result;
  current = NULL;
}

static void on_client(ipc_server_t* server,
                      void* arg,
                      int status,
                      ipc_channel_t* channel) {
  (void) arg;
  if (status == 0) {
    current = channel;
    status = ipc_channel_recv(channel, patience_ms, on_line, server);
    if (status != 0) ipc_channel_close(channel);
  }
  if (status != UV_ECANCELED && current != NULL) {
    /* The next one's turn comes when this one has gone. */
    status = ipc_server_accept(server, alone_ms, on_client, NULL);
  }
  if (status == 0) return;
  puts(status == UV_ETIMEDOUT ? "nobody has come" : "told to quit");
  ipc_server_close(server, NULL);
}

int main(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;

  if (argc > 2) sscanf(argv[2], "%d", &patience_ms);
  if (argc > 3) sscanf(argv[3], "%d", &alone_ms);
  ipc_server_options_init(&options, argc > 1 ? argv[1] : "one-at-a-time");
  ipc_server_options_set_max_instances(&options, 1);
  ipc_server_options_set_waiting_instances(&options, 8);
  ipc_server_options_on_close(&options, on_close);
  if (ipc_server_listen(uv_default_loop(), &options, NULL, &server) != 0) {
    return 1;
  }
  puts("listening");
  fflush(stdout);
  if (ipc_server_accept(server, alone_ms, on_client, NULL) != 0) return 1;
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
