/* Parses the command line: a command, then names and options in any order. */
#include "arguments.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* The library's own default. */
#define DEFAULT_TIMEOUT_MS 5000

#define FOR(command) (1u << (command))
#define FOR_TALK (FOR(COMMAND_LISTEN) | FOR(COMMAND_CONNECT))

static const struct {
  const char* word;
  command_t command;
  int names;
} commands[] = {
    {"listen", COMMAND_LISTEN, 1}, {"connect", COMMAND_CONNECT, 1},
    {"relay", COMMAND_RELAY, 2},   {"info", COMMAND_INFO, 1},
    {"wait", COMMAND_WAIT, 1},     {"help", COMMAND_HELP, 0},
};

static int set_frame(arguments_t* arguments, const char* value) {
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

static int set_input(arguments_t* arguments, const char* value) {
  return parse_format("--input", value, FORMAT_HEX + 1, "raw, quoted or hex",
                      &arguments->input);
}

static int set_output(arguments_t* arguments, const char* value) {
  return parse_format("--output", value, FORMAT_JSON + 1,
                      "raw, quoted, hex or json", &arguments->output);
}

static int set_exec(arguments_t* arguments, const char* value) {
  if (value[0] == '\0') return report_usage("--exec takes a command");
  arguments->exec = value;
  return 0;
}

/* A decimal number without sign or anything around it. */
static int parse_number(const char* option,
                        const char* value,
                        unsigned long low,
                        unsigned long high,
                        unsigned long* number) {
  char* end = NULL;

  errno = 0;
  if (value[0] >= '0' && value[0] <= '9') *number = strtoul(value, &end, 10);
  if (end == NULL || *end != '\0' || errno != 0 || *number < low ||
      *number > high) {
    return report_usage("%s takes a number from %lu to %lu, not '%s'", option,
                        low, high, value);
  }
  return 0;
}

static int set_timeout(arguments_t* arguments, const char* value) {
  unsigned long number = 0;
  int status = parse_number("--timeout", value, 1, INT_MAX, &number);

  if (status == 0) arguments->timeout_ms = (int) number;
  return status;
}

static int set_max_instances(arguments_t* arguments, const char* value) {
  unsigned long number = 0;
  int status = parse_number("--max-instances", value, 1, 1000000, &number);

  if (status == 0) arguments->max_instances = (unsigned int) number;
  return status;
}

static int set_echo(arguments_t* arguments, const char* value) {
  (void) value;
  arguments->echo = 1;
  return 0;
}

static int set_once(arguments_t* arguments, const char* value) {
  (void) value;
  arguments->once = 1;
  return 0;
}

static int set_wait(arguments_t* arguments, const char* value) {
  (void) value;
  arguments->wait = 1;
  return 0;
}

static int set_monitor(arguments_t* arguments, const char* value) {
  (void) value;
  arguments->monitor = 1;
  return 0;
}

static int set_json(arguments_t* arguments, const char* value) {
  (void) value;
  arguments->json = 1;
  return 0;
}

static const struct {
  const char* word;
  unsigned int commands;
  int takes_value;
  int (*set)(arguments_t* arguments, const char* value);
} options[] = {
    {"--frame", FOR_TALK, 1, set_frame},
    {"--input", FOR_TALK, 1, set_input},
    {"--output", FOR_TALK, 1, set_output},
    {"--exec", FOR_TALK, 1, set_exec},
    {"--echo", FOR(COMMAND_LISTEN), 0, set_echo},
    {"--once", FOR(COMMAND_LISTEN), 0, set_once},
    {"--max-instances", FOR(COMMAND_LISTEN), 1, set_max_instances},
    {"--timeout", FOR(COMMAND_CONNECT) | FOR(COMMAND_WAIT), 1, set_timeout},
    {"--wait", FOR(COMMAND_CONNECT), 0, set_wait},
    {"--json", FOR(COMMAND_INFO), 0, set_json},
    {"--monitor", FOR(COMMAND_RELAY), 0, set_monitor},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Takes the option at *argv and, where it has one, its value. */
static int take_option(arguments_t* arguments, char*** argv) {
  const char* word = **argv;
  size_t length = strcspn(word, "=");
  const char* value = word[length] == '=' ? word + length + 1 : NULL;
  size_t i;

  for (i = 0; i < COUNT(options); i++) {
    if (strlen(options[i].word) == length &&
        memcmp(options[i].word, word, length) == 0) {
      break;
    }
  }
  if (i == COUNT(options)) return report_usage("no such option: %s", word);
  if ((options[i].commands & FOR(arguments->command)) == 0) {
    return report_usage("%s is no option of this command", options[i].word);
  }
  if (!options[i].takes_value && value != NULL) {
    return report_usage("%s takes no value", options[i].word);
  }
  if (options[i].takes_value && value == NULL) {
    value = *++*argv;
    if (value == NULL) return report_usage("%s takes a value", word);
  }
  return options[i].set(arguments, value);
}

static int take_name(arguments_t* arguments, const char* name, int wanted) {
  if (arguments->name_count == wanted) {
    return report_usage("one argument too many: '%s'", name);
  }
  arguments->names[arguments->name_count++] = name;
  return 0;
}

static int find_command(arguments_t* arguments, const char* word, int* names) {
  size_t i;

  for (i = 0; i < COUNT(commands); i++) {
    if (strcmp(commands[i].word, word) == 0) {
      arguments->command = commands[i].command;
      *names = commands[i].names;
      return 0;
    }
  }
  return report_usage("no such command: '%s'", word);
}

/* --help and --version stand anywhere before "--". */
static int is_question(arguments_t* arguments, const char* word) {
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
    arguments->command = COMMAND_HELP;
  } else if (strcmp(word, "--version") == 0) {
    arguments->command = COMMAND_VERSION;
  } else {
    return 0;
  }
  return 1;
}

int arguments_parse(int argc, char** argv, arguments_t* arguments) {
  int only_names = 0;
  int names = 0;
  int status;

  memset(arguments, 0, sizeof(*arguments));
  arguments->framing.kind = IPC_CHANNEL_FRAMING_NATIVE;
  arguments->timeout_ms = DEFAULT_TIMEOUT_MS;
  arguments->max_instances = IPC_CHANNEL_UNLIMITED;
  if (argc < 2) return report_usage("a command is missing");
  if (is_question(arguments, argv[1])) return 0;
  status = find_command(arguments, argv[1], &names);
  for (argv += 2; status == 0 && *argv != NULL; argv++) {
    if (only_names || (*argv)[0] != '-' || (*argv)[1] == '\0') {
      status = take_name(arguments, *argv, names);
    } else if (strcmp(*argv, "--") == 0) {
      only_names = 1;
    } else if (is_question(arguments, *argv)) {
      return 0;
    } else {
      status = take_option(arguments, &argv);
      if (*argv == NULL) break;
    }
  }
  if (status == 0 && arguments->name_count < names) {
    return report_usage("a name is missing");
  }
  if (status == 0 && arguments->echo && arguments->exec != NULL) {
    return report_usage("--echo and --exec exclude each other");
  }
  return status;
}
