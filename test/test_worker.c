/* Workers: what they and we say to each other, how a life ends, how it is made
 * to end, and when. */
#include "crew.h"

#define LONG_MS 20000
#define MESSAGES 100

/* ---- Talk --------------------------------------------------------------- */

static void test_messages(void** state) {
  hand_t hand;
  int i;

  (void) state;
  hand_start(&hand, "work");
  for (i = 0; i < MESSAGES; i++) {
    hand_say(&hand, "there and back");
    hand_call(&hand, "asked");
  }
  run_until(&hand.messages, MESSAGES);
  run_until(&hand.replies, MESSAGES);
  assert_string_equal(hand.last, "there and back");
  assert_int_equal(ipc_worker_restarts(hand.worker), 0);
  assert_int_equal(ipc_worker_quit(hand.worker, LONG_MS), 0);
  assert_null(ipc_worker_channel(hand.worker));
  hand_finish(&hand);
  assert_int_equal(hand.exits, 1);
  assert_int_equal(hand_told(&hand)->status, 0);
  assert_int_equal(hand_told(&hand)->exit_status, 0);
  assert_int_equal(hand_told(&hand)->term_signal, 0);
  assert_int_equal(hand_told(&hand)->restart_ms, IPC_CHANNEL_INFINITE);
}

static void on_received(ipc_channel_t* channel,
                        void* arg,
                        int status,
                        const void* data,
                        size_t size) {
  (void) channel;
  assert_int_equal(status, 0);
  assert_int_equal(size, 5);
  assert_memory_equal(data, "again", 5);
  ++*(int*) arg;
}

/* Without options of a channel it is pulled from. */
static void test_pulled(void** state) {
  hand_t hand;
  int received = 0;

  (void) state;
  hand_prepare(&hand, "work", NULL);
  assert_int_equal(ipc_worker_options_set_channel(&hand.options, NULL), 0);
  hand_spawn(&hand);
  run_until(&hand.readies, 1);
  hand_say(&hand, "again");
  assert_int_equal(ipc_channel_recv(ipc_worker_channel(hand.worker), LONG_MS,
                                    on_received, &received),
                   0);
  run_until(&received, 1);
  hand.gone = 1; /* which nobody tells us */
  hand_close(&hand);
  hand_finish(&hand);
}

/* What the caller has given is his again at once, for all lives. */
static void test_strings_are_copied(void** state) {
  char path[1024];
  char role[] = "work";
  char text[] = "mine";
  char variable[] = CREW_VARIABLE "=set";
  const char* args[] = {path, role, text, NULL};
  const char* env[] = {variable, NULL};
  size_t size = sizeof(path);
  char expected[1200] = "mine set ";
  char directory[1024];
  hand_t hand;
  int i;

  (void) state;
  assert_int_equal(uv_exepath(path, &size), 0);
  size = sizeof(directory);
  assert_int_equal(uv_os_tmpdir(directory, &size), 0);
  strcat(expected, directory);
  hand_prepare_program(&hand, path, args);
  ipc_worker_options_set_directory(&hand.options, directory);
  /* Windows programs don't start without some of it. */
  if (!test_is_windows()) ipc_worker_options_set_env(&hand.options, env);
  hand_spawn(&hand);
  memset(&hand.options, 0xff, sizeof(hand.options));
  memset(&hand.channel_options, 0xff, sizeof(hand.channel_options));
  memset(path, 0xff, sizeof(path));
  memset(role, 'x', sizeof(role) - 1);
  memset(text, 'x', sizeof(text) - 1);
  memset(variable, 'x', sizeof(variable) - 1);
  memset(directory, 'x', strlen(directory));
  args[0] = env[0] = NULL;
  for (i = 1; i <= 3; i++) {
    run_until(&hand.messages, i);
    if (test_is_windows()) {
      /* Its name may be written in several ways. */
      assert_memory_equal(hand.last, "mine - ", 7);
    } else {
      assert_string_equal(hand.last, expected);
    }
    hand_say(&hand, "exit 0");
    run_until(&hand.exits, i);
  }
  hand_close(&hand);
  hand_finish(&hand);
}

/* ---- The end of a life -------------------------------------------------- */

/* Dies as it is told to, and another one does its work. */
static void end_life(hand_t* hand, const char* order) {
  int readies = hand->readies;
  int replies = hand->replies;
  int exits = hand->exits;

  if (order == NULL) {
    assert_int_equal(ipc_worker_kill(hand->worker, SIGKILL), 0);
  } else {
    hand_say(hand, order);
  }
  run_until(&hand->exits, exits + 1);
  assert_true(hand_told(hand)->restart_ms > 0);
  assert_int_equal(hand->gone, readies);
  run_until(&hand->readies, readies + 1);
  assert_int_equal(ipc_worker_restarts(hand->worker), hand->exits);
  hand_call(hand, "work");
  run_until(&hand->replies, replies + 1);
}

static void expect(const hand_t* hand, int status, int exit_status, int sig) {
  assert_int_equal(hand_told(hand)->status, status);
  if (sig == 0) assert_int_equal(hand_told(hand)->exit_status, exit_status);
  assert_int_equal(hand_told(hand)->term_signal, sig);
}

/* Made to go after a short grace: where the machine is slow the second signal
 * is there before the first was noticed. */
static void expect_overstayed(const hand_t* hand) {
  int sig = hand_told(hand)->term_signal;

  assert_int_equal(hand_told(hand)->status, UV_ETIMEDOUT);
  assert_true(sig == SIGTERM || sig == SIGKILL);
}

static void test_dies(void** state) {
  hand_t hand;

  (void) state;
  hand_start(&hand, "work");
  assert_int_equal(ipc_worker_kill(hand.worker, 0), 0);
  end_life(&hand, "exit 0");
  expect(&hand, 0, 0, 0);
  assert_int_equal(hand.end_status, UV_ECONNRESET);
  end_life(&hand, "exit 3");
  expect(&hand, 0, 3, 0);
  end_life(&hand, NULL);
  expect(&hand, 0, 0, SIGKILL);
  assert_int_equal(hand.ends, 3);
  hand_close(&hand);
  hand_finish(&hand);
  expect(&hand, 0, 0, SIGKILL);
}

/* Its calls fail before its exit is told. */
static void test_dies_at_work(void** state) {
  hand_t hand;
  int i;

  (void) state;
  hand_start(&hand, "work");
  hand_say(&hand, "hang");
  for (i = 0; i < MESSAGES; i++) hand_call(&hand, "never");
  assert_int_equal(ipc_worker_kill(hand.worker, SIGKILL), 0);
  run_until(&hand.exits, 1);
  /* The order may have come too late for some. */
  assert_int_equal(hand.replies + hand.failed_calls, MESSAGES);
  hand_close(&hand);
  hand_finish(&hand);
}

/* Crashes before it has said a word. */
static void test_dies_at_once(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "quit", "3");
  hand_spawn(&hand);
  run_until(&hand.exits, 3);
  expect(&hand, 0, 3, 0);
  assert_int_equal(hand.readies, 0);
  assert_true(ipc_worker_restarts(hand.worker) >= 2);
  hand_close(&hand);
  hand_finish(&hand);
}

/* Its channel ends, it doesn't. */
static void test_stays_without_channel(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "work", NULL);
  ipc_worker_options_set_grace(&hand.options, 50);
  hand_spawn(&hand);
  run_until(&hand.readies, 1);
  end_life(&hand, "leave");
  expect_overstayed(&hand);
  assert_int_equal(hand.end_status, 0);
  hand_close(&hand);
  hand_finish(&hand);
}

/* It ends its side and waits for the end of ours, which comes. */
static void test_ends_its_side(void** state) {
  hand_t hand;

  (void) state;
  hand_start(&hand, "work");
  end_life(&hand, "end");
  expect(&hand, 0, 0, 0);
  hand_close(&hand);
  hand_finish(&hand);
}

static void test_we_close_its_channel(void** state) {
  hand_t hand;

  (void) state;
  hand_start(&hand, "work");
  hand_say(&hand, "#");
  assert_int_equal(ipc_channel_close(ipc_worker_channel(hand.worker)), 0);
  assert_null(ipc_worker_channel(hand.worker));
  run_until(&hand.readies, 2);
  expect(&hand, 0, 1, 0);
  assert_int_equal(ipc_channel_disconnect(ipc_worker_channel(hand.worker)), 0);
  assert_null(ipc_worker_channel(hand.worker));
  run_until(&hand.readies, 3);
  expect(&hand, 0, 0, 0);
  end_life(&hand, "exit 4");
  hand_close(&hand);
  hand_finish(&hand);
}

static void test_never_says_hello(void** state) {
  uint64_t from = uv_hrtime();
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "mute", NULL);
  ipc_channel_options_set_connect_timeout(&hand.channel_options, 100);
  ipc_worker_options_set_grace(&hand.options, 0);
  hand_spawn(&hand);
  run_until(&hand.exits, 2);
  assert_true(elapsed_ms(from) >= 200);
  expect_overstayed(&hand);
  hand_close(&hand);
  hand_finish(&hand);
  assert_int_equal(hand.readies, 0);
}

static void test_hangs(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "work", NULL);
  ipc_channel_options_set_heartbeat(&hand.channel_options, 2000);
  ipc_worker_options_set_grace(&hand.options, 0);
  hand_spawn(&hand);
  run_until(&hand.readies, 1);
  end_life(&hand, "hang");
  expect_overstayed(&hand);
  assert_int_equal(hand.end_status, UV_ETIMEDOUT);
  hand_close(&hand);
  hand_finish(&hand);
}

/* What nobody takes doesn't hold up the next life. */
static void test_dies_while_paused(void** state) {
  hand_t hand;

  (void) state;
  hand_start(&hand, "work");
  hand_say(&hand, "untaken");
  assert_int_equal(ipc_channel_pause(ipc_worker_channel(hand.worker)), 0);
  hand_say(&hand, "exit 0");
  run_until(&hand.readies, 2);
  assert_int_equal(hand.messages, 0);
  expect(&hand, 0, 0, 0);
  hand_close(&hand);
  hand_finish(&hand);
}

/* ---- Quit --------------------------------------------------------------- */

static void test_quit_delivers(void** state) {
  hand_t hand;
  int i;

  (void) state;
  hand_start(&hand, "work");
  for (i = 0; i < MESSAGES; i++) hand_say(&hand, "#");
  assert_int_equal(ipc_worker_quit(hand.worker, LONG_MS), 0);
  assert_int_equal(ipc_worker_quit(hand.worker, LONG_MS), UV_EALREADY);
  hand_finish(&hand);
  assert_int_equal(hand.exits, 1);
  expect(&hand, 0, MESSAGES, 0);
}

static void quit_shortly(void* arg) {
  hand_t* hand = arg;

  if (hand->worker != NULL) {
    assert_int_equal(ipc_worker_quit(hand->worker, 100), 0);
  }
}

static void test_quit_ignored(void** state) {
  uint64_t from;
  hand_t hand;

  (void) state;
  hand_start(&hand, "deaf");
  from = uv_hrtime();
  assert_int_equal(ipc_worker_quit(hand.worker, 100), 0);
  hand_finish(&hand);
  /* Windows: nobody can ignore it. */
  expect(&hand, UV_ETIMEDOUT, 0, test_is_windows() ? SIGTERM : SIGKILL);
  assert_true(elapsed_ms(from) >= (test_is_windows() ? 100 : 200));
}

/* A life that ends without a limit is given one by a quit. */
static void test_quit_while_it_ends(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "deaf", NULL);
  ipc_worker_options_set_grace(&hand.options, IPC_CHANNEL_INFINITE);
  hand_spawn(&hand);
  run_until(&hand.readies, 1);
  assert_int_equal(ipc_channel_close(ipc_worker_channel(hand.worker)), 0);
  after(50, quit_shortly, &hand);
  hand_finish(&hand);
  assert_int_equal(hand.exits, 1);
  assert_int_equal(hand_told(&hand)->status, UV_ETIMEDOUT);
}

static void test_quit_before_hello(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "mute", NULL);
  hand_spawn(&hand);
  assert_int_equal(ipc_worker_quit(hand.worker, 0), 0);
  hand_finish(&hand);
  expect_overstayed(&hand);
  assert_int_equal(hand.readies, 0);
}

static void test_quit_between_lives(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "quit", "0");
  ipc_worker_options_set_restart(&hand.options, 86400000, 86400000);
  hand_spawn(&hand);
  run_until(&hand.exits, 1);
  assert_true(hand_told(&hand)->restart_ms > 0);
  assert_int_equal(ipc_worker_quit(hand.worker, 0), UV_ESRCH);
  assert_int_equal(ipc_worker_quit(hand.worker, 0), UV_EALREADY);
  test_run(); /* nothing keeps the loop alive */
  assert_int_equal(hand.exits, 1);
  hand_close(&hand);
  hand_finish(&hand);
  assert_int_equal(hand.exits, 1);
}

/* ---- Close -------------------------------------------------------------- */

static void test_close_at_once(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "work", NULL);
  hand_spawn(&hand);
  hand_close(&hand);
  assert_int_equal(ipc_worker_close(hand.worker, NULL), UV_EALREADY);
  assert_int_equal(ipc_worker_quit(hand.worker, 0), UV_EALREADY);
  hand_finish(&hand);
  assert_int_equal(hand.exits, 1);
  expect(&hand, 0, 0, SIGKILL);
}

static void test_close_while_it_ends(void** state) {
  hand_t hand;

  (void) state;
  hand_start(&hand, "deaf");
  assert_int_equal(ipc_worker_quit(hand.worker, IPC_CHANNEL_INFINITE), 0);
  test_turn();
  hand_close(&hand);
  hand_finish(&hand);
  assert_int_equal(hand.exits, 1);
  expect(&hand, 0, 0, SIGKILL);
}

static void test_close_between_lives(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "quit", "0");
  ipc_worker_options_set_restart(&hand.options, 86400000, 86400000);
  hand_spawn(&hand);
  run_until(&hand.exits, 1);
  hand_close(&hand);
  hand_finish(&hand);
  assert_int_equal(hand.exits, 1);
}

/* Nothing told of it. */
static void test_close_quietly(void** state) {
  hand_t hand;
  ipc_worker_t* worker;

  (void) state;
  hand_prepare(&hand, "work", NULL);
  ipc_worker_options_set_channel(&hand.options, NULL);
  ipc_worker_options_on_ready(&hand.options, NULL);
  ipc_worker_options_on_exit(&hand.options, NULL);
  assert_int_equal(ipc_worker_spawn(test_loop(), &hand.options, NULL, &worker),
                   0);
  while (ipc_worker_channel(worker) == NULL) test_turn();
  assert_int_equal(ipc_worker_close(worker, NULL), 0);
  test_run();
}

/* From inside every callback that there is. */
static void close_it(hand_t* hand) {
  hand->on_ready = hand->on_exit = hand->on_message = hand->on_connect = NULL;
  hand->on_end = hand->on_gone = hand->on_reply = NULL;
  hand_close(hand);
}

/* A close is still to come where nothing will be told. */
static void quit_it(hand_t* hand) {
  int is_over = hand->exits > 0;

  hand->on_ready = hand->on_exit = hand->on_message = hand->on_connect = NULL;
  hand->on_end = hand->on_gone = hand->on_reply = NULL;
  assert_int_equal(ipc_worker_quit(hand->worker, LONG_MS),
                   is_over ? UV_ESRCH : 0);
  if (is_over) hand_close(hand);
}

static void run_inside(int place, void (*act)(hand_t* hand)) {
  hand_t hand;

  hand_prepare(&hand, "work", "hello");
  if (place == 0) hand.on_connect = act;
  if (place == 1) hand.on_ready = act;
  if (place == 2) hand.on_message = act;
  if (place == 3) hand.on_reply = act;
  if (place == 4) hand.on_end = act;
  if (place == 5) hand.on_gone = act;
  if (place == 6) hand.on_exit = act;
  hand_spawn(&hand);
  while (hand.readies + hand.exits == 0) test_turn();
  while (place == 2 && hand.messages == 0) test_turn();
  if (hand.worker != NULL && ipc_worker_channel(hand.worker) != NULL) {
    hand_call(&hand, "work");
    if (place == 3) run_until(&hand.replies, 1);
  }
  if (hand.worker != NULL && ipc_worker_channel(hand.worker) != NULL) {
    hand_say(&hand, "exit 0");
  }
  hand_finish(&hand);
  assert_int_equal(hand.exits, 1);
}

static void test_close_inside_callbacks(void** state) {
  int place;

  (void) state;
  for (place = 0; place < 7; place++) run_inside(place, close_it);
}

static void test_quit_inside_callbacks(void** state) {
  int place;

  (void) state;
  for (place = 0; place < 7; place++) run_inside(place, quit_it);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_messages),
      TEST(test_pulled),
      TEST(test_strings_are_copied),
      TEST(test_dies),
      TEST(test_dies_at_work),
      TEST(test_dies_at_once),
      TEST(test_stays_without_channel),
      TEST(test_ends_its_side),
      TEST(test_we_close_its_channel),
      TEST(test_never_says_hello),
      TEST(test_hangs),
      TEST(test_dies_while_paused),
      TEST(test_quit_delivers),
      TEST(test_quit_ignored),
      TEST(test_quit_while_it_ends),
      TEST(test_quit_before_hello),
      TEST(test_quit_between_lives),
      TEST(test_close_at_once),
      TEST(test_close_while_it_ends),
      TEST(test_close_between_lives),
      TEST(test_close_quietly),
      TEST(test_close_inside_callbacks),
      TEST(test_quit_inside_callbacks),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), crew_roles);
}
