/* Whose a request is: an answer that comes when its channel is gone reaches
 * nobody, though the next channel be made of the same memory. */
#include "harness.h"

#include <stdint.h>

#include "pair.h"

#define FOREVER IPC_CHANNEL_INFINITE

/* ---- Memory that comes back --------------------------------------------- */

/* Each block is preceded by its size. */
#define BLOCK_HEAD 16
#define MAX_SPARES 64

static char* spares[MAX_SPARES]; /* the newest last */
static int spare_count;

static size_t size_of(const char* block) {
  size_t size;

  memcpy(&size, block - BLOCK_HEAD, sizeof(size));
  return size;
}

/* The newest of this size that was given back, or a new one. */
static void* allocate(size_t size, void* arg) {
  char* block;
  int i;

  (void) arg;
  for (i = spare_count - 1; i >= 0; i--) {
    if (size_of(spares[i]) != size) continue;
    block = spares[i];
    memmove(&spares[i], &spares[i + 1],
            (size_t) (spare_count - i - 1) * sizeof(spares[0]));
    spare_count--;
    return block;
  }
  block = malloc(BLOCK_HEAD + size);
  if (block == NULL) return NULL;
  memcpy(block, &size, sizeof(size));
  return block + BLOCK_HEAD;
}

static void release(void* block, void* arg) {
  (void) arg;
  if (block == NULL) return;
  assert_true(spare_count < MAX_SPARES);
  spares[spare_count++] = block;
}

static void* resize(void* block, size_t size, void* arg) {
  char* grown = allocate(size, arg);
  size_t had = block == NULL ? 0 : size_of(block);

  if (grown == NULL) return NULL;
  if (had > 0) memcpy(grown, block, had < size ? had : size);
  release(block, arg);
  return grown;
}

static void use_memory_again(pair_t* pair) {
  static const ipc_allocator_t allocator = {allocate, resize, release, NULL};

  ipc_server_options_set_allocator(&pair->server_options, &allocator);
}

static void release_spares(void) {
  while (spare_count > 0) free(spares[--spare_count] - BLOCK_HEAD);
}

/* ---- Two clients, one after the other ----------------------------------- */

static pair_t pair;
static side_t accepted[2];
static int accepted_count;
static ipc_request_t asked[2];
static int asks;
static int replies[2];
static int reply_status[2];
static char reply_text[16];

static side_t* next_accepted(pair_t* p) {
  (void) p;
  assert_true(accepted_count < 2);
  return &accepted[accepted_count++];
}

static void keep_request(ipc_channel_t* channel,
                         ipc_request_t request,
                         const void* data,
                         size_t size) {
  (void) channel;
  (void) data;
  (void) size;
  asked[asks++] = request;
}

static void on_reply(ipc_channel_t* channel,
                     void* arg,
                     int status,
                     const void* data,
                     size_t size) {
  int i = (int) (intptr_t) arg;

  (void) channel;
  replies[i]++;
  reply_status[i] = status;
  assert_true(size < sizeof(reply_text));
  if (status != 0) return;
  memcpy(reply_text, data, size);
  reply_text[size] = 0;
}

static void prepare(void) {
  memset(accepted, 0, sizeof(accepted));
  memset(replies, 0, sizeof(replies));
  accepted_count = asks = 0;
  pair_init(&pair);
  pair.next_side = next_accepted;
  ipc_server_options_on_request(&pair.server_options, keep_request);
}

/* Connects the i-th and has its question asked. */
static void ask(side_t* client, int i) {
  pair_connect_side(&pair, client);
  assert_int_equal(ipc_channel_call(client->channel, "?", 1, FOREVER, on_reply,
                                    (void*) (intptr_t) i),
                   0);
  run_until(&asks, i + 1);
}

static int answer(int i, ipc_request_t request, const char* text) {
  return ipc_channel_reply(accepted[i].channel, request, text, strlen(text));
}

/* Both ends of the i-th are closed. */
static void leave(side_t* client, int i) {
  side_close(client);
  run_until(&client->closes, 1);
  side_close(&accepted[i]);
  run_until(&accepted[i].closes, 1);
}

/* What the first has asked is not answered to the second, whose question has
 * the same number on the wire. */
static void test_channel_at_the_same_place(void** state) {
  side_t clients[2] = {{0}};
  ipc_channel_t* first;

  (void) state;
  prepare();
  use_memory_again(&pair);
  pair_listen(&pair);
  ask(&clients[0], 0);
  first = accepted[0].channel;
  leave(&clients[0], 0);
  assert_int_equal(reply_status[0], UV_ECANCELED);

  ask(&clients[1], 1);
  assert_ptr_equal(accepted[1].channel, first);
  assert_int_equal(answer(1, asked[0], "to the first"), UV_ENOENT);
  assert_int_equal(answer(1, asked[1], "to the second"), 0);
  run_until(&replies[1], 1);
  assert_int_equal(reply_status[1], 0);
  assert_string_equal(reply_text, "to the second");
  assert_int_equal(replies[0], 1);
  leave(&clients[1], 1);
  pair_finish(&pair);
  release_spares();
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_channel_at_the_same_place),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
