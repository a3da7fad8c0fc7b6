/* Pairs of handles, and streams over them, without any channel: every kind of
 * pair that can be asked for, what an end says of itself, bytes both ways, the
 * end, the reader that has gone, and full buffers. And the handles of which no
 * stream can be made. */
#include "harness.h"

#include "platform.h"

/* More than any system's buffers hold. */
#define MANY_BYTES ((size_t) 8 << 20)
#define CHUNK_BYTES ((size_t) 64 << 10)

#define ALL_FLAGS 32u

/* The pattern's length: a prime, so that no lost block goes unseen. */
#define PATTERN 251

/* ---- Streams ------------------------------------------------------------ */

/* One end under libuv. Zeroed is ready. */
typedef struct end_s {
  ipc__stream_t stream; /* first, so that libuv's handle is the end */
  test_memory_t memory;
  ipc_allocator_t allocator;
  ipc__stream_kind_t kind;
  uint64_t received;
  int ends; /* uv_read_cb with an error */
  int end_status;
  int writes; /* on_written */
  int write_status;
  size_t written; /* by all of on_written */
  int waits;      /* writes that found no room */
  int is_closed;
  char data[CHUNK_BYTES];
} end_t;

static end_t ends[2];
static char pattern[CHUNK_BYTES + PATTERN];

static void on_written(ipc__stream_t* stream, int status, size_t bytes) {
  end_t* end = (end_t*) stream;

  end->writes++;
  end->write_status = status;
  end->written += bytes;
}

static void on_closed(ipc__stream_t* stream) {
  ((end_t*) stream)->is_closed = 1;
}

static void end_open(end_t* end, uv_os_fd_t handle) {
  ipc__handle_info_t info;

  memset(end, 0, sizeof(*end));
  end->allocator = test_allocator(&end->memory);
  assert_int_equal(ipc__handle_inspect(handle, &info), 0);
  end->kind.allocator = &end->allocator;
  end->kind.on_written = on_written;
  end->kind.on_closed = on_closed;
  assert_int_equal(ipc__stream_open(test_loop(), &end->stream, handle,
                                    info.transport, &end->kind),
                   0);
}

static void end_close(end_t* end) {
  ipc__stream_close(&end->stream);
  test_run_until(&end->is_closed);
  assert_int_equal(end->memory.blocks, 0);
}

static void on_alloc(uv_handle_t* handle, size_t size, uv_buf_t* buffer) {
  end_t* end = (end_t*) handle;

  (void) size;
  *buffer = uv_buf_init(end->data, sizeof(end->data));
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  end_t* end = (end_t*) stream;

  if (size < 0) {
    end->ends++;
    end->end_status = (int) size;
    uv_read_stop(stream);
    return;
  }
  if (size == 0) return;
  assert_memory_equal(buffer->base, pattern + end->received % PATTERN, size);
  end->received += (uint64_t) size;
}

static void end_read(end_t* end) {
  assert_int_equal(
      uv_read_start((uv_stream_t*) &end->stream.pipe, on_alloc, on_read), 0);
}

/* Writes once; how many bytes were taken in the end, or the error. */
static ssize_t end_write(end_t* end, const char* data, size_t size) {
  uv_buf_t buffer = uv_buf_init((char*) data, (unsigned int) size);
  size_t before = end->written;
  ssize_t result;

  end->writes = 0;
  result = ipc__stream_write(&end->stream, &buffer, 1);
  if (result != UV_EAGAIN) return result;
  end->waits++;
  test_run_until(&end->writes);
  assert_int_equal(end->writes, 1);
  assert_int_equal(ipc__stream_in_flight(&end->stream), 0);
  if (end->write_status != 0) return end->write_status;
  return (ssize_t) (end->written - before);
}

/* Writes so many bytes of the pattern. */
static void end_write_all(end_t* end, size_t bytes) {
  size_t done = 0;
  ssize_t written;
  size_t size;

  while (done < bytes) {
    size = bytes - done < CHUNK_BYTES ? bytes - done : CHUNK_BYTES;
    written = end_write(end, pattern + done % PATTERN, size);
    assert_true(written >= 0 && (size_t) written <= size);
    done += (size_t) written;
  }
}

/* Writes the pattern without waiting, until a write would have to; on_written
 * is owed. */
static void end_fill(end_t* end) {
  size_t done = 0;
  ssize_t written;
  uv_buf_t buffer;

  end->writes = 0;
  do {
    buffer = uv_buf_init(pattern + done % PATTERN, CHUNK_BYTES);
    written = ipc__stream_write(&end->stream, &buffer, 1);
    if (written > 0) done += (size_t) written;
  } while (written > 0);
  assert_int_equal(written, UV_EAGAIN);
}

static void await_bytes(end_t* end, uint64_t bytes) {
  while (end->received < bytes && end->ends == 0) test_turn();
  assert_int_equal(end->received, bytes);
}

static void pair_open(unsigned int flags, size_t bytes) {
  uv_os_fd_t handles[2];

  assert_int_equal(ipc__pair_create(flags, bytes, handles), 0);
  end_open(&ends[0], handles[0]);
  end_open(&ends[1], handles[1]);
}

static void pair_close(void) {
  if (!ends[0].is_closed) end_close(&ends[0]);
  if (!ends[1].is_closed) end_close(&ends[1]);
}

/* ---- Pairs -------------------------------------------------------------- */

static ipc_transport_t expected_transport(unsigned int flags) {
  if (test_is_windows()) return IPC_CHANNEL_TRANSPORT_NAMED_PIPE;
  return flags & IPC_PAIR_ONE_WAY ? IPC_CHANNEL_TRANSPORT_PIPE
                                  : IPC_CHANNEL_TRANSPORT_UNIX_SOCKET;
}

static void check_end(unsigned int flags, int index, uv_os_fd_t handle) {
  ipc__handle_info_t info;
  int is_blocking =
      (flags & (index == 0 ? IPC_PAIR_BLOCKING_0 : IPC_PAIR_BLOCKING_1)) != 0;

  assert_int_equal(ipc__handle_inspect(handle, &info), 0);
  assert_int_equal(info.is_serial, test_is_windows() && is_blocking);
  assert_int_equal(info.transport, expected_transport(flags));
  assert_int_equal(info.is_packet, 0);
  assert_int_equal(info.can_read, !(flags & IPC_PAIR_ONE_WAY) || index == 0);
  assert_int_equal(info.can_write, !(flags & IPC_PAIR_ONE_WAY) || index == 1);
}

static void test_all_flags(void** state) {
  unsigned int before = test_count_handles();
  uv_os_fd_t handles[2];
  unsigned int flags;

  (void) state;
  for (flags = 0; flags < ALL_FLAGS; flags++) {
    assert_int_equal(ipc__pair_create(flags, 0, handles), 0);
    assert_int_equal(test_count_handles(), before + 2);
    check_end(flags, 0, handles[0]);
    check_end(flags, 1, handles[1]);
    ipc__handle_close(handles[0]);
    /* The end of a peer that has gone is one still. */
    check_end(flags, 1, handles[1]);
    ipc__handle_close(handles[1]);
  }
  assert_int_equal(test_count_handles(), before);
}

/* Any size is but a hint. */
static void test_any_size(void** state) {
  static const size_t sizes[] = {1, 5000, (size_t) 1 << 20, SIZE_MAX};
  uv_os_fd_t handles[2];
  unsigned int flags;
  size_t i;

  (void) state;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    for (i = 0; i < TEST_COUNT(sizes); i++) {
      assert_int_equal(ipc__pair_create(flags, sizes[i], handles), 0);
      ipc__handle_close(handles[0]);
      ipc__handle_close(handles[1]);
    }
  }
}

/* Only those whom the system leaves no say don't follow the hint. */
static void test_sizes(void** state) {
  size_t in_bytes;
  size_t out_bytes;

  (void) state;
  pair_open(IPC_PAIR_DUPLEX, 100000);
  ipc__stream_buffer_sizes(&ends[0].stream, &in_bytes, &out_bytes);
  assert_true(in_bytes >= 100000 && out_bytes >= 100000);
  ipc__stream_buffer_sizes(&ends[1].stream, &in_bytes, &out_bytes);
  assert_true(in_bytes >= 100000 && out_bytes >= 100000);
  pair_close();

  pair_open(IPC_PAIR_ONE_WAY, 100000);
  ipc__stream_buffer_sizes(&ends[0].stream, &in_bytes, &out_bytes);
  assert_true(in_bytes == 0 || in_bytes >= 100000);
  if (!test_is_windows()) assert_int_equal(out_bytes, 0);
  ipc__stream_buffer_sizes(&ends[1].stream, &in_bytes, &out_bytes);
  assert_true(out_bytes == 0 || out_bytes >= 100000);
  if (!test_is_windows()) assert_int_equal(in_bytes, 0);
  pair_close();
}

/* ---- Streams over pairs ------------------------------------------------- */

static void test_sees_end(void** state) {
  unsigned int flags;

  (void) state;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    pair_open(flags, 0);
    assert_int_equal(ipc__stream_sees_end(&ends[0].stream), !test_is_windows());
    assert_int_equal(ipc__stream_sees_end(&ends[1].stream),
                     !test_is_windows() && !(flags & IPC_PAIR_ONE_WAY));
    pair_close();
  }
}

/* Each pair carries what its flags let it; ends made for blocking use become
 * streams too, on Windows for one way. */
static void test_bytes(void** state) {
  unsigned int flags;

  (void) state;
  for (flags = 0; flags < ALL_FLAGS; flags++) {
    if (test_is_windows() && !(flags & IPC_PAIR_ONE_WAY) &&
        (flags & (IPC_PAIR_BLOCKING_0 | IPC_PAIR_BLOCKING_1))) {
      continue; /* they are serial, says check_end */
    }
    pair_open(flags, 0);
    end_read(&ends[0]);
    if (!(flags & IPC_PAIR_ONE_WAY)) {
      end_read(&ends[1]);
      end_write_all(&ends[0], 100000);
      await_bytes(&ends[1], 100000);
    }
    end_write_all(&ends[1], 200000);
    await_bytes(&ends[0], 200000);
    pair_close();
  }
}

/* The buffers of one write arrive in order. */
static void test_gather(void** state) {
  uv_buf_t buffers[IPC__STREAM_WRITE_BUFFERS + 1];
  unsigned int flags;
  unsigned int i;
  ssize_t written;

  (void) state;
  for (i = 0; i < TEST_COUNT(buffers); i++)
    buffers[i] = uv_buf_init(pattern + i * 3 % PATTERN, 3);
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    pair_open(flags, 0);
    end_read(&ends[0]);
    written = ipc__stream_write(&ends[1].stream, buffers, TEST_COUNT(buffers));
    if (written == UV_EAGAIN) {
      test_run_until(&ends[1].writes);
      written = (ssize_t) ends[1].written;
    }
    assert_int_equal(written,
                     test_is_windows() ? 3 : 3 * IPC__STREAM_WRITE_BUFFERS);
    await_bytes(&ends[0], (uint64_t) written);
    pair_close();
  }
}

/* A reader that comes late gets all of it. */
static void test_full_then_drained(void** state) {
  unsigned int flags;

  (void) state;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    pair_open(flags, 0);
    end_fill(&ends[1]);
    assert_int_equal(ends[1].writes, 0);
    pair_close();

    pair_open(flags, 4096);
    end_read(&ends[0]);
    end_write_all(&ends[1], MANY_BYTES);
    await_bytes(&ends[0], MANY_BYTES);
    assert_true(ends[1].waits > 0);
    pair_close();
  }
}

static void test_end(void** state) {
  unsigned int flags;

  (void) state;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    pair_open(flags, 0);
    end_read(&ends[0]);
    end_write_all(&ends[1], 1000);
    await_bytes(&ends[0], 1000);
    end_close(&ends[1]);
    test_run_until(&ends[0].ends);
    assert_int_equal(ends[0].end_status, UV_EOF);
    pair_close();
  }
}

/* The peer sees the end also of one that waited for room. */
static void test_end_while_full(void** state) {
  unsigned int flags;

  (void) state;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    pair_open(flags, 0);
    end_fill(&ends[1]);
    end_close(&ends[1]);
    end_read(&ends[0]);
    test_run_until(&ends[0].ends);
    assert_int_equal(ends[0].end_status, UV_EOF);
    pair_close();
  }
}

/* A write to nobody fails, and so does the next. */
static void test_reader_gone(void** state) {
  unsigned int flags;

  (void) state;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    pair_open(flags, 0);
    end_close(&ends[0]);
    assert_int_equal(end_write(&ends[1], pattern, 100), UV_EPIPE);
    assert_int_equal(end_write(&ends[1], pattern, 100), UV_EPIPE);
    pair_close();
  }
}

/* One that waits for room is told so itself (Windows), or the next one is. */
static void test_reader_gone_while_full(void** state) {
  unsigned int flags;

  (void) state;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    pair_open(flags, 0);
    end_fill(&ends[1]);
    end_close(&ends[0]);
    test_run_until(&ends[1].writes);
    assert_true(ends[1].write_status == 0 ||
                (test_is_windows() && ends[1].write_status == UV_EPIPE));
    assert_int_equal(end_write(&ends[1], pattern, 100), UV_EPIPE);
    pair_close();
  }
}

static void test_shutdown(void** state) {
  (void) state;
  pair_open(IPC_PAIR_DUPLEX, 0);
  end_read(&ends[0]);
  end_read(&ends[1]);
  if (test_is_windows()) {
    assert_int_equal(ipc__stream_shutdown(&ends[0].stream), UV_ENOTSUP);
  } else {
    assert_int_equal(ipc__stream_shutdown(&ends[0].stream), 0);
    test_run_until(&ends[1].ends);
    assert_int_equal(ends[1].end_status, UV_EOF);
  }
  end_write_all(&ends[1], 1000);
  await_bytes(&ends[0], 1000);
  pair_close();

  pair_open(IPC_PAIR_ONE_WAY, 0);
  assert_int_equal(ipc__stream_shutdown(&ends[1].stream), UV_ENOTSUP);
  pair_close();
}

static void test_try_read(void** state) {
  unsigned int flags;
  char data[16];

  (void) state;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    pair_open(flags, 0);
    assert_int_equal(ipc__stream_try_read(&ends[0].stream, data, sizeof(data)),
                     UV_EAGAIN);
    if (!test_is_windows()) {
      end_write_all(&ends[1], 10);
      assert_int_equal(
          ipc__stream_try_read(&ends[0].stream, data, sizeof(data)), 10);
      assert_memory_equal(data, pattern, 10);
      end_close(&ends[1]);
      assert_int_equal(
          ipc__stream_try_read(&ends[0].stream, data, sizeof(data)), UV_EOF);
    }
    pair_close();
  }
}

/* The connection goes on with another handle: nothing is lost on the way, and
 * the peer notices nothing. */
static void check_moves(unsigned int flags) {
  uv_os_fd_t copy;

  pair_open(flags, 4096);
  end_read(&ends[0]);
  end_write_all(&ends[1], MANY_BYTES);
  assert_true(ends[1].waits > 0);
  assert_int_equal(ipc__stream_duplicate(&ends[1].stream, &copy), 0);
  end_close(&ends[1]);
  await_bytes(&ends[0], MANY_BYTES);

  end_open(&ends[1], copy);
  ends[0].received = 0;
  end_write_all(&ends[1], MANY_BYTES);
  await_bytes(&ends[0], MANY_BYTES);
  assert_int_equal(ends[0].ends, 0);

  end_close(&ends[1]);
  test_run_until(&ends[0].ends);
  assert_int_equal(ends[0].end_status, UV_EOF);
  pair_close();
}

static void check_reader_moves(unsigned int flags) {
  uv_os_fd_t copy;

  pair_open(flags, 0);
  end_read(&ends[0]);
  end_write_all(&ends[1], 1000);
  await_bytes(&ends[0], 1000);
  assert_int_equal(ipc__stream_duplicate(&ends[0].stream, &copy), 0);
  end_close(&ends[0]);
  end_write_all(&ends[1], 500);
  end_open(&ends[0], copy);
  end_read(&ends[0]);
  await_bytes(&ends[0], 500);
  pair_close();
}

static void test_duplicate(void** state) {
  uv_os_fd_t copy;

  (void) state;
  if (test_is_windows()) {
    pair_open(IPC_PAIR_DUPLEX, 0);
    assert_int_equal(ipc__stream_duplicate(&ends[0].stream, &copy), UV_ENOTSUP);
    pair_close();
  } else {
    check_moves(IPC_PAIR_DUPLEX);
    check_moves(IPC_PAIR_ONE_WAY);
    check_reader_moves(IPC_PAIR_DUPLEX);
    check_reader_moves(IPC_PAIR_ONE_WAY);
  }
}

/* ---- What is no stream -------------------------------------------------- */

static void check_refused(uv_os_fd_t handle, int expected) {
  ipc__handle_info_t info;

  assert_int_equal(ipc__handle_inspect(handle, &info), expected);
}

static void check_file(const char* path, int flags) {
  uv_fs_t request;
  uv_file file;

  file = uv_fs_open(NULL, &request, path, flags, 0, NULL);
  uv_fs_req_cleanup(&request);
  assert_true(file >= 0);
  check_refused(uv_get_osfhandle(file), UV_EINVAL);
  uv_fs_close(NULL, &request, file, NULL);
  uv_fs_req_cleanup(&request);
}

static void test_files(void** state) {
  char program[1024];
  size_t size = sizeof(program);

  (void) state;
  assert_int_equal(uv_exepath(program, &size), 0);
  check_file(program, UV_FS_O_RDONLY);
  check_file(".", UV_FS_O_RDONLY);
  check_file(test_is_windows() ? "NUL" : "/dev/null", UV_FS_O_RDWR);
}

static uv_os_fd_t handle_of(void* handle) {
  uv_os_fd_t fd;

  assert_int_equal(uv_fileno(handle, &fd), 0);
  return fd;
}

static void on_connection(uv_stream_t* server, int status) {
  assert_int_equal(status, 0);
  *(int*) server->data = 1;
}

static void on_connect(uv_connect_t* request, int status) {
  assert_int_equal(status, 0);
  *(int*) request->data = 1;
}

/* Internet sockets: unconnected, for datagrams, listening, connected. */
static void test_internet_sockets(void** state) {
  struct sockaddr_in address;
  int size = sizeof(address);
  uv_connect_t request;
  uv_tcp_t server;
  uv_tcp_t client;
  uv_udp_t datagrams;
  int connections = 0;
  int connects = 0;

  (void) state;
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  assert_int_equal(uv_udp_init(test_loop(), &datagrams), 0);
  assert_int_equal(
      uv_udp_bind(&datagrams, (const struct sockaddr*) &address, 0), 0);
  check_refused(handle_of(&datagrams), UV_EINVAL);

  assert_int_equal(uv_tcp_init(test_loop(), &server), 0);
  server.data = &connections;
  assert_int_equal(uv_tcp_bind(&server, (const struct sockaddr*) &address, 0),
                   0);
  check_refused(handle_of(&server), UV_EINVAL);
  assert_int_equal(uv_listen((uv_stream_t*) &server, 1, on_connection), 0);
  check_refused(handle_of(&server), UV_EINVAL);
  assert_int_equal(
      uv_tcp_getsockname(&server, (struct sockaddr*) &address, &size), 0);

  assert_int_equal(uv_tcp_init(test_loop(), &client), 0);
  request.data = &connects;
  assert_int_equal(
      uv_tcp_connect(&request, &client, (const struct sockaddr*) &address,
                     on_connect),
      0);
  test_run_until(&connects);
  test_run_until(&connections);
  check_refused(handle_of(&client), UV_EINVAL);

  uv_close((uv_handle_t*) &client, NULL);
  uv_close((uv_handle_t*) &server, NULL);
  uv_close((uv_handle_t*) &datagrams, NULL);
  test_run();
}

static void test_no_handle(void** state) {
  uv_os_fd_t handles[2];

  (void) state;
  check_refused((uv_os_fd_t) -1, UV_EBADF);
  assert_int_equal(ipc__pair_create(IPC_PAIR_DUPLEX, 0, handles), 0);
  ipc__handle_close(handles[1]);
  check_refused(handles[1], UV_EBADF);
  ipc__handle_close(handles[0]);
  check_refused(handles[0], UV_EBADF);
}

/* Whatever the three are here, they can be asked about; a terminal is none. */
static void test_standard_streams(void** state) {
  ipc__handle_info_t info;
  int fd;
  int result;

  (void) state;
  for (fd = 0; fd < 3; fd++) {
    result = ipc__handle_inspect(uv_get_osfhandle(fd), &info);
    assert_true(result == 0 || result == UV_EINVAL || result == UV_EBADF);
    if (uv_guess_handle(fd) == UV_TTY) assert_int_equal(result, UV_EINVAL);
  }
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_all_flags),
      TEST(test_any_size),
      TEST(test_sizes),
      TEST(test_sees_end),
      TEST(test_bytes),
      TEST(test_gather),
      TEST(test_full_then_drained),
      TEST(test_end),
      TEST(test_end_while_full),
      TEST(test_reader_gone),
      TEST(test_reader_gone_while_full),
      TEST(test_shutdown),
      TEST(test_try_read),
      TEST(test_duplicate),
      TEST(test_files),
      TEST(test_internet_sockets),
      TEST(test_no_handle),
      TEST(test_standard_streams),
  };
  size_t i;

  for (i = 0; i < sizeof(pattern); i++) pattern[i] = (char) (i % PATTERN);
  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
