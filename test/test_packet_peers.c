/* The packet framing: who finds whom, by name or by handle, peers of the wrong
 * kind, and peers that leave. Where the system has no packets, test_packet.c
 * says so. */
#include "harness.h"

#include <stdio.h>

#include "pair.h"

static pair_t pair;
static uint8_t data[4096];

static int has_packets(void) {
  ipc_channel_options_t options;

  ipc_channel_options_init(&options);
  return ipc_channel_options_set_framing(&options,
                                         IPC_CHANNEL_FRAMING_PACKET) == 0;
}

static void set_framings(ipc_framing_t server, ipc_framing_t client) {
  ipc_server_options_set_framing(&pair.server_options, server);
  ipc_client_options_set_framing(&pair.client_options, client);
}

static int prepare(void) {
  pair_init(&pair);
  if (!has_packets()) return 0;
  set_framings(IPC_CHANNEL_FRAMING_PACKET, IPC_CHANNEL_FRAMING_PACKET);
  return 1;
}

/* For another name than pair_init's. */
static void rename_to(const char* name) {
  ipc_server_options_init(&pair.server_options, name);
  ipc_client_options_init(&pair.client_options, name);
  pair_fill(&pair);
  set_framings(IPC_CHANNEL_FRAMING_PACKET, IPC_CHANNEL_FRAMING_PACKET);
}

static void check_probe(const char* name, ipc_name_state_t expected) {
  ipc_name_state_t found;

  assert_int_equal(ipc_name_probe(name, &found, NULL), 0);
  assert_int_equal(found, expected);
}

static void exchange(void) {
  assert_int_equal(side_send(&pair.client, "to", 2), 0);
  assert_int_equal(side_send(&pair.client, "and", 3), 0);
  assert_int_equal(side_send(&pair.accepted, "fro", 3), 0);
  run_until(&pair.accepted.messages, 2);
  run_until(&pair.client.messages, 1);
}

static void connect_in_vain(int expected) {
  pair_connect(&pair);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.connect_status, expected);
}

/* ---- By name ------------------------------------------------------------ */

static side_t looker;

static side_t* next_side(pair_t* p) {
  return p->accepted.opens == 0 ? &p->accepted : &looker;
}

/* A look at a name that has packets is a client that comes and goes. */
static void check_live(const char* name) {
  memset(&looker, 0, sizeof(looker));
  pair.next_side = next_side;
  check_probe(name, IPC_CHANNEL_NAME_LIVE);
  run_until(&looker.closes, 1);
  assert_int_equal(looker.messages, 0);
}

static void test_probe(void** state) {
  (void) state;
  if (!prepare()) return;
  check_probe(pair.name, IPC_CHANNEL_NAME_ABSENT);
  pair_open(&pair);
  check_live(pair.name);
  exchange();
  pair_finish(&pair);
  check_probe(pair.name, IPC_CHANNEL_NAME_ABSENT);
}

/* Each kind keeps its name from the other. */
static void check_name_taken(ipc_framing_t first, ipc_framing_t second) {
  ipc_server_t* other;

  if (!prepare()) return;
  set_framings(first, first);
  pair_open(&pair);
  /* Under Wine the second has to look who is there. */
  memset(&looker, 0, sizeof(looker));
  pair.next_side = next_side;
  ipc_server_options_set_framing(&pair.server_options, second);
  assert_int_equal(
      ipc_server_listen(test_loop(), &pair.server_options, NULL, &other),
      UV_EADDRINUSE);
  pair_finish(&pair);
}

static void test_name_taken(void** state) {
  (void) state;
  check_name_taken(IPC_CHANNEL_FRAMING_PACKET, IPC_CHANNEL_FRAMING_RAW);
  check_name_taken(IPC_CHANNEL_FRAMING_RAW, IPC_CHANNEL_FRAMING_PACKET);
}

/* A Windows pipe can be read as bytes. */
static void check_client_of_packets(ipc_framing_t framing) {
  if (!prepare()) return;
  set_framings(IPC_CHANNEL_FRAMING_PACKET, framing);
  pair_listen(&pair);
  connect_in_vain(UV_EPROTOTYPE);
  pair_finish(&pair);
}

static void check_client_of_bytes(ipc_framing_t framing) {
  if (!prepare()) return;
  set_framings(framing, IPC_CHANNEL_FRAMING_PACKET);
  pair_listen(&pair);
  connect_in_vain(UV_EPROTOTYPE);
  pair_finish(&pair);
}

static void test_wrong_kind(void** state) {
  (void) state;
  check_client_of_bytes(IPC_CHANNEL_FRAMING_RAW);
  check_client_of_bytes(IPC_CHANNEL_FRAMING_NATIVE);
  if (test_is_windows()) return;
  check_client_of_packets(IPC_CHANNEL_FRAMING_RAW);
  check_client_of_packets(IPC_CHANNEL_FRAMING_NATIVE);
}

/* What a raw client writes to a server of packets on Windows. */
static void test_raw_client(void** state) {
  (void) state;
  if (!test_is_windows()) return; /* UV_EPROTOTYPE, see above */
  if (!prepare()) return;
  set_framings(IPC_CHANNEL_FRAMING_PACKET, IPC_CHANNEL_FRAMING_RAW);
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, "bytes", 5), 0);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.bytes, 5);
  assert_int_equal(side_send(&pair.accepted, "one", 3), 0);
  assert_int_equal(side_send(&pair.accepted, "two", 3), 0);
  while (pair.client.bytes < 6) test_turn();
  pair_finish(&pair);
}

/* One way, by a message that Windows would cut in two were it of bytes. */
static void check_one_way(ipc_access_t server, ipc_access_t client) {
  size_t size = test_is_windows() ? 300000 : 150000;
  uint8_t* large = malloc(size);
  side_t* sender;
  side_t* receiver;

  assert_non_null(large);
  pattern_fill(large, size, 1);
  prepare();
  ipc_server_options_set_access(&pair.server_options, server);
  ipc_client_options_set_access(&pair.client_options, client);
  pair_open(&pair);
  sender =
      server == IPC_CHANNEL_ACCESS_OUTBOUND ? &pair.accepted : &pair.client;
  receiver = sender == &pair.client ? &pair.accepted : &pair.client;
  assert_int_equal(side_send(receiver, "x", 1), UV_EACCES);
  assert_int_equal(side_send(sender, large, size), 0);
  assert_int_equal(side_send(sender, "x", 1), 0);
  run_until(&receiver->messages, 2);
  assert_int_equal(receiver->bytes, size + 1);
  side_close(receiver);
  run_until(&receiver->closes, 1);
  pair_finish(&pair);
  free(large);
}

static void test_one_way(void** state) {
  (void) state;
  if (!prepare()) return;
  check_one_way(IPC_CHANNEL_ACCESS_INBOUND, IPC_CHANNEL_ACCESS_OUTBOUND);
  check_one_way(IPC_CHANNEL_ACCESS_OUTBOUND, IPC_CHANNEL_ACCESS_INBOUND);
}

/* Linux alone. Of abstract names there is one for each kind of socket. */
static void test_abstract(void** state) {
  char name[128];
  ipc_name_info_t info;

  (void) state;
  if (!prepare()) return;
  snprintf(name, sizeof(name), "@%s", pair.name);
  if (ipc_name_resolve(name, &info) == UV_ENOTSUP) {
    assert_true(test_is_windows());
    return;
  }
  rename_to(name);
  check_probe(name, IPC_CHANNEL_NAME_ABSENT);
  pair_open(&pair);
  check_live(name);
  exchange();
  pair_finish(&pair);

  prepare();
  rename_to(name);
  set_framings(IPC_CHANNEL_FRAMING_PACKET, IPC_CHANNEL_FRAMING_RAW);
  pair_listen(&pair);
  connect_in_vain(UV_ENOENT);
  pair_finish(&pair);
}

/* ---- By handle ---------------------------------------------------------- */

/* What somebody else serves has its name; what he has left behind hasn't. */
static void test_foreign_server(void** state) {
  ipc_name_info_t info;
  uv_os_fd_t listener;
  ipc_server_t* server;

  (void) state;
  if (!prepare() || test_is_windows()) return;
  assert_int_equal(ipc_name_resolve(pair.name, &info), 0);
  assert_int_equal(
      test_make_handle(TEST_LISTENER_SEQPACKET, info.os_name, &listener), 0);
  check_probe(pair.name, IPC_CHANNEL_NAME_LIVE);
  ipc_server_options_set_framing(&pair.server_options, IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(
      ipc_server_listen(test_loop(), &pair.server_options, NULL, &server),
      UV_EADDRINUSE);
  test_close_handle(listener);
  check_probe(pair.name, IPC_CHANNEL_NAME_STALE);
  pair_listen(&pair);
  pair_close_server(&pair);
  pair_finish(&pair);
}

static void test_listener(void** state) {
  ipc_name_info_t info;
  ipc_server_info_t server_info;
  uv_os_fd_t listener;
  uv_os_fd_t stream;

  (void) state;
  if (!prepare() || test_is_windows()) return;
  assert_int_equal(ipc_name_resolve(pair.name, &info), 0);
  assert_int_equal(
      test_make_handle(TEST_LISTENER_SEQPACKET, info.os_name, &listener), 0);
  assert_int_equal(
      ipc_server_options_set_listener(&pair.server_options, listener), 0);
  pair_open(&pair);
  assert_int_equal(ipc_server_info(pair.server, &server_info), 0);
  assert_int_equal(server_info.transport, IPC_CHANNEL_TRANSPORT_SEQPACKET);
  assert_string_equal(server_info.os_name, info.os_name);
  exchange();
  pair_finish(&pair);
  remove(info.os_name);

  prepare();
  assert_int_equal(test_make_handle(TEST_LISTENER, info.os_name, &stream), 0);
  assert_int_equal(
      ipc_server_options_set_listener(&pair.server_options, stream), 0);
  assert_int_equal(
      ipc_server_listen(test_loop(), &pair.server_options, &pair, &pair.server),
      UV_EPROTOTYPE);
  assert_true(test_handle_is_open(stream));
  test_close_handle(stream);
  remove(info.os_name);
}

static void open_end(ipc_framing_t framing,
                     uv_os_fd_t handle,
                     side_t* side,
                     int expected) {
  ipc_channel_options_t options;

  memset(side, 0, sizeof(*side));
  side_options(&options);
  ipc_channel_options_set_framing(&options, framing);
  assert_int_equal(
      ipc_channel_open(test_loop(), &options, handle, side, &side->channel),
      expected);
}

/* Handles of one kind are for no channel of the other. */
static void test_pair_handles(void** state) {
  const unsigned int one_way = IPC_PAIR_PACKET | IPC_PAIR_ONE_WAY;
  uv_os_fd_t ends[2];
  side_t sides[2];

  (void) state;
  if (!prepare()) return;
  assert_int_equal(ipc_pair_create(one_way, 0, ends), UV_EINVAL);
  assert_int_equal(ipc_pair_create(IPC_PAIR_PACKET, 0, ends), 0);
  open_end(IPC_CHANNEL_FRAMING_RAW, ends[0], &sides[0], UV_EPROTOTYPE);
  open_end(IPC_CHANNEL_FRAMING_NATIVE, ends[0], &sides[0], UV_EPROTOTYPE);
  open_end(IPC_CHANNEL_FRAMING_PACKET, ends[0], &sides[0], 0);
  open_end(IPC_CHANNEL_FRAMING_PACKET, ends[1], &sides[1], 0);
  assert_int_equal(side_send(&sides[0], "one", 3), 0);
  assert_int_equal(side_send(&sides[0], "three", 5), 0);
  run_until(&sides[1].messages, 2);
  side_close(&sides[0]);
  run_until(&sides[1].closes, 1);
  test_run();
  side_free(&sides[0]);
  side_free(&sides[1]);

  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends), 0);
  open_end(IPC_CHANNEL_FRAMING_PACKET, ends[0], &sides[0], UV_EPROTOTYPE);
  test_close_handle(ends[0]);
  test_close_handle(ends[1]);
}

static void test_channel_pair(void** state) {
  ipc_channel_options_t o[2];
  const ipc_channel_options_t* const both[2] = {&o[0], &o[1]};
  ipc_channel_t* channels[2];
  side_t sides[2];
  void* const sides_of[2] = {&sides[0], &sides[1]};
  int i;

  (void) state;
  if (!prepare()) return;
  memset(sides, 0, sizeof(sides));
  for (i = 0; i < 2; i++) {
    side_options(&o[i]);
    ipc_channel_options_set_framing(&o[i], IPC_CHANNEL_FRAMING_PACKET);
  }
  assert_int_equal(ipc_channel_pair(test_loop(), both, sides_of, channels), 0);
  for (i = 0; i < 2; i++) sides[i].channel = channels[i];
  assert_int_equal(side_send(&sides[0], "one", 3), 0);
  assert_int_equal(side_send(&sides[0], "three", 5), 0);
  run_until(&sides[1].messages, 2);
  assert_int_equal(sides[1].bytes, 8);
  side_close(&sides[1]);
  run_until(&sides[0].closes, 1);
  test_run();
  side_free(&sides[0]);
  side_free(&sides[1]);
}

/* ---- Peers that leave --------------------------------------------------- */

#define LAST_WORDS 20
#define LEAVERS 300

static int left;

/* In the child: says its words to each client and leaves, without reading what
 * the client has to say. */
static void on_leaver_connection(ipc_server_t* server, ipc_channel_t* channel) {
  int i;

  for (i = 0; i < LAST_WORDS; i++) {
    pattern_fill(data, 100, (unsigned int) i);
    if (ipc_channel_send_copy(channel, data, 100, NULL, NULL) != 0) exit(3);
  }
  ipc_channel_close(channel);
  if (++left == LEAVERS) ipc_server_close(server, NULL);
}

static int play_leaver(int argc, char** argv) {
  ipc_server_options_t options;
  ipc_server_t* server;
  uv_loop_t loop;

  (void) argc;
  uv_loop_init(&loop);
  ipc_server_options_init(&options, argv[0]);
  ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_PACKET);
  ipc_server_options_on_connection(&options, on_leaver_connection);
  if (ipc_server_listen(&loop, &options, NULL, &server) != 0) return 2;
  test_say_ready();
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop) == 0 ? 0 : 4;
}

static void say_much(side_t* side) {
  int i;

  for (i = 0; i < 50; i++) {
    ipc_channel_send_copy(side->channel, data, 100, NULL, NULL);
  }
}

/* What it has said comes first, whatever became of what was said to it. */
static void test_leavers(void** state) {
  test_child_t* child;
  side_t side;
  int i;

  (void) state;
  if (!prepare()) return;
  child = test_spawn("leaver", pair.name, NULL);
  test_wait_ready(child);
  for (i = 0; i < LEAVERS; i++) {
    memset(&side, 0, sizeof(side));
    side.on_open = say_much;
    pair_connect_side(&pair, &side);
    run_until(&side.closes, 1);
    assert_int_equal(side.connect_status, 0);
    assert_int_equal(side.end_status, 0);
    if (!test_is_windows()) assert_int_equal(side.messages, LAST_WORDS);
  }
  assert_int_equal(test_wait(child), 0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_probe),          TEST(test_name_taken), TEST(test_wrong_kind),
      TEST(test_raw_client),     TEST(test_one_way),    TEST(test_abstract),
      TEST(test_foreign_server), TEST(test_listener),   TEST(test_pair_handles),
      TEST(test_channel_pair),   TEST(test_leavers),
  };
  static const test_role_t roles[] = {{"leaver", play_leaver}, {NULL, NULL}};

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
