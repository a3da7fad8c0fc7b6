/* What a child is given: a pipe for a slot, one-way where the child expects a
 * standard stream, so that closing our end is the end; and the descriptors of
 * libuv's C runtime, which are all that uv_spawn takes. Nothing here is
 * inheritable: uv_spawn makes duplicates that are, and closes them. */
#include "win32.h"

/* Those that libuv never closes. */
#define STANDARD_DESCRIPTORS 3

int ipc__child_pair(unsigned int slot, uv_os_fd_t* ours, uv_os_fd_t* theirs) {
  unsigned int flags = IPC_PAIR_ONE_WAY;
  unsigned int our_end = slot == IPC_CHILD_STDIN_SLOT ? 1 : 0;
  uv_os_fd_t ends[2];
  int err;

  if (slot == IPC_CHILD_EXTRA_SLOT) {
    flags = IPC_PAIR_DUPLEX;
  } else {
    flags |= our_end == 1 ? IPC_PAIR_BLOCKING_0 : IPC_PAIR_BLOCKING_1;
  }
  err = ipc__pair_create(flags, 0, ends);
  if (err != 0) return err;
  *ours = ends[our_end];
  *theirs = ends[1 - our_end];
  return 0;
}

int ipc__handle_duplicate(uv_os_fd_t handle, uv_os_fd_t* duplicate) {
  HANDLE process = GetCurrentProcess();

  /* The latter is this process, to those who ask. */
  if (handle == NULL || handle == INVALID_HANDLE_VALUE) return UV_EBADF;
  if (!DuplicateHandle(process, handle, process, duplicate, 0, FALSE,
                       DUPLICATE_SAME_ACCESS)) {
    return GetLastError() == ERROR_INVALID_HANDLE
               ? UV_EBADF
               : ipc__win32_error(GetLastError());
  }
  return 0;
}

/* ---- Descriptors -------------------------------------------------------- */

/* Where the program has closed one of the three, NUL takes its place: it would
 * be given out next, and neither uv_fs_close closes it nor uv_pipe_open, so
 * that a pipe's peer would not see our end. */
static void fill_standard_descriptors(void) {
  uv_fs_t request;
  int fd;

  for (fd = 0; fd < STANDARD_DESCRIPTORS; fd++) {
    if (uv_get_osfhandle(fd) != INVALID_HANDLE_VALUE) continue;
    uv_fs_open(NULL, &request, "NUL", UV_FS_O_RDWR, 0, NULL);
    uv_fs_req_cleanup(&request);
  }
}

int ipc__descriptor_open(uv_os_fd_t handle, int* fd) {
  fill_standard_descriptors();
  *fd = uv_open_osfhandle(handle);
  if (*fd >= 0) return 0;
  CloseHandle(handle);
  return UV_EMFILE; /* the table is full, and nothing else is wrong */
}

void ipc__descriptor_close(int fd) {
  uv_fs_t request;

  uv_fs_close(NULL, &request, fd, NULL);
  uv_fs_req_cleanup(&request);
}

int ipc__descriptor_is_open(int fd) {
  (void) fd;
  return 1;
}
