/* Encoders and decoders of the formats that others use. A decoder sees all the
 * bytes of the message that have come so far each time that there are more, and
 * says the same of them however they came. */
#include "framing.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The Language Server Protocol names no limit; its two headers take 100 bytes.
 */
#define MAX_HEADERS ((size_t) 4 << 10)

/* What may be around a message of the largest size. */
#define MAX_AROUND ((size_t) 64 << 10)

static void put_frame(ipc_frame_t* frame, size_t start, size_t size) {
  frame->message_start = start;
  frame->message_size = size;
  frame->size = start + size;
}

/* ---- Delimiter ---------------------------------------------------------- */

static int decode_delimiter(const ipc__format_t* format,
                            const uint8_t* data,
                            size_t size,
                            size_t max_bytes,
                            size_t* scanned,
                            ipc_frame_t* frame) {
  const uint8_t* end = NULL;
  size_t message;

  if (size > *scanned) {
    end = memchr(data + *scanned, format->delimiter, size - *scanned);
  }
  message = end == NULL ? size : (size_t) (end - data);
  *scanned = message;
  if (message > max_bytes) return UV_EMSGSIZE;
  if (end == NULL) return 0;
  put_frame(frame, 0, message);
  frame->size++;
  return 0;
}

static int encode_delimiter(const ipc__format_t* format,
                            const uv_buf_t* pieces,
                            unsigned int count,
                            ipc__wrap_t* wrap) {
  unsigned int i;

  for (i = 0; i < count; i++) {
    if (pieces[i].len > 0 &&
        memchr(pieces[i].base, format->delimiter, pieces[i].len) != NULL) {
      return UV_EINVAL;
    }
  }
  wrap->tail[0] = format->delimiter;
  wrap->tail_size = 1;
  return 0;
}

/* ---- Length prefix ------------------------------------------------------ */

static size_t header_size(const ipc_length_prefix_t* prefix) {
  return (size_t) prefix->before + prefix->bytes + prefix->after;
}

/* A header with other fields is a part of its message. */
static int keeps_header(const ipc_length_prefix_t* prefix) {
  return prefix->before > 0 || prefix->after > 0;
}

static uint64_t get_length(const ipc_length_prefix_t* prefix,
                           const uint8_t* in) {
  uint64_t length = 0;
  unsigned int i;

  for (i = 0; i < prefix->bytes; i++) {
    unsigned int at = prefix->is_big_endian ? i : prefix->bytes - 1 - i;

    length = length << 8 | in[at];
  }
  return length;
}

static void put_length(const ipc_length_prefix_t* prefix,
                       uint8_t* out,
                       uint64_t length) {
  unsigned int i;

  for (i = 0; i < prefix->bytes; i++) {
    unsigned int at = prefix->is_big_endian ? prefix->bytes - 1 - i : i;

    out[at] = (uint8_t) (length >> (8 * i));
  }
}

static int decode_length(const ipc_length_prefix_t* prefix,
                         const uint8_t* data,
                         size_t size,
                         size_t max_bytes,
                         ipc_frame_t* frame) {
  size_t header = header_size(prefix);
  size_t kept = keeps_header(prefix) ? header : 0;
  uint64_t length;

  frame->size = header;
  if (size < header) return 0;
  length = get_length(prefix, data + prefix->before);
  if (prefix->adjustment >= 0) {
    if (length < (uint64_t) prefix->adjustment) return UV_EPROTO;
    length -= (uint64_t) prefix->adjustment;
  } else if (length <= max_bytes) { /* else it is too large anyway */
    length += (uint64_t) -prefix->adjustment;
  }
  if (kept > max_bytes || length > max_bytes - kept) return UV_EMSGSIZE;
  put_frame(frame, header - kept, kept + (size_t) length);
  return 0;
}

/* Copies the first bytes of a message that has so many. */
static void copy_front(const uv_buf_t* pieces, uint8_t* out, size_t size) {
  while (size > 0) {
    size_t part = pieces->len < size ? pieces->len : size;

    if (part > 0) memcpy(out, pieces->base, part);
    out += part;
    size -= part;
    pieces++;
  }
}

static int encode_length(const ipc_length_prefix_t* prefix,
                         const uv_buf_t* pieces,
                         size_t size,
                         ipc__wrap_t* wrap) {
  size_t header = header_size(prefix);
  int64_t length = (int64_t) size + prefix->adjustment;

  if (keeps_header(prefix)) {
    if (size < header) return UV_EINVAL;
    copy_front(pieces, wrap->head, header);
    wrap->replaced = header;
    length -= (int64_t) header;
  }
  if (length < 0) return UV_EINVAL;
  if (prefix->bytes < 8 && length >> (8 * prefix->bytes) != 0) {
    return UV_EMSGSIZE;
  }
  put_length(prefix, wrap->head + prefix->before, (uint64_t) length);
  wrap->head_size = header;
  return 0;
}

/* ---- Content-Length ----------------------------------------------------- */

/* Where "\r\n" begins, or NULL. */
static const uint8_t* find_line_end(const uint8_t* data, size_t size) {
  const uint8_t* end = size < 2 ? NULL : memchr(data, '\r', size - 1);

  return end != NULL && end[1] == '\n' ? end : NULL;
}

/* Whether a line without an end can't get one any more: a '\r' alone ends
 * nothing, unless its '\n' is to come, and neither does a '\n' alone, for which
 * its sender would wait in vain. */
static int has_stray_end(const uint8_t* line, size_t size) {
  const uint8_t* end = size == 0 ? NULL : memchr(line, '\r', size);

  if (end != NULL && end + 1 < line + size) return 1;
  return size > 0 && memchr(line, '\n', size) != NULL;
}

/* Whether the line is this header, which is given in lower case. */
static int is_header(const uint8_t* line, size_t size, const char* name) {
  size_t length = strlen(name);
  size_t i;

  if (size != length) return 0;
  for (i = 0; i < length; i++) {
    int c = line[i] >= 'A' && line[i] <= 'Z' ? line[i] + ('a' - 'A') : line[i];

    if (c != name[i]) return 0;
  }
  return 1;
}

static int is_blank(uint8_t c) {
  return c == ' ' || c == '\t';
}

/* Digits alone, with blanks around them. */
static int get_number(const uint8_t* text, size_t size, uint64_t* number) {
  size_t i = 0;

  while (size > 0 && is_blank(text[size - 1])) size--;
  while (i < size && is_blank(text[i])) i++;
  if (i == size) return UV_EPROTO;
  for (*number = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') return UV_EPROTO;
    if (*number > INT_MAX) return UV_EMSGSIZE;
    *number = *number * 10 + (uint64_t) (text[i] - '0');
  }
  return 0;
}

static int read_header(const uint8_t* line,
                       size_t size,
                       int* is_known,
                       uint64_t* length) {
  const uint8_t* colon = memchr(line, ':', size);
  size_t name = colon == NULL ? 0 : (size_t) (colon - line);

  if (name == 0 || memchr(line, '\n', size) != NULL) return UV_EPROTO;
  if (!is_header(line, name, "content-length")) return 0;
  if (*is_known) return UV_EPROTO;
  *is_known = 1;
  return get_number(colon + 1, size - name - 1, length);
}

static int decode_headers(const uint8_t* data,
                          size_t size,
                          size_t max_bytes,
                          ipc_frame_t* frame) {
  size_t limit = size < MAX_HEADERS ? size : MAX_HEADERS;
  uint64_t length = 0;
  int is_known = 0;
  size_t at = 0;
  int err;

  for (;;) {
    const uint8_t* line = data + at;
    const uint8_t* end = find_line_end(line, limit - at);

    if (end == NULL) {
      if (has_stray_end(line, limit - at)) return UV_EPROTO;
      return size >= MAX_HEADERS ? UV_EPROTO : 0;
    }
    at = (size_t) (end + 2 - data);
    if (end == line) break;
    err = read_header(line, (size_t) (end - line), &is_known, &length);
    if (err != 0) return err;
  }
  if (!is_known) return UV_EPROTO;
  if (length > max_bytes) return UV_EMSGSIZE;
  put_frame(frame, at, (size_t) length);
  return 0;
}

static int encode_headers(size_t size, ipc__wrap_t* wrap) {
  wrap->head_size = (size_t) snprintf((char*) wrap->head, sizeof(wrap->head),
                                      "Content-Length: %llu\r\n\r\n",
                                      (unsigned long long) size);
  return 0;
}

/* ---- The caller's ------------------------------------------------------- */

static int decode_codec(const ipc_codec_t* codec,
                        const uint8_t* data,
                        size_t size,
                        size_t max_bytes,
                        ipc_frame_t* frame) {
  size_t least;
  int err;

  err = codec->decode(data, size, frame, codec->arg);
  if (err != 0) return err < 0 ? err : UV_EPROTO;
  /* First of all, since of a frame that comes in pieces it is known first. */
  least = frame->size == 0 ? size : frame->size;
  if (least > max_bytes && least - max_bytes > MAX_AROUND) return UV_EMSGSIZE;
  if (frame->size == 0 || frame->size > size) return 0;
  if (frame->message_start > frame->size ||
      frame->message_size > frame->size - frame->message_start) {
    return UV_EPROTO;
  }
  if (frame->message_size > max_bytes) return UV_EMSGSIZE;
  return frame->size - frame->message_size > MAX_AROUND ? UV_EMSGSIZE : 0;
}

static int encode_codec(const ipc_codec_t* codec,
                        const uv_buf_t* pieces,
                        unsigned int count,
                        size_t size,
                        ipc__wrap_t* wrap) {
  ipc_envelope_t envelope;
  int err;

  envelope.head_size = envelope.tail_size = 0;
  err = codec->encode(pieces, count, size, &envelope, codec->arg);
  if (err != 0) return err < 0 ? err : UV_EINVAL;
  if (envelope.head_size > IPC_CODEC_BYTES ||
      envelope.tail_size > IPC_CODEC_BYTES) {
    return UV_EINVAL;
  }
  memcpy(wrap->head, envelope.head, envelope.head_size);
  memcpy(wrap->tail, envelope.tail, envelope.tail_size);
  wrap->head_size = envelope.head_size;
  wrap->tail_size = envelope.tail_size;
  /* Nothing at all would be sent, and nobody would see it. */
  return size + wrap->head_size + wrap->tail_size > 0 ? 0 : UV_EINVAL;
}

/* ---- All of them -------------------------------------------------------- */

int ipc__framing_decode(const ipc__format_t* format,
                        const uint8_t* data,
                        size_t size,
                        size_t max_bytes,
                        size_t* scanned,
                        ipc_frame_t* frame) {
  memset(frame, 0, sizeof(*frame));
  switch (format->framing) {
    case IPC_CHANNEL_FRAMING_DELIMITER:
      return decode_delimiter(format, data, size, max_bytes, scanned, frame);
    case IPC_CHANNEL_FRAMING_LENGTH_PREFIX:
      return decode_length(&format->prefix, data, size, max_bytes, frame);
    case IPC_CHANNEL_FRAMING_CONTENT_LENGTH:
      return decode_headers(data, size, max_bytes, frame);
    default:
      return decode_codec(&format->codec, data, size, max_bytes, frame);
  }
}

int ipc__framing_encode(const ipc__format_t* format,
                        const uv_buf_t* pieces,
                        unsigned int count,
                        size_t size,
                        ipc__wrap_t* wrap) {
  wrap->replaced = wrap->head_size = wrap->tail_size = 0;
  switch (format->framing) {
    case IPC_CHANNEL_FRAMING_DELIMITER:
      return encode_delimiter(format, pieces, count, wrap);
    case IPC_CHANNEL_FRAMING_LENGTH_PREFIX:
      return encode_length(&format->prefix, pieces, size, wrap);
    case IPC_CHANNEL_FRAMING_CONTENT_LENGTH:
      return encode_headers(size, wrap);
    case IPC_CHANNEL_FRAMING_CODEC:
      return encode_codec(&format->codec, pieces, count, size, wrap);
    default: /* sent as it is, but for what nobody could tell from the end */
      return size > 0 ? 0 : UV_EINVAL;
  }
}
