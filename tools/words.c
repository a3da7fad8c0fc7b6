/* Reads the words behind a command by a table of its options. */
#include "words.h"

#include <limits.h>
#include <string.h>

#include "report.h"

static const word_option_t* find(const word_option_t* options,
                                 const char* word,
                                 size_t length) {
  for (; options->word != NULL; options++) {
    if (strlen(options->word) == length &&
        memcmp(options->word, word, length) == 0) {
      return options;
    }
  }
  return NULL;
}

/* Takes the option at *words and, where it has one, its value. */
static int take_option(char*** words,
                       const word_option_t* options,
                       void* target) {
  const char* word = **words;
  size_t length = strcspn(word, "=");
  const char* value = word[length] == '=' ? word + length + 1 : NULL;
  const word_option_t* option = find(options, word, length);

  if (option == NULL) {
    return report_usage("no such option of this command: %s", word);
  }
  if (option->set == NULL) {
    if (value != NULL) return report_usage("%s takes no value", option->word);
    *(int*) (void*) ((char*) target + option->flag) = 1;
    return 0;
  }
  if (value == NULL) {
    if ((*words)[1] == NULL) return report_usage("%s takes a value", word);
    value = *++*words;
  }
  return option->set(target, value);
}

int words_parse(char** words,
                const word_option_t* options,
                void* target,
                int (*take)(void* target, const char* word)) {
  int only_plain = 0;
  int status = 0;

  for (; status == 0 && *words != NULL; words++) {
    if (only_plain || (*words)[0] != '-' || (*words)[1] == '\0') {
      status = take(target, *words);
    } else if (strcmp(*words, "--") == 0) {
      only_plain = 1;
    } else {
      status = take_option(&words, options, target);
    }
  }
  return status;
}

int words_number(const char* option,
                 const char* value,
                 size_t size,
                 unsigned long low,
                 unsigned long high,
                 unsigned long* number) {
  unsigned long sum = 0;
  size_t i;

  for (i = 0; i < size && value[i] >= '0' && value[i] <= '9'; i++) {
    unsigned long digit = (unsigned long) (value[i] - '0');

    if (sum > (ULONG_MAX - digit) / 10) break;
    sum = sum * 10 + digit;
  }
  if (size == 0 || i < size || sum < low || sum > high) {
    return report_usage("%s takes a number from %lu to %lu, not '%.*s'", option,
                        low, high, (int) size, value);
  }
  *number = sum;
  return 0;
}

int words_milliseconds(const char* option, const char* value, int* number) {
  unsigned long found = 0;
  int status = words_number(option, value, strlen(value), 1,
                            (unsigned long) INT_MAX, &found);

  if (status == 0) *number = (int) found;
  return status;
}

int words_check_name(const char* name) {
  ipc_name_info_t info;

  if (ipc_name_resolve(name, &info) == 0) return 0;
  report(name, "%s", info.reason);
  return STATUS_USAGE;
}
