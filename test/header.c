/* The header alone, twice, with every warning an error: as C11, and by way of
 * header.cc as C++11. */
#include <ipc_channel.h>
#include <ipc_channel.h>

#if IPC_CHANNEL_VERSION_MAJOR < 0
#error "the version is not a number"
#endif

int main(void) {
  ipc_server_options_t server;
  ipc_client_options_t client;
  ipc_channel_info_t info;
  ipc_close_result_t result = {0, 0, 0};

  (void) info;
  /* The size is the library's promise: these may live on a stack. */
  if (sizeof(server) != 768 || sizeof(client) != 768) return 1;
  return result.status;
}
