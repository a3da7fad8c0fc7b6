/* JSON, and words of others, in text that is put together. */
#ifndef IPC_CHANNEL_TOOL_CALL_TEXT_H
#define IPC_CHANNEL_TOOL_CALL_TEXT_H

#include <jansson.h>

#include "text.h"

void call_add_json(text_t* text, const json_t* value, int is_pretty);

/* Foreign words: what a terminal would obey becomes a blank. */
void call_add_plain(text_t* text, const char* word);
/* The same, and blanks up to `width`. */
void call_add_column(text_t* text, const char* word, size_t width);

/* How many characters a word has. */
size_t call_width(const char* word);

/* Writes it to standard output and releases it. A status. */
int call_write(text_t* text);

#endif /* IPC_CHANNEL_TOOL_CALL_TEXT_H */
