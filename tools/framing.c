/* Parses a framing and hands it to the library's options. */
#include "framing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
  const char* word;
  ipc_framing_t kind;
  int delimiter;
} plain[] = {
    {"native", IPC_CHANNEL_FRAMING_NATIVE, 0},
    {"none", IPC_CHANNEL_FRAMING_RAW, 0},
    {"newline", IPC_CHANNEL_FRAMING_DELIMITER, '\n'},
    {"nul", IPC_CHANNEL_FRAMING_DELIMITER, '\0'},
    {"form-feed", IPC_CHANNEL_FRAMING_DELIMITER, '\f'},
    {"content-length", IPC_CHANNEL_FRAMING_CONTENT_LENGTH, 0},
    {"packet", IPC_CHANNEL_FRAMING_PACKET, 0},
};

static const struct {
  const char* word;
  unsigned int bytes;
  int is_big_endian;
} fields[] = {
    {"u8", 1, 0},    {"u16le", 2, 0}, {"u16be", 2, 1}, {"u32le", 4, 0},
    {"u32be", 4, 1}, {"u64le", 8, 0}, {"u64be", 8, 1},
};

/* What the library allows around a length. */
#define MAX_BESIDE 64
#define MAX_ADJUSTMENT 136

static int starts(const char* text, size_t size, const char* word) {
  return size >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

/* A number, decimal or after 0x in hex, that goes on to `end`. */
static int parse_number(
    const char* text, const char* end, long low, long high, long* number) {
  int is_negative = text < end && *text == '-';
  const char* digits = text + is_negative;
  char* stop = NULL;

  if (digits == end || *digits < '0' || *digits > '9') return 0;
  errno = 0;
  *number = strtol(text, &stop,
                   starts(digits, (size_t) (end - digits), "0x") ? 16 : 10);
  return errno == 0 && stop == end && *number >= low && *number <= high;
}

/* ---- Length prefixes ---------------------------------------------------- */

/* Adjustments that are known when all has been read: that the length counts
 * itself, or the whole header. */
enum { COUNTS_LENGTH = MAX_ADJUSTMENT + 1, COUNTS_HEADER };

static int parse_field(const char* item,
                       size_t size,
                       ipc_length_prefix_t* prefix) {
  size_t i;

  for (i = 0; i < COUNT(fields); i++) {
    if (strlen(fields[i].word) == size && starts(item, size, fields[i].word)) {
      prefix->bytes = fields[i].bytes;
      prefix->is_big_endian = fields[i].is_big_endian;
      return 0;
    }
  }
  return report_usage(
      "--frame length: '%.*s' is not a length; there are u8, u16le, u16be, "
      "u32le, u32be, u64le and u64be",
      (int) size, item);
}

static int parse_item(const char* item,
                      size_t size,
                      ipc_length_prefix_t* prefix) {
  const char* end = item + size;
  const char* equals = memchr(item, '=', size);
  const char* value = equals == NULL ? end : equals + 1;
  size_t rest = (size_t) (end - value);
  long number = 0;

  if (starts(item, size, "before=") &&
      parse_number(value, end, 0, MAX_BESIDE, &number)) {
    prefix->before = (unsigned int) number;
  } else if (starts(item, size, "after=") &&
             parse_number(value, end, 0, MAX_BESIDE, &number)) {
    prefix->after = (unsigned int) number;
  } else if (!starts(item, size, "counts=")) {
    return report_usage(
        "--frame length: '%.*s' is none of before=N and after=N, 0 to 64 "
        "bytes, and counts=length, header or N",
        (int) size, item);
  } else if (rest == 6 && starts(value, rest, "length")) {
    prefix->adjustment = COUNTS_LENGTH;
  } else if (rest == 6 && starts(value, rest, "header")) {
    prefix->adjustment = COUNTS_HEADER;
  } else if (parse_number(value, end, -MAX_ADJUSTMENT, MAX_ADJUSTMENT,
                          &number)) {
    prefix->adjustment = (int) number;
  } else {
    return report_usage(
        "--frame length: counts is length, header or a number from -%d to %d, "
        "not '%.*s'",
        MAX_ADJUSTMENT, MAX_ADJUSTMENT, (int) rest, value);
  }
  return 0;
}

static int parse_length(const char* value, framing_t* framing) {
  ipc_length_prefix_t* prefix = &framing->prefix;
  size_t size = strcspn(value, ",");
  int status = parse_field(value, size, prefix);

  framing->kind = IPC_CHANNEL_FRAMING_LENGTH_PREFIX;
  while (status == 0 && value[size] == ',') {
    value += size + 1;
    size = strcspn(value, ",");
    status = parse_item(value, size, prefix);
  }
  if (prefix->adjustment == COUNTS_LENGTH) {
    prefix->adjustment = (int) prefix->bytes;
  } else if (prefix->adjustment == COUNTS_HEADER) {
    prefix->adjustment = (int) (prefix->before + prefix->bytes + prefix->after);
  }
  return status;
}

/* ---- All ---------------------------------------------------------------- */

static int parse_delimiter(const char* value, framing_t* framing) {
  long number = 0;

  if (!parse_number(value, value + strlen(value), 0, 255, &number)) {
    return report_usage(
        "--frame delimiter takes a byte from 0 to 255 or 0x0 to 0xff, not "
        "'%s'",
        value);
  }
  framing->kind = IPC_CHANNEL_FRAMING_DELIMITER;
  framing->delimiter = (int) number;
  return 0;
}

void framing_init(framing_t* framing) {
  memset(framing, 0, sizeof(*framing));
  framing->kind = IPC_CHANNEL_FRAMING_NATIVE;
  framing->prefix.bytes = 4;
}

int framing_parse(const char* value, framing_t* framing) {
  size_t i;

  framing_init(framing);
  for (i = 0; i < COUNT(plain); i++) {
    if (strcmp(plain[i].word, value) == 0) {
      framing->kind = plain[i].kind;
      framing->delimiter = plain[i].delimiter;
      return 0;
    }
  }
  if (strncmp(value, "delimiter=", 10) == 0) {
    return parse_delimiter(value + 10, framing);
  }
  if (strcmp(value, "length") == 0) return parse_length("u32le", framing);
  if (strncmp(value, "length=", 7) == 0) {
    return parse_length(value + 7, framing);
  }
  return report_usage(
      "--frame is native, none, newline, nul, form-feed, delimiter=BYTE, "
      "length=..., content-length or packet, not '%s'",
      value);
}

int framing_parse_plain(const char* value, framing_t* framing) {
  int status = framing_parse(value, framing);

  if (status != 0) return status;
  if (!framing_has_messages(framing)) {
    return report_usage("--frame none has no messages, and they are needed");
  }
  if (framing->prefix.before + framing->prefix.after > 0) {
    return report_usage(
        "--frame length: before and after make the header part of a message, "
        "and the messages of this command have none");
  }
  return 0;
}

int framing_has_messages(const framing_t* framing) {
  return framing->kind != IPC_CHANNEL_FRAMING_RAW;
}

/* A builder keeps both details, and the last call chooses the kind. */

void framing_set_server(const framing_t* framing,
                        ipc_server_options_t* options) {
  ipc_server_options_set_delimiter(options, framing->delimiter);
  ipc_server_options_set_length_prefix(options, &framing->prefix);
  ipc_server_options_set_framing(options, framing->kind);
}

void framing_set_client(const framing_t* framing,
                        ipc_client_options_t* options) {
  ipc_client_options_set_delimiter(options, framing->delimiter);
  ipc_client_options_set_length_prefix(options, &framing->prefix);
  ipc_client_options_set_framing(options, framing->kind);
}

const char* framing_refuses(const framing_t* framing,
                            const char* data,
                            size_t size) {
  const ipc_length_prefix_t* prefix = &framing->prefix;

  switch (framing->kind) {
    case IPC_CHANNEL_FRAMING_DELIMITER:
      return size > 0 && memchr(data, framing->delimiter, size) != NULL
                 ? "a message contains the byte that ends one"
                 : NULL;
    case IPC_CHANNEL_FRAMING_LENGTH_PREFIX:
      return prefix->before + prefix->after > 0 &&
                     size < prefix->before + prefix->bytes + prefix->after
                 ? "a message is less than its header"
                 : NULL;
    case IPC_CHANNEL_FRAMING_PACKET:
      return size == 0 ? "a packet can't be empty" : NULL;
    default:
      return NULL;
  }
}
