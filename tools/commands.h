/* What main calls: each runs one command to its end and returns the exit
 * status. `words` are those behind the command; NULL ends them. */
#ifndef IPC_CHANNEL_TOOL_COMMANDS_H
#define IPC_CHANNEL_TOOL_COMMANDS_H

int command_listen(char** words);
int command_connect(char** words);
int command_relay(char** words);
int command_info(char** words);
int command_wait(char** words);
int command_call(char** words);
int command_bench(char** words);

#endif /* IPC_CHANNEL_TOOL_COMMANDS_H */
