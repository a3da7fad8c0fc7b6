/* In the place of call, where the library was built without its service. */
#include "commands.h"
#include "report.h"

const char call_help[] =
    "call     is not in this build: it needs ipc_service, which needs jansson\n"
    "\n";

int command_call(const arguments_t* arguments) {
  (void) arguments;
  return report_usage(
      "call is not in this build: it needs ipc_service, which needs jansson");
}
