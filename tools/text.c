/* Text is put together in memory first, so that it leaves in one write. A
 * failure is remembered rather than answered: one look at the end is enough. */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

static int make_room(text_t* text, size_t size) {
  size_t capacity = 2 * text->capacity + size;
  char* grown;

  if (size <= text->capacity - text->size) return 0;
  grown = realloc(text->data, capacity);
  if (grown == NULL) {
    text->has_failed = 1;
    return UV_ENOMEM;
  }
  text->data = grown;
  text->capacity = capacity;
  return 0;
}

void text_add(text_t* text, const void* data, size_t size) {
  if (size == 0 || make_room(text, size) != 0) return;
  memcpy(text->data + text->size, data, size);
  text->size += size;
}

void text_add_string(text_t* text, const char* string) {
  text_add(text, string, strlen(string));
}

void text_add_byte(text_t* text, int byte) {
  char value = (char) byte;

  text_add(text, &value, 1);
}

void text_add_number(text_t* text, unsigned long long number) {
  char digits[24];

  snprintf(digits, sizeof(digits), "%llu", number);
  text_add_string(text, digits);
}

void text_add_json_string(text_t* text, const void* data, size_t size) {
  const unsigned char* bytes = data;
  char escape[8];
  size_t i;

  text_add_byte(text, '"');
  for (i = 0; i < size; i++) {
    if (bytes[i] < 0x20 || bytes[i] == 0x7f) {
      snprintf(escape, sizeof(escape), "\\u%04x", (unsigned int) bytes[i]);
      text_add_string(text, escape);
    } else {
      if (bytes[i] == '"' || bytes[i] == '\\') text_add_byte(text, '\\');
      text_add_byte(text, bytes[i]);
    }
  }
  text_add_byte(text, '"');
}

void text_add_time(text_t* text) {
  char date[32];
  char fraction[16];
  uv_timeval64_t now = {0, 0};
  const struct tm* utc;
  time_t seconds;

  uv_gettimeofday(&now);
  seconds = (time_t) now.tv_sec;
  utc = gmtime(&seconds);
  if (utc == NULL) return;
  strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", utc);
  snprintf(fraction, sizeof(fraction), ".%06dZ", (int) now.tv_usec);
  text_add_string(text, date);
  text_add_string(text, fraction);
}

void text_clear(text_t* text) {
  text->size = 0;
  text->has_failed = 0;
}

void text_release(text_t* text) {
  free(text->data);
  memset(text, 0, sizeof(*text));
}
