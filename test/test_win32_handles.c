/* Windows: handles of every kind, the attributes of a pair's handles, and the
 * arguments with which they are made: those keep strangers out, and Wine
 * ignores most of them. */
#include "harness.h"

#include "win32/win32.h"

#include <aclapi.h>
#include <sddl.h>
#include <stdio.h>

/* The arguments of the last calls. */
static struct {
  wchar_t name[128];
  DWORD open_mode;
  DWORD pipe_mode;
  DWORD instances;
  DWORD bytes[2];
} made;

static struct {
  wchar_t name[128];
  DWORD rights;
  DWORD share;
  DWORD flags;
  int fails; /* the next one does */
} opened;

static HANDLE recorded_create(const wchar_t* name,
                              DWORD open_mode,
                              DWORD pipe_mode,
                              DWORD instances,
                              DWORD out_bytes,
                              DWORD in_bytes,
                              DWORD timeout,
                              SECURITY_ATTRIBUTES* attributes) {
  wcsncpy(made.name, name, 127);
  made.open_mode = open_mode;
  made.pipe_mode = pipe_mode;
  made.instances = instances;
  made.bytes[0] = in_bytes;
  made.bytes[1] = out_bytes;
  return CreateNamedPipeW(name, open_mode, pipe_mode, instances, out_bytes,
                          in_bytes, timeout, attributes);
}

static HANDLE recorded_open(const wchar_t* name,
                            DWORD rights,
                            DWORD share,
                            SECURITY_ATTRIBUTES* attributes,
                            DWORD disposition,
                            DWORD flags,
                            HANDLE template) {
  wcsncpy(opened.name, name, 127);
  opened.rights = rights;
  opened.share = share;
  opened.flags = flags;
  if (opened.fails) {
    SetLastError(ERROR_PIPE_BUSY);
    return INVALID_HANDLE_VALUE;
  }
  return CreateFileW(name, rights, share, attributes, disposition, flags,
                     template);
}

/* A write that waits, where somebody wants it to. */
static struct {
  HANDLE begun;
  HANDLE may_go;
} stuck;

static BOOL stuck_write(HANDLE handle,
                        const void* data,
                        DWORD size,
                        DWORD* bytes,
                        OVERLAPPED* overlapped) {
  if (stuck.begun != NULL) {
    SetEvent(stuck.begun);
    WaitForSingleObject(stuck.may_go, INFINITE);
  }
  return WriteFile(handle, data, size, bytes, overlapped);
}

#define WriteFile stuck_write
#include "win32/serial.c"
#undef WriteFile

#define CreateNamedPipeW recorded_create
#define CreateFileW recorded_open
#include "win32/pair.c"
#undef CreateNamedPipeW
#undef CreateFileW

/* ---- What a handle is --------------------------------------------------- */

static void check_one(HANDLE handle, int reads, int writes, int is_serial) {
  ipc__handle_info_t info;

  assert_int_equal(ipc__handle_inspect(handle, &info), 0);
  assert_int_equal(info.is_serial, is_serial);
  assert_int_equal(info.is_packet, 0);
  assert_int_equal(info.transport, IPC_CHANNEL_TRANSPORT_NAMED_PIPE);
  assert_int_equal(info.can_read, reads);
  assert_int_equal(info.can_write, writes);
}

static void check(HANDLE handle, int reads, int writes) {
  check_one(handle, reads, writes, 0);
}

static void check_refused(HANDLE handle) {
  ipc__handle_info_t info;

  assert_int_equal(ipc__handle_inspect(handle, &info), UV_EINVAL);
}

static HANDLE make_instance(const char* name, DWORD mode) {
  HANDLE pipe =
      CreateNamedPipeA(name, mode, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL);
  assert_true(pipe != INVALID_HANDLE_VALUE);
  return pipe;
}

static HANDLE open_client(const char* name, DWORD rights, DWORD mode) {
  HANDLE pipe = CreateFileA(name, rights, 0, NULL, OPEN_EXISTING, mode, NULL);
  assert_true(pipe != INVALID_HANDLE_VALUE);
  return pipe;
}

static void pipe_name(char name[128]) {
  snprintf(name, 128, "\\\\.\\pipe\\%s", test_name());
}

/* Before there is a client, with one, when it has gone, and thrown out. */
static void test_states(void** state) {
  char name[128];
  HANDLE server;
  HANDLE client;

  (void) state;
  pipe_name(name);
  server = make_instance(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED);
  check_refused(server);
  client =
      open_client(name, GENERIC_READ | GENERIC_WRITE, FILE_FLAG_OVERLAPPED);
  check(server, 1, 1);
  check(client, 1, 1);
  CloseHandle(client);
  check(server, 1, 1);
  assert_true(DisconnectNamedPipe(server));
  check_refused(server);
  CloseHandle(server);
}

/* The pipe's direction and the handle's own rights both count. */
static void check_ways(DWORD made, DWORD opened, int to_server, int to_client) {
  char name[128];
  HANDLE server;
  HANDLE client;

  pipe_name(name);
  server = make_instance(name, made | FILE_FLAG_OVERLAPPED);
  client = open_client(name, opened, FILE_FLAG_OVERLAPPED);
  check(server, (made & PIPE_ACCESS_INBOUND) != 0,
        (made & PIPE_ACCESS_OUTBOUND) != 0);
  check(client, to_client, to_server);
  CloseHandle(client);
  CloseHandle(server);
}

static void test_ways(void** state) {
  (void) state;
  check_ways(PIPE_ACCESS_DUPLEX, IPC__CLIENT_RIGHTS, 1, 1);
  check_ways(PIPE_ACCESS_DUPLEX, IPC__READER_RIGHTS, 0, 1);
  check_ways(PIPE_ACCESS_DUPLEX, IPC__WRITER_RIGHTS, 1, 0);
  check_ways(PIPE_ACCESS_INBOUND, IPC__WRITER_RIGHTS, 1, 0);
  check_ways(PIPE_ACCESS_OUTBOUND, IPC__READER_RIGHTS, 0, 1);
  check_ways(PIPE_ACCESS_DUPLEX, IPC__LOOK_RIGHTS, 0, 0);
}

/* The server's end of an outbound pipe can't be asked for its state, but for
 * its client. Wine has one even if there is none. */
static void test_outbound_server(void** state) {
  ipc__handle_info_t info;
  char name[128];
  HANDLE server;
  int result;

  (void) state;
  pipe_name(name);
  server = make_instance(name, PIPE_ACCESS_OUTBOUND | FILE_FLAG_OVERLAPPED);
  result = ipc__handle_inspect(server, &info);
  assert_true(result == UV_EINVAL || (result == 0 && !info.can_read));
  CloseHandle(server);
}

/* Those that block do one thing at a time, whatever they could. */
static void test_synchronous(void** state) {
  char name[128];
  HANDLE server;
  HANDLE client;
  HANDLE ends[2];

  (void) state;
  pipe_name(name);
  server = make_instance(name, PIPE_ACCESS_DUPLEX);
  client =
      open_client(name, GENERIC_READ | GENERIC_WRITE, FILE_FLAG_OVERLAPPED);
  check_one(server, 1, 1, 1);
  check(client, 1, 1);
  CloseHandle(client);
  CloseHandle(server);

  assert_true(CreatePipe(&ends[0], &ends[1], NULL, 0));
  check_one(ends[0], 1, 0, 1);
  check_one(ends[1], 0, 1, 1);
  CloseHandle(ends[0]);
  CloseHandle(ends[1]);
}

/* Packets are for overlapped handles alone. */
static void test_synchronous_packets(void** state) {
  HANDLE ends[2];

  (void) state;
  assert_int_equal(
      ipc__pair_create(IPC_PAIR_PACKET | IPC_PAIR_BLOCKING_0, 0, ends), 0);
  check_refused(ends[0]);
  CloseHandle(ends[0]);
  CloseHandle(ends[1]);
}

/* ---- Anonymous pipes ---------------------------------------------------- */

typedef struct end_s {
  ipc_channel_t* channel;
  char log[64];
  size_t size;
  int ends;
  int closes;
  int may_fail;
} end_t;

static void on_data(ipc_channel_t* channel, const void* data, size_t size) {
  end_t* end = ipc_channel_data(channel);

  assert_true(end->size + size <= sizeof(end->log));
  memcpy(end->log + end->size, data, size);
  end->size += size;
}

static void on_end(ipc_channel_t* channel, int status) {
  end_t* end = ipc_channel_data(channel);

  assert_int_equal(status, 0);
  end->ends++;
  ipc_channel_close(channel);
}

static void on_closed(ipc_channel_t* channel,
                      const ipc_close_result_t* result) {
  end_t* end = ipc_channel_data(channel);

  assert_true(result->status == 0 || end->may_fail);
  end->closes++;
}

static void open_end(end_t* end, HANDLE handle, ipc_access_t access) {
  ipc_channel_options_t options;

  memset(end, 0, sizeof(*end));
  ipc_channel_options_init(&options);
  ipc_channel_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_set_access(&options, access);
  ipc_channel_options_on_message(&options, on_data);
  ipc_channel_options_on_end(&options, on_end);
  ipc_channel_options_on_close(&options, on_closed);
  assert_int_equal(
      ipc_channel_open(test_loop(), &options, handle, end, &end->channel), 0);
}

/* Those of cmd.exe, and of most programs that start others. */
static void test_anonymous(void** state) {
  end_t reader;
  end_t writer;
  HANDLE ends[2];

  (void) state;
  assert_true(CreatePipe(&ends[0], &ends[1], NULL, 0));
  open_end(&reader, ends[0], IPC_CHANNEL_ACCESS_INBOUND);
  open_end(&writer, ends[1], IPC_CHANNEL_ACCESS_OUTBOUND);
  assert_int_equal(
      ipc_channel_send_copy(writer.channel, "hello", 5, NULL, NULL), 0);
  while (reader.size < 5) test_turn();
  ipc_channel_close(writer.channel);
  test_run();
  assert_memory_equal(reader.log, "hello", 5);
  assert_int_equal(reader.ends, 1);
  assert_int_equal(reader.closes, 1);
  assert_int_equal(writer.closes, 1);
}

/* A write that goes after another process's on the same open handle can't be
 * cancelled. The channel closes all the same, and the thread goes when it can.
 */
static void test_stuck_thread(void** state) {
  char name[128];
  char data[8];
  HANDLE reader;
  HANDLE writer;
  DWORD bytes;
  end_t end;

  (void) state;
  pipe_name(name);
  reader = make_instance(name, PIPE_ACCESS_DUPLEX);
  writer = open_client(name, IPC__CLIENT_RIGHTS, 0);
  stuck.begun = CreateEventW(NULL, TRUE, FALSE, NULL);
  stuck.may_go = CreateEventW(NULL, TRUE, FALSE, NULL);
  open_end(&end, writer, IPC_CHANNEL_ACCESS_OUTBOUND);
  end.may_fail = 1;
  assert_int_equal(ipc_channel_send_copy(end.channel, "hello", 5, NULL, NULL),
                   0);
  /* Its thread tells the loop of nothing. */
  while (!test_wait_handle(stuck.begun, 0)) test_run_for(1);
  assert_int_equal(ipc_channel_disconnect(end.channel), 0);
  ipc_channel_close(end.channel);
  test_run();
  assert_int_equal(end.closes, 1);

  assert_true(SetEvent(stuck.may_go));
  assert_true(ReadFile(reader, data, sizeof(data), &bytes, NULL));
  assert_int_equal(bytes, 5);
  assert_false(ReadFile(reader, data, sizeof(data), &bytes, NULL));
  assert_int_equal(GetLastError(), ERROR_BROKEN_PIPE);
  CloseHandle(stuck.begun);
  CloseHandle(stuck.may_go);
  memset(&stuck, 0, sizeof(stuck));
  CloseHandle(reader);
}

static void test_no_pipe(void** state) {
  ipc__handle_info_t info;
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  HANDLE thread = OpenThread(SYNCHRONIZE, FALSE, GetCurrentThreadId());

  (void) state;
  check_refused(event);
  check_refused(thread);
  CloseHandle(event);
  CloseHandle(thread);
  assert_int_equal(ipc__handle_inspect(event, &info), UV_EBADF);
  assert_int_equal(ipc__handle_inspect(NULL, &info), UV_EBADF);
  assert_int_equal(ipc__handle_inspect(INVALID_HANDLE_VALUE, &info), UV_EBADF);
}

/* ---- Pairs -------------------------------------------------------------- */

static int is_inheritable(HANDLE handle) {
  DWORD flags = 0;

  assert_true(GetHandleInformation(handle, &flags));
  return (flags & HANDLE_FLAG_INHERIT) != 0;
}

/* Blocking ends move bytes by plain calls. */
static void check_blocking(HANDLE ends[2]) {
  char data[8] = {0};
  DWORD bytes = 0;

  assert_true(WriteFile(ends[1], "hello", 5, &bytes, NULL));
  assert_int_equal(bytes, 5);
  assert_true(ReadFile(ends[0], data, sizeof(data), &bytes, NULL));
  assert_int_equal(bytes, 5);
  assert_memory_equal(data, "hello", 5);
}

static void test_flags(void** state) {
  HANDLE ends[2];
  DWORD instances;
  unsigned int flags;

  (void) state;
  for (flags = 0; flags < 32; flags++) {
    assert_int_equal(ipc__pair_create(flags, 0, ends), 0);
    assert_int_equal(is_inheritable(ends[0]),
                     (flags & IPC_PAIR_INHERITABLE_0) != 0);
    assert_int_equal(is_inheritable(ends[1]),
                     (flags & IPC_PAIR_INHERITABLE_1) != 0);
    if ((flags & IPC_PAIR_BLOCKING_0) && (flags & IPC_PAIR_BLOCKING_1)) {
      check_blocking(ends);
    }
    assert_true(GetNamedPipeInfo(ends[0], NULL, NULL, NULL, &instances));
    assert_int_equal(instances, 1);
    CloseHandle(ends[0]);
    CloseHandle(ends[1]);
  }
}

/* It is the owner's and the system's. */
static void test_descriptor(void** state) {
  PSECURITY_DESCRIPTOR descriptor = NULL;
  char* sddl = NULL;
  HANDLE ends[2];

  (void) state;
  assert_int_equal(ipc__pair_create(IPC_PAIR_DUPLEX, 0, ends), 0);
  assert_int_equal(
      GetSecurityInfo(ends[0], SE_KERNEL_OBJECT,
                      OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                      NULL, NULL, NULL, NULL, &descriptor),
      ERROR_SUCCESS);
  assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorA(
      descriptor, SDDL_REVISION_1,
      OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &sddl, NULL));
  assert_non_null(strstr(sddl, "O:"));
  assert_non_null(strstr(sddl, ";;;SY)"));
  assert_null(strstr(sddl, ";;;WD)"));
  LocalFree(sddl);
  LocalFree(descriptor);
  CloseHandle(ends[0]);
  CloseHandle(ends[1]);
}

static void check_arguments(unsigned int flags, DWORD direction, DWORD rights) {
  DWORD server = flags & IPC_PAIR_BLOCKING_0 ? 0 : FILE_FLAG_OVERLAPPED;
  DWORD client = flags & IPC_PAIR_BLOCKING_1 ? 0 : FILE_FLAG_OVERLAPPED;
  DWORD type = flags & IPC_PAIR_PACKET
                   ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE
                   : PIPE_TYPE_BYTE | PIPE_READMODE_BYTE;
  HANDLE ends[2];

  assert_int_equal(ipc__pair_create(flags, 5000, ends), 0);
  assert_int_equal(wcscmp(made.name, opened.name), 0);
  assert_int_equal(made.open_mode,
                   direction | server | FILE_FLAG_FIRST_PIPE_INSTANCE);
  assert_int_equal(made.pipe_mode,
                   type | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS);
  assert_int_equal(made.instances, 1);
  assert_int_equal(made.bytes[0], 5000);
  assert_int_equal(made.bytes[1], 5000);
  assert_int_equal(opened.rights, rights);
  assert_int_equal(opened.share, 0);
  assert_int_equal(opened.flags,
                   client | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS);
  CloseHandle(ends[0]);
  CloseHandle(ends[1]);
}

static void test_arguments(void** state) {
  unsigned int flags;

  (void) state;
  for (flags = 0; flags < 64; flags++) {
    if ((flags & IPC_PAIR_PACKET) && (flags & IPC_PAIR_ONE_WAY)) continue;
    if (flags & IPC_PAIR_ONE_WAY)
      check_arguments(flags, PIPE_ACCESS_INBOUND, 0x00120082);
    else
      check_arguments(flags, PIPE_ACCESS_DUPLEX, 0x0012019b);
  }
}

/* No two alike, and none in which less than the random part is new. */
static void test_names(void** state) {
  wchar_t before[128];
  const wchar_t* random;
  HANDLE ends[2];
  int i;

  (void) state;
  before[0] = L'\0';
  for (i = 0; i < 10; i++) {
    assert_int_equal(ipc__pair_create(IPC_PAIR_DUPLEX, 0, ends), 0);
    CloseHandle(ends[0]);
    CloseHandle(ends[1]);
    assert_int_equal(wcsncmp(made.name, L"\\\\.\\pipe\\ipc_channel-", 21), 0);
    random = wcsrchr(made.name, L'-');
    assert_int_equal(wcslen(random + 1), 32);
    assert_int_not_equal(wcscmp(random, before), 0);
    wcsncpy(before, random, 127);
  }
}

/* An end alone is nobody's. */
static void test_failure(void** state) {
  unsigned int before = test_count_handles();
  HANDLE ends[2];

  (void) state;
  opened.fails = 1;
  assert_int_equal(ipc__pair_create(IPC_PAIR_DUPLEX, 0, ends), UV_EBUSY);
  opened.fails = 0;
  assert_int_equal(test_count_handles(), before);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_states),
      TEST(test_ways),
      TEST(test_outbound_server),
      TEST(test_synchronous),
      TEST(test_synchronous_packets),
      TEST(test_anonymous),
      TEST(test_stuck_thread),
      TEST(test_no_pipe),
      TEST(test_flags),
      TEST(test_descriptor),
      TEST(test_arguments),
      TEST(test_names),
      TEST(test_failure),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
