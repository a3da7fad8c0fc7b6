/* The library's end of the conversations with programs that know nothing of it:
 *
 *   interop_peer serve|join FORMAT NAME [STEP...]
 *   interop_peer spawn|spawn3 FORMAT COMMAND [STEP...]
 *
 * serve takes one client, join is one, and spawn starts a program and talks to
 * its standard streams, or to its descriptor 3. Steps are say=MESSAGE and
 * hear=TEXT, which waits for a message with TEXT in it; what comes is printed.
 * Without steps it sends back all that comes, until the peer's end. Exits with
 * 0 where all steps were taken, or the peer has ended well.
 */
#include <ipc_channel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only so that it ends. */
#define PATIENCE_MS 60000

typedef struct format_s {
  const char* name;
  ipc_framing_t framing;
  int delimiter; /* -1: none */
  ipc_length_prefix_t prefix;
} format_t;

static const format_t formats[] = {
    {"raw", IPC_CHANNEL_FRAMING_RAW, -1, {0, 0, 0, 0, 0}},
    {"lines", IPC_CHANNEL_FRAMING_DELIMITER, '\n', {0, 0, 0, 0, 0}},
    {"form-feed", IPC_CHANNEL_FRAMING_DELIMITER, '\f', {0, 0, 0, 0, 0}},
    {"little32", IPC_CHANNEL_FRAMING_LENGTH_PREFIX, -1, {4, 0, 0, 0, 0}},
    {"big32", IPC_CHANNEL_FRAMING_LENGTH_PREFIX, -1, {4, 1, 0, 0, 0}},
    {"content-length", IPC_CHANNEL_FRAMING_CONTENT_LENGTH, -1, {0, 0, 0, 0, 0}},
    {"packets", IPC_CHANNEL_FRAMING_PACKET, -1, {0, 0, 0, 0, 0}}};

static format_t format;
static char** steps; /* those to come, then NULL */
static int is_echo;
static int result = 1;
static ipc_channel_t* output; /* what says goes to; NULL: closed */
static ipc_child_t* child;
static char* kept; /* an echo that finds the queue full */
static size_t kept_bytes;

/* ---- Talking ------------------------------------------------------------ */

static void complain(const char* about, int status) {
  if (status != 0) fprintf(stderr, "%s: %s\n", about, uv_strerror(status));
}

static void leave(ipc_channel_t* channel) {
  if (child == NULL) ipc_channel_close(channel);
  if (child != NULL) ipc_child_quit(child, PATIENCE_MS);
}

/* Says what comes before the next thing to be heard. */
static void take_steps(ipc_channel_t* channel) {
  int err = 0;

  for (; *steps != NULL && strncmp(*steps, "say=", 4) == 0; steps++) {
    err = ipc_channel_send_copy(output, *steps + 4, strlen(*steps + 4), NULL,
                                NULL);
    if (err == UV_EAGAIN) return; /* on_drain goes on */
    if (err != 0) break;
  }
  complain("say", err);
  if (*steps == NULL) result = 0;
  if (*steps == NULL || err != 0) leave(channel);
}

static int has(const char* data, size_t size, const char* text) {
  size_t length = strlen(text);

  for (; size >= length; data++, size--) {
    if (memcmp(data, text, length) == 0) return 1;
  }
  return 0;
}

static void echo(ipc_channel_t* channel, const void* data, size_t size) {
  int err = ipc_channel_send_copy(channel, data, size, NULL, NULL);

  if (err == UV_EAGAIN) {
    kept = malloc(size + 1);
    if (kept == NULL) abort();
    memcpy(kept, data, size);
    kept_bytes = size;
    ipc_channel_pause(channel);
  } else if (err != 0) {
    complain("echo", err);
    ipc_channel_close(channel);
  }
}

static void hear(ipc_channel_t* channel, const void* data, size_t size) {
  printf("%.*s\n", (int) size, (const char*) data);
  fflush(stdout);
  if (*steps == NULL || strncmp(*steps, "hear=", 5) != 0) return;
  if (!has(data, size, *steps + 5)) return;
  steps++;
  take_steps(channel);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  (is_echo ? echo : hear)(channel, data, size);
}

static void on_drain(ipc_channel_t* channel) {
  char* data = kept;

  if (!is_echo) take_steps(channel);
  if (data == NULL) return;
  kept = NULL;
  ipc_channel_resume(channel);
  echo(channel, data, kept_bytes);
  free(data);
}

static void on_end(ipc_channel_t* channel, int status) {
  if (is_echo && status == 0) result = 0;
  complain("ended", status);
  if (!is_echo && *steps != NULL) fprintf(stderr, "not heard: %s\n", *steps);
  ipc_channel_close(channel);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* told) {
  if (is_echo && told->status != 0) result = 1;
  if (result != 0) complain("closed", told->status);
  if (output == channel) output = NULL;
}

static void begin(ipc_channel_t* channel) {
  is_echo = *steps == NULL;
  if (output == NULL) output = channel;
  if (!is_echo) take_steps(channel);
}

/* ---- Roles -------------------------------------------------------------- */

static void on_connection(ipc_server_t* server, ipc_channel_t* channel) {
  ipc_server_close(server, NULL); /* one is enough */
  begin(channel);
}

static int serve(const char* name) {
  ipc_server_options_t options;
  ipc_server_t* server;
  int err;

  ipc_server_options_init(&options, name);
  ipc_server_options_set_framing(&options, format.framing);
  if (format.delimiter >= 0)
    ipc_server_options_set_delimiter(&options, format.delimiter);
  if (format.prefix.bytes)
    ipc_server_options_set_length_prefix(&options, &format.prefix);
  ipc_server_options_set_close_timeout(&options, PATIENCE_MS);
  ipc_server_options_on_connection(&options, on_connection);
  ipc_server_options_on_message(&options, on_message);
  ipc_server_options_on_drain(&options, on_drain);
  ipc_server_options_on_end(&options, on_end);
  ipc_server_options_on_close(&options, on_close);
  err = ipc_server_listen(uv_default_loop(), &options, NULL, &server);
  if (err == 0) puts("listening");
  fflush(stdout);
  return err;
}

static void on_connect(ipc_channel_t* channel, int status) {
  complain("connect", status);
  if (status == 0) begin(channel);
  if (status != 0) ipc_channel_close(channel);
}

static int join(const char* name) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  ipc_client_options_init(&options, name);
  ipc_client_options_set_framing(&options, format.framing);
  if (format.delimiter >= 0)
    ipc_client_options_set_delimiter(&options, format.delimiter);
  if (format.prefix.bytes)
    ipc_client_options_set_length_prefix(&options, &format.prefix);
  ipc_client_options_set_connect_timeout(&options, PATIENCE_MS);
  ipc_client_options_set_close_timeout(&options, PATIENCE_MS);
  ipc_client_options_on_connect(&options, on_connect);
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_drain(&options, on_drain);
  ipc_client_options_on_end(&options, on_end);
  ipc_client_options_on_close(&options, on_close);
  return ipc_client_connect(uv_default_loop(), &options, NULL, &channel);
}

static void on_exit_told(ipc_child_t* told, int64_t status, int signum) {
  printf("exit %d, signal %d\n", (int) status, signum);
  ipc_child_close(told, NULL);
}

/* `slot`: where it speaks; it hears there too, or on its standard input. */
static int spawn(char* command, unsigned int slot) {
  unsigned int ear = slot == IPC_CHILD_EXTRA_SLOT ? slot : IPC_CHILD_STDIN_SLOT;
  const char* args[16] = {NULL};
  ipc_channel_options_t channel;
  ipc_child_options_t options;
  int i, err;

  for (i = 0; i < 15; i++) args[i] = strtok(i == 0 ? command : NULL, " ");
  ipc_channel_options_init(&channel);
  ipc_channel_options_set_framing(&channel, format.framing);
  if (format.delimiter >= 0)
    ipc_channel_options_set_delimiter(&channel, format.delimiter);
  ipc_channel_options_on_message(&channel, on_message);
  ipc_channel_options_on_drain(&channel, on_drain);
  ipc_channel_options_on_end(&channel, on_end);
  ipc_channel_options_on_close(&channel, on_close);
  ipc_child_options_init(&options, args[0], args);
  ipc_child_options_set_channel(&options, ear, &channel, NULL);
  ipc_child_options_set_channel(&options, slot, &channel, NULL);
  ipc_child_options_on_exit(&options, on_exit_told);
  err = ipc_child_spawn(uv_default_loop(), &options, NULL, &child);
  if (err != 0) return err;
  output = ipc_child_channel(child, ear);
  begin(ipc_child_channel(child, slot));
  return 0;
}

static int start(const char* role, char* argument) {
  if (strcmp(role, "serve") == 0) return serve(argument);
  if (strcmp(role, "join") == 0) return join(argument);
  if (strcmp(role, "spawn") == 0) return spawn(argument, IPC_CHILD_STDOUT_SLOT);
  if (strcmp(role, "spawn3") == 0) return spawn(argument, IPC_CHILD_EXTRA_SLOT);
  return UV_EINVAL;
}

int main(int argc, char** argv) {
  size_t i;
  int err;

  for (i = 0; argc > 3 && i < sizeof(formats) / sizeof(formats[0]); i++) {
    if (strcmp(argv[2], formats[i].name) == 0) format = formats[i];
  }
  if (format.name == NULL) return 2;
  steps = argv + 4;
  err = start(argv[1], argv[3]);
  complain(argv[3], err);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  free(kept);
  return err != 0 ? 1 : result;
}
