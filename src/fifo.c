/* FIFOs: channels on a path that programs without this library read and write
 * too. What is special about them is how they are opened; from then on they are
 * channels like any that was made of a handle. */
#include "channel.h"
#include "options.h"

int ipc_fifo_create(const char* path, int mode) {
  if (path == NULL || mode < 0 || mode > 0777) return UV_EINVAL;
  return ipc__fifo_create(path, mode);
}

static int check_options(const ipc__channel_options_t* o) {
  if (o == NULL) return UV_EINVAL;
  if (o->base.error != 0) return o->base.error;
  if (!ipc__settings_have_bytes(&o->base.channel)) return UV_EINVAL;
  return o->base.channel.access == IPC_CHANNEL_ACCESS_DUPLEX ? UV_ENOTSUP : 0;
}

int ipc_fifo_open(uv_loop_t* loop,
                  const ipc_channel_options_t* options,
                  const char* path,
                  void* data,
                  ipc_channel_t** out) {
  const ipc__channel_options_t* o = ipc__channel_options(options);
  ipc_channel_t* channel;
  ipc__fifo_t fifo;
  int err;

  if (path == NULL || out == NULL) return UV_EINVAL;
  *out = NULL;
  err = check_options(o);
  if (err != 0) return err;
  err = ipc__fifo_open(path, o->base.channel.access, &fifo);
  if (err != 0) return err;
  err = ipc__adopt(loop, options, path, fifo.handle, &channel);
  if (err != 0) goto fail_fifo;
  channel->client->is_fifo = 1;
  channel->client->has_keeper = fifo.has_keeper;
  channel->client->keeper = fifo.keeper;
  ipc__client_begin(channel, data);
  *out = channel;
  return 0;

fail_fifo:
  ipc__handle_close(fifo.handle);
  if (fifo.has_keeper) ipc__handle_close(fifo.keeper);
  return err;
}

/* While an end is open nothing else can get the FIFO's inode number, so that
 * is when it can be told from what has taken its place. */
int ipc_fifo_remove(ipc_channel_t* channel) {
  const char* path;

  if (channel == NULL || channel->client == NULL || !channel->client->is_fifo) {
    return UV_EINVAL;
  }
  path = channel->hub->os_name;
  if (channel->client->has_handle) {
    return ipc__fifo_remove(path, channel->client->handle);
  }
  if (channel->stream_state != IPC__STREAM_OPEN) return UV_ENOTCONN;
  return ipc__fifo_remove(path, ipc__stream_handle(&channel->stream));
}
