/* "system:NAME", the machine's own name on every system: a conversation by one,
 * that it is no other user's and no other name's business, and what there is to
 * say about who may. Where the user may not serve one, that is asserted and the
 * rest is skipped, and counted so. Directories and other users are in
 * test_posix_system_name.c. */
#include "harness.h"

#include <stdio.h>

#include "pair.h"

static char name[160];
static ipc_name_info_t info;

static ipc_name_state_t probe(const char* what) {
  ipc_name_state_t found;

  assert_int_equal(ipc_name_probe(what, &found, NULL), 0);
  return found;
}

/* Whether we may serve one. What keeps us out is the directory: not to be
 * written to by us, not there, or not to be trusted. */
static int may_serve(const pair_t* pair) {
  ipc_server_t* server = NULL;
  int err;

  err = ipc_server_listen(test_loop(), &pair->server_options, NULL, &server);
  if (err == 0) {
    assert_int_equal(ipc_server_close(server, NULL), 0);
    test_run();
    return 1;
  }
  assert_null(server);
  assert_false(test_is_windows());
  assert_true(err == UV_EACCES || err == UV_ENOENT || err == UV_EROFS);
  return 0;
}

/* Both builders for a fresh name. */
static void prepare(pair_t* pair) {
  pair_init(pair);
  snprintf(name, sizeof(name), "system:%s", pair->name);
  assert_int_equal(ipc_name_resolve(name, &info), 0);
  ipc_server_options_init(&pair->server_options, name);
  ipc_client_options_init(&pair->client_options, name);
  pair_fill(pair);
  if (!may_serve(pair)) skip();
}

static void test_conversation(void** state) {
  ipc_server_info_t server_info;
  ipc_server_t* second;
  pair_t pair;

  (void) state;
  prepare(&pair);
  assert_int_equal(probe(name), IPC_CHANNEL_NAME_ABSENT);
  pair_open(&pair);
  assert_int_equal(probe(name), IPC_CHANNEL_NAME_LIVE);
  assert_int_equal(ipc_server_info(pair.server, &server_info), 0);
  assert_string_equal(server_info.os_name, info.os_name);
  assert_int_equal(
      ipc_server_listen(test_loop(), &pair.server_options, NULL, &second),
      UV_EADDRINUSE);
  assert_int_equal(side_send(&pair.client, "to", 2), 0);
  assert_int_equal(side_send(&pair.accepted, "fro", 3), 0);
  run_until(&pair.client.messages, 1);
  run_until(&pair.accepted.messages, 1);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(probe(name), IPC_CHANNEL_NAME_ABSENT);
}

/* Windows has one pipe for both; on POSIX the bare name is another. */
static void test_beside_the_bare_name(void** state) {
  ipc_server_t* bare;
  pair_t pair;

  (void) state;
  prepare(&pair);
  pair_listen(&pair);
  if (test_is_windows()) {
    ipc_client_options_init(&pair.client_options, pair.name);
    pair_fill(&pair);
    pair_connect(&pair);
    run_until(&pair.client.opens, 1);
    run_until(&pair.accepted.opens, 1);
  } else {
    assert_int_equal(probe(pair.name), IPC_CHANNEL_NAME_ABSENT);
    ipc_server_options_init(&pair.server_options, pair.name);
    assert_int_equal(
        ipc_server_listen(test_loop(), &pair.server_options, NULL, &bare), 0);
    assert_int_equal(ipc_server_close(bare, NULL), 0);
    assert_int_equal(probe(name), IPC_CHANNEL_NAME_LIVE);
  }
  pair_finish(&pair);
}

/* Nobody serves it; and somebody comes. */
static void test_wait_for_server(void** state) {
  pair_t pair;

  (void) state;
  prepare(&pair);
  pair_wait_for_server(&pair);
  pair_finish(&pair);
}

/* All that says who may, as with any name that has permissions. */
static void test_who_may(void** state) {
  ipc_server_options_t* s;
  ipc_client_options_t* c;
  pair_t pair;
  int err = test_is_windows() ? UV_ENOTSUP : 0;

  (void) state;
  prepare(&pair);
  s = &pair.server_options;
  c = &pair.client_options;
  assert_int_equal(ipc_server_options_set_peers(s, IPC_CHANNEL_PEERS_ANYBODY),
                   0);
  assert_int_equal(
      ipc_client_options_set_server_peers(c, IPC_CHANNEL_PEERS_ANYBODY), 0);
  pair_open(&pair);
  pair_finish(&pair);

  ipc_server_options_init(s, name);
  assert_int_equal(ipc_server_options_set_posix_mode(s, 0666), err);
  ipc_server_options_init(s, name);
  assert_int_equal(ipc_server_options_set_posix_owner(s, -1, -1), err);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_conversation),
      TEST(test_beside_the_bare_name),
      TEST(test_wait_for_server),
      TEST(test_who_may),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
