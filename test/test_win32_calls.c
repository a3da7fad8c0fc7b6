/* Windows: the arguments with which pipes are made and opened. They are what
 * keeps strangers out, and Wine stores or ignores most of them, so that only
 * the arguments themselves can be seen everywhere. The two files of the library
 * that make the calls are compiled into this program with the calls recorded;
 * the rest of it is linked. */
#include "harness.h"

#include "win32/win32.h"

#include <sddl.h>

#define MAX_CALLS 64

typedef struct call_s {
  DWORD open_mode; /* CreateFileW: access */
  DWORD pipe_mode; /* CreateFileW: flags */
  DWORD instances; /* CreateFileW: share */
  DWORD out_bytes;
  DWORD in_bytes;
  BOOL is_inheritable;
  char sddl[512];
} call_t;

static call_t made[MAX_CALLS];
static int made_count;
static call_t opened[MAX_CALLS];
static int opened_count;

static void record_descriptor(call_t* call, SECURITY_ATTRIBUTES* attributes) {
  char* sddl = NULL;

  call->is_inheritable = attributes->bInheritHandle;
  if (!ConvertSecurityDescriptorToStringSecurityDescriptorA(
          attributes->lpSecurityDescriptor, SDDL_REVISION_1,
          OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &sddl,
          NULL)) {
    return;
  }
  strncpy(call->sddl, sddl, sizeof(call->sddl) - 1);
  LocalFree(sddl);
}

static HANDLE recorded_create(const wchar_t* name,
                              DWORD open_mode,
                              DWORD pipe_mode,
                              DWORD instances,
                              DWORD out_bytes,
                              DWORD in_bytes,
                              DWORD timeout,
                              SECURITY_ATTRIBUTES* attributes) {
  call_t* call = &made[made_count++];

  assert_true(made_count < MAX_CALLS);
  call->open_mode = open_mode;
  call->pipe_mode = pipe_mode;
  call->instances = instances;
  call->out_bytes = out_bytes;
  call->in_bytes = in_bytes;
  assert_non_null(attributes);
  record_descriptor(call, attributes);
  return CreateNamedPipeW(name, open_mode, pipe_mode, instances, out_bytes,
                          in_bytes, timeout, attributes);
}

static HANDLE recorded_open(const wchar_t* name,
                            DWORD access,
                            DWORD share,
                            SECURITY_ATTRIBUTES* attributes,
                            DWORD disposition,
                            DWORD flags,
                            HANDLE template) {
  call_t* call = &opened[opened_count++];

  assert_true(opened_count < MAX_CALLS);
  call->open_mode = access;
  call->pipe_mode = flags;
  call->instances = share;
  call->is_inheritable = attributes != NULL && attributes->bInheritHandle;
  return CreateFileW(name, access, share, attributes, disposition, flags,
                     template);
}

#define CreateNamedPipeW recorded_create
#include "win32/listener.c"
#undef CreateNamedPipeW
#define CreateFileW recorded_open
#include "win32/connect.c"
#undef CreateFileW

static ipc_server_options_t server_options;
static ipc_client_options_t client_options;
static ipc_server_t* server;
static int made_at_connection;

static void on_end(ipc_channel_t* channel, int status) {
  assert_int_equal(status, 0);
  assert_int_equal(ipc_channel_close(channel), 0);
}

static void on_connection(ipc_server_t* s, ipc_channel_t* channel) {
  ipc_channel_info_t info;

  /* A server that can't read sees no end. */
  assert_int_equal(ipc_channel_info(channel, &info), 0);
  if (info.framing == IPC_CHANNEL_FRAMING_RAW &&
      info.access == IPC_CHANNEL_ACCESS_OUTBOUND) {
    assert_int_equal(ipc_channel_close(channel), 0);
  }
  made_at_connection = made_count;
  assert_int_equal(ipc_server_close(s, NULL), 0);
}

static void on_connect(ipc_channel_t* channel, int status) {
  assert_int_equal(status, 0);
  assert_int_equal(ipc_channel_close(channel), 0);
}

static const char* name;

static void prepare(void) {
  name = test_name();

  memset(made, 0, sizeof(made));
  memset(opened, 0, sizeof(opened));
  made_count = opened_count = 0;
  ipc_server_options_init(&server_options, name);
  ipc_server_options_on_connection(&server_options, on_connection);
  ipc_server_options_on_end(&server_options, on_end);
  ipc_client_options_init(&client_options, name);
  ipc_client_options_on_connect(&client_options, on_connect);
}

static void listen_connect_close(void) {
  ipc_channel_t* client;

  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  assert_int_equal(
      ipc_client_connect(test_loop(), &client_options, NULL, &client), 0);
  test_run();
}

static int has(const call_t* call, const char* ace) {
  return strstr(call->sddl, ace) != NULL;
}

/* The first instance guards the name; none takes clients of other machines;
 * each is ours and the system's alone, and no child inherits it. */
static void test_instances(void** state) {
  int i;

  (void) state;
  prepare();
  listen_connect_close();
  assert_true(made_count >= 2);
  for (i = 0; i < made_count; i++) {
    const call_t* call = &made[i];

    assert_int_equal((call->open_mode & FILE_FLAG_FIRST_PIPE_INSTANCE) != 0,
                     i == 0);
    assert_int_equal(call->open_mode & ~FILE_FLAG_FIRST_PIPE_INSTANCE,
                     PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED);
    assert_true(call->pipe_mode & PIPE_REJECT_REMOTE_CLIENTS);
    assert_int_equal(call->pipe_mode & ~PIPE_REJECT_REMOTE_CLIENTS,
                     PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT);
    assert_int_equal(call->instances, PIPE_UNLIMITED_INSTANCES);
    assert_int_equal(call->in_bytes, 65536);
    assert_int_equal(call->out_bytes, 65536);
    assert_false(call->is_inheritable);
    assert_true(has(call, "D:P"));
    assert_true(has(call, "(D;;GA;;;NU)"));
    assert_true(has(call, "(A;;GA;;;SY)"));
    assert_false(has(call, ";;;WD)"));
    assert_true(has(call, "O:"));
  }
}

/* Every instance of a pipe must be of one type. */
static void test_message_instances(void** state) {
  int i;

  (void) state;
  prepare();
  ipc_server_options_set_framing(&server_options, IPC_CHANNEL_FRAMING_PACKET);
  ipc_client_options_set_framing(&client_options, IPC_CHANNEL_FRAMING_PACKET);
  listen_connect_close();
  assert_true(made_count >= 2);
  for (i = 0; i < made_count; i++) {
    assert_int_equal(made[i].pipe_mode, PIPE_TYPE_MESSAGE | PIPE_READMODE_BYTE |
                                            PIPE_WAIT |
                                            PIPE_REJECT_REMOTE_CLIENTS);
  }
}

/* The next instance is there before the one with a client is handed out. */
static void test_next_before_handed_out(void** state) {
  (void) state;
  prepare();
  ipc_server_options_set_pending_instances(&server_options, 3);
  listen_connect_close();
  /* One that holds the name, three that wait, one in the place of the one that
   * has got a client. */
  assert_int_equal(made_at_connection, 1 + 3 + 1);
}

/* Strangers get exactly the rights of a client: not the one to answer in the
 * server's place, FILE_CREATE_PIPE_INSTANCE (4), which GENERIC_WRITE has. */
static void test_anybody(void** state) {
  (void) state;
  prepare();
  ipc_server_options_set_peers(&server_options, IPC_CHANNEL_PEERS_ANYBODY);
  ipc_server_options_set_peer_group(&server_options, "S-1-5-32-545");
  ipc_server_options_set_buffer_sizes(&server_options, 5000, 9000);
  listen_connect_close();
  assert_true(has(&made[0], "(A;;0x12019b;;;WD)"));
  assert_true(has(&made[0], "(A;;0x12019b;;;BU)"));
  assert_true(has(&made[0], "(D;;GA;;;AN)"));
  assert_true(has(&made[0], "(D;;GA;;;NU)"));
  assert_int_equal(made[0].in_bytes, 5000);
  assert_int_equal(made[0].out_bytes, 9000);
}

/* A client asks for those rights, and lets the server act as it only as far as
 * its options say. */
static void test_client(void** state) {
  static const DWORD levels[] = {SECURITY_ANONYMOUS, SECURITY_IDENTIFICATION,
                                 SECURITY_IMPERSONATION, SECURITY_DELEGATION};
  int level;

  (void) state;
  for (level = 0; level < 4; level++) {
    prepare();
    /* Checked by the server otherwise; here only the call matters. */
    ipc_server_options_set_peers(&server_options, IPC_CHANNEL_PEERS_ANYBODY);
    if (level != 1) {
      ipc_client_options_set_impersonation(&client_options,
                                           (ipc_impersonation_t) level);
    }
    listen_connect_close();
    assert_int_equal(opened_count, 2); /* the server's own, and the client's */
    assert_int_equal(opened[0].open_mode, 0x00120080);
    assert_int_equal(opened[1].open_mode, 0x0012019b);
    assert_int_equal(opened[1].instances, 0);
    assert_false(opened[1].is_inheritable);
    assert_int_equal(opened[1].pipe_mode, FILE_FLAG_OVERLAPPED |
                                              SECURITY_SQOS_PRESENT |
                                              levels[level]);
  }
}

/* The directions of a server, and what a client of it asks for. */
typedef struct way_s {
  ipc_access_t server;
  ipc_access_t client;
  DWORD made;
  DWORD opened;
} way_t;

static void try_way(const way_t* way, ipc_framing_t framing) {
  int i;

  prepare();
  ipc_server_options_set_framing(&server_options, framing);
  ipc_client_options_set_framing(&client_options, framing);
  ipc_server_options_set_access(&server_options, way->server);
  ipc_client_options_set_access(&client_options, way->client);
  listen_connect_close();
  assert_true(made_count >= 2);
  for (i = 0; i < made_count; i++) {
    assert_int_equal(made[i].open_mode & ~FILE_FLAG_FIRST_PIPE_INSTANCE,
                     way->made | FILE_FLAG_OVERLAPPED);
  }
  assert_int_equal(opened_count, 2);
  assert_int_equal(opened[0].open_mode, 0x00120080);
  assert_int_equal(opened[1].open_mode, way->opened);
}

/* A raw pipe goes one way by itself, and every instance goes the same. A client
 * asks for no right to the other: one that reads (FILE_READ_DATA, 1) not to
 * write (FILE_WRITE_DATA, 2), nor to set attributes (0x100). */
static void test_one_way(void** state) {
  static const way_t ways[] = {
      {IPC_CHANNEL_ACCESS_DUPLEX, IPC_CHANNEL_ACCESS_DUPLEX, PIPE_ACCESS_DUPLEX,
       0x0012019b},
      {IPC_CHANNEL_ACCESS_DUPLEX, IPC_CHANNEL_ACCESS_INBOUND,
       PIPE_ACCESS_DUPLEX, 0x00120081},
      {IPC_CHANNEL_ACCESS_DUPLEX, IPC_CHANNEL_ACCESS_OUTBOUND,
       PIPE_ACCESS_DUPLEX, 0x00120082},
      {IPC_CHANNEL_ACCESS_INBOUND, IPC_CHANNEL_ACCESS_OUTBOUND,
       PIPE_ACCESS_INBOUND, 0x00120082},
      {IPC_CHANNEL_ACCESS_OUTBOUND, IPC_CHANNEL_ACCESS_INBOUND,
       PIPE_ACCESS_OUTBOUND, 0x00120081},
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
    try_way(&ways[i], IPC_CHANNEL_FRAMING_RAW);
  }
}

/* The native framing speaks both ways whichever way its messages go. */
static void test_native_is_duplex(void** state) {
  static const way_t ways[] = {
      {IPC_CHANNEL_ACCESS_INBOUND, IPC_CHANNEL_ACCESS_OUTBOUND,
       PIPE_ACCESS_DUPLEX, 0x0012019b},
      {IPC_CHANNEL_ACCESS_OUTBOUND, IPC_CHANNEL_ACCESS_INBOUND,
       PIPE_ACCESS_DUPLEX, 0x0012019b},
  };

  (void) state;
  try_way(&ways[0], IPC_CHANNEL_FRAMING_NATIVE);
  try_way(&ways[1], IPC_CHANNEL_FRAMING_NATIVE);
}

/* A look at who serves a name asks for no data at all, so that it can be had of
 * any pipe. */
static void test_probe(void** state) {
  static const ipc_access_t all[] = {IPC_CHANNEL_ACCESS_DUPLEX,
                                     IPC_CHANNEL_ACCESS_INBOUND,
                                     IPC_CHANNEL_ACCESS_OUTBOUND};
  ipc_name_state_t found;
  ipc_peer_t peer;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    prepare();
    ipc_server_options_set_framing(&server_options, IPC_CHANNEL_FRAMING_RAW);
    ipc_server_options_set_access(&server_options, all[i]);
    assert_int_equal(
        ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
    assert_int_equal(ipc_name_probe(name, &found, &peer), 0);
    assert_int_equal(found, IPC_CHANNEL_NAME_LIVE);
    assert_int_equal(peer.pid, GetCurrentProcessId());
    assert_int_equal(opened_count, 2);
    assert_int_equal(opened[1].open_mode, 0x00120080);
    assert_int_equal(ipc_server_close(server, NULL), 0);
    test_run();
  }
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_instances),
      TEST(test_message_instances),
      TEST(test_next_before_handed_out),
      TEST(test_anybody),
      TEST(test_client),
      TEST(test_one_way),
      TEST(test_native_is_duplex),
      TEST(test_probe),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
