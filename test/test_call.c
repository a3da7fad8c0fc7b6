/* Requests and replies: which reply belongs to which call, and how a call ends
 * that gets none. */
#include "harness.h"

#include "pair.h"

#define MANY 5000
#define FOREVER IPC_CHANNEL_INFINITE

typedef struct call_s call_t;

/* One call. Zeroed is ready. */
struct call_s {
  side_t* side;
  ipc_op_t op;
  int ends;
  int status;
  uint32_t number; /* the first 4 bytes of the reply */
  size_t size;     /* of the reply */
  uint64_t began_at;
  uint64_t ended_at;
  void (*on_end)(call_t* call);
};

/* What on_request of a side is to do. */
typedef struct responder_s {
  side_t* side;
  int requests;
  ipc_request_t ids[MANY];
  uint32_t numbers[MANY];
  int replies_at_once;
  void (*on_request)(struct responder_s* responder);
} responder_t;

static pair_t pair;
static responder_t of_server;
static responder_t of_client;
static int in_call;

/* ---- Both ends of a call ------------------------------------------------ */

static int reply(responder_t* responder, int i) {
  return ipc_channel_reply(responder->side->channel, responder->ids[i],
                           &responder->numbers[i], sizeof(uint32_t));
}

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  side_t* side = ipc_channel_data(channel);
  responder_t* responder = side == &pair.client ? &of_client : &of_server;
  int i = responder->requests++;

  assert_true(i < MANY);
  assert_int_equal(in_call, 0);
  assert_int_equal(size, sizeof(uint32_t));
  responder->side = side;
  responder->ids[i] = request;
  memcpy(&responder->numbers[i], data, size);
  if (responder->replies_at_once) assert_int_equal(reply(responder, i), 0);
  if (responder->on_request != NULL) responder->on_request(responder);
}

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  call_t* call = arg;

  assert_ptr_equal(channel, call->side->channel);
  assert_int_equal(in_call, 0);
  assert_int_equal(call->ends, 0);
  assert_int_equal(call->side->closes, 0);
  if (status != 0) assert_int_equal(size, 0);
  call->ends = 1;
  call->status = status;
  call->size = size;
  call->ended_at = uv_hrtime();
  if (status == 0 && size >= sizeof(call->number)) {
    memcpy(&call->number, data, sizeof(call->number));
  }
  if (call->on_end != NULL) call->on_end(call);
}

static int try_call(call_t* call,
                    side_t* side,
                    uint32_t number,
                    int timeout_ms) {
  int err;

  call->side = side;
  call->began_at = uv_hrtime();
  in_call++;
  err = ipc_channel_call(side->channel, &number, sizeof(number), timeout_ms,
                         on_reply, call);
  in_call--;
  if (err == 0) call->op = ipc_channel_last_op(side->channel);
  return err;
}

static void call_peer(call_t* call,
                      side_t* side,
                      uint32_t number,
                      int timeout_ms) {
  assert_int_equal(try_call(call, side, number, timeout_ms), 0);
}

static void ends_with(call_t* call, int status) {
  run_until(&call->ends, 1);
  assert_int_equal(call->status, status);
}

static int cancel(call_t* call) {
  int err;

  in_call++;
  err = ipc_channel_cancel(call->side->channel, call->op);
  in_call--;
  return err;
}

static ipc_channel_stats_t stats_of(const side_t* side) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  return stats;
}

static void prepare(void) {
  pair_init(&pair);
  memset(&of_server, 0, sizeof(of_server));
  memset(&of_client, 0, sizeof(of_client));
  ipc_server_options_on_request(&pair.server_options, on_request);
  ipc_client_options_on_request(&pair.client_options, on_request);
}

static void open_pair(void) {
  prepare();
  pair_open(&pair);
}

/* Calls are messages: what was sent has been taken. */
static void finish_clean(void) {
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.client.result.unconfirmed, 0);
  assert_int_equal(pair.accepted.result.status, 0);
  assert_int_equal(pair.accepted.result.unconfirmed, 0);
}

/* ---- Replies ------------------------------------------------------------ */

static void test_call(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  of_server.replies_at_once = 1;
  call_peer(&call, &pair.client, 17, FOREVER);
  assert_int_equal(stats_of(&pair.client).calls_pending, 1);
  ends_with(&call, 0);
  assert_int_equal(call.number, 17);
  assert_int_equal(call.size, sizeof(uint32_t));
  assert_int_equal(stats_of(&pair.client).calls_pending, 0);
  assert_int_equal(pair.accepted.messages, 0);
  assert_int_equal(pair.client.messages, 0);
  assert_int_equal(cancel(&call), UV_ENOENT);
  finish_clean();
}

/* Before the connection is there, and before the peer's hello. */
static void test_call_while_connecting(void** state) {
  call_t calls[3] = {{0}};
  int i;

  (void) state;
  prepare();
  of_server.replies_at_once = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  for (i = 0; i < 3; i++) {
    call_peer(&calls[i], &pair.client, (uint32_t) i, 30000);
  }
  for (i = 0; i < 3; i++) {
    ends_with(&calls[i], 0);
    assert_int_equal(calls[i].number, i);
  }
  finish_clean();
}

static void test_out_of_order(void** state) {
  static call_t calls[MANY];
  int i;

  (void) state;
  memset(calls, 0, sizeof(calls));
  open_pair();
  for (i = 0; i < MANY; i++) {
    call_peer(&calls[i], &pair.client, (uint32_t) i * 7, FOREVER);
  }
  assert_int_equal(stats_of(&pair.client).calls_pending, MANY);
  run_until(&of_server.requests, MANY);
  for (i = MANY - 1; i >= 0; i--) {
    assert_int_equal(of_server.numbers[i], i * 7);
    assert_int_equal(reply(&of_server, i), 0);
  }
  for (i = 0; i < MANY; i++) {
    ends_with(&calls[i], 0);
    assert_int_equal(calls[i].number, i * 7);
  }
  assert_int_equal(stats_of(&pair.client).calls_pending, 0);
  finish_clean();
}

static void test_both_call(void** state) {
  enum { COUNT = 300 };
  static call_t calls[2][COUNT];
  int i;

  (void) state;
  memset(calls, 0, sizeof(calls));
  open_pair();
  of_server.replies_at_once = of_client.replies_at_once = 1;
  for (i = 0; i < COUNT; i++) {
    call_peer(&calls[0][i], &pair.client, (uint32_t) i, FOREVER);
    call_peer(&calls[1][i], &pair.accepted, 1000 + (uint32_t) i, FOREVER);
  }
  for (i = 0; i < COUNT; i++) {
    ends_with(&calls[0][i], 0);
    ends_with(&calls[1][i], 0);
    assert_int_equal(calls[0][i].number, i);
    assert_int_equal(calls[1][i].number, 1000 + i);
  }
  finish_clean();
}

static call_t back;

/* The server asks the client before it answers. */
static void answer_last(call_t* call) {
  assert_int_equal(call->status, 0);
  assert_int_equal(reply(&of_server, of_server.requests - 1), 0);
}

static void ask_back(responder_t* responder) {
  memset(&back, 0, sizeof(back));
  back.on_end = answer_last;
  call_peer(&back, responder->side, 99, FOREVER);
}

static void test_call_inside_request(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  of_server.on_request = ask_back;
  of_client.replies_at_once = 1;
  call_peer(&call, &pair.client, 5, FOREVER);
  ends_with(&call, 0);
  assert_int_equal(call.number, 5);
  assert_int_equal(back.number, 99);
  finish_clean();
}

static int rounds;

static void call_again(call_t* call) {
  uint32_t number = (uint32_t) ++rounds;

  assert_int_equal(call->status, 0);
  assert_int_equal(call->number, number - 1);
  if (rounds == 1000) return;
  call->ends = 0;
  call_peer(call, call->side, number, FOREVER);
}

static void test_call_inside_reply(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  rounds = 0;
  of_server.replies_at_once = 1;
  call.on_end = call_again;
  call_peer(&call, &pair.client, 0, FOREVER);
  run_until(&rounds, 1000);
  finish_clean();
}

/* Requests, replies and messages come in the order in which they were sent. */
static uint8_t order[8];
static int ordered;

static void note_message(side_t* side, const void* data, size_t size) {
  (void) side;
  (void) size;
  order[ordered++] = *(const uint8_t*) data;
}

static void note_request(responder_t* responder) {
  order[ordered++] = (uint8_t) responder->numbers[responder->requests - 1];
}

static void test_order(void** state) {
  call_t calls[2] = {{0}};

  (void) state;
  open_pair();
  ordered = 0;
  of_server.on_request = note_request;
  of_server.replies_at_once = 1;
  pair.accepted.on_message = note_message;
  side_send(&pair.client, "\1", 1);
  call_peer(&calls[0], &pair.client, 2, FOREVER);
  side_send(&pair.client, "\3", 1);
  call_peer(&calls[1], &pair.client, 4, FOREVER);
  ends_with(&calls[1], 0);
  assert_int_equal(ordered, 4);
  assert_memory_equal(order, "\1\2\3\4", 4);
  finish_clean();
}

/* ---- Sizes -------------------------------------------------------------- */

#define LARGE ((size_t) 300000)

static uint8_t large[LARGE];
static size_t request_size;
static size_t reply_size;
static int replied;

static void on_large_request(ipc_channel_t* channel,
                             ipc_request_t request,
                             const void* data,
                             size_t size) {
  request_size = size;
  if (size > 0) pattern_check(data, size, 1);
  assert_int_equal(ipc_channel_reply(channel, request, data, size), 0);
}

static void on_large_reply(ipc_channel_t* channel,
                           void* arg,
                           int status,
                           const void* data,
                           size_t size) {
  (void) channel;
  (void) arg;
  assert_int_equal(status, 0);
  reply_size = size;
  if (size > 0) pattern_check(data, size, 1);
  replied++;
}

static void test_sizes(void** state) {
  static const size_t sizes[] = {0,    1,     4,     5,         4095,
                                 4096, 65535, 65536, LARGE - 1, LARGE};
  size_t i;

  (void) state;
  prepare();
  replied = 0;
  pattern_fill(large, LARGE, 1);
  ipc_server_options_on_request(&pair.server_options, on_large_request);
  ipc_server_options_set_max_message_bytes(&pair.server_options, LARGE);
  ipc_client_options_set_max_message_bytes(&pair.client_options, LARGE);
  pair_open(&pair);
  for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    assert_int_equal(ipc_channel_call(pair.client.channel, large, sizes[i],
                                      FOREVER, on_large_reply, NULL),
                     0);
    run_until(&replied, (int) i + 1);
    assert_int_equal(request_size, sizes[i]);
    assert_int_equal(reply_size, sizes[i]);
  }
  assert_int_equal(ipc_channel_call(pair.client.channel, large, LARGE + 1,
                                    FOREVER, on_large_reply, NULL),
                   UV_EMSGSIZE);
  finish_clean();
}

static void test_refused_calls(void** state) {
  ipc_channel_t* channel;

  (void) state;
  open_pair();
  channel = pair.client.channel;
  assert_int_equal(ipc_channel_call(NULL, "x", 1, 1, on_reply, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call(channel, "x", 1, 1, NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_call(channel, NULL, 1, 1, on_reply, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call(channel, "x", 1, 0, on_reply, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call(channel, "x", 1, -2, on_reply, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_reply(NULL, 1, "x", 1), UV_EINVAL);
  assert_int_equal(ipc_channel_reply(channel, 1, "x", 1), UV_ENOENT);
  assert_int_equal(ipc_channel_reply(channel, 0, "x", 1), UV_ENOENT);
  assert_int_equal(ipc_channel_end(channel), 0);
  assert_int_equal(ipc_channel_call(channel, "x", 1, 1, on_reply, NULL),
                   UV_EPIPE);
  pair_finish(&pair);

  pair_init(&pair);
  pair_raw(&pair);
  pair_open(&pair);
  assert_int_equal(
      ipc_channel_call(pair.client.channel, "x", 1, 1, on_reply, NULL),
      UV_EINVAL);
  pair_finish(&pair);
}

/* ---- No reply ----------------------------------------------------------- */

static void test_nobody_answers(void** state) {
  call_t calls[2] = {{0}};

  (void) state;
  prepare();
  ipc_server_options_on_request(&pair.server_options, NULL);
  pair_open(&pair);
  call_peer(&calls[0], &pair.client, 1, FOREVER);
  ends_with(&calls[0], UV_ENOSYS);
  /* The other way there is somebody. */
  of_client.replies_at_once = 1;
  call_peer(&calls[1], &pair.accepted, 2, FOREVER);
  ends_with(&calls[1], 0);
  finish_clean();
}

/* However much lies in front of it. */
static void test_nobody_answers_late(void** state) {
  static uint8_t large[8 << 20];
  call_t call = {0};

  (void) state;
  prepare();
  ipc_server_options_on_request(&pair.server_options, NULL);
  pair_open(&pair);
  assert_int_equal(side_lend(&pair.accepted, large, sizeof(large)), 0);
  call_peer(&call, &pair.client, 1, FOREVER);
  ends_with(&call, UV_ENOSYS);
  run_until(&pair.client.messages, 1);
  finish_clean();
}

static void test_timeout(void** state) {
  static const int timeouts[] = {120, 40, 80};
  call_t calls[3] = {{0}};
  int i;

  (void) state;
  open_pair();
  for (i = 0; i < 3; i++) {
    call_peer(&calls[i], &pair.client, (uint32_t) i, timeouts[i]);
  }
  for (i = 0; i < 3; i++) ends_with(&calls[i], UV_ETIMEDOUT);
  for (i = 0; i < 3; i++) {
    assert_true((calls[i].ended_at - calls[i].began_at) / 1000000 >=
                (uint64_t) timeouts[i]);
  }
  assert_true(calls[1].ended_at <= calls[2].ended_at);
  assert_true(calls[2].ended_at <= calls[0].ended_at);
  assert_int_equal(stats_of(&pair.client).calls_pending, 0);
  finish_clean();
}

/* A reply that comes too late is discarded, and counted; those of other calls
 * are not touched by it. */
static void test_late_reply(void** state) {
  call_t calls[3] = {{0}};

  (void) state;
  open_pair();
  call_peer(&calls[0], &pair.client, 1, 30);
  call_peer(&calls[1], &pair.client, 2, FOREVER);
  call_peer(&calls[2], &pair.client, 3, FOREVER);
  run_until(&of_server.requests, 3);
  assert_int_equal(cancel(&calls[2]), 0);
  ends_with(&calls[2], UV_ECANCELED);
  ends_with(&calls[0], UV_ETIMEDOUT);
  assert_int_equal(reply(&of_server, 0), 0);
  assert_int_equal(reply(&of_server, 2), 0);
  assert_int_equal(reply(&of_server, 1), 0);
  ends_with(&calls[1], 0);
  assert_int_equal(calls[1].number, 2);
  assert_int_equal(stats_of(&pair.client).late_replies, 2);
  finish_clean();
}

/* The first reply counts. */
static void test_reply_twice(void** state) {
  call_t calls[2] = {{0}};
  uint32_t other = 1000;
  int err;

  (void) state;
  open_pair();
  call_peer(&calls[0], &pair.client, 1, FOREVER);
  run_until(&of_server.requests, 1);
  assert_int_equal(reply(&of_server, 0), 0);
  err = ipc_channel_reply(pair.accepted.channel, of_server.ids[0], &other, 4);
  assert_int_equal(err, 0);
  ends_with(&calls[0], 0);
  assert_int_equal(calls[0].number, 1);
  of_server.replies_at_once = 1;
  call_peer(&calls[1], &pair.client, 2, FOREVER);
  ends_with(&calls[1], 0);
  assert_int_equal(calls[1].number, 2);
  assert_int_equal(stats_of(&pair.client).late_replies, 1);
  finish_clean();
}

/* Before it has left, a cancelled call leaves nothing behind. */
static void test_cancel_withdraws(void** state) {
  call_t calls[3] = {{0}};
  int i;

  (void) state;
  prepare();
  of_server.replies_at_once = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  for (i = 0; i < 3; i++) {
    call_peer(&calls[i], &pair.client, (uint32_t) i, FOREVER);
  }
  assert_int_equal(cancel(&calls[1]), 0);
  assert_int_equal(cancel(&calls[1]), UV_ENOENT);
  ends_with(&calls[0], 0);
  ends_with(&calls[1], UV_ECANCELED);
  ends_with(&calls[2], 0);
  assert_int_equal(of_server.requests, 2);
  assert_int_equal(stats_of(&pair.client).late_replies, 0);
  finish_clean();
}

/* ---- The channel's end -------------------------------------------------- */

/* The peer ends its side, and so will never reply. */
static void test_peer_ends(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  pair.client.stays = 1;
  call_peer(&call, &pair.client, 1, FOREVER);
  run_until(&of_server.requests, 1);
  assert_int_equal(ipc_channel_end(pair.accepted.channel), 0);
  ends_with(&call, UV_EOF);
  assert_int_equal(reply(&of_server, 0), UV_EPIPE);
  pair_finish(&pair);
}

/* A reply that was sent before the end counts. */
static void test_reply_then_end(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  call_peer(&call, &pair.client, 1, FOREVER);
  run_until(&of_server.requests, 1);
  assert_int_equal(reply(&of_server, 0), 0);
  side_close(&pair.accepted);
  ends_with(&call, 0);
  run_until(&pair.accepted.closes, 1);
  assert_int_equal(pair.accepted.result.status, 0);
  pair_finish(&pair);
}

/* Our own end is no end of the wait. */
static void test_call_then_end(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  pair.accepted.stays = 1;
  call_peer(&call, &pair.client, 1, FOREVER);
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(call.ends, 0);
  assert_int_equal(reply(&of_server, 0), 0);
  ends_with(&call, 0);
  pair_finish(&pair);
}

static void test_connection_breaks(void** state) {
  call_t calls[2] = {{0}};

  (void) state;
  open_pair();
  pair.accepted.stays = 1;
  call_peer(&calls[0], &pair.client, 1, FOREVER);
  call_peer(&calls[1], &pair.client, 2, FOREVER);
  run_until(&of_server.requests, 2);
  assert_int_equal(ipc_channel_disconnect(pair.accepted.channel), 0);
  ends_with(&calls[0], UV_ECONNRESET);
  ends_with(&calls[1], UV_ECONNRESET);
  assert_int_equal(reply(&of_server, 0), UV_EPIPE);
  pair_finish(&pair);
}

static void test_disconnect(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  pair.accepted.stays = 1;
  call_peer(&call, &pair.client, 1, FOREVER);
  run_until(&of_server.requests, 1);
  in_call++;
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  in_call--;
  ends_with(&call, UV_ECANCELED);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(reply(&of_server, 0), UV_EPIPE);
  pair_finish(&pair);
}

/* The request was taken, so the close has nothing to complain of. */
static void test_close(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  call_peer(&call, &pair.client, 1, FOREVER);
  run_until(&of_server.requests, 1);
  in_call++;
  side_close(&pair.client);
  in_call--;
  ends_with(&call, UV_ECANCELED);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.client.result.unconfirmed, 0);
  pair_finish(&pair);
}

static void test_never_connected(void** state) {
  call_t call = {0};

  (void) state;
  prepare();
  pair.client.stays = 1;
  pair_connect(&pair);
  call_peer(&call, &pair.client, 1, FOREVER);
  ends_with(&call, UV_ENOENT);
  pair_listen(&pair);
  pair_finish(&pair);
}

static void reply_and_sleep(responder_t* responder) {
  assert_int_equal(reply(responder, 0), 0);
  assert_int_equal(ipc_channel_flush(responder->side->channel), 0);
  uv_sleep(700);
}

/* A reply that lies in the system has come in time, be the loop late. */
static void test_busy_loop(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  of_server.on_request = reply_and_sleep;
  call_peer(&call, &pair.client, 1, 500);
  ends_with(&call, 0);
  pair_finish(&pair);
}

/* Fills what lies between the client and a server that doesn't read, so that
 * nothing more of the client's begins to leave. */
static void stop_up(void) {
  static uint8_t block[64 << 10];

  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  do {
    side_lend(&pair.client, block, sizeof(block));
    test_turn();
  } while (stats_of(&pair.client).bytes_queued < 4 * sizeof(block));
}

/* A call that is over is not carried out, if it hasn't begun to leave. */
static void test_withdrawn_at_the_end(void** state) {
  call_t calls[2] = {{0}};

  (void) state;
  open_pair();
  pair.client.stays = 1;
  stop_up();
  call_peer(&calls[0], &pair.client, 1, FOREVER);
  call_peer(&calls[1], &pair.client, 2, 60000);
  assert_int_equal(ipc_channel_end(pair.accepted.channel), 0);
  ends_with(&calls[0], UV_EOF);
  ends_with(&calls[1], UV_EOF);
  assert_int_equal(cancel(&calls[1]), UV_ENOENT);
  assert_int_equal(try_call(&calls[0], &pair.client, 3, FOREVER), UV_EPIPE);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  side_close(&pair.client);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(of_server.requests, 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.unsent, 2);
  assert_int_equal(pair.client.result.unconfirmed, 0);
}

static void test_withdrawn_by_close(void** state) {
  call_t call = {0};

  (void) state;
  open_pair();
  stop_up();
  call_peer(&call, &pair.client, 1, FOREVER);
  side_close(&pair.client);
  assert_int_equal(cancel(&call), UV_ENOENT);
  ends_with(&call, UV_ECANCELED);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(of_server.requests, 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
}

/* While connecting too, and then nothing is left that a close waits for. */
static void test_withdrawn_while_connecting(void** state) {
  call_t call = {0};

  (void) state;
  prepare();
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  pair_connect(&pair);
  call_peer(&call, &pair.client, 1, FOREVER);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  assert_int_equal(call.ends, 1);
  assert_int_equal(call.status, UV_ECANCELED);
  pair_listen(&pair);
  pair_finish(&pair);
}

/* ---- Whose request ------------------------------------------------------ */

static side_t others[2]; /* accepted */
static ipc_request_t asked[2];
static int asks;

static side_t* next_other(pair_t* p) {
  (void) p;
  return &others[others[0].opens > 0];
}

static void on_other_request(ipc_channel_t* channel,
                             ipc_request_t request,
                             const void* data,
                             size_t size) {
  (void) data;
  (void) size;
  asked[ipc_channel_data(channel) == &others[1]] = request;
  asks++;
}

static void test_another_connection(void** state) {
  call_t calls[2] = {{0}};
  side_t second = {0};
  uint32_t number = 5;

  (void) state;
  memset(others, 0, sizeof(others));
  asks = 0;
  prepare();
  pair.next_side = next_other;
  ipc_server_options_on_request(&pair.server_options, on_other_request);
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&others[0].opens, 1);
  pair_connect_side(&pair, &second);
  run_until(&others[1].opens, 1);
  call_peer(&calls[0], &pair.client, 1, FOREVER);
  call_peer(&calls[1], &second, 1, FOREVER);
  run_until(&asks, 2);
  assert_int_equal(ipc_channel_reply(others[0].channel, asked[1], &number, 4),
                   UV_ENOENT);
  assert_int_equal(ipc_channel_reply(others[1].channel, asked[0], &number, 4),
                   UV_ENOENT);
  assert_int_equal(ipc_channel_reply(others[1].channel, asked[1], &number, 4),
                   0);
  ends_with(&calls[1], 0);
  assert_int_equal(calls[0].ends, 0);
  side_close(&second);
  side_close(&pair.client);
  ends_with(&calls[0], UV_ECANCELED);
  run_until(&second.closes, 1);
  pair_finish(&pair);
}

/* ---- A full queue ------------------------------------------------------- */

/* A call is a send, and finds a full queue full; a reply doesn't. */
static void test_full_queue(void** state) {
  static uint8_t block[64 << 10];
  call_t calls[2] = {{0}};

  (void) state;
  open_pair();
  call_peer(&calls[0], &pair.client, 1, FOREVER);
  run_until(&of_server.requests, 1);
  assert_int_equal(ipc_channel_pause(pair.client.channel), 0);
  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  while (side_lend(&pair.client, block, sizeof(block)) == 0) continue;
  while (side_send(&pair.client, "", 0) == 0) continue;
  while (side_lend(&pair.accepted, block, sizeof(block)) == 0) continue;
  while (side_send(&pair.accepted, "", 0) == 0) continue;
  assert_int_equal(try_call(&calls[1], &pair.client, 2, FOREVER), UV_EAGAIN);
  assert_int_equal(reply(&of_server, 0), 0);
  assert_int_equal(ipc_channel_resume(pair.client.channel), 0);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  ends_with(&calls[0], 0);
  run_until(&pair.client.drains, 1);
  finish_clean();
}

/* A peer that speaks the format and names no calls. */
static void test_peer_without_calls(void** state) {
  uint8_t hello[16];
  call_t call = {0};

  (void) state;
  pair_init(&pair);
  pair_raw_client(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  side_send(&pair.client, hello, test_put_hello(hello, 0xff, 1 << 20));
  run_until(&pair.accepted.opens, 1);
  assert_int_equal(try_call(&call, &pair.accepted, 1, FOREVER),
                   UV_EPROTONOSUPPORT);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_call),
      TEST(test_call_while_connecting),
      TEST(test_out_of_order),
      TEST(test_both_call),
      TEST(test_call_inside_request),
      TEST(test_call_inside_reply),
      TEST(test_order),
      TEST(test_sizes),
      TEST(test_refused_calls),
      TEST(test_nobody_answers),
      TEST(test_nobody_answers_late),
      TEST(test_timeout),
      TEST(test_late_reply),
      TEST(test_reply_twice),
      TEST(test_cancel_withdraws),
      TEST(test_peer_ends),
      TEST(test_reply_then_end),
      TEST(test_call_then_end),
      TEST(test_connection_breaks),
      TEST(test_disconnect),
      TEST(test_close),
      TEST(test_never_connected),
      TEST(test_busy_loop),
      TEST(test_withdrawn_at_the_end),
      TEST(test_withdrawn_by_close),
      TEST(test_withdrawn_while_connecting),
      TEST(test_another_connection),
      TEST(test_full_queue),
      TEST(test_peer_without_calls),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
