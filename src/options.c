/* The builders: defaults and validation. Nothing here allocates, looks at the
 * system or keeps anything but borrowed pointers. */
#include "options.h"
#include "platform.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

#define SERVER_MAGIC 0x53435049u /* "IPCS" */
#define CLIENT_MAGIC 0x43435049u /* "IPCC" */

#define DEFAULT_TIMEOUT_MS 5000
#define DEFAULT_RETRY_MS 10
#define DEFAULT_MAX_MESSAGE ((size_t) 16 << 20)
#define DEFAULT_MAX_QUEUE ((size_t) 1 << 20)

#define MAX_INSTANCES 1000000u
#define MAX_PENDING 128u
#define MAX_BUFFER ((size_t) 64 << 20)
#define MAX_MESSAGE ((size_t) INT32_MAX)
#define MAX_RETRY_MS 60000

static_assert(sizeof(ipc__server_options_t) <= sizeof(ipc_server_options_t),
              "the server builder has outgrown its 512 bytes");
static_assert(sizeof(ipc__client_options_t) <= sizeof(ipc_client_options_t),
              "the client builder has outgrown its 512 bytes");

static ipc__server_options_t* server_of(ipc_server_options_t* options) {
  ipc__server_options_t* o = (ipc__server_options_t*) options;

  return o != NULL && o->base.magic == SERVER_MAGIC ? o : NULL;
}

static ipc__client_options_t* client_of(ipc_client_options_t* options) {
  ipc__client_options_t* o = (ipc__client_options_t*) options;

  return o != NULL && o->base.magic == CLIENT_MAGIC ? o : NULL;
}

/* The common part, which both builders begin with. */
static ipc__options_t* server_base(ipc_server_options_t* options) {
  ipc__server_options_t* o = server_of(options);

  return o == NULL ? NULL : &o->base;
}

static ipc__options_t* client_base(ipc_client_options_t* options) {
  ipc__client_options_t* o = client_of(options);

  return o == NULL ? NULL : &o->base;
}

const ipc__server_options_t* ipc__server_options(
    const ipc_server_options_t* options) {
  return server_of((ipc_server_options_t*) options);
}

const ipc__client_options_t* ipc__client_options(
    const ipc_client_options_t* options) {
  return client_of((ipc_client_options_t*) options);
}

/* Remembers the first bad value and what is wrong with it. */
static int refuse(ipc__options_t* o, int status, const char* format, ...) {
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

static int check_range(ipc__options_t* o,
                       const char* option,
                       long long value,
                       long long low,
                       long long high) {
  if (value >= low && value <= high) return 0;
  return refuse(o, UV_EINVAL, "%s: %lld is not from %lld to %lld", option,
                value, low, high);
}

static int check_size(ipc__options_t* o,
                      const char* option,
                      size_t value,
                      size_t low,
                      size_t high) {
  if (value >= low && value <= high) return 0;
  return refuse(o, UV_EINVAL, "%s: %llu is not from %llu to %llu bytes",
                option, (unsigned long long) value, (unsigned long long) low,
                (unsigned long long) high);
}

static int check_timeout(ipc__options_t* o,
                         const char* option,
                         int timeout_ms,
                         int low) {
  if (timeout_ms == IPC_CHANNEL_INFINITE || timeout_ms >= low) return 0;
  return refuse(o, UV_EINVAL,
                "%s: %d ms is neither %d or more nor IPC_CHANNEL_INFINITE",
                option, timeout_ms, low);
}

static int check_text(ipc__options_t* o,
                      const char* option,
                      const char* text) {
  if (text != NULL && text[0] != '\0') return 0;
  return refuse(o, UV_EINVAL, "%s: is %s", option,
                text == NULL ? "NULL" : "empty");
}

static void init_base(ipc__options_t* o, uint32_t magic, const char* name) {
  o->magic = magic;
  o->name = name;
  o->channel.allocator = ipc__default_allocator;
  o->channel.framing = IPC_CHANNEL_FRAMING_NATIVE;
  o->channel.max_message_bytes = DEFAULT_MAX_MESSAGE;
  o->channel.max_queue_bytes = DEFAULT_MAX_QUEUE;
  o->channel.close_timeout_ms = DEFAULT_TIMEOUT_MS;
  o->channel.idle_timeout_ms = IPC_CHANNEL_INFINITE;
  if (name == NULL) refuse(o, UV_EINVAL, "name: is NULL");
}

void ipc_server_options_init(ipc_server_options_t* options, const char* name) {
  ipc__server_options_t* o = (ipc__server_options_t*) options;

  if (o == NULL) return;
  memset(options, 0, sizeof(*options));
  init_base(&o->base, SERVER_MAGIC, name);
  o->handshake_timeout_ms = DEFAULT_TIMEOUT_MS;
  o->mode = o->uid = o->gid = -1;
}

void ipc_client_options_init(ipc_client_options_t* options, const char* name) {
  ipc__client_options_t* o = (ipc__client_options_t*) options;

  if (o == NULL) return;
  memset(options, 0, sizeof(*options));
  init_base(&o->base, CLIENT_MAGIC, name);
  o->connect_timeout_ms = DEFAULT_TIMEOUT_MS;
  o->retry_interval_ms = DEFAULT_RETRY_MS;
  o->wait_when_busy = 1;
  o->impersonation = IPC_CHANNEL_IMPERSONATION_IDENTIFICATION;
}

static const char* base_error(const ipc__options_t* o) {
  return o == NULL ? "the options were not initialised" : o->reason;
}

const char* ipc_server_options_error(const ipc_server_options_t* options) {
  return base_error(server_base((ipc_server_options_t*) options));
}

const char* ipc_client_options_error(const ipc_client_options_t* options) {
  return base_error(client_base((ipc_client_options_t*) options));
}

/* ---- Options of every channel ------------------------------------------- */

static int set_framing(ipc__options_t* o, ipc_framing_t framing) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_range(o, "framing", framing, IPC_CHANNEL_FRAMING_NATIVE,
                    IPC_CHANNEL_FRAMING_RAW);
  if (err == 0) o->channel.framing = framing;
  return err;
}

static int set_buffer_sizes(ipc__options_t* o, size_t in, size_t out) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_size(o, "in buffer size", in, 0, MAX_BUFFER);
  if (err == 0) err = check_size(o, "out buffer size", out, 0, MAX_BUFFER);
  if (err != 0) return err;
  o->channel.in_bytes = in;
  o->channel.out_bytes = out;
  return 0;
}

static int set_max_message(ipc__options_t* o, size_t bytes) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_size(o, "max_message_bytes", bytes, 1, MAX_MESSAGE);
  if (err == 0) o->channel.max_message_bytes = bytes;
  return err;
}

static int set_max_queue(ipc__options_t* o, size_t bytes) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_size(o, "max_queue_bytes", bytes, 1, SIZE_MAX / 4);
  if (err == 0) o->channel.max_queue_bytes = bytes;
  return err;
}

static int set_close_timeout(ipc__options_t* o, int timeout_ms) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_timeout(o, "close timeout", timeout_ms, 0);
  if (err == 0) o->channel.close_timeout_ms = timeout_ms;
  return err;
}

static int set_idle_timeout(ipc__options_t* o, int timeout_ms) {
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_timeout(o, "idle timeout", timeout_ms, 1);
  if (err == 0) o->channel.idle_timeout_ms = timeout_ms;
  return err;
}

static int set_allocator(ipc__options_t* o, const ipc_allocator_t* allocator) {
  if (o == NULL) return UV_EINVAL;
  if (allocator == NULL) return refuse(o, UV_EINVAL, "allocator: is NULL");
  if (allocator->allocate == NULL || allocator->resize == NULL ||
      allocator->release == NULL) {
    return refuse(o, UV_EINVAL, "allocator: a function is NULL");
  }
  o->channel.allocator = *allocator;
  return 0;
}

int ipc_server_options_set_framing(ipc_server_options_t* options,
                                   ipc_framing_t framing) {
  return set_framing(server_base(options), framing);
}

int ipc_client_options_set_framing(ipc_client_options_t* options,
                                   ipc_framing_t framing) {
  return set_framing(client_base(options), framing);
}

int ipc_server_options_set_buffer_sizes(ipc_server_options_t* options,
                                        size_t in_bytes,
                                        size_t out_bytes) {
  return set_buffer_sizes(server_base(options), in_bytes, out_bytes);
}

int ipc_client_options_set_buffer_sizes(ipc_client_options_t* options,
                                        size_t in_bytes,
                                        size_t out_bytes) {
  ipc__options_t* o = client_base(options);

  if (o != NULL && !IPC__CLIENT_SIZES_BUFFERS) {
    return refuse(o, UV_ENOTSUP,
                  "buffer sizes: on this system the server alone sizes them");
  }
  return set_buffer_sizes(o, in_bytes, out_bytes);
}

int ipc_server_options_set_max_message_bytes(ipc_server_options_t* options,
                                             size_t bytes) {
  return set_max_message(server_base(options), bytes);
}

int ipc_client_options_set_max_message_bytes(ipc_client_options_t* options,
                                             size_t bytes) {
  return set_max_message(client_base(options), bytes);
}

int ipc_server_options_set_max_queue_bytes(ipc_server_options_t* options,
                                           size_t bytes) {
  return set_max_queue(server_base(options), bytes);
}

int ipc_client_options_set_max_queue_bytes(ipc_client_options_t* options,
                                           size_t bytes) {
  return set_max_queue(client_base(options), bytes);
}

int ipc_server_options_set_close_timeout(ipc_server_options_t* options,
                                         int timeout_ms) {
  return set_close_timeout(server_base(options), timeout_ms);
}

int ipc_client_options_set_close_timeout(ipc_client_options_t* options,
                                         int timeout_ms) {
  return set_close_timeout(client_base(options), timeout_ms);
}

int ipc_server_options_set_idle_timeout(ipc_server_options_t* options,
                                        int timeout_ms) {
  return set_idle_timeout(server_base(options), timeout_ms);
}

int ipc_client_options_set_idle_timeout(ipc_client_options_t* options,
                                        int timeout_ms) {
  return set_idle_timeout(client_base(options), timeout_ms);
}

int ipc_server_options_set_allocator(ipc_server_options_t* options,
                                     const ipc_allocator_t* allocator) {
  return set_allocator(server_base(options), allocator);
}

int ipc_client_options_set_allocator(ipc_client_options_t* options,
                                     const ipc_allocator_t* allocator) {
  return set_allocator(client_base(options), allocator);
}

int ipc_server_options_on_message(ipc_server_options_t* options,
                                  ipc_message_cb cb) {
  ipc__options_t* o = server_base(options);

  if (o == NULL) return UV_EINVAL;
  o->channel.on_message = cb;
  return 0;
}

int ipc_client_options_on_message(ipc_client_options_t* options,
                                  ipc_message_cb cb) {
  ipc__options_t* o = client_base(options);

  if (o == NULL) return UV_EINVAL;
  o->channel.on_message = cb;
  return 0;
}

int ipc_server_options_on_drain(ipc_server_options_t* options,
                                ipc_drain_cb cb) {
  ipc__options_t* o = server_base(options);

  if (o == NULL) return UV_EINVAL;
  o->channel.on_drain = cb;
  return 0;
}

int ipc_client_options_on_drain(ipc_client_options_t* options,
                                ipc_drain_cb cb) {
  ipc__options_t* o = client_base(options);

  if (o == NULL) return UV_EINVAL;
  o->channel.on_drain = cb;
  return 0;
}

int ipc_server_options_on_end(ipc_server_options_t* options, ipc_end_cb cb) {
  ipc__options_t* o = server_base(options);

  if (o == NULL) return UV_EINVAL;
  o->channel.on_end = cb;
  return 0;
}

int ipc_client_options_on_end(ipc_client_options_t* options, ipc_end_cb cb) {
  ipc__options_t* o = client_base(options);

  if (o == NULL) return UV_EINVAL;
  o->channel.on_end = cb;
  return 0;
}

int ipc_server_options_on_close(ipc_server_options_t* options,
                                ipc_close_cb cb) {
  ipc__options_t* o = server_base(options);

  if (o == NULL) return UV_EINVAL;
  o->channel.on_close = cb;
  return 0;
}

int ipc_client_options_on_close(ipc_client_options_t* options,
                                ipc_close_cb cb) {
  ipc__options_t* o = client_base(options);

  if (o == NULL) return UV_EINVAL;
  o->channel.on_close = cb;
  return 0;
}

/* ---- Options of a server ------------------------------------------------ */

int ipc_server_options_set_max_instances(ipc_server_options_t* options,
                                         unsigned int count) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_range(&o->base, "max_instances", count, IPC_CHANNEL_UNLIMITED,
                    MAX_INSTANCES);
  if (err == 0) o->max_instances = count;
  return err;
}

int ipc_server_options_set_pending_instances(ipc_server_options_t* options,
                                             unsigned int count) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_range(&o->base, "pending_instances", count, 1, MAX_PENDING);
  if (err == 0) o->pending_instances = count;
  return err;
}

int ipc_server_options_set_peers(ipc_server_options_t* options,
                                 ipc_peers_t peers) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_range(&o->base, "peers", peers, IPC_CHANNEL_PEERS_SAME_USER,
                    IPC_CHANNEL_PEERS_ANYBODY);
  if (err == 0) o->peers = peers;
  return err;
}

int ipc_server_options_set_peer_group(ipc_server_options_t* options,
                                      const char* group) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_text(&o->base, "peer_group", group);
  if (err == 0) o->group = group;
  return err;
}

int ipc_server_options_on_admit(ipc_server_options_t* options,
                                ipc_admit_cb cb) {
  ipc__server_options_t* o = server_of(options);

  if (o == NULL) return UV_EINVAL;
  o->on_admit = cb;
  return 0;
}

int ipc_server_options_set_posix_mode(ipc_server_options_t* options,
                                      unsigned int mode) {
  ipc__server_options_t* o = server_of(options);

  if (o == NULL) return UV_EINVAL;
  if (!IPC__HAS_POSIX_MODE) {
    return refuse(&o->base, UV_ENOTSUP,
                  "posix_mode: this system has none; see set_peers");
  }
  if (mode > 0777) {
    return refuse(&o->base, UV_EINVAL, "posix_mode: 0%o is more than 0777",
                  mode);
  }
  o->mode = mode;
  return 0;
}

int ipc_server_options_set_posix_owner(ipc_server_options_t* options,
                                       int64_t uid,
                                       int64_t gid) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  if (!IPC__HAS_POSIX_MODE) {
    return refuse(&o->base, UV_ENOTSUP,
                  "posix_owner: this system has none; see set_peers");
  }
  /* The highest id means "leave as it is" to chown. */
  err = check_range(&o->base, "posix_owner uid", uid, -1, UINT32_MAX - 1ll);
  if (err == 0) {
    err = check_range(&o->base, "posix_owner gid", gid, -1, UINT32_MAX - 1ll);
  }
  if (err != 0) return err;
  o->uid = uid;
  o->gid = gid;
  return 0;
}

int ipc_server_options_set_windows_sddl(ipc_server_options_t* options,
                                        const char* sddl) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  if (IPC__HAS_POSIX_MODE) {
    return refuse(&o->base, UV_ENOTSUP,
                  "windows_sddl: this system has none; see set_peers");
  }
  err = check_text(&o->base, "windows_sddl", sddl);
  if (err == 0) o->sddl = sddl;
  return err;
}

int ipc_server_options_set_handshake_timeout(ipc_server_options_t* options,
                                             int timeout_ms) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_timeout(&o->base, "handshake timeout", timeout_ms, 1);
  if (err == 0) o->handshake_timeout_ms = timeout_ms;
  return err;
}

int ipc_server_options_on_connection(ipc_server_options_t* options,
                                     ipc_connection_cb cb) {
  ipc__server_options_t* o = server_of(options);

  if (o == NULL) return UV_EINVAL;
  o->on_connection = cb;
  return 0;
}

int ipc_server_options_on_error(ipc_server_options_t* options,
                                ipc_server_error_cb cb) {
  ipc__server_options_t* o = server_of(options);

  if (o == NULL) return UV_EINVAL;
  o->on_error = cb;
  return 0;
}

/* ---- Options of a client ------------------------------------------------ */

int ipc_client_options_set_connect_timeout(ipc_client_options_t* options,
                                           int timeout_ms) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_timeout(&o->base, "connect timeout", timeout_ms, 1);
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

int ipc_client_options_set_wait_when_busy(ipc_client_options_t* options,
                                          int wait) {
  ipc__client_options_t* o = client_of(options);

  if (o == NULL) return UV_EINVAL;
  o->wait_when_busy = wait != 0;
  return 0;
}

int ipc_client_options_set_retry_interval(ipc_client_options_t* options,
                                          int interval_ms) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_range(&o->base, "retry interval", interval_ms, 1, MAX_RETRY_MS);
  if (err == 0) o->retry_interval_ms = interval_ms;
  return err;
}

int ipc_client_options_set_server_user(ipc_client_options_t* options,
                                       const char* user) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_text(&o->base, "server_user", user);
  if (err == 0) o->server_user = user;
  return err;
}

int ipc_client_options_set_server_peers(ipc_client_options_t* options,
                                        ipc_peers_t peers) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_range(&o->base, "server_peers", peers,
                    IPC_CHANNEL_PEERS_SAME_USER, IPC_CHANNEL_PEERS_ANYBODY);
  if (err == 0) o->server_peers = peers;
  return err;
}

int ipc_client_options_set_impersonation(ipc_client_options_t* options,
                                         ipc_impersonation_t level) {
  ipc__client_options_t* o = client_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = check_range(&o->base, "impersonation", level,
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
