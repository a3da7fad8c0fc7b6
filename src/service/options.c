/* The builder of a service: defaults, and checks. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service.h"

#define MAGIC 0x49504353u

#define DEFAULT_MAX_CALLS 65536u
#define DEFAULT_MAX_REQUESTS 1024u
#define DEFAULT_MAX_DEPTH 64u
#define DEFAULT_MAX_BATCH 1000u
#define DEFAULT_MAX_BYTES ((size_t) 16 << 20)
#define DEFAULT_LINGER_MS 30000

#define MAX_COUNT (1u << 24)
/* jansson goes no deeper than 2,048. */
#define MAX_DEPTH 1000u

typedef struct builder_s {
  uint32_t magic;
  int error;
  char reason[IPC_CHANNEL_REASON_SIZE];
  ipc__service_settings_t settings;
} builder_t;

typedef char
    fits_t[sizeof(builder_t) <= sizeof(ipc_service_options_t) ? 1 : -1];

static builder_t* builder_of(const ipc_service_options_t* options) {
  builder_t* builder = (builder_t*) (void*) options;

  return builder == NULL || builder->magic != MAGIC ? NULL : builder;
}

static int refuse(builder_t* builder, const char* format, ...) {
  va_list arguments;

  if (builder->error == 0) {
    builder->error = UV_EINVAL;
    va_start(arguments, format);
    vsnprintf(builder->reason, sizeof(builder->reason), format, arguments);
    va_end(arguments);
  }
  return UV_EINVAL;
}

void ipc_service_options_init(ipc_service_options_t* options) {
  builder_t* builder = (builder_t*) (void*) options;

  if (options == NULL) return;
  memset(options, 0, sizeof(*options));
  builder->magic = MAGIC;
  builder->settings.accepts_names = 1;
  builder->settings.discovers = 1;
  builder->settings.max_calls = DEFAULT_MAX_CALLS;
  builder->settings.max_requests = DEFAULT_MAX_REQUESTS;
  builder->settings.max_depth = DEFAULT_MAX_DEPTH;
  builder->settings.max_batch = DEFAULT_MAX_BATCH;
  builder->settings.max_message_bytes = DEFAULT_MAX_BYTES;
  builder->settings.max_waiting_bytes = DEFAULT_MAX_BYTES;
  builder->settings.linger_timeout_ms = DEFAULT_LINGER_MS;
}

const char* ipc_service_options_error(const ipc_service_options_t* options) {
  const builder_t* builder = builder_of(options);

  return builder == NULL ? "the options were not initialised" : builder->reason;
}

const ipc__service_settings_t* ipc__service_settings(
    const ipc_service_options_t* options, int* error) {
  const builder_t* builder = builder_of(options);

  if (builder == NULL) return NULL;
  *error = builder->error;
  return &builder->settings;
}

static int set_count(ipc_service_options_t* options,
                     const char* option,
                     unsigned int* setting,
                     unsigned int value,
                     unsigned int most) {
  builder_t* builder = builder_of(options);

  if (builder == NULL) return UV_EINVAL;
  if (value < 1 || value > most) {
    return refuse(builder, "%s: %u is not from 1 to %u", option, value, most);
  }
  *setting = value;
  return 0;
}

/* The field of an initialised builder; of another one it isn't used. */
#define SETTING(options) (((builder_t*) (void*) (options))->settings)

int ipc_service_options_set_name(ipc_service_options_t* options,
                                 const char* name) {
  builder_t* builder = builder_of(options);

  if (builder == NULL) return UV_EINVAL;
  if (name == NULL || name[0] == '\0') {
    return refuse(builder, "name: is %s", name == NULL ? "NULL" : "empty");
  }
  if (strlen(name) > IPC_SERVICE_MAX_NAME) {
    return refuse(builder, "name: has %u bytes, and %u is the most",
                  (unsigned int) strlen(name), IPC_SERVICE_MAX_NAME);
  }
  if (!ipc__text_is_utf8(name)) return refuse(builder, "name: is not UTF-8");
  builder->settings.name = name;
  return 0;
}

int ipc_service_options_set_accept_names(ipc_service_options_t* options,
                                         int accept) {
  builder_t* builder = builder_of(options);

  if (builder == NULL) return UV_EINVAL;
  builder->settings.accepts_names = accept != 0;
  return 0;
}

int ipc_service_options_set_discover(ipc_service_options_t* options,
                                     int discover) {
  builder_t* builder = builder_of(options);

  if (builder == NULL) return UV_EINVAL;
  builder->settings.discovers = discover != 0;
  return 0;
}

int ipc_service_options_set_max_calls(ipc_service_options_t* options,
                                      unsigned int count) {
  return set_count(options, "max_calls", &SETTING(options).max_calls, count,
                   MAX_COUNT);
}

int ipc_service_options_set_max_requests(ipc_service_options_t* options,
                                         unsigned int count) {
  return set_count(options, "max_requests", &SETTING(options).max_requests,
                   count, MAX_COUNT);
}

int ipc_service_options_set_max_depth(ipc_service_options_t* options,
                                      unsigned int depth) {
  return set_count(options, "max_depth", &SETTING(options).max_depth, depth,
                   MAX_DEPTH);
}

int ipc_service_options_set_max_batch(ipc_service_options_t* options,
                                      unsigned int count) {
  return set_count(options, "max_batch", &SETTING(options).max_batch, count,
                   UINT32_MAX);
}

int ipc_service_options_set_max_message_bytes(ipc_service_options_t* options,
                                              size_t bytes) {
  builder_t* builder = builder_of(options);

  if (builder == NULL) return UV_EINVAL;
  if (bytes < 1) return refuse(builder, "max_message_bytes: is 0");
  builder->settings.max_message_bytes = bytes;
  return 0;
}

int ipc_service_options_set_max_waiting_bytes(ipc_service_options_t* options,
                                              size_t bytes) {
  builder_t* builder = builder_of(options);

  if (builder == NULL) return UV_EINVAL;
  builder->settings.max_waiting_bytes = bytes;
  return 0;
}

int ipc_service_options_set_linger_timeout(ipc_service_options_t* options,
                                           int timeout_ms) {
  builder_t* builder = builder_of(options);

  if (builder == NULL) return UV_EINVAL;
  if (timeout_ms != IPC_CHANNEL_INFINITE && timeout_ms < 1) {
    return refuse(builder,
                  "linger_timeout: %d ms is neither 1 or more nor "
                  "IPC_CHANNEL_INFINITE",
                  timeout_ms);
  }
  builder->settings.linger_timeout_ms = timeout_ms;
  return 0;
}
