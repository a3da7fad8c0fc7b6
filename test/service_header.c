/* The header of the service alone, twice, with every warning an error: as C11,
 * and by way of service_header.cc as C++11. */
#include <ipc_service.h>
#include <ipc_service.h>

int main(void) {
  ipc_service_options_t options;
  ipc_service_stats_t stats;

  (void) stats;
  /* The size is the library's promise: these may live on a stack. */
  return sizeof(options) == 384 ? 0 : 1;
}
