/* A client that makes its connection anew, in the moment in which it has lost
 * one: it notices also where it doesn't read, and what it is told then holds
 * for the next. */
#include "harness.h"

#include "pair.h"

#define MAX_STATES 20
#define MAX_CONNECTIONS 4

static pair_t pair;
static side_t accepted[MAX_CONNECTIONS]; /* one for each connection */
static int accepted_count;
static ipc_channel_state_t states[MAX_STATES];
static int state_count;

static void on_state(ipc_channel_t* channel,
                     ipc_channel_state_t state,
                     int status) {
  (void) channel;
  assert_true(state_count < MAX_STATES);
  states[state_count++] = state;
  if (state == IPC_CHANNEL_RECONNECTING) assert_true(status <= 0);
}

static side_t* next_accepted(pair_t* p) {
  (void) p;
  assert_true(accepted_count < MAX_CONNECTIONS);
  accepted[accepted_count].keeps_log = 1;
  return &accepted[accepted_count++];
}

static void prepare(void) {
  memset(accepted, 0, sizeof(accepted));
  accepted_count = state_count = 0;
  pair_init(&pair);
  pair.next_side = next_accepted;
  ipc_client_options_on_state(&pair.client_options, on_state);
  assert_int_equal(
      ipc_client_options_set_reconnect(&pair.client_options, 5, 40), 0);
}

static void open_pair(void) {
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  run_until(&accepted_count, 1);
}

/* The server lets go of the first connection. */
static void break_off(void) {
  assert_int_equal(ipc_channel_disconnect(accepted[0].channel), 0);
  side_close(&accepted[0]);
  run_until(&accepted[0].closes, 1);
}

/* It was connected, lost that, and is connected again. */
static void assert_came_back(void) {
  static const ipc_channel_state_t expected[] = {
      IPC_CHANNEL_CONNECTED, IPC_CHANNEL_RECONNECTING, IPC_CHANNEL_CONNECTED};
  ipc_channel_stats_t stats;
  size_t i;

  run_until(&state_count, (int) TEST_COUNT(expected));
  for (i = 0; i < TEST_COUNT(expected); i++) {
    assert_int_equal(states[i], expected[i]);
  }
  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  assert_int_equal(stats.reconnects, 1);
}

static void finish(void) {
  int i;

  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(states[state_count - 1], IPC_CHANNEL_CLOSING);
  for (i = 0; i < accepted_count; i++) side_close(&accepted[i]);
  pair_finish(&pair);
  for (i = 0; i < accepted_count; i++) side_free(&accepted[i]);
}

/* There is no other connection for one that closes. */
static void test_loss_in_a_close(void** state) {
  static uint8_t block[64 << 10];

  (void) state;
  prepare();
  pair_raw(&pair);
  ipc_client_options_set_close_timeout(&pair.client_options,
                                       IPC_CHANNEL_INFINITE);
  open_pair();
  assert_int_equal(ipc_channel_pause(accepted[0].channel), 0);
  while (side_lend(&pair.client, block, sizeof(block)) == 0) test_turn();
  side_close(&pair.client);
  test_turn();
  break_off();
  run_until(&pair.client.closes, 1);
  assert_true(pair.client.result.unsent > 0);
  finish();
}

/* ---- Who doesn't read --------------------------------------------------- */

static ipc_channel_info_t info(void) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(pair.client.channel, &info), 0);
  return info;
}

/* Only a write can tell: it goes on until there is another connection, which
 * then takes what was sent. */
static void send_until_back(void) {
  while (accepted_count < 2) {
    int err = side_send(&pair.client, "again ", 6);

    if (err != 0) assert_int_equal(err, UV_EAGAIN);
    test_turn();
  }
  assert_came_back();
  assert_int_equal(info().is_connected, 1);
  assert_int_equal(side_send(&pair.client, "last", 4), 0);
  do {
    run_until(&accepted[1].messages, accepted[1].messages + 1);
  } while (memcmp(accepted[1].log + accepted[1].log_size - 4, "last", 4) != 0);
}

static int has_arrived(void) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  return stats.bytes_received >= 16 + 8 + 7; /* with the server's hello */
}

/* A message that nobody has taken lies in front of the end, and isn't lost. */
static void test_message_taken_late(void** state) {
  const void* data;
  size_t size;

  (void) state;
  prepare();
  ipc_client_options_on_message(&pair.client_options, NULL);
  open_pair();
  assert_int_equal(side_send(&accepted[0], "welcome", 7), 0);
  while (!has_arrived()) test_turn();
  break_off();
  /* The write that fails comes before the state. */
  while (info().is_connected) {
    assert_int_equal(side_send(&pair.client, "again ", 6), 0);
    test_turn();
  }
  assert_int_equal(info().state, IPC_CHANNEL_CONNECTED);
  assert_int_equal(ipc_channel_try_recv(pair.client.channel, &data, &size), 0);
  assert_int_equal(size, 7);
  assert_memory_equal(data, "welcome", 7);
  send_until_back();
  finish();
}

/* A pipe of Windows that goes out tells nothing but by a write. */
static void test_outbound(void** state) {
  (void) state;
  prepare();
  pair_raw(&pair);
  ipc_server_options_set_access(&pair.server_options,
                                IPC_CHANNEL_ACCESS_INBOUND);
  ipc_client_options_set_access(&pair.client_options,
                                IPC_CHANNEL_ACCESS_OUTBOUND);
  open_pair();
  assert_int_equal(side_send(&pair.client, "first", 5), 0);
  run_until(&accepted[0].messages, 1);
  break_off();
  send_until_back();
  finish();
}

/* ---- In on_state -------------------------------------------------------- */

static void end_when_lost(ipc_channel_t* channel,
                          ipc_channel_state_t state,
                          int status) {
  on_state(channel, state, status);
  if (state != IPC_CHANNEL_RECONNECTING) return;
  assert_int_equal(ipc_channel_send_copy(channel, "last", 4, NULL, NULL), 0);
  assert_int_equal(ipc_channel_end(channel), 0);
  assert_int_equal(ipc_channel_send_copy(channel, "x", 1, NULL, NULL),
                   UV_EPIPE);
}

/* The next connection hears the end, behind what was sent, and may answer. */
static void test_end_when_lost(void** state) {
  (void) state;
  prepare();
  ipc_client_options_on_state(&pair.client_options, end_when_lost);
  accepted[1].stays = 1;
  open_pair();
  break_off();
  run_until(&accepted_count, 2);
  run_until(&accepted[1].ends, 1);
  assert_int_equal(accepted[1].end_status, 0);
  assert_int_equal(accepted[1].messages, 1);
  assert_memory_equal(accepted[1].log, "last", 4);
  assert_came_back();
  assert_int_equal(side_send(&accepted[1], "answer", 6), 0);
  run_until(&pair.client.messages, 1);
  finish();
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.client.result.unconfirmed, 0);
  assert_int_equal(accepted[1].result.status, 0);
}

/* A close waits for no answer to an end that was never written. */
static void test_close_after_end_when_lost(void** state) {
  (void) state;
  prepare();
  ipc_client_options_on_state(&pair.client_options, end_when_lost);
  open_pair();
  break_off();
  run_until(&accepted_count, 2);
  finish();
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.client.result.unsent, 0);
  assert_int_equal(pair.client.result.unconfirmed, 0);
  assert_int_equal(accepted[1].ends, 1);
  assert_int_equal(accepted[1].end_status, 0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_loss_in_a_close),
      TEST(test_message_taken_late),
      TEST(test_outbound),
      TEST(test_end_when_lost),
      TEST(test_close_after_end_when_lost),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
