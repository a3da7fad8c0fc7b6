/* ipc-channel: the library's companion on the command line. */
#include <signal.h>
#include <stdio.h>

#include "commands.h"
#include "report.h"

static const char help[] =
    "usage: ipc-channel listen NAME [--frame native|none] [--echo] [--once]\n"
    "                               [--max-instances N]\n"
    "       ipc-channel connect NAME [--frame native|none] [--timeout MS]\n"
    "                                [--wait]\n"
    "       ipc-channel relay LISTEN CONNECT\n"
    "       ipc-channel info NAME [--json]\n"
    "       ipc-channel wait NAME [--timeout MS]\n"
    "       ipc-channel call NAME METHOD [PARAMS|KEY=TEXT|KEY:=JSON ...]\n"
    "       ipc-channel call NAME --list [--json]\n"
    "       ipc-channel bench [NAME] [--size N,...] [--clients N] [--pipeline "
    "N]\n"
    "\n"
    "NAME is a bare name such as echo, an absolute path (not on Windows), or\n"
    "\\\\.\\pipe\\NAME (on Windows only).\n"
    "\n";

static const char help_commands[] =
    "listen   serves NAME. Standard input goes to all clients that are there,\n"
    "         no faster than the slowest takes it; it waits for the first. "
    "What\n"
    "         they send is printed. Says READY on standard error when it\n"
    "         listens. SIGINT and SIGTERM end it.\n"
    "connect  connects standard input and output to NAME. The end of the "
    "input\n"
    "         ends our side only; what still comes is printed.\n"
    "relay    gives each client of LISTEN a connection of its own to CONNECT;\n"
    "         bytes pass unchanged. Prints READY when it listens.\n"
    "info     tells what NAME is to the system and who serves it: its state "
    "is\n"
    "         absent, live, busy, stale (the server has died) or foreign (not "
    "a\n"
    "         socket).\n"
    "wait     waits until NAME is served.\n"
    "\n";

static const char help_options[] =
    "--frame native      messages, one a line: the default\n"
    "--frame none        bytes, as they are\n"
    "--echo              also send each message back; standard input isn't "
    "read\n"
    "--once              serve one client, then end\n"
    "--max-instances N   so many clients at a time\n"
    "--timeout MS        for all of it, the server's hello included; 5000\n"
    "--wait              wait for a server that isn't there; one that is busy\n"
    "                    is waited for in any case\n"
    "--json              one line of JSON\n"
    "--help, --version\n"
    "--                  what follows is no option\n"
    "\n"
    "On Windows a connection without framing can't be ended on one side: "
    "there\n"
    "connect and listen --once leave when their input, if there was any, has\n"
    "ended and nothing has come for 5 seconds.\n"
    "\n";

static const char help_status[] =
    "Exit status: 0 fine; 1 any other failure; 2 wrong usage, or a name that "
    "is\n"
    "none; 3 absent: nobody serves NAME; 4 refused: the server hung up; 5 "
    "busy,\n"
    "for as long as the timeout; 6 denied; 7 timed out; 8 bad frame: the "
    "other\n"
    "side doesn't speak the native framing, or (call) JSON-RPC 2.0; 9 "
    "(call):\n"
    "the server answers an error.\n";

static int print_help(void) {
  printf("%s%s%s%s%s%s", help, help_commands, call_help, bench_help,
         help_options, help_status);
  return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}

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
    case COMMAND_CALL:
      return command_call(arguments);
    case COMMAND_BENCH:
      return command_bench(arguments);
    case COMMAND_VERSION:
      return print_version();
    default:
      return print_help();
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
