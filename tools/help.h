/* What --help says. */
#ifndef IPC_CHANNEL_TOOL_HELP_H
#define IPC_CHANNEL_TOOL_HELP_H

/* Prints it; returns the exit status. */
int help_print(void);

#endif /* IPC_CHANNEL_TOOL_HELP_H */
