/* Who is told of what comes: by action, by sender, the fallback; handlers that
 * remove themselves and others, come while one runs, or end everything. */
#include <stdio.h>

#include "service_pair.h"

static duo_t duo;
static char order[256]; /* the handlers that ran, a letter each */
static ipc_service_handler_t numbers[8];

static void note(void* arg) {
  size_t length = strlen(order);

  assert_true(length + 1 < sizeof(order));
  order[length] = *(const char*) arg;
  order[length + 1] = '\0';
}

static void on_note(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    const char* method,
                    json_t* params,
                    void* arg) {
  (void) service, (void) peer, (void) method, (void) params;
  note(arg);
}

static void open_duo(void) {
  order[0] = '\0';
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_name(&duo.client.options, "editor");
  duo_open(&duo);
  run_until(&duo.server.events[IPC_SERVICE_PEER_NAMED], 1);
}

/* Sends it, and waits until it has been told to whom it concerns. */
static void send_note(const char* method) {
  said_t said = {0};

  order[0] = '\0';
  assert_int_equal(ipc_service_notify(duo.client.peer, method, NULL), 0);
  assert_int_equal(say_call(&said, duo.client.peer, "sum", NULL), 0);
  said_ends(&said, 0);
  said_free(&said);
}

static void on_method(ipc_service_t* service,
                      ipc_service_peer_t* peer,
                      ipc_service_request_t request,
                      json_t* params,
                      void* arg) {
  (void) peer, (void) params;
  assert_int_equal(ipc_service_reply(service, request, json_true()), 0);
  note(arg);
}

static void test_order(void** state) {
  static const ipc_service_method_t reload = {"reload", NULL, NULL, NULL};
  ipc_service_t* service;

  (void) state;
  open_duo();
  service = duo.server.service;
  ipc_service_on_rest(service, on_note, "r", NULL);
  ipc_service_on_from(service, "editor", on_note, "s", &numbers[0]);
  ipc_service_on_from(service, "shell", on_note, "x", NULL);
  ipc_service_on(service, "reload", on_note, "a", NULL);
  ipc_service_on(service, "reload", on_note, "b", &numbers[1]);
  send_note("reload");
  assert_string_equal(order, "abs");
  send_note("other");
  assert_string_equal(order, "s");
  assert_int_equal(ipc_service_remove(service, numbers[0]), 0);
  send_note("other");
  assert_string_equal(order, "r");
  send_note("reload");
  assert_string_equal(order, "ab");
  /* A method takes notifications too, and answers nobody. */
  ipc_service_add_method(service, &reload, on_method, "m", NULL);
  assert_int_equal(ipc_service_remove(service, numbers[1]), 0);
  send_note("reload");
  assert_string_equal(order, "am");
  duo_finish(&duo);
}

/* ---- Changes while they run -----------------------------------------------
 */

static void on_note_once(ipc_service_t* service,
                         ipc_service_peer_t* peer,
                         const char* method,
                         json_t* params,
                         void* arg) {
  (void) peer, (void) method, (void) params;
  note(arg);
  assert_int_equal(ipc_service_remove(service, numbers[0]), 0);
  assert_int_equal(ipc_service_remove(service, numbers[0]), UV_ENOENT);
}

static void on_note_remove_next(ipc_service_t* service,
                                ipc_service_peer_t* peer,
                                const char* method,
                                json_t* params,
                                void* arg) {
  (void) peer, (void) method, (void) params;
  note(arg);
  assert_int_equal(ipc_service_remove(service, numbers[1]), 0);
}

static void on_note_add(ipc_service_t* service,
                        ipc_service_peer_t* peer,
                        const char* method,
                        json_t* params,
                        void* arg) {
  (void) peer, (void) params;
  note(arg);
  assert_int_equal(ipc_service_on(service, method, on_note, "n", NULL), 0);
}

static void test_removed_while_it_runs(void** state) {
  (void) state;
  open_duo();
  ipc_service_on(duo.server.service, "x", on_note_once, "1", &numbers[0]);
  ipc_service_on(duo.server.service, "x", on_note, "2", NULL);
  send_note("x");
  assert_string_equal(order, "12");
  send_note("x");
  assert_string_equal(order, "2");
  duo_finish(&duo);
}

static void test_next_removed(void** state) {
  (void) state;
  open_duo();
  ipc_service_on(duo.server.service, "x", on_note_remove_next, "1",
                 &numbers[0]);
  ipc_service_on(duo.server.service, "x", on_note, "2", &numbers[1]);
  ipc_service_on(duo.server.service, "x", on_note, "3", NULL);
  send_note("x");
  assert_string_equal(order, "13");
  duo_finish(&duo);
}

static void test_added_while_it_runs(void** state) {
  (void) state;
  open_duo();
  ipc_service_on(duo.server.service, "x", on_note_add, "1", &numbers[0]);
  send_note("x");
  assert_string_equal(order, "1");
  assert_int_equal(ipc_service_remove(duo.server.service, numbers[0]), 0);
  send_note("x");
  assert_string_equal(order, "n");
  duo_finish(&duo);
}

/* A method that goes, and is offered anew, while it runs. */
static ipc_service_method_t volatile_method = {"volatile", NULL, NULL, NULL};

static void on_volatile(ipc_service_t* service,
                        ipc_service_peer_t* peer,
                        ipc_service_request_t request,
                        json_t* params,
                        void* arg) {
  (void) peer, (void) params;
  note(arg);
  assert_int_equal(ipc_service_remove(service, numbers[0]), 0);
  if (*(const char*) arg == '1') {
    assert_int_equal(ipc_service_add_method(service, &volatile_method,
                                            on_volatile, "2", &numbers[0]),
                     0);
  }
  assert_int_equal(ipc_service_reply(service, request, json_true()), 0);
}

static void test_method_replaced(void** state) {
  said_t said = {0};

  (void) state;
  open_duo();
  ipc_service_add_method(duo.server.service, &volatile_method, on_volatile, "1",
                         &numbers[0]);
  assert_int_equal(ipc_service_add_method(duo.server.service, &volatile_method,
                                          on_volatile, "3", NULL),
                   UV_EEXIST);
  assert_int_equal(say_call(&said, duo.client.peer, "volatile", NULL), 0);
  said_ends(&said, 0);
  said_free(&said);
  assert_int_equal(say_call(&said, duo.client.peer, "volatile", NULL), 0);
  said_ends(&said, 0);
  said_free(&said);
  assert_string_equal(order, "12");
  assert_int_equal(say_call(&said, duo.client.peer, "volatile", NULL), 0);
  said_ends(&said, UV_EREMOTEIO);
  assert_int_equal(said.code, IPC_SERVICE_METHOD_NOT_FOUND);
  said_free(&said);
  duo_finish(&duo);
}

/* ---- The end of everything ------------------------------------------------
 */

static void on_note_close(ipc_service_t* service,
                          ipc_service_peer_t* peer,
                          const char* method,
                          json_t* params,
                          void* arg) {
  (void) service, (void) peer, (void) method, (void) params;
  note(arg);
  party_close(&duo.server);
}

static void on_note_close_peer(ipc_service_t* service,
                               ipc_service_peer_t* peer,
                               const char* method,
                               json_t* params,
                               void* arg) {
  (void) service, (void) method, (void) params;
  note(arg);
  assert_int_equal(ipc_service_peer_close(peer), 0);
}

static void close_in(ipc_service_notification_cb cb, const char* then) {
  said_t said = {0};

  open_duo();
  ipc_service_on(duo.server.service, "end", cb, "c", NULL);
  ipc_service_on(duo.server.service, "end", on_note, "n", NULL);
  ipc_service_on_from(duo.server.service, "editor", on_note, "s", NULL);
  assert_int_equal(say_call(&said, duo.client.peer, "wait", NULL), 0);
  run_until(&waiting_count, 1);
  assert_int_equal(ipc_service_notify(duo.client.peer, "end", NULL), 0);
  said_ends(&said, UV_EOF);
  assert_string_equal(order, then);
  duo_finish(&duo);
}

static void test_close_in_a_handler(void** state) {
  (void) state;
  close_in(on_note_close, "c");
}

static void test_close_of_the_peer_in_a_handler(void** state) {
  (void) state;
  close_in(on_note_close_peer, "cns");
}

/* Closed in the middle of a batch: the rest of it isn't looked at. */
static void test_close_in_a_batch(void** state) {
  said_t said = {0};
  ipc_service_batch_t* batch;

  (void) state;
  open_duo();
  ipc_service_on(duo.server.service, "end", on_note_close_peer, "c", NULL);
  ipc_service_on(duo.server.service, "x", on_note, "x", NULL);
  ipc_service_batch_create(duo.client.service, &batch);
  ipc_service_batch_call(batch, "wait", NULL, FOREVER, on_said, &said, NULL);
  ipc_service_batch_notify(batch, "x", NULL);
  ipc_service_batch_notify(batch, "end", NULL);
  ipc_service_batch_notify(batch, "x", NULL);
  assert_int_equal(ipc_service_batch_send(batch, duo.client.peer), 0);
  said_ends(&said, UV_EOF);
  assert_string_equal(order, "xc");
  duo_finish(&duo);
}

static void close_both(said_t* said) {
  (void) said;
  party_close(&duo.client);
  party_close(&duo.server);
}

static void test_close_in_an_answer(void** state) {
  said_t said = {0};
  said_t other = {0};

  (void) state;
  open_duo();
  said.on_end = close_both;
  assert_int_equal(say_call(&other, duo.client.peer, "wait", NULL), 0);
  assert_int_equal(say_call(&said, duo.client.peer, "sum", NULL), 0);
  said_ends(&other, UV_ECANCELED);
  assert_int_equal(said.status, 0);
  said_free(&said);
  duo_finish(&duo);
}

/* ---- Registering -----------------------------------------------------------
 */

static void test_arguments(void** state) {
  static const ipc_service_param_t twice[] = {{"a", IPC_SERVICE_ANY, 1, NULL},
                                              {"a", IPC_SERVICE_ANY, 1, NULL},
                                              {NULL, IPC_SERVICE_ANY, 0, NULL}};
  static const ipc_service_param_t late[] = {{"a", IPC_SERVICE_ANY, 0, NULL},
                                             {"b", IPC_SERVICE_ANY, 1, NULL},
                                             {NULL, IPC_SERVICE_ANY, 0, NULL}};
  static const ipc_service_method_t bad[] = {{NULL, NULL, NULL, NULL},
                                             {"", NULL, NULL, NULL},
                                             {"rpc.own", NULL, NULL, NULL},
                                             {"m", NULL, twice, NULL},
                                             {"m", NULL, late, NULL}};
  ipc_service_t* service;
  size_t i;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  duo_create(&duo);
  service = duo.server.service;
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(
        ipc_service_add_method(service, &bad[i], on_method, "m", NULL),
        UV_EINVAL);
  }
  assert_int_equal(ipc_service_add_method(service, NULL, on_method, "", NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_service_on(service, NULL, on_note, "", NULL), UV_EINVAL);
  assert_int_equal(ipc_service_on(service, "", on_note, "", NULL), UV_EINVAL);
  assert_int_equal(ipc_service_on(service, "x", NULL, "", NULL), UV_EINVAL);
  assert_int_equal(ipc_service_on_from(service, NULL, on_note, "", NULL),
                   UV_EINVAL);
  assert_int_equal(ipc_service_on_rest(NULL, on_note, "", NULL), UV_EINVAL);
  assert_int_equal(
      ipc_service_on_event(service, (ipc_service_event_t) 99, NULL, "", NULL),
      UV_EINVAL);
  assert_int_equal(ipc_service_remove(service, 0), UV_ENOENT);
  assert_int_equal(ipc_service_remove(service, 999), UV_ENOENT);
  party_close(&duo.server);
  assert_int_equal(ipc_service_on(service, "x", on_note, "", NULL), UV_EPIPE);
  assert_int_equal(ipc_service_listen(service, &duo.server_options), UV_EPIPE);
  duo_finish(&duo);
}

static void test_options(void** state) {
  ipc_service_options_t options;
  ipc_service_t* service;
  char name[IPC_SERVICE_MAX_NAME + 2];

  (void) state;
  memset(&options, 0, sizeof(options));
  assert_string_equal(ipc_service_options_error(&options),
                      "the options were not initialised");
  assert_int_equal(ipc_service_options_set_name(&options, "x"), UV_EINVAL);
  assert_int_equal(ipc_service_create(test_loop(), &options, NULL, &service),
                   UV_EINVAL);
  ipc_service_options_init(&options);
  assert_int_equal(ipc_service_create(NULL, &options, NULL, &service),
                   UV_EINVAL);
  assert_int_equal(ipc_service_options_set_max_depth(&options, 0), UV_EINVAL);
  assert_string_equal(ipc_service_options_error(&options),
                      "max_depth: 0 is not from 1 to 1000");
  assert_int_equal(ipc_service_create(test_loop(), &options, NULL, &service),
                   UV_EINVAL);
  assert_null(service);
  ipc_service_options_init(&options);
  memset(name, 'n', sizeof(name));
  name[IPC_SERVICE_MAX_NAME + 1] = '\0';
  assert_int_equal(ipc_service_options_set_name(&options, name), UV_EINVAL);
  assert_int_equal(ipc_service_options_set_name(&options, NULL), UV_EINVAL);
  assert_int_equal(ipc_service_options_set_name(&options, "\xff"), UV_EINVAL);
  assert_int_equal(ipc_service_options_set_max_calls(&options, 0), UV_EINVAL);
  assert_int_equal(ipc_service_options_set_max_requests(&options, 1u << 25),
                   UV_EINVAL);
  assert_int_equal(ipc_service_options_set_max_batch(&options, 0), UV_EINVAL);
  assert_int_equal(ipc_service_options_set_max_message_bytes(&options, 0),
                   UV_EINVAL);
  assert_int_equal(ipc_service_options_set_linger_timeout(&options, 0),
                   UV_EINVAL);
  ipc_service_options_init(&options);
  assert_int_equal(ipc_service_options_set_accept_names(&options, 0), 0);
  assert_int_equal(ipc_service_options_set_max_waiting_bytes(&options, 0), 0);
  assert_string_equal(ipc_service_options_error(&options), "");
  assert_int_equal(ipc_service_create(test_loop(), &options, name, &service),
                   0);
  assert_ptr_equal(ipc_service_data(service), name);
  assert_ptr_equal(ipc_service_loop(service), test_loop());
  assert_int_equal(ipc_service_close(service, NULL), 0);
  assert_int_equal(ipc_service_close(service, NULL), UV_EALREADY);
  assert_int_equal(ipc_service_quit(service, 0, NULL), UV_EALREADY);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_order),
      TEST(test_removed_while_it_runs),
      TEST(test_next_removed),
      TEST(test_added_while_it_runs),
      TEST(test_method_replaced),
      TEST(test_close_in_a_handler),
      TEST(test_close_of_the_peer_in_a_handler),
      TEST(test_close_in_a_batch),
      TEST(test_close_in_an_answer),
      TEST(test_arguments),
      TEST(test_options),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
