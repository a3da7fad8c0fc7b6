/* Many clients: at once, in a flood, and more than there are instances. */
#include "harness.h"

#include "pair.h"

#define CROWD 200
#define FLOOD 1000
#define LONG_MS 50000

/* What the server sees of its clients, in the order in which they came. */
static side_t served[FLOOD];
static int served_count;

static side_t* next_served(pair_t* pair) {
  (void) pair;
  assert_true(served_count < FLOOD);
  served[served_count].echoes = 1;
  return &served[served_count++];
}

static void crowd_init(pair_t* pair) {
  memset(served, 0, sizeof(served));
  served_count = 0;
  pair_init(pair);
  pair->stays = 1;
  pair->next_side = next_served;
  ipc_client_options_set_connect_timeout(&pair->client_options, LONG_MS);
}

static void crowd_free(side_t* sides, int count) {
  while (count-- > 0) side_free(&sides[count]);
}

static ipc_server_stats_t stats_of(const pair_t* pair) {
  ipc_server_stats_t stats;

  assert_int_equal(ipc_server_stats(pair->server, &stats), 0);
  return stats;
}

static void wait_for_instances(const pair_t* pair, unsigned int count) {
  while (stats_of(pair).instances != count) {
    test_turn();
  }
}

/* ---- At once ------------------------------------------------------------ */

static side_t crowd[CROWD];

static void test_crowd(void** state) {
  pair_t pair;
  int i, round;

  (void) state;
  memset(crowd, 0, sizeof(crowd));
  crowd_init(&pair);
  pair_listen(&pair);
  for (i = 0; i < CROWD; i++) {
    pair_connect_side(&pair, &crowd[i]);
    assert_int_equal(side_send(&crowd[i], &i, sizeof(i)), 0);
    crowd[i].keeps_log = 1;
  }
  for (i = 0; i < CROWD; i++) run_until(&crowd[i].messages, 1);
  assert_int_equal(stats_of(&pair).instances, CROWD);
  for (round = 2; round < 5; round++) {
    for (i = 0; i < CROWD; i++) {
      assert_int_equal(side_send(&crowd[i], &i, sizeof(i)), 0);
    }
    for (i = 0; i < CROWD; i++) run_until(&crowd[i].messages, round);
  }
  for (i = 0; i < CROWD; i++) {
    assert_memory_equal(crowd[i].log + 12, &i, sizeof(i));
    side_close(&crowd[i]);
  }
  wait_for_instances(&pair, 0);
  assert_int_equal(stats_of(&pair).accepted, CROWD);
  assert_int_equal(stats_of(&pair).accept_errors, 0);
  pair_finish(&pair);
  for (i = 0; i < CROWD; i++) {
    assert_int_equal(crowd[i].closes, 1);
    assert_int_equal(crowd[i].result.status, 0);
    assert_int_equal(served[i].closes, 1);
    assert_int_equal(served[i].messages, 4);
  }
  crowd_free(crowd, CROWD);
  crowd_free(served, served_count);
}

/* ---- A flood ------------------------------------------------------------ */

static int gone;

static void count_gone(side_t* side) {
  (void) side;
  gone++;
}

/* Leaves as soon as it is connected, in one way or the other. */
static void leave(side_t* side) {
  if (gone % 2 == 0) {
    assert_int_equal(ipc_channel_disconnect(side->channel), 0);
  }
  side_close(side);
}

static side_t flood[FLOOD];

static void run_flood(int raw) {
  pair_t pair;
  int i;

  memset(flood, 0, sizeof(flood));
  gone = 0;
  crowd_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair); /* a good one, who stays */
  run_until(&pair.client.opens, 1);
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  if (raw) pair_raw_client(&pair);
  for (i = 0; i < FLOOD - 1; i++) {
    flood[i].on_open = leave;
    flood[i].on_close = count_gone;
    pair_connect_side(&pair, &flood[i]);
    if (i % 50 == 49) run_until(&gone, i - 24);
  }
  run_until(&gone, FLOOD - 1);
  wait_for_instances(&pair, 1);
  assert_int_equal(stats_of(&pair).accept_errors, 0);
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  run_until(&pair.client.messages, 1);
  side_close(&pair.client);
  wait_for_instances(&pair, 0);
  pair_finish(&pair);
  for (i = 0; i < FLOOD - 1; i++) {
    assert_int_equal(flood[i].connect_status, 0);
    assert_int_equal(flood[i].closes, 1);
  }
  for (i = 0; i < served_count; i++) assert_int_equal(served[i].closes, 1);
  crowd_free(flood, FLOOD);
  crowd_free(served, served_count);
}

static void test_flood(void** state) {
  (void) state;
  run_flood(0);
}

/* These never say a hello. */
static void test_flood_of_probes(void** state) {
  (void) state;
  run_flood(1);
  assert_int_equal(served_count, 1);
}

/* ---- More than there is room for ---------------------------------------- */

static void test_max_instances(void** state) {
  side_t more[3] = {{0}};
  ipc_channel_info_t info;
  pair_t pair;

  (void) state;
  crowd_init(&pair);
  ipc_server_options_set_max_instances(&pair.server_options, 2);
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  pair_connect_side(&pair, &more[0]);
  run_until(&more[0].opens, 1);

  /* The third doesn't wait; the fourth does, with a message. */
  ipc_client_options_set_wait_when_busy(&pair.client_options, 0);
  pair_connect_side(&pair, &more[1]);
  assert_int_equal(side_send(&more[1], "refused", 7), 0);
  run_until(&more[1].connects, 1);
  assert_int_equal(more[1].connect_status, UV_EBUSY);
  run_until(&more[1].closes, 1);
  assert_int_equal(more[1].result.unsent, 1);
  ipc_client_options_set_wait_when_busy(&pair.client_options, 1);
  pair_connect_side(&pair, &more[2]);
  assert_int_equal(side_send(&more[2], "first", 5), 0);
  assert_int_equal(side_send(&more[2], "second", 6), 0);
  more[2].keeps_log = 1;
  while (stats_of(&pair).refused_busy < 4) test_turn();
  assert_int_equal(more[2].connects, 0);
  assert_int_equal(ipc_channel_info(more[2].channel, &info), 0);
  assert_false(info.is_connected);
  assert_int_equal(stats_of(&pair).instances, 2);
  assert_int_equal(served_count, 2);

  /* Now there is room: what it has said arrives once. */
  side_close(&more[0]);
  run_until(&more[2].messages, 2);
  assert_memory_equal(more[2].log, "firstsecond", 11);
  assert_int_equal(ipc_channel_info(served[2].channel, &info), 0);
  assert_int_equal(info.max_instances, 2);
  assert_int_equal(served[2].messages, 2);
  assert_int_equal(stats_of(&pair).accepted, 3);
  side_close(&more[2]);
  wait_for_instances(&pair, 1);
  pair_finish(&pair);
  assert_int_equal(more[2].result.status, 0);
  assert_int_equal(more[2].sent, 2);
  crowd_free(more, 3);
  crowd_free(served, served_count);
}

/* A crowd through one door, one after the other. */
static void test_one_instance(void** state) {
  side_t many[20];
  pair_t pair;
  int i;

  (void) state;
  memset(many, 0, sizeof(many));
  crowd_init(&pair);
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  pair_listen(&pair);
  for (i = 0; i < 20; i++) {
    pair_connect_side(&pair, &many[i]);
    assert_int_equal(side_send(&many[i], &i, sizeof(i)), 0);
    side_close(&many[i]);
  }
  for (i = 0; i < 20; i++) run_until(&many[i].closes, 1);
  wait_for_instances(&pair, 0);
  assert_int_equal(served_count, 20);
  for (i = 0; i < 20; i++) assert_int_equal(served[i].messages, 1);
  pair_finish(&pair);
  for (i = 0; i < 20; i++) {
    assert_int_equal(many[i].connect_status, 0);
    assert_int_equal(many[i].result.status, 0);
  }
  crowd_free(served, served_count);
  crowd_free(many, 20);
}

/* Raw clients wait, unanswered, until there is room. */
static void test_one_instance_raw(void** state) {
  side_t more = {0};
  pair_t pair;

  (void) state;
  crowd_init(&pair);
  pair_raw(&pair);
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "a", 1), 0);
  run_until(&pair.client.messages, 1);
  pair_connect_side(&pair, &more);
  assert_int_equal(side_send(&more, "b", 1), 0);
  test_run_for(100);
  assert_int_equal(served_count, 1);
  assert_int_equal(stats_of(&pair).instances, 1);
  side_close(&pair.client);
  run_until(&more.messages, 1);
  assert_int_equal(served_count, 2);
  side_close(&more);
  wait_for_instances(&pair, 0);
  pair_finish(&pair);
  crowd_free(&more, 1);
  crowd_free(served, served_count);
}

/* Those that were told no and stay keep nobody out, however many they are and
 * however long they might. */
static void test_refused_that_stay(void** state) {
  ipc_client_options_t raw;
  ipc_channel_t* staying[CROWD];
  side_t late = {0};
  pair_t pair;
  int i;

  (void) state;
  crowd_init(&pair);
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  ipc_server_options_set_handshake_timeout(&pair.server_options,
                                           IPC_CHANNEL_INFINITE);
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);

  ipc_client_options_init(&raw, pair.name);
  ipc_client_options_set_framing(&raw, IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_set_connect_timeout(&raw, LONG_MS);
  for (i = 0; i < CROWD; i++) {
    assert_int_equal(ipc_client_connect(test_loop(), &raw, NULL, &staying[i]),
                     0);
  }
  while (stats_of(&pair).refused_busy < CROWD) test_turn();
  side_close(&pair.client);
  pair_connect_side(&pair, &late);
  run_until(&late.opens, 1);

  for (i = 0; i < CROWD; i++) {
    assert_int_equal(ipc_channel_close(staying[i]), 0);
  }
  side_close(&late);
  run_until(&late.closes, 1);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_crowd),
      TEST(test_flood),
      TEST(test_flood_of_probes),
      TEST(test_max_instances),
      TEST(test_one_instance),
      TEST(test_one_instance_raw),
      TEST(test_refused_that_stay),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
