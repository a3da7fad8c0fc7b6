/* A listening socket under a uv_poll_t, and our own accept: libuv's neither
 * reports its errors nor stops for them. Who owns the name is lock.c's
 * business, that of an adopted socket nobody's here; who may in is decided
 * above. The umask is never changed, nobody can connect before the socket has
 * its owner and mode, and nothing spins. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../name.h"
#include "posix.h"

/* What libuv's own servers mostly ask for, and macOS's upper limit. */
#define PENDING_INSTANCES 128

/* How many clients are taken in one turn of the loop, so that those that came
 * before get theirs. */
#define ACCEPTS_PER_TURN 16

/* Pauses after a failure: short for a moment's trouble, and soon long enough
 * that they cost nothing. */
#define RETRY_MS_MIN 10
#define RETRY_MS_MAX 1000

struct ipc__listener_s {
  uv_poll_t poll;
  uv_timer_t retry;
  const ipc_allocator_t* allocator;
  const ipc__listener_callbacks_t* callbacks;
  void* owner;
  ipc__lock_t lock; /* if has_lock: a name that is a path of ours */
  int fd;
  unsigned int pending_instances;
  size_t in_bytes;
  size_t out_bytes;
  unsigned int retry_ms;
  unsigned int open_handles; /* that uv_close hasn't finished */
  int has_lock;
  int is_started;
  int is_failing;
  int is_closing;
};

/* Who may connect, as the file says it. */
typedef struct access_s {
  mode_t mode;
  uid_t uid;
  gid_t gid;
} access_t;

static int get_access(const ipc__listen_config_t* config, access_t* access) {
  access->uid = (uid_t) config->uid; /* -1 leaves it, for chown too */
  access->gid = (gid_t) -1;
  access->mode = 0600;
  if (config->group_id != NULL) {
    if (!ipc__gid_parse(config->group_id, &access->gid)) return UV_EINVAL;
    access->mode = 0660;
  }
  if (config->peers == IPC_CHANNEL_PEERS_ANYBODY) access->mode = 0666;
  if (config->mode != -1) access->mode = (mode_t) config->mode;
  if (config->gid != -1) access->gid = (gid_t) config->gid;
  return 0;
}

/* Where the system can't leave out links, see that there is none first. */
static int set_mode(const ipc__lock_t* lock, mode_t mode) {
  if (fchmodat(AT_FDCWD, lock->path, mode, AT_SYMLINK_NOFOLLOW) == 0) return 0;
  if (errno != EOPNOTSUPP && errno != ENOTSUP && errno != EINVAL)
    return ipc__errno();
  if (!ipc__lock_has_socket(lock)) return UV_EADDRINUSE;
  return chmod(lock->path, mode) == -1 ? ipc__errno() : 0;
}

/* Gives the new socket file its owner, then its exact mode. */
static int set_access(ipc__lock_t* lock, const access_t* access) {
  struct stat status;
  int err;

  err = ipc__lock_note_socket(lock, &status);
  if (err != 0) return err;
  if ((access->uid != (uid_t) -1 || access->gid != (gid_t) -1) &&
      lchown(lock->path, access->uid, access->gid) == -1)
    return ipc__errno();
  if ((status.st_mode & 07777) == access->mode) return 0;
  return set_mode(lock, access->mode);
}

/* A backlog of n is n clients on macOS and n + 1 on Linux. */
static int start_listening(int fd, unsigned int pending_instances) {
#ifdef __linux__
  pending_instances--;
#endif
  return listen(fd, (int) pending_instances) == -1 ? ipc__errno() : 0;
}

/* Gives the socket its file, which nobody but those meant can open. */
static int bind_path(ipc__listener_t* listener, const access_t* access) {
  int err;

  err = ipc__socket_limit_mode(listener->fd, access->mode);
  if (err == 0) err = ipc__socket_bind(listener->fd, listener->lock.path);
  if (err == 0) err = set_access(&listener->lock, access);
  return err;
}

/* Makes the socket of a name that is ours; an abstract one becomes ours by
 * this, and has neither file nor permissions. */
static int make_socket(ipc__listener_t* listener,
                       const ipc__listen_config_t* config,
                       const access_t* access) {
  int err;

  err = ipc__socket_open(IPC__SOCKET_TYPE(config->is_packet), &listener->fd);
  if (err != 0) return err;
  if (listener->has_lock)
    err = bind_path(listener, access);
  else
    err = ipc__socket_bind(listener->fd, config->os_name);
  if (err != 0) goto fail;
  /* Every client's socket is given these sizes anew, but from this one they can
   * be asked for before there is a client. */
  ipc__socket_set_buffers(listener->fd, listener->in_bytes,
                          listener->out_bytes);
  err = start_listening(listener->fd, listener->pending_instances);
  if (err != 0) goto fail;
  return 0;

fail:
  close(listener->fd);
  return err;
}

static void on_readable(uv_poll_t* poll, int status, int events);
static void on_retry(uv_timer_t* timer);

static void wait_for_clients(ipc__listener_t* listener) {
  if (uv_poll_start(&listener->poll, UV_READABLE, on_readable) != 0)
    uv_timer_start(&listener->retry, on_retry, RETRY_MS_MAX, 0);
}

static ipc__listener_t* create(const ipc__listen_config_t* config,
                               const ipc__listener_callbacks_t* callbacks,
                               void* owner) {
  ipc__listener_t* listener;

  listener = ipc__calloc(config->allocator, sizeof(*listener));
  if (listener == NULL) return NULL;
  listener->allocator = config->allocator;
  listener->callbacks = callbacks;
  listener->owner = owner;
  listener->in_bytes = config->in_bytes;
  listener->out_bytes = config->out_bytes;
  listener->pending_instances = config->pending_instances;
  if (listener->pending_instances == 0)
    listener->pending_instances = PENDING_INSTANCES;
  return listener;
}

/* The descriptor goes under the loop, and nothing can fail any more. */
static int attach(ipc__listener_t* listener, uv_loop_t* loop) {
  int err;

  err = uv_poll_init(loop, &listener->poll, listener->fd);
  if (err != 0) return err;
  uv_timer_init(loop, &listener->retry);
  listener->poll.data = listener;
  listener->retry.data = listener;
  listener->open_handles = 2;
  listener->is_started = 1;
  wait_for_clients(listener);
  return 0;
}

int ipc__listener_open(uv_loop_t* loop,
                       const ipc__listen_config_t* config,
                       const ipc__listener_callbacks_t* callbacks,
                       void* owner,
                       ipc__listener_t** result) {
  ipc__listener_t* listener;
  access_t access;
  int err;

  listener = create(config, callbacks, owner);
  if (listener == NULL) return UV_ENOMEM;
  err = get_access(config, &access);
  if (err == 0) err = ipc__directory_check(config->os_name, config->place, 1);
  if (err != 0) goto fail_memory;
  listener->has_lock = !ipc__name_is_abstract(config->os_name);
  if (listener->has_lock)
    err = ipc__lock_take(&listener->lock, config->os_name, config->uid);
  if (err != 0) goto fail_memory;
  err = make_socket(listener, config, &access);
  if (err != 0) goto fail_lock;
  err = attach(listener, loop);
  if (err != 0) goto fail_socket;
  *result = listener;
  return 0;

fail_socket:
  close(listener->fd);
fail_lock:
  if (listener->has_lock) ipc__lock_release(&listener->lock);
fail_memory:
  ipc__free(config->allocator, listener);
  return err;
}

int ipc__listener_adopt(uv_loop_t* loop,
                        const ipc__listen_config_t* config,
                        const ipc__listener_callbacks_t* callbacks,
                        void* owner,
                        uv_os_fd_t handle,
                        ipc__listener_t** result) {
  ipc__listener_t* listener;
  int err;

  listener = create(config, callbacks, owner);
  if (listener == NULL) return UV_ENOMEM;
  listener->fd = handle;
  listener->pending_instances = 0; /* whoever called listen knows */
  /* Makes it non-blocking when all else has gone well. */
  err = attach(listener, loop);
  if (err != 0) {
    ipc__free(config->allocator, listener);
    return err;
  }
  ipc__socket_close_on_exec(listener->fd);
  (void) ipc__socket_mute(listener->fd);
  ipc__socket_set_buffers(listener->fd, listener->in_bytes,
                          listener->out_bytes);
  *result = listener;
  return 0;
}

/* Hands out clients until none is left, the turn's share is taken or a callback
 * has stopped us. An error that belongs to one connection is passed over,
 * unless there is nothing else. */
static int accept_batch(ipc__listener_t* listener) {
  int delivered;
  int err;
  int fd;
  int i;

  delivered = 0;
  err = 0;
  for (i = 0; i < ACCEPTS_PER_TURN; i++) {
    err = ipc__socket_accept(listener->fd, &fd);
    if (err == UV_EINTR || err == UV_ECONNABORTED || err == UV_EPROTO) continue;
    if (err != 0) break;
    ipc__socket_set_buffers(fd, listener->in_bytes, listener->out_bytes);
    /* There was progress: the next pause is a short one again. */
    listener->retry_ms = 0;
    delivered = 1;
    listener->callbacks->on_accept(listener->owner, fd);
    if (listener->is_closing || !listener->is_started) return 0;
  }
  if (err == UV_EAGAIN || (i == ACCEPTS_PER_TURN && delivered)) return 0;
  return err;
}

static void back_off(ipc__listener_t* listener, int err) {
  int begins;

  begins = !listener->is_failing;
  listener->is_failing = 1;
  listener->retry_ms *= 2;
  if (listener->retry_ms < RETRY_MS_MIN) listener->retry_ms = RETRY_MS_MIN;
  if (listener->retry_ms > RETRY_MS_MAX) listener->retry_ms = RETRY_MS_MAX;
  uv_poll_stop(&listener->poll);
  uv_timer_start(&listener->retry, on_retry, listener->retry_ms, 0);
  /* Last: it may close the listener. */
  if (begins) listener->callbacks->on_error(listener->owner, err);
}

/* `status`: what the poll reported of itself. */
static void accept_turn(ipc__listener_t* listener, int status) {
  int err;

  err = accept_batch(listener);
  if (listener->is_closing || !listener->is_started) return;
  if (err == 0) err = status;
  if (err != 0) {
    back_off(listener, err);
    return;
  }
  listener->is_failing = 0;
  listener->retry_ms = 0;
  if (!uv_is_active((uv_handle_t*) &listener->poll)) wait_for_clients(listener);
}

static void on_readable(uv_poll_t* poll, int status, int events) {
  (void) events;
  accept_turn(poll->data, status);
}

static void on_retry(uv_timer_t* timer) {
  accept_turn(timer->data, 0);
}

void ipc__listener_stop(ipc__listener_t* listener) {
  if (listener->is_closing) return;
  listener->is_started = 0;
  uv_poll_stop(&listener->poll);
  uv_timer_stop(&listener->retry);
}

void ipc__listener_start(ipc__listener_t* listener) {
  if (listener->is_closing || listener->is_started) return;
  listener->is_started = 1;
  if (listener->is_failing)
    uv_timer_start(&listener->retry, on_retry, listener->retry_ms, 0);
  else
    wait_for_clients(listener);
}

unsigned int ipc__listener_pending_instances(const ipc__listener_t* listener) {
  return listener->pending_instances;
}

void ipc__listener_buffer_sizes(const ipc__listener_t* listener,
                                size_t* in_bytes,
                                size_t* out_bytes) {
  ipc__socket_get_buffers(listener->fd, in_bytes, out_bytes);
}

static void on_handle_closed(uv_handle_t* handle) {
  const ipc__listener_callbacks_t* callbacks;
  ipc__listener_t* listener;
  void* owner;

  listener = handle->data;
  if (--listener->open_handles > 0) return;
  callbacks = listener->callbacks;
  owner = listener->owner;
  ipc__free(listener->allocator, listener);
  callbacks->on_close(owner);
}

void ipc__listener_close(ipc__listener_t* listener) {
  if (listener->is_closing) return;
  listener->is_closing = 1;
  if (listener->has_lock) ipc__lock_release(&listener->lock);
  uv_close((uv_handle_t*) &listener->poll, on_handle_closed);
  uv_close((uv_handle_t*) &listener->retry, on_handle_closed);
  close(listener->fd);
}

int ipc__sddl_check(const ipc_allocator_t* allocator, const char* sddl) {
  (void) allocator;
  (void) sddl;
  return UV_ENOTSUP;
}
