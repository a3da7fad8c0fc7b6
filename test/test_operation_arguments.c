/* Wrong calls of the operations: receives, sends with a deadline or out of
 * pieces, calls, cancel, accept, those that wait, posters and pumps. Each
 * answers its error at once, begins nothing and never calls back. */
#include <limits.h>

#include "arguments.h"

/* ---- Operations that end ------------------------------------------------ */

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

/* ---- NULL --------------------------------------------------------------- */

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

/* ---- What a send takes -------------------------------------------------- */

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

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_null_channel_operations),
      TEST(test_null_to_wait),
      TEST(test_null_poster),
      TEST(test_null_pump),
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
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
