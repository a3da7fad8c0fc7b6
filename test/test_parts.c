/* The parts that know no loop: the heap of deadlines and the send queue, each
 * against a model so simple that it can't be wrong. */
#include "harness.h"

#include "deadline.h"
#include "pair.h"
#include "queue.h"

static uint32_t seed;

static uint32_t next_random(uint32_t below) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % below;
}

/* ---- Deadlines ---------------------------------------------------------- */

#define DEADLINES 300
#define OPERATIONS 10000

static ipc__deadline_t deadlines[DEADLINES];

static uint64_t earliest(void) {
  uint64_t at = UINT64_MAX;
  int i;

  for (i = 0; i < DEADLINES; i++) {
    if (deadlines[i].at != 0 && deadlines[i].at < at) at = deadlines[i].at;
  }
  return at;
}

static void check_root(const ipc__deadline_t* root) {
  assert_true((root == NULL ? UINT64_MAX : root->at) == earliest());
}

/* `span` different times: few of them make many ties. */
static void run_heap(uint32_t span) {
  ipc__deadline_t* root = NULL;
  uint64_t last = 0;
  uint32_t order = UINT32_MAX - OPERATIONS / 2; /* it wraps */
  uint32_t last_order = 0;
  int i;

  memset(deadlines, 0, sizeof(deadlines));
  for (i = 0; i < OPERATIONS; i++) {
    ipc__deadline_t* one = &deadlines[next_random(DEADLINES)];

    if (next_random(8) == 0 && root != NULL) one = root;
    if (one->at != 0) {
      root = ipc__deadline_remove(root, one);
      assert_true(one->at == 0);
    } else {
      one->at = 1 + next_random(span);
      one->order = order++;
      root = ipc__deadline_insert(root, one);
    }
    check_root(root);
  }
  /* What is left comes out in order. */
  while (root != NULL) {
    ipc__deadline_t* first = root;

    assert_true(first->at >= last);
    if (first->at == last)
      assert_true((int32_t) (first->order - last_order) > 0);
    check_root(root);
    last = first->at;
    last_order = first->order;
    root = ipc__deadline_remove(root, first);
  }
  assert_true(earliest() == UINT64_MAX);
}

static void test_heap(void** state) {
  (void) state;
  seed = 1;
  run_heap(1000000);
}

static void test_heap_of_ties(void** state) {
  (void) state;
  seed = 2;
  run_heap(5);
  run_heap(1);
}

/* Ten thousand in falling order make the longest lists that there can be. */
static void test_heap_in_order(void** state) {
  static ipc__deadline_t many[10000];
  ipc__deadline_t* root = NULL;
  uint64_t at;
  size_t i;
  int rising;

  (void) state;
  for (rising = 0; rising < 2; rising++) {
    for (i = 0; i < TEST_COUNT(many); i++) {
      many[i].at = rising ? i + 1 : TEST_COUNT(many) - i;
      root = ipc__deadline_insert(root, &many[i]);
    }
    for (at = 1; root != NULL; at++) {
      assert_true(root->at == at);
      root = ipc__deadline_remove(root, root);
    }
    assert_int_equal(at, TEST_COUNT(many) + 1);
  }
}

/* ---- Queue -------------------------------------------------------------- */

static test_memory_t memory;
static ipc__hub_t hub;

/* Bytes to take pieces of, and the model: all that was ever put in. */
#define SOURCE_BYTES (300u << 10)
#define MODEL_BYTES (8u << 20)

static uint8_t* source;
static uint8_t* model;

/* The queue uses the hub's memory only. */
static void open_queue(ipc__queue_t* queue) {
  memset(queue, 0, sizeof(*queue));
  memset(&memory, 0, sizeof(memory));
  memset(&hub, 0, sizeof(hub));
  hub.settings.allocator = test_allocator(&memory);
  source = malloc(SOURCE_BYTES);
  model = malloc(MODEL_BYTES);
  assert_non_null(source);
  assert_non_null(model);
  pattern_fill(source, SOURCE_BYTES, 1);
}

static void close_queue(ipc__queue_t* queue) {
  size_t i;

  ipc__queue_drop(&hub, queue);
  assert_int_equal(ipc__queue_bytes(queue), 0);
  for (i = 0; i < IPC__HUB_SPARES; i++) {
    ipc_allocator_t* a = &hub.settings.allocator;

    a->release(hub.spares[i].memory, a->arg);
  }
  assert_int_equal(memory.blocks, 0);
  free(source);
  free(model);
}

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  (void) channel;
  (void) arg;
  (void) status;
  (void) sent;
}

/* Puts a header of 8 bytes and `size` of the source, and into the model. */
static int put_one(ipc__queue_t* queue,
                   size_t size,
                   int borrow,
                   intptr_t number) {
  size_t from = next_random((uint32_t) (SOURCE_BYTES - size));
  uint8_t head[8];
  uv_buf_t piece = uv_buf_init((char*) source + from, (unsigned int) size);
  uint64_t at = queue->queued;
  ipc__put_t put = {0};
  ipc__record_t* record;
  ssize_t size_put;

  pattern_fill(head, sizeof(head), (unsigned int) number);
  put.head = head;
  put.head_size = sizeof(head);
  put.pieces = &piece;
  put.count = 1;
  put.borrow = borrow;
  put.has_record = 1;
  size_put = ipc__queue_put(&hub, queue, &put);
  if (size_put < 0) return (int) size_put;
  record = ipc__queue_add_record(queue, (size_t) size_put, sizeof(head), 0);
  record->id = (ipc_op_t) number + 1;
  record->cb = on_sent;
  record->arg = (void*) number;
  record->op = NULL;
  record->stays = record->is_told = 0;
  memcpy(model + at, head, sizeof(head));
  memcpy(model + at + sizeof(head), source + from, size);
  memset(head, 0xee, sizeof(head)); /* it has been copied */
  return 0;
}

/* Gathers with any skip, limit and count, and compares with the model. */
static void check_gather(const ipc__queue_t* queue) {
  size_t bytes = ipc__queue_bytes(queue);
  size_t skip = next_random((uint32_t) bytes + 1);
  size_t limit = next_random(2) ? SIZE_MAX : next_random(100000);
  unsigned int count = 1 + next_random(64);
  uv_buf_t buffers[64];
  const uint8_t* expected = model + queue->released + skip;
  size_t total = 0;
  unsigned int used;
  unsigned int i;

  used = ipc__queue_gather(queue, skip, limit, buffers, count);
  assert_true(used <= count);
  for (i = 0; i < used; i++) {
    assert_true(buffers[i].len > 0);
    assert_memory_equal(buffers[i].base, expected + total, buffers[i].len);
    total += buffers[i].len;
  }
  assert_true(total <= limit);
  /* All that was asked for, unless the buffers have run out. */
  if (used < count) {
    assert_int_equal(total, limit < bytes - skip ? limit : bytes - skip);
  }
}

static void check_records(ipc__queue_t* queue, intptr_t* popped) {
  ipc__record_t record;

  while (ipc__queue_pop(queue, 0, &record)) {
    assert_true(record.end <= queue->released);
    assert_int_equal((intptr_t) record.arg, (*popped)++);
    assert_true(record.cb == on_sent);
  }
}

static const size_t body_sizes[] = {0,    1,     8,     100,   4000,  8192,
                                    8193, 30000, 65528, 65536, 65537, 200000};

static void run_queue(int borrow_of_four) {
  ipc__queue_t queue;
  intptr_t asked = 0;
  intptr_t popped = 0;
  size_t size;

  open_queue(&queue);
  while (queue.queued + SOURCE_BYTES < MODEL_BYTES) {
    size = body_sizes[next_random(TEST_COUNT(body_sizes))];
    if (next_random(3) > 0) size = next_random(200);
    assert_int_equal(
        put_one(&queue, size, size > 0 && (int) next_random(4) < borrow_of_four,
                asked++),
        0);
    check_gather(&queue);
    if (next_random(3) == 0) {
      size = next_random((uint32_t) ipc__queue_bytes(&queue) + 1);
      if (next_random(4) == 0) size = ipc__queue_bytes(&queue);
      ipc__queue_release(&hub, &queue, size);
      check_records(&queue, &popped);
      check_gather(&queue);
    }
  }
  ipc__queue_release(&hub, &queue, ipc__queue_bytes(&queue));
  check_records(&queue, &popped);
  assert_int_equal(popped, asked);
  close_queue(&queue);
}

static void test_queue_copies(void** state) {
  (void) state;
  seed = 3;
  run_queue(0);
}

static void test_queue_borrows(void** state) {
  (void) state;
  seed = 4;
  run_queue(4);
}

static void test_queue_mixed(void** state) {
  (void) state;
  seed = 5;
  run_queue(1);
}

/* The same few sends, released in chunks of every size. */
static void test_queue_chunks(void** state) {
  ipc__queue_t queue;
  intptr_t popped;
  size_t chunk;
  int i;

  (void) state;
  seed = 6;
  open_queue(&queue);
  for (chunk = 1; chunk < 120; chunk++) {
    popped = 0;
    ipc__queue_drop(&hub, &queue);
    memset(&queue, 0, sizeof(queue));
    for (i = 0; i < 6; i++) {
      assert_int_equal(put_one(&queue, (size_t) i * 7, i % 2, i), 0);
    }
    while (ipc__queue_bytes(&queue) > 0) {
      size_t left = ipc__queue_bytes(&queue);

      check_gather(&queue);
      ipc__queue_release(&hub, &queue, chunk < left ? chunk : left);
      check_records(&queue, &popped);
    }
    assert_int_equal(popped, 6);
  }
  close_queue(&queue);
}

/* The most that ends with a record, or else the first one's rest. */
static size_t whole(const size_t* sizes, size_t skip, size_t limit) {
  size_t end = 0;
  size_t best = 0;
  size_t i;

  for (i = 0; i < 6; i++) {
    end += sizes[i];
    if (end <= skip) continue;
    if (best > 0 && end - skip > limit) break;
    best = end - skip;
  }
  return best;
}

/* With records that are complete and not called back yet in front, or without,
 * and the first one cut or not. */
static void test_queue_whole_records(void** state) {
  static const size_t sizes[] = {8, 15, 22, 29, 36, 43};
  ipc__queue_t queue;
  intptr_t popped;
  size_t limit;
  size_t released;
  int pops;
  int i;

  (void) state;
  seed = 7;
  open_queue(&queue);
  for (pops = 0; pops < 2; pops++) {
    popped = 0;
    ipc__queue_drop(&hub, &queue);
    memset(&queue, 0, sizeof(queue));
    assert_int_equal(ipc__queue_whole(&queue, 1), 0);
    for (i = 0; i < 6; i++) {
      assert_int_equal(put_one(&queue, (size_t) i * 7, 0, i), 0);
    }
    for (released = 0; ipc__queue_bytes(&queue) > 0; released++) {
      for (limit = 1; limit < 160; limit++) {
        assert_int_equal(ipc__queue_whole(&queue, limit),
                         whole(sizes, released, limit));
      }
      ipc__queue_release(&hub, &queue, 1);
      if (pops) check_records(&queue, &popped);
    }
    assert_int_equal(ipc__queue_whole(&queue, 1), 0);
    check_records(&queue, &popped);
    assert_int_equal(popped, 6);
  }
  close_queue(&queue);
}

/* Frames without a record, such as FIN, are bytes and nothing to call back. */
static void test_queue_without_records(void** state) {
  ipc__queue_t queue;
  ipc__record_t record;
  ipc__put_t put = {0};
  uv_buf_t buffer;

  (void) state;
  seed = 7;
  open_queue(&queue);
  put.head = (const uint8_t*) "headhead";
  put.head_size = 8;
  assert_int_equal(ipc__queue_put(&hub, &queue, &put), 8);
  assert_int_equal(ipc__queue_bytes(&queue), 8);
  assert_int_equal(ipc__queue_gather(&queue, 0, SIZE_MAX, &buffer, 1), 1);
  assert_memory_equal(buffer.base, "headhead", 8);
  assert_int_equal(ipc__queue_gather(&queue, 8, SIZE_MAX, &buffer, 1), 0);
  ipc__queue_release(&hub, &queue, 8);
  assert_false(ipc__queue_pop(&queue, 1, &record));
  close_queue(&queue);
}

/* Dropped bytes leave the records, which `all` still takes out in order. */
static void test_queue_drop(void** state) {
  ipc__queue_t queue;
  ipc__record_t record;
  int i;

  (void) state;
  seed = 8;
  open_queue(&queue);
  for (i = 0; i < 40; i++) assert_int_equal(put_one(&queue, 3000, i % 2, i), 0);
  assert_false(ipc__queue_pop(&queue, 0, &record));
  for (i = 0; i < 40; i++) {
    assert_true(ipc__queue_pop(&queue, 1, &record));
    assert_int_equal((intptr_t) record.arg, i);
    if (i == 20) ipc__queue_drop(&hub, &queue);
  }
  assert_false(ipc__queue_pop(&queue, 1, &record));
  close_queue(&queue);
}

/* Memory that fails at any one point leaves the queue as it was, and the next
 * put finds it in order. */
static void test_queue_without_memory(void** state) {
  ipc__queue_t queue;
  intptr_t popped = 0;
  intptr_t asked = 0;
  int failures = 0;
  size_t size;

  (void) state;
  seed = 9;
  open_queue(&queue);
  while (queue.queued + SOURCE_BYTES < MODEL_BYTES) {
    ipc__queue_t before = queue;
    int nth = 1;

    size = body_sizes[next_random(TEST_COUNT(body_sizes))];
    do {
      memory.fail_from = memory.calls + nth++;
      memory.fail_to = memory.fail_from + 1;
      if (put_one(&queue, size, size > 0 && asked % 2, asked) == 0) break;
      failures++;
      assert_true(queue.queued == before.queued);
      assert_true(queue.released == before.released);
      assert_int_equal(queue.records.count, before.records.count);
      assert_int_equal(queue.segments.count, before.segments.count);
      check_gather(&queue);
    } while (1);
    asked++;
    memory.fail_from = 0;
    check_gather(&queue);
    if (next_random(40) == 0) {
      ipc__queue_release(&hub, &queue, ipc__queue_bytes(&queue));
      check_records(&queue, &popped);
    }
  }
  assert_true(failures > 10);
  ipc__queue_release(&hub, &queue, ipc__queue_bytes(&queue));
  check_records(&queue, &popped);
  assert_int_equal(popped, asked);
  close_queue(&queue);
}

/* The same with a queue that holds nothing: nothing stays behind. */
static void test_queue_fails_when_empty(void** state) {
  ipc__queue_t queue;
  int nth;

  (void) state;
  seed = 10;
  for (nth = 1;; nth++) {
    int err;

    open_queue(&queue);
    memory.fail_from = nth;
    memory.fail_to = nth + 1;
    err = put_one(&queue, 100, 0, 0);
    if (err == 0) ipc__queue_release(&hub, &queue, 108);
    if (err == 0) check_records(&queue, &(intptr_t){0});
    if (err != 0) assert_int_equal(ipc__queue_bytes(&queue), 0);
    close_queue(&queue);
    if (err == 0) break;
  }
  assert_int_equal(nth, 4);
}

/* A write was under way into the middle of the second of four: that one is
 * over, and the two behind it are not. */
static void test_queue_restart_amid_write(void** state) {
  ipc__queue_t queue;
  ipc__record_t record;
  intptr_t number;

  (void) state;
  seed = 11;
  open_queue(&queue);
  assert_int_equal(put_one(&queue, 92, 0, 0), 0);
  assert_int_equal(put_one(&queue, 9992, 0, 1), 0);
  assert_int_equal(put_one(&queue, 12, 0, 2), 0);
  assert_int_equal(put_one(&queue, 12, 0, 3), 0);
  ipc__queue_release(&hub, &queue, 200);
  assert_int_equal(
      ipc__queue_restart(&hub, &queue, 5000, NULL, 0, UV_ECONNRESET), 0);
  assert_int_equal(ipc__queue_pop(&queue, 0, &record), 1);
  assert_int_equal((intptr_t) record.arg, 1);
  assert_int_equal(record.status, UV_ECONNRESET);
  assert_int_equal(record.size, 4900);
  assert_int_equal(ipc__queue_pop(&queue, 0, &record), 1);
  assert_int_equal((intptr_t) record.arg, 0);
  assert_int_equal(ipc__queue_pop(&queue, 0, &record), 0);
  assert_int_equal(ipc__queue_bytes(&queue), 40);
  for (number = 2; number < 4; number++) {
    ipc__queue_release(&hub, &queue, 20);
    assert_int_equal(ipc__queue_pop(&queue, 0, &record), 1);
    assert_int_equal((intptr_t) record.arg, number);
    assert_int_equal(record.status, 0);
  }
  close_queue(&queue);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_heap),
      TEST(test_heap_of_ties),
      TEST(test_heap_in_order),
      TEST(test_queue_copies),
      TEST(test_queue_borrows),
      TEST(test_queue_mixed),
      TEST(test_queue_chunks),
      TEST(test_queue_whole_records),
      TEST(test_queue_without_records),
      TEST(test_queue_drop),
      TEST(test_queue_without_memory),
      TEST(test_queue_fails_when_empty),
      TEST(test_queue_restart_amid_write),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
