/* Standard output, whatever it is. */
#ifndef IPC_CHANNEL_TOOL_OUTPUT_H
#define IPC_CHANNEL_TOOL_OUTPUT_H

#include <uv.h>

/* Writes all of it, waiting for a reader that is slow: that is the
 * back-pressure on where the bytes come from. An error is final. */
int output_write(uv_buf_t* buffers, unsigned int count);

#endif /* IPC_CHANNEL_TOOL_OUTPUT_H */
