/* The bytes of the native framing: each encoder and decoder, every violation,
 * and a server that hears the same however a stream is cut. */
#include "harness.h"

#include "pair.h"
#include "wire.h"

#define MAX_BYTES 1000u

/* ---- Hello -------------------------------------------------------------- */

static const uint8_t example_hello[16] = {0x89, 'I', 'P', 'C', 1, 2, 0x34, 0x12,
                                          4,    3,   2,   1,   0, 0, 0,    0};

static void test_hello_bytes(void** state) {
  ipc__hello_t hello;
  uint8_t bytes[16];

  (void) state;
  hello.version = 1;
  hello.verdict = 2;
  hello.features = 0x1234;
  hello.max_message_bytes = 0x01020304;
  hello.heartbeat_ms = 0;
  memset(bytes, 0xff, sizeof(bytes));
  ipc__wire_put_hello(bytes, &hello);
  assert_memory_equal(bytes, example_hello, sizeof(bytes));

  memset(&hello, 0, sizeof(hello));
  assert_int_equal(ipc__wire_get_hello(example_hello, &hello), 0);
  assert_int_equal(hello.version, 1);
  assert_int_equal(hello.verdict, 2);
  assert_int_equal(hello.features, 0x1234);
  assert_int_equal(hello.max_message_bytes, 0x01020304);
}

static void test_hello_of_the_harness(void** state) {
  ipc__hello_t hello;
  uint8_t bytes[16];

  (void) state;
  assert_int_equal(test_put_hello(bytes, 3, 0xfffffffe), 16);
  assert_int_equal(ipc__wire_get_hello(bytes, &hello), 0);
  assert_int_equal(hello.version, IPC__WIRE_VERSION);
  assert_int_equal(hello.verdict, IPC__VERDICT_VERSION);
  assert_int_equal(hello.features, 0);
  assert_int_equal(hello.max_message_bytes, 0xfffffffe);
}

static void test_hello_magic(void** state) {
  ipc__hello_t hello;
  uint8_t bytes[16];
  int i, bit;

  (void) state;
  for (i = 0; i < 4; i++) {
    for (bit = 0; bit < 8; bit++) {
      memcpy(bytes, example_hello, sizeof(bytes));
      bytes[i] ^= (uint8_t) (1 << bit);
      assert_int_equal(ipc__wire_get_hello(bytes, &hello), UV_EPROTO);
    }
  }
}

/* Rubbish is recognised at the byte that makes it so. */
static void test_hello_prefix(void** state) {
  uint8_t bytes[16];
  size_t size, wrong;

  (void) state;
  for (size = 0; size <= 16; size++) {
    assert_true(ipc__wire_may_be_hello(example_hello, size));
  }
  for (wrong = 0; wrong < 4; wrong++) {
    memcpy(bytes, example_hello, sizeof(bytes));
    bytes[wrong] ^= 1;
    for (size = 0; size <= 16; size++) {
      assert_int_equal(ipc__wire_may_be_hello(bytes, size) != 0, size <= wrong);
    }
  }
}

/* ---- Headers ------------------------------------------------------------ */

static int get(uint8_t kind, uint32_t size, uint32_t max, ipc__frame_t* frame) {
  uint8_t bytes[8];

  ipc__wire_put_header(bytes, kind, size);
  return ipc__wire_get_header(bytes, max, frame);
}

static void test_header_bytes(void** state) {
  static const uint8_t expected[8] = {4, 3, 2, 1, 0x80, 0, 0, 0};
  uint8_t bytes[8];
  uint8_t theirs[8];
  ipc__frame_t frame;

  (void) state;
  memset(bytes, 0xff, sizeof(bytes));
  ipc__wire_put_header(bytes, IPC__WIRE_MESSAGE, 0x01020304);
  assert_memory_equal(bytes, expected, sizeof(bytes));
  assert_int_equal(ipc__wire_get_header(bytes, 0x01020304, &frame), 0);
  assert_int_equal(frame.kind, IPC__WIRE_MESSAGE);
  assert_int_equal(frame.size, 0x01020304);

  ipc__wire_put_header(bytes, IPC__WIRE_FIN, 0);
  assert_int_equal(test_put_frame(theirs, 0x81, NULL, 0), 8);
  assert_memory_equal(bytes, theirs, sizeof(bytes));
}

static void test_message_sizes(void** state) {
  ipc__frame_t frame;

  (void) state;
  assert_int_equal(get(IPC__WIRE_MESSAGE, 0, MAX_BYTES, &frame), 0);
  assert_int_equal(get(IPC__WIRE_MESSAGE, MAX_BYTES, MAX_BYTES, &frame), 0);
  assert_int_equal(get(IPC__WIRE_MESSAGE, MAX_BYTES + 1, MAX_BYTES, &frame),
                   UV_EMSGSIZE);
  assert_int_equal(get(IPC__WIRE_MESSAGE, UINT32_MAX, MAX_BYTES, &frame),
                   UV_EMSGSIZE);
  assert_int_equal(get(IPC__WIRE_MESSAGE, UINT32_MAX, INT32_MAX, &frame),
                   UV_EMSGSIZE);
  assert_int_equal(get(IPC__WIRE_MESSAGE, INT32_MAX, INT32_MAX, &frame), 0);
}

/* Frames of known kinds have one size; a message limit is not theirs. */
static void test_control_sizes(void** state) {
  static const struct {
    uint8_t kind;
    uint32_t size;
  } known[] = {{IPC__WIRE_FIN, 0},
               {IPC__WIRE_FIN_ACK, 8},
               {IPC__WIRE_PING, 8},
               {IPC__WIRE_PONG, 8},
               {IPC__WIRE_TAKEN, 8}};
  static const uint32_t sizes[] = {0, 1, 7, 8, 9, 16, 65536, UINT32_MAX};
  ipc__frame_t frame;
  size_t i, j;

  (void) state;
  for (i = 0; i < TEST_COUNT(known); i++) {
    for (j = 0; j < TEST_COUNT(sizes); j++) {
      assert_int_equal(get(known[i].kind, sizes[j], 1, &frame),
                       sizes[j] == known[i].size ? 0 : UV_EPROTO);
    }
  }
}

static void test_unknown_kinds(void** state) {
  ipc__frame_t frame;
  int kind;

  (void) state;
  for (kind = 0; kind < 256; kind++) {
    if (kind >= 0x01 && kind <= 0x03) continue;
    if (kind >= 0x80 && kind <= 0x84) continue;
    if (kind & IPC__WIRE_MUST_UNDERSTAND) {
      assert_int_equal(get((uint8_t) kind, 0, MAX_BYTES, &frame), UV_EPROTO);
      assert_int_equal(get((uint8_t) kind, 8, MAX_BYTES, &frame), UV_EPROTO);
      continue;
    }
    assert_int_equal(get((uint8_t) kind, 0, 1, &frame), 0);
    assert_int_equal(get((uint8_t) kind, 65536, 1, &frame), 0);
    assert_int_equal(frame.size, 65536);
    assert_int_equal(get((uint8_t) kind, 65537, UINT32_MAX, &frame), UV_EPROTO);
    assert_int_equal(get((uint8_t) kind, UINT32_MAX, UINT32_MAX, &frame),
                     UV_EPROTO);
  }
}

static void test_reserved_bytes(void** state) {
  static const uint8_t kinds[] = {0x80, 0x81, 0x82, 0x01, 0x02, 0x33};
  static const uint32_t sizes[] = {5, 0, 8, 8, 8, 5};
  ipc__frame_t frame;
  uint8_t bytes[8];
  size_t i;
  int at, bit;

  (void) state;
  for (i = 0; i < TEST_COUNT(kinds); i++) {
    for (at = 5; at < 8; at++) {
      for (bit = 0; bit < 8; bit++) {
        ipc__wire_put_header(bytes, kinds[i], sizes[i]);
        assert_int_equal(ipc__wire_get_header(bytes, MAX_BYTES, &frame), 0);
        bytes[at] = (uint8_t) (1 << bit);
        assert_int_equal(ipc__wire_get_header(bytes, MAX_BYTES, &frame),
                         UV_EPROTO);
      }
    }
  }
}

static void test_u64(void** state) {
  static const uint8_t expected[8] = {8, 7, 6, 5, 4, 3, 2, 0xf1};
  uint8_t bytes[8];

  (void) state;
  ipc__wire_put_u64(bytes, UINT64_C(0xf102030405060708));
  assert_memory_equal(bytes, expected, 8);
  assert_true(ipc__wire_get_u64(bytes) == UINT64_C(0xf102030405060708));
}

/* ---- Any cut ------------------------------------------------------------ */

/* A stream of mixed frames, and what a server makes of it: the messages with a
 * newline behind each, then the end. */
static uint8_t stream[512];
static size_t stream_size;
static const char* stream_meaning = "one\n\ntwo two\nfour\n";

static void add(uint8_t kind, const char* payload) {
  stream_size += test_put_frame(stream + stream_size, kind, payload,
                                (uint32_t) strlen(payload));
}

static void make_stream(void) {
  stream_size = test_put_hello(stream, 0, 1 << 20);
  add(0x80, "one");
  add(0x01, "pingping");
  add(0x80, "");
  add(0x33, "a kind that may be skipped");
  add(0x80, "two two");
  add(0x02, "pongpong");
  add(0x80, "four");
  add(0x81, "");
}

static char heard[256];

static void hear(side_t* side, const void* data, size_t size) {
  size_t used = strlen(heard);

  (void) side;
  memcpy(heard + used, data, size);
  memcpy(heard + used + size, "\n", 2);
}

#define ANSWER_BYTES (16 + 16 + 16 + 8)

/* What the server answers to all of it: hello, PONG, FIN-ACK with a count of
 * four; then, from its close, nothing more than a FIN. */
static void check_answer(const side_t* client) {
  uint8_t expected[64];
  size_t size = test_put_hello(expected, 0, 16 << 20);
  static const uint8_t count[8] = {4};

  expected[6] = 3; /* features: heartbeat, calls */
  size += test_put_frame(expected + size, 0x02, "pingping", 8);
  size += test_put_frame(expected + size, 0x82, count, 8);
  size += test_put_frame(expected + size, 0x81, NULL, 0);
  assert_int_equal(size, ANSWER_BYTES);
  assert_int_equal(client->log_size, size);
  assert_memory_equal(client->log, expected, size);
}

/* Sends a piece in each turn of the loop and waits until the server has read
 * it, as far as that shows, before the next. */
static void feed(pair_t* pair, const size_t* pieces, size_t count) {
  ipc_channel_stats_t stats;
  size_t at = 0;
  size_t i;

  heard[0] = 0;
  for (i = 0; i < count; i++) {
    if (pieces[i] == 0) continue;
    assert_int_equal(side_send(&pair->client, stream + at, pieces[i]), 0);
    at += pieces[i];
    do {
      uv_run(test_loop(), UV_RUN_NOWAIT);
      if (pair->accepted.channel == NULL) break;
      ipc_channel_stats(pair->accepted.channel, &stats);
    } while (stats.bytes_received < at && pair->accepted.closes == 0);
    if (pair->accepted.closes > 0) break;
  }
  assert_int_equal(at, stream_size);
  while (pair->client.log_size < ANSWER_BYTES) {
    test_turn();
  }
  side_close(&pair->client);
  run_until(&pair->accepted.closes, 1);
  assert_string_equal(heard, stream_meaning);
  assert_int_equal(pair->accepted.ends, 1);
  assert_int_equal(pair->accepted.end_status, 0);
  assert_int_equal(pair->accepted.result.status, 0);
  check_answer(&pair->client);
}

static void run_pieces(const size_t* pieces, size_t count) {
  pair_t pair;

  pair_init(&pair);
  pair_raw_client(&pair);
  pair.accepted.on_message = hear;
  pair.client.keeps_log = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  feed(&pair, pieces, count);
  pair_finish(&pair);
}

static void test_every_cut(void** state) {
  size_t pieces[2];
  size_t at;

  (void) state;
  make_stream();
  for (at = 0; at <= stream_size; at++) {
    pieces[0] = at;
    pieces[1] = stream_size - at;
    run_pieces(pieces, 2);
  }
}

static void test_byte_by_byte(void** state) {
  size_t pieces[sizeof(stream)];
  size_t i;

  (void) state;
  make_stream();
  for (i = 0; i < stream_size; i++) pieces[i] = 1;
  run_pieces(pieces, stream_size);
}

static void test_random_cuts(void** state) {
  size_t pieces[sizeof(stream)];
  uint32_t random = 1;
  size_t left, count;
  int round;

  (void) state;
  make_stream();
  for (round = 0; round < 50; round++) {
    count = 0;
    for (left = stream_size; left > 0; left -= pieces[count++]) {
      random = random * 1664525u + 1013904223u;
      pieces[count] = 1 + (random >> 16) % (round + 2);
      if (pieces[count] > left) pieces[count] = left;
    }
    run_pieces(pieces, count);
  }
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_hello_bytes),    TEST(test_hello_of_the_harness),
      TEST(test_hello_magic),    TEST(test_hello_prefix),
      TEST(test_header_bytes),   TEST(test_message_sizes),
      TEST(test_control_sizes),  TEST(test_unknown_kinds),
      TEST(test_reserved_bytes), TEST(test_u64),
      TEST(test_every_cut),      TEST(test_byte_by_byte),
      TEST(test_random_cuts),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
