/* Text that grows. */
#ifndef IPC_CHANNEL_TOOL_TEXT_H
#define IPC_CHANNEL_TOOL_TEXT_H

#include <stddef.h>

/* All zero: empty. */
typedef struct text_s {
  char* data;
  size_t size;
  size_t capacity;
  int has_failed; /* for want of memory; `data` lacks something then */
} text_t;

void text_add(text_t* text, const void* data, size_t size);
void text_add_string(text_t* text, const char* string);
void text_add_byte(text_t* text, int byte);
void text_add_number(text_t* text, unsigned long long number);

/* UTF-8, in double quotes and escaped as JSON wants it. */
void text_add_json_string(text_t* text, const void* data, size_t size);

/* The time now in UTC, as in 2026-03-01T12:30:00.000125Z. */
void text_add_time(text_t* text);

/* Keeps the memory for the next text. */
void text_clear(text_t* text);

void text_release(text_t* text);

#endif /* IPC_CHANNEL_TOOL_TEXT_H */
