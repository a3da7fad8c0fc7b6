/* POSIX: which files a server makes, with which access; what it does to what is
 * there already; who owns a name when servers come, go and die. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "posix_peer.h"

#define NOBODY 65534u
#define SOME_GROUP 65533u

/* The test's own directory, which everybody may look into. */
static char directory[64];
static char path[96];
static char lock[104];
static ipc_server_options_t options;

/* ---- Helpers ------------------------------------------------------------ */

static int setup(void** state) {
  snprintf(directory, sizeof(directory), "/tmp/ipce-XXXXXX");
  if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0) return -1;
  snprintf(path, sizeof(path), "%s/s", directory);
  snprintf(lock, sizeof(lock), "%s.lock", path);
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

#define ENDPOINT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int try_listen(const char* name, ipc_server_t** server) {
  ipc_server_options_init(&options, name);
  return ipc_server_listen(test_loop(), &options, NULL, server);
}

static ipc_server_t* listen_at(const char* name) {
  ipc_server_t* server = NULL;

  assert_int_equal(try_listen(name, &server), 0);
  return server;
}

/* With options that the test has set. */
static ipc_server_t* listen_with_options(void) {
  ipc_server_t* server = NULL;

  assert_int_equal(ipc_server_listen(test_loop(), &options, NULL, &server), 0);
  return server;
}

static void refuse_with_options(int status) {
  ipc_server_t* server = NULL;

  assert_int_equal(ipc_server_listen(test_loop(), &options, NULL, &server),
                   status);
  assert_null(server);
}

static void close_server(ipc_server_t* server) {
  assert_int_equal(ipc_server_close(server, NULL), 0);
  test_run();
}

static int connect_status;
static int closed;

static void on_connect(ipc_channel_t* channel, int status) {
  connect_status = status;
  assert_int_equal(ipc_channel_close(channel), 0);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  (void) channel;
  (void) result;
  closed = 1;
}

/* How a client fares. */
static int try_connect(const char* name) {
  ipc_client_options_t client;
  ipc_channel_t* channel;

  ipc_client_options_init(&client, name);
  ipc_client_options_on_connect(&client, on_connect);
  ipc_client_options_on_close(&client, on_close);
  closed = 0;
  assert_int_equal(ipc_client_connect(test_loop(), &client, NULL, &channel), 0);
  test_run_until(&closed);
  return connect_status;
}

static ipc_name_state_t probe(const char* name) {
  ipc_name_state_t state;

  assert_int_equal(ipc_name_probe(name, &state, NULL), 0);
  return state;
}

static unsigned int mode_of(const char* file) {
  posix_file_t found;

  posix_look(file, &found);
  return (unsigned int) found.status.st_mode & 07777;
}

static int is_root(void) {
  return geteuid() == 0;
}

/* What only root can set up is skipped for others, and counted so. */
#define NEEDS_ROOT() \
  if (!is_root()) {  \
    skip();          \
  }

/* In a fork, on a loop of its own: listens, says so, serves until killed. */
static int play_serve(void* arg) {
  ipc_server_t* server;
  uv_loop_t loop;

  if (uv_loop_init(&loop) != 0) return 1;
  if (ipc_server_listen(&loop, &options, NULL, &server) != 0) return 2;
  if (write(*(int*) arg, "r", 1) != 1) return 3;
  uv_run(&loop, UV_RUN_DEFAULT);
  return 0;
}

/* A server in another process, with the options as they are. */
static pid_t start_server(void) {
  int ready[2];
  char byte;
  pid_t pid;

  assert_int_equal(pipe(ready), 0);
  pid = posix_fork(play_serve, &ready[1]);
  close(ready[1]);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  return pid;
}

static void kill_server(pid_t pid) {
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_int_equal(posix_reap(pid), -SIGKILL);
}

/* ---- Access ------------------------------------------------------------- */

typedef struct access_s {
  int group; /* our own */
  int anybody;
  int mode; /* -1: not set */
  unsigned int expected;
} access_t;

static const access_t accesses[] = {
    {0, 0, -1, 0600},   {0, 1, -1, 0666},   {0, 0, 0640, 0640},
    {0, 0, 0, 0},       {0, 0, 0777, 0777}, {0, 1, 0600, 0600},
    {0, 0, 0222, 0222}, {1, 0, -1, 0660},   {1, 0, 0666, 0666},
    {1, 0, 0604, 0604}, {1, 1, -1, 0666},
};

static ipc_server_t* listen_with_access(const access_t* access) {
  char gid[32];

  ipc_server_options_init(&options, path);
  if (access->group) {
    snprintf(gid, sizeof(gid), "%lu", (unsigned long) getegid());
    ipc_server_options_set_peer_group(&options, gid);
  }
  if (access->anybody) {
    ipc_server_options_set_peers(&options, IPC_CHANNEL_PEERS_ANYBODY);
  }
  if (access->mode != -1) {
    ipc_server_options_set_posix_mode(&options, (unsigned int) access->mode);
  }
  return listen_with_options();
}

static void test_modes(void** state) {
  static const mode_t masks[] = {0, 022, 077, 0777};
  posix_file_t file;
  ipc_server_t* server;
  mode_t before;
  size_t i;
  size_t m;

  (void) state;
  for (m = 0; m < TEST_COUNT(masks); m++) {
    for (i = 0; i < TEST_COUNT(accesses); i++) {
      before = umask(masks[m]);
      server = listen_with_access(&accesses[i]);
      /* The umask is the process's, and stays. */
      assert_int_equal(umask(before), masks[m]);

      posix_look(path, &file);
      assert_true(S_ISSOCK(file.status.st_mode));
      assert_int_equal(file.status.st_mode & 07777, accesses[i].expected);
      assert_int_equal(file.status.st_uid, geteuid());
      assert_int_equal(file.status.st_gid, getegid());
      assert_int_equal(lstat(lock, &file.status), 0);
      assert_true(S_ISREG(file.status.st_mode));
      /* Exactly: who can't read it can't take over after a crash. */
      assert_int_equal(file.status.st_mode & 07777, 0600);
      assert_int_equal(file.status.st_size, 0);
      assert_int_equal(posix_count(directory), 2);
      close_server(server);
      assert_int_equal(posix_count(directory), 0);
    }
  }
}

/* A bare name's socket is no different. */
static void test_bare_name(void** state) {
  char socket_path[160];
  const char* name = test_name();
  ipc_server_t* server;

  (void) state;
  snprintf(socket_path, sizeof(socket_path), "%s/%s.sock", test_directory(),
           name);
  server = listen_at(name);
  assert_int_equal(mode_of(socket_path), 0600);
  assert_int_equal(posix_count(test_directory()), 2);
  assert_int_equal(try_connect(name), 0);
  assert_int_equal(try_connect(socket_path), 0);
  assert_int_equal(probe(name), IPC_CHANNEL_NAME_LIVE);
  close_server(server);
  assert_int_equal(posix_count(test_directory()), 0);
}

static void test_owner(void** state) {
  posix_file_t file;
  ipc_server_t* server;

  (void) state;
  NEEDS_ROOT();
  ipc_server_options_init(&options, path);
  ipc_server_options_set_posix_owner(&options, NOBODY, SOME_GROUP);
  ipc_server_options_set_posix_mode(&options, 0640);
  server = listen_with_options();
  posix_look(path, &file);
  assert_int_equal(file.status.st_uid, NOBODY);
  assert_int_equal(file.status.st_gid, SOME_GROUP);
  assert_int_equal(file.status.st_mode & 07777, 0640);
  posix_look(lock, &file);
  assert_int_equal(file.status.st_uid, 0);
  assert_int_equal(file.status.st_mode & 077, 0);
  close_server(server);

  /* -1 leaves one as it is. */
  ipc_server_options_init(&options, path);
  ipc_server_options_set_posix_owner(&options, -1, SOME_GROUP);
  server = listen_with_options();
  posix_look(path, &file);
  assert_int_equal(file.status.st_uid, 0);
  assert_int_equal(file.status.st_gid, SOME_GROUP);
  assert_int_equal(file.status.st_mode & 07777, 0600);
  close_server(server);

  ipc_server_options_init(&options, path);
  ipc_server_options_set_peer_group(&options, "65533");
  server = listen_with_options();
  posix_look(path, &file);
  assert_int_equal(file.status.st_gid, SOME_GROUP);
  assert_int_equal(file.status.st_mode & 07777, 0660);
  close_server(server);
}

/* Taken over after a crash by one with the same options; by no other. */
static void test_owner_and_crash(void** state) {
  ipc_server_t* server;

  (void) state;
  NEEDS_ROOT();
  ipc_server_options_init(&options, path);
  ipc_server_options_set_posix_owner(&options, NOBODY, -1);
  kill_server(start_server());
  ipc_server_options_init(&options, path);
  refuse_with_options(UV_EACCES);
  assert_int_equal(posix_count(directory), 2);
  ipc_server_options_set_posix_owner(&options, NOBODY, -1);
  server = listen_with_options();
  close_server(server);
}

/* In a fork of another user, whose directory it is: minus the result. */
static int play_give_away(void* arg) {
  ipc_server_t* server;
  uv_loop_t loop;
  int err;

  (void) arg;
  posix_become(NOBODY, NOBODY);
  if (uv_loop_init(&loop) != 0) return 99;
  err = ipc_server_listen(&loop, &options, NULL, &server);
  return -err;
}

static void test_owner_that_may_not_be(void** state) {
  (void) state;
  NEEDS_ROOT();
  assert_int_equal(chown(directory, NOBODY, NOBODY), 0);
  ipc_server_options_init(&options, path);
  ipc_server_options_set_posix_owner(&options, 0, -1);
  assert_int_equal(posix_reap(posix_fork(play_give_away, NULL)), EPERM);
  assert_int_equal(posix_count(directory), 0);
  ipc_server_options_init(&options, path);
  ipc_server_options_set_posix_owner(&options, -1, 0);
  assert_int_equal(posix_reap(posix_fork(play_give_away, NULL)), EPERM);
  assert_int_equal(posix_count(directory), 0);
  ipc_server_options_init(&options, path);
  ipc_server_options_set_peer_group(&options, "0");
  assert_int_equal(posix_reap(posix_fork(play_give_away, NULL)), EPERM);
  assert_int_equal(posix_count(directory), 0);
  ipc_server_options_init(&options, path);
  ipc_server_options_set_peer_group(&options, "no such group");
  assert_int_equal(posix_reap(posix_fork(play_give_away, NULL)), ENOENT);
  assert_int_equal(posix_count(directory), 0);
}

/* ---- What is there already ---------------------------------------------- */

/* Refused, and nothing has changed; not even a lock is left. */
static void expect_untouched(int status, ipc_name_state_t name_state) {
  posix_file_t before;
  ipc_server_t* server = NULL;
  int files = posix_count(directory);

  posix_look(path, &before);
  assert_int_equal(try_listen(path, &server), status);
  assert_null(server);
  posix_unchanged(path, &before);
  assert_int_equal(posix_count(directory), files);
  assert_int_equal(probe(path), name_state);
  posix_unchanged(path, &before);
  assert_int_equal(posix_count(directory), files);
}

static void test_regular_file(void** state) {
  posix_file_t before;

  (void) state;
  posix_write(path, "precious");
  posix_look(path, &before);
  expect_untouched(UV_EEXIST, IPC_CHANNEL_NAME_FOREIGN);
  assert_int_equal(try_connect(path), UV_ENOTSOCK);
  posix_unchanged(path, &before);
  unlink(path);
  /* Nor an empty one. */
  posix_write(path, "");
  expect_untouched(UV_EEXIST, IPC_CHANNEL_NAME_FOREIGN);
  unlink(path);
}

static void test_directory_there(void** state) {
  (void) state;
  assert_int_equal(mkdir(path, 0700), 0);
  expect_untouched(UV_EEXIST, IPC_CHANNEL_NAME_FOREIGN);
  assert_int_equal(try_connect(path), UV_ENOTSOCK);
  rmdir(path);
}

static void test_fifo(void** state) {
  (void) state;
  assert_int_equal(mkfifo(path, 0600), 0);
  expect_untouched(UV_EEXIST, IPC_CHANNEL_NAME_FOREIGN);
  assert_int_equal(try_connect(path), UV_ENOTSOCK);
  unlink(path);
}

static void test_symlink_to_a_file(void** state) {
  char target[112];
  posix_file_t before;

  (void) state;
  snprintf(target, sizeof(target), "%s/target", directory);
  posix_write(target, "precious");
  posix_look(target, &before);
  assert_int_equal(symlink(target, path), 0);
  expect_untouched(UV_EEXIST, IPC_CHANNEL_NAME_FOREIGN);
  assert_int_equal(try_connect(path), UV_ENOTSOCK);
  posix_unchanged(target, &before);
  unlink(path);
  unlink(target);
}

static void test_dangling_symlink(void** state) {
  char target[112];

  (void) state;
  snprintf(target, sizeof(target), "%s/target", directory);
  assert_int_equal(symlink(target, path), 0);
  expect_untouched(UV_EEXIST, IPC_CHANNEL_NAME_FOREIGN);
  assert_int_equal(try_connect(path), UV_ENOENT);
  assert_false(posix_exists(target));
  unlink(path);
}

/* Of a live server, and of a dead one. */
static void test_symlink_to_a_socket(void** state) {
  char target[112];
  posix_file_t before;
  ipc_server_t* none = NULL;
  int fd;

  (void) state;
  snprintf(target, sizeof(target), "%s/target", directory);
  fd = posix_listen(target);
  posix_look(target, &before);
  assert_int_equal(symlink(target, path), 0);
  assert_int_equal(try_listen(path, &none), UV_EEXIST);
  posix_unchanged(target, &before);
  close(fd);
  expect_untouched(UV_EEXIST, IPC_CHANNEL_NAME_FOREIGN);
  posix_unchanged(target, &before);
  unlink(path);
  unlink(target);
}

static void test_live_foreign_socket(void** state) {
  ipc_name_state_t is;
  ipc_peer_t peer;
  int fd;

  (void) state;
  fd = posix_listen(path);
  expect_untouched(UV_EADDRINUSE, IPC_CHANNEL_NAME_LIVE);
  assert_int_equal(ipc_name_probe(path, &is, &peer), 0);
  assert_int_equal(peer.uid, geteuid());
  assert_int_equal(peer.gid, getegid());
  assert_int_equal(peer.pid, getpid());
  close(fd);
  unlink(path);
}

static void test_datagram_socket(void** state) {
  int fd;

  (void) state;
  fd = posix_bind_datagram(path);
  expect_untouched(UV_EADDRINUSE, IPC_CHANNEL_NAME_FOREIGN);
  assert_int_equal(try_connect(path), UV_ENOTSOCK);
  close(fd);
  unlink(path);
}

/* Elsewhere than on Linux a full backlog refuses as a dead server does, so a
 * stranger's socket is never replaced there. */
static void test_stale_foreign_socket(void** state) {
  ipc_server_t* server;

  (void) state;
  close(posix_listen(path));
  assert_int_equal(probe(path), IPC_CHANNEL_NAME_STALE);
  assert_int_equal(try_connect(path), UV_ENOENT);
  if (!posix_has_linux_features()) {
    expect_untouched(UV_EADDRINUSE, IPC_CHANNEL_NAME_STALE);
    unlink(path);
    return;
  }
  server = listen_at(path);
  assert_int_equal(mode_of(path), 0600);
  assert_int_equal(try_connect(path), 0);
  close_server(server);
}

static void test_stale_socket_of_another_user(void** state) {
  (void) state;
  NEEDS_ROOT();
  close(posix_listen(path));
  assert_int_equal(chown(path, NOBODY, NOBODY), 0);
  expect_untouched(UV_EACCES, IPC_CHANNEL_NAME_STALE);
  unlink(path);
}

/* ---- What is in the lock's place ---------------------------------------- */

static void expect_lock_untouched(void) {
  posix_file_t before;
  ipc_server_t* server = NULL;
  int files = posix_count(directory);
  int err;

  posix_look(lock, &before);
  err = try_listen(path, &server);
  if (err != UV_EACCES && err != UV_EEXIST) fail_msg("listen gives %d", err);
  assert_null(server);
  posix_unchanged(lock, &before);
  assert_int_equal(posix_count(directory), files);
  assert_int_equal(probe(path), IPC_CHANNEL_NAME_ABSENT);
}

static void test_things_that_are_no_lock(void** state) {
  char target[112];
  posix_file_t before;
  int fd;

  (void) state;
  snprintf(target, sizeof(target), "%s/target", directory);
  posix_write(lock, "precious");
  expect_lock_untouched();
  unlink(lock);
  assert_int_equal(mkdir(lock, 0700), 0);
  expect_lock_untouched();
  rmdir(lock);
  assert_int_equal(mkfifo(lock, 0600), 0);
  expect_lock_untouched();
  unlink(lock);
  fd = posix_listen(lock);
  expect_lock_untouched();
  close(fd);
  expect_lock_untouched();
  unlink(lock);

  assert_int_equal(symlink(target, lock), 0);
  expect_lock_untouched();
  assert_false(posix_exists(target));
  posix_write(target, "");
  posix_look(target, &before);
  expect_lock_untouched();
  posix_unchanged(target, &before);
  unlink(target);
  unlink(lock);

  if (!is_root()) return;
  posix_write(lock, "");
  assert_int_equal(chown(lock, NOBODY, NOBODY), 0);
  expect_lock_untouched();
  unlink(lock);
}

/* ---- Directories -------------------------------------------------------- */

/* Both sides say no, and nothing has been made there. */
static void expect_no_directory(const char* name, int status) {
  ipc_server_t* server = NULL;

  assert_int_equal(try_listen(name, &server), status);
  assert_null(server);
  assert_int_equal(try_connect(name), status);
}

static void test_directory_of_bare_names(void** state) {
  static const mode_t bad_modes[] = {0770, 0720, 0702, 0777, 01777};
  const char* name = test_name();
  char* before = strdup(getenv("XDG_RUNTIME_DIR"));
  char other[112];
  ipc_server_t* server;
  size_t i;

  (void) state;
  snprintf(other, sizeof(other), "%s/other", directory);
  setenv("XDG_RUNTIME_DIR", other, 1);
  expect_no_directory(name, UV_ENOENT);

  assert_int_equal(mkdir(other, 0700), 0);
  for (i = 0; i < TEST_COUNT(bad_modes); i++) {
    assert_int_equal(chmod(other, bad_modes[i]), 0);
    expect_no_directory(name, UV_EACCES);
    assert_int_equal(posix_count(other), 0);
  }
  assert_int_equal(chmod(other, 0755), 0);
  server = listen_at(name);
  assert_int_equal(try_connect(name), 0);
  /* What was right when it was made may be wrong later. */
  assert_int_equal(chmod(other, 0777), 0);
  assert_int_equal(try_connect(name), UV_EACCES);
  close_server(server);
  assert_int_equal(posix_count(other), 0);
  assert_int_equal(chmod(other, 0700), 0);

  /* Ours, but by way of a link that somebody else may have made. */
  setenv("XDG_RUNTIME_DIR", path, 1);
  assert_int_equal(symlink(other, path), 0);
  expect_no_directory(name, UV_EACCES);
  assert_int_equal(posix_count(other), 0);
  unlink(path);

  if (is_root()) {
    setenv("XDG_RUNTIME_DIR", other, 1);
    assert_int_equal(chown(other, NOBODY, NOBODY), 0);
    expect_no_directory(name, UV_EACCES);
    assert_int_equal(posix_count(other), 0);
  }
  rmdir(other);
  setenv("XDG_RUNTIME_DIR", before, 1);
  free(before);
}

static void test_directory_of_a_path(void** state) {
  char name[128];

  (void) state;
  snprintf(name, sizeof(name), "%s/missing/s", directory);
  expect_no_directory(name, UV_ENOENT);
  assert_int_equal(probe(name), IPC_CHANNEL_NAME_ABSENT);

  posix_write(path, "");
  snprintf(name, sizeof(name), "%s/below", path);
  expect_no_directory(name, UV_ENOENT);
  assert_int_equal(probe(name), IPC_CHANNEL_NAME_ABSENT);
  unlink(path);
}

static void test_directory_that_is_not_ours(void** state) {
  (void) state;
  NEEDS_ROOT();
  ipc_server_options_init(&options, path);
  assert_int_equal(posix_reap(posix_fork(play_give_away, NULL)), EACCES);
  assert_int_equal(posix_count(directory), 0);
}

/* As a user who has never listened, without XDG_RUNTIME_DIR. Each step has a
 * number for its exit status. */
static int play_private_directory(void* arg) {
  unsigned int uid = *(unsigned int*) arg;
  char private[64];
  ipc_server_t* server;
  struct stat status;
  uv_loop_t loop;

  posix_become(uid, uid);
  unsetenv("XDG_RUNTIME_DIR");
  umask(0);
  snprintf(private, sizeof(private), "/tmp/ipc_channel-%u", uid);
  ipc_server_options_init(&options, "echo");
  if (uv_loop_init(&loop) != 0) return 1;
  if (ipc_server_listen(&loop, &options, NULL, &server) != 0) return 2;
  if (lstat(private, &status) != 0 || !S_ISDIR(status.st_mode)) return 3;
  if (status.st_uid != uid || (status.st_mode & 07777) != 0700) return 4;
  if (ipc_server_close(server, NULL) != 0) return 5;
  uv_run(&loop, UV_RUN_DEFAULT);

  /* There again, and not to be trusted. */
  if (chmod(private, 0755) != 0) return 6;
  if (ipc_server_listen(&loop, &options, NULL, &server) != UV_EACCES) return 7;
  if (chmod(private, 0700) != 0 || rmdir(private) != 0) return 8;
  if (symlink("/tmp", private) != 0) return 9;
  if (ipc_server_listen(&loop, &options, NULL, &server) != UV_EACCES) return 10;
  if (unlink(private) != 0) return 11;
  close(open(private, O_WRONLY | O_CREAT | O_EXCL, 0700));
  if (ipc_server_listen(&loop, &options, NULL, &server) == 0) return 12;
  if (unlink(private) != 0) return 13;
  return 0;
}

static void test_private_directory(void** state) {
  unsigned int uid = 60000 + (unsigned int) getpid() % 5000;

  (void) state;
  NEEDS_ROOT();
  assert_int_equal(posix_reap(posix_fork(play_private_directory, &uid)), 0);
}

/* ---- Who owns a name ---------------------------------------------------- */

/* A fork that tries to listen on `path`: minus the result. */
static int play_listen(void* arg) {
  ipc_server_t* server;
  uv_loop_t loop;

  (void) arg;
  if (uv_loop_init(&loop) != 0) return 99;
  return -ipc_server_listen(&loop, &options, NULL, &server);
}

static void test_second_server(void** state) {
  posix_file_t before;
  ipc_server_t* none = NULL;
  ipc_server_t* server;
  int i;

  (void) state;
  server = listen_at(path);
  posix_look(path, &before);
  for (i = 0; i < 3; i++) {
    assert_int_equal(try_listen(path, &none), UV_EADDRINUSE);
    assert_null(none);
    assert_int_equal(posix_reap(posix_fork(play_listen, NULL)), EADDRINUSE);
    posix_unchanged(path, &before);
    assert_int_equal(try_connect(path), 0);
  }
  assert_int_equal(posix_count(directory), 2);
  close_server(server);
}

static void test_server_that_was_killed(void** state) {
  ipc_server_t* server;
  int i;

  (void) state;
  for (i = 0; i < 3; i++) {
    ipc_server_options_init(&options, path);
    kill_server(start_server());
    assert_int_equal(posix_count(directory), 2);
    assert_int_equal(probe(path), IPC_CHANNEL_NAME_STALE);
    assert_int_equal(try_connect(path), UV_ENOENT);
  }
  server = listen_at(path);
  assert_int_equal(probe(path), IPC_CHANNEL_NAME_LIVE);
  assert_int_equal(try_connect(path), 0);
  close_server(server);
  assert_int_equal(posix_count(directory), 0);
}

/* Somebody has tidied up, and another server has come. */
static void test_close_spares_the_successor(void** state) {
  posix_file_t socket;
  posix_file_t its_lock;
  ipc_server_t* first;
  ipc_server_t* second;

  (void) state;
  first = listen_at(path);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(unlink(lock), 0);
  second = listen_at(path);
  posix_look(path, &socket);
  posix_look(lock, &its_lock);
  assert_int_equal(ipc_server_close(first, NULL), 0);
  assert_int_equal(try_connect(path), 0);
  posix_unchanged(path, &socket);
  posix_unchanged(lock, &its_lock);
  close_server(second);
  assert_int_equal(posix_count(directory), 0);
}

/* Something else has the path by now. */
static void test_close_spares_what_is_not_ours(void** state) {
  posix_file_t before;
  ipc_server_t* server;

  (void) state;
  server = listen_at(path);
  assert_int_equal(unlink(path), 0);
  posix_write(path, "precious");
  posix_look(path, &before);
  close_server(server);
  posix_unchanged(path, &before);
  assert_int_equal(posix_count(directory), 1);
  unlink(path);
}

/* A copy of this process ends, or closes what it thinks is its server. */
static int play_exit(void* arg) {
  (void) arg;
  return 0;
}

static int play_close(void* arg) {
  if (uv_loop_fork(test_loop()) != 0) return 1;
  if (ipc_server_close(arg, NULL) != 0) return 2;
  uv_run(test_loop(), UV_RUN_DEFAULT);
  return 0;
}

static void test_fork(void** state) {
  posix_file_t socket;
  posix_file_t its_lock;
  ipc_server_t* server;

  (void) state;
  server = listen_at(path);
  posix_look(path, &socket);
  posix_look(lock, &its_lock);
  assert_int_equal(posix_reap(posix_fork(play_exit, NULL)), 0);
  posix_unchanged(path, &socket);
  posix_unchanged(lock, &its_lock);
  assert_int_equal(try_connect(path), 0);

  assert_int_equal(posix_reap(posix_fork(play_close, server)), 0);
  posix_unchanged(path, &socket);
  posix_unchanged(lock, &its_lock);
  assert_int_equal(try_connect(path), 0);
  /* The name is still ours. */
  assert_int_equal(posix_reap(posix_fork(play_listen, NULL)), EADDRINUSE);
  close_server(server);
}

/* ---- Many starters ------------------------------------------------------ */

#define STARTERS 8
#define ROUNDS 50

/* The ends that a starter has: it waits until `go` and `stop` end. */
typedef struct race_s {
  int go[2];
  int result[2];
  int stop[2];
  int is_graceful;
} race_t;

static int play_start(void* arg) {
  race_t* race = arg;
  ipc_server_t* server;
  uv_loop_t loop;
  char answer;
  char byte;
  int err;

  close(race->go[1]);
  close(race->result[0]);
  close(race->stop[1]);
  if (uv_loop_init(&loop) != 0) return 1;
  if (read(race->go[0], &byte, 1) != 0) return 2;
  err = ipc_server_listen(&loop, &options, NULL, &server);
  answer = err == 0 ? 'o' : err == UV_EADDRINUSE ? 'u' : 'x';
  if (write(race->result[1], &answer, 1) != 1) return 3;
  /* All live until all have answered. */
  if (read(race->stop[0], &byte, 1) != 0) return 4;
  if (err != 0) return 0;
  if (!race->is_graceful) return 0; /* leaves its files */
  if (ipc_server_close(server, NULL) != 0) return 5;
  uv_run(&loop, UV_RUN_DEFAULT);
  return 0;
}

static void run_race(int is_graceful) {
  pid_t starters[STARTERS];
  char answers[STARTERS];
  race_t race;
  int owners = 0;
  int others = 0;
  int i;

  race.is_graceful = is_graceful;
  assert_int_equal(pipe(race.go), 0);
  assert_int_equal(pipe(race.result), 0);
  assert_int_equal(pipe(race.stop), 0);
  for (i = 0; i < STARTERS; i++) starters[i] = posix_fork(play_start, &race);
  close(race.go[0]);
  close(race.result[1]);
  close(race.stop[0]);
  close(race.go[1]);
  for (i = 0; i < STARTERS; i++) {
    assert_int_equal(read(race.result[0], &answers[i], 1), 1);
    owners += answers[i] == 'o';
    others += answers[i] == 'u';
  }
  close(race.stop[1]);
  close(race.result[0]);
  for (i = 0; i < STARTERS; i++) {
    assert_int_equal(posix_reap(starters[i]), 0);
  }
  assert_int_equal(owners, 1);
  assert_int_equal(others, STARTERS - 1);
}

static void test_many_starters(void** state) {
  int round;

  (void) state;
  ipc_server_options_init(&options, path);
  for (round = 0; round < ROUNDS; round++) {
    run_race(round % 3 == 0);
    assert_int_equal(posix_count(directory), round % 3 == 0 ? 0 : 2);
  }
  close_server(listen_at(path));
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      ENDPOINT_TEST(test_modes),
      ENDPOINT_TEST(test_bare_name),
      ENDPOINT_TEST(test_owner),
      ENDPOINT_TEST(test_owner_and_crash),
      ENDPOINT_TEST(test_owner_that_may_not_be),
      ENDPOINT_TEST(test_regular_file),
      ENDPOINT_TEST(test_directory_there),
      ENDPOINT_TEST(test_fifo),
      ENDPOINT_TEST(test_symlink_to_a_file),
      ENDPOINT_TEST(test_dangling_symlink),
      ENDPOINT_TEST(test_symlink_to_a_socket),
      ENDPOINT_TEST(test_live_foreign_socket),
      ENDPOINT_TEST(test_datagram_socket),
      ENDPOINT_TEST(test_stale_foreign_socket),
      ENDPOINT_TEST(test_stale_socket_of_another_user),
      ENDPOINT_TEST(test_things_that_are_no_lock),
      ENDPOINT_TEST(test_directory_of_bare_names),
      ENDPOINT_TEST(test_directory_of_a_path),
      ENDPOINT_TEST(test_directory_that_is_not_ours),
      ENDPOINT_TEST(test_private_directory),
      ENDPOINT_TEST(test_second_server),
      ENDPOINT_TEST(test_server_that_was_killed),
      ENDPOINT_TEST(test_close_spares_the_successor),
      ENDPOINT_TEST(test_close_spares_what_is_not_ours),
      ENDPOINT_TEST(test_fork),
      ENDPOINT_TEST(test_many_starters),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
