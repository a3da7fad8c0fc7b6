/* Sends a file to an echo server, a line a message or (raw) in pieces, prints
 * what goes and comes, and keeps what came: demo_client NAME FILE COPY [raw] */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES 4096

static char text[16 << 20]; /* lent to the channel, which it outlives */
static size_t size, sent, received;
static int is_raw, status;
static FILE* copy;

static void say(char way, const char* data, size_t bytes) {
  if (is_raw) {
    printf("%c %u bytes\n", way, (unsigned int) bytes);
  } else {
    printf("%c %.*s\n", way, (int) bytes, data);
  }
}

/* Sends until the queue is full; on_drain tells when to go on. */
static void send_more(ipc_channel_t* channel) {
  while (sent < size) {
    const char* start = text + sent;
    const char* end = is_raw ? NULL : memchr(start, '\n', size - sent);
    size_t bytes = end != NULL ? (size_t) (end - start) : size - sent;

    if (is_raw && bytes > PIECE_BYTES) bytes = PIECE_BYTES;
    if (ipc_channel_send(channel, start, bytes, NULL, NULL) != 0) return;
    say('>', start, bytes);
    sent += bytes + !is_raw;
  }
}

static void on_message(ipc_channel_t* channel, const void* data, size_t bytes) {
  say('<', data, bytes);
  fwrite(data, 1, bytes, copy);
  if (!is_raw) fputc('\n', copy);
  received += bytes + !is_raw;
  if (received >= size) ipc_channel_close(channel);
}

static void on_end(ipc_channel_t* channel, int end_status) {
  status = end_status != 0 ? end_status : UV_EOF; /* before all was back */
  ipc_channel_close(channel);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  (void) channel;
  if (status == 0) status = result->status;
}

int main(int argc, char** argv) {
  FILE* file = argc > 3 ? fopen(argv[2], "rb") : NULL;
  ipc_client_options_t options;
  ipc_channel_t* channel;

  copy = file != NULL ? fopen(argv[3], "wb") : NULL;
  if (copy == NULL) return 2;
  size = fread(text, 1, sizeof(text), file);
  is_raw = argc > 4;
  ipc_client_options_init(&options, argv[1]);
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_drain(&options, send_more);
  ipc_client_options_on_end(&options, on_end);
  ipc_client_options_on_close(&options, on_close);
  if (is_raw) ipc_client_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  status = ipc_client_connect(uv_default_loop(), &options, NULL, &channel);
  if (status == 0) send_more(channel);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  if (status != 0) fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(status));
  return fclose(copy) != 0 || status != 0;
}
