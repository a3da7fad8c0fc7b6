/* Standard output, whatever it is. */
#ifndef IPC_CHANNEL_TOOL_OUTPUT_H
#define IPC_CHANNEL_TOOL_OUTPUT_H

#include "arguments.h"
#include "format.h"

/* Writes all of it, waiting for a reader that is slow: that is the
 * back-pressure on where the bytes come from. An error is final. */
int output_write(uv_buf_t* buffers, unsigned int count);

/* The same with a text, which is released. */
int output_text(text_t* text);

/* Appends what is received as --output says. */
void output_format(text_t* text,
                   const arguments_t* arguments,
                   const origin_t* origin,
                   const void* data,
                   size_t size);

/* Writes it. */
int output_message(const arguments_t* arguments,
                   const origin_t* origin,
                   const void* data,
                   size_t size);

#endif /* IPC_CHANNEL_TOOL_OUTPUT_H */
