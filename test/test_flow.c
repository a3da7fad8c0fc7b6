/* Back-pressure, pause and resume, idle timeouts, fairness, and the facts that
 * a channel tells of itself. */
#include "harness.h"

#include "pair.h"

#define MIB ((size_t) 1 << 20)
#define KIB ((size_t) 1 << 10)

static uint8_t block[64 << 10];

static void pause_side(side_t* side) {
  assert_int_equal(ipc_channel_pause(side->channel), 0);
}

static void resume_side(void* side) {
  assert_int_equal(ipc_channel_resume(((side_t*) side)->channel), 0);
}

/* Sends blocks until the queue refuses one. */
static void fill(side_t* side) {
  int err;

  do {
    err = side_lend(side, block, sizeof(block));
  } while (err == 0);
  assert_int_equal(err, UV_EAGAIN);
}

static ipc_channel_stats_t stats_of(const side_t* side) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  return stats;
}

/* ---- The queue's limit -------------------------------------------------- */

static void drained_to_half(side_t* side) {
  assert_true(stats_of(side).bytes_queued <= 512 * KIB);
}

/* One on_drain for each time that sends were refused, at half or below. */
static void test_drain(void** state) {
  ipc_channel_stats_t stats;
  pair_t pair;
  int round;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_open = pause_side;
  pair.client.on_drain = drained_to_half;
  pair_open(&pair);
  for (round = 0; round < 5; round++) {
    fill(&pair.client);
    assert_int_equal(side_send(&pair.client, block, sizeof(block)), UV_EAGAIN);
    stats = stats_of(&pair.client);
    assert_true(stats.bytes_queued <= 1 * MIB + 1 * KIB);
    assert_true(stats.bytes_queued > 1 * MIB - sizeof(block) - 1 * KIB);
    assert_int_equal(pair.client.drains, round);
    resume_side(&pair.accepted);
    run_until(&pair.client.drains, round + 1);
    run_until(&pair.accepted.messages, (int) pair.client.asked);
    pause_side(&pair.accepted);
  }
  resume_side(&pair.accepted);
  /* Without a refusal there is no drain. */
  assert_int_equal(side_send(&pair.client, block, sizeof(block)), 0);
  run_until(&pair.accepted.messages, (int) pair.client.asked);
  pair_finish(&pair);
  assert_int_equal(pair.client.drains, 5);
  assert_int_equal(pair.client.failed, 0);
}

/* A limit smaller than one message refuses the second, never the first. */
static void test_any_size_when_empty(void** state) {
  uint8_t* large = calloc(1, 2 * MIB);
  pair_t pair;
  int i;

  (void) state;
  assert_non_null(large);
  pair_init(&pair);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 1000);
  pair_open(&pair);
  for (i = 1; i <= 3; i++) {
    assert_int_equal(side_lend(&pair.client, large, 2 * MIB), 0);
    assert_int_equal(side_send(&pair.client, "x", 1), UV_EAGAIN);
    assert_int_equal(side_send(&pair.client, NULL, 0), UV_EAGAIN);
    run_until(&pair.client.drains, i);
    run_until(&pair.accepted.messages, i);
  }
  assert_int_equal(pair.accepted.bytes, 6 * MIB);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  free(large);
}

/* The limit holds before there is a connection as well. */
static void test_limit_while_connecting(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  fill(&pair.client);
  assert_true(stats_of(&pair.client).bytes_queued <= 1 * MIB + 1 * KIB);
  run_until(&pair.client.drains, 1);
  run_until(&pair.accepted.messages, (int) pair.client.asked);
  pair_finish(&pair);
}

/* ---- Pause -------------------------------------------------------------- */

static void check_in_order(side_t* side, const void* data, size_t size) {
  assert_int_equal(size, sizeof(int));
  assert_memory_equal(data, &(int){side->messages - 1}, sizeof(int));
}

static void send_numbers(side_t* side, int count) {
  int i;

  for (i = 0; i < count; i++) {
    int number = (int) side->asked;

    assert_int_equal(side_send(side, &number, sizeof(number)), 0);
  }
}

static int is_held;

static void resume_held(void* side) {
  is_held = 0;
  resume_side(side);
}

static void pause_then_resume(side_t* side, const void* data, size_t size) {
  check_in_order(side, data, size);
  assert_false(is_held);
  is_held = 1;
  pause_side(side);
  pause_side(side);
  after(1, resume_held, side);
}

/* Paused at each message, with the rest behind it in the same read. */
static void test_pause_in_message(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = pause_then_resume;
  pair_listen(&pair);
  pair_connect(&pair);
  send_numbers(&pair.client, 50);
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.messages, 50);
  assert_int_equal(pair.accepted.end_status, 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
}

static void pause_resume(side_t* side, const void* data, size_t size) {
  check_in_order(side, data, size);
  pause_side(side);
  resume_side(side);
}

/* A resume takes the pause back before it has done anything. */
static void test_pause_and_resume_at_once(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = pause_resume;
  pair_open(&pair);
  send_numbers(&pair.client, 50);
  run_until(&pair.accepted.messages, 50);
  resume_side(&pair.accepted);
  pair_finish(&pair);
}

/* Nothing comes while paused, the end included; all of it after. */
static void test_pause(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = check_in_order;
  pair.accepted.on_open = pause_side;
  pair_open(&pair);
  send_numbers(&pair.client, 1000);
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  test_run_for(100);
  assert_int_equal(pair.accepted.messages, 0);
  assert_int_equal(pair.accepted.ends, 0);
  resume_side(&pair.accepted);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.messages, 1000);
  pair_finish(&pair);
}

static side_t accepted[2];
static side_t* clients[2];
static int held; /* which of the clients was paused; -1: none yet */

static side_t* next_accepted(pair_t* pair) {
  (void) pair;
  return accepted[0].channel == NULL ? &accepted[0] : &accepted[1];
}

static void pause_the_other(side_t* side, const void* data, size_t size) {
  int me = side == clients[1];

  (void) data;
  (void) size;
  assert_int_not_equal(me, held);
  if (held >= 0) return;
  held = 1 - me;
  pause_side(clients[held]);
}

/* What has come already, but wasn't read, stays: each client has a hub of its
 * own, and both have bytes to read in the same turn. */
static void test_pause_another(void** state) {
  side_t second = {0};
  pair_t pair;
  int i;

  (void) state;
  memset(accepted, 0, sizeof(accepted));
  held = -1;
  pair_init(&pair);
  pair_raw(&pair);
  pair.next_side = next_accepted;
  pair.stays = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  pair_connect_side(&pair, &second);
  clients[0] = &pair.client;
  clients[1] = &second;
  run_until(&accepted[0].opens, 1);
  run_until(&accepted[1].opens, 1);
  for (i = 0; i < 2; i++) {
    clients[i]->on_message = pause_the_other;
    assert_int_equal(side_send(&accepted[i], "x", 1), 0);
    assert_int_equal(ipc_channel_flush(accepted[i].channel), 0);
  }
  while (held < 0) test_turn();
  test_run_for(50);
  assert_int_equal(pair.client.messages + second.messages, 1);
  i = held;
  held = 2; /* neither, from now on */
  resume_side(clients[i]);
  run_until(&clients[i]->messages, 1);
  /* Either of the accepted may be the first client's. */
  for (i = 0; i < 2; i++) side_close(clients[i]);
  for (i = 0; i < 2; i++) {
    run_until(&clients[i]->closes, 1);
    run_until(&accepted[i].closes, 1);
  }
  pair_finish(&pair);
}

static void test_pause_before_connected(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  pause_side(&pair.client);
  run_until(&pair.client.opens, 1);
  run_until(&pair.accepted.opens, 1);
  send_numbers(&pair.accepted, 3);
  test_run_for(100);
  assert_int_equal(pair.client.messages, 0);
  resume_side(&pair.client);
  run_until(&pair.client.messages, 3);
  pair_finish(&pair);
}

static void server_gone(ipc_server_t* server) {
  ((pair_t*) ipc_server_data(server))->server_closes++;
}

/* A paused channel lets the loop end; a reading one and staged bytes don't. */
static void test_loop_alive(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  assert_int_equal(ipc_server_close(pair.server, server_gone), 0);
  pair.server = NULL;
  run_until(&pair.server_closes, 1);
  assert_true(uv_loop_alive(test_loop()));
  pause_side(&pair.client);
  pause_side(&pair.accepted);
  test_run(); /* which returns */
  assert_false(uv_loop_alive(test_loop()));
  send_numbers(&pair.client, 1);
  assert_true(uv_loop_alive(test_loop()));
  test_run();
  assert_int_equal(pair.client.sent, 1);
  assert_int_equal(pair.accepted.messages, 0);
  resume_side(&pair.accepted);
  assert_true(uv_loop_alive(test_loop()));
  run_until(&pair.accepted.messages, 1);
  pair_finish(&pair);
}

/* ---- Idle --------------------------------------------------------------- */

#define IDLE_MS 150

static void talk(void* arg) {
  side_t* side = arg;

  if (side->channel == NULL || side->asked == 20) return;
  assert_int_equal(side_send(side, "tick", 4), 0);
  after(IDLE_MS / 6, talk, side);
}

/* A silent channel is ended, not early; one that talks goes on meanwhile. */
static void test_idle(void** state) {
  uint64_t last;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_set_idle_timeout(&pair.server_options, IDLE_MS);
  pair_open(&pair);
  /* Time from the last send: nothing on the wire is newer. */
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  last = uv_hrtime();
  run_until(&pair.accepted.ends, 1);
  assert_true(pair.accepted.ended_at - last >= IDLE_MS * UINT64_C(1000000));
  assert_int_equal(pair.accepted.end_status, UV_ETIMEDOUT);
  assert_int_equal(pair.accepted.messages, 1);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, UV_ECONNRESET);
  pair_finish(&pair);
}

/* Twenty words over three times the timeout. Where the machine is so slow that
 * the timeout has really passed between two of them, that proves nothing. */
static void test_idle_spares_talkers(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_set_idle_timeout(&pair.server_options, 20 * IDLE_MS);
  pair_open(&pair);
  talk(&pair.client);
  run_until(&pair.accepted.messages, 20);
  assert_int_equal(pair.accepted.ends, 0);
  pair_finish(&pair);
}

/* Our own loop was busy, and meanwhile something has come. */
static void test_idle_busy(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_set_idle_timeout(&pair.server_options, 500);
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  assert_int_equal(ipc_channel_flush(pair.client.channel), 0);
  uv_sleep(700);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.ends, 0);
  pair_finish(&pair);
}

/* A part of a message is something that has moved, but only once, however often
 * the library sends beats meanwhile. */
static void test_idle_in_a_message(void** state) {
  uint8_t bytes[64];
  size_t size;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_raw_client(&pair);
  ipc_server_options_set_idle_timeout(&pair.server_options, 3 * IDLE_MS);
  pair.client.stays = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  size = test_put_hello(bytes, 0xff, 1000);
  bytes[12] = 30; /* wants a beat each 30 ms */
  size += test_put_frame(bytes + size, 0x80, "not all of it", 13) - 5;
  assert_int_equal(side_send(&pair.client, bytes, size), 0);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ETIMEDOUT);
  assert_int_equal(pair.accepted.messages, 0);
  pair_finish(&pair);
}

/* ---- Fairness ----------------------------------------------------------- */

static void refill(side_t* side) {
  while (side_lend(side, block, sizeof(block)) == 0) {
  }
}

static side_t quiet;

static side_t* second_is_quiet(pair_t* pair) {
  return pair->accepted.opens == 0 ? &pair->accepted : &quiet;
}

/* Many times what it takes on any system, and few beside "never". */
#define MAX_TURNS 200

static void answer(side_t* side, const void* data, size_t size) {
  assert_int_equal(side_send(side, data, size), 0);
}

/* While one client sends without end, another's round trips go on: each takes
 * a bounded number of turns. */
static void test_fairness(void** state) {
  side_t other = {0};
  pair_t pair;
  int i, turns;

  (void) state;
  memset(&quiet, 0, sizeof(quiet));
  quiet.on_message = answer;
  pair_init(&pair);
  pair.stays = 1;
  pair.next_side = second_is_quiet;
  pair.client.on_drain = refill;
  pair_open(&pair);
  pair_connect_side(&pair, &other);
  run_until(&quiet.opens, 1);
  refill(&pair.client);
  for (i = 1; i <= 50; i++) {
    assert_int_equal(side_send(&other, "ping", 4), 0);
    for (turns = 0; other.messages < i; turns++) {
      if (turns == MAX_TURNS) fail_msg("round trip %d takes too long", i);
      test_turn();
    }
  }
  assert_true(pair.accepted.messages > 0);
  pair.client.on_drain = NULL;
  side_close(&other);
  run_until(&other.closes, 1);
  run_until(&quiet.closes, 1);
  pair_finish(&pair);
  side_free(&quiet);
  side_free(&other);
}

/* ---- Facts -------------------------------------------------------------- */

static void test_stats_and_info(void** state) {
  ipc_channel_stats_t c, s;
  ipc_channel_info_t info;
  ipc_server_stats_t server;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(ipc_channel_info(pair.client.channel, &info), 0);
  assert_false(info.is_connected);
  assert_false(info.is_server);
  assert_int_equal(info.peer_max_message_bytes, 0);
  assert_int_equal(info.in_buffer_bytes, 0);
  assert_int_equal(stats_of(&pair.client).connect_attempts, 0);
  send_numbers(&pair.client, 5);
  assert_int_equal(stats_of(&pair.client).messages_queued, 5);
  run_until(&pair.accepted.messages, 5);
  send_numbers(&pair.accepted, 2);
  run_until(&pair.client.messages, 2);
  run_until(&pair.accepted.sent, 2);

  c = stats_of(&pair.client);
  s = stats_of(&pair.accepted);
  assert_int_equal(c.connect_attempts, 1);
  assert_int_equal(s.connect_attempts, 0);
  assert_int_equal(c.messages_sent, 5);
  assert_int_equal(c.messages_received, 2);
  assert_int_equal(s.messages_sent, 2);
  assert_int_equal(s.messages_received, 5);
  /* A hello of 16 bytes, then frames of 12. */
  assert_int_equal(c.bytes_sent, 16 + 5 * 12);
  assert_int_equal(s.bytes_received, c.bytes_sent);
  assert_int_equal(s.bytes_sent, 16 + 2 * 12);
  assert_int_equal(c.bytes_received, s.bytes_sent);
  assert_int_equal(c.messages_queued + s.messages_queued, 0);
  assert_int_equal(c.bytes_queued + s.bytes_queued, 0);
  assert_int_equal(c.bytes_cut + s.bytes_cut, 0);

  assert_int_equal(ipc_channel_info(pair.client.channel, &info), 0);
  assert_true(info.is_connected);
  assert_int_equal(info.framing, IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(info.last_attempt, 0);
  assert_true(info.in_buffer_bytes > 0);
  assert_true(info.out_buffer_bytes > 0);
  assert_int_equal(info.max_message_bytes, 16 * MIB);
  assert_int_equal(info.peer_max_message_bytes, 16 * MIB);
  assert_int_equal(ipc_channel_info(pair.accepted.channel, &info), 0);
  assert_true(info.is_server);
  assert_int_equal(info.max_instances, 0);
  assert_int_equal(ipc_server_stats(pair.server, &server), 0);
  assert_int_equal(server.instances, 1);
  assert_int_equal(server.accepted, 1);
  assert_int_equal(server.refused_busy + server.refused_peer, 0);
  assert_int_equal(server.handshake_errors + server.accept_errors, 0);
  pair_finish(&pair);
}

/* ---- The system's buffer ------------------------------------------------ */

static size_t out_buffer_of(const side_t* side) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(side->channel, &info), 0);
  return info.out_buffer_bytes;
}

/* More than the system takes, in messages of this size, to a side that doesn't
 * read. Ends when that side has read it all. */
static void overfill(side_t* from,
                     side_t* to,
                     size_t size,
                     size_t* paused_bytes) {
  static uint8_t large[3 << 20];
  uint64_t bytes = to->bytes;
  size_t sent;

  pause_side(to);
  for (sent = 0; sent < sizeof(large); sent += size) {
    assert_int_equal(side_lend(from, large, size), 0);
    bytes += size;
  }
  assert_int_equal(ipc_channel_flush(from->channel), 0);
  assert_true(stats_of(from).bytes_queued > 0);
  *paused_bytes = out_buffer_of(from);
  resume_side(to);
  while (to->bytes < bytes) test_turn();
  assert_int_equal(to->bytes, bytes);
}

/* When the system's buffer has grown. */
typedef enum { NEVER, WHILE_READ, AT_ONCE } growth_t;

static growth_t growth_for(side_t* from, side_t* to, size_t size) {
  size_t before = out_buffer_of(from);
  size_t paused;
  size_t after;

  overfill(from, to, size, &paused);
  after = out_buffer_of(from);
  assert_true(paused >= before);
  assert_true(after >= paused);
  if (paused > before) assert_int_equal(after, paused); /* once */
  if (paused > before) return AT_ONCE;
  return after > before ? WHILE_READ : NEVER;
}

static void growing_init(pair_t* pair) {
  pair_init(pair);
  ipc_client_options_set_max_queue_bytes(&pair->client_options, 16 * MIB);
  ipc_server_options_set_max_queue_bytes(&pair->server_options, 16 * MIB);
}

/* Either way. */
static void run_growth(pair_t* pair, size_t size, growth_t growth) {
  if (test_is_windows()) growth = NEVER;
  pair_open(pair);
  assert_int_equal(growth_for(&pair->client, &pair->accepted, size), growth);
  assert_int_equal(growth_for(&pair->accepted, &pair->client, size), growth);
  pair_finish(pair);
}

/* For a large message at once; for small ones not before the other side has
 * read some of them. */
static void test_buffer_grows(void** state) {
  pair_t pair;

  (void) state;
  growing_init(&pair);
  run_growth(&pair, 3 * MIB, AT_ONCE);
  growing_init(&pair);
  pair_raw(&pair);
  run_growth(&pair, 3 * MIB, AT_ONCE);
  growing_init(&pair);
  run_growth(&pair, 1 * KIB, WHILE_READ);
  growing_init(&pair);
  run_growth(&pair, 60 * KIB, WHILE_READ);
}

/* Not where somebody has said how large it is to be, nor where messages are to
 * be dropped rather than wait. */
static void test_buffer_stays(void** state) {
  pair_t pair;

  (void) state;
  growing_init(&pair);
  ipc_server_options_set_buffer_sizes(&pair.server_options, 0, 64 * KIB);
  if (!test_is_windows()) { /* there the server sizes both */
    ipc_client_options_set_buffer_sizes(&pair.client_options, 0, 64 * KIB);
  }
  run_growth(&pair, 3 * MIB, NEVER);
  growing_init(&pair);
  ipc_server_options_set_slow_reader(&pair.server_options,
                                     IPC_CHANNEL_SLOW_DROP_OLDEST);
  ipc_client_options_set_slow_reader(&pair.client_options,
                                     IPC_CHANNEL_SLOW_DROP_OLDEST);
  run_growth(&pair, 3 * MIB, NEVER);
}

/* Nor for a message that fits, as large as it may be, also while its callback
 * is due. */
static void test_buffer_fits(void** state) {
  static const uint8_t large[64 * KIB];
  size_t before;
  pair_t pair;

  (void) state;
  growing_init(&pair);
  pair_open(&pair);
  pause_side(&pair.accepted);
  before = out_buffer_of(&pair.client);
  assert_int_equal(side_lend(&pair.client, large, sizeof(large)), 0);
  assert_int_equal(ipc_channel_flush(pair.client.channel), 0);
  if (before >= 2 * sizeof(large) && !test_is_windows()) {
    assert_int_equal(stats_of(&pair.client).bytes_queued, 0);
    assert_int_equal(out_buffer_of(&pair.client), before);
  }
  resume_side(&pair.accepted);
  run_until(&pair.accepted.messages, 1);
  pair_finish(&pair);
}

/* A message whose rest never came shows in bytes_cut. */
static void test_bytes_cut(void** state) {
  uint8_t bytes[16 + 8 + 100];
  uint8_t payload[100] = {0};
  size_t size;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_raw_client(&pair);
  pair.accepted.stays = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  size = test_put_hello(bytes, 0, 1000);
  size += test_put_frame(bytes + size, 0x80, payload, 100);
  assert_int_equal(side_send(&pair.client, bytes, size - 30), 0);
  side_close(&pair.client);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
  assert_int_equal(pair.accepted.messages, 0);
  assert_int_equal(stats_of(&pair.accepted).bytes_cut, 8 + 70);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_drain),
      TEST(test_any_size_when_empty),
      TEST(test_limit_while_connecting),
      TEST(test_pause_in_message),
      TEST(test_pause_and_resume_at_once),
      TEST(test_pause),
      TEST(test_pause_another),
      TEST(test_pause_before_connected),
      TEST(test_loop_alive),
      TEST(test_idle),
      TEST(test_idle_spares_talkers),
      TEST(test_idle_busy),
      TEST(test_idle_in_a_message),
      TEST(test_fairness),
      TEST(test_stats_and_info),
      TEST(test_buffer_grows),
      TEST(test_buffer_stays),
      TEST(test_buffer_fits),
      TEST(test_bytes_cut),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
