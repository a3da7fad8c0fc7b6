/* The server's insides, for server.c and for the facts that channels tell. */
#ifndef IPC_CHANNEL_SERVER_H
#define IPC_CHANNEL_SERVER_H

#include "channel.h"

struct ipc_server_s {
  ipc__hub_t* hub;
  ipc__listener_t* listener; /* NULL: closed */
  ipc_channel_t* channels;
  ipc_channel_t* refused; /* those that were told no, the latest first */
  void* data;
  char* group_id; /* NULL: none */
  ipc_peers_t peers;
  unsigned int max_instances;
  unsigned int pending_instances;
  int handshake_timeout_ms;
  ipc_admit_cb on_admit;
  ipc_connection_cb on_connection;
  ipc_server_error_cb on_error;
  ipc_server_close_cb on_close;
  unsigned int instances; /* in `channels` */
  unsigned int refusing;  /* in `refused`, those that are closing included */
  ipc_server_stats_t stats;
  int is_closing;
};

#endif /* IPC_CHANNEL_SERVER_H */
