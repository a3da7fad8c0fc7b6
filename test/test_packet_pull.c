/* The packet framing, pulled: receives, sends that are withdrawn, and channels
 * without a loop. Where the system has no packets, test_packet.c says so. */
#include "harness.h"

#include "pull.h"

static pair_t pair;
static uint8_t data[25000];

/* Options without callbacks. */
static int prepare(void) {
  ipc_client_options_t* c = &pair.client_options;

  pair_init(&pair);
  ipc_server_options_init(&pair.server_options, pair.name);
  ipc_client_options_init(c, pair.name);
  ipc_server_options_set_framing(&pair.server_options,
                                 IPC_CHANNEL_FRAMING_PACKET);
  return ipc_client_options_set_framing(c, IPC_CHANNEL_FRAMING_PACKET) == 0;
}

/* ---- Pulling ------------------------------------------------------------ */

static void open_pulled(void) {
  pull_init(&pair);
  ipc_server_options_set_framing(&pair.server_options,
                                 IPC_CHANNEL_FRAMING_PACKET);
  ipc_client_options_set_framing(&pair.client_options,
                                 IPC_CHANNEL_FRAMING_PACKET);
  ipc_client_options_set_max_queue_bytes(&pair.client_options,
                                         (size_t) 64 << 20);
  pair_open(&pair);
}

static void test_pull(void** state) {
  op_t first = {0};
  op_t second = {0};
  op_t ready = {0};
  const void* bytes;
  size_t size;

  (void) state;
  if (!prepare()) return;
  open_pulled();
  op_recv(&first, &pair.accepted, IPC_CHANNEL_INFINITE);
  op_recv(&second, &pair.accepted, IPC_CHANNEL_INFINITE);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  op_gets(&first, "one");
  op_gets(&second, "two");
  assert_int_equal(ipc_channel_try_recv(pair.accepted.channel, &bytes, &size),
                   UV_EAGAIN);
  side_say(&pair.client, "three");
  side_say(&pair.client, "four");
  op_ready(&ready, &pair.accepted, IPC_CHANNEL_READABLE, IPC_CHANNEL_INFINITE);
  op_ends(&ready, 0);
  assert_int_equal(ipc_channel_try_recv(pair.accepted.channel, &bytes, &size),
                   0);
  assert_int_equal(size, 5);
  assert_memory_equal(bytes, "three", 5);
  side_gets(&pair.accepted, "four");
  pair_finish(&pair);
}

/* Into pieces: whole, or not at all. */
static void test_pull_vector(void** state) {
  op_t ready = {0};
  uv_buf_t pieces[2];
  char small[4];
  char large[16];
  size_t size;

  (void) state;
  if (!prepare()) return;
  open_pulled();
  side_say(&pair.client, "seven..");
  op_ready(&ready, &pair.accepted, IPC_CHANNEL_READABLE, IPC_CHANNEL_INFINITE);
  op_ends(&ready, 0);
  pieces[0] = uv_buf_init(small, sizeof(small));
  pieces[1] = uv_buf_init(large, sizeof(large));
  assert_int_equal(
      ipc_channel_try_recv_vector(pair.accepted.channel, pieces, 1, &size),
      UV_ENOBUFS);
  assert_int_equal(size, 7);
  assert_int_equal(
      ipc_channel_try_recv_vector(pair.accepted.channel, pieces, 2, &size), 0);
  assert_int_equal(size, 7);
  assert_memory_equal(small, "seve", 4);
  assert_memory_equal(large, "n..", 3);
  pair_finish(&pair);
}

/* What hasn't begun to leave is withdrawn; the others come whole. */
static void test_cancel(void** state) {
  op_t sends[400];
  int taken = 0;
  int i;

  (void) state;
  if (!prepare()) return;
  memset(sends, 0, sizeof(sends));
  open_pulled();
  for (i = 0; i < 400; i++) {
    pattern_fill(data, sizeof(data), (unsigned int) i);
    op_put(&sends[i], &pair.client, data, sizeof(data), 1);
  }
  test_run_for(20);
  for (i = 399; i >= 0; i--) {
    if (sends[i].calls > 0 || op_cancel(&sends[i]) != 0) break;
  }
  taken = i + 1;
  assert_in_range(taken, 1, 399);
  for (i = 0; i < taken; i++) {
    op_t get = {0};

    op_recv(&get, &pair.accepted, IPC_CHANNEL_INFINITE);
    op_ends(&get, 0);
    assert_int_equal(get.size, sizeof(data));
    assert_int_equal((uint8_t) get.text[0], (uint8_t) (i * 101 + 13));
  }
  for (i = 0; i < 400; i++) op_ends(&sends[i], i < taken ? 0 : UV_ECANCELED);
  pair_finish(&pair);
}

/* ---- Without a loop ----------------------------------------------------- */

static void test_blocking(void** state) {
  ipc_channel_t* accepted;
  ipc_channel_t* client;
  ipc_server_t* server;
  const void* bytes;
  size_t size;

  (void) state;
  if (!prepare()) return;
  assert_int_equal(ipc_server_listen(NULL, &pair.server_options, NULL, &server),
                   0);
  assert_int_equal(ipc_client_connect_wait(&pair.client_options, NULL, &client),
                   0);
  assert_int_equal(ipc_server_accept_wait(server, 5000, &accepted), 0);
  assert_int_equal(ipc_channel_send_wait(client, "one", 3, 5000, &size), 0);
  assert_int_equal(ipc_channel_send_wait(client, "three", 5, 5000, &size), 0);
  assert_int_equal(ipc_channel_recv_wait(accepted, 5000, &bytes, &size), 0);
  assert_int_equal(size, 3);
  assert_int_equal(ipc_channel_recv_wait(accepted, 5000, &bytes, &size), 0);
  assert_int_equal(size, 5);
  assert_memory_equal(bytes, "three", 5);
  assert_int_equal(ipc_channel_close_wait(client, NULL), 0);
  assert_int_equal(ipc_channel_recv_wait(accepted, 5000, &bytes, &size),
                   UV_EOF);
  assert_int_equal(ipc_channel_close_wait(accepted, NULL), 0);
  assert_int_equal(ipc_server_close_wait(server), 0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_pull),
      TEST(test_pull_vector),
      TEST(test_cancel),
      TEST(test_blocking),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
