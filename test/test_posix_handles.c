/* POSIX: descriptors of every kind, the flags of a pair's descriptors, packets
 * that two descriptors take from one socket, a descriptor that two channels are
 * to have, and writes to a pipe that nobody reads, in every state that SIGPIPE
 * can be in. */
#include "harness.h"

#include "pair.h"

#include "posix/posix.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- What a descriptor is ----------------------------------------------- */

static void check(int fd, ipc_transport_t transport, int reads, int writes) {
  ipc__handle_info_t info;

  assert_int_equal(ipc__handle_inspect(fd, &info), 0);
  assert_int_equal(info.transport, transport);
  assert_int_equal(info.is_packet,
                   transport == IPC_CHANNEL_TRANSPORT_SEQPACKET);
  assert_int_equal(info.can_read, reads);
  assert_int_equal(info.can_write, writes);
}

static void check_refused(int fd) {
  ipc__handle_info_t info;

  assert_int_equal(ipc__handle_inspect(fd, &info), UV_EINVAL);
}

static void test_pipe(void** state) {
  int fds[2];

  (void) state;
  assert_int_equal(pipe(fds), 0);
  check(fds[0], IPC_CHANNEL_TRANSPORT_PIPE, 1, 0);
  check(fds[1], IPC_CHANNEL_TRANSPORT_PIPE, 0, 1);
  /* Asking changes nothing. */
  assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  assert_false(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
  close(fds[0]);
  check(fds[1], IPC_CHANNEL_TRANSPORT_PIPE, 0, 1);
  close(fds[1]);
}

static void test_fifo(void** state) {
  char path[128];
  int reader;
  int writer;

  (void) state;
  snprintf(path, sizeof(path), "%s/fifo", test_directory());
  assert_int_equal(mkfifo(path, 0600), 0);
  reader = open(path, O_RDONLY | O_NONBLOCK);
  writer = open(path, O_WRONLY | O_NONBLOCK);
  unlink(path);
  check(reader, IPC_CHANNEL_TRANSPORT_PIPE, 1, 0);
  check(writer, IPC_CHANNEL_TRANSPORT_PIPE, 0, 1);
  close(reader);
  close(writer);
}

/* What a connected socket of this type is; 0: nothing. */
static int get_transport(int type, ipc_transport_t* transport) {
  *transport = type == SOCK_STREAM ? IPC_CHANNEL_TRANSPORT_UNIX_SOCKET
                                   : IPC_CHANNEL_TRANSPORT_SEQPACKET;
  return type == SOCK_STREAM || (type == SOCK_SEQPACKET && IPC__HAS_PACKETS);
}

static void test_sockets(void** state) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  ipc_transport_t transport;
  size_t i;
  int fds[2];
  int fd;

  (void) state;
  for (i = 0; i < TEST_COUNT(types); i++) {
    fd = socket(AF_UNIX, types[i], 0);
    if (fd == -1) continue; /* macOS has no SOCK_SEQPACKET */
    check_refused(fd);
    close(fd);
    assert_int_equal(socketpair(AF_UNIX, types[i], 0, fds), 0);
    if (get_transport(types[i], &transport))
      check(fds[0], transport, 1, 1);
    else
      check_refused(fds[0]);
    close(fds[0]);
    /* Nor are they less for a peer that has gone. */
    if (get_transport(types[i], &transport)) check(fds[1], transport, 1, 1);
    close(fds[1]);
  }
}

/* An endpoint by name: listening it is refused, both of the connected sockets
 * are taken. */
static void test_endpoint(void** state) {
  char path[128];
  int listening;
  int accepted;
  int client;

  (void) state;
  snprintf(path, sizeof(path), "%s/socket", test_directory());
  assert_int_equal(ipc__socket_open(SOCK_STREAM, &listening), 0);
  assert_int_equal(ipc__socket_bind(listening, path), 0);
  check_refused(listening);
  assert_int_equal(listen(listening, 1), 0);
  check_refused(listening);
  assert_int_equal(ipc__socket_connect(SOCK_STREAM, path, 0, 0, &client), 0);
  unlink(path);
  check(client, IPC_CHANNEL_TRANSPORT_UNIX_SOCKET, 1, 1);
  assert_int_equal(ipc__socket_accept(listening, &accepted), 0);
  check(accepted, IPC_CHANNEL_TRANSPORT_UNIX_SOCKET, 1, 1);
  close(accepted);
  close(client);
  close(listening);
}

static void test_terminal(void** state) {
  int fd = posix_openpt(O_RDWR | O_NOCTTY);

  (void) state;
  if (fd == -1) fd = open("/dev/zero", O_RDWR); /* none here: another device */
  check_refused(fd);
  close(fd);
}

/* ---- A pair's flags ----------------------------------------------------- */

static void check_flags(int fd, int is_inheritable, int is_blocking) {
  assert_int_equal(!(fcntl(fd, F_GETFD) & FD_CLOEXEC), is_inheritable);
  assert_int_equal(!(fcntl(fd, F_GETFL) & O_NONBLOCK), is_blocking);
}

static void test_flags(void** state) {
  unsigned int flags;
  int ends[2];

  (void) state;
  for (flags = 0; flags < 32; flags++) {
    assert_int_equal(ipc__pair_create(flags, 0, ends), 0);
    check_flags(ends[0], (flags & IPC_PAIR_INHERITABLE_0) != 0,
                (flags & IPC_PAIR_BLOCKING_0) != 0);
    check_flags(ends[1], (flags & IPC_PAIR_INHERITABLE_1) != 0,
                (flags & IPC_PAIR_BLOCKING_1) != 0);
    close(ends[0]);
    close(ends[1]);
  }
}

/* With room for one descriptor there is no pair, and nothing left of it. */
static void test_failure(void** state) {
  unsigned int before = test_count_handles();
  struct rlimit limit;
  struct rlimit lowered;
  unsigned int flags;
  int ends[2];
  int fd;

  (void) state;
  fd = dup(STDERR_FILENO);
  close(fd);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  lowered = limit;
  lowered.rlim_cur = (rlim_t) fd + 1;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++)
    assert_int_equal(ipc__pair_create(flags, 0, ends), UV_EMFILE);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_int_equal(test_count_handles(), before);
}

/* ---- A socket that two read from ---------------------------------------- */

/* Takes a packet when the channel has looked at one of this size, and asks for
 * the memory to read it into. */
typedef struct thief_s {
  int fd;
  size_t awaited;
  int thefts;
} thief_t;

static thief_t thief;
static side_t robbed;
static int sender;

static void steal(size_t size) {
  static char packet[64 << 10];

  if (size != thief.awaited) return;
  thief.awaited = 0;
  assert_int_equal(recv(thief.fd, packet, sizeof(packet), MSG_DONTWAIT), size);
  thief.thefts++;
}

static void* thief_allocate(size_t size, void* arg) {
  (void) arg;
  steal(size);
  return malloc(size);
}

static void* thief_resize(void* memory, size_t size, void* arg) {
  (void) arg;
  steal(size);
  return realloc(memory, size);
}

static void thief_release(void* memory, void* arg) {
  (void) arg;
  free(memory);
}

/* A channel that will be robbed of a packet of this size. 0: no packets here.
 */
static int open_robbed(size_t awaited) {
  static const ipc_allocator_t allocator = {thief_allocate, thief_resize,
                                            thief_release, NULL};
  ipc_channel_options_t options;
  int ends[2];
  int err;

  err = ipc_pair_create(IPC_PAIR_PACKET | IPC_PAIR_BLOCKING_1, 0, ends);
  if (!IPC__HAS_PACKETS) {
    assert_int_equal(err, UV_ENOTSUP);
    return 0;
  }
  assert_int_equal(err, 0);
  memset(&robbed, 0, sizeof(robbed));
  memset(&thief, 0, sizeof(thief));
  thief.fd = dup(ends[0]);
  thief.awaited = awaited;
  sender = ends[1];
  robbed.keeps_log = 1;
  side_options(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_PACKET);
  ipc_channel_options_set_allocator(&options, &allocator);
  assert_int_equal(ipc_channel_open(test_loop(), &options, ends[0], &robbed,
                                    &robbed.channel),
                   0);
  return 1;
}

static void close_robbed(void) {
  assert_int_equal(thief.thefts, 1);
  close(thief.fd);
  close(sender);
  side_close(&robbed);
  test_run();
  assert_int_equal(robbed.closes, 1);
  side_free(&robbed);
}

static void send_packet(size_t size, unsigned int seed) {
  static uint8_t packet[64 << 10];

  pattern_fill(packet, size, seed);
  assert_int_equal(send(sender, packet, size, 0), size);
}

/* The next is shorter: it doesn't wait for the rest of the one that was looked
 * at. */
static void test_shorter_packet(void** state) {
  (void) state;
  if (!open_robbed(5000)) return;
  send_packet(5000, 1);
  send_packet(7, 2);
  run_until(&robbed.messages, 1);
  assert_int_equal(robbed.bytes, 7);
  pattern_check(robbed.log, 7, 2);
  send_packet(5000, 3);
  run_until(&robbed.messages, 2);
  assert_int_equal(robbed.bytes, 5007);
  pattern_check(robbed.log + 7, 5000, 3);
  close_robbed();
}

/* The next is longer: it isn't delivered cut. */
static void test_longer_packet(void** state) {
  (void) state;
  if (!open_robbed(3000)) return;
  send_packet(3000, 1);
  send_packet(9000, 2);
  while (robbed.messages == 0 && robbed.ends == 0) test_turn();
  assert_int_equal(robbed.messages, 0);
  assert_int_equal(robbed.end_status, UV_EIO);
  close_robbed();
}

/* There is no next one yet, and the memory is there already: one that comes
 * later is looked at anew. */
static void test_later_packet(void** state) {
  (void) state;
  if (!open_robbed(3000)) return;
  send_packet(3000, 1);
  run_until(&thief.thefts, 1);
  send_packet(9000, 2);
  while (robbed.messages == 0 && robbed.ends == 0) test_turn();
  assert_int_equal(robbed.ends, 0);
  assert_int_equal(robbed.bytes, 9000);
  pattern_check(robbed.log, 9000, 2);
  close_robbed();
}

/* ---- A descriptor that two channels are to have -------------------------- */

static int twice[2];
static side_t first;
static side_t second;
static side_t other; /* the other end */

static void open_raw(int fd, side_t* side) {
  ipc_channel_options_t options;

  memset(side, 0, sizeof(*side));
  side_options(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(
      ipc_channel_open(test_loop(), &options, fd, side, &side->channel), 0);
}

static void open_first(void) {
  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 0, twice), 0);
  open_raw(twice[0], &first);
  open_raw(twice[1], &other);
}

/* One hears that the descriptor isn't its own, and goes; the other has it
 * still. */
static void finish_with_one(side_t* has, side_t* has_not) {
  run_until(&has_not->connects, 1);
  assert_int_equal(has_not->connect_status, UV_EEXIST);
  run_until(&has_not->closes, 1);
  assert_true(test_handle_is_open(twice[0]));
  assert_int_equal(side_send(has, "ping", 4), 0);
  assert_int_equal(side_send(&other, "pong", 4), 0);
  run_until(&other.messages, 1);
  run_until(&has->messages, 1);
  assert_int_equal(has->connect_status, 0);
  assert_int_equal(has->ends + other.ends, 0);
  side_close(has);
  run_until(&has->closes, 1);
  side_close(&other);
  test_run();
  side_free(has);
  side_free(has_not);
  side_free(&other);
}

static void test_opened_twice(void** state) {
  (void) state;
  open_first();
  run_until(&first.opens, 1);
  open_raw(twice[0], &second);
  finish_with_one(&first, &second);
}

/* Before the loop has run nobody has it, and either may get it. */
static void test_opened_twice_at_once(void** state) {
  (void) state;
  open_first();
  open_raw(twice[0], &second);
  while (first.connects == 0 || second.connects == 0) test_turn();
  if (first.opens > 0) {
    finish_with_one(&first, &second);
  } else {
    finish_with_one(&second, &first);
  }
}

/* ---- SIGPIPE ------------------------------------------------------------ */

typedef struct writer_s {
  ipc__stream_t stream; /* first */
  int is_closed;
} writer_t;

static void on_written(ipc__stream_t* stream, int status, size_t bytes) {
  (void) stream;
  (void) status;
  (void) bytes;
}

static void on_closed(ipc__stream_t* stream) {
  ((writer_t*) stream)->is_closed = 1;
}

static const ipc__stream_kind_t kind = {&ipc__default_allocator, on_written,
                                        on_closed};

/* The writing end of a pair whose other end is closed. */
static void writer_open(writer_t* writer, uv_loop_t* loop, unsigned int flags) {
  int ends[2];

  memset(writer, 0, sizeof(*writer));
  if (ipc__pair_create(flags, 0, ends) != 0) abort();
  close(ends[0]);
  if (ipc__stream_open(loop, &writer->stream, ends[1],
                       flags & IPC_PAIR_ONE_WAY
                           ? IPC_CHANNEL_TRANSPORT_PIPE
                           : IPC_CHANNEL_TRANSPORT_UNIX_SOCKET,
                       &kind) != 0)
    abort();
}

static ssize_t writer_write(writer_t* writer) {
  uv_buf_t buffer = uv_buf_init("0123456789", 10);

  return ipc__stream_write(&writer->stream, &buffer, 1);
}

static void writer_close(writer_t* writer) {
  ipc__stream_close(&writer->stream);
  while (!writer->is_closed) uv_run(writer->stream.pipe.loop, UV_RUN_ONCE);
}

/* A duplicate is no child's either, and none of the three standard ones, which
 * libuv would never close. */
static void test_duplicate(void** state) {
  writer_t writer;
  int copy;

  (void) state;
  writer_open(&writer, test_loop(), IPC_PAIR_ONE_WAY | IPC_PAIR_INHERITABLE_1);
  assert_int_equal(ipc__stream_duplicate(&writer.stream, &copy), 0);
  assert_true(copy > STDERR_FILENO);
  check_flags(copy, 0, 0);
  writer_close(&writer);
  check(copy, IPC_CHANNEL_TRANSPORT_PIPE, 0, 1);
  close(copy);
}

static int signals;

static void on_signal(int number) {
  (void) number;
  signals++;
}

static int is_pending(void) {
  sigset_t pending;

  assert_int_equal(sigpending(&pending), 0);
  return sigismember(&pending, SIGPIPE);
}

static int is_blocked(void) {
  sigset_t mask;

  assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
  return sigismember(&mask, SIGPIPE);
}

static void set_blocked(int blocked) {
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  assert_int_equal(
      pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL), 0);
}

static void handle_signal(void (*handler)(int)) {
  struct sigaction action;

  memset(&action, 0, sizeof(action));
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGPIPE, &action, NULL) != 0) abort();
}

/* Nothing of it is left, whatever was to be done with the signal. */
static void test_no_signal(void** state) {
  void (*const handlers[])(int) = {on_signal, SIG_IGN, SIG_DFL};
  writer_t writer;
  unsigned int flags;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(handlers) * 4; i++) {
    flags = i & 1 ? IPC_PAIR_ONE_WAY : IPC_PAIR_DUPLEX;
    handle_signal(handlers[i / 4]);
    set_blocked(i & 2 ? 1 : 0);
    signals = 0;
    writer_open(&writer, test_loop(), flags);
    assert_int_equal(writer_write(&writer), UV_EPIPE);
    assert_int_equal(writer_write(&writer), UV_EPIPE);
    assert_false(is_pending());
    assert_int_equal(is_blocked(), i & 2 ? 1 : 0);
    writer_close(&writer);
    set_blocked(0);
    assert_int_equal(signals, 0);
  }
  handle_signal(SIG_DFL);
}

/* One that somebody else is still to get isn't taken from him. */
static void test_pending_signal(void** state) {
  writer_t writer;
  unsigned int flags;

  (void) state;
  handle_signal(on_signal);
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    signals = 0;
    set_blocked(1);
    raise(SIGPIPE);
    writer_open(&writer, test_loop(), flags);
    assert_int_equal(writer_write(&writer), UV_EPIPE);
    assert_true(is_pending());
    assert_true(is_blocked());
    writer_close(&writer);
    assert_int_equal(signals, 0);
    set_blocked(0);
    assert_int_equal(signals, 1);
    assert_false(is_pending());
  }
  handle_signal(SIG_DFL);
}

/* Dies of a signal, if there is one. */
static int play_writer(int argc, char** argv) {
  uv_loop_t loop;
  writer_t writer;
  unsigned int flags;
  int failures = 0;

  (void) argc;
  (void) argv;
  handle_signal(SIG_DFL);
  if (uv_loop_init(&loop) != 0) return 10;
  for (flags = 0; flags <= IPC_PAIR_ONE_WAY; flags++) {
    writer_open(&writer, &loop, flags);
    if (writer_write(&writer) != UV_EPIPE) failures++;
    writer_close(&writer);
  }
  if (uv_loop_close(&loop) != 0) failures++;
  return failures;
}

/* What the same write does without us. */
static int play_plain_writer(int argc, char** argv) {
  int ends[2];

  (void) argc;
  (void) argv;
  handle_signal(SIG_DFL);
  if (pipe(ends) != 0) return 10;
  close(ends[0]);
  return write(ends[1], "x", 1) == -1 ? 11 : 12;
}

static void test_default_action(void** state) {
  (void) state;
  assert_int_equal(test_wait(test_spawn("writer", NULL, NULL)), 0);
  assert_int_equal(test_wait(test_spawn("plain_writer", NULL, NULL)), -SIGPIPE);
}

int main(int argc, char** argv) {
  static const test_role_t roles[] = {
      {"writer", play_writer},
      {"plain_writer", play_plain_writer},
      {NULL, NULL},
  };
  static const struct CMUnitTest tests[] = {
      TEST(test_pipe),           TEST(test_fifo),
      TEST(test_sockets),        TEST(test_endpoint),
      TEST(test_terminal),       TEST(test_flags),
      TEST(test_shorter_packet), TEST(test_longer_packet),
      TEST(test_later_packet),   TEST(test_duplicate),
      TEST(test_failure),        TEST(test_no_signal),
      TEST(test_pending_signal), TEST(test_default_action),
      TEST(test_opened_twice),   TEST(test_opened_twice_at_once),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
