/* Readiness, and receiving and sending without waiting: what can be done now,
 * how much of it was done, and when to try again. */
#include "harness.h"

#include "pull.h"

#define FOREVER IPC_CHANNEL_INFINITE
#define READABLE IPC_CHANNEL_READABLE
#define WRITABLE IPC_CHANNEL_WRITABLE
#define WAIT_MS 50
#define LIMIT                                                    \
  (64 << 10) /* of the client's queue, in the tests that fill it \
              */

static void pull_open(pair_t* pair) {
  pull_init(pair);
  pair_open(pair);
}

/* Waits for some of the events, and tells which. */
static int side_waits(side_t* side, int events) {
  op_t op = {0};

  op_ready(&op, side, events, FOREVER);
  op_ends(&op, 0);
  assert_int_equal(op.events & ~events, 0);
  return op.events;
}

/* Which of the events hold now. */
static int side_has(side_t* side, int events) {
  op_t op = {0};

  op_ready(&op, side, events, 0);
  run_until(&op.calls, 1);
  if (op.status != 0) assert_int_equal(op.status, UV_ETIMEDOUT);
  return op.events;
}

static int try_recv(side_t* side) {
  const void* data;
  size_t size;

  return ipc_channel_try_recv(side->channel, &data, &size);
}

/* Takes a message that lies ready. */
static void side_takes(side_t* side, const char* text) {
  const void* data;
  size_t size = 1000;

  assert_int_equal(ipc_channel_try_recv(side->channel, &data, &size), 0);
  assert_int_equal(size, strlen(text));
  if (size > 0) assert_memory_equal(data, text, size);
}

static int try_send(side_t* side, const void* data, size_t size) {
  size_t sent = 77;
  int err = ipc_channel_try_send(side->channel, data, size, &sent);

  if (err == 0) assert_int_equal(sent, size);
  return err;
}

/* ---- Readiness ---------------------------------------------------------- */

static void test_readable(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  assert_int_equal(side_has(&pair.accepted, READABLE), 0);
  op_ready(&op, &pair.accepted, READABLE, FOREVER);
  test_run_for(WAIT_MS);
  assert_int_equal(op.calls, 0);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  op_ends(&op, 0);
  assert_int_equal(op.events, READABLE);
  /* It holds as long as there is something, and takes nothing. */
  assert_int_equal(side_waits(&pair.accepted, READABLE), READABLE);
  side_takes(&pair.accepted, "one");
  assert_int_equal(side_has(&pair.accepted, READABLE), READABLE);
  side_takes(&pair.accepted, "two");
  assert_int_equal(side_has(&pair.accepted, READABLE), 0);
  assert_int_equal(op.calls, 1);
  pair_finish(&pair);
}

static void test_both_events(void** state) {
  pair_t pair;

  (void) state;
  pull_open(&pair);
  assert_int_equal(side_waits(&pair.accepted, READABLE | WRITABLE), WRITABLE);
  side_say(&pair.client, "x");
  side_waits(&pair.accepted, READABLE);
  assert_int_equal(side_waits(&pair.accepted, READABLE | WRITABLE),
                   READABLE | WRITABLE);
  side_takes(&pair.accepted, "x");
  pair_finish(&pair);
}

/* All that wait are told, and the message goes to whoever takes it. */
static void test_several_wait(void** state) {
  op_t ops[3] = {0};
  pair_t pair;
  int i;

  (void) state;
  pull_open(&pair);
  for (i = 0; i < 3; i++) op_ready(&ops[i], &pair.accepted, READABLE, 60000);
  side_say(&pair.client, "x");
  for (i = 0; i < 3; i++) op_ends(&ops[i], 0);
  side_takes(&pair.accepted, "x");
  assert_int_equal(try_recv(&pair.accepted), UV_EAGAIN);
  pair_finish(&pair);
}

static void test_ready_timeout(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_ready(&op, &pair.accepted, READABLE, WAIT_MS);
  op_ends(&op, UV_ETIMEDOUT);
  assert_not_early(&op, WAIT_MS);
  assert_int_equal(op.events, 0);
  pair_finish(&pair);
}

/* Fills the client's queue behind a peer that doesn't read. */
static void full_open(pair_t* pair, int raw) {
  static uint8_t block[LIMIT / 8];

  pull_init(pair);
  if (raw) pair_raw(pair);
  ipc_client_options_set_max_queue_bytes(&pair->client_options, LIMIT);
  pair_open(pair);
  for (;;) {
    while (ipc_channel_try_send(pair->client.channel, block, sizeof(block),
                                &(size_t){0}) == 0) {
    }
    test_run_for(WAIT_MS);
    if (side_has(&pair->client, WRITABLE) == 0) return;
  }
}

/* Takes what is there until nothing has come for a while. */
static size_t side_empties(side_t* side) {
  const void* data;
  size_t total = 0;
  size_t size;
  op_t op = {0};

  for (;;) {
    op_ready(&op, side, READABLE, WAIT_MS);
    run_until(&op.calls, 1);
    if (op.status != 0) return total;
    while (ipc_channel_try_recv(side->channel, &data, &size) == 0) {
      total += size;
    }
  }
}

static void test_writable(void** state) {
  ipc_channel_stats_t stats;
  op_t op = {0};
  pair_t pair;

  (void) state;
  full_open(&pair, 0);
  op_ready(&op, &pair.client, WRITABLE, FOREVER);
  test_run_for(WAIT_MS);
  assert_int_equal(op.calls, 0);
  while (op.calls == 0) {
    while (try_recv(&pair.accepted) == 0) {
    }
    test_turn();
  }
  assert_int_equal(op.status, 0);
  assert_int_equal(op.events, WRITABLE);
  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  assert_true(stats.bytes_queued <= LIMIT / 2);
  assert_int_equal(try_send(&pair.client, "x", 1), 0);
  side_empties(&pair.accepted);
  pair_finish(&pair);
}

/* What is sent before there is a connection is kept. */
static void test_while_connecting(void** state) {
  pair_t pair;

  (void) state;
  pull_init(&pair);
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(try_recv(&pair.client), UV_EAGAIN);
  assert_int_equal(try_send(&pair.client, "early", 5), 0);
  assert_int_equal(side_waits(&pair.client, READABLE | WRITABLE), WRITABLE);
  run_until(&pair.accepted.opens, 1);
  side_gets(&pair.accepted, "early");
  pair_finish(&pair);
}

/* Ready: the next receive says that it is the end. */
static void test_ready_at_the_end(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_ready(&op, &pair.accepted, READABLE, FOREVER);
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  op_ends(&op, 0);
  assert_int_equal(op.events, READABLE);
  assert_int_equal(try_recv(&pair.accepted), UV_EOF);
  assert_int_equal(side_waits(&pair.accepted, READABLE), READABLE);
  assert_int_equal(try_recv(&pair.accepted), UV_EOF);
  pair_finish(&pair);
}

static void test_ready_when_dead(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_ready(&op, &pair.accepted, READABLE, FOREVER);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  op_ends(&op, 0);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(side_waits(&pair.accepted, READABLE | WRITABLE),
                   READABLE | WRITABLE);
  assert_int_equal(try_recv(&pair.accepted), UV_EPIPE);
  assert_int_equal(try_send(&pair.accepted, "x", 1), UV_EPIPE);
  pair_finish(&pair);
}

static void ignore(ipc_channel_t* channel, void* arg, int status, int events) {
  (void) channel, (void) arg, (void) status, (void) events;
  fail_msg("%s", "a wait that was refused has called back");
}

static void test_close(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_ready(&op, &pair.accepted, READABLE, FOREVER);
  side_close(&pair.accepted);
  assert_int_equal(op.calls, 0);
  assert_int_equal(
      ipc_channel_ready(pair.accepted.channel, READABLE, 1, ignore, NULL),
      UV_EPIPE);
  assert_int_equal(try_recv(&pair.accepted), UV_EPIPE);
  assert_int_equal(try_send(&pair.accepted, "x", 1), UV_EPIPE);
  op_ends(&op, UV_ECANCELED);
  pair_finish(&pair);
}

/* ---- Receiving ---------------------------------------------------------- */

static void test_try_recv(void** state) {
  const void* first;
  const void* second;
  size_t size;
  pair_t pair;

  (void) state;
  pull_open(&pair);
  assert_int_equal(try_recv(&pair.accepted), UV_EAGAIN);
  side_say(&pair.client, "first");
  side_say(&pair.client, "");
  side_say(&pair.client, "second");
  side_waits(&pair.accepted, READABLE);
  assert_int_equal(ipc_channel_try_recv(pair.accepted.channel, &first, &size),
                   0);
  test_run_for(WAIT_MS);
  assert_int_equal(size, 5); /* it lives until the next receive */
  assert_memory_equal(first, "first", 5);
  side_takes(&pair.accepted, "");
  assert_int_equal(ipc_channel_try_recv(pair.accepted.channel, &second, &size),
                   0);
  side_say(&pair.client, "third");
  side_waits(&pair.accepted, READABLE);
  assert_int_equal(size, 6); /* also when more comes */
  assert_memory_equal(second, "second", 6);
  side_takes(&pair.accepted, "third");
  assert_int_equal(try_recv(&pair.accepted), UV_EAGAIN);
  pair_finish(&pair);
}

/* A pending receive comes first. */
static void test_try_recv_beside_recv(void** state) {
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_open(&pair);
  op_recv(&op, &pair.accepted, FOREVER);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  while (op.calls == 0) {
    assert_int_equal(try_recv(&pair.accepted), UV_EAGAIN);
    test_turn();
  }
  op_gets(&op, "one");
  side_waits(&pair.accepted, READABLE);
  side_takes(&pair.accepted, "two");
  pair_finish(&pair);
}

/* What a paused channel holds, can be taken; the rest goes to on_message. */
static void test_try_recv_when_paused(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  side_waits(&pair.accepted, READABLE);
  side_takes(&pair.accepted, "one");
  assert_int_equal(pair.accepted.messages, 0);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.bytes, 3);
  assert_int_equal(try_recv(&pair.accepted), UV_EAGAIN);
  pair_finish(&pair);
}

static void test_try_recv_vector(void** state) {
  char a[4], b[8];
  uv_buf_t pieces[3];
  size_t size;
  pair_t pair;
  ipc_channel_t* channel;

  (void) state;
  pull_open(&pair);
  channel = pair.accepted.channel;
  pieces[0] = uv_buf_init(a, sizeof(a));
  pieces[1] = uv_buf_init(NULL, 0);
  pieces[2] = uv_buf_init(b, sizeof(b));
  assert_int_equal(ipc_channel_try_recv_vector(channel, pieces, 3, &size),
                   UV_EAGAIN);
  side_say(&pair.client, "scattered");
  side_say(&pair.client, "too long for both");
  side_say(&pair.client, "");
  side_waits(&pair.accepted, READABLE);
  assert_int_equal(ipc_channel_try_recv_vector(channel, pieces, 3, &size), 0);
  assert_int_equal(size, 9);
  assert_memory_equal(a, "scat", 4);
  assert_memory_equal(b, "tered", 5);
  assert_int_equal(ipc_channel_try_recv_vector(channel, pieces, 3, &size),
                   UV_ENOBUFS);
  assert_int_equal(size, 17);
  side_takes(&pair.accepted, "too long for both"); /* which stayed */
  assert_int_equal(ipc_channel_try_recv_vector(channel, NULL, 0, &size), 0);
  assert_int_equal(size, 0);
  pair_finish(&pair);
}

/* What doesn't fit stays for the next. */
static void test_try_recv_vector_raw(void** state) {
  char a[4];
  uv_buf_t piece = uv_buf_init(a, sizeof(a));
  size_t size;
  pair_t pair;
  ipc_channel_t* channel;

  (void) state;
  pull_init(&pair);
  pair_raw(&pair);
  pair_open(&pair);
  channel = pair.accepted.channel;
  side_say(&pair.client, "in small pieces");
  side_waits(&pair.accepted, READABLE);
  assert_int_equal(ipc_channel_try_recv_vector(channel, &piece, 1, &size), 0);
  assert_int_equal(size, 4);
  assert_memory_equal(a, "in s", 4);
  assert_int_equal(side_has(&pair.accepted, READABLE), READABLE);
  assert_int_equal(ipc_channel_try_recv_vector(channel, &piece, 1, &size), 0);
  assert_int_equal(size, 4);
  assert_memory_equal(a, "mall", 4);
  side_takes(&pair.accepted, " pieces");
  assert_int_equal(ipc_channel_try_recv_vector(channel, &piece, 1, &size),
                   UV_EAGAIN);
  pair_finish(&pair);
}

/* ---- Sending ------------------------------------------------------------ */

static void test_try_send(void** state) {
  char text[] = "one";
  uv_buf_t pieces[3];
  size_t sent = 0;
  pair_t pair;
  ipc_channel_t* channel;

  (void) state;
  pull_open(&pair);
  channel = pair.client.channel;
  assert_int_equal(try_send(&pair.client, text, 3), 0);
  memset(text, 'x', 3); /* a copy was sent */
  assert_int_equal(ipc_channel_try_send(channel, "two", 3, NULL), 0);
  assert_int_equal(try_send(&pair.client, NULL, 0), 0);
  pieces[0] = uv_buf_init("scattered ", 10);
  pieces[1] = uv_buf_init(NULL, 0);
  pieces[2] = uv_buf_init("words", 5);
  assert_int_equal(ipc_channel_try_send_vector(channel, pieces, 3, &sent), 0);
  assert_int_equal(sent, 15);
  assert_int_equal(ipc_channel_try_send_vector(channel, NULL, 0, NULL), 0);
  side_gets(&pair.accepted, "one");
  side_gets(&pair.accepted, "two");
  side_gets(&pair.accepted, "");
  side_gets(&pair.accepted, "scattered words");
  side_gets(&pair.accepted, "");
  pair_finish(&pair);
}

/* A whole message, or UV_EAGAIN. */
static void test_try_send_full(void** state) {
  static uint8_t rest[LIMIT];
  ipc_channel_stats_t stats;
  pair_t pair;
  size_t room;

  (void) state;
  full_open(&pair, 0);
  assert_int_equal(try_send(&pair.client, rest, sizeof(rest)), UV_EAGAIN);
  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  assert_true(stats.bytes_queued < LIMIT + 1000);
  side_empties(&pair.accepted);
  assert_int_equal(side_waits(&pair.client, WRITABLE), WRITABLE);
  /* An empty queue takes any size. */
  assert_int_equal(try_send(&pair.client, rest, sizeof(rest)), 0);
  room = side_empties(&pair.accepted);
  assert_int_equal(room, sizeof(rest));
  pair_finish(&pair);
}

/* As many bytes as there is room for, and the peer gets just those. */
static void run_partial(int vector) {
  static uint8_t bytes[8 * LIMIT];
  uv_buf_t pieces[2];
  pair_t pair;
  size_t total = 0;
  size_t sent;
  int partial = 0;
  int err;

  pull_init(&pair);
  pair_raw(&pair);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, LIMIT);
  pair_open(&pair);
  side_say(&pair.client, "x"); /* for an empty queue takes any size */
  do {
    pieces[0] = uv_buf_init((char*) bytes, 1000);
    pieces[1] = uv_buf_init((char*) bytes, sizeof(bytes) - 1000);
    sent = 0;
    err = vector ? ipc_channel_try_send_vector(pair.client.channel, pieces, 2,
                                               &sent)
                 : ipc_channel_try_send(pair.client.channel, bytes,
                                        sizeof(bytes), &sent);
    if (err == 0) assert_true(sent > 0);
    if (err == 0 && sent < sizeof(bytes)) partial++;
    total += sent;
  } while (err == 0);
  assert_int_equal(err, UV_EAGAIN);
  assert_true(partial > 0);
  assert_int_equal(side_empties(&pair.accepted), total + 1);
  assert_int_equal(side_waits(&pair.client, WRITABLE), WRITABLE);
  pair_finish(&pair);
}

static void test_try_send_partial(void** state) {
  (void) state;
  run_partial(0);
}

static void test_try_send_vector_partial(void** state) {
  (void) state;
  run_partial(1);
}

/* Writable means so for the message that was refused, too. */
static void test_writable_for_that(void** state) {
  static uint8_t rest[LIMIT];
  op_t op = {0};
  pair_t pair;

  (void) state;
  full_open(&pair, 0);
  /* Its queue is less than half full from here on, and stays so. */
  while (side_has(&pair.client, WRITABLE) == 0) {
    assert_int_equal(side_waits(&pair.accepted, READABLE), READABLE);
    while (try_recv(&pair.accepted) == 0) continue;
  }
  assert_int_equal(try_send(&pair.client, "x", 1), 0);
  if (try_send(&pair.client, rest, sizeof(rest)) == UV_EAGAIN) {
    op_ready(&op, &pair.client, WRITABLE, FOREVER);
    side_empties(&pair.accepted);
    op_ends(&op, 0);
    assert_int_equal(try_send(&pair.client, rest, sizeof(rest)), 0);
  }
  side_empties(&pair.accepted);
  pair_finish(&pair);
}

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  int* requests = &((side_t*) ipc_channel_data(channel))->opens;

  (void) data;
  (void) size;
  ++*requests;
  assert_int_equal(ipc_channel_reply(channel, request, "!", 1), 0);
}

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  (void) channel;
  (void) data;
  assert_int_equal(status, 0);
  assert_int_equal(size, 1);
  ++*(int*) arg;
}

/* A request that a pause holds back is nothing that a receive takes. */
static void test_paused_request(void** state) {
  int replies = 0;
  op_t op = {0};
  pair_t pair;

  (void) state;
  pull_init(&pair);
  ipc_server_options_on_request(&pair.server_options, on_request);
  pair_open(&pair);
  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  assert_int_equal(ipc_channel_call(pair.client.channel, "?", 1, FOREVER,
                                    on_reply, &replies),
                   0);
  side_say(&pair.client, "behind it");
  op_ready(&op, &pair.accepted, READABLE, WAIT_MS);
  op_ends(&op, UV_ETIMEDOUT);
  assert_int_equal(try_recv(&pair.accepted), UV_EAGAIN);
  assert_int_equal(pair.accepted.opens, 1);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  side_waits(&pair.accepted, READABLE);
  assert_int_equal(pair.accepted.opens, 2);
  side_takes(&pair.accepted, "behind it");
  run_until(&replies, 1);
  pair_finish(&pair);
}

/* ---- Refused ------------------------------------------------------------ */

static void test_refused(void** state) {
  uv_buf_t piece = uv_buf_init(NULL, 1);
  uv_buf_t pieces[2];
  const void* data;
  size_t size;
  pair_t pair;
  ipc_channel_t* c;

  (void) state;
  pull_open(&pair);
  c = pair.client.channel;
  assert_int_equal(ipc_channel_ready(NULL, READABLE, 1, ignore, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_ready(c, READABLE, 1, NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_ready(c, 0, 1, ignore, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_ready(c, 4, 1, ignore, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_ready(c, READABLE, -2, ignore, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_try_recv(NULL, &data, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_try_send(c, NULL, 1, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_try_send_vector(c, &piece, 1, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_try_send_vector(c, NULL, 1, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_try_recv_vector(c, &piece, 1, &size), UV_EINVAL);
  /* Together they are more than can be counted. */
  pieces[0].base = pieces[1].base = "x";
  pieces[0].len = pieces[1].len = 0;
  pieces[0].len = pieces[1].len = ~pieces[0].len;
  assert_int_equal(ipc_channel_try_send_vector(c, pieces, 2, NULL),
                   UV_EMSGSIZE);
  pair_finish(&pair);
}

/* Who only sends can't receive, and the other way round. */
static void test_one_way(void** state) {
  pair_t pair;

  (void) state;
  pull_init(&pair);
  ipc_server_options_set_access(&pair.server_options,
                                IPC_CHANNEL_ACCESS_INBOUND);
  ipc_client_options_set_access(&pair.client_options,
                                IPC_CHANNEL_ACCESS_OUTBOUND);
  pair_open(&pair);
  assert_int_equal(try_recv(&pair.client), UV_EACCES);
  assert_int_equal(try_send(&pair.accepted, "x", 1), UV_EACCES);
  assert_int_equal(side_has(&pair.client, READABLE), READABLE);
  assert_int_equal(side_has(&pair.accepted, WRITABLE), WRITABLE);
  assert_int_equal(try_send(&pair.client, "x", 1), 0);
  side_gets(&pair.accepted, "x");
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_readable),
      TEST(test_both_events),
      TEST(test_several_wait),
      TEST(test_ready_timeout),
      TEST(test_writable),
      TEST(test_while_connecting),
      TEST(test_ready_at_the_end),
      TEST(test_ready_when_dead),
      TEST(test_close),
      TEST(test_try_recv),
      TEST(test_try_recv_beside_recv),
      TEST(test_try_recv_when_paused),
      TEST(test_try_recv_vector),
      TEST(test_try_recv_vector_raw),
      TEST(test_try_send),
      TEST(test_try_send_full),
      TEST(test_try_send_partial),
      TEST(test_try_send_vector_partial),
      TEST(test_writable_for_that),
      TEST(test_paused_request),
      TEST(test_refused),
      TEST(test_one_way),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
