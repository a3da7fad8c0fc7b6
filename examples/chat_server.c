/* Passes what a client sends on to all others: chat_server [NAME]. The first
 * message of a client is its name. Runs until it is interrupted. */
#include <ipc_channel.h>
#include <stdio.h>

#define MAX_MEMBERS 50

typedef struct member_s {
  ipc_channel_t* channel; /* NULL: the place is free */
  char name[32];
} member_t;

static member_t members[MAX_MEMBERS];

/* UV_EAGAIN: one that reads too slowly misses this, and on_drain says so. */
static void tell_others(const member_t* from, const char* what) {
  char text[1100];
  int size = snprintf(text, sizeof(text), "%s%s", from->name, what);

  for (int i = 0; i < MAX_MEMBERS; i++) {
    if (members[i].channel == NULL || &members[i] == from) continue;
    ipc_channel_send_copy(members[i].channel, text, (size_t) size, NULL, NULL);
  }
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  member_t* from = ipc_channel_data(channel);
  char text[1030];

  snprintf(text, sizeof(text), ": %.*s", (int) size, (const char*) data);
  if (from == NULL) {
    for (from = members; from->channel != NULL; from++) continue;
    from->channel = channel; /* there are as many places as instances */
    ipc_channel_set_data(channel, from);
    snprintf(from->name, sizeof(from->name), "%.31s", text + 2);
    snprintf(text, sizeof(text), " has come");
  }
  tell_others(from, text);
}

static void on_drain(ipc_channel_t* channel) {
  ipc_channel_send_copy(channel, "(you missed something)", 22, NULL, NULL);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  member_t* member = ipc_channel_data(channel);

  (void) result;
  if (member == NULL) return;
  member->channel = NULL;
  tell_others(member, " has gone");
}

static void on_signal(uv_signal_t* signal, int number) {
  (void) number;
  ipc_server_close(signal->data, NULL); /* and its channels */
  uv_close((uv_handle_t*) signal, NULL);
}

int main(int argc, char** argv) {
  uv_loop_t* loop = uv_default_loop();
  ipc_server_options_t options;
  ipc_server_t* server;
  uv_signal_t signal;

  ipc_server_options_init(&options, argc > 1 ? argv[1] : "chat");
  ipc_server_options_set_max_instances(&options, MAX_MEMBERS);
  ipc_server_options_set_max_message_bytes(&options, 1024);
  ipc_server_options_on_message(&options, on_message);
  ipc_server_options_on_drain(&options, on_drain);
  ipc_server_options_on_close(&options, on_close);
  if (ipc_server_listen(loop, &options, NULL, &server) != 0) return 1;
  puts("listening");
  fflush(stdout);
  uv_signal_init(loop, &signal);
  signal.data = server;
  uv_signal_start(&signal, on_signal, SIGINT);
  return uv_run(loop, UV_RUN_DEFAULT);
}
