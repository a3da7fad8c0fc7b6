/* POSIX: which directory "system:NAME" may live in, what is made there, and who
 * gets at it. What needs a second user is skipped, and counted so, where the
 * tests don't run as root or /var/run can't be written. */
#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../src/posix/posix.h"
#include "pair.h"
#include "posix_peer.h"

#define NOBODY 65534u
#define SOME_GROUP 65533u
#define DAEMON 1u

#define NEEDS_ROOT()    \
  if (geteuid() != 0) { \
    skip();             \
  }

#define NEEDS_SYSTEM_DIRECTORY()                         \
  if (geteuid() != 0 || access("/var/run", W_OK) != 0) { \
    skip();                                              \
  }

/* ---- The directory ------------------------------------------------------ */

/* Says the same whether it may be made or not, and makes nothing. */
static int check(const char* directory) {
  char path[96];
  int err;

  snprintf(path, sizeof(path), "%s/s", directory);
  err = ipc__directory_check(path, IPC__PLACE_SYSTEM, 0);
  assert_int_equal(ipc__directory_check(path, IPC__PLACE_SYSTEM, 1), err);
  return err;
}

static void test_directories_that_are_there(void** state) {
  struct stat status;

  (void) state;
  /* A container's may be anybody's. */
  if (stat("/var/run", &status) == 0 && status.st_uid == 0)
    assert_int_equal(check("/var/run"), 0);
  assert_int_equal(check("/tmp"), UV_EACCES);
  assert_int_equal(check("/dev/null"), UV_EACCES);
  assert_int_equal(check("/var/run/not/there"), UV_ENOENT);
  assert_int_equal(check("/dev/null/below"), UV_ENOENT);
  assert_false(posix_exists("/var/run/not"));
}

/* What a user has is never the system's. */
static void test_directory_of_a_user(void** state) {
  char directory[64];

  (void) state;
  snprintf(directory, sizeof(directory), "/tmp/ipcs-XXXXXX");
  assert_non_null(mkdtemp(directory));
  if (geteuid() == 0) assert_int_equal(chown(directory, NOBODY, NOBODY), 0);
  assert_int_equal(check(directory), UV_EACCES);
  rmdir(directory);
}

typedef struct directory_s {
  mode_t mode;
  uid_t uid;
  gid_t gid;
  int status;
} directory_t;

static const directory_t directories[] = {
    {0755, 0, 0, 0},
    {0700, 0, 0, 0},
    {02755, 0, SOME_GROUP, 0},
    /* As macOS has it. */
    {0775, 0, DAEMON, 0},
    {0775, 0, 0, UV_EACCES},
    {0775, 0, SOME_GROUP, UV_EACCES},
    {0720, 0, SOME_GROUP, UV_EACCES},
    {0757, 0, 0, UV_EACCES},
    {0777, 0, DAEMON, UV_EACCES},
    {01777, 0, 0, UV_EACCES},
    {0755, NOBODY, 0, UV_EACCES},
    {0700, NOBODY, NOBODY, UV_EACCES},
};

static void test_directories(void** state) {
  char directory[64];
  char link[80];
  size_t i;

  (void) state;
  NEEDS_ROOT();
  snprintf(directory, sizeof(directory), "/tmp/ipcs-XXXXXX");
  assert_non_null(mkdtemp(directory));
  snprintf(link, sizeof(link), "%s.link", directory);
  assert_int_equal(symlink(directory, link), 0);
  for (i = 0; i < TEST_COUNT(directories); i++) {
    const directory_t* is = &directories[i];

    assert_int_equal(chown(directory, is->uid, is->gid), 0);
    assert_int_equal(chmod(directory, is->mode), 0);
    assert_int_equal(check(directory), is->status);
    /* /var/run is one. */
    assert_int_equal(check(link), is->status);
  }
  rmdir(directory);
  assert_int_equal(check(link), UV_ENOENT);
  unlink(link);
}

/* ---- What is made there ------------------------------------------------- */

static char name[160];
static char path[160];
static char lock[176];

static void prepare(pair_t* pair) {
  pair_init(pair);
  snprintf(name, sizeof(name), "system:%s", pair->name);
  snprintf(path, sizeof(path), "/var/run/%s.sock", pair->name);
  snprintf(lock, sizeof(lock), "%s.lock", path);
  ipc_server_options_init(&pair->server_options, name);
  ipc_client_options_init(&pair->client_options, name);
  pair_fill(pair);
}

/* The socket of a server with these options, which then is gone. */
static void look(pair_t* pair, posix_file_t* socket) {
  pair_listen(pair);
  posix_look(path, socket);
  assert_true(S_ISSOCK(socket->status.st_mode));
  assert_true(posix_exists(lock));
  pair_finish(pair);
  assert_false(posix_exists(path));
  assert_false(posix_exists(lock));
}

static void test_modes(void** state) {
  posix_file_t socket;
  pair_t pair;

  (void) state;
  NEEDS_SYSTEM_DIRECTORY();
  prepare(&pair);
  look(&pair, &socket);
  assert_int_equal(socket.status.st_mode & 07777, 0600);

  prepare(&pair);
  ipc_server_options_set_peer_group(&pair.server_options, "65533");
  look(&pair, &socket);
  assert_int_equal(socket.status.st_mode & 07777, 0660);
  assert_int_equal(socket.status.st_gid, SOME_GROUP);

  prepare(&pair);
  ipc_server_options_set_peers(&pair.server_options, IPC_CHANNEL_PEERS_ANYBODY);
  look(&pair, &socket);
  assert_int_equal(socket.status.st_mode & 07777, 0666);

  prepare(&pair);
  ipc_server_options_set_posix_mode(&pair.server_options, 0640);
  ipc_server_options_set_posix_owner(&pair.server_options, NOBODY, SOME_GROUP);
  look(&pair, &socket);
  assert_int_equal(socket.status.st_mode & 07777, 0640);
  assert_int_equal(socket.status.st_uid, NOBODY);
  assert_int_equal(socket.status.st_gid, SOME_GROUP);
}

/* ---- Other users -------------------------------------------------------- */

static void on_other_connect(ipc_channel_t* channel, int status) {
  *(int*) ipc_channel_data(channel) = status;
  ipc_channel_close(channel);
}

/* In a fork: minus what on_connect said to a client with the defaults. */
static int play_client(void* arg) {
  ipc_client_options_t client;
  ipc_channel_t* channel;
  uv_loop_t loop;
  int status = 1;

  posix_become(NOBODY, *(unsigned int*) arg);
  if (uv_loop_init(&loop) != 0) return 99;
  ipc_client_options_init(&client, name);
  ipc_client_options_on_connect(&client, on_other_connect);
  if (ipc_client_connect(&loop, &client, &status, &channel) != 0) return 97;
  uv_run(&loop, UV_RUN_DEFAULT);
  return -status;
}

static int connect_as_nobody(unsigned int gid) {
  return posix_reap(posix_fork(play_client, &gid));
}

/* In a fork: minus what listen says to another user. */
static int play_server(void* arg) {
  ipc_server_options_t options;
  ipc_server_t* server;
  uv_loop_t loop;

  (void) arg;
  posix_become(NOBODY, NOBODY);
  if (uv_loop_init(&loop) != 0) return 99;
  ipc_server_options_init(&options, name);
  return -ipc_server_listen(&loop, &options, NULL, &server);
}

static void test_nobody_else_by_default(void** state) {
  pair_t pair;

  (void) state;
  NEEDS_SYSTEM_DIRECTORY();
  prepare(&pair);
  assert_int_equal(connect_as_nobody(NOBODY), ENOENT);
  pair_listen(&pair);
  assert_int_equal(connect_as_nobody(NOBODY), EACCES);
  assert_int_equal(connect_as_nobody(SOME_GROUP), EACCES);
  assert_int_equal(pair.accepted.opens, 0);
  pair_finish(&pair);
}

static void test_anybody(void** state) {
  pair_t pair;

  (void) state;
  NEEDS_SYSTEM_DIRECTORY();
  prepare(&pair);
  ipc_server_options_set_peers(&pair.server_options, IPC_CHANNEL_PEERS_ANYBODY);
  pair.stays = 1;
  pair_listen(&pair);
  assert_int_equal(connect_as_nobody(NOBODY), 0);
  run_until(&pair.accepted.closes, 1);
  pair_finish(&pair);
}

static void test_group(void** state) {
  pair_t pair;

  (void) state;
  NEEDS_SYSTEM_DIRECTORY();
  prepare(&pair);
  ipc_server_options_set_peer_group(&pair.server_options, "65533");
  pair.stays = 1;
  pair_listen(&pair);
  assert_int_equal(connect_as_nobody(NOBODY), EACCES);
  assert_int_equal(connect_as_nobody(SOME_GROUP), 0);
  run_until(&pair.accepted.closes, 1);
  pair_finish(&pair);
}

/* Neither beside the system's servers nor in the place of one. */
static void test_other_users_do_not_serve(void** state) {
  pair_t pair;

  (void) state;
  NEEDS_SYSTEM_DIRECTORY();
  prepare(&pair);
  assert_int_equal(posix_reap(posix_fork(play_server, NULL)), EACCES);
  assert_false(posix_exists(path));
  assert_false(posix_exists(lock));
  ipc_server_options_set_peers(&pair.server_options, IPC_CHANNEL_PEERS_ANYBODY);
  pair_listen(&pair);
  assert_int_equal(posix_reap(posix_fork(play_server, NULL)), EACCES);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_directories_that_are_there),
      TEST(test_directory_of_a_user),
      TEST(test_directories),
      TEST(test_modes),
      TEST(test_nobody_else_by_default),
      TEST(test_anybody),
      TEST(test_group),
      TEST(test_other_users_do_not_serve),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
