/* What a channel has while something is on its way, and gives back when nothing
 * is: so that an idle channel costs little, of which there may be thousands. */
#include <string.h>

#include "alloc.h"
#include "channel.h"

/* Kept for the next channel that has traffic; so many of them with the memory
 * of its queue, so that the first message of an exchange finds all in place. */
#define SPARES 64
#define WARM_SPARES 4

const ipc__traffic_t ipc__no_traffic;

ipc__traffic_t* ipc__channel_take_traffic(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;
  ipc__traffic_t* traffic = hub->spare_traffics;

  if (traffic != NULL) {
    hub->spare_traffics = traffic->next;
    hub->spare_traffic_count--;
  } else {
    traffic = ipc__calloc(&hub->settings.allocator, sizeof(*traffic));
    if (traffic == NULL) return NULL;
    ipc__queue_clear(hub, &traffic->queue);
  }
  traffic->early = 0;
  traffic->pong_end = traffic->fin_ack_end = 0;
  traffic->channel = channel;
  channel->traffic = traffic;
  return traffic;
}

static void give_back(ipc_channel_t* channel) {
  ipc__hub_t* hub = channel->hub;
  ipc__traffic_t* traffic = channel->traffic;

  channel->traffic = (ipc__traffic_t*) &ipc__no_traffic;
  if (hub->spare_traffic_count >= WARM_SPARES) {
    ipc__queue_drop(hub, &traffic->queue);
  }
  ipc__queue_clear(hub, &traffic->queue);
  if (hub->spare_traffic_count >= SPARES) {
    ipc__free(&hub->settings.allocator, traffic);
    return;
  }
  traffic->next = hub->spare_traffics;
  hub->spare_traffics = traffic;
  hub->spare_traffic_count++;
}

void ipc__hub_release_traffics(ipc__hub_t* hub) {
  ipc__traffic_t* traffic;

  while ((traffic = hub->spare_traffics) != NULL) {
    hub->spare_traffics = traffic->next;
    ipc__queue_drop(hub, &traffic->queue);
    ipc__free(&hub->settings.allocator, traffic);
  }
}

/* Nothing is queued or kept, and nothing looks for a position in the queue. A
 * connection that was lost has noted one. */
static int is_quiet(const ipc_channel_t* channel) {
  const ipc__traffic_t* traffic = channel->traffic;

  return channel->state == IPC__OPEN && !channel->write_busy &&
         traffic->kept.memory == NULL && traffic->again.at == 0 &&
         ipc__queue_is_empty(&traffic->queue);
}

void ipc__channel_settle(ipc_channel_t* channel) {
  if (ipc__channel_has_traffic(channel) && is_quiet(channel))
    give_back(channel);
}

void ipc__channel_drop_queue(ipc_channel_t* channel) {
  if (!ipc__channel_has_traffic(channel)) return;
  ipc__queue_drop(channel->hub, &channel->traffic->queue);
}

void ipc__channel_drop_traffic(ipc_channel_t* channel) {
  if (!ipc__channel_has_traffic(channel)) return;
  ipc__hub_clear_deadline(channel->hub, &channel->traffic->again);
  ipc__channel_drop_kept(channel);
  ipc__channel_drop_queue(channel);
  give_back(channel);
}

/* ---- Looking again ------------------------------------------------------ */

static void on_again(ipc__deadline_t* deadline) {
  ipc__traffic_t* traffic =
      (ipc__traffic_t*) ((char*) deadline - offsetof(ipc__traffic_t, again));

  ipc__hub_due(traffic->channel->hub, traffic->channel);
}

void ipc__channel_serve_again(ipc_channel_t* channel, int ms) {
  ipc__traffic_t* traffic = ipc__channel_own_traffic(channel);
  uint64_t soon = uv_now(channel->hub->loop) + (uint64_t) ms;

  if (traffic == NULL) {
    /* It can't wait, so it tries until it can. */
    ipc__hub_due(channel->hub, channel);
    return;
  }
  if (traffic->again.at != 0 && traffic->again.at <= soon) return;
  ipc__hub_set_deadline(channel->hub, &traffic->again, ms, 1, on_again);
}

void ipc__channel_serve_no_more(ipc_channel_t* channel) {
  if (!ipc__channel_has_traffic(channel)) return;
  ipc__hub_clear_deadline(channel->hub, &channel->traffic->again);
}
