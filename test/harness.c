/* The harness's portable part. */
#include "harness.h"

#include <stdio.h>

#include "harness_os.h"

#define HANG_MS 60000
/* How long a test's leftovers may take to go away by themselves. */
#define LEFTOVERS_MS 6000

static uv_loop_t loop;
static uv_timer_t watchdog;
static uv_prepare_t before_poll;
static uint64_t turn_due; /* the first timer of test_turn's turn */
static unsigned int handles_before;
static int names;
static char name[64];

uv_loop_t* test_loop(void) {
  return &loop;
}

static void on_hang(uv_timer_t* timer) {
  (void) timer;
  fail_msg("%s", "the loop has run for a minute");
}

/* The timers of this turn have run: what the test waits for may be done. */
static void on_prepare(uv_prepare_t* prepare) {
  if (uv_now(prepare->loop) >= turn_due) uv_stop(prepare->loop);
}

int test_setup(void** state) {
  (void) state;
  handles_before = test_count_handles();
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uv_timer_init(&loop, &watchdog), 0);
  uv_timer_start(&watchdog, on_hang, HANG_MS, 0);
  uv_unref((uv_handle_t*) &watchdog);
  turn_due = UINT64_MAX;
  assert_int_equal(uv_prepare_init(&loop, &before_poll), 0);
  uv_prepare_start(&before_poll, on_prepare);
  uv_unref((uv_handle_t*) &before_poll);
  return 0;
}

static void print_handle(uv_handle_t* handle, void* arg) {
  (void) arg;
  print_error("left open: a %s\n", uv_handle_type_name(handle->type));
}

int test_teardown(void** state) {
  uint64_t deadline = uv_hrtime() + LEFTOVERS_MS * (uint64_t) 1000000;
  int err;

  (void) state;
  turn_due = UINT64_MAX;
  uv_close((uv_handle_t*) &watchdog, NULL);
  uv_close((uv_handle_t*) &before_poll, NULL);
  /* A test that has failed may have left a server, which never ends. */
  while (uv_run(&loop, UV_RUN_NOWAIT) != 0 && uv_hrtime() < deadline) {
    uv_sleep(1);
  }
  err = uv_loop_close(&loop);
  if (err != 0) {
    uv_walk(&loop, print_handle, NULL);
    fail_msg("%s", "the loop is not empty");
  }
  if (test_count_handles() > handles_before) {
    fail_msg("handles: %u before, %u after", handles_before,
             test_count_handles());
  }
  return 0;
}

void test_run(void) {
  uv_run(&loop, UV_RUN_DEFAULT);
}

void test_turn(void) {
  int timeout_ms;

  if (!uv_loop_alive(&loop)) fail_msg("%s", "nothing is left to wait for");
  uv_update_time(&loop);
  timeout_ms = uv_backend_timeout(&loop);
  turn_due =
      timeout_ms < 0 ? UINT64_MAX : uv_now(&loop) + (uint64_t) timeout_ms;
  uv_run(&loop, UV_RUN_ONCE);
  turn_due = UINT64_MAX;
}

void test_run_until(const int* flag) {
  while (*flag == 0) test_turn();
}

static void on_pause(uv_timer_t* timer) {
  *(int*) timer->data = 1;
}

static void on_pause_closed(uv_handle_t* handle) {
  *(int*) handle->data = 0;
}

void test_run_for(int ms) {
  uv_timer_t timer;
  int flag = 0;

  assert_int_equal(uv_timer_init(&loop, &timer), 0);
  timer.data = &flag;
  uv_timer_start(&timer, on_pause, (uint64_t) ms, 0);
  test_run_until(&flag);
  uv_close((uv_handle_t*) &timer, on_pause_closed);
  while (flag != 0) uv_run(&loop, UV_RUN_NOWAIT);
}

const char* test_name(void) {
  snprintf(name, sizeof(name), "ipc-test-%d-%d", (int) uv_os_getpid(), ++names);
  return name;
}

static void put_u32(uint8_t* out, uint32_t value) {
  int i;

  for (i = 0; i < 4; i++) out[i] = (uint8_t) (value >> 8 * i);
}

size_t test_put_hello(uint8_t* out, uint8_t verdict, uint32_t max_message) {
  memset(out, 0, 16);
  memcpy(out, "\x89IPC\x01", 5);
  out[5] = verdict;
  put_u32(out + 8, max_message);
  return 16;
}

size_t test_put_frame(uint8_t* out,
                      uint8_t kind,
                      const void* payload,
                      uint32_t size) {
  memset(out, 0, 8);
  put_u32(out, size);
  out[4] = kind;
  if (size > 0) memcpy(out + 8, payload, size);
  return 8 + (size_t) size;
}

/* ---- Memory ------------------------------------------------------------- */

/* Each block is preceded by its size. */
#define BLOCK_HEAD 16

static int must_fail(test_memory_t* memory) {
  memory->calls++;
  return memory->fail_from != 0 && memory->calls >= memory->fail_from &&
         memory->calls < memory->fail_to;
}

static void count(test_memory_t* memory, int64_t blocks, int64_t bytes) {
  memory->blocks += blocks;
  memory->bytes += bytes;
  if (memory->bytes > memory->peak) memory->peak = memory->bytes;
}

static void* resize(void* block, size_t size, void* arg) {
  test_memory_t* memory = arg;
  char* old = block == NULL ? NULL : (char*) block - BLOCK_HEAD;
  size_t old_size = 0;
  char* grown;

  if (must_fail(memory)) return NULL;
  if (old != NULL) memcpy(&old_size, old, sizeof(old_size));
  grown = realloc(old, BLOCK_HEAD + size);
  if (grown == NULL) return NULL;
  memcpy(grown, &size, sizeof(size));
  count(memory, old == NULL, (int64_t) size - (int64_t) old_size);
  return grown + BLOCK_HEAD;
}

static void* allocate(size_t size, void* arg) {
  char* block = resize(NULL, size, arg);

  if (block != NULL) memset(block, 0xa5, size);
  return block;
}

static void release(void* block, void* arg) {
  size_t size;
  char* start;

  if (block == NULL) return;
  start = (char*) block - BLOCK_HEAD;
  memcpy(&size, start, sizeof(size));
  count(arg, -1, -(int64_t) size);
  free(start);
}

ipc_allocator_t test_allocator(test_memory_t* memory) {
  ipc_allocator_t allocator;

  allocator.allocate = allocate;
  allocator.resize = resize;
  allocator.release = release;
  allocator.arg = memory;
  return allocator;
}

/* ---- Children ----------------------------------------------------------- */

struct test_child_s {
  uv_process_t process;
  uv_pipe_t output;
  char buffer[64];
  int is_ready;
  int is_gone;
  int open;
  int64_t status;
  int signal;
};

static void on_child_closed(uv_handle_t* handle) {
  test_child_t* child = handle->data;

  child->open--;
}

static void on_exit(uv_process_t* process, int64_t status, int signal) {
  test_child_t* child = process->data;

  child->status = status;
  child->signal = signal;
  child->is_gone = 1;
  uv_close((uv_handle_t*) process, on_child_closed);
}

static void on_alloc(uv_handle_t* handle, size_t size, uv_buf_t* buffer) {
  test_child_t* child = handle->data;

  (void) size;
  *buffer = uv_buf_init(child->buffer, sizeof(child->buffer));
}

static void on_output(uv_stream_t* stream, ssize_t nread, const uv_buf_t* b) {
  test_child_t* child = stream->data;

  (void) b;
  if (nread > 0) child->is_ready = 1;
  if (nread < 0) uv_close((uv_handle_t*) stream, on_child_closed);
}

test_child_t* test_spawn(const char* role, const char* a, const char* b) {
  char path[1024];
  size_t size = sizeof(path);
  char* args[5];
  uv_stdio_container_t stdio[3];
  uv_process_options_t options;
  test_child_t* child = calloc(1, sizeof(*child));

  assert_non_null(child);
  assert_int_equal(uv_exepath(path, &size), 0);
  args[0] = path;
  args[1] = (char*) role;
  args[2] = (char*) a;
  args[3] = a == NULL ? NULL : (char*) b;
  args[4] = NULL;
  uv_pipe_init(&loop, &child->output, 0);
  memset(&options, 0, sizeof(options));
  memset(stdio, 0, sizeof(stdio));
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*) &child->output;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  options.file = path;
  options.args = args;
  options.stdio = stdio;
  options.stdio_count = 3;
  options.exit_cb = on_exit;
  child->process.data = child->output.data = child;
  child->open = 2;
  assert_int_equal(uv_spawn(&loop, &child->process, &options), 0);
  uv_read_start((uv_stream_t*) &child->output, on_alloc, on_output);
  return child;
}

void test_wait_ready(test_child_t* child) {
  while (!child->is_ready && !child->is_gone) test_turn();
  assert_true(child->is_ready);
}

void test_kill(test_child_t* child) {
  assert_int_equal(uv_process_kill(&child->process, SIGKILL), 0);
}

int test_wait(test_child_t* child) {
  int status;

  while (child->open > 0) test_turn();
  status = child->signal != 0 && !test_is_windows() ? -child->signal
                                                    : (int) child->status;
  free(child);
  return status;
}

void test_say_ready(void) {
  puts("ready");
  fflush(stdout);
}

/* ---- Main --------------------------------------------------------------- */

int test_main(int argc,
              char** argv,
              const struct CMUnitTest* tests,
              size_t count,
              const test_role_t* roles) {
  int i;

  if (argc > 1 && roles != NULL) {
    for (i = 0; roles[i].name != NULL; i++) {
      if (strcmp(roles[i].name, argv[1]) == 0) {
        return roles[i].play(argc - 2, argv + 2);
      }
    }
  }
  test_os_start();
  /* The first loop of a process opens descriptors that stay, for signals. */
  if (uv_loop_init(&loop) != 0 || uv_loop_close(&loop) != 0) return 99;
  i = _cmocka_run_group_tests("", tests, count, NULL, NULL);
  test_os_stop();
  return i;
}
