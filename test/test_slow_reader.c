/* A peer that reads too slowly: what each policy does to the next send, and by
 * which limit. */
#include "harness.h"

#include "pair.h"

#define LIMIT ((size_t) 256 << 10)
#define BLOCK ((size_t) 16 << 10)
#define MAX_SENDS 4000

/* One send, which may end in any order. */
typedef struct note_s {
  int ends;
  int status;
  size_t sent;
} note_t;

static pair_t pair;
static note_t notes[MAX_SENDS];
static int sends; /* asked for */
static int ended;
static uint8_t blocks[MAX_SENDS][4];
static uint8_t body[BLOCK];

static void on_noted(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     size_t sent) {
  note_t* note = arg;

  (void) channel;
  assert_int_equal(note->ends, 0);
  note->ends = 1;
  note->status = status;
  note->sent = sent;
  ended++;
}

/* Sends a block that begins with its number. */
static int send_block(ipc_channel_t* channel) {
  uint32_t number = (uint32_t) sends;
  int err;

  assert_true(sends < MAX_SENDS);
  memcpy(body, &number, sizeof(number));
  err = ipc_channel_send_copy(channel, body, sizeof(body), on_noted,
                              &notes[sends]);
  if (err == 0) sends++;
  return err;
}

static ipc_channel_stats_t stats_of(const side_t* side) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  return stats;
}

static void prepare(ipc_slow_reader_t policy) {
  memset(notes, 0, sizeof(notes));
  sends = ended = 0;
  pair_init(&pair);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, LIMIT);
  ipc_client_options_set_slow_reader(&pair.client_options, policy);
}

static void pause_side(side_t* side) {
  assert_int_equal(ipc_channel_pause(side->channel), 0);
}

static void resume_side(side_t* side) {
  assert_int_equal(ipc_channel_resume(side->channel), 0);
}

/* A server that doesn't read, and a client whose queue holds something, behind
 * what the system takes. */
static void open_stuck(void) {
  pair.accepted.on_open = pause_side;
  pair.accepted.keeps_log = 1;
  pair_open(&pair);
  do {
    assert_int_equal(send_block(pair.client.channel), 0);
    test_turn();
  } while (stats_of(&pair.client).bytes_queued < 2 * BLOCK);
}

/* Until a send would find the queue full. */
static void fill(void) {
  while (stats_of(&pair.client).bytes_queued + BLOCK + 8 <= LIMIT) {
    assert_int_equal(send_block(pair.client.channel), 0);
  }
}

/* Which numbers have arrived, in the log of whole blocks. */
static uint32_t arrived(int i) {
  uint32_t number;

  memcpy(&number, pair.accepted.log + (size_t) i * BLOCK, sizeof(number));
  return number;
}

/* Once it reads again, what was kept arrives in order, and once; `lost` is how
 * many are missing. */
static void drain_and_check(int lost) {
  int i;
  uint32_t next = 0;

  resume_side(&pair.accepted);
  run_until(&pair.accepted.messages, sends - lost);
  run_until(&ended, sends);
  for (i = 0; i < pair.accepted.messages; i++, next++) {
    while (notes[next].status != 0) next++;
    assert_int_equal(arrived(i), next);
    assert_int_equal(notes[next].sent, BLOCK);
  }
}

/* ---- Policies ----------------------------------------------------------- */

static void test_block(void** state) {
  (void) state;
  prepare(IPC_CHANNEL_SLOW_BLOCK);
  open_stuck();
  fill();
  assert_int_equal(send_block(pair.client.channel), UV_EAGAIN);
  assert_int_equal(send_block(pair.client.channel), UV_EAGAIN);
  assert_true(stats_of(&pair.client).bytes_queued <= LIMIT);
  assert_int_equal(pair.client.drains, 0);
  drain_and_check(0);
  assert_int_equal(pair.client.drains, 1);
  assert_int_equal(stats_of(&pair.client).messages_dropped, 0);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
}

static void test_drop_newest(void** state) {
  int i;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_DROP_NEWEST);
  open_stuck();
  fill();
  for (i = 0; i < 5; i++) {
    assert_int_equal(send_block(pair.client.channel), UV_ENOBUFS);
  }
  assert_int_equal(stats_of(&pair.client).messages_dropped, 5);
  drain_and_check(0);
  assert_int_equal(send_block(pair.client.channel), 0);
  run_until(&pair.accepted.messages, sends);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
}

static void test_drop_oldest(void** state) {
  enum { MORE = 7 };
  int before;
  int dropped = 0;
  int i;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_DROP_OLDEST);
  open_stuck();
  fill();
  before = ended;
  for (i = 0; i < MORE; i++) {
    assert_int_equal(send_block(pair.client.channel), 0);
    assert_int_equal(ended, before); /* never inside a send */
    assert_true(stats_of(&pair.client).bytes_queued <= LIMIT);
  }
  assert_int_equal(stats_of(&pair.client).messages_dropped, MORE);
  run_until(&ended, before + MORE);
  for (i = 0; i < sends; i++) {
    if (!notes[i].ends || notes[i].status == 0) continue;
    assert_int_equal(notes[i].status, UV_ENOBUFS);
    assert_int_equal(notes[i].sent, 0);
    dropped++;
    /* Next to each other, and none of those sent last. */
    assert_true(i < sends - MORE);
    if (dropped > 1) assert_int_equal(notes[i - 1].status, UV_ENOBUFS);
  }
  assert_int_equal(dropped, MORE);
  drain_and_check(MORE);
  assert_int_equal(notes[sends - 1].status, 0);
  pair_finish(&pair);
  /* What was dropped has never left. */
  assert_int_equal(pair.client.result.unconfirmed, 0);
}

/* Far more than the queue holds: the last ones get through. */
static void test_drop_oldest_for_long(void** state) {
  int kept;
  int i;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_DROP_OLDEST);
  open_stuck();
  for (i = 0; i < 1000; i++) {
    assert_int_equal(send_block(pair.client.channel), 0);
    if (i % 100 == 0) test_turn();
  }
  kept = sends - (int) stats_of(&pair.client).messages_dropped;
  drain_and_check(sends - kept);
  assert_int_equal(arrived(kept - 1), sends - 1);
  pair_finish(&pair);
}

static void test_disconnect(void** state) {
  int i;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_DISCONNECT);
  open_stuck();
  pair.client.stays = 1;
  fill();
  assert_int_equal(pair.client.ends, 0);
  assert_int_equal(send_block(pair.client.channel), UV_ENOBUFS);
  assert_int_equal(pair.client.ends, 0); /* never inside a send */
  assert_int_equal(send_block(pair.client.channel), UV_EPIPE);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.end_status, UV_ENOBUFS);
  run_until(&ended, sends);
  assert_int_equal(notes[sends - 1].status, UV_ENOBUFS);
  for (i = 0; i < sends && notes[i].status == 0; i++) continue;
  assert_true(i > 0);
  for (; i < sends; i++) assert_int_equal(notes[i].status, UV_ENOBUFS);
  resume_side(&pair.accepted);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
  pair_finish(&pair);
  assert_true(pair.client.result.unsent > 0);
}

/* An empty queue takes a message of any size, whatever the policy. */
static void test_any_size_when_empty(void** state) {
  static const ipc_slow_reader_t policies[] = {
      IPC_CHANNEL_SLOW_BLOCK, IPC_CHANNEL_SLOW_DROP_OLDEST,
      IPC_CHANNEL_SLOW_DROP_NEWEST, IPC_CHANNEL_SLOW_DISCONNECT};
  static uint8_t large[4 * LIMIT];
  size_t i;

  (void) state;
  for (i = 0; i < 4; i++) {
    prepare(policies[i]);
    pair_open(&pair);
    assert_int_equal(side_send(&pair.client, large, sizeof(large)), 0);
    run_until(&pair.accepted.messages, 1);
    assert_int_equal(stats_of(&pair.client).messages_dropped, 0);
    pair_finish(&pair);
    assert_int_equal(pair.client.result.status, 0);
  }
}

/* ---- The limit in messages ---------------------------------------------- */

#define COUNT 10

static int send_number(ipc_channel_t* channel) {
  uint32_t number = (uint32_t) sends;
  int err;

  assert_true(sends < MAX_SENDS);
  memcpy(blocks[sends], &number, sizeof(number));
  err = ipc_channel_send(channel, blocks[sends], sizeof(number), on_noted,
                         &notes[sends]);
  if (err == 0) sends++;
  return err;
}

/* While it connects, nothing leaves: the queue holds what was sent. */
static void connect_full(ipc_slow_reader_t policy) {
  prepare(policy);
  ipc_client_options_set_max_queue_messages(&pair.client_options, COUNT);
  pair.accepted.keeps_log = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  while (sends < COUNT) {
    assert_int_equal(send_number(pair.client.channel), 0);
  }
  assert_int_equal(stats_of(&pair.client).messages_queued, COUNT);
}

static void arrive(int first, int count) {
  int i;

  run_until(&pair.accepted.messages, count);
  for (i = 0; i < count; i++) {
    uint32_t number;

    memcpy(&number, pair.accepted.log + (size_t) i * 4, 4);
    assert_int_equal(number, first + i);
  }
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, count);
  assert_int_equal(pair.client.result.unconfirmed, 0);
}

static void test_messages_block(void** state) {
  (void) state;
  connect_full(IPC_CHANNEL_SLOW_BLOCK);
  assert_int_equal(send_number(pair.client.channel), UV_EAGAIN);
  run_until(&pair.client.drains, 1);
  arrive(0, COUNT);
}

static void test_messages_drop_newest(void** state) {
  (void) state;
  connect_full(IPC_CHANNEL_SLOW_DROP_NEWEST);
  assert_int_equal(send_number(pair.client.channel), UV_ENOBUFS);
  assert_int_equal(stats_of(&pair.client).messages_dropped, 1);
  arrive(0, COUNT);
}

static void test_messages_drop_oldest(void** state) {
  int i;

  (void) state;
  connect_full(IPC_CHANNEL_SLOW_DROP_OLDEST);
  for (i = 0; i < 3; i++) {
    assert_int_equal(send_number(pair.client.channel), 0);
    assert_int_equal(stats_of(&pair.client).messages_queued, COUNT);
  }
  assert_int_equal(stats_of(&pair.client).messages_dropped, 3);
  run_until(&ended, 3);
  arrive(3, COUNT);
  for (i = 0; i < 3; i++) assert_int_equal(notes[i].status, UV_ENOBUFS);
}

static void test_messages_disconnect(void** state) {
  (void) state;
  connect_full(IPC_CHANNEL_SLOW_DISCONNECT);
  assert_int_equal(send_number(pair.client.channel), UV_ENOBUFS);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_ENOBUFS);
  run_until(&ended, COUNT);
  assert_int_equal(notes[0].status, UV_ENOBUFS);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.unsent, COUNT);
}

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  (void) channel;
  (void) data;
  (void) size;
  assert_int_equal(status, UV_ENOSYS);
  ++*(int*) arg;
}

/* A request is not dropped, though it is the oldest. */
static void test_requests_are_kept(void** state) {
  int replies = 0;
  int i;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_DROP_OLDEST);
  ipc_client_options_set_max_queue_messages(&pair.client_options, COUNT);
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(
      ipc_channel_call(pair.client.channel, "x", 1, -1, on_reply, &replies), 0);
  for (i = 0; i < 3 * COUNT; i++) {
    assert_int_equal(send_number(pair.client.channel), 0);
  }
  run_until(&replies, 1);
  run_until(&ended, sends);
  for (i = 0; i < sends; i++) {
    assert_int_equal(notes[i].status, i < sends - (COUNT - 1) ? UV_ENOBUFS : 0);
  }
  pair_finish(&pair);
}

/* Nor does the queue grow without limit by what isn't dropped. */
static void test_requests_fill(void** state) {
  int replies = 0;
  int calls = 0;
  int err;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_DROP_OLDEST);
  ipc_client_options_set_max_queue_messages(&pair.client_options, COUNT);
  pair_listen(&pair);
  pair_connect(&pair);
  while ((err = ipc_channel_call(pair.client.channel, "x", 1, -1, on_reply,
                                 &replies)) == 0) {
    assert_true(++calls <= COUNT);
  }
  assert_int_equal(err, UV_EAGAIN);
  assert_int_equal(calls, COUNT);
  assert_int_equal(send_number(pair.client.channel), UV_EAGAIN);
  run_until(&replies, calls);
  run_until(&pair.client.drains, 1);
  assert_int_equal(stats_of(&pair.client).messages_dropped, 0);
  pair_finish(&pair);
}

/* ---- All channels of a server ------------------------------------------- */

#define CROWD 4

static side_t accepted[CROWD];
static int accepted_count;

static side_t* next_accepted(pair_t* p) {
  (void) p;
  return &accepted[accepted_count++];
}

/* The limit holds for all together; the room one has made, all can use. */
static void test_total(void** state) {
  side_t clients[CROWD] = {{0}};
  ipc_server_stats_t stats;
  int i;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_BLOCK);
  memset(accepted, 0, sizeof(accepted));
  accepted_count = 0;
  pair.next_side = next_accepted;
  ipc_server_options_set_max_queue_bytes(&pair.server_options, LIMIT);
  ipc_server_options_set_max_total_queue_bytes(&pair.server_options, 2 * LIMIT);
  pair_listen(&pair);
  for (i = 0; i < CROWD; i++) {
    clients[i].on_open = pause_side;
    pair_connect_side(&pair, &clients[i]);
    run_until(&clients[i].opens, 1);
    run_until(&accepted[i].opens, 1);
  }
  for (i = 0; i < CROWD - 1; i++) {
    /* What the system takes leaves room again, a turn later. */
    do {
      while (side_send(&accepted[i], body, BLOCK) == 0) continue;
      test_run_for(20);
    } while (side_send(&accepted[i], body, BLOCK) == 0);
  }
  assert_int_equal(ipc_server_stats(pair.server, &stats), 0);
  assert_true(stats.bytes_queued <= 2 * LIMIT);
  assert_true(stats.bytes_queued > 2 * LIMIT - 2 * (BLOCK + 8));
  /* Also one that holds nothing itself. */
  assert_int_equal(side_send(&accepted[CROWD - 1], body, BLOCK), UV_EAGAIN);
  assert_int_equal(accepted[0].drains, 0);
  resume_side(&clients[0]);
  run_until(&accepted[0].drains, 1);
  for (i = 0; i < CROWD; i++) resume_side(&clients[i]);
  for (i = 0; i < CROWD; i++) {
    run_until(&clients[i].messages, (int) accepted[i].asked);
    run_until(&accepted[i].drains, 1);
    side_close(&clients[i]);
    run_until(&accepted[i].closes, 1);
    assert_int_equal(accepted[i].result.status, 0);
  }
  assert_int_equal(ipc_server_stats(pair.server, &stats), 0);
  assert_int_equal(stats.bytes_queued, 0);
  pair_finish(&pair);
  for (i = 0; i < CROWD; i++) {
    side_free(&clients[i]);
    side_free(&accepted[i]);
  }
}

/* What the others hold can't be dropped: then nothing is. */
static void test_total_drops_nothing_in_vain(void** state) {
  static uint8_t large[2 * LIMIT];
  side_t clients[2] = {{0}};
  int i;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_BLOCK);
  memset(accepted, 0, sizeof(accepted));
  accepted_count = 0;
  pair.next_side = next_accepted;
  ipc_server_options_set_slow_reader(&pair.server_options,
                                     IPC_CHANNEL_SLOW_DROP_OLDEST);
  ipc_server_options_set_max_queue_bytes(&pair.server_options, 4 * LIMIT);
  ipc_server_options_set_max_total_queue_bytes(&pair.server_options, 4 * LIMIT);
  pair_listen(&pair);
  for (i = 0; i < 2; i++) {
    clients[i].on_open = pause_side;
    pair_connect_side(&pair, &clients[i]);
    run_until(&clients[i].opens, 1);
    run_until(&accepted[i].opens, 1);
    do {
      assert_int_equal(side_send(&accepted[i], body, BLOCK), 0);
      test_turn();
    } while (stats_of(&accepted[i]).bytes_queued < 2 * BLOCK);
  }
  while (stats_of(&accepted[0]).bytes_queued < 3 * LIMIT) {
    assert_int_equal(side_send(&accepted[0], body, BLOCK), 0);
  }
  for (i = 0; i < 5; i++) {
    assert_int_equal(side_send(&accepted[1], body, 100), 0);
  }
  assert_int_equal(side_send(&accepted[1], large, sizeof(large)), UV_EAGAIN);
  assert_int_equal(accepted[1].failed, 0);
  assert_int_equal(stats_of(&accepted[1]).messages_dropped, 0);
  for (i = 0; i < 2; i++) resume_side(&clients[i]);
  run_until(&accepted[1].drains, 1);
  for (i = 0; i < 2; i++) {
    run_until(&clients[i].messages, (int) accepted[i].asked);
    side_close(&clients[i]);
    run_until(&accepted[i].closes, 1);
    assert_int_equal(accepted[i].result.status, 0);
  }
  pair_finish(&pair);
  for (i = 0; i < 2; i++) {
    side_free(&clients[i]);
    side_free(&accepted[i]);
  }
}

/* A total that slow readers use up is not the fast reader's fault. */
static void test_total_spares_the_fast(void** state) {
  side_t clients[2] = {{0}};
  int i;

  (void) state;
  prepare(IPC_CHANNEL_SLOW_DISCONNECT);
  memset(accepted, 0, sizeof(accepted));
  accepted_count = 0;
  pair.next_side = next_accepted;
  ipc_server_options_set_slow_reader(&pair.server_options,
                                     IPC_CHANNEL_SLOW_DISCONNECT);
  ipc_server_options_set_max_queue_bytes(&pair.server_options, 4 * LIMIT);
  ipc_server_options_set_max_total_queue_bytes(&pair.server_options, LIMIT);
  pair_listen(&pair);
  for (i = 0; i < 2; i++) {
    clients[i].stays = 1;
    pair_connect_side(&pair, &clients[i]);
    run_until(&clients[i].opens, 1);
    run_until(&accepted[i].opens, 1);
  }
  pause_side(&clients[0]);
  while (stats_of(&accepted[0]).bytes_queued + 2 * BLOCK < LIMIT) {
    assert_int_equal(side_send(&accepted[0], body, BLOCK), 0);
    test_turn();
  }
  for (i = 0; side_send(&accepted[1], body, BLOCK) == 0; i++) continue;
  assert_true(i < 4);
  assert_int_equal(side_send(&accepted[1], body, BLOCK), UV_EAGAIN);
  assert_int_equal(side_send(&accepted[0], body, 4 * BLOCK), UV_ENOBUFS);
  run_until(&accepted[0].ends, 1);
  assert_int_equal(accepted[0].end_status, UV_ENOBUFS);
  run_until(&accepted[1].drains, 1);
  assert_int_equal(side_send(&accepted[1], body, BLOCK), 0);
  run_until(&clients[1].messages, i + 1);
  resume_side(&clients[0]);
  for (i = 0; i < 2; i++) {
    side_close(&clients[i]);
    side_close(&accepted[i]);
    run_until(&accepted[i].closes, 1);
  }
  assert_int_equal(accepted[1].result.unsent, 0);
  pair_finish(&pair);
  for (i = 0; i < 2; i++) {
    side_free(&clients[i]);
    side_free(&accepted[i]);
  }
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_block),
      TEST(test_drop_newest),
      TEST(test_drop_oldest),
      TEST(test_drop_oldest_for_long),
      TEST(test_disconnect),
      TEST(test_any_size_when_empty),
      TEST(test_messages_block),
      TEST(test_messages_drop_newest),
      TEST(test_messages_drop_oldest),
      TEST(test_messages_disconnect),
      TEST(test_requests_are_kept),
      TEST(test_requests_fill),
      TEST(test_total),
      TEST(test_total_drops_nothing_in_vain),
      TEST(test_total_spares_the_fast),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
