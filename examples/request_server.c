/* Keeps one text for all: request_server [NAME]. The request "get" is answered
 * with it, "wait" when it is next set, anything else sets it. Runs until it is
 * killed. */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define MAX_WAITING 16

static char text[256];

/* Requests that are answered later, while others are. */
static struct {
  ipc_channel_t* channel;
  ipc_request_t request;
} waiting[MAX_WAITING];
static int waiting_count;

static void answer(ipc_channel_t* channel, ipc_request_t to, const char* what) {
  /* An error: the caller has gone, and nobody waits for it. */
  ipc_channel_reply(channel, to, what, strlen(what));
}

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  if (size == 3 && memcmp(data, "get", 3) == 0) {
    answer(channel, request, text);
  } else if (size == 4 && memcmp(data, "wait", 4) == 0) {
    if (waiting_count == MAX_WAITING) {
      answer(channel, request, "(too many wait)");
      return;
    }
    waiting[waiting_count].channel = channel;
    waiting[waiting_count++].request = request;
  } else {
    snprintf(text, sizeof(text), "%.*s", (int) size, (const char*) data);
    answer(channel, request, "set");
    while (waiting_count > 0) {
      waiting_count--;
      answer(waiting[waiting_count].channel, waiting[waiting_count].request,
             text);
    }
  }
}

/* The channel isn't valid after this. */
static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  int kept = 0;

  (void) result;
  for (int i = 0; i < waiting_count; i++) {
    if (waiting[i].channel != channel) waiting[kept++] = waiting[i];
  }
  waiting_count = kept;
}

int main(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;

  ipc_server_options_init(&options, argc > 1 ? argv[1] : "request");
  ipc_server_options_set_heartbeat(&options, 3000);
  ipc_server_options_on_request(&options, on_request);
  ipc_server_options_on_close(&options, on_close);
  if (ipc_server_listen(uv_default_loop(), &options, NULL, &server) != 0) {
    return 1;
  }
  puts("listening");
  fflush(stdout);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
