/* The library's end for interop/test_packets.py: sends back each packet that
 * comes, as a server of a name or as its client: packet_echo serve|connect NAME
 */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

static void say(const char* text, int status) {
  printf("%s %s\n", text, status == 0 ? "ok" : uv_err_name(status));
  fflush(stdout);
}

static void on_connection(ipc_server_t* server, ipc_channel_t* channel) {
  (void) server;
  (void) channel;
}

static void on_connect(ipc_channel_t* channel, int status) {
  say("connected", status);
  if (status != 0) ipc_channel_close(channel);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  int err = ipc_channel_send_copy(channel, data, size, NULL, NULL);

  if (err != 0) say("send", err);
}

static void on_end(ipc_channel_t* channel, int status) {
  say("end", status);
  ipc_channel_close(channel);
}

static int serve(const char* name) {
  ipc_server_options_t options;
  ipc_server_t* server;
  int err;

  ipc_server_options_init(&options, name);
  ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_PACKET);
  ipc_server_options_set_max_queue_bytes(&options, (size_t) 64 << 20);
  ipc_server_options_on_connection(&options, on_connection);
  ipc_server_options_on_message(&options, on_message);
  ipc_server_options_on_end(&options, on_end);
  err = ipc_server_listen(uv_default_loop(), &options, NULL, &server);
  say("listening", err);
  return err;
}

static int join(const char* name) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  ipc_client_options_init(&options, name);
  ipc_client_options_set_framing(&options, IPC_CHANNEL_FRAMING_PACKET);
  ipc_client_options_set_max_queue_bytes(&options, (size_t) 64 << 20);
  ipc_client_options_on_connect(&options, on_connect);
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_end(&options, on_end);
  return ipc_client_connect(uv_default_loop(), &options, NULL, &channel);
}

int main(int argc, char** argv) {
  int err;

  if (argc != 3) return 2;
  err = strcmp(argv[1], "serve") == 0 ? serve(argv[2]) : join(argv[2]);
  if (err != 0) return 1;
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
