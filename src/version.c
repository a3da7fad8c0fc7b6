/* The version of what is linked. */
#include "ipc_channel.h"

unsigned int ipc_version(void) {
  return IPC_CHANNEL_VERSION_MAJOR << 16 | IPC_CHANNEL_VERSION_MINOR << 8 |
         IPC_CHANNEL_VERSION_PATCH;
}
