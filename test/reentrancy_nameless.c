/* The calls that make channels of handles and FIFOs, and servers of listeners,
 * for the table. */
#include <stdio.h>

#include "reentrancy.h"

void channel_builder(end_t* end) {
  static test_memory_t memory;
  ipc_allocator_t a = test_allocator(&memory);
  ipc_channel_options_t o;
  const char* error;

  (void) end;
  RUN(ipc_channel_options_init(&o));
  SET(ipc_channel_options_set_delimiter(&o, 0));
  SET(ipc_channel_options_set_length_prefix(&o, &some_prefix));
  SET(ipc_channel_options_set_codec(&o, &some_codec));
  SET(ipc_channel_options_set_framing(&o, IPC_CHANNEL_FRAMING_NATIVE));
  SET(ipc_channel_options_set_connect_timeout(&o, 1));
  SET(ipc_channel_options_on_connect(&o, NULL));
  SET(ipc_channel_options_set_max_message_bytes(&o, 1));
  SET(ipc_channel_options_set_max_queue_bytes(&o, 1));
  SET(ipc_channel_options_set_max_queue_messages(&o, 1));
  SET(ipc_channel_options_set_slow_reader(&o, IPC_CHANNEL_SLOW_BLOCK));
  SET(ipc_channel_options_set_access(&o, IPC_CHANNEL_ACCESS_DUPLEX));
  SET(ipc_channel_options_set_heartbeat(&o, 10));
  SET(ipc_channel_options_set_close_timeout(&o, 0));
  SET(ipc_channel_options_set_idle_timeout(&o, 1));
  SET(ipc_channel_options_set_allocator(&o, &a));
  SET(ipc_channel_options_on_message(&o, NULL));
  SET(ipc_channel_options_on_request(&o, NULL));
  SET(ipc_channel_options_on_state(&o, NULL));
  SET(ipc_channel_options_on_drain(&o, NULL));
  SET(ipc_channel_options_on_end(&o, NULL));
  SET(ipc_channel_options_on_close(&o, NULL));
  RUN(error = ipc_channel_options_error(&o));
  assert_string_equal(error, "");
}

/* A channel of one end, given back and closed; and both ends as channels. */
void pairs(end_t* end) {
  ipc_channel_options_t o;
  const ipc_channel_options_t* const both[2] = {&o, &o};
  void* const data[2] = {NULL, NULL};
  ipc_channel_t* channels[2];
  ipc_channel_t* channel;
  uv_os_fd_t ends[2];
  uv_os_fd_t handle;
  int i;

  (void) end;
  ipc_channel_options_init(&o);
  SET(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends));
  SET(ipc_channel_open(test_loop(), &o, ends[0], NULL, &channel));
  SET(ipc_channel_release(channel, &handle));
  assert_true(handle == ends[0]);
  SET(ipc_channel_close(channel));
  for (i = 0; i < 2; i++) {
    SET(ipc_channel_open(test_loop(), &o, ends[i], NULL, &channel));
    SET(ipc_channel_close(channel));
  }
  SET(ipc_channel_pair(test_loop(), both, data, channels));
  for (i = 0; i < 2; i++) SET(ipc_channel_close(channels[i]));
}

/* A builder with a listener that is none; and nothing has been passed on. */
void activation(end_t* end) {
  ipc_server_options_t o;
  ipc_server_t* server;
  uv_os_fd_t ends[2];
  size_t count = 0;
  int i;

  (void) end;
  SET(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends));
  ipc_server_options_init(&o, NULL);
  ONLY(!test_is_windows(), ipc_server_options_set_listener(&o, ends[0]));
  assert_int_equal(CALL(ipc_server_listen(test_loop(), &o, NULL, &server)),
                   test_is_windows() ? UV_ENOTSUP : UV_EINVAL);
  for (i = 0; i < 2; i++) test_close_handle(ends[i]);
  assert_int_equal(CALL(ipc_activation_handles("nobody's", NULL, &count)),
                   test_is_windows() ? UV_ENOTSUP : UV_ENOENT);
}

/* One end after the other, the reader first; where there are any. */
void fifos(end_t* end) {
  ipc_channel_options_t o;
  ipc_channel_t* channels[2];
  char path[128];
  int i;

  (void) end;
  if (test_is_windows()) {
    assert_int_equal(CALL(ipc_fifo_create(test_name(), 0600)), UV_ENOTSUP);
    return;
  }
  snprintf(path, sizeof(path), "%s/%s", test_directory(), test_name());
  SET(ipc_fifo_create(path, 0600));
  ipc_channel_options_init(&o);
  ipc_channel_options_set_framing(&o, IPC_CHANNEL_FRAMING_RAW);
  for (i = 0; i < 2; i++) {
    ipc_channel_options_set_access(
        &o, i == 0 ? IPC_CHANNEL_ACCESS_INBOUND : IPC_CHANNEL_ACCESS_OUTBOUND);
    SET(ipc_fifo_open(test_loop(), &o, path, NULL, &channels[i]));
  }
  SET(ipc_channel_send_copy(channels[1], "x", 1, NULL, NULL));
  SET(ipc_fifo_remove(channels[0]));
  for (i = 0; i < 2; i++) SET(ipc_channel_close(channels[i]));
}
