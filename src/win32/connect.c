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

int ipc__connect(const ipc__connect_config_t* config, uv_os_fd_t* handle) {
  wchar_t name[IPC__PIPE_NAME_LIMIT + 1];
  HANDLE pipe;
  int err;

  err = ipc__widen(config->os_name, name, IPC__PIPE_NAME_LIMIT + 1);
  if (err != 0) return err;

  pipe = CreateFileW(name, IPC__CLIENT_RIGHTS, 0, NULL, OPEN_EXISTING,
                     FILE_FLAG_OVERLAPPED | sqos_flags(config->impersonation),
                     NULL);
  if (pipe == INVALID_HANDLE_VALUE) return ipc__win32_error(GetLastError());

  if (GetFileType(pipe) != FILE_TYPE_PIPE) {
    CloseHandle(pipe);
    return UV_ENOTSOCK;
  }
  *handle = pipe;
  return 0;
}
