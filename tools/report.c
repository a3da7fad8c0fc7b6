/* Causes in words. One line each, and never more than one for one failure. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>

#include "progress.h"

static void print(const char* name, const char* format, va_list values) {
  progress_hide();
  fprintf(stderr, "ipc-channel: ");
  if (name != NULL) fprintf(stderr, "%s: ", name);
  vfprintf(stderr, format, values);
}

void report(const char* name, const char* format, ...) {
  va_list values;

  va_start(values, format);
  print(name, format, values);
  va_end(values);
  fprintf(stderr, "\n");
}

int report_usage(const char* format, ...) {
  va_list values;

  va_start(values, format);
  print(NULL, format, values);
  va_end(values);
  fprintf(stderr, " (ipc-channel --help says more)\n");
  return STATUS_USAGE;
}

int report_output(const char* name, int error, const char* sequel) {
  report(name, "standard output: %s%s", uv_strerror(error), sequel);
  return STATUS_FAILED;
}

int report_flush(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return STATUS_OK;
  /* stdio doesn't tell on every system why. */
  return report_output(NULL, UV_EIO, "");
}

int report_options(const char* name,
                   int error,
                   const ipc_client_options_t* options) {
  const char* reason = ipc_client_options_error(options);

  report(name, "%s", reason[0] != '\0' ? reason : uv_strerror(error));
  return reason[0] != '\0' ? STATUS_USAGE : STATUS_FAILED;
}

int report_listen(const char* name,
                  int error,
                  const ipc_server_options_t* options) {
  const char* reason = ipc_server_options_error(options);

  switch (error) {
    case UV_EADDRINUSE:
      report(name, "a server has this name already");
      return STATUS_FAILED;
    case UV_EEXIST:
      report(name, "what is there is not a socket, and is left alone");
      return STATUS_FAILED;
    case UV_EACCES:
    case UV_EPERM:
      report(name,
             "denied: the directory, the lock or the socket there belongs "
             "to somebody else or may not be written");
      return STATUS_DENIED;
    case UV_ENOENT:
      report(name, "absent: there is no such directory");
      return STATUS_ABSENT;
    default:
      report(name, "can't listen: %s",
             reason[0] != '\0' ? reason : uv_strerror(error));
      return reason[0] != '\0' ? STATUS_USAGE : STATUS_FAILED;
  }
}

int report_timeout(const char* name, int timeout_ms, const char* why) {
  report(name, "timed out after %d ms: %s", timeout_ms, why);
  return STATUS_TIMED_OUT;
}

/* What has stood in the way of a connection until the deadline. */
static const char* obstacle(int last_attempt) {
  switch (last_attempt) {
    case 0:
      return "the server hasn't said its hello";
    case UV_EBUSY:
      return "the server is busy";
    case UV_ENOENT:
      return "nobody serves it";
    case UV_ECONNREFUSED:
      return "the server hangs up before its hello";
    default:
      return uv_strerror(last_attempt);
  }
}

int report_connect(const char* name,
                   int error,
                   const ipc_channel_t* channel,
                   int timeout_ms) {
  ipc_channel_info_t info;

  switch (error) {
    case UV_ENOENT:
      report(name, "absent: nobody serves it");
      return STATUS_ABSENT;
    case UV_ECONNREFUSED:
      report(name, "refused: the server hung up before its hello");
      return STATUS_REFUSED;
    case UV_EBUSY:
      report(name, "busy: the server takes nobody just now");
      return STATUS_BUSY;
    case UV_EACCES:
    case UV_EPERM:
      report(name,
             "denied: the system, the server or the check of the "
             "server's user said no");
      return STATUS_DENIED;
    case UV_ETIMEDOUT:
      info.last_attempt = 0;
      ipc_channel_info(channel, &info);
      report_timeout(name, timeout_ms, obstacle(info.last_attempt));
      return info.last_attempt == UV_EBUSY ? STATUS_BUSY : STATUS_TIMED_OUT;
    case UV_EPROTO:
      report(name, "bad frame: the server doesn't speak the native framing");
      return STATUS_BAD_FRAME;
    case UV_EPROTOTYPE:
      report(name, "bad frame: one side has packets and the other has not");
      return STATUS_BAD_FRAME;
    case UV_EPROTONOSUPPORT:
      report(name,
             "bad frame: the server speaks another version of the native "
             "framing");
      return STATUS_BAD_FRAME;
    case UV_ENOTSOCK:
      report(name, "what is there is not a socket");
      return STATUS_FAILED;
    default:
      report(name, "can't connect: %s", uv_strerror(error));
      return STATUS_FAILED;
  }
}

int report_end(const char* name, int error) {
  switch (error) {
    case UV_ECONNRESET:
    case UV_EPIPE:
      report(name, "the connection broke: the other side has left");
      return STATUS_FAILED;
    case UV_EPROTO:
      report(name, "bad frame: what came is not in the framing asked for");
      return STATUS_BAD_FRAME;
    case UV_EMSGSIZE:
      report(name, "bad frame: it is larger than the largest message");
      return STATUS_BAD_FRAME;
    default:
      report(name, "the connection broke: %s", uv_strerror(error));
      return STATUS_FAILED;
  }
}
