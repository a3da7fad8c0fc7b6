/* The native framing: bytes to meaning and back. docs/wire-format.md specifies
 * it. Pure functions: no memory, no libuv, no I/O. */
#ifndef IPC_CHANNEL_WIRE_H
#define IPC_CHANNEL_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define IPC__WIRE_VERSION 1
#define IPC__WIRE_HELLO_BYTES 16
/* The shortest heartbeat that one side asks of the other, in milliseconds: who
 * is asked beats three times in it, and its loop must have the time. */
#define IPC__MIN_HEARTBEAT_MS 10

#define IPC__WIRE_HEADER_BYTES 8
#define IPC__WIRE_PING_BYTES 8
#define IPC__WIRE_COUNT_BYTES 8   /* of TAKEN and FIN-ACK */
#define IPC__WIRE_REQUEST_BYTES 4 /* in front of a request: its number */
#define IPC__WIRE_REPLY_BYTES 8   /* of a reply: the number and a status */

/* Frame kinds. A receiver that doesn't know a kind with MUST_UNDERSTAND ends
 * the channel; without, it skips the frame. */
#define IPC__WIRE_MUST_UNDERSTAND 0x80
enum {
  IPC__WIRE_PING = 0x01,
  IPC__WIRE_PONG = 0x02,
  IPC__WIRE_TAKEN = 0x03,
  IPC__WIRE_MESSAGE = 0x80,
  IPC__WIRE_FIN = 0x81,
  IPC__WIRE_FIN_ACK = 0x82,
  IPC__WIRE_REQUEST = 0x83,
  IPC__WIRE_REPLY = 0x84
};

/* What a reply says beside the number. */
enum { IPC__REPLY_DONE = 0, IPC__REPLY_NOBODY = 1 };

/* Features, in the hello: what the speaker does, or doesn't. */
enum {
  IPC__FEATURE_HEARTBEAT = 1,  /* beats as often as it is asked to */
  IPC__FEATURE_CALLS = 2,      /* knows REQUEST and REPLY */
  IPC__FEATURE_NO_SEND = 4,    /* sends no messages */
  IPC__FEATURE_NO_RECEIVE = 8, /* wants none */
  IPC__FEATURE_ONE_WAY = IPC__FEATURE_NO_SEND | IPC__FEATURE_NO_RECEIVE
};

/* What a server's hello says of the connection. */
typedef enum ipc__verdict_e {
  IPC__VERDICT_ACCEPTED = 0,
  IPC__VERDICT_BUSY = 1,
  IPC__VERDICT_DENIED = 2,
  IPC__VERDICT_VERSION = 3,
  /* A client's hello, which has none. So it differs from every server's, and
   * what an echo sends back is not taken for one. */
  IPC__VERDICT_NONE = 0xff
} ipc__verdict_t;

typedef struct ipc__hello_s {
  uint8_t version;
  uint8_t verdict;
  uint16_t features;
  uint32_t max_message_bytes;
  uint32_t
      heartbeat_ms; /* how often it wants to hear something; 0: never mind */
} ipc__hello_t;

typedef struct ipc__frame_s {
  uint8_t kind;
  uint32_t size; /* of the payload */
} ipc__frame_t;

void ipc__wire_put_hello(uint8_t* out, const ipc__hello_t* hello);
/* 0; UV_EPROTO: these 16 bytes are no hello. */
int ipc__wire_get_hello(const uint8_t* in, ipc__hello_t* hello);
/* Whether `size` bytes, at most 16, can be how a hello begins. */
int ipc__wire_may_be_hello(const uint8_t* in, size_t size);

void ipc__wire_put_header(uint8_t* out, uint8_t kind, uint32_t size);
/* Reads a header of 8 bytes. UV_EPROTO: not a frame, or one that has to be
 * understood and is not; UV_EMSGSIZE: larger than `max_bytes`. Control frames
 * are never larger than 64 KiB. */
int ipc__wire_get_header(const uint8_t* in,
                         uint32_t max_bytes,
                         ipc__frame_t* frame);

/* Whether the header is that of a message of at most `max_bytes`, as nearly all
 * are; what it is otherwise, ipc__wire_get_header tells. */
static inline int ipc__wire_is_message(const uint8_t* in,
                                       uint32_t max_bytes,
                                       uint32_t* size) {
  *size = in[0] | (uint32_t) in[1] << 8 | (uint32_t) in[2] << 16 |
          (uint32_t) in[3] << 24;
  return in[4] == IPC__WIRE_MESSAGE && (in[5] | in[6] | in[7]) == 0 &&
         *size <= max_bytes;
}

void ipc__wire_put_u32(uint8_t* out, uint32_t value);
uint32_t ipc__wire_get_u32(const uint8_t* in);
void ipc__wire_put_u64(uint8_t* out, uint64_t value);
uint64_t ipc__wire_get_u64(const uint8_t* in);

#endif /* IPC_CHANNEL_WIRE_H */
