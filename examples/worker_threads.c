/* Threads that compute and post what they find to one channel, here that of a
 * client of echo_server: worker_threads [NAME]. An interrupt ends it early, and
 * what was posted until then is still sent. */
#include <ipc_channel.h>
#include <stdio.h>

#define WORKERS 4
#define RESULTS 2500 /* of each worker */

static ipc_poster_t* poster;
static int answers;
static int error;

/* How many steps Collatz takes from `n`: stands for work that takes long. */
static void work(void* first) {
  unsigned int n = *(unsigned int*) first;
  int status = 0;

  for (int i = 0; i < RESULTS && status != UV_EPIPE; i++, n += WORKERS) {
    unsigned int steps = 0;

    for (unsigned int m = n; m > 1; steps++) m = m % 2 ? 3 * m + 1 : m / 2;
    for (;;) {
      status = ipc_poster_send(poster, &steps, sizeof(steps));
      if (status != UV_EAGAIN) break;
      uv_sleep(1); /* it is full */
    }
  }
  ipc_poster_release(poster);
}

/* A handler may only wake the loop's thread, where on_wake does the rest. The
 * next interrupt ends the program. */
static void on_signal(int number) {
  signal(number, SIG_DFL);
  ipc_poster_wake(poster);
}

static void on_wake(ipc_channel_t* channel, void* arg) {
  (void) arg;
  ipc_channel_close(channel); /* the workers see UV_EPIPE */
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  (void) data, (void) size;
  if (++answers == WORKERS * RESULTS) ipc_channel_close(channel);
}

static void on_end(ipc_channel_t* channel, int status) {
  error = status;
  ipc_channel_close(channel);
}

int main(int argc, char** argv) {
  unsigned int first[WORKERS];
  uv_thread_t threads[WORKERS];
  ipc_client_options_t options;
  ipc_channel_t* channel = NULL;
  unsigned int i;

  ipc_client_options_init(&options, argc > 1 ? argv[1] : "echo");
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_end(&options, on_end);
  ipc_client_connect(uv_default_loop(), &options, NULL, &channel);
  if (ipc_poster_create(channel, 64 << 10, on_wake, NULL, &poster)) return 1;
  signal(SIGINT, on_signal);
  for (i = 0; i < WORKERS; i++) {
    first[i] = i + 1;
    ipc_poster_retain(poster);
    uv_thread_create(&threads[i], work, &first[i]);
  }
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  for (i = 0; i < WORKERS; i++) uv_thread_join(&threads[i]);
  signal(SIGINT, SIG_DFL);
  ipc_poster_release(poster);
  printf("%d answers\n", answers);
  return error != 0;
}
