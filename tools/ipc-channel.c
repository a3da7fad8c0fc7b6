/* ipc-channel: the library's companion on the command line. */
#include <signal.h>
#include <stdio.h>

#include "commands.h"
#include "help.h"
#include "report.h"

static int print_version(void) {
  unsigned int version = ipc_version();

  printf("ipc-channel %u.%u.%u\n", version >> 16, version >> 8 & 0xff,
         version & 0xff);
  return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}

/* A bad name is wrong usage, whatever the command. */
static int check_names(const arguments_t* arguments) {
  ipc_name_info_t info;
  int i;

  for (i = 0; i < arguments->name_count; i++) {
    if (ipc_name_resolve(arguments->names[i], &info) != 0) {
      report(arguments->names[i], "%s", info.reason);
      return STATUS_USAGE;
    }
  }
  return 0;
}

static int run(const arguments_t* arguments) {
  int status = check_names(arguments);

  if (status != 0) return status;
  switch (arguments->command) {
    case COMMAND_LISTEN:
      return command_listen(arguments);
    case COMMAND_CONNECT:
      return command_connect(arguments);
    case COMMAND_RELAY:
      return command_relay(arguments);
    case COMMAND_INFO:
      return command_info(arguments);
    case COMMAND_WAIT:
      return command_wait(arguments);
    case COMMAND_VERSION:
      return print_version();
    default:
      return help_print();
  }
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
  arguments_t arguments;
  int status;

  fill_gaps();
#ifdef SIGPIPE
  /* A reader that has left is an error to report, not a reason to vanish. */
  signal(SIGPIPE, SIG_IGN);
#endif
  argv = uv_setup_args(argc, argv);
  status = arguments_parse(argc, argv, &arguments);
  if (status == 0) status = run(&arguments);
  uv_loop_close(uv_default_loop());
  return status;
}
