/* The ways in which a service ends, and what becomes of what was under way:
 * quit, close, and peers that don't read or leave in the middle. */
#include <stdio.h>

#include "service_pair.h"

static duo_t duo;

static void open_lines(void) {
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_open(&duo);
}

static ipc_service_stats_t stats_of(const party_t* party) {
  ipc_service_stats_t stats;

  assert_int_equal(ipc_service_stats(party->service, &stats), 0);
  return stats;
}

/* ---- Quit ------------------------------------------------------------------
 */

static void test_quit_waits_for_answers(void** state) {
  said_t said = {0};
  said_t late = {0};

  (void) state;
  open_lines();
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  party_quit(&duo.server, FOREVER);
  assert_int_equal(ipc_service_quit(duo.server.service, 0, NULL), UV_EALREADY);
  assert_int_equal(say_call(&late, duo.client.peer, "sum", NULL), 0);
  said_ends(&late, UV_EREMOTEIO);
  assert_int_equal(late.code, IPC_SERVICE_SHUTTING_DOWN);
  assert_string_equal(late.message, "Shutting down");
  assert_int_equal(duo.server.quits, 0);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_integer(7)), 0);
  assert_int_equal(duo.server.quits, 0);
  said_ends(&said, 0);
  assert_json(said.result, "7");
  run_until(&duo.server.quits, 1);
  assert_int_equal(stats_of(&duo.server).peers, 0);
  run_until(&duo.client.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.client.status[IPC_SERVICE_PEER_GONE], 0);
  said_free(&said);
  duo_finish(&duo);
  assert_int_equal(duo.server.quits, 1);
}

static void test_quit_waits_for_calls(void** state) {
  said_t said = {0};

  (void) state;
  open_lines();
  assert_int_equal(say_call(&said, duo.server.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  party_quit(&duo.server, FOREVER);
  assert_int_equal(
      ipc_service_reply(duo.client.service, waiting[0], json_true()), 0);
  said_ends(&said, 0);
  run_until(&duo.server.quits, 1);
  duo_finish(&duo);
}

static void test_quit_after_the_grace_time(void** state) {
  said_t said = {0};
  said_t own = {0};
  uint64_t began_at = uv_hrtime();

  (void) state;
  open_lines();
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  assert_int_equal(say_call(&own, duo.server.peer, "wait", NULL), 0);
  run_until(&waiting_count, 2);
  party_quit(&duo.server, 40);
  said_ends(&own, UV_ECANCELED);
  assert_true(uv_hrtime() - began_at >= 40 * (uint64_t) 1000000);
  said_ends(&said, UV_EREMOTEIO);
  assert_int_equal(said.code, IPC_SERVICE_SHUTTING_DOWN);
  run_until(&duo.server.quits, 1);
  duo_finish(&duo);
}

static void test_quit_of_one_that_is_idle(void** state) {
  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_create(&duo);
  assert_int_equal(ipc_service_quit(duo.server.service, -2, NULL), UV_EINVAL);
  assert_int_equal(ipc_service_quit(NULL, 0, NULL), UV_EINVAL);
  party_quit(&duo.server, 0);
  run_until(&duo.server.quits, 1);
  duo_finish(&duo);
}

/* A close in the middle of a quit: both are told, in this order. */
static void test_close_while_it_quits(void** state) {
  said_t said = {0};

  (void) state;
  open_lines();
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  party_quit(&duo.server, FOREVER);
  party_close(&duo.server);
  run_until(&duo.server.closes, 1);
  assert_int_equal(duo.server.quits, 1);
  said_ends(&said, UV_EOF);
  duo_finish(&duo);
}

/* A signal handler's way: quit, and close when that is over. */
static void close_party(party_t* party, ipc_service_event_t event) {
  if (event == IPC_SERVICE_PEER_GONE) party_close(party);
}

static void test_close_in_an_event(void** state) {
  (void) state;
  open_lines();
  duo.server.on_event = close_party;
  duo.client.on_event = close_party;
  ipc_service_peer_close(duo.client.peer);
  run_until(&duo.server.closes, 1);
  run_until(&duo.client.closes, 1);
  duo_finish(&duo);
}

/* ---- Peers that don't read, or leave
 * ----------------------------------------- */

static char big[100001];

/* What a deaf peer is owed waits here, nothing more is read from it beyond the
 * limit, and all of it arrives when it reads on. */
static void test_slow_reader(void** state) {
  wire_t wire = {0};
  char text[256];
  int asked = 0;
  int i;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_server_options_set_max_queue_bytes(&duo.server_options, 1000);
  ipc_service_options_set_max_waiting_bytes(&duo.server.options, 200000);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  wire.is_deaf = 1;
  wire_connect(&wire, duo.name);
  memset(big, 'x', sizeof(big) - 1);
  while (asked < 100) {
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":%d}", ++asked);
    wire_say(&wire, text);
  }
  run_until(&waiting_count, 100);
  for (i = 0; i < 100; i++) {
    assert_int_equal(
        ipc_service_reply(duo.server.service, waiting[i], json_string(big)), 0);
  }
  assert_true(stats_of(&duo.server).answer_bytes_queued > 200000);
  assert_int_equal(ipc_service_notify(duo.server.peer, "x", NULL), UV_EAGAIN);
  /* It isn't heard now. */
  wire_say(&wire, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":101}");
  test_run_for(30);
  assert_int_equal(waiting_count, 100);
  wire.is_deaf = 0;
  ipc_channel_resume(wire.channel);
  run_until(&wire.lines, 100);
  for (i = 0; i < 100; i++) {
    snprintf(text, sizeof(text), "\"id\":%d}", i + 1);
    assert_non_null(strstr(wire.text[i] + 100000, text));
  }
  run_until(&waiting_count, 101);
  run_until(&duo.server.events[IPC_SERVICE_PEER_WRITABLE], 1);
  assert_int_equal(stats_of(&duo.server).answer_bytes_queued, 0);
  wire_close(&wire);
  duo_finish(&duo);
}

/* A push that doesn't fit is the slow-reader policy's business. */
static void test_push_to_a_slow_reader(void** state) {
  wire_t wire = {0};
  size_t reached;
  int pushed = 0;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_server_options_set_max_queue_bytes(&duo.server_options, 1000);
  ipc_server_options_set_slow_reader(&duo.server_options,
                                     IPC_CHANNEL_SLOW_DISCONNECT);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  wire.is_deaf = 1;
  wire_connect(&wire, duo.name);
  run_until(&duo.server.events[IPC_SERVICE_PEER_CAME], 1);
  memset(big, 'x', sizeof(big) - 1);
  do {
    assert_int_equal(ipc_service_push(duo.server.service, NULL, NULL, "news",
                                      json_pack("[s]", big), &reached),
                     0);
    test_run_for(1);
    assert_true(++pushed < 10000);
  } while (reached == 1);
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.server.status[IPC_SERVICE_PEER_GONE], UV_ENOBUFS);
  wire_close(&wire);
  duo_finish(&duo);
}

/* The answer is more than the peer takes. */
static void test_too_large_an_answer(void** state) {
  said_t said = {0};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_client_options_set_max_message_bytes(&duo.client_options, 10000);
  duo_open(&duo);
  memset(big, 'x', sizeof(big) - 1);
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_string(big)),
      UV_EMSGSIZE);
  said_ends(&said, UV_EREMOTEIO);
  assert_int_equal(said.code, IPC_SERVICE_INTERNAL_ERROR);
  assert_json(said.data, "{\"problem\":\"the answer is too large\"}");
  said_free(&said);
  assert_int_equal(say_call(&said, duo.client.peer, "x", json_pack("[s]", big)),
                   UV_EMSGSIZE);
  duo_finish(&duo);
}

/* One who says half a text and leaves, again and again. */
static void test_peers_that_leave(void** state) {
  wire_t wire = {0};
  int i;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_create(&duo);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  for (i = 0; i < 20; i++) {
    wire_connect(&wire, duo.name);
    wire_say(&wire, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}");
    wire_say(&wire, "[{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}");
    run_until(&waiting_count, i + 1);
    ipc_channel_disconnect(wire.channel);
    wire_close(&wire);
  }
  for (i = 0; i < 20; i++) {
    int err = ipc_service_reply(duo.server.service, waiting[i], json_true());

    assert_true(err == UV_ENOENT || err == UV_EPIPE || err == 0);
  }
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 20);
  assert_int_equal(stats_of(&duo.server).requests_pending, 0);
  duo_finish(&duo);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_quit_waits_for_answers),
      TEST(test_quit_waits_for_calls),
      TEST(test_quit_after_the_grace_time),
      TEST(test_quit_of_one_that_is_idle),
      TEST(test_close_while_it_quits),
      TEST(test_close_in_an_event),
      TEST(test_slow_reader),
      TEST(test_push_to_a_slow_reader),
      TEST(test_too_large_an_answer),
      TEST(test_peers_that_leave),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
