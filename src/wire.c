/* The native framing's encoders and decoders. Everything on the wire is little
 * endian and read byte by byte, so that neither alignment nor the machine's
 * order matters. */
#include "wire.h"

#include <string.h>
#include <uv.h>

/* The first byte is not UTF-8, so that no text protocol begins like this. */
static const uint8_t magic[4] = {0x89, 'I', 'P', 'C'};

/* Of a frame that is not a message: room for later kinds, not for abuse. */
#define MAX_CONTROL_BYTES 65536u

static void put_u16(uint8_t* out, uint16_t value) {
  out[0] = (uint8_t) value;
  out[1] = (uint8_t) (value >> 8);
}

void ipc__wire_put_u32(uint8_t* out, uint32_t value) {
  put_u16(out, (uint16_t) value);
  put_u16(out + 2, (uint16_t) (value >> 16));
}

static uint16_t get_u16(const uint8_t* in) {
  return (uint16_t) (in[0] | in[1] << 8);
}

uint32_t ipc__wire_get_u32(const uint8_t* in) {
  return get_u16(in) | (uint32_t) get_u16(in + 2) << 16;
}

void ipc__wire_put_u64(uint8_t* out, uint64_t value) {
  ipc__wire_put_u32(out, (uint32_t) value);
  ipc__wire_put_u32(out + 4, (uint32_t) (value >> 32));
}

uint64_t ipc__wire_get_u64(const uint8_t* in) {
  return ipc__wire_get_u32(in) | (uint64_t) ipc__wire_get_u32(in + 4) << 32;
}

void ipc__wire_put_hello(uint8_t* out, const ipc__hello_t* hello) {
  memcpy(out, magic, sizeof(magic));
  out[4] = hello->version;
  out[5] = hello->verdict;
  put_u16(out + 6, hello->features);
  ipc__wire_put_u32(out + 8, hello->max_message_bytes);
  ipc__wire_put_u32(out + 12, hello->heartbeat_ms);
}

int ipc__wire_get_hello(const uint8_t* in, ipc__hello_t* hello) {
  if (memcmp(in, magic, sizeof(magic)) != 0) return UV_EPROTO;
  hello->version = in[4];
  hello->verdict = in[5];
  hello->features = get_u16(in + 6);
  hello->max_message_bytes = ipc__wire_get_u32(in + 8);
  hello->heartbeat_ms = ipc__wire_get_u32(in + 12);
  return 0;
}

int ipc__wire_may_be_hello(const uint8_t* in, size_t size) {
  return memcmp(in, magic, size < sizeof(magic) ? size : sizeof(magic)) == 0;
}

void ipc__wire_put_header(uint8_t* out, uint8_t kind, uint32_t size) {
  ipc__wire_put_u32(out, size);
  out[4] = kind;
  out[5] = out[6] = out[7] = 0;
}

/* The payload that a known kind of control frame must have; -1: any. */
static int64_t exact_size(uint8_t kind) {
  switch (kind) {
    case IPC__WIRE_FIN:
      return 0;
    case IPC__WIRE_FIN_ACK:
    case IPC__WIRE_TAKEN:
      return IPC__WIRE_COUNT_BYTES;
    case IPC__WIRE_PING:
    case IPC__WIRE_PONG:
      return IPC__WIRE_PING_BYTES;
    default:
      return -1;
  }
}

/* What a kind that carries a message puts in front of it; -1: it carries none.
 */
static int prefix_size(uint8_t kind) {
  switch (kind) {
    case IPC__WIRE_MESSAGE:
      return 0;
    case IPC__WIRE_REQUEST:
      return IPC__WIRE_REQUEST_BYTES;
    case IPC__WIRE_REPLY:
      return IPC__WIRE_REPLY_BYTES;
    default:
      return -1;
  }
}

int ipc__wire_get_header(const uint8_t* in,
                         uint32_t max_bytes,
                         ipc__frame_t* frame) {
  int64_t exact;
  int prefix;

  frame->size = ipc__wire_get_u32(in);
  frame->kind = in[4];
  if ((in[5] | in[6] | in[7]) != 0) return UV_EPROTO;
  prefix = prefix_size(frame->kind);
  if (prefix >= 0) {
    if (frame->size < (uint32_t) prefix) return UV_EPROTO;
    return frame->size - (uint32_t) prefix > max_bytes ? UV_EMSGSIZE : 0;
  }
  exact = exact_size(frame->kind);
  if (exact < 0 && (frame->kind & IPC__WIRE_MUST_UNDERSTAND)) return UV_EPROTO;
  if (exact >= 0 && frame->size != exact) return UV_EPROTO;
  return frame->size > MAX_CONTROL_BYTES ? UV_EPROTO : 0;
}
