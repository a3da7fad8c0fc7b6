/* An echo server in a program that has a wait loop of its own, that of
 * WaitForMultipleObjects: beside its clients it waits for a clock, a timer of
 * the system's. A client that says "stop" ends it. foreign_loop_poll.c is the
 * same for POSIX. */
#include <ipc_channel.h> /* with <uv.h>, which brings <windows.h> */
#include <stdio.h>
#include <string.h>

#define TICK_MS 200

static HANDLE clock_timer;

static int start_clock(void) {
  LARGE_INTEGER first;

  first.QuadPart = -10000LL * TICK_MS; /* in 100 ns, from now */
  clock_timer = CreateWaitableTimerW(NULL, FALSE, NULL);
  return clock_timer == NULL ||
         !SetWaitableTimer(clock_timer, &first, TICK_MS, NULL, NULL, FALSE);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  ipc_channel_send_copy(channel, data, size, NULL, NULL);
  if (size == 4 && memcmp(data, "stop", 4) == 0) {
    ipc_server_close(ipc_channel_server(channel), NULL);
  }
}

/* Does what one wait brings; the clock is the program's, the rest the pump's.
 */
static int turn(ipc_pump_t* pump) {
  HANDLE waits[2] = {clock_timer, ipc_pump_handle(pump)};
  int timeout_ms = ipc_pump_timeout(pump);
  DWORD limit = timeout_ms < 0 ? INFINITE : (DWORD) timeout_ms;

  if (WaitForMultipleObjects(2, waits, FALSE, limit) == WAIT_OBJECT_0) {
    printf("tick\n");
    fflush(stdout);
  }
  /* Also when the time was over, and costs little when there is nothing. */
  return ipc_pump_run(pump);
}

int main(int argc, char** argv) {
  const char* name = argc > 1 ? argv[1] : "echo";
  ipc_server_options_t options;
  ipc_server_t* server;
  ipc_pump_t* pump;
  int status;

  ipc_server_options_init(&options, name);
  ipc_server_options_on_message(&options, on_message);
  status = ipc_server_listen(uv_default_loop(), &options, NULL, &server);
  if (status == 0) status = ipc_pump_create(uv_default_loop(), &pump);
  if (status != 0 || start_clock() != 0) {
    fprintf(stderr, "%s: %s\n", name, uv_strerror(status));
    return 1;
  }
  printf("listening on %s\n", name);
  fflush(stdout);
  while (turn(pump) == 1) continue;
  ipc_pump_destroy(pump);
  return 0;
}
