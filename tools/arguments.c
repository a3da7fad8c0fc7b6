/* A table of options for each command that has names and little else. */
#include "arguments.h"

#include <string.h>

#include "report.h"
#include "words.h"

/* ---- Options with a value ----------------------------------------------- */

static int set_frame(void* target, const char* value) {
  arguments_t* arguments = target;

  return framing_parse(value, &arguments->framing);
}

/* In the order of format_t. */
static const char* const formats[] = {"raw", "quoted", "hex", "json"};

/* The first `count` of them; `names` says which they are. */
static int parse_format(const char* option,
                        const char* value,
                        int count,
                        const char* names,
                        format_t* format) {
  int i;

  for (i = 0; i < count; i++) {
    if (strcmp(formats[i], value) == 0) {
      *format = (format_t) i;
      return 0;
    }
  }
  return report_usage("%s is %s, not '%s'", option, names, value);
}

static int set_input(void* target, const char* value) {
  arguments_t* arguments = target;

  return parse_format("--input", value, FORMAT_HEX + 1, "raw, quoted or hex",
                      &arguments->input);
}

static int set_output(void* target, const char* value) {
  arguments_t* arguments = target;

  return parse_format("--output", value, FORMAT_JSON + 1,
                      "raw, quoted, hex or json", &arguments->output);
}

static int set_exec(void* target, const char* value) {
  arguments_t* arguments = target;

  if (value[0] == '\0') return report_usage("--exec takes a command");
  arguments->exec = value;
  return 0;
}

static int set_timeout(void* target, const char* value) {
  arguments_t* arguments = target;

  return words_milliseconds("--timeout", value, &arguments->timeout_ms);
}

static int set_max_instances(void* target, const char* value) {
  arguments_t* arguments = target;
  unsigned long number = 0;
  int status = words_number("--max-instances", value, strlen(value), 1, 1000000,
                            &number);

  if (status == 0) arguments->max_instances = (unsigned int) number;
  return status;
}

/* ---- Tables ------------------------------------------------------------- */

static const word_option_t listen_options[] = {
    {"--frame", set_frame, 0},
    {"--input", set_input, 0},
    {"--output", set_output, 0},
    {"--exec", set_exec, 0},
    {"--echo", NULL, offsetof(arguments_t, echo)},
    {"--once", NULL, offsetof(arguments_t, once)},
    {"--max-instances", set_max_instances, 0},
    {NULL, NULL, 0},
};

static const word_option_t connect_options[] = {
    {"--frame", set_frame, 0},
    {"--input", set_input, 0},
    {"--output", set_output, 0},
    {"--exec", set_exec, 0},
    {"--timeout", set_timeout, 0},
    {"--wait", NULL, offsetof(arguments_t, wait)},
    {NULL, NULL, 0},
};

static const word_option_t relay_options[] = {
    {"--monitor", NULL, offsetof(arguments_t, monitor)},
    {NULL, NULL, 0},
};

static const word_option_t info_options[] = {
    {"--json", NULL, offsetof(arguments_t, json)},
    {NULL, NULL, 0},
};

static const word_option_t wait_options[] = {
    {"--timeout", set_timeout, 0},
    {NULL, NULL, 0},
};

/* ---- All ---------------------------------------------------------------- */

static int take_name(void* target, const char* name) {
  arguments_t* arguments = target;

  if (arguments->name_count == arguments->name_limit) {
    return report_usage("one argument too many: '%s'", name);
  }
  arguments->names[arguments->name_count++] = name;
  return 0;
}

static int parse(char** words,
                 const word_option_t* options,
                 int names,
                 arguments_t* arguments) {
  int status;
  int i;

  memset(arguments, 0, sizeof(*arguments));
  arguments->name_limit = names;
  framing_init(&arguments->framing);
  arguments->timeout_ms = WORDS_TIMEOUT_MS;
  arguments->max_instances = IPC_CHANNEL_UNLIMITED;
  status = words_parse(words, options, arguments, take_name);
  if (status == 0 && arguments->name_count < names) {
    return report_usage("a name is missing");
  }
  for (i = 0; status == 0 && i < names; i++) {
    status = words_check_name(arguments->names[i]);
  }
  return status;
}

int arguments_listen(char** words, arguments_t* arguments) {
  int status = parse(words, listen_options, 1, arguments);

  if (status == 0 && arguments->echo && arguments->exec != NULL) {
    return report_usage("--echo and --exec exclude each other");
  }
  return status;
}

int arguments_connect(char** words, arguments_t* arguments) {
  return parse(words, connect_options, 1, arguments);
}

int arguments_relay(char** words, arguments_t* arguments) {
  ipc_name_info_t front;
  ipc_name_info_t back;
  int status = parse(words, relay_options, 2, arguments);

  if (status != 0) return status;
  ipc_name_resolve(arguments->names[0], &front);
  ipc_name_resolve(arguments->names[1], &back);
  if (strcmp(front.os_name, back.os_name) != 0) return 0;
  /* Each of its connections would be one more client of it. */
  return report_usage("a relay can't lead to itself: '%s'",
                      arguments->names[0]);
}

int arguments_info(char** words, arguments_t* arguments) {
  return parse(words, info_options, 1, arguments);
}

int arguments_wait(char** words, arguments_t* arguments) {
  return parse(words, wait_options, 1, arguments);
}
