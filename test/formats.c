/* The formats of others in a table. */
#include "formats.h"

#include <stdio.h>

int format_codec_refuses;

/* ---- Netstrings --------------------------------------------------------- */

#define MAX_DIGITS 9

static int decode_netstring(const void* data,
                            size_t size,
                            ipc_frame_t* frame,
                            void* arg) {
  const char* text = data;
  size_t length = 0;
  size_t i = 0;

  assert_ptr_equal(arg, &format_codec_refuses);
  while (i < size && text[i] >= '0' && text[i] <= '9') {
    if (i == MAX_DIGITS) return UV_EPROTO;
    length = length * 10 + (size_t) (text[i++] - '0');
  }
  if (i == size) return 0;
  if (i == 0 || text[i] != ':') return UV_EPROTO;
  frame->message_start = i + 1;
  frame->message_size = length;
  frame->size = i + 1 + length + 1;
  if (frame->size > size) return 0;
  return text[frame->size - 1] == ',' ? 0 : UV_EPROTO;
}

static int encode_netstring(const uv_buf_t* pieces,
                            unsigned int count,
                            size_t size,
                            ipc_envelope_t* envelope,
                            void* arg) {
  size_t whole = 0;
  unsigned int i;

  assert_ptr_equal(arg, &format_codec_refuses);
  for (i = 0; i < count; i++) whole += pieces[i].len;
  assert_int_equal(whole, size);
  if (format_codec_refuses != 0) return format_codec_refuses;
  envelope->head_size = (size_t) snprintf(
      (char*) envelope->head, sizeof(envelope->head), "%u:", (unsigned) size);
  envelope->tail[0] = ',';
  envelope->tail_size = 1;
  return 0;
}

static const ipc_codec_t netstrings = {decode_netstring, encode_netstring,
                                       &format_codec_refuses};

/* ---- The table ---------------------------------------------------------- */

static const ipc_length_prefix_t big_prefix = {8, 1, 0, 0, 8};

int format_is_delimiter(format_t format) {
  return format == FORMAT_LINES || format == FORMAT_NULS;
}

ipc_framing_t format_framing(format_t format) {
  switch (format) {
    case FORMAT_LINES:
    case FORMAT_NULS:
      return IPC_CHANNEL_FRAMING_DELIMITER;
    case FORMAT_PREFIX:
    case FORMAT_BIG_PREFIX:
      return IPC_CHANNEL_FRAMING_LENGTH_PREFIX;
    case FORMAT_HEADERS:
      return IPC_CHANNEL_FRAMING_CONTENT_LENGTH;
    default:
      return IPC_CHANNEL_FRAMING_CODEC;
  }
}

void format_server(ipc_server_options_t* options, format_t format) {
  int err;

  switch (format) {
    case FORMAT_NULS:
      err = ipc_server_options_set_delimiter(options, 0);
      break;
    case FORMAT_BIG_PREFIX:
      err = ipc_server_options_set_length_prefix(options, &big_prefix);
      break;
    case FORMAT_NETSTRINGS:
      err = ipc_server_options_set_codec(options, &netstrings);
      break;
    default:
      err = ipc_server_options_set_framing(options, format_framing(format));
      break;
  }
  assert_int_equal(err, 0);
}

void format_client(ipc_client_options_t* options, format_t format) {
  int err;

  switch (format) {
    case FORMAT_NULS:
      err = ipc_client_options_set_delimiter(options, 0);
      break;
    case FORMAT_BIG_PREFIX:
      err = ipc_client_options_set_length_prefix(options, &big_prefix);
      break;
    case FORMAT_NETSTRINGS:
      err = ipc_client_options_set_codec(options, &netstrings);
      break;
    default:
      err = ipc_client_options_set_framing(options, format_framing(format));
      break;
  }
  assert_int_equal(err, 0);
}

void format_channel(ipc_channel_options_t* options, format_t format) {
  int err;

  switch (format) {
    case FORMAT_NULS:
      err = ipc_channel_options_set_delimiter(options, 0);
      break;
    case FORMAT_BIG_PREFIX:
      err = ipc_channel_options_set_length_prefix(options, &big_prefix);
      break;
    case FORMAT_NETSTRINGS:
      err = ipc_channel_options_set_codec(options, &netstrings);
      break;
    default:
      err = ipc_channel_options_set_framing(options, format_framing(format));
      break;
  }
  assert_int_equal(err, 0);
}

/* ---- On the wire -------------------------------------------------------- */

static size_t put_head(format_t format, uint8_t* out, size_t size) {
  uint64_t counted = (uint64_t) size + 8;
  size_t i;

  switch (format) {
    case FORMAT_PREFIX:
      for (i = 0; i < 4; i++) out[i] = (uint8_t) (size >> 8 * i);
      return 4;
    case FORMAT_BIG_PREFIX:
      for (i = 0; i < 8; i++) out[7 - i] = (uint8_t) (counted >> 8 * i);
      return 8;
    case FORMAT_HEADERS:
      return (size_t) sprintf((char*) out, "Content-Length: %u\r\n\r\n",
                              (unsigned) size);
    case FORMAT_NETSTRINGS:
      return (size_t) sprintf((char*) out, "%u:", (unsigned) size);
    default:
      return 0;
  }
}

size_t format_put(format_t format, void* out, const void* data, size_t size) {
  uint8_t* bytes = out;
  size_t used = put_head(format, bytes, size);

  if (size > 0) memcpy(bytes + used, data, size);
  used += size;
  if (format == FORMAT_LINES) bytes[used++] = '\n';
  if (format == FORMAT_NULS) bytes[used++] = 0;
  if (format == FORMAT_NETSTRINGS) bytes[used++] = ',';
  return used;
}

size_t format_put_texts(format_t format, void* out, const char* const* texts) {
  size_t used = 0;

  for (; *texts != NULL; texts++) {
    used += format_put(format, (uint8_t*) out + used, *texts, strlen(*texts));
  }
  return used;
}

/* ---- Messages ----------------------------------------------------------- */

/* Printable, so that no delimiter is in it. */
static uint8_t byte_at(size_t i, unsigned int seed) {
  return (uint8_t) (' ' + (i * 31 + (i >> 8) * 7 + seed * 17) % 90);
}

void format_fill(void* out, size_t size, unsigned int seed) {
  uint8_t* bytes = out;
  size_t i;

  for (i = 0; i < size; i++) bytes[i] = byte_at(i, seed);
}

void format_check(const void* data, size_t size, unsigned int seed) {
  const uint8_t* bytes = data;
  size_t i;

  for (i = 0; i < size; i++) {
    if (bytes[i] == byte_at(i, seed)) continue;
    fail_msg("message %u of %zu bytes differs at byte %zu", seed, size, i);
  }
}
