/* Receiving pull style: each receive ends once, and neither a deadline nor the
 * end of the connection loses a message. */
#include "harness.h"

#include "pull.h"

#define MIB ((size_t) 1 << 20)
#define FOREVER IPC_CHANNEL_INFINITE
#define WAIT_MS 50

static uint8_t large[16 << 20];

static void pull_open(pair_t* pair) {
  pull_init(pair);
  pair_open(pair);
}

/* Runs until a receive would find something. */
static void side_is_readable(side_t* side) {
  op_t op = {0};

  op_ready(&op, side, IPC_CHANNEL_READABLE, FOREVER);
  op_ends(&op, 0);
}

static void ignore(ipc_channel_t* channel,
                   void* arg,
                   int status,
                   const void* data,
                   size_t size) {
  (void) channel, (void) arg, (void) status, (void) data, (void) size;
  fail_msg("%s", "a receive that was refused has called back");
}

/* What a new receive is refused with. */
static int refused(side_t* side) {
  return ipc_channel_recv(side->channel, FOREVER, ignore, NULL);
}

/* ---- Receiving ---------------------------------------------------------- */

static void test_recv(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&op, &pair.accepted, FOREVER); /* before the message */
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  op_gets(&op, "one");
  side_gets(&pair.accepted, "two"); /* and after it */
  side_say(&pair.accepted, "back");
  side_gets(&pair.client, "back");
  pair_finish(&pair);
  assert_int_equal(op.calls, 1);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.client.result.unconfirmed, 0);
}

/* The oldest receive gets the oldest message. */
static void test_order(void** state) {
  op_t ops[20] = {0};
  char text[8];
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  for (i = 0; i < 10; i++) op_recv(&ops[i], &pair.accepted, FOREVER);
  for (i = 0; i < 15; i++) {
    snprintf(text, sizeof(text), "%d", i);
    side_say(&pair.client, text);
  }
  run_until(&ops[9].calls, 1);
  for (i = 10; i < 20; i++) op_recv(&ops[i], &pair.accepted, FOREVER);
  for (i = 0; i < 15; i++) {
    snprintf(text, sizeof(text), "%d", i);
    op_gets(&ops[i], text);
  }
  for (i = 15; i < 20; i++) assert_int_equal(ops[i].calls, 0);
  pair_finish(&pair);
  for (i = 15; i < 20; i++) assert_int_equal(ops[i].status, UV_EOF);
}

static void recv_next(op_t* op, const void* data) {
  int number = ++op->side->messages;

  assert_int_equal(op->size, sizeof(int));
  assert_memory_equal(data, &number, sizeof(int));
  if (number < 1000) op_recv(op, op->side, FOREVER);
}

/* A receive begun in the callback of the one before, with the same memory. */
static void test_recv_in_its_callback(void** state) {
  op_t op = {0};
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  for (i = 1; i <= 1000; i++) {
    assert_int_equal(side_send(&pair.client, &i, sizeof(i)), 0);
  }
  op.on_end = recv_next;
  op_recv(&op, &pair.accepted, FOREVER);
  run_until(&pair.accepted.messages, 1000);
  assert_int_equal(op.calls, 1);
  pair_finish(&pair);
}

static void test_empty_messages(void** state) {
  op_t op = {0};
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  for (i = 0; i < 3; i++) side_say(&pair.client, "");
  side_say(&pair.client, "last");
  for (i = 0; i < 3; i++) side_gets(&pair.accepted, "");
  side_gets(&pair.accepted, "last");
  op_recv(&op, &pair.accepted, 0);
  op_ends(&op, UV_ETIMEDOUT);
  pair_finish(&pair);
}

static void check_large(op_t* op, const void* data) {
  assert_int_equal(op->size, sizeof(large));
  pattern_check(data, op->size, 1);
}

static void test_large_messages(void** state) {
  op_t op = {0};
  pair_t pair;
  int i;

  (void) state;
  pattern_fill(large, sizeof(large), 1);
  pull_open(&pair);
  op.on_end = check_large;
  for (i = 0; i < 3; i++) {
    assert_int_equal(side_lend(&pair.client, large, sizeof(large)), 0);
    op_recv(&op, &pair.accepted, FOREVER);
    op_ends(&op, 0);
    run_until(&pair.client.sent, i + 1);
  }
  pair_finish(&pair);
}

/* ---- Deadlines of receives ---------------------------------------------- */

static void test_recv_timeout(void** state) {
  op_t first = {0}, second = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&first, &pair.accepted, WAIT_MS);
  op_recv(&second, &pair.accepted, 2 * WAIT_MS);
  op_ends(&first, UV_ETIMEDOUT);
  op_ends(&second, UV_ETIMEDOUT);
  assert_not_early(&first, WAIT_MS);
  assert_not_early(&second, 2 * WAIT_MS);
  side_say(&pair.client, "late");
  side_gets(&pair.accepted, "late");
  test_run_for(WAIT_MS);
  assert_int_equal(first.calls + second.calls, 2);
  pair_finish(&pair);
}

/* The message lies in the system when the deadline is noticed. */
static void test_deadline_does_not_beat_data(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&op, &pair.accepted, 20);
  test_turn(); /* waits already, whatever that takes */
  side_say(&pair.client, "in time");
  assert_int_equal(ipc_channel_flush(pair.client.channel), 0);
  uv_sleep(40);
  if (op.calls == 0) {
    op_gets(&op, "in time");
  } else {
    op_ends(&op, UV_ETIMEDOUT); /* in that one turn: a very slow machine */
    side_gets(&pair.accepted, "in time");
  }
  pair_finish(&pair);
}

/* 0 takes what has come, and does not wait. */
static void test_recv_at_once(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&op, &pair.accepted, 0);
  op_ends(&op, UV_ETIMEDOUT);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  side_is_readable(&pair.accepted);
  op_recv(&op, &pair.accepted, 0);
  op_gets(&op, "one");
  op_recv(&op, &pair.accepted, 0);
  op_gets(&op, "two");
  pair_finish(&pair);
}

static void test_infinite(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&op, &pair.accepted, FOREVER);
  test_run_for(100);
  assert_int_equal(op.calls, 0);
  side_say(&pair.client, "at last");
  op_gets(&op, "at last");
  pair_finish(&pair);
}

/* ---- Beside on_message -------------------------------------------------- */

static void check_word(side_t* side, const void* data, size_t size) {
  static const char* const words[] = {"two", "three", "five"};
  const char* word = words[side->messages - 1];

  assert_int_equal(size, strlen(word));
  assert_memory_equal(data, word, size);
}

/* A receive comes before on_message, in whichever order they were named. */
static void test_beside_on_message(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = check_word;
  pair_open(&pair);
  op_recv(&op, &pair.accepted, FOREVER);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  side_say(&pair.client, "three");
  op_gets(&op, "one");
  run_until(&pair.accepted.messages, 2);
  op_recv(&op, &pair.accepted, FOREVER);
  side_say(&pair.client, "four");
  op_gets(&op, "four");
  side_say(&pair.client, "five");
  run_until(&pair.accepted.messages, 3);
  pair_finish(&pair);
}

static op_t inner;

static void recv_inside(side_t* side, const void* data, size_t size) {
  (void) data;
  if (size == 3) op_recv(&inner, side, FOREVER); /* "odd", not "even" */
}

/* A receive begun in on_message gets what came in the same read. */
static void test_recv_in_on_message(void** state) {
  pair_t pair;

  (void) state;
  memset(&inner, 0, sizeof(inner));
  pair_init(&pair);
  pair.accepted.on_message = recv_inside;
  pair_open(&pair);
  side_say(&pair.client, "odd");
  side_say(&pair.client, "inner");
  side_say(&pair.client, "even");
  run_until(&pair.accepted.messages, 2);
  op_gets(&inner, "inner");
  pair_finish(&pair);
}

/* A pause keeps on_message away, not a receive. */
static void test_paused(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = check_word;
  pair_open(&pair);
  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  op_recv(&op, &pair.accepted, FOREVER);
  side_say(&pair.client, "zero");
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  side_say(&pair.client, "three");
  op_gets(&op, "zero");
  side_gets(&pair.accepted, "one");
  test_run_for(WAIT_MS);
  assert_int_equal(pair.accepted.messages, 0);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, 2);
  pair_finish(&pair);
}

static uint8_t block[64 << 10];

static void fill(side_t* side) {
  for (;;) {
    pattern_fill(block, sizeof(block), (unsigned int) side->asked);
    if (side_send(side, block, sizeof(block)) != 0) return;
  }
}

static void check_block(op_t* op, const void* data) {
  assert_int_equal(op->size, sizeof(block));
  pattern_check(data, op->size, (unsigned int) op->side->messages++);
}

/* A peer that nobody receives from finds its queue full, and loses nothing. */
static void test_nobody_receives(void** state) {
  op_t op = {0};
  pair_t pair;
  int drains;

  (void) state;
  pull_open(&pair);
  do {
    drains = pair.client.drains;
    fill(&pair.client);
    test_run_for(WAIT_MS);
  } while (pair.client.drains > drains);
  assert_true(pair.client.asked < 64); /* its queue, and a few buffers */
  op.on_end = check_block;
  while (pair.accepted.messages < pair.client.asked) {
    op_recv(&op, &pair.accepted, FOREVER);
    op_ends(&op, 0);
  }
  assert_int_equal(pair.client.drains, drains + 1);
  pair_finish(&pair);
}

/* ---- The end ------------------------------------------------------------ */

static void test_end(void** state) {
  op_t ops[3] = {0};
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  side_gets(&pair.accepted, "one");
  for (i = 0; i < 3; i++) op_recv(&ops[i], &pair.accepted, FOREVER);
  op_gets(&ops[0], "two");
  op_ends(&ops[1], UV_EOF);
  op_ends(&ops[2], UV_EOF);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, 0);
  assert_int_equal(refused(&pair.accepted), UV_EOF);
  side_say(&pair.accepted, "still here"); /* the other way goes on */
  side_gets(&pair.client, "still here");
  pair_finish(&pair);
}

/* What came before the connection broke can still be received. */
static void test_broken(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  side_is_readable(&pair.accepted);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  test_run_for(WAIT_MS);
  side_gets(&pair.accepted, "one");
  side_gets(&pair.accepted, "two");
  if (pair.accepted.ends == 0) {
    op_recv(&op, &pair.accepted, FOREVER);
    op_ends(&op, UV_ECONNRESET);
  }
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
  assert_int_equal(refused(&pair.accepted), UV_EPIPE);
  pair_finish(&pair);
}

static void test_broken_while_pending(void** state) {
  op_t ops[2] = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&ops[0], &pair.accepted, FOREVER);
  op_recv(&ops[1], &pair.accepted, 60000);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  op_ends(&ops[0], UV_ECONNRESET);
  op_ends(&ops[1], UV_ECONNRESET);
  pair_finish(&pair);
}

static void test_disconnect(void** state) {
  op_t ops[2] = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&ops[0], &pair.accepted, FOREVER);
  op_recv(&ops[1], &pair.accepted, 60000);
  assert_int_equal(ipc_channel_disconnect(pair.accepted.channel), 0);
  assert_int_equal(ops[0].calls + ops[1].calls, 0);
  assert_int_equal(refused(&pair.accepted), UV_EPIPE);
  op_ends(&ops[0], UV_ECANCELED);
  op_ends(&ops[1], UV_ECANCELED);
  pair_finish(&pair);
}

/* Before on_close, which asserts so: ended() sees no close. */
static void test_close(void** state) {
  op_t ops[2] = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&ops[0], &pair.accepted, FOREVER);
  op_recv(&ops[1], &pair.accepted, 60000);
  side_close(&pair.accepted);
  assert_int_equal(ops[0].calls + ops[1].calls, 0);
  assert_int_equal(refused(&pair.accepted), UV_EPIPE);
  run_until(&pair.accepted.closes, 1);
  assert_int_equal(ops[0].status, UV_ECANCELED);
  assert_int_equal(ops[1].status, UV_ECANCELED);
  pair_finish(&pair);
}

static void test_while_connecting(void** state) {
  op_t early = {0}, first = {0};
  pair_t pair;

  (void) state;
  pull_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  op_recv(&early, &pair.client, 0);
  op_recv(&first, &pair.client, FOREVER);
  op_ends(&early, UV_ETIMEDOUT);
  run_until(&pair.accepted.opens, 1);
  side_say(&pair.accepted, "welcome");
  op_gets(&first, "welcome");
  pair_finish(&pair);
}

static void test_never_connected(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_init(&pair);
  pair_connect(&pair);
  op_recv(&op, &pair.client, FOREVER);
  op_ends(&op, UV_ENOENT);
  run_until(&pair.client.connects, 1);
  assert_int_equal(refused(&pair.client), UV_EPIPE);
  side_close(&pair.client);
  test_run();
  assert_int_equal(pair.client.closes, 1);
}

/* ---- Raw ---------------------------------------------------------------- */

static void check_bytes(op_t* op, const void* data) {
  side_t* side = op->side;

  if (op->status != 0) return;
  assert_true(op->size > 0);
  assert_memory_equal(data, large + side->bytes, op->size);
  side->bytes += op->size;
}

/* All bytes in order, however they are cut; then the end. */
static void test_raw(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pattern_fill(large, sizeof(large), 2);
  pull_init(&pair);
  pair_raw(&pair);
  pair_open(&pair);
  assert_int_equal(side_lend(&pair.client, large, 3 * MIB), 0);
  op.on_end = check_bytes;
  while (pair.accepted.bytes < 3 * MIB) {
    op_recv(&op, &pair.accepted, (int) (pair.accepted.bytes % 3));
    run_until(&op.calls, 1);
    if (op.status != 0) assert_int_equal(op.status, UV_ETIMEDOUT);
  }
  run_until(&pair.client.sent, 1);
  op_recv(&op, &pair.accepted, FOREVER);
  side_close(&pair.client);
  op_ends(&op, UV_EOF);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, 0);
  assert_int_equal(refused(&pair.accepted), UV_EOF);
  pair_finish(&pair);
}

static void test_refused(void** state) {
  ipc_channel_t* channel;
  pair_t pair;

  (void) state;
  pull_open(&pair);
  channel = pair.client.channel;
  assert_int_equal(ipc_channel_recv(NULL, 1, ignore, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_recv(channel, 1, NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_recv(channel, -2, ignore, NULL), UV_EINVAL);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_recv),
      TEST(test_order),
      TEST(test_recv_in_its_callback),
      TEST(test_empty_messages),
      TEST(test_large_messages),
      TEST(test_recv_timeout),
      TEST(test_deadline_does_not_beat_data),
      TEST(test_recv_at_once),
      TEST(test_infinite),
      TEST(test_beside_on_message),
      TEST(test_recv_in_on_message),
      TEST(test_paused),
      TEST(test_nobody_receives),
      TEST(test_end),
      TEST(test_broken),
      TEST(test_broken_while_pending),
      TEST(test_disconnect),
      TEST(test_close),
      TEST(test_while_connecting),
      TEST(test_never_connected),
      TEST(test_raw),
      TEST(test_refused),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
