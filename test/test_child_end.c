/* How child processes are made to end: killed, asked to go, closed, and all of
 * it inside callbacks. */
#include "kid.h"

#define LONG_MS 20000
#define INPUT_BYTES ((size_t) 1024 * 1024)

static kid_t* to_kill;

static void start_sleeper(kid_t* kid, const char* role) {
  kid_prepare(kid, role, NULL);
  kid_use_channel(kid, 0);
  kid_use_channel(kid, 1);
  kid_spawn(kid);
  while (kid->sides[1].bytes < 5) test_turn();
}

static void test_killed(void** state) {
  kid_t kid;

  (void) state;
  start_sleeper(&kid, "sleep");
  assert_int_equal(ipc_child_kill(kid.child, 0), 0);
  assert_int_equal(ipc_child_kill(kid.child, SIGKILL), 0);
  kid_finish(&kid);
  assert_int_equal(kid.signal, SIGKILL);
  assert_int_equal(kid.ends_at_exit, 1);
  kid_free(&kid);
}

static void kill_on_message(side_t* side, const void* data, size_t size) {
  (void) data;
  (void) size;
  side->on_message = NULL;
  if (to_kill != NULL) {
    assert_int_equal(ipc_child_kill(to_kill->child, SIGKILL), 0);
  }
  to_kill = NULL;
}

/* In the middle of what it writes: what it has written comes, then the end. */
static void test_killed_while_writing(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "spam", "1000000000");
  kid_use_channel(&kid, 1);
  kid_use_channel(&kid, 2);
  kid.sides[1].on_message = kid.sides[2].on_message = kill_on_message;
  to_kill = &kid;
  kid_spawn(&kid);
  kid_finish(&kid);
  assert_int_equal(kid.signal, SIGKILL);
  assert_int_equal(kid.ends_at_exit, 2);
  assert_true(kid.bytes_at_exit > 0);
  kid_free(&kid);
}

/* A child that has gone doesn't take us with it. */
static void test_input_of_a_dead_child(void** state) {
  char* large = calloc(1, INPUT_BYTES);
  kid_t kid;

  (void) state;
  assert_non_null(large);
  kid_prepare(&kid, "exit", "0");
  kid_use_channel(&kid, 0);
  kid_spawn(&kid);
  kid.sides[0].stays = 1;
  while (kid.exits == 0) {
    side_send(&kid.sides[0], large, INPUT_BYTES / 8);
    test_turn();
  }
  kid_finish(&kid);
  kid_assert_ended_well(&kid);
  kid_free(&kid);
  free(large);
}

static void test_quit_obedient(void** state) {
  uint64_t from = uv_hrtime();
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "cat", NULL);
  kid_use_channel(&kid, 0);
  kid_use_channel(&kid, 1);
  kid_spawn(&kid);
  assert_int_equal(side_send(&kid.sides[0], "last", 4), 0);
  assert_int_equal(ipc_child_quit(kid.child, LONG_MS), 0);
  assert_int_equal(ipc_child_quit(kid.child, LONG_MS), UV_EALREADY);
  assert_null(ipc_child_channel(kid.child, 0));
  kid_finish(&kid);
  kid_assert_said(&kid, 1, "last");
  kid_assert_ended_well(&kid);
  assert_true(elapsed_ms(from) < LONG_MS);
  kid_free(&kid);
}

static void test_quit_asks(void** state) {
  uint64_t from;
  kid_t kid;

  (void) state;
  start_sleeper(&kid, "sleep");
  from = uv_hrtime();
  assert_int_equal(ipc_child_quit(kid.child, 100), 0);
  kid_finish(&kid);
  assert_int_equal(kid.signal, SIGTERM);
  assert_true(elapsed_ms(from) >= 100);
  kid_free(&kid);
}

static void test_quit_stubborn(void** state) {
  uint64_t from;
  kid_t kid;

  (void) state;
  start_sleeper(&kid, "stubborn");
  from = uv_hrtime();
  assert_int_equal(ipc_child_quit(kid.child, 100), 0);
  kid_finish(&kid);
  /* Windows: nobody can ignore it. */
  assert_int_equal(kid.signal, test_is_windows() ? SIGTERM : SIGKILL);
  assert_true(elapsed_ms(from) >= (test_is_windows() ? 100 : 200));
  kid_free(&kid);
}

static void test_close_while_running(void** state) {
  kid_t kid;

  (void) state;
  start_sleeper(&kid, "stubborn");
  kid.stays = 1;
  kid_close(&kid);
  assert_int_equal(ipc_child_close(kid.child, NULL), UV_EALREADY);
  assert_int_equal(ipc_child_quit(kid.child, 0), UV_EALREADY);
  kid_finish(&kid);
  assert_int_equal(kid.exits, 1);
  assert_int_equal(kid.signal, SIGKILL);
  kid_free(&kid);
}

static void test_close_at_once(void** state) {
  kid_t kid;
  unsigned int slot;

  (void) state;
  kid_prepare(&kid, "sleep", NULL);
  for (slot = 0; slot < 4; slot++) kid_use_channel(&kid, slot);
  kid_spawn(&kid);
  assert_int_equal(side_send(&kid.sides[0], "never mind", 10), 0);
  kid.stays = 1;
  kid_close(&kid);
  kid_finish(&kid);
  kid_free(&kid);
}

/* Without a callback, and nothing told of it. */
static void test_close_quietly(void** state) {
  ipc_child_options_t options;
  ipc_child_t* child;

  (void) state;
  child_options(&options, "sleep", NULL);
  ipc_child_options_set_stdio(&options, 1, IPC_CHILD_CHANNEL);
  assert_int_equal(ipc_child_spawn(test_loop(), &options, NULL, &child), 0);
  assert_int_equal(ipc_child_close(child, NULL), 0);
  test_run();
}

static kid_t* to_close;

static void close_kid(side_t* side) {
  (void) side;
  if (to_close != NULL) kid_close(to_close);
  to_close = NULL;
}

static void close_on_message(side_t* side, const void* data, size_t size) {
  (void) data;
  (void) size;
  close_kid(side);
}

/* From inside a channel's callbacks, which are before or after the exit. */
static void test_close_inside_callbacks(void** state) {
  kid_t kid;
  int i;

  (void) state;
  for (i = 0; i < 3; i++) {
    kid_prepare(&kid, "say", NULL);
    kid_use_channel(&kid, 1);
    kid_use_channel(&kid, 2);
    kid.stays = 1;
    if (i == 0) kid.sides[1].on_message = close_on_message;
    if (i == 1) kid.sides[1].on_end = close_kid;
    if (i == 2) kid.sides[1].on_open = close_kid;
    kid_spawn(&kid);
    to_close = &kid;
    kid_finish(&kid);
    assert_int_equal(kid.exits, 1);
    kid_free(&kid);
  }
}

static void spawn_second(kid_t* kid) {
  kid_t* second = kid + 1;

  kid_prepare(second, "cat", NULL);
  kid_use_channel(second, 0);
  kid_use_channel(second, 1);
  kid_spawn(second);
  assert_int_equal(side_send(&second->sides[0], "second", 6), 0);
  assert_int_equal(ipc_child_quit(second->child, LONG_MS), 0);
}

static void test_spawn_inside_exit(void** state) {
  kid_t kids[2];

  (void) state;
  kid_prepare(&kids[0], "say", NULL);
  kid_use_channel(&kids[0], 1);
  kid_use_channel(&kids[0], 2);
  kids[0].on_exit = spawn_second;
  kid_spawn(&kids[0]);
  kid_finish(&kids[0]);
  kid_finish(&kids[1]);
  kid_assert_said(&kids[0], 1, "13");
  kid_assert_said(&kids[1], 1, "second");
  kid_assert_ended_well(&kids[1]);
  kid_free(&kids[0]);
  kid_free(&kids[1]);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_killed),
      TEST(test_killed_while_writing),
      TEST(test_input_of_a_dead_child),
      TEST(test_quit_obedient),
      TEST(test_quit_asks),
      TEST(test_quit_stubborn),
      TEST(test_close_while_running),
      TEST(test_close_at_once),
      TEST(test_close_quietly),
      TEST(test_close_inside_callbacks),
      TEST(test_spawn_inside_exit),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), child_roles);
}
