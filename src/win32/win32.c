/* Translates between Windows and the layers above: error codes and text. It
 * must never call anything that waits. */
#include "win32.h"

#include "../alloc.h"

int ipc__win32_error(DWORD error) {
  switch (error) {
    case ERROR_SUCCESS:
      return UV_UNKNOWN;
    /* libuv says UV_EPERM and UV_ENOENT to these. */
    case ERROR_ACCESS_DENIED:
      return UV_EACCES;
    case ERROR_BAD_PATHNAME:
    case ERROR_INVALID_NAME:
      return UV_EINVAL;
    /* libuv has no code for these. */
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NONPAGED_SYSTEM_RESOURCES:
    case ERROR_PAGED_SYSTEM_RESOURCES:
    case ERROR_NOT_ENOUGH_QUOTA:
    case ERROR_COMMITMENT_LIMIT:
      return UV_ENOMEM;
    default:
      return uv_translate_sys_error((int) error);
  }
}

int ipc__widen(const char* text, wchar_t* wide, int units) {
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide,
                          units) > 0) {
    return 0;
  }
  return GetLastError() == ERROR_INSUFFICIENT_BUFFER ? UV_ENAMETOOLONG
                                                     : UV_EINVAL;
}

int ipc__widen_new(const ipc_allocator_t* allocator,
                   const char* text,
                   wchar_t** wide) {
  int units =
      MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);

  if (units <= 0) return UV_EINVAL;
  *wide = ipc__malloc(allocator, (size_t) units * sizeof(**wide));
  if (*wide == NULL) return UV_ENOMEM;
  return ipc__widen(text, *wide, units);
}
