/* The client's builder. */
#include <assert.h>
#include <string.h>

#include "options.h"
#include "platform.h"

#define CLIENT_MAGIC 0x43435049u /* "IPCC" */

#define DEFAULT_CONNECT_MS 5000
#define DEFAULT_RETRY_MS 10
#define MAX_RETRY_MS 60000

static_assert(sizeof(ipc__client_options_t) <= sizeof(ipc_client_options_t),
              "the client builder has outgrown its room");

static ipc__client_options_t* client_of(ipc_client_options_t* options) {
  ipc__client_options_t* o = (ipc__client_options_t*) options;

  return o != NULL && o->base.magic == CLIENT_MAGIC ? o : NULL;
}

static ipc__options_t* client_base(ipc_client_options_t* options) {
  ipc__client_options_t* o = client_of(options);

  return o == NULL ? NULL : &o->base;
}

const ipc__client_options_t* ipc__client_options(
    const ipc_client_options_t* options) {
  return client_of((ipc_client_options_t*) options);
}

void ipc_client_options_init(ipc_client_options_t* options, const char* name) {
  ipc__client_options_t* o = (ipc__client_options_t*) options;

  if (o == NULL) return;
  memset(options, 0, sizeof(*options));
  ipc__option_init(&o->base, CLIENT_MAGIC);
  ipc__option_set_name(&o->base, name);
  o->connect_timeout_ms = DEFAULT_CONNECT_MS;
  o->retry_interval_ms = DEFAULT_RETRY_MS;
  o->wait_for_instance = 1;
  o->wait_for_backlog = 1;
  o->impersonation = IPC_CHANNEL_IMPERSONATION_IDENTIFICATION;
}

const char* ipc_client_options_error(const ipc_client_options_t* options) {
  return ipc__option_error(client_base((ipc_client_options_t*) options));
}

/* ---- Options of a client ------------------------------------------------ */

int ipc_client_options_set_connect_timeout(ipc_client_options_t* options,
                                           int timeout_ms) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_timeout(&o->base, "connect timeout", timeout_ms, 1);
  if (err == 0) o->connect_timeout_ms = timeout_ms;
  return err;
}

int ipc_client_options_set_wait_for_server(ipc_client_options_t* options,
                                           int wait) {
  ipc__client_options_t* o = client_of(options);

  if (o == NULL) return UV_EINVAL;
  o->wait_for_server = wait != 0;
  return 0;
}

int ipc_client_options_set_wait_for_instance(ipc_client_options_t* options,
                                             int wait) {
  ipc__client_options_t* o = client_of(options);

  if (o == NULL) return UV_EINVAL;
  o->wait_for_instance = wait != 0;
  return 0;
}

int ipc_client_options_set_wait_for_backlog(ipc_client_options_t* options,
                                            int wait) {
  ipc__client_options_t* o = client_of(options);

  if (o == NULL) return UV_EINVAL;
  o->wait_for_backlog = wait != 0;
  return 0;
}

int ipc_client_options_set_wait_when_busy(ipc_client_options_t* options,
                                          int wait) {
  int err;

  err = ipc_client_options_set_wait_for_instance(options, wait);
  if (err != 0) return err;
  return ipc_client_options_set_wait_for_backlog(options, wait);
}

int ipc_client_options_set_retry_interval(ipc_client_options_t* options,
                                          int interval_ms) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "retry interval", interval_ms, 1,
                                MAX_RETRY_MS);
  if (err == 0) o->retry_interval_ms = interval_ms;
  return err;
}

int ipc_client_options_set_server_user(ipc_client_options_t* options,
                                       const char* user) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_text(&o->base, "server_user", user);
  if (err == 0 && !ipc__user_is_id(user)) {
    err = ipc__option_refuse(&o->base, UV_EINVAL,
                             "server_user: \"%.80s\" is no user id as in "
                             "ipc_peer_t",
                             user);
  }
  if (err == 0) o->server_user = user;
  return err;
}

int ipc_client_options_set_server_peers(ipc_client_options_t* options,
                                        ipc_peers_t peers) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "server_peers", peers,
                                IPC_CHANNEL_PEERS_SAME_USER,
                                IPC_CHANNEL_PEERS_ANYBODY);
  if (err == 0 && peers == IPC_CHANNEL_PEERS_ANYBODY) {
    err = ipc__option_check_anybody(&o->base, "server_peers");
  }
  if (err == 0) o->server_peers = peers;
  return err;
}

int ipc_client_options_set_impersonation(ipc_client_options_t* options,
                                         ipc_impersonation_t level) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "impersonation", level,
                                IPC_CHANNEL_IMPERSONATION_ANONYMOUS,
                                IPC_CHANNEL_IMPERSONATION_DELEGATION);
  if (err == 0) o->impersonation = level;
  return err;
}

int ipc_client_options_on_connect(ipc_client_options_t* options,
                                  ipc_connect_cb cb) {
  ipc__client_options_t* o = client_of(options);

  if (o == NULL) return UV_EINVAL;
  o->on_connect = cb;
  return 0;
}

int ipc_client_options_set_reconnect(ipc_client_options_t* options,
                                     int first_ms,
                                     int max_ms) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_backoff(&o->base, "reconnect", first_ms, max_ms);
  if (err != 0) return err;
  o->reconnect_first_ms = first_ms;
  o->reconnect_max_ms = max_ms;
  return 0;
}

/* ---- Options of its channel --------------------------------------------- */

int ipc_client_options_set_framing(ipc_client_options_t* options,
                                   ipc_framing_t framing) {
  return ipc__option_set_framing(client_base(options), framing);
}

int ipc_client_options_set_delimiter(ipc_client_options_t* options,
                                     int delimiter) {
  return ipc__option_set_delimiter(client_base(options), delimiter);
}

int ipc_client_options_set_length_prefix(ipc_client_options_t* options,
                                         const ipc_length_prefix_t* prefix) {
  return ipc__option_set_length_prefix(client_base(options), prefix);
}

int ipc_client_options_set_codec(ipc_client_options_t* options,
                                 const ipc_codec_t* codec) {
  return ipc__option_set_codec(client_base(options), codec);
}

int ipc_client_options_set_buffer_sizes(ipc_client_options_t* options,
                                        size_t in_bytes,
                                        size_t out_bytes) {
  ipc__options_t* o = client_base(options);

  /* Not remembered: the server has said what they are. */
  if (o != NULL && !IPC__CLIENT_SIZES_BUFFERS) return UV_ENOTSUP;
  return ipc__option_set_buffer_sizes(o, in_bytes, out_bytes);
}

int ipc_client_options_set_max_message_bytes(ipc_client_options_t* options,
                                             size_t bytes) {
  return ipc__option_set_max_message(client_base(options), bytes);
}

int ipc_client_options_set_max_queue_bytes(ipc_client_options_t* options,
                                           size_t bytes) {
  return ipc__option_set_max_queue(client_base(options), bytes);
}

int ipc_client_options_set_max_queue_messages(ipc_client_options_t* options,
                                              uint32_t count) {
  return ipc__option_set_max_queue_messages(client_base(options), count);
}

int ipc_client_options_set_slow_reader(ipc_client_options_t* options,
                                       ipc_slow_reader_t policy) {
  return ipc__option_set_slow_reader(client_base(options), policy);
}

int ipc_client_options_set_access(ipc_client_options_t* options,
                                  ipc_access_t access) {
  return ipc__option_set_access(client_base(options), access);
}

int ipc_client_options_set_heartbeat(ipc_client_options_t* options,
                                     int interval_ms) {
  return ipc__option_set_heartbeat(client_base(options), interval_ms);
}

int ipc_client_options_set_close_timeout(ipc_client_options_t* options,
                                         int timeout_ms) {
  return ipc__option_set_close_timeout(client_base(options), timeout_ms);
}

int ipc_client_options_set_idle_timeout(ipc_client_options_t* options,
                                        int timeout_ms) {
  return ipc__option_set_idle_timeout(client_base(options), timeout_ms);
}

int ipc_client_options_set_allocator(ipc_client_options_t* options,
                                     const ipc_allocator_t* allocator) {
  return ipc__option_set_allocator(client_base(options), allocator);
}

int ipc_client_options_on_message(ipc_client_options_t* options,
                                  ipc_message_cb cb) {
  return ipc__option_on_message(client_base(options), cb);
}

int ipc_client_options_on_request(ipc_client_options_t* options,
                                  ipc_request_cb cb) {
  return ipc__option_on_request(client_base(options), cb);
}

int ipc_client_options_on_state(ipc_client_options_t* options,
                                ipc_state_cb cb) {
  return ipc__option_on_state(client_base(options), cb);
}

int ipc_client_options_on_drain(ipc_client_options_t* options,
                                ipc_drain_cb cb) {
  return ipc__option_on_drain(client_base(options), cb);
}

int ipc_client_options_on_end(ipc_client_options_t* options, ipc_end_cb cb) {
  return ipc__option_on_end(client_base(options), cb);
}

int ipc_client_options_on_close(ipc_client_options_t* options,
                                ipc_close_cb cb) {
  return ipc__option_on_close(client_base(options), cb);
}
