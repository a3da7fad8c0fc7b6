/* ipc_channel: inter-process communication that behaves the same on Linux,
 * macOS and Windows, over libuv.
 *
 * A server listens on a name, a client connects to it, and both then hold an
 * ipc_channel_t. The same name is a Windows named pipe or a Unix domain
 * socket; the code around it is the same.
 *
 * Five rules
 *  1. The loop and its thread are yours; everything happens on it. No function
 *     here may be called from another thread.
 *  2. Options are copied by the call that uses them.
 *  3. Bytes that you send stay yours and untouched until the send's callback
 *     (ipc_channel_send_copy takes a copy instead).
 *  4. Bytes handed to you live until your callback returns.
 *  5. Whoever is handed a channel closes it. A dead channel stays valid and
 *     answers its error until ipc_channel_close, the only destructor; pending
 *     operations end with UV_ECANCELED, then one last on_close. A server
 *     without an on_connection callback owns and closes its channels itself.
 *
 * Conventions
 *  - An int result is 0 or a negative UV_E* code. A call that takes a callback
 *    either fails now and never calls back, or succeeds now and calls back
 *    exactly once. No callback ever runs inside the call that asked for it.
 *  - Every function may be called from every callback.
 *  - Timeouts are milliseconds on the monotonic clock, never early;
 *    IPC_CHANNEL_INFINITE is none at all.
 *  - A child made by fork may exit, or exec; before it uses or closes what its
 *    parent opened it must call uv_loop_fork, as with everything in a loop.
 *  - Strings are UTF-8 on every system.
 *  - A function does the same on every system unless its comment says not.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(IPC_CHANNEL_STATIC)
#define IPC_CHANNEL_EXTERN /* nothing */
#elif defined(_WIN32)
#if defined(IPC_CHANNEL_BUILDING)
#define IPC_CHANNEL_EXTERN __declspec(dllexport)
#else
#define IPC_CHANNEL_EXTERN __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define IPC_CHANNEL_EXTERN __attribute__((visibility("default")))
#else
#define IPC_CHANNEL_EXTERN /* nothing */
#endif

#define IPC_CHANNEL_VERSION_MAJOR 0
#define IPC_CHANNEL_VERSION_MINOR 1
#define IPC_CHANNEL_VERSION_PATCH 0

/* The version of the library that is linked, major << 16 | minor << 8 | patch;
 * the macros above are the version of this header. */
IPC_CHANNEL_EXTERN unsigned int ipc_version(void);

/* No deadline. */
#define IPC_CHANNEL_INFINITE (-1)

/* No limit on the number of instances. */
#define IPC_CHANNEL_UNLIMITED 0

typedef struct ipc_server_s ipc_server_t;
typedef struct ipc_channel_s ipc_channel_t;

/* ---- Names -------------------------------------------------------------- */

/* A name is one of
 *  - a bare name such as "echo": \\.\pipe\echo on Windows; on POSIX
 *    $XDG_RUNTIME_DIR/echo.sock, or where that is not set
 *    /tmp/ipc_channel-UID/echo.sock, in a directory that listen creates with
 *    mode 0700 and that both sides check before they use it;
 *  - an absolute path, on POSIX only;
 *  - \\.\pipe\NAME or \\?\pipe\NAME, on Windows only.
 *
 * A bare name is valid UTF-8 without control characters, without any of
 * / \ : * ? " < > | and neither begins with '.' or '@' nor ends with '.' or a
 * space, which Windows would drop: what is a name on one system is a name on
 * all. Names on another machine are refused. Nothing is
 * ever truncated. */

/* Bytes for the longest name an OS takes, its NUL included: 256 UTF-16 units
 * on Windows, at most three UTF-8 bytes each. */
#define IPC_CHANNEL_OS_NAME_SIZE 776

/* Bytes for a one-line explanation, its NUL included. */
#define IPC_CHANNEL_REASON_SIZE 192

typedef struct ipc_name_info_s {
  /* The exact name that the OS will see. When the name was too long it is cut
   * to fit this field, and is for display only. */
  char os_name[IPC_CHANNEL_OS_NAME_SIZE];
  /* The length of the whole OS name, without its NUL, and the longest that
   * this system takes: 107 bytes on Linux and 103 on macOS (sizeof sun_path
   * less a NUL), 256 UTF-16 units on Windows (CreateNamedPipe). */
  size_t os_name_length;
  size_t os_name_limit;
  /* Why the name is refused; empty where it is not. */
  char reason[IPC_CHANNEL_REASON_SIZE];
} ipc_name_info_t;

/* Tells what `name` is on this system, without touching the file system.
 * UV_EINVAL: not a name, or one of another system; UV_ENAMETOOLONG: too long.
 * `info` is filled in either case and says why. */
IPC_CHANNEL_EXTERN int ipc_name_resolve(const char* name,
                                        ipc_name_info_t* info);

/* Who is at the other end, as the kernel says. */
#define IPC_CHANNEL_USER_SIZE 192

typedef struct ipc_peer_s {
  /* The process that connected or, for a server, that began to listen. It is
   * information, not identity: process ids are used again. 0: unknown. */
  int64_t pid;
  /* POSIX: the effective ids at that moment. Windows: -1. */
  int64_t uid;
  int64_t gid;
  /* The user as text: the decimal uid, or the SID ("S-1-5-..."). */
  char user[IPC_CHANNEL_USER_SIZE];
} ipc_peer_t;

typedef enum ipc_name_state_e {
  IPC_CHANNEL_NAME_ABSENT, /* nothing has this name */
  IPC_CHANNEL_NAME_LIVE,   /* a server is there */
  IPC_CHANNEL_NAME_BUSY,   /* a server is there and takes nobody just now */
  IPC_CHANNEL_NAME_STALE,  /* POSIX: a socket file whose server is gone */
  IPC_CHANNEL_NAME_FOREIGN /* POSIX: something that is not a socket */
} ipc_name_state_t;

/* Looks who serves `name`: connects, asks the kernel and leaves. A native
 * server of this library doesn't surface such a visit; a raw one, or another
 * program, sees a client come and go. `peer` may be NULL; it is filled for a
 * live name, as far as the system tells, and zeroed otherwise. Never blocks.
 * UV_EACCES: the name may not be opened; errors of ipc_name_resolve. */
IPC_CHANNEL_EXTERN int ipc_name_probe(const char* name,
                                      ipc_name_state_t* state,
                                      ipc_peer_t* peer);

/* ---- Callbacks ---------------------------------------------------------- */

/* All run on the loop's thread. */

/* A client has connected, passed the peer check and, with the native framing,
 * said its hello. From here on the channel is yours to close. */
typedef void (*ipc_connection_cb)(ipc_server_t* server, ipc_channel_t* channel);

/* May this peer connect? 0 to let it in, a negative UV_E* code to refuse it
 * (the client sees UV_EACCES). Asked after the peer check that the options
 * name, before the first byte of the peer has been looked at. */
typedef int (*ipc_admit_cb)(ipc_server_t* server, const ipc_peer_t* peer);

/* The server can't accept just now: UV_EMFILE, UV_ENFILE, UV_ENOMEM, ... It
 * tries again by itself, after 10 ms at first and 1 s at most; this is called
 * once each time the trouble begins. Also when one client had to be turned away
 * for want of memory or, on Windows, of a C descriptor for its pipe (libuv
 * takes no bare handle; the C runtime has 2,045 of them, or 8,192 under UCRT).
 */
typedef void (*ipc_server_error_cb)(ipc_server_t* server, int status);

/* The server is closed; its memory is released when this returns. */
typedef void (*ipc_server_close_cb)(ipc_server_t* server);

/* The connection has been made (0), or why not:
 *  UV_ENOENT  nobody serves the name (absent, or its server is gone; on Windows
 *      UV_EBUSY while a connection that the server had handed out still lives);
 *  UV_EBUSY  the server takes nobody just now and wait_when_busy is off;
 *  UV_ETIMEDOUT  the connect timeout has passed; `last_attempt` in
 *      ipc_channel_info_t tells what stood in the way;
 *  UV_EACCES  the system, the server, or the check of the server's identity
 *      said no;
 *  UV_ECONNREFUSED  the server hung up before its hello;
 *  UV_EPROTO  what the server said is not the native framing;
 *  UV_EPROTONOSUPPORT  the server speaks another version of it;
 *  UV_EMSGSIZE  a message sent already is more than the server accepts;
 *  UV_ENOTSOCK  POSIX: what is at the path is not a socket;
 *  UV_ECANCELED  the channel was closed or disconnected first;
 *  and what the system reports of itself: UV_EMFILE, UV_ENOMEM, ... */
typedef void (*ipc_connect_cb)(ipc_channel_t* channel, int status);

/* Native framing: one whole message, which may be empty. Raw framing: the next
 * bytes, at least one. `data` lives until the callback returns. */
typedef void (*ipc_message_cb)(ipc_channel_t* channel,
                               const void* data,
                               size_t size);

/* A send was refused with UV_EAGAIN, and now the queue has fallen to half of
 * its limit. */
typedef void (*ipc_drain_cb)(ipc_channel_t* channel);

/* Nothing more will be received, once for each channel that was connected.
 *  0  the peer ended its side, everything it sent has been delivered, and the
 *      channel can still send (a raw channel on Windows can't: a pipe has no
 *      half-close);
 *  UV_ECONNRESET  the connection broke, or the peer left without an end (a raw
 *      channel can't tell that from an end and says 0);
 *  UV_EPROTO  what came is not a frame; UV_EMSGSIZE  a frame is larger than
 *      max_message_bytes; UV_ENOMEM  no memory for it;
 *  UV_ETIMEDOUT  nothing came and nothing was sent for the idle timeout.
 * After an error the channel is dead: sends answer UV_EPIPE. Not called after
 * ipc_channel_close or ipc_channel_disconnect. A client without an on_connect
 * callback is told here, once, that the connection was not made. */
typedef void (*ipc_end_cb)(ipc_channel_t* channel, int status);

typedef struct ipc_close_result_s {
  /* 0: there was a connection, and everything sent was confirmed (native
   * framing) or handed to the system (raw); also where it broke after that.
   * Else why not: UV_ETIMEDOUT: the close timeout came first; UV_EPIPE: the
   * peer hasn't taken all, because it was closing too or has no on_message;
   * UV_ECANCELED: we disconnected, or gave up connecting; what on_connect or
   * on_end said. */
  int status;
  /* How many sends never left us as a whole, and (native framing) how many
   * left but weren't acknowledged. The acknowledgement comes at the end only:
   * when the connection breaks, `unconfirmed` is all that was ever sent. */
  uint64_t unsent;
  uint64_t unconfirmed;
} ipc_close_result_t;

/* The last callback of a channel; its memory is released when this returns. */
typedef void (*ipc_close_cb)(ipc_channel_t* channel,
                             const ipc_close_result_t* result);

/* The bytes have been handed to the system (0), or never will be as a whole:
 * UV_ECANCELED after close or disconnect, UV_EPIPE and other errors when the
 * connection broke. `data` is yours again. */
typedef void (*ipc_send_cb)(ipc_channel_t* channel, void* arg, int status);

/* ---- Options ------------------------------------------------------------ */

/* Builders live on the caller's stack and need no destruction. _init sets the
 * defaults; each further function checks its argument. The first bad value is
 * remembered: that function and, later, listen or connect answer its error, and
 * _error tells in words which option and why. Strings are borrowed until listen
 * or connect returns. A builder can be used any number of times. */
typedef struct ipc_server_options_s {
  uint64_t opaque[64];
} ipc_server_options_t;

typedef struct ipc_client_options_s {
  uint64_t opaque[64];
} ipc_client_options_t;

typedef enum ipc_framing_e {
  /* Messages, in the format of docs/wire-format.md. */
  IPC_CHANNEL_FRAMING_NATIVE,
  /* Bytes, nothing added; for peers with a protocol of their own. */
  IPC_CHANNEL_FRAMING_RAW
} ipc_framing_t;

typedef enum ipc_peers_e {
  /* Only processes of the user that runs this one; the default. */
  IPC_CHANNEL_PEERS_SAME_USER,
  /* Every local user. */
  IPC_CHANNEL_PEERS_ANYBODY
} ipc_peers_t;

/* How far a Windows server may act as its client (Win32 SQOS). */
typedef enum ipc_impersonation_e {
  IPC_CHANNEL_IMPERSONATION_ANONYMOUS,
  IPC_CHANNEL_IMPERSONATION_IDENTIFICATION, /* the default */
  IPC_CHANNEL_IMPERSONATION_IMPERSONATION,
  IPC_CHANNEL_IMPERSONATION_DELEGATION
} ipc_impersonation_t;

/* Where memory comes from. All three are required; `release` and `resize`
 * accept NULL. Called on the loop's thread only. What libuv allocates for
 * itself doesn't come from here. */
typedef struct ipc_allocator_s {
  void* (*allocate)(size_t size, void* arg);
  void* (*resize)(void* memory, size_t size, void* arg);
  void (*release)(void* memory, void* arg);
  void* arg;
} ipc_allocator_t;

/* `name` is borrowed until listen returns. */
IPC_CHANNEL_EXTERN void ipc_server_options_init(ipc_server_options_t* options,
                                                const char* name);
/* Which option is wrong and why; "" while all are right. Lives as long as the
 * builder. */
IPC_CHANNEL_EXTERN const char* ipc_server_options_error(
    const ipc_server_options_t* options);

/* Server: who and how many */

/* How many channels may be open at the same time, 1 to 1,000,000; default
 * IPC_CHANNEL_UNLIMITED. One client more is told to come back (native framing:
 * it sees UV_EBUSY or waits, as its own options say); with the raw framing it
 * waits, unanswered, in the system's queue. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_max_instances(
    ipc_server_options_t* options, unsigned int count);
/* How many clients may connect between two turns of the loop before the next
 * finds the server busy, 1 to 128. POSIX: the backlog, default 128. Windows:
 * pipe instances kept waiting, default 4, as in libuv. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_pending_instances(
    ipc_server_options_t* options, unsigned int count);
/* Who may connect. POSIX: the socket's mode is 0600 or 0666, and the kernel's
 * word on the peer's uid is checked. Windows: the pipe's security descriptor
 * grants the owner and the system, or everybody local; the peer's SID is
 * checked. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_peers(
    ipc_server_options_t* options, ipc_peers_t peers);
/* Members of this group may connect too: a name, or a gid or SID in text. The
 * socket gets the group and mode 0660; the pipe grants it by SID. listen
 * answers UV_ENOENT for a group that the system doesn't know and UV_EPERM where
 * it may not be given to the socket. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_peer_group(
    ipc_server_options_t* options, const char* group);
/* Asked about each peer that passed the check above. */
IPC_CHANNEL_EXTERN int ipc_server_options_on_admit(
    ipc_server_options_t* options, ipc_admit_cb cb);
/* The exact permission bits (0 to 0777) of the socket file, whatever the umask.
 * They decide who may try; set_peers still decides who gets in. Windows:
 * UV_ENOTSUP. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_posix_mode(
    ipc_server_options_t* options, unsigned int mode);
/* The owner of the socket file; -1 leaves one as it is. Windows: UV_ENOTSUP. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_posix_owner(
    ipc_server_options_t* options, int64_t uid, int64_t gid);
/* The pipe's security descriptor in SDDL, in place of the one that set_peers
 * and set_peer_group make; set_peers still checks who gets in. Where it names
 * no owner, the user of this process is. POSIX: UV_ENOTSUP. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_windows_sddl(
    ipc_server_options_t* options, const char* sddl);
/* Native framing: how long a client may take for its hello, 1 ms or more;
 * default 5000 ms. UV_EINVAL with the raw framing. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_handshake_timeout(
    ipc_server_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_server_options_on_connection(
    ipc_server_options_t* options, ipc_connection_cb cb);
IPC_CHANNEL_EXTERN int ipc_server_options_on_error(
    ipc_server_options_t* options, ipc_server_error_cb cb);

/* Server: its channels */

/* Both sides must choose the same; default IPC_CHANNEL_FRAMING_NATIVE. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_framing(
    ipc_server_options_t* options, ipc_framing_t framing);
/* The system's buffers for what comes in and goes out, 1 to 64 MiB; 0 (the
 * default) leaves the system's size, on Windows 64 KiB. What you get is in
 * ipc_channel_info_t: Linux doubles it and caps it at net.core.wmem_max. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_buffer_sizes(
    ipc_server_options_t* options, size_t in_bytes, size_t out_bytes);
/* The largest message to accept and to send, 1 to 2,147,483,647 bytes; default
 * 16 MiB. No memory is reserved for it. UV_EINVAL with the raw framing. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_max_message_bytes(
    ipc_server_options_t* options, size_t bytes);
/* How many bytes a channel may hold unsent before a send answers UV_EAGAIN, 1
 * or more; default 1 MiB. An empty queue takes a message of any size. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_max_queue_bytes(
    ipc_server_options_t* options, size_t bytes);
/* How long a close waits for the peer, 0 or more; default 5000 ms. 0: not at
 * all. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_close_timeout(
    ipc_server_options_t* options, int timeout_ms);
/* End a channel with UV_ETIMEDOUT when no byte was received or sent for so
 * long, 1 ms or more; default IPC_CHANNEL_INFINITE. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_idle_timeout(
    ipc_server_options_t* options, int timeout_ms);
/* The struct is copied, its `arg` is not. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_allocator(
    ipc_server_options_t* options, const ipc_allocator_t* allocator);
IPC_CHANNEL_EXTERN int ipc_server_options_on_message(
    ipc_server_options_t* options, ipc_message_cb cb);
IPC_CHANNEL_EXTERN int ipc_server_options_on_drain(
    ipc_server_options_t* options, ipc_drain_cb cb);
IPC_CHANNEL_EXTERN int ipc_server_options_on_end(ipc_server_options_t* options,
                                                 ipc_end_cb cb);
IPC_CHANNEL_EXTERN int ipc_server_options_on_close(
    ipc_server_options_t* options, ipc_close_cb cb);

/* `name` is borrowed until connect returns. */
IPC_CHANNEL_EXTERN void ipc_client_options_init(ipc_client_options_t* options,
                                                const char* name);
IPC_CHANNEL_EXTERN const char* ipc_client_options_error(
    const ipc_client_options_t* options);

/* Client: finding the server */

/* One deadline for all of it: waiting, connecting, the server's hello. 1 ms or
 * more, default 5000 ms. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_connect_timeout(
    ipc_client_options_t* options, int timeout_ms);
/* Wait for a server that isn't there yet, or is gone; default 0, no. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_wait_for_server(
    ipc_client_options_t* options, int wait);
/* Wait for a server that is there but takes nobody just now: all instances
 * taken, or its backlog full; default 1, yes. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_wait_when_busy(
    ipc_client_options_t* options, int wait);
/* While waiting, try every so often, 1 to 60,000 ms, give or take a quarter at
 * random; default 10 ms, as go-winio and nng have it. A server that answers
 * "busy" is asked less and less often, down to an eighth of that. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_retry_interval(
    ipc_client_options_t* options, int interval_ms);
/* Who must run the server: a user as in ipc_peer_t.user (decimal uid or SID).
 * Default: the user of this process, or the superuser / the system. UV_EINVAL:
 * not such an id. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_server_user(
    ipc_client_options_t* options, const char* user);
/* Or anybody: only for names that only the right server can have. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_server_peers(
    ipc_client_options_t* options, ipc_peers_t peers);
/* Windows only; nothing to do on POSIX, where no server can act as its
 * client. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_impersonation(
    ipc_client_options_t* options, ipc_impersonation_t level);
IPC_CHANNEL_EXTERN int ipc_client_options_on_connect(
    ipc_client_options_t* options, ipc_connect_cb cb);

/* Client: its channel. As for the server. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_framing(
    ipc_client_options_t* options, ipc_framing_t framing);
/* Windows: the server alone sizes a pipe's buffers, so this is UV_ENOTSUP. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_buffer_sizes(
    ipc_client_options_t* options, size_t in_bytes, size_t out_bytes);
IPC_CHANNEL_EXTERN int ipc_client_options_set_max_message_bytes(
    ipc_client_options_t* options, size_t bytes);
IPC_CHANNEL_EXTERN int ipc_client_options_set_max_queue_bytes(
    ipc_client_options_t* options, size_t bytes);
IPC_CHANNEL_EXTERN int ipc_client_options_set_close_timeout(
    ipc_client_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_client_options_set_idle_timeout(
    ipc_client_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_client_options_set_allocator(
    ipc_client_options_t* options, const ipc_allocator_t* allocator);
IPC_CHANNEL_EXTERN int ipc_client_options_on_message(
    ipc_client_options_t* options, ipc_message_cb cb);
IPC_CHANNEL_EXTERN int ipc_client_options_on_drain(
    ipc_client_options_t* options, ipc_drain_cb cb);
IPC_CHANNEL_EXTERN int ipc_client_options_on_end(ipc_client_options_t* options,
                                                 ipc_end_cb cb);
IPC_CHANNEL_EXTERN int ipc_client_options_on_close(
    ipc_client_options_t* options, ipc_close_cb cb);

/* ---- Server ------------------------------------------------------------- */

/* Takes the name and listens. `data` is what ipc_server_data and, until it is
 * set anew, ipc_channel_data of the accepted channels return.
 *
 * POSIX: NAME.lock beside the socket decides who owns the name. A socket that a
 * dead server left is replaced; nothing else at the path is ever touched. Where
 * no lock file tells whose a socket is, it is replaced on Linux only when it
 * refuses to connect, on macOS never.
 *
 * UV_EINVAL  a bad option, see ipc_server_options_error; UV_ENAMETOOLONG;
 * UV_EADDRINUSE  the name is served; UV_EEXIST  something that is not a socket
 * is at the path; UV_EACCES  the directory, the lock or the socket there
 * belongs to another user, or may not be written; UV_ENOENT  there is no such
 * directory, or group; UV_EPERM  owner or group may not be set; UV_ENOMEM and
 * what else the system reports. After an error nothing is left behind. */
IPC_CHANNEL_EXTERN int ipc_server_listen(uv_loop_t* loop,
                                         const ipc_server_options_t* options,
                                         void* data,
                                         ipc_server_t** server);

IPC_CHANNEL_EXTERN void* ipc_server_data(const ipc_server_t* server);

typedef struct ipc_server_info_s {
  const char* os_name; /* lives as long as the server */
  ipc_framing_t framing;
  unsigned int max_instances; /* 0: no limit */
  unsigned int pending_instances;
  uint64_t reserved[8]; /* zero */
} ipc_server_info_t;

IPC_CHANNEL_EXTERN int ipc_server_info(const ipc_server_t* server,
                                       ipc_server_info_t* info);

typedef struct ipc_server_stats_s {
  uint64_t instances;    /* channels open now, those in the hello included */
  uint64_t accepted;     /* channels that passed the hello, ever */
  uint64_t refused_busy; /* told to come back */
  uint64_t refused_peer; /* failed the peer check or on_admit */
  uint64_t
      handshake_errors;   /* left, timed out or talked rubbish in the hello */
  uint64_t accept_errors; /* times that the system would not accept */
  uint64_t reserved[8];   /* zero */
} ipc_server_stats_t;

IPC_CHANNEL_EXTERN int ipc_server_stats(const ipc_server_t* server,
                                        ipc_server_stats_t* stats);

/* Stops listening, gives the name back and, when all is done, calls `cb` (which
 * may be NULL). Channels that the server owns are closed gracefully first;
 * those that were handed to you live on. On Windows they are instances of the
 * pipe: while one lives, clients find the name busy, not absent, and another
 * listen finds it in use. UV_EALREADY: closed before. */
IPC_CHANNEL_EXTERN int ipc_server_close(ipc_server_t* server,
                                        ipc_server_close_cb cb);

/* ---- Client ------------------------------------------------------------- */

/* Begins to connect and hands out the channel at once; on_connect tells how it
 * went. Messages sent before that are kept and go with the first write. Whether
 * it connects or not, the channel is yours to close.
 * UV_EINVAL  a bad option, see ipc_client_options_error; UV_ENAMETOOLONG;
 * UV_ENOMEM. Whatever has to do with the server comes in on_connect. */
IPC_CHANNEL_EXTERN int ipc_client_connect(uv_loop_t* loop,
                                          const ipc_client_options_t* options,
                                          void* data,
                                          ipc_channel_t** channel);

/* ---- Channel ------------------------------------------------------------ */

IPC_CHANNEL_EXTERN void* ipc_channel_data(const ipc_channel_t* channel);
IPC_CHANNEL_EXTERN void ipc_channel_set_data(ipc_channel_t* channel,
                                             void* data);
/* The server that accepted this channel; NULL for a client's channel and after
 * the server's close. */
IPC_CHANNEL_EXTERN ipc_server_t* ipc_channel_server(
    const ipc_channel_t* channel);
IPC_CHANNEL_EXTERN uv_loop_t* ipc_channel_loop(const ipc_channel_t* channel);

/* Sends one message (native framing, possibly empty) or some bytes (raw). Order
 * is kept. What is sent in one turn of the loop leaves in one write when the
 * callback that you are in returns, or else before the loop next blocks.
 * `data` is borrowed until `cb`, which may be NULL only where data outlives the
 * channel. ipc_channel_send_copy copies, and `cb` may always be NULL.
 *
 * UV_EAGAIN  the queue is at max_queue_bytes: on_drain tells when to go on;
 * UV_EMSGSIZE  more than max_message_bytes here or at the peer; UV_EINVAL
 * data is NULL with a size, or no bytes for a raw channel; UV_EPIPE  the
 * channel is dead, ended or closing; UV_ENOMEM. Nothing is sent then. */
IPC_CHANNEL_EXTERN int ipc_channel_send(ipc_channel_t* channel,
                                        const void* data,
                                        size_t size,
                                        ipc_send_cb cb,
                                        void* arg);
IPC_CHANNEL_EXTERN int ipc_channel_send_copy(ipc_channel_t* channel,
                                             const void* data,
                                             size_t size,
                                             ipc_send_cb cb,
                                             void* arg);

/* Writes now what has been sent so far, as far as the system takes it: for a
 * sender that is about to compute. The error of a dead channel. */
IPC_CHANNEL_EXTERN int ipc_channel_flush(ipc_channel_t* channel);

/* No on_message or on_end until resume, but for an idle timeout; the peer will
 * find its queue full. A paused channel doesn't keep the loop alive and doesn't
 * notice that its peer has gone. Both may be called twice. UV_EPIPE: closing or
 * dead. */
IPC_CHANNEL_EXTERN int ipc_channel_pause(ipc_channel_t* channel);
IPC_CHANNEL_EXTERN int ipc_channel_resume(ipc_channel_t* channel);

/* Ends our side after all that was sent: the peer gets on_end(0) and may still
 * answer. UV_EPIPE: dead, closing or ended before. UV_ENOTSUP: a raw channel on
 * Windows, whose pipes have no half-close. */
IPC_CHANNEL_EXTERN int ipc_channel_end(ipc_channel_t* channel);

/* Closes: sends what is queued, ends our side, waits until the peer has taken
 * it all (native framing), has gone, or the close timeout has passed; then
 * on_close. What still arrives is dropped. Callbacks of pending sends come
 * before on_close. While connecting, messages that wait to be sent are still
 * delivered, under the earlier of the two deadlines; without any, connecting
 * is given up at once. UV_EALREADY: closed before. */
IPC_CHANNEL_EXTERN int ipc_channel_close(ipc_channel_t* channel);

/* Drops the connection now, or gives up connecting: pending sends end with
 * UV_ECANCELED, the peer sees the connection break. The channel is dead and
 * remains to be closed, unless its server owns it. In a closing channel, cuts
 * the wait short. UV_EPIPE: dead before. */
IPC_CHANNEL_EXTERN int ipc_channel_disconnect(ipc_channel_t* channel);

typedef struct ipc_channel_info_s {
  const char* os_name; /* lives as long as the channel */
  ipc_framing_t framing;
  int is_server;    /* accepted by a server, not connected by a client */
  int is_connected; /* past the hello, and not dead or closing */
  /* Client: how the last attempt to connect went: UV_ENOENT, UV_EBUSY, ..., or
   * 0 once the server has taken the connection (its hello may be due). */
  int last_attempt;
  /* The system's buffers as they are, not as asked for; 0 while there is no
   * connection. */
  size_t in_buffer_bytes;
  size_t out_buffer_bytes;
  size_t max_message_bytes;      /* what we accept */
  size_t peer_max_message_bytes; /* what the peer does; 0: not known (yet) */
  unsigned int max_instances;    /* of the server that accepted; 0: no limit */
  uint64_t reserved[8];          /* zero */
} ipc_channel_info_t;

IPC_CHANNEL_EXTERN int ipc_channel_info(const ipc_channel_t* channel,
                                        ipc_channel_info_t* info);

/* UV_ENOTCONN: there is no connection (yet, or any more). */
IPC_CHANNEL_EXTERN int ipc_channel_peer(const ipc_channel_t* channel,
                                        ipc_peer_t* peer);

typedef struct ipc_channel_stats_s {
  uint64_t messages_received; /* delivered; raw: calls of on_message */
  uint64_t messages_sent;     /* handed to the system as a whole */
  uint64_t bytes_received;    /* on the wire, headers included */
  uint64_t bytes_sent;
  uint64_t messages_queued; /* sent, not yet handed to the system */
  uint64_t bytes_queued;
  uint64_t bytes_cut; /* received of a message that never came whole */
  uint64_t connect_attempts;
  uint64_t reserved[8]; /* zero */
} ipc_channel_stats_t;

IPC_CHANNEL_EXTERN int ipc_channel_stats(const ipc_channel_t* channel,
                                         ipc_channel_stats_t* stats);

#ifdef __cplusplus
}
#endif

#endif /* IPC_CHANNEL_H */
