/* From standard input to the channels: each piece goes to all that are there,
 * and the next one when the slowest has taken it. */
#include "progress.h"
#include "report.h"
#include "run.h"

/* The longest line without messages to limit it: the library's default for
 * these. */
#define MAX_LINE_BYTES ((size_t) 16 << 20)

void talk_too_long(const peer_t* peer, size_t size) {
  ipc_channel_info_t info;
  size_t limit;

  ipc_channel_info(peer->channel, &info);
  limit = info.max_message_bytes;
  if (info.peer_max_message_bytes > 0 && info.peer_max_message_bytes < limit) {
    limit = info.peer_max_message_bytes;
  }
  if (size > limit) {
    report(peer->talk->name,
           "a line of %llu bytes is more than the largest message, %llu bytes",
           (unsigned long long) size, (unsigned long long) limit);
  } else {
    report(peer->talk->name,
           "a line of %llu bytes is more than the framing can tell",
           (unsigned long long) size);
  }
}

void talk_on_sent(ipc_channel_t* channel, void* arg, int status, size_t sent) {
  peer_t* peer = ipc_channel_data(channel);

  (void) arg, (void) sent;
  /* It may go on until all that it sent has been printed. */
  if (status != 0) talk_broke(peer);
}

void talk_offer(peer_t* peer, const char* data, size_t size) {
  int err = 0;

  /* Without messages, none at all is nothing to send. */
  if (size > 0 || framing_has_messages(&peer->talk->arguments->framing)) {
    err = ipc_channel_send_copy(peer->channel, data, size, talk_on_sent, NULL);
  }

  switch (err) {
    case UV_EAGAIN:
      return;
    case 0:
      progress_add(size);
      break;
    case UV_EMSGSIZE:
      talk_too_long(peer, size);
      talk_fail(peer, STATUS_FAILED);
      break;
    case UV_EPIPE:
      talk_broke(peer);
      /* A single one keeps the piece, and so the rest of the input. */
      if (talk_is_single(peer->talk) && talk_is_open(peer)) return;
      break;
    default:
      talk_fail(peer, report_end(peer->talk->name, err));
      break;
  }
  peer->owes = 0;
}

int talk_check(input_t* input,
               const talk_t* talk,
               const char* data,
               size_t size) {
  input->problem = framing_refuses(&talk->arguments->framing, data, size);
  return input->problem == NULL ? 0 : UV_EINVAL;
}

static int takes_input(const peer_t* peer) {
  return peer->state == PEER_TALKING || peer->state == PEER_ENDED;
}

static int on_piece(void* arg, const char* data, size_t size) {
  talk_t* talk = arg;
  int is_new = talk->state == TALK_READING;
  peer_t* peer;
  int owing = 0;
  int taking = 0;
  int err;

  err = is_new ? talk_check(&talk->input, talk, data, size) : 0;
  if (err != 0) return err;
  for (peer = talk->peers; peer != NULL; peer = peer->next) {
    if (is_new) peer->owes = takes_input(peer);
    taking += peer->owes;
    if (peer->owes) talk_offer(peer, data, size);
    owing += peer->owes;
  }
  talk->state = owing > 0 ? TALK_OFFERING : TALK_READING;
  /* What nobody is there for waits for the next. */
  if (owing > 0 || (taking == 0 && is_new)) return UV_EAGAIN;
  talk->input_bytes += size;
  return 0;
}

static void end_our_side(peer_t* peer) {
  if (!talk_is_open(peer)) return;
  if (ipc_channel_end(peer->channel) == UV_ENOTSUP) {
    peer->is_half_open = 1;
    peer->last_received = uv_hrtime();
    talk_look(peer->talk);
  }
  talk_settle(peer);
}

void talk_report_input(const talk_t* talk,
                       const input_t* input,
                       const char* what,
                       int status) {
  if (status == UV_EMSGSIZE) {
    report(talk->name,
           "%s: line %llu is longer than the largest message, %llu bytes", what,
           (unsigned long long) input->line,
           (unsigned long long) input->max_message);
  } else if (input->problem != NULL) {
    report(talk->name, "%s: line %llu: %s", what,
           (unsigned long long) input->line, input->problem);
  } else {
    report(talk->name, "%s: %s", what, uv_strerror(status));
  }
}

void talk_set_input(const talk_t* talk, input_t* input, size_t max_message) {
  const arguments_t* arguments = talk->arguments;

  input->format = arguments->input;
  input->is_lines =
      input->format != FORMAT_RAW || framing_has_messages(&arguments->framing);
  input->max_message =
      framing_has_messages(&arguments->framing) ? max_message : MAX_LINE_BYTES;
}

/* The peer's number, and what else is known of it from now on. */
static void introduce(peer_t* peer) {
  ipc_peer_t who;

  peer->origin.connection = ++peer->talk->connections;
  if (ipc_channel_peer(peer->channel, &who) == 0) peer->origin.pid = who.pid;
}

static void on_input_end(void* arg, int status) {
  talk_t* talk = arg;
  peer_t* peer;

  talk->state = TALK_INPUT_ENDED;
  if (status != 0) {
    talk_report_input(talk, &talk->input, "standard input", status);
    talk->status = STATUS_FAILED;
  }
  for (peer = talk->peers; peer != NULL; peer = peer->next) end_our_side(peer);
}

/* Of the first peer: its limits are those of all. */
static void open_input(const peer_t* peer) {
  talk_t* talk = peer->talk;
  ipc_channel_info_t info;

  ipc_channel_info(peer->channel, &info);
  talk->state = TALK_READING;
  talk->input.loop = talk->loop;
  talk->input.on_piece = on_piece;
  talk->input.on_end = on_input_end;
  talk->input.arg = talk;
  talk_set_input(talk, &talk->input, info.max_message_bytes);
  input_open(&talk->input);
}

void talk_begin(peer_t* peer) {
  talk_t* talk = peer->talk;
  int status;

  peer->state = PEER_TALKING;
  introduce(peer);
  if (talk->arguments->echo) return;
  if (talk->arguments->exec != NULL) {
    status = run_begin(peer);
    if (status != 0) talk_fail(peer, status);
  } else if (talk->state == TALK_INPUT_ENDED) {
    end_our_side(peer);
  } else if (talk->state == TALK_WAITING) {
    open_input(peer);
  } else {
    input_resume(&talk->input);
  }
}
