/* Workers that are restarted: when, how often, with what in between, and that
 * no work is lost by it. */
#include "crew.h"

#define FOR_EVER_MS 86400000

/* ---- Back-off ----------------------------------------------------------- */

static void test_backoff_grows(void** state) {
  static const int nominal[] = {20, 40, 80, 100, 100, 100};
  const int count = (int) TEST_COUNT(nominal);
  hand_t hand;
  int i;

  (void) state;
  hand_prepare(&hand, "quit", "3");
  ipc_worker_options_set_restart(&hand.options, 20, 100);
  hand_spawn(&hand);
  run_until(&hand.exits, count);
  for (i = 0; i < count; i++) {
    assert_true(is_backoff(hand.told[i].restart_ms, nominal[i]));
    if (i == 0) continue;
    /* Never early. */
    assert_true((hand.told_at[i] - hand.told_at[i - 1]) / 1000000 >=
                (uint64_t) hand.told[i - 1].restart_ms);
  }
  hand_close(&hand);
  hand_finish(&hand);
}

static void kill_it(hand_t* hand) {
  assert_int_equal(ipc_worker_kill(hand->worker, SIGKILL), 0);
}

/* A short life counts with those before it, ready or not. */
static void test_backoff_of_short_lives(void** state) {
  hand_t hand;
  int i;

  (void) state;
  hand_prepare(&hand, "work", NULL);
  ipc_worker_options_set_restart(&hand.options, 10, FOR_EVER_MS);
  hand.on_ready = kill_it;
  hand_spawn(&hand);
  run_until(&hand.exits, 4);
  for (i = 0; i < 4; i++) {
    assert_true(is_backoff(hand.told[i].restart_ms, 10 << i));
  }
  hand_close(&hand);
  hand_finish(&hand);
}

static void test_backoff_after_a_long_life(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "quit", "3");
  ipc_worker_options_set_restart(&hand.options, 40, 160);
  hand_spawn(&hand);
  run_until(&hand.exits, 3);
  assert_true(is_backoff(hand_told(&hand)->restart_ms, 160));
  hand_close(&hand);
  hand_finish(&hand);

  hand_prepare(&hand, "work", NULL);
  ipc_worker_options_set_restart(&hand.options, 40, 160);
  hand.on_ready = kill_it;
  hand_spawn(&hand);
  run_until(&hand.exits, 2);
  hand.on_ready = NULL;
  run_until(&hand.readies, 3);
  test_run_for(170);
  kill_it(&hand);
  run_until(&hand.exits, 3);
  assert_true(is_backoff(hand_told(&hand)->restart_ms, 40));
  hand_close(&hand);
  hand_finish(&hand);
}

static void test_never_restarted(void** state) {
  hand_t hand;

  (void) state;
  hand_prepare(&hand, "quit", "3");
  ipc_worker_options_set_restart(&hand.options, IPC_CHANNEL_INFINITE, 0);
  hand.stays = 1;
  hand_spawn(&hand);
  test_run();
  assert_int_equal(hand.exits, 1);
  assert_int_equal(hand_told(&hand)->exit_status, 3);
  assert_int_equal(hand_told(&hand)->restart_ms, IPC_CHANNEL_INFINITE);
  assert_int_equal(ipc_worker_quit(hand.worker, 0), UV_ESRCH);
  hand_close(&hand);
  hand_finish(&hand);
}

/* ---- What is gone at the restart ---------------------------------------- */

static char made[1100];

static void make_directory(void) {
  uv_fs_t request;

  uv_fs_mkdir(NULL, &request, made, 0700, NULL);
  uv_fs_req_cleanup(&request);
}

/* The first exit takes it, the third gives it back. */
static void take_directory(hand_t* hand) {
  uv_fs_t request;

  if (hand->exits == 3) make_directory();
  if (hand->exits != 1) return;
  assert_int_equal(uv_fs_rmdir(NULL, &request, made, NULL), 0);
  uv_fs_req_cleanup(&request);
}

static void test_directory_is_gone(void** state) {
  uv_fs_t request;
  hand_t hand;
  size_t size = sizeof(made) - 64;
  int i;

  (void) state;
  assert_int_equal(uv_os_tmpdir(made, &size), 0);
  strcat(made, "/");
  strcat(made, test_name());
  make_directory();
  hand_prepare(&hand, "work", NULL);
  ipc_worker_options_set_restart(&hand.options, 10, 1000);
  ipc_worker_options_set_directory(&hand.options, made);
  hand.on_exit = take_directory;
  hand_spawn(&hand);
  run_until(&hand.readies, 1);
  kill_it(&hand);
  run_until(&hand.readies, 2);
  assert_int_equal(hand.exits, 3);
  assert_int_equal(hand.told[0].status, 0);
  for (i = 1; i < 3; i++) {
    assert_int_equal(hand.told[i].status, UV_ENOENT);
    assert_int_equal(hand.told[i].exit_status, 0);
    assert_int_equal(hand.told[i].term_signal, 0);
    assert_true(is_backoff(hand.told[i].restart_ms, 10 << i));
  }
  assert_int_equal(ipc_worker_restarts(hand.worker), 1);
  hand_close(&hand);
  hand_finish(&hand);
  assert_int_equal(uv_fs_rmdir(NULL, &request, made, NULL), 0);
  uv_fs_req_cleanup(&request);
}

static void take_program(hand_t* hand) {
  uv_fs_t request;

  if (hand->exits == 1) {
    assert_int_equal(uv_fs_unlink(NULL, &request, made, NULL), 0);
    uv_fs_req_cleanup(&request);
  } else {
    hand_close(hand); /* no use */
  }
}

static void test_program_is_gone(void** state) {
  const char* const args[] = {"it", "work", NULL};
  size_t size = sizeof(made) - 16;
  char own[1100];
  uv_fs_t request;
  hand_t hand;

  (void) state;
  /* Beside this one, where it finds what it is linked with. */
  assert_int_equal(uv_exepath(made, &size), 0);
  strcpy(own, made);
  strcat(made, "-copy.exe");
  assert_int_equal(uv_fs_copyfile(NULL, &request, own, made, 0, NULL), 0);
  uv_fs_req_cleanup(&request);
  hand_prepare_program(&hand, made, args);
  hand.on_exit = take_program;
  hand_spawn(&hand);
  run_until(&hand.readies, 1);
  kill_it(&hand);
  hand_finish(&hand);
  assert_int_equal(hand.exits, 2);
  assert_int_equal(hand_told(&hand)->status, UV_ENOENT);
}

/* ---- No work is lost ---------------------------------------------------- */

#define WORKERS 8
#define AT_ONCE 4
#define KILLS 50
#define MAX_JOBS 100000

static hand_t hands[WORKERS];
static int under_way[WORKERS]; /* calls */
static unsigned char answers[MAX_JOBS];
static int waiting[WORKERS * AT_ONCE + 1]; /* jobs whose calls have failed */
static int waiting_count;
static int jobs;
static int answered;
static int kills;
static int replies;
static unsigned int chance;

static void hand_out(hand_t* hand);

static void kill_one(void) {
  hand_t* hand;

  chance = chance * 1664525u + 1013904223u;
  hand = &hands[(chance >> 16) % WORKERS];
  if (ipc_worker_kill(hand->worker, SIGKILL) == 0) kills++;
}

static void on_answer(ipc_channel_t* channel,
                      void* arg,
                      int status,
                      const void* data,
                      size_t size) {
  hand_t* hand = ipc_channel_data(channel);
  int job = (int) (intptr_t) arg;
  int i;

  if (status != 0) {
    assert_true(waiting_count < WORKERS * AT_ONCE);
    waiting[waiting_count++] = job;
    /* To whoever is there. */
    for (i = 0; i < WORKERS; i++) hand_out(&hands[i]);
    return;
  }
  assert_int_equal(size, sizeof(job));
  assert_memory_equal(data, &job, sizeof(job));
  hand->replies++;
  under_way[hand - hands]--;
  answers[job]++;
  answered++;
  if (++replies % 20 == 0 && kills < KILLS) kill_one();
  hand_out(hand);
}

static int next_job(void) {
  if (waiting_count > 0) return waiting[--waiting_count];
  return kills < KILLS && jobs < MAX_JOBS ? jobs++ : -1;
}

static void hand_out(hand_t* hand) {
  ipc_channel_t* channel;
  int job;

  while (under_way[hand - hands] < AT_ONCE) {
    channel = ipc_worker_channel(hand->worker);
    if (channel == NULL) return;
    job = next_job();
    if (job < 0) return;
    assert_int_equal(
        ipc_channel_call(channel, &job, sizeof(job), IPC_CHANNEL_INFINITE,
                         on_answer, (void*) (intptr_t) job),
        0);
    under_way[hand - hands]++;
  }
}

static void begin_work(hand_t* hand) {
  under_way[hand - hands] = 0;
  hand_out(hand);
}

static void test_every_job_is_done_once(void** state) {
  int i;

  (void) state;
  for (i = 0; i < WORKERS; i++) {
    hand_prepare(&hands[i], "work", NULL);
    ipc_worker_options_set_restart(&hands[i].options, 1, 10);
    hands[i].on_ready = begin_work;
    hand_spawn(&hands[i]);
  }
  while (kills < KILLS || answered < jobs) test_turn();
  for (i = 0; i < WORKERS; i++) {
    int err = ipc_worker_quit(hands[i].worker, 20000);

    if (err == UV_ESRCH) hand_close(&hands[i]);
  }
  test_run();
  assert_true(jobs > KILLS && jobs < MAX_JOBS);
  for (i = 0; i < jobs; i++) assert_int_equal(answers[i], 1);
  for (i = 0; i < WORKERS; i++) assert_int_equal(hands[i].closes, 1);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_backoff_grows),
      TEST(test_backoff_of_short_lives),
      TEST(test_backoff_after_a_long_life),
      TEST(test_never_restarted),
      TEST(test_directory_is_gone),
      TEST(test_program_is_gone),
      TEST(test_every_job_is_done_once),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), crew_roles);
}
