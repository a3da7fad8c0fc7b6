/* Taking clients one by one with ipc_server_accept, the waiting room for those
 * whose turn has not come, and instances that become free. */
#include "harness.h"

#include "pair.h"

#define MAX_SIDES 12
#define CROWD 6

static pair_t pair;
static side_t taken[MAX_SIDES]; /* the server's ends, in the order of asking */
static side_t clients[MAX_SIDES]; /* the clients' */
static int in_call;

/* A server without on_connection: its clients are asked for. */
static void prepare(void) {
  memset(taken, 0, sizeof(taken));
  memset(clients, 0, sizeof(clients));
  pair_init(&pair);
  ipc_server_options_on_connection(&pair.server_options, NULL);
}

static side_t* next_taken(pair_t* p) {
  int i = 0;

  (void) p;
  while (taken[i].opens > 0) i++;
  return &taken[i];
}

/* A server that is told: its clients surface in `taken`. */
static void prepare_pushed(void) {
  memset(taken, 0, sizeof(taken));
  memset(clients, 0, sizeof(clients));
  pair_init(&pair);
  pair.next_side = next_taken;
}

static void close_all(side_t* sides) {
  int i;

  for (i = 0; i < MAX_SIDES; i++) side_close(&sides[i]);
}

static void finish(void) {
  int i;

  close_all(clients);
  close_all(taken);
  pair_finish(&pair);
  for (i = 0; i < MAX_SIDES; i++) {
    assert_null(clients[i].channel);
    assert_null(taken[i].channel);
    side_free(&clients[i]);
    side_free(&taken[i]);
  }
}

static ipc_server_stats_t stats(void) {
  ipc_server_stats_t stats;

  assert_int_equal(ipc_server_stats(pair.server, &stats), 0);
  return stats;
}

static void wait_for_waiting(uint64_t count) {
  while (stats().waiting != count) test_turn();
}

static void wait_for_instances(uint64_t count) {
  while (stats().instances != count) test_turn();
}

/* The accepting side's `connects` counts the callbacks. */
static void on_accept(ipc_server_t* server,
                      void* arg,
                      int status,
                      ipc_channel_t* channel) {
  side_t* side = arg;

  assert_ptr_equal(server, pair.server);
  assert_int_equal(in_call, 0);
  assert_int_equal(status == 0, channel != NULL);
  side->pair = &pair;
  side->connects++;
  side->connect_status = status;
  side->ended_at = uv_hrtime();
  if (status != 0) return;
  side->channel = channel;
  side->opens++;
  ipc_channel_set_data(channel, side);
  if (side->on_open != NULL) side->on_open(side);
}

static ipc_op_t accept_into(side_t* side, int timeout_ms) {
  ipc_op_t before = ipc_server_last_op(pair.server);

  in_call++;
  side->opened_at = uv_hrtime();
  assert_int_equal(ipc_server_accept(pair.server, timeout_ms, on_accept, side),
                   0);
  in_call--;
  assert_int_not_equal(ipc_server_last_op(pair.server), before);
  return ipc_server_last_op(pair.server);
}

static int cancel(ipc_op_t op) {
  int err;

  in_call++;
  err = ipc_server_cancel(pair.server, op);
  in_call--;
  return err;
}

/* Accepts until it has ended so. */
static void take(side_t* side, int timeout_ms, int status) {
  accept_into(side, timeout_ms);
  run_until(&side->connects, side->connects + 1);
  assert_int_equal(side->connect_status, status);
}

/* From the first accept on, clients are asked for. */
static void begin_to_accept(void) {
  side_t nobody = {0};

  take(&nobody, 0, UV_ETIMEDOUT);
}

/* Clients that wait, each there before the next comes. */
static void connect_waiting(int count) {
  uint64_t waiting = stats().waiting;
  int i;

  for (i = 0; i < count; i++) {
    pair_connect_side(&pair, &clients[i]);
    wait_for_waiting(waiting + (uint64_t) i + 1);
    assert_int_equal(stats().waiting, waiting + (uint64_t) i + 1);
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

/* ---- Accepting ---------------------------------------------------------- */

static void test_accept(void** state) {
  (void) state;
  prepare();
  pair_listen(&pair);
  assert_int_equal(ipc_server_last_op(pair.server), 0);
  taken[0].echoes = 1;
  accept_into(&taken[0], IPC_CHANNEL_INFINITE);
  pair_connect_side(&pair, &clients[0]);
  clients[0].keeps_log = 1;
  assert_int_equal(side_send(&clients[0], "hello", 5), 0);
  run_until(&clients[0].messages, 1);
  assert_memory_equal(clients[0].log, "hello", 5);
  assert_int_equal(taken[0].connects, 1);
  assert_ptr_equal(ipc_channel_server(taken[0].channel), pair.server);
  assert_int_equal(stats().accepted, 1);
  finish();
  assert_int_equal(clients[0].result.status, 0);
}

/* One that a client has come for already, and one that it has not. */
static void test_accept_before_and_after(void** state) {
  int i;

  (void) state;
  prepare();
  pair_listen(&pair);
  begin_to_accept();
  for (i = 0; i < 4; i++) taken[i].keeps_log = 1;
  connect_waiting(2);
  assert_int_equal(clients[0].connects, 0);
  assert_int_equal(clients[1].connects, 0);
  for (i = 0; i < 4; i++) accept_into(&taken[i], IPC_CHANNEL_INFINITE);
  run_until(&taken[1].connects, 1);
  assert_int_equal(taken[2].connects, 0);
  for (i = 2; i < 4; i++) {
    pair_connect_side(&pair, &clients[i]);
    run_until(&taken[i].connects, 1);
  }
  /* The oldest accept gets the first client. */
  for (i = 0; i < 4; i++) say_number(i);
  for (i = 0; i < 4; i++) hears_number(&taken[i], i);
  assert_int_equal(stats().waiting, 0);
  finish();
}

static void test_raw_accept(void** state) {
  int i;

  (void) state;
  prepare();
  pair_raw(&pair);
  pair_listen(&pair);
  begin_to_accept();
  /* A raw client is connected from the first, and may speak. */
  for (i = 0; i < 2; i++) {
    pair_connect_side(&pair, &clients[i]);
    say_number(i);
    wait_for_waiting((uint64_t) i + 1);
  }
  for (i = 0; i < 2; i++) {
    taken[i].keeps_log = 1;
    take(&taken[i], 0, 0);
    hears_number(&taken[i], i);
  }
  finish();
}

static int left_behind;

static void take_at_once(side_t* side) {
  const void* data;
  size_t size;

  assert_int_equal(ipc_channel_try_recv(side->channel, &data, &size), 0);
  assert_int_equal(size, 4);
  assert_memory_equal(data, "left", 4);
  assert_int_equal(ipc_channel_try_recv(side->channel, &data, &size), UV_EOF);
  left_behind++;
}

/* A client that has left already is not at its end before its bytes are. */
static void test_raw_accept_of_one_gone(void** state) {
  (void) state;
  left_behind = 0;
  prepare();
  pair_raw(&pair);
  ipc_server_options_on_message(&pair.server_options, NULL);
  pair_listen(&pair);
  begin_to_accept();
  pair_connect_side(&pair, &clients[0]);
  assert_int_equal(side_send(&clients[0], "left", 4), 0);
  wait_for_waiting(1);
  side_close(&clients[0]);
  run_until(&clients[0].closes, 1);
  test_run_for(20);
  taken[0].stays = 1;
  taken[0].on_open = take_at_once;
  take(&taken[0], 0, 0);
  assert_int_equal(left_behind, 1);
  finish();
}

static void test_deadline(void** state) {
  (void) state;
  prepare();
  pair_listen(&pair);
  take(&taken[0], 100, UV_ETIMEDOUT);
  assert_true(elapsed_ms(taken[0].opened_at) >= 100);
  /* The next client is not lost by it. */
  connect_waiting(1);
  take(&taken[0], 0, 0);
  run_until(&clients[0].opens, 1);
  take(&taken[1], 0, UV_ETIMEDOUT);
  take(&taken[1], 1, UV_ETIMEDOUT);
  finish();
}

/* Of several, the one with the earliest deadline ends first. */
static void test_deadlines(void** state) {
  (void) state;
  prepare();
  pair_listen(&pair);
  accept_into(&taken[0], 150);
  accept_into(&taken[1], 50);
  accept_into(&taken[2], IPC_CHANNEL_INFINITE);
  run_until(&taken[0].connects, 1);
  assert_int_equal(taken[1].connect_status, UV_ETIMEDOUT);
  assert_true(taken[1].ended_at < taken[0].ended_at);
  assert_int_equal(taken[2].connects, 0);
  pair_connect_side(&pair, &clients[0]);
  run_until(&taken[2].opens, 1);
  finish();
}

static void test_cancel(void** state) {
  ipc_op_t first;
  ipc_op_t second;

  (void) state;
  prepare();
  pair_listen(&pair);
  first = accept_into(&taken[0], IPC_CHANNEL_INFINITE);
  second = accept_into(&taken[1], IPC_CHANNEL_INFINITE);
  assert_int_equal(cancel(first), 0);
  assert_int_equal(cancel(first), UV_ENOENT);
  run_until(&taken[0].connects, 1);
  assert_int_equal(taken[0].connect_status, UV_ECANCELED);
  pair_connect_side(&pair, &clients[0]);
  run_until(&taken[1].opens, 1);
  assert_int_equal(cancel(second), UV_ENOENT);
  assert_int_equal(cancel(0), UV_ENOENT);
  assert_int_equal(cancel(second + 1000), UV_ENOENT);
  assert_int_equal(ipc_server_cancel(NULL, second), UV_EINVAL);
  finish();
}

/* A cancel just where the client has come leaves it to the next accept. */
static void test_cancel_loses_nobody(void** state) {
  ipc_op_t op;
  int i;

  (void) state;
  prepare();
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(3);
  for (i = 0; i < 3; i++) {
    op = accept_into(&taken[i], IPC_CHANNEL_INFINITE);
    assert_int_equal(cancel(op), 0);
    run_until(&taken[i].connects, 1);
    assert_int_equal(taken[i].connect_status, UV_ECANCELED);
    assert_int_equal(stats().waiting, 3 - i);
    take(&taken[i], 0, 0);
    run_until(&clients[i].opens, 1);
  }
  finish();
}

static void cancel_next(side_t* side) {
  (void) side;
  assert_int_equal(cancel(ipc_server_last_op(pair.server)), 0);
}

/* From the callback of the accept before. */
static void test_cancel_in_callback(void** state) {
  (void) state;
  prepare();
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(2);
  taken[0].on_open = cancel_next;
  accept_into(&taken[0], IPC_CHANNEL_INFINITE);
  accept_into(&taken[1], IPC_CHANNEL_INFINITE);
  run_until(&taken[0].opens, 1);
  run_until(&taken[1].connects, 1);
  assert_int_equal(taken[1].connect_status, UV_ECANCELED);
  take(&taken[1], 0, 0);
  finish();
}

static void test_refused_calls(void** state) {
  ipc_server_t* server;

  (void) state;
  prepare_pushed();
  pair_listen(&pair);
  server = pair.server;
  assert_int_equal(ipc_server_accept(server, 0, on_accept, NULL), UV_EINVAL);
  finish();

  prepare();
  pair_listen(&pair);
  server = pair.server;
  assert_int_equal(ipc_server_accept(NULL, 0, on_accept, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_accept(server, 0, NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_accept(server, -2, on_accept, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_last_op(server), 0);
  assert_int_equal(ipc_server_last_op(NULL), 0);
  pair_close_server(&pair);
  assert_int_equal(ipc_server_accept(server, 0, on_accept, NULL), UV_EPIPE);
  finish();
}

static void on_accept_closed(ipc_server_t* server,
                             void* arg,
                             int status,
                             ipc_channel_t* channel) {
  (void) server;
  assert_int_equal(status, UV_ECANCELED);
  assert_null(channel);
  assert_int_equal(pair.server_closes, 0);
  assert_int_equal(in_call, 0);
  ++*(int*) arg;
}

static void test_close_ends_accepts(void** state) {
  int ended = 0;
  int i;

  (void) state;
  prepare();
  pair_listen(&pair);
  for (i = 0; i < 3; i++) {
    assert_int_equal(ipc_server_accept(pair.server, i == 0 ? 1000 : -1,
                                       on_accept_closed, &ended),
                     0);
  }
  in_call++;
  pair_close_server(&pair);
  in_call--;
  run_until(&ended, 3);
  finish();
}

static void pause_at_once(side_t* side) {
  assert_int_equal(ipc_channel_pause(side->channel), 0);
}

/* At once, though a channel that the server owns takes its time to close. */
static void test_close_ends_accepts_at_once(void** state) {
  int ended = 0;

  (void) state;
  prepare();
  ipc_server_options_on_end(&pair.server_options, NULL);
  ipc_server_options_on_close(&pair.server_options, NULL);
  pair_listen(&pair);
  clients[0].on_open = pause_at_once;
  clients[0].stays = 1;
  pair_connect_side(&pair, &clients[0]);
  run_until(&clients[0].opens, 1);
  assert_int_equal(ipc_server_accept(pair.server, -1, on_accept_closed, &ended),
                   0);
  in_call++;
  pair_close_server(&pair);
  in_call--;
  test_turn();
  test_turn();
  assert_int_equal(ended, 1);
  assert_int_equal(pair.server_closes, 0);
  assert_int_equal(ipc_channel_resume(clients[0].channel), 0);
  run_until(&pair.server_closes, 1);
  finish();
}

/* Those that wait when the server closes are left alone. */
static void test_close_with_waiting(void** state) {
  (void) state;
  prepare();
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(2);
  pair_close_server(&pair);
  run_until(&clients[0].connects, 1);
  run_until(&clients[1].connects, 1);
  assert_int_equal(clients[0].connect_status, UV_ECONNREFUSED);
  assert_int_equal(clients[1].connect_status, UV_ECONNREFUSED);
  finish();
}

/* ---- One at a time ------------------------------------------------------ */

static int serving;
static int served;

static void serve_next(void);

static void answer(side_t* side, const void* data, size_t size) {
  assert_int_equal(size, 1);
  assert_int_equal(*(const uint8_t*) data, served);
  assert_int_equal(side_send(side, data, size), 0);
}

static void served_one(side_t* side) {
  (void) side;
  serving--;
  if (++served < CROWD) serve_next();
}

static void serve(side_t* side) {
  (void) side;
  assert_int_equal(++serving, 1);
}

static void serve_next(void) {
  side_t* side = &taken[served];

  side->on_open = serve;
  side->on_message = answer;
  side->on_close = served_one;
  accept_into(side, IPC_CHANNEL_INFINITE);
}

static void close_after_answer(side_t* side, const void* data, size_t size) {
  (void) data;
  (void) size;
  side_close(side);
}

/* Accept, serve, close, accept: the whole of a server that serves its clients
 * in the order in which they came. */
static void test_one_at_a_time(void** state) {
  int i;

  (void) state;
  prepare();
  serving = served = 0;
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(CROWD);
  for (i = 0; i < CROWD; i++) {
    clients[i].on_message = close_after_answer;
    say_number(i);
  }
  serve_next();
  run_until(&served, CROWD);
  for (i = 0; i < CROWD; i++) run_until(&clients[i].closes, 1);
  for (i = 0; i < CROWD; i++) assert_int_equal(clients[i].result.status, 0);
  finish();
}

static void drop(side_t* side, const void* data, size_t size) {
  assert_int_equal(size, 1);
  assert_int_equal(*(const uint8_t*) data, served);
  assert_int_equal(ipc_channel_disconnect(side->channel), 0);
  side_close(side);
}

static void serve_and_drop(void) {
  side_t* side = &taken[served];

  serve_next();
  side->on_message = drop;
}

static void dropped_one(side_t* side) {
  (void) side;
  serving--;
  if (++served < CROWD) {
    serve_and_drop();
    taken[served].on_close = dropped_one;
  }
}

/* A disconnect lets go of one peer and makes room for the next. */
static void test_disconnect_and_next(void** state) {
  int i;

  (void) state;
  prepare();
  serving = served = 0;
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(CROWD);
  for (i = 0; i < CROWD; i++) say_number(i);
  serve_and_drop();
  taken[0].on_close = dropped_one;
  run_until(&served, CROWD);
  for (i = 0; i < CROWD; i++) run_until(&clients[i].ends, 1);
  for (i = 0; i < CROWD; i++) {
    assert_int_equal(clients[i].end_status, UV_ECONNRESET);
  }
  finish();
}

/* ---- Instances ---------------------------------------------------------- */

/* With one instance, a second accept waits for it as well as for a client. */
static void test_accept_with_one_instance(void** state) {
  (void) state;
  prepare();
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  pair_listen(&pair);
  accept_into(&taken[0], IPC_CHANNEL_INFINITE);
  accept_into(&taken[1], IPC_CHANNEL_INFINITE);
  pair_connect_side(&pair, &clients[0]);
  run_until(&taken[0].opens, 1);
  pair_connect_side(&pair, &clients[1]);
  wait_for_waiting(1);
  test_run_for(50);
  assert_int_equal(taken[1].connects, 0);
  assert_int_equal(clients[1].connects, 0);
  side_close(&clients[0]);
  run_until(&taken[1].opens, 1);
  run_until(&clients[1].opens, 1);
  assert_int_equal(stats().instances, 1);
  finish();
}

static void none_before(side_t* side) {
  (void) side;
  assert_int_equal(taken[1].opens, 0);
}

/* A channel that was disconnected is no instance any more; one whose peer has
 * left is, until it is closed. */
static void run_freed(int by_peer, int is_raw) {
  prepare_pushed();
  if (is_raw) pair_raw(&pair);
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  ipc_server_options_set_waiting_instances(&pair.server_options, 1);
  pair_listen(&pair);
  taken[0].stays = 1;
  pair_connect_side(&pair, &clients[0]);
  run_until(&taken[0].opens, 1);
  pair_connect_side(&pair, &clients[1]);
  wait_for_waiting(1);
  assert_int_equal(stats().instances, 1);
  if (by_peer) {
    assert_int_equal(ipc_channel_disconnect(clients[0].channel), 0);
    run_until(&taken[0].ends, 1);
    test_run_for(50);
    assert_int_equal(taken[1].opens, 0);
    taken[0].on_close = none_before;
    side_close(&taken[0]);
  } else {
    assert_int_equal(ipc_channel_disconnect(taken[0].channel), 0);
  }
  run_until(&taken[1].opens, 1);
  run_until(&clients[1].opens, 1);
  if (!by_peer) assert_int_equal(taken[0].closes, 0);
  assert_int_equal(stats().instances, 1);
  assert_int_equal(stats().waiting, 0);
  finish();
}

static void test_disconnect_frees(void** state) {
  (void) state;
  run_freed(0, 0);
}

static void test_disconnect_frees_raw(void** state) {
  (void) state;
  run_freed(0, 1);
}

static void test_close_frees(void** state) {
  (void) state;
  run_freed(1, 0);
}

static void test_close_frees_raw(void** state) {
  (void) state;
  run_freed(1, 1);
}

static int held, most_held, left_to_come;

static void take_another(ipc_server_t* server, ipc_channel_t* channel) {
  (void) server;
  (void) channel;
  held++;
  if (held > most_held) most_held = held;
}

static void close_at_end(ipc_channel_t* channel, int status) {
  (void) status;
  ipc_channel_close(channel);
}

static void give_one_back(ipc_channel_t* channel,
                          const ipc_close_result_t* result) {
  (void) channel;
  (void) result;
  held--;
}

static void close_when_connected(ipc_channel_t* channel, int status) {
  assert_int_equal(status, 0);
  ipc_channel_close(channel);
}

static void come_again(ipc_channel_t* channel,
                       const ipc_close_result_t* result) {
  ipc_channel_t* next;

  (void) channel;
  (void) result;
  if (--left_to_come < 0) return;
  assert_int_equal(
      ipc_client_connect(test_loop(), &pair.client_options, NULL, &next), 0);
}

/* Who has a place for each instance never needs one more, however fast they
 * come and go. */
static void run_churn(int is_raw, unsigned int places) {
  ipc_channel_t* channel;
  ipc_server_t* server;
  int i;

  prepare_pushed();
  if (is_raw) pair_raw(&pair);
  held = most_held = 0;
  left_to_come = 100;
  ipc_server_options_set_max_instances(&pair.server_options, 2);
  ipc_server_options_set_waiting_instances(&pair.server_options, places);
  ipc_server_options_on_connection(&pair.server_options, take_another);
  ipc_server_options_on_end(&pair.server_options, close_at_end);
  ipc_server_options_on_close(&pair.server_options, give_one_back);
  ipc_client_options_set_wait_for_instance(&pair.client_options, 1);
  ipc_client_options_on_connect(&pair.client_options, close_when_connected);
  ipc_client_options_on_end(&pair.client_options, NULL);
  ipc_client_options_on_close(&pair.client_options, come_again);
  assert_int_equal(
      ipc_server_listen(test_loop(), &pair.server_options, NULL, &server), 0);
  for (i = 0; i < 6; i++) {
    assert_int_equal(
        ipc_client_connect(test_loop(), &pair.client_options, NULL, &channel),
        0);
  }
  while (left_to_come > -6 || held > 0) test_turn();
  assert_int_equal(most_held, 2);
  assert_int_equal(ipc_server_close(server, NULL), 0);
  test_run();
}

static void test_never_more_than_instances(void** state) {
  (void) state;
  run_churn(0, 0);
  run_churn(0, 3);
  run_churn(1, 0);
}

/* ---- The waiting room --------------------------------------------------- */

/* One instance, so many places to wait; whoever comes then is told "busy". */
static void run_waiting(unsigned int places, int accepts) {
  int last = (int) places + 1;
  int i;

  if (accepts) {
    prepare();
  } else {
    prepare_pushed();
  }
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  ipc_server_options_set_waiting_instances(&pair.server_options, places);
  ipc_client_options_set_wait_for_instance(&pair.client_options, 0);
  pair_listen(&pair);
  for (i = 0; i < last; i++) taken[i].keeps_log = 1;
  if (accepts) accept_into(&taken[0], IPC_CHANNEL_INFINITE);
  pair_connect_side(&pair, &clients[0]);
  run_until(&taken[0].opens, 1);
  for (i = 1; i < last; i++) {
    pair_connect_side(&pair, &clients[i]);
    wait_for_waiting((uint64_t) i);
  }
  pair_connect_side(&pair, &clients[last]);
  run_until(&clients[last].connects, 1);
  assert_int_equal(clients[last].connect_status, UV_EBUSY);
  assert_int_equal(stats().refused_busy, 1);
  assert_int_equal(stats().waiting, places);

  /* The others in the order in which they came. */
  for (i = 1; i < last; i++) {
    assert_int_equal(clients[i].connects, 0);
    say_number(i);
  }
  for (i = 1; i < last; i++) {
    if (accepts) accept_into(&taken[i], IPC_CHANNEL_INFINITE);
    side_close(&clients[i - 1]);
    run_until(&taken[i].opens, 1);
    hears_number(&taken[i], i);
    assert_int_equal(clients[i].connect_status, 0);
  }
  finish();
}

static void test_no_places(void** state) {
  (void) state;
  run_waiting(0, 0);
  run_waiting(0, 1);
}

static void test_one_place(void** state) {
  (void) state;
  run_waiting(1, 0);
  run_waiting(1, 1);
}

static void test_some_places(void** state) {
  (void) state;
  run_waiting(5, 0);
  run_waiting(5, 1);
}

/* Nobody waits for an instance, but all wait to be asked for. */
static void test_no_limit_of_instances(void** state) {
  (void) state;
  prepare();
  ipc_server_options_set_waiting_instances(&pair.server_options, 2);
  ipc_client_options_set_wait_for_instance(&pair.client_options, 0);
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(2);
  pair_connect_side(&pair, &clients[2]);
  run_until(&clients[2].connects, 1);
  assert_int_equal(clients[2].connect_status, UV_EBUSY);
  take(&taken[0], 0, 0);
  pair_connect_side(&pair, &clients[3]);
  wait_for_waiting(2);
  finish();
}

/* Raw clients can't be told: beyond the places they wait in the system. */
static void test_waiting_raw(void** state) {
  int i;

  (void) state;
  prepare_pushed();
  pair_raw(&pair);
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  ipc_server_options_set_waiting_instances(&pair.server_options, 1);
  pair_listen(&pair);
  for (i = 0; i < 4; i++) taken[i].keeps_log = 1;
  pair_connect_side(&pair, &clients[0]);
  run_until(&taken[0].opens, 1);
  pair_connect_side(&pair, &clients[1]);
  wait_for_waiting(1);
  pair_connect_side(&pair, &clients[2]);
  test_run_for(50);
  assert_int_equal(stats().waiting, 1);
  assert_int_equal(stats().refused_busy, 0);
  for (i = 0; i < 3; i++) say_number(i);
  for (i = 0; i < 3; i++) {
    hears_number(&taken[i], i);
    assert_int_equal(taken[i + 1].opens, 0);
    side_close(&clients[i]);
    run_until(&taken[i].closes, 1);
  }
  finish();
}

/* Who leaves while it waits gives up its place, and who waited behind it comes
 * before whoever comes now. */
static void run_leaving(int is_raw) {
  int i;

  prepare();
  if (is_raw) pair_raw(&pair);
  ipc_server_options_set_waiting_instances(&pair.server_options, 3);
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(3);
  for (i = 0; i < 4; i++) taken[i].keeps_log = 1;
  if (is_raw) {
    assert_int_equal(ipc_channel_disconnect(clients[1].channel), 0);
  } else {
    side_close(&clients[1]);
  }
  wait_for_waiting(2);
  pair_connect_side(&pair, &clients[3]);
  wait_for_waiting(3);
  say_number(0), say_number(2), say_number(3);
  take(&taken[0], 0, 0);
  take(&taken[1], 0, 0);
  take(&taken[2], 0, 0);
  take(&taken[3], 0, UV_ETIMEDOUT);
  hears_number(&taken[0], 0);
  hears_number(&taken[1], 2);
  hears_number(&taken[2], 3);
  finish();
}

static void test_leaving(void** state) {
  (void) state;
  run_leaving(0);
}

static void test_leaving_raw(void** state) {
  (void) state;
  run_leaving(1);
}

/* Waiting is part of connecting, and has its deadline. */
static void test_waiting_has_a_deadline(void** state) {
  ipc_channel_info_t info;

  (void) state;
  prepare();
  pair_listen(&pair);
  begin_to_accept();
  ipc_client_options_set_connect_timeout(&pair.client_options, 200);
  clients[0].stays = 1;
  clients[0].opened_at = uv_hrtime();
  connect_waiting(1);
  run_until(&clients[0].connects, 1);
  assert_int_equal(clients[0].connect_status, UV_ETIMEDOUT);
  assert_true(elapsed_ms(clients[0].opened_at) >= 200);
  assert_int_equal(ipc_channel_info(clients[0].channel, &info), 0);
  assert_int_equal(info.last_attempt, 0);
  wait_for_waiting(0);
  take(&taken[0], 0, UV_ETIMEDOUT);
  finish();
}

/* The handshake timeout is for clients that keep silent, not for those that
 * are kept waiting. */
static void test_handshake_timeout(void** state) {
  (void) state;
  prepare();
  ipc_server_options_set_handshake_timeout(&pair.server_options, 100);
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(1);
  /* Says nothing. */
  pair_raw_client(&pair);
  pair_connect_side(&pair, &clients[1]);
  run_until(&clients[1].ends, 1);
  assert_int_equal(stats().handshake_errors, 1);
  test_run_for(300);
  assert_int_equal(stats().waiting, 1);
  assert_int_equal(clients[0].connects, 0);
  take(&taken[0], 0, 0);
  run_until(&clients[0].opens, 1);
  finish();
}

/* What was sent meanwhile arrives, once and in order. */
static void test_early_messages(void** state) {
  static uint8_t large[100000];
  int i;

  (void) state;
  prepare();
  pair_listen(&pair);
  begin_to_accept();
  connect_waiting(1);
  for (i = 0; i < 3; i++) say_number(0);
  pattern_fill(large, sizeof(large), 1);
  assert_int_equal(side_send(&clients[0], large, sizeof(large)), 0);
  assert_int_equal(ipc_channel_end(clients[0].channel), 0);
  taken[0].keeps_log = 1;
  take(&taken[0], 0, 0);
  run_until(&taken[0].ends, 1);
  assert_int_equal(taken[0].end_status, 0);
  assert_int_equal(taken[0].messages, 4);
  pattern_check(taken[0].log + 3, sizeof(large), 1);
  run_until(&clients[0].ends, 1);
  finish();
  assert_int_equal(clients[0].result.status, 0);
}

/* ---- Info --------------------------------------------------------------- */

static void test_info(void** state) {
  ipc_server_info_t info;
  ipc_channel_info_t channel_info;
  int pulls;

  (void) state;
  for (pulls = 0; pulls < 2; pulls++) {
    if (pulls) {
      prepare();
    } else {
      prepare_pushed();
    }
    pair_listen(&pair);
    if (pulls) begin_to_accept();
    assert_int_equal(ipc_server_info(pair.server, &info), 0);
    assert_int_equal(info.waiting_instances, pulls ? 128 : 0);
    assert_int_equal(info.max_instances, 0);
    assert_int_equal(info.access, IPC_CHANNEL_ACCESS_DUPLEX);
    finish();
  }
  prepare();
  ipc_server_options_set_max_instances(&pair.server_options, 3);
  ipc_server_options_set_waiting_instances(&pair.server_options, 7);
  ipc_server_options_set_pending_instances(&pair.server_options, 9);
  pair_listen(&pair);
  assert_int_equal(ipc_server_info(pair.server, &info), 0);
  assert_int_equal(info.max_instances, 3);
  assert_int_equal(info.waiting_instances, 7);
  assert_int_equal(info.pending_instances, 9);
  assert_int_equal(info.framing, IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(info.transport, test_is_windows()
                                       ? IPC_CHANNEL_TRANSPORT_NAMED_PIPE
                                       : IPC_CHANNEL_TRANSPORT_UNIX_SOCKET);
  accept_into(&taken[0], IPC_CHANNEL_INFINITE);
  pair_connect_side(&pair, &clients[0]);
  run_until(&taken[0].opens, 1);
  assert_int_equal(ipc_channel_info(taken[0].channel, &channel_info), 0);
  assert_int_equal(channel_info.max_instances, 3);
  assert_int_equal(channel_info.state, IPC_CHANNEL_CONNECTED);
  assert_true(channel_info.is_server);
  assert_int_equal(stats().instances, 1);
  side_close(&clients[0]);
  wait_for_instances(0);
  finish();
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_accept),
      TEST(test_accept_before_and_after),
      TEST(test_raw_accept),
      TEST(test_raw_accept_of_one_gone),
      TEST(test_deadline),
      TEST(test_deadlines),
      TEST(test_cancel),
      TEST(test_cancel_loses_nobody),
      TEST(test_cancel_in_callback),
      TEST(test_refused_calls),
      TEST(test_close_ends_accepts_at_once),
      TEST(test_close_ends_accepts),
      TEST(test_close_with_waiting),
      TEST(test_one_at_a_time),
      TEST(test_disconnect_and_next),
      TEST(test_accept_with_one_instance),
      TEST(test_disconnect_frees),
      TEST(test_disconnect_frees_raw),
      TEST(test_close_frees),
      TEST(test_close_frees_raw),
      TEST(test_never_more_than_instances),
      TEST(test_no_places),
      TEST(test_one_place),
      TEST(test_some_places),
      TEST(test_no_limit_of_instances),
      TEST(test_waiting_raw),
      TEST(test_leaving),
      TEST(test_leaving_raw),
      TEST(test_waiting_has_a_deadline),
      TEST(test_handshake_timeout),
      TEST(test_early_messages),
      TEST(test_info),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
