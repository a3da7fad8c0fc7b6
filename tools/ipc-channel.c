/* ipc-channel: the library's companion on the command line. Finds the command;
 * what stands behind it is the command's own to read. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "help.h"
#include "report.h"

static const struct {
  const char* word;
  int (*run)(char** words);
} commands[] = {
    {"listen", command_listen}, {"connect", command_connect},
    {"relay", command_relay},   {"info", command_info},
    {"wait", command_wait},     {"call", command_call},
    {"bench", command_bench},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int print_version(void) {
  unsigned int version = ipc_version();

  printf("ipc-channel %u.%u.%u\n", version >> 16, version >> 8 & 0xff,
         version & 0xff);
  return report_flush();
}

static int is_help(const char* word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int is_version(const char* word) {
  return strcmp(word, "--version") == 0;
}

/* --help and --version stand anywhere before "--"; NULL: they don't. */
static const char* find_question(char** words) {
  for (; *words != NULL && strcmp(*words, "--") != 0; words++) {
    if (is_help(*words) || is_version(*words)) return *words;
  }
  return NULL;
}

static int run(char** words) {
  const char* command = *words;
  const char* question;
  size_t i;

  if (command == NULL) return report_usage("a command is missing");
  if (is_help(command)) return help_print(NULL);
  if (is_version(command)) return print_version();
  words++;
  question = find_question(words);
  if (strcmp(command, "help") == 0) {
    if (question != NULL) return help_print(NULL);
    if (*words == NULL || words[1] == NULL) return help_print(*words);
    return report_usage("one argument too many: '%s'", words[1]);
  }
  for (i = 0; i < COUNT(commands); i++) {
    if (strcmp(commands[i].word, command) == 0) break;
  }
  if (i == COUNT(commands)) {
    return report_usage("no such command: '%s'", command);
  }
  if (question == NULL) return commands[i].run(words);
  return is_help(question) ? help_print(command) : print_version();
}

/* A standard descriptor that was closed must not become one of libuv's. Open
 * for reading, this is an empty input and an output that fails. Where there is
 * no such file, on Windows, there is no such trouble. */
static void fill_gaps(void) {
  uv_fs_t request;
  int fd;

  do {
    fd = uv_fs_open(NULL, &request, "/dev/null", UV_FS_O_RDONLY, 0, NULL);
    uv_fs_req_cleanup(&request);
  } while (fd >= 0 && fd <= 2);
  if (fd > 2) {
    uv_fs_close(NULL, &request, fd, NULL);
    uv_fs_req_cleanup(&request);
  }
}

int main(int argc, char** argv) {
  int status;

  fill_gaps();
#ifdef SIGPIPE
  /* A reader that has left is an error to report, not a reason to vanish. */
  signal(SIGPIPE, SIG_IGN);
#endif
  argv = uv_setup_args(argc, argv);
  status = run(argc > 0 ? argv + 1 : argv);
  uv_loop_close(uv_default_loop());
  return status;
}
