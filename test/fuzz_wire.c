/* The decoders of the native framing against any bytes at all. Built with
 * -DIPC_CHANNEL_FUZZER and -fsanitize=fuzzer it is a libFuzzer target; without,
 * an ordinary test over a small corpus and a fixed series of mutations.
 *
 *   clang -std=c11 -D_XOPEN_SOURCE=700 -DIPC_CHANNEL_FUZZER -Iinclude -Isrc \
 *     -fsanitize=fuzzer,address,undefined test/fuzz_wire.c src/wire.c
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "fuzz_corpus.h"
#include "wire.h"

/* Any sixteen bytes are a hello whose meaning survives the encoder, or none. */
static void check_hello(const uint8_t* data, size_t size) {
  uint8_t again[IPC__WIRE_HELLO_BYTES];
  ipc__hello_t hello;
  size_t i;
  int err;

  for (i = 0; i <= size && i < IPC__WIRE_HELLO_BYTES; i++) {
    /* What can't begin a hello can't become one. */
    if (ipc__wire_may_be_hello(data, i)) continue;
    if (ipc__wire_may_be_hello(data, size < 16 ? size : 16)) abort();
  }
  if (size < IPC__WIRE_HELLO_BYTES) return;
  err = ipc__wire_get_hello(data, &hello);
  if (err != 0 && err != UV_EPROTO) abort();
  if ((err == 0) != (ipc__wire_may_be_hello(data, 16) != 0)) abort();
  if (err != 0) return;
  ipc__wire_put_hello(again, &hello);
  if (memcmp(again, data, 12) != 0) abort();
}

/* Walks over the frames as a receiver does; returns how many are whole. */
static int check_frames(const uint8_t* data, size_t size, uint32_t max) {
  uint8_t again[IPC__WIRE_HEADER_BYTES];
  ipc__frame_t frame;
  int count = 0;
  int err;

  while (size >= IPC__WIRE_HEADER_BYTES) {
    err = ipc__wire_get_header(data, max, &frame);
    if (err != 0 && err != UV_EPROTO && err != UV_EMSGSIZE) abort();
    if (err != 0) break;
    if (frame.kind == IPC__WIRE_MESSAGE && frame.size > max) abort();
    if (frame.kind != IPC__WIRE_MESSAGE && frame.size > 65536) abort();
    ipc__wire_put_header(again, frame.kind, frame.size);
    if (memcmp(again, data, sizeof(again)) != 0) abort();
    if (size - IPC__WIRE_HEADER_BYTES < frame.size) break;
    data += IPC__WIRE_HEADER_BYTES + frame.size;
    size -= IPC__WIRE_HEADER_BYTES + frame.size;
    count++;
  }
  return count;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check_hello(data, size);
  check_frames(data, size, 1000);
  check_frames(data, size, INT32_MAX);
  if (size > IPC__WIRE_HELLO_BYTES) {
    check_frames(data + IPC__WIRE_HELLO_BYTES, size - IPC__WIRE_HELLO_BYTES,
                 16u << 20);
  }
  return 0;
}

#ifndef IPC_CHANNEL_FUZZER

#include "harness.h"

#define MUTATIONS 200000

static fuzz_corpus_t corpus[8];

static void make_corpus(void) {
  uint8_t* out;
  size_t n;

  memset(corpus, 0, sizeof(corpus));
  corpus[1].size = test_put_hello(corpus[1].bytes, 0, 16 << 20);
  corpus[2].size = test_put_frame(corpus[2].bytes, 0x80, "hello", 5);
  corpus[3].size = test_put_frame(corpus[3].bytes, 0x82, "12345678", 8);
  corpus[4].size = test_put_frame(corpus[4].bytes, 0x33, "skip me", 7);
  out = corpus[5].bytes;
  n = test_put_hello(out, 1, 1);
  n += test_put_frame(out + n, 0x80, "", 0);
  n += test_put_frame(out + n, 0x01, "pingping", 8);
  n += test_put_frame(out + n, 0x80, "message", 7);
  corpus[5].size = n + test_put_frame(out + n, 0x81, NULL, 0);
  memset(corpus[6].bytes, 0xff, corpus[6].size = 64);
  corpus[7].size = 64;
}

/* Lengths, kinds of frames and what is next to them. */
static const char favourites[] = "\0\1\7\10\177\200\201\202\377";

static void test_corpus(void** state) {
  (void) state;
  make_corpus();
  fuzz_beginnings(corpus, TEST_COUNT(corpus));
  assert_int_equal(
      check_frames(corpus[5].bytes + 16, corpus[5].size - 16, 1000), 4);
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
