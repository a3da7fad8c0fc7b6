/* See fuzz_corpus.h. */
#include "fuzz_corpus.h"

#include <string.h>

/* More than half of the bytes, so that frames move as wholes. */
#define MOVED_BYTES 128

static uint32_t seed;

static uint32_t next_random(uint32_t below) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % below;
}

static void edit(fuzz_corpus_t* input, const char* favourites, size_t count) {
  uint8_t* byte = &input->bytes[next_random(FUZZ_BYTES)];

  switch (next_random(4)) {
    case 0:
      input->size = next_random(FUZZ_BYTES + 1);
      break;
    case 1:
      *byte ^= (uint8_t) (1u << next_random(8));
      break;
    case 2:
      *byte = (uint8_t) favourites[next_random((uint32_t) count)];
      break;
    default:
      memmove(input->bytes + next_random(64), input->bytes + next_random(64),
              MOVED_BYTES);
      break;
  }
}

void fuzz_beginnings(const fuzz_corpus_t* corpus, size_t count) {
  size_t i, size;

  for (i = 0; i < count; i++) {
    for (size = 0; size <= corpus[i].size; size++) {
      LLVMFuzzerTestOneInput(corpus[i].bytes, size);
    }
  }
}

void fuzz_mutations(const fuzz_corpus_t* corpus,
                    size_t count,
                    const char* favourites,
                    size_t favourite_count,
                    int mutations) {
  seed = 20240229;
  while (mutations-- > 0) {
    fuzz_corpus_t input = corpus[next_random((uint32_t) count)];
    uint32_t edits = 1 + next_random(4);

    while (edits-- > 0) edit(&input, favourites, favourite_count);
    LLVMFuzzerTestOneInput(input.bytes, input.size);
  }
}
