/* What the opaque builders hold. */
#ifndef IPC_CHANNEL_OPTIONS_H
#define IPC_CHANNEL_OPTIONS_H

#include "framing.h"

/* The part of all builders that every channel keeps for its life. */
typedef struct ipc__settings_s {
  ipc_allocator_t allocator;
  ipc_message_cb on_message;
  ipc_request_cb on_request;
  ipc_state_cb on_state;
  ipc_drain_cb on_drain;
  ipc_end_cb on_end;
  ipc_close_cb on_close;
  size_t in_bytes;
  size_t out_bytes;
  size_t max_message_bytes;
  size_t max_queue_bytes;
  size_t max_total_queue_bytes; /* SIZE_MAX: no limit, always so in a client */
  uint32_t max_queue_messages;  /* UINT32_MAX: no limit */
  ipc__format_t format;
  ipc_slow_reader_t slow_reader;
  ipc_access_t access;
  int heartbeat_ms;
  int close_timeout_ms;
  int idle_timeout_ms;
} ipc__settings_t;

/* What all builders begin with. */
typedef struct ipc__options_s {
  uint32_t magic; /* tells an initialised builder of the right kind */
  int error;      /* of the first bad value */
  char reason[IPC_CHANNEL_REASON_SIZE];
  const char* name; /* NULL: none */
  /* Options that were set, and make no sense but with the native framing, or
   * with messages. */
  const char* native_only;
  const char* message_only;
  ipc__settings_t channel;
} ipc__options_t;

typedef struct ipc__server_options_s {
  ipc__options_t base;
  unsigned int max_instances;
  unsigned int pending_instances; /* 0: the system's default */
  int64_t waiting_instances; /* -1: not set: 0, or 128 without on_connection */
  ipc_peers_t peers;
  int handshake_timeout_ms;
  const char* group;
  const char* sddl;
  int64_t mode; /* -1: not set, as for the two below */
  int64_t uid;
  int64_t gid;
  uv_os_fd_t listener;
  int has_listener;
  const char* name_only; /* an option that was set and only a name has */
  ipc_admit_cb on_admit;
  ipc_connection_cb on_connection;
  ipc_server_error_cb on_error;
} ipc__server_options_t;

typedef struct ipc__client_options_s {
  ipc__options_t base;
  int connect_timeout_ms;
  int retry_interval_ms;
  int wait_for_server;
  int wait_for_instance;
  int wait_for_backlog;
  int reconnect_first_ms;
  int reconnect_max_ms;    /* 0: off */
  const char* server_user; /* NULL: as server_peers says */
  ipc_peers_t server_peers;
  ipc_impersonation_t impersonation;
  ipc_connect_cb on_connect;
} ipc__client_options_t;

typedef struct ipc__channel_options_s {
  ipc__options_t base;
  int connect_timeout_ms;
  ipc_connect_cb on_connect;
} ipc__channel_options_t;

/* Standard input, output, error, and the extra channel. */
#define IPC__CHILD_SLOTS 4u

/* What ipc_child_options_set_stdio_handle makes of a slot. */
#define IPC__CHILD_HANDLE (IPC_CHILD_STDOUT + 1)

typedef struct ipc__child_options_s {
  ipc__options_t base; /* its name is the program's file */
  const char* const* args;
  const char* const* env; /* NULL: this process's */
  const char* directory;  /* NULL: this process's */
  ipc_child_exit_cb on_exit;
  int drain_timeout_ms;
  struct {
    int stdio; /* ipc_child_stdio_t, or IPC__CHILD_HANDLE */
    union {
      const ipc_channel_options_t* channel; /* NULL: the defaults */
      uv_os_fd_t handle;                    /* with IPC__CHILD_HANDLE */
    } is;
    void* data; /* the channel's */
  } slots[IPC__CHILD_SLOTS];
} ipc__child_options_t;

typedef struct ipc__worker_options_s {
  ipc__options_t base; /* its name is the program's file */
  const char* const* args;
  const char* const* env; /* NULL: this process's */
  const char* directory;  /* NULL: this process's */
  ipc_child_stdio_t stdio[IPC_CHILD_EXTRA_SLOT];
  const ipc_channel_options_t* channel; /* NULL: the defaults */
  ipc_worker_ready_cb on_ready;
  ipc_worker_exit_cb on_exit;
  int restart_first_ms; /* IPC_CHANNEL_INFINITE: never */
  int restart_max_ms;
  int grace_ms;
} ipc__worker_options_t;

/* Which way the stream has to go: the native framing speaks both ways whatever
 * its messages do. */
static inline ipc_access_t ipc__stream_access(const ipc__settings_t* settings) {
  return settings->format.framing == IPC_CHANNEL_FRAMING_NATIVE
             ? IPC_CHANNEL_ACCESS_DUPLEX
             : settings->access;
}

static inline int ipc__settings_have_packets(const ipc__settings_t* settings) {
  return settings->format.framing == IPC_CHANNEL_FRAMING_PACKET;
}

/* Whether it lives on a stream of bytes that says nothing beside them. */
static inline int ipc__settings_have_bytes(const ipc__settings_t* settings) {
  return settings->format.framing != IPC_CHANNEL_FRAMING_NATIVE &&
         !ipc__settings_have_packets(settings);
}

/* options.c: the common part. Each takes NULL for a builder that was never
 * initialised, and answers UV_EINVAL. */
void ipc__option_init(ipc__options_t* o, uint32_t magic);
/* Takes the name, and says at once what listen and connect would say of it. */
void ipc__option_set_name(ipc__options_t* o, const char* name);
const char* ipc__option_error(const ipc__options_t* o);
int ipc__option_set_framing(ipc__options_t* o, ipc_framing_t framing);
int ipc__option_set_delimiter(ipc__options_t* o, int delimiter);
int ipc__option_set_length_prefix(ipc__options_t* o,
                                  const ipc_length_prefix_t* prefix);
int ipc__option_set_codec(ipc__options_t* o, const ipc_codec_t* codec);
int ipc__option_set_buffer_sizes(ipc__options_t* o, size_t in, size_t out);
int ipc__option_set_max_message(ipc__options_t* o, size_t bytes);
int ipc__option_set_max_queue(ipc__options_t* o, size_t bytes);
int ipc__option_set_max_queue_messages(ipc__options_t* o, uint32_t count);
int ipc__option_set_slow_reader(ipc__options_t* o, ipc_slow_reader_t policy);
int ipc__option_set_access(ipc__options_t* o, ipc_access_t access);
int ipc__option_set_heartbeat(ipc__options_t* o, int interval_ms);
int ipc__option_set_close_timeout(ipc__options_t* o, int timeout_ms);
int ipc__option_set_idle_timeout(ipc__options_t* o, int timeout_ms);
int ipc__option_set_allocator(ipc__options_t* o,
                              const ipc_allocator_t* allocator);
int ipc__option_on_message(ipc__options_t* o, ipc_message_cb cb);
int ipc__option_on_request(ipc__options_t* o, ipc_request_cb cb);
int ipc__option_on_state(ipc__options_t* o, ipc_state_cb cb);
int ipc__option_on_drain(ipc__options_t* o, ipc_drain_cb cb);
int ipc__option_on_end(ipc__options_t* o, ipc_end_cb cb);
int ipc__option_on_close(ipc__options_t* o, ipc_close_cb cb);

/* Remembers the first bad value and, printf-like, what is wrong with it;
 * returns `status`. */
int ipc__option_refuse(ipc__options_t* o, int status, const char* format, ...);
/* Refuses to let anybody in, or be anybody's client, by an abstract name. */
int ipc__option_check_anybody(ipc__options_t* o, const char* option);
/* Takes note of an option that only the native framing has: with another one,
 * set before or after, it is refused. */
int ipc__option_native_only(ipc__options_t* o, const char* option);
/* The checks that several options share: 0, or the error. */
int ipc__option_check_range(ipc__options_t* o,
                            const char* option,
                            long long value,
                            long long low,
                            long long high);
int ipc__option_check_size(ipc__options_t* o,
                           const char* option,
                           size_t value,
                           size_t low,
                           size_t high);
int ipc__option_check_timeout(ipc__options_t* o,
                              const char* option,
                              int timeout_ms,
                              int low);
int ipc__option_check_text(ipc__options_t* o,
                           const char* option,
                           const char* text);
int ipc__option_check_backoff(ipc__options_t* o,
                              const char* option,
                              int first_ms,
                              int max_ms);

/* options_child.c: the checks that a worker's builder shares. */
int ipc__option_check_program(ipc__options_t* o,
                              const char* file,
                              const char* const* args);
int ipc__option_check_stdio(ipc__options_t* o,
                            unsigned int slot,
                            ipc_child_stdio_t stdio);

/* The contents of a builder; NULL when it was never initialised. */
const ipc__server_options_t* ipc__server_options(
    const ipc_server_options_t* options);
/* What listen says of it before it looks at the system. */
int ipc__server_options_status(const ipc__server_options_t* o);
const ipc__client_options_t* ipc__client_options(
    const ipc_client_options_t* options);
const ipc__channel_options_t* ipc__channel_options(
    const ipc_channel_options_t* options);
const ipc__child_options_t* ipc__child_options(
    const ipc_child_options_t* options);
const ipc__worker_options_t* ipc__worker_options(
    const ipc_worker_options_t* options);

#endif /* IPC_CHANNEL_OPTIONS_H */
