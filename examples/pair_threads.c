/* Two threads that talk in messages: a pair, one end a channel on the main
 * loop, the other one in a thread that blocks and does the work. */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define JOBS 5

static int done;

/* ---- The worker --------------------------------------------------------- */

static void work(void* handle) {
  ipc_channel_options_t options;
  ipc_channel_t* channel;
  const void* job;
  char text[32];
  size_t size;
  int number;
  int err;

  ipc_channel_options_init(&options);
  err = ipc_channel_open(NULL, &options, *(uv_os_fd_t*) handle, NULL, &channel);
  if (err != 0) return; /* the other end hears nothing, and gives up */
  while (ipc_channel_recv_wait(channel, -1, &job, &size) == 0) {
    memcpy(&number, job, sizeof(number));
    size = (size_t) snprintf(text, sizeof(text), "%d squared is %d", number,
                             number * number);
    if (ipc_channel_send_wait(channel, text, size, -1, NULL) != 0) break;
  }
  ipc_channel_close_wait(channel, NULL);
}

/* ---- The main loop ------------------------------------------------------ */

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  printf("%.*s\n", (int) size, (const char*) data);
  if (++done == JOBS) ipc_channel_close(channel);
}

static void on_end(ipc_channel_t* channel, int status) {
  fprintf(stderr, "the worker: %s\n", uv_strerror(status));
  ipc_channel_close(channel);
}

int main(void) {
  ipc_channel_options_t options;
  ipc_channel_t* channel;
  uv_thread_t worker;
  uv_os_fd_t ends[2];
  int err;
  int i;

  ipc_channel_options_init(&options);
  ipc_channel_options_on_message(&options, on_message);
  ipc_channel_options_on_end(&options, on_end);
  err = ipc_pair_create(IPC_PAIR_DUPLEX, 0, ends);
  if (err == 0) {
    err =
        ipc_channel_open(uv_default_loop(), &options, ends[0], NULL, &channel);
  }
  if (err != 0 || uv_thread_create(&worker, work, &ends[1]) != 0) {
    fprintf(stderr, "no pair: %s\n", uv_strerror(err));
    return 1;
  }
  for (i = 1; i <= JOBS; i++) {
    ipc_channel_send_copy(channel, &i, sizeof(i), NULL, NULL);
  }
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_thread_join(&worker);
  uv_loop_close(uv_default_loop());
  return done == JOBS ? 0 : 1;
}
