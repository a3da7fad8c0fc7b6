/* The command line of call. */
#include <string.h>

#include "call.h"
#include "report.h"
#include "words.h"

static int set_frame(void* target, const char* value) {
  call_t* call = target;

  return framing_parse_plain(value, &call->framing);
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
  framing_init(&call->framing);
  call->timeout_ms = WORDS_TIMEOUT_MS;
  status = words_parse(words, options, call, take);
  if (status == 0) status = check(call);
  return status == 0 ? words_check_name(call->name) : status;
}

void call_release(call_t* call) {
  json_decref(call->params);
}
