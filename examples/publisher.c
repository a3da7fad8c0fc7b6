/* Publishes readings to all who listen: publisher [NAME [INTERVAL_MS]]. Who is
 * too slow misses the older ones; nobody waits. Runs until it is killed. */
#include <ipc_channel.h>
#include <stdio.h>

#define MAX_READERS 64
#define STALE_MS 2000 /* what has not left by then is not worth it any more */

static ipc_channel_t* readers[MAX_READERS]; /* NULL: the place is free */

static void on_tick(uv_timer_t* timer) {
  static unsigned int number;
  static double samples[128]; /* stand for what is measured */
  uv_buf_t pieces[2] = {uv_buf_init((char*) &number, sizeof(number)),
                        uv_buf_init((char*) samples, sizeof(samples))};

  (void) timer;
  number++;
  for (int i = 0; i < MAX_READERS; i++) {
    if (readers[i] == NULL) continue;
    ipc_channel_send_vector(readers[i], pieces, 2, STALE_MS, NULL, NULL);
  }
}

static void on_connection(ipc_server_t* server, ipc_channel_t* channel) {
  ipc_channel_t** place = readers;

  (void) server;
  while (*place != NULL) place++; /* there are as many as instances */
  *place = channel;
  ipc_channel_set_data(channel, place);
}

static void on_end(ipc_channel_t* channel, int status) {
  ipc_channel_stats_t stats;

  (void) status; /* not 0: without a word */
  ipc_channel_stats(channel, &stats);
  printf("a reader has left: %u sent, %u dropped\n",
         (unsigned int) stats.messages_sent,
         (unsigned int) stats.messages_dropped);
  fflush(stdout);
  ipc_channel_close(channel);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  ipc_channel_t** place = ipc_channel_data(channel);

  (void) result;
  *place = NULL;
}

int main(int argc, char** argv) {
  unsigned int interval_ms = 100;
  ipc_server_options_t o;
  ipc_server_t* server;
  uv_timer_t timer;

  if (argc > 2) sscanf(argv[2], "%u", &interval_ms);
  ipc_server_options_init(&o, argc > 1 ? argv[1] : "readings");
  ipc_server_options_set_access(&o, IPC_CHANNEL_ACCESS_OUTBOUND);
  ipc_server_options_set_max_instances(&o, MAX_READERS);
  ipc_server_options_set_slow_reader(&o, IPC_CHANNEL_SLOW_DROP_OLDEST);
  /* What the system holds can't be dropped any more, so it gets little. */
  ipc_server_options_set_buffer_sizes(&o, 4096, 4096);
  ipc_server_options_set_max_queue_messages(&o, 8);
  ipc_server_options_set_max_queue_bytes(&o, 64 << 10);
  ipc_server_options_set_max_total_queue_bytes(&o, 1 << 20);
  ipc_server_options_set_close_timeout(&o, 200);
  ipc_server_options_on_connection(&o, on_connection);
  ipc_server_options_on_end(&o, on_end);
  ipc_server_options_on_close(&o, on_close);
  if (ipc_server_listen(uv_default_loop(), &o, NULL, &server) != 0) return 1;
  puts("listening");
  fflush(stdout);
  uv_timer_init(uv_default_loop(), &timer);
  uv_timer_start(&timer, on_tick, 0, interval_ms);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
