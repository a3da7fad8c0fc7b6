/* Memory that fails at any one point, from there on, or for a while: a
 * documented error each time, everything still closes, and nothing is lost. And
 * in the steady state, no allocations at all. */
#include "harness.h"

#include "pair.h"

#define LARGE ((size_t) 100 << 10)
/* More than the system takes at once. */
#define VERY_LARGE ((size_t) 700 << 10)

static test_memory_t memory;
static uint8_t body[VERY_LARGE];

static int is_send_error(int err) {
  return err == UV_ENOMEM || err == UV_EPIPE || err == UV_EAGAIN;
}

static void try_send(side_t* side, size_t size, int borrow) {
  int err = borrow ? side_lend(side, body, size) : side_send(side, body, size);

  if (err != 0) assert_true(is_send_error(err));
}

static void try_echo(side_t* side, const void* data, size_t size) {
  int err = side_send(side, data, size);

  if (err != 0) assert_true(is_send_error(err));
  assert_memory_equal(data, body, size);
}

static void use_memory(pair_t* pair) {
  ipc_allocator_t allocator = test_allocator(&memory);

  pair_init(pair);
  ipc_server_options_set_allocator(&pair->server_options, &allocator);
  ipc_client_options_set_allocator(&pair->client_options, &allocator);
}

/* A server and a client, three messages there and back, and the end. */
static void talk(pair_t* pair) {
  int err;

  err = ipc_server_listen(test_loop(), &pair->server_options, pair,
                          &pair->server);
  if (err != 0) {
    assert_int_equal(err, UV_ENOMEM);
    assert_null(pair->server);
    pair->server_closes = 1; /* as pair_finish expects */
    return;
  }
  pair->client.pair = pair;
  err = ipc_client_connect(test_loop(), &pair->client_options, &pair->client,
                           &pair->client.channel);
  if (err != 0) {
    assert_int_equal(err, UV_ENOMEM);
    assert_null(pair->client.channel);
    pair->client.pair = NULL;
    return;
  }
  try_send(&pair->client, 10, 0);
  try_send(&pair->client, 5000, 0);
  try_send(&pair->client, VERY_LARGE, 1);
  err = ipc_channel_end(pair->client.channel);
  if (err != 0) {
    assert_int_equal(err, UV_ENOMEM);
    side_close(&pair->client);
  }
  run_until(&pair->client.closes, 1);
}

static void check_statuses(const pair_t* pair) {
  const side_t* client = &pair->client;
  const side_t* server = &pair->accepted;

  assert_true(client->connect_status == 0 ||
              client->connect_status == UV_ENOMEM ||
              client->connect_status == UV_ECANCELED ||
              client->connect_status == UV_ECONNREFUSED);
  assert_true(client->end_status == 0 || client->end_status == UV_ENOMEM ||
              client->end_status == UV_ECONNRESET);
  assert_true(server->end_status == 0 || server->end_status == UV_ENOMEM ||
              server->end_status == UV_ECONNRESET);
  assert_true(client->messages <= 3 && server->messages <= 3);
  if (client->pair != NULL && client->opens > 0) {
    assert_int_equal(client->result.unsent, client->failed);
    assert_true(client->result.unconfirmed <= (uint64_t) client->sent);
  }
  if (server->opens > 0) {
    assert_int_equal(server->result.unsent, server->failed);
    assert_true(server->result.unconfirmed <= (uint64_t) server->sent);
  }
}

/* The n-th allocation fails and `count` in all, for every n until none does;
 * returns how many n there were. */
static int64_t run_failures(int64_t count) {
  pair_t pair;
  int64_t n;

  pattern_fill(body, sizeof(body), 1);
  for (n = 1;; n++) {
    memset(&memory, 0, sizeof(memory));
    use_memory(&pair);
    pair.accepted.on_message = try_echo;
    ipc_server_options_set_close_timeout(&pair.server_options, 50);
    ipc_client_options_set_close_timeout(&pair.client_options, 50);
    memory.fail_from = n;
    memory.fail_to = count == 0 ? INT64_MAX : n + count;
    talk(&pair);
    pair_finish(&pair);
    check_statuses(&pair);
    if (memory.blocks != 0) {
      fail_msg("allocation %d failed: %d blocks are left", (int) n,
               (int) memory.blocks);
    }
    if (memory.calls < n) break;
  }
  assert_int_equal(pair.client.messages, 3);
  assert_int_equal(pair.accepted.messages, 3);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.accepted.result.status, 0);
  return n - 1;
}

static void test_one_fails(void** state) {
  (void) state;
  assert_true(run_failures(1) >= 10);
}

static void test_some_fail(void** state) {
  (void) state;
  run_failures(2);
  run_failures(3);
  run_failures(7);
}

static void test_all_fail(void** state) {
  (void) state;
  run_failures(0);
}

static int errors;
static int last_error;

static void keep_error(ipc_server_t* server, int status) {
  (void) server;
  errors++;
  last_error = status;
}

/* One client comes to a server whose n-th allocation from then on fails; it
 * gets in all the same, or the server says why not. Returns whether there were
 * so many. */
static int run_turned_away(int64_t n) {
  ipc_server_stats_t stats;
  ipc_allocator_t usual;
  test_memory_t theirs;
  pair_t pair;
  int has_failed;

  memset(&memory, 0, sizeof(memory));
  memset(&theirs, 0, sizeof(theirs));
  errors = last_error = 0;
  use_memory(&pair);
  usual = test_allocator(&theirs);
  ipc_client_options_set_allocator(&pair.client_options, &usual);
  ipc_server_options_on_error(&pair.server_options, keep_error);
  pair.client.stays = 1;
  pair_listen(&pair);
  memory.fail_from = memory.calls + n;
  memory.fail_to = memory.fail_from + 1;
  pair_connect(&pair);
  run_until(&pair.client.connects, 1);
  has_failed = memory.calls >= memory.fail_from;
  if (pair.client.connect_status != 0) {
    assert_true(has_failed);
    assert_int_equal(errors, 1);
    assert_int_equal(last_error, UV_ENOMEM);
  } else {
    run_until(&pair.accepted.opens, 1);
    assert_int_equal(errors, 0);
  }
  assert_int_equal(ipc_server_stats(pair.server, &stats), 0);
  assert_int_equal(stats.accept_errors, errors);
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
  assert_int_equal(theirs.blocks, 0);
  return has_failed;
}

static void test_turned_away(void** state) {
  int64_t n = 1;

  (void) state;
  while (run_turned_away(n)) n++;
  assert_true(n > 2); /* a channel, and its hello */
}

/* ---- The steady state --------------------------------------------------- */

static void echo_borrowed(side_t* side, const void* data, size_t size) {
  (void) data;
  assert_int_equal(side_lend(side, body, size), 0);
}

static void round_trips(pair_t* pair, size_t size, int count) {
  while (count-- > 0) {
    int next = pair->client.messages + 1;

    assert_int_equal(side_send(&pair->client, body, size), 0);
    run_until(&pair->client.messages, next);
  }
}

static void run_steady(size_t size, int borrow) {
  int64_t calls, bytes;
  pair_t pair;

  memset(&memory, 0, sizeof(memory));
  use_memory(&pair);
  pair.accepted.echoes = !borrow;
  pair.accepted.on_message = borrow ? echo_borrowed : NULL;
  pair_open(&pair);
  round_trips(&pair, size, 100);
  calls = memory.calls;
  bytes = memory.bytes;
  round_trips(&pair, size, 1000);
  assert_int_equal(memory.calls, calls);
  assert_true(memory.bytes <= bytes);
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
}

static void test_steady_small(void** state) {
  (void) state;
  run_steady(0, 0);
  run_steady(64, 0);
  run_steady(64, 1);
}

static void test_steady_large(void** state) {
  (void) state;
  run_steady(9000, 1);
  run_steady(LARGE, 0);
  run_steady(LARGE, 1);
}

/* ---- A sender that doesn't return to the loop ---------------------------- */

#define STORM_MESSAGES 1000000
#define STORM_BYTES 16
/* Of messages; so many batches may be under way, which is more than what
 * gathers before a write, and less than what the system takes. */
#define BATCH 500
#define BATCHES_AHEAD 8

static uv_sem_t batches;
static int stormed;
static int flush_every; /* 0: not at all */

static void read_storm(void* arg) {
  ipc_client_options_t options;
  ipc_channel_t* channel;
  const void* data;
  size_t size;
  int count = 0;

  ipc_client_options_init(&options, arg);
  if (ipc_client_connect_wait(&options, NULL, &channel) != 0) return;
  while (count < STORM_MESSAGES &&
         ipc_channel_recv_wait(channel, 30000, &data, &size) == 0) {
    if (++count % BATCH == 0) uv_sem_post(&batches);
  }
  ipc_channel_close_wait(channel, NULL);
}

/* Windows: what is written is taken in a later turn of the loop. */
static void send_storm(side_t* side) {
  int err;

  while (stormed < STORM_MESSAGES) {
    err = ipc_channel_send_copy(side->channel, body, STORM_BYTES, NULL, NULL);
    if (err == UV_EAGAIN && test_is_windows()) return;
    assert_int_equal(err, 0);
    if (flush_every > 0 && stormed % flush_every == 0) {
      assert_int_equal(ipc_channel_flush(side->channel), 0);
    }
    if (++stormed % BATCH == 0 && !test_is_windows()) uv_sem_wait(&batches);
  }
}

/* A million messages in one callback, to somebody who reads them: no more
 * memory than for what is under way. */
static void run_storm(int flushes) {
  ipc_channel_stats_t stats;
  uv_thread_t reader;
  pair_t pair;

  flush_every = flushes;
  stormed = 0;
  memset(&memory, 0, sizeof(memory));
  assert_int_equal(uv_sem_init(&batches, BATCHES_AHEAD), 0);
  use_memory(&pair);
  ipc_server_options_set_buffer_sizes(&pair.server_options, 0, 256 << 10);
  pair.accepted.on_open = pair.accepted.on_drain = send_storm;
  pair.accepted.stays = 1;
  pair_listen(&pair);
  assert_int_equal(
      uv_thread_create(&reader, read_storm, (void*) (intptr_t) pair.name), 0);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(stormed, STORM_MESSAGES);
  assert_int_equal(ipc_channel_stats(pair.accepted.channel, &stats), 0);
  assert_int_equal(stats.messages_sent, STORM_MESSAGES);
  assert_int_equal(pair.accepted.drains > 0, test_is_windows());
  assert_true(memory.peak < (8 << 20));
  uv_thread_join(&reader);
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
  uv_sem_destroy(&batches);
}

static void test_one_callback(void** state) {
  (void) state;
  run_storm(0);
  run_storm(100);
}

/* What hundreds of channels hold while nothing happens: little. */
static void test_idle_channels(void** state) {
  enum { COUNT = 100 };
  static side_t sides[2 * COUNT];
  ipc_server_stats_t stats;
  int64_t before;
  pair_t pair;
  int i;

  (void) state;
  memset(sides, 0, sizeof(sides));
  memset(&memory, 0, sizeof(memory));
  use_memory(&pair);
  ipc_server_options_on_connection(&pair.server_options, NULL);
  ipc_server_options_on_message(&pair.server_options, NULL);
  ipc_server_options_on_end(&pair.server_options, NULL);
  ipc_server_options_on_close(&pair.server_options, NULL);
  {
    /* The clients' memory is not of interest. */
    static test_memory_t theirs;
    ipc_allocator_t allocator = test_allocator(&theirs);

    ipc_client_options_set_allocator(&pair.client_options, &allocator);
    ipc_client_options_set_connect_timeout(&pair.client_options, 50000);
  }
  pair_listen(&pair);
  before = memory.bytes;
  for (i = 0; i < COUNT; i++) {
    pair_connect_side(&pair, &sides[i]);
    run_until(&sides[i].opens, 1);
  }
  assert_int_equal(ipc_server_stats(pair.server, &stats), 0);
  assert_int_equal(stats.instances, COUNT);
  /* One staging block and its rings stay with the hub. */
  assert_true(memory.bytes - before <= 128 * 1024 + COUNT * 1536);
  for (i = 0; i < COUNT; i++) side_close(&sides[i]);
  for (i = 0; i < COUNT; i++) run_until(&sides[i].closes, 1);
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_one_fails),     TEST(test_some_fail),
      TEST(test_all_fail),      TEST(test_turned_away),
      TEST(test_steady_small),  TEST(test_steady_large),
      TEST(test_idle_channels), TEST(test_one_callback),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
