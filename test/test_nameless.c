/* Channels without a name: pairs, handles that were made elsewhere, and handles
 * that are given back. */
#include "harness.h"

#include "pair.h"

#define KIB ((size_t) 1 << 10)
#define LARGE ((size_t) 4 << 20)

static ipc_channel_options_t options[2];
static side_t sides[2];
static uv_os_fd_t ends[2];

static void prepare(void) {
  int i;

  memset(sides, 0, sizeof(sides));
  for (i = 0; i < 2; i++) side_options(&options[i]);
}

static void prepare_raw(void) {
  int i;

  prepare();
  for (i = 0; i < 2; i++) {
    assert_int_equal(
        ipc_channel_options_set_framing(&options[i], IPC_CHANNEL_FRAMING_RAW),
        0);
  }
}

/* One way, from sides[1] to sides[0]. */
static void prepare_one_way(void) {
  prepare_raw();
  ipc_channel_options_set_access(&options[0], IPC_CHANNEL_ACCESS_INBOUND);
  ipc_channel_options_set_access(&options[1], IPC_CHANNEL_ACCESS_OUTBOUND);
}

static int try_open(int i, uv_os_fd_t handle) {
  return ipc_channel_open(test_loop(), &options[i], handle, &sides[i],
                          &sides[i].channel);
}

static void open_ends(unsigned int flags) {
  int i;

  assert_int_equal(ipc_pair_create(flags, 0, ends), 0);
  for (i = 0; i < 2; i++) assert_int_equal(try_open(i, ends[i]), 0);
}

static void open_pair(void) {
  const ipc_channel_options_t* const both[2] = {&options[0], &options[1]};
  void* const data[2] = {&sides[0], &sides[1]};
  ipc_channel_t* channels[2];
  int i;

  assert_int_equal(ipc_channel_pair(test_loop(), both, data, channels), 0);
  for (i = 0; i < 2; i++) {
    sides[i].channel = channels[i];
    assert_ptr_equal(ipc_channel_data(channels[i]), &sides[i]);
  }
}

static void finish(void) {
  int i;

  for (i = 0; i < 2; i++) {
    side_close(&sides[i]);
    test_run();
    assert_null(sides[i].channel);
    assert_true(sides[i].closes <= 1);
    side_free(&sides[i]);
  }
}

static void assert_all_taken(const side_t* side) {
  assert_int_equal(side->result.status, 0);
  assert_int_equal(side->result.unsent + side->result.unconfirmed, 0);
}

static ipc_channel_info_t info_of(const side_t* side) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(side->channel, &info), 0);
  return info;
}

/* ---- Pairs -------------------------------------------------------------- */

static void talk_both_ways(void) {
  assert_int_equal(side_send(&sides[0], "ping", 4), 0);
  assert_int_equal(side_send(&sides[1], "to and fro", 10), 0);
  while (sides[1].bytes < 4 || sides[0].bytes < 10) test_turn();
}

static void test_pair(void** state) {
  int i;

  (void) state;
  prepare();
  open_pair();
  talk_both_ways();
  for (i = 0; i < 2; i++) {
    assert_int_equal(sides[i].opens, 1);
    assert_int_equal(sides[i].messages, 1);
    assert_int_equal(info_of(&sides[i]).is_server, 0);
    assert_int_equal(info_of(&sides[i]).is_connected, 1);
    assert_int_equal(info_of(&sides[i]).transport,
                     test_is_windows() ? IPC_CHANNEL_TRANSPORT_NAMED_PIPE
                                       : IPC_CHANNEL_TRANSPORT_UNIX_SOCKET);
    assert_string_equal(info_of(&sides[i]).os_name, "");
    assert_null(ipc_channel_server(sides[i].channel));
  }
  finish();
  for (i = 0; i < 2; i++) assert_all_taken(&sides[i]);
}

static void test_pair_raw(void** state) {
  (void) state;
  prepare_raw();
  open_pair();
  talk_both_ways();
  finish();
}

/* What was sent before a turn of the loop, and large, and then closed. */
static void test_pair_close_delivers(void** state) {
  uint8_t* large = calloc(1, LARGE);

  (void) state;
  prepare();
  assert_non_null(large);
  ipc_channel_options_set_max_queue_bytes(&options[0], 4 * LARGE);
  open_pair();
  pattern_fill(large, LARGE, 1);
  assert_int_equal(side_lend(&sides[0], large, LARGE), 0);
  assert_int_equal(side_send(&sides[0], "last", 4), 0);
  side_close(&sides[0]);
  run_until(&sides[0].closes, 1);
  assert_int_equal(sides[1].messages, 2);
  assert_int_equal(sides[1].bytes, LARGE + 4);
  assert_all_taken(&sides[0]);
  finish();
  free(large);
}

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  (void) channel;
  (void) data;
  assert_int_equal(status, 0);
  assert_int_equal(size, 3);
  ++*(int*) arg;
}

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  (void) data;
  (void) size;
  assert_int_equal(ipc_channel_reply(channel, request, "yes", 3), 0);
}

/* Both may call. */
static void test_pair_calls(void** state) {
  int replies[2] = {0};
  int i;

  (void) state;
  prepare();
  for (i = 0; i < 2; i++)
    ipc_channel_options_on_request(&options[i], on_request);
  open_pair();
  for (i = 0; i < 2; i++) {
    assert_int_equal(
        ipc_channel_call(sides[i].channel, "?", 1, -1, on_reply, &replies[i]),
        0);
  }
  while (replies[0] == 0 || replies[1] == 0) test_turn();
  finish();
}

/* The system's buffers stay as they were made, however large a message is. */
static void run_large(size_t hint) {
  uint8_t* large = calloc(1, LARGE);
  size_t before;

  prepare();
  assert_non_null(large);
  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, hint, ends), 0);
  assert_int_equal(try_open(0, ends[0]), 0);
  assert_int_equal(try_open(1, ends[1]), 0);
  run_until(&sides[0].opens, 1);
  run_until(&sides[1].opens, 1);
  before = info_of(&sides[0]).out_buffer_bytes;
  assert_int_equal(ipc_channel_pause(sides[1].channel), 0);
  assert_int_equal(side_lend(&sides[0], large, LARGE), 0);
  assert_int_equal(ipc_channel_flush(sides[0].channel), 0);
  assert_int_equal(info_of(&sides[0]).out_buffer_bytes, before);
  assert_int_equal(ipc_channel_resume(sides[1].channel), 0);
  run_until(&sides[1].messages, 1);
  assert_int_equal(info_of(&sides[0]).out_buffer_bytes, before);
  finish();
  free(large);
}

static void test_buffer_stays(void** state) {
  (void) state;
  run_large(0);
  run_large(8 * KIB);
}

static void test_one_way(void** state) {
  int i;

  (void) state;
  prepare_one_way();
  open_ends(IPC_PAIR_ONE_WAY);
  assert_int_equal(side_send(&sides[0], "x", 1), UV_EACCES);
  assert_int_equal(side_send(&sides[1], "down", 4), 0);
  while (sides[0].bytes < 4) test_turn();
  for (i = 0; i < 2; i++) {
    assert_int_equal(info_of(&sides[i]).transport,
                     test_is_windows() ? IPC_CHANNEL_TRANSPORT_NAMED_PIPE
                                       : IPC_CHANNEL_TRANSPORT_PIPE);
  }
  assert_int_equal(ipc_channel_end(sides[1].channel), UV_ENOTSUP);
  side_close(&sides[1]);
  run_until(&sides[0].ends, 1);
  assert_int_equal(sides[0].end_status, 0);
  finish();
  assert_all_taken(&sides[1]);
}

/* The reader has gone; nothing is raised but an error. */
static void test_one_way_reader_gone(void** state) {
  (void) state;
  prepare_one_way();
  open_ends(IPC_PAIR_ONE_WAY);
  sides[1].stays = 1;
  assert_int_equal(side_send(&sides[1], "x", 1), 0);
  run_until(&sides[1].sent, 1);
  side_close(&sides[0]);
  run_until(&sides[0].closes, 1);
  while (sides[1].failed == 0 && side_send(&sides[1], "y", 1) == 0) test_turn();
  if (sides[1].failed > 0) assert_int_equal(sides[1].failure, UV_EPIPE);
  finish();
}

/* ---- Between loops ------------------------------------------------------ */

typedef struct other_s {
  uv_os_fd_t handle;
  int wrong;
} other_t;

/* The other end in a thread that blocks. */
static void echo_blocking(void* arg) {
  ipc_channel_options_t blocking;
  other_t* other = arg;
  ipc_channel_t* channel;
  const void* data;
  size_t size;
  int err;

  ipc_channel_options_init(&blocking);
  err = ipc_channel_open(NULL, &blocking, other->handle, NULL, &channel);
  while (err == 0) {
    err = ipc_channel_recv_wait(channel, 30000, &data, &size);
    if (err == 0) err = ipc_channel_send_wait(channel, data, size, 30000, NULL);
  }
  if (err != UV_EOF) other->wrong = err;
  err = ipc_channel_close_wait(channel, NULL);
  if (other->wrong == 0) other->wrong = err;
}

static void test_between_threads(void** state) {
  uv_thread_t thread;
  other_t other = {0};
  int i;

  (void) state;
  prepare();
  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends), 0);
  other.handle = ends[1];
  assert_int_equal(uv_thread_create(&thread, echo_blocking, &other), 0);
  assert_int_equal(try_open(0, ends[0]), 0);
  for (i = 0; i < 100; i++) assert_int_equal(side_send(&sides[0], "abc", 3), 0);
  run_until(&sides[0].messages, 100);
  side_close(&sides[0]);
  run_until(&sides[0].closes, 1);
  assert_int_equal(uv_thread_join(&thread), 0);
  assert_int_equal(other.wrong, 0);
  assert_all_taken(&sides[0]);
  finish();
}

/* Both ends in one thread, without a loop of ours. */
static void test_pair_without_a_loop(void** state) {
  const ipc_channel_options_t* const both[2] = {&options[0], &options[1]};
  ipc_channel_t* channels[2];
  const void* message;
  size_t size;
  int i;

  (void) state;
  for (i = 0; i < 2; i++) ipc_channel_options_init(&options[i]);
  assert_int_equal(ipc_channel_pair(NULL, both, NULL, channels), 0);
  for (i = 0; i < 2; i++) assert_null(ipc_channel_data(channels[i]));
  assert_int_equal(ipc_channel_send_wait(channels[0], "hello", 5, 5000, NULL),
                   0);
  assert_int_equal(ipc_channel_recv_wait(channels[1], 5000, &message, &size),
                   0);
  assert_int_equal(size, 5);
  assert_memory_equal(message, "hello", 5);
  for (i = 0; i < 2; i++) ipc_channel_disconnect(channels[i]);
  for (i = 0; i < 2; i++) ipc_channel_close_wait(channels[i], NULL);
}

/* ---- The other end is something else ------------------------------------ */

/* It never says hello. */
static void test_silent_peer(void** state) {
  (void) state;
  prepare();
  ipc_channel_options_set_connect_timeout(&options[0], 50);
  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends), 0);
  assert_int_equal(try_open(0, ends[0]), 0);
  run_until(&sides[0].connects, 1);
  assert_int_equal(sides[0].connect_status, UV_ETIMEDOUT);
  run_until(&sides[0].closes, 1);
  prepare_raw();
  assert_int_equal(try_open(1, ends[1]), 0);
  run_until(&sides[1].ends, 1);
  finish();
}

/* It says something else; or leaves. */
static void test_rude_peer(void** state) {
  (void) state;
  prepare();
  ipc_channel_options_set_framing(&options[1], IPC_CHANNEL_FRAMING_RAW);
  open_ends(IPC_PAIR_DUPLEX);
  assert_int_equal(side_send(&sides[1], "GET / HTTP/1.1", 14), 0);
  run_until(&sides[0].connects, 1);
  assert_int_equal(sides[0].connect_status, UV_EPROTO);
  finish();

  prepare();
  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends), 0);
  assert_int_equal(try_open(0, ends[0]), 0);
  assert_int_equal(try_open(1, ends[1]), 0);
  assert_int_equal(ipc_channel_disconnect(sides[1].channel), 0);
  run_until(&sides[0].connects, 1);
  assert_true(sides[0].connect_status < 0);
  finish();
}

/* A client of this library, on a connection that a supervisor has accepted: its
 * hello is that of a client. And a server's. */
static void run_hello(uint8_t verdict, int status) {
  uint8_t bytes[16];
  size_t size = test_put_hello(bytes, verdict, 1000);

  prepare();
  ipc_channel_options_set_framing(&options[1], IPC_CHANNEL_FRAMING_RAW);
  sides[1].stays = 1;
  open_ends(IPC_PAIR_DUPLEX);
  assert_int_equal(side_send(&sides[1], bytes, size), 0);
  run_until(&sides[0].connects, 1);
  assert_int_equal(sides[0].connect_status, status);
  while (sides[1].bytes < 16 && sides[1].ends == 0) test_turn();
  if (status == 0)
    assert_int_equal(info_of(&sides[0]).peer_max_message_bytes, 1000);
  ipc_channel_disconnect(sides[1].channel);
  finish();
}

static void test_hellos(void** state) {
  (void) state;
  run_hello(0xff, 0);
  run_hello(0, 0);
  run_hello(1, UV_EBUSY);
  run_hello(2, UV_EACCES);
}

/* ---- Giving back -------------------------------------------------------- */

/* The system's handle, while there is a connection. */
static void test_handle(void** state) {
  uv_os_fd_t handle = ends[0];

  (void) state;
  prepare();
  open_ends(IPC_PAIR_DUPLEX);
  assert_int_equal(ipc_channel_handle(sides[0].channel, &handle), UV_ENOTCONN);
  talk_both_ways();
  assert_int_equal(ipc_channel_handle(sides[0].channel, &handle), 0);
  assert_true(handle == ends[0]);
  assert_int_equal(ipc_channel_handle(sides[0].channel, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_handle(NULL, &handle), UV_EINVAL);
  talk_both_ways();
  sides[0].stays = 1;
  ipc_channel_disconnect(sides[0].channel);
  assert_int_equal(ipc_channel_handle(sides[0].channel, &handle), UV_ENOTCONN);
  finish();
}

static void test_release_at_once(void** state) {
  uv_os_fd_t handle;

  (void) state;
  prepare_raw();
  open_ends(IPC_PAIR_DUPLEX);
  assert_int_equal(ipc_channel_release(sides[0].channel, &handle), 0);
  assert_true(handle == ends[0]);
  assert_int_equal(ipc_channel_release(sides[0].channel, &handle), UV_ENOTCONN);
  run_until(&sides[0].closes, 1);
  assert_int_equal(sides[0].connects, 1);
  assert_int_equal(sides[0].connect_status, UV_ECANCELED);

  /* It is as it was. */
  memset(&sides[0], 0, sizeof(sides[0]));
  assert_int_equal(try_open(0, handle), 0);
  talk_both_ways();
  finish();
}

static void test_release_later(void** state) {
  uv_os_fd_t handle;
  int err;

  (void) state;
  prepare_raw();
  open_ends(IPC_PAIR_DUPLEX);
  talk_both_ways();
  sides[0].stays = 1;
  err = ipc_channel_release(sides[0].channel, &handle);
  if (test_is_windows()) {
    assert_int_equal(err, UV_ENOTSUP);
    finish();
    return;
  }
  assert_int_equal(err, 0);
  assert_int_equal(side_send(&sides[0], "x", 1), UV_EPIPE);
  side_close(&sides[0]);
  run_until(&sides[0].closes, 1);
  assert_int_equal(sides[0].ends, 0);
  assert_int_equal(sides[1].ends, 0);
  side_free(&sides[0]);
  memset(&sides[0], 0, sizeof(sides[0]));
  assert_int_equal(try_open(0, handle), 0);
  assert_int_equal(side_send(&sides[1], "again", 5), 0);
  while (sides[0].bytes < 5) test_turn();
  finish();
}

/* What was asked for and not done yet is not left behind. */
static void test_release_holds(void** state) {
  ipc_poster_t* poster;
  uv_os_fd_t handle;

  (void) state;
  prepare_raw();
  open_ends(IPC_PAIR_DUPLEX);
  talk_both_ways();
  assert_int_equal(
      ipc_poster_create(sides[0].channel, 1024, NULL, NULL, &poster), 0);
  assert_int_equal(ipc_poster_send(poster, "post", 4), 0);
  assert_int_equal(ipc_channel_release(sides[0].channel, &handle), UV_EBUSY);
  while (sides[1].bytes < 8) test_turn();
  ipc_poster_release(poster);
  finish();
  if (test_is_windows()) return; /* a raw pipe has no end of its own */

  prepare_raw();
  open_ends(IPC_PAIR_DUPLEX);
  assert_int_equal(ipc_channel_end(sides[0].channel), 0);
  assert_int_equal(ipc_channel_release(sides[0].channel, &handle), UV_EBUSY);
  run_until(&sides[1].ends, 1);
  finish();
}

static void test_release_refused(void** state) {
  uv_os_fd_t handle;

  (void) state;
  prepare();
  open_pair();
  assert_int_equal(ipc_channel_release(NULL, &handle), UV_EINVAL);
  assert_int_equal(ipc_channel_release(sides[0].channel, NULL), UV_EINVAL);
  assert_int_equal(side_send(&sides[0], "x", 1), 0);
  assert_int_equal(ipc_channel_release(sides[0].channel, &handle), UV_EBUSY);
  run_until(&sides[1].messages, 1);
  side_close(&sides[0]);
  assert_int_equal(ipc_channel_release(sides[0].channel, &handle), UV_ENOTCONN);
  finish();
}

/* ---- Refused ------------------------------------------------------------ */

static void test_arguments(void** state) {
  const ipc_channel_options_t* const both[2] = {&options[0], NULL};
  void* const data[2] = {NULL, NULL};
  ipc_channel_options_t garbage;
  ipc_channel_t* channels[2];
  ipc_channel_t* channel;

  (void) state;
  memset(&garbage, 7, sizeof(garbage));
  prepare();
  assert_int_equal(ipc_pair_create(64, 0, ends), UV_EINVAL);
  assert_int_equal(ipc_pair_create(0, 0, NULL), UV_EINVAL);
  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 64 * KIB, ends), 0);
  assert_int_equal(ipc_channel_open(test_loop(), NULL, ends[0], NULL, &channel),
                   UV_EINVAL);
  assert_int_equal(
      ipc_channel_open(test_loop(), &garbage, ends[0], NULL, &channel),
      UV_EINVAL);
  assert_int_equal(
      ipc_channel_open(test_loop(), &options[0], ends[0], NULL, NULL),
      UV_EINVAL);
  assert_string_equal(ipc_channel_options_error(&options[0]), "");
  assert_int_equal(ipc_channel_options_set_max_message_bytes(&options[1], 0),
                   UV_EINVAL);
  assert_int_equal(try_open(1, ends[1]), UV_EINVAL);
  assert_true(strlen(ipc_channel_options_error(&options[1])) > 0);
  assert_int_equal(ipc_channel_pair(test_loop(), both, data, channels),
                   UV_EINVAL);
  assert_null(channels[0]);
  assert_int_equal(ipc_channel_pair(test_loop(), NULL, data, channels),
                   UV_EINVAL);
  /* They were left alone. */
  prepare_raw();
  assert_int_equal(try_open(0, ends[0]), 0);
  assert_int_equal(try_open(1, ends[1]), 0);
  talk_both_ways();
  finish();
}

#define REFUSED(option, call)                                       \
  do {                                                              \
    ipc_channel_options_t o;                                        \
    ipc_channel_options_init(&o);                                   \
    assert_int_equal(call, UV_EINVAL);                              \
    assert_non_null(strstr(ipc_channel_options_error(&o), option)); \
    assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends), 0); \
    options[0] = options[1] = o;                                    \
    assert_int_equal(try_open(0, ends[0]), UV_EINVAL);              \
    side_options(&options[0]);                                      \
    side_options(&options[1]);                                      \
    assert_int_equal(try_open(0, ends[0]), 0);                      \
    assert_int_equal(try_open(1, ends[1]), 0);                      \
    finish();                                                       \
    prepare();                                                      \
  } while (0)

/* The first bad value, by its name; the handle stays the caller's. */
static void test_bad_values(void** state) {
  (void) state;
  prepare();
  REFUSED("connect timeout", ipc_channel_options_set_connect_timeout(&o, 0));
  REFUSED("framing", ipc_channel_options_set_framing(&o, (ipc_framing_t) 9));
  REFUSED("max_message", ipc_channel_options_set_max_message_bytes(&o, 0));
  REFUSED("max_queue_bytes", ipc_channel_options_set_max_queue_bytes(&o, 0));
  REFUSED("max_queue_mess", ipc_channel_options_set_max_queue_messages(&o, 0));
  REFUSED("slow_reader",
          ipc_channel_options_set_slow_reader(&o, (ipc_slow_reader_t) 9));
  REFUSED("access", ipc_channel_options_set_access(&o, (ipc_access_t) 9));
  REFUSED("heartbeat", ipc_channel_options_set_heartbeat(&o, 1));
  REFUSED("close timeout", ipc_channel_options_set_close_timeout(&o, -2));
  REFUSED("idle timeout", ipc_channel_options_set_idle_timeout(&o, 0));
  REFUSED("allocator", ipc_channel_options_set_allocator(&o, NULL));
  REFUSED("heartbeat",
          (ipc_channel_options_set_heartbeat(&o, 100),
           ipc_channel_options_set_framing(&o, IPC_CHANNEL_FRAMING_RAW)));
  assert_int_equal(ipc_channel_options_set_close_timeout(NULL, 1), UV_EINVAL);
  assert_int_equal(ipc_channel_options_on_end(NULL, NULL), UV_EINVAL);
  ipc_channel_options_init(NULL);
  finish();
}

/* A handle that doesn't go the way. */
static void test_wrong_way(void** state) {
  (void) state;
  assert_int_equal(ipc_pair_create(IPC_PAIR_ONE_WAY, 0, ends), 0);
  prepare();
  assert_int_equal(try_open(0, ends[0]), UV_EACCES);
  prepare_raw();
  assert_int_equal(try_open(0, ends[0]), UV_EACCES);
  assert_int_equal(try_open(1, ends[1]), UV_EACCES);
  prepare_one_way();
  assert_int_equal(try_open(0, ends[1]), UV_EACCES);
  assert_int_equal(try_open(1, ends[0]), UV_EACCES);
  assert_int_equal(try_open(0, ends[0]), 0);
  assert_int_equal(try_open(1, ends[1]), 0);
  finish();
}

/* Opened, and closed before the loop has run. */
static void test_close_at_once(void** state) {
  unsigned int handles = test_count_handles();

  (void) state;
  prepare();
  open_pair();
  side_close(&sides[0]);
  side_close(&sides[1]);
  test_run();
  assert_int_equal(sides[0].connect_status, UV_ECANCELED);
  finish();
  assert_true(test_count_handles() <= handles + 8);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_pair),
      TEST(test_pair_raw),
      TEST(test_pair_close_delivers),
      TEST(test_pair_calls),
      TEST(test_buffer_stays),
      TEST(test_one_way),
      TEST(test_one_way_reader_gone),
      TEST(test_between_threads),
      TEST(test_pair_without_a_loop),
      TEST(test_silent_peer),
      TEST(test_rude_peer),
      TEST(test_hellos),
      TEST(test_handle),
      TEST(test_release_at_once),
      TEST(test_release_later),
      TEST(test_release_refused),
      TEST(test_release_holds),
      TEST(test_arguments),
      TEST(test_bad_values),
      TEST(test_wrong_way),
      TEST(test_close_at_once),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
