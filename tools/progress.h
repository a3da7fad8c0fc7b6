/* A line on a terminal about a transfer that takes long. */
#ifndef IPC_CHANNEL_TOOL_PROGRESS_H
#define IPC_CHANNEL_TOOL_PROGRESS_H

#include <stddef.h>

/* So many more bytes have passed. Shows something only if standard error is a
 * terminal and neither input nor output is one. */
void progress_add(size_t bytes);

/* Clears the line, until more bytes pass. */
void progress_hide(void);

#endif /* IPC_CHANNEL_TOOL_PROGRESS_H */
