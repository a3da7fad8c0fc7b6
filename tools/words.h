/* The words behind a command: its options, and what is none. */
#ifndef IPC_CHANNEL_TOOL_WORDS_H
#define IPC_CHANNEL_TOOL_WORDS_H

#include <stddef.h>

/* Of --timeout: the library's own default. */
#define WORDS_TIMEOUT_MS 5000

typedef struct word_option_s {
  const char* word; /* NULL ends the table */
  /* Takes the option's value; 0 or STATUS_USAGE. NULL: it has none, and sets
   * the int that lies at `flag` in the target. */
  int (*set)(void* target, const char* value);
  size_t flag;
} word_option_t;

/* Hands all words over, in their order: options to the table's functions,
 * others to `take`, which answers alike. 0, or STATUS_USAGE after a line that
 * says what is wrong. */
int words_parse(char** words,
                const word_option_t* options,
                void* target,
                int (*take)(void* target, const char* word));

/* A decimal number without sign or anything around it. `size` bytes of `value`
 * count. */
int words_number(const char* option,
                 const char* value,
                 size_t size,
                 unsigned long low,
                 unsigned long high,
                 unsigned long* number);

/* A number of milliseconds, 1 or more. */
int words_milliseconds(const char* option, const char* value, int* number);

/* A name that is none is wrong usage, whatever the command: 0 or STATUS_USAGE.
 */
int words_check_name(const char* name);

#endif /* IPC_CHANNEL_TOOL_WORDS_H */
