/* What comes and goes while something is under way: servers that are absent,
 * come later, die and are replaced; losses; peers that read nothing; and many
 * of all these at once. */
#include <stdio.h>

#include "service_loopback.h"
#include "service_pair.h"

static duo_t duo;

static const char* const no_names[2] = {NULL, NULL};

static ipc_service_stats_t stats_of(const party_t* party) {
  ipc_service_stats_t stats;

  assert_int_equal(ipc_service_stats(party->service, &stats), 0);
  return stats;
}

/* ---- A loss
 * ------------------------------------------------------------------
 */

/* A server without the service: it has one channel at a time. */
typedef struct daemon_s {
  ipc_server_t* server;
  ipc_channel_t* channel; /* NULL: none */
  int opens;
  int messages;
  int answers; /* to "1", which only the first connection asked */
} daemon_t;

static void on_opened(ipc_server_t* server, ipc_channel_t* channel) {
  daemon_t* host = ipc_server_data(server);

  ipc_channel_set_data(channel, host);
  host->channel = channel;
  host->opens++;
}

static void on_host_message(ipc_channel_t* channel,
                            const void* data,
                            size_t size) {
  daemon_t* host = ipc_channel_data(channel);
  json_t* message = json_loadb(data, size, 0, NULL);

  host->messages++;
  if (json_integer_value(json_object_get(message, "id")) == 1) {
    host->answers++;
  }
  json_decref(message);
}

static void on_host_closed(ipc_channel_t* channel,
                           const ipc_close_result_t* result) {
  daemon_t* host = ipc_channel_data(channel);

  (void) result;
  if (host->channel == channel) host->channel = NULL;
}

static void host_open(daemon_t* host) {
  memset(host, 0, sizeof(*host));
  ipc_server_options_on_connection(&duo.server_options, on_opened);
  ipc_server_options_on_message(&duo.server_options, on_host_message);
  ipc_server_options_on_close(&duo.server_options, on_host_closed);
  assert_int_equal(
      ipc_server_listen(test_loop(), &duo.server_options, host, &host->server),
      0);
}

static void host_say(daemon_t* host, const char* text) {
  assert_int_equal(
      ipc_channel_send_copy(host->channel, text, strlen(text), NULL, NULL), 0);
}

static void host_close(daemon_t* host) {
  if (host->channel != NULL) ipc_channel_close(host->channel);
  ipc_server_close(host->server, NULL);
}

/* What waits in the channel of a client is for the server that has asked, and
 * not for the one that comes after it: the same number may be a call of his. */
static void test_stale_answers(void** state) {
  static char big[600001];
  said_t said = {0};
  daemon_t host;
  int i;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_client_options_set_reconnect(&duo.client_options, 1, 20);
  ipc_client_options_set_max_queue_bytes(&duo.client_options, 10000000);
  host_open(&host);
  party_create(&duo.client);
  offer_methods(duo.client.service);
  assert_int_equal(
      ipc_service_connect(duo.client.service, &duo.client_options, NULL, NULL),
      0);
  run_until(&host.opens, 1);
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], 1);
  host_say(&host, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}");
  run_until(&waiting_count, 1);
  ipc_channel_pause(host.channel);
  /* More than the system holds, so that the answer stays behind. */
  memset(big, 'x', sizeof(big) - 1);
  for (i = 0; i < 8; i++) {
    assert_int_equal(
        ipc_service_notify(duo.client.peer, "news", json_pack("[s]", big)), 0);
  }
  assert_int_equal(say_call(&said, duo.client.peer, "x", NULL), 0);
  assert_int_equal(
      ipc_service_reply(duo.client.service, waiting[0], json_true()), 0);
  test_run_for(10);
  ipc_channel_disconnect(host.channel);
  ipc_channel_close(host.channel);
  run_until(&duo.client.events[IPC_SERVICE_PEER_LOST], 1);
  assert_int_equal(said.ends, 1);
  run_until(&host.opens, 2);
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], 2);
  host.messages = 0;
  host_say(&host, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":2}");
  run_until(&host.messages, 1);
  assert_int_equal(host.answers, 0);
  test_run_for(10);
  assert_int_equal(host.messages, 1);
  said_free(&said);
  host_close(&host);
  duo_finish(&duo);
}

/* ---- The end ----------------------------------------------------------------
 */

/* Answers that a deaf peer is owed don't keep a service that is closed. */
static void test_close_with_a_deaf_peer(void** state) {
  said_t said[20];
  loopback_t* loopback;
  int i;

  (void) state;
  memset(said, 0, sizeof(said));
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_service_options_set_linger_timeout(&duo.server.options, FOREVER);
  duo_create(&duo);
  loopback = loopback_open(duo.client.service, duo.server.service, no_names, 4);
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], 1);
  for (i = 0; i < 20; i++) {
    while (say_call(&said[i], duo.client.peer, "wait", NULL) == UV_EAGAIN) {
      test_turn();
    }
  }
  run_until(&waiting_count, 20);
  loopback_hold(loopback, 1);
  for (i = 0; i < 20; i++) {
    assert_int_equal(
        ipc_service_reply(duo.server.service, waiting[i], json_true()), 0);
  }
  assert_true(stats_of(&duo.server).answer_bytes_queued > 0);
  party_quit(&duo.server, 0);
  test_run_for(20);
  assert_int_equal(duo.server.quits, 0);
  party_close(&duo.server);
  run_until(&duo.server.closes, 1);
  assert_int_equal(duo.server.quits, 1);
  duo_finish(&duo);
  for (i = 0; i < 20; i++) {
    assert_int_equal(said[i].ends, 1);
    said_free(&said[i]);
  }
}

static void test_quit_twice(void** state) {
  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_open(&duo);
  party_quit(&duo.server, 1000);
  assert_int_equal(ipc_service_quit(duo.server.service, 0, NULL), UV_EALREADY);
  run_until(&duo.server.quits, 1);
  assert_int_equal(ipc_service_quit(duo.server.service, 0, NULL), UV_EALREADY);
  party_close(&duo.server);
  assert_int_equal(ipc_service_quit(duo.server.service, 0, NULL), UV_EALREADY);
  duo_finish(&duo);
  assert_int_equal(duo.server.quits, 1);
}

/* ---- By name
 * ------------------------------------------------------------------
 */

static int call_name(said_t* said, party_t* party, const char* name) {
  memset(said, 0, sizeof(*said));
  return ipc_service_call_name(party->service, name, "sum",
                               json_pack("[i,i]", 1, 2), 60000, on_said, said,
                               &said->op);
}

static void serve(party_t* party, const char* name) {
  ipc_server_options_t options;

  party_init(party);
  party_create(party);
  offer_methods(party->service);
  ipc_server_options_init(&options, name);
  while (ipc_service_listen(party->service, &options) != 0) test_turn();
}

/* The same name all the time; who is behind it changes. */
static void test_servers_come_and_go(void** state) {
  party_t server;
  said_t said;
  int i;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  party_create(&duo.client);
  assert_int_equal(ipc_service_set_dial(duo.client.service, NULL, NULL), 0);
  assert_int_equal(call_name(&said, &duo.client, duo.name), 0);
  said_ends(&said, UV_ENOENT);
  for (i = 0; i < 5; i++) {
    serve(&server, duo.name);
    assert_int_equal(call_name(&said, &duo.client, duo.name), 0);
    said_ends(&said, 0);
    said_free(&said);
    assert_int_equal(call_name(&said, &duo.client, duo.name), 0);
    said_ends(&said, 0);
    said_free(&said);
    assert_int_equal(stats_of(&duo.client).peers, 1);
    party_close(&server);
    run_until(&server.closes, 1);
    run_until(&duo.client.events[IPC_SERVICE_PEER_GONE], i + 2);
    assert_int_equal(stats_of(&duo.client).peers, 0);
  }
  assert_int_equal(call_name(&said, &duo.client, duo.name), 0);
  run_until(&said.ends, 1);
  assert_true(said.status < 0);
  duo_finish(&duo);
}

/* Two that know each other by name alone, and call at the same moment. */
static void test_each_calls_the_other(void** state) {
  const char* names[2];
  party_t parties[2];
  said_t said[2];
  int i;

  (void) state;
  for (i = 0; i < 2; i++) {
    ipc_server_options_t options;

    names[i] = test_name();
    party_init(&parties[i]);
    ipc_service_options_set_name(&parties[i].options, names[i]);
    party_create(&parties[i]);
    offer_methods(parties[i].service);
    ipc_server_options_init(&options, names[i]);
    assert_int_equal(ipc_service_listen(parties[i].service, &options), 0);
    assert_int_equal(ipc_service_set_dial(parties[i].service, NULL, NULL), 0);
  }
  for (i = 0; i < 2; i++) {
    assert_int_equal(call_name(&said[i], &parties[i], names[1 - i]), 0);
  }
  for (i = 0; i < 2; i++) {
    said_ends(&said[i], 0);
    assert_json(said[i].result, "3");
    said_free(&said[i]);
  }
  for (i = 0; i < 2; i++) party_close(&parties[i]);
  test_run();
}

/* ---- Many
 * --------------------------------------------------------------------
 */

#define PEERS 1000
#define PUSHES 10
#define ROOM 4

static int notes;

static void on_news(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    const char* method,
                    json_t* params,
                    void* arg) {
  (void) service, (void) peer, (void) method, (void) params, (void) arg;
  notes++;
}

/* One of many reads nothing: the others get all, it gets what it has room for,
 * nothing more is kept for it, and it is told of when it has room again. */
static void test_push_to_many(void** state) {
  static loopback_t* loopbacks[PEERS];
  size_t reached;
  int i;

  (void) state;
  notes = 0;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  ipc_service_on(duo.client.service, "news", on_news, NULL, NULL);
  for (i = 0; i < PEERS; i++) {
    loopbacks[i] =
        loopback_open(duo.server.service, duo.client.service, no_names, ROOM);
  }
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], PEERS);
  loopback_hold(loopbacks[500], 1);
  for (i = 0; i < PUSHES; i++) {
    int before = notes;
    int is_full = i >= ROOM;

    assert_int_equal(ipc_service_push(duo.server.service, NULL, NULL, "news",
                                      json_pack("[i]", i), &reached),
                     0);
    assert_int_equal(reached, PEERS - is_full);
    run_until(&notes, before + PEERS - 1);
  }
  assert_int_equal(notes, PUSHES * (PEERS - 1));
  assert_int_equal(stats_of(&duo.server).answer_bytes_queued, 0);
  loopback_hold(loopbacks[500], 0);
  run_until(&duo.server.events[IPC_SERVICE_PEER_WRITABLE], 1);
  run_until(&notes, PUSHES * (PEERS - 1) + ROOM);
  duo_finish(&duo);
}

#define CALLS 10000

static int handles;

static void count_handle(uv_handle_t* handle, void* arg) {
  (void) handle, (void) arg;
  handles++;
}

static int count_handles(void) {
  handles = 0;
  uv_walk(test_loop(), count_handle, NULL);
  return handles;
}

static int ended;
static int next_end;

static void on_one_end(ipc_service_t* service,
                       void* arg,
                       const ipc_service_answer_t* answer) {
  (void) service;
  assert_int_equal(answer->status, UV_ETIMEDOUT);
  assert_int_equal((int) (intptr_t) arg, next_end++);
  ended++;
}

static void call_all(ipc_service_op_t* ops, ipc_service_answer_cb cb) {
  intptr_t i;

  ended = next_end = 0;
  for (i = 0; i < CALLS; i++) {
    assert_int_equal(ipc_service_call(duo.client.peer, "wait", NULL, 500, cb,
                                      (void*) i, &ops[i]),
                     0);
  }
  assert_int_equal(stats_of(&duo.client).calls_pending, CALLS);
}

static ipc_service_op_t ops[CALLS];

/* All are over at the same moment, in the order in which they were made, and
 * one timer was enough. */
static void test_storm_of_timeouts(void** state) {
  loopback_t* loopback;
  int before;
  int i;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  loopback = loopback_open(duo.client.service, duo.server.service, no_names, 0);
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], 1);
  loopback_hold(loopback, 1);
  before = count_handles();
  call_all(ops, on_one_end);
  assert_int_equal(count_handles(), before);
  run_until(&ended, CALLS);
  assert_int_equal(stats_of(&duo.client).calls_pending, 0);
  for (i = 0; i < CALLS; i += 100) {
    assert_int_equal(ipc_service_cancel(duo.client.service, ops[i]), UV_ENOENT);
  }
  duo_finish(&duo);
}

/* The first to end ends all others, some of which are due in the same turn. */
static void on_first_end(ipc_service_t* service,
                         void* arg,
                         const ipc_service_answer_t* answer) {
  int i;

  (void) arg;
  assert_int_equal(answer->status, ended == 0 ? UV_ETIMEDOUT : UV_ECANCELED);
  if (ended++ > 0) return;
  for (i = 1; i < CALLS; i++) {
    assert_int_equal(ipc_service_cancel(service, ops[i]), 0);
    assert_int_equal(ipc_service_cancel(service, ops[i]), UV_ENOENT);
  }
}

static void test_storm_of_cancels(void** state) {
  loopback_t* loopback;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  duo_create(&duo);
  loopback = loopback_open(duo.client.service, duo.server.service, no_names, 0);
  run_until(&duo.client.events[IPC_SERVICE_PEER_CAME], 1);
  loopback_hold(loopback, 1);
  call_all(ops, on_first_end);
  run_until(&ended, CALLS);
  duo_finish(&duo);
  assert_int_equal(ended, CALLS);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_stale_answers),        TEST(test_close_with_a_deaf_peer),
      TEST(test_quit_twice),           TEST(test_servers_come_and_go),
      TEST(test_each_calls_the_other), TEST(test_push_to_many),
      TEST(test_storm_of_timeouts),    TEST(test_storm_of_cancels),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
