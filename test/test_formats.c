/* Channels that speak the formats of others: every way to send and to receive,
 * what is refused, and what the options allow. test_formats_peers.c has the
 * peers that don't keep to them. */
#include "harness.h"

#include "formats.h"
#include "pull.h"

#define KIB ((size_t) 1 << 10)
#define MIB ((size_t) 1 << 20)
#define MANY 5000

static pair_t pair;
static uint8_t body[MIB + KIB];
static uint8_t wire[MIB];

static void prepare(format_t format) {
  format_codec_refuses = 0;
  pair_init(&pair);
  format_server(&pair.server_options, format);
  format_client(&pair.client_options, format);
  ipc_server_options_set_max_queue_bytes(&pair.server_options, 64 * MIB);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 64 * MIB);
}

/* Both sides pull. */
static void prepare_pull(format_t format) {
  pull_init(&pair);
  format_server(&pair.server_options, format);
  format_client(&pair.client_options, format);
}

/* The client is a peer that says what it likes. */
static void prepare_raw(format_t format) {
  pair_init(&pair);
  format_server(&pair.server_options, format);
  pair_raw_client(&pair);
}

typedef void (*format_test_t)(format_t format);

static void for_every_format(format_test_t test) {
  int format;

  for (format = 0; format < FORMAT_COUNT; format++) test((format_t) format);
}

static void send_texts(format_t format, const char* const* texts) {
  size_t size = format_put_texts(format, wire, texts);

  assert_int_equal(side_send(&pair.client, wire, size), 0);
}

static ipc_channel_stats_t stats_of(const side_t* side) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  return stats;
}

/* ---- There and back ----------------------------------------------------- */

static const size_t sizes[] = {0,        1,
                               2,        3,
                               100,      4 * KIB - 1,
                               4 * KIB,  8 * KIB - 1,
                               8 * KIB,  8 * KIB + 1,
                               32 * KIB, 64 * KIB - 1,
                               64 * KIB, 64 * KIB + 1,
                               MIB};

static void check_next_size(side_t* side, const void* data, size_t size) {
  size_t i = (size_t) side->messages - 1;

  assert_int_equal(size, sizes[i]);
  format_check(data, size, 3);
}

static void exchange_sizes(format_t format) {
  size_t i;

  prepare(format);
  pair.accepted.echoes = 1;
  pair.accepted.on_message = pair.client.on_message = check_next_size;
  format_fill(body, sizeof(body), 3);
  pair_open(&pair);
  for (i = 0; i < TEST_COUNT(sizes); i++) {
    assert_int_equal(i % 2 ? side_lend(&pair.client, body, sizes[i])
                           : side_send(&pair.client, body, sizes[i]),
                     0);
  }
  run_until(&pair.client.messages, (int) TEST_COUNT(sizes));
  run_until(&pair.client.sent, (int) TEST_COUNT(sizes));
  assert_int_equal(stats_of(&pair.client).bytes_sent,
                   stats_of(&pair.client).bytes_received);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
}

static void test_sizes(void** state) {
  (void) state;
  for_every_format(exchange_sizes);
}

static void check_next_small(side_t* side, const void* data, size_t size) {
  unsigned int i = (unsigned int) side->messages - 1;

  assert_int_equal(size, i % 40);
  format_check(data, size, i);
}

static void exchange_many(format_t format) {
  unsigned int i;

  prepare(format);
  pair.accepted.echoes = 1;
  pair.accepted.on_message = pair.client.on_message = check_next_small;
  pair_open(&pair);
  for (i = 0; i < MANY; i++) {
    format_fill(body, i % 40, i);
    assert_int_equal(side_send(&pair.client, body, i % 40), 0);
  }
  run_until(&pair.client.messages, MANY);
  pair_finish(&pair);
}

static void test_many_at_once(void** state) {
  (void) state;
  for_every_format(exchange_many);
}

/* What goes over the wire is what the table says, not only what is understood
 * at the other end. */
static void compare_bytes(format_t format) {
  static const char* const texts[] = {"one", "", "three", NULL};
  size_t size = format_put_texts(format, wire, texts);
  int i;

  prepare(format);
  pair_raw_server(&pair);
  pair.accepted.keeps_log = 1;
  pair_open(&pair);
  for (i = 0; texts[i] != NULL; i++) side_say(&pair.client, texts[i]);
  while (pair.accepted.log_size < size) test_turn();
  assert_int_equal(pair.accepted.log_size, size);
  assert_memory_equal(pair.accepted.log, wire, size);
  pair_finish(&pair);
}

static void test_bytes(void** state) {
  (void) state;
  for_every_format(compare_bytes);
}

/* ---- Every way to send -------------------------------------------------- */

#define SAID "a message"
#define SAID_SIZE (sizeof(SAID) - 1)

static void check_said(side_t* side, const void* data, size_t size) {
  (void) side;
  assert_int_equal(size, SAID_SIZE);
  assert_memory_equal(data, SAID, SAID_SIZE);
}

static void on_vector_sent(ipc_channel_t* channel,
                           void* arg,
                           int status,
                           size_t sent) {
  (void) channel;
  assert_int_equal(status, 0);
  assert_int_equal(sent, SAID_SIZE);
  ++*(int*) arg;
}

static void send_every_way(format_t format) {
  static char said[] = SAID;
  ipc_poster_t* poster;
  uv_buf_t pieces[5];
  op_t ops[3] = {{0}};
  size_t sent = 0;
  int vectors = 0;

  prepare(format);
  pair.accepted.on_message = check_said;
  pair_open(&pair);
  op_put(&ops[0], &pair.client, said, SAID_SIZE, 0);
  op_put(&ops[1], &pair.client, said, SAID_SIZE, 1);
  op_send(&ops[2], &pair.client, said, SAID_SIZE, 5000);
  pieces[0] = uv_buf_init(NULL, 0);
  pieces[1] = uv_buf_init(said, 1);
  pieces[2] = uv_buf_init(said, 0);
  pieces[3] = uv_buf_init(said + 1, SAID_SIZE - 1);
  pieces[4] = uv_buf_init(NULL, 0);
  assert_int_equal(
      ipc_channel_send_vector(pair.client.channel, pieces, 5,
                              IPC_CHANNEL_INFINITE, on_vector_sent, &vectors),
      0);
  assert_int_equal(
      ipc_channel_try_send(pair.client.channel, said, SAID_SIZE, &sent), 0);
  assert_int_equal(sent, SAID_SIZE);
  assert_int_equal(
      ipc_channel_try_send(pair.client.channel, said, SAID_SIZE, NULL), 0);
  assert_int_equal(
      ipc_channel_try_send_vector(pair.client.channel, pieces, 5, &sent), 0);
  assert_int_equal(sent, SAID_SIZE);
  assert_int_equal(
      ipc_poster_create(pair.client.channel, 4 * KIB, NULL, NULL, &poster), 0);
  assert_int_equal(ipc_poster_send(poster, said, SAID_SIZE), 0);
  run_until(&pair.accepted.messages, 8);
  op_ends(&ops[0], 0);
  op_ends(&ops[1], 0);
  op_ends(&ops[2], 0);
  assert_int_equal(ops[0].sent, SAID_SIZE);
  assert_int_equal(ops[1].sent, SAID_SIZE);
  assert_int_equal(ops[2].sent, SAID_SIZE);
  assert_int_equal(vectors, 1);
  assert_int_equal(stats_of(&pair.client).messages_sent, 8);
  ipc_poster_release(poster);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.unsent, 0);
}

static void test_every_send(void** state) {
  (void) state;
  for_every_format(send_every_way);
}

/* A ring whose end cuts posts in every place. */
static void post_many(format_t format) {
  ipc_poster_t* poster;
  unsigned int i;

  prepare(format);
  pair.accepted.on_message = check_next_small;
  pair_open(&pair);
  assert_int_equal(
      ipc_poster_create(pair.client.channel, KIB, NULL, NULL, &poster), 0);
  for (i = 0; i < MANY; i++) {
    int err;

    format_fill(body, i % 40, i);
    while ((err = ipc_poster_send(poster, body, i % 40)) == UV_EAGAIN) {
      test_turn();
    }
    assert_int_equal(err, 0);
  }
  run_until(&pair.accepted.messages, MANY);
  ipc_poster_release(poster);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
}

static void test_posts(void** state) {
  (void) state;
  for_every_format(post_many);
}

/* Threads that post lines, some of them none. */
typedef struct worker_s {
  uv_thread_t thread;
  ipc_poster_t* poster;
} worker_t;

static void post_lines(void* arg) {
  worker_t* worker = arg;
  int i, err;

  for (i = 0; i < 500; i++) {
    while ((err = ipc_poster_send(worker->poster, SAID, SAID_SIZE)) ==
           UV_EAGAIN) {
      uv_sleep(1);
    }
    if (err != 0) abort();
    if (ipc_poster_send(worker->poster, "a\nb", 3) != UV_EINVAL) abort();
  }
}

static void test_posts_of_threads(void** state) {
  worker_t workers[3];
  ipc_poster_t* poster;
  size_t i;

  (void) state;
  prepare(FORMAT_LINES);
  pair.accepted.on_message = check_said;
  pair_open(&pair);
  assert_int_equal(
      ipc_poster_create(pair.client.channel, KIB, NULL, NULL, &poster), 0);
  for (i = 0; i < TEST_COUNT(workers); i++) {
    workers[i].poster = poster;
    assert_int_equal(
        uv_thread_create(&workers[i].thread, post_lines, &workers[i]), 0);
  }
  run_until(&pair.accepted.messages, 1500);
  for (i = 0; i < TEST_COUNT(workers); i++) {
    assert_int_equal(uv_thread_join(&workers[i].thread), 0);
  }
  ipc_poster_release(poster);
  pair_finish(&pair);
}

/* ---- What can't be sent ------------------------------------------------- */

/* By every function; `post` is what a post says. Nothing is sent, and the
 * channel lives. */
static void refuses(const void* data, size_t size, int err, int post) {
  ipc_channel_t* channel = pair.client.channel;
  ipc_channel_stats_t before = stats_of(&pair.client);
  uv_buf_t pieces[2];
  ipc_poster_t* poster;
  size_t sent = 99;

  pieces[0] = uv_buf_init((char*) data, 1);
  pieces[1] = uv_buf_init((char*) data + 1, (unsigned int) size - 1);
  assert_int_equal(ipc_channel_send(channel, data, size, NULL, NULL), err);
  assert_int_equal(ipc_channel_send_copy(channel, data, size, NULL, NULL), err);
  assert_int_equal(
      ipc_channel_send_timeout(channel, data, size, 1000, NULL, NULL), err);
  assert_int_equal(
      ipc_channel_send_vector(channel, pieces, 2, 1000, NULL, NULL), err);
  assert_int_equal(ipc_channel_try_send(channel, data, size, &sent), err);
  assert_int_equal(sent, 0);
  assert_int_equal(ipc_channel_try_send_vector(channel, pieces, 2, &sent), err);
  assert_int_equal(ipc_poster_create(channel, 2 * MIB, NULL, NULL, &poster), 0);
  assert_int_equal(ipc_poster_send(poster, data, size), post);
  ipc_poster_release(poster);
  assert_int_equal(stats_of(&pair.client).messages_queued,
                   before.messages_queued);
  assert_int_equal(stats_of(&pair.client).bytes_queued, before.bytes_queued);
}

static void refuse_large(format_t format) {
  prepare(format);
  ipc_client_options_set_max_message_bytes(&pair.client_options, 1000);
  pair.accepted.keeps_log = 1;
  pair_open(&pair);
  format_fill(body, sizeof(body), 0);
  refuses(body, 1001, UV_EMSGSIZE, UV_EMSGSIZE);
  refuses(body, MIB, UV_EMSGSIZE, UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.client, body, 1000), 0);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.bytes, 1000);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.unsent, 0);
}

static void test_large_messages_refused(void** state) {
  (void) state;
  for_every_format(refuse_large);
}

static void test_delimiter_refused(void** state) {
  size_t i;

  (void) state;
  prepare(FORMAT_LINES);
  pair_open(&pair);
  for (i = 0; i < 5; i++) {
    char text[] = "12345";

    text[i] = '\n';
    refuses(text, 5, UV_EINVAL, UV_EINVAL);
  }
  side_say(&pair.client, "still there");
  run_until(&pair.accepted.messages, 1);
  pair_finish(&pair);

  prepare(FORMAT_NULS);
  pair_open(&pair);
  refuses("a\0b", 3, UV_EINVAL, UV_EINVAL);
  side_say(&pair.client, "a\nb");
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.bytes, 3);
  pair_finish(&pair);
}

static void use_prefix(const ipc_length_prefix_t* prefix) {
  pair_init(&pair);
  assert_int_equal(
      ipc_server_options_set_length_prefix(&pair.server_options, prefix), 0);
  assert_int_equal(
      ipc_client_options_set_length_prefix(&pair.client_options, prefix), 0);
  pair.accepted.keeps_log = 1;
  pair_open(&pair);
}

/* A length that can't say so much, or so little. */
static void test_lengths_refused(void** state) {
  static const ipc_length_prefix_t byte = {1, 0, 0, 0, 0};
  static const ipc_length_prefix_t more = {2, 1, 0, 0, -10};

  (void) state;
  format_fill(body, sizeof(body), 0);
  use_prefix(&byte);
  refuses(body, 256, UV_EMSGSIZE, UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.client, body, 255), 0);
  run_until(&pair.accepted.messages, 1);
  pair_finish(&pair);

  use_prefix(&more);
  refuses(body, 9, UV_EINVAL, UV_EINVAL);
  refuses(body, 65536 + 10, UV_EMSGSIZE, UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.client, body, 10), 0);
  assert_int_equal(side_send(&pair.client, body, 65535 + 10), 0);
  run_until(&pair.accepted.messages, 2);
  assert_int_equal(pair.accepted.bytes, 65535 + 20);
  pair_finish(&pair);
}

/* Where there are other fields the header is a part of the message: what was
 * written there arrives, but for the length. */
static void test_other_fields(void** state) {
  static const ipc_length_prefix_t prefix = {4, 1, 2, 3, 9};
  static const size_t with_fields[] = {9, 10, 100, 8 * KIB + 1, 100 * KIB};
  size_t at = 0;
  size_t i;

  (void) state;
  use_prefix(&prefix);
  format_fill(body, sizeof(body), 7);
  refuses(body, 8, UV_EINVAL, UV_EINVAL);
  for (i = 0; i < TEST_COUNT(with_fields); i++) {
    assert_int_equal(i % 2 ? side_send(&pair.client, body, with_fields[i])
                           : side_lend(&pair.client, body, with_fields[i]),
                     0);
  }
  run_until(&pair.accepted.messages, (int) TEST_COUNT(with_fields));
  format_check(body, sizeof(body), 7); /* which was only borrowed */
  for (i = 0; i < TEST_COUNT(with_fields); i++) {
    const uint8_t* got = pair.accepted.log + at;
    size_t size = with_fields[i];

    assert_memory_equal(got, body, 2);
    assert_int_equal(got[2], size >> 24);
    assert_int_equal(got[3], size >> 16);
    assert_int_equal(got[4], size >> 8 & 255);
    assert_int_equal(got[5], size & 255);
    assert_memory_equal(got + 6, body + 6, size - 6);
    at += size;
  }
  assert_int_equal(pair.accepted.log_size, at);
  pair_finish(&pair);
}

static void test_codec_refuses(void** state) {
  static const int answers[] = {UV_EACCES, UV_EINVAL, 1, 99};
  uint64_t unsent = 0;
  size_t i;

  (void) state;
  prepare(FORMAT_NETSTRINGS);
  pair_open(&pair);
  for (i = 0; i < TEST_COUNT(answers); i++) {
    int err = answers[i] < 0 ? answers[i] : UV_EINVAL;

    format_codec_refuses = answers[i];
    refuses("abc", 3, err, 0); /* a post is asked for later */
    unsent++;
    test_run_for(1);
  }
  format_codec_refuses = 0;
  side_say(&pair.client, "abc");
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.messages, 1);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.unsent, unsent);
}

/* ---- Every way to receive ----------------------------------------------- */

static void wait_readable(side_t* side) {
  op_t op = {0};

  op_ready(&op, side, IPC_CHANNEL_READABLE, IPC_CHANNEL_INFINITE);
  op_ends(&op, 0);
  assert_int_equal(op.events, IPC_CHANNEL_READABLE);
}

static void try_gets(side_t* side, const char* text) {
  const void* data;
  size_t size;

  assert_int_equal(ipc_channel_try_recv(side->channel, &data, &size), 0);
  assert_int_equal(size, strlen(text));
  assert_memory_equal(data, text, size);
}

static int try_nothing(side_t* side) {
  const void* data;
  size_t size;

  return ipc_channel_try_recv(side->channel, &data, &size);
}

static void receive_every_way(format_t format) {
  static const char* const texts[] = {"one", "", "three", "four", "five", NULL};
  char room[5];
  uv_buf_t pieces[3];
  size_t size;
  op_t ops[2] = {{0}};

  prepare_pull(format);
  pair_raw_client(&pair);
  pair_open(&pair);
  op_recv(&ops[0], &pair.accepted, IPC_CHANNEL_INFINITE);
  send_texts(format, texts);
  op_gets(&ops[0], "one");
  op_recv(&ops[1], &pair.accepted, 0);
  op_gets(&ops[1], "");
  wait_readable(&pair.accepted);
  /* One that doesn't fit stays, in all its parts. */
  pieces[0] = uv_buf_init(room, 4);
  assert_int_equal(
      ipc_channel_try_recv_vector(pair.accepted.channel, pieces, 1, &size),
      UV_ENOBUFS);
  assert_int_equal(size, 5);
  assert_int_equal(
      ipc_channel_try_recv_vector(pair.accepted.channel, NULL, 0, &size),
      UV_ENOBUFS);
  assert_int_equal(size, 5);
  pieces[0] = uv_buf_init(room, 2);
  pieces[1] = uv_buf_init(NULL, 0);
  pieces[2] = uv_buf_init(room + 2, 3);
  assert_int_equal(
      ipc_channel_try_recv_vector(pair.accepted.channel, pieces, 3, &size), 0);
  assert_int_equal(size, 5);
  assert_memory_equal(room, "three", 5);
  try_gets(&pair.accepted, "four");
  try_gets(&pair.accepted, "five");
  assert_int_equal(try_nothing(&pair.accepted), UV_EAGAIN);
  assert_int_equal(stats_of(&pair.accepted).messages_received, 5);
  side_close(&pair.client);
  wait_readable(&pair.accepted);
  assert_int_equal(try_nothing(&pair.accepted), UV_EOF);
  pair_finish(&pair);
}

static void test_every_receive(void** state) {
  (void) state;
  for_every_format(receive_every_way);
}

/* A large one, which is handed out where it lies, with one behind it or none.
 */
static void receive_large(format_t format) {
  const void* data;
  size_t size;
  int behind;

  for (behind = 0; behind <= 1; behind++) {
    prepare_pull(format);
    ipc_client_options_set_max_queue_bytes(&pair.client_options, 64 * MIB);
    pair_open(&pair);
    format_fill(body, 300 * KIB, 5);
    assert_int_equal(side_send(&pair.client, body, 300 * KIB), 0);
    if (behind) side_say(&pair.client, "next");
    wait_readable(&pair.accepted);
    assert_int_equal(ipc_channel_try_recv(pair.accepted.channel, &data, &size),
                     0);
    assert_int_equal(size, 300 * KIB);
    format_check(data, size, 5);
    side_say(&pair.client, "last");
    if (behind) side_gets(&pair.accepted, "next");
    side_gets(&pair.accepted, "last");
    pair_finish(&pair);
  }
}

static void test_large_receives(void** state) {
  (void) state;
  for_every_format(receive_large);
}

/* The rest is there for a receive inside of the callback, in order. */
static void take_next(side_t* side, const void* data, size_t size) {
  assert_int_equal(size, 3);
  assert_memory_equal(data, "one", 3);
  try_gets(side, "two");
  try_gets(side, "three");
  assert_int_equal(try_nothing(side), UV_EAGAIN);
}

static void receive_inside(format_t format) {
  static const char* const texts[] = {"one", "two", "three", NULL};

  prepare_raw(format);
  pair.accepted.on_message = take_next;
  pair_open(&pair);
  send_texts(format, texts);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(stats_of(&pair.accepted).messages_received, 3);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, 1);
}

static void test_receive_inside(void** state) {
  (void) state;
  for_every_format(receive_inside);
}

/* ---- Pause -------------------------------------------------------------- */

static const char* const batch[] = {"1", "22", "333", "4444", "55555", NULL};

static void check_batch(side_t* side, const void* data, size_t size) {
  const char* text = batch[side->messages - 1];

  assert_int_equal(size, strlen(text));
  assert_memory_equal(data, text, size);
}

static void pause_at_two(side_t* side, const void* data, size_t size) {
  check_batch(side, data, size);
  if (side->messages == 2) {
    assert_int_equal(ipc_channel_pause(side->channel), 0);
  }
}

static void pause_in_batch(format_t format) {
  op_t op = {0};

  prepare_raw(format);
  pair.accepted.on_message = pause_at_two;
  pair_open(&pair);
  send_texts(format, batch);
  run_until(&pair.accepted.messages, 2);
  test_run_for(5);
  assert_int_equal(pair.accepted.messages, 2);
  op_recv(&op, &pair.accepted, IPC_CHANNEL_INFINITE);
  op_gets(&op, "333");
  try_gets(&pair.accepted, "4444");
  test_run_for(5);
  assert_int_equal(pair.accepted.messages, 2);
  pair.accepted.messages = 4; /* which were received otherwise */
  side_close(&pair.client);
  test_run_for(5);
  assert_int_equal(pair.accepted.ends, 0);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, 5);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, 0);
  pair_finish(&pair);
}

static void test_pause(void** state) {
  (void) state;
  for_every_format(pause_in_batch);
}

static void pause_and_resume(side_t* side, const void* data, size_t size) {
  check_batch(side, data, size);
  assert_int_equal(ipc_channel_pause(side->channel), 0);
  assert_int_equal(ipc_channel_resume(side->channel), 0);
}

static void resume_inside(format_t format) {
  prepare_raw(format);
  pair.accepted.on_message = pause_and_resume;
  pair_open(&pair);
  send_texts(format, batch);
  run_until(&pair.accepted.messages, 5);
  pair_finish(&pair);
}

/* One at a time, each in a turn of its own. */
static void resume_side(void* arg) {
  side_t* side = arg;

  assert_int_equal(ipc_channel_resume(side->channel), 0);
}

static void pause_for_a_turn(side_t* side, const void* data, size_t size) {
  check_batch(side, data, size);
  assert_int_equal(ipc_channel_pause(side->channel), 0);
  after(0, resume_side, side);
}

static void resume_later(format_t format) {
  prepare_raw(format);
  pair.accepted.on_message = pause_for_a_turn;
  pair_open(&pair);
  send_texts(format, batch);
  side_close(&pair.client);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.messages, 5);
  assert_int_equal(pair.accepted.end_status, 0);
  pair_finish(&pair);
}

static void test_resume(void** state) {
  (void) state;
  for_every_format(resume_inside);
  for_every_format(resume_later);
}

/* ---- What is in force --------------------------------------------------- */

static void on_no_reply(ipc_channel_t* channel,
                        void* arg,
                        int status,
                        const void* data,
                        size_t size) {
  (void) channel;
  (void) arg;
  (void) status;
  (void) data;
  (void) size;
  fail_msg("%s", "a call was begun");
}

static void check_info(format_t format) {
  ipc_channel_info_t info;
  ipc_server_info_t server;

  prepare(format);
  ipc_server_options_set_max_message_bytes(&pair.server_options, 1234);
  pair_open(&pair);
  assert_int_equal(ipc_channel_info(pair.accepted.channel, &info), 0);
  assert_int_equal(info.framing, format_framing(format));
  assert_int_equal(info.max_message_bytes, 1234);
  assert_int_equal(info.peer_max_message_bytes, 0);
  assert_int_equal(ipc_channel_info(pair.client.channel, &info), 0);
  assert_int_equal(info.framing, format_framing(format));
  assert_int_equal(info.max_message_bytes, 16 * MIB);
  assert_int_equal(ipc_server_info(pair.server, &server), 0);
  assert_int_equal(server.framing, format_framing(format));
  assert_int_equal(
      ipc_channel_call(pair.client.channel, "?", 1, 1000, on_no_reply, NULL),
      UV_EINVAL);
  assert_int_equal(ipc_channel_reply(pair.client.channel, 1, "!", 1),
                   UV_ENOENT);
  assert_int_equal(ipc_channel_end(pair.client.channel),
                   test_is_windows() ? UV_ENOTSUP : 0);
  pair_finish(&pair);
}

static void test_info(void** state) {
  (void) state;
  for_every_format(check_info);
}

/* One way only. */
static void go_one_way(format_t format) {
  prepare(format);
  ipc_server_options_set_access(&pair.server_options,
                                IPC_CHANNEL_ACCESS_INBOUND);
  ipc_client_options_set_access(&pair.client_options,
                                IPC_CHANNEL_ACCESS_OUTBOUND);
  pair_open(&pair);
  side_say(&pair.client, "one");
  side_say(&pair.client, "two");
  run_until(&pair.accepted.messages, 2);
  assert_int_equal(side_send(&pair.accepted, "no", 2), UV_EACCES);
  assert_int_equal(try_nothing(&pair.client), UV_EACCES);
  side_close(&pair.client);
  run_until(&pair.accepted.ends, 1);
  pair_finish(&pair);

  prepare(format);
  ipc_server_options_set_access(&pair.server_options,
                                IPC_CHANNEL_ACCESS_OUTBOUND);
  ipc_client_options_set_access(&pair.client_options,
                                IPC_CHANNEL_ACCESS_INBOUND);
  pair_open(&pair);
  side_say(&pair.accepted, "one");
  run_until(&pair.client.messages, 1);
  assert_int_equal(side_send(&pair.client, "no", 2), UV_EACCES);
  pair_finish(&pair);
}

static void test_one_way(void** state) {
  (void) state;
  for_every_format(go_one_way);
}

/* ---- Options ------------------------------------------------------------ */

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  (void) channel;
  (void) request;
  (void) data;
  (void) size;
}

static void choose_native_only(format_t format) {
  ipc_server_options_t server;
  ipc_channel_options_t channel;

  ipc_server_options_init(&server, test_name());
  format_server(&server, format);
  assert_int_equal(ipc_server_options_set_heartbeat(&server, 1000), UV_EINVAL);
  ipc_server_options_init(&server, test_name());
  format_server(&server, format);
  assert_int_equal(ipc_server_options_set_handshake_timeout(&server, 1000),
                   UV_EINVAL);
  ipc_server_options_init(&server, test_name());
  format_server(&server, format);
  assert_int_equal(ipc_server_options_on_request(&server, on_request),
                   UV_EINVAL);
  ipc_channel_options_init(&channel);
  format_channel(&channel, format);
  assert_int_equal(ipc_channel_options_set_connect_timeout(&channel, 1000),
                   UV_EINVAL);
  ipc_channel_options_init(&channel);
  format_channel(&channel, format);
  assert_int_equal(ipc_channel_options_set_max_message_bytes(&channel, 10), 0);
  assert_int_equal(ipc_channel_options_on_request(&channel, NULL), 0);
  assert_string_equal(ipc_channel_options_error(&channel), "");
}

static int choose(ipc_server_options_t* options, ipc_framing_t framing) {
  static const ipc_length_prefix_t prefix = {2, 1, 0, 0, 0};

  if (framing == IPC_CHANNEL_FRAMING_DELIMITER) {
    return ipc_server_options_set_delimiter(options, ';');
  }
  if (framing == IPC_CHANNEL_FRAMING_LENGTH_PREFIX) {
    return ipc_server_options_set_length_prefix(options, &prefix);
  }
  return ipc_server_options_set_framing(options, framing);
}

static void test_options_before_framing(void** state) {
  static const ipc_framing_t framings[] = {IPC_CHANNEL_FRAMING_DELIMITER,
                                           IPC_CHANNEL_FRAMING_LENGTH_PREFIX,
                                           IPC_CHANNEL_FRAMING_CONTENT_LENGTH};
  ipc_server_options_t options;
  size_t i;

  (void) state;
  for_every_format(choose_native_only);
  for (i = 0; i < TEST_COUNT(framings); i++) {
    ipc_server_options_init(&options, test_name());
    assert_int_equal(ipc_server_options_set_heartbeat(&options, 1000), 0);
    assert_int_equal(choose(&options, framings[i]), UV_EINVAL);
    assert_true(ipc_server_options_error(&options)[0] != '\0');
    ipc_server_options_init(&options, test_name());
    assert_int_equal(ipc_server_options_set_handshake_timeout(&options, 1000),
                     0);
    assert_int_equal(choose(&options, framings[i]), UV_EINVAL);
    ipc_server_options_init(&options, test_name());
    assert_int_equal(ipc_server_options_on_request(&options, on_request), 0);
    assert_int_equal(choose(&options, framings[i]), UV_EINVAL);
    ipc_server_options_init(&options, test_name());
    assert_int_equal(ipc_server_options_set_max_message_bytes(&options, 10), 0);
    assert_int_equal(ipc_server_options_on_request(&options, NULL), 0);
    assert_int_equal(choose(&options, framings[i]), 0);
    /* The last choice counts, and raw bytes have no messages. */
    assert_int_equal(choose(&options, IPC_CHANNEL_FRAMING_NATIVE), 0);
    assert_int_equal(choose(&options, IPC_CHANNEL_FRAMING_RAW), UV_EINVAL);
  }
}

static int set_prefix(unsigned int bytes,
                      unsigned int before,
                      unsigned int after,
                      int adjustment) {
  ipc_client_options_t options;
  ipc_length_prefix_t prefix;

  prefix.bytes = bytes;
  prefix.is_big_endian = 0;
  prefix.before = before;
  prefix.after = after;
  prefix.adjustment = adjustment;
  ipc_client_options_init(&options, test_name());
  return ipc_client_options_set_length_prefix(&options, &prefix);
}

static void test_bad_formats(void** state) {
  ipc_codec_t codec = {0};
  ipc_client_options_t options;
  unsigned int bytes;

  (void) state;
  for (bytes = 0; bytes < 20; bytes++) {
    int is_width = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;

    assert_int_equal(set_prefix(bytes, 0, 0, 0), is_width ? 0 : UV_EINVAL);
  }
  assert_int_equal(set_prefix(8, 64, 64, 136), 0);
  assert_int_equal(set_prefix(8, 64, 64, -136), 0);
  assert_int_equal(set_prefix(8, 65, 0, 0), UV_EINVAL);
  assert_int_equal(set_prefix(8, 0, 65, 0), UV_EINVAL);
  assert_int_equal(set_prefix(8, UINT32_MAX, 0, 0), UV_EINVAL);
  assert_int_equal(set_prefix(8, 0, 0, 137), UV_EINVAL);
  assert_int_equal(set_prefix(8, 0, 0, -137), UV_EINVAL);
  assert_int_equal(set_prefix(8, 0, 0, INT32_MIN), UV_EINVAL);

  ipc_client_options_init(&options, test_name());
  assert_int_equal(ipc_client_options_set_length_prefix(&options, NULL),
                   UV_EINVAL);
  ipc_client_options_init(&options, test_name());
  assert_int_equal(ipc_client_options_set_delimiter(&options, -1), UV_EINVAL);
  ipc_client_options_init(&options, test_name());
  assert_int_equal(ipc_client_options_set_delimiter(&options, 256), UV_EINVAL);
  ipc_client_options_init(&options, test_name());
  assert_int_equal(ipc_client_options_set_delimiter(&options, 255), 0);
  ipc_client_options_init(&options, test_name());
  assert_int_equal(ipc_client_options_set_codec(&options, NULL), UV_EINVAL);
  ipc_client_options_init(&options, test_name());
  assert_int_equal(ipc_client_options_set_codec(&options, &codec), UV_EINVAL);
  /* A codec alone can set it. */
  ipc_client_options_init(&options, test_name());
  assert_int_equal(
      ipc_client_options_set_framing(&options, IPC_CHANNEL_FRAMING_CODEC),
      UV_EINVAL);
  ipc_client_options_init(&options, test_name());
  assert_int_equal(
      ipc_client_options_set_framing(
          &options, (ipc_framing_t) (IPC_CHANNEL_FRAMING_PACKET + 1)),
      UV_EINVAL);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_sizes),
      TEST(test_many_at_once),
      TEST(test_bytes),
      TEST(test_every_send),
      TEST(test_posts),
      TEST(test_posts_of_threads),
      TEST(test_large_messages_refused),
      TEST(test_delimiter_refused),
      TEST(test_lengths_refused),
      TEST(test_other_fields),
      TEST(test_codec_refuses),
      TEST(test_every_receive),
      TEST(test_large_receives),
      TEST(test_receive_inside),
      TEST(test_pause),
      TEST(test_resume),
      TEST(test_info),
      TEST(test_one_way),
      TEST(test_options_before_framing),
      TEST(test_bad_formats),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
