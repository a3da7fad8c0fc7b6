/* ipc_child_output: both ways at once without a deadlock, its limits, and what
 * it tells of the end. */
#include "child_roles.h"
#include "pair.h"

#define MIB ((size_t) 1 << 20)
#define NO_LIMIT ((size_t) 1 << 30)
#define LONG_MS 50000

/* What a callback has told, kept. */
typedef struct told_s {
  int count;
  ipc_child_output_t output;
  char* out;
  char* err;
} told_t;

static char* copy(const void* data, size_t size) {
  char* memory = malloc(size + 1);

  assert_non_null(memory);
  memcpy(memory, data, size + 1); /* the 0 that isn't counted */
  assert_int_equal(memory[size], 0);
  return memory;
}

static void on_output(void* arg, const ipc_child_output_t* output) {
  told_t* told = arg;

  told->count++;
  told->output = *output;
  told->out = copy(output->out, output->out_size);
  told->err = copy(output->err, output->err_size);
}

static void told_free(told_t* told) {
  free(told->out);
  free(told->err);
  memset(told, 0, sizeof(*told));
}

static void run_options(const ipc_child_options_t* options,
                        const void* input,
                        size_t input_size,
                        size_t max_bytes,
                        int timeout_ms,
                        told_t* told) {
  memset(told, 0, sizeof(*told));
  assert_int_equal(ipc_child_output(test_loop(), options, input, input_size,
                                    max_bytes, timeout_ms, on_output, told),
                   0);
  assert_int_equal(told->count, 0);
  test_run();
  assert_int_equal(told->count, 1);
}

static void run_role(const char* role,
                     const char* argument,
                     size_t max_bytes,
                     int timeout_ms,
                     told_t* told) {
  ipc_child_options_t options;

  child_options(&options, role, argument);
  run_options(&options, NULL, 0, max_bytes, timeout_ms, told);
}

static void assert_ended(const told_t* told, int64_t status) {
  assert_int_equal(told->output.status, 0);
  assert_int_equal(told->output.term_signal, 0);
  assert_int_equal(told->output.exit_status, status);
}

static void assert_killed(const told_t* told, int status) {
  assert_int_equal(told->output.status, status);
  assert_int_equal(told->output.term_signal, SIGKILL);
}

/* ---- Both ways ---------------------------------------------------------- */

static void test_says(void** state) {
  told_t told;

  (void) state;
  run_role("say", NULL, NO_LIMIT, LONG_MS, &told);
  assert_ended(&told, 0);
  assert_string_equal(told.out, "13");
  assert_int_equal(told.output.out_size, 2);
  assert_string_equal(told.err, "2");
  assert_int_equal(told.output.err_size, 1);
  told_free(&told);
}

static void test_says_nothing(void** state) {
  told_t told;

  (void) state;
  run_role("exit", "7", 0, IPC_CHANNEL_INFINITE, &told);
  assert_ended(&told, 7);
  assert_string_equal(told.out, "");
  assert_int_equal(told.output.err_size, 0);
  told_free(&told);
  /* Without any input there is none to wait for. */
  run_role("cat", NULL, 0, LONG_MS, &told);
  assert_ended(&told, 0);
  told_free(&told);
}

/* More each way than any pipe holds: feeding all first would never end. */
static void test_large_both_ways(void** state) {
  size_t size = (test_is_windows() ? 16 : 64) * MIB;
  char* input = malloc(size);
  ipc_child_options_t options;
  told_t told;

  (void) state;
  assert_non_null(input);
  pattern_fill(input, size, 7);
  child_options(&options, "cat", NULL);
  memset(&told, 0, sizeof(told));
  assert_int_equal(ipc_child_output(test_loop(), &options, input, size, size,
                                    LONG_MS, on_output, &told),
                   0);
  memset(input, 0, size); /* it was copied */
  test_run();
  assert_int_equal(told.count, 1);
  assert_ended(&told, 0);
  assert_int_equal(told.output.out_size, size);
  pattern_check(told.out, size, 7);
  told_free(&told);
  free(input);
}

static void test_both_outputs(void** state) {
  told_t told;
  size_t i;

  (void) state;
  run_role("spam", "4194304", NO_LIMIT, LONG_MS, &told);
  assert_ended(&told, 0);
  assert_int_equal(told.output.out_size, 4 * MIB);
  assert_int_equal(told.output.err_size, 4 * MIB);
  for (i = 0; i < 4 * MIB; i += 1023) {
    assert_int_equal(told.out[i], SPAM_OUT);
    assert_int_equal(told.err[i], SPAM_ERR);
  }
  told_free(&told);
}

/* A child may leave, or never look at, what it is fed. */
static void test_input_is_not_read(void** state) {
  char* input = calloc(1, 4 * MIB);
  ipc_child_options_t options;
  told_t told;

  (void) state;
  assert_non_null(input);
  child_options(&options, "say", NULL);
  run_options(&options, input, 4 * MIB, NO_LIMIT, LONG_MS, &told);
  assert_ended(&told, 0);
  assert_string_equal(told.out, "13");
  told_free(&told);
  free(input);
}

/* ---- Limits ------------------------------------------------------------- */

static void test_cap(void** state) {
  told_t told;

  (void) state;
  run_role("spam", "8388608", MIB, LONG_MS, &told);
  assert_killed(&told, UV_ENOBUFS);
  assert_true(told.output.out_size <= MIB);
  assert_true(told.output.err_size <= MIB);
  assert_true(told.output.out_size == MIB || told.output.err_size == MIB);
  told_free(&told);
  /* All that is allowed is no more than that. */
  run_role("spam", "8192", 8192, LONG_MS, &told);
  assert_ended(&told, 0);
  assert_int_equal(told.output.out_size, 8192);
  told_free(&told);
}

static void test_deadline(void** state) {
  uint64_t from = uv_hrtime();
  told_t told;

  (void) state;
  run_role("stubborn", NULL, NO_LIMIT, 1500, &told);
  assert_true(elapsed_ms(from) >= 1500);
  assert_killed(&told, UV_ETIMEDOUT);
  assert_string_equal(told.out, "ready");
  told_free(&told);
}

/* What feeds it is stuck, too. */
static void test_deadline_while_feeding(void** state) {
  char* input = calloc(1, 4 * MIB);
  ipc_child_options_t options;
  told_t told;

  (void) state;
  assert_non_null(input);
  child_options(&options, "sleep", NULL);
  run_options(&options, input, 4 * MIB, NO_LIMIT, 300, &told);
  assert_killed(&told, UV_ETIMEDOUT);
  told_free(&told);
  free(input);
}

/* What was said before too much was said elsewhere is told, though the child
 * has ended and our loop was busy meanwhile. */
static void test_limit_after_the_end(void** state) {
  ipc_child_options_t options;
  told_t told;

  (void) state;
  child_options(&options, "complain", NULL);
  ipc_child_options_set_drain_timeout(&options, IPC_CHANNEL_INFINITE);
  memset(&told, 0, sizeof(told));
  assert_int_equal(ipc_child_output(test_loop(), &options, NULL, 0, 4, LONG_MS,
                                    on_output, &told),
                   0);
  uv_sleep(500);
  test_run();
  assert_int_equal(told.count, 1);
  assert_int_equal(told.output.status, UV_ENOBUFS);
  assert_string_equal(told.out, "left");
  assert_string_equal(told.err, "oh");
  told_free(&told);
}

/* It keeps the pipes of its parent, which has ended. */
static void test_grandchild(void** state) {
  char* input = calloc(1, 4 * MIB);
  ipc_child_options_t options;
  uint64_t from = uv_hrtime();
  told_t told;

  (void) state;
  assert_non_null(input);
  /* One that doesn't read its input; on Windows it dies with its parent. */
  child_options(&options, "leave", NULL);
  ipc_child_options_set_drain_timeout(&options, 300);
  run_options(&options, input, 4 * MIB, NO_LIMIT, LONG_MS, &told);
  assert_ended(&told, PARENT_STATUS);
  assert_string_equal(told.out, "leftready");
  assert_true(elapsed_ms(from) < LONG_MS);
  told_free(&told);

  /* The deadline is one, whatever the drain timeout. */
  ipc_child_options_set_drain_timeout(&options, IPC_CHANNEL_INFINITE);
  run_options(&options, NULL, 0, NO_LIMIT, 1500, &told);
  assert_int_equal(told.output.status, UV_ETIMEDOUT);
  assert_int_equal(told.output.exit_status, PARENT_STATUS);
  assert_string_equal(told.out, "leftready");
  assert_true(elapsed_ms(from) < LONG_MS);
  told_free(&told);
  free(input);
}

/* ---- Errors ------------------------------------------------------------- */

static void test_errors(void** state) {
  const char* const args[] = {"nothing", NULL};
  ipc_child_options_t options;
  told_t told;

  (void) state;
  memset(&told, 0, sizeof(told));
  memset(&options, 0, sizeof(options));
  assert_int_equal(
      ipc_child_output(test_loop(), &options, NULL, 0, 0, 0, on_output, &told),
      UV_EINVAL);
  ipc_child_options_init(&options, "no such program anywhere", args);
  assert_int_equal(
      ipc_child_output(test_loop(), &options, "x", 1, 0, 0, on_output, &told),
      UV_ENOENT);
  assert_int_equal(
      ipc_child_output(NULL, &options, NULL, 0, 0, 0, on_output, &told),
      UV_EINVAL);
  assert_int_equal(
      ipc_child_output(test_loop(), NULL, NULL, 0, 0, 0, on_output, &told),
      UV_EINVAL);
  assert_int_equal(
      ipc_child_output(test_loop(), &options, NULL, 1, 0, 0, on_output, &told),
      UV_EINVAL);
  assert_int_equal(
      ipc_child_output(test_loop(), &options, NULL, 0, 0, -2, on_output, &told),
      UV_EINVAL);
  assert_int_equal(
      ipc_child_output(test_loop(), &options, NULL, 0, 0, 0, NULL, &told),
      UV_EINVAL);
  test_run();
  assert_int_equal(told.count, 0);
}

/* The options' own streams and exit are not looked at. */
static void test_options_stay(void** state) {
  ipc_child_options_t options;
  ipc_child_options_t before;
  told_t told;

  (void) state;
  child_options(&options, "say", NULL);
  ipc_child_options_set_stdio(&options, 1, IPC_CHILD_NULL);
  ipc_child_options_set_stdio(&options, 2, IPC_CHILD_STDOUT);
  ipc_child_options_set_stdio(&options, 3, IPC_CHILD_CHANNEL);
  before = options;
  run_options(&options, NULL, 0, NO_LIMIT, LONG_MS, &told);
  assert_memory_equal(&options, &before, sizeof(options));
  assert_string_equal(told.out, "13");
  assert_string_equal(told.err, "2");
  told_free(&told);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_says),
      TEST(test_says_nothing),
      TEST(test_large_both_ways),
      TEST(test_both_outputs),
      TEST(test_input_is_not_read),
      TEST(test_cap),
      TEST(test_deadline),
      TEST(test_deadline_while_feeding),
      TEST(test_limit_after_the_end),
      TEST(test_grandchild),
      TEST(test_errors),
      TEST(test_options_stay),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), child_roles);
}
