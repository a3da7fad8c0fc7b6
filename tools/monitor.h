/* The dump on standard output of what a relay passes on. Nothing is delayed for
 * it: a reader of it that is too slow misses something, and is told so. */
#ifndef IPC_CHANNEL_TOOL_MONITOR_H
#define IPC_CHANNEL_TOOL_MONITOR_H

#include <uv.h>

/* Without this call the others do nothing. There is one monitor a program. */
void monitor_start(uv_loop_t* loop);

/* One entry each. `direction`: '>' from the client to the server, '<' back.
 * `offset`: what has passed there before. `pid`: 0: unknown. */
void monitor_opened(uint64_t connection, int64_t pid);
void monitor_bytes(uint64_t connection,
                   char direction,
                   uint64_t offset,
                   const void* data,
                   size_t size);
void monitor_ended(uint64_t connection, char direction, int status);
void monitor_closed(uint64_t connection, uint64_t there, uint64_t back);

/* No more entries come. The loop still lives until all are written, or for a
 * moment where nobody reads them. */
void monitor_stop(void);

/* Whether a write blocks and can't be cancelled. */
int monitor_is_stuck(void);

#endif /* IPC_CHANNEL_TOOL_MONITOR_H */
