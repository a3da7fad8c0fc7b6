/* Calls that are wrong: bad arguments, the wrong moment, twice; and calls from
 * inside every callback, which are right. */
#include "harness.h"

#include <limits.h>
#include <stdio.h>

/* ---- A server and a client in one loop ---------------------------------- */

typedef struct end_s {
  ipc_channel_t* channel;
  int opens;
  int status;
  int messages;
  size_t last_size;
  int ends;
  int end_status;
  int sent;
  int send_status;
  int closes;
  ipc_close_result_t result;
} end_t;

static ipc_server_options_t server_options;
static ipc_client_options_t client_options;
static ipc_server_t* server;
static int server_closes;
static end_t ours;
static end_t theirs;
static int server_data;
static int client_data;

static end_t* end_of(ipc_channel_t* channel) {
  return channel == ours.channel ? &ours : &theirs;
}

static void on_connection(ipc_server_t* s, ipc_channel_t* channel) {
  assert_ptr_equal(s, server);
  theirs.channel = channel;
  theirs.opens++;
}

static void on_connect(ipc_channel_t* channel, int status) {
  assert_ptr_equal(channel, ours.channel);
  ours.opens++;
  ours.status = status;
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  (void) data;
  end_of(channel)->messages++;
  end_of(channel)->last_size = size;
}

static void on_end(ipc_channel_t* channel, int status) {
  end_of(channel)->ends++;
  end_of(channel)->end_status = status;
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  end_of(channel)->closes++;
  end_of(channel)->result = *result;
}

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  (void) sent;
  assert_ptr_equal(arg, end_of(channel));
  end_of(channel)->sent++;
  end_of(channel)->send_status = status;
}

static void on_server_close(ipc_server_t* s) {
  assert_ptr_equal(s, server);
  server_closes++;
  server = NULL;
}

/* ---- Callbacks of single operations ------------------------------------- */

static int refusals; /* of callbacks that must never come */

static void never_received(ipc_channel_t* channel,
                           void* arg,
                           int status,
                           const void* data,
                           size_t size) {
  (void) channel, (void) arg, (void) status, (void) data, (void) size;
  refusals++;
}

static void never_ready(ipc_channel_t* channel,
                        void* arg,
                        int status,
                        int events) {
  (void) channel, (void) arg, (void) status, (void) events;
  refusals++;
}

static void never_accepted(ipc_server_t* s,
                           void* arg,
                           int status,
                           ipc_channel_t* channel) {
  (void) s, (void) arg, (void) status, (void) channel;
  refusals++;
}

static void never_sent(ipc_channel_t* channel,
                       void* arg,
                       int status,
                       size_t sent) {
  (void) channel, (void) arg, (void) status, (void) sent;
  refusals++;
}

/* An operation that ends: how often, and with which status. */
typedef struct outcome_s {
  int count;
  int status;
} outcome_t;

static void note(void* arg, int status) {
  outcome_t* outcome = arg;

  outcome->count++;
  outcome->status = status;
}

static void on_received(ipc_channel_t* channel,
                        void* arg,
                        int status,
                        const void* data,
                        size_t size) {
  (void) channel;
  if (status != 0) assert_null(data);
  if (status != 0) assert_int_equal(size, 0);
  note(arg, status);
}

static void on_ready(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     int events) {
  (void) channel;
  if (status != 0) assert_int_equal(events, 0);
  note(arg, status);
}

static void on_accepted(ipc_server_t* s,
                        void* arg,
                        int status,
                        ipc_channel_t* channel) {
  assert_ptr_equal(s, server);
  if (status != 0) assert_null(channel);
  note(arg, status);
}

static void prepare(ipc_framing_t framing) {
  const char* name = test_name();
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  memset(&ours, 0, sizeof(ours));
  memset(&theirs, 0, sizeof(theirs));
  ours.status = ours.end_status = ours.send_status = 1;
  theirs.status = theirs.end_status = theirs.send_status = 1;
  server = NULL;
  server_closes = 0;
  refusals = 0;
  ipc_server_options_init(s, name);
  ipc_server_options_set_framing(s, framing);
  ipc_server_options_on_connection(s, on_connection);
  ipc_server_options_on_message(s, on_message);
  ipc_server_options_on_end(s, on_end);
  ipc_server_options_on_close(s, on_close);
  ipc_client_options_init(c, name);
  ipc_client_options_set_framing(c, framing);
  ipc_client_options_on_connect(c, on_connect);
  ipc_client_options_on_message(c, on_message);
  ipc_client_options_on_end(c, on_end);
  ipc_client_options_on_close(c, on_close);
}

static void start(void) {
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, &server_data, &server),
      0);
  assert_int_equal(ipc_client_connect(test_loop(), &client_options,
                                      &client_data, &ours.channel),
                   0);
}

static void open_both(ipc_framing_t framing) {
  prepare(framing);
  start();
  test_run_until(&ours.opens);
  test_run_until(&theirs.opens);
  assert_int_equal(ours.status, 0);
}

/* Closes what the test has left open; each side has had one on_close then. */
static void finish(void) {
  if (ours.channel != NULL && ours.closes == 0) ipc_channel_close(ours.channel);
  if (theirs.channel != NULL && theirs.closes == 0)
    ipc_channel_close(theirs.channel);
  if (server != NULL) ipc_server_close(server, on_server_close);
  test_run();
  assert_int_equal(ours.closes, ours.channel != NULL);
  assert_int_equal(theirs.closes, theirs.channel != NULL);
  assert_int_equal(server_closes, 1);
  assert_int_equal(refusals, 0);
}

/* ---- NULL --------------------------------------------------------------- */

static void test_null_channel(void** state) {
  ipc_channel_info_t info;
  ipc_channel_stats_t stats;
  ipc_peer_t peer;

  (void) state;
  assert_int_equal(ipc_channel_send(NULL, "x", 1, on_sent, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_send_copy(NULL, "x", 1, on_sent, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_flush(NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_pause(NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_resume(NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_end(NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_close(NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_disconnect(NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_info(NULL, &info), UV_EINVAL);
  assert_int_equal(ipc_channel_peer(NULL, &peer), UV_EINVAL);
  assert_int_equal(ipc_channel_stats(NULL, &stats), UV_EINVAL);
  assert_null(ipc_channel_data(NULL));
  assert_null(ipc_channel_server(NULL));
  assert_null(ipc_channel_loop(NULL));
  ipc_channel_set_data(NULL, &client_data);
}

static void test_null_channel_operations(void** state) {
  uv_buf_t piece = uv_buf_init((char*) &client_data, 1);
  const void* data = NULL;
  ipc_poster_t* poster = NULL;
  size_t size = 0;

  (void) state;
  refusals = 0;
  assert_int_equal(ipc_channel_send_timeout(NULL, "x", 1, 1, never_sent, NULL),
                   UV_EINVAL);
  assert_int_equal(
      ipc_channel_send_vector(NULL, &piece, 1, 1, never_sent, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_try_send(NULL, "x", 1, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_try_send_vector(NULL, &piece, 1, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_recv(NULL, 1, never_received, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_try_recv(NULL, &data, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_try_recv_vector(NULL, &piece, 1, &size),
                   UV_EINVAL);
  assert_int_equal(
      ipc_channel_ready(NULL, IPC_CHANNEL_READABLE, 1, never_ready, NULL),
      UV_EINVAL);
  assert_int_equal(ipc_channel_call(NULL, "x", 1, 1, never_received, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_reply(NULL, 1, "x", 1), UV_EINVAL);
  assert_int_equal(ipc_channel_last_op(NULL), 0);
  assert_int_equal(ipc_channel_cancel(NULL, 1), UV_EINVAL);
  assert_int_equal(ipc_poster_create(NULL, 1024, NULL, NULL, &poster),
                   UV_EINVAL);
  assert_null(poster);
  assert_int_equal(refusals, 0);
}

static void test_null_to_wait(void** state) {
  const void* data = NULL;
  ipc_channel_t* channel = NULL;
  ipc_close_result_t result;
  size_t size = 0;

  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_client_connect_wait(NULL, NULL, &channel), UV_EINVAL);
  assert_int_equal(ipc_client_connect_wait(&client_options, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_server_accept_wait(NULL, 0, &channel), UV_EINVAL);
  assert_int_equal(ipc_channel_send_wait(NULL, "x", 1, 0, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(NULL, 0, &data, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(NULL, "x", 1, 1, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_close_wait(NULL, &result), UV_EINVAL);
  assert_int_equal(ipc_channel_close_wait(NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_close_wait(NULL), UV_EINVAL);
  assert_null(channel);
}

static void test_null_poster(void** state) {
  (void) state;
  assert_int_equal(ipc_poster_send(NULL, "x", 1), UV_EINVAL);
  ipc_poster_retain(NULL);
  ipc_poster_release(NULL);
  ipc_poster_wake(NULL);
}

static void test_null_pump(void** state) {
  ipc_pump_t* pump = NULL;

  (void) state;
  assert_int_equal(ipc_pump_create(NULL, &pump), UV_EINVAL);
  assert_int_equal(ipc_pump_create(test_loop(), NULL), UV_EINVAL);
  assert_null(pump);
  assert_int_equal(ipc_pump_run(NULL), UV_EINVAL);
  assert_int_equal(ipc_pump_destroy(NULL), UV_EINVAL);
}

static void test_null_server(void** state) {
  ipc_server_info_t info;
  ipc_server_stats_t stats;

  (void) state;
  assert_null(ipc_server_data(NULL));
  assert_int_equal(ipc_server_info(NULL, &info), UV_EINVAL);
  assert_int_equal(ipc_server_stats(NULL, &stats), UV_EINVAL);
  assert_int_equal(ipc_server_close(NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_close(NULL, on_server_close), UV_EINVAL);
  refusals = 0;
  assert_int_equal(ipc_server_accept(NULL, 1, never_accepted, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_last_op(NULL), 0);
  assert_int_equal(ipc_server_cancel(NULL, 1), UV_EINVAL);
  assert_int_equal(refusals, 0);
}

static void test_null_results(void** state) {
  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_server_info(server, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_stats(server, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_info(ours.channel, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_peer(ours.channel, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_stats(ours.channel, NULL), UV_EINVAL);
  finish();
}

/* Nothing is made where there is nowhere to put it. */
static void test_null_to_listen_and_connect(void** state) {
  uv_loop_t* loop = test_loop();
  test_memory_t memory;
  ipc_allocator_t allocator;

  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  memset(&memory, 0, sizeof(memory));
  allocator = test_allocator(&memory);
  ipc_server_options_set_allocator(&server_options, &allocator);
  ipc_client_options_set_allocator(&client_options, &allocator);
  /* Without a loop they are right, but for this. */
  assert_int_equal(ipc_server_listen(NULL, NULL, NULL, &server), UV_EINVAL);
  assert_int_equal(ipc_server_listen(NULL, &server_options, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_client_connect(NULL, NULL, NULL, &ours.channel),
                   UV_EINVAL);
  assert_int_equal(ipc_client_connect(NULL, &client_options, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_server_listen(loop, NULL, NULL, &server), UV_EINVAL);
  assert_int_equal(ipc_server_listen(loop, &server_options, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_client_connect(loop, NULL, NULL, &ours.channel),
                   UV_EINVAL);
  assert_int_equal(ipc_client_connect(loop, &client_options, NULL, NULL),
                   UV_EINVAL);
  assert_null(server);
  assert_null(ours.channel);
  assert_int_equal(memory.blocks, 0);
  assert_int_equal(uv_loop_alive(loop), 0);
}

/* ---- Probe -------------------------------------------------------------- */

static void test_probe(void** state) {
  const char* name;
  ipc_name_state_t is = IPC_CHANNEL_NAME_FOREIGN;
  ipc_server_stats_t stats;
  ipc_peer_t zero;
  ipc_peer_t peer;

  (void) state;
  memset(&zero, 0, sizeof(zero));
  memset(&peer, 0xa5, sizeof(peer));
  assert_int_equal(ipc_name_probe(NULL, &is, &peer), UV_EINVAL);
  assert_int_equal(ipc_name_probe(".x", &is, &peer), UV_EINVAL);
  name = test_name();
  assert_int_equal(ipc_name_probe(name, NULL, &peer), UV_EINVAL);
  memset(&peer, 0xa5, sizeof(peer));
  assert_int_equal(ipc_name_probe(name, &is, &peer), 0);
  assert_int_equal(is, IPC_CHANNEL_NAME_ABSENT);
  assert_memory_equal(&peer, &zero, sizeof(peer));

  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  name = test_name(); /* another */
  assert_int_equal(ipc_name_probe(name, &is, NULL), 0);
  assert_int_equal(is, IPC_CHANNEL_NAME_ABSENT);
  finish();

  /* A visit doesn't surface. */
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  name = test_name();
  ipc_server_options_init(&server_options, name);
  ipc_server_options_on_connection(&server_options, on_connection);
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  memset(&peer, 0xa5, sizeof(peer));
  assert_int_equal(ipc_name_probe(name, &is, &peer), 0);
  assert_int_equal(is, IPC_CHANNEL_NAME_LIVE);
  assert_int_equal(peer.pid, uv_os_getpid());
  assert_string_not_equal(peer.user, "");
  assert_int_equal(ipc_name_probe(name, &is, NULL), 0);
  do { /* until the server has seen both */
    test_turn();
    assert_int_equal(ipc_server_stats(server, &stats), 0);
  } while (stats.handshake_errors < 2);
  assert_int_equal(theirs.opens, 0);
  assert_int_equal(stats.accepted, 0);
  assert_int_equal(stats.instances, 0);
  finish();
}

/* ---- What a send takes -------------------------------------------------- */

typedef int (*send_fn)(ipc_channel_t* channel,
                       const void* data,
                       size_t size,
                       ipc_send_cb cb,
                       void* arg);

static const send_fn sends[] = {ipc_channel_send, ipc_channel_send_copy};

static void test_send_arguments(void** state) {
  ipc_channel_stats_t stats;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(sends); i++) {
    open_both(IPC_CHANNEL_FRAMING_NATIVE);
    assert_int_equal(sends[i](ours.channel, NULL, 1, on_sent, &ours),
                     UV_EINVAL);
    assert_int_equal(sends[i](ours.channel, NULL, SIZE_MAX, on_sent, &ours),
                     UV_EINVAL);
    assert_int_equal(ipc_channel_stats(ours.channel, &stats), 0);
    assert_int_equal(stats.messages_queued, 0);
    assert_int_equal(stats.bytes_queued, 0);

    /* An empty message needs no data. */
    assert_int_equal(sends[i](ours.channel, NULL, 0, on_sent, &ours), 0);
    assert_int_equal(ours.sent, 0);
    test_run_until(&theirs.messages);
    assert_int_equal(theirs.last_size, 0);
    test_run_until(&ours.sent);
    assert_int_equal(ours.send_status, 0);
    theirs.messages = 0;
    assert_int_equal(sends[i](ours.channel, "", 0, on_sent, &ours), 0);
    test_run_until(&theirs.messages);
    assert_int_equal(theirs.last_size, 0);
    finish();
    assert_int_equal(ours.sent, 2);
    assert_int_equal(theirs.messages, 1);
  }
}

static void test_raw_send_arguments(void** state) {
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(sends); i++) {
    open_both(IPC_CHANNEL_FRAMING_RAW);
    assert_int_equal(sends[i](ours.channel, NULL, 1, on_sent, &ours),
                     UV_EINVAL);
    assert_int_equal(sends[i](ours.channel, NULL, 0, on_sent, &ours),
                     UV_EINVAL);
    assert_int_equal(sends[i](ours.channel, "x", 0, on_sent, &ours), UV_EINVAL);
    assert_int_equal(sends[i](ours.channel, "x", 1, on_sent, &ours), 0);
    test_run_until(&theirs.messages);
    finish();
    assert_int_equal(ours.sent, 1);
    assert_int_equal(theirs.messages, 1);
  }
}

static void expect_nothing_queued(ipc_channel_t* channel) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(channel, &stats), 0);
  assert_int_equal(stats.messages_queued, 0);
  assert_true(stats.bytes_queued <= 16); /* the hello, while connecting */
  assert_int_equal(stats.messages_dropped, 0);
}

/* What both framings refuse. */
static void expect_bad_timed_sends(ipc_channel_t* channel) {
  static const int wrong[] = {-2, -1000, INT_MIN};
  uv_buf_t pieces[2];
  size_t i;

  pieces[0] = uv_buf_init((char*) "abc", 3);
  pieces[1] = uv_buf_init(NULL, 1);
  for (i = 0; i < TEST_COUNT(wrong); i++) {
    assert_int_equal(
        ipc_channel_send_timeout(channel, "x", 1, wrong[i], never_sent, NULL),
        UV_EINVAL);
    assert_int_equal(
        ipc_channel_send_vector(channel, pieces, 1, wrong[i], never_sent, NULL),
        UV_EINVAL);
  }
  assert_int_equal(
      ipc_channel_send_timeout(channel, NULL, 1, 1, never_sent, NULL),
      UV_EINVAL);
  assert_int_equal(
      ipc_channel_send_vector(channel, NULL, 1, 1, never_sent, NULL),
      UV_EINVAL);
  assert_int_equal(
      ipc_channel_send_vector(channel, pieces, 2, 1, never_sent, NULL),
      UV_EINVAL);
  expect_nothing_queued(channel);
}

static void expect_bad_tries(ipc_channel_t* channel) {
  uv_buf_t piece = uv_buf_init(NULL, 1);
  size_t sent = 7;

  assert_int_equal(ipc_channel_try_send(channel, NULL, 1, &sent), UV_EINVAL);
  assert_int_equal(ipc_channel_try_send_vector(channel, NULL, 1, &sent),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_try_send_vector(channel, &piece, 1, &sent),
                   UV_EINVAL);
  expect_nothing_queued(channel);
}

static void test_more_send_arguments(void** state) {
  uv_buf_t pieces[3];
  size_t sent = 7;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  expect_bad_timed_sends(ours.channel);
  expect_bad_tries(ours.channel);
  /* Refused before a byte of them is looked at, also where the sum of the sizes
   * is more than a size_t of 32 bits holds. */
  pieces[0] = uv_buf_init((char*) "abc", 0xffffffffu);
  pieces[1] = uv_buf_init((char*) "abc", 2);
  assert_int_equal(
      ipc_channel_send_vector(ours.channel, pieces, 2, 1, never_sent, NULL),
      UV_EMSGSIZE);
  assert_int_equal(ipc_channel_try_send_vector(ours.channel, pieces, 2, &sent),
                   UV_EMSGSIZE);
  assert_int_equal(ipc_channel_try_send(ours.channel, "x", SIZE_MAX, &sent),
                   UV_EMSGSIZE);
  assert_int_equal(ipc_channel_send_timeout(ours.channel, "x", SIZE_MAX, 1,
                                            never_sent, NULL),
                   UV_EMSGSIZE);
  expect_nothing_queued(ours.channel);

  /* Empty ones, five times, need no data; nor does a piece without bytes. */
  pieces[0] = uv_buf_init(NULL, 0);
  assert_int_equal(
      ipc_channel_send_timeout(ours.channel, NULL, 0, 60000, on_sent, &ours),
      0);
  assert_int_equal(
      ipc_channel_send_vector(ours.channel, NULL, 0, 60000, on_sent, &ours), 0);
  assert_int_equal(ipc_channel_send_vector(ours.channel, pieces, 1,
                                           IPC_CHANNEL_INFINITE, NULL, NULL),
                   0);
  assert_int_equal(ipc_channel_try_send(ours.channel, NULL, 0, NULL), 0);
  assert_int_equal(ipc_channel_try_send_vector(ours.channel, NULL, 0, &sent),
                   0);
  assert_int_equal(sent, 0);
  while (theirs.messages < 5) test_turn();
  assert_int_equal(theirs.last_size, 0);
  pieces[0] = uv_buf_init((char*) "abc", 3);
  pieces[1] = uv_buf_init(NULL, 0);
  pieces[2] = uv_buf_init((char*) "de", 2);
  assert_int_equal(ipc_channel_try_send_vector(ours.channel, pieces, 3, &sent),
                   0);
  assert_int_equal(sent, 5);
  while (theirs.messages < 6) test_turn();
  assert_int_equal(theirs.last_size, 5);
  finish();
  assert_int_equal(ours.sent, 2);
}

static void test_more_raw_send_arguments(void** state) {
  uv_buf_t piece = uv_buf_init(NULL, 0);
  size_t sent = 7;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_RAW);
  expect_bad_timed_sends(ours.channel);
  expect_bad_tries(ours.channel);
  /* No bytes. */
  assert_int_equal(
      ipc_channel_send_timeout(ours.channel, "x", 0, 1, never_sent, NULL),
      UV_EINVAL);
  assert_int_equal(
      ipc_channel_send_vector(ours.channel, NULL, 0, 1, never_sent, NULL),
      UV_EINVAL);
  assert_int_equal(
      ipc_channel_send_vector(ours.channel, &piece, 1, 1, never_sent, NULL),
      UV_EINVAL);
  assert_int_equal(ipc_channel_try_send(ours.channel, "x", 0, &sent),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_try_send_vector(ours.channel, &piece, 1, &sent),
                   UV_EINVAL);
  /* How much of it was taken must be told. */
  piece = uv_buf_init((char*) "x", 1);
  assert_int_equal(ipc_channel_try_send(ours.channel, "x", 1, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_try_send_vector(ours.channel, &piece, 1, NULL),
                   UV_EINVAL);
  expect_nothing_queued(ours.channel);
  assert_int_equal(ipc_channel_try_send(ours.channel, "x", 1, &sent), 0);
  assert_int_equal(sent, 1);
  test_run_until(&theirs.messages);
  finish();
}

/* ---- What a receive takes, and a call ----------------------------------- */

static void test_recv_arguments(void** state) {
  static const int wrong[] = {-2, INT_MIN};
  char room[8];
  uv_buf_t piece = uv_buf_init(room, sizeof(room));
  const void* data = NULL;
  size_t size = 0;
  size_t i;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_channel_last_op(ours.channel), 0);
  for (i = 0; i < TEST_COUNT(wrong); i++) {
    assert_int_equal(
        ipc_channel_recv(ours.channel, wrong[i], never_received, NULL),
        UV_EINVAL);
    assert_int_equal(ipc_channel_ready(ours.channel, IPC_CHANNEL_READABLE,
                                       wrong[i], never_ready, NULL),
                     UV_EINVAL);
  }
  assert_int_equal(ipc_channel_recv(ours.channel, 1, NULL, NULL), UV_EINVAL);
  assert_int_equal(
      ipc_channel_ready(ours.channel, IPC_CHANNEL_READABLE, 1, NULL, NULL),
      UV_EINVAL);
  assert_int_equal(ipc_channel_ready(ours.channel, 0, 1, never_ready, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_ready(ours.channel, 4, 1, never_ready, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_ready(ours.channel, IPC_CHANNEL_READABLE | 4, 1,
                                     never_ready, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_ready(ours.channel, -1, 1, never_ready, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_try_recv(ours.channel, NULL, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_try_recv(ours.channel, &data, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_try_recv_vector(ours.channel, NULL, 1, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_try_recv_vector(ours.channel, &piece, 1, NULL),
                   UV_EINVAL);
  /* Nothing was begun. */
  assert_int_equal(ipc_channel_last_op(ours.channel), 0);
  assert_int_equal(ipc_channel_try_recv(ours.channel, &data, &size), UV_EAGAIN);
  assert_int_equal(ipc_channel_try_recv_vector(ours.channel, &piece, 1, &size),
                   UV_EAGAIN);
  assert_int_equal(ipc_channel_last_op(ours.channel), 0);
  finish();
}

static void test_call_arguments(void** state) {
  static const int wrong[] = {0, -2, INT_MIN};
  size_t i;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  for (i = 0; i < TEST_COUNT(wrong); i++) {
    assert_int_equal(
        ipc_channel_call(ours.channel, "x", 1, wrong[i], never_received, NULL),
        UV_EINVAL);
  }
  assert_int_equal(ipc_channel_call(ours.channel, "x", 1, 1, NULL, NULL),
                   UV_EINVAL);
  assert_int_equal(
      ipc_channel_call(ours.channel, NULL, 1, 1, never_received, NULL),
      UV_EINVAL);
  assert_int_equal(
      ipc_channel_call(ours.channel, "x", SIZE_MAX, 1, never_received, NULL),
      UV_EMSGSIZE);
  assert_int_equal(ipc_channel_last_op(ours.channel), 0);
  /* Nobody has asked. */
  assert_int_equal(ipc_channel_reply(ours.channel, 0, "x", 1), UV_ENOENT);
  assert_int_equal(ipc_channel_reply(ours.channel, 1, "x", 1), UV_ENOENT);
  assert_int_equal(ipc_channel_reply(ours.channel, UINT64_MAX, "x", 1),
                   UV_ENOENT);
  expect_nothing_queued(ours.channel);
  finish();

  open_both(IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(
      ipc_channel_call(ours.channel, "x", 1, 1, never_received, NULL),
      UV_EINVAL);
  assert_int_equal(ipc_channel_reply(ours.channel, 1, "x", 1), UV_ENOENT);
  expect_nothing_queued(ours.channel);
  finish();
}

static int requests;

/* A reply with bad bytes is none; with good ones the request is over. */
static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  (void) data;
  assert_int_equal(size, 0);
  assert_int_equal(ipc_channel_reply(channel, request, NULL, 1), UV_EINVAL);
  assert_int_equal(ipc_channel_reply(channel, request, "x", SIZE_MAX),
                   UV_EMSGSIZE);
  assert_int_equal(ipc_channel_reply(channel, request, NULL, 0), 0);
  requests++;
}

static void test_reply_arguments(void** state) {
  outcome_t call = {0, 1};

  (void) state;
  requests = 0;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  ipc_server_options_on_request(&server_options, on_request);
  start();
  assert_int_equal(ipc_channel_call(ours.channel, NULL, 0, IPC_CHANNEL_INFINITE,
                                    on_received, &call),
                   0);
  test_run_until(&call.count);
  assert_int_equal(call.status, 0);
  assert_int_equal(requests, 1);
  finish();
  assert_int_equal(call.count, 1);
}

/* One side sends only, the other receives only. */
static void test_against_the_access(void** state) {
  uv_buf_t piece = uv_buf_init((char*) "x", 1);
  const void* data = NULL;
  size_t size = 0;

  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  ipc_server_options_set_access(&server_options, IPC_CHANNEL_ACCESS_INBOUND);
  ipc_client_options_set_access(&client_options, IPC_CHANNEL_ACCESS_OUTBOUND);
  start();
  test_run_until(&ours.opens);
  test_run_until(&theirs.opens);
  assert_int_equal(ours.status, 0);

  assert_int_equal(ipc_channel_send(theirs.channel, "x", 1, never_sent, NULL),
                   UV_EACCES);
  assert_int_equal(
      ipc_channel_send_copy(theirs.channel, "x", 1, never_sent, NULL),
      UV_EACCES);
  assert_int_equal(
      ipc_channel_send_timeout(theirs.channel, "x", 1, 1, never_sent, NULL),
      UV_EACCES);
  assert_int_equal(
      ipc_channel_send_vector(theirs.channel, &piece, 1, 1, never_sent, NULL),
      UV_EACCES);
  assert_int_equal(ipc_channel_try_send(theirs.channel, "x", 1, &size),
                   UV_EACCES);
  assert_int_equal(
      ipc_channel_try_send_vector(theirs.channel, &piece, 1, &size), UV_EACCES);
  assert_int_equal(
      ipc_channel_call(theirs.channel, "x", 1, 1, never_received, NULL),
      UV_EACCES);

  assert_int_equal(ipc_channel_recv(ours.channel, 1, never_received, NULL),
                   UV_EACCES);
  assert_int_equal(ipc_channel_try_recv(ours.channel, &data, &size), UV_EACCES);
  assert_int_equal(ipc_channel_try_recv_vector(ours.channel, &piece, 1, &size),
                   UV_EACCES);
  assert_int_equal(
      ipc_channel_call(ours.channel, "x", 1, 1, never_received, NULL),
      UV_EACCES);

  assert_int_equal(ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours),
                   0);
  test_run_until(&theirs.messages);
  finish();
}

/* ---- Cancel ------------------------------------------------------------- */

static void test_cancel_nothing(void** state) {
  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_channel_cancel(ours.channel, 0), UV_ENOENT);
  assert_int_equal(ipc_channel_cancel(ours.channel, 1), UV_ENOENT);
  assert_int_equal(ipc_channel_cancel(ours.channel, UINT64_MAX), UV_ENOENT);
  assert_int_equal(ipc_server_last_op(server), 0);
  assert_int_equal(ipc_server_cancel(server, 0), UV_ENOENT);
  assert_int_equal(ipc_server_cancel(server, UINT64_MAX), UV_ENOENT);
  finish();
}

/* Each has a name of its own, which is good for one cancel. */
static void test_cancel_twice(void** state) {
  outcome_t recv = {0, 1};
  outcome_t ready = {0, 1};
  ipc_op_t first;
  ipc_op_t second;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(
      ipc_channel_recv(ours.channel, IPC_CHANNEL_INFINITE, on_received, &recv),
      0);
  first = ipc_channel_last_op(ours.channel);
  assert_true(first != 0);
  assert_int_equal(ipc_channel_ready(ours.channel, IPC_CHANNEL_READABLE,
                                     IPC_CHANNEL_INFINITE, on_ready, &ready),
                   0);
  second = ipc_channel_last_op(ours.channel);
  assert_true(second != 0);
  assert_true(second != first);
  /* Of this channel only. */
  assert_int_equal(ipc_channel_last_op(theirs.channel), 0);
  assert_int_equal(ipc_channel_cancel(theirs.channel, first), UV_ENOENT);

  assert_int_equal(ipc_channel_cancel(ours.channel, first), 0);
  assert_int_equal(ipc_channel_cancel(ours.channel, first), UV_ENOENT);
  assert_int_equal(recv.count, 0);
  test_run_until(&recv.count);
  assert_int_equal(recv.status, UV_ECANCELED);
  assert_int_equal(ipc_channel_cancel(ours.channel, first), UV_ENOENT);
  assert_int_equal(ready.count, 0);
  assert_int_equal(ipc_channel_cancel(ours.channel, second), 0);
  test_run_until(&ready.count);
  assert_int_equal(ready.status, UV_ECANCELED);
  assert_int_equal(ipc_channel_last_op(ours.channel), second);
  finish();
  assert_int_equal(recv.count, 1);
  assert_int_equal(ready.count, 1);
}

/* ---- Accept ------------------------------------------------------------- */

static void test_accept_arguments(void** state) {
  outcome_t accept = {0, 1};
  ipc_op_t op;

  (void) state;
  /* One that hands out its clients by itself. */
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  assert_int_equal(ipc_server_accept(server, 1, never_accepted, NULL),
                   UV_EINVAL);
  finish();

  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  ipc_server_options_on_connection(&server_options, NULL);
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  assert_int_equal(ipc_server_accept(server, 1, NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_accept(server, -2, never_accepted, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_server_accept(server, INT_MIN, never_accepted, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_server_last_op(server), 0);

  assert_int_equal(
      ipc_server_accept(server, IPC_CHANNEL_INFINITE, on_accepted, &accept), 0);
  op = ipc_server_last_op(server);
  assert_true(op != 0);
  assert_int_equal(ipc_server_cancel(server, op), 0);
  assert_int_equal(ipc_server_cancel(server, op), UV_ENOENT);
  assert_int_equal(accept.count, 0);
  test_run_until(&accept.count);
  assert_int_equal(accept.status, UV_ECANCELED);
  assert_int_equal(ipc_server_cancel(server, op), UV_ENOENT);

  /* 0 is a timeout: nobody is there. */
  assert_int_equal(ipc_server_accept(server, 0, on_accepted, &accept), 0);
  assert_true(ipc_server_last_op(server) != op);
  assert_int_equal(accept.count, 1);
  while (accept.count < 2) test_turn();
  assert_int_equal(accept.status, UV_ETIMEDOUT);

  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  assert_int_equal(ipc_server_accept(server, 1, never_accepted, NULL),
                   UV_EPIPE);
  test_run();
  assert_int_equal(accept.count, 2);
  assert_int_equal(refusals, 0);
}

/* ---- Waiting without a loop of one's own -------------------------------- */

/* With a loop of the caller's they do nothing. */
static void test_wait_in_a_loop_of_ours(void** state) {
  const void* data = NULL;
  ipc_channel_t* channel = NULL;
  ipc_close_result_t result;
  size_t size = 0;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_server_accept_wait(server, 0, &channel), UV_EINVAL);
  assert_null(channel);
  assert_int_equal(ipc_channel_send_wait(ours.channel, "x", 1, 0, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(ours.channel, 0, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(ours.channel, "x", 1, 1, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_close_wait(ours.channel, &result), UV_EINVAL);
  assert_int_equal(ipc_channel_close_wait(ours.channel, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_close_wait(server), UV_EINVAL);
  /* Nothing has happened. */
  expect_nothing_queued(ours.channel);
  assert_int_equal(ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours),
                   0);
  test_run_until(&theirs.messages);
  finish();
  assert_int_equal(theirs.messages, 1);
}

static void test_accept_wait_arguments(void** state) {
  ipc_channel_t* channel = NULL;
  ipc_server_t* s = NULL;

  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  ipc_server_options_on_connection(&server_options, NULL);
  assert_int_equal(ipc_server_listen(NULL, &server_options, &server_data, &s),
                   0);
  assert_ptr_equal(ipc_server_data(s), &server_data);
  assert_int_equal(ipc_server_accept_wait(s, 0, NULL), UV_EINVAL);
  assert_int_equal(ipc_server_accept_wait(s, -2, &channel), UV_EINVAL);
  assert_int_equal(ipc_server_accept_wait(s, 0, &channel), UV_ETIMEDOUT);
  assert_null(channel);
  assert_int_equal(ipc_server_close_wait(s), 0);

  /* One with an on_connection has a private loop, but nothing to accept. */
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_server_listen(NULL, &server_options, NULL, &s), 0);
  assert_int_equal(ipc_server_accept_wait(s, 0, &channel), UV_EINVAL);
  assert_null(channel);
  assert_int_equal(ipc_server_close_wait(s), 0);
}

static void test_connect_wait_arguments(void** state) {
  ipc_client_options_t bad;
  ipc_channel_t* channel = NULL;

  (void) state;
  memset(&bad, 0xa5, sizeof(bad));
  assert_int_equal(ipc_client_connect_wait(&bad, NULL, &channel), UV_EINVAL);
  assert_null(channel);
  ipc_client_options_init(&bad, "a/b");
  assert_int_equal(ipc_client_connect_wait(&bad, NULL, &channel), UV_EINVAL);
  assert_null(channel);
  ipc_client_options_init(&client_options, test_name());
  channel = (ipc_channel_t*) &client_data;
  assert_int_equal(ipc_client_connect_wait(&client_options, NULL, &channel),
                   UV_ENOENT);
  assert_null(channel);
}

/* A channel whose server never comes. */
static void test_channel_wait_arguments(void** state) {
  const void* data = NULL;
  ipc_close_result_t result;
  ipc_channel_t* channel = NULL;
  size_t size = 0;
  int status;

  (void) state;
  ipc_client_options_init(&client_options, test_name());
  ipc_client_options_set_wait_for_server(&client_options, 1);
  ipc_client_options_set_connect_timeout(&client_options, IPC_CHANNEL_INFINITE);
  assert_int_equal(
      ipc_client_connect(NULL, &client_options, &client_data, &channel), 0);
  assert_ptr_equal(ipc_channel_data(channel), &client_data);
  assert_int_equal(ipc_channel_send_wait(channel, NULL, 1, 1, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_send_wait(channel, "x", 1, -2, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(channel, 1, NULL, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(channel, 1, &data, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(channel, -2, &data, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, "x", 1, 1, NULL, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, "x", 1, 1, &data, NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, NULL, 1, 1, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, "x", 1, 0, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, "x", 1, -2, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(channel, 0, &data, &size),
                   UV_ETIMEDOUT);
  assert_int_equal(ipc_channel_send_wait(channel, "x", 1, 1, NULL),
                   UV_ETIMEDOUT);
  expect_nothing_queued(channel);
  memset(&result, 0xa5, sizeof(result));
  status = ipc_channel_close_wait(channel, &result);
  assert_int_equal(status, UV_ECANCELED);
  assert_int_equal(result.status, status);
}

/* ---- Posters and pumps -------------------------------------------------- */

static const size_t least_poster = (size_t) 1 << 10;
static const size_t largest_poster = (size_t) 1 << 30;

static void test_poster_create_arguments(void** state) {
  static const size_t wrong[] = {0, 1, ((size_t) 1 << 10) - 1,
                                 ((size_t) 1 << 30) + 1, SIZE_MAX};
  test_memory_t memory;
  ipc_allocator_t allocator;
  ipc_poster_t* poster = NULL;
  size_t i;

  (void) state;
  memset(&memory, 0, sizeof(memory));
  allocator = test_allocator(&memory);
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  ipc_client_options_set_allocator(&client_options, &allocator);
  start();
  for (i = 0; i < TEST_COUNT(wrong); i++) {
    assert_int_equal(
        ipc_poster_create(ours.channel, wrong[i], NULL, NULL, &poster),
        UV_EINVAL);
  }
  assert_int_equal(
      ipc_poster_create(ours.channel, least_poster, NULL, NULL, NULL),
      UV_EINVAL);
  assert_null(poster);
  /* The largest is asked for, which nobody needs to have. */
  memory.fail_from = memory.calls + 1;
  memory.fail_to = memory.calls + 100;
  assert_int_equal(
      ipc_poster_create(ours.channel, largest_poster, NULL, NULL, &poster),
      UV_ENOMEM);
  memory.fail_from = memory.fail_to = 0;
  assert_null(poster);
  assert_int_equal(
      ipc_poster_create(ours.channel, least_poster, NULL, NULL, &poster), 0);
  assert_non_null(poster);
  ipc_poster_release(poster);

  finish();
  assert_int_equal(memory.blocks, 0);
}

/* A channel that sends no more has no use for one. */
static void test_poster_too_late(void** state) {
  ipc_poster_t* poster = NULL;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_channel_disconnect(ours.channel), 0);
  assert_int_equal(
      ipc_poster_create(ours.channel, least_poster, NULL, NULL, &poster),
      UV_EPIPE);
  assert_int_equal(ipc_channel_close(theirs.channel), 0);
  assert_int_equal(
      ipc_poster_create(theirs.channel, least_poster, NULL, NULL, &poster),
      UV_EPIPE);
  assert_null(poster);
  finish();
}

static void test_poster_send_arguments(void** state) {
  static const char data[2048];
  ipc_poster_t* poster = NULL;

  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  ipc_client_options_set_max_message_bytes(&client_options, 500);
  start();
  assert_int_equal(
      ipc_poster_create(ours.channel, least_poster, NULL, NULL, &poster), 0);
  assert_int_equal(ipc_poster_send(poster, NULL, 1), UV_EINVAL);
  assert_int_equal(ipc_poster_send(poster, data, 501), UV_EMSGSIZE);
  assert_int_equal(ipc_poster_send(poster, data, least_poster), UV_EMSGSIZE);
  assert_int_equal(ipc_poster_send(poster, data, SIZE_MAX), UV_EMSGSIZE);
  assert_int_equal(ipc_poster_send(poster, data, 500), 0);
  /* An empty message needs no data. */
  assert_int_equal(ipc_poster_send(poster, NULL, 0), 0);
  while (theirs.messages < 2) test_turn();
  assert_int_equal(theirs.last_size, 0);
  assert_int_equal(ipc_channel_close(ours.channel), 0);
  assert_int_equal(ipc_poster_send(poster, data, 1), UV_EPIPE);
  finish();
  /* It outlives its channel. */
  assert_int_equal(ipc_poster_send(poster, data, 1), UV_EPIPE);
  ipc_poster_wake(poster);
  ipc_poster_release(poster);

  open_both(IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(
      ipc_poster_create(ours.channel, least_poster, NULL, NULL, &poster), 0);
  assert_int_equal(ipc_poster_send(poster, data, 0), UV_EINVAL);
  assert_int_equal(ipc_poster_send(poster, NULL, 0), UV_EINVAL);
  assert_int_equal(ipc_poster_send(poster, NULL, 1), UV_EINVAL);
  assert_int_equal(ipc_poster_send(poster, data, least_poster), UV_EMSGSIZE);
  assert_int_equal(ipc_poster_send(poster, data, 1), 0);
  test_run_until(&theirs.messages);
  ipc_poster_release(poster);
  finish();
}

static void test_pump_of_an_idle_loop(void** state) {
  ipc_pump_t* pump = NULL;

  (void) state;
  assert_int_equal(ipc_pump_create(test_loop(), &pump), 0);
  assert_non_null(pump);
  assert_int_equal(ipc_pump_run(pump), 0);
  assert_int_equal(ipc_pump_destroy(pump), 0);
}

/* Our limit is checked at once, the peer's as soon as its hello is here. */
static void test_messages_too_large(void** state) {
  static const char data[301];
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(sends); i++) {
    prepare(IPC_CHANNEL_FRAMING_NATIVE);
    ipc_client_options_set_max_message_bytes(&client_options, 300);
    ipc_server_options_set_max_message_bytes(&server_options, 200);
    start();
    assert_int_equal(sends[i](ours.channel, data, 301, on_sent, &ours),
                     UV_EMSGSIZE);
    assert_int_equal(sends[i](ours.channel, data, SIZE_MAX, on_sent, &ours),
                     UV_EMSGSIZE);
    test_run_until(&ours.opens);
    test_run_until(&theirs.opens);
    assert_int_equal(sends[i](ours.channel, data, 301, on_sent, &ours),
                     UV_EMSGSIZE);
    assert_int_equal(sends[i](ours.channel, data, 201, on_sent, &ours),
                     UV_EMSGSIZE);
    assert_int_equal(sends[i](ours.channel, data, 200, on_sent, &ours), 0);
    /* The server's limit binds itself too. */
    assert_int_equal(sends[i](theirs.channel, data, 201, on_sent, &theirs),
                     UV_EMSGSIZE);
    assert_int_equal(sends[i](theirs.channel, data, 200, on_sent, &theirs), 0);
    test_run_until(&theirs.messages);
    assert_int_equal(theirs.last_size, 200);
    test_run_until(&ours.messages);
    assert_int_equal(ours.last_size, 200);
    finish();
    assert_int_equal(ours.sent, 1);
    assert_int_equal(theirs.sent, 1);
  }
}

/* Raw bytes have no limit but the queue's. */
static void test_raw_has_no_message_limit(void** state) {
  static const char data[1000];

  (void) state;
  prepare(IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_set_max_queue_bytes(&client_options, 1);
  start();
  test_run_until(&ours.opens);
  test_run_until(&theirs.opens);
  /* An empty queue takes any size. */
  assert_int_equal(
      ipc_channel_send_copy(ours.channel, data, 1000, on_sent, &ours), 0);
  test_run_until(&theirs.messages);
  finish();
}

/* ---- The wrong moment --------------------------------------------------- */

static void expect_no_sending(end_t* end) {
  uv_buf_t piece = uv_buf_init((char*) "x", 1);
  size_t sent = 7;

  assert_int_equal(
      ipc_channel_send_timeout(end->channel, "x", 1, 1, never_sent, NULL),
      UV_EPIPE);
  assert_int_equal(
      ipc_channel_send_vector(end->channel, &piece, 1, 1, never_sent, NULL),
      UV_EPIPE);
  assert_int_equal(ipc_channel_try_send(end->channel, "x", 1, &sent), UV_EPIPE);
  assert_int_equal(ipc_channel_try_send_vector(end->channel, &piece, 1, &sent),
                   UV_EPIPE);
  assert_int_equal(ipc_channel_send(end->channel, "x", 1, on_sent, end),
                   UV_EPIPE);
  assert_int_equal(ipc_channel_send_copy(end->channel, "x", 1, on_sent, end),
                   UV_EPIPE);
  assert_int_equal(ipc_channel_send_copy(end->channel, NULL, 0, NULL, NULL),
                   UV_EPIPE);
  assert_int_equal(ipc_channel_end(end->channel), UV_EPIPE);
}

static void expect_no_receiving(end_t* end) {
  char room[8];
  uv_buf_t piece = uv_buf_init(room, sizeof(room));
  const void* data = NULL;
  size_t size = 0;

  assert_int_equal(ipc_channel_recv(end->channel, 1, never_received, NULL),
                   UV_EPIPE);
  assert_int_equal(ipc_channel_try_recv(end->channel, &data, &size), UV_EPIPE);
  assert_int_equal(ipc_channel_try_recv_vector(end->channel, &piece, 1, &size),
                   UV_EPIPE);
}

static void expect_dead(end_t* end) {
  ipc_channel_info_t info;
  ipc_channel_stats_t stats;
  ipc_peer_t peer;

  expect_no_sending(end);
  expect_no_receiving(end);
  assert_int_equal(ipc_channel_pause(end->channel), UV_EPIPE);
  assert_int_equal(ipc_channel_resume(end->channel), UV_EPIPE);
  assert_int_equal(ipc_channel_disconnect(end->channel), UV_EPIPE);
  assert_true(ipc_channel_flush(end->channel) < 0);
  assert_int_equal(ipc_channel_peer(end->channel, &peer), UV_ENOTCONN);
  assert_int_equal(ipc_channel_stats(end->channel, &stats), 0);
  assert_int_equal(ipc_channel_info(end->channel, &info), 0);
  assert_int_equal(info.is_connected, 0);
  assert_int_equal(info.state, IPC_CHANNEL_DEAD);
  assert_int_equal(info.in_buffer_bytes, 0);
  assert_int_equal(info.out_buffer_bytes, 0);
  assert_ptr_equal(ipc_channel_loop(end->channel), test_loop());
}

static void test_after_end(void** state) {
  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_channel_end(ours.channel), 0);
  expect_no_sending(&ours);
  test_run_until(&theirs.ends);
  assert_int_equal(theirs.end_status, 0);
  expect_no_sending(&ours);
  /* Our side alone has ended: the rest works, and the peer may answer. */
  assert_int_equal(ipc_channel_flush(ours.channel), 0);
  assert_int_equal(ipc_channel_pause(ours.channel), 0);
  assert_int_equal(ipc_channel_resume(ours.channel), 0);
  assert_int_equal(
      ipc_channel_send_copy(theirs.channel, "x", 1, on_sent, &theirs), 0);
  test_run_until(&ours.messages);
  assert_int_equal(ipc_channel_end(theirs.channel), 0);
  expect_no_sending(&theirs);
  test_run_until(&ours.ends);
  assert_int_equal(ours.end_status, 0);
  expect_no_sending(&ours);
  expect_no_sending(&theirs);
  finish();
  assert_int_equal(ours.result.status, 0);
  assert_int_equal(theirs.result.status, 0);
}

static void test_raw_end(void** state) {
  (void) state;
  open_both(IPC_CHANNEL_FRAMING_RAW);
  if (test_is_windows()) {
    assert_int_equal(ipc_channel_end(ours.channel), UV_ENOTSUP);
    assert_int_equal(ipc_channel_end(ours.channel), UV_ENOTSUP);
    /* Nothing has happened. */
    assert_int_equal(
        ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours), 0);
    test_run_until(&theirs.messages);
  } else {
    assert_int_equal(ipc_channel_end(ours.channel), 0);
    expect_no_sending(&ours);
    test_run_until(&theirs.ends);
    assert_int_equal(theirs.end_status, 0);
    assert_int_equal(
        ipc_channel_send_copy(theirs.channel, "x", 1, on_sent, &theirs), 0);
    test_run_until(&ours.messages);
  }
  finish();
}

static void test_after_close(void** state) {
  ipc_channel_info_t info;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours),
                   0);
  assert_int_equal(ipc_channel_close(ours.channel), 0);
  assert_int_equal(ours.closes, 0);
  expect_no_sending(&ours);
  assert_int_equal(ipc_channel_close(ours.channel), UV_EALREADY);
  assert_int_equal(ipc_channel_pause(ours.channel), UV_EPIPE);
  assert_int_equal(ipc_channel_resume(ours.channel), UV_EPIPE);
  expect_no_receiving(&ours);
  assert_int_equal(ipc_channel_ready(ours.channel, IPC_CHANNEL_READABLE, 1,
                                     never_ready, NULL),
                   UV_EPIPE);
  assert_int_equal(
      ipc_channel_call(ours.channel, "x", 1, 1, never_received, NULL),
      UV_EPIPE);
  assert_int_equal(ipc_channel_info(ours.channel, &info), 0);
  assert_int_equal(info.is_connected, 0);
  assert_int_equal(info.state, IPC_CHANNEL_CLOSING);
  /* Cuts the wait short; what was sent may or may not have left. */
  assert_int_equal(ipc_channel_disconnect(ours.channel), 0);
  assert_int_equal(ipc_channel_disconnect(ours.channel), UV_EPIPE);
  assert_int_equal(ipc_channel_close(ours.channel), UV_EALREADY);
  expect_no_sending(&ours);
  assert_int_equal(ours.closes, 0);
  assert_int_equal(ours.sent, 0);
  test_run_until(&ours.closes);
  assert_int_equal(ours.sent, 1);
  assert_int_equal(ours.ends, 0);
  finish();
}

static void test_after_disconnect(void** state) {
  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours),
                   0);
  assert_int_equal(ipc_channel_disconnect(ours.channel), 0);
  assert_int_equal(ours.sent, 0);
  expect_dead(&ours);
  test_run_until(&theirs.ends);
  assert_int_equal(theirs.end_status, UV_ECONNRESET);
  test_run_until(&ours.sent);
  assert_int_equal(ours.send_status, UV_ECANCELED);
  expect_dead(&ours);
  expect_dead(&theirs);
  assert_int_equal(ours.closes, 0);
  assert_int_equal(theirs.closes, 0);
  assert_int_equal(ipc_channel_close(ours.channel), 0);
  assert_int_equal(ipc_channel_close(ours.channel), UV_EALREADY);
  finish();
  assert_int_equal(ours.ends, 0);
  assert_int_equal(ours.sent, 1);
  assert_int_equal(ours.result.unsent, 1);
  assert_int_equal(ours.result.unconfirmed, 0);
}

static void test_raw_after_disconnect(void** state) {
  (void) state;
  open_both(IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(ipc_channel_disconnect(ours.channel), 0);
  expect_dead(&ours);
  test_run_until(&theirs.ends);
  /* A raw channel can't tell a break from an end. */
  assert_int_equal(theirs.end_status, 0);
  finish();
  assert_int_equal(ours.ends, 0);
}

/* Nobody is there, and nobody will be. */
static void test_after_a_failed_connect(void** state) {
  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(
      ipc_client_connect(test_loop(), &client_options, NULL, &ours.channel), 0);
  assert_int_equal(ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours),
                   0);
  test_run_until(&ours.opens);
  assert_int_equal(ours.status, UV_ENOENT);
  test_run_until(&ours.sent);
  assert_true(ours.send_status < 0);
  expect_dead(&ours);
  assert_int_equal(ours.closes, 0);
  assert_int_equal(ipc_channel_close(ours.channel), 0);
  assert_int_equal(ipc_channel_close(ours.channel), UV_EALREADY);
  test_run();
  assert_int_equal(ours.closes, 1);
  assert_int_equal(ours.ends, 0);
  assert_int_equal(ours.result.unsent, 1);
}

static void test_before_connected(void** state) {
  ipc_channel_info_t info;
  ipc_peer_t peer;

  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  start();
  assert_int_equal(ipc_channel_peer(ours.channel, &peer), UV_ENOTCONN);
  assert_int_equal(ipc_channel_info(ours.channel, &info), 0);
  assert_int_equal(info.is_connected, 0);
  assert_int_equal(info.state, IPC_CHANNEL_CONNECTING);
  assert_int_equal(info.is_server, 0);
  assert_int_equal(info.peer_max_message_bytes, 0);
  assert_int_equal(ipc_channel_flush(ours.channel), 0);
  assert_int_equal(ipc_channel_pause(ours.channel), 0);
  assert_int_equal(ipc_channel_resume(ours.channel), 0);
  assert_int_equal(ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours),
                   0);
  assert_int_equal(ipc_channel_end(ours.channel), 0);
  expect_no_sending(&ours);
  assert_int_equal(ours.opens, 0);
  test_run_until(&theirs.ends);
  assert_int_equal(theirs.messages, 1);
  assert_int_equal(theirs.end_status, 0);
  finish();
  assert_int_equal(ours.opens, 1);
  assert_int_equal(ours.status, 0);
  assert_int_equal(ours.sent, 1);
  assert_int_equal(ours.send_status, 0);
}

/* It closes only when it has connected and sent, but nothing more is begun. */
static void test_after_close_while_connecting(void** state) {
  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  ipc_client_options_set_wait_for_server(&client_options, 1);
  ipc_client_options_set_connect_timeout(&client_options, IPC_CHANNEL_INFINITE);
  assert_int_equal(
      ipc_client_connect(test_loop(), &client_options, NULL, &ours.channel), 0);
  assert_int_equal(ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours),
                   0);
  assert_int_equal(ipc_channel_close(ours.channel), 0);
  assert_int_equal(ipc_channel_close(ours.channel), UV_EALREADY);
  expect_no_sending(&ours);
  expect_no_receiving(&ours);
  assert_int_equal(ipc_channel_ready(ours.channel, IPC_CHANNEL_WRITABLE, 1,
                                     never_ready, NULL),
                   UV_EPIPE);
  assert_int_equal(
      ipc_channel_call(ours.channel, "x", 1, 1, never_received, NULL),
      UV_EPIPE);
  assert_int_equal(ipc_channel_disconnect(ours.channel), 0);
  test_run();
  assert_int_equal(ours.closes, 1);
  assert_int_equal(ours.sent, 1);
  assert_int_equal(ours.send_status, UV_ECANCELED);
  assert_int_equal(refusals, 0);
}

static void test_pause_twice(void** state) {
  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(ipc_channel_resume(ours.channel), 0);
  assert_int_equal(ipc_channel_pause(ours.channel), 0);
  assert_int_equal(ipc_channel_pause(ours.channel), 0);
  assert_int_equal(ipc_channel_resume(ours.channel), 0);
  assert_int_equal(ipc_channel_resume(ours.channel), 0);
  assert_int_equal(
      ipc_channel_send_copy(theirs.channel, "x", 1, on_sent, &theirs), 0);
  test_run_until(&ours.messages);
  finish();
}

static void test_server_close_twice(void** state) {
  ipc_server_info_t info;
  ipc_server_stats_t stats;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_ptr_equal(ipc_channel_server(theirs.channel), server);
  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  assert_int_equal(server_closes, 0);
  assert_int_equal(ipc_server_close(server, on_server_close), UV_EALREADY);
  assert_int_equal(ipc_server_close(server, NULL), UV_EALREADY);
  /* It answers until its last callback. */
  assert_ptr_equal(ipc_server_data(server), &server_data);
  assert_int_equal(ipc_server_info(server, &info), 0);
  assert_int_equal(ipc_server_stats(server, &stats), 0);
  assert_int_equal(stats.accepted, 1);
  /* The channel is ours and lives on. */
  assert_null(ipc_channel_server(theirs.channel));
  test_run_until(&server_closes);
  assert_null(ipc_channel_server(theirs.channel));
  assert_int_equal(ipc_channel_send_copy(ours.channel, "x", 1, on_sent, &ours),
                   0);
  test_run_until(&theirs.messages);
  finish();
}

static void test_server_close_before_anything(void** state) {
  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  test_run();
  assert_int_equal(server_closes, 1);

  /* And without a callback, which may be NULL. */
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  assert_int_equal(ipc_server_close(server, NULL), 0);
  test_run();
}

/* ---- Facts -------------------------------------------------------------- */

static void test_version(void** state) {
  (void) state;
  assert_int_equal(ipc_version(), IPC_CHANNEL_VERSION_MAJOR << 16 |
                                      IPC_CHANNEL_VERSION_MINOR << 8 |
                                      IPC_CHANNEL_VERSION_PATCH);
}

static void test_data(void** state) {
  int other = 0;

  (void) state;
  open_both(IPC_CHANNEL_FRAMING_NATIVE);
  assert_ptr_equal(ipc_server_data(server), &server_data);
  assert_ptr_equal(ipc_channel_data(ours.channel), &client_data);
  assert_ptr_equal(ipc_channel_data(theirs.channel), &server_data);
  ipc_channel_set_data(theirs.channel, &other);
  assert_ptr_equal(ipc_channel_data(theirs.channel), &other);
  assert_ptr_equal(ipc_server_data(server), &server_data);
  ipc_channel_set_data(theirs.channel, NULL);
  assert_null(ipc_channel_data(theirs.channel));
  ipc_channel_set_data(ours.channel, &other);
  assert_ptr_equal(ipc_channel_data(ours.channel), &other);

  assert_null(ipc_channel_server(ours.channel));
  assert_ptr_equal(ipc_channel_server(theirs.channel), server);
  assert_ptr_equal(ipc_channel_loop(ours.channel), test_loop());
  assert_ptr_equal(ipc_channel_loop(theirs.channel), test_loop());
  finish();
}

static void expect_zero(const uint64_t* reserved, size_t count) {
  size_t i;

  for (i = 0; i < count; i++) assert_int_equal(reserved[i], 0);
}

static void check_facts(end_t* end, int is_server, const char* os_name) {
  ipc_channel_info_t info;
  ipc_channel_stats_t stats;
  ipc_peer_t peer;

  memset(&info, 0xa5, sizeof(info));
  assert_int_equal(ipc_channel_info(end->channel, &info), 0);
  assert_string_equal(info.os_name, os_name);
  assert_int_equal(info.framing, IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(info.is_server, is_server);
  assert_int_equal(info.is_connected, 1);
  assert_int_equal(info.state, IPC_CHANNEL_CONNECTED);
  assert_int_equal(info.access, IPC_CHANNEL_ACCESS_DUPLEX);
  assert_int_equal(info.last_attempt, 0);
  assert_true(info.in_buffer_bytes > 0);
  assert_true(info.out_buffer_bytes > 0);
  assert_int_equal(info.max_instances, is_server ? 7 : 0);
  expect_zero(info.reserved, TEST_COUNT(info.reserved));

  memset(&stats, 0xa5, sizeof(stats));
  assert_int_equal(ipc_channel_stats(end->channel, &stats), 0);
  assert_int_equal(stats.messages_received, end->messages);
  assert_int_equal(stats.messages_sent, end->sent);
  assert_int_equal(stats.messages_queued, 0);
  assert_int_equal(stats.bytes_queued, 0);
  assert_int_equal(stats.bytes_cut, 0);
  assert_int_equal(stats.connect_attempts, is_server ? 0 : 1);
  assert_int_equal(stats.reconnects, 0);
  assert_int_equal(stats.messages_dropped, 0);
  assert_int_equal(stats.late_replies, 0);
  assert_int_equal(stats.calls_pending, 0);
  expect_zero(stats.reserved, TEST_COUNT(stats.reserved));

  memset(&peer, 0xa5, sizeof(peer));
  assert_int_equal(ipc_channel_peer(end->channel, &peer), 0);
  assert_int_equal(peer.pid, uv_os_getpid());
  assert_string_not_equal(peer.user, "");
  if (test_is_windows()) {
    assert_int_equal(peer.uid, -1);
    assert_int_equal(peer.gid, -1);
    assert_memory_equal(peer.user, "S-1-", 4);
  } else {
    char uid[32];

    snprintf(uid, sizeof(uid), "%lld", (long long) peer.uid);
    assert_string_equal(peer.user, uid);
  }
}

static void test_facts(void** state) {
  ipc_name_info_t name;
  ipc_server_info_t info;
  ipc_server_stats_t stats;
  ipc_channel_stats_t sent;
  ipc_channel_stats_t got;

  (void) state;
  prepare(IPC_CHANNEL_FRAMING_NATIVE);
  ipc_server_options_set_max_instances(&server_options, 7);
  start();
  test_run_until(&ours.opens);
  test_run_until(&theirs.opens);
  assert_int_equal(
      ipc_channel_send_copy(ours.channel, "abc", 3, on_sent, &ours), 0);
  test_run_until(&theirs.messages);
  test_run_until(&ours.sent);

  memset(&info, 0xa5, sizeof(info));
  assert_int_equal(ipc_server_info(server, &info), 0);
  /* The name is what ipc_name_resolve says of it: the last test_name. */
  assert_non_null(strstr(info.os_name, "ipc-test-"));
  memset(&name, 0, sizeof(name));
  snprintf(name.os_name, sizeof(name.os_name), "%s", info.os_name);
  assert_int_equal(info.framing, IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(info.access, IPC_CHANNEL_ACCESS_DUPLEX);
  assert_int_equal(info.max_instances, 7);
  assert_int_equal(info.waiting_instances, 0);
  expect_zero(info.reserved, TEST_COUNT(info.reserved));
  memset(&stats, 0xa5, sizeof(stats));
  assert_int_equal(ipc_server_stats(server, &stats), 0);
  assert_int_equal(stats.instances, 1);
  assert_int_equal(stats.accepted, 1);
  assert_int_equal(stats.refused_busy, 0);
  assert_int_equal(stats.refused_peer, 0);
  assert_int_equal(stats.handshake_errors, 0);
  assert_int_equal(stats.accept_errors, 0);
  assert_int_equal(stats.waiting, 0);
  assert_int_equal(stats.bytes_queued, 0);
  expect_zero(stats.reserved, TEST_COUNT(stats.reserved));
  check_facts(&ours, 0, name.os_name);
  check_facts(&theirs, 1, name.os_name);

  /* On the wire: a hello of 16 bytes each, a message of 8 and 3. */
  assert_int_equal(ipc_channel_stats(ours.channel, &sent), 0);
  assert_int_equal(ipc_channel_stats(theirs.channel, &got), 0);
  assert_int_equal(sent.bytes_sent, 16 + 8 + 3);
  assert_int_equal(got.bytes_received, 16 + 8 + 3);
  assert_int_equal(sent.bytes_received, 16);
  assert_int_equal(got.bytes_sent, 16);

  assert_int_equal(ipc_channel_close(ours.channel), 0);
  test_run_until(&ours.closes);
  test_run_until(&theirs.ends);
  assert_int_equal(ipc_channel_close(theirs.channel), 0);
  test_run_until(&theirs.closes);
  assert_int_equal(ipc_server_stats(server, &stats), 0);
  assert_int_equal(stats.instances, 0);
  assert_int_equal(stats.accepted, 1);
  finish();
}

/* ---- Every function from every callback --------------------------------- */

typedef enum where_e {
  ON_ADMIT,
  ON_CONNECTION,
  ON_CONNECT,
  ON_STATE_NEAR,
  ON_STATE_FAR,
  ON_MESSAGE_NEAR,
  ON_MESSAGE_FAR,
  ON_DRAIN,
  ON_SENT_NEAR,
  ON_SENT_FAR,
  ON_END_NEAR,
  ON_END_FAR,
  ON_CLOSE_NEAR,
  ON_CLOSE_FAR,
  ON_SERVER_CLOSE,
  WHERE_COUNT
} where_t;

/* To both channels, as far as they are there. */
typedef enum what_e {
  ASK,
  SEND,
  TRY_SEND,
  WAIT,
  WAIT_AND_CANCEL,
  CALL_PEER,
  FLUSH,
  PAUSE_AND_RESUME,
  END,
  CLOSE_NEAR,
  CLOSE_FAR,
  CLOSE_BOTH,
  DISCONNECT_NEAR,
  DISCONNECT_FAR,
  CLOSE_SERVER,
  CLOSE_ALL,
  LISTEN_AND_CONNECT,
  WHAT_COUNT
} what_t;

/* One conversation: the client sends two messages, the server echoes them, the
 * client ends, the server ends, both close, the server closes. Whoever is cut
 * off closes too. */
typedef struct talk_s {
  where_t where;
  what_t what;
  int acted;
  int in_call; /* of a function that must not call back */
  ipc_server_t* server;
  int server_open;
  ipc_channel_t* channel[2]; /* ours, theirs; NULL once closed */
  int near_opens;
  int far_opens;
  int closes[2];
  int asked_sends;
  int told_sends;
  int asked_operations; /* other than sends */
  int told_operations;
  int is_owned;
} talk_t;

static talk_t talk;

static void act(where_t where);

static void on_t_sent(ipc_channel_t* channel,
                      void* arg,
                      int status,
                      size_t sent) {
  assert_int_equal(talk.in_call, 0);
  if (status == 0) assert_int_equal(sent, 5);
  assert_true(sent <= 5);
  assert_ptr_equal(arg, &talk);
  talk.told_sends++;
  act(channel == talk.channel[0] ? ON_SENT_NEAR : ON_SENT_FAR);
}

static int answer;

static int called(void) {
  talk.in_call--;
  return answer;
}

/* What `f` answers, having seen that it calls nobody back. */
#define CALL(f) (talk.in_call++, answer = (f), called())

static int t_send(ipc_channel_t* channel) {
  CALL(ipc_channel_send(channel, "hello", 5, on_t_sent, &talk));
  if (answer == 0) talk.asked_sends++;
  return answer;
}

static void on_t_ready(ipc_channel_t* channel,
                       void* arg,
                       int status,
                       int events) {
  (void) channel;
  assert_int_equal(talk.in_call, 0);
  assert_ptr_equal(arg, &talk);
  assert_int_equal(events != 0, status == 0);
  talk.told_operations++;
}

static void t_wait(ipc_channel_t* channel, int cancel) {
  CALL(ipc_channel_ready(channel, IPC_CHANNEL_READABLE | IPC_CHANNEL_WRITABLE,
                         IPC_CHANNEL_INFINITE, on_t_ready, &talk));
  if (answer != 0) {
    assert_int_equal(answer, UV_EPIPE);
    return;
  }
  talk.asked_operations++;
  if (!cancel) return;
  CALL(ipc_channel_cancel(channel, ipc_channel_last_op(channel)));
  assert_int_equal(answer, 0);
}

static void on_t_reply(ipc_channel_t* channel,
                       void* arg,
                       int status,
                       const void* data,
                       size_t size) {
  (void) channel;
  (void) data;
  assert_int_equal(talk.in_call, 0);
  assert_ptr_equal(arg, &talk);
  /* Nobody here answers requests. */
  assert_true(status < 0);
  assert_int_equal(size, 0);
  talk.told_operations++;
}

static void t_call(ipc_channel_t* channel) {
  CALL(ipc_channel_call(channel, "hello", 5, IPC_CHANNEL_INFINITE, on_t_reply,
                        &talk));
  if (answer == 0) talk.asked_operations++;
}

static void on_t_server_close(ipc_server_t* s) {
  assert_int_equal(talk.in_call, 0);
  assert_ptr_equal(s, talk.server);
  assert_int_equal(talk.server_open, 1);
  act(ON_SERVER_CLOSE);
  talk.server_open = 0;
}

static int is_closed[2];
static int is_server_closed;

static void t_close(int side) {
  if (talk.channel[side] == NULL) return;
  CALL(ipc_channel_close(talk.channel[side]));
  /* The server closes a channel of its own by itself, too. */
  if (side == 0 || !talk.is_owned) {
    assert_int_equal(answer, is_closed[side] ? UV_EALREADY : 0);
  }
  is_closed[side] = 1;
}

static void t_close_server(void) {
  if (!talk.server_open) return;
  CALL(ipc_server_close(talk.server, on_t_server_close));
  assert_int_equal(answer, is_server_closed ? UV_EALREADY : 0);
  is_server_closed = 1;
}

static void t_close_all(void) {
  t_close(0);
  t_close(1);
  t_close_server();
}

/* A server and a client beside, gone at once. */
static void t_listen_and_connect(void) {
  ipc_server_options_t so;
  ipc_client_options_t co;
  ipc_channel_t* c = NULL;
  ipc_server_t* s = NULL;
  const char* name = test_name();

  ipc_server_options_init(&so, name);
  ipc_client_options_init(&co, name);
  assert_int_equal(CALL(ipc_server_listen(test_loop(), &so, NULL, &s)), 0);
  assert_int_equal(CALL(ipc_client_connect(test_loop(), &co, NULL, &c)), 0);
  assert_int_equal(CALL(ipc_channel_send_copy(c, "x", 1, NULL, NULL)), 0);
  assert_int_equal(CALL(ipc_channel_close(c)), 0);
  assert_int_equal(CALL(ipc_server_close(s, NULL)), 0);
}

static void t_ask(ipc_channel_t* channel) {
  ipc_channel_info_t info;
  ipc_channel_stats_t stats;
  ipc_peer_t peer;

  assert_int_equal(ipc_channel_info(channel, &info), 0);
  assert_non_null(info.os_name);
  assert_int_equal(ipc_channel_stats(channel, &stats), 0);
  CALL(ipc_channel_peer(channel, &peer));
  if (answer != 0) assert_int_equal(answer, UV_ENOTCONN);
  assert_ptr_equal(ipc_channel_loop(channel), test_loop());
  ipc_channel_set_data(channel, ipc_channel_data(channel));
}

static void act_on(ipc_channel_t* channel, what_t what) {
  switch (what) {
    case ASK:
      t_ask(channel);
      break;
    case SEND:
      t_send(channel);
      break;
    case TRY_SEND:
      CALL(ipc_channel_try_send(channel, "hello", 5, NULL));
      break;
    case WAIT:
      t_wait(channel, 0);
      break;
    case WAIT_AND_CANCEL:
      t_wait(channel, 1);
      break;
    case CALL_PEER:
      t_call(channel);
      break;
    case FLUSH:
      t_send(channel);
      CALL(ipc_channel_flush(channel));
      break;
    case PAUSE_AND_RESUME:
      CALL(ipc_channel_pause(channel));
      CALL(ipc_channel_resume(channel));
      break;
    case END:
      CALL(ipc_channel_end(channel));
      break;
    default:
      break;
  }
}

static void t_disconnect(int side) {
  if (talk.channel[side] == NULL) return;
  CALL(ipc_channel_disconnect(talk.channel[side]));
  if (answer != 0) assert_int_equal(answer, UV_EPIPE);
  /* One that isn't told of its own end closes now. */
  t_close(side);
}

static void act(where_t where) {
  ipc_server_stats_t stats;
  ipc_server_info_t info;
  int i;

  if (where != talk.where || talk.acted) return;
  talk.acted = 1;
  for (i = 0; i < 2; i++) {
    if (talk.channel[i] != NULL) act_on(talk.channel[i], talk.what);
  }
  switch (talk.what) {
    case ASK:
      if (talk.server_open) {
        assert_int_equal(ipc_server_info(talk.server, &info), 0);
        assert_int_equal(ipc_server_stats(talk.server, &stats), 0);
      }
      break;
    case CLOSE_NEAR:
      t_close(0);
      break;
    case CLOSE_FAR:
      t_close(1);
      break;
    case CLOSE_BOTH:
      t_close(0);
      t_close(1);
      break;
    case DISCONNECT_NEAR:
      t_disconnect(0);
      break;
    case DISCONNECT_FAR:
      t_disconnect(1);
      break;
    case CLOSE_SERVER:
      t_close_server();
      break;
    case CLOSE_ALL:
      t_close_all();
      break;
    case LISTEN_AND_CONNECT:
      t_listen_and_connect();
      break;
    default:
      break;
  }
}

static int on_t_admit(ipc_server_t* s, const ipc_peer_t* peer) {
  assert_int_equal(talk.in_call, 0);
  assert_ptr_equal(s, talk.server);
  assert_non_null(peer);
  act(ON_ADMIT);
  return 0;
}

static void on_t_connection(ipc_server_t* s, ipc_channel_t* channel) {
  assert_int_equal(talk.in_call, 0);
  assert_ptr_equal(s, talk.server);
  assert_int_equal(talk.far_opens++, 0);
  talk.channel[1] = channel;
  act(ON_CONNECTION);
}

static void on_t_connect(ipc_channel_t* channel, int status) {
  assert_int_equal(talk.in_call, 0);
  assert_ptr_equal(channel, talk.channel[0]);
  assert_int_equal(talk.near_opens++, 0);
  act(ON_CONNECT);
  /* Fails where the server was closed by then. */
  if (status != 0) t_close_all();
}

/* Of the server's channel perhaps the first that is heard. */
static void on_t_state(ipc_channel_t* channel,
                       ipc_channel_state_t state,
                       int status) {
  (void) status;
  assert_int_equal(talk.in_call, 0);
  assert_in_range(state, IPC_CHANNEL_CONNECTED, IPC_CHANNEL_CLOSING);
  act(channel == talk.channel[0] ? ON_STATE_NEAR : ON_STATE_FAR);
}

static int t_echoes;

static void on_t_message(ipc_channel_t* channel, const void* data, size_t n) {
  assert_int_equal(talk.in_call, 0);
  assert_int_equal(n, 5);
  assert_memory_equal(data, "hello", 5);
  if (channel == talk.channel[0]) {
    act(ON_MESSAGE_NEAR);
    if (++t_echoes == 2) CALL(ipc_channel_end(channel));
    return;
  }
  /* Without on_connection this is the first that is heard of it. */
  talk.channel[1] = channel;
  act(ON_MESSAGE_FAR);
  if (t_echoes < 2) t_send(channel);
}

/* The message that didn't fit goes now. */
static void on_t_drain(ipc_channel_t* channel) {
  assert_int_equal(talk.in_call, 0);
  act(ON_DRAIN);
  t_send(channel);
}

static void on_t_end(ipc_channel_t* channel, int status) {
  (void) status;
  assert_int_equal(talk.in_call, 0);
  if (channel == talk.channel[0]) {
    act(ON_END_NEAR);
    t_close(0);
  } else {
    act(ON_END_FAR);
    CALL(ipc_channel_end(channel));
    t_close(1);
  }
}

static void on_t_close(ipc_channel_t* channel, const ipc_close_result_t* r) {
  int side = channel != talk.channel[0];

  assert_non_null(r);
  assert_int_equal(talk.in_call, 0);
  assert_int_equal(talk.closes[side]++, 0);
  is_closed[side] = 1;
  act(side == 0 ? ON_CLOSE_NEAR : ON_CLOSE_FAR);
  talk.channel[side] = NULL;
  /* Nobody waits for anybody any more. */
  t_close_all();
}

static void converse(where_t where, what_t what, int is_owned) {
  const char* name = test_name();
  ipc_server_options_t so;
  ipc_client_options_t co;

  memset(&talk, 0, sizeof(talk));
  is_closed[0] = is_closed[1] = is_server_closed = t_echoes = 0;
  talk.where = where;
  talk.what = what;
  talk.is_owned = is_owned;
  ipc_server_options_init(&so, name);
  ipc_server_options_on_admit(&so, on_t_admit);
  if (!is_owned) ipc_server_options_on_connection(&so, on_t_connection);
  ipc_server_options_on_message(&so, on_t_message);
  ipc_server_options_on_state(&so, on_t_state);
  ipc_server_options_on_end(&so, on_t_end);
  ipc_server_options_on_close(&so, on_t_close);
  assert_int_equal(
      CALL(ipc_server_listen(test_loop(), &so, NULL, &talk.server)), 0);
  talk.server_open = 1;

  ipc_client_options_init(&co, name);
  /* The second send doesn't fit any more, so there is a drain. */
  ipc_client_options_set_max_queue_bytes(&co, 1);
  ipc_client_options_on_connect(&co, on_t_connect);
  ipc_client_options_on_message(&co, on_t_message);
  ipc_client_options_on_drain(&co, on_t_drain);
  ipc_client_options_on_state(&co, on_t_state);
  ipc_client_options_on_end(&co, on_t_end);
  ipc_client_options_on_close(&co, on_t_close);
  assert_int_equal(
      CALL(ipc_client_connect(test_loop(), &co, NULL, &talk.channel[0])), 0);
  assert_int_equal(t_send(talk.channel[0]), 0);
  assert_int_equal(t_send(talk.channel[0]), UV_EAGAIN);
}

static void check_conversation(where_t where, what_t what, int is_owned) {
  int is_called = where != ON_CONNECTION || !is_owned;

  if (talk.acted != is_called) {
    fail_msg("callback %d, call %d: never there", (int) where, (int) what);
  }
  if (talk.server_open || talk.channel[0] != NULL || talk.channel[1] != NULL ||
      talk.closes[0] != 1 || talk.asked_sends != talk.told_sends ||
      talk.asked_operations != talk.told_operations) {
    fail_msg(
        "callback %d, call %d: server %d, closes %d and %d, sends %d of %d, "
        "operations %d of %d",
        (int) where, (int) what, talk.server_open, talk.closes[0],
        talk.closes[1], talk.told_sends, talk.asked_sends, talk.told_operations,
        talk.asked_operations);
  }
}

static void run_matrix(int is_owned) {
  int where;
  int what;

  for (where = 0; where < WHERE_COUNT; where++) {
    for (what = 0; what < WHAT_COUNT; what++) {
      converse((where_t) where, (what_t) what, is_owned);
      test_run();
      check_conversation((where_t) where, (what_t) what, is_owned);
    }
  }
}

static void test_every_call_in_every_callback(void** state) {
  (void) state;
  run_matrix(0);
}

static void test_every_call_in_an_owning_server(void** state) {
  (void) state;
  run_matrix(1);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_null_channel),
      TEST(test_null_channel_operations),
      TEST(test_null_to_wait),
      TEST(test_null_poster),
      TEST(test_null_pump),
      TEST(test_null_server),
      TEST(test_null_results),
      TEST(test_null_to_listen_and_connect),
      TEST(test_probe),
      TEST(test_send_arguments),
      TEST(test_raw_send_arguments),
      TEST(test_more_send_arguments),
      TEST(test_more_raw_send_arguments),
      TEST(test_recv_arguments),
      TEST(test_call_arguments),
      TEST(test_reply_arguments),
      TEST(test_against_the_access),
      TEST(test_cancel_nothing),
      TEST(test_cancel_twice),
      TEST(test_accept_arguments),
      TEST(test_wait_in_a_loop_of_ours),
      TEST(test_accept_wait_arguments),
      TEST(test_connect_wait_arguments),
      TEST(test_channel_wait_arguments),
      TEST(test_poster_create_arguments),
      TEST(test_poster_too_late),
      TEST(test_poster_send_arguments),
      TEST(test_pump_of_an_idle_loop),
      TEST(test_messages_too_large),
      TEST(test_raw_has_no_message_limit),
      TEST(test_after_end),
      TEST(test_raw_end),
      TEST(test_after_close),
      TEST(test_after_disconnect),
      TEST(test_raw_after_disconnect),
      TEST(test_after_a_failed_connect),
      TEST(test_before_connected),
      TEST(test_after_close_while_connecting),
      TEST(test_pause_twice),
      TEST(test_server_close_twice),
      TEST(test_server_close_before_anything),
      TEST(test_version),
      TEST(test_data),
      TEST(test_facts),
      TEST(test_every_call_in_every_callback),
      TEST(test_every_call_in_an_owning_server),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
