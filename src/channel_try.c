/* Receives that only try, and the memory that tries and waits hand out. */
#include <string.h>

#include "channel.h"

/* ---- What is lent ------------------------------------------------------- */

void ipc__channel_give_lent(ipc_channel_t* channel, ipc__lent_t* lent) {
  ipc__hub_give(channel->hub, lent->memory, lent->capacity);
  lent->memory = NULL;
  lent->capacity = 0;
}

void* ipc__channel_lend(ipc_channel_t* channel,
                        ipc__lent_t* lent,
                        size_t size) {
  ipc__channel_give_lent(channel, lent);
  lent->memory =
      ipc__hub_take(channel->hub, size > 0 ? size : 1, &lent->capacity);
  return lent->memory;
}

/* ---- Trying ------------------------------------------------------------- */

/* The message in front, or why there is none. */
static int find_front(ipc_channel_t* channel,
                      const uint8_t** data,
                      size_t* size,
                      size_t* whole) {
  int err;

  err = ipc__channel_check_receive(channel);
  if (err != 0) return err;
  return ipc__channel_front(channel, data, size, whole) ? 0 : UV_EAGAIN;
}

int ipc_channel_try_recv(ipc_channel_t* channel,
                         const void** data,
                         size_t* size) {
  const uint8_t* front;
  ipc__pulls_t* pulls;
  size_t whole;
  int err;

  if (channel == NULL || data == NULL || size == NULL) return UV_EINVAL;
  *data = NULL;
  *size = 0;
  err = find_front(channel, &front, size, &whole);
  if (err != 0) return err;
  pulls = ipc__channel_pulls(channel);
  if (pulls == NULL) goto fail_memory;
  if (!ipc__channel_steal_front(channel, whole, &pulls->lent)) {
    if (ipc__channel_lend(channel, &pulls->lent, *size) == NULL) {
      goto fail_memory;
    }
    if (*size > 0) memcpy(pulls->lent.memory, front, *size);
    front = pulls->lent.memory;
    ipc__channel_take_front(channel, whole);
  }
  channel->received++;
  *data = front;
  return 0;

fail_memory:
  *size = 0;
  return UV_ENOMEM;
}

int ipc_channel_try_recv_vector(ipc_channel_t* channel,
                                const uv_buf_t* pieces,
                                unsigned int count,
                                size_t* size) {
  const uint8_t* front;
  size_t whole;
  size_t room;
  size_t left;
  unsigned int i;
  int err;

  if (channel == NULL || size == NULL) return UV_EINVAL;
  if (ipc__channel_check_pieces(pieces, count) != 0) return UV_EINVAL;
  *size = 0;
  room = ipc__pieces_size(pieces, count);
  if (!ipc__channel_has_messages(channel) && room == 0) return UV_EINVAL;
  err = find_front(channel, &front, size, &whole);
  if (err != 0) return err;
  if (*size > room) {
    if (ipc__channel_has_messages(channel)) return UV_ENOBUFS;
    *size = whole = room;
  }
  left = *size;
  for (i = 0; left > 0; i++) {
    size_t part = pieces[i].len < left ? pieces[i].len : left;

    if (part == 0) continue;
    memcpy(pieces[i].base, front, part);
    front += part;
    left -= part;
  }
  channel->received++;
  if (channel->pulls != NULL) {
    ipc__channel_give_lent(channel, &channel->pulls->lent);
  }
  ipc__channel_take_front(channel, whole);
  return 0;
}
