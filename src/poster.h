/* What the channel calls for the posters that are tied to it. All on the loop's
 * thread; none calls the user. `channel->posters` is their list. */
#ifndef IPC_CHANNEL_POSTER_H
#define IPC_CHANNEL_POSTER_H

#include "ipc_channel.h"

/* Moves posts into the channel's queue while there is room: when the channel
 * is served and whenever its queue has fallen. */
void ipc__posters_drain(ipc_channel_t* channel);

/* Whether a post waits to join the queue. */
int ipc__posters_hold(const ipc_channel_t* channel);

/* Accepts no more posts: UV_EPIPE from here on, on every thread. What was
 * accepted joins the queue whatever its limits with `deliver`, and is counted
 * in channel->unsent without. The rings' memory is given back; wakes go on.
 * For an end of the sending direction alone; may be called twice. With
 * `deliver`, call it while ipc__channel_post still takes messages: before the
 * FIN is queued, and before a close looks whether anything waits to be sent. */
void ipc__posters_end(ipc_channel_t* channel, int deliver);

/* The same, and no more wakes: unties the posters from the channel, which may
 * be released at any time from here on. Their handles keep the hub until they
 * are closed. */
void ipc__posters_close(ipc_channel_t* channel, int deliver);

#endif /* IPC_CHANNEL_POSTER_H */
