/* The agreement between a spawn and ipc_channel_inherit: the variable that
 * tells a child of its extra channel. */
#ifndef IPC_CHANNEL_CHILD_H
#define IPC_CHANNEL_CHILD_H

/* An environment for a child: `given`, or this process's where that is NULL;
 * with the variable if and only if the child gets an extra channel. To be
 * released with ipc__environment_free. */
int ipc__environment_make(const char* const* given,
                          int has_extra,
                          char*** environment);
void ipc__environment_free(char** environment);

#endif /* IPC_CHANNEL_CHILD_H */
