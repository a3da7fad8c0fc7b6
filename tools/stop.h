/* The request to end, from the keyboard or from whoever started us. */
#ifndef IPC_CHANNEL_TOOL_STOP_H
#define IPC_CHANNEL_TOOL_STOP_H

#include <uv.h>

typedef void (*stop_cb)(void* arg);

/* Calls `cb`, once, on SIGINT and SIGTERM. There is one watch a program. */
void stop_watch(uv_loop_t* loop, stop_cb cb, void* arg);

/* Ends the watch; may be called without one. */
void stop_unwatch(void);

#endif /* IPC_CHANNEL_TOOL_STOP_H */
