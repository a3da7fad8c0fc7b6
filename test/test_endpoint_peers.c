/* POSIX: users that may not, servers that aren't who they should be, and what
 * becomes of descriptors. What needs a second user is skipped, and counted so,
 * where the tests don't run as root. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix_peer.h"

#define NOBODY 65534u
#define SOME_GROUP 65533u

static char directory[64];
static char path[96];
static ipc_server_options_t options;
static ipc_server_t* server;
static ipc_channel_t* accepted[64];
static int accepts;
static int closes;
static int received;
static int errors;
static int last_error;

/* ---- Helpers ------------------------------------------------------------ */

static void on_connection(ipc_server_t* s, ipc_channel_t* channel) {
  (void) s;
  assert_true(accepts < (int) TEST_COUNT(accepted));
  accepted[accepts++] = channel;
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  (void) data;
  (void) size;
  received++;
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  (void) channel;
  (void) result;
  closes++;
}

static void on_error(ipc_server_t* s, int status) {
  assert_ptr_equal(s, server);
  errors++;
  last_error = status;
}

/* A directory that everybody may look into. */
static int setup(void** state) {
  snprintf(directory, sizeof(directory), "/tmp/ipcp-XXXXXX");
  if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0) return -1;
  snprintf(path, sizeof(path), "%s/s", directory);
  accepts = closes = received = errors = last_error = 0;
  server = NULL;
  ipc_server_options_init(&options, path);
  ipc_server_options_set_close_timeout(&options, 0);
  ipc_server_options_on_connection(&options, on_connection);
  ipc_server_options_on_message(&options, on_message);
  ipc_server_options_on_close(&options, on_close);
  ipc_server_options_on_error(&options, on_error);
  return test_setup(state);
}

static int teardown(void** state) {
  int failed = test_teardown(state);

  if (rmdir(directory) != 0) {
    perror(directory);
    return -1;
  }
  return failed;
}

#define PEER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#define NEEDS_ROOT()    \
  if (geteuid() != 0) { \
    skip();             \
  }

static void listen_now(void) {
  assert_int_equal(ipc_server_listen(test_loop(), &options, NULL, &server), 0);
}

static ipc_server_stats_t server_stats(void) {
  ipc_server_stats_t stats;

  assert_int_equal(ipc_server_stats(server, &stats), 0);
  return stats;
}

static void finish(void) {
  int i;

  for (i = 0; i < accepts; i++) ipc_channel_close(accepted[i]);
  assert_int_equal(ipc_server_close(server, NULL), 0);
  test_run();
  assert_int_equal(closes, accepts);
}

/* ---- Clients of another user -------------------------------------------- */

typedef struct other_s {
  unsigned int uid;
  unsigned int gid;
} other_t;

static void on_other_connect(ipc_channel_t* channel, int status) {
  *(int*) ipc_channel_data(channel) = status;
  ipc_channel_close(channel);
}

/* In a fork: minus what on_connect said, to a client with something to say. */
static int play_client(void* arg) {
  const other_t* other = arg;
  ipc_client_options_t client;
  ipc_channel_t* channel;
  uv_loop_t loop;
  int status = 1;

  posix_become(other->uid, other->gid);
  if (uv_loop_init(&loop) != 0) return 99;
  ipc_client_options_init(&client, path);
  ipc_client_options_on_connect(&client, on_other_connect);
  ipc_client_options_set_close_timeout(&client, 0);
  if (ipc_client_connect(&loop, &client, &status, &channel) != 0) return 97;
  ipc_channel_send_copy(channel, "let me in", 9, NULL, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  return -status;
}

static int connect_as(unsigned int uid, unsigned int gid) {
  other_t other;

  other.uid = uid;
  other.gid = gid;
  return posix_reap(posix_fork(play_client, &other));
}

/* In a fork: how many bytes a peer gets that isn't let in, after saying all
 * that a client says. 90: it could not connect. */
static int play_raw_client(void* arg) {
  uint8_t bytes[64];
  size_t size;
  int fd;

  (void) arg;
  signal(SIGPIPE, SIG_IGN);
  posix_become(NOBODY, NOBODY);
  fd = posix_connect(path);
  if (fd < 0) return 90;
  size = test_put_hello(bytes, 0, 1000);
  size += test_put_frame(bytes + size, 0x80, "let me in", 9);
  if (write(fd, bytes, size) < 0 && errno != EPIPE) return 91;
  size = posix_drain(fd, bytes, sizeof(bytes));
  /* A refusal is a hello that says no, and nothing else. */
  if (size == 16 && bytes[5] != 2) return 92;
  return (int) size;
}

/* Everybody may try, the kernel's word on who it is decides. */
static void test_wrong_user_is_refused(void** state) {
  (void) state;
  NEEDS_ROOT();
  ipc_server_options_set_posix_mode(&options, 0666);
  /* The raw client waits for the end, the server for the client to go. */
  ipc_server_options_set_handshake_timeout(&options, 100);
  listen_now();
  assert_int_equal(connect_as(NOBODY, NOBODY), EACCES);
  assert_int_equal(server_stats().refused_peer, 1);
  assert_int_equal(posix_reap(posix_fork(play_raw_client, NULL)), 16);
  assert_int_equal(server_stats().refused_peer, 2);
  /* The group is no way in, either. */
  assert_int_equal(connect_as(NOBODY, 0), EACCES);
  assert_int_equal(server_stats().refused_peer, 3);
  assert_int_equal(server_stats().accepted, 0);
  assert_int_equal(server_stats().handshake_errors, 0);
  assert_int_equal(connect_as(0, 0), 0);
  finish();
  assert_int_equal(accepts, 1);
}

static void test_wrong_user_gets_no_byte(void** state) {
  (void) state;
  NEEDS_ROOT();
  ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_server_options_set_posix_mode(&options, 0666);
  listen_now();
  assert_int_equal(posix_reap(posix_fork(play_raw_client, NULL)), 0);
  assert_int_equal(server_stats().refused_peer, 1);
  assert_int_equal(server_stats().instances, 0);
  finish();
  assert_int_equal(accepts, 0);
  assert_int_equal(received, 0);
}

/* The mode alone keeps them out, too. */
static void test_wrong_user_at_the_default_mode(void** state) {
  (void) state;
  NEEDS_ROOT();
  listen_now();
  assert_int_equal(connect_as(NOBODY, NOBODY), EACCES);
  assert_int_equal(posix_reap(posix_fork(play_raw_client, NULL)), 90);
  assert_int_equal(server_stats().refused_peer, 0);
  finish();
  assert_int_equal(accepts, 0);
}

/* A client of another user trusts the superuser's server. */
static void test_anybody(void** state) {
  ipc_peer_t peer;

  (void) state;
  NEEDS_ROOT();
  ipc_server_options_set_peers(&options, IPC_CHANNEL_PEERS_ANYBODY);
  ipc_server_options_on_connection(&options, on_connection);
  listen_now();
  assert_int_equal(connect_as(NOBODY, SOME_GROUP), 0);
  assert_int_equal(accepts, 1);
  assert_int_equal(server_stats().refused_peer, 0);
  /* It has gone; who it was may be asked for as long as we hold our end. */
  if (ipc_channel_peer(accepted[0], &peer) == 0) {
    assert_int_equal(peer.uid, NOBODY);
    assert_int_equal(peer.gid, SOME_GROUP);
    assert_string_equal(peer.user, "65534");
  }
  finish();
}

static void test_group(void** state) {
  (void) state;
  NEEDS_ROOT();
  ipc_server_options_set_peer_group(&options, "65533");
  listen_now();
  assert_int_equal(connect_as(NOBODY, SOME_GROUP), 0);
  assert_int_equal(connect_as(NOBODY, NOBODY), EACCES);
  assert_int_equal(connect_as(0, 0), 0);
  assert_int_equal(server_stats().refused_peer, 0);
  finish();
  assert_int_equal(accepts, 2);
}

/* The mode lets everybody try, the group is asked for all the same. */
static void test_group_behind_an_open_mode(void** state) {
  (void) state;
  NEEDS_ROOT();
  ipc_server_options_set_peer_group(&options, "65533");
  ipc_server_options_set_posix_mode(&options, 0666);
  listen_now();
  assert_int_equal(connect_as(NOBODY, NOBODY), EACCES);
  assert_int_equal(server_stats().refused_peer, 1);
  assert_int_equal(connect_as(NOBODY, SOME_GROUP), 0);
  finish();
  assert_int_equal(accepts, 1);
}

static int admitted_uid;

static int on_admit(ipc_server_t* s, const ipc_peer_t* peer) {
  (void) s;
  admitted_uid = (int) peer->uid;
  return peer->uid == (int64_t) NOBODY ? UV_EPERM : 0;
}

/* on_admit is asked after the check, and narrows it only. */
static void test_admit(void** state) {
  (void) state;
  NEEDS_ROOT();
  ipc_server_options_set_posix_mode(&options, 0666);
  ipc_server_options_on_admit(&options, on_admit);
  listen_now();
  admitted_uid = -1;
  assert_int_equal(connect_as(NOBODY, NOBODY), EACCES);
  assert_int_equal(admitted_uid, -1);
  assert_int_equal(connect_as(0, 0), 0);
  assert_int_equal(admitted_uid, 0);
  finish();

  accepts = closes = 0;
  ipc_server_options_set_peers(&options, IPC_CHANNEL_PEERS_ANYBODY);
  listen_now();
  assert_int_equal(connect_as(NOBODY, NOBODY), EACCES);
  assert_int_equal(admitted_uid, NOBODY);
  assert_int_equal(connect_as(SOME_GROUP, NOBODY), 0);
  finish();
  assert_int_equal(accepts, 1);
}

/* ---- A server of another user ------------------------------------------- */

/* In a fork: somebody else has the name. Exits with how many bytes came. */
static int play_rogue(void* arg) {
  char bytes[1];
  size_t count;
  int listening;
  int fd;

  posix_become(NOBODY, NOBODY);
  listening = posix_listen(path);
  if (chmod(path, 0777) != 0) return 91;
  if (write(*(int*) arg, "r", 1) != 1) return 92;
  fd = accept(listening, NULL, NULL);
  if (fd < 0) return 93;
  shutdown(fd, SHUT_WR);
  count = posix_drain(fd, bytes, 0);
  return count > 80 ? 80 : (int) count;
}

static pid_t start_rogue(void) {
  int ready[2];
  char byte;
  pid_t pid;

  assert_int_equal(chmod(directory, 0777), 0);
  assert_int_equal(pipe(ready), 0);
  pid = posix_fork(play_rogue, &ready[1]);
  close(ready[1]);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  return pid;
}

static int connected;
static int connect_status;

static void on_connect(ipc_channel_t* channel, int status) {
  connected = 1;
  connect_status = status;
  assert_int_equal(ipc_channel_close(channel), 0);
}

/* With something to say, so that there would be bytes. */
static void connect_to_rogue(const char* user, ipc_peers_t peers) {
  ipc_client_options_t client;
  ipc_channel_t* channel;

  ipc_client_options_init(&client, path);
  ipc_client_options_on_connect(&client, on_connect);
  ipc_client_options_set_server_peers(&client, peers);
  if (user != NULL) ipc_client_options_set_server_user(&client, user);
  connected = 0;
  assert_int_equal(ipc_client_connect(test_loop(), &client, NULL, &channel), 0);
  assert_int_equal(ipc_channel_send_copy(channel, "secret", 6, NULL, NULL), 0);
  test_run_until(&connected);
  test_run();
}

static void test_rogue_server(void** state) {
  pid_t rogue;

  (void) state;
  NEEDS_ROOT();
  rogue = start_rogue();
  connect_to_rogue(NULL, IPC_CHANNEL_PEERS_SAME_USER);
  assert_int_equal(connect_status, UV_EACCES);
  assert_int_equal(posix_reap(rogue), 0);
  unlink(path);

  rogue = start_rogue();
  connect_to_rogue("0", IPC_CHANNEL_PEERS_SAME_USER);
  assert_int_equal(connect_status, UV_EACCES);
  assert_int_equal(posix_reap(rogue), 0);
  unlink(path);

  /* Named, it is no rogue: hello and message arrive. */
  rogue = start_rogue();
  connect_to_rogue("65534", IPC_CHANNEL_PEERS_SAME_USER);
  assert_int_equal(connect_status, UV_ECONNREFUSED);
  assert_int_equal(posix_reap(rogue), 16 + 8 + 6);
  unlink(path);

  rogue = start_rogue();
  connect_to_rogue(NULL, IPC_CHANNEL_PEERS_ANYBODY);
  assert_int_equal(connect_status, UV_ECONNREFUSED);
  assert_int_equal(posix_reap(rogue), 16 + 8 + 6);
  unlink(path);
}

/* A live server's socket that isn't ours is not displaced. */
static void test_name_that_another_user_has(void** state) {
  ipc_name_state_t is;
  ipc_peer_t peer;
  pid_t rogue;
  int err;

  (void) state;
  NEEDS_ROOT();
  rogue = start_rogue();
  err = ipc_server_listen(test_loop(), &options, NULL, &server);
  assert_true(err == UV_EACCES || err == UV_EADDRINUSE);
  assert_null(server);
  assert_int_equal(posix_count(directory), 1);
  assert_int_equal(ipc_name_probe(path, &is, &peer), 0);
  assert_int_equal(is, IPC_CHANNEL_NAME_LIVE);
  assert_int_equal(peer.uid, NOBODY);
  assert_string_equal(peer.user, "65534");
  assert_int_equal(posix_reap(rogue), 0); /* the probe's bytes */
  unlink(path);
}

/* ---- Descriptors -------------------------------------------------------- */

#define MAX_FD 1024

static char was_open[MAX_FD];

static void note_descriptors(void) {
  int fd;

  for (fd = 0; fd < MAX_FD; fd++) was_open[fd] = fcntl(fd, F_GETFD) != -1;
}

/* Each new one is closed on exec; returns how many there are. */
static int check_new_descriptors(void) {
  int count = 0;
  int flags;
  int fd;

  for (fd = 0; fd < MAX_FD; fd++) {
    flags = fcntl(fd, F_GETFD);
    if (flags == -1 || was_open[fd]) continue;
    count++;
    if ((flags & FD_CLOEXEC) == 0) fail_msg("%d survives exec", fd);
  }
  return count;
}

static int drained;

static void on_drained(ipc_channel_t* channel,
                       void* arg,
                       int status,
                       size_t sent) {
  (void) sent;
  (void) channel;
  (void) arg;
  (void) status;
  drained = 1;
}

static ipc_channel_t* client_of(ipc_framing_t framing) {
  ipc_client_options_t client;
  ipc_channel_t* channel;

  ipc_client_options_init(&client, path);
  ipc_client_options_set_framing(&client, framing);
  ipc_client_options_set_close_timeout(&client, 0);
  assert_int_equal(ipc_client_connect(test_loop(), &client, NULL, &channel), 0);
  return channel;
}

/* Listening, connected, and waiting for room to write. */
static void test_no_descriptor_survives_exec(void** state) {
  static char large[4 << 20];
  ipc_channel_t* client;

  (void) state;
  note_descriptors();
  listen_now();
  assert_true(check_new_descriptors() >= 2);
  client = client_of(IPC_CHANNEL_FRAMING_NATIVE);
  test_run_until(&accepts);
  assert_int_equal(ipc_channel_pause(accepted[0]), 0);
  assert_true(check_new_descriptors() >= 4);
  drained = 0;
  assert_int_equal(
      ipc_channel_send(client, large, sizeof(large), on_drained, NULL), 0);
  assert_int_equal(ipc_channel_flush(client), 0);
  test_run_for(20);
  assert_int_equal(drained, 0);
  assert_true(check_new_descriptors() >= 5);
  assert_int_equal(ipc_channel_resume(accepted[0]), 0);
  test_run_until(&drained);
  check_new_descriptors();
  assert_int_equal(ipc_channel_close(client), 0);
  finish();
}

static int turns;

static void on_turn(uv_check_t* check) {
  (void) check;
  turns++;
}

/* Uses all descriptors up; returns how many it made. */
static int use_up(int* fds, int max) {
  int count = 0;

  while (count < max && (fds[count] = dup(2)) != -1) count++;
  assert_true(count < max);
  assert_int_equal(errno, EMFILE);
  return count;
}

static void give_back(const int* fds, int count) {
  while (count > 0) close(fds[--count]);
}

#define WAITING 20

/* The clients have connected, as far as the system goes; the server can't take
 * them, says so once, and has them when it can. */
static void run_short_of_descriptors(int round) {
  int fds[256];
  int clients[WAITING];
  int before = accepts;
  int count;
  int i;

  for (i = 0; i < WAITING; i++) {
    clients[i] = posix_connect(path);
    assert_true(clients[i] >= 0);
  }
  count = use_up(fds, (int) TEST_COUNT(fds));
  turns = 0;
  test_run_for(300);
  assert_int_equal(errors, round + 1);
  assert_int_equal(last_error, UV_EMFILE);
  assert_int_equal(accepts, before);
  /* Tries after 10, 20, 40, 80, 160 ms: a loop that spins makes thousands. */
  assert_in_range(turns, 1, 30);

  give_back(fds, count);
  while (accepts < before + WAITING) test_turn();
  assert_int_equal(errors, round + 1);
  for (i = 0; i < WAITING; i++) close(clients[i]);
}

static void test_no_descriptors(void** state) {
  struct rlimit before;
  struct rlimit low;
  uv_check_t check;
  int round;

  (void) state;
  ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  listen_now();
  uv_check_init(test_loop(), &check);
  uv_check_start(&check, on_turn);
  uv_unref((uv_handle_t*) &check);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 160;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  for (round = 0; round < 2; round++) run_short_of_descriptors(round);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_true(server_stats().accept_errors >= 2);
  assert_int_equal(server_stats().accepted, 2 * WAITING);
  uv_close((uv_handle_t*) &check, NULL);
  finish();
}

/* And closing it in the middle of that leaves nothing. */
static void test_close_without_descriptors(void** state) {
  struct rlimit before;
  struct rlimit low;
  int fds[256];
  int client;
  int count;

  (void) state;
  listen_now();
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 160;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  client = posix_connect(path);
  assert_true(client >= 0);
  count = use_up(fds, (int) TEST_COUNT(fds));
  test_run_until(&errors);
  finish();
  give_back(fds, count);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(posix_drain(client, NULL, 0), 0);
  close(client);
}

/* A client that can't have a socket says so. */
static void test_client_without_descriptors(void** state) {
  ipc_client_options_t client;
  ipc_channel_t* channel;
  struct rlimit before;
  struct rlimit low;
  int fds[256];
  int count;

  (void) state;
  listen_now();
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 160;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  count = use_up(fds, (int) TEST_COUNT(fds));
  ipc_client_options_init(&client, path);
  ipc_client_options_on_connect(&client, on_connect);
  connected = 0;
  assert_int_equal(ipc_client_connect(test_loop(), &client, NULL, &channel), 0);
  test_run_until(&connected);
  give_back(fds, count);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(connect_status, UV_EMFILE);
  finish();
}

static size_t received_bytes;
static int sent_status;

static void on_bytes(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  (void) data;
  received_bytes += size;
}

static void on_large_sent(ipc_channel_t* channel,
                          void* arg,
                          int status,
                          size_t sent) {
  (void) channel;
  (void) sent;
  sent_status = status;
  *(int*) arg = 1;
}

/* Nothing is left to wait for room with: a large message goes all the same, and
 * none of what it needs is somebody else's. */
static void test_send_without_descriptors(void** state) {
  static char large[4 << 20];
  struct rlimit before;
  struct rlimit low;
  ipc_channel_t* client;
  int is_sent = 0;
  int fds[256];
  int count;

  (void) state;
  received_bytes = 0;
  ipc_server_options_on_message(&options, on_bytes);
  listen_now();
  client = client_of(IPC_CHANNEL_FRAMING_NATIVE);
  test_run_until(&accepts);
  assert_int_equal(ipc_channel_send(client, "x", 1, NULL, NULL), 0);
  while (received_bytes == 0) test_turn();
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 160;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  count = use_up(fds, (int) TEST_COUNT(fds));
  assert_int_equal(
      ipc_channel_send(client, large, sizeof(large), on_large_sent, &is_sent),
      0);
  test_run_until(&is_sent);
  assert_int_equal(sent_status, 0);
  while (received_bytes < sizeof(large) + 1) test_turn();
  assert_int_equal(dup(2), -1);
  give_back(fds, count);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(ipc_channel_disconnect(client), 0);
  assert_int_equal(ipc_channel_close(client), 0);
  finish();
}

/* ---- Descriptors that nobody asked for ---------------------------------- */

/* With the first bytes and with each message, in all numbers. */
static void test_unwanted_descriptors_at_a_server(void** state) {
  static const int counts[] = {1, 2, 10, 100, 250};
  uint8_t bytes[64];
  unsigned int before;
  size_t size;
  size_t i;
  int fd;
  int n = 0;

  (void) state;
  listen_now();
  fd = posix_connect(path);
  assert_true(fd >= 0);
  size = test_put_hello(bytes, 0, 1000);
  size += test_put_frame(bytes + size, 0x80, "first", 5);
  posix_send_with_fds(fd, bytes, size, 5);
  while (received < 1) test_turn();
  n = received;
  before = test_count_handles();
  while (n < 201) {
    for (i = 0; i < TEST_COUNT(counts); i++) {
      size = test_put_frame(bytes, 0x80, "more", 4);
      posix_send_with_fds(fd, bytes, size, counts[i]);
      n++;
    }
    while (received < n) test_turn();
    assert_int_equal(test_count_handles(), before);
  }
  /* Those that came with the first bytes aren't there, either: the server's
   * channel is one, the peer's end another. */
  close(fd);
  finish();
}

static void test_unwanted_descriptors_in_a_raw_channel(void** state) {
  unsigned int before;
  int fd;
  int i;

  (void) state;
  ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  listen_now();
  fd = posix_connect(path);
  assert_true(fd >= 0);
  test_run_until(&accepts);
  before = test_count_handles();
  for (i = 0; i < 50; i++) {
    posix_send_with_fds(fd, "x", 1, 100);
    while (received < i + 1) test_turn();
    assert_int_equal(test_count_handles(), before);
  }
  close(fd);
  finish();
}

static char text[64];
static int ends;
static int end_status;

static void on_text(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  assert_true(strlen(text) + size < sizeof(text));
  memcpy(text + strlen(text), data, size);
  received++;
}

static void on_end(ipc_channel_t* channel, int status) {
  (void) channel;
  ends++;
  end_status = status;
}

/* A peer that passes descriptors along with some of what it says, and leaves
 * before anything is read: each of them ends a read short. */
static void run_farewell(ipc_framing_t framing, int is_accepted) {
  int fd;

  memset(text, 0, sizeof(text));
  accepts = closes = received = ends = 0;
  ipc_server_options_set_framing(&options, framing);
  listen_now();
  fd = posix_connect(path);
  assert_true(fd >= 0);
  if (is_accepted) test_run_until(&accepts);
  posix_send_with_fds(fd, "on", 2, 1);
  assert_int_equal(write(fd, "e\ntwo\n", 6), 6);
  posix_send_with_fds(fd, "th", 2, 3);
  posix_send_with_fds(fd, "ree\nfo", 6, 2);
  assert_int_equal(write(fd, "ur\n", 3), 3);
  close(fd);
  test_run_until(&ends);
  assert_int_equal(end_status, 0);
  if (framing == IPC_CHANNEL_FRAMING_RAW) {
    assert_string_equal(text, "one\ntwo\nthree\nfour\n");
  } else {
    assert_string_equal(text, "onetwothreefour");
    assert_int_equal(received, 4);
  }
  assert_int_equal(ends, 1);
  finish();
}

static void test_unwanted_descriptors_of_one_who_leaves(void** state) {
  (void) state;
  ipc_server_options_on_message(&options, on_text);
  ipc_server_options_on_end(&options, on_end);
  run_farewell(IPC_CHANNEL_FRAMING_RAW, 0);
  run_farewell(IPC_CHANNEL_FRAMING_RAW, 1);
  run_farewell(IPC_CHANNEL_FRAMING_DELIMITER, 0);
  run_farewell(IPC_CHANNEL_FRAMING_DELIMITER, 1);
}

static int client_received;

static void on_client_message(ipc_channel_t* channel,
                              const void* data,
                              size_t size) {
  (void) channel;
  (void) data;
  (void) size;
  client_received++;
}

static void test_unwanted_descriptors_at_a_client(void** state) {
  ipc_client_options_t client;
  ipc_channel_t* channel;
  uint8_t bytes[64];
  unsigned int before;
  size_t size;
  int listening;
  int fd;
  int i;

  (void) state;
  listening = posix_listen(path);
  ipc_client_options_init(&client, path);
  ipc_client_options_on_message(&client, on_client_message);
  client_received = 0;
  assert_int_equal(ipc_client_connect(test_loop(), &client, NULL, &channel), 0);
  uv_run(test_loop(), UV_RUN_NOWAIT);
  fd = accept(listening, NULL, NULL);
  assert_true(fd >= 0);
  before = test_count_handles();
  for (i = 0; i < 50; i++) {
    size = i == 0 ? test_put_hello(bytes, 0, 1000) : 0;
    size += test_put_frame(bytes + size, 0x80, "x", 1);
    posix_send_with_fds(fd, bytes, size, 100);
    while (client_received < i + 1) test_turn();
    assert_int_equal(test_count_handles(), before);
  }
  assert_int_equal(ipc_channel_disconnect(channel), 0);
  assert_int_equal(ipc_channel_close(channel), 0);
  test_run();
  close(fd);
  close(listening);
  unlink(path);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      PEER_TEST(test_wrong_user_is_refused),
      PEER_TEST(test_wrong_user_gets_no_byte),
      PEER_TEST(test_wrong_user_at_the_default_mode),
      PEER_TEST(test_anybody),
      PEER_TEST(test_group),
      PEER_TEST(test_group_behind_an_open_mode),
      PEER_TEST(test_admit),
      PEER_TEST(test_rogue_server),
      PEER_TEST(test_name_that_another_user_has),
      PEER_TEST(test_no_descriptor_survives_exec),
      PEER_TEST(test_no_descriptors),
      PEER_TEST(test_close_without_descriptors),
      PEER_TEST(test_client_without_descriptors),
      PEER_TEST(test_send_without_descriptors),
      PEER_TEST(test_unwanted_descriptors_at_a_server),
      PEER_TEST(test_unwanted_descriptors_in_a_raw_channel),
      PEER_TEST(test_unwanted_descriptors_of_one_who_leaves),
      PEER_TEST(test_unwanted_descriptors_at_a_client),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
