/* One attempt to connect. It must never wait for a server (WaitNamedPipe does,
 * can't be cancelled and loses races), never open more rights than a client
 * needs, and never let the server act as us beyond the level that was asked
 * for. */
#include "win32.h"

static DWORD sqos_flags(ipc_impersonation_t level) {
  switch (level) {
    case IPC_CHANNEL_IMPERSONATION_ANONYMOUS:
      return SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS;
    case IPC_CHANNEL_IMPERSONATION_IMPERSONATION:
      return SECURITY_SQOS_PRESENT | SECURITY_IMPERSONATION;
    case IPC_CHANNEL_IMPERSONATION_DELEGATION:
      return SECURITY_SQOS_PRESENT | SECURITY_DELEGATION;
    case IPC_CHANNEL_IMPERSONATION_IDENTIFICATION:
    default:
      return SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
  }
}

int ipc__pipe_open(const char* os_name,
                   DWORD rights,
                   ipc_impersonation_t level,
                   HANDLE* pipe) {
  wchar_t name[IPC__PIPE_NAME_LIMIT + 1];
  int err;

  *pipe = INVALID_HANDLE_VALUE;
  err = ipc__widen(os_name, name, IPC__PIPE_NAME_LIMIT + 1);
  if (err != 0) return err;

  *pipe = CreateFileW(name, rights, 0, NULL, OPEN_EXISTING,
                      FILE_FLAG_OVERLAPPED | sqos_flags(level), NULL);
  if (*pipe == INVALID_HANDLE_VALUE) return ipc__win32_error(GetLastError());

  if (GetFileType(*pipe) == FILE_TYPE_PIPE) return 0;
  CloseHandle(*pipe);
  *pipe = INVALID_HANDLE_VALUE;
  return UV_ENOTSOCK;
}

static DWORD client_rights(ipc_access_t access) {
  switch (access) {
    case IPC_CHANNEL_ACCESS_INBOUND:
      return IPC__READER_RIGHTS;
    case IPC_CHANNEL_ACCESS_OUTBOUND:
      return IPC__WRITER_RIGHTS;
    case IPC_CHANNEL_ACCESS_DUPLEX:
    default:
      return IPC__CLIENT_RIGHTS;
  }
}

/* Whether the data goes the way that was asked for. Windows has refused the
 * others already; Wine does so for generic rights only. */
static int goes_our_way(ULONG configuration, ipc_access_t access) {
  switch (configuration) {
    case IPC__PIPE_INBOUND:
      return access == IPC_CHANNEL_ACCESS_OUTBOUND;
    case IPC__PIPE_OUTBOUND:
      return access == IPC_CHANNEL_ACCESS_INBOUND;
    default:
      return 1;
  }
}

/* Whether it is a pipe of the kind that was asked for. One that keeps packets
 * apart serves a client that asks for bytes, too. */
static int check_pipe(HANDLE pipe, const ipc__connect_config_t* config) {
  ipc__pipe_state_t state;

  if (!ipc__pipe_query(pipe, &state)) return 0;
  if (!goes_our_way(state.configuration, config->access)) return UV_EACCES;
  if (config->is_packet && state.type != IPC__PIPE_MESSAGES) {
    return UV_EPROTOTYPE;
  }
  return 0;
}

int ipc__connect(const ipc__connect_config_t* config, uv_os_fd_t* handle) {
  HANDLE pipe;
  int err;

  err = ipc__pipe_open(config->os_name, client_rights(config->access),
                       config->impersonation, &pipe);
  if (err != 0) return err;
  err = check_pipe(pipe, config);
  if (err != 0) {
    CloseHandle(pipe);
    return err;
  }
  *handle = pipe;
  return 0;
}
