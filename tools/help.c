/* The text of --help, in parts: compilers need not take one long string. */
#include "help.h"

#include <stdio.h>

#include "report.h"

static const char usage[] =
    "usage: ipc-channel listen NAME [--frame FRAMING] [--input FORM]\n"
    "                               [--output FORM] [--echo] [--once]\n"
    "                               [--exec COMMAND] [--max-instances N]\n"
    "       ipc-channel connect NAME [--frame FRAMING] [--input FORM]\n"
    "                                [--output FORM] [--exec COMMAND]\n"
    "                                [--timeout MS] [--wait]\n"
    "       ipc-channel relay LISTEN CONNECT [--monitor]\n"
    "       ipc-channel info NAME [--json]\n"
    "       ipc-channel wait NAME [--timeout MS]\n"
    "\n"
    "NAME is a bare name such as echo, an absolute path (not on\n"
    "Windows), @NAME (an abstract name, on Linux only), or\n"
    "\\\\.\\pipe\\NAME (on Windows only).\n"
    "\n";

static const char commands[] =
    "listen   serves NAME. Standard input goes to all clients that are\n"
    "         there, no faster than the slowest takes it; it waits for the\n"
    "         first. What they send is printed. Says READY on standard\n"
    "         error when it listens. SIGINT and SIGTERM end it.\n"
    "connect  connects standard input and output to NAME. The end of the\n"
    "         input ends our side only; what still comes is printed.\n"
    "relay    gives each client of LISTEN a connection of its own to\n"
    "         CONNECT; bytes pass unchanged. Prints READY when it listens.\n"
    "info     tells what NAME is to the system and who serves it: its state\n"
    "         is absent, live, busy, stale (the server has died) or foreign\n"
    "         (not a socket).\n"
    "wait     waits until NAME is served.\n"
    "\n";

static const char options[] =
    "--frame FRAMING     how messages are told apart, see below\n"
    "--input FORM        what standard input has: raw (the default), quoted\n"
    "                    or hex\n"
    "--output FORM       how to print what comes: these, or json\n"
    "--echo              also send each message back; standard input isn't\n"
    "                    read\n"
    "--exec COMMAND      a command in the place of standard input and\n"
    "                    output, see below\n"
    "--once              serve one client, then end\n"
    "--max-instances N   so many clients at a time\n"
    "--timeout MS        for all of it, the server's hello included; 5000\n"
    "--wait              wait for a server that isn't there; one that is\n"
    "                    busy is waited for in any case\n"
    "--monitor           print what passes, see below\n"
    "--json              one line of JSON\n"
    "--help, --version\n"
    "--                  what follows is no option\n"
    "\n";

static const char framings[] =
    "FRAMING, the same on both sides, is one of\n"
    "native              the library's own, the default\n"
    "none                bytes, as they are\n"
    "newline             a newline ends each message and is in none\n"
    "nul, form-feed      the same with another byte\n"
    "delimiter=BYTE      or any, 0 to 255 or 0x00 to 0xff\n"
    "length=LENGTH,...   a length goes ahead: u8, u16le, u16be, u32le,\n"
    "                    u32be, u64le or u64be; length alone is u32le.\n"
    "                    Behind it may stand\n"
    "  before=N          so many bytes of other fields ahead of the length,\n"
    "  after=N           and behind it, 0 to 64 each. With any, a message\n"
    "                    is the whole frame, header included, and the\n"
    "                    length in it is filled in\n"
    "  counts=WHAT       beside what follows the header, the length counts\n"
    "                    itself (WHAT is length), the whole header\n"
    "                    (header), or so many bytes more, -136 to 136\n"
    "content-length      a Content-Length: N and an empty line go ahead, as\n"
    "                    in the Language Server Protocol\n"
    "packet              the system keeps messages apart (Linux, Windows);\n"
    "                    none is empty\n"
    "\n";

static const char forms[] =
    "FORM is one of\n"
    "raw      each message is a line, so one with a newline in it\n"
    "         looks like two. Without framing: bytes, as they are.\n"
    "quoted   \"...\", a message a line, with the escapes of C: \\n \\t\n"
    "         \\\\ \\\" and such, \\ooo (octal) and, in input, \\xHH. All\n"
    "         but printable ASCII is escaped.\n"
    "hex      two digits a byte, a message a line\n"
    "json     an object a line: time (UTC), connection (1, 2, ...),\n"
    "         pid (the peer's process, or null), bytes, and text, or\n"
    "         hex where it isn't UTF-8\n"
    "Without framing each piece that comes is a line of quoted, hex or\n"
    "json.\n"
    "\n";

static const char more[] =
    "--exec runs COMMAND by /bin/sh -c, on Windows by cmd /c, once for each\n"
    "connection. Its standard input gets what comes, as --output says; what\n"
    "it prints is sent, as --input says. When it has ended, so does the\n"
    "connection, after all that it printed; when the other side ends, its\n"
    "input does. When the other side leaves, its input ends, 2 seconds\n"
    "later it gets SIGTERM (on Windows it is ended), and after 2 more\n"
    "SIGKILL. IPC_CHANNEL_NAME and, where known, IPC_CHANNEL_PEER_PID are\n"
    "in its environment.\n"
    "\n"
    "--monitor prints an entry, with the time (UTC) and the number of the\n"
    "connection, when one is opened or closed, for each end, and for what\n"
    "passes: > from the client, < from the server, how many bytes, then\n"
    "their place, hex and ASCII. Nothing waits for this output. When 16 MiB\n"
    "of it haven't been read, entries are left out and counted; when it is\n"
    "closed, the relay goes on without it.\n"
    "\n"
    "On Windows a connection that isn't native can't be ended on one side:\n"
    "there connect and listen --once leave when their input, if there was\n"
    "any, has ended and nothing has come for 5 seconds.\n"
    "\n";

static const char status[] =
    "Exit status: 0 fine; 1 any other failure; 2 wrong usage, or a name\n"
    "that is none; 3 absent: nobody serves NAME; 4 refused: the server hung\n"
    "up; 5 busy, for as long as the timeout; 6 denied; 7 timed out; 8 bad\n"
    "frame: the other side doesn't speak the framing. With --exec, connect\n"
    "and listen --once otherwise end with the command's status: 128 and the\n"
    "number of the signal, if one has ended it.\n";

int help_print(void) {
  static const char* const parts[] = {usage, commands, options, framings,
                                      forms, more,     status};
  size_t i;

  for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    fputs(parts[i], stdout);
  }
  return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}
