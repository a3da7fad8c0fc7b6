/* The calls of the table: every public function, each with the answers that it
 * may have in the state that the channel or server is in. test_reentrancy.py
 * fails when the header has a function that is not called here. */
#include "reentrancy.h"

static const uint8_t much[300 << 10];

int answered(int answer) {
  talk.in_call--;
  return answer;
}

/* ---- What the header says ------------------------------------------------ */

/* One that was closed while it connects shows the old state until it has sent
 * what waits. */
static ipc_channel_state_t state_of(const end_t* end) {
  ipc_channel_info_t info;

  assert_int_equal(CALL(ipc_channel_info(end->channel, &info)), 0);
  return end->has_closed ? IPC_CHANNEL_CLOSING : info.state;
}

static int is_over(const end_t* end) {
  return state_of(end) >= IPC_CHANNEL_DEAD;
}

static int may_send(const end_t* end) {
  return !is_over(end) && !end->has_ended;
}

/* Of a send, where `taken` says that it could. */
static void assert_sends(int err, int taken) {
  if (taken) {
    assert_true(err == 0 || err == UV_EAGAIN);
  } else {
    assert_int_equal(err, UV_EPIPE);
  }
}

/* ---- Sends --------------------------------------------------------------- */

static op_t* new_send(end_t* end, size_t size) {
  op_t* op = new_op(end, SEND);

  op->size = size;
  return op;
}

static void do_send(end_t* end, const void* data, size_t size) {
  int taken = may_send(end);
  op_t* op = new_send(end, size);
  int err = CALL(ipc_channel_send(end->channel, data, size, on_sent, op));

  assert_sends(err, taken);
  op_began(op, err);
}

static void send_some(end_t* end) {
  do_send(end, "borrowed", 8);
}

static void send_much(end_t* end) {
  do_send(end, much, sizeof(much));
}

static void send_copy(end_t* end) {
  int taken = may_send(end);
  op_t* op = new_send(end, 6);
  int err = CALL(ipc_channel_send_copy(end->channel, "copied", 6, on_sent, op));

  assert_sends(err, taken);
  op_began(op, err);
  err = CALL(ipc_channel_send_copy(end->channel, NULL, 0, NULL, NULL));
  assert_sends(err, taken);
}

static void send_timeout(end_t* end) {
  static const int timeouts[] = {0, 1, IPC_CHANNEL_INFINITE};
  int taken = may_send(end);
  size_t i;

  for (i = 0; i < TEST_COUNT(timeouts); i++) {
    op_t* op = new_send(end, 4);
    int err = CALL(ipc_channel_send_timeout(end->channel, "late", 4,
                                            timeouts[i], on_sent, op));

    assert_sends(err, taken);
    op_began(op, err);
  }
}

static void send_vector(end_t* end) {
  uv_buf_t pieces[2] = {uv_buf_init("two ", 4), uv_buf_init("pieces", 6)};
  int taken = may_send(end);
  op_t* op = new_send(end, 10);
  int err =
      CALL(ipc_channel_send_vector(end->channel, pieces, 2, -1, on_sent, op));

  assert_sends(err, taken);
  op_began(op, err);
}

static void try_send(end_t* end) {
  uv_buf_t pieces[2] = {uv_buf_init("two ", 4), uv_buf_init("pieces", 6)};
  int taken = may_send(end);
  size_t sent;

  assert_sends(CALL(ipc_channel_try_send(end->channel, "try", 3, &sent)),
               taken);
  assert_sends(
      CALL(ipc_channel_try_send_vector(end->channel, pieces, 2, &sent)), taken);
}

static void flush(end_t* end) {
  int is_alive = !is_over(end);
  int err = CALL(ipc_channel_flush(end->channel));

  /* A channel that is closing may be dead or not. */
  if (is_alive) assert_int_equal(err, 0);
  assert_true(err == 0 || err == UV_EPIPE);
}

static void send_and_flush(end_t* end) {
  send_some(end);
  flush(end);
}

/* ---- Receives ------------------------------------------------------------ */

/* `err` of a receive: what else it may be is for the caller. */
static void assert_receives(int err, ipc_channel_state_t state) {
  if (state == IPC_CHANNEL_CLOSING) {
    assert_int_equal(err, UV_EPIPE);
  } else if (state == IPC_CHANNEL_DEAD) {
    assert_true(err == 0 || err == UV_EPIPE || err == UV_EOF);
  } else {
    assert_true(err == 0 || err == UV_EOF);
  }
}

static void do_receive(end_t* end, int timeout_ms) {
  ipc_channel_state_t state = state_of(end);
  op_t* op = new_op(end, RECEIVE);
  int err = CALL(ipc_channel_recv(end->channel, timeout_ms, on_received, op));

  assert_receives(err, state);
  op_began(op, err);
}

static void receive(end_t* end) {
  do_receive(end, IPC_CHANNEL_INFINITE);
}

static void receive_at_once(end_t* end) {
  do_receive(end, 0);
  do_receive(end, 1);
}

static void try_receive(end_t* end) {
  ipc_channel_state_t state = state_of(end);
  static char room[16];
  uv_buf_t piece = uv_buf_init(room, sizeof(room));
  const void* data;
  size_t size;
  int err = CALL(ipc_channel_try_recv_vector(end->channel, &piece, 1, &size));

  if (err == UV_ENOBUFS) assert_true(size > sizeof(room));
  if (err != UV_ENOBUFS && err != UV_EAGAIN) assert_receives(err, state);
  err = CALL(ipc_channel_try_recv(end->channel, &data, &size));
  if (err != UV_EAGAIN) assert_receives(err, state);
  if (err == 0) assert_non_null(data);
}

static void ready(end_t* end) {
  static const int timeouts[] = {0, IPC_CHANNEL_INFINITE};
  int is_closing = state_of(end) == IPC_CHANNEL_CLOSING;
  size_t i;

  for (i = 0; i < TEST_COUNT(timeouts); i++) {
    op_t* op = new_op(end, READY);
    int err = CALL(ipc_channel_ready(
        end->channel, IPC_CHANNEL_READABLE | (int) i * IPC_CHANNEL_WRITABLE,
        timeouts[i], on_ready, op));

    assert_int_equal(err, is_closing ? UV_EPIPE : 0);
    op_began(op, err);
  }
}

/* ---- Calls and replies --------------------------------------------------- */

static void call_peer(end_t* end) {
  int taken = may_send(end);
  op_t* op = new_op(end, CALL_PEER);
  int err = CALL(ipc_channel_call(end->channel, "question", 8,
                                  IPC_CHANNEL_INFINITE, on_reply, op));

  /* UV_EPIPE also where the peer has ended. */
  if (err != UV_EPIPE) assert_sends(err, taken);
  op_began(op, err);
}

/* To the request at hand, or an earlier one, and to one that never was. */
static void reply(end_t* end) {
  int taken = may_send(end);
  int err = CALL(ipc_channel_reply(end->channel, 1, "what?", 5));

  assert_int_equal(err, taken ? UV_ENOENT : UV_EPIPE);
  if (!end->has_request) return;
  err = CALL(ipc_channel_reply(end->channel, end->request, "answer", 6));
  if (!taken) assert_int_equal(err, UV_EPIPE);
  /* The request may be of a connection before this one. */
  assert_true(err == 0 || err == UV_ENOENT || err == UV_EPIPE);
}

/* ---- Cancelling ---------------------------------------------------------- */

static void cancel_op(op_t* op) {
  int err = CALL(ipc_channel_cancel(op->end->channel, op->id));

  if (op->told || op->is_cancelled) {
    assert_int_equal(err, UV_ENOENT);
  } else if (op->kind == SEND) {
    assert_true(err == 0 || err == UV_EBUSY || err == UV_ENOENT);
  } else if (op->kind == CALL_PEER) {
    /* Over, where the connection is. */
    assert_true(err == 0 || err == UV_ENOENT);
  } else {
    assert_int_equal(err, 0);
  }
  if (err == 0) op_cancelled(op);
}

/* Each that there has been, of whatever kind: pending, cancelled or over. */
static void cancel_all(end_t* end) {
  int i;

  for (i = 0; i < talk.op_count; i++) {
    if (talk.ops[i].end == end && talk.ops[i].id != 0) cancel_op(&talk.ops[i]);
  }
  assert_int_equal(CALL(ipc_channel_cancel(end->channel, 0)), UV_ENOENT);
  assert_int_equal(CALL(ipc_channel_cancel(end->channel, UINT64_MAX)),
                   UV_ENOENT);
}

static void cancel_pending(end_t* end) {
  if (end->victim != NULL) cancel_op(end->victim);
}

/* Those that were just begun; twice. */
static void cancel_own(end_t* end) {
  int first = talk.op_count;
  int i;

  send_some(end);
  receive(end);
  ready(end);
  call_peer(end);
  for (i = first; i < talk.op_count; i++) {
    cancel_op(&talk.ops[i]);
    cancel_op(&talk.ops[i]);
  }
}

static void last_op(end_t* end) {
  ipc_op_t before;
  ipc_op_t after;
  int taken = may_send(end);

  RUN(before = ipc_channel_last_op(end->channel));
  /* The *_wait functions have some of their own. */
  if (talk.manner != BLOCKS) assert_int_equal(before != 0, end->has_ops);
  send_some(end);
  RUN(after = ipc_channel_last_op(end->channel));
  if (!taken) assert_true(after == before);
}

/* ---- The channel's life -------------------------------------------------- */

static void do_pause(end_t* end) {
  assert_int_equal(CALL(ipc_channel_pause(end->channel)),
                   is_over(end) ? UV_EPIPE : 0);
}

static void do_resume(end_t* end) {
  assert_int_equal(CALL(ipc_channel_resume(end->channel)),
                   is_over(end) ? UV_EPIPE : 0);
}

static void pause_and_resume(end_t* end) {
  do_pause(end);
  do_resume(end);
}

static void end_it(end_t* end) {
  int taken = may_send(end);
  int err = CALL(ipc_channel_end(end->channel));

  assert_int_equal(err, taken ? 0 : UV_EPIPE);
  if (err == 0) end->has_ended = 1;
}

static void close_it(end_t* end) {
  int err = CALL(ipc_channel_close(end->channel));

  if (end->has_closed) {
    assert_int_equal(err, UV_EALREADY);
  } else if (talk.manner == OWNED && !end->is_client) {
    assert_true(err == 0 || err == UV_EALREADY);
  } else {
    assert_int_equal(err, 0);
  }
  end->has_closed = 1;
  assert_int_equal(CALL(ipc_channel_close(end->channel)), UV_EALREADY);
}

static void send_and_close(end_t* end) {
  send_some(end);
  close_it(end);
}

static void disconnect(end_t* end) {
  ipc_channel_state_t state = state_of(end);
  int err = CALL(ipc_channel_disconnect(end->channel));

  if (state == IPC_CHANNEL_DEAD) {
    assert_int_equal(err, UV_EPIPE);
  } else if (state == IPC_CHANNEL_CLOSING) {
    assert_true(err == 0 || err == UV_EPIPE);
  } else {
    assert_int_equal(err, 0);
    assert_int_equal(state_of(end), IPC_CHANNEL_DEAD);
  }
}

static void send_and_disconnect(end_t* end) {
  send_much(end);
  disconnect(end);
}

static void close_and_disconnect(end_t* end) {
  close_it(end);
  disconnect(end);
}

static void disconnect_and_close(end_t* end) {
  disconnect(end);
  close_it(end);
}

static void facts(end_t* end) {
  ipc_channel_info_t info;
  ipc_channel_stats_t stats;
  ipc_peer_t peer;
  ipc_server_t* server;
  uv_os_fd_t handle;
  uv_loop_t* loop;
  void* data;
  int err;

  assert_int_equal(CALL(ipc_channel_info(end->channel, &info)), 0);
  assert_true(strlen(info.os_name) > 0);
  assert_int_equal(info.is_server, !end->is_client);
  assert_int_equal(CALL(ipc_channel_stats(end->channel, &stats)), 0);
  err = CALL(ipc_channel_peer(end->channel, &peer));
  if (err != 0) assert_int_equal(err, UV_ENOTCONN);
  assert_int_equal(CALL(ipc_channel_handle(end->channel, &handle)), err);
  if (info.is_connected) assert_int_equal(err, 0);
  RUN(loop = ipc_channel_loop(end->channel));
  assert_int_equal(loop == test_loop(), talk.manner != BLOCKS);
  RUN(server = ipc_channel_server(end->channel));
  if (server != NULL) assert_ptr_equal(server, talk.server);
  if (end->is_client) assert_null(server);
  RUN(ipc_channel_set_data(end->channel, end));
  RUN(data = ipc_channel_data(end->channel));
  assert_ptr_equal(data, end);
}

/* ---- Blocking ------------------------------------------------------------ */

/* Inside a callback of a private loop, and over a loop of ours. */
static int refusal(void) {
  return talk.manner == BLOCKS ? UV_EALREADY : UV_EINVAL;
}

static void channel_waits(end_t* end) {
  ipc_channel_t* channel = end->channel;
  ipc_close_result_t result;
  const void* data;
  size_t size;

  assert_int_equal(CALL(ipc_channel_send_wait(channel, "x", 1, -1, &size)),
                   refusal());
  assert_int_equal(CALL(ipc_channel_recv_wait(channel, -1, &data, &size)),
                   refusal());
  assert_int_equal(
      CALL(ipc_channel_call_wait(channel, "x", 1, -1, &data, &size)),
      refusal());
  assert_int_equal(CALL(ipc_channel_close_wait(channel, &result)), refusal());
}

static void server_waits(end_t* end) {
  ipc_channel_t* channel;

  (void) end;
  assert_int_equal(CALL(ipc_server_accept_wait(talk.server, -1, &channel)),
                   refusal());
  assert_int_equal(CALL(ipc_server_close_wait(talk.server)), refusal());
}

/* Over private loops of their own, which nobody runs: they do their work. */
static void other_waits(end_t* end) {
  ipc_server_options_t server_options;
  ipc_client_options_t client_options;
  ipc_channel_t* channel;
  ipc_server_t* server;
  const char* name = test_name();

  (void) end;
  ipc_client_options_init(&client_options, name);
  assert_int_equal(
      CALL(ipc_client_connect_wait(&client_options, NULL, &channel)),
      UV_ENOENT);
  assert_null(channel);
  ipc_server_options_init(&server_options, name);
  assert_int_equal(
      CALL(ipc_server_listen(NULL, &server_options, NULL, &server)), 0);
  assert_int_equal(CALL(ipc_server_accept_wait(server, 0, &channel)),
                   UV_ETIMEDOUT);
  assert_int_equal(CALL(ipc_server_close_wait(server)), 0);
}

/* ---- Posters and pumps --------------------------------------------------- */

static void poster(end_t* end) {
  int taken = may_send(end);
  ipc_poster_t* made;
  int err = CALL(
      ipc_poster_create(end->channel, 1024, on_wake, &talk.wakes_told, &made));

  if (!taken) {
    assert_int_equal(err, UV_EPIPE);
    return;
  }
  assert_int_equal(err, 0);
  talk.wakes_asked++;
  RUN(ipc_poster_retain(made));
  assert_int_equal(CALL(ipc_poster_send(made, "posted", 6)), 0);
  RUN(ipc_poster_wake(made));
  RUN(ipc_poster_wake(made));
  RUN(ipc_poster_release(made));
  RUN(ipc_poster_release(made));
}

/* A poster that lives on after its channel's close began. */
static void poster_and_close(end_t* end) {
  ipc_poster_t* made;

  if (!may_send(end)) return;
  assert_int_equal(
      CALL(ipc_poster_create(end->channel, 1024, NULL, NULL, &made)), 0);
  assert_int_equal(CALL(ipc_poster_send(made, "posted", 6)), 0);
  close_it(end);
  assert_int_equal(CALL(ipc_poster_send(made, "late", 4)), UV_EPIPE);
  RUN(ipc_poster_wake(made));
  RUN(ipc_poster_release(made));
}

/* The one that runs us, and one of a loop that nobody runs. */
static void pump(end_t* end) {
  uv_os_fd_t handle;
  ipc_pump_t* made;
  uv_loop_t loop;
  int timeout_ms;

  (void) end;
  assert_non_null(talk.pump);
  assert_int_equal(CALL(ipc_pump_run(talk.pump)), UV_EALREADY);
  assert_int_equal(CALL(ipc_pump_destroy(talk.pump)), UV_EALREADY);
  RUN(timeout_ms = ipc_pump_timeout(talk.pump));
  assert_true(timeout_ms >= IPC_CHANNEL_INFINITE);
  RUN(handle = ipc_pump_handle(talk.pump));
  assert_true(handle == ipc_pump_handle(talk.pump));

  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(CALL(ipc_pump_create(&loop, &made)), 0);
  assert_int_equal(CALL(ipc_pump_run(made)), 0);
  assert_int_equal(CALL(ipc_pump_destroy(made)), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- Servers and clients ------------------------------------------------- */

static void server_facts(end_t* end) {
  ipc_server_info_t info;
  ipc_server_stats_t stats;
  void* data;

  (void) end;
  assert_int_equal(CALL(ipc_server_info(talk.server, &info)), 0);
  assert_true(strlen(info.os_name) > 0);
  assert_int_equal(CALL(ipc_server_stats(talk.server, &stats)), 0);
  RUN(data = ipc_server_data(talk.server));
  assert_ptr_equal(data, &talk);
}

static op_t* do_accept(int timeout_ms) {
  op_t* op = new_op(NULL, ACCEPT);
  int err = CALL(ipc_server_accept(talk.server, timeout_ms, on_accept, op));

  if (talk.manner == PUSH) {
    assert_int_equal(err, UV_EINVAL);
  } else {
    assert_int_equal(err, talk.server_is_closed ? UV_EPIPE : 0);
  }
  op_began(op, err);
  return err == 0 ? op : NULL;
}

static void accept_one(end_t* end) {
  (void) end;
  do_accept(IPC_CHANNEL_INFINITE);
  do_accept(0);
}

static void accept_and_cancel(end_t* end) {
  op_t* op = do_accept(IPC_CHANNEL_INFINITE);
  ipc_op_t id;

  (void) end;
  RUN(id = ipc_server_last_op(talk.server));
  if (op != NULL) {
    assert_true(id == op->id);
    assert_int_equal(CALL(ipc_server_cancel(talk.server, id)), 0);
    op_cancelled(op);
    assert_int_equal(CALL(ipc_server_cancel(talk.server, id)), UV_ENOENT);
  }
  assert_int_equal(CALL(ipc_server_cancel(talk.server, 0)), UV_ENOENT);
}

/* Every accept that there has been. */
static void cancel_accepts(end_t* end) {
  int i;

  (void) end;
  for (i = 0; i < talk.op_count; i++) {
    op_t* op = &talk.ops[i];
    int err;

    if (op->kind != ACCEPT) continue;
    err = CALL(ipc_server_cancel(talk.server, op->id));
    if (op->told || op->is_cancelled) {
      assert_int_equal(err, UV_ENOENT);
    } else if (!talk.server_is_closed) {
      assert_int_equal(err, 0);
    } else {
      assert_true(err == 0 || err == UV_ENOENT);
    }
    if (err == 0) op_cancelled(op);
  }
}

static void close_server(end_t* end) {
  int err = CALL(ipc_server_close(talk.server, on_server_close));

  (void) end;
  assert_int_equal(err, talk.server_is_closed ? UV_EALREADY : 0);
  talk.server_is_closed = 1;
  assert_int_equal(CALL(ipc_server_close(talk.server, NULL)), UV_EALREADY);
}

static void close_everything(end_t* end) {
  end_t* other = other_end(end);

  if (other != NULL) close_it(other);
  if (talk.server != NULL) close_server(end);
  close_it(end);
}

static void connect_one(end_t* end) {
  ipc_client_options_t options;
  end_t* client = new_client();

  (void) end;
  fill_extra_options(&options);
  assert_int_equal(
      CALL(ipc_client_connect(test_loop(), &options, client, &client->channel)),
      0);
}

static void connect_and_leave(end_t* end) {
  connect_one(end);
  close_it(&talk.ends[talk.end_count - 1]);
}

/* A second server of the name, and one beside. */
static void listen_anew(end_t* end) {
  ipc_server_options_t options;
  ipc_server_t* server;
  int err;

  (void) end;
  ipc_server_options_init(&options, test_name());
  assert_int_equal(
      CALL(ipc_server_listen(test_loop(), &options, NULL, &server)), 0);
  assert_int_equal(CALL(ipc_server_close(server, NULL)), 0);

  ipc_server_options_init(&options, talk.name);
  err = CALL(ipc_server_listen(test_loop(), &options, NULL, &server));
  /* Wine notices only while an instance of the first server listens. */
  if (talk.server != NULL && !talk.server_is_closed && !test_is_windows()) {
    assert_int_equal(err, UV_EADDRINUSE);
  }
  if (err == 0) {
    assert_int_equal(CALL(ipc_server_close(server, NULL)), 0);
  } else {
    assert_int_equal(err, UV_EADDRINUSE);
  }
}

/* ---- What needs nothing -------------------------------------------------- */

static void names(end_t* end) {
  ipc_name_state_t state;
  ipc_name_info_t info;
  unsigned int version;
  ipc_peer_t peer;

  (void) end;
  RUN(version = ipc_version());
  assert_true(version >= 1 << 8);
  assert_int_equal(CALL(ipc_name_resolve(talk.name, &info)), 0);
  assert_int_equal(CALL(ipc_name_resolve("a/b", &info)), UV_EINVAL);
  assert_int_equal(CALL(ipc_name_probe(test_name(), &state, &peer)), 0);
  assert_int_equal(state, IPC_CHANNEL_NAME_ABSENT);
}

/* Our own server, which has no turn of the loop to notice. */
static void probe(end_t* end) {
  ipc_name_state_t state;
  ipc_peer_t peer;

  (void) end;
  assert_int_equal(CALL(ipc_name_probe(talk.name, &state, &peer)), 0);
  if (talk.server != NULL && !talk.server_is_closed) {
    assert_true(state == IPC_CHANNEL_NAME_LIVE ||
                state == IPC_CHANNEL_NAME_BUSY);
  }
}

static ipc_allocator_t allocator(void) {
  static test_memory_t memory;

  return test_allocator(&memory);
}

const ipc_length_prefix_t some_prefix = {.bytes = 2};

static int decode(const void* data,
                  size_t size,
                  ipc_frame_t* frame,
                  void* arg) {
  (void) data;
  (void) arg;
  frame->size = frame->message_size = size;
  return 0;
}

static int encode(const uv_buf_t* pieces,
                  unsigned int count,
                  size_t size,
                  ipc_envelope_t* envelope,
                  void* arg) {
  (void) pieces;
  (void) count;
  (void) size;
  (void) envelope;
  (void) arg;
  return 0;
}

const ipc_codec_t some_codec = {.decode = decode, .encode = encode};

static void server_builder(end_t* end) {
  ipc_allocator_t a = allocator();
  ipc_server_options_t o;
  const char* error;

  (void) end;
  RUN(ipc_server_options_init(&o, talk.name));
  SET(ipc_server_options_set_delimiter(&o, 0));
  SET(ipc_server_options_set_length_prefix(&o, &some_prefix));
  SET(ipc_server_options_set_codec(&o, &some_codec));
  SET(ipc_server_options_set_framing(&o, IPC_CHANNEL_FRAMING_NATIVE));
  SET(ipc_server_options_set_max_instances(&o, 1));
  SET(ipc_server_options_set_waiting_instances(&o, 1));
  SET(ipc_server_options_set_max_total_queue_bytes(&o, 1));
  SET(ipc_server_options_set_pending_instances(&o, 1));
  SET(ipc_server_options_set_peers(&o, IPC_CHANNEL_PEERS_SAME_USER));
  SET(ipc_server_options_set_peer_group(&o, "staff"));
  SET(ipc_server_options_on_admit(&o, NULL));
  SET(ipc_server_options_set_handshake_timeout(&o, 1));
  SET(ipc_server_options_on_connection(&o, NULL));
  SET(ipc_server_options_on_error(&o, NULL));
  SET(ipc_server_options_set_buffer_sizes(&o, 0, 0));
  SET(ipc_server_options_set_max_message_bytes(&o, 1));
  SET(ipc_server_options_set_max_queue_bytes(&o, 1));
  SET(ipc_server_options_set_max_queue_messages(&o, 1));
  SET(ipc_server_options_set_slow_reader(&o, IPC_CHANNEL_SLOW_BLOCK));
  SET(ipc_server_options_set_access(&o, IPC_CHANNEL_ACCESS_DUPLEX));
  SET(ipc_server_options_set_heartbeat(&o, 10));
  SET(ipc_server_options_set_close_timeout(&o, 0));
  SET(ipc_server_options_set_idle_timeout(&o, 1));
  SET(ipc_server_options_set_allocator(&o, &a));
  SET(ipc_server_options_on_message(&o, NULL));
  SET(ipc_server_options_on_request(&o, NULL));
  SET(ipc_server_options_on_state(&o, NULL));
  SET(ipc_server_options_on_drain(&o, NULL));
  SET(ipc_server_options_on_end(&o, NULL));
  SET(ipc_server_options_on_close(&o, NULL));
  RUN(error = ipc_server_options_error(&o));
  assert_string_equal(error, "");
  ONLY(!test_is_windows(), ipc_server_options_set_posix_mode(&o, 0600));
  ONLY(!test_is_windows(), ipc_server_options_set_posix_owner(&o, -1, -1));
  ONLY(test_is_windows(), ipc_server_options_set_windows_sddl(&o, "D:"));
}

static void client_builder(end_t* end) {
  ipc_allocator_t a = allocator();
  ipc_client_options_t o;
  const char* error;

  (void) end;
  RUN(ipc_client_options_init(&o, talk.name));
  SET(ipc_client_options_set_delimiter(&o, 0));
  SET(ipc_client_options_set_length_prefix(&o, &some_prefix));
  SET(ipc_client_options_set_codec(&o, &some_codec));
  SET(ipc_client_options_set_framing(&o, IPC_CHANNEL_FRAMING_NATIVE));
  SET(ipc_client_options_set_connect_timeout(&o, 1));
  SET(ipc_client_options_set_wait_for_server(&o, 1));
  SET(ipc_client_options_set_wait_for_instance(&o, 1));
  SET(ipc_client_options_set_wait_for_backlog(&o, 1));
  SET(ipc_client_options_set_wait_when_busy(&o, 1));
  SET(ipc_client_options_set_retry_interval(&o, 1));
  SET(ipc_client_options_set_server_user(&o,
                                         test_is_windows() ? "S-1-5-18" : "0"));
  SET(ipc_client_options_set_server_peers(&o, IPC_CHANNEL_PEERS_SAME_USER));
  SET(ipc_client_options_set_impersonation(
      &o, IPC_CHANNEL_IMPERSONATION_ANONYMOUS));
  SET(ipc_client_options_on_connect(&o, NULL));
  SET(ipc_client_options_set_reconnect(&o, 1, 1));
  SET(ipc_client_options_set_max_message_bytes(&o, 1));
  SET(ipc_client_options_set_max_queue_bytes(&o, 1));
  SET(ipc_client_options_set_max_queue_messages(&o, 1));
  SET(ipc_client_options_set_slow_reader(&o, IPC_CHANNEL_SLOW_BLOCK));
  SET(ipc_client_options_set_access(&o, IPC_CHANNEL_ACCESS_DUPLEX));
  SET(ipc_client_options_set_heartbeat(&o, 10));
  SET(ipc_client_options_set_close_timeout(&o, 0));
  SET(ipc_client_options_set_idle_timeout(&o, 1));
  SET(ipc_client_options_set_allocator(&o, &a));
  SET(ipc_client_options_on_message(&o, NULL));
  SET(ipc_client_options_on_request(&o, NULL));
  SET(ipc_client_options_on_state(&o, NULL));
  SET(ipc_client_options_on_drain(&o, NULL));
  SET(ipc_client_options_on_end(&o, NULL));
  SET(ipc_client_options_on_close(&o, NULL));
  RUN(error = ipc_client_options_error(&o));
  assert_string_equal(error, "");
  ONLY(!test_is_windows(), ipc_client_options_set_buffer_sizes(&o, 0, 0));
}

/* ---- The table ----------------------------------------------------------- */

const call_t calls[] = {
    {"send", send_some, NEEDS_CHANNEL, 0},
    {"send of much", send_much, NEEDS_CHANNEL, 0},
    {"send_copy", send_copy, NEEDS_CHANNEL, 0},
    {"send_timeout", send_timeout, NEEDS_CHANNEL, 0},
    {"send_vector", send_vector, NEEDS_CHANNEL, 0},
    {"try_send", try_send, NEEDS_CHANNEL, 0},
    {"flush", flush, NEEDS_CHANNEL, 0},
    {"send and flush", send_and_flush, NEEDS_CHANNEL, 0},
    {"recv", receive, NEEDS_CHANNEL, 0},
    {"recv at once", receive_at_once, NEEDS_CHANNEL, 0},
    {"try_recv", try_receive, NEEDS_CHANNEL, 0},
    {"ready", ready, NEEDS_CHANNEL, 0},
    {"call", call_peer, NEEDS_CHANNEL, 0},
    {"reply", reply, NEEDS_CHANNEL, 0},
    {"cancel of all", cancel_all, NEEDS_CHANNEL, 0},
    {"cancel of a pending call", cancel_pending, NEEDS_CHANNEL, 0},
    {"cancel at once", cancel_own, NEEDS_CHANNEL, 0},
    {"last_op", last_op, NEEDS_CHANNEL, 0},
    {"pause", do_pause, NEEDS_CHANNEL, 0},
    {"resume", do_resume, NEEDS_CHANNEL, 0},
    {"pause and resume", pause_and_resume, NEEDS_CHANNEL, 0},
    {"end", end_it, NEEDS_CHANNEL, 0},
    {"close", close_it, NEEDS_CHANNEL, 0},
    {"send and close", send_and_close, NEEDS_CHANNEL, 0},
    {"disconnect", disconnect, NEEDS_CHANNEL, 0},
    {"send and disconnect", send_and_disconnect, NEEDS_CHANNEL, 0},
    {"close and disconnect", close_and_disconnect, NEEDS_CHANNEL, 0},
    {"disconnect and close", disconnect_and_close, NEEDS_CHANNEL, 0},
    {"facts", facts, NEEDS_CHANNEL, 0},
    {"waits on the channel", channel_waits, NEEDS_CHANNEL, 0},
    {"poster", poster, NEEDS_CHANNEL, 0},
    {"poster and close", poster_and_close, NEEDS_CHANNEL, 0},
    {"close of everything", close_everything, NEEDS_CHANNEL, 0},
    {"server facts", server_facts, NEEDS_SERVER, 0},
    {"accept", accept_one, NEEDS_SERVER, 0},
    {"accept and cancel", accept_and_cancel, NEEDS_SERVER, 0},
    {"cancel of accepts", cancel_accepts, NEEDS_SERVER, 0},
    {"server close", close_server, NEEDS_SERVER, 0},
    {"waits on the server", server_waits, NEEDS_SERVER, 0},
    {"waits on others", other_waits, NEEDS_NOTHING, 0},
    {"connect", connect_one, NEEDS_NOTHING, 0},
    {"connect and leave", connect_and_leave, NEEDS_NOTHING, 0},
    {"listen", listen_anew, NEEDS_NOTHING, 0},
    {"names", names, NEEDS_NOTHING, 0},
    {"probe", probe, NEEDS_NOTHING, 0},
    {"builders", server_builder, NEEDS_NOTHING, 0},
    {"builders of clients", client_builder, NEEDS_NOTHING, 0},
    {"builders of channels", channel_builder, NEEDS_NOTHING, 0},
    {"pairs", pairs, NEEDS_NOTHING, 0},
    {"activation", activation, NEEDS_NOTHING, 0},
    {"FIFOs", fifos, NEEDS_NOTHING, 0},
    {"builder of children", child_builder, NEEDS_NOTHING, 0},
    {"children", children, NEEDS_NOTHING, 0},
    {"builder of workers", worker_builder, NEEDS_NOTHING, 0},
    {"workers", workers, NEEDS_NOTHING, 0},
    {"pump", pump, NEEDS_NOTHING, 1},
};
const size_t call_count = TEST_COUNT(calls);
