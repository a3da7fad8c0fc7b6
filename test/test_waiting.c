/* Clients that wait for an instance get it in the order in which they came,
 * whatever else there is to do for one of them just then. */
#include "harness.h"

#include "pair.h"

#define CLIENTS 4

static pair_t pair;
static side_t clients[CLIENTS];
static side_t served[CLIENTS]; /* the server's ends, in the order of turns */
static int served_count;

static side_t* next_served(pair_t* p) {
  (void) p;
  assert_true(served_count < CLIENTS);
  served[served_count].keeps_log = 1;
  return &served[served_count++];
}

static uint64_t waiting(void) {
  ipc_server_stats_t stats;

  assert_int_equal(ipc_server_stats(pair.server, &stats), 0);
  return stats.waiting;
}

/* The first has the only instance, the others wait, each there before the next
 * comes. A raw client may speak while it waits. */
static void open_with_waiting(int is_raw) {
  int i;

  memset(clients, 0, sizeof(clients));
  memset(served, 0, sizeof(served));
  served_count = 0;
  pair_init(&pair);
  if (is_raw) pair_raw(&pair);
  pair.next_side = next_served;
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  ipc_server_options_set_waiting_instances(&pair.server_options, CLIENTS);
  pair_listen(&pair);
  pair_connect_side(&pair, &clients[0]);
  run_until(&served_count, 1);
  for (i = 1; i < CLIENTS; i++) {
    pair_connect_side(&pair, &clients[i]);
    while (waiting() < (uint64_t) i) test_turn();
  }
}

static void finish(void) {
  int i;

  for (i = 0; i < CLIENTS; i++) side_close(&clients[i]);
  for (i = 0; i < CLIENTS; i++) run_until(&clients[i].closes, 1);
  for (i = 0; i < CLIENTS; i++) side_close(&served[i]);
  pair_finish(&pair);
  for (i = 0; i < CLIENTS; i++) {
    side_free(&clients[i]);
    side_free(&served[i]);
  }
}

/* Which client this is at the other end: it says its number. */
static void say_number(int i) {
  uint8_t number = (uint8_t) i;

  assert_int_equal(side_send(&clients[i], &number, 1), 0);
}

static void hears_number(side_t* side, int i) {
  run_until(&side->messages, 1);
  assert_int_equal(side->log[0], i);
}

static void drop(side_t* side) {
  assert_int_equal(ipc_channel_disconnect(side->channel), 0);
}

/* Just ahead of the poll that finds what a younger one has said: the server
 * serves both in one round. */
static void send_last(uv_prepare_t* prepare) {
  assert_int_equal(side_send(&served[0], "bye", 3), 0);
  uv_close((uv_handle_t*) prepare, NULL);
}

/* The instance becomes free in a callback, with the youngest next in the line
 * of those that there is something to do for. */
static void test_younger_one_is_served(void** state) {
  uv_prepare_t prepare;
  int i;

  (void) state;
  open_with_waiting(1);
  served[0].on_sent = drop;
  assert_int_equal(uv_prepare_init(test_loop(), &prepare), 0);
  say_number(CLIENTS - 1);
  uv_prepare_start(&prepare, send_last);
  run_until(&served_count, 2);
  for (i = 1; i < CLIENTS - 1; i++) {
    say_number(i);
    hears_number(&served[i], i);
    assert_int_equal(served_count, i + 1);
    drop(&served[i]);
    run_until(&served_count, i + 2);
  }
  hears_number(&served[CLIENTS - 1], CLIENTS - 1);
  finish();
}

static void drop_first(uv_async_t* async) {
  drop(&served[0]);
  uv_close((uv_handle_t*) async, NULL);
}

/* It is the turn of one who leaves in that moment, for the same poll finds what
 * makes room and that he has gone: the next one has it. */
static void test_next_one_leaves(void** state) {
  uv_async_t async;

  (void) state;
  open_with_waiting(0);
  assert_int_equal(uv_async_init(test_loop(), &async, drop_first), 0);
  assert_int_equal(uv_async_send(&async), 0);
  drop(&clients[1]);
  run_until(&clients[2].opens, 1);
  finish();
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_younger_one_is_served),
      TEST(test_next_one_leaves),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
