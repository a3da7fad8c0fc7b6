/* What all builders share: the options that every channel keeps, the checks of
 * their arguments, and the memory of the first bad one. Nothing here allocates,
 * looks at the system or keeps anything but borrowed pointers. */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>

#include "alloc.h"
#include "name.h"
#include "platform.h"
#include "wire.h"

#define DEFAULT_TIMEOUT_MS 5000
#define DEFAULT_MAX_MESSAGE ((size_t) 16 << 20)
#define DEFAULT_MAX_QUEUE ((size_t) 1 << 20)

#define MAX_BUFFER ((size_t) 64 << 20)
#define MAX_MESSAGE ((size_t) INT32_MAX)

/* Of a header, on each side of the length. */
#define MAX_FIELDS 64

/* A day. */
#define MAX_BACKOFF_MS 86400000

/* Remembers the first bad value and what is wrong with it. */
int ipc__option_refuse(ipc__options_t* o, int status, const char* format, ...) {
  va_list arguments;

  if (o->error == 0) {
    o->error = status;
    va_start(arguments, format);
    vsnprintf(o->reason, sizeof(o->reason), format, arguments);
    va_end(arguments);
  }
  return status;
}

/* The checks that several options share. Each returns 0 or the error. */

int ipc__option_check_range(ipc__options_t* o,
                            const char* option,
                            long long value,
                            long long low,
                            long long high) {
  if (value >= low && value <= high) return 0;
  return ipc__option_refuse(o, UV_EINVAL, "%s: %lld is not from %lld to %lld",
                            option, value, low, high);
}

int ipc__option_check_size(ipc__options_t* o,
                           const char* option,
                           size_t value,
                           size_t low,
                           size_t high) {
  if (value >= low && value <= high) return 0;
  return ipc__option_refuse(
      o, UV_EINVAL, "%s: %llu is not from %llu to %llu bytes", option,
      (unsigned long long) value, (unsigned long long) low,
      (unsigned long long) high);
}

int ipc__option_check_timeout(ipc__options_t* o,
                              const char* option,
                              int timeout_ms,
                              int low) {
  if (timeout_ms == IPC_CHANNEL_INFINITE || timeout_ms >= low) return 0;
  return ipc__option_refuse(
      o, UV_EINVAL, "%s: %d ms is neither %d or more nor IPC_CHANNEL_INFINITE",
      option, timeout_ms, low);
}

int ipc__option_check_text(ipc__options_t* o,
                           const char* option,
                           const char* text) {
  if (text != NULL && text[0] != '\0') return 0;
  return ipc__option_refuse(o, UV_EINVAL, "%s: is %s", option,
                            text == NULL ? "NULL" : "empty");
}

int ipc__option_check_backoff(ipc__options_t* o,
                              const char* option,
                              int first_ms,
                              int max_ms) {
  char name[32];
  int err;

  snprintf(name, sizeof(name), "%s first_ms", option);
  err = ipc__option_check_range(o, name, first_ms, 1, MAX_BACKOFF_MS);
  if (err != 0) return err;
  snprintf(name, sizeof(name), "%s max_ms", option);
  return ipc__option_check_range(o, name, max_ms, first_ms, MAX_BACKOFF_MS);
}

void ipc__option_set_name(ipc__options_t* o, const char* name) {
  ipc_name_info_t info;
  int err;

  o->name = name;
  err = ipc_name_resolve(name, &info);
  if (err != 0) ipc__option_refuse(o, err, "name: %s", info.reason);
}

void ipc__option_init(ipc__options_t* o, uint32_t magic) {
  o->magic = magic;
  o->channel.allocator = ipc__default_allocator;
  o->channel.format.framing = IPC_CHANNEL_FRAMING_NATIVE;
  o->channel.format.delimiter = '\n';
  o->channel.format.prefix.bytes = 4;
  o->channel.max_message_bytes = DEFAULT_MAX_MESSAGE;
  o->channel.max_queue_bytes = DEFAULT_MAX_QUEUE;
  o->channel.max_total_queue_bytes = SIZE_MAX;
  o->channel.max_queue_messages = UINT32_MAX;
  o->channel.slow_reader = IPC_CHANNEL_SLOW_BLOCK;
  o->channel.access = IPC_CHANNEL_ACCESS_DUPLEX;
  o->channel.heartbeat_ms = IPC_CHANNEL_INFINITE;
  o->channel.close_timeout_ms = DEFAULT_TIMEOUT_MS;
  o->channel.idle_timeout_ms = IPC_CHANNEL_INFINITE;
}

const char* ipc__option_error(const ipc__options_t* o) {
  return o == NULL ? "the options were not initialised" : o->reason;
}

int ipc__option_check_anybody(ipc__options_t* o, const char* option) {
  if (!ipc__name_is_abstract(o->name)) return 0;
  return ipc__option_refuse(o, UV_EINVAL,
                            "%s: anybody can take an abstract name, so that "
                            "the check of the peer must stay",
                            option);
}

/* ---- Options of every channel ------------------------------------------- */

int ipc__option_native_only(ipc__options_t* o, const char* option) {
  if (o->channel.format.framing != IPC_CHANNEL_FRAMING_NATIVE) {
    return ipc__option_refuse(o, UV_EINVAL, "%s: only with the native framing",
                              option);
  }
  o->native_only = option;
  return 0;
}

/* The same for one that has to do with messages. */
static int needs_messages(ipc__options_t* o, const char* option) {
  if (!ipc__framing_has_messages(o->channel.format.framing)) {
    return ipc__option_refuse(o, UV_EINVAL, "%s: not with the raw framing",
                              option);
  }
  o->message_only = option;
  return 0;
}

/* Chooses a framing that is there; what was set before must go with it. */
static int choose_framing(ipc__options_t* o, ipc_framing_t framing) {
  if (framing == IPC_CHANNEL_FRAMING_PACKET && !IPC__HAS_PACKETS) {
    return ipc__option_refuse(o, UV_ENOTSUP,
                              "framing: this system keeps no packets apart");
  }
  o->channel.format.framing = framing;
  if (framing == IPC_CHANNEL_FRAMING_NATIVE) return 0;
  if (o->native_only != NULL) return ipc__option_native_only(o, o->native_only);
  if (o->channel.on_request != NULL) {
    return ipc__option_native_only(o, "on_request");
  }
  if (o->message_only == NULL) return 0;
  return needs_messages(o, o->message_only);
}

int ipc__option_set_framing(ipc__options_t* o, ipc_framing_t framing) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err =
      ipc__option_check_range(o, "framing", framing, IPC_CHANNEL_FRAMING_NATIVE,
                              IPC_CHANNEL_FRAMING_PACKET);
  if (err != 0) return err;
  if (framing == IPC_CHANNEL_FRAMING_CODEC &&
      o->channel.format.codec.decode == NULL) {
    return ipc__option_refuse(o, UV_EINVAL, "framing: there is no codec");
  }
  return choose_framing(o, framing);
}

int ipc__option_set_delimiter(ipc__options_t* o, int delimiter) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(o, "delimiter", delimiter, 0, UINT8_MAX);
  if (err != 0) return err;
  o->channel.format.delimiter = (uint8_t) delimiter;
  return choose_framing(o, IPC_CHANNEL_FRAMING_DELIMITER);
}

static int is_width(unsigned int bytes) {
  return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

int ipc__option_set_length_prefix(ipc__options_t* o,
                                  const ipc_length_prefix_t* prefix) {
  const char* option = "length prefix";
  int err;

  if (o == NULL) return UV_EINVAL;
  if (prefix == NULL || !is_width(prefix->bytes)) {
    return ipc__option_refuse(o, UV_EINVAL, "%s: is not 1, 2, 4 or 8 bytes",
                              option);
  }
  err = ipc__option_check_range(o, option, prefix->before, 0, MAX_FIELDS);
  if (err == 0) {
    err = ipc__option_check_range(o, option, prefix->after, 0, MAX_FIELDS);
  }
  if (err == 0) {
    err = ipc__option_check_range(o, option, prefix->adjustment,
                                  -IPC__HEAD_BYTES, IPC__HEAD_BYTES);
  }
  if (err != 0) return err;
  o->channel.format.prefix = *prefix;
  return choose_framing(o, IPC_CHANNEL_FRAMING_LENGTH_PREFIX);
}

int ipc__option_set_codec(ipc__options_t* o, const ipc_codec_t* codec) {
  if (o == NULL) return UV_EINVAL;
  if (codec == NULL || codec->decode == NULL || codec->encode == NULL) {
    return ipc__option_refuse(o, UV_EINVAL, "codec: a function is missing");
  }
  o->channel.format.codec = *codec;
  return choose_framing(o, IPC_CHANNEL_FRAMING_CODEC);
}

int ipc__option_set_buffer_sizes(ipc__options_t* o, size_t in, size_t out) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_size(o, "in buffer size", in, 0, MAX_BUFFER);
  if (err == 0)
    err = ipc__option_check_size(o, "out buffer size", out, 0, MAX_BUFFER);
  if (err != 0) return err;
  o->channel.in_bytes = in;
  o->channel.out_bytes = out;
  return 0;
}

int ipc__option_set_max_message(ipc__options_t* o, size_t bytes) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_size(o, "max_message_bytes", bytes, 1, MAX_MESSAGE);
  if (err == 0) err = needs_messages(o, "max_message_bytes");
  if (err == 0) o->channel.max_message_bytes = bytes;
  return err;
}

int ipc__option_set_max_queue(ipc__options_t* o, size_t bytes) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_size(o, "max_queue_bytes", bytes, 1, SIZE_MAX / 4);
  if (err == 0) o->channel.max_queue_bytes = bytes;
  return err;
}

int ipc__option_set_max_queue_messages(ipc__options_t* o, uint32_t count) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(o, "max_queue_messages", count, 1, UINT32_MAX);
  if (err == 0) o->channel.max_queue_messages = count;
  return err;
}

int ipc__option_set_slow_reader(ipc__options_t* o, ipc_slow_reader_t policy) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err =
      ipc__option_check_range(o, "slow_reader", policy, IPC_CHANNEL_SLOW_BLOCK,
                              IPC_CHANNEL_SLOW_DISCONNECT);
  if (err == 0) o->channel.slow_reader = policy;
  return err;
}

int ipc__option_set_access(ipc__options_t* o, ipc_access_t access) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(o, "access", access, IPC_CHANNEL_ACCESS_DUPLEX,
                                IPC_CHANNEL_ACCESS_OUTBOUND);
  if (err == 0) o->channel.access = access;
  return err;
}

int ipc__option_set_heartbeat(ipc__options_t* o, int interval_ms) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_timeout(o, "heartbeat", interval_ms,
                                  IPC__MIN_HEARTBEAT_MS);
  if (err == 0) err = ipc__option_native_only(o, "heartbeat");
  if (err == 0) o->channel.heartbeat_ms = interval_ms;
  return err;
}

int ipc__option_set_close_timeout(ipc__options_t* o, int timeout_ms) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_timeout(o, "close timeout", timeout_ms, 0);
  if (err == 0) o->channel.close_timeout_ms = timeout_ms;
  return err;
}

int ipc__option_set_idle_timeout(ipc__options_t* o, int timeout_ms) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_timeout(o, "idle timeout", timeout_ms, 1);
  if (err == 0) o->channel.idle_timeout_ms = timeout_ms;
  return err;
}

int ipc__option_set_allocator(ipc__options_t* o,
                              const ipc_allocator_t* allocator) {
  if (o == NULL) return UV_EINVAL;
  if (allocator == NULL)
    return ipc__option_refuse(o, UV_EINVAL, "allocator: is NULL");
  if (allocator->allocate == NULL || allocator->resize == NULL ||
      allocator->release == NULL) {
    return ipc__option_refuse(o, UV_EINVAL, "allocator: a function is NULL");
  }
  o->channel.allocator = *allocator;
  return 0;
}

/* ---- Callbacks of every channel ----------------------------------------- */

int ipc__option_on_message(ipc__options_t* o, ipc_message_cb cb) {
  if (o == NULL) return UV_EINVAL;
  o->channel.on_message = cb;
  return 0;
}

/* Not by ipc__option_native_only: NULL takes the callback back. */
int ipc__option_on_request(ipc__options_t* o, ipc_request_cb cb) {
  if (o == NULL) return UV_EINVAL;
  if (cb != NULL && o->channel.format.framing != IPC_CHANNEL_FRAMING_NATIVE) {
    return ipc__option_native_only(o, "on_request");
  }
  o->channel.on_request = cb;
  return 0;
}

int ipc__option_on_state(ipc__options_t* o, ipc_state_cb cb) {
  if (o == NULL) return UV_EINVAL;
  o->channel.on_state = cb;
  return 0;
}

int ipc__option_on_drain(ipc__options_t* o, ipc_drain_cb cb) {
  if (o == NULL) return UV_EINVAL;
  o->channel.on_drain = cb;
  return 0;
}

int ipc__option_on_end(ipc__options_t* o, ipc_end_cb cb) {
  if (o == NULL) return UV_EINVAL;
  o->channel.on_end = cb;
  return 0;
}

int ipc__option_on_close(ipc__options_t* o, ipc_close_cb cb) {
  if (o == NULL) return UV_EINVAL;
  o->channel.on_close = cb;
  return 0;
}
