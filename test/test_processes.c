/* Servers and clients in processes of their own, some of which are killed. */
#include "harness.h"

#include "pair.h"

#define LONG_MS 50000
#define MAX_BODY 5000u

/* Messages are numbered; the number decides their size and content. */
static size_t size_of(uint32_t number) {
  return number * 37 % MAX_BODY;
}

/* ---- Roles -------------------------------------------------------------- */

/* What a child uses in place of the harness's loop. */
static uv_loop_t child_loop;
static int child_is_over;
static uint32_t child_sent;

static void child_echo(ipc_channel_t* channel, const void* data, size_t size) {
  if (ipc_channel_send_copy(channel, data, size, NULL, NULL) != 0) abort();
}

static void child_send(ipc_channel_t* channel) {
  static uint8_t body[MAX_BODY];
  int err;

  do {
    size_t size = size_of(child_sent);

    pattern_fill(body, size, child_sent);
    err = ipc_channel_send_copy(channel, body, size, NULL, NULL);
    if (err == 0) child_sent++;
  } while (err == 0);
}

static void child_close(ipc_channel_t* channel, const ipc_close_result_t* r) {
  ipc_server_t* server = ipc_channel_server(channel);

  child_is_over = 1 + (r->status != 0);
  if (server != NULL) ipc_server_close(server, NULL);
}

static void child_connection(ipc_server_t* server, ipc_channel_t* channel) {
  (void) server;
  child_send(channel);
}

static void child_connect(ipc_channel_t* channel, int status) {
  if (status != 0) abort();
  child_send(channel);
}

static void child_take(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  (void) data;
  (void) size;
}

static int run_child(void) {
  uv_run(&child_loop, UV_RUN_DEFAULT);
  return uv_loop_close(&child_loop) == 0 ? child_is_over - 1 : 100;
}

/* Echoes until its first client has gone. */
static int play_echo(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;

  if (argc != 1 || uv_loop_init(&child_loop) != 0) return 101;
  ipc_server_options_init(&options, argv[0]);
  ipc_server_options_set_max_queue_bytes(&options, (size_t) 64 << 20);
  ipc_server_options_on_message(&options, child_echo);
  ipc_server_options_on_close(&options, child_close);
  if (ipc_server_listen(&child_loop, &options, NULL, &server) != 0) return 102;
  test_say_ready();
  return run_child();
}

/* Sends without end to whoever comes. */
static int play_talker(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;

  if (argc != 1 || uv_loop_init(&child_loop) != 0) return 101;
  ipc_server_options_init(&options, argv[0]);
  ipc_server_options_on_connection(&options, child_connection);
  ipc_server_options_on_drain(&options, child_send);
  ipc_server_options_on_message(&options, child_take);
  if (ipc_server_listen(&child_loop, &options, NULL, &server) != 0) return 102;
  test_say_ready();
  return run_child();
}

static void child_pause(ipc_server_t* server, ipc_channel_t* channel) {
  (void) server;
  if (ipc_channel_pause(channel) != 0) abort();
}

/* Reads nothing. */
static int play_deaf(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;

  if (argc != 1 || uv_loop_init(&child_loop) != 0) return 101;
  ipc_server_options_init(&options, argv[0]);
  ipc_server_options_on_connection(&options, child_pause);
  if (ipc_server_listen(&child_loop, &options, NULL, &server) != 0) return 102;
  test_say_ready();
  return run_child();
}

/* The same as the talker, but a client. */
static int play_client(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  if (argc != 1 || uv_loop_init(&child_loop) != 0) return 101;
  ipc_client_options_init(&options, argv[0]);
  ipc_client_options_on_connect(&options, child_connect);
  ipc_client_options_on_drain(&options, child_send);
  if (ipc_client_connect(&child_loop, &options, NULL, &channel) != 0) {
    return 102;
  }
  return run_child();
}

static const test_role_t roles[] = {
    {"echo", play_echo},
    {"talker", play_talker},
    {"client", play_client},
    {"deaf", play_deaf},
    {NULL, NULL},
};

/* ---- Echo --------------------------------------------------------------- */

#define COUNT 1000

static uint8_t body[MAX_BODY];

static void send_next(side_t* side) {
  while (side->asked < COUNT) {
    uint32_t number = (uint32_t) side->asked;
    int err;

    pattern_fill(body, size_of(number), number);
    err = side_send(side, body, size_of(number));
    if (err == UV_EAGAIN || err == UV_EPIPE) return; /* full; killed */
    assert_int_equal(err, 0);
  }
}

static void check_number(side_t* side, const void* data, size_t size) {
  uint32_t number = (uint32_t) side->messages - 1;

  assert_int_equal(size, size_of(number));
  pattern_check(data, size, number);
}

static void client_init(pair_t* pair) {
  pair_init(pair);
  ipc_client_options_set_connect_timeout(&pair->client_options, LONG_MS);
  pair->client.on_message = check_number;
}

/* What a killed server left of its name goes with the next that uses it. */
static void clean_name(pair_t* pair) {
  pair_listen(pair);
  pair_finish(pair);
}

static void test_echo(void** state) {
  test_child_t* child;
  pair_t pair;

  (void) state;
  client_init(&pair);
  child = test_spawn("echo", pair.name, NULL);
  test_wait_ready(child);
  pair.client.on_open = pair.client.on_drain = send_next;
  pair_connect(&pair);
  run_until(&pair.client.messages, COUNT);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.client.result.unconfirmed, 0);
  assert_int_equal(test_wait(child), 0);
  clean_name(&pair);
}

/* Two servers, two processes, two names; one client each, one loop. */
static void test_two_servers(void** state) {
  test_child_t* children[2];
  pair_t pairs[2];
  char names[2][64];
  int i;

  (void) state;
  for (i = 0; i < 2; i++) {
    client_init(&pairs[i]);
    strcpy(names[i], pairs[i].name);
    pairs[i].name = names[i];
    children[i] = test_spawn("echo", names[i], NULL);
    pairs[i].client.on_open = pairs[i].client.on_drain = send_next;
    ipc_client_options_set_wait_for_server(&pairs[i].client_options, 1);
    pair_connect(&pairs[i]); /* waits for it */
  }
  for (i = 0; i < 2; i++) run_until(&pairs[i].client.messages, COUNT);
  for (i = 0; i < 2; i++) {
    side_close(&pairs[i].client);
    run_until(&pairs[i].client.closes, 1);
    assert_int_equal(pairs[i].client.result.status, 0);
    assert_int_equal(test_wait(children[i]), 0);
    side_free(&pairs[i].client);
  }
}

/* ---- Killed ------------------------------------------------------------- */

static int killed_status(void) {
  return test_is_windows() ? 1 : -SIGKILL;
}

/* A server dies while both send without end: whole messages in order, one end,
 * one close, and true numbers. */
static void test_killed_server(void** state) {
  test_child_t* child;
  pair_t pair;
  int round;

  (void) state;
  for (round = 0; round < 20; round++) {
    client_init(&pair);
    child = test_spawn("talker", pair.name, NULL);
    test_wait_ready(child);
    pair.client.on_open = pair.client.on_drain = send_next;
    pair_connect(&pair);
    run_until(&pair.client.messages, 1 + round * round * 7);
    test_kill(child);
    run_until(&pair.client.closes, 1);
    assert_int_equal(pair.client.ends, 1);
    assert_int_equal(pair.client.end_status, UV_ECONNRESET);
    assert_int_equal(pair.client.result.unsent, pair.client.failed);
    assert_int_equal(pair.client.result.unconfirmed, pair.client.sent);
    assert_int_equal(test_wait(child), killed_status());
    clean_name(&pair);
  }
}

/* The same with a client that dies. */
static void test_killed_client(void** state) {
  test_child_t* child;
  pair_t pair;
  int round;

  (void) state;
  for (round = 0; round < 5; round++) {
    pair_init(&pair);
    pair.accepted.on_message = check_number;
    pair.accepted.on_open = pair.accepted.on_drain = send_next;
    pair_listen(&pair);
    child = test_spawn("client", pair.name, NULL);
    run_until(&pair.accepted.messages, 1 + round * 300);
    test_kill(child);
    run_until(&pair.accepted.closes, 1);
    assert_int_equal(pair.accepted.ends, 1);
    assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
    assert_true(pair.accepted.asked > 0);
    assert_int_equal(pair.accepted.result.unsent, pair.accepted.failed);
    assert_int_equal(pair.accepted.result.unconfirmed, pair.accepted.sent);
    assert_true(pair.accepted.result.status < 0);
    assert_int_equal(test_wait(child), killed_status());
    pair_finish(&pair);
  }
}

static int refused;

static void send_until_refused(side_t* side) {
  pattern_fill(body, sizeof(body), 0);
  while (side_send(side, body, sizeof(body)) == 0) {
  }
  refused = 1;
}

/* It has never read: what is still queued fails, and says so. */
static void test_killed_deaf_server(void** state) {
  test_child_t* child;
  pair_t pair;

  (void) state;
  client_init(&pair);
  child = test_spawn("deaf", pair.name, NULL);
  test_wait_ready(child);
  refused = 0;
  pair.client.on_open = pair.client.on_drain = send_until_refused;
  pair_connect(&pair);
  run_until(&refused, 1);
  pair.client.on_drain = NULL;
  test_kill(child);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, UV_ECONNRESET);
  assert_true(pair.client.failed > 0);
  assert_true(pair.client.failure == UV_ECONNRESET ||
              pair.client.failure == UV_EPIPE);
  assert_int_equal(pair.client.sent + pair.client.failed, pair.client.asked);
  assert_true(pair.client.result.status == UV_ECONNRESET ||
              pair.client.result.status == UV_EPIPE);
  assert_int_equal(pair.client.result.unsent, pair.client.failed);
  assert_int_equal(pair.client.result.unconfirmed, pair.client.sent);
  assert_int_equal(test_wait(child), killed_status());
  clean_name(&pair);
}

/* ---- Back again --------------------------------------------------------- */

/* A client whose server was killed waits for the next one. */
static void test_restart(void** state) {
  test_child_t* child;
  side_t again = {0};
  pair_t pair;

  (void) state;
  client_init(&pair);
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  child = test_spawn("echo", pair.name, NULL);
  test_wait_ready(child);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, NULL, 0), 0);
  run_until(&pair.client.messages, 1);
  test_kill(child);
  run_until(&pair.client.closes, 1);
  assert_int_equal(test_wait(child), killed_status());

  again.on_message = check_number;
  pair_connect_side(&pair, &again);
  again.on_open = again.on_drain = send_next;
  test_run_for(50);
  assert_int_equal(again.connects, 0);
  child = test_spawn("echo", pair.name, NULL);
  run_until(&again.messages, COUNT);
  side_close(&again);
  run_until(&again.closes, 1);
  assert_int_equal(again.result.status, 0);
  assert_int_equal(test_wait(child), 0);
  side_free(&again);
  clean_name(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_echo),
      TEST(test_two_servers),
      TEST(test_killed_server),
      TEST(test_killed_client),
      TEST(test_killed_deaf_server),
      TEST(test_restart),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
