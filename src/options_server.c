/* The server's builder. */
#include <assert.h>
#include <string.h>

#include "name.h"
#include "options.h"
#include "platform.h"

#define SERVER_MAGIC 0x53435049u /* "IPCS" */

#define DEFAULT_HANDSHAKE_MS 5000
#define MAX_INSTANCES 1000000u
#define MAX_WAITING 1000000u
#define MAX_PENDING 128u

static_assert(sizeof(ipc__server_options_t) <= sizeof(ipc_server_options_t),
              "the server builder has outgrown its room");

static ipc__server_options_t* server_of(ipc_server_options_t* options) {
  ipc__server_options_t* o = (ipc__server_options_t*) options;

  return o != NULL && o->base.magic == SERVER_MAGIC ? o : NULL;
}

/* The common part, which both builders begin with. */
static ipc__options_t* server_base(ipc_server_options_t* options) {
  ipc__server_options_t* o = server_of(options);

  return o == NULL ? NULL : &o->base;
}

const ipc__server_options_t* ipc__server_options(
    const ipc_server_options_t* options) {
  return server_of((ipc_server_options_t*) options);
}

void ipc_server_options_init(ipc_server_options_t* options, const char* name) {
  ipc__server_options_t* o = (ipc__server_options_t*) options;

  if (o == NULL) return;
  memset(options, 0, sizeof(*options));
  ipc__option_init(&o->base, SERVER_MAGIC);
  if (name != NULL) ipc__option_set_name(&o->base, name);
  o->handshake_timeout_ms = DEFAULT_HANDSHAKE_MS;
  o->waiting_instances = o->mode = o->uid = o->gid = -1;
}

/* That a name is missing would be the first thing wrong, but a listener may yet
 * come. */
static int has_endpoint(const ipc__server_options_t* o) {
  return o->base.name != NULL || o->has_listener;
}

int ipc__server_options_status(const ipc__server_options_t* o) {
  return has_endpoint(o) ? o->base.error : UV_EINVAL;
}

const char* ipc_server_options_error(const ipc_server_options_t* options) {
  const ipc__server_options_t* o = ipc__server_options(options);

  if (o != NULL && !has_endpoint(o)) {
    return "name: is NULL, and there is no listener";
  }
  return ipc__option_error(o == NULL ? NULL : &o->base);
}

static int refuse_with_listener(ipc__server_options_t* o, const char* option) {
  return ipc__option_refuse(&o->base, UV_EINVAL, "%s: not with a listener",
                            option);
}

/* Takes note of an option that makes sense only where we take a name: with a
 * listener, set before or after, it is refused. */
static int needs_name(ipc__server_options_t* o, const char* option) {
  if (o->has_listener) return refuse_with_listener(o, option);
  o->name_only = option;
  return 0;
}

/* The same for what makes sense only with a path. */
static int needs_path(ipc__server_options_t* o, const char* option) {
  if (ipc__name_is_abstract(o->base.name)) {
    return ipc__option_refuse(
        &o->base, UV_EINVAL, "%s: an abstract name has no permissions", option);
  }
  return needs_name(o, option);
}

int ipc_server_options_set_listener(ipc_server_options_t* options,
                                    uv_os_fd_t handle) {
  ipc__server_options_t* o = server_of(options);

  if (o == NULL) return UV_EINVAL;
  /* Also where it is refused, so that what is told is why. */
  o->listener = handle;
  o->has_listener = 1;
  if (!IPC__HAS_LISTENERS) {
    return ipc__option_refuse(&o->base, UV_ENOTSUP,
                              "listener: this system has no such handles");
  }
  if (o->name_only != NULL) return refuse_with_listener(o, o->name_only);
  return 0;
}

/* ---- Options of a server ------------------------------------------------ */

int ipc_server_options_set_max_instances(ipc_server_options_t* options,
                                         unsigned int count) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "max_instances", count,
                                IPC_CHANNEL_UNLIMITED, MAX_INSTANCES);
  if (err == 0) o->max_instances = count;
  return err;
}

int ipc_server_options_set_waiting_instances(ipc_server_options_t* options,
                                             unsigned int count) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "waiting_instances", count, 0,
                                MAX_WAITING);
  if (err == 0) o->waiting_instances = count;
  return err;
}

int ipc_server_options_set_max_total_queue_bytes(ipc_server_options_t* options,
                                                 size_t bytes) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_size(&o->base, "max_total_queue_bytes", bytes, 1,
                               SIZE_MAX);
  if (err == 0) o->base.channel.max_total_queue_bytes = bytes;
  return err;
}

int ipc_server_options_set_pending_instances(ipc_server_options_t* options,
                                             unsigned int count) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "pending_instances", count, 1,
                                MAX_PENDING);
  if (err == 0) err = needs_name(o, "pending_instances");
  if (err == 0) o->pending_instances = count;
  return err;
}

int ipc_server_options_set_peers(ipc_server_options_t* options,
                                 ipc_peers_t peers) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_range(&o->base, "peers", peers,
                                IPC_CHANNEL_PEERS_SAME_USER,
                                IPC_CHANNEL_PEERS_ANYBODY);
  if (err == 0 && peers == IPC_CHANNEL_PEERS_ANYBODY) {
    err = ipc__option_check_anybody(&o->base, "peers");
  }
  if (err == 0) o->peers = peers;
  return err;
}

int ipc_server_options_set_peer_group(ipc_server_options_t* options,
                                      const char* group) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_text(&o->base, "peer_group", group);
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
  int err;

  if (o == NULL) return UV_EINVAL;
  /* Not remembered: it names the systems it is for. */
  if (!IPC__HAS_POSIX_MODE) return UV_ENOTSUP;
  if (mode > 0777) {
    return ipc__option_refuse(&o->base, UV_EINVAL,
                              "posix_mode: 0%o is more than 0777", mode);
  }
  err = needs_path(o, "posix_mode");
  if (err == 0) o->mode = mode;
  return err;
}

int ipc_server_options_set_posix_owner(ipc_server_options_t* options,
                                       int64_t uid,
                                       int64_t gid) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  if (!IPC__HAS_POSIX_MODE) return UV_ENOTSUP;
  /* The highest id means "leave as it is" to chown. */
  err = ipc__option_check_range(&o->base, "posix_owner uid", uid, -1,
                                UINT32_MAX - 1ll);
  if (err == 0) {
    err = ipc__option_check_range(&o->base, "posix_owner gid", gid, -1,
                                  UINT32_MAX - 1ll);
  }
  if (err == 0) err = needs_path(o, "posix_owner");
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
  if (IPC__HAS_POSIX_MODE) return UV_ENOTSUP;
  err = ipc__option_check_text(&o->base, "windows_sddl", sddl);
  if (err != 0) return err;
  err = ipc__sddl_check(&o->base.channel.allocator, sddl);
  if (err == UV_ENOMEM) {
    return ipc__option_refuse(&o->base, err, "windows_sddl: no memory for it");
  }
  if (err != 0) {
    return ipc__option_refuse(
        &o->base, err, "windows_sddl: is no security descriptor: %s", sddl);
  }
  o->sddl = sddl;
  return 0;
}

int ipc_server_options_set_handshake_timeout(ipc_server_options_t* options,
                                             int timeout_ms) {
  ipc__server_options_t* o = server_of(options);
  int err;

  if (o == NULL) return UV_EINVAL;
  err = ipc__option_check_timeout(&o->base, "handshake timeout", timeout_ms, 1);
  if (err == 0) err = ipc__option_native_only(&o->base, "handshake timeout");
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

/* ---- Options of its channels -------------------------------------------- */

int ipc_server_options_set_framing(ipc_server_options_t* options,
                                   ipc_framing_t framing) {
  return ipc__option_set_framing(server_base(options), framing);
}

int ipc_server_options_set_delimiter(ipc_server_options_t* options,
                                     int delimiter) {
  return ipc__option_set_delimiter(server_base(options), delimiter);
}

int ipc_server_options_set_length_prefix(ipc_server_options_t* options,
                                         const ipc_length_prefix_t* prefix) {
  return ipc__option_set_length_prefix(server_base(options), prefix);
}

int ipc_server_options_set_codec(ipc_server_options_t* options,
                                 const ipc_codec_t* codec) {
  return ipc__option_set_codec(server_base(options), codec);
}

int ipc_server_options_set_buffer_sizes(ipc_server_options_t* options,
                                        size_t in_bytes,
                                        size_t out_bytes) {
  return ipc__option_set_buffer_sizes(server_base(options), in_bytes,
                                      out_bytes);
}

int ipc_server_options_set_max_message_bytes(ipc_server_options_t* options,
                                             size_t bytes) {
  return ipc__option_set_max_message(server_base(options), bytes);
}

int ipc_server_options_set_max_queue_bytes(ipc_server_options_t* options,
                                           size_t bytes) {
  return ipc__option_set_max_queue(server_base(options), bytes);
}

int ipc_server_options_set_max_queue_messages(ipc_server_options_t* options,
                                              uint32_t count) {
  return ipc__option_set_max_queue_messages(server_base(options), count);
}

int ipc_server_options_set_slow_reader(ipc_server_options_t* options,
                                       ipc_slow_reader_t policy) {
  return ipc__option_set_slow_reader(server_base(options), policy);
}

int ipc_server_options_set_access(ipc_server_options_t* options,
                                  ipc_access_t access) {
  return ipc__option_set_access(server_base(options), access);
}

int ipc_server_options_set_heartbeat(ipc_server_options_t* options,
                                     int interval_ms) {
  return ipc__option_set_heartbeat(server_base(options), interval_ms);
}

int ipc_server_options_set_close_timeout(ipc_server_options_t* options,
                                         int timeout_ms) {
  return ipc__option_set_close_timeout(server_base(options), timeout_ms);
}

int ipc_server_options_set_idle_timeout(ipc_server_options_t* options,
                                        int timeout_ms) {
  return ipc__option_set_idle_timeout(server_base(options), timeout_ms);
}

int ipc_server_options_set_allocator(ipc_server_options_t* options,
                                     const ipc_allocator_t* allocator) {
  return ipc__option_set_allocator(server_base(options), allocator);
}

int ipc_server_options_on_message(ipc_server_options_t* options,
                                  ipc_message_cb cb) {
  return ipc__option_on_message(server_base(options), cb);
}

int ipc_server_options_on_request(ipc_server_options_t* options,
                                  ipc_request_cb cb) {
  return ipc__option_on_request(server_base(options), cb);
}

int ipc_server_options_on_state(ipc_server_options_t* options,
                                ipc_state_cb cb) {
  return ipc__option_on_state(server_base(options), cb);
}

int ipc_server_options_on_drain(ipc_server_options_t* options,
                                ipc_drain_cb cb) {
  return ipc__option_on_drain(server_base(options), cb);
}

int ipc_server_options_on_end(ipc_server_options_t* options, ipc_end_cb cb) {
  return ipc__option_on_end(server_base(options), cb);
}

int ipc_server_options_on_close(ipc_server_options_t* options,
                                ipc_close_cb cb) {
  return ipc__option_on_close(server_base(options), cb);
}
