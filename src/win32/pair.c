/* Pairs: a pipe with one instance and a name that nobody can guess, of which we
 * are both server and client before anybody else could be either. It must never
 * let another user open it, nor leave an end without the other behind. */
#include "win32.h"

#include <stdio.h>
#include <string.h>

#include "../alloc.h"

/* The prefix, a process id, two random numbers in hexadecimal digits. */
#define NAME_UNITS 80

/* What fits into a DWORD, and is a hint anyway. */
#define BUFFER_BYTES_MAX ((size_t) 1 << 30)

/* The random bits keep a stranger from being there first, and the pairs of one
 * process apart. */
static int make_name(wchar_t name[NAME_UNITS]) {
  uint64_t random[2];
  char text[NAME_UNITS];
  int err;

  err = uv_random(NULL, NULL, random, sizeof(random), 0, NULL);
  if (err != 0) return err;
  snprintf(
      text, sizeof(text), "\\\\.\\pipe\\ipc_channel-%lu-%08lx%08lx%08lx%08lx",
      (unsigned long) GetCurrentProcessId(), (unsigned long) (random[0] >> 32),
      (unsigned long) (random[0] & 0xffffffff),
      (unsigned long) (random[1] >> 32),
      (unsigned long) (random[1] & 0xffffffff));
  return ipc__widen(text, name, NAME_UNITS);
}

/* For the owner and the system, as a server's that asks for nothing. */
static int make_descriptor(PSECURITY_DESCRIPTOR* descriptor) {
  ipc__listen_config_t config;

  memset(&config, 0, sizeof(config));
  config.allocator = &ipc__default_allocator;
  config.peers = IPC_CHANNEL_PEERS_SAME_USER;
  return ipc__descriptor_make(&config, descriptor);
}

/* The end that reads, where data goes one way. */
static int make_server(const wchar_t* name,
                       unsigned int flags,
                       size_t bytes,
                       HANDLE* pipe) {
  SECURITY_ATTRIBUTES attributes;
  DWORD size = (DWORD) (bytes < BUFFER_BYTES_MAX ? bytes : BUFFER_BYTES_MAX);
  DWORD mode = FILE_FLAG_FIRST_PIPE_INSTANCE;
  DWORD type;
  int err;

  mode |= flags & IPC_PAIR_ONE_WAY ? PIPE_ACCESS_INBOUND : PIPE_ACCESS_DUPLEX;
  if (!(flags & IPC_PAIR_BLOCKING_0)) mode |= FILE_FLAG_OVERLAPPED;
  type = flags & IPC_PAIR_PACKET ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE
                                 : PIPE_TYPE_BYTE | PIPE_READMODE_BYTE;
  if (size == 0) size = IPC__PIPE_BUFFER_BYTES;
  attributes.nLength = sizeof(attributes);
  attributes.bInheritHandle = (flags & IPC_PAIR_INHERITABLE_0) != 0;
  err = make_descriptor(&attributes.lpSecurityDescriptor);
  if (err != 0) return err;

  *pipe = CreateNamedPipeW(name, mode,
                           type | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                           size, size, 0, &attributes);
  if (*pipe == INVALID_HANDLE_VALUE) err = ipc__win32_error(GetLastError());
  LocalFree(attributes.lpSecurityDescriptor);
  return err;
}

/* A client's end is opened for bytes. What the ends of a channel read is
 * libuv's to say, later. */
static int read_messages(HANDLE pipe) {
  DWORD mode = PIPE_READMODE_MESSAGE | PIPE_WAIT;
  int err;

  if (SetNamedPipeHandleState(pipe, &mode, NULL, NULL)) return 0;
  err = ipc__win32_error(GetLastError());
  CloseHandle(pipe);
  return err;
}

static int make_client(const wchar_t* name, unsigned int flags, HANDLE* pipe) {
  SECURITY_ATTRIBUTES attributes;
  DWORD rights =
      flags & IPC_PAIR_ONE_WAY ? IPC__WRITER_RIGHTS : IPC__CLIENT_RIGHTS;
  DWORD mode = SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS;

  if (!(flags & IPC_PAIR_BLOCKING_1)) mode |= FILE_FLAG_OVERLAPPED;
  attributes.nLength = sizeof(attributes);
  attributes.lpSecurityDescriptor = NULL;
  attributes.bInheritHandle = (flags & IPC_PAIR_INHERITABLE_1) != 0;
  *pipe = CreateFileW(name, rights, 0, &attributes, OPEN_EXISTING, mode, NULL);
  if (*pipe == INVALID_HANDLE_VALUE) return ipc__win32_error(GetLastError());
  return flags & IPC_PAIR_PACKET ? read_messages(*pipe) : 0;
}

/* Tells the server's end of the client that is there already. */
static int accept_client(HANDLE pipe) {
  OVERLAPPED overlapped;
  DWORD error;
  DWORD bytes;

  /* An end for blocking use ignores that there is one. */
  memset(&overlapped, 0, sizeof(overlapped));
  if (ConnectNamedPipe(pipe, &overlapped)) return 0;
  error = GetLastError();
  if (error == ERROR_PIPE_CONNECTED) return 0;
  if (error == ERROR_IO_PENDING) {
    /* The kernel has our memory until this returns, which is soon. */
    CancelIoEx(pipe, &overlapped);
    GetOverlappedResult(pipe, &overlapped, &bytes, TRUE);
    error = ERROR_PIPE_NOT_CONNECTED;
  }
  return ipc__win32_error(error);
}

int ipc__pair_create(unsigned int flags, size_t bytes, uv_os_fd_t ends[2]) {
  wchar_t name[NAME_UNITS];
  int err;

  err = make_name(name);
  if (err != 0) return err;
  err = make_server(name, flags, bytes, &ends[0]);
  if (err != 0) return err;
  err = make_client(name, flags, &ends[1]);
  if (err != 0) goto close_server;
  err = accept_client(ends[0]);
  if (err != 0) goto close_client;
  return 0;

close_client:
  CloseHandle(ends[1]);
close_server:
  CloseHandle(ends[0]);
  return err;
}
