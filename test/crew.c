/* Workers from both sides: the processes that the tests have work, and what is
 * written down of them. */
#include "crew.h"

#include <signal.h>
#include <stdio.h>

/* As good as for ever, and yet nothing stays when a test dies. */
#define SLEEP_MS 120000

#define FAILED_STATUS 99

/* ---- The processes ------------------------------------------------------ */

static int is_deaf;
static int stays;   /* when the loop has nothing to do */
static int counted; /* messages that begin with '#' */

static int obey(ipc_channel_t* channel, const char* order) {
  if (strncmp(order, "exit ", 5) == 0) exit(atoi(order + 5));
  if (strcmp(order, "hang") == 0) uv_sleep(SLEEP_MS);
  if (strcmp(order, "end") == 0) return ipc_channel_end(channel) == 0;
  if (strcmp(order, "leave") != 0) return 0;
  stays = 1;
  return ipc_channel_close(channel) == 0;
}

static void on_work(ipc_channel_t* channel, const void* data, size_t size) {
  char text[32] = "";

  if (size < sizeof(text)) memcpy(text, data, size);
  if (text[0] == '#') {
    counted++;
  } else if (!obey(channel, text) &&
             ipc_channel_send_copy(channel, data, size, NULL, NULL) != 0) {
    exit(FAILED_STATUS);
  }
}

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  ipc_channel_reply(channel, request, data, size);
}

static void on_work_end(ipc_channel_t* channel, int status) {
  (void) status;
  if (is_deaf) uv_sleep(SLEEP_MS);
  ipc_channel_close(channel);
}

static void introduce(ipc_channel_t* channel, const char* text) {
  char value[64] = "-";
  char directory[1024];
  char all[1200];
  size_t size = sizeof(value);

  uv_os_getenv(CREW_VARIABLE, value, &size);
  size = sizeof(directory);
  if (uv_cwd(directory, &size) != 0) exit(FAILED_STATUS);
  snprintf(all, sizeof(all), "%s %s %s", text, value, directory);
  ipc_channel_send_copy(channel, all, strlen(all), NULL, NULL);
}

static int play_work(int argc, char** argv) {
  ipc_channel_options_t options;
  ipc_channel_t* channel;

  ipc_channel_options_init(&options);
  ipc_channel_options_on_message(&options, on_work);
  ipc_channel_options_on_request(&options, on_request);
  ipc_channel_options_on_end(&options, on_work_end);
  if (ipc_channel_inherit(uv_default_loop(), &options, NULL, &channel) != 0) {
    return FAILED_STATUS;
  }
  if (argc > 0) introduce(channel, argv[0]);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  if (stays) uv_sleep(SLEEP_MS);
  return counted;
}

static int play_deaf(int argc, char** argv) {
  signal(SIGTERM, SIG_IGN);
  is_deaf = 1;
  return play_work(argc, argv);
}

static int play_mute(int argc, char** argv) {
  (void) argc;
  (void) argv;
  uv_sleep(SLEEP_MS);
  return FAILED_STATUS;
}

static int play_quit(int argc, char** argv) {
  return argc > 0 ? atoi(argv[0]) : 0;
}

const test_role_t crew_roles[] = {
    {"work", play_work}, {"deaf", play_deaf}, {"mute", play_mute},
    {"quit", play_quit}, {NULL, NULL},
};

/* ---- What is written down ----------------------------------------------- */

static hand_t* hand_of(ipc_channel_t* channel) {
  return ipc_channel_data(channel);
}

static void on_connect(ipc_channel_t* channel, int status) {
  hand_t* hand = hand_of(channel);

  if (status == 0) assert_null(ipc_worker_channel(hand->worker));
  if (status == 0 && hand->on_connect != NULL) hand->on_connect(hand);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  hand_t* hand = hand_of(channel);

  hand->messages++;
  if (size >= sizeof(hand->last)) size = sizeof(hand->last) - 1;
  memcpy(hand->last, data, size);
  hand->last[size] = '\0';
  if (hand->on_message != NULL) hand->on_message(hand);
}

static void on_end(ipc_channel_t* channel, int status) {
  hand_t* hand = hand_of(channel);

  hand->ends++;
  hand->end_status = status;
  assert_null(ipc_worker_channel(hand->worker));
  if (hand->on_end != NULL) hand->on_end(hand);
}

static void on_gone(ipc_channel_t* channel, const ipc_close_result_t* result) {
  hand_t* hand = hand_of(channel);

  (void) result;
  hand->gone++;
  if (hand->on_gone != NULL) hand->on_gone(hand);
}

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  hand_t* hand = hand_of(channel);

  (void) arg;
  (void) data;
  (void) size;
  if (status == 0) {
    hand->replies++;
  } else {
    hand->failed_calls++;
  }
  if (hand->on_reply != NULL) hand->on_reply(hand);
}

static void on_ready(ipc_worker_t* worker, ipc_channel_t* channel) {
  hand_t* hand = ipc_worker_data(worker);

  assert_ptr_equal(worker, hand->worker);
  assert_ptr_equal(ipc_worker_channel(worker), channel);
  assert_ptr_equal(ipc_channel_data(channel), hand);
  assert_true(ipc_worker_pid(worker) > 0);
  hand->readies++;
  if (hand->on_ready != NULL) hand->on_ready(hand);
}

static void on_hand_closed(ipc_worker_t* worker) {
  hand_t* hand = ipc_worker_data(worker);

  hand->closes++;
  hand->worker = NULL;
}

void hand_close(hand_t* hand) {
  assert_int_equal(ipc_worker_close(hand->worker, on_hand_closed), 0);
}

static void on_hand_exit(ipc_worker_t* worker, const ipc_worker_exit_t* told) {
  hand_t* hand = ipc_worker_data(worker);
  int is_last = told->restart_ms == IPC_CHANNEL_INFINITE;

  assert_ptr_equal(worker, hand->worker);
  assert_null(ipc_worker_channel(worker));
  assert_int_equal(ipc_worker_pid(worker), 0);
  assert_int_equal(ipc_worker_kill(worker, SIGKILL), UV_ESRCH);
  assert_int_equal(hand->closes, 0);
  if (hand->exits < CREW_EXITS) {
    hand->told[hand->exits] = *told;
    hand->told_at[hand->exits] = uv_hrtime();
  }
  hand->exits++;
  if (hand->on_exit != NULL) hand->on_exit(hand);
  if (is_last && !hand->stays) {
    int err = ipc_worker_close(worker, on_hand_closed);

    assert_true(err == 0 || err == UV_EALREADY);
  }
}

void hand_prepare(hand_t* hand, const char* role, const char* argument) {
  static char path[1024];
  static const char* args[4];
  size_t size = sizeof(path);

  assert_int_equal(uv_exepath(path, &size), 0);
  args[0] = path;
  args[1] = role;
  args[2] = argument;
  args[3] = NULL;
  hand_prepare_program(hand, path, args);
}

void hand_prepare_program(hand_t* hand,
                          const char* path,
                          const char* const* args) {
  ipc_channel_options_t* c = &hand->channel_options;

  memset(hand, 0, sizeof(*hand));
  ipc_channel_options_init(c);
  ipc_channel_options_on_connect(c, on_connect);
  ipc_channel_options_on_message(c, on_message);
  ipc_channel_options_on_end(c, on_end);
  ipc_channel_options_on_close(c, on_gone);
  ipc_worker_options_init(&hand->options, path, args);
  ipc_worker_options_set_channel(&hand->options, c);
  ipc_worker_options_set_restart(&hand->options, 1, 86400000);
  ipc_worker_options_on_ready(&hand->options, on_ready);
  ipc_worker_options_on_exit(&hand->options, on_hand_exit);
}

void hand_spawn(hand_t* hand) {
  assert_int_equal(
      ipc_worker_spawn(test_loop(), &hand->options, hand, &hand->worker), 0);
  assert_ptr_equal(ipc_worker_data(hand->worker), hand);
  assert_true(ipc_worker_pid(hand->worker) > 0);
  assert_null(ipc_worker_channel(hand->worker));
}

void hand_start(hand_t* hand, const char* role) {
  hand_prepare(hand, role, NULL);
  hand_spawn(hand);
  run_until(&hand->readies, 1);
}

void hand_say(hand_t* hand, const char* text) {
  assert_int_equal(ipc_channel_send_copy(ipc_worker_channel(hand->worker), text,
                                         strlen(text), NULL, NULL),
                   0);
}

void hand_call(hand_t* hand, const char* text) {
  assert_int_equal(
      ipc_channel_call(ipc_worker_channel(hand->worker), text, strlen(text),
                       IPC_CHANNEL_INFINITE, on_reply, NULL),
      0);
}

void hand_finish(hand_t* hand) {
  test_run();
  assert_int_equal(hand->closes, 1);
  assert_null(hand->worker);
  assert_true(hand->gone >= hand->readies);
}

const ipc_worker_exit_t* hand_told(const hand_t* hand) {
  assert_in_range(hand->exits, 1, CREW_EXITS);
  return &hand->told[hand->exits - 1];
}

int is_backoff(int ms, int nominal_ms) {
  return ms >= nominal_ms - nominal_ms / 4 && ms <= nominal_ms + nominal_ms / 4;
}
