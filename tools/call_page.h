/* Text that is put together, then written at once. */
#ifndef IPC_CHANNEL_TOOL_CALL_PAGE_H
#define IPC_CHANNEL_TOOL_CALL_PAGE_H

#include <jansson.h>
#include <stddef.h>

/* Zeroed before its first use. */
typedef struct text_s {
  char* data;
  size_t size;
  size_t capacity;
  int has_failed; /* no memory */
} page_t;

void page_put(page_t* page, const char* data, size_t size);
void page_put_word(page_t* page, const char* word);
void page_put_json(page_t* page, const json_t* value, int is_pretty);

/* Foreign words: what a terminal would obey becomes a blank. */
void page_put_plain(page_t* page, const char* word);
/* The same, and blanks up to `width`. */
void page_put_column(page_t* page, const char* word, size_t width);

/* How many characters a word has. */
size_t page_width(const char* word);

/* Writes it to standard output and releases it. A status. */
int page_print(page_t* page);

#endif /* IPC_CHANNEL_TOOL_CALL_PAGE_H */
