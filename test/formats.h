/* The formats of others in a table: how a builder chooses each, and, apart from
 * the library's encoders, the bytes that its messages are on the wire. */
#ifndef IPC_CHANNEL_TEST_FORMATS_H
#define IPC_CHANNEL_TEST_FORMATS_H

#include "pair.h"

typedef enum format_e {
  FORMAT_LINES,      /* '\n' */
  FORMAT_NULS,       /* 0 */
  FORMAT_PREFIX,     /* four bytes, little endian */
  FORMAT_BIG_PREFIX, /* eight bytes, big endian, which count themselves */
  FORMAT_HEADERS,
  FORMAT_NETSTRINGS, /* a codec: "5:hello," */
  FORMAT_COUNT
} format_t;

int format_is_delimiter(format_t format);
ipc_framing_t format_framing(format_t format);

void format_server(ipc_server_options_t* options, format_t format);
void format_client(ipc_client_options_t* options, format_t format);
void format_channel(ipc_channel_options_t* options, format_t format);

/* The most that is around a message. */
#define FORMAT_AROUND 40

/* Its bytes on the wire; returns how many. */
size_t format_put(format_t format, void* out, const void* data, size_t size);
/* The same for "one", "two", ...: strings up to NULL. */
size_t format_put_texts(format_t format, void* out, const char* const* texts);

/* Bytes of a message, which tell where they are and in which, and which every
 * format can carry. */
void format_fill(void* out, size_t size, unsigned int seed);
void format_check(const void* data, size_t size, unsigned int seed);

/* What the codec is to answer, in place of what it would; 0: nothing. */
extern int format_codec_refuses;

#endif /* IPC_CHANNEL_TEST_FORMATS_H */
