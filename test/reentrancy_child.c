/* The calls that make child processes, for the table. */
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
