/* Every function may be called from every callback: a table of both, each entry
 * a small conversation in which the callback makes the call once. Whatever it
 * does to the conversation, everything closes, once. */
#include "harness.h"

#include <stdio.h>

#include "pair.h"

typedef enum event_e {
  ON_ADMIT,
  ON_CONNECTION,
  ON_CONNECT,
  ON_MESSAGE_OF_SERVER,
  ON_MESSAGE_OF_CLIENT,
  ON_SENT_OF_SERVER,
  ON_SENT_OF_CLIENT,
  ON_DRAIN,
  ON_END_OF_SERVER,
  ON_END_OF_CLIENT,
  ON_CLOSE_OF_SERVER,
  ON_CLOSE_OF_CLIENT,
  ON_SERVER_CLOSE,
  EVENT_COUNT
} event_t;

static test_memory_t memory;
static pair_t pair;
static side_t extra; /* a client that a call connects */
static side_t extra_served;
static ipc_server_t* server; /* stays until its close callback is over */
static int server_told;

/* ---- The calls ---------------------------------------------------------- */

/* Any answer that some state of the channel has for it. */
static void assert_answer(int err) {
  assert_true(err == 0 || err == UV_EPIPE || err == UV_EAGAIN ||
              err == UV_EALREADY);
}

static void call_send(side_t* side) {
  assert_answer(side_lend(side, "borrowed", 8));
}

static void call_send_copy(side_t* side) {
  assert_answer(side_send(side, "copied", 6));
}

static void call_send_large(side_t* side) {
  static const uint8_t large[300 << 10];

  assert_answer(side_lend(side, large, sizeof(large)));
}

static void call_flush(side_t* side) {
  side->in_call++;
  assert_answer(ipc_channel_flush(side->channel));
  side->in_call--;
}

static void call_pause(side_t* side) {
  assert_answer(ipc_channel_pause(side->channel));
}

static void call_resume(side_t* side) {
  assert_answer(ipc_channel_resume(side->channel));
}

static void call_pause_resume(side_t* side) {
  call_pause(side);
  call_resume(side);
}

static void call_end(side_t* side) {
  assert_answer(ipc_channel_end(side->channel));
}

static void call_close(side_t* side) {
  assert_answer(ipc_channel_close(side->channel));
  assert_int_equal(ipc_channel_close(side->channel), UV_EALREADY);
}

static void call_disconnect(side_t* side) {
  assert_answer(ipc_channel_disconnect(side->channel));
}

static void call_disconnect_close(side_t* side) {
  call_disconnect(side);
  call_close(side);
}

static void call_facts(side_t* side) {
  ipc_channel_info_t info;
  ipc_channel_stats_t stats;
  ipc_peer_t peer;
  int err;

  assert_int_equal(ipc_channel_info(side->channel, &info), 0);
  assert_true(strlen(info.os_name) > 0);
  assert_int_equal(ipc_channel_stats(side->channel, &stats), 0);
  err = ipc_channel_peer(side->channel, &peer);
  assert_true(err == 0 || err == UV_ENOTCONN);
  assert_ptr_equal(ipc_channel_loop(side->channel), test_loop());
  (void) ipc_channel_server(side->channel);
  ipc_channel_set_data(side->channel, ipc_channel_data(side->channel));
  assert_ptr_equal(ipc_channel_data(side->channel), side);
}

static void call_server_facts(side_t* side) {
  ipc_server_info_t info;
  ipc_server_stats_t stats;

  (void) side;
  if (server == NULL) return;
  assert_int_equal(ipc_server_info(server, &info), 0);
  assert_true(strlen(info.os_name) > 0);
  assert_int_equal(ipc_server_stats(server, &stats), 0);
  assert_ptr_equal(ipc_server_data(server), &pair);
}

static void call_server_close(side_t* side) {
  (void) side;
  pair_close_server(&pair);
  if (server != NULL) {
    assert_int_equal(ipc_server_close(server, NULL), UV_EALREADY);
  }
}

static void call_connect(side_t* side) {
  (void) side;
  extra.on_open = side_close;
  pair_connect_side(&pair, &extra);
}

static void call_listen(side_t* side) {
  ipc_server_options_t options;
  ipc_server_t* other;

  (void) side;
  ipc_server_options_init(&options, test_name());
  assert_int_equal(ipc_server_listen(test_loop(), &options, NULL, &other), 0);
  assert_int_equal(ipc_server_close(other, NULL), 0);
}

static const struct {
  const char* name;
  void (*call)(side_t* side);
} calls[] = {
    {"send", call_send},
    {"send_copy", call_send_copy},
    {"send of much", call_send_large},
    {"flush", call_flush},
    {"pause", call_pause},
    {"resume", call_resume},
    {"pause and resume", call_pause_resume},
    {"end", call_end},
    {"close", call_close},
    {"disconnect", call_disconnect},
    {"disconnect and close", call_disconnect_close},
    {"facts", call_facts},
    {"server facts", call_server_facts},
    {"server close", call_server_close},
    {"connect", call_connect},
    {"listen", call_listen},
};

/* ---- The callbacks ------------------------------------------------------ */

static event_t wanted;
static size_t wanted_call;
static int to_peer; /* the call is for the other end's channel */
static int fired;

static void fire(event_t event, side_t* own) {
  side_t* peer = own == &pair.client ? &pair.accepted : &pair.client;
  side_t* side = to_peer ? peer : own;

  if (event != wanted || fired) return;
  if (own != &pair.client && own != &pair.accepted) return;
  fired = 1;
  /* The calls on a channel need one. */
  if (side->channel == NULL && calls[wanted_call].call != call_server_facts &&
      calls[wanted_call].call != call_server_close &&
      calls[wanted_call].call != call_connect &&
      calls[wanted_call].call != call_listen) {
    return;
  }
  calls[wanted_call].call(side);
}

static int on_admit(ipc_server_t* s, const ipc_peer_t* peer) {
  assert_ptr_equal(s, server);
  assert_non_null(peer);
  fire(ON_ADMIT, &pair.accepted);
  return 0;
}

static void opened(side_t* side) {
  int i;

  fire(side == &pair.client ? ON_CONNECT : ON_CONNECTION, side);
  if (side != &pair.client) return;
  /* The second finds the queue full, so that on_drain comes. */
  for (i = 0; i < 2; i++) assert_answer(side_send(side, "0123456789", 10));
}

static void heard(side_t* side, const void* data, size_t size) {
  fire(side == &pair.client ? ON_MESSAGE_OF_CLIENT : ON_MESSAGE_OF_SERVER,
       side);
  if (side != &pair.client) {
    assert_answer(side_send(side, data, size));
  } else {
    assert_answer(ipc_channel_end(side->channel));
  }
}

static void sent(side_t* side) {
  fire(side == &pair.client ? ON_SENT_OF_CLIENT : ON_SENT_OF_SERVER, side);
}

static void drained(side_t* side) {
  fire(ON_DRAIN, side);
}

static void ended(side_t* side) {
  fire(side == &pair.client ? ON_END_OF_CLIENT : ON_END_OF_SERVER, side);
}

static void closed(side_t* side) {
  fire(side == &pair.client ? ON_CLOSE_OF_CLIENT : ON_CLOSE_OF_SERVER, side);
}

static void server_closed(pair_t* p, ipc_server_t* s) {
  assert_ptr_equal(p, &pair);
  assert_ptr_equal(s, server);
  assert_int_equal(server_told++, 0);
  fire(ON_SERVER_CLOSE, &pair.client);
  server = NULL;
}

static side_t* next_side(pair_t* p) {
  return p->accepted.opens == 0 ? &p->accepted : &extra_served;
}

/* ---- One entry ---------------------------------------------------------- */

static void set_hooks(side_t* side) {
  side->on_open = opened;
  side->on_message = heard;
  side->on_sent = sent;
  side->on_drain = drained;
  side->on_end = ended;
  side->on_close = closed;
}

static void converse(void) {
  ipc_allocator_t allocator = test_allocator(&memory);
  int i;

  memset(&memory, 0, sizeof(memory));
  memset(&extra, 0, sizeof(extra));
  memset(&extra_served, 0, sizeof(extra_served));
  fired = server_told = 0;
  pair_init(&pair);
  ipc_server_options_set_allocator(&pair.server_options, &allocator);
  ipc_client_options_set_allocator(&pair.client_options, &allocator);
  ipc_server_options_set_close_timeout(&pair.server_options, 20);
  ipc_client_options_set_close_timeout(&pair.client_options, 20);
  ipc_client_options_set_max_queue_bytes(&pair.client_options, 12);
  ipc_server_options_on_admit(&pair.server_options, on_admit);
  set_hooks(&pair.client);
  set_hooks(&pair.accepted);
  pair.next_side = next_side;
  pair.on_server_close = server_closed;
  pair_listen(&pair);
  server = pair.server;
  pair_connect(&pair);
  while (!fired && uv_loop_alive(test_loop())) {
    test_turn();
  }
  /* Let the consequences come, as far as they do without waiting. */
  for (i = 0; i < 20; i++) uv_run(test_loop(), UV_RUN_NOWAIT);
  pair_finish(&pair);
  assert_true(fired);
  assert_int_equal(extra.closes, extra.pair != NULL);
  assert_int_equal(extra_served.closes, extra_served.opens);
  assert_int_equal(server_told, 1);
  side_free(&extra);
  side_free(&extra_served);
  if (memory.blocks != 0) fail_msg("%d blocks are left", (int) memory.blocks);
}

static void run_event(event_t event) {
  wanted = event;
  for (to_peer = 0; to_peer < 2; to_peer++) {
    for (wanted_call = 0; wanted_call < TEST_COUNT(calls); wanted_call++) {
      /* Shown when this one fails. */
      if (getenv("IPC_TEST_VERBOSE") != NULL) {
        printf("# %s%s\n", calls[wanted_call].name, to_peer ? " (peer)" : "");
      }
      converse();
    }
  }
}

#define EVENT_TEST(name, event)    \
  static void name(void** state) { \
    (void) state;                  \
    run_event(event);              \
  }

EVENT_TEST(test_in_admit, ON_ADMIT)
EVENT_TEST(test_in_connection, ON_CONNECTION)
EVENT_TEST(test_in_connect, ON_CONNECT)
EVENT_TEST(test_in_message_of_server, ON_MESSAGE_OF_SERVER)
EVENT_TEST(test_in_message_of_client, ON_MESSAGE_OF_CLIENT)
EVENT_TEST(test_in_sent_of_server, ON_SENT_OF_SERVER)
EVENT_TEST(test_in_sent_of_client, ON_SENT_OF_CLIENT)
EVENT_TEST(test_in_drain, ON_DRAIN)
EVENT_TEST(test_in_end_of_server, ON_END_OF_SERVER)
EVENT_TEST(test_in_end_of_client, ON_END_OF_CLIENT)
EVENT_TEST(test_in_close_of_server, ON_CLOSE_OF_SERVER)
EVENT_TEST(test_in_close_of_client, ON_CLOSE_OF_CLIENT)
EVENT_TEST(test_in_server_close, ON_SERVER_CLOSE)

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_in_admit),
      TEST(test_in_connection),
      TEST(test_in_connect),
      TEST(test_in_message_of_server),
      TEST(test_in_message_of_client),
      TEST(test_in_sent_of_server),
      TEST(test_in_sent_of_client),
      TEST(test_in_drain),
      TEST(test_in_end_of_server),
      TEST(test_in_end_of_client),
      TEST(test_in_close_of_server),
      TEST(test_in_close_of_client),
      TEST(test_in_server_close),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
