/* How channels end: a side at a time, gracefully, by deadline, by force; and
 * the numbers that on_close tells. */
#include "harness.h"

#include "pair.h"

#define MIB ((size_t) 1 << 20)
#define BLOCK ((size_t) 64 << 10)
#define LONG_MS 50000 /* longer than any of this takes */

static uint8_t block[BLOCK];

static void send_small(side_t* side, int count) {
  while (count-- > 0) assert_int_equal(side_send(side, "small", 5), 0);
}

static void send_blocks(side_t* side, size_t bytes) {
  for (; bytes > 0; bytes -= BLOCK) {
    assert_int_equal(side_lend(side, block, BLOCK), 0);
  }
}

static void pair_init_large(pair_t* pair) {
  pair_init(pair);
  ipc_client_options_set_max_queue_bytes(&pair->client_options, 64 * MIB);
  ipc_server_options_set_max_queue_bytes(&pair->server_options, 64 * MIB);
}

static void pause_side(side_t* side) {
  assert_int_equal(ipc_channel_pause(side->channel), 0);
}

static void resume(void* side) {
  assert_int_equal(ipc_channel_resume(((side_t*) side)->channel), 0);
}

static void assert_clean(const side_t* side) {
  assert_int_equal(side->result.status, 0);
  assert_int_equal(side->result.unsent, 0);
  assert_int_equal(side->result.unconfirmed, 0);
  assert_int_equal(side->failed, 0);
}

/* ---- End ---------------------------------------------------------------- */

static void reply_late(void* arg) {
  side_t* side = arg;

  send_small(side, 10);
  assert_int_equal(ipc_channel_end(side->channel), 0);
}

static void on_end_reply_late(side_t* side) {
  assert_int_equal(side->end_status, 0);
  after(250, reply_late, side);
}

/* One side has ended; what the other says a good while later still arrives. */
static void run_late_reply(pair_t* pair, side_t* first, side_t* second) {
  second->stays = first->stays = 1;
  second->on_end = on_end_reply_late;
  pair_open(pair);
  send_small(first, 1);
  assert_int_equal(ipc_channel_end(first->channel), 0);
  assert_int_equal(ipc_channel_end(first->channel), UV_EPIPE);
  assert_int_equal(side_send(first, "x", 1), UV_EPIPE);
  run_until(&first->ends, 1);
  assert_int_equal(first->end_status, 0);
  assert_int_equal(first->bytes, 50);
  assert_int_equal(second->bytes, 5);
  pair_finish(pair);
  assert_clean(first);
  assert_clean(second);
}

static void test_late_reply_of_server(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  run_late_reply(&pair, &pair.client, &pair.accepted);
}

static void test_late_reply_of_client(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  run_late_reply(&pair, &pair.accepted, &pair.client);
}

/* A pipe of Windows has no half-close. */
static void test_late_reply_raw(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_raw(&pair);
  if (!test_is_windows()) {
    run_late_reply(&pair, &pair.client, &pair.accepted);
    return;
  }
  pair_open(&pair);
  assert_int_equal(ipc_channel_end(pair.client.channel), UV_ENOTSUP);
  assert_int_equal(ipc_channel_end(pair.accepted.channel), UV_ENOTSUP);
  send_small(&pair.client, 1);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.bytes, 5);
}

/* ---- Graceful close ----------------------------------------------------- */

static void run_backlog(int from_server, int raw) {
  pair_t pair;
  side_t* from = from_server ? &pair.accepted : &pair.client;
  side_t* to = from_server ? &pair.client : &pair.accepted;

  pair_init_large(&pair);
  if (raw) pair_raw(&pair);
  ipc_server_options_set_close_timeout(&pair.server_options, LONG_MS);
  ipc_client_options_set_close_timeout(&pair.client_options, LONG_MS);
  to->on_open = pause_side;
  pair_open(&pair);
  after(100, resume, to);
  send_blocks(from, 4 * MIB);
  side_close(from);
  assert_int_equal(ipc_channel_close(from->channel), UV_EALREADY);
  assert_int_equal(side_send(from, "x", 1), UV_EPIPE);
  assert_int_equal(ipc_channel_end(from->channel), UV_EPIPE);
  assert_int_equal(ipc_channel_pause(from->channel), UV_EPIPE);
  assert_int_equal(ipc_channel_resume(from->channel), UV_EPIPE);
  run_until(&from->closes, 1);
  run_until(&to->ends, 1);
  assert_int_equal(to->end_status, 0);
  assert_int_equal(to->bytes, 4 * MIB);
  assert_int_equal(from->ends, 0);
  assert_clean(from);
  pair_finish(&pair);
}

static void test_backlog(void** state) {
  (void) state;
  run_backlog(0, 0);
  run_backlog(1, 0);
}

static void test_backlog_raw(void** state) {
  (void) state;
  run_backlog(0, 1);
  run_backlog(1, 1);
}

static void run_crossing(int of_client, int of_server) {
  pair_t pair;

  pair_init(&pair);
  pair_open(&pair);
  send_small(&pair.client, of_client);
  send_small(&pair.accepted, of_server);
  run_until(&pair.accepted.messages, of_client);
  run_until(&pair.client.messages, of_server);
  side_close(&pair.client);
  side_close(&pair.accepted);
  run_until(&pair.accepted.closes, 1);
  run_until(&pair.client.closes, 1);
  pair_finish(&pair);
  assert_clean(&pair.client);
  assert_clean(&pair.accepted);
}

static void test_crossing(void** state) {
  (void) state;
  run_crossing(3, 4);
}

static void test_crossing_none_sent(void** state) {
  (void) state;
  run_crossing(0, 0);
}

static void test_crossing_one_sent(void** state) {
  (void) state;
  run_crossing(3, 0);
  run_crossing(0, 3);
}

/* ---- Close in a callback ------------------------------------------------ */

static void close_second(side_t* side, const void* data, size_t size) {
  (void) data;
  (void) size;
  if (side->messages == 2) side_close(side);
}

/* The first has closed and is gone before the second does: what it had taken
 * until then is confirmed all the same. */
static void run_close_later(int from_server, int ends_first, int late) {
  pair_t pair;
  side_t* first = from_server ? &pair.accepted : &pair.client;
  side_t* second = from_server ? &pair.client : &pair.accepted;

  pair_init(&pair);
  pair.stays = 1;
  first->stays = second->stays = 1;
  pair_open(&pair);
  send_small(second, 5);
  send_small(first, 3);
  run_until(&first->messages, 5);
  if (ends_first) {
    assert_int_equal(ipc_channel_end(first->channel), 0);
    run_until(&second->ends, 1);
    send_small(second, 2);
    run_until(&first->messages, 7);
  }
  side_close(first);
  run_until(&first->closes, 1);
  run_until(&second->ends, 1);
  assert_clean(first);
  /* What is sent to one who is gone is not, if it is taken at all. */
  if (late > 0 && side_send(second, "late", 4) != 0) late = 0;
  side_close(second);
  run_until(&second->closes, 1);
  assert_int_equal(second->result.unsent + second->result.unconfirmed, late);
  assert_int_equal(second->result.status == 0, late == 0);
  pair_finish(&pair);
}

static void test_close_later(void** state) {
  (void) state;
  run_close_later(0, 0, 0);
  run_close_later(1, 0, 0);
  run_close_later(0, 1, 0);
  run_close_later(1, 1, 0);
  run_close_later(0, 0, 1);
  run_close_later(1, 1, 1);
}

/* What came behind the message that was closed in is not confirmed. */
static void test_close_in_message(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = close_second;
  pair_listen(&pair);
  pair_connect(&pair);
  send_small(&pair.client, 5);
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, 2);
  assert_int_equal(pair.accepted.ends, 0);
  assert_int_equal(pair.client.sent, 5);
  assert_true(pair.client.result.status < 0);
  assert_int_equal(pair.client.result.unsent, 0);
  assert_int_equal(pair.client.result.unconfirmed, 3);
  assert_int_equal(pair.accepted.result.status, 0);
}

static void test_close_in_connection(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_open = side_close;
  pair_listen(&pair);
  pair_connect(&pair);
  send_small(&pair.client, 1);
  run_until(&pair.client.ends, 1);
  pair_finish(&pair);
  assert_int_equal(pair.client.connect_status, 0);
  assert_int_equal(pair.client.end_status, 0);
  assert_true(pair.client.result.status < 0);
  assert_int_equal(pair.client.result.unsent + pair.client.result.unconfirmed,
                   1);
  assert_int_equal(pair.accepted.messages, 0);
}

static void test_close_in_connect(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.client.on_open = side_close;
  pair_listen(&pair);
  pair_connect(&pair);
  send_small(&pair.client, 7);
  run_until(&pair.client.closes, 1);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, 7);
  assert_int_equal(pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, 0);
  assert_clean(&pair.client);
}

/* ---- Close while connecting --------------------------------------------- */

static void test_close_before_connected(void** state) {
  pair_t pair;

  (void) state;
  /* With messages, they are delivered first. */
  pair_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  send_small(&pair.client, 3);
  side_close(&pair.client);
  assert_int_equal(ipc_channel_close(pair.client.channel), UV_EALREADY);
  assert_int_equal(side_send(&pair.client, "x", 1), UV_EPIPE);
  assert_int_equal(ipc_channel_end(pair.client.channel), UV_EPIPE);
  run_until(&pair.client.closes, 1);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, 3);
  assert_int_equal(pair.client.connect_status, 0);
  assert_clean(&pair.client);

  /* Without, it is given up. */
  pair_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  side_close(&pair.client);
  assert_int_equal(pair.client.connects, 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_ECANCELED);
  assert_int_equal(pair.client.result.status, UV_ECANCELED);
  assert_int_equal(pair.client.ends, 0);
}

static ipc_channel_state_t states[4];
static int state_count;

static void keep_state(ipc_channel_t* channel,
                       ipc_channel_state_t state,
                       int status) {
  ipc_channel_info_t info;

  assert_int_equal(status, 0);
  assert_int_equal(ipc_channel_info(channel, &info), 0);
  assert_int_equal(info.state, state);
  assert_true(state_count < (int) TEST_COUNT(states));
  states[state_count++] = state;
}

static void check_closing(side_t* side) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(side->channel, &info), 0);
  assert_int_equal(info.state, IPC_CHANNEL_CLOSING);
  assert_int_equal(side_send(side, "x", 1), UV_EPIPE);
}

/* That the connection is made meanwhile, for what was sent, is no way back. */
static void test_closing_once(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  state_count = 0;
  ipc_client_options_on_state(&pair.client_options, keep_state);
  pair.client.on_open = check_closing;
  pair_listen(&pair);
  pair_connect(&pair);
  send_small(&pair.client, 3);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.opens, 1);
  assert_int_equal(state_count, 1);
  assert_int_equal(states[0], IPC_CHANNEL_CLOSING);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, 3);
  assert_clean(&pair.client);
}

/* ---- Deadline ----------------------------------------------------------- */

/* The peer doesn't read: time is up, not early, and the numbers are true. */
static void test_never_reads(void** state) {
  uint64_t began;
  pair_t pair;
  int had;

  (void) state;
  pair_init_large(&pair);
  ipc_client_options_set_close_timeout(&pair.client_options, 200);
  pair.accepted.on_open = pause_side;
  pair_open(&pair);
  send_blocks(&pair.client, 8 * MIB);
  began = uv_hrtime();
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_true(pair.client.closed_at - began >= 200 * UINT64_C(1000000));
  assert_int_equal(pair.client.result.status, UV_ETIMEDOUT);
  assert_int_equal(pair.client.result.unsent, pair.client.failed);
  assert_int_equal(pair.client.result.unconfirmed, pair.client.sent);
  assert_int_equal(pair.client.failure, UV_ECANCELED);
  assert_true(pair.client.failed > 0);

  /* What had left us arrives whole; a Windows pipe loses it. */
  had = pair.client.sent;
  resume(&pair.accepted);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
  assert_int_equal(pair.accepted.bytes, pair.accepted.messages * BLOCK);
  if (test_is_windows()) assert_true(pair.accepted.messages <= had);
  if (!test_is_windows()) assert_int_equal(pair.accepted.messages, had);
  pair_finish(&pair);
}

static void test_close_timeout_0(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_close_timeout(&pair.client_options, 0);
  pair_open(&pair);
  send_small(&pair.client, 3);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.result.status, UV_ETIMEDOUT);
  assert_int_equal(pair.client.result.unsent + pair.client.result.unconfirmed,
                   3);
  pair_finish(&pair);
  /* With a socket, it was written all the same. */
  if (!test_is_windows()) assert_int_equal(pair.accepted.messages, 3);
}

/* ---- Disconnect --------------------------------------------------------- */

static void test_disconnect(void** state) {
  ipc_channel_info_t info;
  ipc_peer_t peer;
  ipc_channel_t* channel;
  pair_t pair;

  (void) state;
  assert_int_equal(ipc_channel_disconnect(NULL), UV_EINVAL);
  pair_init_large(&pair);
  pair.accepted.on_open = pause_side;
  pair_open(&pair);
  channel = pair.client.channel;
  send_blocks(&pair.client, 8 * MIB);
  assert_int_equal(ipc_channel_disconnect(channel), 0);
  assert_int_equal(ipc_channel_disconnect(channel), UV_EPIPE);
  assert_int_equal(side_send(&pair.client, "x", 1), UV_EPIPE);
  assert_int_equal(ipc_channel_flush(channel), UV_EPIPE);
  assert_int_equal(ipc_channel_end(channel), UV_EPIPE);
  assert_int_equal(ipc_channel_pause(channel), UV_EPIPE);
  assert_int_equal(ipc_channel_resume(channel), UV_EPIPE);
  assert_int_equal(ipc_channel_peer(channel, &peer), UV_ENOTCONN);
  assert_int_equal(ipc_channel_info(channel, &info), 0);
  assert_false(info.is_connected);

  resume(&pair.accepted);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
  run_until(&pair.client.failed, 1);
  assert_int_equal(pair.client.failure, UV_ECANCELED);
  assert_int_equal(pair.client.sent + pair.client.failed, pair.client.asked);
  /* It stays until it is closed. */
  assert_non_null(pair.client.channel);
  pair_finish(&pair);
  assert_int_equal(pair.client.ends, 0);
  assert_int_equal(pair.client.result.status, UV_ECANCELED);
  assert_int_equal(pair.client.result.unsent, pair.client.failed);
  assert_int_equal(pair.client.result.unconfirmed, pair.client.sent);
}

static void test_disconnect_closing(void** state) {
  uint64_t began = uv_hrtime();
  pair_t pair;

  (void) state;
  pair_init_large(&pair);
  ipc_client_options_set_close_timeout(&pair.client_options, LONG_MS);
  pair.accepted.on_open = pause_side;
  pair_open(&pair);
  send_blocks(&pair.client, 8 * MIB);
  side_close(&pair.client);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  run_until(&pair.client.closes, 1);
  assert_true(elapsed_ms(began) < LONG_MS);
  assert_int_equal(pair.client.result.status, UV_ECANCELED);
  assert_int_equal(pair.client.result.unsent + pair.client.result.unconfirmed,
                   pair.client.asked);
  pair_finish(&pair);
}

static void drop(side_t* side) {
  assert_int_equal(ipc_channel_disconnect(side->channel), 0);
}

/* A close that was asked for while connecting still ends with on_close when
 * on_connect disconnects. */
static void run_disconnect_when_closing(int is_raw) {
  pair_t pair;

  pair_init(&pair);
  if (is_raw) pair_raw(&pair);
  pair.client.on_open = drop;
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "x", 1), 0);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, 0);
  pair_finish(&pair);
}

static void test_disconnect_when_closing(void** state) {
  (void) state;
  run_disconnect_when_closing(0);
  run_disconnect_when_closing(1);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_late_reply_of_server),
      TEST(test_late_reply_of_client),
      TEST(test_late_reply_raw),
      TEST(test_backlog),
      TEST(test_backlog_raw),
      TEST(test_crossing),
      TEST(test_crossing_none_sent),
      TEST(test_crossing_one_sent),
      TEST(test_close_later),
      TEST(test_close_in_message),
      TEST(test_close_in_connection),
      TEST(test_close_in_connect),
      TEST(test_close_before_connected),
      TEST(test_closing_once),
      TEST(test_never_reads),
      TEST(test_close_timeout_0),
      TEST(test_disconnect),
      TEST(test_disconnect_closing),
      TEST(test_disconnect_when_closing),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
