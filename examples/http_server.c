/* Answers HTTP requests with a page: http_server [NAME], then
 *
 *   curl --unix-socket PATH http://localhost/
 *
 * The bytes are a protocol of others, so the framing is raw, and where a
 * request ends is for the program to find out. */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

/* What a request must have; between the two may be anything. */
static char request[] = "GET \r\n\r\n";
static char* const headers = request + 4;

static const char page[] = "<!DOCTYPE html>\n<p>It runs.</p>\n";
static const char refusal[] = "Only GET is known here.\n";

/* One answer to each client: then our end is the end. */
static void answer(ipc_channel_t* channel, const char* head, const char* body) {
  char text[256];

  snprintf(text, sizeof(text),
           "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
           head, (int) strlen(body), body);
  ipc_channel_send_copy(channel, text, strlen(text), NULL, NULL);
  ipc_channel_close(channel);
}

/* A request comes in pieces of any size: the channel's data is how much of what
 * it must have is there. */
static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  const char* byte = data;
  const char* end = byte + size;
  char* next = ipc_channel_data(channel);

  for (; byte < end && *next != '\0'; byte++) {
    if (*byte == *next) {
      next++;
    } else if (next < headers) {
      answer(channel, "405 Method Not Allowed\r\nAllow: GET", refusal);
      return;
    } else {
      next = *byte == '\r' ? headers + 1 : headers;
    }
  }
  ipc_channel_set_data(channel, next);
  if (*next == '\0') answer(channel, "200 OK\r\nContent-Type: text/html", page);
}

int main(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;
  ipc_server_info_t info;
  int err;

  ipc_server_options_init(&options, argc > 1 ? argv[1] : "http");
  ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_server_options_set_idle_timeout(&options, 10000);
  ipc_server_options_on_message(&options, on_message);
  err = ipc_server_listen(uv_default_loop(), &options, request, &server);
  if (err != 0) {
    fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
    return 1;
  }
  ipc_server_info(server, &info);
  printf("listening on %s\n", info.os_name);
  fflush(stdout);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
