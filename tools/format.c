/* Writes messages as lines of text, and reads such lines: what one
 * ipc-channel prints another one can send. */
#include "format.h"

#include <stdio.h>
#include <string.h>

/* ---- Writing ------------------------------------------------------------ */

static void add_hex(text_t* text, const unsigned char* bytes, size_t size) {
  static const char digits[] = "0123456789abcdef";
  size_t i;

  for (i = 0; i < size; i++) {
    text_add_byte(text, digits[bytes[i] >> 4]);
    text_add_byte(text, digits[bytes[i] & 15]);
  }
}

/* Names and values of the escapes that C has; '?' needs none here. */
static const char escape_names[] = "abfnrtv\\\"";
static const char escape_values[] = "\a\b\f\n\r\t\v\\\"";

static void add_quoted(text_t* text, const unsigned char* bytes, size_t size) {
  const char* found;
  char octal[8];
  size_t i;

  text_add_byte(text, '"');
  for (i = 0; i < size; i++) {
    found = bytes[i] == 0 ? NULL : strchr(escape_values, bytes[i]);
    if (found != NULL) {
      text_add_byte(text, '\\');
      text_add_byte(text, escape_names[found - escape_values]);
    } else if (bytes[i] >= 0x20 && bytes[i] < 0x7f) {
      text_add_byte(text, bytes[i]);
    } else {
      /* Always three digits, so that a digit may follow. */
      snprintf(octal, sizeof(octal), "\\%03o", (unsigned int) bytes[i]);
      text_add_string(text, octal);
    }
  }
  text_add_byte(text, '"');
}

/* How many bytes the UTF-8 character in front has; 0: it is none. */
static size_t character_size(const unsigned char* bytes, size_t size) {
  static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned long value;
  size_t length;
  size_t i;

  if (bytes[0] < 0x80) return 1;
  if (bytes[0] < 0xc0 || bytes[0] >= 0xf8) return 0;
  length = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
  if (length > size) return 0;
  value = bytes[0] & (0x7fu >> length);
  for (i = 1; i < length; i++) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
    value = value << 6 | (bytes[i] & 0x3f);
  }
  if (value < least[length] || value > 0x10ffff) return 0;
  return value >= 0xd800 && value < 0xe000 ? 0 : length;
}

static int is_utf8(const unsigned char* bytes, size_t size) {
  size_t length;

  while (size > 0) {
    length = character_size(bytes, size);
    if (length == 0) return 0;
    bytes += length;
    size -= length;
  }
  return 1;
}

static void add_json(text_t* text,
                     const origin_t* origin,
                     const unsigned char* bytes,
                     size_t size) {
  text_add_string(text, "{\"time\":\"");
  text_add_time(text);
  text_add_string(text, "\",\"connection\":");
  text_add_number(text, origin->connection);
  text_add_string(text, ",\"pid\":");
  if (origin->pid > 0) {
    text_add_number(text, (unsigned long long) origin->pid);
  } else {
    text_add_string(text, "null");
  }
  text_add_string(text, ",\"bytes\":");
  text_add_number(text, size);
  if (is_utf8(bytes, size)) {
    text_add_string(text, ",\"text\":");
    text_add_json_string(text, bytes, size);
  } else {
    text_add_string(text, ",\"hex\":\"");
    add_hex(text, bytes, size);
    text_add_byte(text, '"');
  }
  text_add_byte(text, '}');
}

void format_encode(text_t* text,
                   format_t format,
                   const origin_t* origin,
                   const void* data,
                   size_t size) {
  switch (format) {
    case FORMAT_QUOTED:
      add_quoted(text, data, size);
      break;
    case FORMAT_HEX:
      add_hex(text, data, size);
      break;
    default:
      add_json(text, origin, data, size);
      break;
  }
  text_add_byte(text, '\n');
}

/* ---- Reading ------------------------------------------------------------ */

static int is_blank(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\r';
}

static int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/* The byte that two digits make; -1: they don't. */
static int hex_byte(const char* at, const char* end) {
  if (end - at < 2 || hex_digit(at[0]) < 0 || hex_digit(at[1]) < 0) return -1;
  return hex_digit(at[0]) << 4 | hex_digit(at[1]);
}

static const char* decode_hex(text_t* text, const char* at, const char* end) {
  int byte;

  while (at < end) {
    if (is_blank(*at)) {
      at++;
      continue;
    }
    byte = hex_byte(at, end);
    if (byte < 0) return "not pairs of hex digits";
    text_add_byte(text, byte);
    at += 2;
  }
  return NULL;
}

static int is_octal(const char* at, const char* end) {
  return at < end && *at >= '0' && *at <= '7';
}

/* The byte of the escape at *at, which is moved behind it; -1: it is none. */
static int decode_escape(const char** at, const char* end) {
  const char* found;
  int digits;
  int byte = 0;

  if (is_octal(*at, end)) {
    for (digits = 0; digits < 3 && is_octal(*at, end); digits++) {
      byte = byte << 3 | (*(*at)++ - '0');
    }
    return byte > 255 ? -1 : byte;
  }
  if (*at < end && **at == 'x') {
    byte = hex_byte(*at + 1, end);
    *at += 3;
    return byte;
  }
  if (*at == end || **at == '\0') return -1;
  found = strchr(escape_names, *(*at)++);
  return found == NULL ? -1
                       : (unsigned char) escape_values[found - escape_names];
}

static const char* decode_quoted(text_t* text,
                                 const char* at,
                                 const char* end) {
  int byte;

  while (at < end && is_blank(*at)) at++;
  while (at < end && is_blank(end[-1])) end--;
  if (at == end || *at++ != '"') return "no double quote in front";
  while (at < end && *at != '"') {
    byte = (unsigned char) *at++;
    if (byte == '\\') byte = decode_escape(&at, end);
    if (byte < 0) return "a backslash with nothing known behind it";
    text_add_byte(text, byte);
  }
  if (at == end) return "no double quote at the end";
  return at + 1 == end ? NULL : "something behind the closing quote";
}

const char* format_decode(text_t* text,
                          format_t format,
                          const char* line,
                          size_t size) {
  const char* end = line + size;

  return format == FORMAT_HEX ? decode_hex(text, line, end)
                              : decode_quoted(text, line, end);
}
