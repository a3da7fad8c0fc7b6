/* The harness on Windows. */
#include "harness_os.h"

#include "harness.h"

#include <windows.h>

void test_os_start(void) {
}

void test_os_stop(void) {
}

const char* test_directory(void) {
  return NULL;
}

/* The system opens handles of its own at the first use of many things, and the
 * harness compares before with after; so this counts what a leak of ours would
 * be: pipes. */
unsigned int test_count_handles(void) {
  unsigned int count = 0;
  uintptr_t value;

  /* Handle values are multiples of four. */
  for (value = 4; value < 4 * 4096; value += 4) {
    if (GetFileType((HANDLE) value) == FILE_TYPE_PIPE) count++;
  }
  return count;
}

int test_wait_handle(uv_os_fd_t handle, int timeout_ms) {
  DWORD limit = timeout_ms < 0 ? INFINITE : (DWORD) timeout_ms;
  DWORD result = WaitForSingleObject(handle, limit);

  assert_true(result == WAIT_OBJECT_0 || result == WAIT_TIMEOUT);
  return result == WAIT_OBJECT_0;
}

int test_is_windows(void) {
  return 1;
}

void test_close_handle(uv_os_fd_t handle) {
  CloseHandle(handle);
}

int test_make_handle(test_kind_t kind, const char* path, uv_os_fd_t* handle) {
  (void) kind;
  (void) path;
  *handle = INVALID_HANDLE_VALUE;
  return UV_ENOTSUP;
}

uv_os_fd_t test_pass_handle(uv_os_fd_t handle, int n) {
  (void) n;
  return handle;
}

int test_handle_is_open(uv_os_fd_t handle) {
  DWORD flags;

  return GetHandleInformation(handle, &flags) != 0;
}

int test_handle_is_inherited(uv_os_fd_t handle) {
  DWORD flags;

  return GetHandleInformation(handle, &flags) && (flags & HANDLE_FLAG_INHERIT);
}

int test_handle_is_blocking(uv_os_fd_t handle) {
  (void) handle;
  return 0;
}
