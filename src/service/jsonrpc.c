/* JSON-RPC 2.0 as texts and values. Pure functions: they know no peer, and keep
 * nothing. */
#include "jsonrpc.h"

#include <ipc_service.h>
#include <stdio.h>
#include <string.h>

const ipc__span_t ipc__rpc_null_id = {"null", 4};

/* Doubles up to here are whole numbers without a doubt. */
#define EXACT 9007199254740992.0

static int is_string(const json_t* value) {
  /* A NUL inside would make another name of it. */
  return json_is_string(value) &&
         strlen(json_string_value(value)) == json_string_length(value);
}

static ipc__rpc_kind_t invalid(ipc__rpc_t* rpc,
                               ipc__rpc_kind_t kind,
                               const char* reason) {
  rpc->reason = reason;
  return kind;
}

static ipc__rpc_kind_t read_request(const json_t* value, ipc__rpc_t* rpc) {
  const json_t* method = json_object_get(value, "method");
  const json_t* id = json_object_get(value, "id");

  rpc->params = json_object_get(value, "params");
  if (id != NULL && !json_is_string(id) && !json_is_number(id) &&
      !json_is_null(id)) {
    return invalid(rpc, IPC__RPC_INVALID_REQUEST,
                   "\"id\" is neither a string nor a number nor null");
  }
  if (!is_string(method)) {
    return invalid(rpc, IPC__RPC_INVALID_REQUEST, "\"method\" is no string");
  }
  if (rpc->params != NULL && !json_is_array(rpc->params) &&
      !json_is_object(rpc->params)) {
    return invalid(rpc, IPC__RPC_INVALID_REQUEST,
                   "\"params\" is neither an array nor an object");
  }
  rpc->method = json_string_value(method);
  return id == NULL ? IPC__RPC_NOTIFICATION : IPC__RPC_REQUEST;
}

/* Also 7.0, which is how some languages write 7. */
static uint64_t number_of(const json_t* id) {
  double real;

  if (json_is_integer(id)) {
    json_int_t number = json_integer_value(id);

    return number > 0 ? (uint64_t) number : 0;
  }
  real = json_is_real(id) ? json_real_value(id) : 0;
  if (!(real >= 1 && real <= EXACT) || real != (double) (uint64_t) real) {
    return 0;
  }
  return (uint64_t) real;
}

static ipc__rpc_kind_t read_response(const json_t* value, ipc__rpc_t* rpc) {
  const json_t* error = json_object_get(value, "error");
  const json_t* code;
  const json_t* message;

  rpc->number = number_of(json_object_get(value, "id"));
  rpc->result = json_object_get(value, "result");
  /* Version 1 wrote the one that there is not as null. */
  if (rpc->result != NULL && (error == NULL || json_is_null(error))) {
    return IPC__RPC_RESULT;
  }
  if (rpc->result != NULL && !json_is_null(rpc->result)) {
    return invalid(rpc, IPC__RPC_INVALID_RESPONSE,
                   "an answer with both \"result\" and \"error\"");
  }
  code = json_object_get(error, "code");
  message = json_object_get(error, "message");
  if (!json_is_integer(code) || !json_is_string(message)) {
    return invalid(rpc, IPC__RPC_INVALID_RESPONSE,
                   "an answer whose \"error\" has no \"code\" or \"message\"");
  }
  rpc->code = json_integer_value(code);
  rpc->message = json_string_value(message);
  rpc->data = json_object_get(error, "data");
  return IPC__RPC_ERROR;
}

static int is_version_2(const json_t* value) {
  const json_t* version = json_object_get(value, "jsonrpc");

  return is_string(version) && strcmp(json_string_value(version), "2.0") == 0;
}

static ipc__rpc_kind_t kind_of(const json_t* value, ipc__rpc_t* rpc) {
  int is_response;
  ipc__rpc_kind_t kind;

  if (!json_is_object(value)) {
    return invalid(rpc, IPC__RPC_INVALID_REQUEST, "not an object");
  }
  is_response = json_object_get(value, "method") == NULL &&
                (json_object_get(value, "result") != NULL ||
                 json_object_get(value, "error") != NULL);
  kind = is_response ? read_response(value, rpc) : read_request(value, rpc);
  if (is_version_2(value)) return kind;
  return invalid(
      rpc, is_response ? IPC__RPC_INVALID_RESPONSE : IPC__RPC_INVALID_REQUEST,
      "\"jsonrpc\" is not \"2.0\"");
}

void ipc__rpc_read(const json_t* value, ipc__span_t text, ipc__rpc_t* rpc) {
  const json_t* id = json_object_get(value, "id");

  memset(rpc, 0, sizeof(*rpc));
  rpc->id = ipc__rpc_null_id;
  if (json_is_string(id) || json_is_number(id)) {
    ipc__span_t span = ipc__text_member(text, "id");

    if (span.data != NULL) rpc->id = span;
  }
  rpc->kind = kind_of(value, rpc);
}

const char* ipc__rpc_message(int code) {
  switch (code) {
    case IPC_SERVICE_PARSE_ERROR:
      return "Parse error";
    case IPC_SERVICE_INVALID_REQUEST:
      return "Invalid Request";
    case IPC_SERVICE_METHOD_NOT_FOUND:
      return "Method not found";
    case IPC_SERVICE_INVALID_PARAMS:
      return "Invalid params";
    case IPC_SERVICE_INTERNAL_ERROR:
      return "Internal error";
    case IPC_SERVICE_SHUTTING_DOWN:
      return "Shutting down";
    case IPC_SERVICE_TOO_MANY:
      return "Too many unanswered requests";
    default:
      return "error";
  }
}

/* ---- Writing ------------------------------------------------------------ */

void ipc__rpc_put_request(ipc__buffer_t* out,
                          const json_t* method,
                          const json_t* params,
                          uint64_t number) {
  char id[40];

  ipc__buffer_add_text(out, "{\"jsonrpc\":\"2.0\",\"method\":");
  ipc__buffer_add_json(out, method);
  if (params != NULL) {
    ipc__buffer_add_text(out, ",\"params\":");
    ipc__buffer_add_json(out, params);
  }
  if (number != 0) {
    snprintf(id, sizeof(id), ",\"id\":%llu", (unsigned long long) number);
    ipc__buffer_add_text(out, id);
  }
  ipc__buffer_add_text(out, "}");
}

static void put_id(ipc__buffer_t* out, ipc__span_t id) {
  ipc__buffer_add_text(out, ",\"id\":");
  ipc__buffer_add(out, id.data, id.size);
  ipc__buffer_add_text(out, "}");
}

void ipc__rpc_put_result(ipc__buffer_t* out,
                         ipc__span_t id,
                         const json_t* result) {
  ipc__buffer_add_text(out, "{\"jsonrpc\":\"2.0\",\"result\":");
  ipc__buffer_add_json(out, result);
  put_id(out, id);
}

void ipc__rpc_put_error(ipc__buffer_t* out,
                        ipc__span_t id,
                        int code,
                        const json_t* message,
                        const json_t* data) {
  char text[64];

  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":%d,\"message\":", code);
  ipc__buffer_add_text(out, text);
  ipc__buffer_add_json(out, message);
  if (data != NULL) {
    ipc__buffer_add_text(out, ",\"data\":");
    ipc__buffer_add_json(out, data);
  }
  ipc__buffer_add_text(out, "}");
  put_id(out, id);
}
