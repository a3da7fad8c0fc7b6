/* ipc-channel call: what its words ask for, and what it prints. */
#ifndef IPC_CHANNEL_TOOL_CALL_H
#define IPC_CHANNEL_TOOL_CALL_H

#include <ipc_service.h>

#include "framing.h"

typedef struct call_s {
  const char* name;
  const char* method; /* NULL: none is called */
  json_t* params;     /* owned; NULL: none */
  int is_whole;       /* the params came as one JSON text */
  framing_t framing;
  int timeout_ms;
  int wait;
  int notify;
  int watch;
  int list;
  int json;
  int pretty;
} call_t;

/* 0, or a status after a line that says what is wrong. call_release in either
 * case. */
int call_parse(char** words, call_t* call);
void call_release(call_t* call);

/* One more word of the parameters: JSON, "-", key=value or key:=JSON. */
int call_take_param(call_t* call, const char* word);

/* On standard output, on a line of its own; laid out where it is a terminal or
 * --pretty says so. A status. */
int call_print(const call_t* call, const json_t* value);
/* On standard error, in one line. */
void call_print_error(const ipc_service_answer_t* answer);

/* What a document of rpc.discover says, as text. A status. */
int call_print_list(const call_t* call, const json_t* document);

#endif /* IPC_CHANNEL_TOOL_CALL_H */
