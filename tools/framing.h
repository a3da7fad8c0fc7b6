/* What --frame says. */
#ifndef IPC_CHANNEL_TOOL_FRAMING_H
#define IPC_CHANNEL_TOOL_FRAMING_H

#include <ipc_channel.h>

/* The delimiter and the prefix are valid whatever the kind is. */
typedef struct framing_s {
  ipc_framing_t kind;
  int delimiter;
  ipc_length_prefix_t prefix;
} framing_t;

/* The native one. */
void framing_init(framing_t* framing);

/* 0, or STATUS_USAGE after a line that says what is wrong. */
int framing_parse(const char* value, framing_t* framing);

/* The same for a command that makes its messages itself: there must be some,
 * and no header in them. */
int framing_parse_plain(const char* value, framing_t* framing);

/* Whether there are messages, not just bytes. */
int framing_has_messages(const framing_t* framing);

void framing_set_server(const framing_t* framing,
                        ipc_server_options_t* options);
void framing_set_client(const framing_t* framing,
                        ipc_client_options_t* options);

/* Why the framing can't have this message, or NULL. Its size is another
 * matter. */
const char* framing_refuses(const framing_t* framing,
                            const char* data,
                            size_t size);

#endif /* IPC_CHANNEL_TOOL_FRAMING_H */
