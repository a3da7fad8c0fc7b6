/* Calls that are wrong: bad arguments, the wrong moment, twice. And what the
 * right ones tell of a connection. Those that begin an operation or wait for
 * one are in test_operation_arguments.c. */
#include <stdio.h>

#include "arguments.h"

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

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_null_channel),
      TEST(test_null_server),
      TEST(test_null_results),
      TEST(test_null_to_listen_and_connect),
      TEST(test_probe),
      TEST(test_send_arguments),
      TEST(test_raw_send_arguments),
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
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
