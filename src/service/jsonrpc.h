/* JSON-RPC 2.0 as texts and values: what a message is, and how one is written.
 */
#ifndef IPC_SERVICE_JSONRPC_H
#define IPC_SERVICE_JSONRPC_H

#include <jansson.h>
#include <stdint.h>

#include "buffer.h"
#include "text.h"

typedef enum ipc__rpc_kind_e {
  IPC__RPC_REQUEST,
  IPC__RPC_NOTIFICATION,
  IPC__RPC_RESULT,
  IPC__RPC_ERROR,
  IPC__RPC_INVALID_REQUEST,
  IPC__RPC_INVALID_RESPONSE /* never answered, or two could go on for ever */
} ipc__rpc_kind_t;

/* One message, or entry of a batch. Everything is borrowed from the value and
 * the text. */
typedef struct ipc__rpc_s {
  ipc__rpc_kind_t kind;
  const char* method; /* of a request or notification */
  json_t* params;     /* NULL: none */
  /* As it stands in the text; "null" where there is none, or no valid one. */
  ipc__span_t id;
  /* Of a response: the number that its id says, or 0, which we never use. */
  uint64_t number;
  json_t* result;
  int64_t code;
  const char* message;
  json_t* data;       /* NULL: none */
  const char* reason; /* in words, of what is invalid */
} ipc__rpc_t;

/* `value` is what `text` says. */
void ipc__rpc_read(const json_t* value, ipc__span_t text, ipc__rpc_t* rpc);

/* The standard's words for its codes. */
const char* ipc__rpc_message(int code);

/* The "id" of what has none. */
extern const ipc__span_t ipc__rpc_null_id;

/* Each writes one object. Values are borrowed. `number` 0: a notification. */
void ipc__rpc_put_request(ipc__buffer_t* out,
                          const json_t* method,
                          const json_t* params,
                          uint64_t number);
void ipc__rpc_put_result(ipc__buffer_t* out,
                         ipc__span_t id,
                         const json_t* result);
/* `message` is a string, `data` may be NULL. */
void ipc__rpc_put_error(ipc__buffer_t* out,
                        ipc__span_t id,
                        int code,
                        const json_t* message,
                        const json_t* data);

#endif /* IPC_SERVICE_JSONRPC_H */
