/* The forms that a message has on standard input and output. */
#ifndef IPC_CHANNEL_TOOL_FORMAT_H
#define IPC_CHANNEL_TOOL_FORMAT_H

#include <stdint.h>

#include "text.h"

typedef enum format_e {
  FORMAT_RAW,    /* as it is; where there are messages, a line each */
  FORMAT_QUOTED, /* "...", with the escapes of C */
  FORMAT_HEX,    /* two digits a byte */
  FORMAT_JSON    /* an object; for output only */
} format_t;

/* Whom a message is from. */
typedef struct origin_s {
  uint64_t connection; /* the first one is 1 */
  int64_t pid;         /* 0: unknown */
} origin_t;

/* Appends the line for a message, its newline included; not for FORMAT_RAW. */
void format_encode(text_t* text,
                   format_t format,
                   const origin_t* origin,
                   const void* data,
                   size_t size);

/* Appends the message that a line, without its newline, stands for. NULL, or
 * what is wrong with the line. FORMAT_QUOTED and FORMAT_HEX only. */
const char* format_decode(text_t* text,
                          format_t format,
                          const char* line,
                          size_t size);

#endif /* IPC_CHANNEL_TOOL_FORMAT_H */
