/* The deadlines of all operations that have one: never early and, where the
 * machine has nothing else to do, hardly late; 0 doesn't wait, and where there
 * is no deadline nothing ends. */
#include "harness.h"

#include <limits.h>

#include "pull.h"

#define MIB ((size_t) 1 << 20)
#define FOREVER IPC_CHANNEL_INFINITE
#define LATE_NS 20000000
/* Who is late may have been kept from running: one try in time is enough. */
#define MANY 100
/* Each try is checked for being early. */
#define FEW 3
/* What a callback does before it begins an operation: the loop's own idea of
 * the time is old by then. */
#define WORK_MS 3
#define NOTHING_MS 60

/* Less than half of this can be in the system. */
#define LIMIT (11 * MIB)
static uint8_t plug[8 << 20];

/* An operation that can't succeed, and what it needs. */
typedef struct kind_s {
  void (*open)(void);
  /* On the test's loop. The operation writes down when it began and ended. */
  void (*begin)(op_t* op, int timeout_ms);
  /* Or one that blocks, and what it answers. */
  int (*wait)(int timeout_ms);
  void (*close)(void);
  int takes_zero;
} kind_t;

static pair_t pair;

/* ---- Operations that pull.h has not ------------------------------------- */

static void begin(op_t* op) {
  op->calls = 0;
  op->in_call = 1;
  op->began_at = uv_hrtime();
}

static void begun(op_t* op, int err) {
  assert_int_equal(err, 0);
  assert_int_equal(op->calls, 0);
  op->in_call = 0;
}

static void ended(op_t* op, int status) {
  assert_false(op->in_call);
  assert_int_equal(op->calls, 0);
  op->calls++;
  op->status = status;
  op->ended_at = uv_hrtime();
}

static void on_accept(ipc_server_t* server,
                      void* arg,
                      int status,
                      ipc_channel_t* channel) {
  (void) server;
  ended(arg, status);
  assert_int_equal(channel != NULL, status == 0);
  if (channel == NULL) return;
  pair.accepted.pair = &pair;
  pair.accepted.channel = channel;
  ipc_channel_set_data(channel, &pair.accepted);
}

static void op_accept(op_t* op, int timeout_ms) {
  begin(op);
  begun(op, ipc_server_accept(pair.server, timeout_ms, on_accept, op));
}

static void on_connect(ipc_channel_t* channel, int status) {
  ended(ipc_channel_data(channel), status);
  assert_int_equal(ipc_channel_close(channel), 0);
}

static void op_connect(op_t* op, int timeout_ms) {
  ipc_client_options_t* options = &pair.client_options;
  ipc_channel_t* channel;

  assert_int_equal(ipc_client_options_set_connect_timeout(options, timeout_ms),
                   0);
  begin(op);
  begun(op, ipc_client_connect(test_loop(), options, op, &channel));
}

/* ---- Never early, seldom late ------------------------------------------- */

typedef struct trial_s {
  const kind_t* kind;
  int timeout_ms;
  op_t op;
} trial_t;

static void begin_after_work(void* arg) {
  trial_t* trial = arg;

  uv_sleep(WORK_MS);
  trial->kind->begin(&trial->op, trial->timeout_ms);
}

/* One that has ended may not end again. */
static void stays_ended(const op_t* op) {
  uv_run(test_loop(), UV_RUN_NOWAIT);
  uv_run(test_loop(), UV_RUN_NOWAIT);
  assert_int_equal(op->calls, 1);
}

/* How long one took to expire. */
static uint64_t expire(const kind_t* kind, int timeout_ms, int works) {
  trial_t trial = {kind, timeout_ms, {0}};
  uint64_t from;

  if (kind->wait != NULL) {
    if (works) uv_sleep(WORK_MS);
    from = uv_hrtime();
    assert_int_equal(kind->wait(timeout_ms), UV_ETIMEDOUT);
    return uv_hrtime() - from;
  }
  if (works) {
    after(1, begin_after_work, &trial);
  } else {
    kind->begin(&trial.op, timeout_ms);
  }
  op_ends(&trial.op, UV_ETIMEDOUT);
  assert_int_equal(trial.op.sent, 0);
  stays_ended(&trial.op);
  return trial.op.ended_at - trial.op.began_at;
}

static void expires_in_time(const kind_t* kind, int timeout_ms, int works) {
  uint64_t due = (uint64_t) timeout_ms * 1000000;
  int in_time = 0;
  int try;

  for (try = 0; try < FEW || (try < MANY && !in_time); try++) {
    uint64_t took = expire(kind, timeout_ms, works);

    assert_true(took >= due);
    if (took <= due + LATE_NS) in_time = 1;
  }
  assert_true(in_time);
}

static void run_kind(const kind_t* kind) {
  static const int timeouts[] = {0, 1, 12};
  size_t i;

  kind->open();
  for (i = kind->takes_zero ? 0 : 1; i < TEST_COUNT(timeouts); i++) {
    expires_in_time(kind, timeouts[i], 0);
    expires_in_time(kind, timeouts[i], 1);
  }
  kind->close();
}

/* ---- On a loop: what they need ------------------------------------------ */

static op_t plug_op;

static void ignore_request(ipc_channel_t* channel,
                           ipc_request_t request,
                           const void* data,
                           size_t size) {
  (void) channel, (void) request, (void) data, (void) size;
}

static void prepare(void) {
  pull_init(&pair);
  ipc_server_options_on_request(&pair.server_options, ignore_request);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, LIMIT);
}

/* Has begun to leave, or waits to: the queue is more than half full and still
 * has room. */
static void put_plug(void) {
  memset(&plug_op, 0, sizeof(plug_op));
  op_put(&plug_op, &pair.client, plug, sizeof(plug), 0);
}

static void open_idle(void) {
  prepare();
  pair_open(&pair);
}

static void open_stuck(void) {
  open_idle();
  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  put_plug();
}

/* Nobody is there. */
static void open_connecting(void) {
  prepare();
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  ipc_client_options_set_connect_timeout(&pair.client_options, FOREVER);
  pair_connect(&pair);
  put_plug();
}

static void close_pair(void) {
  ipc_channel_disconnect(pair.client.channel);
  if (pair.server == NULL) pair_listen(&pair);
  pair_finish(&pair);
}

static void open_server(void) {
  prepare();
  ipc_server_options_on_connection(&pair.server_options, NULL);
  pair_listen(&pair);
}

/* It never says hello. */
static void open_mute_server(void) {
  pull_init(&pair);
  pair_raw_server(&pair);
  ipc_server_options_on_connection(&pair.server_options, NULL);
  ipc_server_options_on_message(&pair.server_options, NULL);
  ipc_server_options_on_end(&pair.server_options, NULL);
  ipc_server_options_on_close(&pair.server_options, NULL);
  pair_listen(&pair);
  ipc_client_options_on_connect(&pair.client_options, on_connect);
  ipc_client_options_on_end(&pair.client_options, NULL);
  ipc_client_options_on_close(&pair.client_options, NULL);
}

static void close_server(void) {
  pair_finish(&pair);
}

static void prepare_absent_server(void) {
  prepare();
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  ipc_client_options_on_connect(&pair.client_options, on_connect);
  ipc_client_options_on_end(&pair.client_options, NULL);
  ipc_client_options_on_close(&pair.client_options, NULL);
}

/* ---- On a loop ---------------------------------------------------------- */

static void begin_recv(op_t* op, int timeout_ms) {
  op_recv(op, &pair.client, timeout_ms);
}

static void begin_readable(op_t* op, int timeout_ms) {
  op_ready(op, &pair.client, IPC_CHANNEL_READABLE, timeout_ms);
}

static void begin_writable(op_t* op, int timeout_ms) {
  op_ready(op, &pair.client, IPC_CHANNEL_WRITABLE, timeout_ms);
}

static void begin_send(op_t* op, int timeout_ms) {
  op_send(op, &pair.client, "x", 1, timeout_ms);
}

static void begin_call(op_t* op, int timeout_ms) {
  op_call(op, &pair.client, timeout_ms);
}

static void test_recv(void** state) {
  (void) state;
  run_kind(&(kind_t){open_idle, begin_recv, NULL, close_pair, 1});
  run_kind(&(kind_t){open_connecting, begin_recv, NULL, close_pair, 1});
}

static void test_readable(void** state) {
  (void) state;
  run_kind(&(kind_t){open_idle, begin_readable, NULL, close_pair, 1});
  run_kind(&(kind_t){open_connecting, begin_readable, NULL, close_pair, 1});
}

static void test_writable(void** state) {
  (void) state;
  run_kind(&(kind_t){open_stuck, begin_writable, NULL, close_pair, 1});
  run_kind(&(kind_t){open_connecting, begin_writable, NULL, close_pair, 1});
}

static void test_send(void** state) {
  (void) state;
  run_kind(&(kind_t){open_stuck, begin_send, NULL, close_pair, 1});
  run_kind(&(kind_t){open_connecting, begin_send, NULL, close_pair, 1});
}

/* No reply comes, or the request doesn't even leave. */
static void test_call(void** state) {
  (void) state;
  run_kind(&(kind_t){open_idle, begin_call, NULL, close_pair, 0});
  run_kind(&(kind_t){open_stuck, begin_call, NULL, close_pair, 0});
  run_kind(&(kind_t){open_connecting, begin_call, NULL, close_pair, 0});
}

static void test_accept(void** state) {
  (void) state;
  run_kind(&(kind_t){open_server, op_accept, NULL, close_server, 1});
}

static void finish_absent_server(void) {
  pair_listen(&pair);
  pair_finish(&pair);
}

/* Nobody is there, or somebody who says nothing. */
static void test_connect(void** state) {
  (void) state;
  run_kind(&(kind_t){prepare_absent_server, op_connect, NULL,
                     finish_absent_server, 0});
  run_kind(&(kind_t){open_mute_server, op_connect, NULL, close_server, 0});
}

/* One that goes on is told of its deadline all the same. */
static void test_begun_send(void** state) {
  int in_time = 0;
  op_t op = {0};
  int try;

  (void) state;
  for (try = 0; try < MANY && !in_time; try++) {
    open_idle();
    assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
    op_send(&op, &pair.client, plug, sizeof(plug), 15);
    op_ends(&op, UV_ETIMEDOUT);
    assert_not_early(&op, 15);
    in_time = op.ended_at - op.began_at <= 15000000 + LATE_NS;
    stays_ended(&op);
    close_pair();
  }
  assert_true(in_time);
  assert_int_equal(op.calls, 1);
}

/* ---- No deadline -------------------------------------------------------- */

static void reply_at_once(ipc_channel_t* channel,
                          ipc_request_t request,
                          const void* data,
                          size_t size) {
  assert_int_equal(ipc_channel_reply(channel, request, data, size), 0);
}

enum { RECV, READABLE, WRITABLE, SEND, CALL, OPERATIONS };

/* None ends by itself; each does by what it waits for. */
static void run_without(int timeout_ms) {
  op_t ops[OPERATIONS] = {{0}};
  op_t taken = {0};
  int i;

  prepare();
  ipc_server_options_on_request(&pair.server_options, reply_at_once);
  pair_open(&pair);
  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  put_plug();
  begin_recv(&ops[RECV], timeout_ms);
  begin_readable(&ops[READABLE], timeout_ms);
  begin_writable(&ops[WRITABLE], timeout_ms);
  begin_send(&ops[SEND], timeout_ms);
  begin_call(&ops[CALL], timeout_ms);
  test_run_for(NOTHING_MS);
  for (i = 0; i < OPERATIONS; i++) assert_int_equal(ops[i].calls, 0);

  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  op_recv(&taken, &pair.accepted, timeout_ms);
  op_ends(&taken, 0);
  assert_int_equal(taken.size, sizeof(plug));
  op_ends(&ops[WRITABLE], 0);
  side_gets(&pair.accepted, "x");
  op_ends(&ops[SEND], 0);
  side_say(&pair.accepted, "one");
  side_say(&pair.accepted, "two");
  op_gets(&ops[RECV], "one");
  op_ends(&ops[READABLE], 0);
  side_gets(&pair.client, "two");
  op_ends(&ops[CALL], 0);
  pair_finish(&pair);
  for (i = 0; i < OPERATIONS; i++) assert_int_equal(ops[i].calls, 1);
}

static void run_accept_without(int timeout_ms) {
  op_t op = {0};

  open_server();
  op_accept(&op, timeout_ms);
  test_run_for(NOTHING_MS);
  assert_int_equal(op.calls, 0);
  pair_connect(&pair);
  op_ends(&op, 0);
  run_until(&pair.client.opens, 1);
  pair_finish(&pair);
  assert_int_equal(op.calls, 1);
}

static void run_connect_without(int timeout_ms) {
  prepare();
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  ipc_client_options_set_connect_timeout(&pair.client_options, timeout_ms);
  pair_connect(&pair);
  test_run_for(NOTHING_MS);
  assert_int_equal(pair.client.connects, 0);
  pair_listen(&pair);
  run_until(&pair.client.opens, 1);
  pair_finish(&pair);
  assert_int_equal(pair.client.connects, 1);
}

static void test_infinite(void** state) {
  (void) state;
  run_without(FOREVER);
  run_accept_without(FOREVER);
  run_connect_without(FOREVER);
}

/* The longest there is: 24 days. */
static void test_longest(void** state) {
  (void) state;
  run_without(INT_MAX);
  run_accept_without(INT_MAX);
  run_connect_without(INT_MAX);
}

/* ---- Blocking ----------------------------------------------------------- */

static ipc_server_t* server;
static ipc_channel_t* accepted;
static ipc_channel_t* client;
static ipc_client_options_t client_options;

static void prepare_waiting(ipc_framing_t framing) {
  ipc_server_options_t options;
  const char* name = test_name();

  accepted = client = NULL;
  ipc_server_options_init(&options, name);
  ipc_server_options_set_framing(&options, framing);
  assert_int_equal(ipc_server_listen(NULL, &options, NULL, &server), 0);
  ipc_client_options_init(&client_options, name);
}

static void open_waiting_server(void) {
  prepare_waiting(IPC_CHANNEL_FRAMING_NATIVE);
}

static void open_mute_waiting(void) {
  prepare_waiting(IPC_CHANNEL_FRAMING_RAW);
}

static void open_absent_waiting(void) {
  open_waiting_server();
  assert_int_equal(ipc_server_close_wait(server), 0);
  server = NULL;
  ipc_client_options_set_wait_for_server(&client_options, 1);
}

/* Both loops in one thread, one after the other: 0 is enough to get on. */
static void open_both(void) {
  const void* data;
  size_t size;
  size_t sent;
  int err;

  assert_int_equal(ipc_client_connect(NULL, &client_options, NULL, &client), 0);
  do {
    assert_int_equal(ipc_channel_recv_wait(client, 0, &data, &size),
                     UV_ETIMEDOUT);
    err = ipc_server_accept_wait(server, 0, &accepted);
    if (err != 0) assert_int_equal(err, UV_ETIMEDOUT);
  } while (err != 0);
  do {
    err = ipc_channel_send_wait(accepted, "hi", 2, 0, &sent);
  } while (err == UV_ETIMEDOUT && sent == 0); /* withdrawn, as if never sent */
  if (sent == 0) assert_int_equal(err, 0);
  do {
    assert_int_equal(ipc_channel_recv_wait(accepted, 0, &data, &size),
                     UV_ETIMEDOUT);
    err = ipc_channel_recv_wait(client, 0, &data, &size);
    if (err != 0) assert_int_equal(err, UV_ETIMEDOUT);
  } while (err != 0);
  assert_int_equal(size, 2);
  assert_memory_equal(data, "hi", 2);
}

static void open_waiting(void) {
  open_waiting_server();
  open_both();
}

/* The peer reads nothing, and the queue has room for a little more. */
static void open_stuck_waiting(void) {
  open_waiting_server();
  ipc_client_options_set_max_queue_bytes(&client_options, LIMIT);
  open_both();
  assert_int_equal(ipc_channel_try_send(client, plug, sizeof(plug), NULL), 0);
}

/* Or it has none. */
static void open_full_waiting(void) {
  open_waiting();
  assert_int_equal(ipc_channel_try_send(client, plug, sizeof(plug), NULL), 0);
  assert_int_equal(ipc_channel_try_send(client, "x", 1, NULL), UV_EAGAIN);
}

static void close_waiting(void) {
  ipc_channel_t* channels[2];
  int i;

  channels[0] = client;
  channels[1] = accepted;
  for (i = 0; i < 2; i++) {
    if (channels[i] == NULL) continue;
    ipc_channel_disconnect(channels[i]);
    ipc_channel_close_wait(channels[i], NULL);
  }
  if (server != NULL) assert_int_equal(ipc_server_close_wait(server), 0);
}

static int wait_recv(int timeout_ms) {
  const void* data;
  size_t size;

  return ipc_channel_recv_wait(client, timeout_ms, &data, &size);
}

static int wait_send(int timeout_ms) {
  size_t sent = 77;
  int err = ipc_channel_send_wait(client, "x", 1, timeout_ms, &sent);

  assert_int_equal(sent, 0);
  return err;
}

static int wait_call(int timeout_ms) {
  const void* data;
  size_t size;

  return ipc_channel_call_wait(client, "?", 1, timeout_ms, &data, &size);
}

static int wait_accept(int timeout_ms) {
  ipc_channel_t* channel;

  return ipc_server_accept_wait(server, timeout_ms, &channel);
}

static int wait_connect(int timeout_ms) {
  ipc_channel_t* channel;

  ipc_client_options_set_connect_timeout(&client_options, timeout_ms);
  return ipc_client_connect_wait(&client_options, NULL, &channel);
}

static void test_recv_wait(void** state) {
  (void) state;
  run_kind(&(kind_t){open_waiting, NULL, wait_recv, close_waiting, 1});
}

static void test_send_wait(void** state) {
  (void) state;
  run_kind(&(kind_t){open_stuck_waiting, NULL, wait_send, close_waiting, 1});
  run_kind(&(kind_t){open_full_waiting, NULL, wait_send, close_waiting, 1});
}

static void test_call_wait(void** state) {
  (void) state;
  run_kind(&(kind_t){open_waiting, NULL, wait_call, close_waiting, 0});
  run_kind(&(kind_t){open_stuck_waiting, NULL, wait_call, close_waiting, 0});
  run_kind(&(kind_t){open_full_waiting, NULL, wait_call, close_waiting, 0});
}

static void test_accept_wait(void** state) {
  (void) state;
  run_kind(&(kind_t){open_waiting_server, NULL, wait_accept, close_waiting, 1});
}

static void test_connect_wait(void** state) {
  (void) state;
  run_kind(
      &(kind_t){open_absent_waiting, NULL, wait_connect, close_waiting, 0});
  run_kind(&(kind_t){open_mute_waiting, NULL, wait_connect, close_waiting, 0});
}

static void never(ipc_channel_t* channel,
                  void* arg,
                  int status,
                  const void* data,
                  size_t size) {
  (void) channel, (void) arg, (void) status, (void) data, (void) size;
  fail();
}

/* Where 0 makes no sense it is refused. */
static void test_zero_refused(void** state) {
  (void) state;
  open_idle();
  assert_int_equal(
      ipc_channel_call(pair.client.channel, "?", 1, 0, never, NULL), UV_EINVAL);
  assert_int_equal(
      ipc_client_options_set_connect_timeout(&pair.client_options, 0),
      UV_EINVAL);
  close_pair();
  open_waiting();
  assert_int_equal(wait_call(0), UV_EINVAL);
  close_waiting();
}

/* ---- Blocking, without a deadline --------------------------------------- */

/* The peer, in a thread; a thread can't fail a test, so it writes down the line
 * that went wrong. */
typedef struct peer_s {
  const char* name;
  int timeout_ms;
  int wrong;
} peer_t;

#define CHECK(peer, condition)                                  \
  do {                                                          \
    if (!(condition) && !(peer)->wrong) {                       \
      (peer)->wrong = __LINE__;                                 \
      print_error("peer, line %d: %s\n", __LINE__, #condition); \
    }                                                           \
  } while (0)

/* Whatever it does, it does late. */
static void talk_late(peer_t* peer, ipc_channel_t* channel) {
  const void* data;
  size_t size;
  int ms = peer->timeout_ms;

  uv_sleep(NOTHING_MS);
  CHECK(peer, ipc_channel_send_wait(channel, "late", 4, ms, NULL) == 0);
  uv_sleep(NOTHING_MS);
  CHECK(peer, ipc_channel_recv_wait(channel, ms, &data, &size) == 0);
  CHECK(peer, size == sizeof(plug));
  uv_sleep(NOTHING_MS); /* with a request unread */
  CHECK(peer, ipc_channel_recv_wait(channel, ms, &data, &size) == UV_EOF);
  CHECK(peer, ipc_channel_close_wait(channel, NULL) == 0);
}

static void serve_late(void* arg) {
  peer_t* peer = arg;
  ipc_server_options_t options;
  ipc_server_t* here = NULL;
  ipc_channel_t* channel;
  int err;

  ipc_server_options_init(&options, peer->name);
  ipc_server_options_on_request(&options, reply_at_once);
  uv_sleep(NOTHING_MS);
  CHECK(peer, ipc_server_listen(NULL, &options, NULL, &here) == 0);
  if (peer->wrong) return;
  err = ipc_server_accept_wait(here, peer->timeout_ms, &channel);
  CHECK(peer, err == 0);
  if (err == 0) talk_late(peer, channel);
  CHECK(peer, ipc_server_close_wait(here) == 0);
}

static void run_waits_without(int timeout_ms) {
  peer_t peer = {test_name(), timeout_ms, 0};
  ipc_client_options_t options;
  ipc_channel_t* channel;
  uv_thread_t thread;
  const void* data;
  size_t size;

  ipc_client_options_init(&options, peer.name);
  ipc_client_options_set_wait_for_server(&options, 1);
  assert_int_equal(ipc_client_options_set_connect_timeout(&options, timeout_ms),
                   0);
  assert_int_equal(uv_thread_create(&thread, serve_late, &peer), 0);
  assert_int_equal(ipc_client_connect_wait(&options, NULL, &channel), 0);
  assert_int_equal(ipc_channel_recv_wait(channel, timeout_ms, &data, &size), 0);
  assert_int_equal(size, 4);
  assert_int_equal(
      ipc_channel_send_wait(channel, plug, sizeof(plug), timeout_ms, NULL), 0);
  assert_int_equal(
      ipc_channel_call_wait(channel, "?", 1, timeout_ms, &data, &size), 0);
  assert_int_equal(size, 1);
  assert_int_equal(ipc_channel_close_wait(channel, NULL), 0);
  assert_int_equal(uv_thread_join(&thread), 0);
  assert_int_equal(peer.wrong, 0);
}

static void test_infinite_waits(void** state) {
  (void) state;
  run_waits_without(FOREVER);
  run_waits_without(INT_MAX);
}

/* All that the loop waits for otherwise is the test's own patience. */
static void check_no_timer(void) {
  int timeout_ms = uv_backend_timeout(test_loop());

  assert_false(timeout_ms >= 0 && timeout_ms <= 6000);
}

/* Deadlines that were met leave no timer behind: the loop would wake up for
 * nothing, and a wait with an end costs the system more than one without. */
static void test_nothing_left(void** state) {
  (void) state;
  pair_init(&pair);
  pair_open(&pair); /* has 5000 ms to connect, and as many for the hello */
  check_no_timer();
  assert_int_equal(side_send(&pair.client, "there", 5), 0);
  run_until(&pair.accepted.messages, 1);
  check_no_timer();
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_recv),           TEST(test_readable),
      TEST(test_writable),       TEST(test_send),
      TEST(test_call),           TEST(test_accept),
      TEST(test_connect),        TEST(test_begun_send),
      TEST(test_infinite),       TEST(test_longest),
      TEST(test_recv_wait),      TEST(test_send_wait),
      TEST(test_call_wait),      TEST(test_accept_wait),
      TEST(test_connect_wait),   TEST(test_zero_refused),
      TEST(test_infinite_waits), TEST(test_nothing_left),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
