/* Calls: the ways in which they end, how many can be pending, what is done with
 * answers that nobody waits for, batches, and calls within calls. */
#include <stdio.h>

#include "service_pair.h"

#define MANY 1000

static duo_t duo;
static said_t many[MANY];

static void open_lines(void) {
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_open(&duo);
}

static ipc_service_stats_t stats_of(const party_t* party) {
  ipc_service_stats_t stats;

  assert_int_equal(ipc_service_stats(party->service, &stats), 0);
  return stats;
}

/* ---- Ends ---------------------------------------------------------------- */

static void test_error_object(void** state) {
  said_t said = {0};

  (void) state;
  open_lines();
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  assert_int_equal(
      ipc_service_reply_error(duo.server.service, waiting[0], -12345,
                              "not today", json_pack("{s:i}", "until", 7)),
      0);
  said_ends(&said, UV_EREMOTEIO);
  assert_int_equal(said.code, -12345);
  assert_string_equal(said.message, "not today");
  assert_json(said.data, "{\"until\":7}");
  said_free(&said);
  assert_int_equal(say_call(&said, duo.client.peer, "absent", NULL), 0);
  said_ends(&said, UV_EREMOTEIO);
  assert_int_equal(said.code, IPC_SERVICE_METHOD_NOT_FOUND);
  assert_string_equal(said.message, "Method not found");
  assert_null(said.data);
  said_free(&said);
  duo_finish(&duo);
}

static void test_timeout_and_late_answer(void** state) {
  said_t said = {0};
  said_t next = {0};

  (void) state;
  open_lines();
  assert_int_equal(say_call_for(&said, duo.client.peer, "wait", NULL, 30), 0);
  said_ends(&said, UV_ETIMEDOUT);
  assert_true(said.ended_at - said.began_at >= 30 * (uint64_t) 1000000);
  run_until(&waiting_count, 1);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()), 0);
  assert_int_equal(say_call(&next, duo.client.peer, "sum", NULL), 0);
  said_ends(&next, 0);
  assert_int_equal(stats_of(&duo.client).late_replies, 1);
  assert_int_equal(said.ends, 1);
  said_free(&next);
  duo_finish(&duo);
}

static void test_cancel(void** state) {
  said_t said = {0};
  said_t next = {0};

  (void) state;
  open_lines();
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  assert_int_equal(ipc_service_cancel(duo.client.service, said.op), 0);
  assert_int_equal(said.ends, 0);
  assert_int_equal(ipc_service_cancel(duo.client.service, said.op), UV_ENOENT);
  said_ends(&said, UV_ECANCELED);
  assert_int_equal(ipc_service_cancel(duo.client.service, said.op), UV_ENOENT);
  assert_int_equal(ipc_service_cancel(duo.client.service, 0), UV_ENOENT);
  assert_int_equal(ipc_service_cancel(duo.client.service, 12345), UV_ENOENT);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()), 0);
  assert_int_equal(say_call(&next, duo.client.peer, "sum", NULL), 0);
  said_ends(&next, 0);
  assert_int_equal(stats_of(&duo.client).late_replies, 1);
  said_free(&next);
  duo_finish(&duo);
}

/* An answer that comes in the turn in which its call was cancelled. */
static void cancel_other(said_t* said) {
  said_t* other = said->arg;

  assert_int_equal(ipc_service_cancel(duo.client.service, other->op), 0);
}

static void test_cancel_in_a_callback(void** state) {
  said_t first = {0};
  said_t second = {0};

  (void) state;
  open_lines();
  first.arg = &second;
  first.on_end = cancel_other;
  assert_int_equal(say_call(&first, duo.client.peer, "sum", NULL), 0);
  assert_int_equal(say_call(&second, duo.client.peer, "sum", NULL), 0);
  said_ends(&second, UV_ECANCELED);
  assert_int_equal(first.status, 0);
  said_free(&first);
  while (stats_of(&duo.client).late_replies == 0) test_turn();
  duo_finish(&duo);
}

static void test_peer_gone(void** state) {
  said_t said = {0};
  said_t own = {0};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_linger_timeout(&duo.client.options, 50);
  duo_open(&duo);
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  assert_int_equal(say_call(&own, duo.server.peer, "wait", NULL), 0);
  run_until(&waiting_count, 2);
  assert_int_equal(ipc_service_peer_close(duo.server.peer), 0);
  assert_int_equal(ipc_service_peer_close(duo.server.peer), UV_EALREADY);
  assert_int_equal(ipc_service_notify(duo.server.peer, "x", NULL), UV_EPIPE);
  assert_int_equal(own.ends, 0);
  said_ends(&own, UV_ECANCELED);
  said_ends(&said, UV_EOF);
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
  /* It might only have ended its side, and wait for what it had asked. */
  run_until(&duo.client.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.client.events[IPC_SERVICE_PEER_ENDED], 1);
  assert_int_equal(duo.client.status[IPC_SERVICE_ERROR], UV_ETIMEDOUT);
  /* Whose requests were there is nobody. */
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()),
      UV_ENOENT);
  assert_int_equal(
      ipc_service_reply(duo.client.service, waiting[1], json_true()),
      UV_ENOENT);
  duo_finish(&duo);
}

static void test_nobody_there(void** state) {
  said_t said = {0};
  ipc_service_peer_t* peer;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_create(&duo);
  assert_int_equal(
      ipc_service_connect(duo.client.service, &duo.client_options, NULL, &peer),
      0);
  assert_int_equal(say_call(&said, peer, "sum", NULL), 0);
  said_ends(&said, UV_ENOENT);
  run_until(&duo.client.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.client.status[IPC_SERVICE_PEER_GONE], UV_ENOENT);
  assert_int_equal(duo.client.events[IPC_SERVICE_PEER_CAME], 0);
  duo_finish(&duo);
}

static void test_arguments(void** state) {
  said_t said = {0};
  ipc_service_peer_t* peer;

  (void) state;
  open_lines();
  peer = duo.client.peer;
  assert_int_equal(say_call(&said, NULL, "sum", json_array()), UV_EINVAL);
  assert_int_equal(say_call(&said, peer, NULL, json_array()), UV_EINVAL);
  assert_int_equal(say_call(&said, peer, "\xff", NULL), UV_EINVAL);
  assert_int_equal(say_call(&said, peer, "sum", json_integer(1)), UV_EINVAL);
  assert_int_equal(say_call(&said, peer, "sum", json_string("x")), UV_EINVAL);
  assert_int_equal(say_call_for(&said, peer, "sum", json_array(), 0),
                   UV_EINVAL);
  assert_int_equal(say_call_for(&said, peer, "sum", json_array(), -2),
                   UV_EINVAL);
  assert_int_equal(
      ipc_service_call(peer, "sum", json_array(), 1000, NULL, NULL, NULL),
      UV_EINVAL);
  assert_int_equal(ipc_service_notify(peer, "x", json_true()), UV_EINVAL);
  assert_int_equal(ipc_service_notify(NULL, "x", json_array()), UV_EINVAL);
  assert_int_equal(ipc_service_reply(duo.client.service, 0, json_true()), 0);
  assert_int_equal(ipc_service_reply(duo.client.service, 1, NULL), UV_EINVAL);
  assert_int_equal(ipc_service_reply(duo.client.service, 9, json_true()),
                   UV_ENOENT);
  assert_int_equal(stats_of(&duo.client).calls, 0);
  duo_finish(&duo);
}

/* A reply that was wrong leaves its request as it was; the second right one is
 * for nobody. */
static void test_replies(void** state) {
  said_t said = {0};
  ipc_service_t* server;

  (void) state;
  open_lines();
  server = duo.server.service;
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  assert_int_equal(ipc_service_reply(server, waiting[0], NULL), UV_EINVAL);
  assert_int_equal(
      ipc_service_reply_error(server, waiting[0], 1, "\xff", json_true()),
      UV_EINVAL);
  assert_int_equal(stats_of(&duo.server).requests_pending, 1);
  assert_int_equal(
      ipc_service_reply_error(server, waiting[0], -32602, NULL, NULL), 0);
  assert_int_equal(ipc_service_reply(server, waiting[0], json_true()),
                   UV_ENOENT);
  assert_int_equal(ipc_service_reply_error(server, waiting[0], 1, NULL, NULL),
                   UV_ENOENT);
  said_ends(&said, UV_EREMOTEIO);
  assert_string_equal(said.message, "Invalid params");
  assert_int_equal(stats_of(&duo.client).unknown_replies, 0);
  duo_finish(&duo);
}

/* ---- Many ---------------------------------------------------------------- */

static void test_a_thousand_pending(void** state) {
  int i;

  (void) state;
  memset(many, 0, sizeof(many));
  open_lines();
  for (i = 0; i < MANY; i++) {
    assert_int_equal(
        say_call(&many[i], duo.client.peer, "wait", json_pack("[i]", i)), 0);
  }
  run_until(&waiting_count, MANY);
  assert_int_equal(stats_of(&duo.client).calls_pending, MANY);
  assert_int_equal(stats_of(&duo.server).requests_pending, MANY);
  /* Every other one is cancelled, the others answered in the reverse order. */
  for (i = 0; i < MANY; i += 2) {
    assert_int_equal(ipc_service_cancel(duo.client.service, many[i].op), 0);
  }
  for (i = MANY - 1; i >= 0; i--) {
    assert_int_equal(
        ipc_service_reply(duo.server.service, waiting[i], json_integer(i)), 0);
  }
  for (i = 0; i < MANY; i++) {
    said_ends(&many[i], i % 2 == 0 ? UV_ECANCELED : 0);
    if (i % 2 != 0) assert_int_equal(json_integer_value(many[i].result), i);
    said_free(&many[i]);
  }
  while (stats_of(&duo.client).late_replies < MANY / 2) test_turn();
  assert_int_equal(stats_of(&duo.client).calls_pending, 0);
  assert_int_equal(stats_of(&duo.server).requests_pending, 0);
  duo_finish(&duo);
}

static void test_max_calls(void** state) {
  said_t said[3] = {{0}};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_max_calls(&duo.client.options, 2);
  duo_open(&duo);
  assert_int_equal(say_call(&said[0], duo.client.peer, "wait", NULL), 0);
  assert_int_equal(say_call(&said[1], duo.client.peer, "wait", NULL), 0);
  assert_int_equal(say_call(&said[2], duo.client.peer, "sum", NULL), UV_EBUSY);
  run_until(&waiting_count, 2);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()), 0);
  said_ends(&said[0], 0);
  assert_int_equal(say_call(&said[2], duo.client.peer, "sum", NULL), 0);
  said_ends(&said[2], 0);
  said_free(&said[2]);
  duo_finish(&duo);
  assert_int_equal(said[1].status, UV_ECANCELED);
}

/* Many deadlines, set in an order that isn't theirs. */
static void test_deadlines(void** state) {
  int i;

  (void) state;
  memset(many, 0, sizeof(many));
  open_lines();
  for (i = 0; i < 200; i++) {
    assert_int_equal(
        say_call_for(&many[i], duo.client.peer, "wait", NULL, 1 + i * 37 % 101),
        0);
  }
  for (i = 0; i < 200; i += 3) {
    assert_int_equal(ipc_service_cancel(duo.client.service, many[i].op), 0);
  }
  for (i = 0; i < 200; i++) {
    said_ends(&many[i], i % 3 == 0 ? UV_ECANCELED : UV_ETIMEDOUT);
    if (i % 3 != 0) {
      assert_true(many[i].ended_at - many[i].began_at >=
                  (1 + (uint64_t) i * 37 % 101) * 1000000);
    }
  }
  duo_finish(&duo);
}

/* ---- Answers that are none ------------------------------------------------
 */

static char asked[256];

static void on_wire_asked(wire_t* wire) {
  snprintf(asked, sizeof(asked), "%s", wire_line(wire, wire->lines));
}

/* What the service asks, and what it makes of this answer, in which a %llu is
 * the number that it asked under. */
static void answered(ipc_service_peer_t* peer,
                     wire_t* wire,
                     said_t* said,
                     const char* answer) {
  char text[512];

  assert_int_equal(say_call(said, peer, "question", NULL), 0);
  on_wire_asked(wire);
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"question\",\"id\":%llu}",
           (unsigned long long) said->op);
  assert_string_equal(asked, text);
  snprintf(text, sizeof(text), answer, (unsigned long long) said->op);
  wire_say(wire, text);
  run_until(&said->ends, 1);
}

static void test_odd_answers(void** state) {
  wire_t wire = {0};
  said_t said = {0};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  party_create(&duo.server);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  wire_connect(&wire, duo.name);
  run_until(&duo.server.events[IPC_SERVICE_PEER_CAME], 1);
  /* Fine. */
  answered(duo.server.peer, &wire, &said,
           "{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":%llu}");
  assert_int_equal(said.status, 0);
  assert_json(said.result, "null");
  said_free(&said);
  answered(duo.server.peer, &wire, &said,
           "{\"jsonrpc\":\"2.0\",\"result\":1,\"error\":null,\"id\":%llu.0}");
  assert_int_equal(said.status, 0);
  said_free(&said);
  answered(duo.server.peer, &wire, &said,
           "[{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":%llu}]");
  assert_int_equal(said.status, 0);
  said_free(&said);
  answered(duo.server.peer, &wire, &said,
           "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":5,\"message\":\"m\"},"
           "\"result\":null,\"id\":%llu}");
  assert_int_equal(said.status, UV_EREMOTEIO);
  assert_int_equal(said.code, 5);
  said_free(&said);
  assert_int_equal(duo.server.events[IPC_SERVICE_ERROR], 0);
  /* Not fine. */
  answered(duo.server.peer, &wire, &said,
           "{\"jsonrpc\":\"2.0\",\"result\":1,\"error\":"
           "{\"code\":5,\"message\":\"m\"},\"id\":%llu}");
  assert_int_equal(said.status, UV_EPROTO);
  said_free(&said);
  answered(duo.server.peer, &wire, &said,
           "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":\"5\"},\"id\":%llu}");
  assert_int_equal(said.status, UV_EPROTO);
  said_free(&said);
  answered(duo.server.peer, &wire, &said, "{\"result\":1,\"id\":%llu}");
  assert_int_equal(said.status, UV_EPROTO);
  said_free(&said);
  run_until(&duo.server.events[IPC_SERVICE_ERROR], 3);
  /* And none of it was answered. */
  assert_int_equal(wire.lines, 7);
  wire_close(&wire);
  duo_finish(&duo);
}

/* Nobody answers for another. */
static void test_answer_of_another_peer(void** state) {
  wire_t good = {0};
  wire_t bad = {0};
  said_t said = {0};
  ipc_service_peer_t* peer;
  char text[128];

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  party_create(&duo.server);
  assert_int_equal(ipc_service_listen(duo.server.service, &duo.server_options),
                   0);
  wire_connect(&good, duo.name);
  run_until(&duo.server.events[IPC_SERVICE_PEER_CAME], 1);
  peer = duo.server.peer;
  wire_connect(&bad, duo.name);
  run_until(&duo.server.events[IPC_SERVICE_PEER_CAME], 2);
  assert_int_equal(say_call(&said, peer, "secret", NULL), 0);
  snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"result\":0,\"id\":%llu}",
           (unsigned long long) said.op);
  wire_say(&bad, text);
  while (stats_of(&duo.server).unknown_replies == 0) test_turn();
  assert_int_equal(said.ends, 0);
  text[26] = '1';
  wire_say(&good, text);
  said_ends(&said, 0);
  said_free(&said);
  wire_close(&good);
  wire_close(&bad);
  duo_finish(&duo);
}

/* ---- Batches ------------------------------------------------------------- */

static int notes;

static void on_note(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    const char* method,
                    json_t* params,
                    void* arg) {
  (void) service, (void) peer, (void) method, (void) params, (void) arg;
  notes++;
}

static void test_batch(void** state) {
  said_t said[3] = {{0}};
  ipc_service_batch_t* batch;

  (void) state;
  notes = 0;
  open_lines();
  ipc_service_on(duo.server.service, "note", on_note, NULL, NULL);
  assert_int_equal(ipc_service_batch_create(duo.client.service, &batch), 0);
  assert_int_equal(ipc_service_batch_send(batch, duo.client.peer), UV_EINVAL);
  assert_int_equal(
      ipc_service_batch_call(batch, "sum", json_pack("[i,i]", 1, 2), FOREVER,
                             on_said, &said[0], &said[0].op),
      0);
  assert_int_equal(ipc_service_batch_notify(batch, "note", NULL), 0);
  assert_int_equal(ipc_service_batch_call(batch, "absent", NULL, 60000, on_said,
                                          &said[1], NULL),
                   0);
  assert_int_equal(ipc_service_batch_notify(batch, "note", json_integer(1)),
                   UV_EINVAL);
  assert_int_equal(ipc_service_batch_call(batch, "wait", NULL, 20, on_said,
                                          &said[2], &said[2].op),
                   0);
  assert_int_equal(ipc_service_cancel(duo.client.service, said[0].op),
                   UV_ENOENT);
  assert_int_equal(stats_of(&duo.client).calls_pending, 0);
  assert_int_equal(ipc_service_batch_send(batch, duo.client.peer), 0);
  assert_int_equal(stats_of(&duo.client).calls_pending, 3);
  said_ends(&said[2], UV_ETIMEDOUT);
  run_until(&waiting_count, 1);
  assert_int_equal(notes, 1);
  assert_int_equal(said[0].ends, 0); /* all or nothing */
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()), 0);
  said_ends(&said[0], 0);
  assert_json(said[0].result, "3");
  said_ends(&said[1], UV_EREMOTEIO);
  assert_int_equal(stats_of(&duo.client).late_replies, 1);
  said_free(&said[0]);
  /* One that isn't sent leaves nothing. */
  assert_int_equal(ipc_service_batch_create(duo.client.service, &batch), 0);
  assert_int_equal(
      ipc_service_batch_call(batch, "sum", NULL, 1, on_said, &said[0], NULL),
      0);
  ipc_service_batch_discard(batch);
  ipc_service_batch_discard(NULL);
  duo_finish(&duo);
  assert_int_equal(said[0].ends, 0);
}

static void test_batch_fails_whole(void** state) {
  said_t said = {0};
  said_t more = {0};
  ipc_service_batch_t* batch;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_max_calls(&duo.client.options, 1);
  duo_open(&duo);
  assert_int_equal(ipc_service_batch_create(duo.client.service, &batch), 0);
  assert_int_equal(
      ipc_service_batch_call(batch, "sum", NULL, FOREVER, on_said, &said, NULL),
      0);
  assert_int_equal(say_call(&more, duo.client.peer, "sum", NULL), 0);
  assert_int_equal(ipc_service_batch_send(batch, duo.client.peer), UV_EBUSY);
  said_ends(&more, 0);
  said_free(&more);
  assert_int_equal(ipc_service_batch_send(batch, duo.client.peer), 0);
  said_ends(&said, 0);
  said_free(&said);
  duo_finish(&duo);
}

/* ---- Calls within calls ---------------------------------------------------
 */

/* "down" of n calls the caller's "down" of n - 1, and answers one more than
 * that does. */
static void on_down_answer(ipc_service_t* service,
                           void* arg,
                           const ipc_service_answer_t* answer) {
  ipc_service_request_t* request = arg;

  assert_int_equal(answer->status, 0);
  assert_int_equal(
      ipc_service_reply(service, *request,
                        json_integer(json_integer_value(answer->result) + 1)),
      0);
  free(request);
}

static void on_down(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    ipc_service_request_t request,
                    json_t* params,
                    void* arg) {
  json_int_t n = json_integer_value(json_array_get(params, 0));
  ipc_service_request_t* kept;

  (void) arg;
  if (n == 0) {
    ipc_service_reply(service, request, json_integer(0));
    return;
  }
  kept = malloc(sizeof(*kept));
  assert_non_null(kept);
  *kept = request;
  assert_int_equal(ipc_service_call(peer, "down", json_pack("[I]", n - 1),
                                    FOREVER, on_down_answer, kept, NULL),
                   0);
}

static void test_both_sides_call(void** state) {
  static const ipc_service_method_t down = {"down", NULL, NULL, NULL};
  said_t said[2] = {{0}};

  (void) state;
  open_lines();
  ipc_service_add_method(duo.server.service, &down, on_down, NULL, NULL);
  ipc_service_add_method(duo.client.service, &down, on_down, NULL, NULL);
  assert_int_equal(
      say_call(&said[0], duo.client.peer, "down", json_pack("[i]", 100)), 0);
  assert_int_equal(
      say_call(&said[1], duo.server.peer, "down", json_pack("[i]", 33)), 0);
  said_ends(&said[0], 0);
  said_ends(&said[1], 0);
  assert_json(said[0].result, "100");
  assert_json(said[1].result, "33");
  said_free(&said[0]);
  said_free(&said[1]);
  duo_finish(&duo);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_error_object),
      TEST(test_timeout_and_late_answer),
      TEST(test_cancel),
      TEST(test_cancel_in_a_callback),
      TEST(test_peer_gone),
      TEST(test_nobody_there),
      TEST(test_arguments),
      TEST(test_replies),
      TEST(test_a_thousand_pending),
      TEST(test_max_calls),
      TEST(test_deadlines),
      TEST(test_odd_answers),
      TEST(test_answer_of_another_peer),
      TEST(test_batch),
      TEST(test_batch_fails_whole),
      TEST(test_both_sides_call),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
