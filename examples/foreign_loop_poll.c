/* An echo server in a program that has a wait loop of its own, poll's: beside
 * its clients it waits for a clock, which ticks into a pipe. A client that says
 * "stop" ends it. foreign_loop_win32.c is the same for Windows. */
#include <ipc_channel.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static int clock_pipe[2];

static void on_alarm(int number) {
  (void) number;
  if (write(clock_pipe[1], "t", 1) != 1) _exit(1);
}

static int start_clock(void) {
  const struct itimerval each = {{0, 200000}, {0, 200000}};
  struct sigaction action;

  memset(&action, 0, sizeof(action));
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART;
  return pipe(clock_pipe) != 0 || sigaction(SIGALRM, &action, NULL) != 0 ||
         setitimer(ITIMER_REAL, &each, NULL) != 0;
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
  struct pollfd waits[2] = {{ipc_pump_handle(pump), POLLIN, 0},
                            {clock_pipe[0], POLLIN, 0}};
  char tick;

  poll(waits, 2, ipc_pump_timeout(pump));
  if ((waits[1].revents & POLLIN) && read(clock_pipe[0], &tick, 1) == 1) {
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
