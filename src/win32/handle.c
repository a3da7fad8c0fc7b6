/* What a handle is that somebody else has made. It must never read from one,
 * change it, or connect it; and it waits for nobody, except where another
 * thread uses a handle that isn't overlapped. */
#include "win32.h"

/* Out of winternl.h and the driver kit. */
#define OBJECT_BASIC_INFORMATION_CLASS 0
#define FILE_MODE_INFORMATION_CLASS 16
#define FILE_SYNCHRONOUS_IO 0x30 /* alertable, or not */

typedef struct object_basic_s {
  ULONG attributes;
  ACCESS_MASK granted;
  ULONG counts[2];
  ULONG reserved[10];
} object_basic_t;

typedef LONG(WINAPI* nt_query_information_file_t)(
    HANDLE file, ipc__io_status_t* status, void* answer, ULONG size, int what);
typedef LONG(WINAPI* nt_query_object_t)(
    HANDLE handle, int what, void* answer, ULONG size, ULONG* answer_size);

void ipc__handle_close(uv_os_fd_t handle) {
  CloseHandle(handle);
}

/* The instances of a pipe listen each for itself, and making the next one takes
 * the name and the rights that went with the first. */
int ipc__handle_inspect_listener(uv_os_fd_t handle,
                                 int* is_packet,
                                 char os_name[IPC_CHANNEL_OS_NAME_SIZE]) {
  (void) handle;
  (void) is_packet;
  (void) os_name;
  return UV_ENOTSUP;
}

FARPROC ipc__nt_function(const char* name) {
  HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");

  return ntdll == NULL ? NULL : GetProcAddress(ntdll, name);
}

int ipc__file_query(HANDLE file, int what, void* answer, ULONG size) {
  nt_query_information_file_t query;
  ipc__io_status_t status;

  query = (nt_query_information_file_t) (void (*)(void)) ipc__nt_function(
      "NtQueryInformationFile");
  return query != NULL && query(file, &status, answer, size, what) >= 0;
}

/* The rights that the handle was opened with; 0 where the system won't say. */
static int get_rights(HANDLE handle, ACCESS_MASK* rights) {
  nt_query_object_t query;
  object_basic_t answer;

  query =
      (nt_query_object_t) (void (*)(void)) ipc__nt_function("NtQueryObject");
  if (query == NULL || query(handle, OBJECT_BASIC_INFORMATION_CLASS, &answer,
                             sizeof(answer), NULL) < 0) {
    return 0;
  }
  *rights = answer.granted;
  return 1;
}

/* Nobody but the pipe's own driver knows of processes at its ends. */
static int is_pipe(HANDLE handle) {
  ULONG pid;

  return GetFileType(handle) == FILE_TYPE_PIPE &&
         GetNamedPipeServerProcessId(handle, &pid);
}

int ipc__handle_is_serial(HANDLE handle, int* is_serial) {
  ULONG mode;

  if (!ipc__file_query(handle, FILE_MODE_INFORMATION_CLASS, &mode,
                       sizeof(mode))) {
    return UV_EACCES;
  }
  *is_serial = (mode & FILE_SYNCHRONOUS_IO) != 0;
  return 0;
}

/* Which way the data of a pipe goes, at this end. */
static void pipe_ways(const ipc__pipe_state_t* state,
                      ipc__handle_info_t* info) {
  int is_server = state->end == IPC__PIPE_END_SERVER;

  info->can_read = state->configuration !=
                   (is_server ? IPC__PIPE_OUTBOUND : IPC__PIPE_INBOUND);
  info->can_write = state->configuration !=
                    (is_server ? IPC__PIPE_INBOUND : IPC__PIPE_OUTBOUND);
}

/* Whether there is, or was, another end: of one that has gone, what it wrote
 * can still be read. */
static int is_connected(HANDLE handle, ipc__handle_info_t* info) {
  ipc__pipe_state_t state;
  ULONG pid = 0;

  if (ipc__pipe_query(handle, &state)) {
    pipe_ways(&state, info);
    info->is_packet = state.type == IPC__PIPE_MESSAGES;
    return state.state == IPC__PIPE_CONNECTED ||
           state.state == IPC__PIPE_CLOSING;
  }
  /* The server's end of an outbound pipe has no right to ask; but a client that
   * isn't there has no process. */
  return GetNamedPipeClientProcessId(handle, &pid) && pid != 0;
}

int ipc__handle_inspect(uv_os_fd_t handle, ipc__handle_info_t* info) {
  ACCESS_MASK rights;
  DWORD flags;
  int err;

  /* The latter is this process, to those who ask. */
  if (handle == NULL || handle == INVALID_HANDLE_VALUE) return UV_EBADF;
  if (!GetHandleInformation(handle, &flags)) return UV_EBADF;
  if (!is_pipe(handle)) return UV_EINVAL;
  err = ipc__handle_is_serial(handle, &info->is_serial);
  if (err != 0) return err;

  info->is_packet = 0;
  info->can_read = 1;
  info->can_write = 1;
  if (!is_connected(handle, info)) return UV_EINVAL;
  /* Packets are looked at before they are read, which has to be overlapped. */
  if (info->is_packet && info->is_serial) return UV_EINVAL;
  info->transport = info->is_packet ? IPC__PACKET_TRANSPORT : IPC__TRANSPORT;
  if (!get_rights(handle, &rights)) return UV_EACCES;
  info->can_read = info->can_read && (rights & FILE_READ_DATA) != 0;
  info->can_write = info->can_write && (rights & FILE_WRITE_DATA) != 0;
  return 0;
}
