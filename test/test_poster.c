/* Posters: messages and wakes from other threads and from signal handlers, and
 * what becomes of them when the channel ends at the same moment. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "pair.h"

#define KIB ((size_t) 1 << 10)

/* What a post may take beside its own bytes. */
#define POST_HEAD 16

static uint8_t block[128 << 10];

/* A fair share of the processor for those that a refused post waits for. */
static void give_way(void) {
  uv_sleep(1);
}

static ipc_poster_t* create(side_t* side, size_t max_bytes) {
  ipc_poster_t* poster = NULL;

  assert_int_equal(
      ipc_poster_create(side->channel, max_bytes, NULL, NULL, &poster), 0);
  assert_non_null(poster);
  return poster;
}

/* ---- Workers ------------------------------------------------------------ */

#define WORKERS_MAX 16

/* What a worker posts: who it is and how many it has posted before. */
typedef struct stamp_s {
  uint32_t worker;
  uint32_t number;
} stamp_t;

/* A thread that posts until it has posted `wanted`, or is refused for good. */
typedef struct worker_s {
  uv_thread_t thread;
  ipc_poster_t* poster;
  uint32_t index;
  uint32_t wanted;
  uint32_t accepted;
  int err;
} worker_t;

/* The receiver's view. */
typedef struct crowd_s {
  worker_t workers[WORKERS_MAX];
  unsigned int count;
  uint32_t next[WORKERS_MAX]; /* that is to arrive from each */
} crowd_t;

static crowd_t crowd;

/* Sizes differ, so that posts lie across the ring's end in every way. */
static size_t stamp_size(const stamp_t* stamp) {
  return sizeof(*stamp) + (stamp->number * 7 + stamp->worker) % 23;
}

#define STAMP_MAX (sizeof(stamp_t) + 22)

static void post_all(void* arg) {
  worker_t* worker = arg;
  uint8_t message[STAMP_MAX] = {0};
  stamp_t stamp;

  stamp.worker = worker->index;
  while (worker->accepted < worker->wanted) {
    stamp.number = worker->accepted;
    memcpy(message, &stamp, sizeof(stamp));
    worker->err = ipc_poster_send(worker->poster, message, stamp_size(&stamp));
    if (worker->err == 0) {
      worker->accepted++;
    } else if (worker->err == UV_EAGAIN) {
      give_way();
    } else {
      break;
    }
  }
  ipc_poster_release(worker->poster);
}

/* Each message is the next one of its worker. */
static void check_stamp(side_t* side, const void* data, size_t size) {
  stamp_t stamp;

  (void) side;
  assert_true(size >= sizeof(stamp));
  memcpy(&stamp, data, sizeof(stamp));
  assert_in_range(stamp.worker, 0, crowd.count - 1);
  assert_int_equal(stamp.number, crowd.next[stamp.worker]);
  assert_int_equal(size, stamp_size(&stamp));
  crowd.next[stamp.worker]++;
}

/* Each worker has a reference of its own. */
static void start_workers(ipc_poster_t* poster,
                          unsigned int count,
                          uint32_t wanted) {
  unsigned int i;

  memset(&crowd, 0, sizeof(crowd));
  crowd.count = count;
  for (i = 0; i < count; i++) {
    worker_t* worker = &crowd.workers[i];

    ipc_poster_retain(poster);
    worker->poster = poster;
    worker->index = i;
    worker->wanted = wanted;
    assert_int_equal(uv_thread_create(&worker->thread, post_all, worker), 0);
  }
}

/* Returns how many posts were accepted. */
static uint64_t join_workers(int err) {
  uint64_t accepted = 0;
  unsigned int i;

  for (i = 0; i < crowd.count; i++) {
    assert_int_equal(uv_thread_join(&crowd.workers[i].thread), 0);
    assert_int_equal(crowd.workers[i].err, err);
    accepted += crowd.workers[i].accepted;
  }
  return accepted;
}

/* ---- Many threads ------------------------------------------------------- */

#define STORM_THREADS 16
#define STORM_POSTS 1000000

/* All arrive, those of each thread in their order. */
static void test_storm(void** state) {
  ipc_poster_t* poster;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = check_stamp;
  pair_open(&pair);
  /* An odd size, so that nothing ever fits exactly. */
  poster = create(&pair.client, 64 * KIB + 1);
  start_workers(poster, STORM_THREADS, STORM_POSTS / STORM_THREADS);
  run_until(&pair.accepted.messages, STORM_POSTS);
  assert_int_equal(join_workers(0), STORM_POSTS);
  ipc_poster_release(poster);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, STORM_POSTS);
  assert_int_equal(pair.client.result.status, 0);
}

/* The loop's own sends and the posts of threads share a channel. */
static void test_beside_sends(void** state) {
  uint8_t message[STAMP_MAX] = {0};
  stamp_t stamp = {4, 0};
  ipc_poster_t* poster;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = check_stamp;
  pair_open(&pair);
  poster = create(&pair.client, 4 * KIB);
  start_workers(poster, 4, 5000);
  crowd.count = 5; /* the loop is one of them */
  while (pair.accepted.messages < 25000) {
    if (stamp.number < 5000) {
      memcpy(message, &stamp, sizeof(stamp));
      assert_int_equal(side_send(&pair.client, message, stamp_size(&stamp)), 0);
      stamp.number++;
    }
    test_turn();
  }
  crowd.count = 4;
  assert_int_equal(join_workers(0), 20000);
  ipc_poster_release(poster);
  pair_finish(&pair);
}

/* ---- The ring ----------------------------------------------------------- */

static void check_pattern(side_t* side, const void* data, size_t size) {
  pattern_check(data, size, (unsigned int) side->messages);
}

/* Takes every post that it has room for, wherever in the ring that is; then
 * none, and after a turn of the loop some again. */
static void test_full(void** state) {
  ipc_poster_t* poster;
  unsigned int seed = 0;
  pair_t pair;
  int round;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = check_pattern;
  pair_open(&pair);
  poster = create(&pair.client, 1 * KIB);
  for (round = 0; round < 1000; round++) {
    size_t used = 0;
    size_t size;
    int err;

    for (;;) {
      size = (seed * 37 + (unsigned int) round * 11) % 300;
      pattern_fill(block, size, seed + 1);
      err = ipc_poster_send(poster, block, size);
      if (err != 0) break;
      used += size + POST_HEAD;
      seed++;
    }
    assert_int_equal(err, UV_EAGAIN);
    assert_int_equal(ipc_poster_send(poster, block, size), UV_EAGAIN);
    assert_true(used + size + POST_HEAD > 1 * KIB);
    run_until(&pair.accepted.messages, (int) seed);
  }
  ipc_poster_release(poster);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, seed);
}

/* The largest post that fits into an empty poster is sent; a larger one never
 * can be. */
static void test_sizes(void** state) {
  ipc_poster_t* poster;
  ipc_poster_t* large;
  pair_t pair;
  int i;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_max_message_bytes(&pair.client_options, 3000);
  pair.accepted.on_message = check_pattern;
  pair_open(&pair);
  poster = create(&pair.client, 2000);
  large = create(&pair.client, 1 << 20);
  for (i = 1; i <= 20; i++) {
    pattern_fill(block, 2000 - POST_HEAD, (unsigned int) i);
    assert_int_equal(ipc_poster_send(poster, block, 2000 - POST_HEAD), 0);
    assert_int_equal(ipc_poster_send(poster, block, 2000), UV_EMSGSIZE);
    run_until(&pair.accepted.messages, i);
  }
  pattern_fill(block, 3000, 21);
  assert_int_equal(ipc_poster_send(large, block, 3001), UV_EMSGSIZE);
  assert_int_equal(ipc_poster_send(large, block, 3000), 0);
  run_until(&pair.accepted.messages, 21);
  ipc_poster_release(poster);
  ipc_poster_release(large);
  pair_finish(&pair);
}

/* A message that is too large for the peer alone is counted, and those beside
 * it are sent. */
static void test_too_large_for_peer(void** state) {
  ipc_poster_t* poster;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_set_max_message_bytes(&pair.server_options, 100);
  pair_open(&pair);
  poster = create(&pair.client, 1 * KIB);
  assert_int_equal(ipc_poster_send(poster, block, 100), 0);
  assert_int_equal(ipc_poster_send(poster, block, 101), 0);
  assert_int_equal(ipc_poster_send(poster, block, 99), 0);
  run_until(&pair.accepted.messages, 2);
  ipc_poster_release(poster);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.bytes, 199);
  assert_int_equal(pair.client.result.unsent, 1);
  assert_int_equal(pair.client.result.unconfirmed, 0);
}

static void test_arguments(void** state) {
  ipc_poster_t* poster = NULL;
  ipc_channel_t* channel;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_raw(&pair);
  pair_open(&pair);
  channel = pair.client.channel;
  assert_int_equal(ipc_poster_create(NULL, 1 * KIB, NULL, NULL, &poster),
                   UV_EINVAL);
  assert_int_equal(ipc_poster_create(channel, 1 * KIB, NULL, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_poster_create(channel, 0, NULL, NULL, &poster),
                   UV_EINVAL);
  assert_int_equal(ipc_poster_create(channel, 1 * KIB - 1, NULL, NULL, &poster),
                   UV_EINVAL);
  assert_int_equal(
      ipc_poster_create(channel, (1 << 30) + 1, NULL, NULL, &poster),
      UV_EINVAL);
  assert_null(poster);
  poster = create(&pair.client, 1 * KIB);
  assert_int_equal(ipc_poster_send(NULL, block, 1), UV_EINVAL);
  assert_int_equal(ipc_poster_send(poster, NULL, 1), UV_EINVAL);
  /* No bytes: a message, but not something that is raw. */
  assert_int_equal(ipc_poster_send(poster, block, 0), UV_EINVAL);
  assert_int_equal(ipc_poster_send(poster, block, 1), 0);
  run_until(&pair.accepted.messages, 1);
  ipc_poster_release(poster);
  pair_finish(&pair);
}

/* ---- The channel's queue ------------------------------------------------ */

static void pause_side(side_t* side) {
  assert_int_equal(ipc_channel_pause(side->channel), 0);
}

/* Posts until the poster is full while the loop runs: the system's buffers and
 * the channel's queue are full then, too. Returns how many. */
static unsigned int fill(ipc_poster_t* poster, size_t size) {
  unsigned int count = 0;
  int full = 0;
  int err;

  while (full < 20) {
    pattern_fill(block, size, count + 1);
    err = ipc_poster_send(poster, block, size);
    if (err == 0) {
      count++;
      full = 0;
    } else {
      assert_int_equal(err, UV_EAGAIN);
      full++;
      test_run_for(1);
    }
  }
  return count;
}

/* Behind a reader that has stopped posts wait in the poster, and all arrive
 * when it goes on. The policy is not for them, and nobody asked for on_drain.
 */
static void check_slow_reader(ipc_slow_reader_t policy, uint32_t max_messages) {
  ipc_channel_stats_t stats;
  ipc_poster_t* poster;
  unsigned int count;
  pair_t pair;

  pair_init(&pair);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 20000);
  ipc_client_options_set_max_queue_messages(&pair.client_options, max_messages);
  ipc_client_options_set_slow_reader(&pair.client_options, policy);
  pair.accepted.on_open = pause_side;
  pair.accepted.on_message = check_pattern;
  pair_open(&pair);
  poster = create(&pair.client, 64 * KIB);
  count = fill(poster, 1000);
  assert_int_equal(pair.accepted.messages, 0);
  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  assert_in_range(stats.messages_queued, 1, max_messages);
  assert_in_range(stats.bytes_queued, 1, 20000 + 1 * KIB);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, (int) count);
  pattern_fill(block, 1000, count + 1);
  assert_int_equal(ipc_poster_send(poster, block, 1000), 0);
  run_until(&pair.accepted.messages, (int) count + 1);
  assert_int_equal(pair.client.drains, 0);
  assert_int_equal(ipc_channel_stats(pair.client.channel, &stats), 0);
  assert_int_equal(stats.messages_dropped, 0);
  ipc_poster_release(poster);
  pair_finish(&pair);
}

static void test_slow_reader(void** state) {
  (void) state;
  check_slow_reader(IPC_CHANNEL_SLOW_BLOCK, UINT32_MAX);
  check_slow_reader(IPC_CHANNEL_SLOW_BLOCK, 3);
  check_slow_reader(IPC_CHANNEL_SLOW_DROP_OLDEST, UINT32_MAX);
  check_slow_reader(IPC_CHANNEL_SLOW_DROP_NEWEST, UINT32_MAX);
  check_slow_reader(IPC_CHANNEL_SLOW_DISCONNECT, UINT32_MAX);
}

static side_t second;

static side_t* next_side(pair_t* pair) {
  return pair->accepted.channel == NULL ? &pair->accepted : &second;
}

/* One channel has used up what all of the server's may hold: the posts to
 * another wait, and go on when it has written some of it. */
static void test_starved(void** state) {
  ipc_poster_t* poster;
  side_t client = {0};
  pair_t pair;
  int i;

  (void) state;
  memset(&second, 0, sizeof(second));
  pair_init(&pair);
  pair.stays = 1;
  pair.next_side = next_side;
  ipc_server_options_set_max_total_queue_bytes(&pair.server_options, 50000);
  pair_open(&pair);
  pair_connect_side(&pair, &client);
  run_until(&second.opens, 1);
  assert_int_equal(ipc_channel_pause(pair.client.channel), 0);
  for (i = 0; i < 20;) {
    /* What the system takes now isn't waited for later. */
    i = side_send(&pair.accepted, block, 10000) == 0 ? 0 : i + 1;
    test_run_for(1);
  }
  poster = create(&second, 64 * KIB);
  for (i = 0; i < 6; i++) {
    assert_int_equal(ipc_poster_send(poster, block, 10000), 0);
  }
  test_run_for(20);
  assert_in_range(client.messages, 0, 5);
  assert_int_equal(ipc_channel_resume(pair.client.channel), 0);
  run_until(&client.messages, 6);
  ipc_poster_release(poster);
  side_close(&client);
  run_until(&second.closes, 1);
  run_until(&client.closes, 1);
  pair_finish(&pair);
  side_free(&client);
  side_free(&second);
}

static int large_at; /* which message the large one was */

static void note_large(side_t* side, const void* data, size_t size) {
  (void) data;
  if (size == 50000) large_at = side->messages;
}

/* A large post isn't kept out by another poster's many small ones. */
static void test_fair(void** state) {
  ipc_poster_t* small;
  ipc_poster_t* large;
  unsigned int count;
  pair_t pair;

  (void) state;
  large_at = 0;
  pair_init(&pair);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 64 * KIB);
  pair.accepted.on_open = pause_side;
  pair.accepted.on_message = note_large;
  pair_open(&pair);
  small = create(&pair.client, 1 << 20);
  large = create(&pair.client, 64 * KIB);
  count = fill(small, 1000);
  assert_int_equal(ipc_poster_send(large, block, 50000), 0);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, (int) count + 1);
  assert_in_range(large_at, 1, count - 500);
  ipc_poster_release(small);
  ipc_poster_release(large);
  pair_finish(&pair);
}

/* Posts before the connection is made go with the first write. */
static void test_connecting(void** state) {
  ipc_poster_t* poster;
  unsigned int i;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_wait_for_server(&pair.client_options, 1);
  pair.accepted.on_message = check_pattern;
  pair_connect(&pair);
  poster = create(&pair.client, 4 * KIB);
  for (i = 1; i <= 10; i++) {
    pattern_fill(block, 100, i);
    assert_int_equal(ipc_poster_send(poster, block, 100), 0);
    if (i == 5) test_run_for(20);
  }
  pair_listen(&pair);
  run_until(&pair.accepted.messages, 10);
  ipc_poster_release(poster);
  pair_finish(&pair);
}

/* ---- The end ------------------------------------------------------------ */

static void post_once(void* arg) {
  worker_t* worker = arg;

  worker->err = ipc_poster_send(worker->poster, "late", 4);
  ipc_poster_wake(worker->poster);
}

/* UV_EPIPE, from this thread and from another. */
static void assert_closed(ipc_poster_t* poster) {
  worker_t worker = {0};

  worker.poster = poster;
  assert_int_equal(ipc_poster_send(poster, "late", 4), UV_EPIPE);
  assert_int_equal(uv_thread_create(&worker.thread, post_once, &worker), 0);
  assert_int_equal(uv_thread_join(&worker.thread), 0);
  assert_int_equal(worker.err, UV_EPIPE);
}

/* What was posted before a close is sent, and nothing after. */
static void test_close(void** state) {
  ipc_poster_t* poster;
  ipc_poster_t* none = NULL;
  pair_t pair;
  int i;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = check_pattern;
  pair_open(&pair);
  poster = create(&pair.client, 64 * KIB);
  for (i = 1; i <= 60; i++) {
    pattern_fill(block, 1000, (unsigned int) i);
    assert_int_equal(ipc_poster_send(poster, block, 1000), 0);
  }
  side_close(&pair.client);
  assert_closed(poster);
  assert_int_equal(
      ipc_poster_create(pair.client.channel, 1 * KIB, NULL, NULL, &none),
      UV_EPIPE);
  assert_null(none);
  run_until(&pair.client.closes, 1);
  assert_closed(poster);
  pair_finish(&pair);
  assert_closed(poster);
  ipc_poster_release(poster);
  assert_int_equal(pair.accepted.messages, 60);
  assert_int_equal(pair.client.result.status, 0);
}

/* The same behind a reader that has stopped: what waits in the poster joins the
 * queue, whose limit doesn't hold for it. */
static void test_close_full(void** state) {
  ipc_poster_t* poster;
  unsigned int count;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 20000);
  pair.accepted.on_open = pause_side;
  pair.accepted.on_message = check_pattern;
  pair_open(&pair);
  poster = create(&pair.client, 64 * KIB);
  count = fill(poster, 1000);
  side_close(&pair.client);
  assert_closed(poster);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.client.closes, 1);
  ipc_poster_release(poster);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, count);
  assert_int_equal(pair.client.result.status, 0);
}

/* A side that has ended sends what was posted before and no more. */
static void test_end(void** state) {
  ipc_poster_t* poster;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.stays = 1;
  pair_open(&pair);
  poster = create(&pair.client, 1 * KIB);
  assert_int_equal(ipc_poster_send(poster, "last", 4), 0);
  assert_int_equal(ipc_channel_end(pair.client.channel), 0);
  assert_closed(poster);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.messages, 1);
  ipc_poster_release(poster);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
}

/* What a dead channel had not sent is counted. */
static void test_disconnect(void** state) {
  ipc_poster_t* poster;
  ipc_poster_t* none = NULL;
  pair_t pair;
  int i;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  poster = create(&pair.client, 1 * KIB);
  for (i = 0; i < 7; i++) {
    assert_int_equal(ipc_poster_send(poster, block, 10), 0);
  }
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  assert_closed(poster);
  assert_int_equal(
      ipc_poster_create(pair.client.channel, 1 * KIB, NULL, NULL, &none),
      UV_EPIPE);
  pair_finish(&pair);
  ipc_poster_release(poster);
  assert_int_equal(pair.client.result.unsent, 7);
  assert_int_equal(pair.client.result.unconfirmed, 0);
}

#define RACE_THREADS 8

/* Enough that the race is under way. */
#define RACE_WARMUP 2000

/* A channel that closes while threads post delivers all that was accepted. */
static void test_close_race(void** state) {
  ipc_poster_t* poster;
  uint64_t accepted;
  pair_t pair;
  int round;

  (void) state;
  for (round = 0; round < 10; round++) {
    pair_init(&pair);
    pair.accepted.on_message = check_stamp;
    pair_open(&pair);
    poster = create(&pair.client, 16 * KIB);
    start_workers(poster, RACE_THREADS, UINT32_MAX);
    run_until(&pair.accepted.messages, RACE_WARMUP);
    side_close(&pair.client);
    accepted = join_workers(UV_EPIPE);
    pair_finish(&pair);
    ipc_poster_release(poster);
    assert_int_equal(pair.client.result.status, 0);
    assert_int_equal(pair.accepted.messages, accepted);
  }
}

/* Every post that was accepted is in the result of a channel that broke. */
static void assert_accounted(const pair_t* pair,
                             const side_t* poster,
                             uint64_t accepted) {
  assert_int_equal(poster->result.unsent + poster->result.unconfirmed,
                   accepted);
  assert_true((uint64_t) pair->accepted.messages <= accepted);
}

static void test_disconnect_race(void** state) {
  ipc_poster_t* poster;
  uint64_t accepted;
  pair_t pair;
  int round;

  (void) state;
  for (round = 0; round < 10; round++) {
    pair_init(&pair);
    pair.accepted.on_message = check_stamp;
    pair_open(&pair);
    poster = create(&pair.client, 16 * KIB);
    start_workers(poster, RACE_THREADS, UINT32_MAX);
    run_until(&pair.accepted.messages, RACE_WARMUP);
    assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
    accepted = join_workers(UV_EPIPE);
    pair_finish(&pair);
    ipc_poster_release(poster);
    assert_accounted(&pair, &pair.client, accepted);
  }
}

/* A client that prints a line when it has received some, and stays. */
static void child_message(ipc_channel_t* channel, const void* data, size_t n) {
  static int messages;

  (void) channel;
  (void) data;
  (void) n;
  if (++messages == RACE_WARMUP) test_say_ready();
}

static int play_reader(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* channel;
  uv_loop_t loop;

  if (argc != 1 || uv_loop_init(&loop) != 0) return 101;
  ipc_client_options_init(&options, argv[0]);
  ipc_client_options_on_message(&options, child_message);
  if (ipc_client_connect(&loop, &options, NULL, &channel) != 0) return 102;
  return uv_run(&loop, UV_RUN_DEFAULT);
}

static const test_role_t roles[] = {{"reader", play_reader}, {NULL, NULL}};

/* The peer's process is killed while threads post. */
static void test_death_race(void** state) {
  test_child_t* child;
  ipc_poster_t* poster;
  uint64_t accepted;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_listen(&pair);
  child = test_spawn("reader", pair.name, NULL);
  run_until(&pair.accepted.opens, 1);
  poster = create(&pair.accepted, 16 * KIB);
  start_workers(poster, RACE_THREADS, UINT32_MAX);
  test_wait_ready(child);
  test_kill(child);
  run_until(&pair.accepted.closes, 1);
  accepted = join_workers(UV_EPIPE);
  ipc_poster_release(poster);
  test_wait(child);
  pair_finish(&pair);
  assert_accounted(&pair, &pair.accepted, accepted);
}

/* ---- Wakes -------------------------------------------------------------- */

typedef struct waker_s {
  ipc_poster_t* poster;
  ipc_channel_t* channel;
  int wakes;
  int again; /* on_wake wakes once more, so often */
  int in_call;
  int closes;   /* on_wake closes the channel */
  int releases; /* on_wake releases the poster */
} waker_t;

static void on_wake(ipc_channel_t* channel, void* arg) {
  waker_t* waker = arg;

  assert_int_equal(waker->in_call, 0);
  assert_ptr_equal(channel, waker->channel);
  waker->in_call = 1;
  waker->wakes++;
  if (waker->again-- > 0) ipc_poster_wake(waker->poster);
  if (waker->closes) assert_int_equal(ipc_channel_close(channel), 0);
  if (waker->releases) ipc_poster_release(waker->poster);
  waker->in_call = 0;
}

static void create_waker(waker_t* waker, side_t* side) {
  memset(waker, 0, sizeof(*waker));
  waker->channel = side->channel;
  assert_int_equal(
      ipc_poster_create(side->channel, 1 * KIB, on_wake, waker, &waker->poster),
      0);
}

/* What a signal handler can reach. */
static ipc_poster_t* signalled;

/* `signal` may have set the default anew before it calls this. */
static void on_signal(int number) {
  signal(number, on_signal);
  ipc_poster_wake(signalled);
}

/* Any number of wakes is one on_wake, after them and not inside; errno is as
 * it was. */
static void test_signal(void** state) {
  waker_t waker;
  pair_t pair;
  int round;
  int i;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  create_waker(&waker, &pair.client);
  signalled = waker.poster;
  assert_true(signal(SIGTERM, on_signal) != SIG_ERR);
  for (round = 1; round <= 10; round++) {
    for (i = 0; i < 100; i++) {
      errno = EDOM;
      assert_int_equal(raise(SIGTERM), 0);
      assert_int_equal(errno, EDOM);
      ipc_poster_wake(waker.poster);
    }
    assert_int_equal(waker.wakes, round - 1);
    run_until(&waker.wakes, round);
    test_run_for(1);
    assert_int_equal(waker.wakes, round);
  }
  signal(SIGTERM, SIG_DFL);
  ipc_poster_release(waker.poster);
  pair_finish(&pair);
  assert_int_equal(waker.wakes, 10);
}

static void raise_in_message(side_t* side, const void* data, size_t size) {
  (void) side;
  (void) data;
  (void) size;
  assert_int_equal(raise(SIGTERM), 0);
}

/* A handler that interrupts the loop's thread inside a callback, while other
 * threads post through the same poster. */
static void test_signal_in_callback(void** state) {
  waker_t waker;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair.accepted.on_message = raise_in_message;
  pair_open(&pair);
  create_waker(&waker, &pair.client);
  signalled = waker.poster;
  assert_true(signal(SIGTERM, on_signal) != SIG_ERR);
  start_workers(waker.poster, 4, 2500);
  run_until(&pair.accepted.messages, 10000);
  assert_int_equal(join_workers(0), 10000);
  run_until(&waker.wakes, 1);
  signal(SIGTERM, SIG_DFL);
  ipc_poster_release(waker.poster);
  pair_finish(&pair);
  assert_in_range(waker.wakes, 1, 10000);
}

/* A wake from on_wake is a further one; a wake without a post moves nothing,
 * and a poster without on_wake ignores it. */
static void test_wake_again(void** state) {
  ipc_poster_t* deaf;
  waker_t waker;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  create_waker(&waker, &pair.client);
  deaf = create(&pair.client, 1 * KIB);
  waker.again = 5;
  ipc_poster_wake(deaf);
  ipc_poster_wake(waker.poster);
  run_until(&waker.wakes, 6);
  test_run_for(5);
  assert_int_equal(waker.wakes, 6);
  ipc_poster_release(deaf);
  ipc_poster_release(waker.poster);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, 0);
}

/* on_wake may close the channel and release the poster, and then nothing
 * wakes. */
static void test_wake_closes(void** state) {
  ipc_poster_t* other;
  waker_t waker;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  create_waker(&waker, &pair.client);
  other = create(&pair.client, 1 * KIB);
  waker.closes = waker.releases = 1;
  assert_int_equal(ipc_poster_send(waker.poster, "one", 3), 0);
  assert_int_equal(ipc_poster_send(other, "two", 3), 0);
  ipc_poster_retain(waker.poster);
  ipc_poster_wake(waker.poster);
  run_until(&pair.client.closes, 1);
  ipc_poster_wake(waker.poster);
  ipc_poster_wake(other);
  pair_finish(&pair);
  ipc_poster_wake(waker.poster);
  ipc_poster_release(waker.poster);
  ipc_poster_release(other);
  assert_int_equal(waker.wakes, 1);
  assert_int_equal(pair.accepted.messages, 2);
  assert_int_equal(pair.client.result.status, 0);
}

/* A dead channel takes no posts, but wakes until it is closed. */
static void test_wake_dead(void** state) {
  waker_t waker;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  create_waker(&waker, &pair.client);
  assert_int_equal(ipc_channel_disconnect(pair.client.channel), 0);
  run_until(&pair.accepted.ends, 1);
  ipc_poster_wake(waker.poster);
  /* Neither a poster nor a dead channel keeps the loop alive. */
  while (waker.wakes == 0) test_run_for(1);
  assert_int_equal(ipc_poster_send(waker.poster, "x", 1), UV_EPIPE);
  side_close(&pair.client);
  ipc_poster_wake(waker.poster);
  pair_finish(&pair);
  ipc_poster_release(waker.poster);
  assert_int_equal(waker.wakes, 1);
}

/* A channel that only receives takes no posts, but wakes. */
static void test_inbound(void** state) {
  waker_t waker;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_access(&pair.client_options,
                                IPC_CHANNEL_ACCESS_INBOUND);
  pair_open(&pair);
  create_waker(&waker, &pair.client);
  assert_int_equal(ipc_poster_send(waker.poster, "x", 1), UV_EACCES);
  ipc_poster_wake(waker.poster);
  run_until(&waker.wakes, 1);
  ipc_poster_release(waker.poster);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.unsent, 0);
}

static void wake_until_closed(void* arg) {
  ipc_poster_t* poster = arg;

  do {
    ipc_poster_wake(poster);
  } while (ipc_poster_send(poster, NULL, 0) != UV_EPIPE);
  ipc_poster_wake(poster);
  ipc_poster_release(poster);
}

/* Threads wake at the moment of the close, and of the release. */
static void test_wake_race(void** state) {
  uv_thread_t threads[RACE_THREADS];
  waker_t waker;
  pair_t pair;
  int round;
  int i;

  (void) state;
  for (round = 0; round < 20; round++) {
    pair_init(&pair);
    pair_open(&pair);
    create_waker(&waker, &pair.client);
    for (i = 0; i < RACE_THREADS; i++) {
      ipc_poster_retain(waker.poster);
      assert_int_equal(
          uv_thread_create(&threads[i], wake_until_closed, waker.poster), 0);
    }
    run_until(&waker.wakes, 10);
    side_close(&pair.client);
    ipc_poster_release(waker.poster);
    run_until(&pair.client.closes, 1);
    for (i = 0; i < RACE_THREADS; i++) {
      assert_int_equal(uv_thread_join(&threads[i]), 0);
    }
    pair_finish(&pair);
    assert_int_equal(pair.client.result.status, 0);
  }
}

/* ---- Life --------------------------------------------------------------- */

static void release_last(void* arg) {
  ipc_poster_t* poster = arg;

  ipc_poster_wake(poster);
  if (ipc_poster_send(poster, "late", 4) == UV_EPIPE) {
    ipc_poster_release(poster);
  }
}

/* A poster outlives its channel and the loop; another thread has the last
 * reference. */
static void test_outlives_loop(void** state) {
  ipc_client_options_t options;
  ipc_channel_t* channel;
  ipc_poster_t* poster;
  uv_thread_t thread;
  uv_loop_t loop;

  (void) state;
  assert_int_equal(uv_loop_init(&loop), 0);
  ipc_client_options_init(&options, test_name());
  ipc_client_options_set_wait_for_server(&options, 1);
  assert_int_equal(ipc_client_connect(&loop, &options, NULL, &channel), 0);
  assert_int_equal(ipc_poster_create(channel, 1 * KIB, NULL, NULL, &poster), 0);
  assert_int_equal(ipc_poster_send(poster, "lost", 4), 0);
  assert_int_equal(ipc_channel_disconnect(channel), 0);
  assert_int_equal(ipc_channel_close(channel), 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
  assert_closed(poster);
  assert_int_equal(uv_thread_create(&thread, release_last, poster), 0);
  assert_int_equal(uv_thread_join(&thread), 0);
}

/* A loop with a paused channel has nothing to live for, with a poster too. */
static void test_keeps_no_loop(void** state) {
  ipc_poster_t* poster;
  side_t client = {0};
  uv_loop_t loop;
  pair_t pair;

  (void) state;
  assert_int_equal(uv_loop_init(&loop), 0);
  pair_init(&pair);
  pair_listen(&pair);
  client.pair = &pair;
  assert_int_equal(
      ipc_client_connect(&loop, &pair.client_options, &client, &client.channel),
      0);
  while (client.opens == 0 || pair.accepted.opens == 0) {
    uv_run(test_loop(), UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  pause_side(&client);
  uv_run(&loop, UV_RUN_DEFAULT);
  poster = create(&client, 1 * KIB);
  assert_false(uv_loop_alive(&loop));
  ipc_poster_wake(poster);
  assert_false(uv_loop_alive(&loop));
  side_close(&client);
  while (client.closes == 0 || uv_loop_alive(&loop)) {
    uv_run(test_loop(), UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  assert_int_equal(uv_loop_close(&loop), 0);
  ipc_poster_release(poster);
  pair_finish(&pair);
}

#define PASSING 100

static void post_and_release(void* arg) {
  waker_t* waker = arg;

  if (ipc_poster_send(waker->poster, "one", 3) != 0) abort();
  if (ipc_poster_send(waker->poster, "two", 3) != 0) abort();
  ipc_poster_wake(waker->poster);
  ipc_poster_release(waker->poster);
}

/* Posters that nobody has any more go before their channel does, and what was
 * asked of them before is done. */
static void test_released(void** state) {
  test_memory_t memory = {0};
  ipc_allocator_t allocator = test_allocator(&memory);
  uv_thread_t threads[PASSING];
  waker_t wakers[PASSING];
  int64_t before;
  pair_t pair;
  int i;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_allocator(&pair.client_options, &allocator);
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, block, 1), 0);
  run_until(&pair.accepted.messages, 1);
  before = memory.blocks;
  for (i = 0; i < PASSING; i++) {
    create_waker(&wakers[i], &pair.client);
    assert_int_equal(
        uv_thread_create(&threads[i], post_and_release, &wakers[i]), 0);
    if (i % 7 == 0) test_run_for(1);
  }
  for (i = 0; i < PASSING; i++) {
    assert_int_equal(uv_thread_join(&threads[i]), 0);
    run_until(&wakers[i].wakes, 1);
  }
  run_until(&pair.accepted.messages, 1 + 2 * PASSING);
  /* The channel may keep a few that its queue had. */
  for (i = 0; i < 1000 && memory.blocks >= before + PASSING / 4; i++) {
    test_run_for(1);
  }
  assert_true(memory.blocks < before + PASSING / 4);
  for (i = 0; i < PASSING; i++) assert_int_equal(wakers[i].wakes, 1);
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
}

/* A poster whose last reference goes while its posts wait for room. */
static void test_released_full(void** state) {
  test_memory_t memory = {0};
  ipc_allocator_t allocator = test_allocator(&memory);
  ipc_poster_t* poster;
  unsigned int count;
  int64_t before;
  pair_t pair;
  int i;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_allocator(&pair.client_options, &allocator);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 20000);
  pair.accepted.on_open = pause_side;
  pair.accepted.on_message = check_pattern;
  pair_open(&pair);
  poster = create(&pair.client, 1 << 20);
  count = fill(poster, 1000);
  ipc_poster_release(poster);
  test_run_for(20);
  before = memory.bytes;
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, (int) count);
  /* The channel may keep some that its queue had. */
  for (i = 0; i < 1000 && memory.bytes > before - (1 << 19); i++) {
    test_run_for(1);
  }
  assert_true(memory.bytes <= before - (1 << 19));
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
  assert_int_equal(pair.client.result.status, 0);
}

/* ---- Memory ------------------------------------------------------------- */

/* Taken at once, never by a post, and given back when the channel closes. */
static void test_memory(void** state) {
  test_memory_t memory = {0};
  ipc_allocator_t allocator = test_allocator(&memory);
  ipc_poster_t* poster;
  int64_t before;
  int64_t calls;
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_allocator(&pair.client_options, &allocator);
  pair_open(&pair);
  before = memory.bytes;
  poster = create(&pair.client, 1 << 20);
  assert_true(memory.bytes - before >= 1 << 20);
  assert_true(memory.bytes - before < (1 << 20) + 1024);
  calls = memory.calls;
  while (ipc_poster_send(poster, block, 5000) == 0) continue;
  assert_int_equal(memory.calls, calls);
  run_until(&pair.accepted.messages, 200);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
  assert_int_equal(pair.client.result.status, 0);
  ipc_poster_release(poster);
}

/* Each allocation of create fails once, and nothing is left of it. */
static void test_no_memory(void** state) {
  test_memory_t memory = {0};
  ipc_allocator_t allocator = test_allocator(&memory);
  ipc_poster_t* poster = NULL;
  int64_t blocks;
  int failures = 0;
  pair_t pair;
  int err;

  (void) state;
  pair_init(&pair);
  ipc_client_options_set_allocator(&pair.client_options, &allocator);
  pair_open(&pair);
  blocks = memory.blocks;
  for (;;) {
    memory.fail_from = memory.calls + 1 + failures;
    memory.fail_to = memory.fail_from + 1;
    err = ipc_poster_create(pair.client.channel, 1 * KIB, NULL, NULL, &poster);
    memory.fail_from = 0;
    if (err == 0) break;
    assert_int_equal(err, UV_ENOMEM);
    assert_null(poster);
    assert_int_equal(memory.blocks, blocks);
    failures++;
  }
  assert_int_equal(failures, 2);
  assert_int_equal(ipc_poster_send(poster, "still", 5), 0);
  run_until(&pair.accepted.messages, 1);
  ipc_poster_release(poster);
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_storm),
      TEST(test_beside_sends),
      TEST(test_full),
      TEST(test_sizes),
      TEST(test_too_large_for_peer),
      TEST(test_arguments),
      TEST(test_slow_reader),
      TEST(test_starved),
      TEST(test_fair),
      TEST(test_connecting),
      TEST(test_close),
      TEST(test_close_full),
      TEST(test_end),
      TEST(test_disconnect),
      TEST(test_close_race),
      TEST(test_disconnect_race),
      TEST(test_death_race),
      TEST(test_signal),
      TEST(test_signal_in_callback),
      TEST(test_wake_again),
      TEST(test_wake_closes),
      TEST(test_wake_dead),
      TEST(test_inbound),
      TEST(test_wake_race),
      TEST(test_outlives_loop),
      TEST(test_keeps_no_loop),
      TEST(test_released),
      TEST(test_released_full),
      TEST(test_memory),
      TEST(test_no_memory),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
