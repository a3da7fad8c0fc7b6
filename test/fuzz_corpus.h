/* What a fuzz target is fed when it is built as an ordinary test: the
 * beginnings of a few good inputs, and a fixed series of their mutations. */
#ifndef IPC_CHANNEL_TEST_FUZZ_CORPUS_H
#define IPC_CHANNEL_TEST_FUZZ_CORPUS_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_BYTES 256

typedef struct fuzz_corpus_s {
  uint8_t bytes[FUZZ_BYTES]; /* zeros from `size` on */
  size_t size;
} fuzz_corpus_t;

/* The target's, for libFuzzer as well. */
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

void fuzz_beginnings(const fuzz_corpus_t* corpus, size_t count);

/* `favourites` are bytes that mean something to the target. */
void fuzz_mutations(const fuzz_corpus_t* corpus,
                    size_t count,
                    const char* favourites,
                    size_t favourite_count,
                    int mutations);

#endif
