/* What was received and not delivered: a frame that is cut, kept until the rest
 * has come; while the channel is paused or nobody receives, also what is whole.
 * A large frame has memory of its own, which grows with what has arrived. */
#include <string.h>

#include "alloc.h"
#include "channel.h"

/* From this size on a frame gets memory of its own. */
#define LARGE_FRAME ((size_t) 32 << 10)

/* No more memory than has arrived and this. */
#define GROW_BYTES ((size_t) 64 << 10)

int ipc__channel_has_large(const ipc_channel_t* channel) {
  return channel->traffic->kept.search.want >= LARGE_FRAME ||
         ipc__channel_is_packet(channel);
}

void ipc__channel_drop_kept(ipc_channel_t* channel) {
  ipc__kept_t* kept = &channel->traffic->kept;

  if (!ipc__channel_has_traffic(channel)) return;
  ipc__hub_give(channel->hub, kept->memory, kept->capacity);
  memset(kept, 0, sizeof(*kept));
}

/* Moves what is kept to the front of its memory. */
static void compact(ipc__kept_t* kept) {
  if (kept->start == 0) return;
  memmove(kept->memory, kept->memory + kept->start, kept->size);
  kept->start = 0;
}

/* `bytes` at the front of what is kept are done with. */
static void consume(ipc_channel_t* channel, size_t bytes) {
  ipc__kept_t* kept = &channel->traffic->kept;

  kept->start += bytes;
  kept->size -= bytes;
  if (bytes > 0) memset(&kept->search, 0, sizeof(kept->search));
  if (kept->size == 0) ipc__channel_drop_kept(channel);
}

/* How much memory a frame should have of which `size` bytes have arrived. */
static size_t wanted_memory(const ipc_channel_t* channel, size_t size) {
  const ipc__search_t* search = &channel->traffic->kept.search;

  if (!ipc__channel_has_large(channel)) return size;
  /* A packet has arrived as a whole. */
  if (ipc__channel_is_packet(channel)) return search->want;
  if (search->is_least || search->want > size + GROW_BYTES) {
    return size + GROW_BYTES;
  }
  return search->want;
}

/* Room for what has arrived, `size` bytes, and more of the frame, but never for
 * more than has arrived and GROW_BYTES; except that memory which an earlier
 * message left behind serves the whole frame at once. */
static int reserve(ipc_channel_t* channel, size_t size) {
  ipc__kept_t* kept = &channel->traffic->kept;
  ipc__hub_t* hub = channel->hub;
  size_t wanted;
  size_t capacity;
  uint8_t* grown;

  compact(kept);
  wanted = wanted_memory(channel, size);
  if (kept->capacity >= wanted) return 0;
  if (kept->capacity > size && !ipc__channel_is_packet(channel)) return 0;
  grown = ipc__hub_take_spare(
      hub, ipc__channel_has_large(channel) ? kept->search.want : wanted,
      &capacity);
  if (grown == NULL) {
    /* Large blocks can often grow in place, or by moving pages. */
    capacity = wanted;
    grown = ipc__realloc(&hub->settings.allocator, kept->memory, wanted);
    if (grown == NULL) return UV_ENOMEM;
  } else {
    if (kept->size > 0) memcpy(grown, kept->memory, kept->size);
    ipc__hub_give(hub, kept->memory, kept->capacity);
  }
  kept->memory = grown;
  kept->capacity = capacity;
  return 0;
}

int ipc__channel_keep(ipc_channel_t* channel,
                      const uint8_t* data,
                      size_t size) {
  ipc__traffic_t* traffic;
  int err;

  if (size == 0) return 0;
  traffic = ipc__channel_own_traffic(channel);
  if (traffic == NULL) return UV_ENOMEM;
  traffic->kept.search = channel->hub->window.search;
  err = reserve(channel, size);
  if (err != 0) return err;
  memcpy(traffic->kept.memory, data, size);
  traffic->kept.size = size;
  return 0;
}

int ipc__channel_room_to_keep(ipc_channel_t* channel, uv_buf_t* buffer) {
  ipc__kept_t* kept = &channel->traffic->kept;
  size_t end;
  int err;

  err = reserve(channel, kept->size);
  if (err != 0) return err;
  end = kept->capacity;
  if (!kept->search.is_least && end > kept->search.want) {
    end = kept->search.want;
  }
  *buffer = uv_buf_init((char*) kept->memory + kept->size,
                        (unsigned int) (end - kept->size));
  return 0;
}

void ipc__channel_deliver_kept(ipc_channel_t* channel) {
  const ipc__kept_t* kept = &channel->traffic->kept;
  size_t used;

  if (kept->size == 0 || kept->size < kept->search.want) return;
  used = ipc__channel_decode(channel, kept->memory + kept->start, kept->size,
                             kept->search.scanned);
  /* A callback may have ended it all. */
  if (channel->traffic->kept.size == 0) return;
  consume(channel, used);
  if (channel->traffic->kept.size == 0) return;
  channel->traffic->kept.search = channel->hub->window.search;
}

/* ---- What lies ready ---------------------------------------------------- */

/* Where the next frame begins, and how far it was looked at: in what is being
 * decoded just now, or in what was kept. */
static const uint8_t* front_of(const ipc_channel_t* channel,
                               size_t* size,
                               ipc__search_t* search) {
  const ipc__kept_t* kept = &channel->traffic->kept;
  const ipc__hub_t* hub = channel->hub;

  if (hub->window.channel == channel) {
    *size = hub->window.size;
    *search = hub->window.search;
    return hub->window.data;
  }
  *size = kept->size;
  *search = kept->search;
  return kept->memory == NULL ? NULL : kept->memory + kept->start;
}

/* In a format of others. */
static int find_message(const ipc__settings_t* settings,
                        size_t there,
                        size_t scanned,
                        const uint8_t** data,
                        size_t* size,
                        size_t* whole) {
  ipc_frame_t frame;

  if (ipc__framing_decode(&settings->format, *data, there,
                          settings->max_message_bytes, &scanned, &frame) != 0) {
    return 0;
  }
  if (frame.size == 0 || frame.size > there) return 0;
  *data += frame.message_start;
  *size = frame.message_size;
  *whole = frame.size;
  return 1;
}

static int find_frame(const ipc__settings_t* settings,
                      size_t there,
                      const uint8_t** data,
                      size_t* size,
                      size_t* whole) {
  uint32_t max = (uint32_t) settings->max_message_bytes;
  ipc__frame_t frame;

  if (there < IPC__WIRE_HEADER_BYTES) return 0;
  if (ipc__wire_get_header(*data, max, &frame) != 0) return 0;
  *whole = IPC__WIRE_HEADER_BYTES + (size_t) frame.size;
  *data += IPC__WIRE_HEADER_BYTES;
  *size = frame.size;
  return frame.kind == IPC__WIRE_MESSAGE && there >= *whole;
}

int ipc__channel_front(const ipc_channel_t* channel,
                       const uint8_t** data,
                       size_t* size,
                       size_t* whole) {
  const ipc__settings_t* settings = &channel->hub->settings;
  ipc__search_t search;
  size_t there;

  if (channel->state != IPC__OPEN) return 0;
  *data = front_of(channel, &there, &search);
  if (there == 0 || there < search.want) return 0;
  if (ipc__channel_is_native(channel)) {
    return find_frame(settings, there, data, size, whole);
  }
  if (ipc__framing_is_foreign(settings->format.framing)) {
    return find_message(settings, there, search.scanned, data, size, whole);
  }
  *size = *whole = there;
  return 1;
}

int ipc__channel_is_amid_message(const ipc_channel_t* channel) {
  ipc__search_t search;
  size_t there;

  front_of(channel, &there, &search);
  return there > 0 && !ipc__channel_is_native(channel);
}

void ipc__channel_take_front(ipc_channel_t* channel, size_t bytes) {
  ipc__hub_t* hub = channel->hub;

  if (hub->window.channel == channel) {
    hub->window.data += bytes;
    hub->window.size -= bytes;
    memset(&hub->window.search, 0, sizeof(hub->window.search));
  } else {
    consume(channel, bytes);
  }
  channel->is_holding = 0;
  ipc__hub_due(hub, channel);
}

int ipc__channel_steal_front(ipc_channel_t* channel,
                             size_t whole,
                             ipc__lent_t* lent) {
  ipc__kept_t* kept = &channel->traffic->kept;

  if (channel->hub->window.channel == channel) return 0;
  if (whole < LARGE_FRAME || whole != kept->size) return 0;
  ipc__channel_give_lent(channel, lent);
  lent->memory = kept->memory;
  lent->capacity = kept->capacity;
  kept->memory = NULL;
  kept->capacity = 0;
  ipc__channel_drop_kept(channel);
  channel->is_holding = 0;
  ipc__hub_due(channel->hub, channel);
  return 1;
}
