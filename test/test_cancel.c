/* Cancelling: each pending operation ends at once and once, what has begun goes
 * on, and what is left arrives as if the rest had never been. */
#include "harness.h"

#include "pull.h"

#define MIB ((size_t) 1 << 20)
#define FOREVER IPC_CHANNEL_INFINITE
#define WAIT_MS 50

static uint8_t plug[8 << 20]; /* more than the system holds */

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

/* Of the operations that pull.h has not. */
static void ended(op_t* op, int status) {
  assert_false(op->in_call);
  assert_int_equal(op->calls, 0);
  if (op->side != NULL) assert_int_equal(op->side->closes, 0);
  op->calls++;
  op->status = status;
  op->ended_at = uv_hrtime();
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
  op_call(&op, &pair.client, FOREVER);
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
  ended(&accepting, status);
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

static void cancel_when_broken(op_t* op, const void* data) {
  assert_true(op->status < 0 && op->status != UV_ECANCELED);
  cancel_other(op, data);
}

/* In the callback of one that a broken connection ends: that was withdrawn and
 * not lost. */
static void run_when_broken(int raw) {
  op_t first = {0}, ops[3] = {0};
  pair_t pair;
  int i;

  stuck_open(&pair, &first, raw);
  for (i = 0; i < 3; i++) op_put(&ops[i], &pair.client, "words", 5, i != 2);
  first.on_end = cancel_when_broken;
  first.arg = &ops[1];
  assert_int_equal(ipc_channel_disconnect(pair.accepted.channel), 0);
  op_ends(&ops[1], UV_ECANCELED);
  assert_int_equal(ops[1].sent, 0);
  for (i = 0; i < 3; i += 2) {
    op_ends(&ops[i], first.status);
    assert_int_equal(ops[i].sent, 0);
  }
  pair_finish(&pair);
  assert_int_equal(first.calls, 1);
  for (i = 0; i < 3; i++) assert_int_equal(ops[i].calls, 1);
  assert_int_equal(pair.client.result.unsent, 3);
}

static void test_when_broken(void** state) {
  (void) state;
  run_when_broken(0);
  run_when_broken(1);
}

/* ---- Soon --------------------------------------------------------------- */

/* A cancel that is late may have been kept waiting by the machine: one try in
 * time is enough. */
#define SOON_NS 50000000
#define MANY 50
/* Each try is checked for the rest. */
#define FEW 5
/* `plug` is more than half of it, also less what the system holds. */
#define LIMIT (11 * MIB)

static void ignore_request(ipc_channel_t* channel,
                           ipc_request_t request,
                           const void* data,
                           size_t size) {
  (void) channel, (void) request, (void) data, (void) size;
}

/* Nothing comes, everything goes. */
static void open_idle(pair_t* pair) {
  pull_init(pair);
  ipc_server_options_on_request(&pair->server_options, ignore_request);
  ipc_client_options_set_max_queue_bytes(&pair->client_options, LIMIT);
  ipc_client_options_set_close_timeout(&pair->client_options, 60000);
  pair_open(pair);
}

static op_t plug_op;

static void put_plug(pair_t* pair) {
  memset(&plug_op, 0, sizeof(plug_op));
  op_put(&plug_op, &pair->client, plug, sizeof(plug), 0);
}

/* Nothing goes but what has begun; there is room for a little more. */
static void open_stuck(pair_t* pair) {
  open_idle(pair);
  assert_int_equal(ipc_channel_pause(pair->accepted.channel), 0);
  put_plug(pair);
}

/* The same where nobody is there. */
static void open_connecting(pair_t* pair) {
  pull_init(pair);
  ipc_client_options_set_max_queue_bytes(&pair->client_options, LIMIT);
  ipc_client_options_set_close_timeout(&pair->client_options, 60000);
  ipc_client_options_set_wait_for_server(&pair->client_options, 1);
  ipc_client_options_set_connect_timeout(&pair->client_options, FOREVER);
  pair_connect(pair);
  put_plug(pair);
}

static void close_soon(pair_t* pair) {
  ipc_channel_disconnect(pair->client.channel);
  if (pair->server == NULL) pair_listen(pair);
  pair_finish(pair);
}

/* One that has ended may not end again. */
static void stays_ended(const op_t* op) {
  uv_run(test_loop(), UV_RUN_NOWAIT);
  uv_run(test_loop(), UV_RUN_NOWAIT);
  assert_int_equal(op->calls, 1);
}

static void begin_recv(op_t* op, side_t* side) {
  op_recv(op, side, FOREVER);
}

static void begin_recv_with_deadline(op_t* op, side_t* side) {
  op_recv(op, side, 60000);
}

static void begin_readable(op_t* op, side_t* side) {
  op_ready(op, side, IPC_CHANNEL_READABLE, FOREVER);
}

static void begin_writable(op_t* op, side_t* side) {
  op_ready(op, side, IPC_CHANNEL_WRITABLE, FOREVER);
}

static void begin_either(op_t* op, side_t* side) {
  op_ready(op, side, IPC_CHANNEL_READABLE | IPC_CHANNEL_WRITABLE, 60000);
}

static void begin_send(op_t* op, side_t* side) {
  op_put(op, side, "x", 1, 0);
}

static void begin_copy(op_t* op, side_t* side) {
  op_put(op, side, "x", 1, 1);
}

static void begin_send_with_deadline(op_t* op, side_t* side) {
  op_send(op, side, "x", 1, 60000);
}

static void begin_call(op_t* op, side_t* side) {
  op_call(op, side, FOREVER);
}

/* Cancels one that has been pending for a while: in time? */
static int is_cancelled_soon(op_t* op) {
  uint64_t from;

  assert_int_equal(op->calls, 0);
  from = uv_hrtime();
  op_cancelled(op);
  stays_ended(op);
  return op->ended_at - from <= SOON_NS;
}

static void run_soon(void (*open)(pair_t*), void (*begin)(op_t*, side_t*)) {
  int in_time = 0;
  op_t op = {0};
  pair_t pair;
  int try;

  open(&pair);
  for (try = 0; try < FEW || (try < MANY && !in_time); try++) {
    begin(&op, &pair.client);
    test_run_for(1);
    if (is_cancelled_soon(&op)) in_time = 1;
  }
  assert_true(in_time);
  close_soon(&pair);
}

static void test_recv_soon(void** state) {
  (void) state;
  run_soon(open_idle, begin_recv);
  run_soon(open_idle, begin_recv_with_deadline);
  run_soon(open_connecting, begin_recv);
}

static void test_ready_soon(void** state) {
  (void) state;
  run_soon(open_idle, begin_readable);
  run_soon(open_stuck, begin_writable);
  run_soon(open_stuck, begin_either);
  run_soon(open_connecting, begin_readable);
  run_soon(open_connecting, begin_writable);
  run_soon(open_connecting, begin_either);
}

static void test_send_soon(void** state) {
  (void) state;
  run_soon(open_stuck, begin_send);
  run_soon(open_stuck, begin_copy);
  run_soon(open_stuck, begin_send_with_deadline);
  run_soon(open_connecting, begin_send);
  run_soon(open_connecting, begin_copy);
  run_soon(open_connecting, begin_send_with_deadline);
}

/* Its request has gone, or not. */
static void test_call_soon(void** state) {
  (void) state;
  run_soon(open_idle, begin_call);
  run_soon(open_stuck, begin_call);
  run_soon(open_connecting, begin_call);
}

static void begin_accept(pair_t* pair) {
  memset(&accepting, 0, sizeof(accepting));
  accepting.in_call = 1;
  assert_int_equal(ipc_server_accept(pair->server, FOREVER, on_accept, NULL),
                   0);
  accepting.in_call = 0;
  accepting.id = ipc_server_last_op(pair->server);
}

static void open_server(pair_t* pair) {
  pull_init(pair);
  ipc_server_options_on_connection(&pair->server_options, NULL);
  pair_listen(pair);
}

static void test_accept_soon(void** state) {
  int in_time = 0;
  uint64_t from;
  pair_t pair;
  int try;

  (void) state;
  open_server(&pair);
  for (try = 0; try < FEW || (try < MANY && !in_time); try++) {
    begin_accept(&pair);
    test_run_for(1);
    from = uv_hrtime();
    assert_int_equal(ipc_server_cancel(pair.server, accepting.id), 0);
    assert_int_equal(ipc_server_cancel(pair.server, accepting.id), UV_ENOENT);
    op_ends(&accepting, UV_ECANCELED);
    stays_ended(&accepting);
    if (accepting.ended_at - from <= SOON_NS) in_time = 1;
  }
  assert_true(in_time);
  pair_finish(&pair);
}

/* Sends that wait when their channel closes go on, and can be withdrawn. */
static void run_soon_closing(void (*open)(pair_t*)) {
  op_t ops[MANY] = {{0}};
  int in_time = 0;
  pair_t pair;
  int i;

  open(&pair);
  for (i = 0; i < MANY; i++) begin_send(&ops[i], &pair.client);
  side_close(&pair.client);
  for (i = 0; i < MANY && (i < FEW || !in_time); i++) {
    test_run_for(1);
    if (is_cancelled_soon(&ops[i])) in_time = 1;
  }
  assert_true(in_time);
  assert_int_equal(pair.client.closes, 0);
  close_soon(&pair);
}

static void test_closing_soon(void** state) {
  (void) state;
  run_soon_closing(open_stuck);
  run_soon_closing(open_connecting);
}

/* ---- Pending at the close ----------------------------------------------- */

/* All but sends, which go on. */
static void (*const pullers[])(op_t*, side_t*) = {
    begin_recv,     begin_recv_with_deadline,
    begin_readable, begin_writable,
    begin_either,   begin_call,
};
#define PULLERS TEST_COUNT(pullers)

/* The close ends them all, in its next turn and not only when it is over. A
 * cancel after it finds them pending still, or over. */
static void run_at_close(void (*open)(pair_t*), int cancels) {
  op_t ops[PULLERS] = {{0}};
  pair_t pair;
  size_t i;
  int err;

  open(&pair);
  for (i = 0; i < PULLERS; i++) pullers[i](&ops[i], &pair.client);
  test_run_for(1);
  side_close(&pair.client);
  for (i = 0; i < PULLERS; i++) {
    assert_int_equal(ops[i].calls, 0);
    if (!cancels) continue;
    err = op_cancel(&ops[i]);
    assert_true(err == 0 || err == UV_ENOENT);
    assert_int_equal(op_cancel(&ops[i]), UV_ENOENT);
  }
  for (i = 0; i < PULLERS; i++) op_ends(&ops[i], UV_ECANCELED);
  assert_int_equal(pair.client.closes, 0); /* the plug is still there */
  for (i = 0; i < PULLERS; i++) {
    assert_int_equal(op_cancel(&ops[i]), UV_ENOENT);
    stays_ended(&ops[i]);
  }
  close_soon(&pair);
  for (i = 0; i < PULLERS; i++) assert_int_equal(ops[i].calls, 1);
}

static void test_at_close(void** state) {
  (void) state;
  run_at_close(open_stuck, 0);
  run_at_close(open_stuck, 1);
}

static void test_at_close_while_connecting(void** state) {
  (void) state;
  run_at_close(open_connecting, 0);
  run_at_close(open_connecting, 1);
}

/* Where nothing is queued the close is over at once: they come before it. */
static void test_at_close_at_once(void** state) {
  op_t recv = {0}, ready = {0};
  pair_t pair;

  (void) state;
  pull_init(&pair);
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  pair_connect(&pair);
  begin_recv(&recv, &pair.client);
  begin_readable(&ready, &pair.client);
  side_close(&pair.client);
  assert_int_equal(recv.calls + ready.calls, 0);
  op_ends(&recv, UV_ECANCELED);
  op_ends(&ready, UV_ECANCELED);
  run_until(&pair.client.closes, 1);
  pair_listen(&pair);
  pair_finish(&pair);
  assert_int_equal(recv.calls + ready.calls, 2);
}

/* A call whose request has gone: the peer's reply comes to nobody. */
static void test_call_at_close(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  asked = 0;
  pull_init(&pair);
  ipc_server_options_on_request(&pair.server_options, on_request);
  pair_open(&pair);
  begin_call(&op, &pair.client);
  while (asked == 0) test_turn();
  side_close(&pair.client);
  assert_int_equal(op.calls, 0);
  assert_int_equal(ipc_channel_reply(pair.accepted.channel, asked, "!", 1), 0);
  op_ends(&op, UV_ECANCELED);
  run_until(&pair.client.closes, 1);
  pair_finish(&pair);
  assert_int_equal(op.calls, 1);
}

static void test_accept_at_close(void** state) {
  int cancels;
  pair_t pair;

  (void) state;
  for (cancels = 0; cancels < 2; cancels++) {
    open_server(&pair);
    begin_accept(&pair);
    assert_int_equal(ipc_server_close(pair.server, NULL), 0);
    assert_int_equal(accepting.calls, 0);
    if (cancels) {
      int err = ipc_server_cancel(pair.server, accepting.id);

      assert_true(err == 0 || err == UV_ENOENT);
    }
    op_ends(&accepting, UV_ECANCELED);
    test_run();
    assert_int_equal(accepting.calls, 1);
  }
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
  op_t first = {0}, ops[6] = {0}, ready = {0};
  pair_t pair;
  int i;

  (void) state;
  stuck_open(&pair, &first, 0);
  for (i = 0; i < 6; i++) {
    op_put(&ops[i], &pair.client, plug, sizeof(plug), 0);
  }
  while (side_send(&pair.client, plug, MIB) == 0) {
  }
  op_ready(&ready, &pair.client, IPC_CHANNEL_WRITABLE, FOREVER);
  test_run_for(WAIT_MS);
  assert_int_equal(ready.calls, 0);
  for (i = 0; i < 6; i++) op_cancelled(&ops[i]);
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
      TEST(test_while_connecting),
      TEST(test_in_callbacks),
      TEST(test_ready_in_ready),
      TEST(test_recv_at_the_end),
      TEST(test_begun),
      TEST(test_while_closing),
      TEST(test_when_broken),
      TEST(test_recv_soon),
      TEST(test_ready_soon),
      TEST(test_send_soon),
      TEST(test_call_soon),
      TEST(test_accept_soon),
      TEST(test_closing_soon),
      TEST(test_at_close),
      TEST(test_at_close_while_connecting),
      TEST(test_at_close_at_once),
      TEST(test_call_at_close),
      TEST(test_accept_at_close),
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
