/* Peers out of plain Win32 calls, much as the documentation's samples have
 * them. */
#include "win32_message_peers.h"

#include <windows.h>

#include "pair.h"

/* Small, so that most messages take several reads. */
#define READ_BYTES 512

#define MESSAGE_BYTES_MAX ((size_t) 2 << 20)

/* Only so that a mistake ends. */
#define PATIENCE_MS 60000

static char memory[MESSAGE_BYTES_MAX];
static char reply[MESSAGE_BYTES_MAX];

size_t peer_message_size(int n) {
  static const size_t sizes[] = {1,   2,     4095,  4096,  4097,
                                 512, 65535, 65536, 65537, (size_t) 1 << 20};
  static const int count = TEST_COUNT(sizes);

  if (n < count) return sizes[n];
  return (size_t) n * 7919 % 20000 + 1;
}

size_t talk_message_size(int n) {
  return n % 100 == 99 ? 100000 : (size_t) n * 7919 % 1000 + 1;
}

/* ---- Blocking calls ----------------------------------------------------- */

/* A whole message into `memory`, by pieces; 0: there is none, or no more. */
static int read_message(HANDLE pipe, size_t* size) {
  DWORD got;
  BOOL done;

  *size = 0;
  do {
    done = ReadFile(pipe, memory + *size, READ_BYTES, &got, NULL);
    if (!done && GetLastError() != ERROR_MORE_DATA) return 0;
    *size += got;
  } while (!done);
  return 1;
}

static int write_message(HANDLE pipe, const char* data, size_t size) {
  DWORD written;

  return WriteFile(pipe, data, (DWORD) size, &written, NULL) && written == size;
}

static HANDLE create(const char* name, DWORD open_mode, DWORD pipe_mode) {
  return CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | open_mode,
                          pipe_mode | PIPE_WAIT, PIPE_UNLIMITED_INSTANCES, 4096,
                          4096, 0, NULL);
}

static HANDLE serve(const char* name, DWORD pipe_mode) {
  HANDLE pipe = create(name, 0, pipe_mode);

  if (pipe == INVALID_HANDLE_VALUE) return pipe;
  test_say_ready();
  if (ConnectNamedPipe(pipe, NULL)) return pipe;
  if (GetLastError() == ERROR_PIPE_CONNECTED) return pipe;
  CloseHandle(pipe);
  return INVALID_HANDLE_VALUE;
}

static int play_blocking_server(int argc, char** argv) {
  HANDLE pipe = serve(argv[0], PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE);
  size_t size;
  int result;

  (void) argc;
  if (pipe == INVALID_HANDLE_VALUE) return 2;
  while (read_message(pipe, &size)) {
    if (!write_message(pipe, memory, size)) return 3;
  }
  result = GetLastError() == ERROR_BROKEN_PIPE ? 0 : 4;
  DisconnectNamedPipe(pipe);
  CloseHandle(pipe);
  return result;
}

static int play_byte_server(int argc, char** argv) {
  HANDLE pipe = serve(argv[0], PIPE_TYPE_BYTE | PIPE_READMODE_BYTE);
  char byte;
  DWORD got;

  (void) argc;
  if (pipe == INVALID_HANDLE_VALUE) return 2;
  if (ReadFile(pipe, &byte, 1, &got, NULL)) return 3;
  return 0;
}

/* ---- Overlapped calls --------------------------------------------------- */

typedef struct overlapped_s {
  HANDLE pipe;
  OVERLAPPED overlapped;
} overlapped_t;

/* Waits for what has been begun; the error. */
static DWORD finish(overlapped_t* o, BOOL done, DWORD* bytes) {
  DWORD error = done ? 0 : GetLastError();

  if (error != 0 && error != ERROR_IO_PENDING) return error;
  if (WaitForSingleObject(o->overlapped.hEvent, PATIENCE_MS) != WAIT_OBJECT_0) {
    return WAIT_TIMEOUT;
  }
  if (GetOverlappedResult(o->pipe, &o->overlapped, bytes, FALSE)) return 0;
  return GetLastError();
}

/* As read_message. */
static DWORD read_overlapped(overlapped_t* o, size_t* size) {
  DWORD error;
  DWORD got;
  BOOL done;

  *size = 0;
  do {
    got = 0;
    done = ReadFile(o->pipe, memory + *size, READ_BYTES, NULL, &o->overlapped);
    error = finish(o, done || GetLastError() == ERROR_MORE_DATA, &got);
    *size += got;
  } while (error == ERROR_MORE_DATA);
  return error;
}

static DWORD write_overlapped(overlapped_t* o, size_t size) {
  DWORD written = 0;
  BOOL done;
  DWORD error;

  done = WriteFile(o->pipe, memory, (DWORD) size, NULL, &o->overlapped);
  error = finish(o, done, &written);
  return error == 0 && written != size ? ERROR_WRITE_FAULT : error;
}

static int play_overlapped_server(int argc, char** argv) {
  DWORD pipe_mode = PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE;
  overlapped_t o = {0};
  DWORD error;
  DWORD bytes;
  size_t size;

  (void) argc;
  o.pipe = create(argv[0], FILE_FLAG_OVERLAPPED, pipe_mode);
  o.overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (o.pipe == INVALID_HANDLE_VALUE || o.overlapped.hEvent == NULL) return 2;
  test_say_ready();
  error = finish(&o, ConnectNamedPipe(o.pipe, &o.overlapped), &bytes);
  if (error != 0 && error != ERROR_PIPE_CONNECTED) return 3;
  while ((error = read_overlapped(&o, &size)) == 0) {
    if (write_overlapped(&o, size) != 0) return 4;
  }
  CloseHandle(o.pipe);
  CloseHandle(o.overlapped.hEvent);
  return error == ERROR_BROKEN_PIPE ? 0 : 5;
}

/* ---- Clients ------------------------------------------------------------ */

static HANDLE open_client(const char* name) {
  DWORD mode = PIPE_READMODE_MESSAGE;
  HANDLE pipe = INVALID_HANDLE_VALUE;

  while (pipe == INVALID_HANDLE_VALUE && WaitNamedPipeA(name, PATIENCE_MS)) {
    pipe = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL,
                       OPEN_EXISTING, 0, NULL);
    /* Another was quicker. */
    if (pipe == INVALID_HANDLE_VALUE && GetLastError() != ERROR_PIPE_BUSY)
      break;
  }
  /* Refused where the pipe isn't of the type message. */
  if (pipe == INVALID_HANDLE_VALUE ||
      SetNamedPipeHandleState(pipe, &mode, NULL, NULL)) {
    return pipe;
  }
  CloseHandle(pipe);
  return INVALID_HANDLE_VALUE;
}

static int play_client(int argc, char** argv) {
  HANDLE pipe = open_client(argv[0]);
  size_t got;
  DWORD size;
  int n;

  (void) argc;
  if (pipe == INVALID_HANDLE_VALUE) return 2;
  for (n = 0; n < PEER_MESSAGES; n++) {
    size = (DWORD) peer_message_size(n);
    pattern_fill(reply, size, (unsigned int) n);
    if (n % 2 == 0) {
      /* Of a longer reply, this would leave a rest. */
      if (!TransactNamedPipe(pipe, reply, size, memory, size, &size, NULL)) {
        return 3;
      }
      got = size;
    } else {
      if (!write_message(pipe, reply, size)) return 4;
      if (!read_message(pipe, &got)) return 5;
    }
    if (got != peer_message_size(n) || memcmp(memory, reply, got) != 0)
      return 6;
  }
  CloseHandle(pipe);
  return 0;
}

static int play_caller(int argc, char** argv) {
  DWORD size;
  DWORD got;
  int n;

  (void) argc;
  for (n = 0; n < PEER_MESSAGES; n++) {
    size = (DWORD) peer_message_size(n);
    pattern_fill(reply, size, (unsigned int) n);
    if (!CallNamedPipeA(argv[0], reply, size, memory, size, &got,
                        PATIENCE_MS)) {
      return 2;
    }
    if (got != size || memcmp(memory, reply, got) != 0) return 3;
  }
  return 0;
}

/* ---- Talkers ------------------------------------------------------------ */

static int say(HANDLE pipe, int n) {
  size_t size = talk_message_size(n);

  pattern_fill(memory, size, (unsigned int) n);
  return write_message(pipe, memory, size);
}

static int talk(HANDLE pipe, const char* how) {
  int with_empty = how != NULL && strcmp(how, "empty") == 0;
  int hangs = how != NULL && strcmp(how, "hang") == 0;
  int count = hangs ? 3 : TALK_MESSAGES;
  int n;

  if (pipe == INVALID_HANDLE_VALUE) return 2;
  for (n = 0; n < count; n++) {
    if (with_empty && n % 3 == 0 && !write_message(pipe, "", 0)) return 3;
    if (with_empty && n % 9 == 0 && !write_message(pipe, "", 0)) return 3;
    if (!say(pipe, n)) return 4;
  }
  if (with_empty && !write_message(pipe, "", 0)) return 5;
  if (hangs) Sleep(INFINITE);
  return 0;
}

static int play_talking_server(int argc, char** argv) {
  HANDLE pipe = serve(argv[0], PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE);
  int result = talk(pipe, argc > 1 ? argv[1] : NULL);
  size_t size;

  if (result != 0) return result;
  return read_message(pipe, &size) ? 6 : 0;
}

static int play_talking_client(int argc, char** argv) {
  HANDLE pipe = open_client(argv[0]);
  int result = talk(pipe, argc > 1 ? argv[1] : NULL);

  CloseHandle(pipe);
  return result;
}

const test_role_t message_peers[] = {
    {"blocking_server", play_blocking_server},
    {"overlapped_server", play_overlapped_server},
    {"byte_server", play_byte_server},
    {"client", play_client},
    {"caller", play_caller},
    {"talking_server", play_talking_server},
    {"talking_client", play_talking_client},
    {NULL, NULL},
};
