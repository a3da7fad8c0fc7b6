/* The text of --help, in parts that commands share; compilers need not take one
 * long string. Every option stands at the beginning of a line behind two
 * blanks: the tests compare them with the man page and the completions. */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "report.h"

/* ---- The overview ------------------------------------------------------- */

static const char overview[] =
    "usage: ipc-channel COMMAND [OPTION ...] [ARGUMENT ...]\n"
    "\n"
    "  listen NAME              serve it: input to all clients, what they\n"
    "                           send as output\n"
    "  connect NAME             connect input and output to it\n"
    "  relay LISTEN CONNECT     connect each client of the one to the other\n"
    "  info NAME                who serves it\n"
    "  wait NAME                wait until it is served\n"
    "  call NAME METHOD ...     call a JSON-RPC 2.0 server\n"
    "  bench [NAME]             measure an echo server\n"
    "  help [COMMAND]           this, or what COMMAND --help says\n"
    "\n"
    "ipc-channel COMMAND --help tells what a command does, and its options.\n"
    "These are for all:\n"
    "\n"
    "  --help, -h          what it does and which options it has\n"
    "  --version           the version of the library\n"
    "  --                  what follows is no option\n"
    "\n";

static const char names[] =
    "NAME is a bare name such as echo, system:NAME, an absolute path (not on\n"
    "Windows), @NAME (an abstract name, on Linux only), or \\\\.\\pipe\\NAME "
    "(on\n"
    "Windows only). A bare name is the socket NAME.sock in $XDG_RUNTIME_DIR,\n"
    "or else in /tmp/ipc_channel-UID, where only its user finds it;\n"
    "system:NAME is /var/run/NAME.sock, for all users of the machine. On\n"
    "Windows both are the pipe \\\\.\\pipe\\NAME.\n"
    "\n";

static const char statuses[] =
    "Exit status\n"
    "  0  fine\n"
    "  1  any other failure\n"
    "  2  wrong usage, or a name that is none\n"
    "  3  absent: nobody serves NAME\n"
    "  4  refused: the server hung up\n"
    "  5  busy, for as long as the timeout\n"
    "  6  denied\n"
    "  7  timed out\n"
    "  8  bad frame: the other side doesn't speak the framing, or (call)\n"
    "     JSON-RPC 2.0\n"
    "  9  (call) the server answers an error\n"
    "With --exec, connect and listen --once otherwise end with the command's\n"
    "status: 128 and the number of the signal, if one has ended it.\n";

/* ---- listen and connect ------------------------------------------------- */

static const char listen_text[] =
    "usage: ipc-channel listen NAME [OPTION ...]\n"
    "\n"
    "Serves NAME. Standard input goes to all clients that are there, no "
    "faster\n"
    "than the slowest takes it; it waits for the first. What they send is\n"
    "printed. Says READY on standard error when it listens. SIGINT and "
    "SIGTERM\n"
    "end it.\n"
    "\n";

static const char connect_text[] =
    "usage: ipc-channel connect NAME [OPTION ...]\n"
    "\n"
    "Connects standard input and output to NAME. The end of the input ends "
    "our\n"
    "side only; what still comes is printed.\n"
    "\n";

static const char talk_options[] =
    "  --frame FRAMING     how messages are told apart, see below\n"
    "  --input FORM        what standard input has: raw (the default), quoted\n"
    "                      or hex\n"
    "  --output FORM       how to print what comes: these, or json\n"
    "  --exec COMMAND      a command in the place of standard input and\n"
    "                      output, see below\n";

static const char listen_options[] =
    "  --echo              also send each message back; standard input isn't\n"
    "                      read\n"
    "  --once              serve one client, then end\n"
    "  --max-instances N   so many clients at a time\n"
    "\n";

static const char connect_options[] =
    "  --timeout MS        to connect, the server's hello included; 5000\n"
    "  --wait              wait for a server that isn't there; one that is\n"
    "                      busy is waited for in any case\n"
    "\n";

static const char framings[] =
    "FRAMING, the same on both sides, is one of\n"
    "  native            the library's own, the default\n"
    "  none              bytes, as they are\n"
    "  newline           a newline ends each message and is in none\n"
    "  nul, form-feed    the same with another byte\n"
    "  delimiter=BYTE    or any, 0 to 255 or 0x00 to 0xff\n"
    "  length=LENGTH,... a length goes ahead: u8, u16le, u16be, u32le,\n"
    "                    u32be, u64le or u64be; length alone is u32le.\n"
    "                    Behind it may stand\n"
    "    before=N        so many bytes of other fields ahead of the length,\n"
    "    after=N         and behind it, 0 to 64 each. With any, a message\n"
    "                    is the whole frame, header included, and the\n"
    "                    length in it is filled in\n"
    "    counts=WHAT     beside what follows the header, the length counts\n"
    "                    itself (WHAT is length), the whole header\n"
    "                    (header), or so many bytes more, -136 to 136\n"
    "  content-length    a Content-Length: N and an empty line go ahead, as\n"
    "                    in the Language Server Protocol\n"
    "  packet            the system keeps messages apart (Linux, Windows);\n"
    "                    none is empty\n"
    "\n";

static const char forms[] =
    "FORM is one of\n"
    "  raw      each message is a line, so one with a newline in it looks\n"
    "           like two. Without framing: bytes, as they are.\n"
    "  quoted   \"...\", a message a line, with the escapes of C: \\n \\t \\\\ "
    "\\\"\n"
    "           and such, \\ooo (octal) and, in input, \\xHH. All but\n"
    "           printable ASCII is escaped.\n"
    "  hex      two digits a byte, a message a line\n"
    "  json     an object a line: time (UTC), connection (1, 2, ...), pid\n"
    "           (the peer's process, or null), bytes, and text, or hex where\n"
    "           it isn't UTF-8\n"
    "Without framing each piece that comes is a line of quoted, hex or json.\n"
    "\n";

static const char exec_text[] =
    "--exec runs COMMAND by /bin/sh -c, on Windows by cmd /c, once for each\n"
    "connection. Its standard input gets what comes, as --output says; what "
    "it\n"
    "prints is sent, as --input says. When it has ended, so does the\n"
    "connection, after all that it printed; when the other side ends, its\n"
    "input does. When the other side leaves, its input ends, 2 seconds later\n"
    "it gets SIGTERM (on Windows it is ended), and after 2 more SIGKILL.\n"
    "IPC_CHANNEL_NAME and, where known, IPC_CHANNEL_PEER_PID are in its\n"
    "environment.\n"
    "\n";

static const char talk_limits[] =
    "On Windows a connection that isn't native can't be ended on one side:\n"
    "there connect and listen --once leave when their input, if there was "
    "any,\n"
    "has ended and nothing has come for 5 seconds. Elsewhere one that isn't\n"
    "native doesn't tell that the other side has left after its end, until\n"
    "something is sent to it.\n"
    "\n";

/* ---- The others --------------------------------------------------------- */

static const char relay_text[] =
    "usage: ipc-channel relay LISTEN CONNECT [OPTION ...]\n"
    "\n"
    "Gives each client of LISTEN a connection of its own to CONNECT; bytes\n"
    "pass unchanged. Prints READY when it listens. SIGINT and SIGTERM end it.\n"
    "Relays that lead to each other in a ring don't notice: they connect "
    "until\n"
    "descriptors run out.\n"
    "\n"
    "  --monitor           print what passes\n"
    "\n"
    "--monitor prints an entry, with the time (UTC) and the number of the\n"
    "connection, when one is opened or closed, for each end, and for what\n"
    "passes: > from the client, < from the server, how many bytes, then their\n"
    "place, hex and ASCII. Nothing waits for this output. When 16 MiB of it\n"
    "haven't been read, entries are left out and counted; when it is closed,\n"
    "the relay goes on without it.\n"
    "\n";

static const char info_text[] =
    "usage: ipc-channel info NAME [OPTION ...]\n"
    "\n"
    "Tells what NAME is to the system and who serves it: its state is absent,\n"
    "live, busy, stale (the server has died), foreign (not a socket) or "
    "denied\n"
    "(it may not be opened).\n"
    "\n"
    "  --json              one line of JSON\n"
    "\n";

static const char wait_text[] =
    "usage: ipc-channel wait NAME [OPTION ...]\n"
    "\n"
    "Waits until NAME is served.\n"
    "\n"
    "  --timeout MS        so long at most; 5000\n"
    "\n";

static const char bench_text[] =
    "usage: ipc-channel bench [NAME] [OPTION ...]\n"
    "\n"
    "Sends messages to an echo server and compares what comes back byte by\n"
    "byte: that of listen NAME --echo, or without NAME a process of its own.\n"
    "Prints for each size what came back in a second (MiB: one way), and\n"
    "latencies in microseconds: those that 50, 90, 99 and 99.9 percent of all\n"
    "messages didn't exceed, rounded up by less than 1 percent, and the exact\n"
    "maximum. SIGINT ends it with what was measured so far.\n"
    "\n"
    "  --frame FRAMING     as the server has it, see below: any but none, and\n"
    "                      of length those without before and after\n"
    "  --size N[,N...]     bytes of a message; 64,1024,65536\n"
    "  --clients N         connections, all of one process; 1\n"
    "  --pipeline N        messages that each has on their way; 1\n"
    "  --duration MS       for each size; 1000\n"
    "  --count N           so many messages of each size instead\n"
    "  --timeout MS        to connect, and without any reply; 5000\n"
    "  --json              one JSON document at the end: \"frame\",\n"
    "                      \"clients\", \"pipeline\", \"interrupted\", and\n"
    "                      \"runs\", each with\n"
    "                      \"size_bytes\", \"messages\", \"elapsed_s\",\n"
    "                      \"messages_per_s\", \"mib_per_s\", \"p50_us\",\n"
    "                      \"p90_us\", \"p99_us\", \"p99_9_us\", \"max_us\"\n"
    "\n";

/* ---- Printing ----------------------------------------------------------- */

#define MOST_PARTS 8

/* The overview has no word. */
static const struct {
  const char* word;
  const char* parts[MOST_PARTS + 1];
} helps[] = {
    {NULL, {overview, names, statuses}},
    {"listen",
     {listen_text, talk_options, listen_options, framings, forms, exec_text,
      talk_limits, names}},
    {"connect",
     {connect_text, talk_options, connect_options, framings, forms, exec_text,
      talk_limits, names}},
    {"relay", {relay_text, names}},
    {"info", {info_text, names}},
    {"wait", {wait_text, names}},
    {"call", {help_call, framings, names}},
    {"bench", {bench_text, framings, names}},
};

int help_print(const char* command) {
  const char* const* part = helps[0].parts;
  size_t i;

  if (command != NULL) {
    for (i = 1; i < sizeof(helps) / sizeof(helps[0]); i++) {
      if (strcmp(helps[i].word, command) == 0) break;
    }
    if (i == sizeof(helps) / sizeof(helps[0])) {
      return report_usage("no such command: '%s'", command);
    }
    part = helps[i].parts;
  }
  for (; *part != NULL; part++) fputs(*part, stdout);
  return report_flush();
}
