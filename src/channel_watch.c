/* What an open channel does while nothing happens: end when it is idle too
 * long, beat for a peer that asked to, and notice a peer that isn't heard any
 * more. One deadline serves all three. It is not set anew with each message,
 * but finds out when it expires whether one has come meanwhile. */
#include "channel.h"

/* A peer hears us this often in the interval that it asked for. */
#define BEATS 3

static uint32_t now_of(const ipc_channel_t* channel) {
  return (uint32_t) uv_now(channel->hub->loop);
}

/* The loop's clock may be behind by what callbacks have taken. */
static uint32_t fresh_now(const ipc_channel_t* channel) {
  uv_update_time(channel->hub->loop);
  return now_of(channel);
}

void ipc__channel_note_activity(ipc_channel_t* channel) {
  channel->last_activity = fresh_now(channel);
  channel->has_idle_grace = 0;
}

void ipc__channel_note_heard(ipc_channel_t* channel) {
  channel->last_heard = fresh_now(channel);
  channel->has_grace = 0;
}

/* Milliseconds until `interval_ms` after `from`; 0: that is now or over. */
static int left(const ipc_channel_t* channel, uint32_t from, int interval_ms) {
  uint32_t gone = now_of(channel) - from;

  return gone >= (uint32_t) interval_ms ? 0 : interval_ms - (int) gone;
}

static void keep_earlier(int* timeout_ms, int other_ms) {
  if (*timeout_ms == IPC_CHANNEL_INFINITE || other_ms < *timeout_ms) {
    *timeout_ms = other_ms;
  }
}

/* Who doesn't read can't hear, and doesn't judge. */
static int is_listening(const ipc_channel_t* channel) {
  return channel->hub->settings.heartbeat_ms != IPC_CHANNEL_INFINITE &&
         channel->is_reading && !channel->read_ended;
}

static int has_to_ask(const ipc_channel_t* channel) {
  return is_listening(channel) &&
         !(channel->peer_features & IPC__FEATURE_HEARTBEAT);
}

static int beat_interval(const ipc_channel_t* channel) {
  uint32_t asked_ms = channel->peer_heartbeat_ms;

  /* Whatever it says, we have other things to do. */
  if (asked_ms < IPC__MIN_HEARTBEAT_MS) asked_ms = IPC__MIN_HEARTBEAT_MS;
  if (asked_ms > INT32_MAX) asked_ms = INT32_MAX;
  return (int) (asked_ms / BEATS);
}

static int ask_interval(const ipc_channel_t* channel) {
  return channel->hub->settings.heartbeat_ms / 2;
}

/* Something for the peer to hear. What waits to be written is enough. */
static void say(ipc_channel_t* channel, uint8_t kind) {
  static const uint8_t nothing[IPC__WIRE_PING_BYTES];

  channel->last_said = now_of(channel);
  if (ipc__queue_bytes(&channel->traffic->queue) > 0) return;
  /* Without memory the next beat may succeed. */
  ipc__channel_put_control(channel, kind, nothing, sizeof(nothing));
}

/* Nothing has moved for too long. Our own loop may have been busy: what lies in
 * the system then is read first. */
static int is_idle(ipc_channel_t* channel) {
  int timeout_ms = channel->hub->settings.idle_timeout_ms;

  if (timeout_ms == IPC_CHANNEL_INFINITE) return 0;
  if (left(channel, channel->last_activity, timeout_ms) > 0) return 0;
  if (channel->has_idle_grace) return 1;
  channel->has_idle_grace = 1;
  return 0;
}

/* The same for what the peer says. */
static int is_silent(ipc_channel_t* channel) {
  int interval_ms = channel->hub->settings.heartbeat_ms;

  if (!is_listening(channel)) return 0;
  if (left(channel, channel->last_heard, interval_ms) > 0) return 0;
  if (channel->has_grace) return 1;
  channel->has_grace = 1;
  return 0;
}

static void on_deadline(ipc__deadline_t* deadline) {
  ipc_channel_t* channel = ipc__channel_of_deadline(deadline);

  if (is_idle(channel) || is_silent(channel)) {
    ipc__channel_broken(channel, UV_ETIMEDOUT);
    return;
  }
  if (channel->peer_heartbeat_ms != 0 &&
      left(channel, channel->last_said, beat_interval(channel)) == 0) {
    say(channel, IPC__WIRE_PONG);
  } else if (has_to_ask(channel) &&
             left(channel, channel->last_heard, ask_interval(channel)) == 0 &&
             left(channel, channel->last_said, ask_interval(channel)) == 0) {
    say(channel, IPC__WIRE_PING);
  }
  ipc__channel_watch(channel);
}

void ipc__channel_watch(ipc_channel_t* channel) {
  const ipc__settings_t* settings = &channel->hub->settings;
  int timeout_ms = IPC_CHANNEL_INFINITE;

  if (settings->idle_timeout_ms != IPC_CHANNEL_INFINITE) {
    keep_earlier(&timeout_ms, left(channel, channel->last_activity,
                                   settings->idle_timeout_ms));
  }
  if (channel->peer_heartbeat_ms != 0) {
    keep_earlier(&timeout_ms,
                 left(channel, channel->last_said, beat_interval(channel)));
  }
  if (is_listening(channel)) {
    keep_earlier(&timeout_ms,
                 left(channel, channel->last_heard, settings->heartbeat_ms));
  } else if (settings->heartbeat_ms != IPC_CHANNEL_INFINITE) {
    keep_earlier(&timeout_ms, settings->heartbeat_ms);
  }
  if (has_to_ask(channel)) {
    int heard = left(channel, channel->last_heard, ask_interval(channel));
    int said = left(channel, channel->last_said, ask_interval(channel));

    keep_earlier(&timeout_ms, heard > said ? heard : said);
  }
  ipc__hub_set_deadline(channel->hub, &channel->deadline, timeout_ms, 0,
                        on_deadline);
}
