/* Which way messages go, on both sides and in both framings, and what a client
 * waits for when it looks for its server. */
#include "harness.h"

#include "pair.h"

static const ipc_access_t all[] = {IPC_CHANNEL_ACCESS_DUPLEX,
                                   IPC_CHANNEL_ACCESS_INBOUND,
                                   IPC_CHANNEL_ACCESS_OUTBOUND};

/* ---- Access ------------------------------------------------------------- */

/* A client must not ask for more than the server gives. */
static int goes_with(ipc_access_t server, ipc_access_t client) {
  if (server == IPC_CHANNEL_ACCESS_DUPLEX) return 1;
  return client == (server == IPC_CHANNEL_ACCESS_INBOUND
                        ? IPC_CHANNEL_ACCESS_OUTBOUND
                        : IPC_CHANNEL_ACCESS_INBOUND);
}

static void init_access(pair_t* pair,
                        ipc_access_t server,
                        ipc_access_t client) {
  pair_init(pair);
  assert_int_equal(ipc_server_options_set_access(&pair->server_options, server),
                   0);
  assert_int_equal(ipc_client_options_set_access(&pair->client_options, client),
                   0);
}

static ipc_access_t access_of(const side_t* side) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(side->channel, &info), 0);
  return info.access;
}

static void never(ipc_channel_t* channel,
                  void* arg,
                  int status,
                  const void* data,
                  size_t size) {
  (void) channel;
  (void) arg;
  (void) status;
  (void) data;
  (void) size;
  fail_msg("%s", "a callback of a call that was refused");
}

/* This side receives only. */
static void assert_cannot_send(const side_t* side) {
  uv_buf_t piece = uv_buf_init((char*) "x", 1);
  ipc_channel_t* channel = side->channel;
  size_t sent;

  assert_int_equal(ipc_channel_send(channel, "x", 1, NULL, NULL), UV_EACCES);
  assert_int_equal(ipc_channel_send_copy(channel, "x", 1, NULL, NULL),
                   UV_EACCES);
  assert_int_equal(ipc_channel_send_timeout(channel, "x", 1, 100, NULL, NULL),
                   UV_EACCES);
  assert_int_equal(ipc_channel_send_vector(channel, &piece, 1, 100, NULL, NULL),
                   UV_EACCES);
  assert_int_equal(ipc_channel_try_send(channel, "x", 1, &sent), UV_EACCES);
  assert_int_equal(ipc_channel_try_send_vector(channel, &piece, 1, &sent),
                   UV_EACCES);
}

/* This side sends only. */
static void assert_cannot_receive(const side_t* side) {
  uv_buf_t piece;
  char room[8];
  const void* data;
  size_t size;

  piece = uv_buf_init(room, sizeof(room));
  assert_int_equal(
      ipc_channel_recv(side->channel, IPC_CHANNEL_INFINITE, never, NULL),
      UV_EACCES);
  assert_int_equal(ipc_channel_try_recv(side->channel, &data, &size),
                   UV_EACCES);
  assert_int_equal(ipc_channel_try_recv_vector(side->channel, &piece, 1, &size),
                   UV_EACCES);
}

static void assert_cannot_call(const side_t* side, int err) {
  assert_int_equal(ipc_channel_call(side->channel, "x", 1, 1000, never, NULL),
                   err);
}

/* What each side may and may not, and that what it may works. */
static void try_out(side_t* from,
                    ipc_access_t from_access,
                    side_t* to,
                    ipc_access_t to_access) {
  if (from_access == IPC_CHANNEL_ACCESS_INBOUND) {
    assert_cannot_send(from);
  } else if (to_access != IPC_CHANNEL_ACCESS_OUTBOUND) {
    assert_int_equal(side_send(from, "one", 3), 0);
    assert_int_equal(side_send(from, "two", 3), 0);
    while (to->bytes < 6) test_turn();
    assert_memory_equal(to->log, "onetwo", 6);
  }
  if (from_access == IPC_CHANNEL_ACCESS_OUTBOUND) assert_cannot_receive(from);
}

static void run_access(ipc_access_t server, ipc_access_t client, int is_raw) {
  pair_t pair;

  init_access(&pair, server, client);
  if (is_raw) pair_raw(&pair);
  pair.client.keeps_log = pair.accepted.keeps_log = 1;
  pair_open(&pair);
  assert_int_equal(access_of(&pair.client), client);
  if (server != IPC_CHANNEL_ACCESS_DUPLEX) {
    assert_int_equal(access_of(&pair.accepted), server);
  }
  try_out(&pair.client, client, &pair.accepted, server);
  try_out(&pair.accepted, server, &pair.client, client);
  if (is_raw) {
    assert_cannot_call(&pair.client, UV_EINVAL);
  } else {
    /* A duplex side goes by what its peer is there for. */
    if (client == IPC_CHANNEL_ACCESS_INBOUND) {
      assert_cannot_receive(&pair.accepted);
    }
    if (client == IPC_CHANNEL_ACCESS_OUTBOUND) {
      assert_cannot_send(&pair.accepted);
    }
    if (client != IPC_CHANNEL_ACCESS_DUPLEX) {
      assert_cannot_call(&pair.client, UV_EACCES);
    }
    if (server != IPC_CHANNEL_ACCESS_DUPLEX) {
      assert_cannot_call(&pair.accepted, UV_EACCES);
    }
  }
  assert_int_equal(pair.client.ends, 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.accepted.result.status, 0);
}

static void run_mismatch(ipc_access_t server, ipc_access_t client) {
  pair_t pair;

  init_access(&pair, server, client);
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_EACCES);
  assert_int_equal(pair.accepted.opens, 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, UV_EACCES);
}

static void test_native(void** state) {
  size_t s, c;

  (void) state;
  for (s = 0; s < 3; s++) {
    for (c = 0; c < 3; c++) {
      if (goes_with(all[s], all[c])) run_access(all[s], all[c], 0);
    }
  }
}

static void test_native_mismatch(void** state) {
  size_t s, c;

  (void) state;
  for (s = 0; s < 3; s++) {
    for (c = 0; c < 3; c++) {
      if (!goes_with(all[s], all[c])) run_mismatch(all[s], all[c]);
    }
  }
}

static void test_raw(void** state) {
  size_t s, c;

  (void) state;
  for (s = 0; s < 3; s++) {
    for (c = 0; c < 3; c++) {
      if (goes_with(all[s], all[c])) run_access(all[s], all[c], 1);
    }
  }
}

/* A pipe of one way is the system's to defend; a socket only ends the way that
 * isn't there. */
static void test_raw_duplex_client(void** state) {
  pair_t pair;

  (void) state;
  if (test_is_windows()) {
    size_t s;

    for (s = 1; s < 3; s++) {
      init_access(&pair, all[s], IPC_CHANNEL_ACCESS_DUPLEX);
      pair_raw(&pair);
      pair_listen(&pair);
      pair_connect(&pair);
      run_until(&pair.client.connects, 1);
      assert_int_equal(pair.client.connect_status, UV_EACCES);
      pair_finish(&pair);
    }
    return;
  }
  init_access(&pair, IPC_CHANNEL_ACCESS_INBOUND, IPC_CHANNEL_ACCESS_DUPLEX);
  pair_raw(&pair);
  pair.accepted.keeps_log = 1;
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, "still", 5), 0);
  while (pair.accepted.bytes < 5) test_turn();
  assert_memory_equal(pair.accepted.log, "still", 5);
  assert_int_equal(pair.client.ends, 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);

  init_access(&pair, IPC_CHANNEL_ACCESS_OUTBOUND, IPC_CHANNEL_ACCESS_DUPLEX);
  pair_raw(&pair);
  pair.client.keeps_log = 1;
  pair_open(&pair);
  assert_int_equal(side_send(&pair.accepted, "down", 4), 0);
  while (pair.client.bytes < 4) test_turn();
  assert_int_equal(pair.accepted.ends, 0);
  pair_finish(&pair);
}

/* Many messages one way, with the end and the acknowledgement that need the
 * other. */
static void run_stream(ipc_access_t server, ipc_access_t client) {
  enum { COUNT = 200 };
  static uint8_t body[10000];
  pair_t pair;
  side_t* from;
  side_t* to;
  int i;

  init_access(&pair, server, client);
  ipc_server_options_set_max_queue_bytes(&pair.server_options,
                                         (size_t) 1 << 30);
  ipc_client_options_set_max_queue_bytes(&pair.client_options,
                                         (size_t) 1 << 30);
  from = client == IPC_CHANNEL_ACCESS_OUTBOUND ? &pair.client : &pair.accepted;
  to = from == &pair.client ? &pair.accepted : &pair.client;
  pair_open(&pair);
  for (i = 0; i < COUNT; i++) {
    assert_int_equal(side_lend(from, body, sizeof(body)), 0);
  }
  side_close(from);
  run_until(&from->closes, 1);
  assert_int_equal(from->result.status, 0);
  assert_int_equal(from->result.unconfirmed, 0);
  assert_int_equal(to->messages, COUNT);
  run_until(&to->ends, 1);
  assert_int_equal(to->end_status, 0);
  pair_finish(&pair);
}

static void test_stream(void** state) {
  (void) state;
  run_stream(IPC_CHANNEL_ACCESS_INBOUND, IPC_CHANNEL_ACCESS_OUTBOUND);
  run_stream(IPC_CHANNEL_ACCESS_OUTBOUND, IPC_CHANNEL_ACCESS_INBOUND);
}

/* What a client sends before it knows better doesn't arrive. */
static void test_early_message_is_refused(void** state) {
  pair_t pair;

  (void) state;
  init_access(&pair, IPC_CHANNEL_ACCESS_OUTBOUND, IPC_CHANNEL_ACCESS_DUPLEX);
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "x", 1), 0);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_EACCES);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.unsent, 1);
  assert_int_equal(pair.accepted.opens, 0);
}

static void test_info(void** state) {
  ipc_server_info_t info;
  pair_t pair;
  size_t i;

  (void) state;
  for (i = 0; i < 3; i++) {
    init_access(&pair, all[i], IPC_CHANNEL_ACCESS_DUPLEX);
    pair_listen(&pair);
    assert_int_equal(ipc_server_info(pair.server, &info), 0);
    assert_int_equal(info.access, all[i]);
    pair_finish(&pair);
  }
}

/* ---- Waiting ------------------------------------------------------------ */

enum { SERVER = 1, INSTANCE = 2, BACKLOG = 4 };

static void set_waits(pair_t* pair, int waits) {
  ipc_client_options_t* o = &pair->client_options;

  ipc_client_options_set_wait_for_server(o, (waits & SERVER) != 0);
  ipc_client_options_set_wait_for_instance(o, (waits & INSTANCE) != 0);
  ipc_client_options_set_wait_for_backlog(o, (waits & BACKLOG) != 0);
}

static int last_attempt(const side_t* side) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(side->channel, &info), 0);
  return info.last_attempt;
}

static uint64_t attempts(const side_t* side) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  return stats.connect_attempts;
}

/* Nobody is there: not found, which is not busy. */
static void test_absent(void** state) {
  int waits;

  (void) state;
  for (waits = 0; waits < 8; waits++) {
    pair_t pair;

    pair_init(&pair);
    pair.client.stays = 1;
    set_waits(&pair, waits);
    pair_connect(&pair);
    if (waits & SERVER) {
      while (attempts(&pair.client) < 3) test_turn();
      assert_int_equal(pair.client.connects, 0);
      assert_int_equal(last_attempt(&pair.client), UV_ENOENT);
      pair_listen(&pair);
      run_until(&pair.client.connects, 1);
      assert_int_equal(pair.client.connect_status, 0);
    } else {
      run_until(&pair.client.connects, 1);
      assert_int_equal(pair.client.connect_status, UV_ENOENT);
      assert_int_equal(last_attempt(&pair.client), UV_ENOENT);
      pair_listen(&pair);
    }
    run_until(&pair.accepted.opens, (waits & SERVER) != 0);
    pair_finish(&pair);
  }
}

static side_t accepted[2];

static side_t* next_accepted(pair_t* pair) {
  (void) pair;
  return &accepted[accepted[0].opens > 0];
}

/* All instances are taken. */
static void test_taken(void** state) {
  int waits;

  (void) state;
  for (waits = 0; waits < 8; waits++) {
    side_t second = {0};
    pair_t pair;

    memset(accepted, 0, sizeof(accepted));
    pair_init(&pair);
    pair.next_side = next_accepted;
    ipc_server_options_set_max_instances(&pair.server_options, 1);
    pair_listen(&pair);
    pair_connect(&pair);
    run_until(&pair.client.opens, 1);
    set_waits(&pair, waits);
    second.stays = 1;
    pair_connect_side(&pair, &second);
    if (waits & INSTANCE) {
      while (attempts(&second) < 3) test_turn();
      assert_int_equal(second.connects, 0);
      side_close(&pair.client);
      run_until(&second.connects, 1);
      assert_int_equal(second.connect_status, 0);
    } else {
      run_until(&second.connects, 1);
      assert_int_equal(second.connect_status, UV_EBUSY);
      assert_int_equal(last_attempt(&second), UV_EBUSY);
    }
    side_close(&second);
    run_until(&second.closes, 1);
    pair_finish(&pair);
  }
}

/* A server whose loop stands still, with room for one client, who is there. */
typedef struct still_s {
  uv_loop_t loop;
  ipc_server_t* server;
  pair_t pair;
  side_t second;
} still_t;

static void still_open(still_t* still, int waits) {
  ipc_server_options_t options;

  memset(still, 0, sizeof(*still));
  pair_init(&still->pair);
  ipc_server_options_init(&options, still->pair.name);
  ipc_server_options_set_pending_instances(&options, 1);
  assert_int_equal(uv_loop_init(&still->loop), 0);
  assert_int_equal(
      ipc_server_listen(&still->loop, &options, NULL, &still->server), 0);
  pair_connect(&still->pair);
  while (attempts(&still->pair.client) == 0) test_turn();
  set_waits(&still->pair, waits);
  still->second.stays = 1;
  pair_connect_side(&still->pair, &still->second);
}

static void run_both(still_t* still) {
  uv_run(&still->loop, UV_RUN_NOWAIT);
  uv_run(test_loop(), UV_RUN_NOWAIT);
}

static void still_finish(still_t* still) {
  side_close(&still->second);
  side_close(&still->pair.client);
  while (still->second.closes == 0 || still->pair.client.closes == 0) {
    run_both(still);
  }
  assert_int_equal(ipc_server_close(still->server, NULL), 0);
  while (uv_loop_alive(&still->loop)) run_both(still);
  assert_int_equal(uv_loop_close(&still->loop), 0);
}

static void test_backlog(void** state) {
  int waits;

  (void) state;
  for (waits = 0; waits < 8; waits++) {
    still_t still;

    still_open(&still, waits);
    if (waits & BACKLOG) {
      while (attempts(&still.second) < 3) test_turn();
      assert_int_equal(still.second.connects, 0);
      assert_int_equal(last_attempt(&still.second), UV_EBUSY);
      while (still.second.connects == 0) run_both(&still);
      assert_int_equal(still.second.connect_status, 0);
    } else {
      run_until(&still.second.connects, 1);
      assert_int_equal(still.second.connect_status, UV_EBUSY);
    }
    still_finish(&still);
  }
}

static void take_nobody(ipc_server_t* server,
                        void* arg,
                        int status,
                        ipc_channel_t* channel) {
  (void) server;
  (void) arg;
  assert_int_equal(status, UV_ETIMEDOUT);
  assert_null(channel);
}

/* Absent at first, then busy for ever: one deadline for both. */
static void test_one_deadline(void** state) {
  pair_t pair;
  uint64_t start;

  (void) state;
  pair_init(&pair);
  ipc_server_options_on_connection(&pair.server_options, NULL);
  ipc_server_options_set_waiting_instances(&pair.server_options, 0);
  ipc_client_options_set_connect_timeout(&pair.client_options, 600);
  set_waits(&pair, SERVER | INSTANCE | BACKLOG);
  pair.client.stays = 1;
  start = uv_hrtime();
  pair_connect(&pair);
  while (attempts(&pair.client) < 3) test_turn();
  assert_int_equal(last_attempt(&pair.client), UV_ENOENT);
  /* Whoever comes is to be asked for, and nobody asks. */
  pair_listen(&pair);
  assert_int_equal(ipc_server_accept(pair.server, 0, take_nobody, NULL), 0);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_ETIMEDOUT);
  /* 0: it was about to hear once more that the server is busy. */
  if (last_attempt(&pair.client) != 0) {
    assert_int_equal(last_attempt(&pair.client), UV_EBUSY);
  }
  assert_true(elapsed_ms(start) >= 600);
  assert_true(elapsed_ms(start) < 600 + 5000);
  pair_finish(&pair);
}

/* The old name for two of them. */
static void test_wait_when_busy(void** state) {
  side_t second = {0};
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  pair_open(&pair);
  set_waits(&pair, INSTANCE | BACKLOG);
  ipc_client_options_set_wait_when_busy(&pair.client_options, 0);
  pair_connect_side(&pair, &second);
  run_until(&second.connects, 1);
  assert_int_equal(second.connect_status, UV_EBUSY);
  run_until(&second.closes, 1);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_native),       TEST(test_native_mismatch),
      TEST(test_raw),          TEST(test_raw_duplex_client),
      TEST(test_stream),       TEST(test_early_message_is_refused),
      TEST(test_info),         TEST(test_absent),
      TEST(test_taken),        TEST(test_backlog),
      TEST(test_one_deadline), TEST(test_wait_when_busy),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
