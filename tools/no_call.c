/* In the place of call, where the library was built without its service. */
#include "commands.h"
#include "help.h"
#include "report.h"

const char help_call[] =
    "call is not in this build: it needs ipc_service, which needs jansson\n"
    "\n";

int command_call(char** words) {
  (void) words;
  return report_usage(
      "call is not in this build: it needs ipc_service, which needs jansson");
}
