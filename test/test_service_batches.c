/* Batches of peers: large ones, some that are answered in part when something
 * happens, and answers that are too large together. And ids that are used
 * twice. */
#include <stdio.h>

#include "service_pair.h"

static duo_t duo;
static wire_t wire;

static ipc_service_stats_t stats(void) {
  ipc_service_stats_t found;

  assert_int_equal(ipc_service_stats(duo.server.service, &found), 0);
  return found;
}

static void init(void) {
  memset(&wire, 0, sizeof(wire));
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
}

static void begin(void) {
  party_create(&duo.server);
  offer_methods(duo.server.service);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  wire_connect(&wire, duo.name);
}

static void finish(void) {
  wire_close(&wire);
  duo_finish(&duo);
}

static void hears(int line, const char* text) {
  json_t* heard = json_of(wire_line(&wire, line));

  assert_json(heard, text);
  json_decref(heard);
}

/* ---- Large ones
 * --------------------------------------------------------------
 */

#define ENTRIES 100000
#define NOTE "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}"

static char text[ENTRIES * sizeof(NOTE) + 2];

/* Each entry with a comma or bracket ahead. */
static void write_batch(int count) {
  size_t size = 0;
  int i;

  for (i = 0; i < count; i++) {
    text[size++] = i == 0 ? '[' : ',';
    memcpy(text + size, NOTE, sizeof(NOTE) - 1);
    size += sizeof(NOTE) - 1;
  }
  text[size++] = ']';
  text[size] = '\0';
}

#define MARK "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":\"mark\"}"
#define MARKED "{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":\"mark\"}"

static void test_notifications(void** state) {
  (void) state;
  init();
  ipc_service_options_set_max_batch(&duo.server.options, ENTRIES);
  begin();
  write_batch(ENTRIES);
  wire_say(&wire, text);
  /* It is more than the queue takes at a time. */
  while (stats().notifications < ENTRIES) test_turn();
  wire_say(&wire, MARK);
  hears(0, MARKED);
  assert_int_equal(stats().notifications, ENTRIES);
  finish();
}

static void test_more_than_the_limit(void** state) {
  (void) state;
  init();
  begin();
  write_batch(1000);
  wire_say(&wire, text);
  wire_say(&wire, MARK);
  hears(0, MARKED);
  assert_int_equal(stats().notifications, 1000);
  write_batch(1001);
  wire_say(&wire, text);
  hears(1,
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
        "\"message\":\"Invalid Request\",\"data\":{\"problem\":"
        "\"too large a batch\"}}}");
  assert_int_equal(stats().notifications, 1000);
  finish();
}

/* ---- Answered in part -------------------------------------------------------
 */

#define TWO_WAITS                                        \
  "[{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}," \
  "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":2},"  \
  "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":3}]"

/* Nobody waits for the rest. */
static void test_peer_leaves(void** state) {
  (void) state;
  init();
  begin();
  wire_say(&wire, TWO_WAITS);
  run_until(&waiting_count, 2);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()), 0);
  ipc_channel_disconnect(wire.channel);
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[1], json_true()),
      UV_ENOENT);
  assert_int_equal(stats().requests_pending, 0);
  finish();
}

/* At the end of a quit those that wait are refused, in one text with those that
 * don't. */
static void test_quit(void** state) {
  (void) state;
  init();
  begin();
  wire_say(&wire, TWO_WAITS);
  run_until(&waiting_count, 2);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[1], json_true()), 0);
  party_quit(&duo.server, 1);
  hears(0,
        "[{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":2},"
        "{\"jsonrpc\":\"2.0\",\"result\":true,\"id\":3},"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,"
        "\"message\":\"Shutting down\"}}]");
  run_until(&duo.server.quits, 1);
  finish();
}

static void test_peer_is_closed(void** state) {
  (void) state;
  init();
  begin();
  wire_say(&wire, TWO_WAITS);
  run_until(&waiting_count, 2);
  assert_int_equal(ipc_service_peer_close(duo.server.peer), 0);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()),
      UV_ENOENT);
  run_until(&wire.ends, 1);
  assert_int_equal(wire.lines, 0);
  finish();
}

/* ---- Too large
 * ----------------------------------------------------------------
 */

#define TOO_LARGE(id)                                                     \
  "{\"jsonrpc\":\"2.0\",\"id\":" id                                       \
  ",\"error\":{\"code\":-32603,\"message\":\"Internal error\",\"data\":{" \
  "\"problem\":\"the answer is too large\"}}}"

/* Each gets an error of its own, so that no call waits for ever. */
static void test_answers_too_large_together(void** state) {
  char big[201];
  int i;

  (void) state;
  init();
  ipc_server_options_set_max_message_bytes(&duo.server_options, 500);
  begin();
  memset(big, 'x', sizeof(big) - 1);
  big[sizeof(big) - 1] = '\0';
  wire_say(&wire,
           "[{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":\"a]\\\"\"},"
           "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":2},"
           "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":3}]");
  run_until(&waiting_count, 2);
  for (i = 0; i < 2; i++) {
    assert_int_equal(
        ipc_service_reply(duo.server.service, waiting[i],
                          json_pack("{s:[s],s:i}", "x", big, "id", 7)),
        i == 0 ? 0 : UV_EMSGSIZE);
  }
  hears(0,
        "[" TOO_LARGE("2") "," TOO_LARGE("\"a]\\\"\"") "," TOO_LARGE("3") "]");
  assert_int_equal(duo.server.events[IPC_SERVICE_PEER_GONE], 0);
  finish();
}

/* There is no error that it would take, so that it is told by the end. */
static void test_even_the_error_is_too_large(void** state) {
  said_t said = {0};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_client_options_set_max_message_bytes(&duo.client_options, 60);
  duo_open(&duo);
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  assert_int_equal(
      ipc_service_reply(
          duo.server.service, waiting[0],
          json_string("something that is larger than sixty bytes is")),
      UV_EMSGSIZE);
  run_until(&said.ends, 1);
  assert_int_equal(said.status, UV_EOF);
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.server.status[IPC_SERVICE_PEER_GONE], UV_EMSGSIZE);
  duo_finish(&duo);
}

/* ---- Ids
 * ---------------------------------------------------------------------
 */

/* The peer's business: each is answered, in whatever order. */
static void test_same_id_twice(void** state) {
  (void) state;
  init();
  begin();
  wire_say(&wire, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}");
  wire_say(&wire, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}");
  run_until(&waiting_count, 2);
  assert_true(waiting[0] != waiting[1]);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[1], json_integer(2)), 0);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_integer(1)), 0);
  hears(0, "{\"jsonrpc\":\"2.0\",\"result\":2,\"id\":1}");
  hears(1, "{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":1}");
  finish();
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_notifications),
      TEST(test_more_than_the_limit),
      TEST(test_peer_leaves),
      TEST(test_quit),
      TEST(test_peer_is_closed),
      TEST(test_answers_too_large_together),
      TEST(test_even_the_error_is_too_large),
      TEST(test_same_id_twice),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
