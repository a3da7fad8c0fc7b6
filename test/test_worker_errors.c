/* Workers that can't be, and why; options at their edges; no memory. */
#include "crew.h"

static void refuse_spawn(const ipc_worker_options_t* options, int status) {
  ipc_worker_t* worker = (ipc_worker_t*) options;

  assert_int_equal(ipc_worker_spawn(test_loop(), options, NULL, &worker),
                   status);
  assert_null(worker);
  test_run();
}

static void test_spawn_errors(void** state) {
  const char* const args[] = {"nothing", NULL};
  ipc_worker_t* worker;
  hand_t hand;

  (void) state;
  hand_prepare_program(&hand, "no such program anywhere", args);
  refuse_spawn(&hand.options, UV_ENOENT);
  assert_int_equal(hand.exits, 0);
  hand_prepare(&hand, "work", NULL);
  ipc_worker_options_set_directory(&hand.options, "/no/such/directory");
  refuse_spawn(&hand.options, UV_ENOENT);

  hand_prepare(&hand, "work", NULL);
  assert_int_equal(ipc_worker_spawn(NULL, &hand.options, NULL, &worker),
                   UV_EINVAL);
  assert_int_equal(ipc_worker_spawn(test_loop(), NULL, NULL, &worker),
                   UV_EINVAL);
  assert_null(worker);
  assert_int_equal(ipc_worker_spawn(test_loop(), &hand.options, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_worker_kill(NULL, SIGKILL), UV_EINVAL);
  assert_int_equal(ipc_worker_quit(NULL, 0), UV_EINVAL);
  assert_int_equal(ipc_worker_close(NULL, NULL), UV_EINVAL);
  assert_null(ipc_worker_channel(NULL));
  assert_null(ipc_worker_data(NULL));
  assert_int_equal(ipc_worker_pid(NULL), UV_EINVAL);
  assert_int_equal(ipc_worker_restarts(NULL), 0);
  hand_spawn(&hand);
  assert_int_equal(ipc_worker_quit(hand.worker, -2), UV_EINVAL);
  hand_close(&hand);
  hand_finish(&hand);

  /* The channel's options have become bad since. */
  hand_prepare(&hand, "work", NULL);
  ipc_channel_options_set_max_message_bytes(&hand.channel_options, 0);
  refuse_spawn(&hand.options, UV_EINVAL);
  hand_prepare(&hand, "work", NULL);
  ipc_channel_options_set_framing(&hand.channel_options,
                                  IPC_CHANNEL_FRAMING_RAW);
  refuse_spawn(&hand.options, UV_EINVAL);
  hand_prepare(&hand, "work", NULL);
  memset(&hand.channel_options, 0, sizeof(hand.channel_options));
  refuse_spawn(&hand.options, UV_EINVAL);
}

/* ---- Options ------------------------------------------------------------ */

#define REFUSED(call, words)                                                   \
  do {                                                                         \
    hand_prepare(&hand, "work", NULL);                                         \
    assert_int_equal(call, UV_EINVAL);                                         \
    assert_non_null(strstr(ipc_worker_options_error(&hand.options), (words))); \
    refuse_spawn(&hand.options, UV_EINVAL);                                    \
  } while (0)

static void test_bad_options(void** state) {
  ipc_channel_options_t channel;
  ipc_worker_options_t* o;
  hand_t hand;

  (void) state;
  o = &hand.options;
  hand_prepare(&hand, "work", NULL);
  assert_string_equal(ipc_worker_options_error(o), "");
  REFUSED(ipc_worker_options_set_directory(o, ""), "directory");
  REFUSED(ipc_worker_options_set_directory(o, NULL), "directory");
  REFUSED(ipc_worker_options_set_stdio(o, 3, IPC_CHILD_NULL), "slot");
  REFUSED(ipc_worker_options_set_stdio(o, 1, IPC_CHILD_STDOUT), "slot 1");
  REFUSED(ipc_worker_options_set_stdio(o, 0, IPC_CHILD_CHANNEL), "slot 0");
  REFUSED(ipc_worker_options_set_stdio(o, 0, (ipc_child_stdio_t) 4), "stdio");
  REFUSED(ipc_worker_options_set_restart(o, 0, 1), "restart first_ms");
  REFUSED(ipc_worker_options_set_restart(o, -2, 1), "restart first_ms");
  REFUSED(ipc_worker_options_set_restart(o, 86400001, 86400001), "first_ms");
  REFUSED(ipc_worker_options_set_restart(o, 2, 1), "restart max_ms");
  REFUSED(ipc_worker_options_set_restart(o, 1, 86400001), "restart max_ms");
  REFUSED(ipc_worker_options_set_grace(o, -2), "grace");
  ipc_channel_options_init(&channel);
  ipc_channel_options_set_framing(&channel, IPC_CHANNEL_FRAMING_RAW);
  REFUSED(ipc_worker_options_set_channel(o, &channel), "native");
  ipc_channel_options_init(&channel);
  ipc_channel_options_set_max_message_bytes(&channel, 0);
  REFUSED(ipc_worker_options_set_channel(o, &channel), "max_message_bytes");
  memset(&channel, 0, sizeof(channel));
  REFUSED(ipc_worker_options_set_channel(o, &channel), "not initialised");
}

static void test_not_initialised(void** state) {
  const char* const args[] = {"work", NULL};
  const char* const no_args[] = {NULL};
  ipc_worker_options_t o;

  (void) state;
  ipc_worker_options_init(&o, "", args);
  refuse_spawn(&o, UV_EINVAL);
  ipc_worker_options_init(&o, NULL, args);
  refuse_spawn(&o, UV_EINVAL);
  ipc_worker_options_init(&o, "work", NULL);
  refuse_spawn(&o, UV_EINVAL);
  ipc_worker_options_init(&o, "work", no_args);
  assert_string_equal(ipc_worker_options_error(&o),
                      "args: the first one is NULL");
  refuse_spawn(&o, UV_EINVAL);
  memset(&o, 0, sizeof(o));
  refuse_spawn(&o, UV_EINVAL);
  assert_int_equal(ipc_worker_options_set_env(&o, NULL), UV_EINVAL);
  assert_int_equal(ipc_worker_options_set_directory(&o, "."), UV_EINVAL);
  assert_int_equal(ipc_worker_options_set_stdio(&o, 0, IPC_CHILD_NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_worker_options_set_channel(&o, NULL), UV_EINVAL);
  assert_int_equal(ipc_worker_options_set_restart(&o, 1, 1), UV_EINVAL);
  assert_int_equal(ipc_worker_options_set_grace(&o, 0), UV_EINVAL);
  assert_int_equal(ipc_worker_options_on_ready(&o, NULL), UV_EINVAL);
  assert_int_equal(ipc_worker_options_on_exit(NULL, NULL), UV_EINVAL);
  assert_string_not_equal(ipc_worker_options_error(NULL), "");
  ipc_worker_options_init(NULL, "work", args);
}

static void test_edges(void** state) {
  hand_t hand;
  ipc_worker_options_t* o;
  unsigned int slot;

  (void) state;
  o = &hand.options;
  hand_prepare(&hand, "quit", "0");
  assert_int_equal(ipc_worker_options_set_restart(o, 1, 1), 0);
  assert_int_equal(ipc_worker_options_set_restart(o, 86400000, 86400000), 0);
  assert_int_equal(ipc_worker_options_set_restart(o, IPC_CHANNEL_INFINITE, -5),
                   0);
  assert_int_equal(ipc_worker_options_set_grace(o, IPC_CHANNEL_INFINITE), 0);
  assert_int_equal(ipc_worker_options_set_grace(o, 0), 0);
  for (slot = 0; slot < 3; slot++) {
    assert_int_equal(ipc_worker_options_set_stdio(o, slot, IPC_CHILD_INHERIT),
                     0);
    assert_int_equal(ipc_worker_options_set_stdio(o, slot, IPC_CHILD_NULL), 0);
  }
  assert_int_equal(ipc_worker_options_set_stdio(o, 2, IPC_CHILD_STDOUT), 0);
  assert_int_equal(ipc_worker_options_set_restart(o, 1, 1), 0);
  hand_spawn(&hand);
  run_until(&hand.exits, 3);
  assert_int_equal(hand_told(&hand)->restart_ms, 1);
  hand_close(&hand);
  hand_finish(&hand);
}

/* ---- Memory ------------------------------------------------------------- */

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  hand_t* hand = ipc_channel_data(channel);

  (void) arg, (void) data, (void) size;
  if (status == 0) {
    hand->replies++;
    ipc_worker_quit(hand->worker, 20000);
  }
}

static void ask(hand_t* hand) {
  ipc_channel_t* channel = ipc_worker_channel(hand->worker);

  if (ipc_channel_call(channel, "work", 4, IPC_CHANNEL_INFINITE, on_reply,
                       NULL) != 0) {
    ipc_channel_close(channel);
  }
}

/* Whichever allocation fails, the first spawn says so, or a life ends, and the
 * next one does the work. */
static void test_no_memory(void** state) {
  test_memory_t memory;
  ipc_allocator_t allocator = test_allocator(&memory);
  int refused = 0;
  hand_t hand;
  int64_t n;
  int err;

  (void) state;
  for (n = 1;; n++) {
    hand_prepare(&hand, "work", NULL);
    ipc_channel_options_set_allocator(&hand.channel_options, &allocator);
    ipc_channel_options_set_close_timeout(&hand.channel_options, 1000);
    hand.on_ready = ask;
    memset(&memory, 0, sizeof(memory));
    memory.fail_from = n;
    memory.fail_to = n + 1;
    err = ipc_worker_spawn(test_loop(), &hand.options, &hand, &hand.worker);
    if (err != 0) {
      assert_int_equal(err, UV_ENOMEM);
      assert_null(hand.worker);
      refused++;
      test_run();
    } else {
      hand_finish(&hand);
      assert_int_equal(hand.replies, 1);
    }
    if (memory.blocks != 0) {
      fail_msg("allocation %d failed: %d blocks are left", (int) n,
               (int) memory.blocks);
    }
    if (err == 0 && memory.calls < n) break;
  }
  assert_true(refused > 2 && n > refused);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_spawn_errors),    TEST(test_bad_options),
      TEST(test_not_initialised), TEST(test_edges),
      TEST(test_no_memory),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), crew_roles);
}
