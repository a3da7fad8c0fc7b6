/* Asks keyvald, without a loop: keyvalctl NAME METHOD [PARAMETER...], the
 * second parameter JSON or else a string. Prints the result. "watch" waits for
 * keyvald, prints all there is, then each change, and begins anew when keyvald
 * does. Ends with 1: an error, 2: wrong usage, as keyvald says, 3: no such key.
 */
#include <ipc_service.h>
#include <stdio.h>
#include <string.h>

/* Takes the message, and tells what to end with. */
static int show(json_t* message) {
  json_t* error = json_object_get(message, "error");
  json_t* shown = json_object_get(message, error ? "error" : "result");
  json_int_t code = json_integer_value(json_object_get(error, "code"));
  FILE* file = error ? stderr : stdout;

  if (shown == NULL) shown = json_object_get(message, "params");
  if (json_dumpf(shown, file, JSON_ENCODE_ANY) != 0) file = stderr;
  if (fputs("\n", file) < 0 || fflush(file)) perror("output"), file = stderr;
  json_decref(message);
  return code == 1 ? 3 : code < -32600 && code > -32603 ? 2 : file == stderr;
}

int main(int argc, char** argv) {
  int is_watch = argc > 2 && strcmp(argv[2], "watch") == 0;
  int never = IPC_CHANNEL_INFINITE;
  size_t any = JSON_DECODE_ANY | JSON_ALLOW_NUL;
  json_t* call = argc < 3 ? NULL : json_array();
  ipc_client_options_t options;
  ipc_channel_t* channel;
  const void* data;
  char* text;
  size_t size;
  int status = 0, err = 0;

  if (argc < 3) return fputs("usage: keyvalctl NAME METHOD ...\n", stderr), 2;
  for (int i = 3; i < argc; i++) {
    json_t* value = i == 4 ? json_loads(argv[i], any, NULL) : NULL;

    err |= json_array_append_new(call, value ? value : json_string(argv[i]));
  }
  call = json_pack("{s:s,s:i,s:s,s:o}", "jsonrpc", "2.0", "id", 1, "method",
                   argv[2], "params", call);
  text = err ? NULL : json_dumps(call, JSON_COMPACT);
  json_decref(call);
  if (text == NULL) return fputs("keyvalctl: it isn't UTF-8\n", stderr), 2;
  ipc_client_options_init(&options, argv[1]);
  ipc_client_options_set_framing(&options, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_client_options_set_wait_for_server(&options, is_watch);
  ipc_client_options_set_connect_timeout(&options, is_watch ? never : 5000);
  do {
    err = ipc_client_connect_wait(&options, NULL, &channel);
    if (err != 0) break;
    err = ipc_channel_send_wait(channel, text, strlen(text), never, NULL);
    do {
      if (err == 0) err = ipc_channel_recv_wait(channel, never, &data, &size);
      if (err == 0) status = show(json_loadb(data, size, JSON_ALLOW_NUL, NULL));
    } while (is_watch && err == 0 && status == 0);
    ipc_channel_close_wait(channel, NULL);
  } while (is_watch && err != 0);
  free(text);
  if (err != 0) fprintf(stderr, "%s: %s\n", argv[1], uv_strerror(err));
  return err != 0 ? 1 : status;
}
