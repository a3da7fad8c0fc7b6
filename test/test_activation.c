/* Listening handles that somebody else has made, and those that a supervisor
 * passes on. Windows has neither, and says so. */
#include "harness.h"

#include <stdio.h>

#include "pair.h"

static pair_t pair;
static char path[256];
static uv_os_fd_t listener;

/* 0 on Windows, having seen that a listener is refused there. */
static int has_listeners(void) {
  ipc_server_options_t o;
  ipc_server_t* server;
  uv_os_fd_t ends[2];
  int i;

  if (!test_is_windows()) return 1;
  assert_int_equal(ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends), 0);
  ipc_server_options_init(&o, NULL);
  assert_int_equal(ipc_server_options_set_listener(&o, ends[0]), UV_ENOTSUP);
  assert_non_null(strstr(ipc_server_options_error(&o), "listener"));
  assert_int_equal(ipc_server_listen(test_loop(), &o, NULL, &server),
                   UV_ENOTSUP);
  for (i = 0; i < 2; i++) {
    assert_true(test_handle_is_open(ends[i]));
    test_close_handle(ends[i]);
  }
  return 0;
}

/* A pair whose server has still to take the listener. */
static void prepare(void) {
  pair_init(&pair);
  snprintf(path, sizeof(path), "%s/%s.sock", test_directory(), pair.name);
  assert_int_equal(test_make_handle(TEST_LISTENER, path, &listener), 0);
}

static void prepare_adopted(void) {
  prepare();
  assert_int_equal(
      ipc_server_options_set_listener(&pair.server_options, listener), 0);
}

static int exists(const char* file) {
  uv_fs_t request;
  int err = uv_fs_stat(NULL, &request, file, NULL);

  uv_fs_req_cleanup(&request);
  return err == 0;
}

static unsigned int mode_of(const char* file) {
  unsigned int mode;
  uv_fs_t request;

  assert_int_equal(uv_fs_stat(NULL, &request, file, NULL), 0);
  mode = (unsigned int) request.statbuf.st_mode;
  uv_fs_req_cleanup(&request);
  return mode;
}

static void remove_path(void) {
  uv_fs_t request;

  assert_int_equal(uv_fs_unlink(NULL, &request, path, NULL), 0);
  uv_fs_req_cleanup(&request);
}

/* The handle has gone with the server, its path has not. */
static void check_closed(void) {
  assert_false(test_handle_is_open(listener));
  assert_true(exists(path));
  remove_path();
}

/* Closes all; there never was a lock. */
static void finish(void) {
  char lock[sizeof(path) + 8];

  snprintf(lock, sizeof(lock), "%s.lock", path);
  assert_false(exists(lock));
  pair_finish(&pair);
  check_closed();
}

static void assert_untouched(uv_os_fd_t handle) {
  assert_true(test_handle_is_open(handle));
  assert_true(test_handle_is_inherited(handle));
  assert_true(test_handle_is_blocking(handle));
}

static void talk(void) {
  assert_int_equal(side_send(&pair.client, "to", 2), 0);
  assert_int_equal(side_send(&pair.accepted, "and fro", 7), 0);
  while (pair.accepted.bytes < 2 || pair.client.bytes < 7) test_turn();
}

/* ---- Listeners ----------------------------------------------------------- */

static void test_listener(void** state) {
  ipc_server_info_t info;

  (void) state;
  if (!has_listeners()) return;
  prepare_adopted();
  pair_open(&pair);
  assert_false(test_handle_is_inherited(listener));
  assert_false(test_handle_is_blocking(listener));
  assert_int_equal(ipc_server_info(pair.server, &info), 0);
  assert_string_equal(info.os_name, path);
  assert_int_equal(info.transport, IPC_CHANNEL_TRANSPORT_UNIX_SOCKET);
  assert_int_equal(info.pending_instances, 0);
  talk();
  finish();
}

static void test_raw(void** state) {
  ipc_server_info_t info;

  (void) state;
  if (!has_listeners()) return;
  prepare_adopted();
  pair_raw(&pair);
  assert_int_equal(
      ipc_server_options_set_buffer_sizes(&pair.server_options, 8192, 8192), 0);
  pair_open(&pair);
  assert_int_equal(ipc_server_info(pair.server, &info), 0);
  assert_true(info.in_buffer_bytes >= 8192 && info.in_buffer_bytes <= 32768);
  talk();
  finish();
}

static void on_echo(ipc_channel_t* channel, const void* data, size_t size) {
  assert_int_equal(ipc_channel_send_copy(channel, data, size, NULL, NULL), 0);
}

/* A client that came before its server. */
static void test_without_a_name(void** state) {
  ipc_server_options_t o;
  int i;

  (void) state;
  if (!has_listeners()) return;
  prepare();
  pair_connect(&pair);
  assert_int_equal(side_send(&pair.client, "first", 5), 0);
  for (i = 0; i < 3; i++) uv_run(test_loop(), UV_RUN_NOWAIT);
  ipc_server_options_init(&o, NULL);
  assert_int_equal(ipc_server_options_set_listener(&o, listener), 0);
  assert_string_equal(ipc_server_options_error(&o), "");
  ipc_server_options_on_message(&o, on_echo);
  assert_int_equal(ipc_server_listen(test_loop(), &o, &pair, &pair.server), 0);
  run_until(&pair.client.messages, 1);
  finish();
}

/* Without a loop too. */
static void play_client(void* arg) {
  ipc_client_options_t o;
  ipc_channel_t* channel;

  ipc_client_options_init(&o, arg);
  if (ipc_client_connect_wait(&o, NULL, &channel) != 0) return;
  ipc_channel_send_wait(channel, "hello", 5, 30000, NULL);
  ipc_channel_close_wait(channel, NULL);
}

static void test_without_a_loop(void** state) {
  ipc_server_options_t o;
  ipc_server_t* server;
  ipc_channel_t* channel;
  uv_thread_t thread;
  const void* data;
  size_t size;

  (void) state;
  if (!has_listeners()) return;
  prepare();
  ipc_server_options_init(&o, NULL);
  assert_int_equal(ipc_server_options_set_listener(&o, listener), 0);
  assert_int_equal(ipc_server_listen(NULL, &o, NULL, &server), 0);
  assert_int_equal(uv_thread_create(&thread, play_client, path), 0);
  assert_int_equal(ipc_server_accept_wait(server, 30000, &channel), 0);
  assert_int_equal(ipc_channel_recv_wait(channel, 30000, &data, &size), 0);
  assert_int_equal(size, 5);
  assert_int_equal(ipc_channel_close_wait(channel, NULL), 0);
  assert_int_equal(ipc_server_close_wait(server), 0);
  assert_int_equal(uv_thread_join(&thread), 0);
  check_closed();
}

static void test_limits(void** state) {
  side_t second = {0};

  (void) state;
  if (!has_listeners()) return;
  prepare_adopted();
  ipc_server_options_set_max_instances(&pair.server_options, 1);
  ipc_client_options_set_wait_for_instance(&pair.client_options, 0);
  pair_open(&pair);
  pair_connect_side(&pair, &second);
  run_until(&second.closes, 1);
  assert_int_equal(second.connect_status, UV_EBUSY);
  finish();
}

static int refuse(ipc_server_t* server, const ipc_peer_t* peer) {
  (void) server;
  assert_int_equal(peer->pid, uv_os_getpid());
  return UV_EACCES;
}

/* Who gets in is for us to say; who may try is not. */
static void test_peers(void** state) {
  unsigned int mode;

  (void) state;
  if (!has_listeners()) return;
  prepare_adopted();
  mode = mode_of(path);
  ipc_server_options_set_peers(&pair.server_options, IPC_CHANNEL_PEERS_ANYBODY);
  ipc_server_options_on_admit(&pair.server_options, refuse);
  pair_listen(&pair);
  assert_int_equal(mode_of(path), mode);
  pair_connect(&pair);
  run_until(&pair.client.closes, 1);
  assert_int_equal(pair.client.connect_status, UV_EACCES);
  pair_close_server(&pair);
  finish();
}

/* Linux alone. */
static void test_abstract(void** state) {
  ipc_server_info_t info;
  ipc_server_options_t o;
  ipc_server_t* server;
  char name[64];
  char shown[80];

  (void) state;
  if (!has_listeners()) return;
  snprintf(name, sizeof(name), "%s", test_name());
  if (test_make_handle(TEST_LISTENER_ABSTRACT, name, &listener) != 0) return;
  ipc_server_options_init(&o, NULL);
  assert_int_equal(ipc_server_options_set_listener(&o, listener), 0);
  assert_int_equal(ipc_server_listen(test_loop(), &o, NULL, &server), 0);
  assert_int_equal(ipc_server_info(server, &info), 0);
  snprintf(shown, sizeof(shown), "@%s", name);
  assert_string_equal(info.os_name, shown);
  assert_int_equal(ipc_server_close(server, NULL), 0);
  test_run();
  assert_false(test_handle_is_open(listener));
}

/* ---- What is refused ----------------------------------------------------- */

static int try_listen(ipc_server_options_t* o) {
  ipc_server_t* server = NULL;
  int err = ipc_server_listen(test_loop(), o, NULL, &server);

  assert_null(server);
  return err;
}

static int try_handle(uv_os_fd_t handle) {
  ipc_server_options_t o;

  ipc_server_options_init(&o, NULL);
  assert_int_equal(ipc_server_options_set_listener(&o, handle), 0);
  return try_listen(&o);
}

static void test_wrong_kinds(void** state) {
  static const test_kind_t kinds[] = {
      TEST_LISTENER_OF_A_NETWORK, TEST_BOUND_SOCKET, TEST_CONNECTED_SOCKET,
      TEST_DATAGRAM_SOCKET,       TEST_FILE,         TEST_PIPE,
  };
  uv_os_fd_t handle;
  size_t i;
  int err;

  (void) state;
  if (!has_listeners()) return;
  for (i = 0; i < TEST_COUNT(kinds); i++) {
    snprintf(path, sizeof(path), "%s/%s", test_directory(), test_name());
    if (test_make_handle(kinds[i], path, &handle) != 0) continue;
    assert_int_equal(try_handle(handle), UV_EINVAL);
    assert_untouched(handle);
    test_close_handle(handle);
    if (exists(path)) remove_path();
  }
  /* A stream is wanted. Elsewhere than on Linux it is no listener at all. */
  snprintf(path, sizeof(path), "%s/%s", test_directory(), test_name());
  if (test_make_handle(TEST_LISTENER_SEQPACKET, path, &handle) == 0) {
    err = try_handle(handle);
    assert_true(err == UV_EPROTOTYPE || err == UV_EINVAL);
    assert_untouched(handle);
    test_close_handle(handle);
    remove_path();
  }
  assert_int_equal(try_handle(handle), UV_EBADF);
  memset(&handle, 0xff, sizeof(handle));
  assert_int_equal(try_handle(handle), UV_EBADF);
}

/* Something else is wrong, and a little later nothing is. */
static void test_failures_leave_it(void** state) {
  test_memory_t memory = {0};
  ipc_allocator_t allocator = test_allocator(&memory);
  int err = UV_ENOMEM;
  int i;

  (void) state;
  if (!has_listeners()) return;
  prepare_adopted();
  ipc_server_options_set_peer_group(&pair.server_options, "no such group");
  assert_int_equal(try_listen(&pair.server_options), UV_ENOENT);
  assert_untouched(listener);
  ipc_server_options_init(&pair.server_options, NULL);
  ipc_server_options_set_listener(&pair.server_options, listener);
  ipc_server_options_set_allocator(&pair.server_options, &allocator);
  for (i = 1; err == UV_ENOMEM; i++) {
    memory.fail_from = memory.calls + i;
    memory.fail_to = memory.fail_from + 1;
    assert_untouched(listener);
    err = ipc_server_listen(test_loop(), &pair.server_options, &pair,
                            &pair.server);
    test_run_for(0);
  }
  assert_int_equal(err, 0);
  assert_true(i > 3);
  memory.fail_from = 0;
  /* One that is served already. */
  assert_int_equal(try_handle(listener), UV_EEXIST);
  pair_connect(&pair);
  run_until(&pair.client.opens, 1);
  side_close(&pair.client);
  pair_close_server(&pair);
  finish();
  assert_int_equal(memory.blocks, 0);
}

/* ---- The builder --------------------------------------------------------- */

static void test_no_endpoint(void** state) {
  ipc_server_options_t o;
  uv_os_fd_t handle;

  (void) state;
  if (!has_listeners()) return;
  assert_int_equal(test_make_handle(TEST_FILE, NULL, &handle), 0);
  ipc_server_options_init(&o, NULL);
  assert_non_null(strstr(ipc_server_options_error(&o), "name"));
  assert_int_equal(try_listen(&o), UV_EINVAL);
  assert_int_equal(ipc_server_options_set_listener(&o, handle), 0);
  assert_string_equal(ipc_server_options_error(&o), "");

  /* What was wrong before the listener came is wrong still. */
  ipc_server_options_init(&o, NULL);
  assert_int_equal(ipc_server_options_set_max_total_queue_bytes(&o, 0),
                   UV_EINVAL);
  assert_non_null(strstr(ipc_server_options_error(&o), "name"));
  assert_int_equal(ipc_server_options_set_listener(&o, handle), 0);
  assert_non_null(strstr(ipc_server_options_error(&o), "queue_bytes"));
  assert_int_equal(try_listen(&o), UV_EINVAL);

  /* A name that is none, too, though it wouldn't be used. */
  ipc_server_options_init(&o, "a/b");
  assert_int_equal(ipc_server_options_set_listener(&o, handle), 0);
  assert_int_equal(try_listen(&o), UV_EINVAL);
  assert_int_equal(ipc_server_options_set_listener(NULL, handle), UV_EINVAL);
  test_close_handle(handle);
}

static int set_mode(ipc_server_options_t* o) {
  return ipc_server_options_set_posix_mode(o, 0600);
}

static int set_owner(ipc_server_options_t* o) {
  return ipc_server_options_set_posix_owner(o, -1, -1);
}

static int set_pending(ipc_server_options_t* o) {
  return ipc_server_options_set_pending_instances(o, 1);
}

/* Before the listener and after it. */
static void test_options_of_names(void** state) {
  static const struct {
    int (*set)(ipc_server_options_t* o);
    const char* option;
  } rows[] = {{set_mode, "posix_mode"},
              {set_owner, "posix_owner"},
              {set_pending, "pending_instances"}};
  ipc_server_options_t o;
  uv_os_fd_t handle;
  size_t i;

  (void) state;
  if (!has_listeners()) return;
  assert_int_equal(test_make_handle(TEST_FILE, NULL, &handle), 0);
  for (i = 0; i < 2 * TEST_COUNT(rows); i++) {
    ipc_server_options_init(&o, NULL);
    if (i & 1) {
      assert_int_equal(ipc_server_options_set_listener(&o, handle), 0);
      assert_int_equal(rows[i / 2].set(&o), UV_EINVAL);
    } else {
      assert_int_equal(rows[i / 2].set(&o), 0);
      assert_int_equal(ipc_server_options_set_listener(&o, handle), UV_EINVAL);
    }
    assert_non_null(strstr(ipc_server_options_error(&o), rows[i / 2].option));
    assert_non_null(strstr(ipc_server_options_error(&o), "listener"));
    assert_int_equal(try_listen(&o), UV_EINVAL);
  }
  assert_untouched(handle);
  test_close_handle(handle);
}

/* ---- What a supervisor has passed on ------------------------------------- */

/* In a child, whose descriptors and variables are nobody else's. */

#define MOST 8

static uv_os_fd_t handles[MOST];
static size_t count;
static int failures;

#define EXPECT(condition)                                         \
  do {                                                            \
    if (!(condition)) {                                           \
      failures++;                                                 \
      fprintf(stderr, "line %d: not %s\n", __LINE__, #condition); \
    }                                                             \
  } while (0)

static int is_set(const char* variable) {
  char value[64];
  size_t size = sizeof(value);

  return uv_os_getenv(variable, value, &size) != UV_ENOENT;
}

/* NULL: removes it. */
static void set(const char* variable, const char* value) {
  if (value == NULL) {
    uv_os_unsetenv(variable);
  } else {
    uv_os_setenv(variable, value);
  }
}

static void set_variables(const char* fds, const char* names) {
  char pid[32];

  snprintf(pid, sizeof(pid), "%d", (int) uv_os_getpid());
  set("LISTEN_PID", pid);
  set("LISTEN_FDS", fds);
  set("LISTEN_FDNAMES", names);
}

/* So many have been passed, and a program would inherit them. */
static uv_os_fd_t passed[MOST];
static void pass(int number) {
  int i;

  for (i = 0; i < number; i++) {
    EXPECT(test_make_handle(TEST_CONNECTED_SOCKET, NULL, &passed[i]) == 0);
    passed[i] = test_pass_handle(passed[i], i);
  }
}

static int take(const char* name, size_t room) {
  memset(handles, 0, sizeof(handles));
  count = room;
  return ipc_activation_handles(name, room == 0 ? NULL : handles, &count);
}

static int refused(int status) {
  return take(NULL, MOST) == status && count == 0;
}

static void play_one(void) {
  pass(1);
  set_variables("1", NULL);
  EXPECT(take(NULL, 1) == 0 && count == 1);
  EXPECT(handles[0] == passed[0]);
  EXPECT(!test_handle_is_inherited(handles[0]));
  EXPECT(test_handle_is_blocking(handles[0]));
  EXPECT(!is_set("LISTEN_PID") && !is_set("LISTEN_FDS"));
  EXPECT(refused(UV_ENOENT));
  EXPECT(test_handle_is_open(handles[0]) || count == 0);
}

static void play_several(void) {
  size_t i;

  pass(3);
  set_variables("3", "a:b:c");
  EXPECT(take(NULL, MOST) == 0 && count == 3);
  for (i = 0; i < 3; i++) {
    EXPECT(handles[i] == passed[i]);
    EXPECT(!test_handle_is_inherited(handles[i]));
  }
  EXPECT(!is_set("LISTEN_FDNAMES"));
  EXPECT(take("a", MOST) == UV_ENOENT && count == 0);
}

static void play_names(void) {
  pass(4);
  set_variables("4", "a:b:a:");
  EXPECT(take("a", MOST) == 0 && count == 2);
  EXPECT(handles[0] == passed[0] && handles[1] == passed[2]);
  EXPECT(!test_handle_is_inherited(passed[2]));
  EXPECT(test_handle_is_inherited(passed[1]));
  EXPECT(is_set("LISTEN_PID") && is_set("LISTEN_FDS"));
  /* Another, though what was handed out has been closed. */
  test_close_handle(passed[0]);
  EXPECT(take("b", 1) == 0 && count == 1 && handles[0] == passed[1]);
  EXPECT(take("b", 1) == 0 && count == 1 && handles[0] == passed[1]);
  EXPECT(take("", 1) == 0 && count == 1 && handles[0] == passed[3]);
  EXPECT(take("c", 1) == UV_ENOENT && count == 0);
  EXPECT(take("a:b", 1) == UV_ENOENT && count == 0);
  EXPECT(take("a", MOST) == UV_EBADF && count == 0);
}

/* More names than descriptors, or less; and none. */
static void play_wrong_names(void) {
  pass(2);
  set_variables("2", "a:b:c");
  EXPECT(take("a", MOST) == UV_EINVAL && count == 0);
  set_variables("2", "a");
  EXPECT(take("a", MOST) == UV_EINVAL && count == 0);
  EXPECT(is_set("LISTEN_PID"));
  EXPECT(test_handle_is_inherited(passed[0]));
  set_variables("2", NULL);
  EXPECT(take("a", MOST) == UV_ENOENT && count == 0);
  EXPECT(take("unknown", MOST) == 0 && count == 2);
  /* Who asks for all doesn't look at them. */
  set_variables("2", "a:b:c");
  EXPECT(take(NULL, MOST) == 0 && count == 2);
}

static void play_another_process(void) {
  static const char* const wrong[] = {
      NULL, "", "0", "1", "-1", "abc", " ", "99999999999999999999",
  };
  static const char* const around[] = {"+%d", " %d", "%d ", "%dx", "%d1"};
  char pid[32];
  size_t i;

  pass(1);
  EXPECT(refused(UV_ENOENT)); /* without any variable */
  for (i = 0; i < TEST_COUNT(wrong); i++) {
    set_variables("1", NULL);
    set("LISTEN_PID", wrong[i]);
    EXPECT(refused(UV_ENOENT));
  }
  for (i = 0; i < TEST_COUNT(around); i++) {
    snprintf(pid, sizeof(pid), around[i], (int) uv_os_getpid());
    set("LISTEN_PID", pid);
    EXPECT(refused(UV_ENOENT));
  }
  /* What is theirs stays. */
  EXPECT(is_set("LISTEN_PID") && is_set("LISTEN_FDS"));
  EXPECT(test_handle_is_inherited(passed[0]));
}

static void play_garbage(void) {
  static const char* const wrong[] = {
      "-1", "", "x", "1x", " 1", "+1", "2147483647", "99999999999999999999",
  };
  size_t i;

  pass(1);
  for (i = 0; i < TEST_COUNT(wrong); i++) {
    set_variables(wrong[i], NULL);
    EXPECT(refused(UV_EINVAL));
  }
  set_variables(NULL, NULL);
  EXPECT(refused(UV_ENOENT));
  set_variables("0", NULL);
  EXPECT(refused(UV_ENOENT));
  /* More than are open. */
  set_variables("2147483000", NULL);
  EXPECT(refused(UV_EBADF));
  EXPECT(is_set("LISTEN_PID") && is_set("LISTEN_FDS"));
  EXPECT(test_handle_is_inherited(passed[0]));
}

static void play_little_room(void) {
  pass(2);
  set_variables("2", "a:a");
  EXPECT(take(NULL, 1) == UV_ENOBUFS && count == 2);
  EXPECT(take(NULL, 0) == UV_ENOBUFS && count == 2);
  EXPECT(take("a", 1) == UV_ENOBUFS && count == 2);
  EXPECT(take("a", 0) == UV_ENOBUFS && count == 2);
  EXPECT(is_set("LISTEN_PID") && is_set("LISTEN_FDS"));
  EXPECT(test_handle_is_inherited(passed[0]));
  EXPECT(take(NULL, 2) == 0 && count == 2);
}

static const struct {
  const char* name;
  void (*play)(void);
} plays[] = {
    {"one", play_one},
    {"several", play_several},
    {"names", play_names},
    {"wrong names", play_wrong_names},
    {"another process", play_another_process},
    {"garbage", play_garbage},
    {"little room", play_little_room},
};

static int play(int argc, char** argv) {
  size_t i;

  (void) argc;
  set_variables(NULL, NULL);
  set("LISTEN_PID", NULL);
  for (i = 0; i < TEST_COUNT(plays); i++) {
    if (strcmp(plays[i].name, argv[0]) == 0) plays[i].play();
  }
  return failures;
}

/* macOS's supervisor has names alone, and hasn't started us. */
static int has_variables(void) {
  uv_utsname_t system;

  if (test_is_windows()) {
    assert_int_equal(take(NULL, MOST), UV_ENOTSUP);
    assert_int_equal(count, 0);
    assert_int_equal(take("x", MOST), UV_ENOTSUP);
    return 0;
  }
  assert_int_equal(uv_os_uname(&system), 0);
  if (strcmp(system.sysname, "Darwin") != 0) return 1;
  assert_int_equal(take(NULL, MOST), UV_EINVAL);
  assert_int_equal(take("x", MOST), UV_ENOENT);
  assert_int_equal(count, 0);
  return 0;
}

static void test_passed_handles(void** state) {
  size_t i;

  (void) state;
  if (!has_variables()) return;
  for (i = 0; i < TEST_COUNT(plays); i++) {
    print_message("# %s\n", plays[i].name);
    assert_int_equal(test_wait(test_spawn("play", plays[i].name, NULL)), 0);
  }
}

static void test_nothing_passed(void** state) {
  (void) state;
  assert_int_equal(ipc_activation_handles(NULL, handles, NULL), UV_EINVAL);
  count = 1;
  assert_int_equal(ipc_activation_handles(NULL, NULL, &count), UV_EINVAL);
  assert_int_equal(count, 0);
  if (!has_variables()) return;
  assert_int_equal(take(NULL, MOST), UV_ENOENT);
  assert_int_equal(count, 0);
  assert_int_equal(take("x", 0), UV_ENOENT);
}

int main(int argc, char** argv) {
  static const test_role_t roles[] = {{"play", play}, {NULL, NULL}};
  static const struct CMUnitTest tests[] = {
      TEST(test_listener),
      TEST(test_raw),
      TEST(test_without_a_name),
      TEST(test_without_a_loop),
      TEST(test_limits),
      TEST(test_peers),
      TEST(test_abstract),
      TEST(test_wrong_kinds),
      TEST(test_failures_leave_it),
      TEST(test_no_endpoint),
      TEST(test_options_of_names),
      TEST(test_nothing_passed),
      TEST(test_passed_handles),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
