/* A server and a client that write down what happens to them. */
#include "pair.h"

static side_t* side_of(ipc_channel_t* channel) {
  return ipc_channel_data(channel);
}

static void keep_log(side_t* side, const void* data, size_t size) {
  if (size == 0) return;
  if (side->log_size + size > side->log_memory) {
    side->log_memory = 2 * (side->log_size + size);
    side->log = realloc(side->log, side->log_memory);
    assert_non_null(side->log);
  }
  memcpy(side->log + side->log_size, data, size);
  side->log_size += size;
}

/* ---- Callbacks ---------------------------------------------------------- */

static void opened(side_t* side) {
  side->opens++;
  side->opened_at = uv_hrtime();
  if (side->on_open != NULL) side->on_open(side);
}

static void on_connection(ipc_server_t* server, ipc_channel_t* channel) {
  pair_t* pair = ipc_server_data(server);
  side_t* side = &pair->accepted;

  if (pair->next_side != NULL) side = pair->next_side(pair);
  assert_null(side->channel);
  side->pair = pair;
  side->channel = channel;
  ipc_channel_set_data(channel, side);
  opened(side);
}

static void on_connect(ipc_channel_t* channel, int status) {
  side_t* side = side_of(channel);

  side->connects++;
  side->connect_status = status;
  if (status == 0) {
    opened(side);
  } else if (!side->stays && side->channel != NULL) {
    ipc_channel_close(channel); /* UV_EALREADY where that is why */
  }
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  side_t* side = side_of(channel);

  side->messages++;
  side->bytes += size;
  if (side->keeps_log) keep_log(side, data, size);
  if (side->echoes) assert_int_equal(side_send(side, data, size), 0);
  if (side->on_message != NULL) side->on_message(side, data, size);
}

static void on_drain(ipc_channel_t* channel) {
  side_t* side = side_of(channel);

  side->drains++;
  if (side->on_drain != NULL) side->on_drain(side);
}

static void on_end(ipc_channel_t* channel, int status) {
  side_t* side = side_of(channel);

  side->ends++;
  side->end_status = status;
  side->ended_at = uv_hrtime();
  if (side->on_end != NULL) side->on_end(side);
  if (!side->stays) side_close(side);
}

static void on_server_close(ipc_server_t* server) {
  pair_t* pair = ipc_server_data(server);

  pair->server_closes++;
  if (pair->on_server_close != NULL) pair->on_server_close(pair, server);
}

void pair_close_server(pair_t* pair) {
  if (pair->server == NULL) return;
  assert_int_equal(ipc_server_close(pair->server, on_server_close), 0);
  pair->server = NULL;
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  side_t* side = side_of(channel);

  side->closes++;
  side->result = *result;
  side->closed_at = uv_hrtime();
  if (side->on_close != NULL) side->on_close(side);
  side->channel = NULL;
  if (side->pair == NULL) return;
  if (side == &side->pair->accepted && !side->pair->stays) {
    pair_close_server(side->pair);
  }
}

/* ---- Pairs -------------------------------------------------------------- */

void pair_init(pair_t* pair) {
  memset(pair, 0, sizeof(*pair));
  pair->name = test_name();
  ipc_server_options_init(&pair->server_options, pair->name);
  ipc_client_options_init(&pair->client_options, pair->name);
  pair_fill(pair);
}

void pair_fill(pair_t* pair) {
  ipc_server_options_t* s = &pair->server_options;
  ipc_client_options_t* c = &pair->client_options;

  ipc_server_options_on_connection(s, on_connection);
  ipc_server_options_on_message(s, on_message);
  ipc_server_options_on_drain(s, on_drain);
  ipc_server_options_on_end(s, on_end);
  ipc_server_options_on_close(s, on_close);
  ipc_client_options_on_connect(c, on_connect);
  ipc_client_options_on_message(c, on_message);
  ipc_client_options_on_drain(c, on_drain);
  ipc_client_options_on_end(c, on_end);
  ipc_client_options_on_close(c, on_close);
}

void side_options(ipc_channel_options_t* options) {
  ipc_channel_options_init(options);
  ipc_channel_options_on_connect(options, on_connect);
  ipc_channel_options_on_message(options, on_message);
  ipc_channel_options_on_drain(options, on_drain);
  ipc_channel_options_on_end(options, on_end);
  ipc_channel_options_on_close(options, on_close);
}

void pair_raw_client(pair_t* pair) {
  ipc_client_options_set_framing(&pair->client_options,
                                 IPC_CHANNEL_FRAMING_RAW);
}

void pair_raw_server(pair_t* pair) {
  ipc_server_options_set_framing(&pair->server_options,
                                 IPC_CHANNEL_FRAMING_RAW);
}

void pair_raw(pair_t* pair) {
  pair_raw_client(pair);
  pair_raw_server(pair);
}

void pair_listen(pair_t* pair) {
  assert_int_equal(ipc_server_listen(test_loop(), &pair->server_options, pair,
                                     &pair->server),
                   0);
}

void pair_connect_side(pair_t* pair, side_t* side) {
  side->pair = pair;
  assert_int_equal(ipc_client_connect(test_loop(), &pair->client_options, side,
                                      &side->channel),
                   0);
}

void pair_connect(pair_t* pair) {
  pair_connect_side(pair, &pair->client);
}

void pair_open(pair_t* pair) {
  pair_listen(pair);
  pair_connect(pair);
  run_until(&pair->client.opens, 1);
  run_until(&pair->accepted.opens, 1);
}

void pair_wait_for_server(pair_t* pair) {
  pair_connect(pair);
  run_until(&pair->client.connects, 1);
  assert_int_equal(pair->client.connect_status, UV_ENOENT);
  run_until(&pair->client.closes, 1);
  side_free(&pair->client);
  memset(&pair->client, 0, sizeof(pair->client));
  ipc_client_options_set_wait_for_server(&pair->client_options, 1);
  pair_connect(pair);
  test_run_for(30);
  assert_int_equal(pair->client.connects, 0);
  pair_listen(pair);
  run_until(&pair->client.opens, 1);
  run_until(&pair->accepted.opens, 1);
}

void pair_finish(pair_t* pair) {
  /* One after the other: crossing closes have a test of their own. */
  if (pair->client.channel != NULL) {
    side_close(&pair->client);
    run_until(&pair->client.closes, 1);
  }
  side_close(&pair->accepted);
  pair_close_server(pair);
  test_run();
  assert_int_equal(pair->server_closes, 1);
  assert_null(pair->client.channel);
  assert_null(pair->accepted.channel);
  if (pair->accepted.opens > 0) assert_int_equal(pair->accepted.closes, 1);
  assert_int_equal(pair->client.closes, pair->client.pair != NULL);
  assert_true(pair->client.ends <= 1);
  assert_true(pair->accepted.ends <= 1);
  side_free(&pair->client);
  side_free(&pair->accepted);
}

/* ---- Sides -------------------------------------------------------------- */

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  side_t* side = side_of(channel);

  (void) sent;
  assert_false(side->in_call);
  assert_int_equal(side->sent + side->failed, (intptr_t) arg);
  assert_int_equal(side->closes, 0);
  if (status == 0) {
    assert_int_equal(side->failed, 0);
    side->sent++;
  } else {
    side->failed++;
    side->failure = status;
  }
  if (side->on_sent != NULL) side->on_sent(side);
}

static int send_either(side_t* side, const void* data, size_t size, int lend) {
  void* arg = (void*) side->asked;
  int err;

  side->in_call++;
  err = lend ? ipc_channel_send(side->channel, data, size, on_sent, arg)
             : ipc_channel_send_copy(side->channel, data, size, on_sent, arg);
  side->in_call--;
  if (err == 0) side->asked++;
  return err;
}

int side_send(side_t* side, const void* data, size_t size) {
  return send_either(side, data, size, 0);
}

int side_lend(side_t* side, const void* data, size_t size) {
  return send_either(side, data, size, 1);
}

void side_close(side_t* side) {
  int err;

  if (side->channel == NULL) return;
  err = ipc_channel_close(side->channel);
  assert_true(err == 0 || err == UV_EALREADY);
}

void side_free(side_t* side) {
  assert_int_equal(side->sent + side->failed, side->asked);
  free(side->log);
  side->log = NULL;
}

void run_until(const int* count, int target) {
  while (*count < target) {
    /* The watchdog ends a wait that has become hopeless. */
    if (!uv_loop_alive(test_loop())) {
      fail_msg("the loop has ended with %d of %d", *count, target);
    }
    test_turn();
  }
}

/* ---- Patterns ----------------------------------------------------------- */

static uint8_t pattern_byte(size_t i, unsigned int seed) {
  return (uint8_t) (i * 31 + (i >> 8) * 7 + (i >> 16) * 3 + seed * 101 + 13);
}

void pattern_fill(void* out, size_t size, unsigned int seed) {
  uint8_t* bytes = out;
  size_t i;

  for (i = 0; i < size; i++) bytes[i] = pattern_byte(i, seed);
}

void pattern_check(const void* data, size_t size, unsigned int seed) {
  const uint8_t* bytes = data;
  size_t i;

  for (i = 0; i < size; i++) {
    if (bytes[i] == pattern_byte(i, seed)) continue;
    fail_msg("message %u of %zu bytes differs at byte %zu", seed, size, i);
  }
}

/* ---- Time --------------------------------------------------------------- */

int elapsed_ms(uint64_t from) {
  return (int) ((uv_hrtime() - from) / 1000000);
}

typedef struct later_s {
  uv_timer_t timer;
  void (*call)(void* arg);
  void* arg;
} later_t;

static void on_later_closed(uv_handle_t* handle) {
  free(handle->data);
}

static void on_later(uv_timer_t* timer) {
  later_t* later = timer->data;

  later->call(later->arg);
  uv_close((uv_handle_t*) timer, on_later_closed);
}

void after(int ms, void (*call)(void* arg), void* arg) {
  later_t* later = malloc(sizeof(*later));

  assert_non_null(later);
  later->call = call;
  later->arg = arg;
  assert_int_equal(uv_timer_init(test_loop(), &later->timer), 0);
  later->timer.data = later;
  uv_timer_start(&later->timer, on_later, (uint64_t) ms, 0);
}
