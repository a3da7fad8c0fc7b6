/* The command line of ipc-channel. */
#ifndef IPC_CHANNEL_TOOL_ARGUMENTS_H
#define IPC_CHANNEL_TOOL_ARGUMENTS_H

#include "format.h"
#include "framing.h"

typedef enum command_e {
  COMMAND_LISTEN,
  COMMAND_CONNECT,
  COMMAND_RELAY,
  COMMAND_INFO,
  COMMAND_WAIT,
  COMMAND_HELP,
  COMMAND_VERSION
} command_t;

typedef struct arguments_s {
  command_t command;
  const char* names[2];
  int name_count;
  framing_t framing;
  format_t input;
  format_t output;
  const char* exec; /* NULL: none */
  int timeout_ms;
  unsigned int max_instances;
  int echo;
  int once;
  int wait;
  int json;
  int monitor;
} arguments_t;

/* 0, or STATUS_USAGE after a line that says what is wrong. */
int arguments_parse(int argc, char** argv, arguments_t* arguments);

#endif /* IPC_CHANNEL_TOOL_ARGUMENTS_H */
