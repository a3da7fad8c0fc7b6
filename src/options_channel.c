/* The builder of channels without a name. */
#include <assert.h>
#include <string.h>

#include "options.h"

#define CHANNEL_MAGIC 0x48435049u /* "IPCH" */

#define DEFAULT_CONNECT_MS 5000

static_assert(sizeof(ipc__channel_options_t) <= sizeof(ipc_channel_options_t),
              "the channel builder has outgrown its room");

static ipc__channel_options_t* builder_of(ipc_channel_options_t* options) {
  ipc__channel_options_t* o = (ipc__channel_options_t*) options;

  return o != NULL && o->base.magic == CHANNEL_MAGIC ? o : NULL;
}

static ipc__options_t* base_of(ipc_channel_options_t* options) {
  ipc__channel_options_t* o = builder_of(options);

  return o == NULL ? NULL : &o->base;
}

const ipc__channel_options_t* ipc__channel_options(
    const ipc_channel_options_t* options) {
  return builder_of((ipc_channel_options_t*) options);
}

void ipc_channel_options_init(ipc_channel_options_t* options) {
  ipc__channel_options_t* o = (ipc__channel_options_t*) options;

  if (o == NULL) return;
  memset(options, 0, sizeof(*options));
  ipc__option_init(&o->base, CHANNEL_MAGIC);
  o->connect_timeout_ms = DEFAULT_CONNECT_MS;
}

const char* ipc_channel_options_error(const ipc_channel_options_t* options) {
  return ipc__option_error(base_of((ipc_channel_options_t*) options));
}

int ipc_channel_options_set_connect_timeout(ipc_channel_options_t* options,
                                            int timeout_ms) {
  ipc__channel_options_t* o = builder_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_timeout(&o->base, "connect timeout", timeout_ms, 1);
  if (err == 0) err = ipc__option_native_only(&o->base, "connect timeout");
  if (err == 0) o->connect_timeout_ms = timeout_ms;
  return err;
}

int ipc_channel_options_on_connect(ipc_channel_options_t* options,
                                   ipc_connect_cb cb) {
  ipc__channel_options_t* o = builder_of(options);

  if (o == NULL) return UV_EINVAL;
  o->on_connect = cb;
  return 0;
}

/* ---- Options of every channel ------------------------------------------- */

int ipc_channel_options_set_framing(ipc_channel_options_t* options,
                                    ipc_framing_t framing) {
  return ipc__option_set_framing(base_of(options), framing);
}

int ipc_channel_options_set_delimiter(ipc_channel_options_t* options,
                                      int delimiter) {
  return ipc__option_set_delimiter(base_of(options), delimiter);
}

int ipc_channel_options_set_length_prefix(ipc_channel_options_t* options,
                                          const ipc_length_prefix_t* prefix) {
  return ipc__option_set_length_prefix(base_of(options), prefix);
}

int ipc_channel_options_set_codec(ipc_channel_options_t* options,
                                  const ipc_codec_t* codec) {
  return ipc__option_set_codec(base_of(options), codec);
}

int ipc_channel_options_set_max_message_bytes(ipc_channel_options_t* options,
                                              size_t bytes) {
  return ipc__option_set_max_message(base_of(options), bytes);
}

int ipc_channel_options_set_max_queue_bytes(ipc_channel_options_t* options,
                                            size_t bytes) {
  return ipc__option_set_max_queue(base_of(options), bytes);
}

int ipc_channel_options_set_max_queue_messages(ipc_channel_options_t* options,
                                               uint32_t count) {
  return ipc__option_set_max_queue_messages(base_of(options), count);
}

int ipc_channel_options_set_slow_reader(ipc_channel_options_t* options,
                                        ipc_slow_reader_t policy) {
  return ipc__option_set_slow_reader(base_of(options), policy);
}

int ipc_channel_options_set_access(ipc_channel_options_t* options,
                                   ipc_access_t access) {
  return ipc__option_set_access(base_of(options), access);
}

int ipc_channel_options_set_heartbeat(ipc_channel_options_t* options,
                                      int interval_ms) {
  return ipc__option_set_heartbeat(base_of(options), interval_ms);
}

int ipc_channel_options_set_close_timeout(ipc_channel_options_t* options,
                                          int timeout_ms) {
  return ipc__option_set_close_timeout(base_of(options), timeout_ms);
}

int ipc_channel_options_set_idle_timeout(ipc_channel_options_t* options,
                                         int timeout_ms) {
  return ipc__option_set_idle_timeout(base_of(options), timeout_ms);
}

int ipc_channel_options_set_allocator(ipc_channel_options_t* options,
                                      const ipc_allocator_t* allocator) {
  return ipc__option_set_allocator(base_of(options), allocator);
}

int ipc_channel_options_on_message(ipc_channel_options_t* options,
                                   ipc_message_cb cb) {
  return ipc__option_on_message(base_of(options), cb);
}

int ipc_channel_options_on_request(ipc_channel_options_t* options,
                                   ipc_request_cb cb) {
  return ipc__option_on_request(base_of(options), cb);
}

int ipc_channel_options_on_state(ipc_channel_options_t* options,
                                 ipc_state_cb cb) {
  return ipc__option_on_state(base_of(options), cb);
}

int ipc_channel_options_on_drain(ipc_channel_options_t* options,
                                 ipc_drain_cb cb) {
  return ipc__option_on_drain(base_of(options), cb);
}

int ipc_channel_options_on_end(ipc_channel_options_t* options, ipc_end_cb cb) {
  return ipc__option_on_end(base_of(options), cb);
}

int ipc_channel_options_on_close(ipc_channel_options_t* options,
                                 ipc_close_cb cb) {
  return ipc__option_on_close(base_of(options), cb);
}
