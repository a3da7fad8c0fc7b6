/* A transport of ipc_service without any channel: texts from one service to
 * another within a program, each delivered in a turn of its own. It proves that
 * the layer needs nothing of a channel. */
#ifndef IPC_CHANNEL_TEST_SERVICE_LOOPBACK_H
#define IPC_CHANNEL_TEST_SERVICE_LOOPBACK_H

#include <ipc_service.h>

typedef struct loopback_s loopback_t;

/* Between a and b: each becomes a peer of the other, in the next turn. `names`
 * is what a calls b, and b calls a; either may be NULL. `room`: how many texts
 * may be under way in each direction; 0: any number. */
loopback_t* loopback_open(ipc_service_t* a,
                          ipc_service_t* b,
                          const char* const names[2],
                          int room);
/* The peer that side 0 (a) or 1 (b) has; NULL: none. */
ipc_service_peer_t* loopback_peer(const loopback_t* loopback, int side);
/* Delivers nothing while it is on. */
void loopback_hold(loopback_t* loopback, int is_held);
/* The connection is lost, and comes back with the second. */
void loopback_lose(loopback_t* loopback);
void loopback_restore(loopback_t* loopback);
/* Both peers are gone, and the loopback too. */
void loopback_break(loopback_t* loopback, int status);

/* A connector whose `arg` is the service that answers to every name. */
extern const ipc_service_transport_t loopback_transport;

#endif /* IPC_CHANNEL_TEST_SERVICE_LOOPBACK_H */
