/* Servers that misbehave, or say no: what each looks like to our client. */
#include "harness.h"

#include "pair.h"

/* What the raw server says to each client when it first hears from it. */
static uint8_t words[64];
static size_t words_size;

static side_t second; /* the server's end of the client's second attempt */
static int attempts;

static side_t* next_attempt(pair_t* pair) {
  return ++attempts == 1 ? &pair->accepted : &second;
}

static void say(side_t* side, const void* data, size_t size) {
  (void) data;
  (void) size;
  if (side->asked > 0 || words_size == 0) return;
  assert_int_equal(side_send(side, words, words_size), 0);
}

static void open_server(pair_t* pair) {
  memset(&second, 0, sizeof(second));
  attempts = 0;
  pair_init(pair);
  pair_raw_server(pair);
  pair->stays = 1;
  pair->next_side = next_attempt;
  pair->accepted.on_message = say;
  pair->accepted.keeps_log = second.keeps_log = 1;
  pair_listen(pair);
}

/* The client, which has sent a message early, is told `status`. */
static void run_refusal(int status) {
  ipc_channel_info_t info;
  pair_t pair;

  open_server(&pair);
  ipc_client_options_set_wait_when_busy(&pair.client_options, 0);
  pair.client.stays = 1;
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "early", 5), 0);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, status);
  assert_int_equal(ipc_channel_info(pair.client.channel, &info), 0);
  assert_false(info.is_connected);
  assert_int_equal(side_send(&pair.client, "more", 4), UV_EPIPE);
  run_until(&pair.client.failed, 1);
  pair_finish(&pair);
  assert_int_equal(pair.client.connects, 1);
  assert_int_equal(pair.client.opens, 0);
  assert_int_equal(pair.client.ends, 0);
  assert_int_equal(pair.client.result.status, status);
  assert_int_equal(pair.client.result.unsent, 1);
  assert_int_equal(pair.client.result.unconfirmed, 0);
}

static void test_garbage(void** state) {
  (void) state;
  memcpy(words, "220 ready\r\n", words_size = 11);
  run_refusal(UV_EPROTO);
  memcpy(words, "\x89IPX", words_size = 4);
  run_refusal(UV_EPROTO);
  memcpy(words, "?", words_size = 1);
  run_refusal(UV_EPROTO);
  words_size = test_put_hello(words, 0, 0);
  run_refusal(UV_EPROTO);
}

static void test_other_version(void** state) {
  (void) state;
  words_size = test_put_hello(words, 0, 1000);
  words[4] = 2;
  run_refusal(UV_EPROTONOSUPPORT);
  words[4] = 0;
  run_refusal(UV_EPROTONOSUPPORT);
}

static void test_verdicts(void** state) {
  static const int statuses[] = {0, UV_EBUSY, UV_EACCES, UV_EPROTONOSUPPORT,
                                 UV_ECONNREFUSED};
  uint8_t verdict;

  (void) state;
  for (verdict = 1; verdict < TEST_COUNT(statuses); verdict++) {
    words_size = test_put_hello(words, verdict, 1000);
    run_refusal(statuses[verdict]);
  }
  words_size = test_put_hello(words, 254, 1000);
  run_refusal(UV_ECONNREFUSED);
  /* A client's: what an echo would send back. */
  words_size = test_put_hello(words, 255, 1000);
  run_refusal(UV_EPROTO);
}

static void test_small_max_message(void** state) {
  (void) state;
  words_size = test_put_hello(words, 0, 4);
  run_refusal(UV_EMSGSIZE);
}

/* ---- Leaving and silence ------------------------------------------------ */

static void leave(side_t* side) {
  assert_int_equal(ipc_channel_disconnect(side->channel), 0);
  side_close(side);
}

static void leave_then(side_t* side, const void* data, size_t size) {
  (void) data;
  (void) size;
  if (words_size == 0) {
    leave(side);
  } else {
    (void) side_send(side, words, words_size);
    side_close(side);
  }
}

static void run_leaving(int at_once) {
  pair_t pair;

  open_server(&pair);
  pair.accepted.on_open = at_once ? leave : NULL;
  pair.accepted.on_message = leave_then;
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "early", 5), 0);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_ECONNREFUSED);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, UV_ECONNREFUSED);
}

static void test_leaves(void** state) {
  (void) state;
  words_size = 0;
  run_leaving(1);
  run_leaving(0);
  /* With half a hello. */
  words_size = test_put_hello(words, 0, 1000) - 8;
  run_leaving(0);
}

/* Nothing is said: the one deadline covers the hello too. */
static void test_silence(void** state) {
  ipc_channel_info_t info;
  uint64_t began;
  pair_t pair;

  (void) state;
  words_size = 0;
  open_server(&pair);
  ipc_client_options_set_connect_timeout(&pair.client_options, 100);
  pair.client.stays = 1;
  began = uv_hrtime();
  pair_connect(&pair);
  run_until(&pair.client.connects, 1);
  assert_true(uv_hrtime() - began >= 100 * UINT64_C(1000000));
  assert_int_equal(pair.client.connect_status, UV_ETIMEDOUT);
  assert_int_equal(ipc_channel_info(pair.client.channel, &info), 0);
  assert_int_equal(info.last_attempt, 0); /* it did take the connection */
  pair_finish(&pair);
}

/* Half a hello now, half later, is one. */
static void say_rest(void* arg) {
  side_t* side = arg;

  assert_int_equal(side_send(side, words + 7, words_size - 7), 0);
}

static void say_half(side_t* side, const void* data, size_t size) {
  (void) data;
  (void) size;
  if (side->asked > 0) return;
  assert_int_equal(side_send(side, words, 7), 0);
  after(20, say_rest, side);
}

static void test_hello_in_halves(void** state) {
  pair_t pair;

  (void) state;
  words_size = test_put_hello(words, 0, 1000);
  words_size += test_put_frame(words + words_size, 0x80, "hi", 2);
  open_server(&pair);
  pair.accepted.on_message = say_half;
  pair_connect(&pair);
  run_until(&pair.client.messages, 1);
  assert_int_equal(pair.client.bytes, 2);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  pair_finish(&pair);
}

/* ---- Told to come back -------------------------------------------------- */

static void say_yes(side_t* side, const void* data, size_t size) {
  uint8_t hello[16];

  (void) data;
  (void) size;
  if (side->asked > 0) return;
  test_put_hello(hello, 0, 1000);
  assert_int_equal(side_send(side, hello, sizeof(hello)), 0);
}

/* What was sent early is sent again, all of it and once. */
static void test_busy_then_accepted(void** state) {
  ipc_channel_stats_t stats;
  uint8_t expected[256];
  size_t size;
  pair_t pair;

  (void) state;
  words_size = test_put_hello(words, 1, 1000);
  open_server(&pair);
  second.on_message = say_yes;
  second.keeps_log = 1;
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "first", 5), 0);
  assert_int_equal(side_send(&pair.client, "second", 6), 0);
  run_until(&pair.client.opens, 1);
  run_until(&pair.client.sent, 2);
  assert_int_equal(side_send(&pair.client, "third", 5), 0);
  size = test_put_hello(expected, 0xff, 16 << 20);
  expected[6] = 3; /* features: heartbeat, calls */
  size += test_put_frame(expected + size, 0x80, "first", 5);
  size += test_put_frame(expected + size, 0x80, "second", 6);
  assert_int_equal(pair.accepted.log_size, size);
  assert_memory_equal(pair.accepted.log, expected, size);
  size += test_put_frame(expected + size, 0x80, "third", 5);
  while (second.log_size < size) test_turn();
  assert_int_equal(second.log_size, size);
  assert_memory_equal(second.log, expected, size);
  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  assert_int_equal(stats.connect_attempts, 2);
  assert_int_equal(stats.messages_sent, 3);
  assert_int_equal(pair.client.connects, 1);
  side_close(&second);
  run_until(&second.closes, 1);
  run_until(&pair.client.closes, 1);
  pair_finish(&pair);
  /* It hung up without an acknowledgement. */
  assert_int_equal(pair.client.end_status, UV_ECONNRESET);
  assert_int_equal(pair.client.result.status, UV_ECONNRESET);
  assert_int_equal(pair.client.result.unconfirmed, 3);
  side_free(&second);
}

/* It waits for ever longer, but never past the deadline. */
static void test_busy_for_ever(void** state) {
  ipc_channel_info_t info;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.stays = 1;
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  pair_open(&pair);
  ipc_client_options_set_connect_timeout(&pair.client_options, 200);
  memset(&second, 0, sizeof(second));
  second.stays = 1;
  pair_connect_side(&pair, &second);
  run_until(&second.connects, 1);
  assert_int_equal(second.connect_status, UV_ETIMEDOUT);
  assert_int_equal(ipc_channel_info(second.channel, &info), 0);
  /* 0 where the last attempt had no answer yet. */
  assert_true(info.last_attempt == UV_EBUSY || info.last_attempt == 0);
  side_close(&second);
  run_until(&second.closes, 1);
  pair_finish(&pair);
  side_free(&second);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_garbage),         TEST(test_other_version),
      TEST(test_verdicts),        TEST(test_small_max_message),
      TEST(test_leaves),          TEST(test_silence),
      TEST(test_hello_in_halves), TEST(test_busy_then_accepted),
      TEST(test_busy_for_ever),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
