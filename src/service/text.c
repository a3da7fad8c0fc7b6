/* Finds values in a JSON text without parsing it: how deep it goes, before
 * anybody recurses into it; and where an id stands, to give it back as it came,
 * whatever a double or an integer of 64 bits would make of it. Pure functions.
 */
#include "text.h"

#include <string.h>

/* Past the string that begins at `at`, or the end. */
static size_t skip_string(const char* data, size_t size, size_t at) {
  for (at++; at < size; at++) {
    if (data[at] == '\\') {
      at++;
    } else if (data[at] == '"') {
      return at + 1;
    }
  }
  return size;
}

size_t ipc__text_depth(const char* data, size_t size) {
  size_t depth = 0;
  size_t most = 0;
  size_t at = 0;

  while (at < size) {
    char c = data[at];

    if (c == '"') {
      at = skip_string(data, size, at);
      continue;
    }
    if (c == '[' || c == '{') {
      if (++depth > most) most = depth;
    } else if ((c == ']' || c == '}') && depth > 0) {
      depth--;
    }
    at++;
  }
  return most;
}

/* How many bytes the character has that the bytes begin with; 0: that isn't
 * UTF-8, or there are none. */
static size_t character(const char* data, size_t size) {
  /* By its length: the least that needs it. */
  static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned char first = size == 0 ? 0xff : (unsigned char) data[0];
  size_t length = first < 0x80                    ? 1
                  : first >= 0xc2 && first < 0xe0 ? 2
                  : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5 ? 4
                                                  : 0;
  unsigned long code = length < 2 ? first : first & (0x7fu >> length);
  size_t i;

  if (length > size) return 0;
  for (i = 1; i < length; i++) {
    unsigned char c = (unsigned char) data[i];

    if ((c & 0xc0) != 0x80) return 0;
    code = code << 6 | (c & 0x3fu);
  }
  if (length > 1 && code < least[length]) return 0;
  return (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff ? 0 : length;
}

int ipc__text_is_utf8(const char* text) {
  size_t left = strlen(text);

  while (left > 0) {
    size_t length = character(text, left);

    if (length == 0) return 0;
    text += length;
    left -= length;
  }
  return 1;
}

static int is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(const char* data, size_t size, size_t at) {
  while (at < size && is_space(data[at])) at++;
  return at;
}

/* Past the value that begins at `at`. */
static size_t skip_value(const char* data, size_t size, size_t at) {
  size_t depth = 0;

  while (at < size) {
    char c = data[at];

    if (depth == 0 && (c == ',' || c == ']' || c == '}' || is_space(c))) break;
    if (c == '"') {
      at = skip_string(data, size, at);
      if (depth == 0) break;
      continue;
    }
    if (c == '[' || c == '{') depth++;
    if (c == ']' || c == '}') depth--;
    at++;
    if (depth == 0 && (c == ']' || c == '}')) break;
  }
  return at;
}

/* The number of four hexadecimal digits; what isn't ASCII is 0. */
static char unescape(const char* digits) {
  unsigned int value = 0;
  int i;

  for (i = 0; i < 4; i++) {
    char c = digits[i];

    value *= 16;
    if (c >= '0' && c <= '9') value += (unsigned int) (c - '0');
    if (c >= 'a' && c <= 'f') value += (unsigned int) (c - 'a' + 10);
    if (c >= 'A' && c <= 'F') value += (unsigned int) (c - 'A' + 10);
  }
  return value < 128 ? (char) value : 0;
}

/* Whether a string, its quotes included, says `name`, be it by \u escapes. (A
 * name has no character that the other escapes stand for.) */
static int says(ipc__span_t string, const char* name) {
  size_t at = 1;

  while (at + 1 < string.size) {
    char c = string.data[at];

    if (c == '\\') {
      if (at + 6 >= string.size || string.data[at + 1] != 'u') return 0;
      c = unescape(string.data + at + 2);
      at += 5;
    }
    if (c == '\0' || c != *name) return 0;
    at++;
    name++;
  }
  return *name == '\0';
}

ipc__span_t ipc__text_member(ipc__span_t object, const char* name) {
  const char* data = object.data;
  size_t size = object.size;
  ipc__span_t found = {NULL, 0};
  size_t at = 1; /* past the brace */

  while (at < size) {
    ipc__span_t key;
    size_t begin;

    at = skip_space(data, size, at);
    if (at == size || data[at] != '"') break;
    key.data = data + at;
    begin = at;
    at = skip_string(data, size, at);
    key.size = at - begin;
    at = skip_space(data, size, at);
    at = skip_space(data, size, at + 1); /* the colon */
    if (at >= size) break;
    begin = at;
    at = skip_value(data, size, at);
    if (says(key, name)) {
      found.data = data + begin;
      found.size = at - begin;
    }
    at = skip_space(data, size, at) + 1; /* the comma */
  }
  return found;
}

ipc__span_t ipc__text_element(ipc__span_t array, size_t* at) {
  ipc__span_t found = {NULL, 0};
  /* Past the bracket, or the comma behind the one before. */
  size_t begin = skip_space(array.data, array.size, *at + 1);
  size_t end;

  if (begin >= array.size || array.data[begin] == ']') return found;
  end = skip_value(array.data, array.size, begin);
  found.data = array.data + begin;
  found.size = end - begin;
  *at = skip_space(array.data, array.size, end);
  return found;
}

ipc__span_t ipc__text_trim(const char* data, size_t size) {
  size_t begin = skip_space(data, size, 0);
  ipc__span_t trimmed;

  while (size > begin && is_space(data[size - 1])) size--;
  trimmed.data = data + begin;
  trimmed.size = size - begin;
  return trimmed;
}
