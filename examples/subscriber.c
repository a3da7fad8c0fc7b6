/* Prints the numbers of a publisher's readings and leaves after COUNT of them:
 * subscriber [NAME [COUNT [PAUSE_MS [USER]]]]. Waits for the publisher, also
 * when that has gone; rests for PAUSE_MS after each reading. USER is who else
 * may be the publisher, as ipc_peer_t has it. */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

static unsigned int left = 10;
static unsigned int pause_ms;
static uv_timer_t rest;
static int status;

static void on_rested(uv_timer_t* timer) {
  ipc_channel_resume(timer->data);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  unsigned int number;

  if (size < sizeof(number)) return;
  memcpy(&number, data, sizeof(number));
  printf("%u\n", number);
  fflush(stdout);
  if (--left == 0) {
    ipc_channel_close(channel);
  } else if (pause_ms > 0) {
    ipc_channel_pause(channel); /* the publisher drops what we can't take */
    rest.data = channel;
    uv_timer_start(&rest, on_rested, pause_ms, 0);
  }
}

static void on_state(ipc_channel_t* channel,
                     ipc_channel_state_t state,
                     int why) {
  (void) channel, (void) why;
  if (state == IPC_CHANNEL_CONNECTED) puts("connected");
  if (state == IPC_CHANNEL_RECONNECTING) puts("lost, looking for another");
  fflush(stdout);
}

/* There was none in time, it was not who it should be, or it has no room. */
static void on_end(ipc_channel_t* channel, int why) {
  status = why;
  ipc_channel_close(channel);
}

int main(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  if (argc > 2) sscanf(argv[2], "%u", &left);
  if (argc > 3) sscanf(argv[3], "%u", &pause_ms);
  ipc_client_options_init(&options, argc > 1 ? argv[1] : "readings");
  ipc_client_options_set_access(&options, IPC_CHANNEL_ACCESS_INBOUND);
  ipc_client_options_set_connect_timeout(&options, 30000);
  ipc_client_options_set_wait_for_server(&options, 1);
  ipc_client_options_set_wait_for_instance(&options, 0);
  ipc_client_options_set_wait_for_backlog(&options, 1);
  ipc_client_options_set_reconnect(&options, 50, 2000);
  if (argc > 4) {
    ipc_client_options_set_server_user(&options, argv[4]);
    /* That user may know us, but not act in our name. */
    ipc_client_options_set_impersonation(
        &options, IPC_CHANNEL_IMPERSONATION_IDENTIFICATION);
  }
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_state(&options, on_state);
  ipc_client_options_on_end(&options, on_end);
  uv_timer_init(uv_default_loop(), &rest);
  status = ipc_client_connect(uv_default_loop(), &options, NULL, &channel);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  if (status != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(status));
  return status != 0;
}
