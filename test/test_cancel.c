/* Cancelling: each pending operation ends at once and once, what has begun goes
 * on, and what is left arrives as if the rest had never been. */
#include "harness.h"

#include "pull.h"

#define MIB ((size_t) 1 << 20)
#define FOREVER IPC_CHANNEL_INFINITE
#define WAIT_MS 50

static uint8_t plug[4 << 20]; /* more than the system holds */

static void pull_open(pair_t* pair) {
  pull_init(pair);
  pair_open(pair);
}

/* Cancels an operation and asserts how it ends: once. */
static void op_cancelled(op_t* op) {
  assert_int_equal(op_cancel(op), 0);
  assert_int_equal(op_cancel(op), UV_ENOENT);
  op_ends(op, UV_ECANCELED);
  assert_int_equal(op->sent, 0);
  assert_int_equal(op_cancel(op), UV_ENOENT);
}

/* ---- One of each kind --------------------------------------------------- */

static void test_recv(void** state) {
  op_t op = {0}, other = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&op, &pair.accepted, FOREVER);
  op_recv(&other, &pair.accepted, FOREVER);
  op_cancelled(&op);
  op_recv(&op, &pair.accepted, 60000);
  op_cancelled(&op);
  side_say(&pair.client, "kept");
  op_gets(&other, "kept");
  assert_int_equal(op_cancel(&other), UV_ENOENT);
  pair_finish(&pair);
}

/* Whatever the message has reached when the receive is cancelled, the next one
 * gets it. */
static void test_recv_loses_nothing(void** state) {
  op_t op = {0};
  char text[8];
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  for (i = 0; i < 50; i++) {
    op_recv(&op, &pair.accepted, FOREVER);
    snprintf(text, sizeof(text), "%d", i);
    side_say(&pair.client, text);
    assert_int_equal(ipc_channel_flush(pair.client.channel), 0);
    if (i % 2 != 0) test_turn();
    if (op.calls == 0) {
      op_cancelled(&op);
      side_gets(&pair.accepted, text);
    } else {
      op_gets(&op, text);
    }
  }
  pair_finish(&pair);
}

static void test_ready(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_ready(&op, &pair.accepted, IPC_CHANNEL_READABLE, FOREVER);
  op_cancelled(&op);
  op_ready(&op, &pair.accepted, IPC_CHANNEL_READABLE, 60000);
  op_cancelled(&op);
  pair_finish(&pair);
}

static void on_called(ipc_channel_t* channel,
                      void* arg,
                      int status,
                      const void* data,
                      size_t size) {
  op_t* op = arg;

  (void) channel;
  assert_null(data);
  assert_int_equal(size, 0);
  op->calls++;
  op->status = status;
}

static ipc_request_t asked;

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  (void) channel, (void) data, (void) size;
  asked = request;
}

/* A reply that comes later is discarded. */
static void test_call(void** state) {
  ipc_channel_stats_t stats;
  op_t op = {0};
  pair_t pair;

  (void) state;
  asked = 0;
  pull_init(&pair);
  ipc_server_options_on_request(&pair.server_options, on_request);
  pair_open(&pair);
  op.side = &pair.client;
  assert_int_equal(ipc_channel_call(pair.client.channel, "hello?", 6, FOREVER,
                                    on_called, &op),
                   0);
  op.id = ipc_channel_last_op(pair.client.channel);
  while (asked == 0) test_turn();
  op_cancelled(&op);
  assert_int_equal(ipc_channel_reply(pair.accepted.channel, asked, "no", 2), 0);
  do {
    test_turn();
    assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  } while (stats.late_replies == 0);
  assert_int_equal(op.calls, 1);
  pair_finish(&pair);
}

static op_t accepting;

static void on_accept(ipc_server_t* server,
                      void* arg,
                      int status,
                      ipc_channel_t* channel) {
  (void) server, (void) arg;
  assert_null(channel);
  accepting.calls++;
  accepting.status = status;
}

static void test_accept(void** state) {
  ipc_op_t op;
  pair_t pair;

  (void) state;
  memset(&accepting, 0, sizeof(accepting));
  pull_init(&pair);
  ipc_server_options_on_connection(&pair.server_options, NULL);
  pair_listen(&pair);
  assert_int_equal(ipc_server_last_op(pair.server), 0);
  assert_int_equal(ipc_server_accept(pair.server, FOREVER, on_accept, NULL), 0);
  op = ipc_server_last_op(pair.server);
  assert_int_equal(ipc_server_cancel(pair.server, op), 0);
  assert_int_equal(ipc_server_cancel(pair.server, op), UV_ENOENT);
  assert_int_equal(accepting.calls, 0);
  op_ends(&accepting, UV_ECANCELED);
  assert_int_equal(ipc_server_cancel(pair.server, op), UV_ENOENT);
  pair_finish(&pair);
  assert_int_equal(accepting.calls, 1);
}

/* ---- When, and from where ----------------------------------------------- */

static void test_unknown(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  assert_int_equal(ipc_channel_last_op(pair.accepted.channel), 0);
  assert_int_equal(ipc_channel_cancel(NULL, 1), UV_EINVAL);
  assert_int_equal(ipc_channel_cancel(pair.accepted.channel, 0), UV_ENOENT);
  op_recv(&op, &pair.accepted, 1);
  assert_int_equal(ipc_channel_cancel(pair.accepted.channel, op.id + 1),
                   UV_ENOENT);
  op_ends(&op, UV_ETIMEDOUT);
  assert_int_equal(op_cancel(&op), UV_ENOENT);
  op_put(&op, &pair.client, "x", 1, 1);
  op_ends(&op, 0);
  assert_int_equal(op_cancel(&op), UV_ENOENT);
  side_gets(&pair.accepted, "x");
  pair_finish(&pair);
}

/* Within 50 ms: the best of many, for the machine may be busy. */
static void test_soon(void** state) {
  op_t op = {0};
  pair_t pair;
  uint64_t from;
  int took = 1000;
  int try;

  (void) state;
  pull_open(&pair);
  for (try = 0; try < 50 && took > 50; try++) {
    op_recv(&op, &pair.accepted, FOREVER);
    test_run_for(1);
    from = uv_hrtime();
    assert_int_equal(op_cancel(&op), 0);
    op_ends(&op, UV_ECANCELED);
    took = elapsed_ms(from);
  }
  assert_true(took <= 50);
  pair_finish(&pair);
}

static void test_while_connecting(void** state) {
  static uint8_t lent[64 << 10];
  op_t recv = {0}, ready = {0}, small = {0}, large = {0};
  pair_t pair;

  (void) state;
  pull_init(&pair);
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  ipc_client_options_set_connect_timeout(&pair.client_options, FOREVER);
  pair_connect(&pair);
  side_say(&pair.client, "one");
  op_recv(&recv, &pair.client, FOREVER);
  op_ready(&ready, &pair.client, IPC_CHANNEL_READABLE, FOREVER);
  op_put(&small, &pair.client, "cancelled", 9, 0);
  op_put(&large, &pair.client, lent, sizeof(lent), 0);
  side_say(&pair.client, "two");
  op_cancelled(&large);
  op_cancelled(&ready);
  op_cancelled(&recv);
  op_cancelled(&small);
  pair_listen(&pair);
  run_until(&pair.accepted.opens, 1);
  side_gets(&pair.accepted, "one");
  side_gets(&pair.accepted, "two");
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
}

static void cancel_other(op_t* op, const void* data) {
  (void) data;
  assert_int_equal(op_cancel(op), UV_ENOENT); /* itself: over */
  assert_int_equal(op_cancel(op->arg), 0);
  assert_int_equal(op_cancel(op->arg), UV_ENOENT);
}

static void test_in_callbacks(void** state) {
  op_t first = {0}, second = {0}, ready = {0}, third = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&first, &pair.accepted, FOREVER);
  op_recv(&second, &pair.accepted, FOREVER);
  op_recv(&third, &pair.accepted, FOREVER);
  op_ready(&ready, &pair.accepted, IPC_CHANNEL_READABLE, FOREVER);
  first.on_end = cancel_other;
  first.arg = &second;
  second.on_end = cancel_other; /* in the callback of a cancelled one */
  second.arg = &ready;
  side_say(&pair.client, "one");
  op_gets(&first, "one");
  op_ends(&second, UV_ECANCELED);
  op_ends(&ready, UV_ECANCELED);
  side_say(&pair.client, "two");
  op_gets(&third, "two");
  pair_finish(&pair);
}

/* One of two that are told in the same turn cancels the other. */
static void test_ready_in_ready(void** state) {
  op_t ops[3] = {0};
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  for (i = 0; i < 3; i++) {
    op_ready(&ops[i], &pair.accepted, IPC_CHANNEL_READABLE, FOREVER);
  }
  ops[0].on_end = cancel_other;
  ops[0].arg = &ops[2];
  side_say(&pair.client, "x");
  op_ends(&ops[0], 0);
  op_ends(&ops[1], 0);
  op_ends(&ops[2], UV_ECANCELED);
  side_gets(&pair.accepted, "x");
  pair_finish(&pair);
}

static void test_recv_at_the_end(void** state) {
  op_t ops[3] = {0};
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  for (i = 0; i < 3; i++) op_recv(&ops[i], &pair.accepted, FOREVER);
  ops[0].on_end = cancel_other;
  ops[0].arg = &ops[2];
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  op_ends(&ops[0], UV_EOF);
  op_ends(&ops[1], UV_EOF);
  op_ends(&ops[2], UV_ECANCELED);
  pair_finish(&pair);
}

/* ---- Sends -------------------------------------------------------------- */

/* The client's queue takes all of a test, and the peer nothing: the first send
 * has begun and can't end. */
static void stuck_open(pair_t* pair, op_t* first, int raw) {
  pattern_fill(plug, sizeof(plug), 0);
  pair_init(pair);
  if (raw) pair_raw(pair);
  ipc_client_options_set_max_queue_bytes(&pair->client_options, 64 * MIB);
  pair->accepted.keeps_log = 1;
  pair_open(pair);
  assert_int_equal(ipc_channel_pause(pair->accepted.channel), 0);
  op_put(first, &pair->client, plug, sizeof(plug), 0);
  test_run_for(WAIT_MS);
  assert_int_equal(first->calls, 0);
}

/* Lets the peer read all, and asserts how much that is. */
static void unstuck(pair_t* pair, size_t size) {
  assert_int_equal(ipc_channel_resume(pair->accepted.channel), 0);
  while (pair->accepted.bytes < size) test_turn();
  pair_finish(pair);
  assert_int_equal(pair->client.result.status, 0);
  assert_int_equal(pair->client.result.unsent, 0);
  assert_int_equal(pair->accepted.bytes, size);
}

static void run_begun(int raw) {
  op_t op = {0};
  pair_t pair;

  stuck_open(&pair, &op, raw);
  assert_int_equal(op_cancel(&op), UV_EBUSY);
  assert_int_equal(op_cancel(&op), UV_EBUSY);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  op_ends(&op, 0);
  assert_int_equal(op.sent, sizeof(plug));
  while (pair.accepted.bytes < sizeof(plug)) test_turn();
  pattern_check(pair.accepted.log, sizeof(plug), 0);
  pair_finish(&pair);
}

static void test_begun(void** state) {
  (void) state;
  run_begun(0);
  run_begun(1);
}

static void test_while_closing(void** state) {
  op_t first = {0}, ops[3] = {0};
  pair_t pair;
  int i;

  (void) state;
  stuck_open(&pair, &first, 0);
  for (i = 0; i < 3; i++) op_put(&ops[i], &pair.client, "words", 5, i == 1);
  side_close(&pair.client);
  op_cancelled(&ops[1]);
  assert_int_equal(op_cancel(&first), UV_EBUSY);
  unstuck(&pair, sizeof(plug) + 10);
  assert_int_equal(first.status, 0);
  assert_int_equal(ops[0].status, 0);
  assert_int_equal(ops[2].status, 0);
}

/* ---- In the middle of the queue ----------------------------------------- */

#define COUNT 24
#define LARGE_BYTES (100 << 10)

typedef enum shape_e { SMALL, LARGE, MIXED, SHAPES } shape_t;

/* Which are withdrawn. */
static int only_first(int i) {
  return i == 0;
}

static int only_last(int i) {
  return i == COUNT - 1;
}

static int only_middle(int i) {
  return i == COUNT / 2;
}

static int some_in_a_row(int i) {
  return i > 4 && i < 16;
}

static int all_but_one(int i) {
  return i != COUNT / 2;
}

static int every_second(int i) {
  return i % 2;
}

static int all(int i) {
  (void) i;
  return 1;
}

static size_t size_of(shape_t shape, int i) {
  int is_large = shape == LARGE || (shape == MIXED && i % 3 == 1);

  return (size_t) (is_large ? LARGE_BYTES + i : 10 + 7 * i);
}

/* What the peer has got: the plug, and those that were not withdrawn. */
static void check_log(const side_t* peer, shape_t shape, int (*gone)(int)) {
  const uint8_t* at = peer->log + sizeof(plug);
  int i;

  pattern_check(peer->log, sizeof(plug), 0);
  for (i = 0; i < COUNT; i++) {
    if (gone(i)) continue;
    pattern_check(at, size_of(shape, i), (unsigned int) i + 1);
    at += size_of(shape, i);
  }
  assert_ptr_equal(at, peer->log + peer->log_size);
}

static void run_withdrawn(shape_t shape, int (*gone)(int), int raw) {
  op_t first = {0}, ops[COUNT] = {0};
  uint8_t* lent[COUNT];
  size_t total = sizeof(plug);
  pair_t pair;
  int i;

  stuck_open(&pair, &first, raw);
  for (i = 0; i < COUNT; i++) {
    lent[i] = malloc(size_of(shape, i));
    assert_non_null(lent[i]);
    pattern_fill(lent[i], size_of(shape, i), (unsigned int) i + 1);
    op_put(&ops[i], &pair.client, lent[i], size_of(shape, i), i % 4 == 0);
    if (!gone(i)) total += size_of(shape, i);
  }
  for (i = COUNT - 1; i >= 0; i--) {
    if (gone(i)) assert_int_equal(op_cancel(&ops[i]), 0);
  }
  for (i = 0; i < COUNT; i++) {
    if (!gone(i)) continue;
    op_ends(&ops[i], UV_ECANCELED);
    assert_int_equal(ops[i].sent, 0);
    free(lent[i]); /* it is ours again */
    lent[i] = NULL;
  }
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  while (pair.accepted.bytes < total) test_turn();
  check_log(&pair.accepted, shape, gone);
  for (i = 0; i < COUNT; i++) {
    if (!gone(i)) op_ends(&ops[i], 0);
    if (!gone(i)) assert_int_equal(ops[i].sent, size_of(shape, i));
    free(lent[i]);
  }
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.accepted.bytes, total);
}

static void run_all_shapes(int (*gone)(int)) {
  int shape;

  for (shape = 0; shape < SHAPES; shape++) {
    run_withdrawn((shape_t) shape, gone, 0);
    run_withdrawn((shape_t) shape, gone, 1);
  }
}

static void test_first_withdrawn(void** state) {
  (void) state;
  run_all_shapes(only_first);
}

static void test_last_withdrawn(void** state) {
  (void) state;
  run_all_shapes(only_last);
}

static void test_middle_withdrawn(void** state) {
  (void) state;
  run_all_shapes(only_middle);
}

static void test_row_withdrawn(void** state) {
  (void) state;
  run_all_shapes(some_in_a_row);
}

static void test_most_withdrawn(void** state) {
  (void) state;
  run_all_shapes(all_but_one);
}

static void test_every_second_withdrawn(void** state) {
  (void) state;
  run_all_shapes(every_second);
}

static void test_all_withdrawn(void** state) {
  (void) state;
  run_all_shapes(all);
}

/* What is withdrawn makes room, and who waits for room is told. */
static void test_withdrawing_makes_room(void** state) {
  op_t first = {0}, ops[14] = {0}, ready = {0};
  pair_t pair;
  int i;

  (void) state;
  stuck_open(&pair, &first, 0);
  for (i = 0; i < 14; i++) {
    op_put(&ops[i], &pair.client, plug, sizeof(plug), 0);
  }
  while (side_send(&pair.client, plug, MIB) == 0) {
  }
  op_ready(&ready, &pair.client, IPC_CHANNEL_WRITABLE, FOREVER);
  test_run_for(WAIT_MS);
  assert_int_equal(ready.calls, 0);
  for (i = 0; i < 14; i++) op_cancelled(&ops[i]);
  op_ends(&ready, 0);
  assert_int_equal(side_send(&pair.client, plug, MIB), 0);
  unstuck(&pair, sizeof(plug) + (size_t) pair.client.asked * MIB);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_recv),
      TEST(test_recv_loses_nothing),
      TEST(test_ready),
      TEST(test_call),
      TEST(test_accept),
      TEST(test_unknown),
      TEST(test_soon),
      TEST(test_while_connecting),
      TEST(test_in_callbacks),
      TEST(test_ready_in_ready),
      TEST(test_recv_at_the_end),
      TEST(test_begun),
      TEST(test_while_closing),
      TEST(test_first_withdrawn),
      TEST(test_last_withdrawn),
      TEST(test_middle_withdrawn),
      TEST(test_row_withdrawn),
      TEST(test_most_withdrawn),
      TEST(test_every_second_withdrawn),
      TEST(test_all_withdrawn),
      TEST(test_withdrawing_makes_room),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
