/* Channels on a program's own standard streams, and on other handles that
 * somebody has made for blocking reads and writes; on Windows a thread does
 * those. */
#include "harness.h"

#include "kid.h"

#define KIB ((size_t) 1 << 10)
#define MIB ((size_t) 1 << 20)

/* Of things that never end by themselves. */
#define SHORT_MS 50

/* Far more than a test takes, and than a handle's thread may need to end. */
#define PATIENCE_MS 20000

/* ---- A program's own streams -------------------------------------------- */

static kid_t kid;

static void prepare_kid(const char* format, ipc_framing_t framing) {
  unsigned int slot;

  kid_prepare(&kid, "stdio", format);
  for (slot = 0; slot < 2; slot++) {
    kid_use_channel(&kid, slot);
    ipc_channel_options_set_framing(&kid.channels[slot], framing);
    ipc_channel_options_set_max_queue_bytes(&kid.channels[slot], 64 * MIB);
  }
}

/* Messages of all sizes up to a large one, sent as fast as can be. */
static void check_echo(const char* format, ipc_framing_t framing) {
  static const size_t sizes[] = {1, 2, 100, 4095, 70000, 2 * MIB, 7};
  uint8_t* data = malloc(2 * MIB);
  uint64_t sum = 0;
  size_t i;

  assert_non_null(data);
  memset(data, 'x', 2 * MIB);
  prepare_kid(format, framing);
  kid_spawn(&kid);
  for (i = 0; i < TEST_COUNT(sizes); i++) {
    assert_int_equal(side_send(&kid.sides[0], data, sizes[i]), 0);
    sum += sizes[i];
  }
  while (kid.sides[1].bytes < sum) test_turn();
  if (framing != IPC_CHANNEL_FRAMING_RAW) {
    assert_int_equal(kid.sides[1].messages, TEST_COUNT(sizes));
  }
  side_close(&kid.sides[0]);
  kid_finish(&kid);
  kid_assert_ended_well(&kid);
  assert_int_equal(kid.sides[1].bytes, sum);
  for (i = 0; i < sum; i++) assert_int_equal(kid.sides[1].log[i], 'x');
  assert_int_equal(kid.sides[1].end_status, 0);
  assert_int_equal(kid.sides[0].result.status, 0);
  kid_free(&kid);
  free(data);
}

static void test_echo_content_length(void** state) {
  (void) state;
  check_echo("content", IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
}

static void test_echo_lines(void** state) {
  (void) state;
  check_echo("lines", IPC_CHANNEL_FRAMING_DELIMITER);
}

static void test_echo_raw(void** state) {
  (void) state;
  check_echo("raw", IPC_CHANNEL_FRAMING_RAW);
}

/* One after the other, each in answer to the last. */
static void send_next(side_t* side, const void* data, size_t size) {
  if (side->messages < 200) {
    assert_int_equal(side_send(&kid.sides[0], data, size), 0);
  } else {
    side_close(&kid.sides[0]);
  }
}

static void test_echo_turns(void** state) {
  (void) state;
  prepare_kid("content", IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
  kid.sides[1].on_message = send_next;
  kid_spawn(&kid);
  assert_int_equal(side_send(&kid.sides[0], "to and fro", 10), 0);
  kid_finish(&kid);
  kid_assert_ended_well(&kid);
  assert_int_equal(kid.sides[1].messages, 200);
  kid_free(&kid);
}

/* Nothing is said; the end is all that comes, while a read waits for it. */
static void test_end_alone(void** state) {
  (void) state;
  prepare_kid("lines", IPC_CHANNEL_FRAMING_DELIMITER);
  kid_spawn(&kid);
  side_close(&kid.sides[0]);
  kid_finish(&kid);
  kid_assert_ended_well(&kid);
  assert_int_equal(kid.sides[1].ends, 1);
  kid_free(&kid);
}

/* As in `echo hello | program`: the writer has come and gone. */
static void test_writer_before(void** state) {
  ipc_channel_options_t options;
  uv_os_fd_t ends[2];
  side_t writer;

  (void) state;
  memset(&writer, 0, sizeof(writer));
  assert_int_equal(ipc_pair_create(IPC_PAIR_ONE_WAY | IPC_PAIR_BLOCKING_0 |
                                       IPC_PAIR_BLOCKING_1,
                                   0, ends),
                   0);
  side_options(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_set_access(&options, IPC_CHANNEL_ACCESS_OUTBOUND);
  assert_int_equal(ipc_channel_open(test_loop(), &options, ends[1], &writer,
                                    &writer.channel),
                   0);
  assert_int_equal(side_send(&writer, "hello\n", 6), 0);
  side_close(&writer);
  run_until(&writer.closes, 1);
  assert_int_equal(writer.result.status, 0);
  side_free(&writer);

  kid_prepare(&kid, "stdio", "lines");
  kid_use_channel(&kid, 1);
  assert_int_equal(ipc_child_options_set_stdio_handle(&kid.options, 0, ends[0]),
                   0);
  kid_spawn(&kid);
  test_close_handle(ends[0]);
  kid_finish(&kid);
  kid_assert_ended_well(&kid);
  kid_assert_said(&kid, 1, "hello\n");
  kid_free(&kid);
}

/* Whoever is at the other end of its streams dies without a word. */
static void test_parent_dies(void** state) {
  (void) state;
  kid_prepare(&kid, "bereave", NULL);
  kid_use_channel(&kid, 1);
  kid_use_channel(&kid, 2);
  kid_spawn(&kid);
  while (kid.sides[1].bytes < 5) test_turn();
  assert_int_equal(ipc_child_kill(kid.child, SIGKILL), 0);
  kid_finish(&kid);
  kid_assert_said(&kid, 2, "ended");
  kid_free(&kid);
}

/* ---- Handles for blocking use, in one process --------------------------- */

static ipc_channel_options_t options[2];
static side_t sides[2];
static uv_os_fd_t ends[2];

/* One way, from sides[1] to sides[0]. */
static void prepare(void) {
  int i;

  memset(sides, 0, sizeof(sides));
  for (i = 0; i < 2; i++) {
    side_options(&options[i]);
    ipc_channel_options_set_framing(&options[i], IPC_CHANNEL_FRAMING_RAW);
    ipc_channel_options_set_access(
        &options[i],
        i == 0 ? IPC_CHANNEL_ACCESS_INBOUND : IPC_CHANNEL_ACCESS_OUTBOUND);
    ipc_channel_options_set_max_queue_bytes(&options[i], 64 * MIB);
  }
  assert_int_equal(ipc_pair_create(IPC_PAIR_ONE_WAY | IPC_PAIR_BLOCKING_0 |
                                       IPC_PAIR_BLOCKING_1,
                                   0, ends),
                   0);
}

static void open_end(int i) {
  assert_int_equal(ipc_channel_open(test_loop(), &options[i], ends[i],
                                    &sides[i], &sides[i].channel),
                   0);
}

static void open_both(void) {
  open_end(0);
  open_end(1);
}

static void finish(void) {
  int i;

  for (i = 0; i < 2; i++) {
    side_close(&sides[i]);
    test_run();
    assert_null(sides[i].channel);
    assert_int_equal(sides[i].closes, 1);
    side_free(&sides[i]);
  }
}

/* Facts are there while a read waits and a write does, and don't wait. */
static void check_facts(int i) {
  ipc_channel_info_t info;
  ipc_peer_t peer;
  int err;

  assert_int_equal(ipc_channel_info(sides[i].channel, &info), 0);
  assert_int_equal(info.is_connected, 1);
  if (test_is_windows()) assert_true(info.in_buffer_bytes > 0);
  err = ipc_channel_peer(sides[i].channel, &peer);
  assert_int_equal(err, test_is_windows() ? 0 : UV_EACCES);
  if (err == 0) assert_int_equal(peer.pid, uv_os_getpid());
}

static void test_both_ends(void** state) {
  uint8_t* data = calloc(1, 2 * MIB);

  (void) state;
  assert_non_null(data);
  prepare();
  sides[0].keeps_log = 1;
  open_both();
  run_until(&sides[0].opens, 1);
  run_until(&sides[1].opens, 1);
  check_facts(0);
  check_facts(1);
  pattern_fill(data, 2 * MIB, 5);
  assert_int_equal(side_lend(&sides[1], data, 2 * MIB), 0);
  assert_int_equal(side_send(&sides[1], "last", 4), 0);
  side_close(&sides[1]);
  run_until(&sides[0].ends, 1);
  assert_int_equal(sides[0].end_status, 0);
  assert_int_equal(sides[1].sent, 2);
  assert_int_equal(sides[0].log_size, 2 * MIB + 4);
  pattern_check(sides[0].log, 2 * MIB, 5);
  finish();
  assert_int_equal(sides[1].result.status, 0);
  free(data);
}

/* Several times over, with a read that waits each time it is stopped. */
static void test_pause(void** state) {
  uint64_t bytes;
  int i;

  (void) state;
  prepare();
  open_both();
  run_until(&sides[0].opens, 1);
  for (i = 0; i < 20; i++) {
    assert_int_equal(ipc_channel_pause(sides[0].channel), 0);
    bytes = sides[0].bytes;
    assert_int_equal(side_send(&sides[1], "data", 4), 0);
    run_until(&sides[1].sent, i + 1);
    test_run_for(2);
    assert_int_equal(sides[0].bytes, bytes);
    assert_int_equal(ipc_channel_resume(sides[0].channel), 0);
    while (sides[0].bytes < bytes + 4) test_turn();
    if (i % 2 == 0) test_run_for(2);
  }
  finish();
}

/* With a read under way, and with one that was just stopped. */
static void test_close_reading(void** state) {
  int i;

  (void) state;
  for (i = 0; i < 10; i++) {
    prepare();
    open_end(0);
    run_until(&sides[0].opens, 1);
    if (i % 2 == 0) test_run_for(2);
    if (i % 3 == 0) ipc_channel_pause(sides[0].channel);
    if (i % 4 == 0) {
      assert_int_equal(ipc_channel_disconnect(sides[0].channel), 0);
    }
    side_close(&sides[0]);
    test_run();
    assert_int_equal(sides[0].closes, 1);
    assert_int_equal(sides[0].result.status, 0);
    side_free(&sides[0]);
    test_close_handle(ends[1]);
  }
}

/* A writer whose peer reads nothing; its first message has begun to leave. */
static void open_stuck(int close_timeout_ms) {
  static uint8_t data[MIB];

  prepare();
  ipc_channel_options_set_close_timeout(&options[1], close_timeout_ms);
  open_end(1);
  run_until(&sides[1].opens, 1);
  assert_int_equal(side_send(&sides[1], data, sizeof(data)), 0);
  test_run_for(SHORT_MS);
  assert_int_equal(sides[1].sent, 0);
}

static void finish_stuck(void) {
  run_until(&sides[1].closes, 1);
  test_run();
  assert_int_equal(sides[1].failed, 1);
  assert_int_equal(sides[1].failure, UV_ECANCELED);
  assert_int_equal(sides[1].result.unsent, 1);
  side_free(&sides[1]);
  test_close_handle(ends[0]);
}

static void test_close_timeout(void** state) {
  uint64_t begin;

  (void) state;
  open_stuck(SHORT_MS);
  begin = uv_hrtime();
  side_close(&sides[1]);
  finish_stuck();
  assert_true(elapsed_ms(begin) >= SHORT_MS - 1);
  assert_true(elapsed_ms(begin) < PATIENCE_MS);
  assert_int_equal(sides[1].result.status, UV_ETIMEDOUT);
}

static void test_disconnect(void** state) {
  uint64_t begin;

  (void) state;
  open_stuck(IPC_CHANNEL_INFINITE);
  begin = uv_hrtime();
  assert_int_equal(ipc_channel_disconnect(sides[1].channel), 0);
  side_close(&sides[1]);
  finish_stuck();
  assert_true(elapsed_ms(begin) < PATIENCE_MS);
}

typedef struct told_s {
  int count;
  int status;
  size_t sent;
} told_t;

static void on_told(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  told_t* told = arg;

  (void) channel;
  told->count++;
  told->status = status;
  told->sent = sent;
}

/* What waits behind a write that is stuck can be withdrawn; that one can't. */
static void test_withdraw(void** state) {
  told_t told[3];
  ipc_op_t first;

  (void) state;
  memset(told, 0, sizeof(told));
  open_stuck(SHORT_MS);
  first = ipc_channel_last_op(sides[1].channel);
  assert_int_equal(ipc_channel_send_timeout(sides[1].channel, "a", 1, SHORT_MS,
                                            on_told, &told[0]),
                   0);
  assert_int_equal(
      ipc_channel_send_copy(sides[1].channel, "b", 1, on_told, &told[1]), 0);
  assert_int_equal(ipc_channel_cancel(sides[1].channel,
                                      ipc_channel_last_op(sides[1].channel)),
                   0);
  assert_int_equal(ipc_channel_cancel(sides[1].channel, first), UV_EBUSY);
  assert_int_equal(ipc_channel_flush(sides[1].channel), 0);
  run_until(&told[0].count, 1);
  run_until(&told[1].count, 1);
  assert_int_equal(told[0].status, UV_ETIMEDOUT);
  assert_int_equal(told[0].sent, 0);
  assert_int_equal(told[1].status, UV_ECANCELED);
  side_close(&sides[1]);
  finish_stuck();
}

/* Of the message that is stuck. */
static void test_deadline(void** state) {
  static uint8_t data[MIB];
  told_t told;

  (void) state;
  memset(&told, 0, sizeof(told));
  prepare();
  open_end(1);
  assert_int_equal(
      ipc_channel_send_timeout(sides[1].channel, data, sizeof(data), SHORT_MS,
                               on_told, &told),
      0);
  run_until(&told.count, 1);
  assert_int_equal(told.status, UV_ETIMEDOUT);
  assert_true(told.sent > 0 && told.sent < sizeof(data));
  open_end(0);
  while (sides[0].bytes < sizeof(data)) test_turn();
  assert_int_equal(told.count, 1);
  finish();
}

/* Both where a write waits and where none does. */
static void test_reader_gone(void** state) {
  (void) state;
  open_stuck(SHORT_MS);
  sides[1].stays = 1;
  test_close_handle(ends[0]);
  run_until(&sides[1].failed, 1);
  assert_int_equal(sides[1].failure, UV_EPIPE);
  assert_int_equal(side_send(&sides[1], "x", 1), UV_EPIPE);
  side_close(&sides[1]);
  test_run();
  side_free(&sides[1]);

  prepare();
  open_both();
  sides[1].stays = 1;
  assert_int_equal(side_send(&sides[1], "x", 1), 0);
  run_until(&sides[0].messages, 1);
  side_close(&sides[0]);
  run_until(&sides[0].closes, 1);
  assert_int_equal(side_send(&sides[1], "y", 1), 0);
  run_until(&sides[1].failed, 1);
  assert_int_equal(sides[1].failure, UV_EPIPE);
  finish();
}

static void test_close_at_once(void** state) {
  unsigned int handles = test_count_handles();
  int i;

  (void) state;
  for (i = 0; i < 20; i++) {
    prepare();
    open_both();
    if (i % 2 == 0) side_send(&sides[1], "x", 1);
    if (i % 4 == 0) run_until(&sides[1].opens, 1);
    finish();
  }
  assert_true(test_count_handles() <= handles + 8);
}

/* Each allocation fails once: an error somewhere, and nothing is left. */
static void test_memory(void** state) {
  ipc_allocator_t allocator;
  test_memory_t memory;
  int64_t n = 0;
  int i;

  (void) state;
  do {
    memset(&memory, 0, sizeof(memory));
    memory.fail_from = ++n;
    memory.fail_to = n + 1;
    allocator = test_allocator(&memory);
    prepare();
    for (i = 0; i < 2; i++) {
      ipc_channel_options_set_allocator(&options[i], &allocator);
      if (ipc_channel_open(test_loop(), &options[i], ends[i], &sides[i],
                           &sides[i].channel) != 0) {
        test_close_handle(ends[i]);
        assert_null(sides[i].channel);
      }
    }
    if (sides[1].channel != NULL) side_send(&sides[1], "data", 4);
    test_run_for(1);
    for (i = 0; i < 2; i++) {
      side_close(&sides[i]);
      test_run();
      side_free(&sides[i]);
    }
    assert_int_equal(memory.blocks, 0);
  } while (memory.calls >= n);
  assert_true(n > 4);
}

/* Each end on a private loop. */
static void test_without_a_loop(void** state) {
  static uint8_t large[MIB];
  ipc_channel_t* channels[2];
  ipc_close_result_t result;
  const void* data;
  size_t size;
  size_t sent;
  int i;

  (void) state;
  prepare();
  for (i = 0; i < 2; i++) {
    ipc_channel_options_init(&options[i]);
    ipc_channel_options_set_framing(&options[i],
                                    IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
    ipc_channel_options_set_access(
        &options[i],
        i == 0 ? IPC_CHANNEL_ACCESS_INBOUND : IPC_CHANNEL_ACCESS_OUTBOUND);
    assert_int_equal(
        ipc_channel_open(NULL, &options[i], ends[i], NULL, &channels[i]), 0);
  }
  assert_int_equal(ipc_channel_recv_wait(channels[0], SHORT_MS, &data, &size),
                   UV_ETIMEDOUT);
  for (i = 0; i < 3; i++) {
    assert_int_equal(
        ipc_channel_send_wait(channels[1], "data", 4, PATIENCE_MS, NULL), 0);
    assert_int_equal(
        ipc_channel_recv_wait(channels[0], PATIENCE_MS, &data, &size), 0);
    assert_int_equal(size, 4);
    assert_memory_equal(data, "data", 4);
  }
  assert_int_equal(
      ipc_channel_send_wait(channels[1], large, sizeof(large), SHORT_MS, &sent),
      UV_ETIMEDOUT);
  assert_true(sent > 0 && sent < sizeof(large));
  ipc_channel_disconnect(channels[1]);
  ipc_channel_close_wait(channels[1], &result);
  assert_int_equal(result.unsent, 1);
  assert_int_equal(
      ipc_channel_recv_wait(channels[0], PATIENCE_MS, &data, &size),
      UV_ECONNRESET);
  ipc_channel_close_wait(channels[0], NULL);
}

/* Reads and writes on one such handle would wait for each other on Windows, so
 * there it is for one of them. */
static void test_duplex(void** state) {
  int err;

  (void) state;
  prepare();
  test_close_handle(ends[0]);
  test_close_handle(ends[1]);
  assert_int_equal(
      ipc_pair_create(IPC_PAIR_BLOCKING_0 | IPC_PAIR_BLOCKING_1, 0, ends), 0);
  ipc_channel_options_set_access(&options[0], IPC_CHANNEL_ACCESS_DUPLEX);
  err = ipc_channel_open(test_loop(), &options[0], ends[0], &sides[0],
                         &sides[0].channel);
  if (test_is_windows()) {
    assert_int_equal(err, UV_EACCES);
    ipc_channel_options_set_access(&options[0], IPC_CHANNEL_ACCESS_INBOUND);
    open_end(0);
  } else {
    assert_int_equal(err, 0);
  }
  open_end(1);
  assert_int_equal(side_send(&sides[1], "data", 4), 0);
  while (sides[0].bytes < 4) test_turn();
  finish();
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_echo_content_length),
      TEST(test_echo_lines),
      TEST(test_echo_raw),
      TEST(test_echo_turns),
      TEST(test_end_alone),
      TEST(test_writer_before),
      TEST(test_parent_dies),
      TEST(test_both_ends),
      TEST(test_pause),
      TEST(test_close_reading),
      TEST(test_close_timeout),
      TEST(test_disconnect),
      TEST(test_withdraw),
      TEST(test_deadline),
      TEST(test_reader_gone),
      TEST(test_close_at_once),
      TEST(test_duplex),
      TEST(test_memory),
      TEST(test_without_a_loop),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), child_roles);
}
