/* Packets at the seam, without any channel: pairs that keep them, what the
 * packet in front is told to have, how large one may be, and that each write is
 * one read, whatever happens to the peer. */
#include "harness.h"

#include "pair.h"
#include "alloc.h"
#include "platform.h"

#define PACKET_BYTES_MAX ((size_t) 1 << 20)

/* One end under libuv. Zeroed is ready. */
typedef struct end_s {
  ipc__stream_t stream; /* first, so that libuv's handle is the end */
  int packets;
  int ends;
  int end_status;
  int writes; /* on_written */
  int write_status;
  int is_closed;
  size_t sizes[256]; /* of the packets that came */
  size_t room;
  char data[PACKET_BYTES_MAX];
} end_t;

static end_t ends[2];
static char out[PACKET_BYTES_MAX];

static void on_written(ipc__stream_t* stream, int status, size_t bytes) {
  end_t* end = (end_t*) stream;

  (void) bytes;
  end->writes++;
  end->write_status = status;
}

static void on_closed(ipc__stream_t* stream) {
  ((end_t*) stream)->is_closed = 1;
}

static const ipc__stream_kind_t kind = {&ipc__default_allocator, on_written,
                                        on_closed};

static void end_open(end_t* end, uv_os_fd_t handle) {
  memset(end, 0, offsetof(end_t, data));
  assert_int_equal(ipc__stream_open(test_loop(), &end->stream, handle,
                                    IPC__PACKET_TRANSPORT, &kind),
                   0);
}

static void end_close(end_t* end) {
  if (end->is_closed) return;
  ipc__stream_close(&end->stream);
  test_run_until(&end->is_closed);
}

/* Room for exactly what is there. */
static void on_alloc(uv_handle_t* handle, size_t size, uv_buf_t* buffer) {
  end_t* end = (end_t*) handle;
  ssize_t next = ipc__stream_next_packet(&end->stream);

  (void) size;
  end->room = 0;
  *buffer = uv_buf_init(NULL, 0);
  if (next == UV_EAGAIN) return;
  assert_in_range(next, 0, PACKET_BYTES_MAX);
  end->room = next == 0 ? 1 : (size_t) next;
  *buffer = uv_buf_init(end->data, (unsigned int) end->room);
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  end_t* end = (end_t*) stream;

  if (size == 0 || (size == UV_ENOBUFS && end->room == 0)) return;
  if (size < 0) {
    end->ends++;
    end->end_status = (int) size;
    uv_read_stop(stream);
    return;
  }
  assert_int_equal(size, end->room);
  assert_true(end->packets < 256);
  pattern_check(buffer->base, (size_t) size, (unsigned int) end->packets);
  end->sizes[end->packets++] = (size_t) size;
}

static void end_read(end_t* end) {
  assert_int_equal(
      uv_read_start((uv_stream_t*) &end->stream.pipe, on_alloc, on_read), 0);
}

/* Writes the n-th packet; 0, or the error. Waits where that takes a reader. */
static int end_write(end_t* end, int n, size_t size) {
  uv_buf_t buffer = uv_buf_init(out, (unsigned int) size);
  ssize_t result;

  pattern_fill(out, size < sizeof(out) ? size : sizeof(out), (unsigned int) n);
  do {
    end->writes = 0;
    result = ipc__stream_write(&end->stream, &buffer, 1);
    if (result == UV_EAGAIN) {
      test_run_until(&end->writes);
      if (end->write_status != 0) return end->write_status;
      if (test_is_windows()) return 0; /* the packet has been taken */
    }
  } while (result == UV_EAGAIN);
  if (result < 0) return (int) result;
  assert_int_equal(result, size);
  return 0;
}

static void streams_open(void) {
  uv_os_fd_t handles[2];

  assert_int_equal(ipc__pair_create(IPC_PAIR_PACKET, 0, handles), 0);
  end_open(&ends[0], handles[0]);
  end_open(&ends[1], handles[1]);
}

static void streams_close(void) {
  end_close(&ends[0]);
  end_close(&ends[1]);
}

/* ---- Handles ------------------------------------------------------------ */

static void check_end(uv_os_fd_t handle) {
  ipc__handle_info_t info;

  assert_int_equal(ipc__handle_inspect(handle, &info), 0);
  assert_int_equal(info.is_packet, 1);
  assert_int_equal(info.transport, IPC__PACKET_TRANSPORT);
  assert_int_equal(info.can_read, 1);
  assert_int_equal(info.can_write, 1);
}

static void test_inspect(void** state) {
  unsigned int before = test_count_handles();
  uv_os_fd_t handles[2];
  unsigned int flags;

  (void) state;
  for (flags = 0; flags < 32; flags += 2) {
    if (test_is_windows() &&
        (flags & (IPC_PAIR_BLOCKING_0 | IPC_PAIR_BLOCKING_1)) != 0) {
      continue;
    }
    assert_int_equal(ipc__pair_create(flags | IPC_PAIR_PACKET, 0, handles), 0);
    assert_int_equal(test_count_handles(), before + 2);
    check_end(handles[0]);
    check_end(handles[1]);
    ipc__handle_close(handles[0]);
    check_end(handles[1]);
    ipc__handle_close(handles[1]);
  }
  assert_int_equal(test_count_handles(), before);
}

/* ---- Packets ------------------------------------------------------------ */

static const size_t sizes[] = {1,    2,     3,     511,   512,   4095,   4096,
                               4097, 65535, 65536, 65537, 99999, 131072, 1};

static void test_each_size(void** state) {
  int i;

  (void) state;
  streams_open();
  end_read(&ends[0]);
  for (i = 0; i < (int) TEST_COUNT(sizes); i++) {
    assert_int_equal(end_write(&ends[1], i, sizes[i]), 0);
    run_until(&ends[0].packets, i + 1);
    assert_int_equal(ends[0].sizes[i], sizes[i]);
  }
  streams_close();
}

/* Written before anybody reads, as far as the system takes them. */
static void test_queued(void** state) {
  ssize_t result = 0;
  int sent = 0;
  int i;

  (void) state;
  streams_open();
  for (i = 0; result != UV_EAGAIN && i < 200; i++) {
    uv_buf_t buffer = uv_buf_init(out, (unsigned int) (i * 37 % 5000 + 1));

    pattern_fill(out, buffer.len, (unsigned int) i);
    if (test_is_windows() && i > 0) run_until(&ends[1].writes, i);
    result = ipc__stream_write(&ends[1].stream, &buffer, 1);
    assert_true(result == (ssize_t) buffer.len || result == UV_EAGAIN);
    if (result > 0 || test_is_windows()) sent++;
    if (test_is_windows()) {
      result = 0;
      if (sent == 20) break; /* a few that fit into the pipe's buffer */
    }
  }
  assert_int_equal(ipc__stream_next_packet(&ends[0].stream), 1);
  end_read(&ends[0]);
  run_until(&ends[0].packets, sent);
  for (i = 0; i < sent; i++) {
    assert_int_equal(ends[0].sizes[i], i * 37 % 5000 + 1);
  }
  assert_int_equal(ends[0].packets, sent);
  streams_close();
}

/* The largest that the system says, and one byte more. */
static void test_limit(void** state) {
  size_t limit;
  uv_buf_t buffer;

  (void) state;
  streams_open();
  limit = ipc__stream_packet_limit(&ends[1].stream);
  if (test_is_windows()) {
    assert_int_equal(limit, UINT32_MAX);
    limit = sizeof(out);
  }
  assert_in_range(limit, 1024, sizeof(out));
  end_read(&ends[0]);
  buffer = uv_buf_init(out, (unsigned int) limit + 1);
  if (!test_is_windows()) {
    assert_true(limit < sizeof(out));
    assert_int_equal(ipc__stream_write(&ends[1].stream, &buffer, 1),
                     UV_EMSGSIZE);
  }
  assert_int_equal(end_write(&ends[1], 0, limit), 0);
  run_until(&ends[0].packets, 1);
  assert_int_equal(ends[0].sizes[0], limit);
  streams_close();
}

/* Several buffers are several packets, one a write. */
static void test_one_buffer(void** state) {
  uv_buf_t buffers[2];
  ssize_t result;

  (void) state;
  streams_open();
  end_read(&ends[0]);
  pattern_fill(out, 10, 0);
  buffers[0] = uv_buf_init(out, 10);
  buffers[1] = uv_buf_init(out, 20);
  result = ipc__stream_write(&ends[1].stream, buffers, 2);
  assert_int_equal(result, test_is_windows() ? UV_EAGAIN : 10);
  run_until(&ends[0].packets, 1);
  assert_int_equal(ends[0].sizes[0], 10);
  streams_close();
}

static void test_next(void** state) {
  char byte;

  (void) state;
  streams_open();
  assert_int_equal(ipc__stream_next_packet(&ends[0].stream), UV_EAGAIN);
  assert_int_equal(ipc__stream_try_read(&ends[0].stream, &byte, 1), UV_EAGAIN);
  end_close(&ends[1]);
  assert_int_equal(ipc__stream_next_packet(&ends[0].stream), 0);
  end_read(&ends[0]);
  run_until(&ends[0].ends, 1);
  assert_int_equal(ends[0].end_status, UV_EOF);
  streams_close();
}

/* Somebody else reads from the same open socket, between the look at a packet
 * and the read: what is read is another packet, whole or not at all. */
static void test_taken_by_another(void** state) {
  static end_t other;
  uv_os_fd_t copy;

  (void) state;
  streams_open();
  if (!IPC__HAS_TRY_READ) {
    assert_int_equal(ipc__stream_try_read(&ends[0].stream, out, 1), UV_EAGAIN);
    streams_close();
    return;
  }
  assert_int_equal(ipc__stream_duplicate(&ends[0].stream, &copy), 0);
  end_open(&other, copy);

  assert_int_equal(end_write(&ends[1], 0, 5000), 0);
  assert_int_equal(end_write(&ends[1], 1, 7), 0);
  assert_int_equal(ipc__stream_next_packet(&ends[0].stream), 5000);
  assert_int_equal(ipc__stream_try_read(&other.stream, out, 5000), 5000);
  assert_int_equal(ipc__stream_try_read(&ends[0].stream, out, 5000), 7);
  pattern_check(out, 7, 1);

  assert_int_equal(end_write(&ends[1], 2, 100), 0);
  assert_int_equal(end_write(&ends[1], 3, 101), 0);
  assert_int_equal(end_write(&ends[1], 4, 100), 0);
  assert_int_equal(ipc__stream_next_packet(&ends[0].stream), 100);
  assert_int_equal(ipc__stream_try_read(&other.stream, out, 100), 100);
  assert_int_equal(ipc__stream_try_read(&ends[0].stream, out, 100), UV_EIO);
  /* As large as the one that was looked at. */
  assert_int_equal(ipc__stream_try_read(&ends[0].stream, out, 100), 100);
  pattern_check(out, 100, 4);
  assert_int_equal(ipc__stream_try_read(&ends[0].stream, out, 100), UV_EAGAIN);
  end_close(&other);
  streams_close();
}

/* A peer that leaves without having read what was for it: its own packets can
 * still be read (Windows: documented as lost only where it disconnects), then
 * comes the end. */
static void test_left_unread(void** state) {
  int i;

  (void) state;
  streams_open();
  for (i = 0; i < 5; i++) {
    assert_int_equal(end_write(&ends[1], i, 100), 0);
  }
  assert_int_equal(end_write(&ends[0], 0, 7), 0);
  end_close(&ends[1]);
  end_read(&ends[0]);
  run_until(&ends[0].ends, 1);
  assert_int_equal(ends[0].end_status, UV_EOF);
  assert_int_equal(ends[0].packets, 5);
  assert_int_equal(end_write(&ends[0], 0, 7), UV_EPIPE);
  streams_close();
}

/* The same for one who only writes. */
static void test_write_to_left(void** state) {
  (void) state;
  streams_open();
  assert_int_equal(end_write(&ends[0], 0, 7), 0);
  end_close(&ends[1]);
  assert_int_equal(end_write(&ends[0], 0, 7), UV_EPIPE);
  assert_int_equal(end_write(&ends[0], 0, 7), UV_EPIPE);
  streams_close();
}

/* Where the system has none, nobody gets as far as that. */
static void test_none(void** state) {
  uv_os_fd_t handles[2];

  (void) state;
  assert_int_equal(ipc_pair_create(IPC_PAIR_PACKET, 0, handles), UV_ENOTSUP);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_inspect),          TEST(test_each_size),
      TEST(test_queued),           TEST(test_limit),
      TEST(test_one_buffer),       TEST(test_next),
      TEST(test_left_unread),      TEST(test_write_to_left),
      TEST(test_taken_by_another),
  };
  static const struct CMUnitTest none[] = {TEST(test_none)};

  if (!IPC__HAS_PACKETS) return test_main(argc, argv, none, 1, NULL);
  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
