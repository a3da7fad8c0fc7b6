/* FIFOs as channels: who may come first, who may leave, and what becomes of
 * what is written. Where the system has none, that it says so. */
#include "harness.h"

#include "pair.h"

#include <stdio.h>

#define KIB ((size_t) 1 << 10)
#define LARGE ((size_t) 3 << 20)
#define OWNER_ONLY 0600

static char path[128];
static ipc_channel_options_t reading;
static ipc_channel_options_t writing;
static side_t reader;
static side_t writer;

static void set_raw(ipc_channel_options_t* options, ipc_access_t access) {
  side_options(options);
  assert_int_equal(
      ipc_channel_options_set_framing(options, IPC_CHANNEL_FRAMING_RAW), 0);
  assert_int_equal(ipc_channel_options_set_access(options, access), 0);
}

static int try_open(side_t* side) {
  return ipc_fifo_open(test_loop(), side == &reader ? &reading : &writing, path,
                       side, &side->channel);
}

/* A fresh FIFO, and both builders; 0 where there can't be one. */
static int begin(void) {
  memset(&reader, 0, sizeof(reader));
  memset(&writer, 0, sizeof(writer));
  set_raw(&reading, IPC_CHANNEL_ACCESS_INBOUND);
  set_raw(&writing, IPC_CHANNEL_ACCESS_OUTBOUND);
  if (test_is_windows()) {
    snprintf(path, sizeof(path), "%s", test_name());
    assert_int_equal(ipc_fifo_create(path, OWNER_ONLY), UV_ENOTSUP);
    assert_int_equal(try_open(&reader), UV_ENOTSUP);
    assert_int_equal(try_open(&writer), UV_ENOTSUP);
    assert_null(reader.channel);
    return 0;
  }
  snprintf(path, sizeof(path), "%s/%s", test_directory(), test_name());
  assert_int_equal(ipc_fifo_create(path, OWNER_ONLY), 0);
  return 1;
}

static void open_side(side_t* side) {
  assert_int_equal(try_open(side), 0);
  assert_non_null(side->channel);
}

static void close_writer(void) {
  side_close(&writer);
  run_until(&writer.closes, 1);
  side_free(&writer);
}

/* Somebody else comes to write. */
static void next_writer(void) {
  close_writer();
  memset(&writer, 0, sizeof(writer));
  open_side(&writer);
}

static void run_until_bytes(const side_t* side, uint64_t bytes) {
  while (side->bytes < bytes) test_turn();
}

static int exists(void) {
  uv_fs_t request;
  int err = uv_fs_lstat(NULL, &request, path, NULL);

  uv_fs_req_cleanup(&request);
  return err == 0;
}

static void unlink_path(void) {
  uv_fs_t request;

  assert_int_equal(uv_fs_unlink(NULL, &request, path, NULL), 0);
  uv_fs_req_cleanup(&request);
}

/* A reader never hears of an end. */
static void finish(void) {
  side_close(&writer);
  side_close(&reader);
  test_run();
  assert_null(reader.channel);
  assert_null(writer.channel);
  assert_int_equal(reader.ends, 0);
  assert_int_equal(writer.ends, 0);
  side_free(&writer);
  side_free(&reader);
  if (exists()) unlink_path();
}

static ipc_channel_info_t info_of(const side_t* side) {
  ipc_channel_info_t info;

  assert_int_equal(ipc_channel_info(side->channel, &info), 0);
  return info;
}

/* ---- Coming and going --------------------------------------------------- */

static void test_reader_first(void** state) {
  (void) state;
  if (!begin()) return;
  open_side(&reader);
  open_side(&writer);
  assert_int_equal(side_send(&writer, "reload\n", 7), 0);
  run_until_bytes(&reader, 7);
  assert_int_equal(reader.opens, 1);
  assert_int_equal(writer.opens, 1);
  assert_string_equal(info_of(&reader).os_name, path);
  assert_int_equal(info_of(&reader).access, IPC_CHANNEL_ACCESS_INBOUND);
  assert_int_equal(info_of(&writer).access, IPC_CHANNEL_ACCESS_OUTBOUND);
  assert_int_equal(info_of(&writer).transport, IPC_CHANNEL_TRANSPORT_PIPE);
  assert_int_equal(info_of(&writer).is_connected, 1);
  assert_int_equal(side_send(&reader, "x", 1), UV_EACCES);
  assert_int_equal(ipc_channel_end(writer.channel), UV_ENOTSUP);
  finish();
  assert_int_equal(writer.result.status, 0);
  assert_int_equal(writer.result.unsent, 0);
}

static void test_writer_first(void** state) {
  (void) state;
  if (!begin()) return;
  assert_int_equal(try_open(&writer), UV_ENOENT);
  assert_null(writer.channel);
  open_side(&reader);
  open_side(&writer);
  finish();
  /* The close has left the path alone, but nobody reads any more. */
  assert_int_equal(ipc_fifo_create(path, OWNER_ONLY), 0);
  assert_int_equal(try_open(&writer), UV_ENOENT);
  unlink_path();
  assert_int_equal(try_open(&writer), UV_ENOENT);
  assert_int_equal(try_open(&reader), UV_ENOENT);
}

static void test_writers_in_turn(void** state) {
  int i;

  (void) state;
  if (!begin()) return;
  open_side(&reader);
  open_side(&writer);
  for (i = 0; i < 3; i++) {
    assert_int_equal(side_send(&writer, "line\n", 5), 0);
    run_until_bytes(&reader, 5 * (uint64_t) (i + 1));
    next_writer();
    test_run_for(10); /* no end is told */
    assert_int_equal(reader.ends, 0);
  }
  finish();
}

/* Where nothing is left between the writers, the reader's own end keeps what
 * was written. */
static void test_writer_leaves_at_once(void** state) {
  (void) state;
  if (!begin()) return;
  open_side(&reader);
  assert_int_equal(ipc_channel_pause(reader.channel), 0);
  open_side(&writer);
  assert_int_equal(side_send(&writer, "kept", 4), 0);
  close_writer();
  memset(&writer, 0, sizeof(writer));
  assert_int_equal(reader.messages, 0);
  assert_int_equal(ipc_channel_resume(reader.channel), 0);
  run_until_bytes(&reader, 4);
  finish();
}

/* The end of the process would be the signal's. */
static void test_reader_goes(void** state) {
  (void) state;
  if (!begin()) return;
  open_side(&reader);
  open_side(&writer);
  assert_int_equal(side_send(&writer, "x", 1), 0);
  run_until(&writer.sent, 1);
  side_close(&reader);
  run_until(&reader.closes, 1);
  assert_int_equal(side_send(&writer, "y", 1), 0);
  run_until(&writer.failed, 1);
  assert_int_equal(writer.failure, UV_EPIPE);
  assert_int_equal(side_send(&writer, "z", 1), UV_EPIPE);
  finish();
  assert_int_equal(writer.result.status, UV_EPIPE);
  assert_int_equal(writer.result.unsent, 1);
}

/* ---- Full, and large ---------------------------------------------------- */

static uint64_t fill(void) {
  uint8_t block[KIB];
  uint64_t filled = 0;
  unsigned int seed = 0;

  for (;;) {
    pattern_fill(block, sizeof(block), seed++);
    if (side_send(&writer, block, sizeof(block)) != 0) return filled;
    filled += sizeof(block);
    test_turn();
  }
}

static void test_full(void** state) {
  uint64_t filled;
  uint64_t i;

  (void) state;
  if (!begin()) return;
  assert_int_equal(ipc_channel_options_set_max_queue_bytes(&writing, 8 * KIB),
                   0);
  reader.keeps_log = 1;
  open_side(&reader);
  assert_int_equal(ipc_channel_pause(reader.channel), 0);
  open_side(&writer);
  filled = fill();
  assert_true(filled > 8 * KIB);
  assert_int_equal(writer.drains, 0);
  assert_int_equal(ipc_channel_resume(reader.channel), 0);
  run_until(&writer.drains, 1);
  run_until_bytes(&reader, filled);
  for (i = 0; i < filled / KIB; i++) {
    pattern_check(reader.log + i * KIB, KIB, (unsigned int) i);
  }
  finish();
  assert_int_equal(writer.result.status, 0);
}

/* What waits for room when the reader goes. */
static void test_full_and_reader_goes(void** state) {
  (void) state;
  if (!begin()) return;
  assert_int_equal(ipc_channel_options_set_max_queue_bytes(&writing, 8 * KIB),
                   0);
  open_side(&reader);
  assert_int_equal(ipc_channel_pause(reader.channel), 0);
  open_side(&writer);
  fill();
  side_close(&reader);
  run_until(&writer.failed, 1);
  assert_int_equal(writer.failure, UV_EPIPE);
  finish();
  assert_true(writer.result.unsent > 0);
}

/* More than one write takes, between small ones; some borrowed, some copied. */
static void test_large(void** state) {
  static const size_t sizes[] = {1,     100,  4095,  4096,   4097,
                                 2,     8192, 8193,  70000,  3,
                                 60000, 513,  LARGE, 100000, 1};
  uint8_t* sent[TEST_COUNT(sizes)];
  uint64_t total = 0;
  size_t i;

  (void) state;
  if (!begin()) return;
  assert_int_equal(ipc_channel_options_set_max_queue_bytes(&writing, 2 * LARGE),
                   0);
  reader.keeps_log = 1;
  open_side(&reader);
  open_side(&writer);
  for (i = 0; i < TEST_COUNT(sizes); i++) {
    sent[i] = malloc(sizes[i]);
    assert_non_null(sent[i]);
    pattern_fill(sent[i], sizes[i], (unsigned int) i);
    assert_int_equal(side_lend(&writer, sent[i], sizes[i]), 0);
    total += sizes[i];
  }
  run_until_bytes(&reader, total);
  run_until(&writer.sent, (int) TEST_COUNT(sizes));
  for (total = 0, i = 0; i < TEST_COUNT(sizes); i++) {
    pattern_check(reader.log + total, sizes[i], (unsigned int) i);
    total += sizes[i];
    free(sent[i]);
  }
  finish();
}

/* ---- Removing ----------------------------------------------------------- */

static void test_remove(void** state) {
  (void) state;
  if (!begin()) return;
  open_side(&reader);
  open_side(&writer);
  run_until(&writer.opens, 1);
  assert_int_equal(ipc_fifo_remove(reader.channel), 0);
  assert_false(exists());
  assert_int_equal(ipc_fifo_remove(reader.channel), UV_ENOENT);
  assert_int_equal(ipc_fifo_remove(writer.channel), UV_ENOENT);
  /* Those that have it open go on. */
  assert_int_equal(side_send(&writer, "x", 1), 0);
  run_until_bytes(&reader, 1);
  /* Another one isn't theirs. */
  assert_int_equal(ipc_fifo_create(path, OWNER_ONLY), 0);
  assert_int_equal(ipc_fifo_remove(reader.channel), UV_EEXIST);
  assert_int_equal(ipc_fifo_remove(writer.channel), UV_EEXIST);
  assert_true(exists());
  finish();
}

/* Before the loop has run, and by the end that writes. */
static void test_remove_at_once(void** state) {
  (void) state;
  if (!begin()) return;
  open_side(&reader);
  open_side(&writer);
  assert_int_equal(ipc_fifo_remove(writer.channel), 0);
  assert_false(exists());
  finish();
}

static void test_remove_too_late(void** state) {
  (void) state;
  if (!begin()) return;
  open_side(&reader);
  run_until(&reader.opens, 1);
  assert_int_equal(ipc_channel_disconnect(reader.channel), 0);
  assert_int_equal(ipc_fifo_remove(reader.channel), UV_ENOTCONN);
  assert_true(exists());
  finish();
}

/* ---- In other ways ------------------------------------------------------ */

/* Both ends block, in one thread. */
static void test_without_a_loop(void** state) {
  ipc_channel_t* ends[2];
  const void* data;
  size_t size;

  (void) state;
  if (!begin()) return;
  assert_int_equal(ipc_fifo_open(NULL, &reading, path, &reader, &ends[0]), 0);
  assert_int_equal(ipc_fifo_open(NULL, &writing, path, &writer, &ends[1]), 0);
  assert_int_equal(ipc_channel_send_wait(ends[1], "job", 3, -1, NULL), 0);
  assert_int_equal(ipc_channel_recv_wait(ends[0], -1, &data, &size), 0);
  assert_memory_equal(data, "job", 3);
  assert_int_equal(ipc_channel_close_wait(ends[1], NULL), 0);
  assert_int_equal(ipc_channel_recv_wait(ends[0], 0, &data, &size),
                   UV_ETIMEDOUT);
  assert_int_equal(ipc_fifo_remove(ends[0]), 0);
  assert_int_equal(ipc_channel_close_wait(ends[0], NULL), 0);
}

/* The end that was asked for is given back, the other one goes. */
static void test_release(void** state) {
  uv_os_fd_t handle;
  side_t other = {0};

  (void) state;
  if (!begin()) return;
  open_side(&reader);
  assert_int_equal(ipc_channel_release(reader.channel, &handle), 0);
  assert_int_equal(ipc_fifo_remove(reader.channel), UV_ENOTCONN);
  finish();
  assert_int_equal(
      ipc_channel_open(test_loop(), &reading, handle, &other, &other.channel),
      0);
  assert_int_equal(ipc_fifo_remove(other.channel), UV_EINVAL);
  side_close(&other);
  test_run();
}

static void test_no_memory(void** state) {
  test_memory_t memory = {0};
  ipc_allocator_t allocator = test_allocator(&memory);
  unsigned int handles = test_count_handles();
  int err = UV_ENOMEM;

  (void) state;
  if (!begin()) return;
  assert_int_equal(ipc_channel_options_set_allocator(&reading, &allocator), 0);
  memory.fail_to = INT64_MAX;
  while (err != 0) {
    memory.fail_from++;
    memory.calls = 0;
    err = try_open(&reader);
    if (err == 0) break;
    assert_int_equal(err, UV_ENOMEM);
    test_run();
    assert_int_equal(memory.blocks, 0);
    assert_int_equal(test_count_handles(), handles);
  }
  assert_true(memory.fail_from > 2);
  memory.fail_from = 0;
  finish();
  assert_int_equal(memory.blocks, 0);
}

static void test_arguments(void** state) {
  ipc_channel_options_t o;
  ipc_channel_t* channel;

  (void) state;
  assert_int_equal(ipc_fifo_create(NULL, OWNER_ONLY), UV_EINVAL);
  assert_int_equal(ipc_fifo_create("x", -1), UV_EINVAL);
  assert_int_equal(ipc_fifo_create("x", 01000), UV_EINVAL);
  assert_int_equal(ipc_fifo_remove(NULL), UV_EINVAL);

  set_raw(&o, IPC_CHANNEL_ACCESS_INBOUND);
  assert_int_equal(ipc_fifo_open(test_loop(), &o, NULL, NULL, &channel),
                   UV_EINVAL);
  assert_int_equal(ipc_fifo_open(test_loop(), &o, "x", NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_fifo_open(test_loop(), NULL, "x", NULL, &channel),
                   UV_EINVAL);
  assert_null(channel);
  set_raw(&o, IPC_CHANNEL_ACCESS_DUPLEX);
  assert_int_equal(ipc_fifo_open(test_loop(), &o, "x", NULL, &channel),
                   UV_ENOTSUP);
  side_options(&o);
  ipc_channel_options_set_access(&o, IPC_CHANNEL_ACCESS_INBOUND);
  assert_int_equal(ipc_fifo_open(test_loop(), &o, "x", NULL, &channel),
                   UV_EINVAL);
  set_raw(&o, IPC_CHANNEL_ACCESS_INBOUND);
  assert_int_equal(ipc_channel_options_set_max_queue_bytes(&o, 0), UV_EINVAL);
  assert_int_equal(ipc_fifo_open(test_loop(), &o, "x", NULL, &channel),
                   UV_EINVAL);
}

/* Nor is any other channel's path removed. */
static void test_remove_of_others(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  assert_int_equal(ipc_fifo_remove(pair.client.channel), UV_EINVAL);
  assert_int_equal(ipc_fifo_remove(pair.accepted.channel), UV_EINVAL);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_reader_first),
      TEST(test_writer_first),
      TEST(test_writers_in_turn),
      TEST(test_writer_leaves_at_once),
      TEST(test_reader_goes),
      TEST(test_full),
      TEST(test_full_and_reader_goes),
      TEST(test_large),
      TEST(test_remove),
      TEST(test_remove_at_once),
      TEST(test_remove_too_late),
      TEST(test_without_a_loop),
      TEST(test_release),
      TEST(test_no_memory),
      TEST(test_arguments),
      TEST(test_remove_of_others),
  };
  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
