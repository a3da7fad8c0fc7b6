/* The command line of call. */
#include <string.h>

#include "call.h"
#include "commands.h"
#include "report.h"
#include "words.h"

/* As for the other commands. */
#define DEFAULT_TIMEOUT_MS 5000

const char call_help[] =
    "call     calls METHOD of the JSON-RPC 2.0 server at NAME and prints the\n"
    "         result as JSON: in one line, or laid out where standard output "
    "is\n"
    "         a terminal or --pretty says so. An error that the server answers "
    "is\n"
    "         printed on standard error, as one line of JSON with \"code\",\n"
    "         \"message\" and perhaps \"data\", and nothing else is there "
    "then.\n"
    "         PARAMS are one JSON text, an object or array; - to read that "
    "from\n"
    "         standard input; or any number of\n"
    "           key=text     a member that is a string\n"
    "           key:=JSON    a member that is any JSON value\n"
    "  --frame F           native, newline, nul, content-length, "
    "length=u32le,\n"
    "                      length=u32be or packet, as the server has it;\n"
    "                      native is the default, newline: one text a line\n"
    "  --timeout MS        for all of it; 5000\n"
    "  --wait              wait for a server that isn't there\n"
    "  --notify            send a notification, which has no answer\n"
    "  --list              print what the server offers, as its rpc.discover\n"
    "                      says, in the place of METHOD; with --json the "
    "document\n"
    "  --watch             print the notifications that come, one a line as\n"
    "                      {\"method\":...,\"params\":...}, until the server "
    "leaves\n"
    "                      or SIGINT; METHOD may be left out\n"
    "\n";

static const struct {
  const char* word;
  ipc_framing_t framing;
  int delimiter;
  int is_big_endian;
} frames[] = {
    {"native", IPC_CHANNEL_FRAMING_NATIVE, 0, 0},
    {"newline", IPC_CHANNEL_FRAMING_DELIMITER, '\n', 0},
    {"nul", IPC_CHANNEL_FRAMING_DELIMITER, 0, 0},
    {"content-length", IPC_CHANNEL_FRAMING_CONTENT_LENGTH, 0, 0},
    {"length=u32le", IPC_CHANNEL_FRAMING_LENGTH_PREFIX, 0, 0},
    {"length=u32be", IPC_CHANNEL_FRAMING_LENGTH_PREFIX, 0, 1},
    {"packet", IPC_CHANNEL_FRAMING_PACKET, 0, 0},
};

int call_set_frame(ipc_client_options_t* options, const char* frame) {
  ipc_length_prefix_t prefix = {4, 0, 0, 0, 0};
  size_t count = sizeof(frames) / sizeof(frames[0]);
  size_t i;

  for (i = 0; i < count && strcmp(frames[i].word, frame) != 0; i++) continue;
  if (i == count) {
    return report_usage(
        "--frame is native, newline, nul, content-length, length=u32le, "
        "length=u32be or packet, not '%s'",
        frame);
  }
  if (frames[i].framing == IPC_CHANNEL_FRAMING_DELIMITER) {
    ipc_client_options_set_delimiter(options, frames[i].delimiter);
  } else if (frames[i].framing == IPC_CHANNEL_FRAMING_LENGTH_PREFIX) {
    prefix.is_big_endian = frames[i].is_big_endian;
    ipc_client_options_set_length_prefix(options, &prefix);
  } else {
    ipc_client_options_set_framing(options, frames[i].framing);
  }
  return 0;
}

static int set_frame(void* target, const char* value) {
  call_t* call = target;
  ipc_client_options_t unused;

  call->frame = value;
  ipc_client_options_init(&unused, "x");
  return call_set_frame(&unused, value);
}

static int set_timeout(void* target, const char* value) {
  call_t* call = target;

  return words_milliseconds("--timeout", value, &call->timeout_ms);
}

static const word_option_t options[] = {
    {"--frame", set_frame, 0},
    {"--timeout", set_timeout, 0},
    {"--wait", NULL, offsetof(call_t, wait)},
    {"--notify", NULL, offsetof(call_t, notify)},
    {"--watch", NULL, offsetof(call_t, watch)},
    {"--list", NULL, offsetof(call_t, list)},
    {"--json", NULL, offsetof(call_t, json)},
    {"--pretty", NULL, offsetof(call_t, pretty)},
    {NULL, NULL, 0},
};

static int take(void* target, const char* word) {
  call_t* call = target;

  if (call->name == NULL) {
    call->name = word;
  } else if (call->method == NULL) {
    call->method = word;
  } else {
    return call_take_param(call, word);
  }
  return 0;
}

/* What can't be asked for together. */
static int check(const call_t* call) {
  if (call->name == NULL) return report_usage("a name is missing");
  if (call->list && call->method != NULL) {
    return report_usage("--list takes no method");
  }
  if (call->list && (call->notify || call->watch)) {
    return report_usage("--list goes with neither --notify nor --watch");
  }
  if (call->json && !call->list) {
    return report_usage("--json goes with --list; a result is JSON anyway");
  }
  if (call->notify && call->watch) {
    return report_usage("--notify and --watch don't go together");
  }
  if (call->method == NULL && !call->list && (!call->watch || call->notify)) {
    return report_usage("a method is missing");
  }
  if (call->method != NULL && call->method[0] == '\0') {
    return report_usage("the method has no name");
  }
  return 0;
}

int call_parse(char** words, call_t* call) {
  int status;

  memset(call, 0, sizeof(*call));
  call->frame = "native";
  call->timeout_ms = DEFAULT_TIMEOUT_MS;
  status = words_parse(words, options, call, take);
  return status == 0 ? check(call) : status;
}

void call_release(call_t* call) {
  json_decref(call->params);
}
