/* A pending operation: what ipc_channel_recv, _ready, _call, a send with a
 * deadline and ipc_server_accept leave behind until their callback. */
#ifndef IPC_CHANNEL_OP_H
#define IPC_CHANNEL_OP_H

#include "hub.h"

/* Ended operations kept for the next. */
#define IPC__OP_SPARES 64u

/* Of a channel's operations. */
enum { IPC__OP_RECEIVE, IPC__OP_READY, IPC__OP_CALL };

typedef struct ipc__op_s {
  ipc__deadline_t deadline; /* first, so that it is the operation */
  struct ipc__op_s* next;   /* in its list, or among the spares */
  struct ipc__op_s* previous;
  void* owner; /* the channel, or the server */
  ipc_op_t id;
  union {
    ipc_send_cb send;
    ipc_recv_cb recv;
    ipc_ready_cb ready;
    ipc_reply_cb reply;
    ipc_accept_cb accept;
  } cb;
  void* arg;
  uint32_t call; /* a call's number on the wire */
  int status;    /* why it has ended; 0: it hasn't */
  uint8_t kind;
  uint8_t events;   /* a ready's */
  uint8_t is_grace; /* the deadline has passed once already */
} ipc__op_t;

/* First in, first out. */
typedef struct ipc__ops_s {
  ipc__op_t* first;
  ipc__op_t* last;
} ipc__ops_t;

/* NULL: no memory. */
ipc__op_t* ipc__op_create(ipc__hub_t* hub, void* owner, void* arg);
/* Clears the deadline too. */
void ipc__op_release(ipc__hub_t* hub, ipc__op_t* op);
void ipc__ops_append(ipc__ops_t* ops, ipc__op_t* op);
/* Moves all of `more` behind those of `ops`. */
void ipc__ops_append_all(ipc__ops_t* ops, ipc__ops_t* more);
/* The first, taken out; NULL: none. */
ipc__op_t* ipc__ops_pop(ipc__ops_t* ops);
/* The one with this id, or NULL. */
ipc__op_t* ipc__ops_find(const ipc__ops_t* ops, ipc_op_t id);
/* The one with this number on the wire, or NULL. */
ipc__op_t* ipc__ops_find_call(const ipc__ops_t* ops, uint32_t call);
size_t ipc__ops_count(const ipc__ops_t* ops);
void ipc__ops_remove(ipc__ops_t* ops, ipc__op_t* op);
/* Whether it is a timeout at all. */
int ipc__op_is_timeout(int timeout_ms);

#endif /* IPC_CHANNEL_OP_H */
