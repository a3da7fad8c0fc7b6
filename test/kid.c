/* A child process that writes down what happens to it. */
#include "kid.h"

static void on_kid_closed(ipc_child_t* child) {
  kid_t* kid = ipc_child_data(child);

  assert_int_equal(kid->exits, 1);
  kid->closes++;
  kid->child = NULL;
}

void kid_close(kid_t* kid) {
  assert_int_equal(ipc_child_close(kid->child, on_kid_closed), 0);
}

static void on_kid_exit(ipc_child_t* child, int64_t status, int signal) {
  kid_t* kid = ipc_child_data(child);

  assert_ptr_equal(child, kid->child);
  kid->exits++;
  kid->status = status;
  kid->signal = signal;
  kid->ends_at_exit = kid->sides[1].ends + kid->sides[2].ends;
  kid->bytes_at_exit = kid->sides[1].bytes + kid->sides[2].bytes;
  if (kid->on_exit != NULL) kid->on_exit(kid);
  if (!kid->stays) kid_close(kid);
}

void kid_prepare(kid_t* kid, const char* role, const char* argument) {
  memset(kid, 0, sizeof(*kid));
  child_options(&kid->options, role, argument);
  ipc_child_options_on_exit(&kid->options, on_kid_exit);
  ipc_child_options_set_drain_timeout(&kid->options, IPC_CHANNEL_INFINITE);
}

void kid_use_channel(kid_t* kid, unsigned int slot) {
  side_options(&kid->channels[slot]);
  if (slot != IPC_CHILD_EXTRA_SLOT) {
    ipc_channel_options_set_framing(&kid->channels[slot],
                                    IPC_CHANNEL_FRAMING_RAW);
  }
  kid->sides[slot].keeps_log = 1;
  assert_int_equal(
      ipc_child_options_set_channel(&kid->options, slot, &kid->channels[slot],
                                    &kid->sides[slot]),
      0);
}

void kid_spawn(kid_t* kid) {
  unsigned int slot;

  assert_int_equal(
      ipc_child_spawn(test_loop(), &kid->options, kid, &kid->child), 0);
  assert_ptr_equal(ipc_child_data(kid->child), kid);
  assert_true(ipc_child_pid(kid->child) > 0);
  for (slot = 0; slot < 4; slot++) {
    kid->sides[slot].channel = ipc_child_channel(kid->child, slot);
  }
}

void kid_assert_said(const kid_t* kid, unsigned int slot, const char* text) {
  assert_int_equal(kid->sides[slot].log_size, strlen(text));
  assert_memory_equal(kid->sides[slot].log, text, strlen(text));
}

void kid_assert_ended_well(const kid_t* kid) {
  assert_int_equal(kid->exits, 1);
  assert_int_equal(kid->status, 0);
  assert_int_equal(kid->signal, 0);
}

void kid_finish(kid_t* kid) {
  int i;

  test_run();
  assert_int_equal(kid->closes, 1);
  for (i = 0; i < 4; i++) {
    assert_null(kid->sides[i].channel);
  }
}

void kid_free(kid_t* kid) {
  int i;

  for (i = 0; i < 4; i++) side_free(&kid->sides[i]);
}
