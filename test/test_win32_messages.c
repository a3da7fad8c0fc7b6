/* Windows: the packet framing against programs that use message pipes by plain
 * Win32 calls, in both roles; every boundary is kept. */
#include "harness.h"

#include <windows.h>

#include "pair.h"
#include "win32_message_peers.h"

static pair_t pair;
static size_t (*size_of)(int n); /* the n-th message that is to come */

static void check_message(side_t* side, const void* data, size_t size) {
  int n = side->messages - 1;

  assert_int_equal(size, size_of(n));
  pattern_check(data, size, (unsigned int) n);
}

static void prepare(void) {
  pair_init(&pair);
  assert_int_equal(ipc_server_options_set_framing(&pair.server_options,
                                                  IPC_CHANNEL_FRAMING_PACKET),
                   0);
  assert_int_equal(ipc_client_options_set_framing(&pair.client_options,
                                                  IPC_CHANNEL_FRAMING_PACKET),
                   0);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 8 << 20);
  size_of = peer_message_size;
  pair.client.on_message = check_message;
}

static const char* os_name(void) {
  static ipc_name_info_t info;

  assert_int_equal(ipc_name_resolve(pair.name, &info), 0);
  return info.os_name;
}

/* A peer that serves, and our client. */
static test_child_t* open_client(const char* role, const char* how) {
  test_child_t* child = test_spawn(role, os_name(), how);

  test_wait_ready(child);
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  return child;
}

static void finish_client(void) {
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  side_free(&pair.client);
}

static void finish_server(void) {
  side_close(&pair.accepted);
  if (pair.accepted.opens > 0) run_until(&pair.accepted.closes, 1);
  pair_close_server(&pair);
  run_until(&pair.server_closes, 1);
  side_free(&pair.accepted);
}

/* ---- Our client --------------------------------------------------------- */

static void check_transport(ipc_channel_t* channel) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(channel, &info), 0);
  assert_int_equal(info.transport, IPC_CHANNEL_TRANSPORT_MESSAGE_PIPE);
  assert_int_equal(info.framing, IPC_CHANNEL_FRAMING_PACKET);
}

/* All at once, and all come back. */
static void check_echo(const char* role) {
  static char data[1 << 20];
  test_child_t* child;
  int n;

  prepare();
  child = open_client(role, NULL);
  check_transport(pair.client.channel);
  for (n = 0; n < PEER_MESSAGES; n++) {
    pattern_fill(data, peer_message_size(n), (unsigned int) n);
    assert_int_equal(side_send(&pair.client, data, peer_message_size(n)), 0);
  }
  run_until(&pair.client.messages, PEER_MESSAGES);
  assert_int_equal(pair.client.sent, PEER_MESSAGES);
  finish_client();
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(test_wait(child), 0);
}

static void test_blocking_server(void** state) {
  (void) state;
  check_echo("blocking_server");
}

static void test_overlapped_server(void** state) {
  (void) state;
  check_echo("overlapped_server");
}

/* Messages lie there before anybody reads. */
static void check_talking_server(const char* how, int pauses) {
  test_child_t* child;

  prepare();
  size_of = talk_message_size;
  child = open_client("talking_server", how);
  if (pauses) {
    assert_int_equal(ipc_channel_pause(pair.client.channel), 0);
    test_run_for(100);
    assert_int_equal(ipc_channel_resume(pair.client.channel), 0);
  }
  run_until(&pair.client.messages, TALK_MESSAGES);
  test_run_for(50);
  assert_int_equal(pair.client.messages, TALK_MESSAGES);
  assert_int_equal(pair.client.ends, 0);
  finish_client();
  assert_int_equal(test_wait(child), 0);
}

static void test_talking_server(void** state) {
  (void) state;
  check_talking_server(NULL, 0);
  check_talking_server(NULL, 1);
}

/* Nobody sees them, and they join no two others. */
static void test_empty_from_server(void** state) {
  (void) state;
  check_talking_server("empty", 0);
  check_talking_server("empty", 1);
}

static void test_killed_server(void** state) {
  test_child_t* child;

  (void) state;
  prepare();
  size_of = talk_message_size;
  child = open_client("talking_server", "hang");
  run_until(&pair.client.messages, 3);
  test_kill(child);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, 0);
  finish_client();
  assert_int_equal(test_wait(child), 1);
}

/* A pipe of bytes is none. */
static void test_byte_server(void** state) {
  test_child_t* child;

  (void) state;
  prepare();
  child = test_spawn("byte_server", os_name(), NULL);
  test_wait_ready(child);
  pair_connect(&pair);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_EPROTOTYPE);
  finish_client();
  test_wait(child);
}

/* But a client for bytes may read messages. */
static void test_raw_client(void** state) {
  test_child_t* child;

  (void) state;
  prepare();
  ipc_client_options_set_framing(&pair.client_options, IPC_CHANNEL_FRAMING_RAW);
  pair.client.on_message = NULL;
  child = open_client("talking_server", "hang");
  while (pair.client.bytes <
         talk_message_size(0) + talk_message_size(1) + talk_message_size(2)) {
    test_turn();
  }
  test_kill(child);
  run_until(&pair.client.ends, 1);
  finish_client();
  test_wait(child);
}

/* ---- Our server --------------------------------------------------------- */

static void listen_for(const char* role,
                       const char* how,
                       test_child_t** child) {
  pair_listen(&pair);
  *child = test_spawn(role, os_name(), how);
}

static void test_client(void** state) {
  test_child_t* child;

  (void) state;
  prepare();
  pair.accepted.echoes = 1;
  pair.accepted.on_message = check_message;
  listen_for("client", NULL, &child);
  run_until(&pair.accepted.closes, 1);
  assert_int_equal(pair.accepted.messages, PEER_MESSAGES);
  assert_int_equal(pair.accepted.end_status, 0);
  finish_server();
  assert_int_equal(test_wait(child), 0);
}

static int calls;
static side_t callers[PEER_MESSAGES];

static side_t* next_caller(pair_t* p) {
  (void) p;
  callers[calls].echoes = 1;
  return &callers[calls++];
}

/* A connection for each message. */
static void test_caller(void** state) {
  test_child_t* child;
  int n;

  (void) state;
  prepare();
  pair.stays = 1;
  pair.next_side = next_caller;
  listen_for("caller", NULL, &child);
  for (n = 0; n < PEER_MESSAGES; n++) {
    run_until(&callers[n].closes, 1);
    assert_int_equal(callers[n].messages, 1);
    assert_int_equal(callers[n].bytes, peer_message_size(n));
    side_free(&callers[n]);
  }
  finish_server();
  assert_int_equal(test_wait(child), 0);
}

/* It has gone before all is read, and nothing is lost. */
static void check_talking_client(const char* how) {
  test_child_t* child;

  prepare();
  size_of = talk_message_size;
  pair.accepted.on_message = check_message;
  listen_for("talking_client", how, &child);
  run_until(&pair.accepted.closes, 1);
  assert_int_equal(pair.accepted.messages, TALK_MESSAGES);
  assert_int_equal(pair.accepted.end_status, 0);
  finish_server();
  assert_int_equal(test_wait(child), 0);
}

static void test_talking_client(void** state) {
  (void) state;
  check_talking_client(NULL);
}

static void test_empty_from_client(void** state) {
  (void) state;
  check_talking_client("empty");
}

static void test_killed_client(void** state) {
  test_child_t* child;

  (void) state;
  prepare();
  size_of = talk_message_size;
  pair.accepted.on_message = check_message;
  listen_for("talking_client", "hang", &child);
  run_until(&pair.accepted.messages, 3);
  test_kill(child);
  run_until(&pair.accepted.closes, 1);
  assert_int_equal(pair.accepted.end_status, 0);
  finish_server();
  assert_int_equal(test_wait(child), 1);
}

/* ---- Handles ------------------------------------------------------------ */

static HANDLE make_end(DWORD pipe_mode, HANDLE* client) {
  DWORD open_mode = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED;
  HANDLE pipe;

  pipe =
      CreateNamedPipeA(os_name(), open_mode, pipe_mode, 1, 4096, 4096, 0, NULL);
  assert_true(pipe != INVALID_HANDLE_VALUE);
  *client = CreateFileA(os_name(), GENERIC_READ | GENERIC_WRITE, 0, NULL,
                        OPEN_EXISTING, 0, NULL);
  assert_true(*client != INVALID_HANDLE_VALUE);
  return pipe;
}

/* A server's end that others made, and read messages from. */
static void test_adopted(void** state) {
  ipc_channel_options_t options;
  side_t side = {0};
  HANDLE client;
  HANDLE pipe;
  DWORD bytes;
  char data[16];

  (void) state;
  prepare();
  pipe = make_end(PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, &client);
  side_options(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_PACKET);
  assert_int_equal(
      ipc_channel_open(test_loop(), &options, pipe, &side, &side.channel), 0);
  side.keeps_log = 1;
  check_transport(side.channel);
  assert_true(WriteFile(client, "one", 3, &bytes, NULL));
  assert_true(WriteFile(client, "", 0, &bytes, NULL));
  assert_true(WriteFile(client, "three", 5, &bytes, NULL));
  run_until(&side.messages, 2);
  assert_int_equal(side.bytes, 8);
  assert_memory_equal(side.log, "onethree", 8);
  assert_int_equal(side_send(&side, "back", 4), 0);
  run_until(&side.sent, 1);
  assert_true(ReadFile(client, data, sizeof(data), &bytes, NULL));
  assert_int_equal(bytes, 4);
  CloseHandle(client);
  run_until(&side.closes, 1);
  side_free(&side);
}

static void check_wrong_kind(DWORD type, ipc_framing_t framing) {
  ipc_channel_options_t options;
  ipc_channel_t* channel;
  HANDLE client;
  HANDLE pipe;

  prepare();
  pipe = make_end(type, &client);
  side_options(&options);
  ipc_channel_options_set_framing(&options, framing);
  assert_int_equal(
      ipc_channel_open(test_loop(), &options, pipe, NULL, &channel),
      UV_EPROTOTYPE);
  CloseHandle(pipe);
  CloseHandle(client);
}

static void test_wrong_kind(void** state) {
  (void) state;
  check_wrong_kind(PIPE_TYPE_BYTE, IPC_CHANNEL_FRAMING_PACKET);
  check_wrong_kind(PIPE_TYPE_MESSAGE, IPC_CHANNEL_FRAMING_RAW);
  check_wrong_kind(PIPE_TYPE_MESSAGE, IPC_CHANNEL_FRAMING_NATIVE);
}

/* The blocking ends of a pair are for programs like these. */
static void test_blocking_pair(void** state) {
  const unsigned int flags =
      IPC_PAIR_PACKET | IPC_PAIR_BLOCKING_0 | IPC_PAIR_BLOCKING_1;
  HANDLE ends[2];
  DWORD bytes;
  char data[16];
  int i;

  (void) state;
  assert_int_equal(ipc_pair_create(flags, 0, ends), 0);
  for (i = 0; i < 2; i++) {
    assert_true(WriteFile(ends[i], "one", 3, &bytes, NULL));
    assert_true(WriteFile(ends[i], "three", 5, &bytes, NULL));
    assert_true(ReadFile(ends[1 - i], data, sizeof(data), &bytes, NULL));
    assert_int_equal(bytes, 3);
    assert_false(ReadFile(ends[1 - i], data, 2, &bytes, NULL));
    assert_int_equal(GetLastError(), ERROR_MORE_DATA);
    assert_true(ReadFile(ends[1 - i], data, sizeof(data), &bytes, NULL));
    assert_int_equal(bytes, 3);
  }
  CloseHandle(ends[0]);
  CloseHandle(ends[1]);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_blocking_server),
      TEST(test_overlapped_server),
      TEST(test_talking_server),
      TEST(test_empty_from_server),
      TEST(test_killed_server),
      TEST(test_byte_server),
      TEST(test_raw_client),
      TEST(test_client),
      TEST(test_caller),
      TEST(test_talking_client),
      TEST(test_empty_from_client),
      TEST(test_killed_client),
      TEST(test_adopted),
      TEST(test_wrong_kind),
      TEST(test_blocking_pair),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), message_peers);
}
