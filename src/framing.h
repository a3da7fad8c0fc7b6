/* The formats of others: where a message begins and ends in bytes that come,
 * and what goes around one that is sent. Pure functions: no memory, no libuv,
 * no I/O. src/wire.h has the native framing. */
#ifndef IPC_CHANNEL_FRAMING_H
#define IPC_CHANNEL_FRAMING_H

#include "ipc_channel.h"

typedef struct ipc__format_s {
  ipc_framing_t framing;
  uint8_t delimiter;
  ipc_length_prefix_t prefix;
  ipc_codec_t codec;
} ipc__format_t;

/* Room for the largest head: two times 64 bytes of fields and a length. */
#define IPC__HEAD_BYTES 136

/* What goes around a message, and how much at its front the head takes the
 * place of. */
typedef struct ipc__wrap_s {
  size_t replaced;
  size_t head_size;
  size_t tail_size;
  uint8_t head[IPC__HEAD_BYTES];
  uint8_t tail[IPC_CODEC_BYTES];
} ipc__wrap_t;

/* Whether there are messages: not in raw bytes. */
static inline int ipc__framing_has_messages(ipc_framing_t framing) {
  return framing != IPC_CHANNEL_FRAMING_RAW;
}

/* Whether they are to be found by ipc__framing_decode: the native framing has
 * its own way, and raw bytes and packets come as they are. */
static inline int ipc__framing_is_foreign(ipc_framing_t framing) {
  return framing != IPC_CHANNEL_FRAMING_NATIVE &&
         framing != IPC_CHANNEL_FRAMING_RAW &&
         framing != IPC_CHANNEL_FRAMING_PACKET;
}

/* Finds the first message of `size` bytes, 1 or more. 0: `frame` is filled in,
 * and not complete where its size is 0 or more than `size`. UV_EPROTO,
 * UV_EMSGSIZE, or what a codec says. `*scanned` of the bytes were looked at
 * before; it is told how many are now. Foreign framings only. */
int ipc__framing_decode(const ipc__format_t* format,
                        const uint8_t* data,
                        size_t size,
                        size_t max_bytes,
                        size_t* scanned,
                        ipc_frame_t* frame);

/* What goes around this message. UV_EINVAL: it can't be sent in this format;
 * UV_EMSGSIZE: its length can't be said; or what a codec says. Not for the
 * native framing. */
int ipc__framing_encode(const ipc__format_t* format,
                        const uv_buf_t* pieces,
                        unsigned int count,
                        size_t size,
                        ipc__wrap_t* wrap);

#endif /* IPC_CHANNEL_FRAMING_H */
