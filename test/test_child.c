/* Child processes: what they find as their streams, and how their end is told.
 */
#include "kid.h"

#define LONG_MS 20000
#define SPAM_BYTES (1024 * 1024)
#define SPAM_TEXT "1048576"

/* Its input ends, and it may go on writing; on Windows only a close can say
 * so. */
static void end_input(kid_t* kid) {
  side_t* side = &kid->sides[IPC_CHILD_STDIN_SLOT];

  if (test_is_windows()) {
    assert_int_equal(ipc_channel_end(side->channel), UV_ENOTSUP);
    side_close(side);
  } else {
    assert_int_equal(ipc_channel_end(side->channel), 0);
  }
}

/* ---- Standard streams --------------------------------------------------- */

static void test_channels(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "cat", NULL);
  kid_use_channel(&kid, IPC_CHILD_STDIN_SLOT);
  kid_use_channel(&kid, IPC_CHILD_STDOUT_SLOT);
  kid_spawn(&kid);
  assert_non_null(kid.sides[0].channel);
  assert_non_null(kid.sides[1].channel);
  assert_null(ipc_child_channel(kid.child, 2));
  assert_null(ipc_child_channel(kid.child, 3));
  assert_null(ipc_child_channel(kid.child, 4));
  assert_int_equal(side_send(&kid.sides[0], "hello", 5), 0);
  while (kid.sides[1].bytes < 5) test_turn();
  assert_int_equal(side_send(&kid.sides[0], " again", 6), 0);
  end_input(&kid);
  kid_finish(&kid);
  kid_assert_said(&kid, 1, "hello again");
  assert_int_equal(kid.ends_at_exit, 1);
  assert_int_equal(kid.sides[1].end_status, 0);
  kid_assert_ended_well(&kid);
  kid_free(&kid);
}

static void test_null(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "cat", NULL);
  ipc_child_options_set_stdio(&kid.options, 0, IPC_CHILD_NULL);
  ipc_child_options_set_stdio(&kid.options, 1, IPC_CHILD_NULL);
  kid_spawn(&kid);
  kid_finish(&kid);
  kid_assert_ended_well(&kid);
  kid_free(&kid);

  kid_prepare(&kid, "spam", SPAM_TEXT);
  ipc_child_options_set_stdio(&kid.options, 1, IPC_CHILD_NULL);
  ipc_child_options_set_stdio(&kid.options, 2, IPC_CHILD_STDOUT);
  kid_spawn(&kid);
  kid_finish(&kid);
  kid_assert_ended_well(&kid);
  kid_free(&kid);
}

static void test_separate(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "say", NULL);
  kid_use_channel(&kid, 1);
  kid_use_channel(&kid, 2);
  kid_spawn(&kid);
  kid_finish(&kid);
  kid_assert_said(&kid, 1, "13");
  kid_assert_said(&kid, 2, "2");
  assert_int_equal(kid.ends_at_exit, 2);
  kid_free(&kid);
}

static void test_merged(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "say", NULL);
  kid_use_channel(&kid, 1);
  ipc_child_options_set_stdio(&kid.options, 2, IPC_CHILD_STDOUT);
  kid_spawn(&kid);
  assert_null(kid.sides[2].channel);
  kid_finish(&kid);
  kid_assert_said(&kid, 1, "123");
  kid_free(&kid);
}

static void test_inherited(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "nest", NULL);
  kid_use_channel(&kid, 1);
  kid_use_channel(&kid, 2);
  kid_spawn(&kid);
  kid_finish(&kid);
  kid_assert_said(&kid, 1, "13");
  kid_assert_said(&kid, 2, "2");
  kid_assert_ended_well(&kid);
  kid_free(&kid);
}

static void close_handle(uv_os_fd_t handle) {
  uv_fs_t request;

  uv_fs_close(NULL, &request, uv_open_osfhandle(handle), NULL);
  uv_fs_req_cleanup(&request);
}

static void test_handle(void** state) {
  uv_os_fd_t ends[2];
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "say", NULL);
  assert_int_equal(
      ipc_pair_create(IPC_PAIR_ONE_WAY | IPC_PAIR_BLOCKING_1, 0, ends), 0);
  ipc_child_options_set_stdio(&kid.options, 1, IPC_CHILD_NULL);
  assert_int_equal(ipc_child_options_set_stdio_handle(&kid.options, 2, ends[1]),
                   0);
  side_options(&kid.channels[2]);
  ipc_channel_options_set_framing(&kid.channels[2], IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_set_access(&kid.channels[2], IPC_CHANNEL_ACCESS_INBOUND);
  kid_spawn(&kid);
  kid.sides[2].keeps_log = 1;
  assert_int_equal(ipc_channel_open(test_loop(), &kid.channels[2], ends[0],
                                    &kid.sides[2], &kid.sides[2].channel),
                   0);
  close_handle(ends[1]); /* which was still the test's */
  kid_finish(&kid);
  kid_assert_said(&kid, 2, "2");
  kid_assert_ended_well(&kid);
  kid_free(&kid);

  /* A handle that isn't open. */
  kid_prepare(&kid, "say", NULL);
  ipc_child_options_set_stdio_handle(&kid.options, 2,
                                     (uv_os_fd_t) (intptr_t) -1);
  assert_int_equal(ipc_child_spawn(test_loop(), &kid.options, &kid, &kid.child),
                   UV_EBADF);
  assert_null(kid.child);
}

/* ---- The end ------------------------------------------------------------ */

static void test_exit_after_output(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "spam", SPAM_TEXT);
  kid_use_channel(&kid, 1);
  kid_use_channel(&kid, 2);
  kid_spawn(&kid);
  kid_finish(&kid);
  assert_int_equal(kid.ends_at_exit, 2);
  assert_int_equal(kid.bytes_at_exit, 2 * SPAM_BYTES);
  assert_int_equal(kid.sides[1].bytes, SPAM_BYTES);
  assert_int_equal(kid.sides[1].log[SPAM_BYTES - 1], SPAM_OUT);
  assert_int_equal(kid.sides[2].log[SPAM_BYTES - 1], SPAM_ERR);
  kid_assert_ended_well(&kid);
  kid_free(&kid);
}

static void test_exit_status(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "exit", "42");
  kid.stays = 1;
  kid_spawn(&kid);
  run_until(&kid.exits, 1);
  assert_int_equal(kid.status, 42);
  assert_int_equal(kid.signal, 0);
  assert_int_equal(ipc_child_kill(kid.child, SIGKILL), UV_ESRCH);
  assert_int_equal(ipc_child_quit(kid.child, 0), UV_ESRCH);
  kid_close(&kid);
  kid_finish(&kid);
  kid_free(&kid);
}

/* Closed by the user while the child goes on: nothing to wait for. */
static void test_output_closed_before(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "cat", NULL);
  kid_use_channel(&kid, 0);
  kid_use_channel(&kid, 1);
  kid_spawn(&kid);
  side_close(&kid.sides[1]);
  assert_null(ipc_child_channel(kid.child, 1));
  while (kid.sides[1].closes == 0) test_turn();
  side_close(&kid.sides[0]);
  kid_finish(&kid);
  assert_int_equal(kid.ends_at_exit, 0);
  kid_assert_ended_well(&kid);
  kid_free(&kid);
}

static void on_received(ipc_channel_t* channel,
                        void* arg,
                        int status,
                        const void* data,
                        size_t size) {
  side_t* side = arg;

  if (status != 0) {
    assert_int_equal(status, UV_EOF);
    ipc_channel_close(channel);
    return;
  }
  assert_int_equal(side->log_size, 0);
  side->log = malloc(size);
  memcpy(side->log, data, size);
  side->log_size = size;
  ipc_channel_recv(channel, IPC_CHANNEL_INFINITE, on_received, side);
}

/* With the channel's defaults: its output waits for somebody to take it, the
 * exit doesn't. */
static void test_pulled(void** state) {
  uint64_t from;
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "say", NULL);
  ipc_child_options_set_stdio(&kid.options, 1, IPC_CHILD_NULL);
  ipc_child_options_set_stdio(&kid.options, 2, IPC_CHILD_CHANNEL);
  ipc_child_options_set_drain_timeout(&kid.options, 200);
  kid.stays = 1;
  from = uv_hrtime();
  kid_spawn(&kid);
  kid.sides[2].channel = NULL;
  run_until(&kid.exits, 1);
  assert_true(elapsed_ms(from) >= 200);
  assert_non_null(ipc_child_channel(kid.child, 2));
  assert_int_equal(ipc_channel_recv(ipc_child_channel(kid.child, 2), LONG_MS,
                                    on_received, &kid.sides[2]),
                   0);
  while (ipc_child_channel(kid.child, 2) != NULL) test_turn();
  kid_close(&kid);
  kid_finish(&kid);
  kid_assert_said(&kid, 2, "2");
  kid_free(&kid);
}

static void test_grandchild_holds_output(void** state) {
  kid_t kid;
  uint64_t from;

  (void) state;
  kid_prepare(&kid, "parent", NULL);
  kid_use_channel(&kid, 0);
  kid_use_channel(&kid, 1);
  ipc_child_options_set_drain_timeout(&kid.options, 300);
  kid.stays = 1;
  from = uv_hrtime();
  kid_spawn(&kid);
  run_until(&kid.exits, 1);
  assert_true(elapsed_ms(from) >= 300);
  assert_int_equal(kid.status, PARENT_STATUS);
  assert_int_equal(kid.ends_at_exit, 0);
  /* The cat that it has left still works. */
  assert_int_equal(side_send(&kid.sides[0], "!", 1), 0);
  while (kid.sides[1].bytes < 5) test_turn();
  side_close(&kid.sides[0]);
  run_until(&kid.sides[1].ends, 1);
  kid_assert_said(&kid, 1, "left!");
  kid_close(&kid);
  kid_finish(&kid);
  kid_free(&kid);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_channels),
      TEST(test_null),
      TEST(test_separate),
      TEST(test_merged),
      TEST(test_inherited),
      TEST(test_handle),
      TEST(test_exit_after_output),
      TEST(test_exit_status),
      TEST(test_output_closed_before),
      TEST(test_pulled),
      TEST(test_grandchild_holds_output),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), child_roles);
}
