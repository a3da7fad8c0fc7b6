/* Writes and checks the bytes of messages. In what is measured it touches one
 * word of each page, so that it costs next to nothing beside the sending. */
#include "message.h"
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define WORD sizeof(uint32_t)

static uint32_t word_at(const char* message, size_t offset) {
  uint32_t word;
  memcpy(&word, message + offset, WORD);
  return word;
}

static void put_word(char* message, size_t offset, uint32_t word) {
  memcpy(message + offset, &word, WORD);
}

/* Any odd numbers with bits all over do. */
static uint32_t pattern_of(size_t offset) {
  return (uint32_t) offset * 2654435761u;
}

static uint32_t stamp_of(uint32_t sequence, size_t offset) {
  return (sequence + 1) * 2246822519u ^ (uint32_t) offset;
}

static int has_stamp(size_t size, size_t offset) {
  return offset % PAGE == 0 || offset == size - WORD;
}

char* message_allocate(size_t count, size_t size) {
  char* messages = malloc(count * size);
  size_t i, offset;
  if (messages == NULL) bench_fail("no memory for messages");
  for (i = 0; i < count; i++) {
    for (offset = 0; offset < size; offset += WORD) {
      put_word(messages + i * size, offset, pattern_of(offset));
    }
  }
  return messages;
}

void message_stamp(char* message, const message_header_t* header) {
  size_t offset;
  memcpy(message, header, sizeof *header);
  for (offset = PAGE; offset < header->size - WORD; offset += PAGE) {
    put_word(message, offset, stamp_of(header->sequence, offset));
  }
  offset = header->size - WORD;
  put_word(message, offset, stamp_of(header->sequence, offset));
}

static void check_stamp(const char* message, uint32_t sequence, size_t offset) {
  if (word_at(message, offset) != stamp_of(sequence, offset)) {
    bench_fail("message %u: wrong stamp at %zu", sequence, offset);
  }
}

/* Each byte behind the place of the figures. */
static void check_pattern(const char* message, const message_header_t* header) {
  size_t offset = BENCH_ACK_SIZE;
  for (; offset < header->size; offset += WORD) {
    if (!has_stamp(header->size, offset) &&
        word_at(message, offset) != pattern_of(offset)) {
      bench_fail("message %u: wrong at %zu", header->sequence, offset);
    }
  }
}

message_header_t message_check(const char* message, size_t size) {
  message_header_t header;
  size_t offset;
  if (size < BENCH_ACK_SIZE) bench_fail("a message of %zu bytes", size);
  memcpy(&header, message, sizeof header);
  if (header.size != size) {
    bench_fail("message %u: %zu bytes, not %u", header.sequence, size,
               header.size);
  }
  for (offset = PAGE; offset < size - WORD; offset += PAGE) {
    check_stamp(message, header.sequence, offset);
  }
  check_stamp(message, header.sequence, size - WORD);
  if (!(header.flags & MESSAGE_MEASURED)) check_pattern(message, &header);
  return header;
}

void message_set_figures(char* message, const message_figures_t* figures) {
  memcpy(message + sizeof(message_header_t), figures, sizeof *figures);
}

message_figures_t message_get_figures(const char* message) {
  message_figures_t figures;
  memcpy(&figures, message + sizeof(message_header_t), sizeof figures);
  return figures;
}
