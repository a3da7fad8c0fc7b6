/* One direction of bytes or messages from a channel to a channel. */
#ifndef IPC_CHANNEL_TOOL_PASS_H
#define IPC_CHANNEL_TOOL_PASS_H

#include <ipc_channel.h>

typedef struct pass_s {
  ipc_channel_t* from;
  ipc_channel_t* to; /* may be the same */
  ipc_send_cb on_sent;
  void* arg; /* of on_sent */
  /* What `to` has refused; `from` is paused as long. */
  char* kept;
  size_t kept_bytes;
} pass_t;

/* Sends a copy. With `to` full, keeps it and pauses `from` until pass_drain. An
 * error is that of the send. */
int pass_message(pass_t* pass, const void* data, size_t size);

/* For on_drain of `to`. */
int pass_drain(pass_t* pass);

void pass_release(pass_t* pass);

#endif /* IPC_CHANNEL_TOOL_PASS_H */
