/* The calls that make child processes and workers, for the table. */
#include "child_roles.h"
#include "reentrancy.h"

#define SET(f) assert_int_equal(CALL(f), 0)

void child_builder(end_t* end) {
  const char* const args[] = {"program", NULL};
  ipc_channel_options_t channel;
  ipc_child_options_t o;
  ipc_channel_t* opened;
  uv_os_fd_t ends[2];
  const char* error;
  int i;

  (void) end;
  ipc_channel_options_init(&channel);
  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends), 0);
  RUN(ipc_child_options_init(&o, "program", args));
  SET(ipc_child_options_set_env(&o, NULL));
  SET(ipc_child_options_set_directory(&o, "."));
  SET(ipc_child_options_set_stdio(&o, 0, IPC_CHILD_NULL));
  SET(ipc_child_options_set_stdio_handle(&o, 1, ends[0]));
  SET(ipc_child_options_set_channel(&o, 3, &channel, NULL));
  SET(ipc_child_options_set_drain_timeout(&o, 0));
  SET(ipc_child_options_on_exit(&o, NULL));
  RUN(error = ipc_child_options_error(&o));
  assert_string_equal(error, "");
  for (i = 0; i < 2; i++) {
    assert_int_equal(
        ipc_channel_open(test_loop(), &channel, ends[i], NULL, &opened), 0);
    assert_int_equal(ipc_channel_close(opened), 0);
  }
}

static void on_child_output(void* arg, const ipc_child_output_t* output) {
  (void) arg;
  assert_int_equal(talk.in_call, 0);
  assert_int_equal(output->status, 0);
}

static void on_child_exit(ipc_child_t* child, int64_t status, int signal) {
  (void) child, (void) status, (void) signal;
  assert_int_equal(talk.in_call, 0);
}

/* One that is ended at once in every way that there is. */
void children(end_t* end) {
  ipc_channel_options_t channel_options;
  ipc_child_options_t o;
  ipc_channel_t* channel;
  ipc_child_t* child;
  void* data;
  int pid;

  (void) end;
  child_options(&o, "exit", "0");
  ipc_child_options_set_stdio(&o, 0, IPC_CHILD_CHANNEL);
  ipc_child_options_set_stdio(&o, 1, IPC_CHILD_CHANNEL);
  ipc_child_options_on_exit(&o, on_child_exit);
  SET(ipc_child_spawn(test_loop(), &o, &o, &child));
  RUN(data = ipc_child_data(child));
  assert_ptr_equal(data, &o);
  RUN(pid = ipc_child_pid(child));
  assert_true(pid > 0);
  RUN(channel = ipc_child_channel(child, 0));
  assert_non_null(channel);
  CALL(ipc_child_quit(child, 60000));
  CALL(ipc_child_kill(child, SIGTERM));
  SET(ipc_child_close(child, NULL));
  SET(ipc_child_output(test_loop(), &o, NULL, 0, 0, IPC_CHANNEL_INFINITE,
                       on_child_output, NULL));
  ipc_channel_options_init(&channel_options);
  assert_int_equal(
      CALL(ipc_channel_inherit(test_loop(), &channel_options, NULL, &channel)),
      UV_ENOENT);
}

void worker_builder(end_t* end) {
  const char* const args[] = {"program", NULL};
  ipc_worker_options_t o;
  const char* error;

  (void) end;
  RUN(ipc_worker_options_init(&o, "program", args));
  SET(ipc_worker_options_set_env(&o, NULL));
  SET(ipc_worker_options_set_directory(&o, "."));
  SET(ipc_worker_options_set_stdio(&o, 0, IPC_CHILD_NULL));
  SET(ipc_worker_options_set_channel(&o, NULL));
  SET(ipc_worker_options_set_restart(&o, 1, 1));
  SET(ipc_worker_options_set_grace(&o, 0));
  SET(ipc_worker_options_on_ready(&o, NULL));
  SET(ipc_worker_options_on_exit(&o, NULL));
  RUN(error = ipc_worker_options_error(&o));
  assert_string_equal(error, "");
}

static void on_worker_exit(ipc_worker_t* worker,
                           const ipc_worker_exit_t* told) {
  (void) worker;
  assert_int_equal(talk.in_call, 0);
  assert_int_equal(told->restart_ms, IPC_CHANNEL_INFINITE);
}

/* The same. */
void workers(end_t* end) {
  static char path[1024];
  const char* args[] = {path, "exit", "0", NULL};
  size_t size = sizeof(path);
  ipc_worker_options_t o;
  ipc_channel_t* channel;
  ipc_worker_t* worker;
  uint64_t restarts;
  void* data;
  int pid;

  (void) end;
  assert_int_equal(uv_exepath(path, &size), 0);
  ipc_worker_options_init(&o, path, args);
  ipc_worker_options_on_exit(&o, on_worker_exit);
  SET(ipc_worker_spawn(test_loop(), &o, &o, &worker));
  RUN(data = ipc_worker_data(worker));
  assert_ptr_equal(data, &o);
  RUN(pid = ipc_worker_pid(worker));
  assert_true(pid > 0);
  RUN(channel = ipc_worker_channel(worker));
  assert_null(channel);
  RUN(restarts = ipc_worker_restarts(worker));
  assert_int_equal(restarts, 0);
  CALL(ipc_worker_quit(worker, 60000));
  CALL(ipc_worker_kill(worker, SIGTERM));
  SET(ipc_worker_close(worker, NULL));
}
