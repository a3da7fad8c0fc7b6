/* The same conversation in every framing that a service takes; texts at the
 * limit and beyond it, and texts that come in pieces. */
#include <stdio.h>

#include "formats.h"
#include "service_pair.h"

/* Those of formats.h, and these. */
enum { NATIVE = FORMAT_COUNT, PACKETS, TWO_BYTES, FRAMINGS };

static duo_t duo;
static char big[50001];

static const ipc_length_prefix_t two_bytes = {2, 0, 0, 0, 0};

/* Whether the system has it. */
static int choose(int framing) {
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  if (framing < FORMAT_COUNT) {
    format_server(&duo.server_options, (format_t) framing);
    format_client(&duo.client_options, (format_t) framing);
  } else if (framing == TWO_BYTES) {
    ipc_server_options_set_length_prefix(&duo.server_options, &two_bytes);
    ipc_client_options_set_length_prefix(&duo.client_options, &two_bytes);
  } else if (framing == PACKETS) {
    int err = ipc_server_options_set_framing(&duo.server_options,
                                             IPC_CHANNEL_FRAMING_PACKET);

    assert_int_equal(ipc_client_options_set_framing(&duo.client_options,
                                                    IPC_CHANNEL_FRAMING_PACKET),
                     err);
    if (err != 0) assert_int_equal(err, UV_ENOTSUP);
    return err == 0;
  }
  return 1;
}

static void for_each_framing(void (*test)(int framing)) {
  int framing;

  for (framing = 0; framing < FRAMINGS; framing++) {
    if (choose(framing)) test(framing);
  }
}

/* ---- The conversation ------------------------------------------------------
 */

static void echoes(ipc_service_peer_t* peer, const char* text) {
  said_t said = {0};

  assert_int_equal(say_call(&said, peer, "echo", json_of(text)), 0);
  said_ends(&said, 0);
  assert_json(said.result, text);
  said_free(&said);
}

static int notes;

static void on_note(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    const char* method,
                    json_t* params,
                    void* arg) {
  (void) service, (void) peer, (void) method, (void) arg;
  assert_json(params, "{\"a\":\"\\n\\u0001\"}");
  notes++;
}

static void talk_both_ways(ipc_service_peer_t* peer, ipc_service_t* other) {
  static const char* const texts[] = {
      "[]", "{}", "[\"a\\nb\\r\\n\\r\\n\"]",
      "[\"Content-Length: 5\\r\\n\\r\\n\",\"5:hello,\"]",
      "[\"\\u00e9\\u20ac\\ud83d\\ude00\\u007f\"]"};
  char text[sizeof(big) + 10];
  size_t i;

  for (i = 0; i < TEST_COUNT(texts); i++) echoes(peer, texts[i]);
  snprintf(text, sizeof(text), "[\"%s\"]", big);
  echoes(peer, text);
  notes = 0;
  assert_int_equal(ipc_service_on(other, "note", on_note, NULL, NULL), 0);
  assert_int_equal(
      ipc_service_notify(peer, "note", json_of("{\"a\":\"\\n\\u0001\"}")), 0);
  run_until(&notes, 1);
}

static void talk_in_batches(ipc_service_peer_t* peer) {
  said_t said[3];
  ipc_service_batch_t* batch;
  int i;

  memset(said, 0, sizeof(said));
  assert_int_equal(
      ipc_service_batch_create(ipc_service_peer_service(peer), &batch), 0);
  for (i = 0; i < 3; i++) {
    assert_int_equal(
        ipc_service_batch_call(batch, "sum", json_pack("[i,i]", i, 1), 60000,
                               on_said, &said[i], NULL),
        0);
  }
  assert_int_equal(ipc_service_batch_send(batch, peer), 0);
  for (i = 0; i < 3; i++) {
    said_ends(&said[i], 0);
    assert_int_equal(json_integer_value(said[i].result), i + 1);
    said_free(&said[i]);
  }
}

static void converse(int framing) {
  (void) framing;
  duo_open(&duo);
  talk_both_ways(duo.client.peer, duo.server.service);
  talk_both_ways(duo.server.peer, duo.client.service);
  talk_in_batches(duo.client.peer);
  party_quit(&duo.server, 1000);
  run_until(&duo.server.quits, 1);
  duo_finish(&duo);
}

static void test_conversation(void** state) {
  (void) state;
  memset(big, 'x', sizeof(big) - 1);
  for_each_framing(converse);
}

/* ---- Limits ----------------------------------------------------------------
 */

#define LIMIT 1000

/* A call whose text has this many bytes; its number has one digit. */
static int call_of_size(said_t* said, size_t size) {
  const char* empty =
      "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[\"\"],\"id\":1}";
  char text[LIMIT + 10] = "";

  memset(text, 'x', size - strlen(empty));
  return say_call(said, duo.client.peer, "echo", json_pack("[s]", text));
}

/* Of the channel that sends. */
static void exceed_ours(int framing) {
  said_t said = {0};

  (void) framing;
  ipc_client_options_set_max_message_bytes(&duo.client_options, LIMIT);
  duo_open(&duo);
  assert_int_equal(call_of_size(&said, LIMIT), 0);
  said_ends(&said, 0);
  said_free(&said);
  assert_int_equal(call_of_size(&said, LIMIT + 1), UV_EMSGSIZE);
  echoes(duo.client.peer, "[1]");
  duo_finish(&duo);
}

/* Of the channel that receives, which only the native framing tells before. */
static void exceed_theirs(int framing) {
  said_t said = {0};
  int err;

  ipc_server_options_set_max_message_bytes(&duo.server_options, LIMIT);
  duo_open(&duo);
  assert_int_equal(call_of_size(&said, LIMIT), 0);
  said_ends(&said, 0);
  said_free(&said);
  err = call_of_size(&said, LIMIT + 1);
  if (framing == NATIVE) {
    assert_int_equal(err, UV_EMSGSIZE);
    echoes(duo.client.peer, "[1]");
  } else {
    assert_int_equal(err, 0);
    run_until(&said.ends, 1);
    assert_true(said.status == UV_EOF || said.status == UV_ECONNRESET);
    run_until(&duo.server.events[IPC_SERVICE_PEER_GONE], 1);
    assert_int_equal(duo.server.status[IPC_SERVICE_PEER_GONE], UV_EMSGSIZE);
    said_free(&said);
  }
  duo_finish(&duo);
}

/* Of the service, which goes on. */
static void exceed_service(int framing) {
  said_t said = {0};
  said_t lost = {0};

  (void) framing;
  ipc_service_options_set_max_message_bytes(&duo.server.options, LIMIT);
  duo_open(&duo);
  assert_int_equal(call_of_size(&said, LIMIT), 0);
  said_ends(&said, 0);
  said_free(&said);
  /* The error has no id, so that this one must be given up. */
  assert_int_equal(call_of_size(&lost, LIMIT + 1), 0);
  run_until(&duo.client.events[IPC_SERVICE_ERROR], 1);
  assert_int_equal(duo.server.status[IPC_SERVICE_ERROR], UV_EPROTO);
  assert_int_equal(lost.ends, 0);
  assert_int_equal(ipc_service_cancel(duo.client.service, lost.op), 0);
  said_ends(&lost, UV_ECANCELED);
  echoes(duo.client.peer, "[1]");
  duo_finish(&duo);
}

static void test_limits(void** state) {
  (void) state;
  for_each_framing(exceed_ours);
  for_each_framing(exceed_theirs);
  for_each_framing(exceed_service);
}

/* ---- Pieces
 * ------------------------------------------------------------------
 */

typedef struct stream_s {
  ipc_channel_t* channel;
  int connects;
  char text[2000];
  size_t size;
} stream_t;

static void on_connect(ipc_channel_t* channel, int status) {
  stream_t* stream = ipc_channel_data(channel);

  assert_int_equal(status, 0);
  stream->connects++;
}

static void on_bytes(ipc_channel_t* channel, const void* data, size_t size) {
  stream_t* stream = ipc_channel_data(channel);

  assert_true(stream->size + size < sizeof(stream->text));
  memcpy(stream->text + stream->size, data, size);
  stream->size += size;
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  stream_t* stream = ipc_channel_data(channel);

  (void) result;
  stream->channel = NULL;
}

static void open_stream(stream_t* stream) {
  ipc_client_options_t options;

  memset(stream, 0, sizeof(*stream));
  ipc_client_options_init(&options, duo.name);
  ipc_client_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_on_connect(&options, on_connect);
  ipc_client_options_on_message(&options, on_bytes);
  ipc_client_options_on_close(&options, on_close);
  assert_int_equal(
      ipc_client_connect(test_loop(), &options, stream, &stream->channel), 0);
  run_until(&stream->connects, 1);
}

/* Two requests as bytes, a few in each turn; the answers come as bytes too. */
static void say_in_pieces(format_t format, size_t piece) {
  static const char* const requests[] = {
      "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"params\":[1,2],\"id\":\"a\"}",
      "[{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"params\":[3],\"id\":2}]",
      NULL};
  static const char* const answers[] = {
      "{\"jsonrpc\":\"2.0\",\"result\":3,\"id\":\"a\"}",
      "[{\"jsonrpc\":\"2.0\",\"result\":3,\"id\":2}]", NULL};
  char bytes[1000];
  char wanted[1000];
  size_t wanted_size = format_put_texts(format, wanted, answers);
  size_t size = format_put_texts(format, bytes, requests);
  stream_t stream;
  size_t at;

  open_stream(&stream);
  for (at = 0; at < size; at += piece) {
    size_t count = size - at < piece ? size - at : piece;

    assert_int_equal(
        ipc_channel_send_copy(stream.channel, bytes + at, count, NULL, NULL),
        0);
    test_turn();
  }
  while (stream.size < wanted_size) test_turn();
  assert_int_equal(stream.size, wanted_size);
  assert_memory_equal(stream.text, wanted, wanted_size);
  ipc_channel_close(stream.channel);
  while (stream.channel != NULL) test_turn();
}

static void test_pieces(void** state) {
  int format;

  (void) state;
  for (format = 0; format < FORMAT_COUNT; format++) {
    choose(format);
    party_create(&duo.server);
    offer_methods(duo.server.service);
    assert_int_equal(
        ipc_service_listen(duo.server.service, &duo.server_options), 0);
    say_in_pieces((format_t) format, 1);
    say_in_pieces((format_t) format, 7);
    say_in_pieces((format_t) format, 1000);
    duo_finish(&duo);
  }
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_conversation),
      TEST(test_limits),
      TEST(test_pieces),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
