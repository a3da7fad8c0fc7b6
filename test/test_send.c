/* Sending with a deadline, or out of pieces: what the callback says about the
 * message is what the peer gets. */
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

/* ---- Sending with a deadline -------------------------------------------- */

static void test_send_timeout(void** state) {
  char text[] = "one";
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_send(&op, &pair.client, text, 3, 60000);
  memset(text, 'x', 3); /* a copy was sent */
  op_ends(&op, 0);
  assert_int_equal(op.sent, 3);
  side_gets(&pair.accepted, "one");
  /* In this turn there is room. */
  op_send(&op, &pair.client, "two", 3, 0);
  op_ends(&op, 0);
  op_send(&op, &pair.client, NULL, 0, FOREVER);
  op_ends(&op, 0);
  assert_int_equal(op.sent, 0);
  side_gets(&pair.accepted, "two");
  side_gets(&pair.accepted, "");
  pair_finish(&pair);
}

/* The client's queue takes all of this test, and the peer nothing. */
static void stuck_open(pair_t* pair, int raw) {
  pattern_fill(large, sizeof(large), 3);
  pair_init(pair);
  if (raw) pair_raw(pair);
  ipc_client_options_set_max_queue_bytes(&pair->client_options, 64 * MIB);
  pair->accepted.keeps_log = 1;
  pair_open(pair);
  assert_int_equal(ipc_channel_pause(pair->accepted.channel), 0);
}

/* Lets the peer read, and asserts what it gets. */
static void unstuck(pair_t* pair, size_t size, const char* text) {
  side_t* peer = &pair->accepted;
  size_t length = strlen(text);

  assert_int_equal(ipc_channel_resume(peer->channel), 0);
  while (peer->bytes < size + length) test_turn();
  assert_memory_equal(peer->log, large, size);
  assert_memory_equal(peer->log + size, text, length);
  assert_int_equal(peer->log_size, size + length);
  pair_finish(pair);
  assert_int_equal(pair->client.result.status, 0);
  assert_int_equal(peer->log_size, size + length);
}

/* Begun, it goes on after its deadline; not begun, the peer gets none of it. */
static void run_send_deadline(int raw) {
  op_t begun = {0}, withdrawn = {0}, at_once = {0}, last = {0};
  pair_t pair;

  stuck_open(&pair, raw);
  op_send(&begun, &pair.client, large, 4 * MIB, WAIT_MS);
  op_send(&withdrawn, &pair.client, "lost", 4, WAIT_MS / 2);
  op_send(&at_once, &pair.client, "lost", 4, 0);
  op_send(&last, &pair.client, "kept", 4, FOREVER);
  op_ends(&begun, UV_ETIMEDOUT);
  assert_not_early(&begun, WAIT_MS);
  assert_not_early(&withdrawn, WAIT_MS / 2);
  assert_true(begun.sent > 0 && begun.sent < 4 * MIB);
  assert_int_equal(op_cancel(&begun), UV_ENOENT); /* its callback has come */
  assert_int_equal(withdrawn.status, UV_ETIMEDOUT);
  assert_int_equal(withdrawn.sent, 0);
  assert_int_equal(at_once.status, UV_ETIMEDOUT);
  assert_int_equal(at_once.sent, 0);
  assert_int_equal(last.calls, 0);
  unstuck(&pair, 4 * MIB, "kept");
  assert_int_equal(last.status, 0);
  assert_int_equal(last.sent, 4);
  assert_int_equal(begun.calls, 1);
}

static void test_send_deadline(void** state) {
  (void) state;
  run_send_deadline(0);
}

static void test_send_deadline_raw(void** state) {
  (void) state;
  run_send_deadline(1);
}

/* Its callback comes once, and the rest of it leaves the queue as it was. */
static void test_close_after_a_send_deadline(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  stuck_open(&pair, 0);
  op_send(&op, &pair.client, large, 4 * MIB, 10);
  op_ends(&op, UV_ETIMEDOUT);
  side_close(&pair.client);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, 0);
  assert_int_equal(pair.accepted.bytes, 4 * MIB);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(op.calls, 1);
}

static void test_send_deadline_while_connecting(void** state) {
  op_t lost = {0}, kept = {0};
  pair_t pair;

  (void) state;
  pull_init(&pair);
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  ipc_client_options_set_connect_timeout(&pair.client_options, FOREVER);
  pair_connect(&pair);
  op_send(&lost, &pair.client, "lost", 4, WAIT_MS);
  op_send(&kept, &pair.client, "kept", 4, 60000);
  op_ends(&lost, UV_ETIMEDOUT);
  assert_not_early(&lost, WAIT_MS);
  assert_int_equal(lost.sent, 0);
  pair_listen(&pair);
  op_ends(&kept, 0);
  run_until(&pair.accepted.opens, 1);
  side_gets(&pair.accepted, "kept");
  pair_finish(&pair);
}

/* What has left ahead of the server's hello has begun. */
static void test_send_deadline_before_the_hello(void** state) {
  op_t first = {0}, second = {0};
  pair_t pair;

  (void) state;
  pull_init(&pair);
  pair_raw_server(&pair); /* which says none */
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&pair.accepted.opens, 1);
  op_send(&first, &pair.client, "first", 5, WAIT_MS);
  op_send(&second, &pair.client, "second", 6, WAIT_MS);
  side_say(&pair.client, "third");
  op_ends(&first, UV_ETIMEDOUT);
  op_ends(&second, UV_ETIMEDOUT);
  assert_true(first.sent > 0 && first.sent <= 5);
  assert_true(second.sent > 0 && second.sent <= 6);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  pair_finish(&pair);
  assert_int_equal(first.calls + second.calls, 2);
}

/* ---- Vectors ------------------------------------------------------------ */

#define PIECES 1000
#define PIECE_BYTES 16384

static void check_pattern(op_t* op, const void* data) {
  pattern_check(data, op->size, 1);
}

static void test_send_vector(void** state) {
  uv_buf_t pieces[PIECES];
  op_t op = {0};
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  pieces[0] = uv_buf_init("scattered ", 10);
  pieces[1] = uv_buf_init(NULL, 0);
  pieces[2] = uv_buf_init("words", 5);
  assert_int_equal(
      ipc_channel_send_vector(pair.client.channel, pieces, 3, 1000, NULL, NULL),
      0);
  assert_int_equal(ipc_channel_send_vector(pair.client.channel, NULL, 0,
                                           FOREVER, NULL, NULL),
                   0);
  side_gets(&pair.accepted, "scattered words");
  side_gets(&pair.accepted, "");

  pattern_fill(large, sizeof(large), 1);
  for (i = 0; i < PIECES; i++) {
    pieces[i] = uv_buf_init((char*) large + i * PIECE_BYTES, PIECE_BYTES);
  }
  assert_int_equal(ipc_channel_send_vector(pair.client.channel, pieces, PIECES,
                                           FOREVER, NULL, NULL),
                   0);
  memset(large, 0, sizeof(large));
  op.on_end = check_pattern;
  op_recv(&op, &pair.accepted, FOREVER);
  op_ends(&op, 0);
  assert_int_equal(op.size, PIECES * PIECE_BYTES);
  pair_finish(&pair);
}

static void test_refused(void** state) {
  uv_buf_t pieces[2];
  pair_t pair;
  ipc_channel_t* channel;

  (void) state;
  pull_init(&pair);
  ipc_client_options_set_max_message_bytes(&pair.client_options, 1000);
  ipc_client_options_set_max_queue_messages(&pair.client_options, 1);
  pair_open(&pair);
  channel = pair.client.channel;
  assert_int_equal(ipc_channel_send_timeout(channel, "x", 1, -2, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_send_timeout(channel, NULL, 1, 1, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(
      ipc_channel_send_timeout(channel, large, 1001, 1, NULL, NULL),
      UV_EMSGSIZE);
  pieces[0] = uv_buf_init((char*) large, 999);
  pieces[1] = uv_buf_init((char*) large, 2);
  assert_int_equal(ipc_channel_send_vector(channel, pieces, 2, 1, NULL, NULL),
                   UV_EMSGSIZE);
  pieces[1] = uv_buf_init(NULL, 1);
  assert_int_equal(ipc_channel_send_vector(channel, pieces, 2, 1, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_send_vector(channel, NULL, 1, 1, NULL, NULL),
                   UV_EINVAL);
  side_say(&pair.client, "fills the queue");
  assert_int_equal(ipc_channel_send_timeout(channel, "x", 1, 1, NULL, NULL),
                   UV_EAGAIN);
  side_gets(&pair.accepted, "fills the queue");
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_send_timeout),
      TEST(test_send_deadline),
      TEST(test_send_deadline_raw),
      TEST(test_close_after_a_send_deadline),
      TEST(test_send_deadline_while_connecting),
      TEST(test_send_deadline_before_the_hello),
      TEST(test_send_vector),
      TEST(test_refused),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
