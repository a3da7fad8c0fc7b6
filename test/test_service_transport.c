/* The service over a transport that is no channel: the same calls, with losses,
 * full queues and ends that a test can bring about when it likes. */
#include <stdio.h>

#include "service_loopback.h"
#include "service_pair.h"

static duo_t duo;
static loopback_t* loopback;

static const char* const no_names[2] = {NULL, NULL};

static void open_room(int room) {
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  loopback =
      loopback_open(duo.client.service, duo.server.service, no_names, room);
  run_until(&duo.server.events[IPC_SERVICE_PEER_CAME], 1);
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], 1);
}

static ipc_service_stats_t stats_of(const party_t* party) {
  ipc_service_stats_t stats;

  assert_int_equal(ipc_service_stats(party->service, &stats), 0);
  return stats;
}

static void test_talk(void** state) {
  said_t said = {0};
  said_t back = {0};

  (void) state;
  open_room(0);
  assert_null(ipc_service_peer_channel(duo.client.peer));
  assert_int_equal(
      say_call(&said, duo.client.peer, "sum", json_pack("[i,i]", 1, 2)), 0);
  assert_int_equal(
      say_call(&back, duo.server.peer, "echo", json_pack("[s]", "hi")), 0);
  said_ends(&said, 0);
  said_ends(&back, 0);
  assert_json(said.result, "3");
  assert_json(back.result, "[\"hi\"]");
  said_free(&said);
  said_free(&back);
  duo_finish(&duo);
  assert_int_equal(duo.server.status[IPC_SERVICE_PEER_GONE], 0);
}

static void test_by_name(void** state) {
  said_t said = {0};
  said_t again = {0};

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  assert_int_equal(ipc_service_send(duo.client.service, "shell", "x", NULL),
                   UV_ENOTCONN);
  assert_int_equal(
      ipc_service_set_connector(duo.client.service, &loopback_transport,
                                duo.server.service),
      0);
  assert_int_equal(
      ipc_service_call_name(duo.client.service, "shell", "sum",
                            json_pack("[i]", 5), 60000, on_said, &said, NULL),
      0);
  assert_int_equal(
      ipc_service_call_name(duo.client.service, "shell", "sum",
                            json_pack("[i]", 6), 60000, on_said, &again, NULL),
      0);
  said_ends(&said, 0);
  said_ends(&again, 0);
  assert_int_equal(stats_of(&duo.client).peers, 1);
  assert_string_equal(ipc_service_peer_name(duo.client.peer), "shell");
  said_free(&said);
  said_free(&again);
  duo_finish(&duo);
}

static void test_broken(void** state) {
  said_t said = {0};

  (void) state;
  open_room(0);
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  loopback_break(loopback, UV_ECONNRESET);
  said_ends(&said, UV_ECONNRESET);
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.server.status[IPC_SERVICE_PEER_GONE], UV_ECONNRESET);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()),
      UV_ENOENT);
  duo_finish(&duo);
}

/* What was asked before the loss is not answered after it. */
static void test_lost_and_restored(void** state) {
  said_t said = {0};
  said_t next = {0};
  said_t batched = {0};
  ipc_service_batch_t* batch;

  (void) state;
  open_room(0);
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  ipc_service_batch_create(duo.client.service, &batch);
  ipc_service_batch_call(batch, "wait", NULL, FOREVER, on_said, &batched, NULL);
  ipc_service_batch_send(batch, duo.client.peer);
  run_until(&waiting_count, 2);
  loopback_lose(loopback);
  assert_int_equal(duo.client.events[IPC_SERVICE_PEER_LOST], 1);
  assert_int_equal(said.status, UV_ECONNRESET);
  assert_int_equal(batched.status, UV_ECONNRESET);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()),
      UV_ENOENT);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[1], json_true()),
      UV_ENOENT);
  loopback_restore(loopback);
  assert_int_equal(duo.client.events[IPC_SERVICE_PEER_CAME], 2);
  assert_int_equal(say_call(&next, duo.client.peer, "sum", NULL), 0);
  said_ends(&next, 0);
  said_free(&next);
  assert_int_equal(stats_of(&duo.client).late_replies, 0);
  duo_finish(&duo);
}

/* A call that is made again in the callback that tells of the loss waits for
 * the next connection. */
static said_t again;

static void call_again(said_t* said) {
  (void) said;
  assert_int_equal(
      say_call(&again, duo.client.peer, "sum", json_pack("[i]", 8)), 0);
}

static void test_called_again_after_a_loss(void** state) {
  said_t said[2] = {{0}};

  (void) state;
  memset(&again, 0, sizeof(again));
  open_room(0);
  said[0].on_end = call_again;
  assert_int_equal(say_call(&said[0], duo.client.peer, "wait", NULL), 0);
  assert_int_equal(say_call(&said[1], duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 2);
  loopback_lose(loopback);
  assert_int_equal(said[0].status, UV_ECONNRESET);
  assert_int_equal(said[1].status, UV_ECONNRESET);
  assert_int_equal(again.ends, 0);
  loopback_restore(loopback);
  said_ends(&again, 0);
  assert_json(again.result, "8");
  said_free(&again);
  duo_finish(&duo);
}

/* A peer that doesn't read: answers wait, in order, and what else is to go to
 * it is told that there is no room. */
static void test_full_queue(void** state) {
  said_t said[4] = {{0}};
  int i;

  (void) state;
  open_room(2);
  for (i = 0; i < 2; i++) {
    assert_int_equal(say_call(&said[i], duo.client.peer, "wait", NULL), 0);
  }
  assert_int_equal(say_call(&said[2], duo.client.peer, "wait", NULL),
                   UV_EAGAIN);
  run_until(&duo.client.events[IPC_SERVICE_PEER_WRITABLE], 1);
  for (i = 2; i < 4; i++) {
    while (say_call(&said[i], duo.client.peer, "wait", NULL) != 0) test_turn();
  }
  run_until(&waiting_count, 4);
  loopback_hold(loopback, 1);
  for (i = 0; i < 4; i++) {
    assert_int_equal(
        ipc_service_reply(duo.server.service, waiting[i], json_integer(i)), 0);
  }
  assert_true(stats_of(&duo.server).answer_bytes_queued > 0);
  assert_int_equal(ipc_service_notify(duo.server.peer, "x", NULL), UV_EAGAIN);
  loopback_hold(loopback, 0);
  for (i = 0; i < 4; i++) {
    said_ends(&said[i], 0);
    assert_int_equal(json_integer_value(said[i].result), i);
    if (i > 0) assert_true(said[i].ended_at >= said[i - 1].ended_at);
    said_free(&said[i]);
  }
  assert_int_equal(stats_of(&duo.server).answer_bytes_queued, 0);
  run_until(&duo.server.events[IPC_SERVICE_PEER_WRITABLE], 1);
  duo_finish(&duo);
}

/* And one that never does is given up. */
static void test_deaf_peer(void** state) {
  said_t said[3] = {{0}};
  int i;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_service_options_set_linger_timeout(&duo.server.options, 30);
  ipc_service_options_set_max_waiting_bytes(&duo.server.options, 10);
  duo_create(&duo);
  loopback = loopback_open(duo.client.service, duo.server.service, no_names, 1);
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], 1);
  for (i = 0; i < 3; i++) {
    while (say_call(&said[i], duo.client.peer, "wait", NULL) != 0) test_turn();
  }
  run_until(&waiting_count, 3);
  loopback_hold(loopback, 1);
  for (i = 0; i < 3; i++) {
    assert_int_equal(
        ipc_service_reply(duo.server.service, waiting[i], json_true()), 0);
  }
  run_until(&duo.server.events[IPC_SERVICE_ERROR], 1);
  assert_int_equal(duo.server.status[IPC_SERVICE_ERROR], UV_ETIMEDOUT);
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(stats_of(&duo.server).unsent_answers, 2);
  duo_finish(&duo);
}

static void test_service_that_ends(void** state) {
  ipc_service_peer_t* peer;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  party_quit(&duo.server, 0);
  assert_int_equal(
      ipc_service_peer_came(duo.server.service, &loopback_transport, NULL, NULL,
                            &peer),
      UV_EPIPE);
  assert_null(peer);
  assert_int_equal(
      ipc_service_peer_came(NULL, &loopback_transport, NULL, NULL, &peer),
      UV_EINVAL);
  loopback = loopback_open(duo.client.service, duo.server.service, no_names, 0);
  run_until(&duo.client.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.client.status[IPC_SERVICE_PEER_GONE], UV_ECONNREFUSED);
  run_until(&duo.server.quits, 1);
  duo_finish(&duo);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_talk),
      TEST(test_by_name),
      TEST(test_broken),
      TEST(test_lost_and_restored),
      TEST(test_called_again_after_a_loss),
      TEST(test_full_queue),
      TEST(test_deaf_peer),
      TEST(test_service_that_ends),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
