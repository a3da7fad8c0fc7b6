/* ipc_channel: inter-process communication that behaves the same on Linux,
 * macOS and Windows, over libuv.
 *
 * A server listens on a name, a client connects to it, and both then hold an
 * ipc_channel_t. The same name is a Windows named pipe or a Unix domain
 * socket; the code around it is the same.
 *
 * Five rules
 *  1. The loop and its thread are yours; everything happens on it. No function
 *     here may be called from another thread, but for those of ipc_poster_t.
 *  2. Options are copied by the call that uses them.
 *  3. Bytes that you send stay yours and untouched until the send's callback
 *     (every send but ipc_channel_send takes a copy instead).
 *  4. Bytes handed to you live until your callback returns; those of a _try or
 *     _wait function until that channel's next receive (a reply: its next
 *     call).
 *  5. Whoever is handed a channel closes it. A dead channel stays valid, and
 *     takes nothing to send (UV_EPIPE; why it died, on_end or on_connect has
 *     told), until ipc_channel_close, the only destructor; pending operations
 *     end with UV_ECANCELED, then one last on_close. A server with neither
 *     on_connection nor ipc_server_accept owns its channels and closes them
 *     itself; so does a worker.
 *
 * Conventions
 *  - An int result is 0 or a negative UV_E* code. UV_EINVAL: NULL in the place
 *    of an object, or of what is to be filled in. A call that takes a callback
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

/* Names one pending operation of a channel or server, for its cancel function;
 * never used twice there, never 0. */
typedef uint64_t ipc_op_t;

/* ---- Names -------------------------------------------------------------- */

/* A name is one of
 *  - a bare name such as "echo": \\.\pipe\echo on Windows; on POSIX
 *    $XDG_RUNTIME_DIR/echo.sock, or where that is not set
 *    /tmp/ipc_channel-UID/echo.sock, in a directory that listen creates with
 *    mode 0700 and that both sides check before they use it;
 *  - "system:NAME", one for the whole machine, for a daemon that serves other
 *    users: \\.\pipe\NAME on Windows, the same pipe as the bare NAME; on POSIX
 *    /var/run/NAME.sock (on Linux that leads to /run). Who may make no file
 *    there, as a rule everybody but root, can't listen: UV_EACCES. Both sides
 *    check that the directory is root's, else UV_EACCES too;
 *  - an absolute path, on POSIX only;
 *  - "@NAME", on Linux only (elsewhere UV_ENOTSUP): the abstract name NAME,
 *    which has no file and no permissions, and goes with its server. Who the
 *    peer is, is always checked there: IPC_CHANNEL_PEERS_ANYBODY is UV_EINVAL;
 *  - \\.\pipe\NAME or \\?\pipe\NAME, on Windows only.
 *
 * A bare name, or the NAME of "system:NAME", is valid UTF-8 without control
 * characters, without any of / \ : * ? " < > | and neither begins with '.' or
 * '@' nor ends with '.' or a space, which Windows would drop: what is a name on
 * one system is a name on all, but for its length: 47 bytes fit everywhere, if
 * XDG_RUNTIME_DIR has no more than 50. Names on another machine are refused.
 * Nothing is ever truncated. */

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
   * less a NUL; 108 with the '@' of an abstract name), 256 UTF-16 units on
   * Windows (CreateNamedPipe). */
  size_t os_name_length;
  size_t os_name_limit;
  /* Why the name is refused; empty where it is not. */
  char reason[IPC_CHANNEL_REASON_SIZE];
} ipc_name_info_t;

/* Tells what `name` is on this system, without touching the file system.
 * UV_EINVAL: not a name, or one of another system; UV_ENAMETOOLONG: too long;
 * UV_ENOTSUP: an abstract one. `info` is filled in either case and says why. */
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
 *  UV_EBUSY  the server takes nobody just now, and the option to wait for that
 *      (set_wait_for_instance, set_wait_for_backlog) is off;
 *  UV_ETIMEDOUT  the connect timeout has passed; `last_attempt` in
 *      ipc_channel_info_t tells what stood in the way;
 *  UV_EACCES  the system, the server, or the check of the server's identity
 *      said no;
 *  UV_ECONNREFUSED  the server hung up before its hello;
 *  UV_EPROTO  what the server said is not the native framing;
 *  UV_EPROTONOSUPPORT  the server speaks another version of it;
 *  UV_EMSGSIZE  a message sent already is more than the server accepts, or than
 *      a packet may be;
 *  UV_ENOTSOCK  POSIX: what is at the path is not a socket;
 *  UV_EPROTOTYPE  the server has packets and the channel has not, or the other
 *      way round;
 *  UV_ECANCELED  the channel was closed or disconnected first;
 *  and what the system reports of itself: UV_EMFILE, UV_ENOMEM, ... */
typedef void (*ipc_connect_cb)(ipc_channel_t* channel, int status);

/* One whole message, which may be empty. Raw framing: the next bytes, at least
 * one. `data` lives until the callback returns. A message that
 * an ipc_channel_recv is waiting for goes there instead. Without this callback
 * messages wait for a receive: as many as the system and one read buffer hold,
 * then the peer's queue fills. (In a channel that its server owns nobody can
 * receive: there they are dropped, and not acknowledged.) */
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
 *  UV_ECONNRESET  the connection broke, or the peer left without an end (a
 *      channel that isn't native can't tell that from an end and says 0, but
 *      for one in the middle of a message);
 *  UV_EPROTO  what came is not a frame; UV_EMSGSIZE  a frame is larger than
 *      max_message_bytes; UV_ENOMEM  no memory for it;
 *  UV_ETIMEDOUT  no message came or was sent for the idle timeout, or the peer
 *      was not heard for the heartbeat interval;
 *  UV_ENOBUFS  the queue was full, and the slow-reader policy is to disconnect.
 * After an error the channel is dead: sends answer UV_EPIPE, and what it held
 * that nobody had taken is gone. Not called after
 * ipc_channel_close or ipc_channel_disconnect. But a client without an
 * on_connect callback is told here, once, that the connection was not made,
 * also while it is closing with messages that wait for one. */
typedef void (*ipc_end_cb)(ipc_channel_t* channel, int status);

typedef struct ipc_close_result_s {
  /* 0: there was a connection, and everything sent was confirmed (native
   * framing) or handed to the system (raw); also where it broke after that.
   * Else why not: UV_ETIMEDOUT: the close timeout came first; UV_EPIPE: the
   * peer hasn't taken all, because it was closing too or has no on_message;
   * UV_ECANCELED: we disconnected, or gave up connecting; what on_connect or
   * on_end said. */
  int status;
  /* How many sends never left us as a whole (those that were withdrawn by a
   * cancel or a deadline aside, whose callbacks have said so), and (native
   * framing) how many left but weren't acknowledged. The peer
   * acknowledges when it ends or closes its side or we do: when the connection
   * breaks before that, `unconfirmed` is all that was ever sent. */
  uint64_t unsent;
  uint64_t unconfirmed;
} ipc_close_result_t;

/* The last callback of a channel; its memory is released when this returns. */
typedef void (*ipc_close_cb)(ipc_channel_t* channel,
                             const ipc_close_result_t* result);

/* A send is over; `data` is yours again. `sent` of its bytes were handed to the
 * system: all of them with status 0. Else
 *  UV_ETIMEDOUT  its deadline has passed. sent == 0: it was withdrawn, the peer
 *      gets none of it. sent > 0: it had begun to leave and is still completed
 *      (an empty message that has begun just ends with 0, later);
 *  UV_ECANCELED  by ipc_channel_cancel, and withdrawn; or by close, disconnect;
 *  UV_ENOBUFS  dropped for a later one (IPC_CHANNEL_SLOW_DROP_OLDEST);
 *  UV_EPIPE and other errors  the connection broke. */
typedef void (*ipc_send_cb)(ipc_channel_t* channel,
                            void* arg,
                            int status,
                            size_t sent);

/* The end of ipc_channel_recv: status 0 and one message (raw: some bytes),
 * which lives until the callback returns; or no data and UV_ETIMEDOUT  nothing
 * came in time; what comes later is for the next receive; UV_EOF  the peer has
 * ended its side, and everything was received; UV_ECANCELED  by
 * ipc_channel_cancel, close or disconnect; else the channel is dead, and this
 * is why, as for on_end. */
typedef void (*ipc_recv_cb)(ipc_channel_t* channel,
                            void* arg,
                            int status,
                            const void* data,
                            size_t size);

/* The end of ipc_channel_ready: status 0 and which of the events that were
 * asked for hold; or 0 events and UV_ETIMEDOUT, UV_ECANCELED. */
typedef void (*ipc_ready_cb)(ipc_channel_t* channel,
                             void* arg,
                             int status,
                             int events);

/* The end of ipc_server_accept: status 0 and a channel, which is yours to
 * close; or NULL and UV_ETIMEDOUT, or UV_ECANCELED by ipc_server_cancel or
 * close. */
typedef void (*ipc_accept_cb)(ipc_server_t* server,
                              void* arg,
                              int status,
                              ipc_channel_t* channel);

/* Names a request of the peer until it is replied to. */
typedef uint64_t ipc_request_t;

/* The peer calls (ipc_channel_call): answer with ipc_channel_reply, now or
 * later. `data` lives until the callback returns. Without this callback the
 * caller is told UV_ENOSYS. Native framing only, else UV_EINVAL. */
typedef void (*ipc_request_cb)(ipc_channel_t* channel,
                               ipc_request_t request,
                               const void* data,
                               size_t size);

/* The end of ipc_channel_call: status 0 and the reply, which lives until the
 * callback returns; or no data and
 *  UV_ETIMEDOUT  no reply came in time; one that comes later is discarded;
 *  UV_ECANCELED  by ipc_channel_cancel, close or disconnect;
 *  UV_ENOSYS  the peer has no on_request;
 *  UV_EOF  the peer has ended its side without a reply;
 *  else the connection broke, and this is why, as for on_end. */
typedef void (*ipc_reply_cb)(ipc_channel_t* channel,
                             void* arg,
                             int status,
                             const void* data,
                             size_t size);

typedef enum ipc_channel_state_e {
  IPC_CHANNEL_CONNECTING, /* client: the first connection is being made */
  IPC_CHANNEL_CONNECTED,
  IPC_CHANNEL_RECONNECTING, /* client: the connection is lost, another is made
                             */
  IPC_CHANNEL_DEAD,         /* lost or refused for good; waits for your close */
  IPC_CHANNEL_CLOSING
} ipc_channel_state_t;

/* The channel has entered `state`, because of `status`: why the connection was
 * lost (0: the peer ended it), why none was made, 0 otherwise. Once for each
 * change, before on_connect and on_end; of several within one callback the last
 * is told. The last of all is IPC_CHANNEL_CLOSING, then comes on_close. */
typedef void (*ipc_state_cb)(ipc_channel_t* channel,
                             ipc_channel_state_t state,
                             int status);

/* Somebody has called ipc_poster_wake, once or several times. On the loop's
 * thread. */
typedef void (*ipc_wake_cb)(ipc_channel_t* channel, void* arg);

/* ---- Options ------------------------------------------------------------ */

/* Builders live on the caller's stack and need no destruction. _init sets the
 * defaults; each further function checks its argument. The first bad value is
 * remembered: that function and, later, listen or connect answer its error, and
 * _error tells in words which option and why. An option that is only for
 * systems other than this one is UV_ENOTSUP and not remembered, so that a
 * program can set those of all systems: set_posix_mode, set_posix_owner,
 * set_windows_sddl and a client's set_buffer_sizes. Strings are borrowed until
 * listen or connect returns. A builder can be used any number of times. */
typedef struct ipc_server_options_s {
  uint64_t opaque[96];
} ipc_server_options_t;

typedef struct ipc_client_options_s {
  uint64_t opaque[96];
} ipc_client_options_t;

typedef enum ipc_framing_e {
  /* Messages, in the format of docs/wire-format.md. */
  IPC_CHANNEL_FRAMING_NATIVE,
  /* Bytes, nothing added; for peers with a protocol of their own. */
  IPC_CHANNEL_FRAMING_RAW,
  /* The formats of others. They have messages as the native framing has, but
   * nothing is said beside them: there is no hello, no acknowledgement, no call
   * and no heartbeat. But for having messages such a channel is a raw one, and
   * what this header says of those holds for it. */
  /* A byte ends each message and isn't part of it: a newline, or what
   * set_delimiter says. A send of a message that contains it is UV_EINVAL. */
  IPC_CHANNEL_FRAMING_DELIMITER,
  /* The length goes ahead: four bytes, little endian, or what
   * set_length_prefix says. */
  IPC_CHANNEL_FRAMING_LENGTH_PREFIX,
  /* "Content-Length: N" and perhaps other headers go ahead, which end with an
   * empty line, as in the Language Server Protocol. The others are skipped. */
  IPC_CHANNEL_FRAMING_CONTENT_LENGTH,
  /* What set_codec says, which alone can set this. */
  IPC_CHANNEL_FRAMING_CODEC,
  /* The system keeps each message apart: SOCK_SEQPACKET on Linux, a named pipe
   * of the type message on Windows; elsewhere UV_ENOTSUP. For peers that use
   * these: what is sent is one write there and received by one read. A
   * message has at least one byte, since an empty one reads as the end (Linux)
   * or can't be seen (Windows): UV_EINVAL. On Linux it must fit into the
   * system's buffer for what goes out: UV_EMSGSIZE, and ipc_channel_info_t
   * tells the limit. The peer must have chosen the same, else UV_EPROTOTYPE
   * (a Windows pipe can't say so to a client that asks for bytes, and a Linux
   * abstract name is another one for each kind: UV_ENOENT). Linux: at most 4
   * MiB whatever the buffer; and nobody else may read from the same open
   * socket: one who takes a packet that was looked at ends the channel with
   * UV_EIO. */
  IPC_CHANNEL_FRAMING_PACKET
} ipc_framing_t;

/* The header of the length prefix framing. */
typedef struct ipc_length_prefix_s {
  unsigned int bytes; /* of the length: 1, 2, 4 or 8 */
  int is_big_endian;
  /* Bytes of other fields ahead of the length, and behind it, 0 to 64 each.
   * Where there are any a message is the whole frame, its header included, so
   * that the fields are yours to read and write. The library writes the length,
   * whatever stands in its place; a send of less than a header is UV_EINVAL. */
  unsigned int before;
  unsigned int after;
  /* The length says so much more than the bytes that follow the header: 0;
   * `bytes` where it counts itself; before + bytes + after where it counts the
   * whole header. -136 to 136. A length that is less ends the channel with
   * UV_EPROTO. */
  int adjustment;
} ipc_length_prefix_t;

/* What a codec has found in the bytes that came. */
typedef struct ipc_frame_s {
  /* The size of the frame in front. Where it isn't there as a whole: how many
   * bytes it takes at least, as far as is known, or 0. */
  size_t size;
  size_t message_start; /* where in the frame the message begins */
  size_t message_size;
} ipc_frame_t;

/* The most that a codec puts ahead of a message, and behind it. */
#define IPC_CODEC_BYTES 64

/* What goes around a message. */
typedef struct ipc_envelope_s {
  size_t head_size;
  size_t tail_size;
  uint8_t head[IPC_CODEC_BYTES];
  uint8_t tail[IPC_CODEC_BYTES];
} ipc_envelope_t;

/* A framing of the caller's: two functions on the loop's thread, which must not
 * call the library. A message is sent and received as it is: a codec finds it
 * and wraps it, it doesn't change it. */
typedef struct ipc_codec_s {
  /* Looks at the `size` bytes that have come and were not used, 1 or more, and
   * fills in `frame`, which comes zeroed: complete where frame->size <= size.
   * It gets the same bytes again when more have come. A negative UV_E* ends the
   * channel with it. UV_EPROTO does so too where a message lies outside of its
   * frame, and UV_EMSGSIZE where it is larger than max_message_bytes, or all
   * that is around it larger than 64 KiB. */
  int (*decode)(const void* data, size_t size, ipc_frame_t* frame, void* arg);
  /* Fills in what goes around the message that `count` pieces make, `size`
   * bytes in all; `envelope` comes with both sizes 0. A negative UV_E* is the
   * send's (of a post: it counts as unsent), and nothing is sent. */
  int (*encode)(const uv_buf_t* pieces,
                unsigned int count,
                size_t size,
                ipc_envelope_t* envelope,
                void* arg);
  void* arg;
} ipc_codec_t;

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

/* Which way messages go, seen from the side that sets it. */
typedef enum ipc_access_e {
  IPC_CHANNEL_ACCESS_DUPLEX,
  IPC_CHANNEL_ACCESS_INBOUND, /* this side receives only; sends are UV_EACCES */
  IPC_CHANNEL_ACCESS_OUTBOUND /* this side sends only; receives are UV_EACCES */
} ipc_access_t;

/* What a send does when the queue is full, since the peer reads too slowly. */
typedef enum ipc_slow_reader_e {
  /* It answers UV_EAGAIN, and on_drain tells when to go on; the default. */
  IPC_CHANNEL_SLOW_BLOCK,
  /* The oldest messages that have not begun to leave make room: their sends end
   * with UV_ENOBUFS. Requests and replies are not dropped. Where dropping all
   * of them makes too little room, none is, and the send answers UV_EAGAIN. */
  IPC_CHANNEL_SLOW_DROP_OLDEST,
  /* It answers UV_ENOBUFS, and stats count it. */
  IPC_CHANNEL_SLOW_DROP_NEWEST,
  /* It answers UV_ENOBUFS and the channel is dead, on_end(UV_ENOBUFS). */
  IPC_CHANNEL_SLOW_DISCONNECT
} ipc_slow_reader_t;

/* Where memory comes from. All three are required; `release` and `resize`
 * accept NULL. Called on the loop's thread only. What libuv allocates for
 * itself doesn't come from here. */
typedef struct ipc_allocator_s {
  void* (*allocate)(size_t size, void* arg);
  void* (*resize)(void* memory, size_t size, void* arg);
  void (*release)(void* memory, void* arg);
  void* arg;
} ipc_allocator_t;

/* `name` is borrowed until listen returns; NULL where set_listener follows. */
IPC_CHANNEL_EXTERN void ipc_server_options_init(ipc_server_options_t* options,
                                                const char* name);
/* Which option is wrong and why; "" while all are right. Lives as long as the
 * builder. */
IPC_CHANNEL_EXTERN const char* ipc_server_options_error(
    const ipc_server_options_t* options);

/* Listen on this handle, which somebody else has made, in the place of the name
 * (which isn't used then, and may be NULL): a Unix socket that listens, for
 * streams, or with the packet framing for packets, else UV_EPROTOTYPE.
 * It is looked at when the server listens. Who may connect to it, and how many
 * wait there, is its maker's business: set_posix_mode, set_posix_owner and
 * set_pending_instances are UV_EINVAL with it; set_peers and set_peer_group
 * still decide who gets in, but change nothing of the socket. Such a builder is
 * good for one server. Windows: UV_ENOTSUP. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_listener(
    ipc_server_options_t* options, uv_os_fd_t handle);

/* Server: who and how many */

/* How many channels there may be at the same time, 1 to 1,000,000; default
 * IPC_CHANNEL_UNLIMITED. Each counts from on_connection, or its accept, until
 * its on_close has returned, so that who keeps a place for each instance never
 * needs one more; ipc_channel_disconnect gives one up at once. One client more
 * is told to come back (native framing: it sees UV_EBUSY or waits, as its own
 * options say), but waits where a channel that counts has lost its peer and is
 * to be closed; with the raw framing it waits, unanswered, in the system's
 * queue. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_max_instances(
    ipc_server_options_t* options, unsigned int count);
/* How many clients may wait for an instance, or for an ipc_server_accept,
 * before the next is told that the server is busy: 0 to 1,000,000. They are
 * connected as far as the system goes, but not greeted: on_connect comes when
 * one's turn has come, under the client's own connect timeout, and in the order
 * in which they came. Those that leave give up their place. (Raw clients beyond
 * the limit wait in the system's queue.) Default 0; for a server
 * that was asked by ipc_server_accept 128, as many as a backlog. The same on
 * every system. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_waiting_instances(
    ipc_server_options_t* options, unsigned int count);
/* How many bytes all channels of this server may hold unsent before a send
 * finds its queue full, 1 or more; default no limit, which is SIZE_MAX. The
 * slow-reader policy then strikes whoever sends next, but DISCONNECT only a
 * channel that holds its share of the total; to others it says UV_EAGAIN. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_max_total_queue_bytes(
    ipc_server_options_t* options, size_t bytes);
/* How many clients may connect between two turns of the loop before the next
 * finds the server busy, 1 to 128. POSIX: the backlog, default 128. Windows:
 * pipe instances kept waiting, default 4, as in libuv. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_pending_instances(
    ipc_server_options_t* options, unsigned int count);
/* Who may connect. POSIX: the socket's mode is 0600 or 0666, and the kernel's
 * word on the peer's uid is checked. Windows: the pipe's security descriptor
 * grants the owner and the system, or everybody local; the peer's SID is
 * checked. On POSIX no other user reaches a bare name:
 * IPC_CHANNEL_PEERS_ANYBODY wants "system:NAME" or a path. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_peers(
    ipc_server_options_t* options, ipc_peers_t peers);
/* Members of this group may connect too: a name, or a gid or SID in text. The
 * socket gets the group and mode 0660; the pipe grants it by SID. listen
 * answers UV_ENOENT for a group that the system doesn't know and UV_EPERM where
 * it may not be given to the socket. On POSIX no other user reaches a bare
 * name; use "system:NAME" or a path. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_peer_group(
    ipc_server_options_t* options, const char* group);
/* Asked about each peer that passed the check above. */
IPC_CHANNEL_EXTERN int ipc_server_options_on_admit(
    ipc_server_options_t* options, ipc_admit_cb cb);
/* The exact permission bits (0 to 0777) of the socket file, whatever the umask.
 * They decide who may try; set_peers still decides who gets in. Windows:
 * UV_ENOTSUP, which changes nothing. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_posix_mode(
    ipc_server_options_t* options, unsigned int mode);
/* The owner of the socket file; -1 leaves one as it is. Windows: UV_ENOTSUP,
 * which changes nothing. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_posix_owner(
    ipc_server_options_t* options, int64_t uid, int64_t gid);
/* The pipe's security descriptor in SDDL, in place of the one that set_peers
 * and set_peer_group make; set_peers still checks who gets in. Where it names
 * no owner, the user of this process is. UV_EINVAL: Windows can't read it.
 * POSIX: UV_ENOTSUP, which changes nothing. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_windows_sddl(
    ipc_server_options_t* options, const char* sddl);
/* Native framing: how long a client may take for its hello, 1 ms or more;
 * default 5000 ms. UV_EINVAL with other framings. */
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
/* Chooses the delimiter framing, and its byte: 0 to 255. UV_EINVAL: not such.
 */
IPC_CHANNEL_EXTERN int ipc_server_options_set_delimiter(
    ipc_server_options_t* options, int delimiter);
/* Chooses the length prefix framing, and its header, which is copied. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_length_prefix(
    ipc_server_options_t* options, const ipc_length_prefix_t* prefix);
/* Chooses a framing of the caller's. The struct is copied, its `arg` is not. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_codec(
    ipc_server_options_t* options, const ipc_codec_t* codec);
/* The system's buffers for what comes in and goes out, 1 to 64 MiB; 0 (the
 * default) is the system's size, on Windows 64 KiB; on POSIX the one for what
 * goes out then grows once, to 512 KiB as far as the system allows, when a
 * message doesn't fit that has 64 KiB or more, or a smaller one to a peer that
 * has read from the full buffer before, and IPC_CHANNEL_SLOW_BLOCK is the
 * policy. A size that you set stays, as does that of a channel without a name.
 * What you get is in ipc_channel_info_t: Linux doubles it and caps it at
 * net.core.wmem_max. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_buffer_sizes(
    ipc_server_options_t* options, size_t in_bytes, size_t out_bytes);
/* The largest message to accept and to send, 1 to 2,147,483,647 bytes; default
 * 16 MiB. No memory is reserved for it. UV_EINVAL with the raw framing. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_max_message_bytes(
    ipc_server_options_t* options, size_t bytes);
/* How many bytes a channel may hold unsent before a send answers UV_EAGAIN, 1
 * to SIZE_MAX / 4; default 1 MiB. An empty queue takes a message of any size.
 */
IPC_CHANNEL_EXTERN int ipc_server_options_set_max_queue_bytes(
    ipc_server_options_t* options, size_t bytes);
/* How many messages a channel may hold unsent, 1 or more; default no limit
 * (UINT32_MAX). */
IPC_CHANNEL_EXTERN int ipc_server_options_set_max_queue_messages(
    ipc_server_options_t* options, uint32_t count);
/* What a full queue does to a send; default IPC_CHANNEL_SLOW_BLOCK. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_slow_reader(
    ipc_server_options_t* options, ipc_slow_reader_t policy);
/* Which way messages go; default IPC_CHANNEL_ACCESS_DUPLEX. A client must not
 * ask for more than the server gives: to one that is INBOUND it connects
 * OUTBOUND; anything else ends with UV_EACCES. Raw framing: on Windows the pipe
 * itself is one-way and the system says no; a POSIX socket can't say no: a
 * duplex client hears nothing from an INBOUND server, and what it sends to an
 * OUTBOUND one is dropped. An OUTBOUND raw channel on Windows has no on_end: a
 * send tells that its peer has gone, with UV_EPIPE, and it is dead then, or
 * connects anew. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_access(
    ipc_server_options_t* options, ipc_access_t access);
/* Notice a wedged peer: when nothing at all has come from it for so long, the
 * channel ends with UV_ETIMEDOUT. 10 ms or more; default IPC_CHANNEL_INFINITE,
 * off. Each side sets its own; the peer's library, told so in the hello, sends
 * 16 bytes whenever it has been silent for a third of it, also while its
 * application has paused or doesn't receive, but not while its loop is blocked.
 * A side that has paused, or lets a message wait, can't hear and doesn't judge.
 * UV_EINVAL but with the native framing. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_heartbeat(
    ipc_server_options_t* options, int interval_ms);
/* How long a close waits for the peer, 0 or more; default 5000 ms. 0: not at
 * all. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_close_timeout(
    ipc_server_options_t* options, int timeout_ms);
/* End a channel with UV_ETIMEDOUT when nothing was received or sent for so
 * long, heartbeats aside, 1 ms or more; default IPC_CHANNEL_INFINITE. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_idle_timeout(
    ipc_server_options_t* options, int timeout_ms);
/* The struct is copied, its `arg` is not. */
IPC_CHANNEL_EXTERN int ipc_server_options_set_allocator(
    ipc_server_options_t* options, const ipc_allocator_t* allocator);
IPC_CHANNEL_EXTERN int ipc_server_options_on_message(
    ipc_server_options_t* options, ipc_message_cb cb);
IPC_CHANNEL_EXTERN int ipc_server_options_on_request(
    ipc_server_options_t* options, ipc_request_cb cb);
IPC_CHANNEL_EXTERN int ipc_server_options_on_state(
    ipc_server_options_t* options, ipc_state_cb cb);
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
/* Wait for a server that is there but answers that all its instances are taken;
 * default 1, yes. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_wait_for_instance(
    ipc_client_options_t* options, int wait);
/* Wait for a server that is there but too busy to take clients from the system:
 * its backlog is full (Linux; macOS where the server's lock file may be read,
 * else it looks absent), or no pipe instance is free just now (Windows);
 * default 1, yes. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_wait_for_backlog(
    ipc_client_options_t* options, int wait);
/* The two before, together. */
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
/* When the connection is lost, or the server ends it, make another: after
 * `first_ms`, then after twice as long each time up to `max_ms`, give or take a
 * quarter at random; 1 ms to a day each, first_ms <= max_ms. Default: off. It
 * goes on until there is a server again, and each attempt has the connect
 * timeout; only UV_EACCES, UV_EPROTO, UV_EPROTONOSUPPORT, UV_EMSGSIZE and
 * UV_ENOTSOCK are final: then on_end tells so. The first connection is made as
 * without this.
 *
 * on_state tells of each loss and return; on_connect and on_end aren't called
 * in between. Sends go on: what had not begun to leave goes out on the next
 * connection, calls included. A message of which only a part had left ends with
 * the error that broke the connection; so do calls whose requests had begun to
 * leave, with UV_EOF where the server has ended it. What was handed to the
 * system and never confirmed is `unconfirmed` at the close. A receive that is
 * pending stays so. A server that only ends its side is left all the same. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_reconnect(
    ipc_client_options_t* options, int first_ms, int max_ms);

/* Client: its channel. As for the server. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_framing(
    ipc_client_options_t* options, ipc_framing_t framing);
IPC_CHANNEL_EXTERN int ipc_client_options_set_delimiter(
    ipc_client_options_t* options, int delimiter);
IPC_CHANNEL_EXTERN int ipc_client_options_set_length_prefix(
    ipc_client_options_t* options, const ipc_length_prefix_t* prefix);
IPC_CHANNEL_EXTERN int ipc_client_options_set_codec(
    ipc_client_options_t* options, const ipc_codec_t* codec);
/* Windows: the server alone sizes a pipe's buffers, so this is UV_ENOTSUP,
 * which changes nothing. */
IPC_CHANNEL_EXTERN int ipc_client_options_set_buffer_sizes(
    ipc_client_options_t* options, size_t in_bytes, size_t out_bytes);
IPC_CHANNEL_EXTERN int ipc_client_options_set_max_message_bytes(
    ipc_client_options_t* options, size_t bytes);
IPC_CHANNEL_EXTERN int ipc_client_options_set_max_queue_bytes(
    ipc_client_options_t* options, size_t bytes);
IPC_CHANNEL_EXTERN int ipc_client_options_set_max_queue_messages(
    ipc_client_options_t* options, uint32_t count);
IPC_CHANNEL_EXTERN int ipc_client_options_set_slow_reader(
    ipc_client_options_t* options, ipc_slow_reader_t policy);
IPC_CHANNEL_EXTERN int ipc_client_options_set_access(
    ipc_client_options_t* options, ipc_access_t access);
IPC_CHANNEL_EXTERN int ipc_client_options_set_heartbeat(
    ipc_client_options_t* options, int interval_ms);
IPC_CHANNEL_EXTERN int ipc_client_options_set_close_timeout(
    ipc_client_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_client_options_set_idle_timeout(
    ipc_client_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_client_options_set_allocator(
    ipc_client_options_t* options, const ipc_allocator_t* allocator);
IPC_CHANNEL_EXTERN int ipc_client_options_on_message(
    ipc_client_options_t* options, ipc_message_cb cb);
IPC_CHANNEL_EXTERN int ipc_client_options_on_request(
    ipc_client_options_t* options, ipc_request_cb cb);
IPC_CHANNEL_EXTERN int ipc_client_options_on_state(
    ipc_client_options_t* options, ipc_state_cb cb);
IPC_CHANNEL_EXTERN int ipc_client_options_on_drain(
    ipc_client_options_t* options, ipc_drain_cb cb);
IPC_CHANNEL_EXTERN int ipc_client_options_on_end(ipc_client_options_t* options,
                                                 ipc_end_cb cb);
IPC_CHANNEL_EXTERN int ipc_client_options_on_close(
    ipc_client_options_t* options, ipc_close_cb cb);

/* ---- Server ------------------------------------------------------------- */

/* Takes the name and listens. With `loop` NULL the server and its channels
 * share a private loop, for the *_wait functions. `data` is what
 * ipc_server_data and, until it is set anew, ipc_channel_data of the accepted
 * channels return.
 *
 * POSIX: NAME.lock beside the socket decides who owns the name. A socket that a
 * dead server left is replaced; nothing else at the path is ever touched. Where
 * no lock file tells whose a socket is, it is replaced on Linux only when it
 * refuses to connect, on macOS never.
 *
 * With set_listener no name is taken, and none is given back. When this
 * succeeds the handle is the server's, which closes it and never removes its
 * path; else it is yours as it was. It becomes non-blocking, for everybody who
 * shares the open socket, and close-on-exec.
 *
 * UV_EINVAL  a bad option, see ipc_server_options_error; or the listener is
 * something else: a file, a socket that doesn't listen, is no stream, or of a
 * network; UV_EBADF  the listener is not an open handle; UV_ENAMETOOLONG;
 * UV_ENOTSUP  an abstract name, packets or a listener where there are none;
 * UV_EADDRINUSE  the name is served; UV_EEXIST  something that is not a socket
 * is at the path, or the listener is on this loop already; UV_EACCES  the
 * directory, the lock or the socket there belongs to another user, or may not
 * be written; UV_ENOENT  there is no such directory, or group; UV_EPERM  owner
 * or group may not be set; UV_ENOMEM and what else the system reports. After an
 * error nothing is left behind, but handles that close in the loop's next turn.
 */
IPC_CHANNEL_EXTERN int ipc_server_listen(uv_loop_t* loop,
                                         const ipc_server_options_t* options,
                                         void* data,
                                         ipc_server_t** server);

IPC_CHANNEL_EXTERN void* ipc_server_data(const ipc_server_t* server);

typedef enum ipc_transport_e {
  IPC_CHANNEL_TRANSPORT_UNIX_SOCKET,
  IPC_CHANNEL_TRANSPORT_NAMED_PIPE,
  IPC_CHANNEL_TRANSPORT_PIPE,        /* POSIX: an anonymous pipe, or a FIFO */
  IPC_CHANNEL_TRANSPORT_SEQPACKET,   /* Linux: a Unix socket with packets */
  IPC_CHANNEL_TRANSPORT_MESSAGE_PIPE /* Windows: a named pipe with them */
} ipc_transport_t;

/* The values in force, which may differ from those asked for. */
typedef struct ipc_server_info_s {
  /* Lives as long as the server. Of a listener: its path, "@..." for an
   * abstract name (Linux), "" for none. */
  const char* os_name;
  ipc_transport_t transport;
  ipc_framing_t framing;
  ipc_access_t access;
  unsigned int max_instances;     /* 0: no limit */
  unsigned int pending_instances; /* 0: of a listener, which doesn't tell */
  unsigned int waiting_instances;
  /* The system's buffers of the channels to come; 0 where it won't say before
   * there is one. */
  size_t in_buffer_bytes;
  size_t out_buffer_bytes;
  uint64_t reserved[8]; /* zero */
} ipc_server_info_t;

IPC_CHANNEL_EXTERN int ipc_server_info(const ipc_server_t* server,
                                       ipc_server_info_t* info);

typedef struct ipc_server_stats_s {
  uint64_t instances; /* channels connected now, those in the hello included */
  uint64_t accepted;  /* channels that passed the hello, ever */
  uint64_t refused_busy; /* told to come back */
  uint64_t refused_peer; /* failed the peer check or on_admit */
  uint64_t
      handshake_errors;   /* left, timed out or talked rubbish in the hello */
  uint64_t accept_errors; /* times that the system would not accept */
  uint64_t waiting;       /* clients that wait for an instance now */
  uint64_t bytes_queued;  /* unsent, of all channels */
  uint64_t reserved[6];   /* zero */
} ipc_server_stats_t;

IPC_CHANNEL_EXTERN int ipc_server_stats(const ipc_server_t* server,
                                        ipc_server_stats_t* stats);

/* Takes the next client, pull style: `cb` gets its channel. From the first call
 * on the server hands out clients this way, to the oldest accept first, and
 * between two calls they wait (see set_waiting_instances). Call it before the
 * loop runs: a client that comes before the first call is the server's own.
 * timeout_ms: 0 takes a client who is there already, else UV_ETIMEDOUT; or
 * IPC_CHANNEL_INFINITE. No client is lost by a timeout or a cancel.
 * To serve one client at a time, accept again when its channel is closed.
 * UV_EINVAL: `cb` is NULL, the timeout is none, or the server has an
 * on_connection; UV_EPIPE: closed; UV_ENOMEM. */
IPC_CHANNEL_EXTERN int ipc_server_accept(ipc_server_t* server,
                                         int timeout_ms,
                                         ipc_accept_cb cb,
                                         void* arg);

/* The accept that was begun last; 0: none yet. */
IPC_CHANNEL_EXTERN ipc_op_t ipc_server_last_op(const ipc_server_t* server);

/* As ipc_channel_cancel, for an accept. */
IPC_CHANNEL_EXTERN int ipc_server_cancel(ipc_server_t* server, ipc_op_t op);

/* Stops listening, gives the name back and, when all is done, calls `cb` (which
 * may be NULL). Channels that the server owns are closed gracefully first;
 * those that were handed to you live on. On Windows they are instances of the
 * pipe: while one lives, clients find the name busy, not absent, and another
 * listen finds it in use. UV_EALREADY: closed before. */
IPC_CHANNEL_EXTERN int ipc_server_close(ipc_server_t* server,
                                        ipc_server_close_cb cb);

/* ---- Client ------------------------------------------------------------- */

/* Begins to connect and hands out the channel at once; with `loop` NULL it has
 * a private loop, for the *_wait functions. on_connect tells how it
 * went. Messages sent before that are kept and go with the first write. Whether
 * it connects or not, the channel is yours to close.
 * UV_EINVAL  a bad option, see ipc_client_options_error; UV_ENAMETOOLONG;
 * UV_ENOTSUP  an abstract name, or packets, where there are none; UV_ENOMEM.
 * Whatever has to do with the server comes in on_connect. */
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
/* The caller's loop; NULL: a private one, which is nobody else's business. */
IPC_CHANNEL_EXTERN uv_loop_t* ipc_channel_loop(const ipc_channel_t* channel);

/* Sends one message, possibly empty, or some bytes (raw). Order is kept. What
 * is sent in one turn of the loop leaves in one write when the callback that
 * you are in returns, or else before the loop next blocks. `data` is borrowed
 * until `cb`, which may be NULL only where data outlives the channel.
 * ipc_channel_send_copy copies, and `cb` may always be NULL.
 *
 * UV_EAGAIN  the queue is full (set_max_queue_bytes, _max_queue_messages,
 *     _max_total_queue_bytes): on_drain, or ipc_channel_ready, tells when to go
 *     on. UV_ENOBUFS where the slow-reader policy says so;
 * UV_EMSGSIZE  more than max_message_bytes here or at the peer, than the
 *     framing can say, or than 2,147,483,647 raw bytes;
 * UV_EINVAL  data is NULL with a size, or no bytes for a raw channel; or the
 *     framing has no such message;
 * UV_EACCES  an inbound channel, or a peer that takes no messages;
 * UV_EPIPE  the channel is dead, ended or closing;
 * UV_ENOMEM. Nothing is sent then. */
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

/* The same with a deadline: a copy is sent, and when it has not left by then,
 * its callback says UV_ETIMEDOUT and with which consequence. timeout_ms: 0
 * gives it this turn of the loop; or IPC_CHANNEL_INFINITE. `cb` may be NULL. A
 * full queue is UV_EAGAIN here too. UV_EINVAL also: not a timeout. */
IPC_CHANNEL_EXTERN int ipc_channel_send_timeout(ipc_channel_t* channel,
                                                const void* data,
                                                size_t size,
                                                int timeout_ms,
                                                ipc_send_cb cb,
                                                void* arg);

/* The same out of several pieces: one message, `count` of them put together
 * (count may be 0 for an empty message). */
IPC_CHANNEL_EXTERN int ipc_channel_send_vector(ipc_channel_t* channel,
                                               const uv_buf_t* pieces,
                                               unsigned int count,
                                               int timeout_ms,
                                               ipc_send_cb cb,
                                               void* arg);

/* Sends a copy of what there is room for in the queue, without a callback.
 * The whole message or UV_EAGAIN. Raw: `*sent` bytes, perhaps not all, or
 * UV_EAGAIN; `sent` may be NULL with the other framings. Otherwise the errors
 * of ipc_channel_send. */
IPC_CHANNEL_EXTERN int ipc_channel_try_send(ipc_channel_t* channel,
                                            const void* data,
                                            size_t size,
                                            size_t* sent);
IPC_CHANNEL_EXTERN int ipc_channel_try_send_vector(ipc_channel_t* channel,
                                                   const uv_buf_t* pieces,
                                                   unsigned int count,
                                                   size_t* sent);

/* Receives one message (raw: some bytes), pull style: `cb` gets what comes
 * next, before on_message would. Several may be pending: the oldest is served
 * first. It also takes what a paused channel holds. timeout_ms: 0 takes what
 * has reached this process already, else UV_ETIMEDOUT; or IPC_CHANNEL_INFINITE.
 * A deadline doesn't beat data: what lies in the system by then is still read.
 * UV_EINVAL: no channel or callback, or not a timeout; UV_EACCES: an outbound
 * channel, or a peer that sends none; UV_EOF: the peer has ended its side and
 * all was received; UV_EPIPE: closing or dead; UV_ENOMEM. */
IPC_CHANNEL_EXTERN int ipc_channel_recv(ipc_channel_t* channel,
                                        int timeout_ms,
                                        ipc_recv_cb cb,
                                        void* arg);

/* Receives one message (raw: what there is) that lies ready in the library,
 * without waiting. `*data` lives until the next receive on this channel, or its
 * close. UV_EAGAIN: nothing is ready, ipc_channel_ready tells when; also before
 * the loop has run. Otherwise the errors of ipc_channel_recv. */
IPC_CHANNEL_EXTERN int ipc_channel_try_recv(ipc_channel_t* channel,
                                            const void** data,
                                            size_t* size);

/* The same, copied into `count` pieces one after the other; `*size` bytes. Raw:
 * what doesn't fit stays for the next, and UV_EINVAL without any room. Other
 * framings: UV_ENOBUFS where the message doesn't fit, `*size` says what it
 * needs, and it stays. */
IPC_CHANNEL_EXTERN int ipc_channel_try_recv_vector(ipc_channel_t* channel,
                                                   const uv_buf_t* pieces,
                                                   unsigned int count,
                                                   size_t* size);

/* An ipc_channel_try_recv would not say UV_EAGAIN: a message, the end, or an
 * error. */
#define IPC_CHANNEL_READABLE 1
/* An ipc_channel_try_send would not say UV_EAGAIN: the queue is at most half
 * full and has room for what was refused last, or there is an error. */
#define IPC_CHANNEL_WRITABLE 2

/* Waits for one of `events`, once; several waits may be pending. Level
 * triggered: what holds already is told in the same or next turn of the loop.
 * By the time `cb` runs somebody else may have taken the message. timeout_ms as
 * for ipc_channel_recv. UV_EINVAL: no channel or callback, other events or
 * none, not a timeout; UV_EPIPE: closing; UV_ENOMEM. */
IPC_CHANNEL_EXTERN int ipc_channel_ready(ipc_channel_t* channel,
                                         int events,
                                         int timeout_ms,
                                         ipc_ready_cb cb,
                                         void* arg);

/* Calls the peer: sends a request, native framing only, and hands the reply to
 * `cb`. Any number may be pending, both sides may call, replies may come in any
 * order; they and messages are delivered in the order in which they were sent,
 * so a reply waits behind a message that nobody receives. The deadline is for
 * all of it; timeout_ms: 1 or more, or IPC_CHANNEL_INFINITE. A copy is sent; a
 * request whose call ends before it has begun to leave is withdrawn.
 * Errors as ipc_channel_send; UV_EPIPE also: the peer has ended its side
 * (unless the client reconnects); UV_EINVAL also: no callback, not a timeout,
 * or a raw channel; UV_EACCES: a channel that isn't duplex; UV_EPROTONOSUPPORT:
 * the peer's library has no calls. */
IPC_CHANNEL_EXTERN int ipc_channel_call(ipc_channel_t* channel,
                                        const void* data,
                                        size_t size,
                                        int timeout_ms,
                                        ipc_reply_cb cb,
                                        void* arg);

/* Replies to a request, from on_request or later; a copy is sent. The queue's
 * limits don't hold for it; but while replies fill it over max_queue_bytes, a
 * server takes no further request from that client. UV_ENOENT: not a request of
 * this channel's connection, so that nobody waits for it. A second reply to the
 * same request is discarded by the caller. Otherwise the errors of
 * ipc_channel_send. */
IPC_CHANNEL_EXTERN int ipc_channel_reply(ipc_channel_t* channel,
                                         ipc_request_t request,
                                         const void* data,
                                         size_t size);

/* The send, receive, ready or call that was begun last; 0: none yet. */
IPC_CHANNEL_EXTERN ipc_op_t ipc_channel_last_op(const ipc_channel_t* channel);

/* Cancels one pending operation: its callback comes with UV_ECANCELED in this
 * or the next turn of the loop, never inside this call, and nothing is lost: a
 * message is left for the next receive, a send is withdrawn whole. Also while
 * connecting and closing. (Connecting itself is cancelled by
 * ipc_channel_disconnect, or close.)
 * UV_EBUSY: a send that has begun to leave, which goes on; UV_ENOENT: not
 * pending: over, cancelled before, or never there; UV_ENOMEM: a send that can't
 * be taken out of the queue for want of memory, and goes on. */
IPC_CHANNEL_EXTERN int ipc_channel_cancel(ipc_channel_t* channel, ipc_op_t op);

/* Writes now what has been sent so far, as far as the system takes it: for a
 * sender that is about to compute. Once the system has taken no more, the rest
 * waits for the loop. The error of a dead channel. */
IPC_CHANNEL_EXTERN int ipc_channel_flush(ipc_channel_t* channel);

/* No on_message, on_request or on_end until resume, but for an idle timeout;
 * the peer will find its queue full. A receive takes what comes, as far as no
 * request lies in front of it. A paused channel, like one that holds a message
 * which nobody takes, doesn't keep the loop alive and doesn't notice that its
 * peer has gone. Both may be called twice. UV_EPIPE:
 * closing or dead. */
IPC_CHANNEL_EXTERN int ipc_channel_pause(ipc_channel_t* channel);
IPC_CHANNEL_EXTERN int ipc_channel_resume(ipc_channel_t* channel);

/* Ends our side after all that was sent: the peer gets on_end(0) and may still
 * answer. UV_EPIPE: dead, closing or ended before. UV_EACCES: an inbound
 * channel. UV_ENOTSUP: a raw channel on
 * Windows, whose pipes have no half-close, or on a POSIX pipe, which goes one
 * way only: close it. */
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
 * remains to be closed, unless its server owns it; the server's next client may
 * come at once (see set_max_instances). In a closing channel, cuts the wait
 * short. UV_EPIPE: dead before. */
IPC_CHANNEL_EXTERN int ipc_channel_disconnect(ipc_channel_t* channel);

typedef struct ipc_channel_info_s {
  const char* os_name; /* lives as long as the channel */
  ipc_transport_t transport;
  ipc_framing_t framing;
  ipc_access_t access;
  ipc_channel_state_t state;
  int is_server;    /* accepted by a server, not connected by a client */
  int is_connected; /* past the hello, not dead or closing, and no write has
                       failed, which comes before the state is DEAD */
  /* Client: how the last attempt to connect went: UV_ENOENT, UV_EBUSY, ..., or
   * 0 once the server has taken the connection (its hello may be due). */
  int last_attempt;
  /* The system's buffers as they are, not as asked for; 0 while there is no
   * connection. */
  size_t in_buffer_bytes;
  size_t out_buffer_bytes;
  size_t max_message_bytes;      /* what we accept; raw: 0, there are none */
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
  uint64_t reconnects;       /* connections made after the first */
  uint64_t messages_dropped; /* by the slow-reader policy */
  uint64_t late_replies;     /* discarded */
  uint64_t calls_pending;
  uint64_t reserved[6]; /* zero */
} ipc_channel_stats_t;

IPC_CHANNEL_EXTERN int ipc_channel_stats(const ipc_channel_t* channel,
                                         ipc_channel_stats_t* stats);

/* ---- Channels without a name -------------------------------------------- */

/* Both ends of a pair, or a handle that somebody else has made: an anonymous
 * pipe, a socket that was inherited or came from a supervisor, a named pipe
 * that was connected elsewhere. There is no server and no client. With the
 * native framing both ends speak it, and each is connected when the other's
 * hello has come; a server or client of this library at the other end will do.
 */
typedef struct ipc_channel_options_s {
  uint64_t opaque[96];
} ipc_channel_options_t;

/* As for the other builders. Access: one way only with a raw channel, or
 * where both directions are there all the same. */
IPC_CHANNEL_EXTERN void ipc_channel_options_init(
    ipc_channel_options_t* options);
IPC_CHANNEL_EXTERN const char* ipc_channel_options_error(
    const ipc_channel_options_t* options);
/* Native framing: how long the other end's hello may take, 1 ms or more;
 * default 5000 ms. UV_EINVAL with other framings. */
IPC_CHANNEL_EXTERN int ipc_channel_options_set_connect_timeout(
    ipc_channel_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_channel_options_on_connect(
    ipc_channel_options_t* options, ipc_connect_cb cb);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_framing(
    ipc_channel_options_t* options, ipc_framing_t framing);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_delimiter(
    ipc_channel_options_t* options, int delimiter);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_length_prefix(
    ipc_channel_options_t* options, const ipc_length_prefix_t* prefix);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_codec(
    ipc_channel_options_t* options, const ipc_codec_t* codec);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_max_message_bytes(
    ipc_channel_options_t* options, size_t bytes);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_max_queue_bytes(
    ipc_channel_options_t* options, size_t bytes);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_max_queue_messages(
    ipc_channel_options_t* options, uint32_t count);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_slow_reader(
    ipc_channel_options_t* options, ipc_slow_reader_t policy);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_access(
    ipc_channel_options_t* options, ipc_access_t access);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_heartbeat(
    ipc_channel_options_t* options, int interval_ms);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_close_timeout(
    ipc_channel_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_idle_timeout(
    ipc_channel_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_channel_options_set_allocator(
    ipc_channel_options_t* options, const ipc_allocator_t* allocator);
IPC_CHANNEL_EXTERN int ipc_channel_options_on_message(
    ipc_channel_options_t* options, ipc_message_cb cb);
IPC_CHANNEL_EXTERN int ipc_channel_options_on_request(
    ipc_channel_options_t* options, ipc_request_cb cb);
IPC_CHANNEL_EXTERN int ipc_channel_options_on_state(
    ipc_channel_options_t* options, ipc_state_cb cb);
IPC_CHANNEL_EXTERN int ipc_channel_options_on_drain(
    ipc_channel_options_t* options, ipc_drain_cb cb);
IPC_CHANNEL_EXTERN int ipc_channel_options_on_end(
    ipc_channel_options_t* options, ipc_end_cb cb);
IPC_CHANNEL_EXTERN int ipc_channel_options_on_close(
    ipc_channel_options_t* options, ipc_close_cb cb);

/* Makes a channel of a connected handle: on POSIX a stream socket (for packets
 * SOCK_SEQPACKET, on Linux), pipe or FIFO, on Windows a pipe. So a program that
 * is started with pipes as its standard streams opens uv_get_osfhandle(0)
 * INBOUND and uv_get_osfhandle(1) OUTBOUND. When this succeeds the handle is
 * the channel's, which closes it; else it is yours as it was. It becomes
 * non-blocking, and with it every descriptor that shares its open file (POSIX).
 * UV_EINVAL  a bad option, see ipc_channel_options_error; or nothing that a
 * channel can be made of: a file, a terminal, a socket that listens or isn't
 * connected; UV_EBADF not an open handle; UV_EACCES  it doesn't go the way that
 * the options say, or (native framing) not both ways, as no POSIX pipe does;
 * UV_EPROTOTYPE it has packets and the framing has not, or the other way round;
 * UV_ENOMEM. A handle is for one channel: that another of this loop reads from
 * it already, on POSIX on_connect tells with UV_EEXIST, and the handle stays
 * that one's; otherwise nobody notices. An outbound pipe (POSIX) has no
 * on_end: a send that finds its reader gone ends with UV_EPIPE, and the channel
 * is dead.
 *
 * Windows: a pipe that isn't open for overlapped I/O, as most standard streams,
 * is read or written by a thread. Whatever it could do it is for one way, else
 * UV_EACCES, and not for packets: UV_EINVAL. It keeps all promises made here,
 * unless others read or write the same open handle meanwhile, another channel
 * or a process that shares it: Windows lets one wait for the other, and so may
 * this call, and the loop in a channel that reads. */
IPC_CHANNEL_EXTERN int ipc_channel_open(uv_loop_t* loop,
                                        const ipc_channel_options_t* options,
                                        uv_os_fd_t handle,
                                        void* data,
                                        ipc_channel_t** channel);

/* Gives the handle back: the channel is dead then, without an on_end, and
 * remains to be closed; it does nothing to the connection. Always before the
 * loop has run; later on POSIX alone, where it is another descriptor of the
 * same connection. What the channel has read and nobody taken goes back with
 * it: none may lie there. With the native framing it is good for another
 * channel only before the loop has run: the two ends greet each other once.
 * UV_EBUSY: something does lie there, or waits to be sent, as a server's hello
 * does in on_connection; UV_ENOTCONN: there is no connection; UV_ENOTSUP:
 * Windows, and it has begun. */
IPC_CHANNEL_EXTERN int ipc_channel_release(ipc_channel_t* channel,
                                           uv_os_fd_t* handle);

/* The system's handle of the connection, for what the library doesn't ask or
 * do: SO_PEERSEC, ImpersonateNamedPipeClient, a pipe's security. It stays the
 * channel's, and is good until that closes, dies or connects anew: neither read
 * from it nor write to it, close it, or change how it blocks. UV_ENOTCONN:
 * there is none now. */
IPC_CHANNEL_EXTERN int ipc_channel_handle(const ipc_channel_t* channel,
                                          uv_os_fd_t* handle);

/* What a pair is to be; see ipc_pair_create. */
#define IPC_PAIR_DUPLEX 0u
#define IPC_PAIR_ONE_WAY 1u       /* ends[0] reads, ends[1] writes */
#define IPC_PAIR_INHERITABLE_0 2u /* a child may inherit ends[0] */
#define IPC_PAIR_INHERITABLE_1 4u
/* ends[0] is for plain blocking reads and writes. (On Windows it can become a
 * channel of one way only.) */
#define IPC_PAIR_BLOCKING_0 8u
#define IPC_PAIR_BLOCKING_1 16u
/* For the packet framing; a duplex pair. Not on macOS: UV_ENOTSUP. */
#define IPC_PAIR_PACKET 32u

/* Makes two handles that are connected with each other, without a name that
 * others could use. Each is for ipc_channel_open, in any thread, or for a
 * program of its own. `buffer_bytes`: what the system should hold of each
 * direction, 0: as it likes; a hint.
 * POSIX: a socket pair, or one way a pipe; Windows: a named pipe that only its
 * two ends ever had. UV_EINVAL: other flags; UV_EMFILE; what the system says.
 */
IPC_CHANNEL_EXTERN int ipc_pair_create(unsigned int flags,
                                       size_t buffer_bytes,
                                       uv_os_fd_t ends[2]);

/* Both ends of a duplex pair as channels on one loop; `options` and `data` are
 * one for each, the latter NULL for none. With `loop` NULL they share a private
 * loop. After an error there is neither. */
IPC_CHANNEL_EXTERN int ipc_channel_pair(
    uv_loop_t* loop,
    const ipc_channel_options_t* const options[2],
    void* const data[2],
    ipc_channel_t* channels[2]);

/* ---- Activation --------------------------------------------------------- */

/* The handles that a supervisor has passed to this process, which it has
 * started because somebody connects: systemd (Linux, and whatever sets the same
 * variables on other POSIX systems), or launchd (macOS). `name`: only those
 * that the supervisor calls so (FileDescriptorName=; the key in Sockets), or
 * NULL for all, which launchd can't: UV_EINVAL. `*count` is the room in
 * `handles` before and their number after. They are yours, and close-on-exec;
 * each is a socket that listens or, where the supervisor accepts (Accept=yes),
 * one that is connected:
 *
 *   ipc_server_options_init(&options, "echo");
 *   count = 1;
 *   err = ipc_activation_handles(NULL, &handle, &count);
 *   if (err == 0) ipc_server_options_set_listener(&options, handle);
 *   err = ipc_server_listen(loop, &options, NULL, &server);
 *
 * and for one that is connected, ipc_channel_open.
 *
 * UV_ENOENT  none: no supervisor, the variables are for another process, no
 *     such name, or (NULL; launchd) they were handed out before;
 * UV_ENOBUFS  there are `*count`, and none is taken; but launchd's are closed,
 *     since they can be had once only;
 * UV_EINVAL  `count` is NULL, or `handles` with a room; or the variables are
 *     none that a supervisor writes; UV_EBADF: they name what isn't open;
 * UV_ENOTSUP  Windows, which has no such supervisor.
 *
 * With NULL the variables (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES) are removed
 * when the handles are handed out: a program that this process becomes by exec
 * would take them for its own. With a name they stay, for other names are to be
 * asked for; the same name then tells the same handles again. Reads and changes
 * the environment, so call it while there is one thread. */
IPC_CHANNEL_EXTERN int ipc_activation_handles(const char* name,
                                              uv_os_fd_t* handles,
                                              size_t* count);

/* ---- FIFOs -------------------------------------------------------------- */

/* A FIFO is a path (the system's, not a name as above) that programs read and
 * write like a file: POSIX only, UV_ENOTSUP on Windows. Channels on one go one
 * way, and are raw or have one of the formats of others, but not packets. Two
 * FIFOs for both ways with one peer do worse what a server and a client do:
 * there no end tells when the peer has gone, and nothing says who it is.
 *
 * One reads, any number write. A send of up to PIPE_BUF bytes (Linux 4,096,
 * macOS 512, never less than 512) reaches the reader in one piece, whoever else
 * writes; a larger one may come in pieces with others' between them. Where one
 * begins the writers have to tell, as with lines. (An ipc_channel_try_send that
 * takes a part makes a send of that part.) What nobody has read is gone when
 * the last end is closed. */

/* Makes a FIFO with exactly the permission bits `mode`, 0 to 0777, whatever the
 * umask; at no time has it more. One that is there already, is ours and has
 * these bits is as good. A symbolic link at the path isn't followed.
 * UV_EEXIST  something else is there, or one with other bits; UV_EACCES  one of
 * another user, or no right to the directory; UV_ENOENT  no directory;
 * UV_ENAMETOOLONG; UV_EINVAL  another mode; or what the system says. */
IPC_CHANNEL_EXTERN int ipc_fifo_create(const char* path, int mode);

/* Makes a channel of one end, without waiting for the other; ipc_channel_open
 * says the rest. The FIFO must be ours or root's; its bits are its owner's
 * business. The path is the channel's os_name.
 *
 * IPC_CHANNEL_ACCESS_INBOUND reads, and goes on when the writers leave and
 * others come: there is no on_end but for an idle timeout. For that the channel
 * has a writing end of its own, and needs the right to write too.
 * IPC_CHANNEL_ACCESS_OUTBOUND writes; it has no on_end either: a send that
 * finds the reader gone ends with UV_EPIPE.
 *
 * UV_ENOENT  there is none, or (OUTBOUND) nobody reads it; UV_EEXIST  what is
 * there isn't a FIFO, or is a symbolic link; UV_EACCES  another user's, or no
 * right to it; UV_ENOTSUP  the options say IPC_CHANNEL_ACCESS_DUPLEX; UV_EINVAL
 * a bad option; or the native framing, which goes both ways, or packets (of
 * these ipc_channel_options_error says nothing); UV_EMFILE;
 * UV_ENOMEM; UV_ENAMETOOLONG. */
IPC_CHANNEL_EXTERN int ipc_fifo_open(uv_loop_t* loop,
                                     const ipc_channel_options_t* options,
                                     const char* path,
                                     void* data,
                                     ipc_channel_t** channel);

/* Removes the channel's FIFO from its path, where it is still the one that was
 * opened; the channel goes on. A close leaves the path alone, so a reader that
 * is the last one removes first. UV_ENOENT  it is gone; UV_EEXIST  something
 * else is there; UV_EACCES  no right to the directory; UV_ENOTCONN  the channel
 * is dead, or its close is over, so that nothing tells any more which it was;
 * UV_EINVAL  not a channel of ipc_fifo_open. */
IPC_CHANNEL_EXTERN int ipc_fifo_remove(ipc_channel_t* channel);

/* ---- Child processes ---------------------------------------------------- */

/* What a child finds as its standard input (0), output (1) or error (2). */
typedef enum ipc_child_stdio_e {
  IPC_CHILD_INHERIT, /* what this process has; the default */
  IPC_CHILD_NULL,    /* nothing: reads end at once, writes vanish */
  IPC_CHILD_CHANNEL, /* a channel of ours, see ipc_child_channel */
  IPC_CHILD_STDOUT   /* 2 only: the same as 1 */
} ipc_child_stdio_t;

/* Where the channels of a child are, for ipc_child_channel. */
#define IPC_CHILD_STDIN_SLOT 0u
#define IPC_CHILD_STDOUT_SLOT 1u
#define IPC_CHILD_STDERR_SLOT 2u
#define IPC_CHILD_EXTRA_SLOT 3u

typedef struct ipc_child_s ipc_child_t;

/* The child has ended, and its output has been drained: each channel of
 * slots 1, 2 and 3 has had its end told, or was closed before. A grandchild
 * that holds a pipe open doesn't hang this: it comes the drain time after the
 * child's end at the latest. `term_signal`: 0, or what has killed it. */
typedef void (*ipc_child_exit_cb)(ipc_child_t* child,
                                  int64_t exit_status,
                                  int term_signal);
typedef void (*ipc_child_close_cb)(ipc_child_t* child);

typedef struct ipc_child_options_s {
  uint64_t opaque[96];
} ipc_child_options_t;

/* `file` is looked for in PATH; `args` ends with NULL, args[0] is by convention
 * the program's name. Both are borrowed until the spawn, as all strings here.
 */
IPC_CHANNEL_EXTERN void ipc_child_options_init(ipc_child_options_t* options,
                                               const char* file,
                                               const char* const* args);
IPC_CHANNEL_EXTERN const char* ipc_child_options_error(
    const ipc_child_options_t* options);
/* "NAME=value" each, ends with NULL; default: this process's.
 * IPC_CHANNEL_INHERIT, which tells a child of its slot 3, is left out of either
 * and set as is due. */
IPC_CHANNEL_EXTERN int ipc_child_options_set_env(ipc_child_options_t* options,
                                                 const char* const* env);
/* Default: this process's. */
IPC_CHANNEL_EXTERN int ipc_child_options_set_directory(
    ipc_child_options_t* options, const char* path);
IPC_CHANNEL_EXTERN int ipc_child_options_set_stdio(ipc_child_options_t* options,
                                                   unsigned int slot,
                                                   ipc_child_stdio_t stdio);
/* A handle that the child gets there, and the caller keeps. Slots 0 to 2. (On
 * POSIX libuv makes what a child gets there blocking, for all who share it.) */
IPC_CHANNEL_EXTERN int ipc_child_options_set_stdio_handle(
    ipc_child_options_t* options, unsigned int slot, uv_os_fd_t handle);
/* The options of the slot's channel, which makes it one; borrowed until the
 * spawn. Slots 0 to 2 want a channel that is raw or has one of
 * the formats of others, but not packets, and take access from the slot, 0
 * OUTBOUND, 1 and 2 INBOUND. Slot 3 is a duplex channel beside them, native
 * unless the options say otherwise, that a child picks up by
 * ipc_channel_inherit. Without this IPC_CHILD_CHANNEL has the defaults (raw, or
 * native for slot 3) and the channel is pulled from.
 *
 * The child's ends of 0 to 2 are blocking handles, as programs expect: on POSIX
 * sockets, on Windows pipes that go one way. The end of its input is the close
 * of slot 0's channel; ipc_channel_end does it on POSIX alone, and is
 * UV_ENOTSUP on Windows. */
IPC_CHANNEL_EXTERN int ipc_child_options_set_channel(
    ipc_child_options_t* options,
    unsigned int slot,
    const ipc_channel_options_t* channel,
    void* data);
/* How long to wait for the end of the output once the child has ended, 0 or
 * more; default 1000 ms, or IPC_CHANNEL_INFINITE. */
IPC_CHANNEL_EXTERN int ipc_child_options_set_drain_timeout(
    ipc_child_options_t* options, int timeout_ms);
IPC_CHANNEL_EXTERN int ipc_child_options_on_exit(ipc_child_options_t* options,
                                                 ipc_child_exit_cb cb);

/* Spawns. This process's copies of the child's ends are closed at once, so that
 * an end is an end; no end of one spawn leaks into the child of another one of
 * this library's, in any thread. (Windows: other code of this process that
 * spawns with all that can be inherited, as libuv does up to 1.52.1, must not
 * do so in another thread during this call: the child's ends can be inherited
 * while it lasts.)
 * UV_EINVAL: no loop, or a bad option, see ipc_child_options_error; UV_ENOENT:
 * no such program, or directory; UV_EACCES: it may not be run; UV_EBADF: a
 * handle isn't open; UV_ENOMEM and what else the system says. After an error
 * nothing is left behind, but handles that close in the loop's next turn. */
IPC_CHANNEL_EXTERN int ipc_child_spawn(uv_loop_t* loop,
                                       const ipc_child_options_t* options,
                                       void* data,
                                       ipc_child_t** child);

IPC_CHANNEL_EXTERN void* ipc_child_data(const ipc_child_t* child);
IPC_CHANNEL_EXTERN int ipc_child_pid(const ipc_child_t* child);
/* The slot's channel; NULL: it is none, or was closed. It is the caller's to
 * close, as any. */
IPC_CHANNEL_EXTERN ipc_channel_t* ipc_child_channel(const ipc_child_t* child,
                                                    unsigned int slot);
/* Windows: SIGTERM, SIGKILL and SIGINT all end it, 0 asks whether it lives, and
 * others are UV_ENOSYS. UV_ESRCH: it has ended. */
IPC_CHANNEL_EXTERN int ipc_child_kill(ipc_child_t* child, int signum);
/* Asks it to go: closes the channels of slots 0 and 3 gracefully, then after
 * `grace_ms` sends SIGTERM (Windows: ends it), and after as long again SIGKILL;
 * IPC_CHANNEL_INFINITE: neither. on_exit tells. UV_ESRCH: it has ended;
 * UV_EALREADY: asked, or closed, before. */
IPC_CHANNEL_EXTERN int ipc_child_quit(ipc_child_t* child, int grace_ms);
/* Releases the child when its end has been told: kills it where it lives. Its
 * channels that are still open are closed, without waiting. `cb` may be NULL,
 * is the last callback, and on_exit has come before. UV_EALREADY. */
IPC_CHANNEL_EXTERN int ipc_child_close(ipc_child_t* child,
                                       ipc_child_close_cb cb);

/* In a child that was spawned with a channel on slot 3: that channel. Once;
 * children of its own don't get it, if they are spawned later than this. `loop`
 * and `options` as for ipc_channel_open. UV_ENOENT: there is none. Otherwise
 * the errors of ipc_channel_open, and it is there as before.
 * (The agreement, for programs without this library: C descriptor 3 is open,
 * on Windows handed on to the C runtime as usual, and the variable
 * IPC_CHANNEL_INHERIT is "3".) */
IPC_CHANNEL_EXTERN int ipc_channel_inherit(uv_loop_t* loop,
                                           const ipc_channel_options_t* options,
                                           void* data,
                                           ipc_channel_t** channel);

/* What ipc_child_output has found; lives until the callback returns. */
typedef struct ipc_child_output_s {
  int status; /* 0; UV_ETIMEDOUT, UV_ENOBUFS: it took too long, or said too
                 much, and was killed unless it had ended already; UV_ENOMEM,
                 or what else broke an output: likewise */
  int64_t exit_status;
  int term_signal;
  const void* out; /* standard output, followed by a 0 that isn't counted */
  size_t out_size;
  const void* err; /* standard error, likewise */
  size_t err_size;
} ipc_child_output_t;
typedef void (*ipc_child_output_cb)(void* arg,
                                    const ipc_child_output_t* output);

/* Runs a child to its end: feeds it `input_size` bytes (copied; it need not
 * read them), collects both outputs beside each other, at most `max_bytes` of
 * each, and kills it when that is exceeded or `timeout_ms` have passed (0 or
 * more, or IPC_CHANNEL_INFINITE). `cb` gets what was said until then. A
 * grandchild that holds its outputs is waited for as the drain timeout says,
 * but no longer than a second after such a kill. The options' stdio, channels
 * and on_exit are not looked at. Errors as ipc_child_spawn. */
IPC_CHANNEL_EXTERN int ipc_child_output(uv_loop_t* loop,
                                        const ipc_child_options_t* options,
                                        const void* input,
                                        size_t input_size,
                                        size_t max_bytes,
                                        int timeout_ms,
                                        ipc_child_output_cb cb,
                                        void* arg);

/* ---- Workers ------------------------------------------------------------ */

/* A program that is kept running, and a channel to it: a child process with the
 * extra channel, native, which it picks up by ipc_channel_inherit; when it dies
 * another one takes its place. Each of them is a life of the worker, with a
 * channel of its own.
 *
 * A life ends when its process does; also when its channel ends, whoever has
 * ended it and why: then the process has the grace time to leave, gets SIGTERM
 * (Windows: is ended), and after as long again SIGKILL. So a worker is replaced
 * too that takes too long for its hello (set_connect_timeout of the channel's
 * options) or isn't heard any more (set_heartbeat), and closing the channel is
 * the way to have a fresh one.
 *
 * What was under way when a life ends is told as with any channel: calls end
 * with an error, sends too. Nothing is sent again by itself, for nobody knows
 * how much of it was done: a job that must be done is given to another worker
 * by the callback in which its call has failed, or to the next life in
 * on_ready. See examples/hash_files.c. */
typedef struct ipc_worker_s ipc_worker_t;

/* A life has begun: the process runs and has said hello. `channel` is its
 * channel, with the worker's data. It may be used as any, also closed, but
 * needn't be: the worker closes it at the end of the life. */
typedef void (*ipc_worker_ready_cb)(ipc_worker_t* worker,
                                    ipc_channel_t* channel);

typedef struct ipc_worker_exit_s {
  /* 0: the process has ended by itself, or by a signal that wasn't ours, or
   * ipc_worker_close has killed it;
   * UV_ETIMEDOUT: it was made to go, for no hello came, or it wasn't heard, or
   * it didn't leave within the grace time after its channel's end or a quit;
   * UV_EPROTO, UV_EMSGSIZE, ...: what else has broken its channel;
   * UV_ENOENT, UV_EMFILE, ...: there was none, it couldn't be spawned again. */
  int status;
  int64_t exit_status; /* as for a child; 0 where there was none */
  int term_signal;
  /* The next one is spawned after so long; IPC_CHANNEL_INFINITE: none is. */
  int restart_ms;
} ipc_worker_exit_t;

/* A life is over: its process has ended, and its channel is gone, after the
 * last callback of either. Or the attempt to begin one has failed. A quit or
 * close in here is in time to stop the restart. `told` lives until the callback
 * returns. */
typedef void (*ipc_worker_exit_cb)(ipc_worker_t* worker,
                                   const ipc_worker_exit_t* told);
typedef void (*ipc_worker_close_cb)(ipc_worker_t* worker);

typedef struct ipc_worker_options_s {
  uint64_t opaque[96];
} ipc_worker_options_t;

/* As for a child; but the spawn copies all strings and lists, for the lives to
 * come, so that they are borrowed until it returns. */
IPC_CHANNEL_EXTERN void ipc_worker_options_init(ipc_worker_options_t* options,
                                                const char* file,
                                                const char* const* args);
IPC_CHANNEL_EXTERN const char* ipc_worker_options_error(
    const ipc_worker_options_t* options);
/* As ipc_child_options_set_env; the default is this process's at the time of
 * each life's spawn. */
IPC_CHANNEL_EXTERN int ipc_worker_options_set_env(ipc_worker_options_t* options,
                                                  const char* const* env);
IPC_CHANNEL_EXTERN int ipc_worker_options_set_directory(
    ipc_worker_options_t* options, const char* path);
/* Slots 0 to 2: IPC_CHILD_INHERIT, IPC_CHILD_NULL, or for 2
 * IPC_CHILD_STDOUT. */
IPC_CHANNEL_EXTERN int ipc_worker_options_set_stdio(
    ipc_worker_options_t* options, unsigned int slot, ipc_child_stdio_t stdio);
/* The callbacks and limits of each life's channel; UV_EINVAL: not the native
 * framing. Borrowed until the spawn, whose memory comes from their allocator.
 * NULL, and without this: the defaults, and the channel is pulled from. */
IPC_CHANNEL_EXTERN int ipc_worker_options_set_channel(
    ipc_worker_options_t* options, const ipc_channel_options_t* channel);
/* A life's end, or a spawn that fails, is followed by another spawn after
 * `first_ms`, then after twice as long each time up to `max_ms`, give or take a
 * quarter at random; 1 ms to a day each, first_ms <= max_ms; default 100 ms and
 * 10 s. A life that was connected for `max_ms` begins anew with `first_ms`.
 * IPC_CHANNEL_INFINITE as `first_ms`: never, whatever `max_ms`. */
IPC_CHANNEL_EXTERN int ipc_worker_options_set_restart(
    ipc_worker_options_t* options, int first_ms, int max_ms);
/* How long the process may take to leave once its channel has ended, 0 or more,
 * or IPC_CHANNEL_INFINITE; default 5000 ms. */
IPC_CHANNEL_EXTERN int ipc_worker_options_set_grace(
    ipc_worker_options_t* options, int grace_ms);
IPC_CHANNEL_EXTERN int ipc_worker_options_on_ready(
    ipc_worker_options_t* options, ipc_worker_ready_cb cb);
IPC_CHANNEL_EXTERN int ipc_worker_options_on_exit(ipc_worker_options_t* options,
                                                  ipc_worker_exit_cb cb);

/* Spawns the first life, and keeps the loop alive until a quit or close, or the
 * last life's end. Errors of ipc_child_spawn, see ipc_worker_options_error; no
 * other attempt is made then, and nothing is left behind. */
IPC_CHANNEL_EXTERN int ipc_worker_spawn(uv_loop_t* loop,
                                        const ipc_worker_options_t* options,
                                        void* data,
                                        ipc_worker_t** worker);

IPC_CHANNEL_EXTERN void* ipc_worker_data(const ipc_worker_t* worker);
/* The channel of this life, from its on_ready until its end; else NULL. */
IPC_CHANNEL_EXTERN ipc_channel_t* ipc_worker_channel(
    const ipc_worker_t* worker);
/* Of this life's process; 0: there is none. */
IPC_CHANNEL_EXTERN int ipc_worker_pid(const ipc_worker_t* worker);
/* How many lives have begun after the first. */
IPC_CHANNEL_EXTERN uint64_t ipc_worker_restarts(const ipc_worker_t* worker);
/* As ipc_child_kill; it is restarted all the same. UV_ESRCH: there is none. */
IPC_CHANNEL_EXTERN int ipc_worker_kill(ipc_worker_t* worker, int signum);
/* Asks it to go, and restarts it no more: closes the channel, which delivers
 * what was sent, as far as the channel's close timeout and the process take it;
 * then as ipc_child_quit. A grace time that runs already begins anew with this
 * one. on_exit tells. UV_ESRCH: between two lives, or after the last: there is
 * no process, and on_exit isn't called any more. UV_EALREADY: asked, or closed,
 * before. */
IPC_CHANNEL_EXTERN int ipc_worker_quit(ipc_worker_t* worker, int grace_ms);
/* Releases the worker, with or without a quit before: kills its process where
 * there is one, drops its channel, waits for neither. `cb` may be NULL and is
 * the last callback; the on_exit of a life comes before. UV_EALREADY. */
IPC_CHANNEL_EXTERN int ipc_worker_close(ipc_worker_t* worker,
                                        ipc_worker_close_cb cb);

/* ---- Blocking ----------------------------------------------------------- */

/* The same operations for a program without a loop. They run the private loop
 * of the channel or server until they are done; callbacks that the options name
 * run inside them, and nothing moves between them: no heartbeat, no reply, and
 * what ipc_channel_send queued waits. The channels of one server share its
 * loop, and one thread at a time may use a loop. Timeouts as for the functions
 * of the same name without _wait. All answer UV_EALREADY inside a callback of
 * that loop, UV_EINVAL for a channel or server with a loop of the caller's, and
 * UV_EAGAIN where nothing is left that could end the wait: without a deadline
 * on a channel that is paused, or in which something lies that must be taken
 * first. UV_ECANCELED: a callback has closed or disconnected it. */

/* Returns when connected, or with the error of on_connect, and then *channel is
 * NULL and nothing is left to close. The deadline is the connect timeout. */
IPC_CHANNEL_EXTERN int ipc_client_connect_wait(
    const ipc_client_options_t* options, void* data, ipc_channel_t** channel);

IPC_CHANNEL_EXTERN int ipc_server_accept_wait(ipc_server_t* server,
                                              int timeout_ms,
                                              ipc_channel_t** channel);

/* Returns when all is handed to the system. Waits for room in the queue too,
 * where the slow-reader policy answers UV_EAGAIN.
 * `*sent`, which may be NULL, is as in ipc_send_cb: after UV_ETIMEDOUT 0 says
 * that the message was withdrawn, more that it will still be completed, by any
 * later _wait. */
IPC_CHANNEL_EXTERN int ipc_channel_send_wait(ipc_channel_t* channel,
                                             const void* data,
                                             size_t size,
                                             int timeout_ms,
                                             size_t* sent);

/* `*data` lives until the next receive on this channel, or its close. */
IPC_CHANNEL_EXTERN int ipc_channel_recv_wait(ipc_channel_t* channel,
                                             int timeout_ms,
                                             const void** data,
                                             size_t* size);

/* Waits for room in the queue too. `*reply` lives until the next call
 * that waits on this channel, or its close. */
IPC_CHANNEL_EXTERN int ipc_channel_call_wait(ipc_channel_t* channel,
                                             const void* data,
                                             size_t size,
                                             int timeout_ms,
                                             const void** reply,
                                             size_t* reply_size);

/* ipc_channel_close, or one that was begun before, to its end; returns the
 * status of the result, which may be NULL. The channel is gone then, whatever
 * the status, unless that is UV_EALREADY or UV_EINVAL. */
IPC_CHANNEL_EXTERN int ipc_channel_close_wait(ipc_channel_t* channel,
                                              ipc_close_result_t* result);

/* ipc_server_close, or one that was begun before, to its end. Channels that it
 * handed out live on; the loop goes with the last of them. */
IPC_CHANNEL_EXTERN int ipc_server_close_wait(ipc_server_t* server);

/* ---- Other threads ------------------------------------------------------ */

/* Sends to a channel from any thread. A poster has a bounded queue of its own;
 * what was posted joins the channel's queue on the loop's thread, in the order
 * of the posts, in any case in the order of each thread's (between two posters
 * of one channel there is no order). A poster outlives
 * its channel, and then answers UV_EPIPE. It doesn't keep the loop alive. */
typedef struct ipc_poster_s ipc_poster_t;

/* On the loop's thread. `max_bytes`, 1 KiB to 1 GiB: the queue's memory, of
 * which each post uses its size and at most 16 bytes; taken at once from the
 * channel's allocator, and given back when the channel closes. `on_wake` may be
 * NULL. With one reference, for the caller to release. UV_EINVAL; UV_EPIPE: the
 * channel is dead, ended or closing; UV_ENOMEM. */
IPC_CHANNEL_EXTERN int ipc_poster_create(ipc_channel_t* channel,
                                         size_t max_bytes,
                                         ipc_wake_cb on_wake,
                                         void* arg,
                                         ipc_poster_t** poster);

/* One reference more, one less; NULL: nothing. From any thread. */
IPC_CHANNEL_EXTERN void ipc_poster_retain(ipc_poster_t* poster);
IPC_CHANNEL_EXTERN void ipc_poster_release(ipc_poster_t* poster);

/* Posts a copy of one message. From any thread, also at the moment of the
 * channel's close: what is accepted is sent, or counted in ipc_close_result_t
 * as unsent or unconfirmed. While the channel's queue is full, posts wait in
 * the poster; the slow-reader policy is not applied to them.
 * UV_EAGAIN: the poster is full; UV_EPIPE: the channel is closing, ended or
 * dead;
 * UV_EMSGSIZE: more than max_message_bytes, or than the queue could ever hold;
 * UV_EINVAL: no poster, data is NULL with a size, or no bytes for a raw
 * channel; UV_EACCES: an inbound channel. (A message that the peer alone
 * doesn't take, for its size or at all, is counted unsent.) */
IPC_CHANNEL_EXTERN int ipc_poster_send(ipc_poster_t* poster,
                                       const void* data,
                                       size_t size);

/* Has on_wake called soon, once for any number of wakes until then. Takes no
 * lock and changes no errno: a signal handler may call it, and any thread.
 * After the channel's close, and with NULL, it does nothing. */
IPC_CHANNEL_EXTERN void ipc_poster_wake(ipc_poster_t* poster);

/* ---- Foreign wait loops ------------------------------------------------- */

/* Drives a loop from a program that has a wait loop of its own. Wait for the
 * pump's handle, at most ipc_pump_timeout milliseconds, then call ipc_pump_run:
 *
 *   POSIX    an fd for poll, select or epoll, to be waited for as readable: the
 *            loop's own backend, which the program must not read or close, and
 *            another one after uv_loop_fork;
 *   Windows  a manual-reset event for WaitForMultipleObjects. libuv has no such
 *            handle there, so a helper thread waits on the loop's completion
 *            port and sets the event: two thread switches for each wake-up, and
 *            one thread for each pump.
 *
 * All on the loop's thread. The handle may be signalled for nothing. Between
 * its runs the loop may be turned in any other way, but ipc_pump_run must not
 * be called inside a uv_run of the caller's, which nothing can notice. A second
 * pump for a loop works and brings nothing.
 * docs/embedding.md has more. */
typedef struct ipc_pump_s ipc_pump_t;

/* Its memory comes from malloc. The loop must outlive it. UV_EINVAL, UV_ENOMEM,
 * or what the system says. */
IPC_CHANNEL_EXTERN int ipc_pump_create(uv_loop_t* loop, ipc_pump_t** pump);

/* Of a pump, not NULL; neither does ipc_pump_timeout take that. */
IPC_CHANNEL_EXTERN uv_os_fd_t ipc_pump_handle(const ipc_pump_t* pump);

/* How long the program may wait for the handle: milliseconds, 0: call
 * ipc_pump_run now; IPC_CHANNEL_INFINITE: as long as it likes, also while
 * nothing keeps the loop alive. To be asked before each wait, since it changes
 * with everything done to the channels. */
IPC_CHANNEL_EXTERN int ipc_pump_timeout(const ipc_pump_t* pump);

/* To be called after each wait, whatever ended it. Does what is due, without
 * waiting; callbacks run inside. Returns 1 while something keeps the loop
 * alive, 0 when all is done. UV_EINVAL; UV_EALREADY: inside itself. */
IPC_CHANNEL_EXTERN int ipc_pump_run(ipc_pump_t* pump);

/* Takes nothing from the loop: what was announced is there for its next turn.
 * UV_EINVAL; UV_EALREADY: inside ipc_pump_run. */
IPC_CHANNEL_EXTERN int ipc_pump_destroy(ipc_pump_t* pump);

#ifdef __cplusplus
}
#endif

#endif /* IPC_CHANNEL_H */
