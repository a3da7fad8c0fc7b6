/* Sends of all kinds, receives, deadlines, cancels and pauses at random, on
 * both sides at once. What the receivers get must be what the callbacks of the
 * sends said: in order, whole, nothing twice and nothing lost. */
#include "harness.h"

#include "pull.h"

#define FOREVER IPC_CHANNEL_INFINITE
#define SEEDS 12
#define STEPS 1200
#define RECEIVES 4
#define QUEUE_BYTES (512 << 10)

/* A message, and what its sender was told. */
typedef struct message_s {
  uint8_t* bytes; /* NULL: not ours any more */
  size_t size;
  ipc_op_t op; /* 0: a try_send, which has no callback */
  int calls;
  int status;
  size_t sent;
  int cancelled; /* with 0 */
} message_t;

typedef struct end_s {
  side_t* side;
  int is_raw;
  message_t messages[STEPS]; /* sent to the other end */
  int count;
  int in_call;
  op_t receives[RECEIVES];
  int cancelled[RECEIVES];
  op_t ready;
  uint8_t* log; /* what was received: the bytes, and each message's size */
  size_t log_size;
  size_t sizes[STEPS];
  int received;
} end_t;

static end_t ends[2];

/* ---- Chance ------------------------------------------------------------- */

static uint32_t chance;

/* Marsaglia's xorshift: the same everywhere. */
static size_t below(size_t limit) {
  chance ^= chance << 13;
  chance ^= chance >> 17;
  chance ^= chance << 5;
  return chance % limit;
}

static size_t some_size(void) {
  switch (below(10)) {
    case 0:
    case 1:
      return below(200 << 10);
    case 2:
    case 3:
    case 4:
      return below(5000);
    default:
      return below(100);
  }
}

static int some_timeout(void) {
  return below(4) == 0 ? FOREVER : (int) below(20);
}

/* ---- Sending ------------------------------------------------------------ */

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  message_t* message = arg;

  (void) channel;
  assert_false(ends[0].in_call || ends[1].in_call);
  assert_int_equal(message->calls, 0);
  message->calls++;
  message->status = status;
  message->sent = sent;
  assert_int_equal(status == UV_ECANCELED, message->cancelled);
  if (status == 0) {
    assert_int_equal(sent, message->size);
  } else if (status == UV_ECANCELED) {
    assert_int_equal(sent, 0);
  } else {
    assert_int_equal(status, UV_ETIMEDOUT);
    assert_true(sent <= message->size);
  }
  if (message->bytes != NULL) memset(message->bytes, 0xdd, message->size);
  free(message->bytes);
  message->bytes = NULL;
}

/* In one of the ways; answers what that answered. */
static int send_somehow(end_t* end, message_t* message) {
  ipc_channel_t* channel = end->side->channel;
  const uint8_t* data = message->bytes;
  size_t size = message->size;
  size_t cut = below(size + 1);
  uv_buf_t pieces[2];

  pieces[0] = uv_buf_init((char*) data, (unsigned int) cut);
  pieces[1] = uv_buf_init((char*) data + cut, (unsigned int) (size - cut));
  switch (below(6)) {
    case 0:
      return ipc_channel_send_copy(channel, data, size, on_sent, message);
    case 1:
      return ipc_channel_send_timeout(channel, data, size, some_timeout(),
                                      on_sent, message);
    case 2:
      return ipc_channel_send_vector(channel, pieces, 2, some_timeout(),
                                     on_sent, message);
    case 3:
      message->calls = 1; /* there will be none */
      return ipc_channel_try_send(channel, data, size, &message->sent);
    default:
      message->op = 1;
      return ipc_channel_send(channel, data, size, on_sent, message);
  }
}

static void send_one(end_t* end) {
  message_t* message = &end->messages[end->count];
  int err;

  memset(message, 0, sizeof(*message));
  message->size = some_size() + 1;
  message->bytes = malloc(message->size);
  assert_non_null(message->bytes);
  pattern_fill(message->bytes, message->size, (unsigned int) end->count);
  end->in_call = 1;
  err = send_somehow(end, message);
  end->in_call = 0;
  if (err == 0) end->count++;
  if (err != 0) assert_int_equal(err, UV_EAGAIN);
  if (err != 0 || message->op == 0) { /* nothing of it is lent */
    memset(message->bytes, 0xee, message->size);
    free(message->bytes);
    message->bytes = NULL;
  }
  if (err == 0 && message->calls == 0) {
    message->op = ipc_channel_last_op(end->side->channel);
  }
}

static void cancel_a_send(end_t* end) {
  message_t* message;
  int err;

  if (end->count == 0) return;
  message = &end->messages[below((size_t) end->count)];
  if (message->op == 0) return;
  err = ipc_channel_cancel(end->side->channel, message->op);
  if (message->calls > 0 || message->cancelled) {
    assert_int_equal(err, UV_ENOENT);
  } else if (err == 0) {
    message->cancelled = 1;
  } else {
    /* Begun, or over and its callback is due. */
    assert_true(err == UV_EBUSY || err == UV_ENOENT);
  }
}

/* ---- Receiving ---------------------------------------------------------- */

static void take(end_t* end, const void* data, size_t size) {
  end->log = realloc(end->log, end->log_size + size + 1);
  assert_non_null(end->log);
  if (size > 0) memcpy(end->log + end->log_size, data, size);
  end->log_size += size;
  if (!end->is_raw) end->sizes[end->received++] = size;
}

static void on_received(op_t* op, const void* data) {
  end_t* end = op->arg;
  int is_cancelled = end->cancelled[op - end->receives];

  assert_int_equal(op->status == UV_ECANCELED, is_cancelled);
  if (op->status == 0) {
    take(end, data, op->size);
  } else if (!is_cancelled) {
    assert_int_equal(op->status, UV_ETIMEDOUT);
  }
}

static void on_message(side_t* side, const void* data, size_t size) {
  take(side == ends[0].side ? &ends[0] : &ends[1], data, size);
}

static int is_pending(const op_t* op) {
  return op->side != NULL && op->calls == 0;
}

static void receive_one(end_t* end, int timeout_ms) {
  size_t i = below(RECEIVES);
  op_t* op = &end->receives[i];

  if (is_pending(op)) return;
  end->cancelled[i] = 0;
  op->on_end = on_received;
  op->arg = end;
  op_recv(op, end->side, timeout_ms);
}

static void cancel_a_receive(end_t* end) {
  size_t i = below(RECEIVES);
  op_t* op = &end->receives[i];
  int err;

  if (op->side == NULL) return;
  err = op_cancel(op);
  if (is_pending(op) && !end->cancelled[i]) {
    assert_int_equal(err, 0);
    end->cancelled[i] = 1;
  } else {
    assert_int_equal(err, UV_ENOENT);
  }
}

static void take_what_is_there(end_t* end) {
  const void* data;
  size_t size;
  int err = ipc_channel_try_recv(end->side->channel, &data, &size);

  if (err == 0) take(end, data, size);
  if (err != 0) assert_int_equal(err, UV_EAGAIN);
}

/* ---- The storm ---------------------------------------------------------- */

static void do_something(end_t* end) {
  switch (below(16)) {
    case 0:
    case 1:
      cancel_a_send(end);
      break;
    case 2:
    case 3:
    case 4:
      receive_one(end, some_timeout());
      break;
    case 5:
      cancel_a_receive(end);
      break;
    case 6:
      take_what_is_there(end);
      break;
    case 7:
      if (is_pending(&end->ready)) {
        op_cancel(&end->ready);
      } else {
        op_ready(&end->ready, end->side, IPC_CHANNEL_READABLE, some_timeout());
      }
      break;
    case 8:
      assert_int_equal(ipc_channel_pause(end->side->channel), 0);
      break;
    case 9:
      assert_int_equal(ipc_channel_resume(end->side->channel), 0);
      break;
    case 10:
      test_run_for((int) below(4));
      break;
    case 11:
    case 12:
      uv_run(test_loop(), UV_RUN_NOWAIT);
      break;
    default:
      send_one(end);
  }
}

/* How many bytes of it the peer gets. */
static size_t delivered(const message_t* message) {
  if (message->op == 0) return message->sent;
  if (message->status == 0) return message->size;
  return message->status == UV_ETIMEDOUT && message->sent > 0 ? message->size
                                                              : 0;
}

/* Whether all sends are over, and the peer has got so many bytes. */
static int is_through(const end_t* from, const end_t* to) {
  size_t total = 0;
  int i;

  for (i = 0; i < from->count; i++) {
    if (from->messages[i].calls == 0) return 0;
    total += delivered(&from->messages[i]);
  }
  return to->log_size >= total;
}

static void check_received(const end_t* from, const end_t* to) {
  size_t at = 0;
  int messages = 0;
  int i;

  for (i = 0; i < from->count; i++) {
    size_t size = delivered(&from->messages[i]);

    if (size == 0) continue;
    assert_true(size <= to->log_size - at);
    pattern_check(to->log + at, size, (unsigned int) i);
    if (!to->is_raw) assert_int_equal(to->sizes[messages++], size);
    at += size;
  }
  assert_int_equal(to->log_size, at);
  assert_int_equal(to->received, messages);
}

/* Receives all that is under way, then cancels what still waits. */
static void calm(void) {
  int i, k;

  for (i = 0; i < 2; i++) {
    assert_int_equal(ipc_channel_resume(ends[i].side->channel), 0);
  }
  while (!is_through(&ends[0], &ends[1]) || !is_through(&ends[1], &ends[0])) {
    for (i = 0; i < 2; i++) receive_one(&ends[i], FOREVER);
    test_turn();
  }
  test_run_for(5); /* nothing more comes */
  for (i = 0; i < 2; i++) {
    for (k = 0; k < RECEIVES; k++) {
      if (!is_pending(&ends[i].receives[k]) || ends[i].cancelled[k]) continue;
      ends[i].cancelled[k] = 1;
      assert_int_equal(op_cancel(&ends[i].receives[k]), 0);
    }
    if (is_pending(&ends[i].ready)) op_cancel(&ends[i].ready);
  }
}

static void run_storm(uint32_t seed, int raw, int push) {
  pair_t pair;
  int i, k;

  print_message("# seed %u\n", seed);
  memset(ends, 0, sizeof(ends));
  chance = seed * UINT32_C(2654435761);
  pair_init(&pair);
  if (!push) ipc_server_options_on_message(&pair.server_options, NULL);
  ipc_client_options_on_message(&pair.client_options, NULL);
  if (raw) pair_raw(&pair);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, QUEUE_BYTES);
  ipc_server_options_set_max_queue_bytes(&pair.server_options, QUEUE_BYTES);
  pair.accepted.on_message = on_message;
  pair_open(&pair);
  ends[0].side = &pair.client;
  ends[1].side = &pair.accepted;
  ends[0].is_raw = ends[1].is_raw = raw;
  for (i = 0; i < STEPS; i++) do_something(&ends[below(2)]);
  calm();
  check_received(&ends[0], &ends[1]);
  check_received(&ends[1], &ends[0]);
  pair_finish(&pair);
  for (i = 0; i < 2; i++) {
    for (k = 0; k < RECEIVES; k++)
      assert_false(is_pending(&ends[i].receives[k]));
    assert_false(is_pending(&ends[i].ready));
    free(ends[i].log);
  }
}

static void run_storms(int raw, int push) {
  uint32_t seed;

  for (seed = 1; seed <= SEEDS; seed++) run_storm(seed, raw, push);
}

static void test_native(void** state) {
  (void) state;
  run_storms(0, 0);
}

static void test_raw(void** state) {
  (void) state;
  run_storms(1, 0);
}

/* One side has on_message, beside its receives. */
static void test_native_pushed(void** state) {
  (void) state;
  run_storms(0, 1);
}

static void test_raw_pushed(void** state) {
  (void) state;
  run_storms(1, 1);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_native),
      TEST(test_raw),
      TEST(test_native_pushed),
      TEST(test_raw_pushed),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
