/* A client and a server that is not there, not yet there, full, busy, hostile,
 * somebody else's or in another process; and giving up in every one of these.
 */
#include "harness.h"

#include <stdio.h>

/* What a give-up must come before. */
#define AT_ONCE_MS 1000

#define MAX_CLIENTS 4

typedef struct client_s {
  ipc_channel_t* channel;
  int connects;
  int status;
  int ends;
  int end_status;
  int closes;
  ipc_close_result_t result;
  int received;
  int sent;
  int send_status;
} client_t;

static char name[64];
static ipc_server_options_t server_options;
static ipc_client_options_t client_options;
static ipc_server_t* server;
static ipc_channel_t* accepted[MAX_CLIENTS]; /* in order; NULL: closed */
static int accepts;
static int accepted_closes;
static int server_closes;
static int received;      /* messages, by all accepted channels */
static uint64_t bytes_in; /* of them */
static client_t clients[MAX_CLIENTS];

/* ---- Helpers ------------------------------------------------------------ */

static client_t* client_of(ipc_channel_t* channel) {
  return ipc_channel_data(channel);
}

static void on_connect(ipc_channel_t* channel, int status) {
  client_t* client = client_of(channel);

  client->connects++;
  client->status = status;
}

static void on_client_message(ipc_channel_t* channel,
                              const void* data,
                              size_t size) {
  (void) data;
  (void) size;
  client_of(channel)->received++;
}

static void on_client_end(ipc_channel_t* channel, int status) {
  client_of(channel)->ends++;
  client_of(channel)->end_status = status;
}

static void on_client_close(ipc_channel_t* channel,
                            const ipc_close_result_t* result) {
  client_of(channel)->closes++;
  client_of(channel)->result = *result;
  client_of(channel)->channel = NULL;
}

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  (void) sent;
  assert_ptr_equal(arg, client_of(channel));
  client_of(channel)->sent++;
  client_of(channel)->send_status = status;
}

static void on_connection(ipc_server_t* s, ipc_channel_t* channel) {
  (void) s;
  assert_true(accepts < MAX_CLIENTS);
  accepted[accepts++] = channel;
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  (void) data;
  received++;
  bytes_in += size;
}

static void on_accepted_close(ipc_channel_t* channel,
                              const ipc_close_result_t* result) {
  int i;

  (void) result;
  accepted_closes++;
  for (i = 0; i < accepts; i++) {
    if (accepted[i] == channel) accepted[i] = NULL;
  }
}

static void on_server_close(ipc_server_t* s) {
  (void) s;
  server_closes++;
  server = NULL;
}

static void prepare(void) {
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  memset(clients, 0, sizeof(clients));
  memset(accepted, 0, sizeof(accepted));
  accepts = accepted_closes = server_closes = received = 0;
  bytes_in = 0;
  server = NULL;
  snprintf(name, sizeof(name), "%s", test_name());
  ipc_server_options_init(s, name);
  ipc_server_options_on_connection(s, on_connection);
  ipc_server_options_on_message(s, on_message);
  ipc_server_options_on_close(s, on_accepted_close);
  ipc_client_options_init(c, name);
  ipc_client_options_set_retry_interval(c, 1);
  ipc_client_options_on_connect(c, on_connect);
  ipc_client_options_on_message(c, on_client_message);
  ipc_client_options_on_end(c, on_client_end);
  ipc_client_options_on_close(c, on_client_close);
}

static void listen_now(void) {
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
}

static client_t* connect_one(int number) {
  client_t* client = &clients[number];

  client->status = 1;
  assert_int_equal(ipc_client_connect(test_loop(), &client_options, client,
                                      &client->channel),
                   0);
  /* No callback runs inside the call. */
  assert_int_equal(client->connects, 0);
  return client;
}

static int last_attempt(const client_t* client) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(client->channel, &info), 0);
  return info.last_attempt;
}

static uint64_t attempts(const client_t* client) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(client->channel, &stats), 0);
  return stats.connect_attempts;
}

static void run_until_attempts(const client_t* client, uint64_t count) {
  while (attempts(client) < count) test_turn();
}

/* While an attempt is under way the last one counts as taken. */
static void run_until_last_attempt(const client_t* client, int status) {
  while (last_attempt(client) != status) test_turn();
}

static void run_until_count(const int* count, int target) {
  while (*count < target) test_turn();
}

static ipc_server_stats_t server_stats(void) {
  ipc_server_stats_t stats;

  assert_int_equal(ipc_server_stats(server, &stats), 0);
  return stats;
}

/* Closes all that is open, and sees each off with one callback. */
static void finish(void) {
  int opened = 0;
  int i;

  for (i = 0; i < MAX_CLIENTS; i++) {
    if (clients[i].channel != NULL) ipc_channel_close(clients[i].channel);
    if (accepted[i] != NULL) ipc_channel_close(accepted[i]);
  }
  if (server != NULL) {
    assert_int_equal(ipc_server_close(server, on_server_close), 0);
    opened = 1;
  }
  test_run();
  for (i = 0; i < MAX_CLIENTS; i++) {
    assert_int_equal(clients[i].closes,
                     clients[i].status != 0 || clients[i].connects != 0);
  }
  assert_int_equal(accepted_closes, accepts);
  assert_int_equal(server_closes >= opened, 1);
}

/* What is asked must happen before this is over. */
static uv_timer_t limit;
static int limit_open;

static void on_limit(uv_timer_t* timer) {
  (void) timer;
  fail_msg("not within %d ms", AT_ONCE_MS);
}

static void on_limit_closed(uv_handle_t* handle) {
  (void) handle;
  limit_open = 0;
}

static void begin_limit(void) {
  uv_timer_init(test_loop(), &limit);
  uv_timer_start(&limit, on_limit, AT_ONCE_MS, 0);
  limit_open = 1;
}

static void end_limit(void) {
  uv_close((uv_handle_t*) &limit, on_limit_closed);
  while (limit_open) uv_run(test_loop(), UV_RUN_NOWAIT);
}

/* ---- A server that speaks bytes, of any kind ---------------------------- */

static uint8_t answer[256];
static size_t answer_size;
static int hangs_up;

static void on_raw_connection(ipc_server_t* s, ipc_channel_t* channel) {
  on_connection(s, channel);
  if (answer_size > 0) {
    assert_int_equal(
        ipc_channel_send_copy(channel, answer, answer_size, NULL, NULL), 0);
    assert_int_equal(ipc_channel_flush(channel), 0);
  }
  if (hangs_up) assert_int_equal(ipc_channel_disconnect(channel), 0);
}

static void listen_raw(void) {
  ipc_server_options_set_framing(&server_options, IPC_CHANNEL_FRAMING_RAW);
  ipc_server_options_on_connection(&server_options, on_raw_connection);
  listen_now();
}

static void prepare_raw(void) {
  prepare();
  answer_size = 0;
  hangs_up = 0;
  ipc_server_options_set_close_timeout(&server_options, 0);
}

/* ---- Absent ------------------------------------------------------------- */

/* No deadline could end this: it ends at once or never. */
static void test_absent(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_connect_timeout(&client_options, IPC_CHANNEL_INFINITE);
  client = connect_one(0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_ENOENT);
  assert_int_equal(last_attempt(client), UV_ENOENT);
  assert_int_equal(attempts(client), 1);
  assert_int_equal(client->closes, 0);
  finish();
  assert_int_equal(client->connects, 1);
  assert_int_equal(client->ends, 0);
  assert_int_equal(client->result.status, UV_ENOENT);
}

static void test_absent_raw(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_framing(&client_options, IPC_CHANNEL_FRAMING_RAW);
  client = connect_one(0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_ENOENT);
  finish();
}

/* on_end tells in the place of on_connect. */
static void test_absent_without_on_connect(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_on_connect(&client_options, NULL);
  client = connect_one(0);
  test_run_until(&client->ends);
  assert_int_equal(client->end_status, UV_ENOENT);
  finish();
  assert_int_equal(client->ends, 1);

  /* And with nobody to tell. */
  prepare();
  ipc_client_options_on_connect(&client_options, NULL);
  ipc_client_options_on_end(&client_options, NULL);
  client = connect_one(0);
  run_until_attempts(client, 1);
  finish();
}

static void test_server_that_appears(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  client = connect_one(0);
  run_until_attempts(client, 3);
  assert_int_equal(last_attempt(client), UV_ENOENT);
  assert_int_equal(client->connects, 0);
  listen_now();
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  assert_int_equal(last_attempt(client), 0);
  assert_true(attempts(client) > 3);
  finish();
  assert_int_equal(client->connects, 1);
  assert_int_equal(client->result.status, 0);
}

/* One that goes away meanwhile is waited for as well. */
static void test_server_that_restarts(void** state) {
  client_t* client;
  uint64_t before;

  (void) state;
  prepare();
  listen_now();
  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  test_run_until(&server_closes);
  ipc_client_options_set_wait_for_server(&client_options, 1);
  client = connect_one(0);
  before = attempts(client);
  run_until_attempts(client, before + 2);
  listen_now();
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  finish();
}

static void check_timeout(int ms, int wait) {
  client_t* client;
  uint64_t start;
  uint64_t took;

  prepare();
  ipc_client_options_set_connect_timeout(&client_options, ms);
  ipc_client_options_set_wait_for_server(&client_options, wait);
  start = uv_hrtime();
  client = connect_one(0);
  test_run_until(&client->connects);
  took = uv_hrtime() - start;
  assert_int_equal(client->status, UV_ETIMEDOUT);
  assert_int_equal(last_attempt(client), UV_ENOENT);
  if (took < (uint64_t) ms * 1000000) {
    fail_msg("%d ms were over after %u us", ms, (unsigned int) (took / 1000));
  }
  finish();
  assert_int_equal(client->connects, 1);
  assert_int_equal(client->result.status, UV_ETIMEDOUT);
}

/* Also on a loop whose clock is behind: it was last looked at long ago. */
static void test_timeout_is_never_early(void** state) {
  int ms;

  (void) state;
  for (ms = 1; ms <= 20; ms++) check_timeout(ms, 1);
  uv_update_time(test_loop());
  uv_sleep(30);
  check_timeout(25, 1);
}

static void test_timeout_counts_what_is_lost(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_connect_timeout(&client_options, 20);
  ipc_client_options_set_wait_for_server(&client_options, 1);
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "a", 1, on_sent, client), 0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "b", 1, on_sent, client), 0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_ETIMEDOUT);
  run_until_count(&client->sent, 2);
  assert_int_equal(client->send_status, UV_ETIMEDOUT);
  finish();
  assert_int_equal(client->sent, 2);
  assert_int_equal(client->result.unsent, 2);
  assert_int_equal(client->result.unconfirmed, 0);
}

/* ---- Giving up ---------------------------------------------------------- */

typedef enum give_up_e { CLOSE, DISCONNECT, GIVE_UPS } give_up_t;

/* A client that waits, however long its intervals are, gives up at once. */
static void check_give_up(client_t* client, give_up_t how) {
  begin_limit();
  assert_int_equal(how == CLOSE ? ipc_channel_close(client->channel)
                                : ipc_channel_disconnect(client->channel),
                   0);
  assert_int_equal(client->connects, 0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_ECANCELED);
  if (how == DISCONNECT) {
    /* Dead, and still ours to close. */
    uv_run(test_loop(), UV_RUN_NOWAIT);
    assert_int_equal(client->closes, 0);
    assert_int_equal(ipc_channel_send(client->channel, "x", 1, on_sent, client),
                     UV_EPIPE);
    assert_int_equal(ipc_channel_close(client->channel), 0);
  }
  test_run_until(&client->closes);
  end_limit();
  assert_int_equal(client->connects, 1);
  assert_int_equal(client->ends, 0);
  assert_int_equal(client->result.status, UV_ECANCELED);
  assert_int_equal(client->result.unsent, 0);
}

static void test_give_up_waiting(void** state) {
  int i;
  client_t* client;

  (void) state;
  for (i = 0; i < GIVE_UPS; i++) {
    prepare();
    ipc_client_options_set_wait_for_server(&client_options, 1);
    ipc_client_options_set_retry_interval(&client_options, 60000);
    ipc_client_options_set_connect_timeout(&client_options,
                                           IPC_CHANNEL_INFINITE);
    client = connect_one(0);
    run_until_attempts(client, 1);
    check_give_up(client, (give_up_t) i);
    finish();
  }
}

static void test_give_up_before_the_first_turn(void** state) {
  int i;
  client_t* client;

  (void) state;
  for (i = 0; i < GIVE_UPS; i++) {
    prepare();
    client = connect_one(0);
    check_give_up(client, (give_up_t) i);
    finish();

    /* Also where a server would have been. */
    prepare();
    listen_now();
    client = connect_one(0);
    check_give_up(client, (give_up_t) i);
    finish();
    assert_int_equal(accepts, 0);
  }
}

static void test_give_up_at_a_silent_server(void** state) {
  int i;
  client_t* client;

  (void) state;
  for (i = 0; i < GIVE_UPS; i++) {
    prepare_raw();
    listen_raw();
    ipc_client_options_set_connect_timeout(&client_options,
                                           IPC_CHANNEL_INFINITE);
    client = connect_one(0);
    test_run_until(&accepts);
    assert_int_equal(last_attempt(client), 0);
    check_give_up(client, (give_up_t) i);
    finish();
  }
}

static void test_give_up_at_a_full_server(void** state) {
  int i;
  client_t* client;

  (void) state;
  for (i = 0; i < GIVE_UPS; i++) {
    prepare();
    ipc_server_options_set_max_instances(&server_options, 1);
    listen_now();
    client = connect_one(0);
    test_run_until(&client->connects);
    assert_int_equal(client->status, 0);
    ipc_client_options_set_connect_timeout(&client_options,
                                           IPC_CHANNEL_INFINITE);
    client = connect_one(1);
    run_until_attempts(client, 3);
    run_until_last_attempt(client, UV_EBUSY);
    check_give_up(client, (give_up_t) i);
    finish();
    assert_int_equal(accepts, 1);
  }
}

/* What waits to be sent isn't given up, but it has only so long. */
static void test_close_while_waiting_with_messages(void** state) {
  client_t* client;
  uint64_t start;

  (void) state;
  prepare();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  ipc_client_options_set_connect_timeout(&client_options, IPC_CHANNEL_INFINITE);
  ipc_client_options_set_close_timeout(&client_options, 30);
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "x", 1, on_sent, client), 0);
  run_until_attempts(client, 2);
  start = uv_hrtime();
  assert_int_equal(ipc_channel_close(client->channel), 0);
  assert_int_equal(ipc_channel_close(client->channel), UV_EALREADY);
  assert_int_equal(ipc_channel_send_copy(client->channel, "y", 1, NULL, NULL),
                   UV_EPIPE);
  test_run_until(&client->closes);
  assert_true(uv_hrtime() - start >= 30 * 1000000);
  assert_int_equal(client->connects, 1);
  assert_int_equal(client->status, UV_ETIMEDOUT);
  assert_int_equal(client->sent, 1);
  assert_true(client->send_status < 0);
  assert_int_equal(client->result.status, UV_ETIMEDOUT);
  assert_int_equal(client->result.unsent, 1);
  finish();
}

/* The other deadline may be the earlier one. */
static void test_close_under_the_connect_timeout(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  ipc_client_options_set_connect_timeout(&client_options, 20);
  ipc_client_options_set_close_timeout(&client_options, IPC_CHANNEL_INFINITE);
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "x", 1, on_sent, client), 0);
  assert_int_equal(ipc_channel_close(client->channel), 0);
  test_run_until(&client->closes);
  assert_int_equal(client->status, UV_ETIMEDOUT);
  assert_int_equal(client->result.status, UV_ETIMEDOUT);
  assert_int_equal(client->result.unsent, 1);
  finish();
}

static void test_disconnect_cuts_that_short(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  ipc_client_options_set_connect_timeout(&client_options, IPC_CHANNEL_INFINITE);
  ipc_client_options_set_close_timeout(&client_options, IPC_CHANNEL_INFINITE);
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "x", 1, on_sent, client), 0);
  run_until_attempts(client, 2);
  assert_int_equal(ipc_channel_close(client->channel), 0);
  begin_limit();
  assert_int_equal(ipc_channel_disconnect(client->channel), 0);
  test_run_until(&client->closes);
  end_limit();
  assert_int_equal(client->connects, 1);
  assert_int_equal(client->status, UV_ECANCELED);
  assert_int_equal(client->sent, 1);
  assert_int_equal(client->send_status, UV_ECANCELED);
  assert_int_equal(client->result.status, UV_ECANCELED);
  assert_int_equal(client->result.unsent, 1);
  finish();
}

/* Nobody is told what he has done himself. */
static void test_give_up_without_on_connect(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  ipc_client_options_on_connect(&client_options, NULL);
  client = connect_one(0);
  run_until_attempts(client, 2);
  assert_int_equal(ipc_channel_close(client->channel), 0);
  test_run_until(&client->closes);
  assert_int_equal(client->ends, 0);
  finish();
}

/* ---- Full --------------------------------------------------------------- */

static void test_full_without_waiting(void** state) {
  client_t* first;
  client_t* second;

  (void) state;
  prepare();
  ipc_server_options_set_max_instances(&server_options, 1);
  ipc_client_options_set_wait_when_busy(&client_options, 0);
  listen_now();
  first = connect_one(0);
  test_run_until(&first->connects);
  assert_int_equal(first->status, 0);
  second = connect_one(1);
  test_run_until(&second->connects);
  assert_int_equal(second->status, UV_EBUSY);
  assert_int_equal(last_attempt(second), UV_EBUSY);
  assert_int_equal(attempts(second), 1);
  assert_int_equal(server_stats().refused_busy, 1);
  assert_int_equal(server_stats().accepted, 1);
  assert_int_equal(server_stats().instances, 1);
  /* The first has noticed nothing. */
  assert_int_equal(
      ipc_channel_send_copy(first->channel, "x", 1, on_sent, first), 0);
  test_run_until(&received);
  finish();
  assert_int_equal(accepts, 1);
  assert_int_equal(second->result.status, UV_EBUSY);
}

/* Waiting for a server that isn't there is another matter. */
static void test_full_is_not_absent(void** state) {
  client_t* second;

  (void) state;
  prepare();
  ipc_server_options_set_max_instances(&server_options, 1);
  ipc_client_options_set_wait_when_busy(&client_options, 0);
  ipc_client_options_set_wait_for_server(&client_options, 1);
  listen_now();
  test_run_until(&connect_one(0)->connects);
  second = connect_one(1);
  test_run_until(&second->connects);
  assert_int_equal(second->status, UV_EBUSY);
  finish();
}

static void test_full_until_one_leaves(void** state) {
  client_t* first;
  client_t* second;
  int i;

  (void) state;
  prepare();
  ipc_server_options_set_max_instances(&server_options, 1);
  listen_now();
  first = connect_one(0);
  test_run_until(&first->connects);
  second = connect_one(1);
  for (i = 0; i < 10; i++) {
    char byte = (char) i;

    assert_int_equal(
        ipc_channel_send_copy(second->channel, &byte, 1, on_sent, second), 0);
  }
  run_until_attempts(second, 3);
  assert_int_equal(second->connects, 0);
  assert_int_equal(server_stats().instances, 1);
  assert_true(server_stats().refused_busy >= 1);

  assert_int_equal(ipc_channel_close(first->channel), 0);
  assert_int_equal(ipc_channel_close(accepted[0]), 0);
  test_run_until(&second->connects);
  assert_int_equal(second->status, 0);
  assert_int_equal(last_attempt(second), 0);
  /* What was written to a server that refused was not delivered twice. */
  run_until_count(&received, 10);
  run_until_count(&second->sent, 10);
  finish();
  assert_int_equal(received, 10);
  assert_int_equal(accepts, 2);
  assert_int_equal(second->result.status, 0);
  assert_int_equal(second->result.unconfirmed, 0);
}

static void test_full_until_the_timeout(void** state) {
  client_t* second;
  uint64_t start;

  (void) state;
  prepare();
  ipc_server_options_set_max_instances(&server_options, 1);
  listen_now();
  test_run_until(&connect_one(0)->connects);
  ipc_client_options_set_connect_timeout(&client_options, 50);
  start = uv_hrtime();
  second = connect_one(1);
  test_run_until(&second->connects);
  assert_int_equal(second->status, UV_ETIMEDOUT);
  /* An attempt under way counts as taken. */
  assert_true(last_attempt(second) == UV_EBUSY || last_attempt(second) == 0);
  assert_true(uv_hrtime() - start >= 50 * 1000000);
  finish();
}

/* Raw bytes can't say "busy": the second client waits, unanswered. */
static void test_full_raw(void** state) {
  client_t* first;
  client_t* second;

  (void) state;
  prepare();
  ipc_server_options_set_framing(&server_options, IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_set_framing(&client_options, IPC_CHANNEL_FRAMING_RAW);
  ipc_server_options_set_max_instances(&server_options, 1);
  listen_now();
  first = connect_one(0);
  test_run_until(&first->connects);
  test_run_until(&accepts);
  second = connect_one(1);
  test_run_until(&second->connects);
  assert_int_equal(second->status, 0);
  assert_int_equal(
      ipc_channel_send_copy(second->channel, "x", 1, on_sent, second), 0);
  test_run_for(30);
  assert_int_equal(accepts, 1);
  assert_int_equal(received, 0);
  assert_int_equal(second->ends, 0);
  assert_int_equal(server_stats().refused_busy, 0);

  assert_int_equal(ipc_channel_close(first->channel), 0);
  assert_int_equal(ipc_channel_close(accepted[0]), 0);
  run_until_count(&accepts, 2);
  test_run_until(&received);
  finish();
}

/* ---- A server whose loop stands still ----------------------------------- */

static uv_loop_t still;

static void listen_still(void) {
  assert_int_equal(uv_loop_init(&still), 0);
  ipc_server_options_set_pending_instances(&server_options, 1);
  assert_int_equal(ipc_server_listen(&still, &server_options, NULL, &server),
                   0);
}

static void run_both_until(const int* count, int target) {
  while (*count < target) {
    uv_run(&still, UV_RUN_NOWAIT);
    uv_run(test_loop(), UV_RUN_NOWAIT);
  }
}

static void finish_still(void) {
  int i;

  for (i = 0; i < MAX_CLIENTS; i++) {
    if (clients[i].channel != NULL) ipc_channel_close(clients[i].channel);
    if (accepted[i] != NULL) ipc_channel_close(accepted[i]);
  }
  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  while (uv_loop_alive(&still) || uv_loop_alive(test_loop())) {
    uv_run(&still, UV_RUN_NOWAIT);
    uv_run(test_loop(), UV_RUN_NOWAIT);
  }
  assert_int_equal(uv_loop_close(&still), 0);
  finish();
  assert_int_equal(server_closes, 1);
}

static void test_full_backlog_without_waiting(void** state) {
  client_t* first;
  client_t* second;

  (void) state;
  prepare();
  ipc_client_options_set_wait_when_busy(&client_options, 0);
  listen_still();
  first = connect_one(0);
  run_until_attempts(first, 1);
  assert_int_equal(last_attempt(first), 0);
  second = connect_one(1);
  test_run_until(&second->connects);
  assert_int_equal(second->status, UV_EBUSY);
  assert_int_equal(first->connects, 0);
  run_both_until(&first->connects, 1);
  assert_int_equal(first->status, 0);
  finish_still();
}

static void test_full_backlog_until_it_runs(void** state) {
  int i;

  (void) state;
  prepare();
  listen_still();
  for (i = 0; i < 3; i++) {
    connect_one(i);
    assert_int_equal(
        ipc_channel_send_copy(clients[i].channel, "x", 1, on_sent, &clients[i]),
        0);
    /* The first takes the only place. */
    run_until_attempts(&clients[i], 1);
  }
  run_until_attempts(&clients[1], 3);
  run_until_attempts(&clients[2], 3);
  assert_int_equal(last_attempt(&clients[1]), UV_EBUSY);
  assert_int_equal(last_attempt(&clients[2]), UV_EBUSY);
  for (i = 0; i < 3; i++) assert_int_equal(clients[i].connects, 0);
  for (i = 0; i < 3; i++) {
    run_both_until(&clients[i].connects, 1);
    assert_int_equal(clients[i].status, 0);
  }
  run_both_until(&received, 3);
  finish_still();
  assert_int_equal(accepts, 3);
}

static void test_full_backlog_until_the_timeout(void** state) {
  client_t* first;
  client_t* second;

  (void) state;
  prepare();
  listen_still();
  first = connect_one(0);
  run_until_attempts(first, 1);
  ipc_client_options_set_connect_timeout(&client_options, 30);
  second = connect_one(1);
  test_run_until(&second->connects);
  assert_int_equal(second->status, UV_ETIMEDOUT);
  assert_int_equal(last_attempt(second), UV_EBUSY);
  run_both_until(&first->connects, 1);
  assert_int_equal(first->status, 0);
  finish_still();
}

static void test_probe_of_a_full_backlog(void** state) {
  ipc_name_state_t is;
  ipc_peer_t peer;

  (void) state;
  prepare();
  listen_still();
  run_until_attempts(connect_one(0), 1);
  assert_int_equal(ipc_name_probe(name, &is, &peer), 0);
  assert_int_equal(is, IPC_CHANNEL_NAME_BUSY);
  assert_int_equal(peer.pid, 0);
  assert_string_equal(peer.user, "");
  run_both_until(&clients[0].connects, 1);
  finish_still();
}

/* ---- Servers that misbehave --------------------------------------------- */

static void test_hangs_up_before_its_hello(void** state) {
  client_t* client;

  (void) state;
  prepare_raw();
  hangs_up = 1;
  listen_raw();
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "x", 1, on_sent, client), 0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_ECONNREFUSED);
  assert_int_equal(last_attempt(client), UV_ECONNREFUSED);
  run_until_count(&client->sent, 1);
  finish();
  assert_int_equal(client->ends, 0);
  assert_int_equal(client->result.status, UV_ECONNREFUSED);
  assert_int_equal(client->result.unsent, 1);
}

static void test_hangs_up_inside_its_hello(void** state) {
  client_t* client;
  size_t size;

  (void) state;
  for (size = 1; size < 16; size++) {
    prepare_raw();
    test_put_hello(answer, 0, 1000);
    answer_size = size;
    listen_raw();
    client = connect_one(0);
    test_run_until(&accepts);
    /* Closes gracefully, so that the bytes arrive. */
    assert_int_equal(ipc_channel_close(accepted[0]), 0);
    test_run_until(&client->connects);
    assert_int_equal(client->status, UV_ECONNREFUSED);
    finish();
  }
}

static void test_never_says_hello(void** state) {
  client_t* client;
  uint64_t start;

  (void) state;
  prepare_raw();
  listen_raw();
  ipc_client_options_set_connect_timeout(&client_options, 50);
  start = uv_hrtime();
  client = connect_one(0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_ETIMEDOUT);
  assert_true(uv_hrtime() - start >= 50 * 1000000);
  /* The server has taken the connection. */
  assert_int_equal(last_attempt(client), 0);
  assert_int_equal(accepts, 1);
  finish();
}

/* A byte now and then is no hello. */
static void test_half_a_hello(void** state) {
  client_t* client;

  (void) state;
  prepare_raw();
  test_put_hello(answer, 0, 1000);
  answer_size = 15;
  listen_raw();
  ipc_client_options_set_connect_timeout(&client_options, 30);
  client = connect_one(0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_ETIMEDOUT);
  finish();
}

static void check_answer(int expected) {
  client_t* client;

  ipc_client_options_set_wait_when_busy(&client_options, 0);
  listen_raw();
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "12345", 5, on_sent, client), 0);
  test_run_until(&client->connects);
  if (client->status != expected) fail_msg("status %d", client->status);
  run_until_count(&client->sent, 1);
  finish();
  assert_int_equal(client->connects, 1);
  if (expected == 0) return;
  assert_int_equal(client->send_status, expected);
  assert_int_equal(client->result.status, expected);
  assert_int_equal(client->result.unsent, 1);
}

static void test_answers(void** state) {
  static const int verdicts[] = {0, UV_EBUSY, UV_EACCES, UV_EPROTONOSUPPORT};
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(verdicts); i++) {
    prepare_raw();
    answer_size = test_put_hello(answer, (uint8_t) i, 5);
    check_answer(verdicts[i]);
  }
  /* Not our framing. */
  prepare_raw();
  memcpy(answer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
  answer_size = 28;
  check_answer(UV_EPROTO);
  prepare_raw();
  answer[0] = 'x';
  answer_size = 1;
  check_answer(UV_EPROTO);
  /* Another version of it. */
  prepare_raw();
  answer_size = test_put_hello(answer, 0, 1000);
  answer[4] = 2;
  check_answer(UV_EPROTONOSUPPORT);
  /* Less than what has been sent already. */
  prepare_raw();
  answer_size = test_put_hello(answer, 0, 4);
  check_answer(UV_EMSGSIZE);
}

/* A hello in pieces is as good as one in one. */
static void test_hello_in_pieces(void** state) {
  uint8_t hello[16];
  client_t* client;
  int i;

  (void) state;
  prepare_raw();
  listen_raw();
  client = connect_one(0);
  test_run_until(&accepts);
  test_put_hello(hello, 0, 1000);
  for (i = 0; i < 16; i++) {
    assert_int_equal(client->connects, 0);
    assert_int_equal(
        ipc_channel_send_copy(accepted[0], &hello[i], 1, NULL, NULL), 0);
    assert_int_equal(ipc_channel_flush(accepted[0]), 0);
    uv_run(test_loop(), UV_RUN_NOWAIT);
  }
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  /* It is no server of ours: it won't confirm what is sent. */
  assert_int_equal(ipc_channel_disconnect(client->channel), 0);
  finish();
}

/* A server that went before it had greeted is like one that is gone. */
static void test_waits_for_a_better_server(void** state) {
  client_t* client;

  (void) state;
  prepare_raw();
  hangs_up = 1;
  listen_raw();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  client = connect_one(0);
  run_until_attempts(client, 3);
  assert_int_equal(client->connects, 0);
  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  /* On Windows the name is taken while a channel of that server is open. */
  while (accepted_closes < accepts || server_closes == 0) {
    int i;

    for (i = 0; i < accepts; i++) {
      if (accepted[i] != NULL) ipc_channel_close(accepted[i]);
    }
    test_turn();
  }
  accepts = accepted_closes = 0;
  ipc_server_options_set_framing(&server_options, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_server_options_on_connection(&server_options, on_connection);
  listen_now();
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  finish();
}

/* ---- Clients that misbehave --------------------------------------------- */

static void test_client_never_says_hello(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_server_options_set_handshake_timeout(&server_options, 20);
  ipc_client_options_set_framing(&client_options, IPC_CHANNEL_FRAMING_RAW);
  listen_now();
  client = connect_one(0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  test_run_until(&client->ends);
  assert_int_equal(server_stats().handshake_errors, 1);
  assert_int_equal(server_stats().instances, 0);
  finish();
  assert_int_equal(accepts, 0);
}

static void test_client_talks_rubbish(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_framing(&client_options, IPC_CHANNEL_FRAMING_RAW);
  listen_now();
  client = connect_one(0);
  assert_int_equal(ipc_channel_send_copy(client->channel, "GET / HTTP/1.0", 14,
                                         on_sent, client),
                   0);
  test_run_until(&client->ends);
  assert_int_equal(server_stats().handshake_errors, 1);
  assert_int_equal(server_stats().accepted, 0);
  finish();
  assert_int_equal(accepts, 0);
}

/* ---- Who may --------------------------------------------------------------
 */

static int admits;
static int admit_answer;
static ipc_peer_t admitted;

static int on_admit(ipc_server_t* s, const ipc_peer_t* peer) {
  assert_ptr_equal(s, server);
  admits++;
  admitted = *peer;
  return admit_answer;
}

static void test_admit(void** state) {
  client_t* client;

  (void) state;
  prepare();
  admits = 0;
  admit_answer = UV_EPERM;
  ipc_server_options_on_admit(&server_options, on_admit);
  listen_now();
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "x", 1, on_sent, client), 0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_EACCES);
  assert_int_equal(admits, 1);
  assert_int_equal(admitted.pid, uv_os_getpid());
  assert_string_not_equal(admitted.user, "");
  assert_int_equal(server_stats().refused_peer, 1);
  assert_int_equal(server_stats().accepted, 0);
  run_until_count(&client->sent, 1);
  assert_true(client->send_status < 0);

  admit_answer = 0;
  client = connect_one(1);
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  assert_int_equal(server_stats().refused_peer, 1);
  assert_int_equal(server_stats().accepted, 1);
  finish();
  assert_int_equal(admits, 2);
  assert_int_equal(accepts, 1);
  assert_int_equal(received, 0);
}

/* A raw client that isn't let in sees the end, without a byte. */
static void test_admit_raw(void** state) {
  client_t* client;

  (void) state;
  prepare();
  admits = 0;
  admit_answer = UV_EPERM;
  ipc_server_options_set_framing(&server_options, IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_set_framing(&client_options, IPC_CHANNEL_FRAMING_RAW);
  ipc_server_options_on_admit(&server_options, on_admit);
  listen_now();
  client = connect_one(0);
  test_run_until(&client->ends);
  assert_int_equal(client->received, 0);
  assert_int_equal(server_stats().refused_peer, 1);
  finish();
  assert_int_equal(accepts, 0);
}

/* The wrong user runs the server: not a byte is sent. */
static void test_server_user(void** state) {
  client_t* client;
  ipc_peer_t me;

  (void) state;
  prepare_raw();
  listen_raw();
  ipc_client_options_set_server_user(
      &client_options, test_is_windows() ? "S-1-5-21-1-2-3-4" : "4000000001");
  ipc_client_options_set_wait_for_server(&client_options, 1);
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "x", 1, on_sent, client), 0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_EACCES);
  assert_int_equal(last_attempt(client), UV_EACCES);
  run_until_count(&client->sent, 1);
  assert_int_equal(client->send_status, UV_EACCES);
  assert_int_equal(bytes_in, 0);
  finish();
  assert_int_equal(bytes_in, 0);

  /* The right one, by name, or anybody. */
  prepare();
  listen_now();
  client = connect_one(0);
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  assert_int_equal(ipc_channel_peer(client->channel, &me), 0);
  ipc_client_options_set_server_user(&client_options, me.user);
  client = connect_one(1);
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  ipc_client_options_init(&client_options, name);
  ipc_client_options_on_connect(&client_options, on_connect);
  ipc_client_options_on_close(&client_options, on_client_close);
  ipc_client_options_set_server_peers(&client_options,
                                      IPC_CHANNEL_PEERS_ANYBODY);
  client = connect_one(2);
  test_run_until(&client->connects);
  assert_int_equal(client->status, 0);
  finish();
}

/* ---- Sent before there is a connection ---------------------------------- */

#define EARLY 200
#define LARGE ((size_t) 150000)

static int next_message;
static uint8_t* large;

/* Numbers, a large message after every fiftieth. */
static void on_numbered(ipc_channel_t* channel, const void* data, size_t size) {
  uint32_t number;

  on_message(channel, data, size);
  assert_true(size >= sizeof(number));
  memcpy(&number, data, sizeof(number));
  assert_int_equal(number, next_message);
  assert_int_equal(size, number % 50 == 49 ? LARGE : sizeof(number));
  if (size == LARGE) {
    assert_memory_equal((const uint8_t*) data + 4, large + 4, LARGE - 4);
  }
  next_message++;
}

static void send_numbered(client_t* client) {
  uint32_t number;
  size_t i;

  large = malloc(LARGE);
  assert_non_null(large);
  for (i = 0; i < LARGE; i++) large[i] = (uint8_t) (i * 7);
  for (number = 0; number < EARLY; number++) {
    memcpy(large, &number, sizeof(number));
    assert_int_equal(
        ipc_channel_send_copy(client->channel, large,
                              number % 50 == 49 ? LARGE : sizeof(number),
                              on_sent, client),
        0);
  }
  assert_int_equal(client->sent, 0);
}

static void test_early_messages_arrive_in_order(void** state) {
  client_t* client;

  (void) state;
  prepare();
  next_message = 0;
  ipc_server_options_on_message(&server_options, on_numbered);
  ipc_client_options_set_wait_for_server(&client_options, 1);
  client = connect_one(0);
  send_numbered(client);
  run_until_attempts(client, 2);
  assert_int_equal(client->sent, 0);
  listen_now();
  run_until_count(&received, EARLY);
  run_until_count(&client->sent, EARLY);
  assert_int_equal(client->connects, 1);
  assert_int_equal(client->send_status, 0);
  finish();
  assert_int_equal(client->sent, EARLY);
  assert_int_equal(received, EARLY);
  assert_int_equal(client->result.status, 0);
  free(large);
}

/* Though a full server has been sent the first of them before. */
static void test_early_messages_after_busy(void** state) {
  client_t* first;
  client_t* client;

  (void) state;
  prepare();
  next_message = 0;
  ipc_server_options_on_message(&server_options, on_numbered);
  ipc_server_options_set_max_instances(&server_options, 1);
  listen_now();
  first = connect_one(0);
  test_run_until(&first->connects);
  client = connect_one(1);
  send_numbered(client);
  run_until_attempts(client, 4);
  assert_int_equal(received, 0);
  assert_int_equal(ipc_channel_close(first->channel), 0);
  assert_int_equal(ipc_channel_close(accepted[0]), 0);
  run_until_count(&received, EARLY);
  run_until_count(&client->sent, EARLY);
  finish();
  assert_int_equal(client->sent, EARLY);
  assert_int_equal(received, EARLY);
  assert_int_equal(client->result.status, 0);
  free(large);
}

static void test_close_before_connected_delivers(void** state) {
  client_t* client;

  (void) state;
  prepare();
  next_message = 0;
  ipc_server_options_on_message(&server_options, on_numbered);
  listen_now();
  client = connect_one(0);
  send_numbered(client);
  assert_int_equal(ipc_channel_close(client->channel), 0);
  assert_int_equal(client->closes, 0);
  test_run_until(&client->closes);
  /* What the server has confirmed, it has got. */
  assert_int_equal(received, EARLY);
  assert_int_equal(client->connects, 1);
  assert_int_equal(client->status, 0);
  assert_int_equal(client->sent, EARLY);
  assert_int_equal(client->send_status, 0);
  assert_int_equal(client->result.status, 0);
  assert_int_equal(client->result.unsent, 0);
  assert_int_equal(client->result.unconfirmed, 0);
  finish();
  free(large);
}

static void test_close_before_a_server_is_there(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "last", 4, on_sent, client), 0);
  run_until_attempts(client, 2);
  assert_int_equal(ipc_channel_close(client->channel), 0);
  test_turn();
  listen_now();
  test_run_until(&client->closes);
  assert_int_equal(received, 1);
  assert_int_equal(client->result.status, 0);
  assert_int_equal(client->result.unsent, 0);
  assert_int_equal(client->result.unconfirmed, 0);
  finish();
}

static void test_close_before_connected_raw(void** state) {
  client_t* client;

  (void) state;
  prepare();
  ipc_server_options_set_framing(&server_options, IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_set_framing(&client_options, IPC_CHANNEL_FRAMING_RAW);
  listen_now();
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "last words", 10, on_sent, client),
      0);
  assert_int_equal(ipc_channel_close(client->channel), 0);
  test_run_until(&client->closes);
  assert_int_equal(client->result.status, 0);
  assert_int_equal(client->result.unsent, 0);
  while (bytes_in < 10) test_turn();
  finish();
}

/* ---- Another process ---------------------------------------------------- */

static void serve_echo(ipc_channel_t* channel, const void* data, size_t size) {
  ipc_channel_send_copy(channel, data, size, NULL, NULL);
}

/* serve NAME: echoes until it is killed. */
static int play_serve(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* own;

  if (argc < 1) return 2;
  ipc_server_options_init(&options, argv[0]);
  ipc_server_options_on_message(&options, serve_echo);
  if (ipc_server_listen(uv_default_loop(), &options, NULL, &own) != 0) return 1;
  test_say_ready();
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return 0;
}

/* A server takes over what one that was killed has left, and tidies up. */
static void take_over(const char* left) {
  ipc_server_options_init(&server_options, left);
  listen_now();
  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  test_run();
}

static void test_server_in_another_process(void** state) {
  test_child_t* child;
  client_t* client;
  ipc_peer_t peer;

  (void) state;
  prepare();
  child = test_spawn("serve", name, NULL);
  test_wait_ready(child);
  client = connect_one(0);
  assert_int_equal(
      ipc_channel_send_copy(client->channel, "x", 1, on_sent, client), 0);
  test_run_until(&client->received);
  assert_int_equal(client->status, 0);
  assert_int_equal(ipc_channel_peer(client->channel, &peer), 0);
  assert_true(peer.pid > 0);
  assert_int_not_equal(peer.pid, uv_os_getpid());
  test_kill(child);
  test_run_until(&client->ends);
  assert_int_equal(client->end_status, UV_ECONNRESET);
  assert_int_equal(ipc_channel_peer(client->channel, &peer), UV_ENOTCONN);
  test_wait(child);
  /* Gone, and its name with it, whatever lies about. */
  client = connect_one(1);
  test_run_until(&client->connects);
  assert_int_equal(client->status, UV_ENOENT);
  finish();
  take_over(name);
}

/* The client is here first, the server's process comes, dies, comes again. */
static void test_waits_for_a_process(void** state) {
  test_child_t* child;
  client_t* client;
  char own_name[64];
  int i;

  (void) state;
  prepare();
  snprintf(own_name, sizeof(own_name), "%s", name);
  for (i = 0; i < 2; i++) {
    prepare();
    ipc_client_options_init(&client_options, own_name);
    ipc_client_options_on_connect(&client_options, on_connect);
    ipc_client_options_on_message(&client_options, on_client_message);
    ipc_client_options_on_end(&client_options, on_client_end);
    ipc_client_options_on_close(&client_options, on_client_close);
    ipc_client_options_set_wait_for_server(&client_options, 1);
    ipc_client_options_set_connect_timeout(&client_options,
                                           IPC_CHANNEL_INFINITE);
    client = connect_one(0);
    assert_int_equal(
        ipc_channel_send_copy(client->channel, "x", 1, on_sent, client), 0);
    run_until_attempts(client, 2);
    child = test_spawn("serve", own_name, NULL);
    test_run_until(&client->received);
    assert_int_equal(client->status, 0);
    test_kill(child);
    test_wait(child);
    test_run_until(&client->ends);
    finish();
  }
  take_over(own_name);
}

int main(int argc, char** argv) {
  static const test_role_t roles[] = {{"serve", play_serve}, {NULL, NULL}};
  static const struct CMUnitTest tests[] = {
      TEST(test_absent),
      TEST(test_absent_raw),
      TEST(test_absent_without_on_connect),
      TEST(test_server_that_appears),
      TEST(test_server_that_restarts),
      TEST(test_timeout_is_never_early),
      TEST(test_timeout_counts_what_is_lost),
      TEST(test_give_up_waiting),
      TEST(test_give_up_before_the_first_turn),
      TEST(test_give_up_at_a_silent_server),
      TEST(test_give_up_at_a_full_server),
      TEST(test_close_while_waiting_with_messages),
      TEST(test_close_under_the_connect_timeout),
      TEST(test_disconnect_cuts_that_short),
      TEST(test_give_up_without_on_connect),
      TEST(test_full_without_waiting),
      TEST(test_full_is_not_absent),
      TEST(test_full_until_one_leaves),
      TEST(test_full_until_the_timeout),
      TEST(test_full_raw),
      TEST(test_full_backlog_without_waiting),
      TEST(test_full_backlog_until_it_runs),
      TEST(test_full_backlog_until_the_timeout),
      TEST(test_probe_of_a_full_backlog),
      TEST(test_hangs_up_before_its_hello),
      TEST(test_hangs_up_inside_its_hello),
      TEST(test_never_says_hello),
      TEST(test_half_a_hello),
      TEST(test_answers),
      TEST(test_hello_in_pieces),
      TEST(test_waits_for_a_better_server),
      TEST(test_client_never_says_hello),
      TEST(test_client_talks_rubbish),
      TEST(test_admit),
      TEST(test_admit_raw),
      TEST(test_server_user),
      TEST(test_early_messages_arrive_in_order),
      TEST(test_early_messages_after_busy),
      TEST(test_close_before_connected_delivers),
      TEST(test_close_before_a_server_is_there),
      TEST(test_close_before_connected_raw),
      TEST(test_server_in_another_process),
      TEST(test_waits_for_a_process),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
