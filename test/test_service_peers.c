/* Peers: who is there, what they are called, who gets a push, and the ways in
 * which a channel becomes one. */
#include <stdio.h>

#include "service_pair.h"

static duo_t duo;
static int notes;
static const char* noted_from;

static void on_note(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    const char* method,
                    json_t* params,
                    void* arg) {
  (void) service, (void) method, (void) params, (void) arg;
  notes++;
  noted_from = ipc_service_peer_name(peer);
}

static ipc_service_stats_t stats_of(const party_t* party) {
  ipc_service_stats_t stats;

  assert_int_equal(ipc_service_stats(party->service, &stats), 0);
  return stats;
}

/* ---- Names -----------------------------------------------------------------
 */

static void test_introduction(void** state) {
  ipc_service_t* server;

  (void) state;
  notes = 0;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_service_options_set_name(&duo.client.options, "editor");
  ipc_service_options_set_name(&duo.server.options, "builder");
  duo_open(&duo);
  server = duo.server.service;
  run_until(&duo.server.events[IPC_SERVICE_PEER_NAMED], 1);
  run_until(&duo.client.events[IPC_SERVICE_PEER_NAMED], 1);
  assert_string_equal(duo.server.text[IPC_SERVICE_PEER_NAMED], "editor");
  assert_string_equal(ipc_service_peer_name(duo.client.peer), "builder");
  assert_ptr_equal(ipc_service_find(server, "editor"), duo.server.peer);
  assert_null(ipc_service_find(server, "shell"));
  assert_ptr_equal(ipc_service_next_peer(server, NULL), duo.server.peer);
  assert_null(ipc_service_next_peer(server, duo.server.peer));
  assert_ptr_equal(ipc_service_peer_service(duo.server.peer), server);
  ipc_service_peer_set_data(duo.server.peer, &notes);
  assert_ptr_equal(ipc_service_peer_data(duo.server.peer), &notes);
  assert_non_null(ipc_service_peer_channel(duo.server.peer));
  /* By name, to one that is there; it is the same one. */
  ipc_service_on_from(duo.client.service, "builder", on_note, NULL, NULL);
  assert_int_equal(ipc_service_send(server, "editor", "x", NULL), 0);
  run_until(&notes, 1);
  assert_string_equal(noted_from, "builder");
  assert_int_equal(ipc_service_send(server, "shell", "x", NULL), UV_ENOTCONN);
  duo_finish(&duo);
}

static void claim(wire_t* wire, const char* params) {
  char text[512];

  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.hello\",\"params\":%s}",
           params);
  wire_say(wire, text);
  wire_say(wire, "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":1}");
  wire_line(wire, wire->lines);
}

static void test_claims(void** state) {
  wire_t wire = {0};
  wire_t other = {0};
  ipc_service_peer_t* first;
  char name[300];

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  wire_connect(&wire, duo.name);
  claim(&wire, "[]");
  claim(&wire, "{\"name\":5}");
  claim(&wire, "{\"name\":\"\"}");
  claim(&wire, "{\"name\":\"a\\u0000b\"}");
  snprintf(name, sizeof(name), "{\"name\":\"%0256d\"}", 0);
  claim(&wire, name);
  first = duo.server.peer;
  assert_null(ipc_service_peer_name(first));
  claim(&wire, "{\"name\":\"one\"}");
  assert_string_equal(ipc_service_peer_name(first), "one");
  /* It can't be two. */
  claim(&wire, "{\"name\":\"two\"}");
  assert_string_equal(ipc_service_peer_name(first), "one");
  assert_int_equal(duo.server.events[IPC_SERVICE_PEER_NAMED], 1);
  /* The older one has the name, until it is gone. */
  wire_connect(&other, duo.name);
  claim(&other, "{\"name\":\"one\"}");
  assert_ptr_not_equal(duo.server.peer, first);
  assert_ptr_equal(ipc_service_find(duo.server.service, "one"), first);
  wire_close(&wire);
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
  assert_ptr_equal(ipc_service_find(duo.server.service, "one"),
                   duo.server.peer);
  wire_close(&other);
  duo_finish(&duo);
}

static void test_claims_not_accepted(void** state) {
  wire_t wire = {0};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_accept_names(&duo.server.options, 0);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  wire_connect(&wire, duo.name);
  claim(&wire, "{\"name\":\"one\"}");
  assert_null(ipc_service_find(duo.server.service, "one"));
  assert_int_equal(duo.server.events[IPC_SERVICE_PEER_NAMED], 0);
  wire_close(&wire);
  duo_finish(&duo);
}

/* ---- On demand --------------------------------------------------------------
 */

static int dials;
static int dial_status;

/* The endpoint isn't called what we call it. */
static int on_dial(ipc_service_t* service,
                   const char* name,
                   ipc_client_options_t* options,
                   void* arg) {
  assert_ptr_equal(service, duo.client.service);
  assert_string_equal(name, "shell");
  assert_ptr_equal(arg, &dials);
  dials++;
  *options = duo.client_options;
  return dial_status;
}

static void test_by_name(void** state) {
  said_t said = {0};

  (void) state;
  dials = dial_status = notes = 0;
  duo_init(&duo, IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  ipc_service_on(duo.server.service, "x", on_note, NULL, NULL);
  ipc_service_set_dial(duo.client.service, on_dial, &dials);
  dial_status = UV_EPERM;
  assert_int_equal(ipc_service_send(duo.client.service, "shell", "x", NULL),
                   UV_EPERM);
  dial_status = 0;
  assert_int_equal(ipc_service_send(duo.client.service, "shell", "x", NULL), 0);
  assert_int_equal(ipc_service_send(duo.client.service, "shell", "x", NULL), 0);
  assert_int_equal(ipc_service_call_name(duo.client.service, "shell", "sum",
                                         NULL, 60000, on_said, &said, &said.op),
                   0);
  assert_int_equal(said.ends, 0);
  said_ends(&said, 0);
  assert_int_equal(notes, 2);
  assert_int_equal(dials, 2);
  assert_int_equal(stats_of(&duo.client).peers, 1);
  said_free(&said);
  /* When it has gone another is made. */
  ipc_service_peer_close(ipc_service_find(duo.client.service, "shell"));
  assert_int_equal(ipc_service_send(duo.client.service, "shell", "x", NULL), 0);
  run_until(&notes, 3);
  assert_int_equal(dials, 3);
  assert_int_equal(ipc_service_send(duo.client.service, "", "x", NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_service_send(duo.client.service, NULL, "x", NULL),
                   UV_EINVAL);
  duo_finish(&duo);
}

/* Without a function of ours: the name is the endpoint's, the framing native.
 */
static void test_by_name_with_defaults(void** state) {
  said_t said = {0};
  said_t none = {0};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  ipc_service_set_dial(duo.client.service, NULL, NULL);
  assert_int_equal(ipc_service_call_name(duo.client.service, duo.name, "sum",
                                         NULL, 60000, on_said, &said, NULL),
                   0);
  said_ends(&said, 0);
  assert_int_equal(
      ipc_service_call_name(duo.client.service, "ipc-nobody-here", "sum", NULL,
                            60000, on_said, &none, NULL),
      0);
  said_ends(&none, UV_ENOENT);
  said_free(&said);
  assert_int_equal(ipc_service_call_name(duo.client.service, "a/b", "sum", NULL,
                                         60000, on_said, &none, NULL),
                   UV_EINVAL);
  duo_finish(&duo);
}

/* ---- Pushes
 * ------------------------------------------------------------------ */

static int has_name(ipc_service_peer_t* peer, void* arg) {
  const char* name = ipc_service_peer_name(peer);

  return name != NULL && strcmp(name, arg) == 0;
}

static int close_all(ipc_service_peer_t* peer, void* arg) {
  (void) arg;
  ipc_service_peer_close(peer);
  return 1;
}

static void test_push(void** state) {
  wire_t wires[3];
  size_t reached;
  int i;

  (void) state;
  memset(wires, 0, sizeof(wires));
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  assert_int_equal(
      ipc_service_push(duo.server.service, NULL, NULL, "x", NULL, &reached), 0);
  assert_int_equal(reached, 0);
  for (i = 0; i < 3; i++) {
    wire_connect(&wires[i], duo.name);
    run_until(&duo.server.events[IPC_SERVICE_PEER_CAME], i + 1);
  }
  claim(&wires[1], "{\"name\":\"two\"}");
  assert_int_equal(ipc_service_push(duo.server.service, NULL, NULL, "x",
                                    json_pack("[i]", 1), &reached),
                   0);
  assert_int_equal(reached, 3);
  assert_int_equal(
      ipc_service_push(duo.server.service, has_name, "two", "y", NULL, NULL),
      0);
  assert_string_equal(wire_line(&wires[0], 0),
                      "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":[1]}");
  assert_string_equal(wire_line(&wires[1], 2),
                      "{\"jsonrpc\":\"2.0\",\"method\":\"y\"}");
  assert_int_equal(wires[2].lines, 1);
  assert_int_equal(ipc_service_push(duo.server.service, NULL, NULL, "x",
                                    json_true(), &reached),
                   UV_EINVAL);
  /* A filter may do anything. */
  assert_int_equal(ipc_service_push(duo.server.service, close_all, NULL, "x",
                                    NULL, &reached),
                   0);
  assert_int_equal(reached, 0);
  for (i = 0; i < 3; i++) wire_close(&wires[i]);
  duo_finish(&duo);
}

/* ---- Channels made otherwise
 * --------------------------------------------------- */

static void test_pair_of_channels(void** state) {
  ipc_channel_options_t options;
  const ipc_channel_options_t* both[2] = {&options, &options};
  void* none[2] = {NULL, NULL};
  ipc_channel_t* channels[2];
  ipc_service_peer_t* peers[2];
  said_t said = {0};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  ipc_channel_options_init(&options);
  assert_int_equal(ipc_service_channel_options(&options), 0);
  assert_int_equal(ipc_channel_pair(test_loop(), both, none, channels), 0);
  assert_int_equal(ipc_service_add_channel(duo.client.service, channels[0],
                                           "parent", &peers[0]),
                   0);
  assert_int_equal(
      ipc_service_add_channel(duo.server.service, channels[1], NULL, &peers[1]),
      0);
  /* Before it is connected. */
  assert_int_equal(say_call(&said, peers[0], "sum", json_pack("[i]", 4)), 0);
  said_ends(&said, 0);
  assert_json(said.result, "4");
  assert_int_equal(duo.client.events[IPC_SERVICE_PEER_CAME], 1);
  assert_int_equal(duo.server.events[IPC_SERVICE_PEER_CAME], 1);
  said_free(&said);
  duo_finish(&duo);
}

static void test_raw_is_refused(void** state) {
  ipc_channel_options_t options;
  const ipc_channel_options_t* both[2] = {&options, &options};
  void* none[2] = {NULL, NULL};
  ipc_channel_t* channels[2];

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_RAW);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   UV_EINVAL);
  assert_int_equal(
      ipc_service_connect(duo.client.service, &duo.client_options, NULL, NULL),
      UV_EINVAL);
  ipc_channel_options_init(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(ipc_service_channel_options(&options), 0);
  assert_int_equal(ipc_channel_pair(test_loop(), both, none, channels), 0);
  assert_int_equal(
      ipc_service_add_channel(duo.client.service, channels[0], NULL, NULL),
      UV_EINVAL);
  /* It is still ours. */
  ipc_channel_close(channels[0]);
  ipc_channel_close(channels[1]);
  duo_finish(&duo);
}

/* ---- Events
 * -------------------------------------------------------------------- */

static void test_ready(void** state) {
  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  assert_int_equal(duo.server.events[IPC_SERVICE_READY], 0);
  run_until(&duo.server.events[IPC_SERVICE_READY], 1);
  assert_non_null(strstr(duo.server.text[IPC_SERVICE_READY], duo.name));
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   UV_EADDRINUSE);
  duo_finish(&duo);
}

/* A server that comes back: our calls end, and the peer goes on. */
static void test_reconnect(void** state) {
  said_t said = {0};
  said_t next = {0};
  party_t second;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_service_options_set_name(&duo.client.options, "editor");
  ipc_client_options_set_reconnect(&duo.client_options, 1, 20);
  duo_open(&duo);
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  party_close(&duo.server);
  run_until(&duo.client.events[IPC_SERVICE_PEER_LOST], 1);
  assert_int_equal(said.ends, 1);
  assert_true(said.status == UV_EOF || said.status == UV_ECONNRESET);
  run_until(&duo.server.closes, 1);
  party_init(&second);
  party_create(&second);
  offer_methods(second.service);
  while (ipc_service_listen(second.service, &duo.server_options) != 0) {
    test_turn();
  }
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], 2);
  assert_int_equal(duo.client.events[IPC_SERVICE_PEER_GONE], 0);
  assert_int_equal(say_call(&next, duo.client.peer, "sum", NULL), 0);
  said_ends(&next, 0);
  said_free(&next);
  run_until(&second.events[IPC_SERVICE_PEER_NAMED], 1);
  party_close(&duo.client);
  run_until(&duo.client.closes, 1);
  party_close(&second);
  duo_finish(&duo);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_introduction),
      TEST(test_claims),
      TEST(test_claims_not_accepted),
      TEST(test_by_name),
      TEST(test_by_name_with_defaults),
      TEST(test_push),
      TEST(test_pair_of_channels),
      TEST(test_raw_is_refused),
      TEST(test_ready),
      TEST(test_reconnect),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
