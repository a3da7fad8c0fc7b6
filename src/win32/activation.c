/* What a supervisor has passed on: nothing, since Windows has none that would.
 * Its service manager starts programs, but hands them no endpoints. */
#include "../platform.h"

int ipc__activation_handles(const char* name,
                            uv_os_fd_t* handles,
                            size_t* count) {
  (void) name;
  (void) handles;
  *count = 0;
  return UV_ENOTSUP;
}
