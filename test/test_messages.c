/* What is sent arrives: whole, once, in order, whatever its size. */
#include "harness.h"

#include "pair.h"

#define MIB ((size_t) 1 << 20)

/* Around every size where something inside changes hands. */
static const size_t sizes[] = {
    0,     1,     7,     8,      9,       100,          4087,     4088,
    4089,  4090,  4091,  4092,   4093,    4094,         4095,     4096,
    4097,  8183,  8184,  8185,   8191,    8192,         8193,     32759,
    32760, 32761, 32767, 32768,  32769,   65519,        65520,    65521,
    65527, 65528, 65529, 65535,  65536,   65537,        0,        131064,
    3,     MIB,   2,     100000, MIB * 3, MIB * 16 - 1, MIB * 16, 0,
    5,
};

/* Sends the sizes above, as far as the queue takes them, and goes on when it
 * has drained. */
static struct {
  uint8_t* bodies[TEST_COUNT(sizes)];
  size_t next;
  int borrow;
} sender;

static void send_more(side_t* side) {
  while (sender.next < TEST_COUNT(sizes)) {
    size_t size = sizes[sender.next];
    uint8_t* body = sender.bodies[sender.next];
    int err;

    if (body == NULL) {
      body = sender.bodies[sender.next] = malloc(size + 1);
      assert_non_null(body);
      pattern_fill(body, size, (unsigned int) sender.next);
    }
    err = sender.borrow ? side_lend(side, body, size)
                        : side_send(side, body, size);
    if (err == UV_EAGAIN) return;
    assert_int_equal(err, 0);
    /* What was copied may change at once. */
    if (!sender.borrow) memset(body, 0xee, size);
    sender.next++;
  }
}

static void check_next(side_t* side, const void* data, size_t size) {
  unsigned int number = (unsigned int) side->messages - 1;

  assert_true(number < TEST_COUNT(sizes));
  assert_int_equal(size, sizes[number]);
  pattern_check(data, size, number);
}

static void run_sizes(int from_server, int borrow) {
  pair_t pair;
  side_t* from = from_server ? &pair.accepted : &pair.client;
  side_t* to = from_server ? &pair.client : &pair.accepted;
  size_t i;

  memset(&sender, 0, sizeof(sender));
  sender.borrow = borrow;
  pair_init(&pair);
  from->on_open = send_more;
  from->on_drain = send_more;
  to->on_message = check_next;
  pair_open(&pair);
  run_until(&to->messages, TEST_COUNT(sizes));
  assert_int_equal(ipc_channel_end(from->channel), 0);
  run_until(&to->ends, 1);
  pair_finish(&pair);

  assert_int_equal(to->end_status, 0);
  assert_int_equal(from->sent, TEST_COUNT(sizes));
  assert_int_equal(from->failed, 0);
  assert_int_equal(from->result.status, 0);
  assert_int_equal(to->messages, TEST_COUNT(sizes));
  for (i = 0; i < TEST_COUNT(sizes); i++) free(sender.bodies[i]);
}

static void test_sizes_to_server_copied(void** state) {
  (void) state;
  run_sizes(0, 0);
}

static void test_sizes_to_server_borrowed(void** state) {
  (void) state;
  run_sizes(0, 1);
}

static void test_sizes_to_client_copied(void** state) {
  (void) state;
  run_sizes(1, 0);
}

static void test_sizes_to_client_borrowed(void** state) {
  (void) state;
  run_sizes(1, 1);
}

/* ---- Too large ---------------------------------------------------------- */

static void test_too_large(void** state) {
  uint8_t* body = calloc(1, 16 * MIB + 1);
  pair_t pair;

  (void) state;
  assert_non_null(body);
  pair_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  /* Before it is connected, */
  assert_int_equal(side_lend(&pair.client, body, 16 * MIB + 1), UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.client, body, 16 * MIB + 1), UV_EMSGSIZE);
  run_until(&pair.client.opens, 1);
  /* and after; from both ends. */
  assert_int_equal(side_lend(&pair.client, body, 16 * MIB + 1), UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.client, body, 16 * MIB + 1), UV_EMSGSIZE);
  assert_int_equal(side_lend(&pair.accepted, body, 16 * MIB + 1), UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.accepted, body, 16 * MIB + 1), UV_EMSGSIZE);
  /* Nothing was sent, and the channel goes on. */
  assert_int_equal(side_send(&pair.client, "x", 1), 0);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.bytes, 1);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.accepted.result.status, 0);
  free(body);
}

/* Each side keeps to the smaller of its own limit and the peer's. */
static void test_two_limits(void** state) {
  ipc_channel_info_t info;
  uint8_t body[2001] = {0};
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_set_max_message_bytes(&pair.server_options, 1000);
  ipc_client_options_set_max_message_bytes(&pair.client_options, 2000);
  pair_open(&pair);
  assert_int_equal(ipc_channel_info(pair.client.channel, &info), 0);
  assert_int_equal(info.max_message_bytes, 2000);
  assert_int_equal(info.peer_max_message_bytes, 1000);
  assert_int_equal(ipc_channel_info(pair.accepted.channel, &info), 0);
  assert_int_equal(info.max_message_bytes, 1000);
  assert_int_equal(info.peer_max_message_bytes, 2000);

  assert_int_equal(side_send(&pair.client, body, 1001), UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.client, body, 1000), 0);
  assert_int_equal(side_send(&pair.accepted, body, 1001), UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.accepted, body, 1000), 0);
  run_until(&pair.client.messages, 1);
  run_until(&pair.accepted.messages, 1);
  pair_finish(&pair);
}

/* ---- Many --------------------------------------------------------------- */

#define MANY 100000

static void send_many(side_t* side) {
  uint8_t body[64];

  while (side->asked < MANY) {
    uint32_t number = (uint32_t) side->asked;
    int err;

    memset(body, (int) number & 0xff, sizeof(body));
    memcpy(body, &number, sizeof(number));
    err = side_send(side, body, sizeof(number) + number % 60);
    if (err == UV_EAGAIN) return;
    assert_int_equal(err, 0);
  }
}

static void count_many(side_t* side, const void* data, size_t size) {
  uint32_t number;

  assert_true(size >= sizeof(number));
  memcpy(&number, data, sizeof(number));
  assert_int_equal(number, side->messages - 1);
  assert_int_equal(size, sizeof(number) + number % 60);
  if (size > 4) assert_int_equal(((uint8_t*) data)[size - 1], number & 0xff);
}

static void test_many_small(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.client.on_open = send_many;
  pair.client.on_drain = send_many;
  pair.accepted.on_message = count_many;
  pair_open(&pair);
  run_until(&pair.accepted.messages, MANY);
  assert_true(pair.client.drains > 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.sent, MANY);
  assert_int_equal(pair.accepted.messages, MANY);
  assert_int_equal(pair.client.result.status, 0);
}

/* Both ends send as fast as they can at the same time. */
static void test_many_both_ways(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.client.on_open = pair.accepted.on_open = send_many;
  pair.client.on_drain = pair.accepted.on_drain = send_many;
  pair.client.on_message = pair.accepted.on_message = count_many;
  pair_open(&pair);
  run_until(&pair.accepted.messages, MANY);
  run_until(&pair.client.messages, MANY);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.accepted.result.status, 0);
}

/* ---- Raw ---------------------------------------------------------------- */

#define RAW_BYTES (4 * MIB)

static uint8_t* raw_bytes;
static size_t raw_sent;
static uint32_t random_state;

static void send_raw(side_t* side) {
  while (raw_sent < RAW_BYTES) {
    size_t size;
    int err;

    random_state = random_state * 1664525u + 1013904223u;
    size = 1 + (random_state >> 8) % (random_state & 64 ? 100 : 200000);
    if (size > RAW_BYTES - raw_sent) size = RAW_BYTES - raw_sent;
    err = random_state & 128 ? side_send(side, raw_bytes + raw_sent, size)
                             : side_lend(side, raw_bytes + raw_sent, size);
    if (err == UV_EAGAIN) return;
    assert_int_equal(err, 0);
    raw_sent += size;
  }
}

static void not_empty(side_t* side, const void* data, size_t size) {
  (void) side;
  (void) data;
  assert_true(size > 0);
}

static void run_raw(int from_server) {
  pair_t pair;
  side_t* from = from_server ? &pair.accepted : &pair.client;
  side_t* to = from_server ? &pair.client : &pair.accepted;

  raw_bytes = malloc(RAW_BYTES);
  assert_non_null(raw_bytes);
  pattern_fill(raw_bytes, RAW_BYTES, 7);
  raw_sent = 0;
  random_state = 11;
  pair_init(&pair);
  pair_raw(&pair);
  from->on_open = send_raw;
  from->on_drain = send_raw;
  to->on_message = not_empty;
  to->keeps_log = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  while (to->log_size < RAW_BYTES) test_turn();
  assert_int_equal(to->log_size, RAW_BYTES);
  assert_memory_equal(to->log, raw_bytes, RAW_BYTES);
  pair_finish(&pair);
  assert_int_equal(from->failed, 0);
  free(raw_bytes);
}

static void test_raw_to_server(void** state) {
  (void) state;
  run_raw(0);
}

static void test_raw_to_client(void** state) {
  (void) state;
  run_raw(1);
}

/* Nothing there has a limit. */
static void test_raw_limits(void** state) {
  ipc_channel_info_t info;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_raw(&pair);
  pair_open(&pair);
  assert_int_equal(ipc_channel_info(pair.client.channel, &info), 0);
  assert_int_equal(info.max_message_bytes, 0);
  assert_int_equal(info.peer_max_message_bytes, 0);
  pair_finish(&pair);
}

/* ---- First words -------------------------------------------------------- */

static void greet(side_t* side) {
  assert_int_equal(side_send(side, "welcome", 7), 0);
}

/* A server may speak first, from within on_connection. */
static void test_server_first(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_open = greet;
  pair.client.keeps_log = 1;
  pair_open(&pair);
  run_until(&pair.client.messages, 1);
  assert_memory_equal(pair.client.log, "welcome", 7);
  pair_finish(&pair);
}

/* What is sent before the connection is there comes first, and in order. */
static void test_before_connected(void** state) {
  pair_t pair;
  int i;

  (void) state;
  pair_init(&pair);
  pair.accepted.keeps_log = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  for (i = 0; i < 10; i++) {
    assert_int_equal(side_send(&pair.client, &"0123456789"[i], 1), 0);
  }
  assert_int_equal(pair.client.sent, 0);
  pair.client.on_open = greet;
  run_until(&pair.accepted.messages, 11);
  assert_int_equal(pair.accepted.log_size, 17);
  assert_memory_equal(pair.accepted.log, "0123456789welcome", 17);
  pair_finish(&pair);
  assert_int_equal(pair.client.sent, 11);
}

/* More than travels ahead of the server's hello. */
static void test_much_before_connected(void** state) {
  uint8_t* body = malloc(3 * MIB);
  pair_t pair;

  (void) state;
  assert_non_null(body);
  pattern_fill(body, 3 * MIB, 5);
  pair_init(&pair);
  pair.accepted.keeps_log = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_lend(&pair.client, body, 3 * MIB), 0);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.log_size, 3 * MIB);
  pattern_check(pair.accepted.log, 3 * MIB, 5);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  free(body);
}

/* ---- The calls ---------------------------------------------------------- */

static void test_arguments(void** state) {
  pair_t pair;

  (void) state;
  assert_int_equal(ipc_channel_send(NULL, "x", 1, NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_send_copy(NULL, "x", 1, NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_flush(NULL), UV_EINVAL);
  pair_init(&pair);
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, NULL, 1), UV_EINVAL);
  assert_int_equal(side_lend(&pair.client, NULL, 1), UV_EINVAL);
  assert_int_equal(side_send(&pair.client, NULL, 0), 0);
  assert_int_equal(side_lend(&pair.client, NULL, 0), 0);
  assert_int_equal(
      ipc_channel_send_copy(pair.client.channel, "", 0, NULL, NULL), 0);
  run_until(&pair.accepted.messages, 3);
  assert_int_equal(pair.accepted.bytes, 0);
  pair_finish(&pair);

  pair_init(&pair);
  pair_raw(&pair);
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, "", 0), UV_EINVAL);
  assert_int_equal(side_lend(&pair.client, NULL, 0), UV_EINVAL);
  assert_int_equal(side_lend(&pair.accepted, NULL, 5), UV_EINVAL);
  pair_finish(&pair);
}

/* Flush writes at once, and still calls nobody back from within. */
static void test_flush(void** state) {
  ipc_channel_stats_t stats;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, "abc", 3), 0);
  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  assert_int_equal(stats.bytes_queued, 11);
  assert_int_equal(stats.messages_queued, 1);
  pair.client.in_call++;
  assert_int_equal(ipc_channel_flush(pair.client.channel), 0);
  pair.client.in_call--;
  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  /* A Windows write counts when the system reports it done. */
  if (!test_is_windows()) assert_int_equal(stats.bytes_queued, 0);
  assert_int_equal(pair.client.sent, 0);
  run_until(&pair.client.sent, 1);
  run_until(&pair.accepted.messages, 1);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_sizes_to_server_copied),
      TEST(test_sizes_to_server_borrowed),
      TEST(test_sizes_to_client_copied),
      TEST(test_sizes_to_client_borrowed),
      TEST(test_too_large),
      TEST(test_two_limits),
      TEST(test_many_small),
      TEST(test_many_both_ways),
      TEST(test_raw_to_server),
      TEST(test_raw_to_client),
      TEST(test_raw_limits),
      TEST(test_server_first),
      TEST(test_before_connected),
      TEST(test_much_before_connected),
      TEST(test_arguments),
      TEST(test_flush),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
