/* The agreement between a spawn and ipc_channel_inherit: the variable that
 * tells a child of its extra channel. And what a worker needs of its child. */
#ifndef IPC_CHANNEL_CHILD_H
#define IPC_CHANNEL_CHILD_H

#include "ipc_channel.h"

/* An environment for a child: `given`, or this process's where that is NULL;
 * with the variable if and only if the child gets an extra channel. To be
 * released with ipc__environment_free. */
int ipc__environment_make(const char* const* given,
                          int has_extra,
                          char*** environment);
void ipc__environment_free(char** environment);

/* As ipc_child_quit, and again: the grace begins anew. Nothing where the child
 * has ended. */
void ipc__child_ask(ipc_child_t* child, int grace_ms);
/* Whether the grace was over before the child had ended. */
int ipc__child_was_made_to_go(const ipc_child_t* child);

#endif /* IPC_CHANNEL_CHILD_H */
