/* Makes requests, all at once, and prints the replies as they come:
 * request_client NAME REQUEST... Outlives its server: when that is gone, it
 * connects to the next and makes again what was not answered. */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define CALL_TIMEOUT_MS 30000

static int unanswered;
static int status;

static void make(ipc_channel_t* channel, char** request);

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int error,
                     const void* data,
                     size_t size) {
  char** request = arg;

  if (error == UV_ECANCELED) return; /* by our own close */
  if (error == UV_ECONNRESET || error == UV_EOF) {
    make(channel, request); /* waits for the next connection */
    return;
  }
  if (error != 0) {
    status = error;
    printf("%s: %s\n", *request, uv_strerror(error));
  } else {
    printf("%s: %.*s\n", *request, (int) size, (const char*) data);
  }
  fflush(stdout);
  if (--unanswered == 0) ipc_channel_close(channel);
}

static void make(ipc_channel_t* channel, char** request) {
  int error = ipc_channel_call(channel, *request, strlen(*request),
                               CALL_TIMEOUT_MS, on_reply, request);

  if (error != 0) status = error;
  if (error != 0) ipc_channel_close(channel);
}

static void on_state(ipc_channel_t* channel,
                     ipc_channel_state_t state,
                     int why) {
  (void) channel;
  if (state == IPC_CHANNEL_CONNECTED) puts("connected");
  if (state == IPC_CHANNEL_RECONNECTING) {
    printf("lost: %s\n", why == 0 ? "the server has ended" : uv_strerror(why));
  }
  fflush(stdout);
}

/* It never connected, or will never again. */
static void on_end(ipc_channel_t* channel, int error) {
  status = error;
  ipc_channel_close(channel);
}

int main(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  ipc_client_options_init(&options, argc > 1 ? argv[1] : "request");
  ipc_client_options_set_reconnect(&options, 50, 2000);
  ipc_client_options_set_heartbeat(&options, 3000);
  ipc_client_options_on_state(&options, on_state);
  ipc_client_options_on_end(&options, on_end);
  unanswered = argc - 2;
  status = ipc_client_connect(uv_default_loop(), &options, NULL, &channel);
  for (int i = 2; status == 0 && i < argc; i++) make(channel, &argv[i]);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  if (status != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(status));
  return status != 0;
}
