/* POSIX: which FIFOs are made, with which access; what becomes of what is there
 * already; and many processes that write to one reader, some without the
 * library. */
#include "harness.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "pair.h"
#include "posix_peer.h"

#define NOBODY 65534u

#ifndef PIPE_BUF
#define PIPE_BUF _POSIX_PIPE_BUF
#endif

/* The test's own directory, which everybody may look into. */
static char directory[64];
static char path[112];
static char other[96];
static ipc_channel_options_t reading;
static ipc_channel_options_t writing;
static side_t reader;

/* ---- Helpers ------------------------------------------------------------ */

static void set_raw(ipc_channel_options_t* options, ipc_access_t access) {
  side_options(options);
  ipc_channel_options_set_framing(options, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_set_access(options, access);
}

static int setup(void** state) {
  snprintf(directory, sizeof(directory), "/tmp/ipcf-XXXXXX");
  if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0) return -1;
  snprintf(path, sizeof(path), "%s/f", directory);
  snprintf(other, sizeof(other), "%s/other", directory);
  set_raw(&reading, IPC_CHANNEL_ACCESS_INBOUND);
  set_raw(&writing, IPC_CHANNEL_ACCESS_OUTBOUND);
  memset(&reader, 0, sizeof(reader));
  return test_setup(state);
}

/* Nothing may be left behind. */
static int teardown(void** state) {
  int failed = test_teardown(state);
  int left = posix_count(directory);

  if (left > 0) {
    print_error("%d files are left in %s\n", left, directory);
    return -1;
  }
  rmdir(directory);
  return failed;
}

#define FIFO_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static unsigned int mode_of(const char* file) {
  posix_file_t found;

  posix_look(file, &found);
  assert_true(S_ISFIFO(found.status.st_mode));
  return (unsigned int) found.status.st_mode & 07777;
}

/* Without a loop, so that forks can do it too. */
static int try_open(const ipc_channel_options_t* options) {
  ipc_channel_t* channel;
  side_t side = {0};
  int err = ipc_fifo_open(NULL, options, path, &side, &channel);

  if (err == 0) ipc_channel_close_wait(channel, NULL);
  return err;
}

static void open_reader(void) {
  assert_int_equal(
      ipc_fifo_open(test_loop(), &reading, path, &reader, &reader.channel), 0);
}

static void close_reader(void) {
  side_close(&reader);
  test_run();
  assert_int_equal(reader.closes, 1);
  assert_int_equal(reader.ends, 0);
  side_free(&reader);
}

/* ---- Making ------------------------------------------------------------- */

static void test_mode_is_exact(void** state) {
  static const int modes[] = {0, 0200, 0400, 0600, 0622, 0640, 0666, 0777};
  static const mode_t masks[] = {0, 022, 077, 0777};
  size_t i;
  size_t k;

  (void) state;
  for (i = 0; i < TEST_COUNT(masks); i++) {
    for (k = 0; k < TEST_COUNT(modes); k++) {
      mode_t before = umask(masks[i]);
      int err = ipc_fifo_create(path, modes[k]);

      /* Again, it is as good. */
      if (err == 0) err = ipc_fifo_create(path, modes[k]);
      umask(before);
      assert_int_equal(err, 0);
      assert_int_equal(mode_of(path), modes[k]);
      unlink(path);
    }
  }
}

/* More bits or less, it isn't what was asked for, and stays what it is. */
static void test_other_bits(void** state) {
  static const int modes[] = {0, 0400, 0620, 0660, 0777};
  posix_file_t before;
  size_t i;

  (void) state;
  assert_int_equal(ipc_fifo_create(path, 0600), 0);
  posix_look(path, &before);
  for (i = 0; i < TEST_COUNT(modes); i++) {
    assert_int_equal(ipc_fifo_create(path, modes[i]), UV_EEXIST);
    posix_unchanged(path, &before);
  }
  unlink(path);
}

static void put_directory(void) {
  assert_int_equal(mkdir(path, 0700), 0);
}

static void put_file(void) {
  posix_write(path, "a letter");
}

static void put_empty_file(void) {
  posix_write(path, "");
}

static void put_socket(void) {
  close(posix_bind_datagram(path));
}

static void put_link(void) {
  assert_int_equal(symlink("other", path), 0);
}

static void put_dangling_link(void) {
  assert_int_equal(symlink("nothing", path), 0);
}

/* What isn't a FIFO, or is only a link to one, is left as it is, and so is what
 * the link leads to. */
static void test_something_else(void** state) {
  static void (*const put[])(void) = {put_directory,  put_file,
                                      put_empty_file, put_socket,
                                      put_link,       put_dangling_link};
  posix_file_t before;
  posix_file_t target;
  size_t i;

  (void) state;
  assert_int_equal(ipc_fifo_create(other, 0600), 0);
  posix_look(other, &target);
  for (i = 0; i < TEST_COUNT(put); i++) {
    put[i]();
    posix_look(path, &before);
    assert_int_equal(ipc_fifo_create(path, 0600), UV_EEXIST);
    assert_int_equal(try_open(&reading), UV_EEXIST);
    assert_int_equal(try_open(&writing), UV_EEXIST);
    posix_unchanged(path, &before);
    posix_unchanged(other, &target);
    assert_int_equal(remove(path), 0);
  }
  unlink(other);
}

static void check_path(const char* bad, int status) {
  ipc_channel_t* channel;

  assert_int_equal(ipc_fifo_create(bad, 0600), status);
  assert_int_equal(ipc_fifo_open(NULL, &reading, bad, NULL, &channel), status);
  assert_null(channel);
  assert_int_equal(ipc_fifo_open(NULL, &writing, bad, NULL, &channel), status);
}

static void test_bad_paths(void** state) {
  static char longest[2 * PATH_MAX];

  (void) state;
  check_path("", UV_ENOENT);
  snprintf(path, sizeof(path), "%s/none/", directory);
  check_path(path, UV_ENOENT);
  snprintf(path, sizeof(path), "%s/none/f", directory);
  check_path(path, UV_ENOENT);
  posix_write(other, "a file");
  snprintf(path, sizeof(path), "%s/f", other);
  check_path(path, UV_ENOENT);
  unlink(other);
  memset(longest, 'x', sizeof(longest) - 1);
  longest[0] = '/';
  check_path(longest, UV_ENAMETOOLONG);
}

static int play_create(void* arg) {
  (void) arg;
  umask(0777);
  return ipc_fifo_create(path, 0622) == 0 && mode_of(path) == 0622 ? 0 : 1;
}

/* Several come at once, and each finds what it wants. */
static void test_made_by_many(void** state) {
  pid_t children[4];
  int round;
  size_t i;

  (void) state;
  for (round = 0; round < 50; round++) {
    for (i = 0; i < TEST_COUNT(children); i++)
      children[i] = posix_fork(play_create, NULL);
    for (i = 0; i < TEST_COUNT(children); i++)
      assert_int_equal(posix_reap(children[i]), 0);
    unlink(path);
  }
}

/* ---- Other users -------------------------------------------------------- */

/* What only root can set up is skipped for others, and counted so. */
#define NEEDS_ROOT()    \
  if (geteuid() != 0) { \
    skip();             \
  }

static void test_of_another_user(void** state) {
  posix_file_t before;

  (void) state;
  NEEDS_ROOT();
  assert_int_equal(ipc_fifo_create(path, 0666), 0);
  assert_int_equal(chown(path, NOBODY, NOBODY), 0);
  posix_look(path, &before);
  assert_int_equal(ipc_fifo_create(path, 0666), UV_EACCES);
  assert_int_equal(try_open(&reading), UV_EACCES);
  assert_int_equal(try_open(&writing), UV_EACCES);
  posix_unchanged(path, &before);
  unlink(path);
}

typedef struct attempt_s {
  int reading; /* what it answers to somebody else */
  int writing;
} attempt_t;

static int play_open(void* arg) {
  const attempt_t* wanted = arg;

  posix_become(NOBODY, NOBODY);
  if (ipc_fifo_create(path, 0600) != UV_EACCES) return 1;
  if (ipc_fifo_create(other, 0600) != UV_EACCES) return 2; /* the directory */
  if (try_open(&writing) != wanted->writing) return 3;
  return try_open(&reading) == wanted->reading ? 0 : 4;
}

/* Root's FIFOs are open to whom their bits let in; a reader, who holds a
 * writing end as well, needs both. */
static void test_of_root(void** state) {
  static const struct {
    int mode;
    attempt_t wanted;
  } cases[] = {
      {0600, {UV_EACCES, UV_EACCES}},
      {0622, {UV_EACCES, 0}},
      {0644, {UV_EACCES, UV_EACCES}},
      {0666, {0, 0}},
  };
  ipc_channel_t* channel;
  size_t i;

  (void) state;
  NEEDS_ROOT();
  for (i = 0; i < TEST_COUNT(cases); i++) {
    attempt_t wanted = cases[i].wanted;
    side_t side = {0};

    assert_int_equal(ipc_fifo_create(path, cases[i].mode), 0);
    assert_int_equal(ipc_fifo_open(NULL, &reading, path, &side, &channel), 0);
    assert_int_equal(posix_reap(posix_fork(play_open, &wanted)), 0);
    assert_int_equal(ipc_fifo_remove(channel), 0);
    ipc_channel_close_wait(channel, NULL); /* it was never begun */
  }
}

/* ---- Removing ----------------------------------------------------------- */

static void test_remove_leaves_others(void** state) {
  posix_file_t before;

  (void) state;
  assert_int_equal(ipc_fifo_create(path, 0600), 0);
  open_reader();
  run_until(&reader.opens, 1);
  assert_int_equal(rename(path, other), 0);
  assert_int_equal(ipc_fifo_remove(reader.channel), UV_ENOENT);

  put_file();
  posix_look(path, &before);
  assert_int_equal(ipc_fifo_remove(reader.channel), UV_EEXIST);
  posix_unchanged(path, &before);
  unlink(path);

  assert_int_equal(ipc_fifo_create(path, 0600), 0);
  posix_look(path, &before);
  assert_int_equal(ipc_fifo_remove(reader.channel), UV_EEXIST);
  posix_unchanged(path, &before);
  unlink(path);

  put_link(); /* to its own */
  assert_int_equal(ipc_fifo_remove(reader.channel), UV_EEXIST);
  unlink(path);

  assert_int_equal(rename(other, path), 0);
  assert_int_equal(ipc_fifo_remove(reader.channel), 0);
  assert_false(posix_exists(path));
  close_reader();
}

/* ---- Descriptors -------------------------------------------------------- */

/* Whether a descriptor is an end of the FIFO. */
static int is_end(int fd, const struct stat* fifo) {
  struct stat status;

  return fstat(fd, &status) == 0 && status.st_dev == fifo->st_dev &&
         status.st_ino == fifo->st_ino;
}

/* Both ends of a reader are closed by an exec, and block nobody. */
static void test_flags(void** state) {
  struct stat fifo;
  int ends = 0;
  int fd;

  (void) state;
  assert_int_equal(ipc_fifo_create(path, 0600), 0);
  assert_int_equal(lstat(path, &fifo), 0);
  open_reader();
  run_until(&reader.opens, 1);
  for (fd = 0; fd < 1024; fd++) {
    if (!is_end(fd, &fifo)) continue;
    ends++;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
  }
  assert_int_equal(ends, 2);
  assert_int_equal(ipc_fifo_remove(reader.channel), 0);
  close_reader();
}

/* A process without standard streams must not print into its own FIFO. */
static int play_without_stdio(void* arg) {
  ipc_channel_t* channel;
  struct stat fifo;
  int fd;

  (void) arg;
  for (fd = 0; fd <= STDERR_FILENO; fd++) close(fd);
  if (lstat(path, &fifo) != 0) return 1;
  if (ipc_fifo_open(NULL, &reading, path, NULL, &channel) != 0) return 2;
  for (fd = 0; fd <= STDERR_FILENO; fd++)
    if (is_end(fd, &fifo)) return 3;
  return 0;
}

static void test_without_stdio(void** state) {
  (void) state;
  assert_int_equal(ipc_fifo_create(path, 0600), 0);
  assert_int_equal(posix_reap(posix_fork(play_without_stdio, NULL)), 0);
  unlink(path);
}

/* ---- Many writers ------------------------------------------------------- */

/* As a shell's echo does it. */
static int play_echo(void* arg) {
  int fd = open(path, O_WRONLY);

  if (fd == -1) return 1;
  return write(fd, arg, strlen(arg)) == (ssize_t) strlen(arg) ? 0 : 2;
}

static void test_shell_writers(void** state) {
  int i;

  (void) state;
  reader.keeps_log = 1;
  assert_int_equal(ipc_fifo_create(path, 0600), 0);
  open_reader();
  for (i = 1; i <= 3; i++) {
    assert_int_equal(posix_reap(posix_fork(play_echo, "reload\n")), 0);
    while (reader.bytes < 7 * (uint64_t) i) test_turn();
  }
  assert_memory_equal(reader.log, "reload\nreload\nreload\n", 21);
  test_run_for(10);
  assert_int_equal(ipc_fifo_remove(reader.channel), 0);
  close_reader();
}

#define WRITERS 4
#define EACH 2000

/* In front of each message. */
typedef struct mark_s {
  uint16_t size; /* of the message, this included */
  uint16_t writer;
  uint32_t number;
} mark_t;

typedef struct source_s {
  uint32_t random;
  mark_t mark;
  uint8_t message[PIPE_BUF];
  ipc_channel_t* channel;
  int failed;
} source_t;

static void next_message(source_t* source) {
  mark_t* mark = &source->mark;

  /* A linear congruential generator; the constants are those of Numerical
   * Recipes. Small ones too, so that many fit into a write. */
  source->random = source->random * 1664525u + 1013904223u;
  mark->size = (uint16_t) (source->random >> 8) %
               (source->random >> 31 ? 64 : PIPE_BUF - sizeof(*mark) + 1);
  mark->size += sizeof(*mark);
  memset(source->message, (int) (mark->writer + mark->number), mark->size);
  memcpy(source->message, mark, sizeof(*mark));
}

static void count_failure(ipc_channel_t* channel,
                          void* arg,
                          int status,
                          size_t sent) {
  (void) channel;
  (void) sent;
  if (status != 0) ((source_t*) arg)->failed = status;
}

static void send_all(ipc_channel_t* channel) {
  source_t* source = ipc_channel_data(channel);
  int err;

  while (source->mark.number < EACH) {
    err = ipc_channel_send_copy(channel, source->message, source->mark.size,
                                count_failure, source);
    if (err == UV_EAGAIN) return; /* on_drain */
    if (err != 0) source->failed = err;
    source->mark.number++;
    next_message(source);
  }
  ipc_channel_close(channel);
}

static int write_by_library(source_t* source) {
  ipc_channel_options_t options;
  uv_loop_t* loop = uv_default_loop();

  ipc_channel_options_init(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_set_access(&options, IPC_CHANNEL_ACCESS_OUTBOUND);
  ipc_channel_options_set_close_timeout(&options, IPC_CHANNEL_INFINITE);
  ipc_channel_options_on_drain(&options, send_all);
  if (ipc_fifo_open(loop, &options, path, source, &source->channel) != 0)
    return 1;
  send_all(source->channel);
  uv_run(loop, UV_RUN_DEFAULT);
  return source->failed != 0 || source->mark.number < EACH ? 2 : 0;
}

static int write_by_hand(source_t* source) {
  int fd = open(path, O_WRONLY);

  for (; source->mark.number < EACH; source->mark.number++) {
    next_message(source);
    if (write(fd, source->message, source->mark.size) != source->mark.size)
      return 3;
  }
  return 0;
}

/* The last one knows nothing of the library. */
static int play_writer(int argc, char** argv) {
  source_t source = {0};

  if (argc < 2) return 9;
  snprintf(path, sizeof(path), "%s", argv[0]);
  source.mark.writer = (uint16_t) atoi(argv[1]);
  source.random = source.mark.writer;
  if (source.mark.writer == WRITERS - 1) return write_by_hand(&source);
  next_message(&source);
  return write_by_library(&source);
}

typedef struct sink_s {
  uint8_t bytes[2 * 65536 + PIPE_BUF];
  size_t size;
  uint32_t next[WRITERS];
  uint32_t messages;
} sink_t;

static sink_t sink;

/* Whole, of one writer, and in order. */
static size_t check_message(const uint8_t* bytes, size_t size) {
  mark_t mark;
  size_t i;

  if (size < sizeof(mark)) return 0;
  memcpy(&mark, bytes, sizeof(mark));
  assert_true(mark.size >= sizeof(mark) && mark.size <= PIPE_BUF);
  assert_true(mark.writer < WRITERS);
  if (size < mark.size) return 0;
  assert_int_equal(mark.number, sink.next[mark.writer]++);
  for (i = sizeof(mark); i < mark.size; i++)
    if (bytes[i] != (uint8_t) (mark.writer + mark.number))
      fail_msg("byte %zu of %u is another message's", i, mark.size);
  sink.messages++;
  return mark.size;
}

static void take(side_t* side, const void* data, size_t size) {
  size_t done = 0;
  size_t used;

  (void) side;
  assert_true(size <= sizeof(sink.bytes) - sink.size);
  memcpy(sink.bytes + sink.size, data, size);
  sink.size += size;
  while ((used = check_message(sink.bytes + done, sink.size - done)) > 0)
    done += used;
  memmove(sink.bytes, sink.bytes + done, sink.size - done);
  sink.size -= done;
}

static void test_many_writers(void** state) {
  test_child_t* children[WRITERS];
  char number[WRITERS][12];
  int i;

  (void) state;
  memset(&sink, 0, sizeof(sink));
  reader.on_message = take;
  assert_int_equal(ipc_fifo_create(path, 0600), 0);
  open_reader();
  for (i = 0; i < WRITERS; i++) {
    snprintf(number[i], sizeof(number[i]), "%d", i);
    children[i] = test_spawn("writer", path, number[i]);
  }
  while (sink.messages < WRITERS * EACH) test_turn();
  for (i = 0; i < WRITERS; i++) assert_int_equal(test_wait(children[i]), 0);
  assert_int_equal(sink.size, 0);
  assert_int_equal(ipc_fifo_remove(reader.channel), 0);
  close_reader();
}

int main(int argc, char** argv) {
  static const test_role_t roles[] = {{"writer", play_writer}, {NULL, NULL}};
  static const struct CMUnitTest tests[] = {
      FIFO_TEST(test_mode_is_exact),  FIFO_TEST(test_other_bits),
      FIFO_TEST(test_something_else), FIFO_TEST(test_bad_paths),
      FIFO_TEST(test_made_by_many),   FIFO_TEST(test_of_another_user),
      FIFO_TEST(test_of_root),        FIFO_TEST(test_remove_leaves_others),
      FIFO_TEST(test_flags),          FIFO_TEST(test_without_stdio),
      FIFO_TEST(test_shell_writers),  FIFO_TEST(test_many_writers),
  };
  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
