/* Linux: answers of the system that come once in a lifetime. The calls that
 * give them are defined here, where the library finds them before the C
 * library's own; elsewhere in the tests nothing is pretended. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pair.h"

/* ---- The calls ---------------------------------------------------------- */

static int hides_peers;

int getsockopt(int fd, int level, int option, void* value, socklen_t* size) {
  if (hides_peers && level == SOL_SOCKET && option == SO_PEERCRED) {
    errno = ENOTCONN;
    return -1;
  }
  return (int) syscall(SYS_getsockopt, fd, level, option, value, size);
}

static const char* replaced; /* the next look at it finds another file */

static void write_file(const char* path) {
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

  assert_true(fd != -1);
  assert_int_equal(write(fd, "precious\n", 9), 9);
  close(fd);
}

int lstat(const char* path, struct stat* status) {
  if (replaced != NULL && strcmp(path, replaced) == 0) {
    replaced = NULL;
    unlink(path);
    write_file(path);
  }
  return fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

/* ---- Nobody knows who the peer is --------------------------------------- */

static ipc_peer_t told;
static int admissions;

static int admit(ipc_server_t* server, const ipc_peer_t* peer) {
  (void) server;
  admissions++;
  told = *peer;
  return 0;
}

/* It isn't taken for the superuser. */
static void test_unknown_peer(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_set_peers(&pair.server_options, IPC_CHANNEL_PEERS_ANYBODY);
  ipc_server_options_on_admit(&pair.server_options, admit);
  ipc_client_options_set_server_peers(&pair.client_options,
                                      IPC_CHANNEL_PEERS_ANYBODY);
  memset(&told, 7, sizeof(told));
  admissions = 0;
  hides_peers = 1;
  pair_open(&pair);
  assert_int_equal(admissions, 1);
  assert_int_equal(told.uid, -1);
  assert_int_equal(told.gid, -1);
  assert_int_equal(told.pid, 0);
  assert_string_equal(told.user, "");
  hides_peers = 0;
  pair_finish(&pair);
}

/* Nor for one of the same user. */
static void test_unknown_peer_is_refused(void** state) {
  pair_t pair;

  (void) state;
  pair_init(&pair);
  ipc_server_options_on_admit(&pair.server_options, admit);
  ipc_client_options_set_server_peers(&pair.client_options,
                                      IPC_CHANNEL_PEERS_ANYBODY);
  admissions = 0;
  hides_peers = 1;
  pair_listen(&pair);
  pair_connect(&pair);
  run_until(&pair.client.connects, 1);
  assert_int_equal(pair.client.connect_status, UV_EACCES);
  assert_int_equal(admissions, 0);
  hides_peers = 0;
  pair_finish(&pair);
}

/* ---- Another takes the lock's place ------------------------------------- */

/* Somebody tidies the lock away that was just made and puts a file there that
 * is no lock: the server can't have the name, and leaves the file alone. */
static void test_lock_is_replaced(void** state) {
  ipc_server_options_t options;
  ipc_server_t* server;
  char path[256];
  char lock[sizeof(path) + 8];

  (void) state;
  snprintf(path, sizeof(path), "%s/%s", test_directory(), test_name());
  snprintf(lock, sizeof(lock), "%s.lock", path);
  ipc_server_options_init(&options, path);
  replaced = lock;
  assert_int_equal(ipc_server_listen(test_loop(), &options, NULL, &server),
                   UV_EEXIST);
  assert_null(replaced);
  assert_int_equal(access(lock, F_OK), 0);
  assert_int_equal(unlink(lock), 0);
  assert_int_equal(access(path, F_OK), -1);
  test_run();
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_unknown_peer),
      TEST(test_unknown_peer_is_refused),
      TEST(test_lock_is_replaced),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
