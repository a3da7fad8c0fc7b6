/* Clients that misbehave. Whatever one of them does, its own channel ends with
 * the documented status, memory stays bounded, and a good client on the same
 * server doesn't notice. */
#include "harness.h"

#include "pair.h"

#define KIB ((int64_t) 1 << 10)
#define MAX_BYTES 1000u
#define HANDSHAKE_MS 100

/* The good client is pair.client and on the server pair.accepted; the bad one
 * and its end at the server: */
static side_t bad;
static side_t victim;
static test_memory_t memory;
static uint8_t bytes[1 << 17];
static size_t size;

static side_t* good_first(pair_t* pair) {
  return pair->accepted.opens == 0 ? &pair->accepted : &victim;
}

static int ends_first;
static ipc_request_cb on_request;
static int heartbeat_ms;

/* Of the queue, by default. */
#define LIMIT (1u << 20)
#define REQUESTS 5000

/* Of the hello's features. */
#define CALLS 2

static void opened(side_t* side) {
  if (ends_first) assert_int_equal(ipc_channel_end(side->channel), 0);
}

/* A server with a good client. */
static void open_good(pair_t* pair) {
  ipc_allocator_t allocator;

  memset(&bad, 0, sizeof(bad));
  memset(&victim, 0, sizeof(victim));
  memset(&memory, 0, sizeof(memory));
  victim.on_open = opened;
  allocator = test_allocator(&memory);
  pair_init(pair);
  pair->stays = 1;
  pair->next_side = good_first;
  pair->accepted.echoes = 1;
  ipc_server_options_set_allocator(&pair->server_options, &allocator);
  ipc_server_options_set_max_message_bytes(&pair->server_options, MAX_BYTES);
  ipc_server_options_set_handshake_timeout(&pair->server_options, HANDSHAKE_MS);
  ipc_server_options_on_request(&pair->server_options, on_request);
  on_request = NULL;
  if (heartbeat_ms != 0) {
    ipc_server_options_set_heartbeat(&pair->server_options, heartbeat_ms);
  }
  heartbeat_ms = 0;
  pair_open(pair);
  pair_raw_client(pair);
}

static void check_good(pair_t* pair) {
  int before = pair->client.messages;

  assert_int_equal(side_send(&pair->client, "still here?", 11), 0);
  run_until(&pair->client.messages, before + 1);
  assert_int_equal(pair->client.ends, 0);
}

static ipc_server_stats_t stats_of(const pair_t* pair) {
  ipc_server_stats_t stats;

  assert_int_equal(ipc_server_stats(pair->server, &stats), 0);
  return stats;
}

static void connect_bad(pair_t* pair) {
  bad.keeps_log = 1;
  pair_connect_side(pair, &bad);
}

static void finish_good(pair_t* pair) {
  check_good(pair);
  side_close(&bad);
  if (bad.pair != NULL) run_until(&bad.closes, 1);
  if (victim.opens > 0) run_until(&victim.closes, 1);
  while (stats_of(pair).instances > 1) test_turn();
  pair_finish(pair);
  assert_int_equal(pair->client.result.status, 0);
  side_free(&bad);
  side_free(&victim);
  assert_int_equal(memory.blocks, 0);
}

/* ---- Ahead of a good hello ---------------------------------------------- */

/* Sends `bytes` and leaves, or not; the server hangs up and counts it, at once
 * or when what might still have become a hello has had its time. */
static void run_handshake(int leaves, int waits) {
  uint64_t began;
  pair_t pair;

  open_good(&pair);
  began = uv_hrtime();
  connect_bad(&pair);
  if (size > 0) assert_int_equal(side_send(&bad, bytes, size), 0);
  if (leaves) {
    run_until(&bad.opens, 1);
    side_close(&bad);
  } else {
    run_until(&bad.ends, 1);
    assert_int_equal(bad.end_status, 0);
  }
  while (stats_of(&pair).handshake_errors == 0) {
    test_turn();
  }
  assert_int_equal(victim.opens, 0);
  assert_int_equal(stats_of(&pair).accepted, 1);
  if (waits) {
    assert_true(bad.ended_at - began >= HANDSHAKE_MS * UINT64_C(1000000));
  }
  finish_good(&pair);
}

static void test_nothing(void** state) {
  (void) state;
  size = 0;
  run_handshake(0, 1);
  run_handshake(1, 0);
}

static void test_half_a_hello(void** state) {
  (void) state;
  size = test_put_hello(bytes, 0, 1000) - 1;
  run_handshake(0, 1);
  run_handshake(1, 0);
}

static void test_garbage(void** state) {
  (void) state;
  memcpy(bytes, "GET / HTTP/1.1\r\n\r\n", size = 18);
  run_handshake(0, 0);
  memcpy(bytes, "\x89IPX", size = 4);
  run_handshake(0, 0);
  memset(bytes, 0, size = sizeof(bytes));
  run_handshake(0, 0);
  /* A client that accepts messages of no bytes at most. */
  size = test_put_hello(bytes, 0, 0);
  run_handshake(0, 0);
}

/* Another version is told so, and then has time to leave. */
static void test_other_version(void** state) {
  uint8_t expected[16];
  pair_t pair;

  (void) state;
  open_good(&pair);
  connect_bad(&pair);
  size = test_put_hello(bytes, 0, 1000);
  bytes[4] = 2;
  assert_int_equal(side_send(&bad, bytes, size), 0);
  run_until(&bad.ends, 1);
  test_put_hello(expected, 3, MAX_BYTES);
  expected[6] = 3; /* features: heartbeat, calls */
  assert_int_equal(bad.log_size, 16);
  assert_memory_equal(bad.log, expected, 16);
  assert_int_equal(stats_of(&pair).handshake_errors, 1);
  finish_good(&pair);
}

static int dribbled;

static void dribble(void* arg) {
  (void) arg;
  if (bad.channel == NULL || bad.ends > 0 || dribbled == 15) return;
  (void) side_send(&bad, bytes + dribbled++, 1);
  after(HANDSHAKE_MS / 4, dribble, NULL);
}

/* A byte now and then doesn't buy a hello more time. */
static void test_dribbled_hello(void** state) {
  uint64_t began = uv_hrtime();
  pair_t pair;

  (void) state;
  open_good(&pair);
  test_put_hello(bytes, 0, 1000);
  dribbled = 0;
  connect_bad(&pair);
  dribble(NULL);
  run_until(&bad.ends, 1);
  assert_true(bad.ended_at - began >= HANDSHAKE_MS * UINT64_C(1000000));
  assert_int_equal(stats_of(&pair).handshake_errors, 1);
  finish_good(&pair);
}

/* ---- Behind a good hello ------------------------------------------------ */

static void begin(void) {
  size = test_put_hello(bytes, 0, 1000);
}

static void add(uint8_t kind, const char* payload) {
  size +=
      test_put_frame(bytes + size, kind, payload, (uint32_t) strlen(payload));
}

/* A header with nothing behind it. */
static void add_header(uint32_t length, uint8_t kind, uint8_t reserved) {
  memset(bytes + size, 0, 8);
  bytes[size] = (uint8_t) length;
  bytes[size + 1] = (uint8_t) (length >> 8);
  bytes[size + 2] = (uint8_t) (length >> 16);
  bytes[size + 3] = (uint8_t) (length >> 24);
  bytes[size + 4] = kind;
  bytes[size + 6] = reserved;
  size += 8;
}

/* Sends `bytes`: first the hello, then, when that has been answered, the rest.
 * The server delivers so many messages and ends the channel with `status`. */
static void run_frames(int messages, int status, int leaves) {
  pair_t pair;

  open_good(&pair);
  connect_bad(&pair);
  assert_int_equal(side_send(&bad, bytes, 16), 0);
  run_until(&bad.messages, 1);
  assert_int_equal(side_send(&bad, bytes + 16, size - 16), 0);
  if (leaves) side_close(&bad);
  run_until(&victim.ends, 1);
  assert_int_equal(victim.messages, messages);
  assert_int_equal(victim.end_status, status);
  if (!leaves) run_until(&bad.ends, 1);
  finish_good(&pair);
  assert_int_equal(victim.ends, 1);
}

static void test_cut_frames(void** state) {
  (void) state;
  begin();
  add(0x80, "one");
  add_header(5, 0x80, 0);
  size -= 3;
  run_frames(1, UV_ECONNRESET, 1);
  begin();
  add(0x80, "one");
  add(0x80, "two");
  size -= 1;
  run_frames(1, UV_ECONNRESET, 1);
}

static void test_too_large(void** state) {
  (void) state;
  begin();
  add_header(UINT32_MAX, 0x80, 0);
  run_frames(0, UV_EMSGSIZE, 0);
  begin();
  add(0x80, "one");
  add_header(MAX_BYTES + 1, 0x80, 0);
  run_frames(1, UV_EMSGSIZE, 0);
}

static void test_no_frames(void** state) {
  static const struct {
    uint32_t length;
    uint8_t kind;
    uint8_t reserved;
  } headers[] = {
      {0, 0x90, 0},     {0, 0xff, 0}, {0, 0x80, 1}, {1, 0x81, 0},
      {7, 0x82, 0},     {9, 0x01, 0}, {0, 0x02, 0}, {65537, 0x33, 0},
      {1u << 31, 1, 0}, {0, 0x33, 1},
  };
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(headers); i++) {
    begin();
    add(0x80, "one");
    add_header(headers[i].length, headers[i].kind, headers[i].reserved);
    run_frames(1, UV_EPROTO, 0);
  }
}

static void test_unasked_fin_ack(void** state) {
  (void) state;
  begin();
  add(0x82, "\x01\x01\x01\x01\x01\x01\x01\x01");
  run_frames(0, UV_EPROTO, 0);
}

/* The end that was right is told; what follows it ends the channel. */
static void test_after_fin(void** state) {
  (void) state;
  begin();
  add(0x80, "one");
  add(0x81, "");
  add(0x81, "");
  run_frames(1, 0, 0);
  begin();
  add(0x80, "one");
  add(0x81, "");
  add(0x80, "two");
  run_frames(1, 0, 0);
}

static void test_skippable(void** state) {
  (void) state;
  begin();
  add(0x33, "whatever this is");
  add(0x7f, "");
  add(0x80, "one");
  add_header(65536, 0x34, 0);
  memset(bytes + size, 7, 65536);
  size += 65536;
  add(0x80, "two");
  add(0x81, "");
  run_frames(2, 0, 1);
}

/* After our own end the peer may talk as long as it likes. */
static void test_talk_after_our_end(void** state) {
  int i;

  (void) state;
  begin();
  for (i = 0; i < 1000; i++) add(0x80, "on and on");
  add(0x81, "");
  ends_first = 1;
  run_frames(1000, 0, 1);
  ends_first = 0;
}

/* A client with an early message that is more than the server takes. */
static void test_large_early_message(void** state) {
  uint8_t body[2 * MAX_BYTES] = {0};
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_set_max_message_bytes(&pair.server_options, MAX_BYTES);
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, body, sizeof(body)), 0);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_EMSGSIZE);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, 0);
  assert_int_equal(pair.client.result.unsent, 1);
}

/* ---- Memory ------------------------------------------------------------- */

static void add_request(void) {
  size += test_put_frame(bytes + size, 0x83, "\x01\x00\x00\x00", 4);
}

/* One who has said a good hello, and doesn't read. `features` as in the hello.
 */
static void connect_deaf(pair_t* pair, uint8_t features) {
  connect_bad(pair);
  begin();
  bytes[6] = features;
  assert_int_equal(side_send(&bad, bytes, size), 0);
  run_until(&victim.opens, 1);
  assert_int_equal(ipc_channel_pause(bad.channel), 0);
}

/* PINGs without end, and nobody reads the PONGs. */
static void test_ping_flood(void** state) {
  int64_t before;
  pair_t pair;
  size_t i;

  (void) state;
  open_good(&pair);
  connect_deaf(&pair, 0);
  before = memory.bytes;
  memory.peak = 0;
  for (size = 0; size + 16 < sizeof(bytes);) add(0x01, "pingping");
  for (i = 0; i < 100; i++) {
    assert_int_equal(side_lend(&bad, bytes, size), 0);
    run_until(&bad.sent, (int) i + 2);
  }
  assert_true(memory.peak - before <= 256 * KIB);
  check_good(&pair);
  assert_int_equal(ipc_channel_resume(bad.channel), 0);
  finish_good(&pair);
}

/* Requests without end to a server that answers none of them, and nobody reads
 * what it says to that: its queue keeps to its limit. */
static void test_request_flood(void** state) {
  pair_t pair;
  size_t i;

  (void) state;
  open_good(&pair);
  connect_deaf(&pair, CALLS);
  for (size = 0; size + 12 < sizeof(bytes);) add_request();
  for (i = 0; i < 100; i++) {
    assert_int_equal(side_lend(&bad, bytes, size), 0);
    run_until(&bad.sent, (int) i + 2);
    assert_true(stats_of(&pair).bytes_queued <= LIMIT + 16);
  }
  check_good(&pair);
  assert_int_equal(victim.ends, 0);
  assert_int_equal(ipc_channel_resume(bad.channel), 0);
  finish_good(&pair);
}

static int answered;

static void answer(ipc_channel_t* channel,
                   ipc_request_t request,
                   const void* data,
                   size_t data_size) {
  static const uint8_t nothing[MAX_BYTES];

  (void) data;
  (void) data_size;
  answered++;
  assert_int_equal(
      ipc_channel_reply(channel, request, nothing, sizeof(nothing)), 0);
}

/* Many requests of one who doesn't read the answers, which fill the queue. */
static void ask_without_reading(pair_t* pair) {
  int i;

  answered = 0;
  on_request = answer;
  open_good(pair);
  connect_deaf(pair, CALLS);
  for (size = 0, i = 0; i < REQUESTS; i++) add_request();
  assert_int_equal(side_lend(&bad, bytes, size), 0);
  while (stats_of(pair).bytes_queued < LIMIT) test_turn();
}

/* He is missed all the same when nothing more comes from him. */
static void test_unread_answers_of_a_wedged_one(void** state) {
  pair_t pair;

  (void) state;
  heartbeat_ms = 500;
  ask_without_reading(&pair);
  run_until(&victim.ends, 1);
  assert_int_equal(victim.end_status, UV_ETIMEDOUT);
  assert_int_equal(ipc_channel_resume(bad.channel), 0);
  finish_good(&pair);
}

/* Requests without end, and nobody reads the answers: the server takes no more
 * than its queue has room for, and the others when there is some again. */
static void test_unread_answers(void** state) {
  pair_t pair;

  (void) state;
  ask_without_reading(&pair);
  test_run_for(50);
  assert_true(stats_of(&pair).bytes_queued <= LIMIT + MAX_BYTES + 16);
  assert_true(answered < REQUESTS);
  check_good(&pair);
  assert_int_equal(ipc_channel_resume(bad.channel), 0);
  while (bad.bytes < REQUESTS * (MAX_BYTES + 16)) test_turn();
  assert_int_equal(answered, REQUESTS);
  assert_int_equal(victim.ends, 0);
  finish_good(&pair);
}

/* A large frame is announced and comes slowly: no more memory than has arrived
 * and 64 KiB, beside the receive buffer, which has at most as much. */
static void test_announced_frame(void** state) {
  ipc_channel_stats_t stats;
  int64_t before;
  pair_t pair;
  int64_t sent;

  (void) state;
  memset(&memory, 0, sizeof(memory));
  pair_init(&pair);
  pair_raw_client(&pair);
  {
    ipc_allocator_t allocator = test_allocator(&memory);

    ipc_server_options_set_allocator(&pair.server_options, &allocator);
  }
  pair_listen(&pair);
  pair_connect(&pair);
  begin();
  assert_int_equal(side_send(&pair.client, bytes, size), 0);
  run_until(&pair.accepted.opens, 1);
  before = memory.bytes;
  memory.peak = 0;
  memset(bytes, 0, sizeof(bytes));
  size = 0;
  add_header(16 << 20, 0x80, 0);
  memset(bytes + 8, 0, 8);
  for (sent = 0; sent < 8 << 20; sent += (int64_t) size) {
    size = sent < 1 << 20 ? 10000 : sizeof(bytes);
    if (sent > 0) memset(bytes, 0, 8);
    assert_int_equal(side_send(&pair.client, bytes, size), 0);
    do {
      test_turn();
      assert_int_equal(ipc_channel_stats(pair.accepted.channel, &stats), 0);
    } while ((int64_t) stats.bytes_received < 16 + sent + (int64_t) size);
    assert_true(memory.peak - before <= sent + (int64_t) size + 192 * KIB);
  }
  assert_int_equal(pair.accepted.messages, 0);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
  assert_int_equal(memory.blocks, 0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_nothing),
      TEST(test_half_a_hello),
      TEST(test_garbage),
      TEST(test_other_version),
      TEST(test_dribbled_hello),
      TEST(test_cut_frames),
      TEST(test_too_large),
      TEST(test_no_frames),
      TEST(test_unasked_fin_ack),
      TEST(test_after_fin),
      TEST(test_skippable),
      TEST(test_talk_after_our_end),
      TEST(test_large_early_message),
      TEST(test_ping_flood),
      TEST(test_request_flood),
      TEST(test_unread_answers),
      TEST(test_unread_answers_of_a_wedged_one),
      TEST(test_announced_frame),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
