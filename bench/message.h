/* What a message of the benchmark looks like, so that a lost, doubled, torn or
 * swapped one is noticed. Numbers are 32 bits in the machine's order:
 *
 *   sequence, flags, client, size    the header
 *   figures                          up to byte 60, in the last reply only
 *   pattern                          the same in all, with a stamp, which
 *                                    changes with the sequence, in each page
 *                                    and at the end */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

enum {
  MESSAGE_FIRST = 1, /* of a phase: the sequence begins anew */
  MESSAGE_LAST = 2,
  MESSAGE_MEASURED = 4 /* not of the warm-up, which looks at each byte */
};

typedef struct message_header_s {
  uint32_t sequence;
  uint32_t flags;
  uint32_t client;
  uint32_t size;
} message_header_t;

/* What a server did between the first message and the last. */
typedef struct message_figures_s {
  uint64_t messages;
  uint64_t cpu_us;
  uint64_t allocations;
  uint64_t system_calls;
  uint64_t heap_bytes;
} message_figures_t;

/* `count` messages of `size` bytes one after the other. */
char* message_allocate(size_t count, size_t size);
void message_stamp(char* message, const message_header_t* header);
/* Fails the program where the message isn't the one that is due: that of
 * `sequence` and `client`, sequence 0 if it is a first one. */
message_header_t message_check(const char* message, size_t size);
void message_set_figures(char* message, const message_figures_t* figures);
message_figures_t message_get_figures(const char* message);

#endif /* BENCH_MESSAGE_H */
