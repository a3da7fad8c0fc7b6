/* What surrounds a child: the extra channel, its environment, what must not
 * leak into it. */
#include "child_roles.h"
#include "pair.h"

#define PAIRS 4

typedef struct exit_s {
  int count;
  int64_t status;
  int signal;
  int stays; /* it isn't closed then */
} exit_t;

static void on_exit_told(ipc_child_t* child, int64_t status, int signal) {
  exit_t* told = ipc_child_data(child);

  told->count++;
  told->status = status;
  told->signal = signal;
  if (!told->stays) ipc_child_close(child, NULL);
}

static void prepare(ipc_child_options_t* options,
                    const char* role,
                    const char* argument) {
  child_options(options, role, argument);
  ipc_child_options_on_exit(options, on_exit_told);
  ipc_child_options_set_drain_timeout(options, IPC_CHANNEL_INFINITE);
}

static ipc_child_t* spawn(const ipc_child_options_t* options, exit_t* told) {
  ipc_child_t* child;

  memset(told, 0, sizeof(*told));
  assert_int_equal(ipc_child_spawn(test_loop(), options, told, &child), 0);
  return child;
}

/* ---- The extra channel -------------------------------------------------- */

#define MESSAGES 1000

static void test_extra_channel(void** state) {
  ipc_channel_options_t channel;
  ipc_child_options_t options;
  char large[100000];
  side_t side;
  exit_t told;
  int i;

  (void) state;
  memset(&side, 0, sizeof(side));
  side_options(&channel);
  prepare(&options, "inherit", NULL);
  assert_int_equal(ipc_child_options_set_channel(&options, IPC_CHILD_EXTRA_SLOT,
                                                 &channel, &side),
                   0);
  side.channel = ipc_child_channel(spawn(&options, &told), 3);
  assert_non_null(side.channel);
  pattern_fill(large, sizeof(large), 3);
  for (i = 0; i < MESSAGES; i++) {
    size_t size = i % 100 == 99 ? sizeof(large) : (size_t) i;

    while (side_send(&side, large, size) == UV_EAGAIN) test_turn();
  }
  while (side.messages < MESSAGES) test_turn();
  assert_int_equal(side.connect_status, 0);
  side_close(&side);
  test_run();
  assert_int_equal(told.count, 1);
  assert_int_equal(told.status, 0);
  assert_int_equal(side.closes, 1);
  assert_int_equal(side.result.status, 0);
  assert_int_equal(side.result.unsent + side.result.unconfirmed, 0);
  side_free(&side);
}

/* One that is connected. */
static ipc_child_t* open_extra(side_t* side, exit_t* told) {
  ipc_channel_options_t channel;
  ipc_child_options_t options;
  ipc_child_t* child;

  memset(side, 0, sizeof(*side));
  side_options(&channel);
  prepare(&options, "inherit", NULL);
  assert_int_equal(ipc_child_options_set_channel(&options, IPC_CHILD_EXTRA_SLOT,
                                                 &channel, side),
                   0);
  child = spawn(&options, told);
  side->channel = ipc_child_channel(child, 3);
  run_until(&side->opens, 1);
  return child;
}

/* A child that ends without a word breaks it, and that is told first. */
static void test_extra_channel_breaks(void** state) {
  ipc_child_t* child;
  side_t side;
  exit_t told;

  (void) state;
  child = open_extra(&side, &told);
  assert_int_equal(ipc_child_kill(child, SIGKILL), 0);
  run_until(&told.count, 1);
  assert_int_equal(side.ends, 1);
  assert_int_equal(side.end_status, UV_ECONNRESET);
  test_run();
  assert_int_equal(told.signal, SIGKILL);
  side_free(&side);
}

static void test_extra_channel_quit(void** state) {
  ipc_child_t* child;
  side_t side;
  exit_t told;

  (void) state;
  child = open_extra(&side, &told);
  assert_int_equal(ipc_child_quit(child, 20000), 0);
  test_run();
  assert_int_equal(told.status, 0);
  assert_int_equal(told.signal, 0);
  side_free(&side);
}

static void test_no_extra_channel(void** state) {
  ipc_channel_options_t channel_options;
  ipc_channel_t* channel;
  ipc_child_options_t options;
  exit_t told;

  (void) state;
  prepare(&options, "inherit", NULL);
  spawn(&options, &told);
  test_run();
  assert_int_equal(told.status, NO_CHANNEL_STATUS);
  ipc_channel_options_init(&channel_options);
  assert_int_equal(
      ipc_channel_inherit(test_loop(), &channel_options, NULL, &channel),
      UV_ENOENT);
  assert_null(channel);
  assert_int_equal(ipc_channel_inherit(test_loop(), NULL, NULL, &channel),
                   UV_EINVAL);
  assert_int_equal(
      ipc_channel_inherit(test_loop(), &channel_options, NULL, NULL),
      UV_EINVAL);
}

/* ---- Environment and directory ------------------------------------------ */

/* Runs a child that writes a variable and its directory. */
static void ask(ipc_child_options_t* options, const char* expected) {
  ipc_channel_options_t channel;
  side_t side;
  exit_t told;

  memset(&side, 0, sizeof(side));
  side.keeps_log = 1;
  side_options(&channel);
  ipc_channel_options_set_framing(&channel, IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(ipc_child_options_set_channel(options, 1, &channel, &side),
                   0);
  side.channel = ipc_child_channel(spawn(options, &told), 1);
  test_run();
  assert_int_equal(told.status, 0);
  assert_true(side.log_size >= strlen(expected));
  assert_memory_equal(side.log, expected, strlen(expected));
  side_free(&side);
}

static void test_environment(void** state) {
  const char* env[3] = {"TEST_VARIABLE=given", "IPC_CHANNEL_INHERIT=3", NULL};
  ipc_child_options_t options;

  (void) state;
  prepare(&options, "environ", "TEST_VARIABLE");
  uv_os_setenv("TEST_VARIABLE", "our own");
  ask(&options, "our own\n");
  /* Windows programs don't start without some of it. */
  if (!test_is_windows()) {
    assert_int_equal(ipc_child_options_set_env(&options, env), 0);
    ask(&options, "given\n");
    assert_int_equal(ipc_child_options_set_env(&options, NULL), 0);
  }
  uv_os_unsetenv("TEST_VARIABLE");
  ask(&options, "-\n");
  /* A child without the channel isn't told that it has one. */
  prepare(&options, "environ", "IPC_CHANNEL_INHERIT");
  uv_os_setenv("IPC_CHANNEL_INHERIT", "3");
  ask(&options, "-\n");
  if (!test_is_windows()) {
    ipc_child_options_set_env(&options, env);
    ask(&options, "-\n");
    ipc_child_options_set_env(&options, NULL);
  }
  uv_os_unsetenv("IPC_CHANNEL_INHERIT");
  ipc_child_options_set_stdio(&options, 3, IPC_CHILD_CHANNEL);
  ask(&options, "3\n");
}

static void test_directory_of_child(void** state) {
  ipc_child_options_t options;
  char directory[1024];
  char expected[1100];
  size_t size = sizeof(directory);

  (void) state;
  assert_int_equal(uv_os_tmpdir(directory, &size), 0);
  size = sizeof(directory);
  prepare(&options, "environ", "NO_SUCH_VARIABLE");
  assert_int_equal(ipc_child_options_set_directory(&options, directory), 0);
  strcpy(expected, "-\n");
  /* Its name may be written in several ways on Windows. */
  if (!test_is_windows()) strcat(expected, directory);
  ask(&options, expected);
}

/* ---- Leaks -------------------------------------------------------------- */

static void raw_side(ipc_channel_options_t* options, side_t* side) {
  memset(side, 0, sizeof(*side));
  side_options(options);
  ipc_channel_options_set_framing(options, IPC_CHANNEL_FRAMING_RAW);
}

/* Each sees the end of its input, and we that of its output, although the
 * others live and were spawned while its pipes were there. */
static void test_ends_do_not_leak(void** state) {
  ipc_channel_options_t channels[2];
  ipc_child_options_t options;
  side_t sides[PAIRS][2];
  exit_t told[PAIRS];
  ipc_child_t* child;
  int i;

  (void) state;
  prepare(&options, "cat", NULL);
  for (i = 0; i < PAIRS; i++) {
    raw_side(&channels[0], &sides[i][0]);
    raw_side(&channels[1], &sides[i][1]);
    ipc_child_options_set_channel(&options, 0, &channels[0], &sides[i][0]);
    ipc_child_options_set_channel(&options, 1, &channels[1], &sides[i][1]);
    child = spawn(&options, &told[i]);
    sides[i][0].channel = ipc_child_channel(child, 0);
    sides[i][1].channel = ipc_child_channel(child, 1);
  }
  for (i = 0; i < PAIRS; i++) {
    side_send(&sides[i][0], "x", 1);
    run_until(&sides[i][1].messages, 1);
  }
  for (i = 0; i < PAIRS; i++) {
    side_close(&sides[i][0]);
    run_until(&told[i].count, 1);
    assert_int_equal(told[i].status, 0);
    assert_int_equal(sides[i][1].ends, 1);
    if (i + 1 < PAIRS) assert_int_equal(told[i + 1].count, 0);
  }
  test_run();
}

/* The same from two threads, which spawn at the same moment; afterwards one
 * child after the other is ended, each time the other way round. */
#define ROUNDS 10

typedef struct worker_s {
  int number;
  ipc_child_options_t options; /* of a cat */
  uv_barrier_t* start;
  uv_sem_t* mine;
  uv_sem_t* next;
  int failures;
} worker_t;

static void on_worker_stuck(uv_timer_t* timer) {
  abort();
  (void) timer;
}

static void on_worker_exit(ipc_child_t* child, int64_t status, int signal) {
  worker_t* worker = ipc_child_data(child);

  if (status != 0 || signal != 0) worker->failures++;
  ipc_child_close(child, NULL);
}

static void on_worker_end(ipc_channel_t* channel, int status) {
  (void) status;
  ipc_channel_close(channel);
}

static void drop(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  (void) data;
  (void) size;
}

static void work_once(worker_t* worker, uv_loop_t* loop, int is_first) {
  ipc_channel_options_t output;
  ipc_child_options_t options = worker->options;
  ipc_child_t* child;

  ipc_channel_options_init(&output);
  ipc_channel_options_set_framing(&output, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_on_message(&output, drop);
  ipc_channel_options_on_end(&output, on_worker_end);
  ipc_child_options_set_stdio(&options, 0, IPC_CHILD_CHANNEL);
  ipc_child_options_set_channel(&options, 1, &output, NULL);
  ipc_child_options_set_stdio(&options, 3, IPC_CHILD_CHANNEL);
  ipc_child_options_on_exit(&options, on_worker_exit);
  ipc_child_options_set_drain_timeout(&options, IPC_CHANNEL_INFINITE);
  uv_barrier_wait(worker->start);
  if (ipc_child_spawn(loop, &options, worker, &child) != 0) {
    worker->failures++;
  }
  uv_barrier_wait(worker->start);
  if (!is_first) uv_sem_wait(worker->mine);
  ipc_channel_close(ipc_child_channel(child, 0));
  uv_run(loop, UV_RUN_DEFAULT);
  if (is_first) uv_sem_post(worker->next);
}

static void work(void* arg) {
  worker_t* worker = arg;
  uv_timer_t watchdog;
  uv_loop_t loop;
  int i;

  if (uv_loop_init(&loop) != 0) abort();
  uv_timer_init(&loop, &watchdog);
  uv_timer_start(&watchdog, on_worker_stuck, 60000, 0);
  uv_unref((uv_handle_t*) &watchdog);
  for (i = 0; i < ROUNDS; i++) {
    work_once(worker, &loop, i % 2 == worker->number);
  }
  uv_close((uv_handle_t*) &watchdog, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&loop) != 0) worker->failures++;
}

static void test_ends_do_not_leak_between_threads(void** state) {
  worker_t workers[2];
  uv_thread_t threads[2];
  uv_barrier_t start;
  uv_sem_t sems[2];
  int i;

  (void) state;
  assert_int_equal(uv_barrier_init(&start, 2), 0);
  for (i = 0; i < 2; i++) {
    assert_int_equal(uv_sem_init(&sems[i], 0), 0);
    workers[i].number = i;
    child_options(&workers[i].options, "cat", NULL);
    workers[i].start = &start;
    workers[i].mine = &sems[i];
    workers[i].next = &sems[1 - i];
    workers[i].failures = 0;
  }
  for (i = 0; i < 2; i++) {
    assert_int_equal(uv_thread_create(&threads[i], work, &workers[i]), 0);
  }
  for (i = 0; i < 2; i++) {
    uv_thread_join(&threads[i]);
    uv_sem_destroy(&sems[i]);
    assert_int_equal(workers[i].failures, 0);
  }
  uv_barrier_destroy(&start);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_extra_channel),
      TEST(test_extra_channel_breaks),
      TEST(test_extra_channel_quit),
      TEST(test_no_extra_channel),
      TEST(test_environment),
      TEST(test_directory_of_child),
      TEST(test_ends_do_not_leak),
      TEST(test_ends_do_not_leak_between_threads),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), child_roles);
}
