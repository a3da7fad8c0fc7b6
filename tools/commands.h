/* What main calls: each runs one command to its end and returns the exit
 * status. */
#ifndef IPC_CHANNEL_TOOL_COMMANDS_H
#define IPC_CHANNEL_TOOL_COMMANDS_H

#include "arguments.h"

int command_listen(const arguments_t* arguments);
int command_connect(const arguments_t* arguments);
int command_relay(const arguments_t* arguments);
int command_info(const arguments_t* arguments);
int command_wait(const arguments_t* arguments);
int command_call(const arguments_t* arguments);
int command_bench(const arguments_t* arguments);

/* What --help says of these two. */
extern const char call_help[];
extern const char bench_help[];

#endif /* IPC_CHANNEL_TOOL_COMMANDS_H */
