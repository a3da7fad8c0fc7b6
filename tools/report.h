/* What ipc-channel says on standard error, and the status it ends with. */
#ifndef IPC_CHANNEL_TOOL_REPORT_H
#define IPC_CHANNEL_TOOL_REPORT_H

#include <ipc_channel.h>

/* The exit status. --help lists them. */
enum status_e {
  STATUS_OK = 0,
  STATUS_FAILED = 1,
  STATUS_USAGE = 2,
  STATUS_ABSENT = 3,
  STATUS_REFUSED = 4,
  STATUS_BUSY = 5,
  STATUS_DENIED = 6,
  STATUS_TIMED_OUT = 7,
  STATUS_BAD_FRAME = 8,
  STATUS_ERROR_REPLY = 9
};

#if defined(__GNUC__)
#define REPORT_PRINTF(text, values) \
  __attribute__((format(printf, text, values)))
#else
#define REPORT_PRINTF(text, values) /* nothing */
#endif

/* Prints one line, "ipc-channel: NAME: cause"; `name` may be NULL. */
void report(const char* name, const char* format, ...) REPORT_PRINTF(2, 3);

/* The same with a hint at --help. Returns STATUS_USAGE. */
int report_usage(const char* format, ...) REPORT_PRINTF(1, 2);

/* Say why a server can't listen, or why a connection wasn't made or broke, and
 * return the exit status for it. */
int report_listen(const char* name,
                  int error,
                  const ipc_server_options_t* options);
int report_options(const char* name,
                   int error,
                   const ipc_client_options_t* options);
int report_connect(const char* name,
                   int error,
                   const ipc_channel_t* channel,
                   int timeout_ms);
int report_end(const char* name, int error);

/* Says that so much time has passed, and why for nothing. Returns
 * STATUS_TIMED_OUT. */
int report_timeout(const char* name, int timeout_ms, const char* why);

/* Standard output takes nothing more; `sequel` says what that leads to, if
 * anything but the end. Returns STATUS_FAILED. */
int report_output(const char* name, int error, const char* sequel);

/* Ends what was printed with stdio: the exit status, after a line if standard
 * output hasn't taken it. */
int report_flush(void);

#endif /* IPC_CHANNEL_TOOL_REPORT_H */
