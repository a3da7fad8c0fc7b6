/* The command lines of listen, connect, relay, info and wait. */
#ifndef IPC_CHANNEL_TOOL_ARGUMENTS_H
#define IPC_CHANNEL_TOOL_ARGUMENTS_H

#include "format.h"
#include "framing.h"

typedef struct arguments_s {
  const char* names[2];
  int name_count;
  int name_limit; /* how many the command takes */
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
int arguments_listen(char** words, arguments_t* arguments);
int arguments_connect(char** words, arguments_t* arguments);
int arguments_relay(char** words, arguments_t* arguments);
int arguments_info(char** words, arguments_t* arguments);
int arguments_wait(char** words, arguments_t* arguments);

#endif /* IPC_CHANNEL_TOOL_ARGUMENTS_H */
