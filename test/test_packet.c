/* The packet framing: messages that the system keeps apart, between this
 * library's own ends; other programs' are in test_win32_messages.c and in
 * interop/test_packets.py. Where the system has none, that it says so. Who
 * finds whom is in test_packet_peers.c, pulling in test_packet_pull.c. */
#include "harness.h"

#include "pair.h"

#define KIB ((size_t) 1 << 10)

#define STORM_MESSAGES 10000

static pair_t pair;
static uint8_t data[2 << 20];

/* 0: this system has no packets, and says so everywhere. */
static int prepare(void) {
  ipc_server_options_t* s = &pair.server_options;
  ipc_client_options_t* c = &pair.client_options;
  ipc_channel_options_t o;
  uv_os_fd_t ends[2];
  int err;

  pair_init(&pair);
  err = ipc_server_options_set_framing(s, IPC_CHANNEL_FRAMING_PACKET);
  assert_int_equal(
      ipc_client_options_set_framing(c, IPC_CHANNEL_FRAMING_PACKET), err);
  if (err == 0) return 1;
  assert_int_equal(err, UV_ENOTSUP);
  assert_non_null(strstr(ipc_server_options_error(s), "packets"));
  ipc_channel_options_init(&o);
  assert_int_equal(
      ipc_channel_options_set_framing(&o, IPC_CHANNEL_FRAMING_PACKET),
      UV_ENOTSUP);
  assert_int_equal(ipc_server_listen(test_loop(), s, &pair, &pair.server),
                   UV_ENOTSUP);
  assert_int_equal(ipc_pair_create(IPC_PAIR_PACKET, 0, ends), UV_ENOTSUP);
  assert_false(test_is_windows());
  return 0;
}

static ipc_channel_info_t info_of(const side_t* side) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(side->channel, &info), 0);
  return info;
}

static size_t limit_of(const side_t* side) {
  return info_of(side).peer_max_message_bytes;
}

static ipc_transport_t packet_transport(void) {
  return test_is_windows() ? IPC_CHANNEL_TRANSPORT_MESSAGE_PIPE
                           : IPC_CHANNEL_TRANSPORT_SEQPACKET;
}

/* The n-th message of those that are told apart by their size. */
static size_t size_of(int n) {
  static const size_t sizes[] = {1, 2, 4095, 4096, 65535, 65536, 65537, 1};

  if (n < (int) TEST_COUNT(sizes)) return sizes[n];
  if (n % 500 == 499) return 90 * KIB;
  return (size_t) n * 7919 % 3000 + 1;
}

static void check_message(side_t* side, const void* bytes, size_t size) {
  int n = side->messages - 1;

  assert_int_equal(size, size_of(n));
  pattern_check(bytes, size, (unsigned int) n);
}

static int send_next(side_t* side) {
  int n = (int) side->asked;

  pattern_fill(data, size_of(n), (unsigned int) n);
  return side_send(side, data, size_of(n));
}

/* ---- A conversation ----------------------------------------------------- */

static void check_info(const side_t* side) {
  ipc_channel_info_t info = info_of(side);

  assert_int_equal(info.transport, packet_transport());
  assert_int_equal(info.framing, IPC_CHANNEL_FRAMING_PACKET);
  assert_int_equal(info.is_connected, 1);
  if (test_is_windows()) {
    assert_true(info.peer_max_message_bytes >= INT32_MAX);
  } else {
    assert_true(info.peer_max_message_bytes > 0);
    assert_true(info.peer_max_message_bytes < info.out_buffer_bytes);
  }
}

static void test_conversation(void** state) {
  ipc_server_info_t info;

  (void) state;
  if (!prepare()) return;
  pair.client.keeps_log = pair.accepted.keeps_log = 1;
  pair_open(&pair);
  check_info(&pair.client);
  check_info(&pair.accepted);
  assert_int_equal(ipc_server_info(pair.server, &info), 0);
  assert_int_equal(info.transport, packet_transport());
  assert_int_equal(info.framing, IPC_CHANNEL_FRAMING_PACKET);
  assert_int_equal(side_send(&pair.client, "to", 2), 0);
  assert_int_equal(side_send(&pair.client, "and", 3), 0);
  assert_int_equal(side_send(&pair.accepted, "fro", 3), 0);
  run_until(&pair.accepted.messages, 2);
  run_until(&pair.client.messages, 1);
  assert_memory_equal(pair.accepted.log, "toand", 5);
  assert_memory_equal(pair.client.log, "fro", 3);
  pair_finish(&pair);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.accepted.end_status, 0);
}

static void test_sizes(void** state) {
  int n;

  (void) state;
  if (!prepare()) return;
  pair.accepted.on_message = pair.client.on_message = check_message;
  pair.accepted.echoes = 1;
  pair_open(&pair);
  for (n = 0; n < 20; n++) {
    assert_int_equal(send_next(&pair.client), 0);
    run_until(&pair.client.messages, n + 1);
  }
  pair_finish(&pair);
}

/* The largest, and one byte more. */
static void test_limit(void** state) {
  size_t limit;

  (void) state;
  if (!prepare()) return;
  pair_open(&pair);
  limit = limit_of(&pair.client);
  if (limit > sizeof(data)) {
    assert_true(test_is_windows());
    limit = sizeof(data);
  } else {
    assert_int_equal(side_send(&pair.client, data, limit + 1), UV_EMSGSIZE);
  }
  assert_int_equal(side_send(&pair.client, data, limit), 0);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.bytes, limit);
  run_until(&pair.client.sent, 1);
  assert_int_equal(side_send(&pair.client, "after", 5), 0);
  run_until(&pair.accepted.messages, 2);
  pair_finish(&pair);
}

/* The same before there is a connection, and so a limit. */
static void test_limit_ahead(void** state) {
  (void) state;
  if (!prepare()) return;
  if (test_is_windows()) return; /* has no limit that could be passed */
  ipc_client_options_set_buffer_sizes(&pair.client_options, 0, 8 * KIB);
  pair_listen(&pair);
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, data, 100 * KIB), 0);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.connect_status, UV_EMSGSIZE);
  assert_int_equal(pair.client.failed, 1);
  pair_finish(&pair);
  assert_int_equal(pair.accepted.messages, 0);
}

/* An empty one can't be told from the end, or can't be seen. */
static void test_empty(void** state) {
  uv_buf_t pieces[2];
  ipc_poster_t* poster;
  size_t sent;

  (void) state;
  if (!prepare()) return;
  pair_open(&pair);
  pieces[0] = uv_buf_init((char*) data, 0);
  pieces[1] = pieces[0];
  assert_int_equal(side_send(&pair.client, "", 0), UV_EINVAL);
  assert_int_equal(side_lend(&pair.client, "", 0), UV_EINVAL);
  assert_int_equal(ipc_channel_try_send(pair.client.channel, "", 0, &sent),
                   UV_EINVAL);
  assert_int_equal(
      ipc_channel_send_vector(pair.client.channel, pieces, 2, -1, NULL, NULL),
      UV_EINVAL);
  assert_int_equal(
      ipc_poster_create(pair.client.channel, 4 * KIB, NULL, NULL, &poster), 0);
  assert_int_equal(ipc_poster_send(poster, "", 0), UV_EINVAL);
  ipc_poster_release(poster);
  assert_int_equal(side_send(&pair.client, "x", 1), 0);
  run_until(&pair.accepted.messages, 1);
  assert_int_equal(pair.accepted.bytes, 1);
  pair_finish(&pair);
}

/* In as many pieces as one likes. */
static void test_vector(void** state) {
  uv_buf_t pieces[200];
  size_t i;

  (void) state;
  if (!prepare()) return;
  pair_open(&pair);
  pattern_fill(data, 20000, 0);
  for (i = 0; i < 200; i++) {
    pieces[i] = uv_buf_init((char*) data + 100 * i, i % 7 == 0 ? 0 : 100);
  }
  assert_int_equal(
      ipc_channel_send_vector(pair.client.channel, pieces, 200, -1, NULL, NULL),
      0);
  assert_int_equal(
      ipc_channel_send_vector(pair.client.channel, pieces, 2, -1, NULL, NULL),
      0);
  run_until(&pair.accepted.messages, 2);
  assert_int_equal(pair.accepted.bytes, 17100 + 100);
  pair_finish(&pair);
}

/* ---- Many --------------------------------------------------------------- */

static void send_more(side_t* side) {
  int err = 0;

  while (side->asked < STORM_MESSAGES && err == 0) err = send_next(side);
  assert_true(err == 0 || err == UV_EAGAIN);
}

static void resume(void* arg) {
  side_t* side = arg;

  if (side->channel != NULL) ipc_channel_resume(side->channel);
}

static void check_and_pause(side_t* side, const void* bytes, size_t size) {
  check_message(side, bytes, size);
  if (side->messages % 611 != 0) return;
  assert_int_equal(ipc_channel_pause(side->channel), 0);
  after(1, resume, side);
}

/* Both ways at once, each with pauses. */
static void test_storm(void** state) {
  (void) state;
  if (!prepare()) return;
  pair.client.on_message = pair.accepted.on_message = check_and_pause;
  pair.client.on_drain = pair.accepted.on_drain = send_more;
  pair_open(&pair);
  send_more(&pair.client);
  send_more(&pair.accepted);
  run_until(&pair.client.messages, STORM_MESSAGES);
  run_until(&pair.accepted.messages, STORM_MESSAGES);
  pair_finish(&pair);
}

/* Queued up before anybody reads. */
static void test_queued(void** state) {
  int n;

  (void) state;
  if (!prepare()) return;
  pair.accepted.on_message = check_message;
  ipc_client_options_set_max_queue_bytes(&pair.client_options, sizeof(data));
  pair_open(&pair);
  assert_int_equal(ipc_channel_pause(pair.accepted.channel), 0);
  for (n = 0; n < 300; n++) assert_int_equal(send_next(&pair.client), 0);
  test_run_for(50);
  assert_int_equal(pair.accepted.messages, 0);
  assert_int_equal(ipc_channel_resume(pair.accepted.channel), 0);
  run_until(&pair.accepted.messages, 300);
  pair_finish(&pair);
}

static void test_close_delivers(void** state) {
  int n;

  (void) state;
  if (!prepare()) return;
  pair.accepted.on_message = check_message;
  ipc_client_options_set_max_queue_bytes(&pair.client_options, sizeof(data));
  pair_open(&pair);
  for (n = 0; n < 300; n++) assert_int_equal(send_next(&pair.client), 0);
  side_close(&pair.client);
  run_until(&pair.client.closes, 1);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.client.result.status, 0);
  assert_int_equal(pair.client.result.unsent, 0);
  assert_int_equal(pair.accepted.messages, 300);
  assert_int_equal(pair.accepted.end_status, 0);
  pair_finish(&pair);
}

/* Ends one direction, where the system can. */
static void test_end(void** state) {
  (void) state;
  if (!prepare()) return;
  pair.accepted.stays = 1;
  pair_open(&pair);
  assert_int_equal(side_send(&pair.client, "last", 4), 0);
  if (test_is_windows()) {
    assert_int_equal(ipc_channel_end(pair.client.channel), UV_ENOTSUP);
  } else {
    assert_int_equal(ipc_channel_end(pair.client.channel), 0);
    run_until(&pair.accepted.ends, 1);
    assert_int_equal(pair.accepted.messages, 1);
    assert_int_equal(side_send(&pair.accepted, "late", 4), 0);
    run_until(&pair.client.messages, 1);
  }
  pair_finish(&pair);
}

/* ---- Limits of the receiver --------------------------------------------- */

static void test_too_large(void** state) {
  (void) state;
  if (!prepare()) return;
  assert_int_equal(
      ipc_server_options_set_max_message_bytes(&pair.server_options, 100), 0);
  pair_open(&pair);
  assert_int_equal(side_send(&pair.accepted, data, 101), UV_EMSGSIZE);
  assert_int_equal(side_send(&pair.client, data, 100), 0);
  assert_int_equal(side_send(&pair.client, data, 101), 0);
  assert_int_equal(side_send(&pair.client, data, 1), 0);
  run_until(&pair.accepted.ends, 1);
  assert_int_equal(pair.accepted.end_status, UV_EMSGSIZE);
  assert_int_equal(pair.accepted.messages, 1);
  pair_finish(&pair);
}

/* ---- Posters ------------------------------------------------------------ */

#define POSTS 2000

static void post(void* arg) {
  ipc_poster_t* poster = arg;
  uint8_t message[100];
  int err;
  int n;

  for (n = 0; n < POSTS; n++) {
    pattern_fill(message, sizeof(message), (unsigned int) n);
    do {
      err = ipc_poster_send(poster, message, (size_t) n % 100 + 1);
      if (err == UV_EAGAIN) uv_sleep(1);
    } while (err == UV_EAGAIN);
    if (err != 0) break;
  }
  ipc_poster_release(poster);
}

static void check_post(side_t* side, const void* bytes, size_t size) {
  int n = side->messages - 1;

  assert_int_equal(size, n % 100 + 1);
  pattern_check(bytes, size, (unsigned int) n);
}

static void test_poster(void** state) {
  ipc_poster_t* poster;
  uv_thread_t thread;

  (void) state;
  if (!prepare()) return;
  pair.accepted.on_message = check_post;
  pair_open(&pair);
  assert_int_equal(
      ipc_poster_create(pair.client.channel, 16 * KIB, NULL, NULL, &poster), 0);
  assert_int_equal(uv_thread_create(&thread, post, poster), 0);
  run_until(&pair.accepted.messages, POSTS);
  uv_thread_join(&thread);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_conversation), TEST(test_sizes),     TEST(test_limit),
      TEST(test_limit_ahead),  TEST(test_empty),     TEST(test_vector),
      TEST(test_storm),        TEST(test_queued),    TEST(test_close_delivers),
      TEST(test_end),          TEST(test_too_large), TEST(test_poster),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
