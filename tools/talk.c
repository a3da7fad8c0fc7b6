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
#include "run.h"
#include "stop.h"

/* How often to look for what no callback tells. */
#define LOOK_MS 100

/* Where our end can't be told, the peer may take so long for what it still has
 * to say: the time that the library gives a close. */
#define QUIET_NS (UINT64_C(5000) * 1000000)

/* ---- Questions ---------------------------------------------------------- */

int talk_is_single(const talk_t* talk) {
  return talk->role != TALK_SERVER;
}

int talk_is_native(const talk_t* talk) {
  return talk->arguments->framing.kind == IPC_CHANNEL_FRAMING_NATIVE;
}

int talk_is_windows(void) {
  ipc_name_info_t info;

  ipc_name_resolve("x", &info);
  return info.os_name[0] == '\\';
}

int talk_is_open(const peer_t* peer) {
  return peer->state < PEER_CLOSING;
}

/* Whether all that is to be sent has been taken. */
static int input_has_ended(const peer_t* peer) {
  if (peer->run != NULL) return run_is_silent(peer->run);
  return peer->talk->state == TALK_INPUT_ENDED;
}

/* ---- Peers -------------------------------------------------------------- */

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
  if (peer->run != NULL) run_release(peer->run);
  free(peer);
}

void talk_reap(peer_t* peer) {
  talk_t* talk = peer->talk;

  if (peer->state != PEER_CLOSED) return;
  if (peer->run != NULL && !run_is_over(peer->run)) return;
  talk_remove(peer);
  if (talk_is_single(talk) && talk->peers == NULL) {
    talk_stop(talk, talk->status);
  }
}

void talk_close(peer_t* peer) {
  if (!talk_is_open(peer)) return;
  peer->state = PEER_CLOSING;
  peer->owes = 0;
  ipc_channel_close(peer->channel);
  if (peer->run != NULL) run_quit(peer->run);
  input_resume(&peer->talk->input);
}

void talk_blame(peer_t* peer, int status) {
  peer->has_failed = 1;
  if (talk_is_single(peer->talk)) peer->talk->status = status;
}

void talk_fail(peer_t* peer, int status) {
  talk_blame(peer, status);
  talk_close(peer);
}

/* It takes no more, though there may be more to come. A command has to see for
 * itself what that means. */
static void peer_left(peer_t* peer) {
  if (peer->run == NULL && peer->talk->role == TALK_CLIENT) {
    report(peer->talk->name,
           "the other side has left before the end of the input");
    talk_fail(peer, STATUS_FAILED);
  } else if (peer->owes || peer->state != PEER_ENDED) {
    report(peer->talk->name, "the other side has left before it had taken all");
    talk_fail(peer, STATUS_FAILED);
  } else {
    talk_close(peer);
  }
}

/* Whether our side has ended too: a command's ends when it exits. */
static int our_side_has_ended(const peer_t* peer) {
  if (peer->run != NULL) return 0;
  return peer->talk->arguments->echo || input_has_ended(peer);
}

void talk_settle(peer_t* peer) {
  switch (peer->state) {
    case PEER_BROKEN:
      /* Its end wouldn't be seen before the command has read, which may be
       * never. */
      if (peer->run != NULL && run_is_blocked(peer->run)) peer_left(peer);
      break;
    case PEER_ENDED:
      if (our_side_has_ended(peer)) {
        talk_close(peer);
      } else if (talk_is_windows() && !talk_is_native(peer->talk)) {
        /* A pipe without half-close: what has ended is gone. */
        peer_left(peer);
      }
      break;
    case PEER_GONE:
      if (our_side_has_ended(peer)) {
        talk_close(peer);
      } else {
        peer_left(peer);
      }
      break;
    default:
      break;
  }
}

void talk_broke(peer_t* peer) {
  if (peer->state == PEER_TALKING) peer->state = PEER_BROKEN;
  if (peer->state == PEER_ENDED) peer->state = PEER_GONE;
  talk_settle(peer);
}

/* ---- Channels to output ------------------------------------------------- */

static void print(const peer_t* peer, const void* data, size_t size) {
  talk_t* talk = peer->talk;
  int err;

  if (talk->state == TALK_OVER) return;
  err = output_message(talk->arguments, &peer->origin, data, size);
  if (err != 0) talk_stop(talk, report_output(talk->name, err, ""));
}

void talk_on_message(ipc_channel_t* channel, const void* data, size_t size) {
  peer_t* peer = ipc_channel_data(channel);
  int err;

  progress_add(size);
  if (peer->run != NULL) {
    run_message(peer->run, data, size);
    return;
  }
  print(peer, data, size);
  peer->last_received = uv_hrtime(); /* printing may have taken long */
  if (!peer->talk->arguments->echo || !talk_is_open(peer)) return;
  err = pass_message(&peer->echo, data, size);
  if (err == UV_EMSGSIZE) talk_too_long(peer, size);
  if (err == UV_EPIPE) talk_broke(peer);
  if (err == UV_EMSGSIZE || err == UV_ENOMEM) talk_fail(peer, STATUS_FAILED);
}

void talk_on_drain(ipc_channel_t* channel) {
  peer_t* peer = ipc_channel_data(channel);

  if (peer->talk->arguments->echo) {
    if (pass_drain(&peer->echo) != 0) talk_broke(peer);
  } else if (peer->run != NULL) {
    run_drain(peer->run);
  } else {
    input_resume(&peer->talk->input);
  }
}

void talk_on_end(ipc_channel_t* channel, int status) {
  peer_t* peer = ipc_channel_data(channel);

  if (!talk_is_open(peer)) return;
  if (status < 0) {
    talk_fail(peer, report_end(peer->talk->name, status));
    return;
  }
  peer->state = peer->state == PEER_BROKEN ? PEER_GONE : PEER_ENDED;
  if (peer->run != NULL) run_end(peer->run);
  talk_settle(peer);
  talk_look(peer->talk);
}

void talk_on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  peer_t* peer = ipc_channel_data(channel);
  talk_t* talk = peer->talk;
  uint64_t lost = result->unsent + result->unconfirmed;

  if (lost > 0 && !peer->has_failed && talk->state != TALK_OVER &&
      input_has_ended(peer)) {
    report(talk->name,
           "the other side has left: %llu unsent, %llu not confirmed",
           (unsigned long long) result->unsent,
           (unsigned long long) result->unconfirmed);
    talk_blame(peer, STATUS_FAILED);
  }
  peer->state = PEER_CLOSED;
  peer->channel = NULL;
  talk_reap(peer);
}

/* ---- Time --------------------------------------------------------------- */

/* Whether this peer has to be looked at again. */
static int look_at(peer_t* peer) {
  talk_t* talk = peer->talk;
  ipc_channel_info_t info;

  if (!talk_is_open(peer)) return 0;
  if (peer->state == PEER_ENDED && !input_has_ended(peer)) {
    /* A peer that ended in good order may leave without another word. */
    ipc_channel_info(peer->channel, &info);
    if (!info.is_connected) peer_left(peer);
    return 1;
  }
  if (peer->is_half_open && talk_is_single(talk) && talk->input_bytes > 0) {
    if (uv_hrtime() - peer->last_received >= QUIET_NS) talk_close(peer);
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
  if (looks == 0) uv_timer_stop(timer);
}

void talk_look(talk_t* talk) {
  if (talk->state == TALK_OVER) return;
  uv_timer_start(&talk->timer, on_timer, LOOK_MS, LOOK_MS);
}

/* ---- Life --------------------------------------------------------------- */

void talk_init(talk_t* talk,
               uv_loop_t* loop,
               const arguments_t* arguments,
               talk_role_t role) {
  memset(talk, 0, sizeof(*talk));
  talk->role = role;
  talk->arguments = arguments;
  talk->name = arguments->names[0];
  talk->loop = loop;
  uv_timer_init(loop, &talk->timer);
  talk->timer.data = talk;
}

void talk_stop(talk_t* talk, int status) {
  peer_t* peer;

  if (talk->state == TALK_OVER) return;
  talk->state = TALK_OVER;
  talk->status = status;
  input_close(&talk->input);
  uv_close((uv_handle_t*) &talk->timer, NULL);
  stop_unwatch();
  if (talk->server != NULL) ipc_server_close(talk->server, NULL);
  for (peer = talk->peers; peer != NULL; peer = peer->next) {
    if (peer->state != PEER_CLOSED) ipc_channel_disconnect(peer->channel);
    talk_close(peer);
  }
}

int talk_run(talk_t* talk) {
  while (talk->state != TALK_OVER || talk->peers != NULL) {
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
