/* Peers of channels that speak the formats of others: some say things byte by
 * byte, too much, rubbish or only a half; some leave, some don't read, and some
 * are no channels at all. */
#include "harness.h"

#include <stdio.h>

#include "formats.h"
#include "kid.h"
#include "pull.h"

#define KIB ((size_t) 1 << 10)
#define MIB ((size_t) 1 << 20)
#define MAX_BYTES 1000

static pair_t pair;
static test_memory_t memory;
static uint8_t body[2 * MIB];
static uint8_t wire[3 * MIB];

static const char* const three[] = {"one", "two", "three", NULL};

typedef void (*format_test_t)(format_t format);

static void for_every_format(format_test_t test) {
  int format;

  for (format = 0; format < FORMAT_COUNT; format++) test((format_t) format);
}

/* The client is a peer that says what it likes. */
static void prepare_raw(format_t format) {
  format_codec_refuses = 0;
  pair_init(&pair);
  format_server(&pair.server_options, format);
  pair_raw_client(&pair);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 64 * MIB);
}

static void prepare_raw_pull(format_t format) {
  format_codec_refuses = 0;
  pull_init(&pair);
  format_server(&pair.server_options, format);
  pair_raw_client(&pair);
}

static void send_wire(size_t size) {
  assert_int_equal(side_send(&pair.client, wire, size), 0);
}

static void check_three(side_t* side, const void* data, size_t size) {
  const char* text = three[(side->messages - 1) % 3];

  assert_int_equal(size, strlen(text));
  assert_memory_equal(data, text, size);
}

static ipc_channel_stats_t stats_of(const side_t* side) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  return stats;
}

/* ---- In pieces ---------------------------------------------------------- */

/* Each piece has come before the next leaves. */
static void send_in_pieces(size_t size, size_t piece) {
  size_t at;

  for (at = 0; at < size; at += piece) {
    size_t part = size - at < piece ? size - at : piece;
    uint64_t before = stats_of(&pair.accepted).bytes_received;

    assert_int_equal(side_send(&pair.client, wire + at, part), 0);
    while (stats_of(&pair.accepted).bytes_received < before + part) test_turn();
  }
}

static void send_bytes(format_t format) {
  size_t size = format_put_texts(format, wire, three);

  prepare_raw(format);
  pair.accepted.on_message = check_three;
  pair_open(&pair);
  send_in_pieces(size, 1);
  send_in_pieces(size, 2);
  send_in_pieces(size, 7);
  assert_int_equal(pair.accepted.messages, 9);
  pair_finish(&pair);
}

static void test_byte_by_byte(void** state) {
  (void) state;
  for_every_format(send_bytes);
}

static void check_large(side_t* side, const void* data, size_t size) {
  assert_int_equal(size, side->messages == 1 ? 300 * KIB : 3);
  format_check(data, size, 2);
}

/* A line whose end isn't known for long, and one behind it. */
static void send_large(format_t format) {
  static const size_t pieces[] = {5000, 64 * KIB, 64 * KIB + 1, 100 * KIB};
  size_t size, i;

  format_fill(body, 300 * KIB, 2);
  size = format_put(format, wire, body, 300 * KIB);
  size += format_put(format, wire + size, body, 3);
  for (i = 0; i < TEST_COUNT(pieces); i++) {
    prepare_raw(format);
    pair.accepted.on_message = check_large;
    pair_open(&pair);
    send_in_pieces(size, pieces[i]);
    assert_int_equal(pair.accepted.messages, 2);
    pair_finish(&pair);
  }
}

static void test_large_in_pieces(void** state) {
  (void) state;
  for_every_format(send_large);
}

static int try_once(side_t* side) {
  const void* data;
  size_t size;

  return ipc_channel_try_recv(side->channel, &data, &size);
}

/* ---- The end ------------------------------------------------------------ */

static void end_with_held(format_t format) {
  op_t ops[2] = {{0}};

  prepare_raw_pull(format);
  pair_open(&pair);
  send_wire(format_put_texts(format, wire, three));
  side_close(&pair.client);
  test_run_for(5);
  assert_int_equal(pair.accepted.ends, 0);
  side_gets(&pair.accepted, "one");
  side_gets(&pair.accepted, "two");
  test_run_for(5);
  assert_int_equal(pair.accepted.ends, 0);
  op_recv(&ops[0], &pair.accepted, IPC_CHANNEL_INFINITE);
  op_recv(&ops[1], &pair.accepted, IPC_CHANNEL_INFINITE);
  op_gets(&ops[0], "three");
  op_ends(&ops[1], UV_EOF);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(try_once(&pair.accepted), UV_EOF);
  assert_int_equal(pair.accepted.end_status, 0);
  assert_int_equal(stats_of(&pair.accepted).bytes_cut, 0);
  pair_finish(&pair);
}

static void test_end(void** state) {
  (void) state;
  for_every_format(end_with_held);
}

/* Two messages, and the third but for `missing` bytes. */
static size_t put_cut(format_t format, size_t missing) {
  return format_put_texts(format, wire, three) - missing;
}

static void end_cut(format_t format) {
  size_t missing;

  for (missing = 1; missing <= 5; missing++) {
    prepare_raw(format);
    pair.accepted.on_message = check_three;
    pair.accepted.stays = 1;
    pair_open(&pair);
    send_wire(put_cut(format, missing));
    side_close(&pair.client);
    run_until(&pair.accepted.ends, 1);
    assert_int_equal(pair.accepted.messages, 2);
    assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
    assert_int_equal(stats_of(&pair.accepted).bytes_cut,
                     format_put(format, body, "three", 5) - missing);
    assert_int_equal(side_send(&pair.accepted, "late", 4), UV_EPIPE);
    pair_finish(&pair);
  }
}

static void end_cut_pulled(format_t format) {
  op_t ops[5] = {{0}};
  int i;

  prepare_raw_pull(format);
  pair_open(&pair);
  send_wire(put_cut(format, 2));
  side_close(&pair.client);
  for (i = 0; i < 4; i++) {
    op_recv(&ops[i], &pair.accepted, IPC_CHANNEL_INFINITE);
  }
  op_gets(&ops[0], "one");
  op_gets(&ops[1], "two");
  op_ends(&ops[2], UV_ECONNRESET);
  op_ends(&ops[3], UV_ECONNRESET);
  op_ready(&ops[4], &pair.accepted, IPC_CHANNEL_READABLE, IPC_CHANNEL_INFINITE);
  op_ends(&ops[4], 0);
  assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
  pair_finish(&pair);
}

/* Never an end where there was none. */
static void end_cut_tried(format_t format) {
  int messages = 0;
  int err;

  prepare_raw_pull(format);
  pair_open(&pair);
  send_wire(put_cut(format, 2));
  side_close(&pair.client);
  while ((err = try_once(&pair.accepted)) == 0 || err == UV_EAGAIN) {
    if (err == 0) {
      messages++;
    } else {
      test_turn();
    }
  }
  assert_int_equal(err, UV_EPIPE);
  assert_int_equal(messages, 2);
  assert_int_equal(pair.accepted.end_status, UV_ECONNRESET);
  pair_finish(&pair);
}

static void test_cut(void** state) {
  (void) state;
  for_every_format(end_cut);
  for_every_format(end_cut_pulled);
  for_every_format(end_cut_tried);
}

/* ---- Too much ----------------------------------------------------------- */

static void receive_too_large(format_t format) {
  size_t size;
  int over;

  format_fill(body, 2 * MAX_BYTES, 0);
  for (over = 0; over <= 1; over++) {
    prepare_raw(format);
    ipc_server_options_set_max_message_bytes(&pair.server_options, MAX_BYTES);
    pair_open(&pair);
    size = format_put(format, wire, body, MAX_BYTES);
    size += format_put(format, wire + size, body, MAX_BYTES + (size_t) over);
    send_wire(size);
    if (over) {
      run_until(&pair.accepted.ends, 1);
      assert_int_equal(pair.accepted.end_status, UV_EMSGSIZE);
    }
    run_until(&pair.accepted.messages, 2 - over);
    assert_int_equal(pair.accepted.messages, 2 - over);
    pair_finish(&pair);
  }
}

static void test_too_large(void** state) {
  (void) state;
  for_every_format(receive_too_large);
}

/* A line that never ends, and a codec that waits for ever. */
static void test_without_end(void** state) {
  (void) state;
  prepare_raw(FORMAT_LINES);
  ipc_server_options_set_max_message_bytes(&pair.server_options, MAX_BYTES);
  pair_open(&pair);
  memset(wire, 'x', 2 * MAX_BYTES);
  send_in_pieces(MAX_BYTES, 100);
  assert_int_equal(pair.accepted.ends, 0);
  send_wire(1);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_EMSGSIZE);
  pair_finish(&pair);
}

static void end_with(format_t format, const char* text, size_t size, int err) {
  size_t first = format_put(format, wire, "one", 3);

  prepare_raw(format);
  pair.accepted.on_message = check_three;
  pair_open(&pair);
  memcpy(wire + first, text, size);
  send_wire(first + size);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, err);
  assert_int_equal(pair.accepted.messages, 1);
  pair_finish(&pair);
}

static void test_garbage(void** state) {
  (void) state;
  end_with(FORMAT_BIG_PREFIX, "\0\0\0\0\0\0\0\7", 8, UV_EPROTO);
  end_with(FORMAT_BIG_PREFIX, "\377\377\377\377\377\377\377\377", 8,
           UV_EMSGSIZE);
  end_with(FORMAT_PREFIX, "\377\377\377\377", 4, UV_EMSGSIZE);
  end_with(FORMAT_HEADERS, "hello\r\n", 7, UV_EPROTO);
  end_with(FORMAT_HEADERS, "\r\n", 2, UV_EPROTO);
  end_with(FORMAT_HEADERS, "Content-Length: 3\n", 18, UV_EPROTO);
  end_with(FORMAT_HEADERS, "Content-Length: 99999999999\r\n", 29, UV_EMSGSIZE);
  end_with(FORMAT_NETSTRINGS, "hello", 5, UV_EPROTO);
  end_with(FORMAT_NETSTRINGS, "3:onex", 6, UV_EPROTO);
  end_with(FORMAT_NETSTRINGS, "999999999:", 10, UV_EMSGSIZE);
}

/* What arrives while closing is dropped, whatever it is: what is queued still
 * leaves. */
static void close_amid_garbage(side_t* side) {
  format_fill(body, sizeof(body), 0);
  assert_int_equal(ipc_channel_pause(pair.client.channel), 0);
  assert_int_equal(side_send(side, body, sizeof(body)), 0);
  side_close(side);
}

static void resume_client(void* arg) {
  (void) arg;
  assert_int_equal(ipc_channel_resume(pair.client.channel), 0);
}

static void test_garbage_while_closing(void** state) {
  (void) state;
  prepare_raw(FORMAT_HEADERS);
  pair_open(&pair);
  close_amid_garbage(&pair.accepted);
  memcpy(wire, "hello\r\n", 7);
  send_wire(7);
  after(20, resume_client, NULL);
  run_until(&pair.accepted.closes, 1);
  assert_int_equal(pair.accepted.result.status, 0);
  assert_int_equal(pair.accepted.result.unsent, 0);
  run_until(&pair.client.ends, 1);
  assert_int_equal(pair.client.bytes, sizeof(body) + 27);
  pair_finish(&pair);
}

/* ---- Memory ------------------------------------------------------------- */

/* Room for more than has come. */
#define AHEAD (64 * KIB)
/* The read buffer, and blocks in which the beginning lay before it was large.
 */
#define CONSTANT (64 * KIB + 8 * 32 * KIB)

/* A peer that announces much and sends little. */
static void announce_much(format_t format) {
  ipc_allocator_t allocator = test_allocator(&memory);
  const size_t received = 512 * KIB;
  int64_t before;
  size_t i;

  memset(&memory, 0, sizeof(memory));
  prepare_raw(format);
  ipc_server_options_set_allocator(&pair.server_options, &allocator);
  ipc_server_options_set_max_message_bytes(&pair.server_options, INT32_MAX);
  pair_open(&pair);
  before = memory.bytes;
  memset(wire, 'x', received);
  format_put(format, wire, NULL, 0);
  switch (format) {
    case FORMAT_PREFIX:
      memcpy(wire, "\0\0\0\x7f", 4);
      break;
    case FORMAT_BIG_PREFIX:
      memcpy(wire, "\0\0\0\0\x7f\0\0\0", 8);
      break;
    case FORMAT_HEADERS:
      memcpy(wire, "Content-Length: 2000000000\r\n\r\n", 30);
      break;
    case FORMAT_NETSTRINGS:
      memcpy(wire, "999999999:", 10);
      break;
    default:
      memset(wire, 'x', 10);
      break;
  }
  for (i = 0; i < received; i += 8 * KIB) {
    uint64_t there = stats_of(&pair.accepted).bytes_received + 8 * KIB;

    assert_int_equal(side_send(&pair.client, wire + i, 8 * KIB), 0);
    while (stats_of(&pair.accepted).bytes_received < there) test_turn();
    assert_true(memory.peak - before <= (int64_t) (there + AHEAD + CONSTANT));
  }
  assert_int_equal(pair.accepted.messages, 0);
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
}

static void test_memory_of_announced(void** state) {
  (void) state;
  for_every_format(announce_much);
}

static int is_memory_error(int status) {
  return status == UV_ENOMEM || status == UV_ECONNRESET || status == 0 ||
         status == UV_EPIPE || status == UV_ECANCELED;
}

static void try_echo(side_t* side, const void* data, size_t size) {
  int err = side_send(side, data, size);

  assert_true(err == 0 || err == UV_ENOMEM || err == UV_EPIPE);
  format_check(data, size, 1);
}

/* Whether some allocation has failed. */
static int talk_failing(format_t format, int64_t fail_from) {
  ipc_allocator_t allocator = test_allocator(&memory);
  size_t size = format_put(format, wire, body, 100);

  memset(&memory, 0, sizeof(memory));
  prepare_raw(format);
  ipc_server_options_set_allocator(&pair.server_options, &allocator);
  pair.accepted.on_message = try_echo;
  pair_open(&pair);
  memory.calls = 0;
  memory.fail_from = fail_from;
  memory.fail_to = fail_from + 1;
  size += format_put(format, wire + size, body, 200 * KIB);
  size += format_put(format, wire + size, body, 9 * KIB);
  assert_int_equal(side_send(&pair.client, wire, size), 0);
  side_close(&pair.client);
  run_until(&pair.accepted.ends, 1);
  assert_true(is_memory_error(pair.accepted.end_status));
  if (memory.calls < fail_from) {
    assert_int_equal(pair.accepted.end_status, 0);
    assert_int_equal(pair.accepted.messages, 3);
  }
  pair_finish(&pair);
  assert_int_equal(memory.blocks, 0);
  return memory.calls >= fail_from;
}

static void fail_each(format_t format) {
  int64_t n = 1;

  format_fill(body, 200 * KIB, 1);
  while (talk_failing(format, n)) n++;
  assert_true(n > 3);
}

static void test_allocations_fail(void** state) {
  (void) state;
  for_every_format(fail_each);
}

/* ---- A full queue ------------------------------------------------------- */

#define BLOCK ((size_t) 16 << 10)
#define LIMIT ((size_t) 128 << 10)
#define MAX_BLOCKS 2000

typedef struct block_s {
  int ends;
  int status;
  size_t sent;
} block_t;

static block_t blocks[MAX_BLOCKS];
static int block_count;
static int blocks_ended;

static void on_block_sent(ipc_channel_t* channel,
                          void* arg,
                          int status,
                          size_t sent) {
  block_t* block = arg;

  (void) channel;
  assert_int_equal(block->ends++, 0);
  block->status = status;
  block->sent = sent;
  blocks_ended++;
}

/* A block begins with its number. */
static int send_block(void) {
  int err;

  assert_true(block_count < MAX_BLOCKS);
  format_fill(body, BLOCK, 0);
  sprintf((char*) body, "%06d", block_count);
  body[6] = ' ';
  err = ipc_channel_send_copy(pair.client.channel, body, BLOCK, on_block_sent,
                              &blocks[block_count]);
  if (err == 0) block_count++;
  return err;
}

static int next_number; /* the least that may arrive */

static void check_block(side_t* side, const void* data, size_t size) {
  int number = atoi(data);

  (void) side;
  assert_int_equal(size, BLOCK);
  assert_true(number >= next_number);
  next_number = number + 1;
}

static void pause_it(side_t* side) {
  assert_int_equal(ipc_channel_pause(side->channel), 0);
}

/* A server that doesn't read, and a client with a queue behind what the system
 * has taken. */
static void prepare_stuck(format_t format, ipc_slow_reader_t policy) {
  memset(blocks, 0, sizeof(blocks));
  block_count = blocks_ended = next_number = 0;
  format_codec_refuses = 0;
  pair_init(&pair);
  format_server(&pair.server_options, format);
  format_client(&pair.client_options, format);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, LIMIT);
  ipc_client_options_set_slow_reader(&pair.client_options, policy);
  pair.accepted.on_open = pause_it;
  pair.accepted.on_message = check_block;
}

static void get_stuck(void) {
  do {
    assert_int_equal(send_block(), 0);
    test_turn();
  } while (stats_of(&pair.client).bytes_queued < 3 * BLOCK);
}

static void fill(void) {
  while (stats_of(&pair.client).bytes_queued + BLOCK <= LIMIT) {
    assert_int_equal(send_block(), 0);
  }
}

static void drain(int lost) {
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, block_count - lost);
  run_until(&blocks_ended, block_count);
  assert_int_equal(pair.accepted.messages, block_count - lost);
}

static void drop_oldest(format_t format) {
  int dropped = 0;
  int i;

  prepare_stuck(format, IPC_CHANNEL_SLOW_DROP_OLDEST);
  pair_open(&pair);
  get_stuck();
  fill();
  for (i = 0; i < 20; i++) assert_int_equal(send_block(), 0);
  assert_true(stats_of(&pair.client).bytes_queued <=
              LIMIT + 20 * FORMAT_AROUND);
  drain((int) stats_of(&pair.client).messages_dropped);
  for (i = 0; i < block_count; i++) {
    if (blocks[i].status == 0) {
      assert_int_equal(blocks[i].sent, BLOCK);
    } else {
      assert_int_equal(blocks[i].status, UV_ENOBUFS);
      assert_int_equal(blocks[i].sent, 0);
      dropped++;
    }
  }
  assert_int_equal(dropped, stats_of(&pair.client).messages_dropped);
  assert_true(dropped > 0);
  pair_finish(&pair);
}

static void test_drop_oldest(void** state) {
  (void) state;
  for_every_format(drop_oldest);
}

/* What can't be sent at all makes no room for itself, whatever the policy. */
static void refuse_when_full(ipc_slow_reader_t policy) {
  ipc_channel_stats_t before;
  uint8_t line[BLOCK];

  prepare_stuck(FORMAT_LINES, policy);
  pair_open(&pair);
  get_stuck();
  fill();
  before = stats_of(&pair.client);
  memset(line, '\n', sizeof(line));
  assert_int_equal(side_send(&pair.client, line, sizeof(line)), UV_EINVAL);
  test_run_for(2);
  assert_int_equal(pair.client.ends, 0);
  assert_int_equal(pair.client.drains, 0);
  assert_int_equal(stats_of(&pair.client).messages_queued,
                   before.messages_queued);
  assert_int_equal(stats_of(&pair.client).messages_dropped, 0);
  drain(0);
  pair_finish(&pair);
}

static void test_refused_when_full(void** state) {
  (void) state;
  refuse_when_full(IPC_CHANNEL_SLOW_BLOCK);
  refuse_when_full(IPC_CHANNEL_SLOW_DROP_OLDEST);
  refuse_when_full(IPC_CHANNEL_SLOW_DROP_NEWEST);
  refuse_when_full(IPC_CHANNEL_SLOW_DISCONNECT);
}

/* Sends that are withdrawn leave whole messages, and those that have begun say
 * how much of them has left. */
static void withdraw(format_t format) {
  op_t begun = {0}, cancelled = {0}, late = {0};

  prepare_stuck(format, IPC_CHANNEL_SLOW_BLOCK);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 64 * MIB);
  pair.accepted.on_message = NULL;
  pair_open(&pair);
  format_fill(body, sizeof(body), 0);
  op_send(&begun, &pair.client, body, sizeof(body), 30);
  test_turn();
  op_put(&cancelled, &pair.client, body, 100, 1);
  op_send(&late, &pair.client, body, 100, 20);
  assert_int_equal(side_send(&pair.client, body, 5), 0);
  assert_int_equal(op_cancel(&cancelled), 0);
  op_ends(&cancelled, UV_ECANCELED);
  assert_int_equal(cancelled.sent, 0);
  op_ends(&late, UV_ETIMEDOUT);
  assert_int_equal(late.sent, 0);
  op_ends(&begun, UV_ETIMEDOUT);
  assert_true(begun.sent > 0 && begun.sent < sizeof(body));
  assert_int_equal(op_cancel(&begun), UV_ENOENT);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, 2);
  assert_int_equal(pair.accepted.bytes, sizeof(body) + 5);
  pair_finish(&pair);
}

static void test_withdrawn(void** state) {
  (void) state;
  for_every_format(withdraw);
}

/* ---- Another connection ------------------------------------------------- */

static side_t sides[2];
static int side_count;
static int lost_status;
static int losses;

static side_t* next_side(pair_t* p) {
  (void) p;
  assert_true(side_count < 2);
  return &sides[side_count++];
}

static void on_state(ipc_channel_t* channel,
                     ipc_channel_state_t state,
                     int status) {
  (void) channel;
  if (state != IPC_CHANNEL_RECONNECTING) return;
  lost_status = status;
  losses++;
}

static void prepare_reconnect(void) {
  memset(sides, 0, sizeof(sides));
  side_count = losses = lost_status = 0;
  pair.next_side = next_side;
  pair.stays = 1;
  sides[0].stays = 1;
  ipc_client_options_on_state(&pair.client_options, on_state);
  ipc_client_options_set_reconnect(&pair.client_options, 1, 10);
}

static void finish_reconnect(void) {
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  side_close(&sides[0]);
  side_close(&sides[1]);
  pair_finish(&pair);
  side_free(&sides[0]);
  side_free(&sides[1]);
}

static void check_kept(side_t* side, const void* data, size_t size) {
  assert_int_equal(size, 1000 + side->messages);
  format_check(data, size, 4);
}

/* What had not begun goes out whole on the next connection; what had is over,
 * and says so. */
static void reconnect(format_t format) {
  static uint8_t large[16 * MIB];
  op_t begun = {0};
  op_t kept[5] = {{0}};
  int i;

  prepare_stuck(format, IPC_CHANNEL_SLOW_BLOCK);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 64 * MIB);
  prepare_reconnect();
  sides[1].on_message = check_kept;
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&side_count, 1);
  run_until(&pair.client.opens, 1);
  memset(large, 'x', sizeof(large));
  op_put(&begun, &pair.client, large, sizeof(large), 0);
  format_fill(body, sizeof(body), 4);
  for (i = 0; i < 5; i++) {
    op_put(&kept[i], &pair.client, body, (size_t) (1001 + i), 1);
  }
  while (stats_of(&pair.client).bytes_sent < 1000) test_turn();
  assert_int_equal(begun.calls, 0);
  assert_int_equal(ipc_channel_disconnect(sides[0].channel), 0);
  op_ends(&begun, UV_ECONNRESET);
  assert_true(begun.sent > 0 && begun.sent < sizeof(large));
  for (i = 0; i < 5; i++) {
    op_ends(&kept[i], 0);
    assert_int_equal(kept[i].sent, 1001 + i);
  }
  run_until(&side_count, 2);
  run_until(&sides[1].messages, 5);
  assert_int_equal(sides[0].messages, 0);
  assert_int_equal(losses, 1);
  finish_reconnect();
  assert_int_equal(pair.client.result.unsent, 1);
}

static void test_reconnect(void** state) {
  (void) state;
  for_every_format(reconnect);
}

static void check_after_loss(side_t* side, const void* data, size_t size) {
  (void) side;
  assert_int_equal(size, 2);
  assert_memory_equal(data, "ok", 2);
}

#define REPEATS 100
#define REPEAT_BYTES 600

static int last_number;

static void note_number(side_t* side, const void* data, size_t size) {
  int number = atoi(data);

  assert_int_equal(size, REPEAT_BYTES);
  assert_true(number > last_number);
  last_number = number;
  if (side == &sides[0] && side->messages == 3) {
    assert_int_equal(ipc_channel_disconnect(side->channel), 0);
  }
}

/* A server that has taken some of what left in one piece: the next doesn't get
 * them again. */
static void dont_repeat(format_t format) {
  int i;

  prepare_stuck(format, IPC_CHANNEL_SLOW_BLOCK);
  prepare_reconnect();
  assert_int_equal(
      ipc_server_options_set_buffer_sizes(&pair.server_options, 4096, 4096), 0);
  sides[0].on_message = sides[1].on_message = note_number;
  last_number = 0;
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&side_count, 1);
  run_until(&pair.client.opens, 1);
  for (i = 1; i <= REPEATS; i++) {
    memset(body, ' ', REPEAT_BYTES);
    sprintf((char*) body, "%d", i);
    body[strlen((char*) body)] = ' ';
    assert_int_equal(ipc_channel_send_copy(pair.client.channel, body,
                                           REPEAT_BYTES, NULL, NULL),
                     0);
  }
  run_until(&side_count, 2);
  memcpy(body, "101 ", 4);
  assert_int_equal(ipc_channel_send_copy(pair.client.channel, body,
                                         REPEAT_BYTES, NULL, NULL),
                   0);
  while (last_number < 101) test_turn();
  finish_reconnect();
}

static void test_not_repeated(void** state) {
  (void) state;
  for_every_format(dont_repeat);
}

/* A half message is forgotten, with what was known of it, and it is told that
 * there was one. */
static void reconnect_amid_message(format_t format) {
  size_t size;

  format_codec_refuses = 0;
  pair_init(&pair);
  pair_raw_server(&pair);
  format_client(&pair.client_options, format);
  prepare_reconnect();
  pair.client.on_message = check_after_loss;
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&side_count, 1);
  size = format_put(format, wire, "a longer message", 16);
  assert_int_equal(side_send(&sides[0], wire, size - 2), 0);
  while (stats_of(&pair.client).bytes_received < size - 2) test_turn();
  side_close(&sides[0]);
  run_until(&side_count, 2);
  run_until(&losses, 1);
  assert_int_equal(lost_status, UV_ECONNRESET);
  size = format_put(format, wire, "ok", 2);
  assert_int_equal(side_send(&sides[1], wire, size), 0);
  run_until(&pair.client.messages, 1);
  finish_reconnect();
}

static void test_reconnect_amid_message(void** state) {
  (void) state;
  for_every_format(reconnect_amid_message);
}

/* ---- The waiting room --------------------------------------------------- */

static side_t early; /* a client that has said all before its turn came */
static side_t late_side;

static side_t* next_of_room(pair_t* p) {
  return p->accepted.opens == 0 ? &p->accepted : &late_side;
}

static uint64_t waiting(void) {
  ipc_server_stats_t stats;

  assert_int_equal(ipc_server_stats(pair.server, &stats), 0);
  return stats.waiting;
}

/* One is served, another waits and has sent `size` bytes; and has left then,
 * as far as that can be on a pipe that is not read to its end. */
static void fill_room(format_t format, size_t size, int pulls) {
  memset(&early, 0, sizeof(early));
  memset(&late_side, 0, sizeof(late_side));
  if (pulls) {
    prepare_raw_pull(format);
  } else {
    prepare_raw(format);
  }
  pair.stays = 1;
  pair.next_side = next_of_room;
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  ipc_server_options_set_waiting_instances(&pair.server_options, 5);
  late_side.stays = 1;
  pair_open(&pair);
  pair_connect_side(&pair, &early);
  run_until(&early.opens, 1);
  assert_int_equal(side_send(&early, wire, size), 0);
  while (waiting() < 1) test_turn();
  side_close(&early);
  run_until(&early.closes, 1);
  test_run_for(5);
}

static void free_instance(void) {
  side_close(&pair.accepted);
  run_until(&late_side.opens, 1);
}

static void finish_room(void) {
  side_close(&late_side);
  run_until(&late_side.closes, 1);
  pair_finish(&pair);
  side_free(&early);
  side_free(&late_side);
}

static void wait_in_room(format_t format) {
  fill_room(format, format_put_texts(format, wire, three), 0);
  late_side.on_message = check_three;
  free_instance();
  run_until(&late_side.ends, 1);
  assert_int_equal(late_side.messages, 3);
  assert_int_equal(late_side.end_status, 0);
  finish_room();

  fill_room(format, put_cut(format, 1), 0);
  late_side.on_message = check_three;
  free_instance();
  run_until(&late_side.ends, 1);
  assert_int_equal(late_side.messages, 2);
  assert_int_equal(late_side.end_status, UV_ECONNRESET);
  finish_room();
}

static int try_statuses[4];

static void try_all(side_t* side) {
  int i;

  for (i = 0; i < 4; i++) try_statuses[i] = try_once(side);
}

/* In the very callback that hands it out. */
static void try_in_room(format_t format) {
  fill_room(format, format_put_texts(format, wire, three), 1);
  late_side.on_open = try_all;
  free_instance();
  assert_int_equal(try_statuses[0], 0);
  assert_int_equal(try_statuses[1], 0);
  assert_int_equal(try_statuses[2], 0);
  assert_int_equal(try_statuses[3], UV_EOF);
  run_until(&late_side.ends, 1);
  assert_int_equal(late_side.end_status, 0);
  finish_room();

  /* No end where a message was cut. */
  fill_room(format, put_cut(format, 1), 1);
  late_side.on_open = try_all;
  free_instance();
  assert_int_equal(try_statuses[0], 0);
  assert_int_equal(try_statuses[1], 0);
  assert_int_equal(try_statuses[2], UV_EAGAIN);
  assert_int_equal(try_statuses[3], UV_EAGAIN);
  run_until(&late_side.ends, 1);
  assert_int_equal(late_side.end_status, UV_ECONNRESET);
  finish_room();
}

/* Paused is paused, though the end be known. */
static void pause_in_room(format_t format) {
  size_t head = format_put(format, wire, "one", 3) - 1;

  fill_room(format, head, 0);
  late_side.on_open = pause_it;
  free_instance();
  test_run_for(5);
  assert_int_equal(late_side.ends, 0);
  assert_int_equal(ipc_channel_resume(late_side.channel), 0);
  run_until(&late_side.ends, 1);
  assert_int_equal(late_side.end_status, UV_ECONNRESET);
  assert_int_equal(late_side.messages, 0);
  finish_room();
}

static void test_waiting_room(void** state) {
  (void) state;
  for_every_format(wait_in_room);
  for_every_format(try_in_room);
  for_every_format(pause_in_room);
}

/* ---- FIFO --------------------------------------------------------------- */

#define LINES 400
/* Of a line with its end, on every system. */
#define ATOMIC_BYTES 512

static char path[128];
static int line_number[2]; /* of each writer's next */

static size_t line_size(int number) {
  return 8 + (size_t) number * 997 % (ATOMIC_BYTES - 8);
}

static void check_line(side_t* side, const void* data, size_t size) {
  char text[16];
  int writer, number;

  (void) side;
  assert_true(size >= 8);
  memcpy(text, data, 8);
  text[8] = '\0';
  assert_int_equal(sscanf(text, "%1d %5d ", &writer, &number), 2);
  assert_int_equal(number, line_number[writer]++);
  assert_int_equal(size, line_size(number));
  format_check((const uint8_t*) data + 8, size - 8, (unsigned) writer);
}

static int open_fifo(side_t* side, ipc_access_t access) {
  ipc_channel_options_t options;

  side_options(&options);
  format_channel(&options, FORMAT_LINES);
  assert_int_equal(ipc_channel_options_set_access(&options, access), 0);
  return ipc_fifo_open(test_loop(), &options, path, side, &side->channel);
}

static void say_line(side_t* side, int writer, int number) {
  uint8_t line[600];
  size_t size = line_size(number);

  sprintf((char*) line, "%d %05d ", writer, number);
  format_fill(line + 8, size - 8, (unsigned) writer);
  assert_int_equal(side_send(side, line, size), 0);
}

/* Two writers to one reader, whose lines don't mix. */
static void test_fifo(void** state) {
  side_t reader = {0};
  side_t writers[2] = {{0}};
  int i;

  (void) state;
  if (test_is_windows()) {
    snprintf(path, sizeof(path), "%s", test_name());
    assert_int_equal(open_fifo(&reader, IPC_CHANNEL_ACCESS_INBOUND),
                     UV_ENOTSUP);
    return;
  }
  snprintf(path, sizeof(path), "%s/%s", test_directory(), test_name());
  assert_int_equal(ipc_fifo_create(path, 0600), 0);
  line_number[0] = line_number[1] = 0;
  assert_int_equal(open_fifo(&reader, IPC_CHANNEL_ACCESS_DUPLEX), UV_ENOTSUP);
  assert_int_equal(open_fifo(&reader, IPC_CHANNEL_ACCESS_INBOUND), 0);
  reader.on_message = check_line;
  for (i = 0; i < 2; i++) {
    assert_int_equal(open_fifo(&writers[i], IPC_CHANNEL_ACCESS_OUTBOUND), 0);
  }
  for (i = 0; i < LINES; i++) {
    say_line(&writers[0], 0, i);
    say_line(&writers[1], 1, i);
    if (i % 50 == 0) test_turn();
  }
  run_until(&reader.messages, 2 * LINES);
  assert_int_equal(ipc_fifo_remove(reader.channel), 0);
  side_close(&writers[0]);
  side_close(&writers[1]);
  side_close(&reader);
  test_run();
  assert_int_equal(reader.ends, 0);
  assert_int_equal(reader.messages, 2 * LINES);
  side_free(&writers[0]);
  side_free(&writers[1]);
  side_free(&reader);
}

/* ---- Children ----------------------------------------------------------- */

/* Lines to its input, and each line of its output a message. */
static void test_child_lines(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "cat", NULL);
  kid_use_channel(&kid, IPC_CHILD_STDIN_SLOT);
  kid_use_channel(&kid, IPC_CHILD_STDOUT_SLOT);
  format_channel(&kid.channels[0], FORMAT_LINES);
  format_channel(&kid.channels[1], FORMAT_LINES);
  kid.sides[1].on_message = check_three;
  kid_spawn(&kid);
  side_say(&kid.sides[0], "one");
  side_say(&kid.sides[0], "two");
  run_until(&kid.sides[1].messages, 2);
  side_say(&kid.sides[0], "three");
  assert_int_equal(side_send(&kid.sides[0], "a\nb", 3), UV_EINVAL);
  side_close(&kid.sides[0]);
  kid_finish(&kid);
  assert_int_equal(kid.sides[1].messages, 3);
  assert_int_equal(kid.sides[1].end_status, 0);
  kid_assert_ended_well(&kid);
  kid_free(&kid);
}

/* Its last line has no end. */
static void test_child_cut(void** state) {
  kid_t kid;

  (void) state;
  kid_prepare(&kid, "say", NULL);
  kid_use_channel(&kid, IPC_CHILD_STDOUT_SLOT);
  format_channel(&kid.channels[1], FORMAT_LINES);
  kid_spawn(&kid);
  kid_finish(&kid);
  assert_int_equal(kid.sides[1].messages, 0);
  assert_int_equal(kid.sides[1].end_status, UV_ECONNRESET);
  kid_assert_ended_well(&kid);
  kid_free(&kid);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_byte_by_byte),
      TEST(test_large_in_pieces),
      TEST(test_end),
      TEST(test_cut),
      TEST(test_too_large),
      TEST(test_without_end),
      TEST(test_garbage),
      TEST(test_garbage_while_closing),
      TEST(test_memory_of_announced),
      TEST(test_allocations_fail),
      TEST(test_drop_oldest),
      TEST(test_refused_when_full),
      TEST(test_withdrawn),
      TEST(test_reconnect),
      TEST(test_reconnect_amid_message),
      TEST(test_not_repeated),
      TEST(test_waiting_room),
      TEST(test_fifo),
      TEST(test_child_lines),
      TEST(test_child_cut),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), child_roles);
}
