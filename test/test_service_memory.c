/* Memory that fails at any one point, for a while, or from there on: the
 * channels', jansson's and the service's own. Each call made ends once, nobody
 * waits for ever, everything closes, and nothing is lost. */
#include "service_pair.h"

static duo_t duo;
static test_memory_t memory;
static ipc_allocator_t allocator;

/* ---- Whose memory it is ---------------------------------------------------
 */

void* service_malloc(size_t size);
void* service_calloc(size_t count, size_t size);
void* service_realloc(void* block, size_t size);
void service_free(void* block);

void* service_malloc(size_t size) {
  return allocator.allocate(size, allocator.arg);
}

void* service_calloc(size_t count, size_t size) {
  void* block = service_malloc(count * size);

  if (block != NULL) memset(block, 0, count * size);
  return block;
}

void* service_realloc(void* block, size_t size) {
  return allocator.resize(block, size, allocator.arg);
}

void service_free(void* block) {
  allocator.release(block, allocator.arg);
}

/* What the test says itself doesn't fail, and isn't counted. */
static json_t* mine(const char* text) {
  int64_t from = memory.fail_from;
  int64_t calls = memory.calls;
  json_t* value;

  memory.fail_from = 0;
  value = json_of(text);
  memory.fail_from = from;
  memory.calls = calls;
  return value;
}

json_t* service_json_loadb(const char* data,
                           size_t size,
                           size_t flags,
                           json_error_t* error);

/* One allocation to the test; it fails as jansson says that it does. */
json_t* service_json_loadb(const char* data,
                           size_t size,
                           size_t flags,
                           json_error_t* error) {
  int64_t from = memory.fail_from;
  void* block = service_malloc(1);
  int64_t calls = memory.calls;
  json_t* root;

  if (block == NULL) {
    error->text[JSON_ERROR_TEXT_LENGTH - 1] = json_error_out_of_memory;
    return NULL;
  }
  service_free(block);
  memory.fail_from = 0;
  root = json_loadb(data, size, flags, error);
  memory.fail_from = from;
  memory.calls = calls;
  return root;
}

/* ---- Methods ---------------------------------------------------------------
 */

/* More than fits where a text is put at first. */
#define LONG_TEXT                                               \
  "[\"a text of more than sixteen bytes\", 12345678901234567, " \
  "0.1234567890123]"

static void on_give(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    ipc_service_request_t request,
                    json_t* params,
                    void* arg) {
  json_t* wanted = mine(LONG_TEXT);
  int err;

  (void) peer, (void) arg;
  if (json_is_array(params)) assert_true(json_equal(params, wanted));
  json_decref(wanted);
  err = ipc_service_reply(service, request, mine(LONG_TEXT));
  assert_true(err == 0 || err == UV_ENOMEM);
}

static void on_refuse(ipc_service_t* service,
                      ipc_service_peer_t* peer,
                      ipc_service_request_t request,
                      json_t* params,
                      void* arg) {
  int err;

  (void) peer, (void) params, (void) arg;
  err = ipc_service_reply_error(service, request, 7, "no such thing as this",
                                mine("[1]"));
  assert_true(err == 0 || err == UV_ENOMEM);
}

static const ipc_service_param_t params[] = {
    {"count", IPC_SERVICE_INTEGER, 1, "how many"},
    {"name", IPC_SERVICE_STRING, 0, NULL},
    {NULL, IPC_SERVICE_ANY, 0, NULL},
};
static const ipc_service_method_t give_method = {"give", NULL, NULL, NULL};
static const ipc_service_method_t refuse_method = {"refuse", "Says no.", NULL,
                                                   "nothing"};
static const ipc_service_method_t described = {"described", "Takes two.",
                                               params, "a list"};

static int is_memory(int err) {
  return err == 0 || err == UV_ENOMEM;
}

/* 0, or what went wrong. */
static int offer(ipc_service_t* service) {
  int err = ipc_service_add_method(service, &give_method, on_give, NULL, NULL);

  if (err == 0) {
    err =
        ipc_service_add_method(service, &refuse_method, on_refuse, NULL, NULL);
  }
  if (err == 0) {
    err = ipc_service_add_method(service, &described, on_give, NULL, NULL);
  }
  assert_true(is_memory(err));
  return err;
}

/* ---- Calls ------------------------------------------------------------------
 */

/* All of a conversation's. */
static said_t said[16];
static int said_count;

/* Without a deadline: if it doesn't end the test never does. */
static void ask(party_t* party, const char* method, const char* text) {
  said_t* one = &said[said_count];
  int err;

  if (party->peer == NULL) return;
  err = say_call_for(one, party->peer, method, text == NULL ? NULL : mine(text),
                     FOREVER);
  assert_true(is_memory(err) || err == UV_EPIPE);
  if (err == 0) said_count++;
}

static int is_loss(int status) {
  return status == UV_ENOMEM || status == UV_EOF || status == UV_ECONNRESET ||
         status == UV_EPIPE || status == UV_ECANCELED;
}

/* A good answer is whole; an error says why. */
static void check_answer(const said_t* one) {
  if (one->status == UV_EREMOTEIO) {
    assert_true(one->code == 7 || one->code == IPC_SERVICE_INTERNAL_ERROR ||
                one->code == IPC_SERVICE_METHOD_NOT_FOUND ||
                one->code == IPC_SERVICE_INVALID_PARAMS ||
                one->code == IPC_SERVICE_SHUTTING_DOWN);
  } else if (one->status != 0) {
    assert_true(is_loss(one->status));
  }
}

static void all_end(void) {
  int i;

  for (i = 0; i < said_count; i++) {
    run_until(&said[i].ends, 1);
    check_answer(&said[i]);
  }
}

static void free_all(void) {
  int i;

  for (i = 0; i < said_count; i++) said_free(&said[i]);
  said_count = 0;
}

/* ---- Conversations ---------------------------------------------------------
 */

static void calls(void) {
  ask(&duo.client, "give", LONG_TEXT);
  ask(&duo.server, "give", LONG_TEXT);
  all_end();
  ask(&duo.client, "refuse", NULL);
  ask(&duo.client, "absent", NULL);
  all_end();
}

static void described_params(void) {
  ask(&duo.client, "described", "{\"count\":1,\"name\":\"x\"}");
  all_end();
  ask(&duo.client, "described", "{\"count\":3.0}");
  ask(&duo.client, "described", "[\"one\"]");
  ask(&duo.client, "described", "[1,\"x\",2]");
  ask(&duo.client, "described", "{\"count\":1,\"unknown\":2}");
  all_end();
}

static void late_replies(void) {
  int i;

  ask(&duo.client, "wait", NULL);
  ask(&duo.client, "wait", "[1]");
  for (i = 0; i < said_count; i++) {
    int err;

    while (waiting_count <= i && !said[i].ends) test_turn();
    if (waiting_count <= i) continue;
    err = ipc_service_reply(duo.server.service, waiting[i], mine(LONG_TEXT));
    assert_true(is_memory(err) || err == UV_ENOENT);
  }
  all_end();
}

static void discover(void) {
  ask(&duo.client, "rpc.discover", NULL);
  all_end();
}

static void batch_of(ipc_service_peer_t* peer) {
  ipc_service_batch_t* batch;
  int calls_made = said_count;
  int err = ipc_service_batch_create(duo.client.service, &batch);
  int i;

  assert_true(is_memory(err));
  if (err != 0) {
    assert_null(batch);
    return;
  }
  for (i = 0; i < 4; i++) {
    static const char* const methods[] = {"give", "refuse", "absent",
                                          "described"};

    err = ipc_service_batch_call(batch, methods[i],
                                 i == 0 ? mine(LONG_TEXT) : NULL, FOREVER,
                                 on_said, &said[calls_made], NULL);
    assert_true(is_memory(err));
    if (err == 0) calls_made++;
    err = ipc_service_batch_notify(batch, "give", NULL);
    assert_true(is_memory(err));
  }
  err = ipc_service_batch_send(batch, peer);
  assert_true(is_memory(err) || err == UV_EPIPE || err == UV_EINVAL);
  if (err == 0) {
    said_count = calls_made;
  } else {
    ipc_service_batch_discard(batch);
  }
}

static void batches(void) {
  batch_of(duo.client.peer);
  all_end();
}

static void notifications(void) {
  size_t reached;
  int err = ipc_service_notify(duo.client.peer, "described", mine("[1]"));

  assert_true(is_memory(err));
  err = ipc_service_push(duo.server.service, NULL, NULL, "give",
                         mine(LONG_TEXT), &reached);
  assert_true(is_memory(err));
  assert_true(reached == (size_t) (err == 0) || memory.fail_from != 0);
  ask(&duo.client, "give", NULL);
  ask(&duo.server, "give", NULL);
  all_end();
}

static void quits(void) {
  ask(&duo.client, "wait", NULL);
  ask(&duo.client, "give", NULL);
  while (waiting_count == 0 && said_count > 0 && !said[0].ends) test_turn();
  party_quit(&duo.server, 20);
  all_end();
  run_until(&duo.server.quits, 1);
}

/* ---- Every allocation once -------------------------------------------------
 */

static void take_memory(void) {
  said_count = 0;
  memset(&memory, 0, sizeof(memory));
  allocator = test_allocator(&memory);
  json_set_alloc_funcs(service_malloc, service_free);
}

static void use_memory(void) {
  duo_init(&duo, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_server_options_set_allocator(&duo.server_options, &allocator);
  ipc_client_options_set_allocator(&duo.client_options, &allocator);
  ipc_server_options_set_close_timeout(&duo.server_options, 50);
  ipc_client_options_set_close_timeout(&duo.client_options, 50);
}

static void fail_at(int64_t n, int64_t count) {
  memory.calls = 0;
  memory.fail_from = n;
  memory.fail_to = count == 0 ? INT64_MAX : n + count;
}

static void no_block_is_left(int64_t n, int64_t count) {
  if (memory.blocks != 0) {
    fail_msg("%d from allocation %d failed: %d blocks are left", (int) count,
             (int) n, (int) memory.blocks);
  }
}

/* The conversation with each n-th allocation failing, `count` in all, until
 * there is no n-th; that one is good. */
static void run_failures(void (*talk)(void), int64_t count) {
  int64_t n;

  for (n = 1;; n++) {
    take_memory();
    use_memory();
    duo_open(&duo);
    offer(duo.server.service);
    offer(duo.client.service);
    fail_at(n, count);
    talk();
    duo_finish(&duo);
    if (memory.calls < n) break;
    free_all();
    no_block_is_left(n, count);
  }
  free_all();
  no_block_is_left(n, count);
  json_set_alloc_funcs(malloc, free);
  assert_true(n > 5);
}

static void run_all_failures(void (*talk)(void)) {
  run_failures(talk, 1);
  run_failures(talk, 3);
  run_failures(talk, 0);
}

#define TALK_TEST(talk)                   \
  static void test_##talk(void** state) { \
    (void) state;                         \
    run_all_failures(talk);               \
  }

TALK_TEST(calls)
TALK_TEST(described_params)
TALK_TEST(late_replies)
TALK_TEST(discover)
TALK_TEST(batches)
TALK_TEST(notifications)
TALK_TEST(quits)

/* ---- The beginning ----------------------------------------------------------
 */

static void begin(party_t* party) {
  int err =
      ipc_service_create(test_loop(), &party->options, party, &party->service);

  assert_true(is_memory(err));
  assert_int_equal(party->service == NULL, err != 0);
  if (err == 0) offer(party->service);
}

static int dial(ipc_service_t* service,
                const char* name,
                ipc_client_options_t* options,
                void* arg) {
  (void) service, (void) name, (void) arg;
  *options = duo.client_options;
  return 0;
}

/* All of it, from nothing; the call is made by name. */
static void open_and_call(void) {
  ipc_service_t* client;
  int err;

  begin(&duo.server);
  begin(&duo.client);
  client = duo.client.service;
  if (duo.server.service != NULL) {
    err = ipc_service_listen(duo.server.service, &duo.server_options);
    assert_true(is_memory(err));
  }
  if (client == NULL) return;
  assert_int_equal(ipc_service_set_dial(client, dial, NULL), 0);
  err = ipc_service_call_name(client, "there", "give", mine(LONG_TEXT), FOREVER,
                              on_said, &said[0], NULL);
  assert_true(is_memory(err));
  if (err != 0) return;
  said_count = 1;
  run_until(&said[0].ends, 1);
}

static void run_beginnings(int64_t count) {
  int status = -1;
  int64_t n;

  for (n = 1; status != 0 || memory.calls >= n; n++) {
    take_memory();
    use_memory();
    ipc_service_options_set_name(&duo.server.options, "server");
    ipc_service_options_set_name(&duo.client.options, "client");
    fail_at(n, count);
    open_and_call();
    duo_finish(&duo);
    status = said_count == 0 ? -1 : said[0].status;
    free_all();
    no_block_is_left(n, count);
  }
  json_set_alloc_funcs(malloc, free);
  assert_true(n > 10);
}

static void test_beginnings(void** state) {
  (void) state;
  run_beginnings(1);
  run_beginnings(3);
  run_beginnings(0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_calls),        TEST(test_described_params),
      TEST(test_late_replies), TEST(test_discover),
      TEST(test_batches),      TEST(test_notifications),
      TEST(test_quits),        TEST(test_beginnings),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
