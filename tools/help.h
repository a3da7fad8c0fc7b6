/* What --help says. */
#ifndef IPC_CHANNEL_TOOL_HELP_H
#define IPC_CHANNEL_TOOL_HELP_H

/* Prints the help of one command, or with NULL the overview. Returns the exit
 * status: that of wrong usage for a command that isn't there. */
int help_print(const char* command);

/* The help of call, which not every build has. */
extern const char help_call[];

#endif /* IPC_CHANNEL_TOOL_HELP_H */
