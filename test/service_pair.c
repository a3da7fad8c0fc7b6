/* Two services that are connected, and a peer that says any text at all. */
#include "service_pair.h"

#include <stdio.h>

#define CALL_MS 30000

ipc_service_request_t waiting[2048];
int waiting_count;

void run_until(const int* count, int target) {
  while (*count < target) test_turn();
}

/* ---- Services ----------------------------------------------------------- */

static void on_event(ipc_service_t* service,
                     ipc_service_event_t event,
                     ipc_service_peer_t* peer,
                     int status,
                     const char* text,
                     void* arg) {
  party_t* party = arg;

  assert_ptr_equal(ipc_service_data(service), party);
  assert_non_null(text);
  assert_int_equal(party->closes, 0);
  party->events[event]++;
  party->status[event] = status;
  snprintf(party->text[event], sizeof(party->text[event]), "%s", text);
  if (event == IPC_SERVICE_PEER_CAME) party->peer = peer;
  if (event == IPC_SERVICE_PEER_GONE && party->peer == peer) {
    party->peer = NULL;
  }
  if (party->on_event != NULL) party->on_event(party, event);
}

void party_init(party_t* party) {
  memset(party, 0, sizeof(*party));
  ipc_service_options_init(&party->options);
}

void party_create(party_t* party) {
  int event;

  assert_int_equal(
      ipc_service_create(test_loop(), &party->options, party, &party->service),
      0);
  for (event = 0; event < EVENTS; event++) {
    assert_int_equal(
        ipc_service_on_event(party->service, (ipc_service_event_t) event,
                             on_event, party, NULL),
        0);
  }
}

static void on_closed(ipc_service_t* service) {
  party_t* party = ipc_service_data(service);

  party->closes++;
  party->service = NULL;
}

void party_close(party_t* party) {
  if (party->service == NULL || party->is_closing) return;
  party->is_closing = 1;
  assert_int_equal(ipc_service_close(party->service, on_closed), 0);
  assert_int_equal(party->closes, 0);
}

static void on_quit(ipc_service_t* service) {
  party_t* party = ipc_service_data(service);

  assert_int_equal(party->closes, 0);
  party->quits++;
}

void party_quit(party_t* party, int grace_ms) {
  assert_int_equal(ipc_service_quit(party->service, grace_ms, on_quit), 0);
  assert_int_equal(party->quits, 0);
}

void duo_init(duo_t* duo, ipc_framing_t framing) {
  memset(duo, 0, sizeof(*duo));
  duo->name = test_name();
  waiting_count = 0;
  ipc_server_options_init(&duo->server_options, duo->name);
  ipc_client_options_init(&duo->client_options, duo->name);
  ipc_server_options_set_framing(&duo->server_options, framing);
  ipc_client_options_set_framing(&duo->client_options, framing);
  party_init(&duo->server);
  party_init(&duo->client);
}

void duo_create(duo_t* duo) {
  party_create(&duo->server);
  party_create(&duo->client);
  offer_methods(duo->server.service);
  offer_methods(duo->client.service);
}

void duo_open(duo_t* duo) {
  duo_create(duo);
  assert_int_equal(
      ipc_service_listen(duo->server.service, &duo->server_options), 0);
  assert_int_equal(ipc_service_connect(duo->client.service,
                                       &duo->client_options, NULL, NULL),
                   0);
  run_until(&duo->server.events[IPC_SERVICE_PEER_CAME], 1);
  run_until(&duo->client.events[IPC_SERVICE_PEER_CAME], 1);
}

void duo_finish(duo_t* duo) {
  int had_server = duo->server.service != NULL;
  int had_client = duo->client.service != NULL;

  party_close(&duo->client);
  party_close(&duo->server);
  test_run();
  if (had_client) assert_int_equal(duo->client.closes, 1);
  if (had_server) assert_int_equal(duo->server.closes, 1);
}

/* ---- Methods ------------------------------------------------------------ */

static void on_echo(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    ipc_service_request_t request,
                    json_t* params,
                    void* arg) {
  (void) peer, (void) arg;
  if (params == NULL) params = json_null();
  ipc_service_reply(service, request, json_incref(params));
}

static void on_sum(ipc_service_t* service,
                   ipc_service_peer_t* peer,
                   ipc_service_request_t request,
                   json_t* params,
                   void* arg) {
  json_int_t sum = 0;
  size_t i;

  (void) peer, (void) arg;
  for (i = 0; i < json_array_size(params); i++) {
    sum += json_integer_value(json_array_get(params, i));
  }
  ipc_service_reply(service, request, json_integer(sum));
}

static void on_wait(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    ipc_service_request_t request,
                    json_t* params,
                    void* arg) {
  (void) service, (void) peer, (void) params, (void) arg;
  assert_true(waiting_count < 2048);
  waiting[waiting_count++] = request;
}

void offer_methods(ipc_service_t* service) {
  static const ipc_service_method_t echo = {"echo", NULL, NULL, NULL};
  static const ipc_service_method_t sum = {"sum", NULL, NULL, NULL};
  static const ipc_service_method_t wait = {"wait", NULL, NULL, NULL};

  assert_int_equal(ipc_service_add_method(service, &echo, on_echo, NULL, NULL),
                   0);
  assert_int_equal(ipc_service_add_method(service, &sum, on_sum, NULL, NULL),
                   0);
  assert_int_equal(ipc_service_add_method(service, &wait, on_wait, NULL, NULL),
                   0);
}

/* ---- Calls -------------------------------------------------------------- */

void on_said(ipc_service_t* service,
             void* arg,
             const ipc_service_answer_t* answer) {
  said_t* said = arg;

  (void) service;
  assert_int_equal(said->ends, 0);
  assert_non_null(answer->message);
  assert_int_equal(answer->result != NULL, answer->status == 0);
  said->ends = 1;
  said->status = answer->status;
  said->result = json_incref(answer->result);
  said->data = json_incref(answer->data);
  said->code = answer->code;
  snprintf(said->message, sizeof(said->message), "%s", answer->message);
  said->ended_at = uv_hrtime();
  if (said->on_end != NULL) said->on_end(said);
}

int say_call_for(said_t* said,
                 ipc_service_peer_t* peer,
                 const char* method,
                 json_t* params,
                 int timeout_ms) {
  int ends = said->ends;
  int err;

  said->began_at = uv_hrtime();
  err = ipc_service_call(peer, method, params, timeout_ms, on_said, said,
                         &said->op);
  assert_int_equal(said->ends, ends);
  assert_int_equal(said->op != 0, err == 0);
  return err;
}

int say_call(said_t* said,
             ipc_service_peer_t* peer,
             const char* method,
             json_t* params) {
  return say_call_for(said, peer, method, params, CALL_MS);
}

void said_ends(said_t* said, int status) {
  run_until(&said->ends, 1);
  assert_int_equal(said->status, status);
}

void said_free(said_t* said) {
  json_decref(said->result);
  json_decref(said->data);
  memset(said, 0, sizeof(*said));
}

json_t* json_of(const char* text) {
  json_error_t error;
  json_t* value = json_loads(text, JSON_DECODE_ANY, &error);

  if (value == NULL) fail_msg("%s: %s", text, error.text);
  return value;
}

void assert_json(const json_t* value, const char* text) {
  json_t* wanted = json_of(text);

  if (!json_equal(value, wanted)) {
    char* found = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY);

    fail_msg("%s, and not %s", found == NULL ? "nothing" : found, text);
  }
  json_decref(wanted);
}

/* ---- A peer without the library ------------------------------------------ */

static void on_wire_connect(ipc_channel_t* channel, int status) {
  wire_t* wire = ipc_channel_data(channel);

  assert_int_equal(status, 0);
  wire->connects++;
  if (wire->is_deaf) ipc_channel_pause(channel);
}

static void on_wire_message(ipc_channel_t* channel,
                            const void* data,
                            size_t size) {
  wire_t* wire = ipc_channel_data(channel);
  char* line = malloc(size + 1);

  assert_non_null(line);
  memcpy(line, data, size);
  line[size] = '\0';
  /* Of many only the first are kept. */
  if (wire->lines < 256) {
    wire->text[wire->lines] = line;
  } else {
    free(line);
  }
  wire->lines++;
}

static void on_wire_end(ipc_channel_t* channel, int status) {
  wire_t* wire = ipc_channel_data(channel);

  wire->ends++;
  wire->end_status = status;
}

static void on_wire_close(ipc_channel_t* channel,
                          const ipc_close_result_t* result) {
  wire_t* wire = ipc_channel_data(channel);

  (void) result;
  wire->channel = NULL;
}

void wire_connect(wire_t* wire, const char* name) {
  ipc_client_options_t options;

  ipc_client_options_init(&options, name);
  ipc_client_options_set_framing(&options, IPC_CHANNEL_FRAMING_DELIMITER);
  ipc_client_options_on_connect(&options, on_wire_connect);
  ipc_client_options_on_message(&options, on_wire_message);
  ipc_client_options_on_end(&options, on_wire_end);
  ipc_client_options_on_close(&options, on_wire_close);
  assert_int_equal(
      ipc_client_connect(test_loop(), &options, wire, &wire->channel), 0);
  run_until(&wire->connects, 1);
}

void wire_say(wire_t* wire, const char* text) {
  assert_int_equal(
      ipc_channel_send_copy(wire->channel, text, strlen(text), NULL, NULL), 0);
}

const char* wire_line(wire_t* wire, int n) {
  run_until(&wire->lines, n + 1);
  return wire->text[n];
}

void wire_close(wire_t* wire) {
  int i;

  if (wire->channel != NULL) {
    ipc_channel_resume(wire->channel);
    ipc_channel_close(wire->channel);
  }
  while (wire->channel != NULL) test_turn();
  for (i = 0; i < wire->lines && i < 256; i++) free(wire->text[i]);
  memset(wire, 0, sizeof(*wire));
}
