/* Spawns that are refused, or fail: each says why and leaves nothing behind. */
#include "kid.h"

static void refuse_spawn(const ipc_child_options_t* options, int status) {
  ipc_child_t* child = (ipc_child_t*) options;

  assert_int_equal(ipc_child_spawn(test_loop(), options, NULL, &child), status);
  assert_null(child);
  test_run();
}

static void test_spawn_errors(void** state) {
  const char* const args[] = {"nothing", NULL};
  ipc_channel_options_t channel;
  ipc_child_options_t options;
  ipc_child_t* child;
  unsigned int slot;

  (void) state;
  ipc_child_options_init(&options, "no such program anywhere", args);
  for (slot = 0; slot < 4; slot++) {
    ipc_child_options_set_stdio(&options, slot, IPC_CHILD_CHANNEL);
  }
  refuse_spawn(&options, UV_ENOENT);
  child_options(&options, "say", NULL);
  ipc_child_options_set_stdio(&options, 1, IPC_CHILD_CHANNEL);
  ipc_child_options_set_directory(&options, "/no/such/directory");
  refuse_spawn(&options, UV_ENOENT);

  child_options(&options, "say", NULL);
  assert_int_equal(ipc_child_spawn(NULL, &options, NULL, &child), UV_EINVAL);
  assert_int_equal(ipc_child_spawn(test_loop(), NULL, NULL, &child), UV_EINVAL);
  assert_int_equal(ipc_child_spawn(test_loop(), &options, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_child_kill(NULL, SIGKILL), UV_EINVAL);
  assert_int_equal(ipc_child_quit(NULL, 0), UV_EINVAL);
  assert_int_equal(ipc_child_close(NULL, NULL), UV_EINVAL);
  assert_null(ipc_child_channel(NULL, 0));
  assert_null(ipc_child_data(NULL));
  assert_int_equal(ipc_child_pid(NULL), UV_EINVAL);

  /* The channel's options have become bad since. */
  ipc_channel_options_init(&channel);
  ipc_channel_options_set_framing(&channel, IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(ipc_child_options_set_channel(&options, 1, &channel, NULL),
                   0);
  ipc_channel_options_set_framing(&channel, IPC_CHANNEL_FRAMING_NATIVE);
  refuse_spawn(&options, UV_EINVAL);
}

/* Whichever allocation for its channels fails, nothing is left. */
static void test_no_memory(void** state) {
  ipc_channel_options_t channels[2];
  test_memory_t memory;
  ipc_allocator_t allocator = test_allocator(&memory);
  kid_t kid;
  int64_t n;
  int err;
  int i;

  (void) state;
  for (i = 0; i < 2; i++) {
    ipc_channel_options_init(&channels[i]);
    ipc_channel_options_set_allocator(&channels[i], &allocator);
  }
  ipc_channel_options_set_framing(&channels[0], IPC_CHANNEL_FRAMING_RAW);
  kid_prepare(&kid, "cat", NULL);
  ipc_child_options_set_channel(&kid.options, 0, &channels[0], NULL);
  ipc_child_options_set_channel(&kid.options, 3, &channels[1], NULL);
  for (n = 1;; n++) {
    memset(&memory, 0, sizeof(memory));
    memory.fail_from = n;
    memory.fail_to = n + 1;
    err = ipc_child_spawn(test_loop(), &kid.options, &kid, &kid.child);
    if (err == 0) break;
    assert_int_equal(err, UV_ENOMEM);
    assert_null(kid.child);
    test_run();
    assert_int_equal(memory.blocks, 0);
  }
  assert_true(n > 2);
  assert_int_equal(ipc_child_quit(kid.child, 20000), 0);
  kid_finish(&kid);
  assert_int_equal(memory.blocks, 0);
}

#define REFUSED(call, words)                                             \
  do {                                                                   \
    child_options(&options, "say", NULL);                                \
    assert_int_equal(call, UV_EINVAL);                                   \
    assert_non_null(strstr(ipc_child_options_error(&options), (words))); \
    refuse_spawn(&options, UV_EINVAL);                                   \
  } while (0)

static void test_bad_options(void** state) {
  const char* const args[] = {"say", NULL};
  const char* const no_args[] = {NULL};
  ipc_channel_options_t channel;
  ipc_child_options_t options;

  (void) state;
  child_options(&options, "say", NULL);
  assert_string_equal(ipc_child_options_error(&options), "");
  REFUSED(ipc_child_options_set_stdio(&options, 4, IPC_CHILD_NULL), "slot");
  REFUSED(ipc_child_options_set_stdio(&options, 0, (ipc_child_stdio_t) 4),
          "stdio");
  REFUSED(ipc_child_options_set_stdio(&options, 1, IPC_CHILD_STDOUT), "slot 1");
  REFUSED(ipc_child_options_set_stdio(&options, 3, IPC_CHILD_INHERIT),
          "slot 3");
  REFUSED(ipc_child_options_set_stdio_handle(&options, 3, (uv_os_fd_t) 0),
          "slot");
  REFUSED(ipc_child_options_set_directory(&options, ""), "directory");
  REFUSED(ipc_child_options_set_drain_timeout(&options, -2), "drain timeout");
  ipc_channel_options_init(&channel);
  REFUSED(ipc_child_options_set_channel(&options, 0, &channel, NULL), "bytes");
  REFUSED(ipc_child_options_set_channel(&options, 5, &channel, NULL), "slot");
  REFUSED(ipc_child_options_set_channel(&options, 3, NULL, NULL),
          "not initialised");
  ipc_channel_options_set_max_message_bytes(&channel, 0);
  REFUSED(ipc_child_options_set_channel(&options, 3, &channel, NULL),
          "slot 3: ");

  ipc_child_options_init(&options, "", args);
  refuse_spawn(&options, UV_EINVAL);
  ipc_child_options_init(&options, NULL, args);
  refuse_spawn(&options, UV_EINVAL);
  ipc_child_options_init(&options, "say", NULL);
  refuse_spawn(&options, UV_EINVAL);
  ipc_child_options_init(&options, "say", no_args);
  refuse_spawn(&options, UV_EINVAL);
  memset(&options, 0, sizeof(options));
  refuse_spawn(&options, UV_EINVAL);
  assert_int_equal(ipc_child_options_on_exit(&options, NULL), UV_EINVAL);
  assert_int_equal(ipc_child_options_set_env(NULL, NULL), UV_EINVAL);
  assert_string_not_equal(ipc_child_options_error(NULL), "");
  ipc_child_options_init(NULL, "say", args);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_spawn_errors),
      TEST(test_no_memory),
      TEST(test_bad_options),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), child_roles);
}
