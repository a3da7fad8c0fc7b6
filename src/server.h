/* The server's insides, for server.c and for the facts that channels tell. */
#ifndef IPC_CHANNEL_SERVER_H
#define IPC_CHANNEL_SERVER_H

#include "channel.h"

/* Clients that wait for an accept unless the options say otherwise: as many as
 * a backlog holds. */
#define IPC__SERVER_PULL_WAITING 128u

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
  int64_t waiting_instances;     /* -1: the default */
  unsigned int instances;        /* in `channels` */
  unsigned int used_instances;   /* those that the user has */
  unsigned int ending_instances; /* of these, those without a connection */
  unsigned int dead_instances;   /* in `channels` without a connection */
  unsigned int waiting;          /* in `channels`, waiting for their turn */
  ipc__ops_t accepts;
  ipc__ops_t ended_accepts; /* cancelled; their callbacks are due */
  ipc_op_t last_op;
  unsigned int refusing; /* in `refused`, those that are closing included */
  ipc_server_stats_t stats;
  int is_pulled; /* by ipc_server_accept */
  int is_closing;
};

/* server.c */
/* Something stood in the way of accepting a client: counted and told. */
void ipc__server_report(ipc_server_t* server, int status);
/* Takes clients from the system, or leaves them there. */
void ipc__server_update_listening(ipc_server_t* server);

/* server_room.c */
/* Whether one client more may come in, to be served or to wait. */
int ipc__server_has_room(const ipc_server_t* server);
unsigned int ipc__server_waiting_instances(const ipc_server_t* server);
/* All accepts that are pending will be told so; or are, now. */
void ipc__server_cancel_accepts(ipc_server_t* server);
void ipc__server_end_accepts(ipc_server_t* server);

#endif /* IPC_CHANNEL_SERVER_H */
