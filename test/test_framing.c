/* The formats of others, as pure functions: what each decoder finds, against a
 * model and however the bytes come, and what each encoder puts around a
 * message. */
#include "harness.h"

#include <stdio.h>

#include "decode_walk.h"

#define KIB ((size_t) 1 << 10)
#define MAX_AROUND (64 * KIB)
#define MAX_HEADERS (4 * KIB)
#define MAX_MESSAGE ((size_t) INT32_MAX)

static walk_t walked;
static walk_t again;
static uint8_t stream[256 * 1024];
static uint8_t message[4096];

static ipc__format_t format_of(ipc_framing_t framing) {
  ipc__format_t format = {0};

  format.framing = framing;
  format.delimiter = '\n';
  format.prefix.bytes = 4;
  return format;
}

static int decode(const ipc__format_t* format,
                  const void* data,
                  size_t size,
                  size_t max,
                  ipc_frame_t* frame) {
  size_t scanned = 0;

  return ipc__framing_decode(format, data, size, max, &scanned, frame);
}

/* ---- However they come -------------------------------------------------- */

/* In two pieces cut anywhere, byte by byte, and in pieces of any size; with and
 * without a memory. `walked` has what was found. */
static void walk_every_way(const ipc__format_t* format,
                           const uint8_t* data,
                           size_t size,
                           size_t max) {
  walk_chunks_t chunks = {0};
  size_t cut;

  walk(format, data, size, max, &chunks, &walked);
  for (chunks.forgets = 0; chunks.forgets <= 1; chunks.forgets++) {
    for (cut = 1; cut < size; cut++) {
      chunks.first = cut;
      walk(format, data, size, max, &chunks, &again);
      assert_true(walk_is_same(&walked, &again));
    }
    chunks.first = 0;
    for (chunks.others = 1; chunks.others < 9; chunks.others++) {
      for (chunks.seed = 0; chunks.seed < 3; chunks.seed++) {
        walk(format, data, size, max, &chunks, &again);
        assert_true(walk_is_same(&walked, &again));
      }
    }
    chunks.others = 0;
  }
}

/* The messages as text, each followed by '|', then what ended the stream. */
static void check_text(const ipc__format_t* format,
                       const char* data,
                       size_t size,
                       size_t max,
                       const char* expected,
                       int err) {
  char found[512];
  size_t used = 0;
  size_t i;

  walk_every_way(format, (const uint8_t*) data, size, max);
  for (i = 0; i < walked.count; i++) {
    memcpy(found + used, data + walked.messages[i].start,
           walked.messages[i].size);
    used += walked.messages[i].size;
    found[used++] = '|';
  }
  found[used] = '\0';
  assert_string_equal(found, expected);
  assert_int_equal(walked.err, err);
}

typedef struct text_case_s {
  const char* data;
  const char* messages;
  int err;
} text_case_t;

static void check_texts(const ipc__format_t* format,
                        size_t max,
                        const text_case_t* cases,
                        size_t count) {
  size_t i;

  for (i = 0; i < count; i++) {
    check_text(format, cases[i].data, strlen(cases[i].data), max,
               cases[i].messages, cases[i].err);
  }
}

/* ---- Round trips -------------------------------------------------------- */

/* What is sent, as a whole. */
static int assemble(const ipc__format_t* format,
                    const uv_buf_t* pieces,
                    unsigned int count,
                    size_t* size) {
  ipc__wrap_t wrap;
  size_t body = 0;
  unsigned int i;
  int err;

  for (i = 0; i < count; i++) body += pieces[i].len;
  memset(&wrap, 0xa5, sizeof(wrap));
  err = ipc__framing_encode(format, pieces, count, body, &wrap);
  if (err != 0) return err;
  assert_true(wrap.replaced <= body && wrap.replaced <= wrap.head_size);
  memcpy(stream, wrap.head, wrap.head_size);
  *size = wrap.head_size - wrap.replaced;
  for (i = 0; i < count; i++) {
    if (pieces[i].len == 0) continue;
    memcpy(stream + *size, pieces[i].base, pieces[i].len);
    *size += pieces[i].len;
  }
  memcpy(stream, wrap.head, wrap.head_size);
  memcpy(stream + *size, wrap.tail, wrap.tail_size);
  *size += wrap.tail_size;
  return 0;
}

static int assemble_one(const ipc__format_t* format,
                        const void* data,
                        size_t size,
                        size_t* whole) {
  uv_buf_t piece = uv_buf_init((char*) data, (unsigned int) size);

  return assemble(format, &piece, 1, whole);
}

/* ---- Delimiter ---------------------------------------------------------- */

static void test_delimiter(void** state) {
  static const text_case_t cases[] = {
      {"", "", 0},
      {"a", "", 0},
      {"\n", "|", 0},
      {"\n\n\n", "|||", 0},
      {"one\ntwo\n\nthree\nfour", "one|two||three|", 0},
      {"a\r\nb\r\n", "a\r|b\r|", 0},
      {"1234567890\n1", "1234567890|", 0},
      {"1\n1234567890", "1|", 0},
      {"1\n1234567890\n", "1|1234567890|", 0},
      {"1\n12345678901", "1|", UV_EMSGSIZE},
      {"1\n12345678901\n2\n", "1|", UV_EMSGSIZE},
  };
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_DELIMITER);

  (void) state;
  check_texts(&format, 10, cases, TEST_COUNT(cases));
}

static void test_every_delimiter(void** state) {
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_DELIMITER);
  uint8_t all[512];
  size_t whole;
  int byte, i;

  (void) state;
  for (i = 0; i < 512; i++) all[i] = (uint8_t) i;
  for (byte = 0; byte < 256; byte++) {
    format.delimiter = (uint8_t) byte;
    walk_every_way(&format, all, sizeof(all), 255);
    assert_int_equal(walked.count, 2);
    assert_int_equal(walked.messages[0].size, byte);
    assert_int_equal(walked.messages[1].size, 255);
    assert_int_equal(walked.left, 255 - byte);
    for (i = 0; i < 256; i++) {
      assert_int_equal(assemble_one(&format, all + i, 1, &whole),
                       i == byte ? UV_EINVAL : 0);
    }
    assert_int_equal(assemble_one(&format, NULL, 0, &whole), 0);
    assert_int_equal(whole, 1);
    assert_int_equal(stream[0], byte);
  }
}

/* In whatever piece, and wherever in it. */
static void test_delimiter_inside(void** state) {
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_DELIMITER);
  char text[] = "abcdefghi";
  uv_buf_t pieces[5];
  size_t whole, i;

  (void) state;
  pieces[0] = uv_buf_init(NULL, 0);
  pieces[1] = uv_buf_init(text, 4);
  pieces[2] = uv_buf_init(text, 0);
  pieces[3] = uv_buf_init(text + 4, 5);
  pieces[4] = uv_buf_init(NULL, 0);
  assert_int_equal(assemble(&format, pieces, 5, &whole), 0);
  assert_int_equal(whole, 10);
  assert_memory_equal(stream, "abcdefghi\n", 10);
  for (i = 0; i < 9; i++) {
    char kept = text[i];

    text[i] = '\n';
    assert_int_equal(assemble(&format, pieces, 5, &whole), UV_EINVAL);
    text[i] = kept;
  }
  assert_int_equal(assemble(&format, NULL, 0, &whole), 0);
  assert_int_equal(whole, 1);
}

/* ---- Length prefix ------------------------------------------------------ */

static const unsigned int widths[] = {1, 2, 4, 8};
static const unsigned int fields[] = {0, 1, 3, 64};
static const int adjustments[] = {-136, -5, -1, 0, 1, 2, 8, 13, 135, 136};

typedef void (*prefix_check_t)(const ipc__format_t* format);

static void for_every_prefix(prefix_check_t check) {
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_LENGTH_PREFIX);
  size_t w, b, a, j;
  int big;

  for (w = 0; w < TEST_COUNT(widths); w++) {
    for (b = 0; b < TEST_COUNT(fields); b++) {
      for (a = 0; a < TEST_COUNT(fields); a++) {
        for (j = 0; j < TEST_COUNT(adjustments); j++) {
          for (big = 0; big <= 1; big++) {
            format.prefix.bytes = widths[w];
            format.prefix.before = fields[b];
            format.prefix.after = fields[a];
            format.prefix.adjustment = adjustments[j];
            format.prefix.is_big_endian = big;
            check(&format);
          }
        }
      }
    }
  }
}

static size_t header_of(const ipc_length_prefix_t* prefix) {
  return prefix->before + prefix->bytes + prefix->after;
}

static int keeps_header(const ipc_length_prefix_t* prefix) {
  return prefix->before + prefix->after > 0;
}

static uint64_t largest_of(const ipc_length_prefix_t* prefix) {
  return prefix->bytes == 8 ? UINT64_MAX
                            : ((uint64_t) 1 << 8 * prefix->bytes) - 1;
}

static void put_model(const ipc_length_prefix_t* prefix,
                      uint64_t length,
                      uint8_t* frame) {
  unsigned int i;

  for (i = 0; i < prefix->bytes; i++) {
    unsigned int at = prefix->is_big_endian ? prefix->bytes - 1 - i : i;

    frame[prefix->before + at] = (uint8_t) (length & 255);
    length >>= 8;
  }
}

/* The length that goes before a message of this size. */
static int model_encode(const ipc_length_prefix_t* prefix,
                        size_t size,
                        uint64_t* length) {
  int64_t body = (int64_t) size;

  if (keeps_header(prefix)) body -= (int64_t) header_of(prefix);
  if (body < 0) return UV_EINVAL;
  body += prefix->adjustment;
  if (body < 0) return UV_EINVAL;
  *length = (uint64_t) body;
  return *length > largest_of(prefix) ? UV_EMSGSIZE : 0;
}

static void check_round_trip(const ipc__format_t* format) {
  static uint8_t expected[sizeof(message) + KIB];
  const ipc_length_prefix_t* prefix = &format->prefix;
  size_t header = header_of(prefix);
  size_t kept = keeps_header(prefix) ? header : 0;
  size_t sizes[] = {0,   1,   header - 1, header, header + 1, 136,
                    137, 200, 255,        256,    257,        300,
                    391, 392, 393,        519,    520,        4000};
  ipc_frame_t frame;
  uint64_t length = 0;
  size_t whole, i;
  int err;

  for (i = 0; i < TEST_COUNT(sizes); i++) {
    size_t size = sizes[i];

    err = assemble_one(format, message, size, &whole);
    assert_int_equal(err, model_encode(prefix, size, &length));
    if (err != 0) continue;
    assert_int_equal(whole, size + header - kept);
    memcpy(expected + header - kept, message, size);
    put_model(prefix, length, expected);
    assert_memory_equal(stream, expected, whole);
    assert_int_equal(decode(format, stream, whole, MAX_MESSAGE, &frame), 0);
    assert_int_equal(frame.size, whole);
    assert_int_equal(frame.message_start, header - kept);
    assert_int_equal(frame.message_size, size);
  }
}

static void fill_message(void) {
  size_t i;

  for (i = 0; i < sizeof(message); i++) message[i] = (uint8_t) (i * 7 + 1);
}

static void test_prefix_round_trip(void** state) {
  (void) state;
  fill_message();
  for_every_prefix(check_round_trip);
}

/* What a length means, lies included. */
static int model_decode(const ipc_length_prefix_t* prefix,
                        uint64_t length,
                        size_t max,
                        size_t* size) {
  uint64_t added = keeps_header(prefix) ? header_of(prefix) : 0;

  if (prefix->adjustment > 0) {
    if (length < (uint64_t) prefix->adjustment) return UV_EPROTO;
    length -= (uint64_t) prefix->adjustment;
  } else {
    added += (uint64_t) -prefix->adjustment;
  }
  if (length > max || length + added > max) return UV_EMSGSIZE;
  *size = (size_t) (length + added);
  return 0;
}

static void check_lies(const ipc__format_t* format) {
  static const size_t maxima[] = {1, 100, 136, 300, 65535, MAX_MESSAGE};
  const ipc_length_prefix_t* prefix = &format->prefix;
  size_t header = header_of(prefix);
  size_t kept = keeps_header(prefix) ? header : 0;
  unsigned int bit;
  size_t m;
  int beside;

  for (m = 0; m < TEST_COUNT(maxima); m++) {
    for (bit = 0; bit <= 8 * prefix->bytes; bit++) {
      for (beside = -2; beside <= 2; beside++) {
        uint64_t length = bit == 64 ? 0 : (uint64_t) 1 << bit;
        ipc_frame_t frame;
        size_t size = 0;
        int err;

        length += (uint64_t) (int64_t) beside;
        if (bit % 3 == 0) length += maxima[m] - 1;
        length &= largest_of(prefix);
        put_model(prefix, length, stream);
        err = decode(format, stream, header, maxima[m], &frame);
        assert_int_equal(err, model_decode(prefix, length, maxima[m], &size));
        if (err != 0) continue;
        assert_int_equal(frame.message_size, size);
        assert_int_equal(frame.message_start, header - kept);
        assert_int_equal(frame.size, header - kept + size);
      }
    }
  }
}

static void test_prefix_lies(void** state) {
  (void) state;
  memset(stream, 0, KIB);
  for_every_prefix(check_lies);
}

/* Three messages of any sizes, and the beginning of a fourth. */
static void check_stream(const ipc__format_t* format) {
  const ipc_length_prefix_t* prefix = &format->prefix;
  size_t least = keeps_header(prefix) ? header_of(prefix) : 0;
  static uint8_t all[2 * 1024];
  size_t used = 0;
  size_t whole, i;

  /* Enough of them to see each member at work. */
  if (prefix->before + prefix->after > 4) return;
  if (prefix->adjustment < 0) least += (size_t) -prefix->adjustment;
  if (prefix->bytes == 1 && prefix->adjustment > 13) return;
  for (i = 0; i < 4; i++) {
    assert_int_equal(assemble_one(format, message, least + i, &whole), 0);
    memcpy(all + used, stream, whole);
    used += whole;
  }
  walk_every_way(format, all, used - 1, least + 3);
  assert_int_equal(walked.count, 3);
  assert_int_equal(walked.err, 0);
  assert_int_equal(walked.left, whole - 1);
  walk_every_way(format, all, used, least + 2);
  assert_int_equal(walked.count, 3);
  assert_int_equal(walked.err, UV_EMSGSIZE);
}

static void test_prefix_streams(void** state) {
  (void) state;
  fill_message();
  for_every_prefix(check_stream);
}

/* A header of another's lies in the pieces as it likes. */
static void test_prefix_pieces(void** state) {
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_LENGTH_PREFIX);
  static uint8_t expected[KIB];
  uv_buf_t pieces[6];
  size_t whole, a, b;

  (void) state;
  fill_message();
  format.prefix.bytes = 2;
  format.prefix.before = 3;
  format.prefix.after = 4;
  assert_int_equal(assemble_one(&format, message, 100, &whole), 0);
  assert_int_equal(whole, 100);
  memcpy(expected, stream, 100);
  for (a = 0; a <= 12; a++) {
    for (b = 0; a + b <= 12; b++) {
      char* text = (char*) message;

      pieces[0] = uv_buf_init(NULL, 0);
      pieces[1] = uv_buf_init(text, (unsigned int) a);
      pieces[2] = uv_buf_init(text, 0);
      pieces[3] = uv_buf_init(text + a, (unsigned int) b);
      pieces[4] = uv_buf_init(text + a + b, (unsigned int) (100 - a - b));
      pieces[5] = uv_buf_init(NULL, 0);
      assert_int_equal(assemble(&format, pieces, 6, &whole), 0);
      assert_int_equal(whole, 100);
      assert_memory_equal(stream, expected, 100);
    }
  }
}

/* ---- Content-Length ----------------------------------------------------- */

static void test_headers(void** state) {
  static const text_case_t cases[] = {
      {"Content-Length: 3\r\n\r\nabcrest", "abc|", 0},
      {"Content-Length: 3\r\n\r\nab", "", 0},
      {"Content-Length: 0\r\n\r\nContent-Length:1\r\n\r\nx", "|x|", 0},
      {"CONTENT-LENGTH:3\r\n\r\nabc", "abc|", 0},
      {"content-length: \t 3 \t\r\n\r\nabc", "abc|", 0},
      {"Content-Length: 000000000000003\r\n\r\nabc", "abc|", 0},
      {"Content-Type: a; b=\"c:d\"\r\ncOnTeNt-LeNgTh:3\r\nX:\r\n\r\nabc",
       "abc|", 0},
      {"Content-Length: 2\r\n\r\n\r\nContent-Length: 1\r\n\r\n\n", "\r\n|\n|",
       0},
      {"Content-Length: 10\r\n\r\n1234567890", "1234567890|", 0},
      {"Content-Length: 11\r\n\r\n12345678901", "", UV_EMSGSIZE},
      {"Content-Length: 2147483647\r\n\r\n", "", UV_EMSGSIZE},
      {"Content-Length: 2147483648\r\n\r\n", "", UV_EMSGSIZE},
      {"Content-Length: 4294967299\r\n\r\nabc", "", UV_EMSGSIZE},
      {"Content-Length: 18446744073709551619\r\n\r\nabc", "", UV_EMSGSIZE},
      {"Content-Length: 99999999999999999999999999999\r\n\r\n", "",
       UV_EMSGSIZE},
      {"\r\n\r\n", "", UV_EPROTO},
      {"X: y\r\n\r\n", "", UV_EPROTO},
      {"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length\r\n\r\n", "", UV_EPROTO},
      {"Content-Length:\r\n\r\n", "", UV_EPROTO},
      {"Content-Length:  \t\r\n\r\n", "", UV_EPROTO},
      {"Content-Length: +3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length: -3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length: 3 3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length: 0x3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length: 3,3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length: 3.\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length : 3\r\n\r\nabc", "", UV_EPROTO},
      {" Content-Length: 3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Lengt: 3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Lengthy: 3\r\n\r\nabc", "", UV_EPROTO},
      {":3\r\n\r\nabc", "", UV_EPROTO},
      {"GET / HTTP/1.1\r\n", "", UV_EPROTO},
      {"X: y\rContent-Length: 3\r\n\r\nabc", "", UV_EPROTO},
      {"X: y\r\rContent-Length: 3\r\n\r\nabc", "", UV_EPROTO},
      {"X: y\r\r\nContent-Length: 3\r\n\r\nabc", "", UV_EPROTO},
      {"X: y\nContent-Length: 3\r\n\r\nabc", "", UV_EPROTO},
      {"Content-Length: 3\n\nabc", "", UV_EPROTO},
      {"Content-Length: 3\r\n\nabc", "", UV_EPROTO},
      {"hello\n", "", UV_EPROTO},
      {"hello\r", "", 0},
      {"Content-Length: 3\r", "", 0},
      {"Content-Length: 3\r\n\r", "", 0},
  };
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_CONTENT_LENGTH);

  (void) state;
  check_texts(&format, 10, cases, TEST_COUNT(cases));
}

/* Headers of `size` bytes in all, and a message. */
static size_t put_long_headers(size_t size) {
  static const char last[] = "\r\nContent-Length: 2\r\n\r\n";
  size_t last_size = strlen(last);

  memset(stream, 'x', size);
  stream[1] = ':';
  memcpy(stream + size - last_size, last, last_size);
  memcpy(stream + size, "hi", 2);
  return size + 2;
}

static void test_header_limit(void** state) {
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
  walk_chunks_t chunks = {0};
  size_t over, first, size;

  (void) state;
  for (over = 0; over <= 3; over++) {
    size = put_long_headers(MAX_HEADERS - 1 + over);
    /* Around the end of the headers, and byte by byte. */
    for (first = MAX_HEADERS - 9; first <= size; first++) {
      chunks.first = first;
      chunks.others = first % 2;
      walk(&format, stream, size, 10, &chunks, &walked);
      assert_int_equal(walked.err, over <= 1 ? 0 : UV_EPROTO);
      assert_int_equal(walked.count, over <= 1 ? 1 : 0);
      if (over <= 1) assert_int_equal(walked.messages[0].size, 2);
    }
  }
  memset(stream, 'x', MAX_HEADERS);
  chunks.first = chunks.others = 0;
  walk(&format, stream, MAX_HEADERS - 1, 10, &chunks, &walked);
  assert_int_equal(walked.err, 0);
  walk(&format, stream, MAX_HEADERS, 10, &chunks, &walked);
  assert_int_equal(walked.err, UV_EPROTO);
}

static void test_headers_round_trip(void** state) {
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_CONTENT_LENGTH);
  size_t size, whole;
  ipc_frame_t frame;
  ipc__wrap_t wrap;

  (void) state;
  fill_message();
  for (size = 0; size < 2000; size++) {
    assert_int_equal(assemble_one(&format, message, size, &whole), 0);
    assert_int_equal(decode(&format, stream, whole, size + 1, &frame), 0);
    assert_int_equal(frame.size, whole);
    assert_int_equal(frame.message_size, size);
    assert_memory_equal(stream + frame.message_start, message, size);
  }
  assert_int_equal(ipc__framing_encode(&format, NULL, 0, MAX_MESSAGE, &wrap),
                   0);
  assert_int_equal(wrap.tail_size, 0);
  assert_int_equal(wrap.head_size, 30);
  assert_memory_equal(wrap.head, "Content-Length: 2147483647\r\n\r\n", 30);
}

/* ---- Codec -------------------------------------------------------------- */

typedef struct puppet_s {
  ipc_frame_t frame;
  int result;
  size_t head_size;
  size_t tail_size;
} puppet_t;

static int decode_puppet(const void* data,
                         size_t size,
                         ipc_frame_t* frame,
                         void* arg) {
  const puppet_t* puppet = arg;

  assert_non_null(data);
  assert_true(size > 0);
  assert_int_equal(frame->size, 0);
  assert_int_equal(frame->message_start, 0);
  assert_int_equal(frame->message_size, 0);
  *frame = puppet->frame;
  return puppet->result;
}

static int encode_puppet(const uv_buf_t* pieces,
                         unsigned int count,
                         size_t size,
                         ipc_envelope_t* envelope,
                         void* arg) {
  const puppet_t* puppet = arg;
  unsigned int i;

  for (i = 0; i < count; i++) size -= pieces[i].len;
  assert_int_equal(size, 0);
  assert_int_equal(envelope->head_size, 0);
  assert_int_equal(envelope->tail_size, 0);
  envelope->head_size = puppet->head_size;
  envelope->tail_size = puppet->tail_size;
  memset(envelope->head, 'h', sizeof(envelope->head));
  memset(envelope->tail, 't', sizeof(envelope->tail));
  return puppet->result;
}

static ipc__format_t codec_of(puppet_t* puppet) {
  ipc__format_t format = format_of(IPC_CHANNEL_FRAMING_CODEC);

  format.codec.decode = decode_puppet;
  format.codec.encode = encode_puppet;
  format.codec.arg = puppet;
  return format;
}

/* What a codec says of `there` bytes, with messages of 1000 bytes at most. */
static void test_codec_decodes(void** state) {
  static const struct {
    size_t there;
    ipc_frame_t frame;
    int result;
    int err;
  } cases[] = {
      {10, {10, 0, 10}, 0, 0},
      {10, {10, 10, 0}, 0, 0},
      {10, {10, 3, 7}, 0, 0},
      {10, {1, 0, 0}, 0, 0},
      {10, {10, 3, 8}, 0, UV_EPROTO},
      {10, {10, 11, 0}, 0, UV_EPROTO},
      {10, {10, SIZE_MAX, 1}, 0, UV_EPROTO},
      {10, {10, 1, SIZE_MAX}, 0, UV_EPROTO},
      {10, {10, SIZE_MAX, SIZE_MAX}, 0, UV_EPROTO},
      {10, {10, 0, 10}, 1, UV_EPROTO},
      {10, {10, 0, 10}, UV_EACCES, UV_EACCES},
      {10, {0, 0, 0}, UV_EIO, UV_EIO},
      {1000, {1000, 0, 1000}, 0, 0},
      {1001, {1001, 0, 1000}, 0, 0},
      {1001, {1001, 0, 1001}, 0, UV_EMSGSIZE},
      /* Around it. */
      {MAX_AROUND, {MAX_AROUND, 0, 0}, 0, 0},
      {MAX_AROUND + 1, {MAX_AROUND + 1, 0, 0}, 0, UV_EMSGSIZE},
      {MAX_AROUND + 1, {MAX_AROUND + 1, 1, 1}, 0, 0},
      {MAX_AROUND + 1000, {MAX_AROUND + 1000, 7, 1000}, 0, 0},
      {MAX_AROUND + 1001, {MAX_AROUND + 1001, 7, 1000}, 0, UV_EMSGSIZE},
      /* As when it came in pieces: the size is known to be too much first. */
      {MAX_AROUND + 1001, {MAX_AROUND + 1001, 0, SIZE_MAX}, 0, UV_EMSGSIZE},
      {MAX_AROUND + 1000, {MAX_AROUND + 1000, 0, SIZE_MAX}, 0, UV_EPROTO},
      /* Not there as a whole. */
      {10, {11, 99, 99}, 0, 0},
      {10, {MAX_AROUND + 1000, 99, 99}, 0, 0},
      {10, {MAX_AROUND + 1001, 99, 99}, 0, UV_EMSGSIZE},
      {10, {SIZE_MAX, 0, 0}, 0, UV_EMSGSIZE},
      {MAX_AROUND + 1000, {0, 0, 0}, 0, 0},
      {MAX_AROUND + 1001, {0, 0, 0}, 0, UV_EMSGSIZE},
  };
  ipc_frame_t frame;
  puppet_t puppet;
  ipc__format_t format = codec_of(&puppet);
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(cases); i++) {
    puppet.frame = cases[i].frame;
    puppet.result = cases[i].result;
    assert_int_equal(decode(&format, stream, cases[i].there, 1000, &frame),
                     cases[i].err);
    if (cases[i].err == 0) {
      assert_int_equal(frame.size, cases[i].frame.size);
    }
  }
}

static void test_codec_encodes(void** state) {
  static const struct {
    size_t head;
    size_t tail;
    size_t size;
    int result;
    int err;
  } cases[] = {
      {0, 0, 1, 0, 0},
      {0, 0, 0, 0, UV_EINVAL}, /* nobody would see it */
      {1, 0, 0, 0, 0},
      {0, 1, 0, 0, 0},
      {IPC_CODEC_BYTES, IPC_CODEC_BYTES, 100, 0, 0},
      {IPC_CODEC_BYTES + 1, 0, 100, 0, UV_EINVAL},
      {0, IPC_CODEC_BYTES + 1, 100, 0, UV_EINVAL},
      {SIZE_MAX, 0, 100, 0, UV_EINVAL},
      {0, SIZE_MAX, 100, 0, UV_EINVAL},
      {SIZE_MAX, SIZE_MAX, SIZE_MAX / 2, 1, UV_EINVAL},
      {1, 1, 100, 1, UV_EINVAL},
      {1, 1, 100, UV_EACCES, UV_EACCES},
  };
  puppet_t puppet;
  ipc__format_t format = codec_of(&puppet);
  size_t whole, i;

  (void) state;
  fill_message();
  for (i = 0; i < TEST_COUNT(cases); i++) {
    size_t size = cases[i].size < KIB ? cases[i].size : 10;

    puppet.head_size = cases[i].head;
    puppet.tail_size = cases[i].tail;
    puppet.result = cases[i].result;
    assert_int_equal(assemble_one(&format, message, size, &whole),
                     cases[i].err);
    if (cases[i].err != 0) continue;
    assert_int_equal(whole, puppet.head_size + size + puppet.tail_size);
    assert_memory_equal(stream + puppet.head_size, message, size);
    if (puppet.head_size > 0) assert_int_equal(stream[0], 'h');
    if (puppet.tail_size > 0) assert_int_equal(stream[whole - 1], 't');
  }
}

/* ---- Which is which ----------------------------------------------------- */

static void test_kinds(void** state) {
  int framing;

  (void) state;
  for (framing = 0; framing <= IPC_CHANNEL_FRAMING_PACKET; framing++) {
    int is_foreign = framing != IPC_CHANNEL_FRAMING_NATIVE &&
                     framing != IPC_CHANNEL_FRAMING_RAW &&
                     framing != IPC_CHANNEL_FRAMING_PACKET;

    assert_int_equal(ipc__framing_is_foreign((ipc_framing_t) framing) != 0,
                     is_foreign);
    assert_int_equal(ipc__framing_has_messages((ipc_framing_t) framing) != 0,
                     framing != IPC_CHANNEL_FRAMING_RAW);
  }
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_delimiter),
      TEST(test_every_delimiter),
      TEST(test_delimiter_inside),
      TEST(test_prefix_round_trip),
      TEST(test_prefix_lies),
      TEST(test_prefix_streams),
      TEST(test_prefix_pieces),
      TEST(test_headers),
      TEST(test_header_limit),
      TEST(test_headers_round_trip),
      TEST(test_codec_decodes),
      TEST(test_codec_encodes),
      TEST(test_kinds),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
