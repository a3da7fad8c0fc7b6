/* Who closes what: channels that a server owns, channels that outlive their
 * server, and messages that nobody takes. */
#include "harness.h"

#include "pair.h"

/* ---- A server that owns its channels ------------------------------------ */

static struct {
  ipc_server_t* server;
  int messages;
  int ends;
  int closes;
  int server_closes;
  ipc_channel_t* channel;
  ipc_close_result_t result;
} owner;

static void owner_message(ipc_channel_t* channel, const void* data, size_t n) {
  owner.messages++;
  owner.channel = channel;
  assert_ptr_equal(ipc_channel_data(channel), &owner);
  assert_int_equal(ipc_channel_send_copy(channel, data, n, NULL, NULL), 0);
}

static void owner_end(ipc_channel_t* channel, int status) {
  (void) channel;
  (void) status;
  owner.ends++;
}

static void owner_close(ipc_channel_t* channel, const ipc_close_result_t* r) {
  (void) channel;
  owner.closes++;
  owner.channel = NULL;
  owner.result = *r;
}

static void owner_server_close(ipc_server_t* server) {
  assert_ptr_equal(server, owner.server);
  owner.server_closes++;
}

/* Listens in the place of the pair's server. */
static void own_listen(pair_t* pair) {
  ipc_server_options_t options;

  memset(&owner, 0, sizeof(owner));
  ipc_server_options_init(&options, pair->name);
  ipc_server_options_on_message(&options, owner_message);
  ipc_server_options_on_end(&options, owner_end);
  ipc_server_options_on_close(&options, owner_close);
  assert_int_equal(
      ipc_server_listen(test_loop(), &options, &owner, &owner.server), 0);
  assert_ptr_equal(ipc_server_data(owner.server), &owner);
}

static void own_close(void) {
  assert_int_equal(ipc_server_close(owner.server, owner_server_close), 0);
  assert_int_equal(ipc_server_close(owner.server, NULL), UV_EALREADY);
  assert_int_equal(owner.server_closes, 0);
}

/* What has ended, the server closes. */
static void test_owned_ends(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  own_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  run_until(&pair.client.closes, 1);
  run_until(&owner.closes, 1);
  own_close();
  test_run();
  assert_int_equal(pair.client.messages, 1);
  assert_int_equal(pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, 0);
  assert_int_equal(owner.ends, 1);
  assert_int_equal(owner.result.status, 0);
  assert_int_equal(owner.server_closes, 1);
  side_free(&pair.client);
}

/* What has broken, too. */
static void test_owned_breaks(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  own_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  run_until(&pair.client.messages, 1);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  side_close(&pair.client);
  run_until(&owner.closes, 1);
  own_close();
  test_run();
  assert_int_equal(owner.ends, 1);
  assert_int_equal(owner.result.unconfirmed, 1);
  assert_int_equal(owner.server_closes, 1);
  side_free(&pair.client);
}

/* A disconnected one as well. */
static void test_owned_disconnect(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  own_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  run_until(&owner.messages, 1);
  assert_int_equal(ipc_channel_disconnect(owner.channel), 0);
  run_until(&owner.closes, 1);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, UV_ECONNRESET);
  assert_int_equal(owner.ends, 0);
  own_close();
  test_run();
  assert_int_equal(owner.server_closes, 1);
  side_free(&pair.client);
}

/* A server that closes delivers first what its channels hold. */
static void test_server_close_delivers(void** state) {
  pair_t pair;
  int i;

  (void) state;
  pair_init(&pair);
  own_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  run_until(&owner.messages, 1);
  for (i = 0; i < 1000; i++) {
    assert_int_equal(ipc_channel_send_copy(owner.channel, "bye", 3, NULL, NULL),
                     0);
  }
  own_close();
  run_until(&owner.server_closes, 1);
  assert_int_equal(owner.closes, 1);
  assert_int_equal(owner.result.status, 0);
  assert_int_equal(pair.client.messages, 1001);
  test_run();
  assert_int_equal(pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, 0);
  side_free(&pair.client);
}

static void test_server_close_idle(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  own_listen(&pair);
  own_close();
  test_run();
  assert_int_equal(owner.server_closes, 1);
  /* The callback may be missing, and the name is free at once. */
  own_listen(&pair);
  assert_int_equal(ipc_server_close(owner.server, NULL), 0);
  own_listen(&pair);
  own_close();
  test_run();
  assert_int_equal(owner.server_closes, 1);
}

/* ---- Channels that outlive their server --------------------------------- */

static void on_server_gone(ipc_server_t* server) {
  ((pair_t*) ipc_server_data(server))->server_closes++;
}

static void test_channel_outlives_server(void** state) {
  ipc_channel_info_t info;
  side_t late = {0};
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  assert_ptr_equal(ipc_channel_server(pair.accepted.channel), pair.server);
  assert_null(ipc_channel_server(pair.client.channel));
  assert_int_equal(ipc_server_close(pair.server, on_server_gone), 0);
  pair.server = NULL;
  run_until(&pair.server_closes, 1);
  assert_int_equal(pair.accepted.closes, 0);
  assert_null(ipc_channel_server(pair.accepted.channel));
  assert_int_equal(ipc_channel_info(pair.accepted.channel, &info), 0);
  assert_true(info.is_connected);

  /* Nobody serves the name; but on Windows a channel that lives keeps it. */
  ipc_client_options_set_wait_when_busy(&pair.client_options, 0);
  pair_connect_side(&pair, &late);
  run_until(&late.connects, 1);
  assert_int_equal(late.connect_status,
                   test_is_windows() ? UV_EBUSY : UV_ENOENT);
  /* The two still talk. */
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  assert_int_equal(side_send(&pair.accepted, "hello yourself", 14), 0);
  run_until(&pair.client.messages, 1);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.client.bytes, 14);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.accepted.result.status, 0);
}

/* The name is free again: where it isn't a channel's, at once; on Windows when
 * the last channel has gone. */
static void test_name_is_free_again(void** state) {
  pair_t pair;
  pair_t next;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  assert_int_equal(ipc_server_close(pair.server, on_server_gone), 0);
  pair.server = NULL;
  run_until(&pair.server_closes, 1);
  if (test_is_windows()) pair_finish(&pair);
  next = pair;
  memset(&next.client, 0, sizeof(next.client));
  memset(&next.accepted, 0, sizeof(next.accepted));
  next.server_closes = 0;
  pair_open(&next);
  assert_int_equal(side_send(&next.client, "other", 5), 0);
  run_until(&next.accepted.messages, 1);
  if (!test_is_windows()) {
    assert_int_equal(side_send(&pair.client, "hello", 5), 0);
    run_until(&pair.accepted.messages, 1);
    side_close(&pair.client);
    run_until(&pair.accepted.closes, 1);
  }
  pair_finish(&next);
  if (!test_is_windows()) pair_finish(&pair);
}

/* ---- Messages that nobody takes ----------------------------------------- */

static void test_nobody_listens(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_on_message(&pair.server_options, NULL);
  ipc_client_options_set_close_timeout(&pair.client_options, 50);
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, "hello", 5), 0);
  assert_int_equal(side_send(&pair.client, "again", 5), 0);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.ends, 0); /* the messages come first */
  assert_int_equal(pair.client.sent, 2);
  assert_true(pair.client.result.status < 0);
  assert_int_equal(pair.client.result.unsent, 0);
  assert_int_equal(pair.client.result.unconfirmed, 2);
}

/* A client without on_connect learns from on_end, once, that there is none. */
static void test_no_on_connect(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_client_options_on_connect(&pair.client_options, NULL);
  pair_connect(&pair);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, UV_ENOENT);
  test_run();
  assert_int_equal(pair.client.ends, 1);
  assert_int_equal(pair.client.closes, 1);
  assert_int_equal(pair.client.result.status, UV_ENOENT);
  side_free(&pair.client);
}

/* Nor do the other callbacks have to be there. */
static void test_no_callbacks(void** state) {
  ipc_server_options_t server_options;
  ipc_client_options_t client_options;
  ipc_server_t* server;
  ipc_channel_t* channel;
  const char* name = test_name();
  int i;

  (void) state;
  ipc_server_options_init(&server_options, name);
  ipc_client_options_init(&client_options, name);
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  for (i = 0; i < 3; i++) {
    assert_int_equal(
        ipc_client_connect(test_loop(), &client_options, NULL, &channel), 0);
    assert_null(ipc_channel_data(channel));
    assert_int_equal(ipc_channel_send_copy(channel, "x", 1, NULL, NULL), 0);
    assert_int_equal(ipc_channel_close(channel), 0);
  }
  test_run_for(50);
  assert_int_equal(ipc_server_close(server, NULL), 0);
  test_run();
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_owned_ends),         TEST(test_owned_breaks),
      TEST(test_owned_disconnect),   TEST(test_server_close_delivers),
      TEST(test_server_close_idle),  TEST(test_channel_outlives_server),
      TEST(test_name_is_free_again), TEST(test_nobody_listens),
      TEST(test_no_on_connect),      TEST(test_no_callbacks),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
