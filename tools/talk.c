/* Input goes to all channels, and no further than the slowest takes it; what
 * the channels receive goes to the output, which waits for its reader. Our side
 * of a channel ends when the input does, and the channel when both sides have.
 */
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "progress.h"
#include "report.h"
#include "stop.h"

/* How often to look for what no callback tells. */
#define LOOK_MS 100

/* Where our end can't be told, the peer may take so long for what it still has
 * to say: the time that the library gives a close. */
#define QUIET_NS (UINT64_C(5000) * 1000000)

/* ---- Peers -------------------------------------------------------------- */

int talk_is_native(const talk_t* talk) {
  return talk->arguments->framing == IPC_CHANNEL_FRAMING_NATIVE;
}

peer_t* talk_add(talk_t* talk) {
  peer_t* peer = calloc(1, sizeof(*peer));

  if (peer == NULL) return NULL;
  peer->talk = talk;
  peer->next = talk->peers;
  talk->peers = peer;
  return peer;
}

void talk_bind(peer_t* peer, ipc_channel_t* channel) {
  peer->channel = channel;
  peer->echo.from = peer->echo.to = channel;
  peer->echo.on_sent = talk_on_sent;
  ipc_channel_set_data(channel, peer);
}

void talk_remove(peer_t* peer) {
  peer_t** link = &peer->talk->peers;

  while (*link != peer) link = &(*link)->next;
  *link = peer->next;
  pass_release(&peer->echo);
  free(peer);
}

static void close_peer(peer_t* peer) {
  if (peer->is_closing) return;
  peer->is_closing = 1;
  peer->owes = 0;
  ipc_channel_close(peer->channel);
  input_resume(&peer->talk->input);
}

void talk_fail(peer_t* peer, int status) {
  peer->has_failed = 1;
  if (peer->talk->is_single) peer->talk->status = status;
  close_peer(peer);
}

/* It takes no more, though there may be more to come. */
static void peer_left(peer_t* peer) {
  if (peer->is_closing) return;
  if (peer->talk->arguments->command == COMMAND_CONNECT) {
    report(peer->talk->name,
           "the other side has left before the end of the input");
    talk_fail(peer, STATUS_FAILED);
  } else if (peer->owes || peer->is_broken) {
    report(peer->talk->name, "a client has left before it had taken all");
    talk_fail(peer, STATUS_FAILED);
  } else {
    close_peer(peer);
  }
}

void talk_settle(peer_t* peer) {
  talk_t* talk = peer->talk;

  if (!peer->has_ended || peer->is_closing) return;
  if (talk->is_input_ended || talk->arguments->echo) {
    close_peer(peer);
  } else if (peer->is_broken || !talk_is_native(talk)) {
    ipc_channel_info_t info;

    /* A Windows pipe has no half-close: what has ended is gone. */
    ipc_channel_info(peer->channel, &info);
    if (peer->is_broken || info.os_name[0] == '\\') peer_left(peer);
  }
}

/* ---- Channels to output ------------------------------------------------- */

static void print(talk_t* talk, const void* data, size_t size) {
  uv_buf_t buffers[2];
  int err;

  if (talk->is_over) return;
  buffers[0] = uv_buf_init((char*) data, (unsigned int) size);
  buffers[1] = uv_buf_init("\n", talk_is_native(talk) ? 1 : 0);
  err = output_write(buffers, 2);
  if (err != 0) {
    report(talk->name, "standard output: %s", uv_strerror(err));
    talk_stop(talk, STATUS_FAILED);
  }
}

void talk_on_message(ipc_channel_t* channel, const void* data, size_t size) {
  peer_t* peer = ipc_channel_data(channel);
  int err;

  progress_add(size);
  print(peer->talk, data, size);
  peer->last_received = uv_hrtime(); /* printing may have taken long */
  if (!peer->talk->arguments->echo || peer->is_closing) return;
  err = pass_message(&peer->echo, data, size);
  if (err == UV_EMSGSIZE) talk_too_long(peer, size);
  if (err == UV_EPIPE) peer->is_broken = 1;
  if (err == UV_EMSGSIZE || err == UV_ENOMEM) talk_fail(peer, STATUS_FAILED);
}

void talk_on_drain(ipc_channel_t* channel) {
  peer_t* peer = ipc_channel_data(channel);

  if (peer->talk->arguments->echo) {
    if (pass_drain(&peer->echo) != 0) peer->is_broken = 1;
  } else {
    input_resume(&peer->talk->input);
  }
}

void talk_on_end(ipc_channel_t* channel, int status) {
  peer_t* peer = ipc_channel_data(channel);

  peer->has_ended = 1;
  if (peer->is_closing) return;
  if (status < 0) {
    talk_fail(peer, report_end(peer->talk->name, status));
  } else {
    talk_settle(peer);
    talk_look(peer->talk);
  }
}

void talk_on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  peer_t* peer = ipc_channel_data(channel);
  talk_t* talk = peer->talk;
  uint64_t lost = result->unsent + result->unconfirmed;

  if (lost > 0 && !peer->has_failed && !talk->is_over && talk->is_input_ended) {
    report(talk->name,
           "the other side has left: %llu unsent, %llu not confirmed",
           (unsigned long long) result->unsent,
           (unsigned long long) result->unconfirmed);
    if (talk->is_single) talk->status = STATUS_FAILED;
  }
  talk_remove(peer);
  if (talk->is_single && talk->peers == NULL) talk_stop(talk, talk->status);
}

/* ---- Time --------------------------------------------------------------- */

/* Whether this peer has to be looked at again. */
static int look_at(peer_t* peer) {
  talk_t* talk = peer->talk;
  ipc_channel_info_t info;

  if (peer->is_closing) return 0;
  if (peer->has_ended && !talk->is_input_ended) {
    /* A peer that ended in good order may leave without another word. */
    ipc_channel_info(peer->channel, &info);
    if (!info.is_connected) peer_left(peer);
    return 1;
  }
  if (peer->is_half_open && talk->is_single && talk->input_bytes > 0) {
    if (uv_hrtime() - peer->last_received >= QUIET_NS) close_peer(peer);
    return 1;
  }
  return 0;
}

static void on_timer(uv_timer_t* timer) {
  talk_t* talk = timer->data;
  peer_t* peer;
  int looks = 0;

  for (peer = talk->peers; peer != NULL; peer = peer->next) {
    looks += look_at(peer);
  }
  if (looks == 0 && !talk->is_over) uv_timer_stop(timer);
}

void talk_look(talk_t* talk) {
  if (talk->is_over) return;
  uv_timer_start(&talk->timer, on_timer, LOOK_MS, LOOK_MS);
}

/* ---- Life --------------------------------------------------------------- */

void talk_init(talk_t* talk, uv_loop_t* loop, const arguments_t* arguments) {
  memset(talk, 0, sizeof(*talk));
  talk->arguments = arguments;
  talk->name = arguments->names[0];
  talk->loop = loop;
  talk->is_single = arguments->command == COMMAND_CONNECT || arguments->once;
  uv_timer_init(loop, &talk->timer);
  talk->timer.data = talk;
}

void talk_stop(talk_t* talk, int status) {
  peer_t* peer;

  if (talk->is_over) return;
  talk->is_over = 1;
  talk->status = status;
  input_close(&talk->input);
  uv_close((uv_handle_t*) &talk->timer, NULL);
  stop_unwatch();
  if (talk->server != NULL) ipc_server_close(talk->server, NULL);
  for (peer = talk->peers; peer != NULL; peer = peer->next) {
    ipc_channel_disconnect(peer->channel);
    close_peer(peer);
  }
}

int talk_run(talk_t* talk) {
  while (!talk->is_over || talk->peers != NULL) {
    uv_run(talk->loop, UV_RUN_ONCE);
  }
  progress_hide();
  if (input_is_stuck(&talk->input)) {
    /* exit would wait for the thread that reads. */
    fflush(NULL);
    _Exit(talk->status);
  }
  uv_run(talk->loop, UV_RUN_DEFAULT);
  return talk->status;
}
