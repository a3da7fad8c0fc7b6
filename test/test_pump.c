/* A program with a wait loop of its own: it waits for the pump's handle as long
 * as the pump says, and nothing else ever turns the loop. */
#include "pair.h"

/* Longer than any machine is slow, shorter than the watchdog. */
#define PATIENCE_MS 20000

static ipc_pump_t* pump;

static void pump_open(void) {
  assert_int_equal(ipc_pump_create(test_loop(), &pump), 0);
}

static void pump_close(void) {
  assert_int_equal(ipc_pump_destroy(pump), 0);
  pump = NULL;
}

/* One round of the program; answers whether the handle said something. */
static int pump_round(void) {
  int told = test_wait_handle(ipc_pump_handle(pump), ipc_pump_timeout(pump));
  int alive = ipc_pump_run(pump);

  assert_int_equal(alive, uv_loop_alive(test_loop()) != 0);
  return told;
}

static void pump_until(const int* count, int target) {
  uint64_t begin = uv_hrtime();

  while (*count < target) {
    pump_round();
    if (elapsed_ms(begin) > PATIENCE_MS) fail_msg("%d of %d", *count, target);
  }
}

/* Until the program would sleep. A pump that keeps it busy fails here. */
static void pump_settle(void) {
  int calm = 0;
  int round;

  for (round = 0; round < 1000 && calm < 2; round++) {
    int timeout_ms = ipc_pump_timeout(pump);

    if (timeout_ms != 0 && !test_wait_handle(ipc_pump_handle(pump), 20)) {
      calm++;
    } else {
      calm = 0;
      ipc_pump_run(pump);
    }
  }
  assert_int_equal(calm, 2);
}

/* Both sides of a pair are open, by the pump's work alone. */
static void pump_pair(pair_t* pair) {
  pump_open();
  pair_init(pair);
  pair_listen(pair);
  pump_settle();
  /* On a loop that sleeps already. */
  pair_connect(pair);
  pump_until(&pair->client.opens, 1);
  pump_until(&pair->accepted.opens, 1);
}

/* ---- Channels ----------------------------------------------------------- */

static void test_messages_come_and_go(void** state) {
  pair_t pair;
  int i;

  (void) state;
  pump_pair(&pair);
  pair.accepted.echoes = 1;
  for (i = 0; i < 200; i++) {
    /* On a loop that sleeps now and then, and one in full swing. */
    if (i % 50 == 0) pump_settle();
    assert_int_equal(side_send(&pair.client, "hello", 5), 0);
    pump_until(&pair.client.messages, i + 1);
  }
  side_close(&pair.client);
  pump_until(&pair.client.closes, 1);
  pump_until(&pair.server_closes, 1);
  pump_close();
  pair_finish(&pair);
}

static void test_much_at_once(void** state) {
  static uint8_t data[100000];
  pair_t pair;
  int i;

  (void) state;
  pattern_fill(data, sizeof(data), 1);
  pump_pair(&pair);
  pair.accepted.echoes = 1;
  for (i = 0; i < 8; i++) {
    assert_int_equal(side_send(&pair.client, data, sizeof(data)), 0);
  }
  pump_until(&pair.client.messages, 8);
  assert_int_equal(pair.client.bytes, 8 * sizeof(data));
  pump_settle();
  pump_close();
  pair_finish(&pair);
}

static void test_all_done_is_0(void** state) {
  pair_t pair;
  uint64_t begin;

  (void) state;
  pump_pair(&pair);
  side_close(&pair.client);
  begin = uv_hrtime();
  while (ipc_pump_run(pump) == 1) {
    test_wait_handle(ipc_pump_handle(pump), ipc_pump_timeout(pump));
    assert_true(elapsed_ms(begin) < PATIENCE_MS);
  }
  assert_int_equal(pair.client.closes, 1);
  assert_int_equal(pair.server_closes, 1);
  assert_int_equal(ipc_pump_timeout(pump), IPC_CHANNEL_INFINITE);
  pump_close();
  pair_finish(&pair);
}

/* A channel that doesn't keep the loop alive, and whose peer goes, must not
 * keep the program busy. */
static void test_paused_channels(void** state) {
  pair_t pair;

  (void) state;
  pump_pair(&pair);
  assert_int_equal(ipc_channel_pause(pair.client.channel), 0);
  assert_int_equal(side_send(&pair.accepted, "hello", 5), 0);
  pump_until(&pair.accepted.sent, 1);
  assert_int_equal(ipc_channel_disconnect(pair.accepted.channel), 0);
  pump_settle();
  assert_int_equal(pair.client.messages, 0);
  assert_int_equal(ipc_channel_resume(pair.client.channel), 0);
  pump_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.messages, 1);
  pump_close();
  pair_finish(&pair);
}

/* ---- Time --------------------------------------------------------------- */

static void count_timer(uv_timer_t* timer) {
  ++*(int*) timer->data;
}

static void test_timers(void** state) {
  static uv_timer_t timer;
  int fired = 0;
  int timeout_ms;

  (void) state;
  pump_open();
  assert_int_equal(uv_timer_init(test_loop(), &timer), 0);
  timer.data = &fired;
  uv_update_time(test_loop());
  uv_timer_start(&timer, count_timer, 100, 0);
  timeout_ms = ipc_pump_timeout(pump);
  assert_true(timeout_ms >= 0 && timeout_ms <= 100);
  pump_until(&fired, 1);

  /* The program has slept, and libuv doesn't know. */
  uv_update_time(test_loop());
  uv_timer_start(&timer, count_timer, 30, 0);
  ipc_pump_run(pump);
  uv_sleep(40);
  assert_int_equal(ipc_pump_timeout(pump), 0);
  ipc_pump_run(pump);
  assert_int_equal(fired, 2);
  uv_close((uv_handle_t*) &timer, NULL);
  pump_settle();
  pump_close();
}

/* ---- Other threads ------------------------------------------------------ */

typedef struct bell_s {
  uv_async_t async;
  int rung;
} bell_t;

static void on_bell(uv_async_t* async) {
  ((bell_t*) async->data)->rung++;
}

static void bell_open(bell_t* bell) {
  bell->rung = 0;
  assert_int_equal(uv_async_init(test_loop(), &bell->async, on_bell), 0);
  bell->async.data = bell;
}

static void on_bell_closed(uv_handle_t* handle) {
  ((bell_t*) handle->data)->rung = -1;
}

static void bell_close(bell_t* bell) {
  uv_close((uv_handle_t*) &bell->async, on_bell_closed);
  while (bell->rung != -1) test_turn();
}

static void ring_later(void* arg) {
  uv_sleep(5);
  uv_async_send(&((bell_t*) arg)->async);
}

static void ring_and_wait(bell_t* bell) {
  int rung = bell->rung;
  uv_thread_t thread;

  assert_int_equal(uv_thread_create(&thread, ring_later, bell), 0);
  pump_until(&bell->rung, rung + 1);
  uv_thread_join(&thread);
}

static void test_other_threads(void** state) {
  static bell_t bell;
  int i;

  (void) state;
  pump_open();
  bell_open(&bell);
  for (i = 0; i < 30; i++) ring_and_wait(&bell);
  assert_int_equal(bell.rung, 30);
  bell_close(&bell);
  pump_close();
}

/* Nothing keeps the loop alive: the program may sleep, and what comes all the
 * same is told, done, and over. */
static void test_nothing_alive(void** state) {
  static bell_t bell;
  int i;

  (void) state;
  pump_open();
  bell_open(&bell);
  uv_unref((uv_handle_t*) &bell.async);
  assert_int_equal(ipc_pump_timeout(pump), 0);
  assert_int_equal(ipc_pump_run(pump), 0);
  pump_settle();
  assert_int_equal(ipc_pump_timeout(pump), IPC_CHANNEL_INFINITE);
  for (i = 0; i < 5; i++) {
    ring_and_wait(&bell);
    pump_settle();
    assert_int_equal(ipc_pump_timeout(pump), IPC_CHANNEL_INFINITE);
  }
  assert_int_equal(bell.rung, 5);

  /* A stop from outside costs a turn, and no more. */
  uv_stop(test_loop());
  assert_int_equal(ipc_pump_run(pump), 0);
  ring_and_wait(&bell);
  uv_close((uv_handle_t*) &bell.async, on_bell_closed);
  assert_int_equal(ipc_pump_timeout(pump), 0);
  pump_settle();
  assert_int_equal(bell.rung, -1);
  pump_close();
}

/* ---- Wrong moments ------------------------------------------------------ */

static void call_inside(uv_async_t* async) {
  assert_int_equal(ipc_pump_run(pump), UV_EALREADY);
  assert_int_equal(ipc_pump_destroy(pump), UV_EALREADY);
  ((bell_t*) async->data)->rung++;
}

static void test_inside_itself(void** state) {
  static bell_t bell;

  (void) state;
  pump_open();
  assert_int_equal(uv_async_init(test_loop(), &bell.async, call_inside), 0);
  bell.async.data = &bell;
  uv_async_send(&bell.async);
  pump_until(&bell.rung, 1);
  bell_close(&bell);
  pump_close();
}

static void test_arguments(void** state) {
  ipc_pump_t* none = NULL;

  (void) state;
  assert_int_equal(ipc_pump_create(NULL, &none), UV_EINVAL);
  assert_int_equal(ipc_pump_create(test_loop(), NULL), UV_EINVAL);
  assert_null(none);
  assert_int_equal(ipc_pump_run(NULL), UV_EINVAL);
  assert_int_equal(ipc_pump_destroy(NULL), UV_EINVAL);
}

/* Two for one loop: each tells, whichever is run, and neither takes what the
 * other has announced. */
static void test_two_pumps(void** state) {
  ipc_pump_t* pumps[2];
  static bell_t bell;
  int i;

  (void) state;
  bell_open(&bell);
  assert_int_equal(ipc_pump_create(test_loop(), &pumps[0]), 0);
  assert_int_equal(ipc_pump_create(test_loop(), &pumps[1]), 0);
  for (i = 0; i < 20; i++) {
    pump = pumps[i % 2];
    ring_and_wait(&bell);
  }
  assert_int_equal(bell.rung, 20);
  uv_async_send(&bell.async);
  assert_int_equal(ipc_pump_destroy(pumps[0]), 0);
  pump = pumps[1];
  pump_until(&bell.rung, 21);
  bell_close(&bell);
  pump_close();
}

/* ---- Creation and end --------------------------------------------------- */

/* At any moment, with something announced, on its way, or nothing: a pump goes
 * at once and the loop has everything still. */
static void test_destroy_loses_nothing(void** state) {
  pair_t pair;
  int i;

  (void) state;
  pump_pair(&pair);
  pump_close();
  pair.accepted.echoes = 1;
  for (i = 0; i < 300; i++) {
    int round = i;

    pump_open();
    assert_int_equal(side_send(&pair.client, "hello", 5), 0);
    for (; round % 6 > 0; round--) {
      if (ipc_pump_timeout(pump) == 0) ipc_pump_run(pump);
    }
    /* With the event still set, that is. */
    if (i % 7 == 0 && pair.client.messages == i) {
      test_wait_handle(ipc_pump_handle(pump), 1);
    }
    pump_close();
    run_until(&pair.client.messages, i + 1);
  }
  pair_finish(&pair);
}

/* The loop may be run in any other way between. */
static void test_other_runs_between(void** state) {
  pair_t pair;
  int i;

  (void) state;
  pump_pair(&pair);
  pair.accepted.echoes = 1;
  for (i = 0; i < 50; i++) {
    assert_int_equal(side_send(&pair.client, "hello", 5), 0);
    if (i % 2 == 0) {
      run_until(&pair.client.messages, i + 1);
    } else {
      pump_until(&pair.client.messages, i + 1);
    }
  }
  pump_close();
  pair_finish(&pair);
}

/* A pump that was never run, with and without something to tell. */
static void test_only_created(void** state) {
  static bell_t bell;
  int i;

  (void) state;
  bell_open(&bell);
  for (i = 0; i < 50; i++) {
    pump_open();
    if (i % 2) uv_async_send(&bell.async);
    pump_close();
  }
  run_until(&bell.rung, 1);
  bell_close(&bell);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_messages_come_and_go),
      TEST(test_much_at_once),
      TEST(test_all_done_is_0),
      TEST(test_paused_channels),
      TEST(test_timers),
      TEST(test_other_threads),
      TEST(test_nothing_alive),
      TEST(test_inside_itself),
      TEST(test_arguments),
      TEST(test_two_pumps),
      TEST(test_destroy_loses_nothing),
      TEST(test_other_runs_between),
      TEST(test_only_created),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
