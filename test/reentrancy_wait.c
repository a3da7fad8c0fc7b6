/* The conversation of the table over a private loop, whose callbacks run inside
 * the *_wait functions. The other end is a thread that blocks, too. */
#include "reentrancy.h"

#include <stdio.h>

#define LONG_MS 20000
/* For an accept whose client was turned away, and a paused channel. */
#define TURN_MS 20
#define CLOSE_MS 10

/* ---- The other end ------------------------------------------------------- */

/* It can't fail a test: our end sees what it does. */
typedef struct peer_s {
  uv_thread_t thread;
  ipc_server_t* server; /* NULL: it is a client */
  ipc_client_options_t options;
} peer_t;

static void drop(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  (void) data;
  (void) size;
}

static void drop_reply(ipc_channel_t* channel,
                       void* arg,
                       int status,
                       const void* data,
                       size_t size) {
  (void) arg;
  (void) status;
  drop(channel, data, size);
}

static void answer(ipc_channel_t* channel,
                   ipc_request_t request,
                   const void* data,
                   size_t size) {
  if (size != 8 || memcmp(data, "question", 8) != 0) return;
  (void) ipc_channel_reply(channel, request, "answer", 6);
}

/* Asks and talks at once, and stays until the connection ends. */
static void play(ipc_channel_t* channel) {
  const void* data;
  size_t size;
  int i;

  (void) ipc_channel_call(channel, "question", 8, LONG_MS, drop_reply, NULL);
  for (i = 0; i < 4; i++) {
    (void) ipc_channel_send_copy(channel, "hello", 5, NULL, NULL);
  }
  while (ipc_channel_recv_wait(channel, LONG_MS, &data, &size) == 0) continue;
  (void) ipc_channel_close_wait(channel, NULL);
}

static void run_peer(void* arg) {
  peer_t* peer = arg;
  ipc_channel_t* channel;
  int err;

  if (peer->server != NULL) {
    err = ipc_server_accept_wait(peer->server, LONG_MS, &channel);
  } else {
    err = ipc_client_connect_wait(&peer->options, NULL, &channel);
  }
  if (err == 0) play(channel);
  if (peer->server != NULL) (void) ipc_server_close_wait(peer->server);
}

static void start_peer(peer_t* peer) {
  ipc_server_options_t options;

  memset(peer, 0, sizeof(*peer));
  ipc_server_options_init(&options, talk.name);
  ipc_server_options_set_close_timeout(&options, CLOSE_MS);
  ipc_server_options_on_message(&options, drop);
  ipc_server_options_on_request(&options, answer);
  ipc_client_options_init(&peer->options, talk.name);
  ipc_client_options_set_close_timeout(&peer->options, CLOSE_MS);
  ipc_client_options_on_message(&peer->options, drop);
  ipc_client_options_on_request(&peer->options, answer);
  if (!talk.is_far) {
    assert_int_equal(ipc_server_listen(NULL, &options, NULL, &peer->server), 0);
  }
  assert_int_equal(uv_thread_create(&peer->thread, run_peer, peer), 0);
}

/* ---- Ours ---------------------------------------------------------------- */

/* Waits for what doesn't come where the call has paused the channel. */
static int turn(end_t* end, int ends) {
  const void* data;
  size_t size;
  int err;

  if (end->channel == NULL) return UV_ECANCELED;
  err = ends ? ipc_channel_recv_wait(end->channel, TURN_MS, &data, &size)
             : ipc_channel_call_wait(end->channel, "question", 8, TURN_MS,
                                     &data, &size);
  assert_int_not_equal(err, UV_EALREADY);
  return err == UV_ETIMEDOUT ? 0 : err;
}

/* A wait ends when a callback has closed the channel, which may be gone. */
static void drive(end_t* end) {
  while (!talk.has_fired && turn(end, 0) == 0) continue;
  while (!talk.has_fired && turn(end, 1) == 0) continue;
  /* Let the consequences come. */
  turn(end, 1);
  if (end->channel != NULL) {
    (void) ipc_channel_close_wait(end->channel, NULL);
  }
  assert_null(end->channel);
}

static void drive_client(void) {
  end_t* end = &talk.ends[0];
  ipc_client_options_t options;
  peer_t peer;

  if (talk.event != ON_CONNECT_FAILED) start_peer(&peer);
  fill_client_options(&options);
  assert_int_equal(ipc_client_connect(NULL, &options, end, &end->channel), 0);
  drive(end);
  if (talk.event != ON_CONNECT_FAILED) {
    assert_int_equal(uv_thread_join(&peer.thread), 0);
  }
}

static void drive_server(void) {
  ipc_server_options_t options;
  ipc_channel_t* channel = NULL;
  peer_t peer;
  int err;

  fill_server_options(&options);
  assert_int_equal(ipc_server_listen(NULL, &options, &talk, &talk.server), 0);
  start_peer(&peer);
  do {
    err = ipc_server_accept_wait(talk.server, TURN_MS, &channel);
  } while (err == UV_ETIMEDOUT && !talk.has_fired && talk.server != NULL);
  if (err == 0) accepted(channel);
  while (other_end(&talk.ends[0]) != NULL) drive(other_end(&talk.ends[0]));
  if (talk.server != NULL && !talk.server_is_closed) {
    talk.server_is_closed = 1;
    assert_int_equal(ipc_server_close(talk.server, on_server_close), 0);
  }
  if (talk.server != NULL) {
    assert_int_equal(ipc_server_close_wait(talk.server), 0);
  }
  assert_int_equal(uv_thread_join(&peer.thread), 0);
}

int converse_blocking(const talk_t* entry) {
  int i;

  begin_talk(entry);
  snprintf(talk.extra_name, sizeof(talk.extra_name), "%s", test_name());
  if (talk.is_far) {
    drive_server();
  } else {
    drive_client();
  }
  /* What the call began beside is the loop's of the test. */
  for (i = 0; i < talk.end_count; i++) {
    if (talk.ends[i].channel != NULL) ipc_channel_close(talk.ends[i].channel);
  }
  test_run();
  check_talk();
  return talk.had_target;
}
