/* Pending operations that write down how they ended. */
#include "pull.h"

void pull_init(pair_t* pair) {
  pair_init(pair);
  ipc_server_options_on_message(&pair->server_options, NULL);
  ipc_client_options_on_message(&pair->client_options, NULL);
  pair->accepted.stays = pair->client.stays = 1;
}

/* ---- Begin -------------------------------------------------------------- */

static void begin(op_t* op, side_t* side) {
  op->side = side;
  op->calls = 0;
  op->in_call = 1;
  op->began_at = uv_hrtime();
}

static void begun(op_t* op, int err) {
  assert_int_equal(err, 0);
  assert_int_equal(op->calls, 0);
  op->in_call = 0;
  op->id = ipc_channel_last_op(op->side->channel);
  assert_true(op->id != 0);
}

/* ---- End ---------------------------------------------------------------- */

static void ended(op_t* op, int status, const void* data) {
  assert_false(op->in_call);
  assert_int_equal(op->calls, 0);
  assert_int_equal(op->side->closes, 0);
  op->calls++;
  op->status = status;
  op->ended_at = uv_hrtime();
  if (op->on_end != NULL) op->on_end(op, data);
}

static void on_recv(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    const void* data,
                    size_t size) {
  op_t* op = arg;
  size_t kept = size < sizeof(op->text) ? size : sizeof(op->text) - 1;

  assert_ptr_equal(channel, op->side->channel);
  if (status != 0) assert_null(data);
  if (status != 0) assert_int_equal(size, 0);
  if (kept > 0) memcpy(op->text, data, kept);
  op->text[kept] = '\0';
  op->size = size;
  ended(op, status, data);
}

static void on_ready(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     int events) {
  op_t* op = arg;

  assert_ptr_equal(channel, op->side->channel);
  assert_int_equal(events != 0, status == 0);
  op->events = events;
  ended(op, status, NULL);
}

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  op_t* op = arg;

  assert_ptr_equal(channel, op->side->channel);
  op->sent = sent;
  ended(op, status, NULL);
}

/* ---- The operations ----------------------------------------------------- */

void op_recv(op_t* op, side_t* side, int timeout_ms) {
  begin(op, side);
  begun(op, ipc_channel_recv(side->channel, timeout_ms, on_recv, op));
}

/* A reply comes as a message does. */
void op_call(op_t* op, side_t* side, int timeout_ms) {
  begin(op, side);
  begun(op, ipc_channel_call(side->channel, "?", 1, timeout_ms, on_recv, op));
}

void op_ready(op_t* op, side_t* side, int events, int timeout_ms) {
  begin(op, side);
  begun(op, ipc_channel_ready(side->channel, events, timeout_ms, on_ready, op));
}

void op_send(
    op_t* op, side_t* side, const void* data, size_t size, int timeout_ms) {
  begin(op, side);
  begun(op, ipc_channel_send_timeout(side->channel, data, size, timeout_ms,
                                     on_sent, op));
}

void op_put(op_t* op, side_t* side, const void* data, size_t size, int copy) {
  ipc_channel_t* channel = side->channel;

  begin(op, side);
  begun(op, copy ? ipc_channel_send_copy(channel, data, size, on_sent, op)
                 : ipc_channel_send(channel, data, size, on_sent, op));
}

int op_cancel(op_t* op) {
  int calls = op->calls;
  int err = ipc_channel_cancel(op->side->channel, op->id);

  assert_int_equal(op->calls, calls);
  return err;
}

/* ---- What is expected --------------------------------------------------- */

void op_ends(op_t* op, int status) {
  run_until(&op->calls, 1);
  assert_int_equal(op->status, status);
}

void op_gets(op_t* op, const char* text) {
  op_ends(op, 0);
  assert_string_equal(op->text, text);
  assert_int_equal(op->size, strlen(text));
}

void side_gets(side_t* side, const char* text) {
  op_t op = {0};

  op_recv(&op, side, IPC_CHANNEL_INFINITE);
  op_gets(&op, text);
}

void assert_not_early(const op_t* op, int timeout_ms) {
  uint64_t least = (uint64_t) timeout_ms * 1000000;

  assert_true(op->ended_at - op->began_at >= least);
}

void side_say(side_t* side, const char* text) {
  assert_int_equal(
      ipc_channel_send_copy(side->channel, text, strlen(text), NULL, NULL), 0);
}
