/* Two services that talk: methods, calls and notifications, both ways and in
 * every framing, among peers with names and without. */
#include "service_pair.h"

#include <stdio.h>

static duo_t duo;

/* ---- The shortest way through everything --------------------------------- */

static int notes;
static char last_note[64];
static json_t* last_params;

static void on_note(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    const char* method,
                    json_t* params,
                    void* arg) {
  (void) service, (void) peer, (void) arg;
  notes++;
  snprintf(last_note, sizeof(last_note), "%s", method);
  json_decref(last_params);
  last_params = json_incref(params);
}

static void forget_notes(void) {
  notes = 0;
  last_note[0] = '\0';
  json_decref(last_params);
  last_params = NULL;
}

static void talk_in(ipc_framing_t framing) {
  said_t said = {0};
  said_t back = {0};

  duo_init(&duo, framing);
  duo_open(&duo);
  assert_int_equal(
      ipc_service_on(duo.server.service, "reload", on_note, NULL, NULL), 0);
  assert_int_equal(
      say_call(&said, duo.client.peer, "sum", json_pack("[i,i]", 20, 22)), 0);
  said_ends(&said, 0);
  assert_json(said.result, "42");
  /* The side that listens calls too. */
  assert_int_equal(say_call(&back, duo.server.peer, "echo",
                            json_pack("{s:s}", "line", "a\nb\r\n\"c\"")),
                   0);
  said_ends(&back, 0);
  assert_json(back.result, "{\"line\": \"a\\nb\\r\\n\\\"c\\\"\"}");
  assert_int_equal(
      ipc_service_notify(duo.client.peer, "reload", json_pack("[s]", "all")),
      0);
  run_until(&notes, 1);
  assert_string_equal(last_note, "reload");
  assert_json(last_params, "[\"all\"]");
  forget_notes();
  said_free(&said);
  said_free(&back);
  duo_finish(&duo);
  assert_int_equal(duo.client.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.client.status[IPC_SERVICE_PEER_GONE], 0);
  assert_int_equal(duo.server.events[IPC_SERVICE_PEER_GONE], 1);
}

static void test_lines(void** state) {
  (void) state;
  talk_in(IPC_CHANNEL_FRAMING_DELIMITER);
}

static void test_content_length(void** state) {
  (void) state;
  talk_in(IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
}

static void test_native(void** state) {
  (void) state;
  talk_in(IPC_CHANNEL_FRAMING_NATIVE);
}

static void test_length_prefix(void** state) {
  (void) state;
  talk_in(IPC_CHANNEL_FRAMING_LENGTH_PREFIX);
}

/* ---- As others speak it
 * ------------------------------------------------------ */

static char heard[1024];
static size_t heard_size;

static void on_bytes(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  assert_true(heard_size + size < sizeof(heard));
  memcpy(heard + heard_size, data, size);
  heard_size += size;
  heard[heard_size] = '\0';
}

static void speak_raw(const char* says, const char* hears) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  heard_size = 0;
  ipc_client_options_init(&options, duo.name);
  ipc_client_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_on_message(&options, on_bytes);
  assert_int_equal(ipc_client_connect(test_loop(), &options, NULL, &channel),
                   0);
  assert_int_equal(
      ipc_channel_send_copy(channel, says, strlen(says), NULL, NULL), 0);
  while (heard_size < strlen(hears)) test_turn();
  assert_string_equal(heard, hears);
  ipc_channel_close(channel);
}

/* As an editor and its language server do. */
static void test_content_length_on_the_wire(void** state) {
  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  speak_raw(
      "Content-Length: 55\r\n"
      "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n"
      "{\"jsonrpc\": \"2.0\",\n\"id\":1,\n\"method\":\"sum\",\"params\":[2]}"
      "Content-Length: 5\r\n\r\n"
      "[ 1 ]",
      "Content-Length: 35\r\n\r\n"
      "{\"jsonrpc\":\"2.0\",\"result\":2,\"id\":1}"
      "Content-Length: 116\r\n\r\n"
      "[{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":"
      "\"Invalid Request\",\"data\":{\"problem\":\"not an object\"}},"
      "\"id\":null}]");
  duo_finish(&duo);
}

static void test_lines_on_the_wire(void** state) {
  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  speak_raw(
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\"}\r\n"
      "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\","
      "\"params\":[\"\\n\"]}\n",
      "{\"jsonrpc\":\"2.0\",\"result\":0,\"id\":1}\n"
      "{\"jsonrpc\":\"2.0\",\"result\":[\"\\n\"],\"id\":2}\n");
  duo_finish(&duo);
}

/* ---- A child --------------------------------------------------------------
 */

static int serve_parent(int argc, char** argv) {
  ipc_channel_options_t channel_options;
  ipc_service_options_t options;
  ipc_channel_t* channel;
  ipc_service_t* service;
  uv_loop_t* loop = uv_default_loop();

  (void) argc, (void) argv;
  ipc_service_options_init(&options);
  ipc_service_options_set_name(&options, "kid");
  ipc_channel_options_init(&channel_options);
  if (ipc_service_create(loop, &options, NULL, &service) != 0) return 2;
  offer_methods(service);
  if (ipc_service_channel_options(&channel_options) != 0) return 3;
  if (ipc_channel_inherit(loop, &channel_options, NULL, &channel) != 0) {
    return 4;
  }
  if (ipc_service_add_channel(service, channel, "parent", NULL) != 0) return 5;
  uv_run(loop, UV_RUN_DEFAULT); /* until the parent has gone */
  ipc_service_close(service, NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop) == 0 ? 0 : 6;
}

static int exits;

static void on_child_exit(ipc_child_t* child, int64_t status, int signal) {
  exits++;
  assert_int_equal(status, 0);
  assert_int_equal(signal, 0);
  ipc_child_close(child, NULL);
}

static void test_child(void** state) {
  ipc_channel_options_t channel;
  ipc_child_options_t options;
  ipc_service_peer_t* peer;
  ipc_child_t* child;
  said_t said = {0};
  char path[1024];
  size_t size = sizeof(path);
  const char* args[3] = {path, "serve_parent", NULL};

  (void) state;
  exits = 0;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  assert_int_equal(uv_exepath(path, &size), 0);
  ipc_child_options_init(&options, path, args);
  ipc_child_options_on_exit(&options, on_child_exit);
  ipc_channel_options_init(&channel);
  assert_int_equal(ipc_service_channel_options(&channel), 0);
  assert_int_equal(ipc_child_options_set_channel(&options, IPC_CHILD_EXTRA_SLOT,
                                                 &channel, NULL),
                   0);
  assert_int_equal(ipc_child_spawn(test_loop(), &options, NULL, &child), 0);
  assert_int_equal(
      ipc_service_add_channel(duo.client.service,
                              ipc_child_channel(child, IPC_CHILD_EXTRA_SLOT),
                              NULL, &peer),
      0);
  assert_int_equal(say_call(&said, peer, "sum", json_pack("[i,i]", 3, 4)), 0);
  said_ends(&said, 0);
  assert_json(said.result, "7");
  said_free(&said);
  assert_ptr_equal(ipc_service_find(duo.client.service, "kid"), peer);
  assert_int_equal(ipc_service_peer_close(peer), 0);
  run_until(&exits, 1);
  duo_finish(&duo);
}

int main(int argc, char** argv) {
  static const test_role_t roles[] = {{"serve_parent", serve_parent},
                                      {NULL, NULL}};
  static const struct CMUnitTest tests[] = {
      TEST(test_lines),
      TEST(test_content_length),
      TEST(test_native),
      TEST(test_length_prefix),
      TEST(test_content_length_on_the_wire),
      TEST(test_lines_on_the_wire),
      TEST(test_child),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
