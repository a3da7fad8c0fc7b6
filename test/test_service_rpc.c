/* JSON-RPC 2.0 to the letter: a peer without the library says texts, good and
 * bad, and hears what the standard has for them. */
#include <stdio.h>

#include "service_cases.h"
#include "service_pair.h"

static duo_t duo;
static wire_t wire;

/* ---- What the cases call ------------------------------------------------- */

static void on_minus(ipc_service_t* service,
                     ipc_service_peer_t* peer,
                     ipc_service_request_t request,
                     json_t* params,
                     void* arg) {
  (void) peer, (void) arg;
  assert_true(json_is_object(params));
  ipc_service_reply(
      service, request,
      json_integer(json_integer_value(json_object_get(params, "from")) -
                   json_integer_value(json_object_get(params, "what"))));
}

static void on_pair(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    ipc_service_request_t request,
                    json_t* params,
                    void* arg) {
  (void) peer, (void) arg;
  assert_int_equal(json_object_size(params), 0);
  ipc_service_reply(service, request, json_pack("[s,i]", "hello", 5));
}

static void on_total(ipc_service_t* service,
                     ipc_service_peer_t* peer,
                     ipc_service_request_t request,
                     json_t* params,
                     void* arg) {
  json_int_t total = 0;
  size_t i;

  (void) peer, (void) arg;
  for (i = 0; i < json_array_size(params); i++) {
    total += json_integer_value(json_array_get(params, i));
  }
  ipc_service_reply(service, request, json_integer(total));
}

static const ipc_service_param_t minus_params[] = {
    {"from", IPC_SERVICE_INTEGER, 1, "what is to be less"},
    {"what", IPC_SERVICE_INTEGER, 1, "how much less"},
    {NULL, IPC_SERVICE_ANY, 0, NULL},
};
static const ipc_service_param_t no_params[] = {
    {NULL, IPC_SERVICE_ANY, 0, NULL},
};
static const ipc_service_method_t minus_method = {"minus", "Subtracts.",
                                                  minus_params, "the rest"};
static const ipc_service_method_t pair_method = {"pair", NULL, no_params, NULL};
static const ipc_service_method_t total_method = {"total", NULL, NULL, NULL};

static void open_service(void) {
  ipc_service_t* service;

  party_create(&duo.server);
  service = duo.server.service;
  offer_methods(service);
  ipc_service_add_method(service, &minus_method, on_minus, NULL, NULL);
  ipc_service_add_method(service, &pair_method, on_pair, NULL, NULL);
  ipc_service_add_method(service, &total_method, on_total, NULL, NULL);
  assert_int_equal(ipc_service_listen(service, &duo.server_options), 0);
  wire_connect(&wire, duo.name);
}

static void open_default(void) {
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  /* Some cases have a newline inside. */
  open_service();
}

static void finish(void) {
  wire_close(&wire);
  duo_finish(&duo);
}

/* ---- Cases --------------------------------------------------------------- */

/* Errors of this library say more in "data". */
static void drop_data(json_t* answer) {
  json_t* entry;
  size_t i;

  json_array_foreach(answer, i, entry) drop_data(entry);
  json_object_del(json_object_get(answer, "error"), "data");
}

/* The member "id" as it stands there; it is the last one. */
static const char* raw_id(const char* text) {
  const char* id = strstr(text, "\"id\":");
  const char* next;

  if (id == NULL) return "";
  while ((next = strstr(id + 1, "\"id\":")) != NULL) id = next;
  return id;
}

/* A question whose answer tells that nothing else was answered before. */
#define MARK "{\"jsonrpc\":\"2.0\",\"method\":\"pair\",\"id\":\"mark\"}"

static void try_case(const service_case_t* entry) {
  int line = wire.lines;
  char text[4096];
  size_t i;

  assert_true(strlen(entry->says) < sizeof(text));
  strcpy(text, entry->says);
  /* The framing ends a message there. */
  for (i = 0; text[i] != '\0'; i++) {
    if (text[i] == '\n') text[i] = ' ';
  }
  wire_say(&wire, text);
  wire_say(&wire, MARK);
  if (entry->hears != NULL) {
    const char* heard = wire_line(&wire, line);
    json_t* answer = json_loads(heard, JSON_ALLOW_NUL, NULL);
    json_t* wanted = json_loads(entry->hears, JSON_ALLOW_NUL, NULL);

    assert_non_null(wanted);
    drop_data(answer);
    if (!json_equal(answer, wanted) ||
        strcmp(raw_id(heard), raw_id(entry->hears)) != 0) {
      fail_msg("%s: %s\nsays %s\nnot  %s", entry->about, entry->says, heard,
               entry->hears);
    }
    json_decref(answer);
    json_decref(wanted);
    line++;
  }
  if (strstr(wire_line(&wire, line), "\"mark\"") == NULL) {
    fail_msg("%s: %s\nsays %s", entry->about, entry->says, wire.text[line]);
  }
  assert_int_equal(wire.lines, line + 1);
}

static void test_standard(void** state) {
  size_t i;

  (void) state;
  open_default();
  for (i = 0; i < standard_case_count; i++) try_case(&standard_cases[i]);
  finish();
}

static void test_further(void** state) {
  ipc_service_stats_t stats;
  size_t i;

  (void) state;
  open_default();
  for (i = 0; i < further_case_count; i++) try_case(&further_cases[i]);
  assert_int_equal(ipc_service_stats(duo.server.service, &stats), 0);
  assert_int_equal(stats.requests_pending, 0);
  assert_int_equal(stats.unsent_answers, 0);
  assert_true(stats.unknown_replies > 0);
  assert_true(stats.invalid_messages > 20);
  finish();
}

/* ---- What errors say ----------------------------------------------------- */

static json_t* ask(const char* text) {
  int line = wire.lines;

  wire_say(&wire, text);
  return json_of(wire_line(&wire, line));
}

/* What "data" says of a wrong parameter. */
static void problem_is(const char* params, const char* data) {
  char text[512];
  json_t* answer;

  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"minus\",\"params\":%s,\"id\":1}",
           params);
  answer = ask(text);
  assert_json(json_object_get(json_object_get(answer, "error"), "data"), data);
  json_decref(answer);
}

static void test_wrong_params_are_named(void** state) {
  (void) state;
  open_default();
  problem_is("[1]", "{\"param\":\"what\",\"problem\":\"is missing\"}");
  problem_is("{\"what\":1}", "{\"param\":\"from\",\"problem\":\"is missing\"}");
  problem_is(
      "[1,\"x\"]",
      "{\"param\":\"what\",\"problem\":\"is a string, not an integer\"}");
  problem_is("[null,1]",
             "{\"param\":\"from\",\"problem\":\"is null, not an integer\"}");
  problem_is(
      "[1,2.5]",
      "{\"param\":\"what\",\"problem\":\"is a number, not an integer\"}");
  problem_is("[1,2,3]",
             "{\"param\":2,\"problem\":\"is one too many, 2 are taken\"}");
  problem_is("{\"from\":1,\"what\":2,\"x\":3}",
             "{\"param\":\"x\",\"problem\":\"is unknown\"}");
  finish();
}

static void test_discover(void** state) {
  json_t* answer;
  json_t* result;
  json_t* methods;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_name(&duo.server.options, "calculator");
  open_service();
  assert_string_equal(wire_line(&wire, 0),
                      "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.hello\","
                      "\"params\":{\"name\":\"calculator\"}}");
  answer = ask("{\"jsonrpc\":\"2.0\",\"method\":\"rpc.discover\",\"id\":1}");
  result = json_object_get(answer, "result");
  assert_json(json_object_get(result, "openrpc"), "\"1.3.2\"");
  assert_json(json_object_get(result, "info"),
              "{\"title\":\"calculator\",\"version\":\"0.1.0\"}");
  methods = json_object_get(result, "methods");
  assert_int_equal(json_array_size(methods), 6);
  assert_json(json_array_get(methods, 3),
              "{\"name\":\"minus\",\"description\":\"Subtracts.\","
              "\"paramStructure\":\"either\",\"params\":["
              "{\"name\":\"from\",\"description\":\"what is to be less\","
              "\"required\":true,\"schema\":{\"type\":\"integer\"}},"
              "{\"name\":\"what\",\"description\":\"how much less\","
              "\"required\":true,\"schema\":{\"type\":\"integer\"}}],"
              "\"result\":{\"name\":\"result\",\"description\":\"the rest\","
              "\"schema\":{}}}");
  assert_json(json_array_get(methods, 0),
              "{\"name\":\"echo\",\"paramStructure\":\"either\",\"params\":[],"
              "\"result\":{\"name\":\"result\",\"schema\":{}},"
              "\"x-undescribed\":true}");
  json_decref(answer);
  finish();
}

static void test_discover_can_be_off(void** state) {
  json_t* answer;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_discover(&duo.server.options, 0);
  open_service();
  answer = ask("{\"jsonrpc\":\"2.0\",\"method\":\"rpc.discover\",\"id\":1}");
  assert_json(json_object_get(json_object_get(answer, "error"), "code"),
              "-32601");
  json_decref(answer);
  finish();
}

/* ---- Limits -------------------------------------------------------------- */

static void refuses(const char* text, int code, const char* problem) {
  int errors = duo.server.events[IPC_SERVICE_ERROR];
  json_t* answer = ask(text);
  json_t* error = json_object_get(answer, "error");

  assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
  assert_string_equal(json_string_value(json_object_get(
                          json_object_get(error, "data"), "problem")),
                      problem);
  assert_json(json_object_get(answer, "id"), "null");
  assert_int_equal(duo.server.events[IPC_SERVICE_ERROR], errors + 1);
  assert_int_equal(duo.server.status[IPC_SERVICE_ERROR], UV_EPROTO);
  json_decref(answer);
}

static void test_depth(void** state) {
  static char text[200002];
  json_t* answer;

  (void) state;
  open_default();
  /* 63 and the request's own. */
  strcpy(text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":");
  memset(text + strlen(text), '[', 63);
  memset(text + strlen(text), ']', 63);
  strcat(text, "}");
  answer = ask(text);
  assert_non_null(json_object_get(answer, "result"));
  json_decref(answer);
  memset(text, 0, sizeof(text));
  strcpy(text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":");
  memset(text + strlen(text), '[', 64);
  memset(text + strlen(text), ']', 64);
  strcat(text, "}");
  refuses(text, -32600, "more than 64 arrays and objects in each other");
  memset(text, '[', 200000);
  text[200000] = '\0';
  refuses(text, -32600, "more than 64 arrays and objects in each other");
  /* Brackets in a string open nothing. */
  strcpy(text,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"");
  memset(text + strlen(text), '[', 1000);
  text[1000] = '\0';
  strcat(text, "\\\"[\"]}");
  answer = ask(text);
  assert_non_null(json_object_get(answer, "result"));
  json_decref(answer);
  finish();
}

static void test_sizes(void** state) {
  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_max_message_bytes(&duo.server.options, 100);
  ipc_service_options_set_max_batch(&duo.server.options, 3);
  open_service();
  refuses(
      "\"12345678901234567890123456789012345678901234567890"
      "12345678901234567890123456789012345678901234567890\"",
      -32600, "102 bytes, and 100 is the most");
  refuses("[1,2,3,4]", -32600, "too large a batch");
  refuses("[]", -32600, "an empty batch");
  refuses("[", -32700, "byte 1: ']' expected near end of file");
  finish();
}

static void test_too_many_requests(void** state) {
  json_t* answer;

  (void) state;
  duo_init(&duo, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_service_options_set_max_requests(&duo.server.options, 2);
  open_service();
  wire_say(&wire, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}");
  wire_say(&wire, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":2}");
  answer = ask("{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":3}");
  assert_json(answer,
              "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32001,"
              "\"message\":\"Too many unanswered requests\"}}");
  json_decref(answer);
  assert_int_equal(waiting_count, 2);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_true()), 0);
  wire_line(&wire, 1);
  wire_say(&wire, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":3}");
  run_until(&waiting_count, 3);
  finish();
}

/* The answers of a batch come in one text, when the last is there. */
static void test_batch_waits(void** state) {
  json_t* answer;

  (void) state;
  open_default();
  wire_say(&wire,
           "[{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1},"
           "{\"jsonrpc\":\"2.0\",\"method\":\"pair\",\"id\":2},"
           "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":3}]");
  run_until(&waiting_count, 2);
  assert_int_equal(ipc_service_reply_error(duo.server.service, waiting[1], 7,
                                           "no", json_pack("[i]", 1)),
                   0);
  answer = ask(MARK);
  assert_json(json_object_get(answer, "id"), "\"mark\"");
  json_decref(answer);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_null()), 0);
  answer = json_of(wire_line(&wire, 1));
  assert_json(answer,
              "[{\"jsonrpc\":\"2.0\",\"result\":[\"hello\",5],\"id\":2},"
              "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":7,\"message\":\"no\","
              "\"data\":[1]},\"id\":3},"
              "{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":1}]");
  json_decref(answer);
  finish();
}

/* A peer that ends its side still gets its answers. */
static void test_end_of_a_side(void** state) {
  (void) state;
  open_default();
  wire_say(&wire, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}");
  run_until(&waiting_count, 1);
  if (test_is_windows()) {
    assert_int_equal(ipc_channel_end(wire.channel), UV_ENOTSUP);
    finish();
    return;
  }
  assert_int_equal(ipc_channel_end(wire.channel), 0);
  run_until(&duo.server.events[IPC_SERVICE_PEER_ENDED], 1);
  assert_int_equal(
      ipc_service_reply(duo.server.service, waiting[0], json_integer(5)), 0);
  assert_string_equal(wire_line(&wire, 0),
                      "{\"jsonrpc\":\"2.0\",\"result\":5,\"id\":1}");
  run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
  assert_int_equal(duo.server.status[IPC_SERVICE_PEER_GONE], 0);
  run_until(&wire.ends, 1);
  finish();
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_standard),
      TEST(test_further),
      TEST(test_wrong_params_are_named),
      TEST(test_discover),
      TEST(test_discover_can_be_off),
      TEST(test_depth),
      TEST(test_sizes),
      TEST(test_too_many_requests),
      TEST(test_batch_waits),
      TEST(test_end_of_a_side),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
