/* The decoders of the formats of others against any bytes at all, which must
 * mean the same however they come. Built with -DIPC_CHANNEL_FUZZER and
 * -fsanitize=fuzzer it is a libFuzzer target; without, an ordinary test over a
 * small corpus and a fixed series of mutations.
 *
 *   clang -std=c11 -D_XOPEN_SOURCE=700 -DIPC_CHANNEL_FUZZER \
 *     -DIPC_CHANNEL_STATIC -Iinclude -Isrc \
 *     -fsanitize=fuzzer,address,undefined \
 *     test/fuzz_framing.c test/decode_walk.c src/framing.c
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decode_walk.h"
#include "fuzz_corpus.h"

/* The first bytes of an input choose the format, and how the rest comes. */
#define CHOICE_BYTES 8

/* More is no other case, and byte by byte takes the square of it. */
#define STREAM_BYTES ((size_t) 6 << 10)
#define SLOW_BYTES ((size_t) 1 << 10)

/* ---- Codecs ------------------------------------------------------------- */

/* Netstrings: "5:hello,". */
static int decode_netstring(const void* data,
                            size_t size,
                            ipc_frame_t* frame,
                            void* arg) {
  const char* text = data;
  size_t length = 0;
  size_t i = 0;

  (void) arg;
  while (i < size && text[i] >= '0' && text[i] <= '9') {
    if (i == 9) return UV_EPROTO;
    length = length * 10 + (size_t) (text[i++] - '0');
  }
  if (i == size) return 0;
  if (text[i] != ':' || i == 0) return UV_EPROTO;
  frame->message_start = i + 1;
  frame->message_size = length;
  frame->size = i + 1 + length + 1;
  if (frame->size > size) return 0;
  return text[frame->size - 1] == ',' ? 0 : UV_EPROTO;
}

/* Says whatever its first bytes tell it to, lies included. */
static int decode_anything(const void* data,
                           size_t size,
                           ipc_frame_t* frame,
                           void* arg) {
  const uint8_t* bytes = data;

  (void) arg;
  if (size < 8) return 0;
  if (bytes[0] == 0xff) return UV_EACCES;
  if (bytes[0] == 0xfe) return 1;
  frame->size = 8 + (size_t) bytes[1] * 16;
  if (bytes[0] == 0xfd) frame->size = SIZE_MAX;
  if (bytes[0] == 0xfc) frame->size = 0;
  frame->message_start = bytes[2] == 0xff ? SIZE_MAX : bytes[2];
  frame->message_size = (size_t) bytes[3] << (bytes[4] % 64);
  return 0;
}

static int encode_nothing(const uv_buf_t* pieces,
                          unsigned int count,
                          size_t size,
                          ipc_envelope_t* envelope,
                          void* arg) {
  (void) pieces;
  (void) count;
  (void) size;
  (void) envelope;
  (void) arg;
  return 0;
}

/* ---- The target --------------------------------------------------------- */

static void choose(const uint8_t* choice, ipc__format_t* format) {
  static const unsigned int widths[] = {1, 2, 4, 8};

  memset(format, 0, sizeof(*format));
  format->delimiter = choice[1];
  format->prefix.bytes = widths[choice[1] % 4];
  format->prefix.is_big_endian = choice[1] >> 7;
  format->prefix.before = choice[2] % 65;
  format->prefix.after = choice[3] % 65;
  format->prefix.adjustment = (int) (choice[4] % 273) - 136;
  if (choice[2] & 0x80) format->prefix.before = format->prefix.after = 0;
  format->codec.encode = encode_nothing;
  format->codec.decode = decode_netstring;
  switch (choice[0] % 5) {
    case 0:
      format->framing = IPC_CHANNEL_FRAMING_DELIMITER;
      break;
    case 1:
      format->framing = IPC_CHANNEL_FRAMING_LENGTH_PREFIX;
      break;
    case 2:
      format->framing = IPC_CHANNEL_FRAMING_CONTENT_LENGTH;
      break;
    case 3:
      format->codec.decode = decode_anything; /* and: */
      format->framing = IPC_CHANNEL_FRAMING_CODEC;
      break;
    default:
      format->framing = IPC_CHANNEL_FRAMING_CODEC;
      break;
  }
}

static void compare(const ipc__format_t* format,
                    const uint8_t* data,
                    size_t size,
                    size_t max,
                    uint32_t seed) {
  static walk_t whole;
  static walk_t other;
  walk_chunks_t chunks = {0};
  int way;

  walk(format, data, size, max, &chunks, &whole);
  for (way = 0; way < 6; way++) {
    chunks.forgets = way & 1;
    chunks.seed = way < 2 ? 0 : seed | 1u;
    chunks.others = way < 2 ? 1 : way < 4 ? 40 : 700;
    if (way < 2 && size > SLOW_BYTES) continue;
    walk(format, data, size, max, &chunks, &other);
    if (!walk_is_same(&whole, &other)) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipc__format_t format;
  size_t max;

  if (size < CHOICE_BYTES) return 0;
  choose(data, &format);
  max = data[5] < 128 ? (size_t) data[5] + 1 : (size_t) 1 << (data[5] % 31);
  size -= CHOICE_BYTES;
  if (size > STREAM_BYTES) size = STREAM_BYTES;
  compare(&format, data + CHOICE_BYTES, size, max,
          (uint32_t) data[6] << 8 | data[7]);
  return 0;
}

#ifndef IPC_CHANNEL_FUZZER

#include "harness.h"

#define MUTATIONS 20000

static const struct {
  uint8_t choice[CHOICE_BYTES];
  const char* text;
} entries[] = {
    {{0, '\n', 0, 0, 0, 60, 1, 1}, "one\ntwo\n\nthree\nfour"},
    {{1, 0, 0x80, 0, 136, 60, 2, 2}, "\3one\3two\5three\4fou"},
    {{1, 1, 2, 3, 140, 200, 3, 3}, "ab\7\1cde1234567ab\1\1xyz"},
    {{2, 0, 0, 0, 0, 99, 4, 4},
     "Content-Length: 3\r\n\r\nonecontent-length:3\r\nX: y\r\n\r\ntwo"},
    {{2, 0, 0, 0, 0, 2, 5, 5}, "Content-Length: 3\r\n\r\none"},
    {{3, 0, 0, 0, 0, 70, 6, 6}, "a\2\10\3bcdemessageofit"},
    {{4, 0, 0, 0, 0, 70, 7, 7}, "3:one,3:two,0:,5:three,"},
    {{4, 0, 0, 0, 0, 255, 8, 8}, "999999999:one,"},
};

static fuzz_corpus_t corpus[TEST_COUNT(entries)];

static void make_corpus(void) {
  size_t i;

  memset(corpus, 0, sizeof(corpus));
  for (i = 0; i < TEST_COUNT(entries); i++) {
    size_t length = strlen(entries[i].text);

    memcpy(corpus[i].bytes, entries[i].choice, CHOICE_BYTES);
    memcpy(corpus[i].bytes + CHOICE_BYTES, entries[i].text, length);
    corpus[i].size = CHOICE_BYTES + length;
  }
}

/* Ends of lines and digits, lengths, and what the codecs give meaning. */
static const char favourites[] = "\0\1\r\n:9\177\200\374\377";

static void test_corpus(void** state) {
  (void) state;
  make_corpus();
  fuzz_beginnings(corpus, TEST_COUNT(corpus));
}

static void test_mutations(void** state) {
  (void) state;
  make_corpus();
  fuzz_mutations(corpus, TEST_COUNT(corpus), favourites, sizeof(favourites) - 1,
                 MUTATIONS);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_corpus),
      TEST(test_mutations),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}

#endif
