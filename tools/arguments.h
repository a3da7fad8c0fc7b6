/* The command line of ipc-channel. */
#ifndef IPC_CHANNEL_TOOL_ARGUMENTS_H
#define IPC_CHANNEL_TOOL_ARGUMENTS_H

#include <ipc_channel.h>

typedef enum command_e {
  COMMAND_LISTEN,
  COMMAND_CONNECT,
  COMMAND_RELAY,
  COMMAND_INFO,
  COMMAND_WAIT,
  COMMAND_CALL,
  COMMAND_BENCH,
  COMMAND_HELP,
  COMMAND_VERSION
} command_t;

typedef struct arguments_s {
  command_t command;
  const char* names[2];
  int name_count;
  ipc_framing_t framing;
  int timeout_ms;
  unsigned int max_instances;
  int echo;
  int once;
  int wait;
  int json;
  char** words; /* of a command that reads its own; they end with NULL */
} arguments_t;

/* 0, or STATUS_USAGE after a line that says what is wrong. */
int arguments_parse(int argc, char** argv, arguments_t* arguments);

#endif /* IPC_CHANNEL_TOOL_ARGUMENTS_H */
