/* A wedged peer is noticed, and nobody else is taken for one. */
#include "harness.h"

#include "pair.h"

/* Where all that is to be seen is that it is noticed, or never. */
#define SHORT_MS 60
/* So many intervals without a verdict are enough. */
#define LONG 4
#define FEATURE_HEARTBEAT 1
#define PING 0x01
#define PONG 0x02

static const uint8_t nothing[8];

static void watch(pair_t* pair, int server_ms, int client_ms) {
  pair_init(pair);
  if (server_ms != 0) {
    assert_int_equal(
        ipc_server_options_set_heartbeat(&pair->server_options, server_ms), 0);
  }
  if (client_ms != 0) {
    assert_int_equal(
        ipc_client_options_set_heartbeat(&pair->client_options, client_ms), 0);
  }
}

/* A machine that stands still for an interval makes a peer look wedged that is
 * not, or is late to notice one that is. So what depends on that is tried in
 * short intervals first, and in longer ones where those have failed. */
static void holds_at_some(int (*holds)(int interval_ms)) {
  static const int intervals[] = {90, 90, 90, 360, 360, 360, 1440, 1440, 1440};
  size_t i = 0;

  while (!holds(intervals[i])) {
    i++;
    assert_true(i < TEST_COUNT(intervals));
  }
}

/* Runs until it has so many or the watching side, which stays, has ended. */
static int comes(const int* count, int target, const side_t* watching) {
  while (*count < target && watching->ends == 0) test_turn();
  return watching->ends == 0;
}

static void pause_side(side_t* side) {
  assert_int_equal(ipc_channel_pause(side->channel), 0);
}

/* ---- Roles -------------------------------------------------------------- */

static uv_loop_t child_loop;

/* The loop of this process runs no more; its parent kills it. */
static void wedge(void) {
  test_say_ready();
  for (;;) uv_sleep(1000);
}

static void wedged_message(ipc_channel_t* channel,
                           const void* data,
                           size_t size) {
  (void) channel;
  (void) data;
  (void) size;
  wedge();
}

static void wedged_answer(ipc_channel_t* channel,
                          const void* data,
                          size_t size) {
  if (ipc_channel_send_copy(channel, data, size, NULL, NULL) != 0) abort();
  if (ipc_channel_flush(channel) != 0) abort();
  wedge();
}

static void echo_message(ipc_channel_t* channel,
                         const void* data,
                         size_t size) {
  if (ipc_channel_send_copy(channel, data, size, NULL, NULL) != 0) abort();
}

static int serve_as_child(const char* name, ipc_message_cb on_message) {
  ipc_server_options_t options;
  ipc_server_t* server;

  if (uv_loop_init(&child_loop) != 0) return 101;
  ipc_server_options_init(&options, name);
  ipc_server_options_on_message(&options, on_message);
  if (ipc_server_listen(&child_loop, &options, NULL, &server) != 0) return 102;
  test_say_ready();
  uv_run(&child_loop, UV_RUN_DEFAULT);
  return 0;
}

static int play_wedged(int argc, char** argv) {
  return argc == 1 ? serve_as_child(argv[0], wedged_message) : 100;
}

static int play_answers_and_wedges(int argc, char** argv) {
  return argc == 1 ? serve_as_child(argv[0], wedged_answer) : 100;
}

static int play_echo(int argc, char** argv) {
  return argc == 1 ? serve_as_child(argv[0], echo_message) : 100;
}

static int connect_as_child(const char* name,
                            ipc_connect_cb on_connect,
                            ipc_message_cb on_message) {
  ipc_client_options_t options;
  ipc_channel_t* channel;

  if (uv_loop_init(&child_loop) != 0) return 101;
  ipc_client_options_init(&options, name);
  ipc_client_options_on_connect(&options, on_connect);
  ipc_client_options_on_message(&options, on_message);
  if (ipc_client_connect(&child_loop, &options, NULL, &channel) != 0) {
    return 102;
  }
  uv_run(&child_loop, UV_RUN_DEFAULT);
  return 0;
}

static void wedged_connect(ipc_channel_t* channel, int status) {
  (void) channel;
  if (status != 0) abort();
  wedge();
}

static int play_wedged_client(int argc, char** argv) {
  return argc == 1 ? connect_as_child(argv[0], wedged_connect, NULL) : 100;
}

static int play_client(int argc, char** argv) {
  return argc == 1 ? connect_as_child(argv[0], NULL, wedged_message) : 100;
}

static const test_role_t roles[] = {
    {"wedged", play_wedged}, {"answers_and_wedges", play_answers_and_wedges},
    {"echo", play_echo},     {"wedged_client", play_wedged_client},
    {"client", play_client}, {NULL, NULL},
};

static test_child_t* start(const char* role, const pair_t* pair) {
  test_child_t* child = test_spawn(role, pair->name, NULL);

  test_wait_ready(child);
  return child;
}

static void stop(test_child_t* child) {
  test_kill(child);
  test_wait(child);
}

/* The server was the child. Its name is taken over once, so that nothing of it
 * stays. */
static void finish_client(pair_t* pair, test_child_t* child) {
  side_close(&pair->client);
  run_until(&pair->client.closes, 1);
  stop(child);
  pair_listen(pair);
  pair_finish(pair);
}

/* ---- Wedged peers ------------------------------------------------------- */

/* The process at the other end runs no more. Windows has no such signal: there
 * it is told to block its loop. */
#ifndef SIGSTOP
#define SIGSTOP 0
#endif

static void freeze_peer(side_t* side) {
  ipc_peer_t peer;

  if (test_is_windows()) {
    assert_int_equal(side_send(side, "x", 1), 0);
    assert_int_equal(ipc_channel_flush(side->channel), 0);
    return;
  }
  assert_int_equal(ipc_channel_peer(side->channel, &peer), 0);
  assert_int_equal(uv_kill((int) peer.pid, SIGSTOP), 0);
}

static uint64_t bytes_heard(const side_t* side) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  return stats.bytes_received;
}

/* Runs on from a beat for half of the time until the next. */
static void run_between_beats(side_t* side, int interval_ms) {
  uint64_t heard = bytes_heard(side);

  while (side->ends == 0 && bytes_heard(side) == heard) test_turn();
  test_run_for(interval_ms / 6);
}

/* A peer that stops is noticed within the interval, and not before it stops.
 * What it said last was before that. */
static int is_noticed(side_t* side, int interval_ms) {
  uint64_t since;

  test_run_for(2 * interval_ms);
  run_between_beats(side, interval_ms);
  if (side->ends != 0) return 0;
  since = uv_hrtime();
  freeze_peer(side);
  run_until(&side->ends, 1);
  assert_int_equal(side->end_status, UV_ETIMEDOUT);
  assert_int_equal(side_send(side, "x", 1), UV_EPIPE);
  return side->ended_at - since <= (uint64_t) interval_ms * 1000000;
}

static int notices_server(int interval_ms) {
  test_child_t* child;
  int is_in_time;
  pair_t pair;

  watch(&pair, 0, interval_ms);
  child = start("wedged", &pair);
  pair.client.stays = 1;
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  is_in_time = is_noticed(&pair.client, interval_ms);
  finish_client(&pair, child);
  return is_in_time;
}

static void test_wedged_server(void** state) {
  (void) state;
  holds_at_some(notices_server);
}

static int notices_client(int interval_ms) {
  test_child_t* child;
  int is_in_time;
  pair_t pair;

  watch(&pair, interval_ms, 0);
  pair.accepted.stays = 1;
  pair_listen(&pair);
  child = test_spawn("client", pair.name, NULL);
  run_until(&pair.accepted.opens, 1);
  is_in_time = is_noticed(&pair.accepted, interval_ms);
  stop(child);
  pair_finish(&pair);
  return is_in_time;
}

static void test_wedged_client(void** state) {
  (void) state;
  holds_at_some(notices_client);
}

/* One that never said anything after its hello. */
static void test_silent_client(void** state) {
  test_child_t* child;
  pair_t pair;

  (void) state;
  watch(&pair, SHORT_MS, 0);
  pair_listen(&pair);
  child = test_spawn("wedged_client", pair.name, NULL);
  run_until(&pair.accepted.opens, 1);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ETIMEDOUT);
  assert_true((pair.accepted.ended_at - pair.accepted.opened_at) / 1000000 >=
              SHORT_MS);
  stop(child);
  pair_finish(&pair);
}

/* While it is paused, the watcher can't hear, and says nothing. */
static void test_paused_watcher(void** state) {
  test_child_t* child;
  pair_t pair;

  (void) state;
  watch(&pair, 0, SHORT_MS);
  child = start("wedged", &pair);
  pair.client.on_open = pause_side;
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  assert_int_equal(side_send(&pair.client, "x", 1), 0);
  test_run_for(5 * SHORT_MS);
  assert_int_equal(pair.client.ends, 0);
  assert_int_equal(ipc_channel_resume(pair.client.channel), 0);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, UV_ETIMEDOUT);
  finish_client(&pair, child);
}

static void on_timed_out(ipc_channel_t* channel,
                         void* arg,
                         int status,
                         const void* data,
                         size_t size) {
  (void) channel;
  (void) data;
  (void) size;
  ++*(int*) arg;
  assert_int_equal(status, UV_ETIMEDOUT);
}

/* Nor where it lets a message wait; when it takes that, it hears again. */
static void test_watcher_that_does_not_receive(void** state) {
  test_child_t* child;
  const void* data;
  size_t size;
  int ended = 0;
  pair_t pair;

  (void) state;
  watch(&pair, 0, SHORT_MS);
  ipc_client_options_on_message(&pair.client_options, NULL);
  child = start("answers_and_wedges", &pair);
  pair.client.stays = 1;
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  assert_int_equal(side_send(&pair.client, "x", 1), 0);
  test_run_for(5 * SHORT_MS);
  assert_int_equal(pair.client.ends, 0);
  assert_int_equal(ipc_channel_try_recv(pair.client.channel, &data, &size), 0);
  assert_int_equal(size, 1);
  assert_int_equal(
      ipc_channel_recv(pair.client.channel, -1, on_timed_out, &ended), 0);
  run_until(&ended, 1);
  finish_client(&pair, child);
}

/* A watcher whose own loop stood still finds what came meanwhile. */
static int hears_after_a_stall(int interval_ms) {
  test_child_t* child;
  int is_well = 1;
  pair_t pair;
  int i;

  watch(&pair, 0, interval_ms);
  child = start("echo", &pair);
  pair.client.stays = 1;
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  for (i = 0; i < 3 && is_well; i++) {
    uv_sleep((unsigned int) (interval_ms + interval_ms / 2));
    test_run_for(10);
    is_well = pair.client.ends == 0;
  }
  finish_client(&pair, child);
  return is_well;
}

static void test_stalled_watcher(void** state) {
  (void) state;
  holds_at_some(hears_after_a_stall);
}

/* ---- Peers that are well ------------------------------------------------ */

enum { IDLE, PAUSED, DEAF, FULL, ENDED, KINDS };

static side_t accepted[KINDS];
static int accepted_count;

static side_t* next_accepted(pair_t* pair) {
  (void) pair;
  return &accepted[accepted_count++];
}

static uint8_t block[64 << 10];

static int ends_of(const side_t* clients) {
  int ends = 0;
  int i;

  for (i = 0; i < KINDS; i++) ends += clients[i].ends + accepted[i].ends;
  return ends;
}

static int are_well(const side_t* clients) {
  int are = 1;
  int i;

  for (i = 0; i < KINDS; i++) {
    if (clients[i].ends != (i == ENDED)) are = 0;
    if (accepted[i].ends != (i == ENDED)) are = 0;
    if (clients[i].end_status != 0) are = 0;
    if (accepted[i].end_status != 0) are = 0;
  }
  return are;
}

/* Idle, paused, not receiving, in the middle of a full queue, ended: all alive,
 * and both sides watch. */
static int stay_alive(int interval_ms) {
  side_t clients[KINDS] = {{0}};
  pair_t pair;
  int is_well;
  int i;

  watch(&pair, interval_ms, interval_ms);
  memset(accepted, 0, sizeof(accepted));
  accepted_count = 0;
  pair.next_side = next_accepted;
  pair_listen(&pair);
  for (i = 0; i < KINDS; i++) {
    if (i == DEAF) ipc_client_options_on_message(&pair.client_options, NULL);
    clients[i].stays = accepted[i].stays = 1;
    pair_connect_side(&pair, &clients[i]);
    run_until(&accepted[i].opens, 1);
    run_until(&clients[i].opens, 1);
  }
  is_well = ends_of(clients) == 0;
  if (is_well) {
    pause_side(&clients[PAUSED]);
    assert_int_equal(side_send(&accepted[PAUSED], "unheard", 7), 0);
    assert_int_equal(side_send(&accepted[DEAF], "unheard", 7), 0);
    pause_side(&clients[FULL]);
    while (side_send(&accepted[FULL], block, sizeof(block)) == 0) continue;
    assert_int_equal(ipc_channel_end(clients[ENDED].channel), 0);
    assert_int_equal(ipc_channel_end(accepted[ENDED].channel), 0);
    test_run_for(LONG * interval_ms);
    is_well = are_well(clients);
  }
  if (is_well) {
    /* One that listens again has to hear first. */
    assert_int_equal(ipc_channel_resume(clients[PAUSED].channel), 0);
    is_well = comes(&clients[PAUSED].messages, 1, &clients[PAUSED]);
    test_run_for(interval_ms);
    if (clients[PAUSED].ends != 0) is_well = 0;
  }
  for (i = 0; i < KINDS; i++) {
    ipc_channel_disconnect(clients[i].channel);
    side_close(&clients[i]);
    side_close(&accepted[i]);
  }
  pair_finish(&pair);
  for (i = 0; i < KINDS; i++) {
    side_free(&clients[i]);
    side_free(&accepted[i]);
  }
  return is_well;
}

static void test_alive(void** state) {
  (void) state;
  holds_at_some(stay_alive);
}

/* Beats are no messages. */
static void check_stats(const side_t* side) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  assert_int_equal(stats.messages_received, 0);
  assert_int_equal(stats.messages_sent, 0);
}

/* One side watches, the other doesn't: the one beats for the other. */
static int is_one_enough(int server_ms, int client_ms) {
  pair_t pair;
  int is_well;

  watch(&pair, server_ms, client_ms);
  pair.client.stays = pair.accepted.stays = 1;
  pair_open(&pair);
  test_run_for(LONG * (server_ms + client_ms));
  is_well = pair.client.ends + pair.accepted.ends == 0;
  check_stats(&pair.client);
  check_stats(&pair.accepted);
  pair_finish(&pair);
  if (pair.client.result.status != 0) is_well = 0;
  assert_int_equal(pair.client.messages + pair.accepted.messages, 0);
  return is_well;
}

static int is_server_enough(int interval_ms) {
  return is_one_enough(interval_ms, 0);
}

static int is_client_enough(int interval_ms) {
  return is_one_enough(0, interval_ms);
}

static void test_one_sided(void** state) {
  (void) state;
  holds_at_some(is_server_enough);
  holds_at_some(is_client_enough);
}

/* Beats don't keep an idle channel. */
static int ends_when_idle(int interval_ms) {
  uint64_t took;
  pair_t pair;

  watch(&pair, interval_ms, interval_ms);
  ipc_client_options_set_idle_timeout(&pair.client_options, 2 * interval_ms);
  pair_open(&pair);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, UV_ETIMEDOUT);
  took = pair.client.ended_at - pair.client.opened_at;
  pair_finish(&pair);
  return took >= (uint64_t) interval_ms * 2000000;
}

static void test_idle_timeout(void** state) {
  (void) state;
  holds_at_some(ends_when_idle);
}

static int lost_status;

static void on_lost(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  (void) channel;
  (void) arg;
  (void) sent;
  lost_status = status;
}

/* UV_ETIMEDOUT would say of a send without a deadline that it goes on. */
static void test_idle_send(void** state) {
  static const uint8_t large[8 << 20];
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_idle_timeout(&pair.client_options, 50);
  pair_open(&pair);
  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  lost_status = 0;
  assert_int_equal(ipc_channel_send(pair.client.channel, large, sizeof(large),
                                    on_lost, NULL),
                   0);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, UV_ETIMEDOUT);
  while (lost_status == 0) test_turn();
  assert_int_equal(lost_status, UV_ECONNRESET);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  pair_finish(&pair);
}

/* ---- By hand ------------------------------------------------------------ */

static int pings;
static int pongs;
static int answers;

/* The library's hello is 16 bytes, each beat and PING is, too. */
static void read_frames(side_t* side, const void* data, size_t size) {
  static size_t done;
  (void) data;
  (void) size;
  if (side->messages == 1) done = 16;
  for (; done + 16 <= side->log_size; done += 16) {
    const uint8_t* frame = side->log + done;
    uint8_t out[16];

    assert_int_equal(frame[0], 8);
    if (frame[4] == PONG) {
      assert_memory_equal(frame + 8, nothing, 8);
      pongs++;
      continue;
    }
    assert_int_equal(frame[4], PING);
    pings++;
    if (!answers) continue;
    test_put_frame(out, PONG, frame + 8, 8);
    assert_int_equal(side_send(side, out, sizeof(out)), 0);
  }
}

static void greet(pair_t* pair, uint8_t features, uint8_t heartbeat_ms) {
  uint8_t hello[16];

  pings = pongs = answers = 0;
  pair_raw_client(pair);
  pair->client.keeps_log = 1;
  pair->client.on_message = read_frames;
  pair_listen(pair);
  pair_connect(pair);
  test_put_hello(hello, 0xff, 1 << 20);
  hello[6] = features;
  hello[12] = heartbeat_ms;
  assert_int_equal(side_send(&pair->client, hello, sizeof(hello)), 0);
  run_until(&pair->accepted.opens, 1);
}

/* A peer that doesn't beat is asked, and has to answer. */
static int is_asked(int interval_ms) {
  int is_well;
  pair_t pair;

  watch(&pair, interval_ms, 0);
  pair.accepted.stays = 1;
  greet(&pair, 0, 0);
  answers = 1;
  is_well = comes(&pings, 6, &pair.accepted);
  if (is_well) {
    assert_true(elapsed_ms(pair.accepted.opened_at) >= 2 * interval_ms);
  }
  answers = 0;
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ETIMEDOUT);
  assert_int_equal(pongs, 0);
  pair_finish(&pair);
  return is_well;
}

static void test_pings(void** state) {
  (void) state;
  holds_at_some(is_asked);
}

/* One that says it beats is not asked; when it stops, it is wedged. */
static int is_not_asked(int interval_ms) {
  uint8_t beat[16];
  uint64_t last = 0;
  int is_well = 1;
  pair_t pair;
  int i;

  watch(&pair, interval_ms, 0);
  pair.accepted.stays = 1;
  greet(&pair, FEATURE_HEARTBEAT, 0);
  test_put_frame(beat, PONG, nothing, 8);
  for (i = 0; i < 6 && is_well; i++) {
    last = uv_hrtime();
    assert_int_equal(side_send(&pair.client, beat, sizeof(beat)), 0);
    test_run_for(interval_ms / 4);
    is_well = pair.accepted.ends == 0;
  }
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ETIMEDOUT);
  if (is_well) assert_true(elapsed_ms(last) >= interval_ms);
  assert_int_equal(pings, 0);
  pair_finish(&pair);
  return is_well;
}

static void test_beats_by_hand(void** state) {
  (void) state;
  holds_at_some(is_not_asked);
}

/* Any byte is a sign of life, also of a message that takes long. */
static int is_slow_message_heard(int interval_ms) {
  uint8_t frame[8 + 4];
  int is_well = 1;
  pair_t pair;
  int i;

  watch(&pair, interval_ms, 0);
  pair.accepted.stays = 1;
  greet(&pair, FEATURE_HEARTBEAT, 0);
  test_put_frame(frame, 0x80, "0123", 4);
  for (i = 0; i < (int) sizeof(frame) && is_well; i++) {
    assert_int_equal(side_send(&pair.client, frame + i, 1), 0);
    test_run_for(interval_ms / 6);
    is_well = pair.accepted.ends == 0;
  }
  if (is_well) is_well = comes(&pair.accepted.messages, 1, &pair.accepted);
  pair_finish(&pair);
  return is_well;
}

static void test_slow_message(void** state) {
  (void) state;
  holds_at_some(is_slow_message_heard);
}

/* The library beats as often as it is asked to, and only then. */
static void test_beats_of_the_library(void** state) {
  uint64_t start;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  greet(&pair, 0, 45);
  start = pair.accepted.opened_at;
  run_until(&pongs, 12);
  assert_true(elapsed_ms(start) >= 12 * 15 - 15);
  assert_int_equal(pings, 0);
  assert_int_equal(pair.client.log[6] & FEATURE_HEARTBEAT, FEATURE_HEARTBEAT);
  /* Also where its application doesn't receive. */
  pause_side(&pair.accepted);
  run_until(&pongs, 20);
  pair_finish(&pair);

  pair_init(&pair);
  greet(&pair, FEATURE_HEARTBEAT, 0);
  test_run_for(150);
  assert_int_equal(pings + pongs, 0);
  pair_finish(&pair);
}

/* A peer that asks for more than is allowed here gets as many beats as one that
 * asks for all that is: three in 10 ms. */
#define LEAST_BEAT_MS 3
#define MANY_BEATS 30

static void test_too_many_beats_asked(void** state) {
  uint64_t start;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  greet(&pair, 0, 1);
  start = pair.accepted.opened_at;
  run_until(&pongs, MANY_BEATS);
  assert_true(elapsed_ms(start) >= (MANY_BEATS - 1) * LEAST_BEAT_MS);
  assert_int_equal(pings, 0);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_wedged_server),
      TEST(test_wedged_client),
      TEST(test_silent_client),
      TEST(test_paused_watcher),
      TEST(test_watcher_that_does_not_receive),
      TEST(test_stalled_watcher),
      TEST(test_alive),
      TEST(test_one_sided),
      TEST(test_idle_timeout),
      TEST(test_idle_send),
      TEST(test_pings),
      TEST(test_beats_by_hand),
      TEST(test_slow_message),
      TEST(test_beats_of_the_library),
      TEST(test_too_many_beats_asked),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
