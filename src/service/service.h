/* What the files of the service share. A message goes
 *
 *   transport -> peer.c -> dispatch.c -> handler.c -> the user's handlers
 *                              |
 *                              +-> call.c (answers to our calls)
 *
 * and back through request.c (answers) or call.c and push.c to peer.c, which
 * alone calls a transport. channel.c is a transport, and uses nothing of this
 * but the public header and the list of servers. */
#ifndef IPC_SERVICE_SERVICE_H
#define IPC_SERVICE_SERVICE_H

#include <ipc_service.h>

#include "buffer.h"
#include "due.h"
#include "list.h"
#include "jsonrpc.h"
#include "table.h"

typedef struct ipc__service_settings_s {
  const char* name; /* NULL: none */
  int accepts_names;
  int discovers;
  unsigned int max_calls;
  unsigned int max_requests;
  unsigned int max_depth;
  unsigned int max_batch;
  size_t max_message_bytes;
  size_t max_waiting_bytes;
  int linger_timeout_ms;
} ipc__service_settings_t;

/* Only ever one further. */
typedef enum ipc__service_state_e {
  IPC__SERVICE_RUNNING,
  IPC__SERVICE_QUITTING, /* waits for what is unanswered */
  IPC__SERVICE_LEAVING,  /* waits for peers and servers to be gone */
  IPC__SERVICE_LEFT      /* has none, and never will */
} ipc__service_state_t;

struct ipc_service_s {
  uv_loop_t* loop;
  void* data;
  ipc__service_settings_t settings;
  char* name;
  ipc__service_state_t state;
  int is_closing;
  int busy;     /* how many of our functions below could call a handler */
  int has_dead; /* something waits to be swept */
  int quit_is_due;
  ipc_service_close_cb on_quit;
  ipc_service_close_cb on_close;
  ipc__due_t quit_due;
  ipc__agenda_t agenda;
  ipc__link_t peers;
  ipc__link_t handlers;
  ipc__link_t servers; /* channel.c's */
  ipc__table_t calls;
  ipc__table_t requests;
  uint64_t last_call;
  uint64_t last_request;
  uint64_t last_handler;
  const ipc_service_transport_t* connector; /* NULL: none */
  void* connector_arg;
  ipc_service_dial_cb on_dial;
  void* dial_arg;
  ipc_service_stats_t stats; /* those that are counted */
};

typedef enum ipc__peer_state_e {
  IPC__PEER_CONNECTING,
  IPC__PEER_OPEN,
  IPC__PEER_CLOSING, /* answers that were given still leave */
  IPC__PEER_GONE     /* waits to be swept */
} ipc__peer_state_t;

struct ipc_service_peer_s {
  ipc__link_t link;
  ipc_service_t* service;
  const ipc_service_transport_t* transport;
  void* connection;
  void* data;
  char* name; /* NULL: none */
  ipc__peer_state_t state;
  int name_is_claimed;
  int has_ended;
  int failure; /* why we give it up; 0: we don't */
  int is_paused;
  int wants_room;     /* a send was refused for want of it */
  int close_is_asked; /* of the transport */
  ipc__link_t calls;
  ipc__link_t requests;
  unsigned int request_count;
  ipc__link_t answers; /* that wait for room */
  size_t answer_bytes;
  ipc__due_t linger;
};

/* ---- service.c ---------------------------------------------------------- */

/* Around whatever may call a handler that isn't asked for by it. Within them no
 * peer and no handler is released. The service may be gone after the second. */
void ipc__service_enter(ipc_service_t* service);
void ipc__service_leave(ipc_service_t* service);
/* Goes on with what waits for something to be over; for whoever has made it so
 * outside of these two. */
void ipc__service_settle(ipc_service_t* service);
/* May it have new peers? */
int ipc__service_is_open(const ipc_service_t* service);

/* options.c. NULL: not initialised. */
const ipc__service_settings_t* ipc__service_settings(
    const ipc_service_options_t* options, int* error);

/* ---- peer.c ------------------------------------------------------------- */

/* Sends what isn't an answer. */
int ipc__peer_send(ipc_service_peer_t* peer, const ipc__buffer_t* text);
/* Sends an answer, or keeps it until there is room. */
int ipc__peer_answer(ipc_service_peer_t* peer, const ipc__buffer_t* text);
/* Gives it up, since it waits for something that it can't get. */
void ipc__peer_fail(ipc_service_peer_t* peer, int status);
/* Drops the answers that wait, and closes it, where it closes already. */
void ipc__peer_hurry(ipc_service_peer_t* peer);
/* Closes it, where all that keeps it is over. */
void ipc__peer_check(ipc_service_peer_t* peer);
/* Whether anything of it is still under way: answers to give, or to leave. */
int ipc__peer_is_waiting(const ipc_service_peer_t* peer);
void ipc__peer_claim_name(ipc_service_peer_t* peer, const json_t* params);
/* The one of that name, or a new one that is being connected to. */
int ipc__peer_reach(ipc_service_t* service,
                    const char* name,
                    ipc_service_peer_t** peer);
void ipc__peers_sweep(ipc_service_t* service);

/* ---- dispatch.c --------------------------------------------------------- */

void ipc__dispatch(ipc_service_peer_t* peer, const char* data, size_t size);

/* ---- handler.c ---------------------------------------------------------- */

/* What a method was registered with. */
typedef struct ipc__method_s {
  const ipc_service_method_t* description;
  ipc_service_method_cb cb;
  void* arg;
} ipc__method_t;

/* NULL: there is none. */
const ipc__method_t* ipc__handler_method(const ipc_service_t* service,
                                         const char* name);
/* Each tells all that it concerns, and whether there were any. */
int ipc__handlers_notify(ipc_service_t* service,
                         ipc_service_peer_t* peer,
                         const char* method,
                         json_t* params);
int ipc__handlers_notify_from(ipc_service_t* service,
                              ipc_service_peer_t* peer,
                              const char* method,
                              json_t* params);
int ipc__handlers_notify_rest(ipc_service_t* service,
                              ipc_service_peer_t* peer,
                              const char* method,
                              json_t* params);
void ipc__handlers_tell(ipc_service_t* service,
                        ipc_service_event_t event,
                        ipc_service_peer_t* peer,
                        int status,
                        const char* text);
void ipc__handlers_sweep(ipc_service_t* service, int all);
/* The name of what is offered behind `*at`, which begins with NULL: a method,
 * or (`*method` is NULL) what notifications are taken for; NULL: no more. */
const char* ipc__handlers_next_offer(const ipc_service_t* service,
                                     const void** at,
                                     const ipc_service_method_t** method);

/* ---- params.c ----------------------------------------------------------- */

/* UV_EINVAL: the table is wrong. */
int ipc__params_check_table(const ipc_service_param_t* table);
/* Makes `*named`, a new object, of `params` (NULL: none), or tells what is
 * wrong in `*problem`, a new value too: UV_EINVAL; UV_ENOMEM: neither. */
int ipc__params_take(const ipc_service_param_t* table,
                     const json_t* params,
                     json_t** named,
                     json_t** problem);

/* ---- request.c ---------------------------------------------------------- */

/* The answers to a batch, until all are there. */
typedef struct ipc__gather_s {
  ipc__buffer_t text;
  size_t waiting;   /* for so many, and its reader */
  int is_forgotten; /* nobody waits for it any more */
} ipc__gather_t;

/* One with its reader; NULL: no memory. */
ipc__gather_t* ipc__gather_create(void);
/* One less to wait for. After the last it is sent, and gone. Answers what the
 * send does. */
int ipc__gather_drop(ipc__gather_t* gather, ipc_service_peer_t* peer);

/* `gather` is NULL outside of a batch. 0: no memory. */
ipc_service_request_t ipc__request_create(ipc_service_peer_t* peer,
                                          ipc__span_t id,
                                          ipc__gather_t* gather);
/* An answer of this library's own; `reason` NULL: no data; else {"problem":
 * reason}. */
void ipc__request_refuse(ipc_service_peer_t* peer,
                         ipc__gather_t* gather,
                         ipc__span_t id,
                         int code,
                         const char* reason);
/* The same with data, whose reference it takes. */
void ipc__request_refuse_with(ipc_service_peer_t* peer,
                              ipc__gather_t* gather,
                              ipc__span_t id,
                              int code,
                              json_t* data);
/* Answers all that the peer waits for with SHUTTING_DOWN. */
void ipc__requests_refuse(ipc_service_peer_t* peer);
/* Nobody waits for them any more. */
void ipc__requests_forget(ipc_service_peer_t* peer);

/* ---- call.c ------------------------------------------------------------- */

typedef struct ipc__call_s ipc__call_t;
struct ipc__call_s {
  ipc__entry_t entry; /* its number is its id */
  ipc__link_t link;   /* of the peer's, or the batch's */
  ipc_service_t* service;
  ipc_service_peer_t* peer; /* NULL: in a batch, or ending */
  ipc__due_t due;
  int timeout_ms;
  int status; /* to end with; 0: it is pending */
  ipc_service_answer_cb cb;
  void* arg;
};

/* Checks and makes one that isn't pending yet. */
int ipc__call_create(ipc_service_t* service,
                     int timeout_ms,
                     ipc_service_answer_cb cb,
                     void* arg,
                     ipc__call_t** call);
void ipc__call_discard(ipc__call_t* call);
/* Its request has been sent; room for it was made by ipc__calls_reserve. */
void ipc__call_begin(ipc__call_t* call, ipc_service_peer_t* peer);
int ipc__calls_reserve(ipc_service_t* service, size_t count);
/* A response has come from the peer. */
void ipc__calls_answered(ipc_service_peer_t* peer, const ipc__rpc_t* rpc);
/* The peer's calls end, now or in a next turn. */
void ipc__calls_end(ipc_service_peer_t* peer, int status);
void ipc__calls_end_soon(ipc_service_peer_t* peer, int status);

/* Writes a request or notification; takes neither. UV_EINVAL, UV_ENOMEM. */
int ipc__call_write(ipc__buffer_t* out,
                    const char* method,
                    const json_t* params,
                    uint64_t number);

/* ---- channel.c ---------------------------------------------------------- */

void ipc__servers_close(ipc_service_t* service);

#endif /* IPC_SERVICE_SERVICE_H */
