/* Abstract names, which only Linux has: a conversation by one, who may have it,
 * and that other systems say so. Another program's view of one is in
 * interop/test_wire_format.py. */
#include "harness.h"

#include <stdio.h>

#include "pair.h"

static char name[160];

/* A fresh name; 0: this system has none, and says so everywhere. */
static int prepare(pair_t* pair) {
  ipc_name_state_t found;
  ipc_name_info_t info;
  ipc_channel_t* channel;
  ipc_server_t* server;
  int err;

  pair_init(pair);
  snprintf(name, sizeof(name), "@%s/any:thing", pair->name);
  err = ipc_name_resolve(name, &info);
  ipc_server_options_init(&pair->server_options, name);
  ipc_client_options_init(&pair->client_options, name);
  if (err == 0) {
    assert_string_equal(info.os_name, name);
    assert_int_equal(info.os_name_limit, 108);
    pair_fill(pair);
    return 1;
  }
  assert_int_equal(err, UV_ENOTSUP);
  assert_non_null(strstr(info.reason, "Linux"));
  assert_int_equal(ipc_name_probe(name, &found, NULL), UV_ENOTSUP);
  assert_int_equal(
      ipc_server_listen(test_loop(), &pair->server_options, NULL, &server),
      UV_ENOTSUP);
  assert_int_equal(
      ipc_client_connect(test_loop(), &pair->client_options, NULL, &channel),
      UV_ENOTSUP);
  return 0;
}

static void test_conversation(void** state) {
  ipc_server_info_t info;
  ipc_name_state_t found;
  ipc_server_t* second;
  pair_t pair;

  (void) state;
  if (!prepare(&pair)) return;
  assert_int_equal(ipc_name_probe(name, &found, NULL), 0);
  assert_int_equal(found, IPC_CHANNEL_NAME_ABSENT);
  pair_open(&pair);
  assert_int_equal(ipc_name_probe(name, &found, NULL), 0);
  assert_int_equal(found, IPC_CHANNEL_NAME_LIVE);
  assert_int_equal(ipc_server_info(pair.server, &info), 0);
  assert_string_equal(info.os_name, name);
  assert_int_equal(
      ipc_server_listen(test_loop(), &pair.server_options, NULL, &second),
      UV_EADDRINUSE);
  assert_int_equal(side_send(&pair.client, "to", 2), 0);
  assert_int_equal(side_send(&pair.accepted, "fro", 3), 0);
  run_until(&pair.client.messages, 1);
  run_until(&pair.accepted.messages, 1);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(ipc_name_probe(name, &found, NULL), 0);
  assert_int_equal(found, IPC_CHANNEL_NAME_ABSENT);
}

/* Nobody serves it; and somebody comes. */
static void test_wait_for_server(void** state) {
  pair_t pair;

  (void) state;
  if (!prepare(&pair)) return;
  pair_wait_for_server(&pair);
  pair_finish(&pair);
}

/* The check of the peer can't be given up, and there are no permissions. */
static void test_options(void** state) {
  ipc_server_options_t* s;
  ipc_client_options_t* c;
  ipc_server_t* server;
  pair_t pair;

  (void) state;
  if (!prepare(&pair)) return;
  s = &pair.server_options;
  c = &pair.client_options;
  assert_int_equal(ipc_server_options_set_peers(s, IPC_CHANNEL_PEERS_SAME_USER),
                   0);
  assert_int_equal(ipc_server_options_set_peers(s, IPC_CHANNEL_PEERS_ANYBODY),
                   UV_EINVAL);
  assert_non_null(strstr(ipc_server_options_error(s), "abstract"));
  assert_int_equal(ipc_server_listen(test_loop(), s, NULL, &server), UV_EINVAL);
  assert_int_equal(
      ipc_client_options_set_server_peers(c, IPC_CHANNEL_PEERS_ANYBODY),
      UV_EINVAL);
  ipc_server_options_init(s, name);
  assert_int_equal(ipc_server_options_set_posix_mode(s, 0600), UV_EINVAL);
  ipc_server_options_init(s, name);
  assert_int_equal(ipc_server_options_set_posix_owner(s, -1, -1), UV_EINVAL);
}

/* As long as it may be, and one more. */
static void test_length(void** state) {
  ipc_name_info_t info;
  char longest[110];
  pair_t pair;

  (void) state;
  if (!prepare(&pair)) return;
  memset(longest, 'x', sizeof(longest));
  snprintf(longest, sizeof(longest), "%.40s", name);
  longest[strlen(longest)] = 'x';
  longest[109] = '\0';
  assert_int_equal(ipc_name_resolve(longest, &info), UV_ENAMETOOLONG);
  longest[108] = '\0';
  assert_int_equal(ipc_name_resolve(longest, &info), 0);
  ipc_server_options_init(&pair.server_options, longest);
  ipc_client_options_init(&pair.client_options, longest);
  pair_fill(&pair);
  pair_open(&pair);
  pair_finish(&pair);
  assert_int_equal(ipc_name_resolve("@", &info), UV_EINVAL);
  assert_int_equal(ipc_name_resolve("@\xff", &info), UV_EINVAL);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_conversation),
      TEST(test_wait_for_server),
      TEST(test_options),
      TEST(test_length),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
