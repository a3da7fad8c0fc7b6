/* The conversation of the table: a server and a client that do everything that
 * calls back, so that one of the callbacks can make a call. Whatever that does
 * to them, all of it ends, once. */
#include "reentrancy.h"

#include <stdio.h>

/* A second FILL finds the queue full, so that on_drain comes; all else fits. */
#define QUEUE_BYTES 400
#define FILL 300
#define CLOSE_MS 10
/* Enough for what needs no waiting. */
#define SOME_TURNS 8
/* More than a system takes from a sender whose peer doesn't read. */
#define MUCH (4 << 20)

talk_t talk;
test_memory_t talk_memory;

static const uint8_t zeroes[MUCH];

/* ---- Ends and operations ------------------------------------------------- */

static end_t* new_end(void) {
  end_t* end = &talk.ends[talk.end_count++];

  assert_true(talk.end_count <= (int) TEST_COUNT(talk.ends));
  return end;
}

end_t* new_client(void) {
  end_t* end = new_end();

  end->is_client = 1;
  end->is_extra = talk.end_count > 1;
  return end;
}

/* One that we don't know is the server's, which is heard of first. */
static end_t* end_of(ipc_channel_t* channel) {
  end_t* end;
  int i;

  for (i = 0; i < talk.end_count; i++) {
    if (talk.ends[i].channel == channel) return &talk.ends[i];
  }
  end = new_end();
  end->channel = channel;
  end->is_extra = talk.has_fired;
  return end;
}

static end_t* served_end(void) {
  int i;

  for (i = talk.end_count - 1; i > 0; i--) {
    end_t* end = &talk.ends[i];

    if (!end->is_client && end->channel != NULL) return end;
  }
  return NULL;
}

end_t* other_end(const end_t* end) {
  end_t* other = end == &talk.ends[0] ? served_end() : &talk.ends[0];

  return other != NULL && other->channel != NULL ? other : NULL;
}

op_t* new_op(end_t* end, kind_t kind) {
  op_t* op = &talk.ops[talk.op_count++];

  assert_true(talk.op_count <= (int) TEST_COUNT(talk.ops));
  memset(op, 0, sizeof(*op));
  op->kind = kind;
  op->end = end;
  return op;
}

void op_began(op_t* op, int err) {
  if (err != 0) {
    talk.op_count--;
    return;
  }
  op->id = op->kind == ACCEPT ? ipc_server_last_op(talk.server)
                              : ipc_channel_last_op(op->end->channel);
  assert_true(op->id != 0);
  if (op->end != NULL) op->end->has_ops = 1;
}

void op_cancelled(op_t* op) {
  op->is_cancelled = 1;
  op->cancelled_at = talk.turns;
}

static void op_ended(op_t* op, ipc_channel_t* channel, int status) {
  assert_int_equal(talk.in_call, 0);
  assert_int_equal(op->told, 0);
  if (op->end != NULL) assert_ptr_equal(op->end->channel, channel);
  if (op->is_cancelled) {
    assert_int_equal(status, UV_ECANCELED);
    /* In the turn in which it was, or the next. */
    assert_true(talk.turns - op->cancelled_at <= 2);
  }
  op->told = 1;
  op->status = status;
}

static void assert_told(const end_t* end) {
  int i;

  for (i = 0; i < talk.op_count; i++) {
    if (talk.ops[i].end == end) assert_int_equal(talk.ops[i].told, 1);
  }
}

/* ---- The one callback ---------------------------------------------------- */

/* `own` is NULL for those of the server. */
static void fire(event_t event, end_t* own) {
  end_t* end = own == NULL ? served_end() : own;

  assert_int_equal(talk.in_call, 0);
  if (talk.has_fired || event != talk.event) return;
  if (own != NULL && (own->is_extra || own->is_client == talk.is_far)) return;
  talk.has_fired = 1;
  if (talk.to_peer) end = own == &talk.ends[0] ? served_end() : &talk.ends[0];
  if (talk.call->needs == NEEDS_CHANNEL &&
      (end == NULL || end->channel == NULL)) {
    return;
  }
  if (talk.call->needs == NEEDS_SERVER && talk.server == NULL) return;
  talk.had_target = 1;
  talk.call->make(end);
}

/* With bytes that live until the callback returns, whatever it calls. */
static void fire_with(event_t event,
                      end_t* end,
                      const void* data,
                      size_t size) {
  const uint8_t* bytes = data;
  uint32_t before = 0;
  uint32_t after = 0;
  size_t i;

  for (i = 0; i < size; i++) before = before * 31 + bytes[i];
  fire(event, end);
  for (i = 0; i < size; i++) after = after * 31 + bytes[i];
  assert_true(before == after);
}

/* ---- What both ends do --------------------------------------------------- */

/* Each may fail: the call has perhaps closed the channel. */

static void send_it(end_t* end, const void* data, size_t size, int timeout_ms) {
  op_t* op = new_op(end, SEND);
  int err;

  op->size = size;
  if (timeout_ms == IPC_CHANNEL_INFINITE) {
    err = CALL(ipc_channel_send(end->channel, data, size, on_sent, op));
  } else {
    err = CALL(ipc_channel_send_timeout(end->channel, data, size, timeout_ms,
                                        on_sent, op));
  }
  op_began(op, err);
}

static op_t* receive_it(end_t* end) {
  op_t* op = new_op(end, RECEIVE);
  int err = CALL(
      ipc_channel_recv(end->channel, IPC_CHANNEL_INFINITE, on_received, op));

  op_began(op, err);
  return err == 0 ? op : NULL;
}

static void wait_for_it(end_t* end) {
  op_t* op = new_op(end, READY);

  op_began(op, CALL(ipc_channel_ready(
                   end->channel, IPC_CHANNEL_READABLE | IPC_CHANNEL_WRITABLE,
                   IPC_CHANNEL_INFINITE, on_ready, op)));
}

/* "never" is not answered. */
static op_t* call_it(end_t* end, const char* request, int timeout_ms) {
  op_t* op = new_op(end, CALL_PEER);
  int err = CALL(ipc_channel_call(end->channel, request, strlen(request),
                                  timeout_ms, on_reply, op));

  op_began(op, err);
  return err == 0 ? op : NULL;
}

static void wake_it(end_t* end) {
  ipc_poster_t* poster;

  if (ipc_poster_create(end->channel, 1024, on_wake, NULL, &poster) != 0) {
    return;
  }
  talk.wakes_asked++;
  ipc_poster_wake(poster);
  ipc_poster_release(poster);
}

static void cancel_it(op_t* op) {
  if (op == NULL) return;
  assert_int_equal(CALL(ipc_channel_cancel(op->end->channel, op->id)), 0);
  op_cancelled(op);
}

static void end_it(end_t* end) {
  if (CALL(ipc_channel_end(end->channel)) == 0) end->has_ended = 1;
}

static void close_it(end_t* end) {
  if (end->channel == NULL) return;
  if (CALL(ipc_channel_close(end->channel)) == 0) end->has_closed = 1;
}

static void close_server(void) {
  if (talk.server == NULL || talk.server_is_closed) return;
  talk.server_is_closed = 1;
  assert_int_equal(CALL(ipc_server_close(talk.server, on_server_close)), 0);
}

static void accept_it(int timeout_ms, int cancels) {
  op_t* op = new_op(NULL, ACCEPT);

  op_began(op, CALL(ipc_server_accept(talk.server, timeout_ms, on_accept, op)));
  if (!cancels) return;
  assert_int_equal(CALL(ipc_server_cancel(talk.server, op->id)), 0);
  op_cancelled(op);
}

/* Everything that calls back. */
static void begin_all(end_t* end) {
  int is_own = end->is_client != talk.is_far;

  if (talk.event == ON_SEND_TIMED_OUT && talk.is_far) {
    if (end->is_client) { /* doesn't read */
      CALL(ipc_channel_pause(end->channel));
      return;
    }
    send_it(end, zeroes, sizeof(zeroes), 0);
  }
  cancel_it(receive_it(end));
  receive_it(end);
  wait_for_it(end);
  end->victim = call_it(end, "never", IPC_CHANNEL_INFINITE);
  send_it(end, zeroes, FILL, IPC_CHANNEL_INFINITE);
  send_it(end, zeroes, FILL, IPC_CHANNEL_INFINITE);
  send_it(end, "hello", 5, IPC_CHANNEL_INFINITE);
  call_it(end, "question", IPC_CHANNEL_INFINITE);
  wake_it(end);
  if (talk.event == ON_CALL_TIMED_OUT && is_own) call_it(end, "never", 1);
}

/* ---- How it goes on ------------------------------------------------------ */

static int has_all(const end_t* end) {
  return end->sent > 0 && end->drained > 0 && end->heard >= 2 &&
         end->ready > 0 && end->replied > 0 && end->cancelled > 0 &&
         end->woken > 0;
}

/* When all has been said the client ends, or somebody breaks off. */
static void go_on(void) {
  end_t* client = &talk.ends[0];
  end_t* served = served_end();
  end_t* breaker = talk.is_far ? client : served;

  if (talk.is_ending) return;
  if (talk.manner == BLOCKS) {
    client = talk.is_far ? served : client;
    served = breaker = client;
  }
  if (client == NULL || client->channel == NULL || !has_all(client)) return;
  if (served == NULL || !has_all(served)) return;
  talk.is_ending = 1;
  if (talk.event == ON_SERVER_CLOSE && talk.manner != BLOCKS) {
    close_server(); /* both channels live on */
  } else if (talk.event == ON_RECONNECTING || talk.event == ON_DEAD ||
             talk.event == ON_BROKEN) {
    CALL(ipc_channel_disconnect(breaker->channel));
  } else if (talk.event != ON_CALL_TIMED_OUT) {
    end_it(client);
  }
}

static void opened(end_t* end) {
  int is_late = talk.has_fired;

  assert_int_equal(end->opens++, 0);
  if (talk.manner != OWNED || end->is_client) fire(ON_OPEN, end);
  if (!is_late) begin_all(end);
}

void accepted(ipc_channel_t* channel) {
  opened(end_of(channel));
}

/* Else on_message gets some. */
static int receives_all(void) {
  return talk.manner == PULL || talk.event == ON_RECEIVE_ENDED;
}

static void heard(end_t* end) {
  end->heard++;
  /* In the push style the last one is for the end. */
  if (end->heard == 2 && !receives_all()) receive_it(end);
  go_on();
}

/* ---- Callbacks of the operations ----------------------------------------- */

void on_sent(ipc_channel_t* channel, void* arg, int status, size_t sent) {
  op_t* op = arg;

  op_ended(op, channel, status);
  if (status == 0) assert_int_equal(sent, op->size);
  assert_true(sent <= op->size);
  if (status == 0) fire(ON_SENT, op->end);
  if (status == UV_ETIMEDOUT) fire(ON_SEND_TIMED_OUT, op->end);
  if (status == UV_ECANCELED) fire(ON_CANCELLED, op->end);
  op->end->sent++;
  go_on();
}

void on_received(ipc_channel_t* channel,
                 void* arg,
                 int status,
                 const void* data,
                 size_t size) {
  op_t* op = arg;
  end_t* end = op->end;

  op_ended(op, channel, status);
  if (status != 0) assert_null(data);
  if (status != 0) assert_int_equal(size, 0);
  if (status == UV_ECANCELED) {
    fire(ON_CANCELLED, end);
    end->cancelled++;
  } else if (status != 0) {
    fire(ON_RECEIVE_ENDED, end);
  } else {
    fire_with(ON_RECEIVED, end, data, size);
    if (receives_all()) receive_it(end);
    heard(end);
  }
  go_on();
}

void on_ready(ipc_channel_t* channel, void* arg, int status, int events) {
  op_t* op = arg;

  op_ended(op, channel, status);
  assert_int_equal(events != 0, status == 0);
  fire(ON_READY, op->end);
  op->end->ready++;
  go_on();
}

void on_reply(ipc_channel_t* channel,
              void* arg,
              int status,
              const void* data,
              size_t size) {
  op_t* op = arg;

  op_ended(op, channel, status);
  if (status == 0) {
    fire_with(ON_REPLY, op->end, data, size);
    op->end->replied++;
  } else {
    assert_null(data);
    assert_int_equal(size, 0);
    if (status == UV_ETIMEDOUT) fire(ON_CALL_TIMED_OUT, op->end);
  }
  go_on();
}

static void connect_client(void) {
  ipc_client_options_t options;
  end_t* end = &talk.ends[0];

  fill_client_options(&options);
  assert_int_equal(
      CALL(ipc_client_connect(test_loop(), &options, end, &end->channel)), 0);
}

void on_accept(ipc_server_t* server,
               void* arg,
               int status,
               ipc_channel_t* channel) {
  op_t* op = arg;

  assert_ptr_equal(server, talk.server);
  op_ended(op, NULL, status);
  assert_int_equal(channel != NULL, status == 0);
  if (status == 0) {
    accepted(channel);
  } else if (status == UV_ETIMEDOUT) {
    fire(ON_ACCEPT_TIMED_OUT, NULL);
  } else {
    assert_int_equal(status, UV_ECANCELED);
    fire(ON_ACCEPT_CANCELLED, NULL);
  }
}

void on_wake(ipc_channel_t* channel, void* arg) {
  end_t* end = end_of(channel);

  (void) arg;
  talk.wakes_told++;
  fire(ON_WAKE, end);
  end->woken++;
  go_on();
}

/* ---- Callbacks of a channel ---------------------------------------------- */

static void on_state(ipc_channel_t* channel,
                     ipc_channel_state_t state,
                     int status) {
  static const event_t events[] = {EVENT_COUNT, ON_CONNECTED, ON_RECONNECTING,
                                   ON_DEAD, ON_CLOSING};
  end_t* end = end_of(channel);

  assert_in_range(state, IPC_CHANNEL_CONNECTED, IPC_CHANNEL_CLOSING);
  assert_int_not_equal(state, end->state);
  if (state == IPC_CHANNEL_CONNECTED) assert_int_equal(status, 0);
  end->state = state;
  fire(events[state], end);
  if (talk.manner == OWNED && !end->is_client && end->opens == 0) opened(end);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  end_t* end = end_of(channel);

  fire_with(ON_MESSAGE, end, data, size);
  heard(end);
}

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  end_t* end = end_of(channel);
  int is_question = size == 8 && memcmp(data, "question", 8) == 0;

  end->has_request = 1;
  end->request = request;
  fire_with(ON_REQUEST, end, data, size);
  if (is_question) {
    (void) CALL(ipc_channel_reply(channel, request, "answer", 6));
  }
}

static void on_drain(ipc_channel_t* channel) {
  end_t* end = end_of(channel);

  fire(ON_DRAIN, end);
  end->drained++;
  go_on();
}

static void on_end(ipc_channel_t* channel, int status) {
  end_t* end = end_of(channel);

  fire(status == 0 ? ON_END : ON_BROKEN, end);
  end_it(end);
  if (talk.manner != OWNED || end->is_client) close_it(end);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  end_t* end = end_of(channel);

  assert_non_null(result);
  assert_int_equal(end->closes++, 0);
  assert_int_equal(end->state,
                   end->is_extra && end->is_client ? 0 : IPC_CHANNEL_CLOSING);
  assert_told(end);
  end->has_closed = 1;
  fire(ON_CLOSE, end);
  end->channel = NULL;
  if (talk.manner != BLOCKS && !end->is_client) close_server();
}

static void on_connect(ipc_channel_t* channel, int status) {
  end_t* end = end_of(channel);

  if (status == 0) {
    opened(end);
  } else {
    fire(ON_CONNECT_FAILED, end);
    close_it(end);
  }
}

static void on_extra_connect(ipc_channel_t* channel, int status) {
  (void) status;
  assert_int_equal(talk.in_call, 0);
  close_it(end_of(channel));
}

/* ---- Callbacks of the server --------------------------------------------- */

static int on_admit(ipc_server_t* server, const ipc_peer_t* peer) {
  assert_non_null(peer);
  if (talk.server == NULL) talk.server = server;
  fire(ON_ADMIT, NULL);
  if (talk.event == ON_SERVER_ERROR && !talk.has_fired) {
    talk_memory.fail_from = talk_memory.calls + 1;
    talk_memory.fail_to = INT64_MAX;
  }
  return talk.event == ON_CONNECT_FAILED ? UV_EACCES : 0;
}

static void on_error(ipc_server_t* server, int status) {
  assert_ptr_equal(server, talk.server);
  talk_memory.fail_from = 0;
  if (!talk.has_fired) assert_int_equal(status, UV_ENOMEM);
  fire(ON_SERVER_ERROR, NULL);
}

static void on_connection(ipc_server_t* server, ipc_channel_t* channel) {
  assert_ptr_equal(server, talk.server);
  accepted(channel);
}

void on_server_close(ipc_server_t* server) {
  assert_ptr_equal(server, talk.server);
  assert_int_equal(talk.server_closes++, 0);
  assert_told(NULL);
  fire(ON_SERVER_CLOSE, NULL);
  talk.server = NULL;
}

/* ---- From its beginning to its end --------------------------------------- */

void fill_server_options(ipc_server_options_t* o) {
  ipc_allocator_t allocator = test_allocator(&talk_memory);

  ipc_server_options_init(o, talk.name);
  ipc_server_options_set_allocator(o, &allocator);
  ipc_server_options_set_close_timeout(o, CLOSE_MS);
  ipc_server_options_set_max_queue_bytes(o, QUEUE_BYTES);
  /* Pipes take long to make; with one Wine would forget whose the name is. */
  ipc_server_options_set_pending_instances(o, 2);
  ipc_server_options_on_admit(o, on_admit);
  ipc_server_options_on_error(o, on_error);
  if (talk.manner == PUSH) ipc_server_options_on_connection(o, on_connection);
  if (talk.manner != PULL) ipc_server_options_on_message(o, on_message);
  ipc_server_options_on_request(o, on_request);
  ipc_server_options_on_state(o, on_state);
  ipc_server_options_on_drain(o, on_drain);
  ipc_server_options_on_end(o, on_end);
  ipc_server_options_on_close(o, on_close);
}

void fill_client_options(ipc_client_options_t* o) {
  ipc_allocator_t allocator = test_allocator(&talk_memory);

  ipc_client_options_init(o, talk.name);
  ipc_client_options_set_allocator(o, &allocator);
  ipc_client_options_set_close_timeout(o, CLOSE_MS);
  ipc_client_options_set_max_queue_bytes(o, QUEUE_BYTES);
  ipc_client_options_set_retry_interval(o, 1);
  if (talk.event == ON_RECONNECTING) {
    ipc_client_options_set_reconnect(o, 1, 1);
  }
  if (talk.event == ON_SEND_TIMED_OUT && !talk.is_far) {
    ipc_client_options_set_wait_for_server(o, 1);
  }
  ipc_client_options_on_connect(o, on_connect);
  if (talk.manner != PULL) ipc_client_options_on_message(o, on_message);
  ipc_client_options_on_request(o, on_request);
  ipc_client_options_on_state(o, on_state);
  ipc_client_options_on_drain(o, on_drain);
  ipc_client_options_on_end(o, on_end);
  ipc_client_options_on_close(o, on_close);
}

void fill_extra_options(ipc_client_options_t* o) {
  ipc_allocator_t allocator = test_allocator(&talk_memory);

  ipc_client_options_init(o, talk.extra_name);
  ipc_client_options_set_allocator(o, &allocator);
  ipc_client_options_set_close_timeout(o, CLOSE_MS);
  ipc_client_options_on_connect(o, on_extra_connect);
  ipc_client_options_on_close(o, on_close);
}

void begin_talk(const talk_t* entry) {
  talk = *entry;
  talk.is_going_on = 1;
  snprintf(talk.name, sizeof(talk.name), "%s", test_name());
  snprintf(talk.extra_name, sizeof(talk.extra_name), "%s", talk.name);
  memset(&talk_memory, 0, sizeof(talk_memory));
  new_client();
}

void check_talk(void) {
  int i;

  for (i = 0; i < talk.op_count; i++) assert_int_equal(talk.ops[i].told, 1);
  for (i = 0; i < talk.end_count; i++) assert_null(talk.ends[i].channel);
  for (i = 1; i < talk.end_count; i++) {
    assert_int_equal(talk.ends[i].closes, 1);
  }
  assert_null(talk.server);
  assert_true(talk.wakes_told <= talk.wakes_asked);
  if (!talk.has_fired) fail_msg("%s", "the callback never came");
  if (talk_memory.blocks != 0) {
    fail_msg("%d blocks are left", (int) talk_memory.blocks);
  }
  talk.is_going_on = 0;
}

static void listen_to_it(void) {
  ipc_server_options_t options;

  fill_server_options(&options);
  assert_int_equal(
      CALL(ipc_server_listen(test_loop(), &options, &talk, &talk.server)), 0);
  if (talk.manner != PULL) return;
  if (talk.event == ON_ACCEPT_TIMED_OUT) accept_it(0, 0);
  if (talk.event == ON_ACCEPT_CANCELLED) accept_it(IPC_CHANNEL_INFINITE, 1);
  accept_it(IPC_CHANNEL_INFINITE, 0);
}

/* One turn; 0: there is nothing left to do. */
static int turn(void) {
  talk.turns++;
  if (!uv_loop_alive(test_loop())) return 0;
  if (talk.pump == NULL) {
    test_turn();
  } else {
    test_wait_handle(ipc_pump_handle(talk.pump), ipc_pump_timeout(talk.pump));
    ipc_pump_run(talk.pump);
  }
  return 1;
}

static void start(void) {
  if (talk.call->pumps) {
    assert_int_equal(ipc_pump_create(test_loop(), &talk.pump), 0);
  }
  if (talk.event == ON_SEND_TIMED_OUT && !talk.is_far) {
    /* Nobody is there yet who could take it. */
    connect_client();
    send_it(&talk.ends[0], "late", 4, 0);
    return;
  }
  listen_to_it();
  if (talk.event != ON_ACCEPT_TIMED_OUT) connect_client();
}

int converse(const talk_t* entry) {
  int i;

  begin_talk(entry);
  start();
  while (!talk.has_fired && turn()) continue;
  /* Let the consequences come, as far as they do without waiting. */
  for (i = 0; i < SOME_TURNS; i++) {
    talk.turns++;
    if (talk.pump == NULL) uv_run(test_loop(), UV_RUN_NOWAIT);
    if (talk.pump != NULL) ipc_pump_run(talk.pump);
  }
  for (i = 0; i < talk.end_count; i++) close_it(&talk.ends[i]);
  close_server();
  while (turn()) continue;
  if (talk.pump != NULL) assert_int_equal(ipc_pump_destroy(talk.pump), 0);
  check_talk();
  return talk.had_target;
}
