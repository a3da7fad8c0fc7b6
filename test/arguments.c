/* A server and a client in one loop that count what happens to them. */
#include "arguments.h"

ipc_server_options_t server_options;
ipc_client_options_t client_options;
ipc_server_t* server;
int server_closes;
end_t ours;
end_t theirs;
int server_data;
int client_data;
int refusals;

static end_t* end_of(ipc_channel_t* channel) {
  return channel == ours.channel ? &ours : &theirs;
}

void on_connection(ipc_server_t* s, ipc_channel_t* channel) {
  assert_ptr_equal(s, server);
  theirs.channel = channel;
  theirs.opens++;
}

static void on_connect(ipc_channel_t* channel, int status) {
  assert_ptr_equal(channel, ours.channel);
  ours.opens++;
  ours.status = status;
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  (void) data;
  end_of(channel)->messages++;
  end_of(channel)->last_size = size;
}

static void on_end(ipc_channel_t* channel, int status) {
  end_of(channel)->ends++;
  end_of(channel)->end_status = status;
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  end_of(channel)->closes++;
  end_of(channel)->result = *result;
}

void on_sent(ipc_channel_t* channel, void* arg, int status, size_t sent) {
  (void) sent;
  assert_ptr_equal(arg, end_of(channel));
  end_of(channel)->sent++;
  end_of(channel)->send_status = status;
}

void on_server_close(ipc_server_t* s) {
  assert_ptr_equal(s, server);
  server_closes++;
  server = NULL;
}

void never_sent(ipc_channel_t* channel, void* arg, int status, size_t sent) {
  (void) channel, (void) arg, (void) status, (void) sent;
  refusals++;
}

void never_received(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    const void* data,
                    size_t size) {
  (void) channel, (void) arg, (void) status, (void) data, (void) size;
  refusals++;
}

void never_ready(ipc_channel_t* channel, void* arg, int status, int events) {
  (void) channel, (void) arg, (void) status, (void) events;
  refusals++;
}

void never_accepted(ipc_server_t* s,
                    void* arg,
                    int status,
                    ipc_channel_t* channel) {
  (void) s, (void) arg, (void) status, (void) channel;
  refusals++;
}

void prepare(ipc_framing_t framing) {
  const char* name = test_name();
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  memset(&ours, 0, sizeof(ours));
  memset(&theirs, 0, sizeof(theirs));
  ours.status = ours.end_status = ours.send_status = 1;
  theirs.status = theirs.end_status = theirs.send_status = 1;
  server = NULL;
  server_closes = 0;
  refusals = 0;
  ipc_server_options_init(s, name);
  ipc_server_options_set_framing(s, framing);
  ipc_server_options_on_connection(s, on_connection);
  ipc_server_options_on_message(s, on_message);
  ipc_server_options_on_end(s, on_end);
  ipc_server_options_on_close(s, on_close);
  ipc_client_options_init(c, name);
  ipc_client_options_set_framing(c, framing);
  ipc_client_options_on_connect(c, on_connect);
  ipc_client_options_on_message(c, on_message);
  ipc_client_options_on_end(c, on_end);
  ipc_client_options_on_close(c, on_close);
}

void start(void) {
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, &server_data, &server),
      0);
  assert_int_equal(ipc_client_connect(test_loop(), &client_options,
                                      &client_data, &ours.channel),
                   0);
}

void open_both(ipc_framing_t framing) {
  prepare(framing);
  start();
  test_run_until(&ours.opens);
  test_run_until(&theirs.opens);
  assert_int_equal(ours.status, 0);
}

void finish(void) {
  if (ours.channel != NULL && ours.closes == 0) ipc_channel_close(ours.channel);
  if (theirs.channel != NULL && theirs.closes == 0)
    ipc_channel_close(theirs.channel);
  if (server != NULL) ipc_server_close(server, on_server_close);
  test_run();
  assert_int_equal(ours.closes, ours.channel != NULL);
  assert_int_equal(theirs.closes, theirs.channel != NULL);
  assert_int_equal(server_closes, 1);
  assert_int_equal(refusals, 0);
}

void expect_nothing_queued(ipc_channel_t* channel) {
  ipc_channel_stats_t stats;

  assert_int_equal(ipc_channel_stats(channel, &stats), 0);
  assert_int_equal(stats.messages_queued, 0);
  assert_true(stats.bytes_queued <= 16); /* the hello, while connecting */
  assert_int_equal(stats.messages_dropped, 0);
}
