/* How much may wait to be written: a channel's own limits in bytes and
 * messages, what all channels of a server may queue together, and what becomes
 * of a message that finds no room. */
#include "server.h"

/* The other channels of a server have used up its total: look this often
 * whether they have written some of it. */
#define STARVED_RETRY_MS 10

/* What all channels of the server may still queue. Where nothing is queued any
 * size may be. */
static size_t total_left(const ipc_channel_t* channel) {
  size_t total = channel->hub->settings.max_total_queue_bytes;
  size_t queued = channel->hub->queued_bytes;

  if (queued == 0) return SIZE_MAX;
  return queued < total ? total - queued : 0;
}

static int is_starved(const ipc_channel_t* channel, size_t size) {
  size_t left = total_left(channel);

  return left == 0 || size > left;
}

static int is_full_itself(const ipc_channel_t* channel, size_t size) {
  const ipc__settings_t* settings = &channel->hub->settings;
  size_t queued = ipc__queue_bytes(&channel->traffic->queue);
  uint32_t messages = channel->traffic->queue.records.count;

  if (messages == 0) return 0;
  return messages >= settings->max_queue_messages ||
         queued >= settings->max_queue_bytes ||
         size > settings->max_queue_bytes - queued;
}

int ipc__channel_is_full(const ipc_channel_t* channel, size_t size) {
  return is_full_itself(channel, size) || is_starved(channel, size);
}

unsigned int ipc__channel_is_over(const ipc_channel_t* channel) {
  return ipc__queue_bytes(&channel->traffic->queue) >
         channel->hub->settings.max_queue_bytes;
}

size_t ipc__channel_room(const ipc_channel_t* channel, size_t size) {
  size_t max = channel->hub->settings.max_queue_bytes;
  size_t queued = ipc__queue_bytes(&channel->traffic->queue);
  size_t left = total_left(channel);

  if (is_full_itself(channel, size)) {
    if (is_full_itself(channel, 1)) return 0;
    if (left > max - queued) left = max - queued;
  }
  return size < left ? size : left;
}

/* ---- Waiting for it ----------------------------------------------------- */

int ipc__channel_is_drained(const ipc_channel_t* channel) {
  const ipc__settings_t* settings = &channel->hub->settings;

  return ipc__queue_bytes(&channel->traffic->queue) <=
             settings->max_queue_bytes / 2 &&
         channel->traffic->queue.records.count <=
             settings->max_queue_messages / 2 &&
         !ipc__channel_is_full(channel, channel->room_wanted);
}

/* Nothing tells a channel when the others have written something. */
void ipc__channel_wait_for_others(ipc_channel_t* channel) {
  if (!is_starved(channel, channel->room_wanted)) return;
  ipc__channel_serve_again(channel, STARVED_RETRY_MS);
}

void ipc__channel_want_room(ipc_channel_t* channel, size_t size) {
  channel->room_wanted = (uint32_t) size;
  ipc__channel_wait_for_others(channel);
}

/* ---- Making it ---------------------------------------------------------- */

/* What may be dropped: messages that have not begun to leave. */
typedef struct droppable_s {
  ipc_op_t oldest; /* 0: none */
  size_t bytes;
  uint32_t count;
  int is_all; /* besides them there is only what is leaving */
} droppable_t;

/* The oldest one alone, or all. */
static droppable_t find_droppable(const ipc_channel_t* channel, int all) {
  const ipc__queue_t* queue = &channel->traffic->queue;
  uint64_t written = ipc__channel_written_to(channel);
  droppable_t found = {0};
  uint32_t i;

  found.is_all = all;
  for (i = 0; i < queue->records.count; i++) {
    const ipc__record_t* record = ipc__queue_record(queue, i);

    if (record->end <= queue->released) continue;
    if (ipc__record_start(record) < written) continue;
    if (record->stays) {
      found.is_all = 0;
      continue;
    }
    if (found.count == 0) found.oldest = record->id;
    found.bytes += record->size;
    found.count++;
    if (!all) break;
  }
  return found;
}

/* Whether a message has room once these are dropped. A queue of which all that
 * is left is leaving takes one of any size. */
static int fits_without(const ipc_channel_t* channel,
                        size_t size,
                        const droppable_t* dropped) {
  const ipc__settings_t* settings = &channel->hub->settings;
  size_t total = settings->max_total_queue_bytes;
  size_t others = channel->hub->queued_bytes - dropped->bytes;
  size_t queued = ipc__queue_bytes(&channel->traffic->queue) - dropped->bytes;
  uint32_t messages = channel->traffic->queue.records.count - dropped->count;

  if (others > 0 && (others >= total || size > total - others)) return 0;
  if (dropped->is_all || messages == 0) return 1;
  return messages < settings->max_queue_messages &&
         queued < settings->max_queue_bytes &&
         size <= settings->max_queue_bytes - queued;
}

/* Drops as many as it takes, but none where all together were too few.
 * UV_EAGAIN; UV_ENOMEM. */
static int drop_oldest(ipc_channel_t* channel, size_t size) {
  droppable_t dropped = find_droppable(channel, 0);
  int err;

  if (!fits_without(channel, size, &dropped)) {
    dropped = find_droppable(channel, 1);
    if (!fits_without(channel, size, &dropped)) return UV_EAGAIN;
  }
  while (ipc__channel_is_full(channel, size)) {
    dropped = find_droppable(channel, 0);
    if (dropped.count == 0) return 0;
    err = ipc__channel_withdraw(channel, dropped.oldest, UV_ENOBUFS);
    if (err != 0) return err;
    channel->dropped++;
  }
  return 0;
}

/* Where the total is used up, whether this is one of those who did it: its
 * queue is full, or holds more than it would if all held the same. */
static int holds_its_share(const ipc_channel_t* channel, size_t size) {
  const ipc_server_t* server = channel->server;
  size_t total = channel->hub->settings.max_total_queue_bytes;

  if (is_full_itself(channel, size) || server == NULL) return 1;
  return ipc__queue_bytes(&channel->traffic->queue) >=
         total / (server->instances + 1);
}

int ipc__channel_make_room(ipc_channel_t* channel, size_t size) {
  int err;

  switch (channel->hub->settings.slow_reader) {
    case IPC_CHANNEL_SLOW_DROP_OLDEST:
      err = drop_oldest(channel, size);
      if (err != UV_EAGAIN) return err;
      break;
    case IPC_CHANNEL_SLOW_DROP_NEWEST:
      channel->dropped++;
      return UV_ENOBUFS;
    case IPC_CHANNEL_SLOW_DISCONNECT:
      if (!holds_its_share(channel, size)) break;
      if (channel->state == IPC__CONNECTING) {
        ipc__client_failed(channel, UV_ENOBUFS);
      } else {
        ipc__channel_broken(channel, UV_ENOBUFS);
      }
      return UV_ENOBUFS;
    default:
      break;
  }
  channel->wants_drain = 1;
  ipc__channel_want_room(channel, size);
  return UV_EAGAIN;
}
