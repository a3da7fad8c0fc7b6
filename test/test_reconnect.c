/* A client that makes its connection anew: what it tells, what survives, how
 * often it tries, and what ends it. */
#include "harness.h"

#include "pair.h"

#define MAX_STATES 200
#define MAX_CONNECTIONS 60
#define FIRST_MS 5
#define MAX_MS 40

static pair_t pair;
static side_t accepted[MAX_CONNECTIONS];
static int accepted_count;

static struct {
  ipc_channel_state_t state;
  int status;
} states[MAX_STATES];
static int state_count;

static void on_state(ipc_channel_t* channel,
                     ipc_channel_state_t state,
                     int status) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(channel, &info), 0);
  assert_int_equal(info.state, state);
  assert_true(state_count < MAX_STATES);
  states[state_count].state = state;
  states[state_count++].status = status;
}

/* The next state, which is this one. */
static int checked;

static void enters(ipc_channel_state_t state, int status) {
  run_until(&state_count, checked + 1);
  assert_int_equal(states[checked].state, state);
  assert_int_equal(states[checked].status, status);
  checked++;
}

/* Each connection has a side of its own in `accepted`. */
static side_t* next_accepted(pair_t* p) {
  (void) p;
  assert_true(accepted_count < MAX_CONNECTIONS);
  accepted[accepted_count].keeps_log = 1;
  return &accepted[accepted_count++];
}

static side_t* newest(void) {
  return &accepted[accepted_count - 1];
}

static void prepare(void) {
  memset(accepted, 0, sizeof(accepted));
  accepted_count = state_count = checked = 0;
  pair_init(&pair);
  pair.next_side = next_accepted;
  ipc_client_options_on_state(&pair.client_options, on_state);
  assert_int_equal(
      ipc_client_options_set_reconnect(&pair.client_options, FIRST_MS, MAX_MS),
      0);
}

/* Connected, and that has been told. */
static void open_pair(void) {
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  run_until(&accepted_count, 1);
  enters(IPC_CHANNEL_CONNECTED, 0);
}

/* The server lets go of the client, which finds the connection broken. */
static void break_off(void) {
  side_t* side = newest();

  assert_int_equal(ipc_channel_disconnect(side->channel), 0);
  side_close(side);
}

static void comes_back(int status) {
  int before = accepted_count;

  enters(IPC_CHANNEL_RECONNECTING, status);
  enters(IPC_CHANNEL_CONNECTED, 0);
  run_until(&accepted_count, before + 1);
}

/* The server is gone, with its channels and its name. */
static void close_server(void) {
  int i;

  for (i = 0; i < accepted_count; i++) {
    side_close(&accepted[i]);
    run_until(&accepted[i].closes, 1);
  }
  pair_close_server(&pair);
  run_until(&pair.server_closes, 1);
  pair.server_closes = 0;
}

static void finish(void) {
  int i;

  assert_int_equal(pair.client.connects <= 1, 1);
  for (i = 0; i < accepted_count; i++) side_close(&accepted[i]);
  pair_finish(&pair);
  for (i = 0; i < accepted_count; i++) {
    assert_int_equal(accepted[i].closes, 1);
    side_free(&accepted[i]);
  }
}

/* A channel that lives is closed by us, and tells that last. */
static void finish_alive(void) {
  assert_int_equal(pair.client.connects, 1);
  assert_int_equal(pair.client.ends, 0);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  enters(IPC_CHANNEL_CLOSING, 0);
  assert_int_equal(state_count, checked);
  finish();
}

static ipc_channel_stats_t stats(void) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  return stats;
}

static int send_number(uint32_t number) {
  return side_send(&pair.client, &number, sizeof(number));
}

static uint32_t number_at(const side_t* side, int i) {
  uint32_t number;

  memcpy(&number, side->log + 4 * (size_t) i, sizeof(number));
  return number;
}

/* ---- Losing and finding ------------------------------------------------- */

static void test_broken_connection(void** state) {
  int i;

  (void) state;
  prepare();
  open_pair();
  for (i = 0; i < 20; i++) {
    break_off();
    comes_back(UV_ECONNRESET);
    assert_int_equal(stats().reconnects, i + 1);
    assert_int_equal(send_number((uint32_t) i), 0);
    run_until(&newest()->messages, 1);
    assert_int_equal(number_at(newest(), 0), i);
    assert_int_equal(side_send(newest(), "x", 1), 0);
    run_until(&pair.client.messages, i + 1);
  }
  finish_alive();
}

static void test_server_restarts(void** state) {
  (void) state;
  prepare();
  open_pair();
  close_server();
  enters(IPC_CHANNEL_RECONNECTING, 0);
  test_run_for(50);
  assert_int_equal(state_count, checked);
  pair_listen(&pair);
  enters(IPC_CHANNEL_CONNECTED, 0);
  run_until(&accepted_count, 2);
  assert_int_equal(send_number(7), 0);
  run_until(&newest()->messages, 1);
  finish_alive();
  assert_int_equal(pair.client.result.status, 0);
}

static void test_raw(void** state) {
  (void) state;
  prepare();
  pair_raw(&pair);
  open_pair();
  assert_int_equal(send_number(1), 0);
  run_until(&newest()->messages, 1);
  break_off();
  enters(IPC_CHANNEL_RECONNECTING, 0);
  enters(IPC_CHANNEL_CONNECTED, 0);
  run_until(&accepted_count, 2);
  assert_int_equal(send_number(2), 0);
  run_until(&newest()->messages, 1);
  assert_int_equal(number_at(newest(), 0), 2);
  finish_alive();
}

/* ---- A server in another process ---------------------------------------- */

static uv_loop_t child_loop;

static void child_echo(ipc_channel_t* channel, const void* data, size_t size) {
  if (ipc_channel_send_copy(channel, data, size, NULL, NULL) != 0) abort();
}

static int play_echo(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;

  if (argc != 1 || uv_loop_init(&child_loop) != 0) return 101;
  ipc_server_options_init(&options, argv[0]);
  ipc_server_options_on_message(&options, child_echo);
  if (ipc_server_listen(&child_loop, &options, NULL, &server) != 0) return 102;
  test_say_ready();
  uv_run(&child_loop, UV_RUN_DEFAULT);
  return 0;
}

static const test_role_t roles[] = {{"echo", play_echo}, {NULL, NULL}};

static void test_killed_server(void** state) {
  test_child_t* child = NULL;
  int i;

  (void) state;
  prepare();
  for (i = 0; i < 3; i++) {
    child = test_spawn("echo", pair.name, NULL);
    test_wait_ready(child);
    if (i == 0) pair_connect(&pair);
    enters(IPC_CHANNEL_CONNECTED, 0);
    assert_int_equal(send_number((uint32_t) i), 0);
    run_until(&pair.client.messages, i + 1);
    test_kill(child);
    test_wait(child);
    enters(IPC_CHANNEL_RECONNECTING, UV_ECONNRESET);
  }
  /* This server leaves nothing behind. */
  pair_listen(&pair);
  enters(IPC_CHANNEL_CONNECTED, 0);
  finish_alive();
  assert_int_equal(pair.client.result.unconfirmed, 3);
}

/* ---- How often ---------------------------------------------------------- */

/* Waits of 40, 80, 160, 160, ... ms, give or take a quarter: in so long there
 * can't have been more attempts, and there is always another. */
static void test_back_off(void** state) {
  static const int waits[] = {40, 80, 160};
  uint64_t before;
  uint64_t lost_at;
  double soonest = 0;
  int i;

  (void) state;
  prepare();
  ipc_client_options_set_reconnect(&pair.client_options, 40, 160);
  open_pair();
  close_server();
  enters(IPC_CHANNEL_RECONNECTING, 0);
  lost_at = uv_hrtime();
  before = stats().connect_attempts;
  assert_true(before <= 2);
  for (i = 0; i < 8; i++) {
    while (stats().connect_attempts < before + (uint64_t) i + 1) test_turn();
    soonest += 0.75 * waits[i < 2 ? i : 2];
    /* The loss was noticed a little before it was told. */
    assert_true(elapsed_ms(lost_at) + 20 >= (int) soonest);
  }
  assert_true(elapsed_ms(lost_at) < 8 * 200 + 8000);
  pair_listen(&pair);
  enters(IPC_CHANNEL_CONNECTED, 0);

  /* The next time it begins with the first wait again. */
  run_until(&accepted_count, 2);
  lost_at = uv_hrtime();
  break_off();
  comes_back(UV_ECONNRESET);
  assert_true(elapsed_ms(lost_at) >= 30);
  finish_alive();
}

static void nobody(ipc_server_t* server,
                   void* arg,
                   int status,
                   ipc_channel_t* channel) {
  (void) server;
  (void) arg;
  (void) status;
  (void) channel;
}

/* A server that takes nobody just now is a reason to go on. */
static void test_busy_is_not_final(void** state) {
  ipc_server_stats_t server_stats;
  ipc_server_options_t usual;

  (void) state;
  prepare();
  usual = pair.server_options;
  ipc_client_options_set_wait_when_busy(&pair.client_options, 0);
  open_pair();
  close_server();
  enters(IPC_CHANNEL_RECONNECTING, 0);
  /* Clients have to be asked for, and there is no room to wait. */
  ipc_server_options_on_connection(&pair.server_options, NULL);
  ipc_server_options_set_waiting_instances(&pair.server_options, 0);
  pair_listen(&pair);
  assert_int_equal(
      ipc_server_accept(pair.server, IPC_CHANNEL_INFINITE, nobody, NULL), 0);
  assert_int_equal(
      ipc_server_cancel(pair.server, ipc_server_last_op(pair.server)), 0);
  do {
    test_turn();
    assert_int_equal(ipc_server_stats(pair.server, &server_stats), 0);
  } while (server_stats.refused_busy < 3);
  assert_int_equal(state_count, checked);
  close_server();
  pair.server_options = usual;
  pair_listen(&pair);
  enters(IPC_CHANNEL_CONNECTED, 0);
  run_until(&accepted_count, 2);
  finish_alive();
}

/* ---- What survives ------------------------------------------------------ */

/* Sent while there is no connection: in order, and once. */
static void test_sends_meanwhile(void** state) {
  int i;

  (void) state;
  prepare();
  open_pair();
  close_server();
  enters(IPC_CHANNEL_RECONNECTING, 0);
  for (i = 0; i < 1000; i++) assert_int_equal(send_number((uint32_t) i), 0);
  assert_int_equal(stats().messages_queued, 1000);
  test_run_for(30);
  assert_int_equal(pair.client.sent, 0);
  pair_listen(&pair);
  enters(IPC_CHANNEL_CONNECTED, 0);
  run_until(&accepted_count, 2);
  run_until(&newest()->messages, 1000);
  for (i = 0; i < 1000; i++) assert_int_equal(number_at(newest(), i), i);
  finish_alive();
  assert_int_equal(pair.client.sent, 1000);
  assert_int_equal(pair.client.result.status, 0);
}

/* Through many losses: each number at most once, none out of order, and what is
 * missing is known to be so. */
static void test_sends_across(void** state) {
  enum { ROUNDS = 20, EACH = 50 };
  uint32_t next = 0;
  int received = 0;
  int i, j;

  (void) state;
  prepare();
  open_pair();
  for (i = 0; i < ROUNDS; i++) {
    for (j = 0; j < EACH; j++) {
      assert_int_equal(send_number((uint32_t) (i * EACH + j)), 0);
    }
    if (i % 2 == 0) run_until(&newest()->messages, 1);
    break_off();
    comes_back(UV_ECONNRESET);
  }
  run_until(&pair.client.sent, ROUNDS * EACH - pair.client.failed);
  assert_int_equal(send_number(ROUNDS * EACH), 0);
  while (newest()->messages == 0 ||
         number_at(newest(), newest()->messages - 1) != ROUNDS * EACH) {
    test_turn();
  }
  for (i = 0; i < accepted_count; i++) {
    for (j = 0; j < accepted[i].messages; j++) {
      assert_true(number_at(&accepted[i], j) >= next);
      next = number_at(&accepted[i], j) + 1;
      received++;
    }
  }
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.result.unsent, 0);
  assert_true(pair.client.result.unconfirmed >=
              (uint64_t) (ROUNDS * EACH + 1 - received - pair.client.failed));
  finish();
}

static int large_ends;
static int large_status;
static size_t large_sent;

static void on_large_sent(ipc_channel_t* channel,
                          void* arg,
                          int status,
                          size_t sent) {
  (void) channel;
  (void) arg;
  large_ends++;
  large_status = status;
  large_sent = sent;
}

/* A message of which a part has left is lost; those behind it are not. */
static void test_partly_sent(void** state) {
  static uint8_t large[16 << 20];

  (void) state;
  prepare();
  large_ends = 0;
  ipc_client_options_set_max_queue_bytes(&pair.client_options,
                                         (size_t) 1 << 30);
  open_pair();
  assert_int_equal(ipc_channel_send(pair.client.channel, large, sizeof(large),
                                    on_large_sent, NULL),
                   0);
  assert_int_equal(send_number(1), 0);
  assert_int_equal(send_number(2), 0);
  while (stats().bytes_sent < 1000) test_turn();
  assert_int_equal(large_ends, 0);
  break_off();
  comes_back(UV_ECONNRESET);
  run_until(&large_ends, 1);
  assert_int_equal(large_status, UV_ECONNRESET);
  assert_true(large_sent > 0 && large_sent < sizeof(large));
  run_until(&newest()->messages, 2);
  assert_int_equal(number_at(newest(), 0), 1);
  assert_int_equal(number_at(newest(), 1), 2);
  finish_alive();
  assert_int_equal(pair.client.result.unsent, 1);
}

static ipc_op_t to_cancel;

static void on_state_cancel(ipc_channel_t* channel,
                            ipc_channel_state_t state,
                            int status) {
  on_state(channel, state, status);
  if (state != IPC_CHANNEL_RECONNECTING) return;
  assert_int_equal(ipc_channel_cancel(channel, to_cancel), 0);
}

/* The same, and of those behind it one is taken back before the next
 * connection, which changes nothing for the others. */
static void test_partly_sent_and_cancelled(void** state) {
  static uint8_t large[16 << 20];

  (void) state;
  prepare();
  large_ends = 0;
  ipc_client_options_on_state(&pair.client_options, on_state_cancel);
  ipc_client_options_set_max_queue_bytes(&pair.client_options,
                                         (size_t) 1 << 30);
  open_pair();
  assert_int_equal(ipc_channel_send(pair.client.channel, large, sizeof(large),
                                    on_large_sent, NULL),
                   0);
  assert_int_equal(send_number(1), 0);
  assert_int_equal(ipc_channel_send_copy(pair.client.channel, large,
                                         sizeof(large), NULL, NULL),
                   0);
  to_cancel = ipc_channel_last_op(pair.client.channel);
  assert_int_equal(send_number(2), 0);
  while (stats().bytes_sent < 1000) test_turn();
  assert_int_equal(large_ends, 0);
  break_off();
  comes_back(UV_ECONNRESET);
  run_until(&large_ends, 1);
  assert_int_equal(large_status, UV_ECONNRESET);
  assert_true(large_sent > 0 && large_sent < sizeof(large));
  run_until(&newest()->messages, 2);
  assert_int_equal(newest()->bytes, 8);
  assert_int_equal(number_at(newest(), 0), 1);
  assert_int_equal(number_at(newest(), 1), 2);
  finish_alive();
}

static int replies;
static int reply_status;

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  (void) channel;
  (void) arg;
  (void) data;
  (void) size;
  replies++;
  reply_status = status;
}

static void call_server(int status) {
  int before = replies;

  assert_int_equal(
      ipc_channel_call(pair.client.channel, "?", 1, -1, on_reply, NULL), 0);
  run_until(&replies, before + 1);
  assert_int_equal(reply_status, status);
}

static int requests;
static int keeps_silent;

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  requests++;
  if (keeps_silent) {
    assert_int_equal(ipc_channel_disconnect(channel), 0);
    side_close(ipc_channel_data(channel));
  } else {
    assert_int_equal(ipc_channel_reply(channel, request, data, size), 0);
  }
}

/* Calls that wait for a reply fail with their connection; others wait for the
 * next. */
static void test_calls(void** state) {
  (void) state;
  prepare();
  replies = requests = keeps_silent = 0;
  ipc_server_options_on_request(&pair.server_options, on_request);
  open_pair();
  call_server(0);
  keeps_silent = 1;
  call_server(UV_ECONNRESET);
  keeps_silent = 0;
  comes_back(UV_ECONNRESET);
  assert_int_equal(stats().calls_pending, 0);
  call_server(0);
  close_server();
  enters(IPC_CHANNEL_RECONNECTING, 0);
  assert_int_equal(
      ipc_channel_call(pair.client.channel, "?", 1, -1, on_reply, NULL), 0);
  assert_int_equal(stats().calls_pending, 1);
  pair_listen(&pair);
  enters(IPC_CHANNEL_CONNECTED, 0);
  run_until(&replies, 4);
  assert_int_equal(reply_status, 0);
  assert_int_equal(requests, 4);
  finish_alive();
}

static void call_again(int calls) {
  while (calls-- > 0) {
    assert_int_equal(
        ipc_channel_call(pair.client.channel, "?", 1, -1, on_reply, NULL), 0);
  }
}

/* Those that had not begun to leave are for the next server, and once. */
static void test_calls_across(void** state) {
  static uint8_t block[64 << 10];

  (void) state;
  prepare();
  replies = requests = keeps_silent = 0;
  ipc_server_options_on_request(&pair.server_options, on_request);
  open_pair();
  assert_int_equal(ipc_channel_pause(newest()->channel), 0);
  do {
    ipc_channel_send(pair.client.channel, block, sizeof(block), NULL, NULL);
    test_turn();
  } while (stats().bytes_queued < 4 * sizeof(block));
  call_again(5);
  assert_int_equal(send_number(7), 0);
  break_off();
  comes_back(UV_ECONNRESET);
  run_until(&replies, 5);
  assert_int_equal(reply_status, 0);
  assert_int_equal(requests, 5);
  assert_int_equal(stats().late_replies, 0);
  finish_alive();
}

/* A server that has ended its side replies to nothing more, but the next one
 * does. */
static void test_calls_after_the_end(void** state) {
  (void) state;
  prepare();
  replies = requests = 0;
  ipc_server_options_on_request(&pair.server_options, on_request);
  open_pair();
  assert_int_equal(ipc_channel_pause(newest()->channel), 0);
  call_again(1);
  assert_int_equal(ipc_channel_end(newest()->channel), 0);
  run_until(&replies, 1);
  assert_int_equal(reply_status, UV_EOF);
  call_again(1);
  comes_back(0);
  run_until(&replies, 2);
  assert_int_equal(reply_status, 0);
  assert_int_equal(requests, 1);
  finish_alive();
}

static ipc_request_t asked;

static void keep_request(ipc_channel_t* channel,
                         ipc_request_t request,
                         const void* data,
                         size_t size) {
  (void) channel;
  (void) data;
  (void) size;
  asked = request;
}

/* A request of a connection that is gone can't be answered on the next. */
static void test_old_request(void** state) {
  (void) state;
  prepare();
  asked = 0;
  replies = 0;
  ipc_client_options_on_request(&pair.client_options, keep_request);
  open_pair();
  assert_int_equal(
      ipc_channel_call(newest()->channel, "?", 1, -1, on_reply, NULL), 0);
  while (asked == 0) test_turn();
  break_off();
  run_until(&replies, 1);
  assert_int_equal(reply_status, UV_ECANCELED);
  comes_back(UV_ECONNRESET);
  assert_int_equal(ipc_channel_reply(pair.client.channel, asked, "!", 1),
                   UV_ENOENT);
  finish_alive();
}

/* Nor may an answer that is too late for its connection go to the next one,
 * whose first call has the same number. */
static void reply_too_late(ipc_channel_t* channel,
                           ipc_request_t request,
                           const void* data,
                           size_t size) {
  (void) data;
  (void) size;
  asked = request;
  if (keeps_silent) return;
  assert_int_equal(ipc_channel_reply(channel, request, "!", 1), 0);
  assert_int_equal(ipc_channel_disconnect(newest()->channel), 0);
}

static void reply_when_lost(ipc_channel_t* channel,
                            ipc_channel_state_t state,
                            int status) {
  on_state(channel, state, status);
  if (state != IPC_CHANNEL_RECONNECTING) return;
  assert_int_equal(ipc_channel_reply(channel, asked, "!", 1), UV_ENOENT);
}

static void test_late_reply(void** state) {
  (void) state;
  prepare();
  asked = 0;
  replies = keeps_silent = 0;
  ipc_client_options_on_request(&pair.client_options, reply_too_late);
  ipc_client_options_on_state(&pair.client_options, reply_when_lost);
  open_pair();
  assert_int_equal(
      ipc_channel_call(newest()->channel, "?", 1, -1, on_reply, NULL), 0);
  run_until(&replies, 1);
  assert_int_equal(reply_status, UV_ECANCELED);
  side_close(newest());
  keeps_silent = 1;
  comes_back(UV_ECONNRESET);
  asked = 0;
  assert_int_equal(
      ipc_channel_call(newest()->channel, "?", 1, -1, on_reply, NULL), 0);
  while (asked == 0) test_turn();
  assert_int_equal(replies, 1);
  assert_int_equal(ipc_channel_reply(pair.client.channel, asked, "!", 1), 0);
  run_until(&replies, 2);
  assert_int_equal(reply_status, 0);
  finish_alive();
}

static int receives;
static char received[16];

static void on_recv(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    const void* data,
                    size_t size) {
  (void) channel;
  (void) arg;
  assert_int_equal(status, 0);
  assert_true(size < sizeof(received));
  memcpy(received, data, size);
  received[size] = 0;
  receives++;
}

static void test_pending_receive(void** state) {
  (void) state;
  prepare();
  receives = 0;
  ipc_client_options_on_message(&pair.client_options, NULL);
  open_pair();
  assert_int_equal(ipc_channel_recv(pair.client.channel, -1, on_recv, NULL), 0);
  assert_int_equal(ipc_channel_recv(pair.client.channel, -1, on_recv, NULL), 0);
  break_off();
  comes_back(UV_ECONNRESET);
  assert_int_equal(receives, 0);
  assert_int_equal(side_send(newest(), "first", 5), 0);
  run_until(&receives, 1);
  assert_string_equal(received, "first");
  break_off();
  comes_back(UV_ECONNRESET);
  assert_int_equal(side_send(newest(), "second", 6), 0);
  run_until(&receives, 2);
  assert_string_equal(received, "second");
  finish_alive();
}

/* ---- Giving up ---------------------------------------------------------- */

static void lose_server(void) {
  prepare();
  open_pair();
  close_server();
  enters(IPC_CHANNEL_RECONNECTING, 0);
}

static void test_close_meanwhile(void** state) {
  (void) state;
  lose_server();
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  enters(IPC_CHANNEL_CLOSING, 0);
  assert_int_equal(state_count, checked);
  assert_int_equal(pair.client.result.unsent, 0);
  assert_int_equal(pair.client.ends, 0);
  pair_listen(&pair);
  finish();
}

/* What waits to be sent is given until the close timeout. */
static void test_close_with_messages(void** state) {
  (void) state;
  lose_server();
  assert_int_equal(send_number(1), 0);
  side_close(&pair.client);
  test_run_for(30);
  assert_int_equal(pair.client.closes, 0);
  pair_listen(&pair);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.client.sent, 1);
  run_until(&accepted_count, 2);
  assert_int_equal(newest()->messages, 1);
  finish();
}

static void test_close_in_vain(void** state) {
  (void) state;
  prepare();
  ipc_client_options_set_close_timeout(&pair.client_options, 100);
  open_pair();
  close_server();
  enters(IPC_CHANNEL_RECONNECTING, 0);
  assert_int_equal(send_number(1), 0);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.result.status, UV_ETIMEDOUT);
  assert_int_equal(pair.client.result.unsent, 1);
  assert_int_equal(pair.client.failed, 1);
  pair_listen(&pair);
  finish();
}

static void test_disconnect_meanwhile(void** state) {
  (void) state;
  lose_server();
  assert_int_equal(send_number(1), 0);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), UV_EPIPE);
  assert_int_equal(send_number(2), UV_EPIPE);
  run_until(&pair.client.failed, 1);
  assert_int_equal(pair.client.failure, UV_ECANCELED);
  enters(IPC_CHANNEL_DEAD, UV_ECANCELED);
  assert_int_equal(pair.client.ends, 0);
  pair_listen(&pair);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.result.unsent, 1);
  finish();
}

/* Our own disconnect is no loss to make good. */
static void test_disconnect(void** state) {
  (void) state;
  prepare();
  open_pair();
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  enters(IPC_CHANNEL_DEAD, UV_ECANCELED);
  test_run_for(4 * FIRST_MS);
  assert_int_equal(state_count, checked);
  assert_int_equal(accepted_count, 1);
  finish();
}

/* From the callback that tells of the loss. */
static void on_state_close(ipc_channel_t* channel,
                           ipc_channel_state_t state,
                           int status) {
  on_state(channel, state, status);
  if (state == IPC_CHANNEL_RECONNECTING) side_close(&pair.client);
}

static void test_close_in_on_state(void** state) {
  (void) state;
  prepare();
  ipc_client_options_on_state(&pair.client_options, on_state_close);
  open_pair();
  break_off();
  run_until(&pair.client.closes, 1);
  enters(IPC_CHANNEL_RECONNECTING, UV_ECONNRESET);
  enters(IPC_CHANNEL_CLOSING, 0);
  assert_int_equal(accepted_count, 1);
  finish();
}

/* ---- Final errors ------------------------------------------------------- */

static int refuse(ipc_server_t* server, const ipc_peer_t* peer) {
  (void) server;
  (void) peer;
  return UV_EPERM;
}

/* The server comes back as one that the client has no business with. */
static void ends_for_good(int status) {
  enters(IPC_CHANNEL_DEAD, status);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, status);
  finish();
}

static void test_refused(void** state) {
  (void) state;
  lose_server();
  ipc_server_options_on_admit(&pair.server_options, refuse);
  pair_listen(&pair);
  ends_for_good(UV_EACCES);
}

static void test_wrong_direction(void** state) {
  (void) state;
  lose_server();
  ipc_server_options_set_access(&pair.server_options,
                                IPC_CHANNEL_ACCESS_INBOUND);
  pair_listen(&pair);
  ends_for_good(UV_EACCES);
}

static void test_message_too_large(void** state) {
  static uint8_t large[2000];

  (void) state;
  lose_server();
  assert_int_equal(side_send(&pair.client, large, sizeof(large)), 0);
  ipc_server_options_set_max_message_bytes(&pair.server_options, 1000);
  pair_listen(&pair);
  ends_for_good(UV_EMSGSIZE);
}

static void talk_rubbish(side_t* side) {
  assert_int_equal(side_send(side, "220 ready\r\n and more", 20), 0);
}

static void test_other_protocol(void** state) {
  (void) state;
  lose_server();
  accepted[1].on_open = talk_rubbish;
  pair_raw_server(&pair);
  pair_listen(&pair);
  ends_for_good(UV_EPROTO);
}

/* The first connection is made as without. */
static void test_first_connection(void** state) {
  (void) state;
  prepare();
  pair_connect(&pair);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_ENOENT);
  enters(IPC_CHANNEL_DEAD, UV_ENOENT);
  run_until(&pair.client.closes, 1);
  pair_listen(&pair);
  test_run_for(4 * FIRST_MS);
  assert_int_equal(accepted_count, 0);
  finish();
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_broken_connection),
      TEST(test_server_restarts),
      TEST(test_raw),
      TEST(test_killed_server),
      TEST(test_back_off),
      TEST(test_busy_is_not_final),
      TEST(test_sends_meanwhile),
      TEST(test_sends_across),
      TEST(test_partly_sent),
      TEST(test_partly_sent_and_cancelled),
      TEST(test_calls),
      TEST(test_calls_across),
      TEST(test_calls_after_the_end),
      TEST(test_old_request),
      TEST(test_late_reply),
      TEST(test_pending_receive),
      TEST(test_close_meanwhile),
      TEST(test_close_with_messages),
      TEST(test_close_in_vain),
      TEST(test_disconnect_meanwhile),
      TEST(test_disconnect),
      TEST(test_close_in_on_state),
      TEST(test_refused),
      TEST(test_wrong_direction),
      TEST(test_message_too_large),
      TEST(test_other_protocol),
      TEST(test_first_connection),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
