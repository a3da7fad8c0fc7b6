/* Instances of a pipe that wait for clients. There is always one for the next
 * client: when one is connected, another is made before it is handed out. It
 * must never hand out a pipe that others could have made, never spin on an
 * error, and never touch the loop from the thread that waits but for one
 * uv_async_send.
 *
 * The name is given back when its last instance is closed, and those that have
 * been handed out are instances too. While one lives, a client finds the name
 * busy, not absent, and a new server finds it in use. */
#include "win32.h"

#include <string.h>

#include "../alloc.h"

/* libuv's number, for its own servers. */
#define DEFAULT_INSTANCES 4

/* So many clients at most in one turn of the loop; others want their turn. */
#define ACCEPTS_PER_TURN 16

#define FIRST_RETRY_MS 10
#define LAST_RETRY_MS 1000

/* An instance is empty (no pipe), listening, or done: its event is set, and a
 * client has come, or come and gone, or it failed. */
typedef struct instance_s {
  ipc__listener_t* listener;
  HANDLE pipe; /* INVALID_HANDLE_VALUE: empty */
  HANDLE event;
  HANDLE wait;  /* NULL: none */
  DWORD result; /* ERROR_IO_PENDING: ask `overlapped` */
  OVERLAPPED overlapped;
} instance_t;

struct ipc__listener_s {
  uv_async_t async;
  uv_timer_t timer;
  const ipc_allocator_t* allocator;
  const ipc__listener_callbacks_t* callbacks;
  void* owner;
  PSECURITY_DESCRIPTOR descriptor;
  /* The first instance takes no client: it keeps the name ours, and clients
   * see it busy, not absent, while there is trouble to make others. */
  HANDLE anchor;
  DWORD direction; /* PIPE_ACCESS_...; every instance must have the same */
  DWORD type;      /* PIPE_TYPE_...; the same */
  DWORD in_bytes;
  DWORD out_bytes;
  unsigned int retry_ms;
  int is_stopped;
  int is_closing;
  int in_trouble; /* on_error has been called, and it still is so */
  int open_handles;
  wchar_t name[IPC__PIPE_NAME_LIMIT + 1];
  unsigned int next; /* the instance to look at first */
  unsigned int count;
  instance_t* instances; /* in the same memory */
};

/* ---- One instance ------------------------------------------------------- */

/* Makes an instance. The first one of all fails where the name is taken. */
static int create_pipe(const ipc__listener_t* listener,
                       int is_first,
                       HANDLE* pipe) {
  SECURITY_ATTRIBUTES attributes;
  DWORD error;

  attributes.nLength = sizeof(attributes);
  attributes.lpSecurityDescriptor = listener->descriptor;
  attributes.bInheritHandle = FALSE;
  *pipe = CreateNamedPipeW(listener->name,
                           listener->direction | FILE_FLAG_OVERLAPPED |
                               (is_first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
                           listener->type | PIPE_READMODE_BYTE | PIPE_WAIT |
                               PIPE_REJECT_REMOTE_CLIENTS,
                           PIPE_UNLIMITED_INSTANCES, listener->out_bytes,
                           listener->in_bytes, 0, &attributes);
  if (*pipe != INVALID_HANDLE_VALUE) return 0;

  error = GetLastError();
  /* The first instance's way to say that there are others. */
  if (is_first && (error == ERROR_ACCESS_DENIED || error == ERROR_PIPE_BUSY)) {
    return UV_EADDRINUSE;
  }
  return ipc__win32_error(error);
}

/* Begins to wait for a client, who may be there already, or (ERROR_NO_DATA)
 * gone already: what it wrote can still be read. */
static void instance_connect(instance_t* instance) {
  memset(&instance->overlapped, 0, sizeof(instance->overlapped));
  instance->overlapped.hEvent = instance->event;
  ResetEvent(instance->event);
  if (ConnectNamedPipe(instance->pipe, &instance->overlapped)) {
    instance->result = ERROR_PIPE_CONNECTED;
  } else {
    instance->result = GetLastError();
  }
  if (instance->result == ERROR_NO_DATA) {
    instance->result = ERROR_PIPE_CONNECTED;
  }
  if (instance->result != ERROR_IO_PENDING) SetEvent(instance->event);
}

/* In a thread of the system's. */
static void CALLBACK on_event(void* async, BOOLEAN timed_out) {
  (void) timed_out;
  uv_async_send(async);
}

/* Has the loop woken when the instance is done. In a thread of the pool, not
 * the one that waits (WT_EXECUTEINWAITTHREAD): under Wine 8 unregistering then
 * crashes now and again. */
static int instance_watch(instance_t* instance) {
  if (instance->result != ERROR_IO_PENDING) {
    return uv_async_send(&instance->listener->async);
  }
  if (RegisterWaitForSingleObject(&instance->wait, instance->event, on_event,
                                  &instance->listener->async, INFINITE,
                                  WT_EXECUTEONLYONCE)) {
    return 0;
  }
  instance->wait = NULL;
  return ipc__win32_error(GetLastError());
}

/* After this on_event has run or never will. */
static void instance_unwatch(instance_t* instance) {
  if (instance->wait == NULL) return;
  UnregisterWaitEx(instance->wait, INVALID_HANDLE_VALUE);
  instance->wait = NULL;
}

/* Empties the instance; a client that is there sees the end. */
static void instance_drop(instance_t* instance) {
  DWORD bytes;

  if (instance->pipe == INVALID_HANDLE_VALUE) return;
  instance_unwatch(instance);
  if (instance->result == ERROR_IO_PENDING) {
    CancelIoEx(instance->pipe, &instance->overlapped);
    /* The kernel has our memory until this returns, which is soon. */
    GetOverlappedResult(instance->pipe, &instance->overlapped, &bytes, TRUE);
  }
  CloseHandle(instance->pipe);
  instance->pipe = INVALID_HANDLE_VALUE;
}

static int instance_arm(instance_t* instance) {
  int err = create_pipe(instance->listener, 0, &instance->pipe);
  if (err != 0) return err;
  instance_connect(instance);
  err = instance_watch(instance);
  if (err != 0) instance_drop(instance);
  return err;
}

static int instance_is_done(const instance_t* instance) {
  return instance->pipe != INVALID_HANDLE_VALUE &&
         WaitForSingleObject(instance->event, 0) == WAIT_OBJECT_0;
}

/* How it went for an instance that is done. */
static DWORD instance_result(instance_t* instance) {
  DWORD bytes;

  if (instance->result != ERROR_IO_PENDING) return instance->result;
  return GetOverlappedResult(instance->pipe, &instance->overlapped, &bytes,
                             FALSE)
             ? ERROR_PIPE_CONNECTED
             : GetLastError();
}

/* ---- Accepting ---------------------------------------------------------- */

static void on_retry(uv_timer_t* timer);

/* The last thing its caller does: on_error may close the listener. */
static void begin_retry(ipc__listener_t* listener, int status) {
  if (!uv_is_active((uv_handle_t*) &listener->timer)) {
    uv_timer_start(&listener->timer, on_retry, listener->retry_ms, 0);
  }
  if (listener->in_trouble) return;
  listener->in_trouble = 1;
  listener->callbacks->on_error(listener->owner, status);
}

static void on_retry(uv_timer_t* timer) {
  ipc__listener_t* listener = timer->data;
  unsigned int i;
  int err = 0;

  for (i = 0; i < listener->count && err == 0; i++) {
    if (listener->instances[i].pipe != INVALID_HANDLE_VALUE) continue;
    err = instance_arm(&listener->instances[i]);
  }
  if (err == 0) {
    listener->in_trouble = 0;
    listener->retry_ms = FIRST_RETRY_MS;
    return;
  }
  listener->retry_ms *= 2;
  if (listener->retry_ms > LAST_RETRY_MS) listener->retry_ms = LAST_RETRY_MS;
  begin_retry(listener, err);
}

/* Takes the outcome out of an instance, arms it anew, and only then hands out
 * the client. May close the listener. */
static void instance_serve(instance_t* instance) {
  ipc__listener_t* listener = instance->listener;
  HANDLE pipe = instance->pipe;
  DWORD result = instance_result(instance);
  int err;

  instance_unwatch(instance);
  instance->pipe = INVALID_HANDLE_VALUE;
  switch (result) {
    case ERROR_PIPE_CONNECTED:
    /* A client has come and gone, and nothing is left of it. */
    case ERROR_BROKEN_PIPE:
    case ERROR_PIPE_NOT_CONNECTED:
    /* The thread that ran the loop before has ended. */
    case ERROR_OPERATION_ABORTED:
      err = instance_arm(instance);
      break;
    default: /* would be so again */
      err = ipc__win32_error(result);
  }
  if (result == ERROR_PIPE_CONNECTED) {
    listener->callbacks->on_accept(listener->owner, pipe);
  } else {
    CloseHandle(pipe);
  }
  if (err != 0 && !listener->is_closing) begin_retry(listener, err);
}

static void on_wake(uv_async_t* async) {
  ipc__listener_t* listener = async->data;
  instance_t* instance;
  unsigned int served = 0;
  unsigned int seen;

  for (seen = 0; seen < listener->count; seen++) {
    if (listener->is_stopped || listener->is_closing) return;
    if (served == ACCEPTS_PER_TURN) break;
    instance = &listener->instances[listener->next];
    listener->next = (listener->next + 1) % listener->count;
    if (!instance_is_done(instance)) continue;
    instance_serve(instance);
    served++;
  }
  if (seen < listener->count) uv_async_send(&listener->async);
}

/* ---- Opening ------------------------------------------------------------ */

static DWORD buffer_bytes(size_t asked) {
  return asked == 0 ? IPC__PIPE_BUFFER_BYTES : (DWORD) asked;
}

static DWORD pipe_direction(ipc_access_t access) {
  switch (access) {
    case IPC_CHANNEL_ACCESS_INBOUND:
      return PIPE_ACCESS_INBOUND;
    case IPC_CHANNEL_ACCESS_OUTBOUND:
      return PIPE_ACCESS_OUTBOUND;
    case IPC_CHANNEL_ACCESS_DUPLEX:
    default:
      return PIPE_ACCESS_DUPLEX;
  }
}

static int listener_new(const ipc__listen_config_t* config,
                        ipc__listener_t** result) {
  unsigned int count = config->pending_instances != 0
                           ? config->pending_instances
                           : DEFAULT_INSTANCES;
  ipc__listener_t* listener;
  unsigned int i;

  listener = ipc__calloc(config->allocator,
                         sizeof(*listener) + count * sizeof(instance_t));
  if (listener == NULL) return UV_ENOMEM;
  listener->allocator = config->allocator;
  listener->direction = pipe_direction(config->access);
  listener->type = config->is_packet ? PIPE_TYPE_MESSAGE : PIPE_TYPE_BYTE;
  listener->in_bytes = buffer_bytes(config->in_bytes);
  listener->out_bytes = buffer_bytes(config->out_bytes);
  listener->retry_ms = FIRST_RETRY_MS;
  listener->anchor = INVALID_HANDLE_VALUE;
  listener->count = count;
  listener->instances = (instance_t*) (listener + 1);
  for (i = 0; i < count; i++) {
    listener->instances[i].listener = listener;
    listener->instances[i].pipe = INVALID_HANDLE_VALUE;
  }
  *result = listener;
  return 0;
}

/* Closes all that the system gave, and the name with it. */
static void listener_release(ipc__listener_t* listener) {
  unsigned int i;

  for (i = 0; i < listener->count; i++) {
    instance_drop(&listener->instances[i]);
    if (listener->instances[i].event == NULL) continue;
    CloseHandle(listener->instances[i].event);
    listener->instances[i].event = NULL;
  }
  if (listener->anchor != INVALID_HANDLE_VALUE) CloseHandle(listener->anchor);
  LocalFree(listener->descriptor);
}

/* Makes the first instance and uses it up: one that listens can't be made to
 * stop, but one that has lost its client takes no other. A stranger who is
 * quicker than we are is that client. */
static int listener_take_name(ipc__listener_t* listener, const char* os_name) {
  HANDLE client;
  int err;

  err = create_pipe(listener, 1, &listener->anchor);
  if (err != 0) return err;
  err = ipc__pipe_open(os_name, IPC__LOOK_RIGHTS,
                       IPC_CHANNEL_IMPERSONATION_ANONYMOUS, &client);
  if (err == UV_EBUSY) err = 0;
  /* It listens still: others, on a system that forgets to refuse a second first
   * instance (Wine), have taken our client. */
  if (err == 0 && !DisconnectNamedPipe(listener->anchor)) err = UV_EADDRINUSE;
  if (client != INVALID_HANDLE_VALUE) CloseHandle(client);
  return err;
}

/* Takes the name, and makes all instances and has them listen. */
static int listener_create_all(ipc__listener_t* listener, const char* os_name) {
  instance_t* instance;
  unsigned int i;
  int err;

  err = listener_take_name(listener, os_name);
  if (err != 0) return err;

  for (i = 0; i < listener->count; i++) {
    instance = &listener->instances[i];
    /* Reset by hand: a thread waits for it, and so may a cancellation. */
    instance->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (instance->event == NULL) return ipc__win32_error(GetLastError());
    err = create_pipe(listener, 0, &instance->pipe);
    if (err != 0) return err;
    instance_connect(instance);
  }
  return 0;
}

/* The handles can't be taken back at once, so they come when nothing else can
 * fail: an instance that can't be watched is made again later. */
static int listener_attach(ipc__listener_t* listener, uv_loop_t* loop) {
  unsigned int i;
  int err;

  err = uv_async_init(loop, &listener->async, on_wake);
  if (err != 0) return err;
  uv_timer_init(loop, &listener->timer); /* can't fail */
  listener->timer.data = listener;
  listener->async.data = listener;
  listener->open_handles = 2;
  /* Whether the loop lives on is for the async to say, see _stop. */
  uv_unref((uv_handle_t*) &listener->timer);

  for (i = 0; i < listener->count; i++) {
    if (instance_watch(&listener->instances[i]) == 0) continue;
    instance_drop(&listener->instances[i]);
    uv_timer_start(&listener->timer, on_retry, FIRST_RETRY_MS, 0);
  }
  return 0;
}

int ipc__listener_open(uv_loop_t* loop,
                       const ipc__listen_config_t* config,
                       const ipc__listener_callbacks_t* callbacks,
                       void* owner,
                       ipc__listener_t** result) {
  ipc__listener_t* listener;
  int err;

  err = listener_new(config, &listener);
  if (err != 0) return err;
  listener->callbacks = callbacks;
  listener->owner = owner;

  err = ipc__widen(config->os_name, listener->name, IPC__PIPE_NAME_LIMIT + 1);
  if (err != 0) goto free_listener;
  err = ipc__descriptor_make(config, &listener->descriptor);
  if (err != 0) goto free_listener;
  err = listener_create_all(listener, config->os_name);
  if (err != 0) goto release;
  err = listener_attach(listener, loop);
  if (err != 0) goto release;

  *result = listener;
  return 0;

release:
  listener_release(listener);
free_listener:
  ipc__free(config->allocator, listener);
  return err;
}

int ipc__listener_adopt(uv_loop_t* loop,
                        const ipc__listen_config_t* config,
                        const ipc__listener_callbacks_t* callbacks,
                        void* owner,
                        uv_os_fd_t handle,
                        ipc__listener_t** result) {
  (void) loop;
  (void) config;
  (void) callbacks;
  (void) owner;
  (void) handle;
  (void) result;
  return UV_ENOTSUP;
}

/* ---- The rest ----------------------------------------------------------- */

/* As a stopped poll on POSIX, it doesn't keep the loop alive. */
void ipc__listener_stop(ipc__listener_t* listener) {
  listener->is_stopped = 1;
  uv_unref((uv_handle_t*) &listener->async);
}

void ipc__listener_start(ipc__listener_t* listener) {
  if (!listener->is_stopped) return;
  listener->is_stopped = 0;
  uv_ref((uv_handle_t*) &listener->async);
  uv_async_send(&listener->async);
}

unsigned int ipc__listener_pending_instances(const ipc__listener_t* listener) {
  return listener->count;
}

void ipc__listener_buffer_sizes(const ipc__listener_t* listener,
                                size_t* in_bytes,
                                size_t* out_bytes) {
  DWORD in = 0;
  DWORD out = 0;

  if (!GetNamedPipeInfo(listener->anchor, NULL, &out, &in, NULL)) in = out = 0;
  *in_bytes = in;
  *out_bytes = out;
}

static void on_handle_closed(uv_handle_t* handle) {
  ipc__listener_t* listener = handle->data;

  if (--listener->open_handles > 0) return;
  listener->callbacks->on_close(listener->owner);
  ipc__free(listener->allocator, listener);
}

void ipc__listener_close(ipc__listener_t* listener) {
  if (listener->is_closing) return;
  listener->is_closing = 1;
  listener_release(listener);
  uv_close((uv_handle_t*) &listener->async, on_handle_closed);
  uv_close((uv_handle_t*) &listener->timer, on_handle_closed);
}
