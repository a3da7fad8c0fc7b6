/* Every function of the service may be called from every callback: a table of
 * both, each entry a small conversation in which the callback makes the call
 * once. Whatever that does to the conversation, no callback comes inside of the
 * call, everything closes, once, and nothing is left. */
#include <stdio.h>

#include "harness.h"
#include "service_loopback.h"

#include <ipc_service.h>

/* The callbacks; those before these are the events. */
enum {
  ON_METHOD = IPC_SERVICE_PEER_GONE + 1,
  ON_NOTIFICATION,
  ON_SENDER,
  ON_REST,
  ON_ANSWER,
  ON_TIMEOUT,
  ON_CANCELLED,
  ON_FILTER,
  ON_DIAL,
  ON_QUIT,
  ON_CLOSE,
  CALLBACKS
};

typedef struct side_s {
  ipc_service_t* service; /* NULL: closed */
  ipc_service_peer_t* peer;
  ipc_service_request_t request; /* waits */
  int is_ending;                 /* closes or quits */
  int closes;
  int counts[CALLBACKS];
} side_t;

static side_t sides[2]; /* the one that listens, and the one that connects */
static char name[64];
static char spare_name[64];
static int in_call;

typedef struct call_s {
  const char* name;
  void (*make)(side_t* side);
} call_t;

/* The entry. */
static int callback;
static int at_side;
static const call_t* entry;
static int has_fired;
static int is_going_on;

static int answered(int answer) {
  in_call--;
  return answer;
}
#define CALL(f) (in_call++, answered(f))
#define RUN(statement) \
  do {                 \
    in_call++;         \
    statement;         \
    in_call--;         \
  } while (0)

static void fire(int what, side_t* side);

static side_t* side_of(ipc_service_t* service) {
  return ipc_service_data(service);
}

/* ---- Callbacks -------------------------------------------------------------
 */

static void on_event(ipc_service_t* service,
                     ipc_service_event_t event,
                     ipc_service_peer_t* peer,
                     int status,
                     const char* text,
                     void* arg) {
  side_t* side = side_of(service);

  (void) status, (void) text, (void) arg;
  if (event == IPC_SERVICE_PEER_CAME && side->peer == NULL) side->peer = peer;
  fire((int) event, side);
  if (event == IPC_SERVICE_PEER_GONE && side->peer == peer) side->peer = NULL;
}

static void on_notification(ipc_service_t* service,
                            ipc_service_peer_t* peer,
                            const char* method,
                            json_t* params,
                            void* arg) {
  (void) peer, (void) method, (void) params;
  fire(*(const int*) arg, side_of(service));
}

static void on_method(ipc_service_t* service,
                      ipc_service_peer_t* peer,
                      ipc_service_request_t request,
                      json_t* params,
                      void* arg) {
  (void) peer, (void) params, (void) arg;
  side_of(service)->request = request;
  fire(ON_METHOD, side_of(service));
  ipc_service_reply(service, request, json_true());
}

static void on_wait(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    ipc_service_request_t request,
                    json_t* params,
                    void* arg) {
  (void) peer, (void) params, (void) arg;
  side_of(service)->request = request;
}

static void on_answer(ipc_service_t* service,
                      void* arg,
                      const ipc_service_answer_t* answer) {
  (void) answer;
  fire(*(const int*) arg, side_of(service));
}

static void on_any_answer(ipc_service_t* service,
                          void* arg,
                          const ipc_service_answer_t* answer) {
  (void) service, (void) arg, (void) answer;
  assert_int_equal(in_call, 0);
}

static int on_filter(ipc_service_peer_t* peer, void* arg) {
  int was_in_call = in_call;

  /* This one is inside of the push. */
  (void) arg;
  in_call = 0;
  fire(ON_FILTER, side_of(ipc_service_peer_service(peer)));
  in_call = was_in_call;
  return 1;
}

static int on_dial(ipc_service_t* service,
                   const char* to,
                   ipc_client_options_t* options,
                   void* arg) {
  int was_in_call = in_call;

  (void) to, (void) options, (void) arg;
  in_call = 0;
  fire(ON_DIAL, side_of(service));
  in_call = was_in_call;
  return 0;
}

static void on_quit(ipc_service_t* service) {
  fire(ON_QUIT, side_of(service));
}

static void on_close(ipc_service_t* service) {
  side_t* side = side_of(service);

  fire(ON_CLOSE, side);
  side->closes++;
  side->service = NULL;
}

/* ---- The calls
 * --------------------------------------------------------------- */

static const int any = CALLBACKS; /* a callback that isn't looked for */

static void make_options(side_t* side) {
  ipc_service_options_t o;
  ipc_service_t* service;

  (void) side;
  RUN(ipc_service_options_init(&o));
  RUN(ipc_service_options_error(&o));
  assert_int_equal(CALL(ipc_service_options_set_name(&o, "x")), 0);
  assert_int_equal(CALL(ipc_service_options_set_accept_names(&o, 1)), 0);
  assert_int_equal(CALL(ipc_service_options_set_discover(&o, 1)), 0);
  assert_int_equal(CALL(ipc_service_options_set_max_calls(&o, 5)), 0);
  assert_int_equal(CALL(ipc_service_options_set_max_requests(&o, 5)), 0);
  assert_int_equal(CALL(ipc_service_options_set_max_message_bytes(&o, 5)), 0);
  assert_int_equal(CALL(ipc_service_options_set_max_depth(&o, 5)), 0);
  assert_int_equal(CALL(ipc_service_options_set_max_batch(&o, 5)), 0);
  assert_int_equal(CALL(ipc_service_options_set_max_waiting_bytes(&o, 5)), 0);
  assert_int_equal(CALL(ipc_service_options_set_linger_timeout(&o, 5)), 0);
  assert_int_equal(CALL(ipc_service_create(test_loop(), &o, NULL, &service)),
                   0);
  assert_int_equal(CALL(ipc_service_close(service, NULL)), 0);
}

static void look(side_t* side) {
  ipc_service_stats_t stats;
  json_t* document;

  RUN(ipc_service_data(side->service));
  RUN(ipc_service_loop(side->service));
  assert_int_equal(CALL(ipc_service_stats(side->service, &stats)), 0);
  RUN(ipc_service_find(side->service, "editor"));
  RUN(ipc_service_next_peer(side->service, side->peer));
  RUN(document = ipc_service_describe(side->service));
  json_decref(document);
  if (side->peer == NULL) return;
  RUN(ipc_service_peer_service(side->peer));
  RUN(ipc_service_peer_name(side->peer));
  RUN(ipc_service_peer_set_data(side->peer, ipc_service_peer_data(side->peer)));
  RUN(ipc_service_peer_data(side->peer));
  RUN(ipc_service_peer_channel(side->peer));
}

static void quit(side_t* side) {
  CALL(ipc_service_quit(side->service, 0, NULL));
  side->is_ending = 1;
}

static void quit_patiently(side_t* side) {
  CALL(ipc_service_quit(side->service, 20, NULL));
  side->is_ending = 1;
}

static void close_service(side_t* side) {
  CALL(ipc_service_close(side->service, on_close));
  side->is_ending = 1;
}

static void listen_too(side_t* side) {
  ipc_server_options_t options;

  ipc_server_options_init(&options, spare_name);
  CALL(ipc_service_listen(side->service, &options));
}

static void connect_too(side_t* side) {
  ipc_client_options_t options;

  ipc_client_options_init(&options, name);
  CALL(ipc_service_connect(side->service, &options, "again", NULL));
}

static void add_channels(side_t* side) {
  ipc_channel_options_t options;
  const ipc_channel_options_t* both[2] = {&options, &options};
  void* none[2] = {NULL, NULL};
  ipc_channel_t* channels[2];
  int i;

  ipc_channel_options_init(&options);
  assert_int_equal(CALL(ipc_service_channel_options(&options)), 0);
  assert_int_equal(ipc_channel_pair(test_loop(), both, none, channels), 0);
  for (i = 0; i < 2; i++) {
    if (CALL(ipc_service_add_channel(side->service, channels[i], NULL, NULL)) !=
        0) {
      ipc_channel_close(channels[i]);
    }
  }
}

static void set_dial(side_t* side) {
  CALL(ipc_service_set_dial(side->service, on_dial, NULL));
}

static void loop_to_itself(side_t* side) {
  ipc_service_peer_t* peer;
  void* none = NULL;

  /* The loopback calls _came, _received, _ended, _gone and the others. */
  CALL(ipc_service_set_connector(side->service, &loopback_transport,
                                 side->service));
  CALL(ipc_service_send(side->service, "myself", "rest", NULL));
  RUN(ipc_service_set_dial(side->service, on_dial, none));
  RUN(peer = ipc_service_find(side->service, "myself"));
  if (peer != NULL) RUN(ipc_service_peer_close(peer));
}

/* A transport whose only peer comes and goes within a callback. What it reports
 * calls handlers, as it is meant to. */
#define REPORT(f) (f)

static int send_nothing(void* connection, const void* data, size_t size) {
  (void) connection, (void) data, (void) size;
  return 0;
}

static void close_nothing(void* connection) {
  (void) connection;
}

static const ipc_service_transport_t nothing = {send_nothing, close_nothing,
                                                NULL, NULL};

static void report(side_t* side) {
  static const char text[] = "{\"jsonrpc\":\"2.0\",\"method\":\"note\"}";
  ipc_service_peer_t* peer;

  if (REPORT(ipc_service_peer_came(side->service, &nothing, NULL, NULL,
                                   &peer)) == 0) {
    REPORT(ipc_service_peer_received(peer, text, sizeof(text) - 1));
    REPORT(ipc_service_peer_writable(peer));
    REPORT(ipc_service_peer_lost(peer, UV_EPIPE));
    REPORT(ipc_service_peer_connected(peer));
    REPORT(ipc_service_peer_ended(peer));
    REPORT(ipc_service_peer_gone(peer, 0));
  }
  if (CALL(ipc_service_peer_connecting(side->service, &nothing, NULL, "other",
                                       &peer)) == 0) {
    REPORT(ipc_service_peer_gone(peer, UV_ENOENT));
  }
}

static void close_peer(side_t* side) {
  if (side->peer != NULL) CALL(ipc_service_peer_close(side->peer));
}

static const ipc_service_method_t more = {"more", NULL, NULL, NULL};

static void add_handlers(side_t* side) {
  ipc_service_t* service = side->service;
  ipc_service_handler_t n[5] = {0, 0, 0, 0};
  int i;

  CALL(ipc_service_add_method(service, &more, on_wait, NULL, &n[0]));
  CALL(ipc_service_on(service, "note", on_notification, (void*) &any, &n[1]));
  CALL(ipc_service_on_from(service, "editor", on_notification, (void*) &any,
                           &n[2]));
  CALL(ipc_service_on_rest(service, on_notification, (void*) &any, &n[3]));
  CALL(ipc_service_on_event(service, IPC_SERVICE_ERROR, on_event, NULL, &n[4]));
  for (i = 0; i < 5; i++) CALL(ipc_service_remove(service, n[i]));
}

static void reply(side_t* side) {
  CALL(ipc_service_reply(side->service, side->request, json_true()));
  CALL(ipc_service_reply(side->service, side->request, json_true()));
}

static void reply_error(side_t* side) {
  CALL(ipc_service_reply_error(side->service, side->request, 5, NULL,
                               json_true()));
}

static void notify(side_t* side) {
  CALL(ipc_service_notify(side->peer, "note", NULL));
  CALL(ipc_service_send(side->service, "editor", "note", json_array()));
}

static void push(side_t* side) {
  CALL(ipc_service_push(side->service, NULL, NULL, "note", NULL, NULL));
}

static void call_peer(side_t* side) {
  ipc_service_op_t op;

  CALL(
      ipc_service_call(side->peer, "wait", NULL, 50, on_any_answer, NULL, &op));
  CALL(ipc_service_call(side->peer, "method", NULL, 5000, on_any_answer, NULL,
                        NULL));
  CALL(ipc_service_cancel(side->service, op));
  CALL(ipc_service_call_name(side->service, "editor", "method", NULL, 5000,
                             on_any_answer, NULL, NULL));
}

static void call_in_a_batch(side_t* side) {
  ipc_service_batch_t* batch;

  assert_int_equal(CALL(ipc_service_batch_create(side->service, &batch)), 0);
  CALL(ipc_service_batch_notify(batch, "note", NULL));
  CALL(ipc_service_batch_call(batch, "method", NULL, 5000, on_any_answer, NULL,
                              NULL));
  if (CALL(ipc_service_batch_send(batch, side->peer)) != 0) {
    RUN(ipc_service_batch_discard(batch));
  }
}

static const call_t calls[] = {
    {"options", make_options},
    {"look", look},
    {"quit", quit},
    {"quit patiently", quit_patiently},
    {"close", close_service},
    {"listen", listen_too},
    {"connect", connect_too},
    {"add channels", add_channels},
    {"set dial", set_dial},
    {"loop", loop_to_itself},
    {"report", report},
    {"close peer", close_peer},
    {"handlers", add_handlers},
    {"reply", reply},
    {"reply error", reply_error},
    {"notify", notify},
    {"push", push},
    {"call", call_peer},
    {"batch", call_in_a_batch},
};

static void fire(int what, side_t* side) {
  assert_int_equal(in_call, 0);
  assert_int_equal(side->closes, 0);
  if (what == CALLBACKS) return;
  side->counts[what]++;
  if (has_fired || what != callback || side != &sides[at_side]) return;
  has_fired = 1;
  entry->make(side);
}

/* ---- The conversation
 * ----------------------------------------------------------- */

static void create_side(side_t* side, const char* called) {
  static const ipc_service_method_t method = {"method", NULL, NULL, NULL};
  static const ipc_service_method_t wait = {"wait", NULL, NULL, NULL};
  static const int kinds[] = {ON_NOTIFICATION, ON_SENDER, ON_REST};
  ipc_service_options_t options;
  ipc_service_t* service;
  int event;

  memset(side, 0, sizeof(*side));
  ipc_service_options_init(&options);
  ipc_service_options_set_name(&options, called);
  ipc_service_options_set_linger_timeout(&options, 20);
  assert_int_equal(
      ipc_service_create(test_loop(), &options, side, &side->service), 0);
  service = side->service;
  for (event = 0; event <= IPC_SERVICE_PEER_GONE; event++) {
    ipc_service_on_event(service, (ipc_service_event_t) event, on_event, NULL,
                         NULL);
  }
  ipc_service_add_method(service, &method, on_method, NULL, NULL);
  ipc_service_add_method(service, &wait, on_wait, NULL, NULL);
  ipc_service_on(service, "note", on_notification, (void*) &kinds[0], NULL);
  ipc_service_on_from(service, "editor", on_notification, (void*) &kinds[1],
                      NULL);
  ipc_service_on_from(service, "shell", on_notification, (void*) &kinds[1],
                      NULL);
  ipc_service_on_rest(service, on_notification, (void*) &kinds[2], NULL);
  ipc_service_set_dial(service, on_dial, NULL);
}

#define PATIENCE_NS (500 * (uint64_t) 1000000)

static void on_tick(uv_timer_t* timer) {
  (void) timer;
}

static int is_alive(void) {
  int i;

  for (i = 0; i < 2; i++) {
    if (sides[i].service == NULL || sides[i].is_ending) return 0;
  }
  return 1;
}

/* Whether it goes on as it was meant to. */
static int is_well(void) {
  return is_alive() && sides[0].peer != NULL && sides[1].peer != NULL;
}

/* For a while: what the call has done may be in the way. */
static void wait_for(side_t* side, int what, int count) {
  uint64_t until = uv_hrtime() + PATIENCE_NS;
  uv_timer_t timer;

  assert_int_equal(uv_timer_init(test_loop(), &timer), 0);
  uv_timer_start(&timer, on_tick, 10, 10);
  while (is_alive() && side->counts[what] < count && uv_hrtime() < until) {
    test_turn();
  }
  uv_close((uv_handle_t*) &timer, NULL);
  uv_run(test_loop(), UV_RUN_NOWAIT);
}

/* All that one side says to the other. */
static void speak(side_t* side, side_t* other) {
  static const int kinds[] = {ON_ANSWER, ON_TIMEOUT, ON_CANCELLED};
  ipc_service_op_t op;
  int i;

  if (!is_well()) return;
  if (ipc_service_call(side->peer, "method", NULL, 5000, on_answer,
                       (void*) &kinds[0], NULL) == 0) {
    wait_for(side, ON_ANSWER, 1);
  }
  if (!is_well()) return;
  if (ipc_service_call(side->peer, "wait", NULL, 1, on_answer,
                       (void*) &kinds[1], NULL) == 0) {
    wait_for(side, ON_TIMEOUT, 1);
  }
  if (!is_well()) return;
  if (ipc_service_call(side->peer, "wait", NULL, 5000, on_answer,
                       (void*) &kinds[2], &op) == 0) {
    ipc_service_cancel(side->service, op);
    wait_for(side, ON_CANCELLED, 1);
  }
  if (!is_well()) return;
  if (ipc_service_notify(side->peer, "note", NULL) == 0) {
    wait_for(other, ON_NOTIFICATION, 1);
  }
  if (!is_well()) return;
  ipc_service_push(side->service, on_filter, NULL, "note", NULL, NULL);
  if (!is_well()) return;
  ipc_service_send(side->service, "nobody", "note", NULL);
  if (!is_well()) return;
  /* One that isn't JSON-RPC. */
  while (is_well() &&
         ipc_channel_send_copy(ipc_service_peer_channel(side->peer), "?", 1,
                               NULL, NULL) == UV_EAGAIN) {
    test_turn();
  }
  if (is_well()) wait_for(other, IPC_SERVICE_ERROR, 1);
  if (!is_well()) return;
  /* More than there is room for at once. */
  for (i = 0; i < 50 && is_well(); i++) {
    if (ipc_service_notify(side->peer, "note", NULL) == UV_EAGAIN) {
      wait_for(side, IPC_SERVICE_PEER_WRITABLE, 1);
      break;
    }
  }
}

static void converse(void) {
  ipc_server_options_t server;
  ipc_client_options_t client;
  int err = 0;
  int i;

  has_fired = in_call = 0;
  is_going_on = 1;
  snprintf(name, sizeof(name), "%s", test_name());
  snprintf(spare_name, sizeof(spare_name), "%s", test_name());
  create_side(&sides[0], "shell");
  create_side(&sides[1], "editor");
  ipc_server_options_init(&server, name);
  ipc_client_options_init(&client, name);
  ipc_server_options_set_max_queue_bytes(&server, 1);
  ipc_client_options_set_max_queue_bytes(&client, 1);
  ipc_client_options_set_reconnect(&client, 1, 5);
  ipc_service_listen(sides[0].service, &server);
  ipc_service_connect(sides[1].service, &client, NULL, NULL);
  while ((sides[0].peer == NULL || sides[1].peer == NULL) &&
         sides[0].service != NULL && sides[1].service != NULL &&
         !sides[0].is_ending && !sides[1].is_ending && !has_fired) {
    test_turn();
  }
  speak(&sides[1], &sides[0]);
  speak(&sides[0], &sides[1]);
  /* The server leaves the client, which connects again. */
  if (is_well()) {
    int came = sides[0].counts[IPC_SERVICE_PEER_CAME];

    ipc_service_peer_close(sides[0].peer);
    wait_for(&sides[1], IPC_SERVICE_PEER_LOST, 1);
    wait_for(&sides[0], IPC_SERVICE_PEER_CAME, came + 1);
  }
  /* The client ends its side while it waits for an answer. */
  while (is_well() &&
         (err = ipc_service_call(sides[1].peer, "wait", NULL, 5000,
                                 on_any_answer, NULL, NULL)) == UV_EAGAIN) {
    test_turn();
  }
  if (is_well() && err == 0) {
    ipc_channel_end(ipc_service_peer_channel(sides[1].peer));
    wait_for(&sides[0], IPC_SERVICE_PEER_ENDED, 1);
  }
  if (is_well()) {
    ipc_service_peer_close(sides[0].peer);
    wait_for(&sides[0], IPC_SERVICE_PEER_GONE, 1);
  }
  for (i = 0; i < 2; i++) {
    if (sides[i].service == NULL || sides[i].is_ending) continue;
    if (ipc_service_quit(sides[i].service, 0, on_quit) == 0) {
      while (sides[i].service != NULL && !sides[i].is_ending &&
             sides[i].counts[ON_QUIT] == 0) {
        test_turn();
      }
    }
  }
  for (i = 0; i < 2; i++) {
    if (sides[i].service == NULL) continue;
    ipc_service_close(sides[i].service, on_close); /* or it was closed */
  }
  while (sides[0].service != NULL || sides[1].service != NULL) test_turn();
  test_run();
  is_going_on = 0;
}

static int run_callback(int what) {
  int found = 0;
  size_t i;

  callback = what;
  for (at_side = 0; at_side < 2; at_side++) {
    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
      entry = &calls[i];
      converse();
      found += has_fired;
      if (!has_fired) break; /* it isn't there for this side */
    }
  }
  return found;
}

#define CALLBACK_TEST(f, what)           \
  static void f(void** state) {          \
    (void) state;                        \
    assert_true(run_callback(what) > 0); \
  }

CALLBACK_TEST(test_in_ready, IPC_SERVICE_READY)
CALLBACK_TEST(test_in_error, IPC_SERVICE_ERROR)
CALLBACK_TEST(test_in_peer_came, IPC_SERVICE_PEER_CAME)
CALLBACK_TEST(test_in_peer_named, IPC_SERVICE_PEER_NAMED)
CALLBACK_TEST(test_in_peer_writable, IPC_SERVICE_PEER_WRITABLE)
CALLBACK_TEST(test_in_peer_ended, IPC_SERVICE_PEER_ENDED)
CALLBACK_TEST(test_in_peer_lost, IPC_SERVICE_PEER_LOST)
CALLBACK_TEST(test_in_peer_gone, IPC_SERVICE_PEER_GONE)
CALLBACK_TEST(test_in_method, ON_METHOD)
CALLBACK_TEST(test_in_notification, ON_NOTIFICATION)
CALLBACK_TEST(test_in_sender, ON_SENDER)
CALLBACK_TEST(test_in_answer, ON_ANSWER)
CALLBACK_TEST(test_in_timeout, ON_TIMEOUT)
CALLBACK_TEST(test_in_cancelled, ON_CANCELLED)
CALLBACK_TEST(test_in_filter, ON_FILTER)
CALLBACK_TEST(test_in_dial, ON_DIAL)
CALLBACK_TEST(test_in_quit, ON_QUIT)
CALLBACK_TEST(test_in_close, ON_CLOSE)

/* Says which entry it was that failed. */
static int teardown(void** state) {
  if (is_going_on) {
    print_error("%s, at side %d\n", entry->name, at_side);
    is_going_on = 0;
  }
  return test_teardown(state);
}

#define ENTRIES(f) cmocka_unit_test_setup_teardown(f, test_setup, teardown)

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      ENTRIES(test_in_ready),         ENTRIES(test_in_error),
      ENTRIES(test_in_peer_came),     ENTRIES(test_in_peer_named),
      ENTRIES(test_in_peer_writable), ENTRIES(test_in_peer_ended),
      ENTRIES(test_in_peer_lost),     ENTRIES(test_in_peer_gone),
      ENTRIES(test_in_method),        ENTRIES(test_in_notification),
      ENTRIES(test_in_sender),        ENTRIES(test_in_answer),
      ENTRIES(test_in_timeout),       ENTRIES(test_in_cancelled),
      ENTRIES(test_in_filter),        ENTRIES(test_in_dial),
      ENTRIES(test_in_quit),          ENTRIES(test_in_close),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
