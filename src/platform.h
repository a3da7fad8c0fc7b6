/* The seam: every function that src/posix and src/win32 supply, and the whole
 * of what the layers above know about an operating system. To port the library
 * is to write these; CONTRIBUTING.md says in which order.
 *
 * Rules for both sides
 *  - Results are 0 or a negative UV_E* code; one situation has one code,
 *    whatever the system calls it.
 *  - Nothing here blocks, except where its comment says for how long.
 *  - Every handle is closed on exec, or not inheritable, from its first moment.
 *  - A function that fails has released what it took.
 *  - Callbacks run on the loop's thread, never inside the call that asks for
 *    them, except where the comment says so.
 */
#ifndef IPC_CHANNEL_PLATFORM_H
#define IPC_CHANNEL_PLATFORM_H

#include "ipc_channel.h"

#ifdef _WIN32
#include "win32/types.h"
#else
#include "posix/types.h"
#endif

/* ---- Names (name.c) ----------------------------------------------------- */

/* Fills `info` for a name, as ipc_name_resolve promises; `info` comes zeroed.
 * src/name.h has the rules for bare names, which are the same everywhere. */
int ipc__name_resolve(const char* name, ipc_name_info_t* info);

/* Whose the directory of an endpoint must be; both sides check it before they
 * use the endpoint. */
typedef enum ipc__place_e {
  IPC__PLACE_ANY,   /* not looked at */
  IPC__PLACE_USER,  /* of a bare name: ours; a listener may make it */
  IPC__PLACE_SYSTEM /* of "system:NAME": root's */
} ipc__place_t;

/* Where the endpoint of a name that resolves lives. Windows: IPC__PLACE_ANY,
 * for pipes are in no directory. */
ipc__place_t ipc__name_place(const char* name);

/* ipc_name_probe, for a resolved name. `peer` comes zeroed. */
int ipc__name_probe(const char* os_name,
                    ipc__place_t place,
                    ipc_name_state_t* state,
                    ipc_peer_t* peer);

/* ---- Peers (peer.c) ----------------------------------------------------- */

/* Who is at the other end of a connected handle; `is_server`: the other end is
 * the server. UV_EACCES: the system won't say. */
int ipc__peer_get(uv_os_fd_t handle, int is_server, ipc_peer_t* peer);

/* Whether the text can be what ipc__peer_get gives for a user. */
int ipc__user_is_id(const char* text);

/* The user that runs this process, and the one that may do everything anyway
 * (root; SYSTEM). */
int ipc__peer_is_me(const ipc_peer_t* peer);
int ipc__peer_is_system(const ipc_peer_t* peer);

/* A group by its name or id, as the id in text (a decimal gid, a SID). May ask
 * a directory service, so once for each server. UV_ENOENT: unknown. */
int ipc__group_resolve(const ipc_allocator_t* allocator,
                       const char* group,
                       char id[IPC_CHANNEL_USER_SIZE]);

/* Whether the peer belongs to the group with this id, as its main group or
 * another; 0 also when the system can't say. */
int ipc__peer_in_group(uv_os_fd_t handle,
                       const ipc_peer_t* peer,
                       const char* group_id);

/* ---- Handles (handle.c) ------------------------------------------------- */

/* Closes a handle that was never given to libuv. */
void ipc__handle_close(uv_os_fd_t handle);

typedef struct ipc__handle_info_s {
  ipc_transport_t transport;
  int is_packet; /* see "Packets" below */
  int is_serial; /* does one thing at a time: it may be read, or written */
  int can_read;
  int can_write;
} ipc__handle_info_t;

/* What a handle is and may do. UV_EBADF: it isn't open; UV_EINVAL: it is
 * nothing that a stream can be made of (a file, a directory, a terminal, a
 * socket that listens, isn't connected or keeps no order); UV_EACCES: the
 * system won't say. Doesn't change the handle. */
int ipc__handle_inspect(uv_os_fd_t handle, ipc__handle_info_t* info);

/* The same for a listener, see ipc_server_options_set_listener, and the name
 * that it has: "" for none, "@..." for one that is no path. UV_EINVAL: it
 * doesn't listen, or not for streams or packets of this machine. Where
 * IPC__HAS_LISTENERS is 0, this and ipc__listener_adopt aren't called; they
 * answer UV_ENOTSUP. */
int ipc__handle_inspect_listener(uv_os_fd_t handle,
                                 int* is_packet,
                                 char os_name[IPC_CHANNEL_OS_NAME_SIZE]);

/* ---- Pairs (pair.c) ------------------------------------------------------ */

/* Two handles that are connected with each other and have no name that anybody
 * else could use. `flags` are those of ipc_pair_create and make sense together;
 * with IPC_PAIR_ONE_WAY ends[0] reads and ends[1] writes. `bytes`: of the
 * system's buffers, 0: its default; a hint. What the system says. */
int ipc__pair_create(unsigned int flags, size_t bytes, uv_os_fd_t ends[2]);

/* ---- Activation (activation.c) ------------------------------------------ */

/* ipc_activation_handles, with a room for handles that may be NULL only where
 * it is 0. */
int ipc__activation_handles(const char* name,
                            uv_os_fd_t* handles,
                            size_t* count);

/* ---- FIFOs (fifo.c) ------------------------------------------------------ */

/* Windows has none: UV_ENOTSUP. The path is the system's, not a name. */

/* ipc_fifo_create; a mode of 0 to 0777. */
int ipc__fifo_create(const char* path, int mode);

typedef struct ipc__fifo_s {
  uv_os_fd_t handle; /* the end that was asked for */
  /* INBOUND: an end that nobody writes to; while it is open, reading tells of
   * no end. */
  uv_os_fd_t keeper;
  int has_keeper;
} ipc__fifo_t;

/* Opens for one way, with the errors of ipc_fifo_open. */
int ipc__fifo_open(const char* path, ipc_access_t access, ipc__fifo_t* fifo);

/* ipc_fifo_remove, of the FIFO that the handle is an end of. */
int ipc__fifo_remove(const char* path, uv_os_fd_t handle);

/* ---- Child processes (child.c) ------------------------------------------ */

/* A pair for a slot of a child. `theirs` of slots 0 to 2 is what any program
 * expects there, a blocking handle; that of slot 3 is for ipc_channel_open.
 * `ours` is for a channel that writes to slot 0 and reads from 1 and 2. POSIX:
 * both ends go both ways. Windows: 0 to 2 go one way. None is inheritable. */
int ipc__child_pair(unsigned int slot, uv_os_fd_t* ours, uv_os_fd_t* theirs);

/* Another handle for the same thing, above 2 where it is a descriptor.
 * UV_EBADF: it isn't open. */
int ipc__handle_duplicate(uv_os_fd_t handle, uv_os_fd_t* duplicate);

/* uv_spawn takes C descriptors: on POSIX the handle itself, on Windows one of
 * libuv's C runtime. Whatever the result, the handle is no longer the caller's.
 * UV_EMFILE: there is none. */
int ipc__descriptor_open(uv_os_fd_t handle, int* fd);

/* Closes it, and its handle. */
void ipc__descriptor_close(int fd);

/* Whether this process has it; Windows: libuv sees to that itself. */
int ipc__descriptor_is_open(int fd);

/* ---- Listener (listener.c) ---------------------------------------------- */

typedef struct ipc__listener_s ipc__listener_t;

typedef struct ipc__listen_config_s {
  const ipc_allocator_t* allocator; /* outlives the listener */
  const char* os_name;              /* borrowed for the call, as all strings */
  ipc__place_t place;
  unsigned int pending_instances; /* 0: the system's default */
  size_t in_bytes;                /* 0: the system's default */
  size_t out_bytes;
  ipc_peers_t peers;
  const char* group_id; /* NULL: none */
  int64_t mode;         /* -1: from peers and group. Windows: always -1 */
  int64_t uid;          /* -1: leave. Windows: always -1 */
  int64_t gid;
  const char* sddl;    /* NULL: from peers and group. POSIX: always NULL */
  ipc_access_t access; /* see "One-way streams" below; native: duplex */
  int is_packet;       /* see "Packets" below */
} ipc__listen_config_t;

/* Whether the text can be config.sddl: UV_EINVAL, UV_ENOMEM. POSIX: none can,
 * UV_ENOTSUP. */
int ipc__sddl_check(const ipc_allocator_t* allocator, const char* sddl);

typedef struct ipc__listener_callbacks_s {
  /* A client has connected and `handle` is the callee's. The listener is able
   * to take the next client already. May stop or close the listener. */
  void (*on_accept)(void* owner, uv_os_fd_t handle);
  /* Accepting has begun to fail; the listener tries again by itself, first
   * after 10 ms, then after twice as long each time, 1 s at most. May close the
   * listener. */
  void (*on_error)(void* owner, int status);
  /* The listener is gone. */
  void (*on_close)(void* owner);
} ipc__listener_callbacks_t;

/* Takes the name and listens; see ipc_server_listen for what that means and for
 * the errors. `callbacks` outlives the listener. */
int ipc__listener_open(uv_loop_t* loop,
                       const ipc__listen_config_t* config,
                       const ipc__listener_callbacks_t* callbacks,
                       void* owner,
                       ipc__listener_t** listener);

/* Listens on a handle that ipc__handle_inspect_listener has passed. On success
 * it is the listener's, which closes it, and doesn't touch its name; else it is
 * as it was. Of `config` only the allocator and the sizes count. */
int ipc__listener_adopt(uv_loop_t* loop,
                        const ipc__listen_config_t* config,
                        const ipc__listener_callbacks_t* callbacks,
                        void* owner,
                        uv_os_fd_t handle,
                        ipc__listener_t** listener);

/* Hands out no more clients until started again; those that come wait in the
 * system, and the listener doesn't keep the loop alive. A listener starts
 * started; both may be called twice. */
void ipc__listener_stop(ipc__listener_t* listener);
void ipc__listener_start(ipc__listener_t* listener);

/* The effective number; 0: not known. */
unsigned int ipc__listener_pending_instances(const ipc__listener_t* listener);

/* The effective sizes of the connections to come; 0 where the system won't say
 * (Windows: those of a listener that is OUTBOUND). */
void ipc__listener_buffer_sizes(const ipc__listener_t* listener,
                                size_t* in_bytes,
                                size_t* out_bytes);

/* Gives the name back at once (Windows: when the last connection that was
 * handed out is closed), then calls on_close in a later callback, and no other
 * callback before it. A client that the system had connected already, but
 * that was not handed out, is disconnected. */
void ipc__listener_close(ipc__listener_t* listener);

/* ---- Connecting (connect.c) --------------------------------------------- */

typedef struct ipc__connect_config_s {
  const char* os_name;
  ipc__place_t place;
  size_t in_bytes; /* 0: the system's default. Windows: always 0 */
  size_t out_bytes;
  ipc_impersonation_t impersonation;
  ipc_access_t access; /* see "One-way streams" below; native: duplex */
  int is_packet;       /* see "Packets" below */
} ipc__connect_config_t;

/* One attempt, without waiting. UV_ENOENT: nobody serves the name, be it absent
 * or left behind by a dead server; UV_EBUSY: somebody does and takes no client
 * from the system just now (its backlog is full, no pipe instance is free);
 * UV_EACCES: no right to it, a one-way pipe goes the other way, or its
 * directory fails the check; UV_ENOTSOCK: what has the name is not an endpoint;
 * UV_EPROTOTYPE: it has packets and streams were asked for (POSIX only: on
 * Windows a pipe with packets can be read as bytes), or the other way round. */
int ipc__connect(const ipc__connect_config_t* config, uv_os_fd_t* handle);

/* ---- Streams (stream.c) ------------------------------------------------- */

/* One-way streams. `access` is seen from the side that sets it; the framing
 * that we speak ourselves needs both ways whatever its messages do, so only raw
 * channels ask for less than IPC_CHANNEL_ACCESS_DUPLEX.
 *
 * Windows: the pipe, or the client's handle, is one-way. A stream that is
 * INBOUND can't write, one that is OUTBOUND can't even be read for its end: a
 * uv_read_start would fail. That its peer has gone it is told by a write, the
 * one under way or the next, with UV_EPIPE, and by nothing else.
 *
 * POSIX: sockets go both ways, and both ways are left open: to end the unused
 * one at once looks to the peer like a close, and many a peer (Node's, unless
 * told not to) then closes its own side too. Besides, an OUTBOUND stream could
 * then no longer be read for the peer's end. So it is to be read, and what
 * comes before the end is nobody's. */

/* Packets: the system keeps each write apart from the next. Where
 * IPC__HAS_PACKETS is 0 nobody asks for them.
 *
 * POSIX (Linux): SOCK_SEQPACKET. Windows: a pipe of the type message, whose
 * handle reads bytes all the same, since libuv knows nothing else; a read that
 * asks for no more than what is left of the packet in front keeps them apart.
 *
 * One ipc__stream_write is one packet: it takes one buffer whole, or nothing.
 * An empty packet can't be told from the end, so nobody writes one. */

/* A connected handle under libuv: `pipe` reads (uv_read_start), we write. */
typedef struct ipc__stream_s ipc__stream_t;

/* A write that could not be done at once has made progress: `bytes` more have
 * been handed to the system (maybe 0: there is room again), or `status` says
 * why never. The stream takes the next write. */
typedef void (*ipc__stream_written_cb)(ipc__stream_t* stream,
                                       int status,
                                       size_t bytes);
typedef void (*ipc__stream_closed_cb)(ipc__stream_t* stream);

/* What many streams have in common; it outlives them. */
typedef struct ipc__stream_kind_s {
  const ipc_allocator_t* allocator;
  ipc__stream_written_cb on_written;
  ipc__stream_closed_cb on_closed; /* ipc__stream_close is done */
} ipc__stream_kind_t;

struct ipc__stream_s {
  uv_pipe_t pipe; /* first, so that libuv's handle is the stream */
  const ipc__stream_kind_t* kind;
  ipc__stream_os_t os;
};

/* Gives a connected handle to libuv. Whatever the result, the handle is the
 * stream's, the stream is initialised, and ipc__stream_close must be called.
 * `transport`: what the handle is, as ipc__handle_inspect would say. UV_EMFILE:
 * no descriptor for it. */
int ipc__stream_open(uv_loop_t* loop,
                     ipc__stream_t* stream,
                     uv_os_fd_t handle,
                     ipc_transport_t transport,
                     const ipc__stream_kind_t* kind);

/* Writes the buffers in order.
 *  > 0  so many bytes were handed to the system, perhaps not all;
 *  UV_EAGAIN  on_written will come, once; until then the memory (not the array)
 *      must stay, and nothing else may be written. POSIX: nothing was taken.
 *      Windows: a part was, always, and on_written tells how much when it is
 *      done;
 *  UV_ENOBUFS, UV_ENOMEM  nothing was taken and no callback comes: try again
 *      later;
 *  other  the connection is broken. Never raises SIGPIPE. */
ssize_t ipc__stream_write(ipc__stream_t* stream,
                          const uv_buf_t* buffers,
                          unsigned int count);

/* How many buffers one write takes with profit. */
#define IPC__STREAM_WRITE_BUFFERS 64

/* Much waits to be written, and nobody has said how large the system's buffer
 * is to be: makes it larger, where that helps. The next write tells whether it
 * did. */
void ipc__stream_grow(ipc__stream_t* stream);

/* How many bytes a write under way still reads from our memory: while it isn't
 * over they can't be withdrawn. POSIX: always 0. */
size_t ipc__stream_in_flight(const ipc__stream_t* stream);

/* Reads what is there already, for the first read after accepting, and all
 * packets. UV_EAGAIN: nothing (always where IPC__HAS_TRY_READ is 0, on
 * Windows); UV_EOF; UV_EIO: the packet is larger than `size`; another error. */
ssize_t ipc__stream_try_read(ipc__stream_t* stream, void* data, size_t size);

/* How many bytes there are of the packet in front, or are left of it; a read
 * takes them in one piece if it asks for exactly so many. UV_EAGAIN: there is
 * none; 0: the end, or an error that the next read tells.
 *
 * POSIX: a peer that leaves without having read all has ECONNRESET come ahead
 * of what it sent, once. This and ipc__stream_try_read pass over it; libuv's
 * read would take it for the end. */
ssize_t ipc__stream_next_packet(ipc__stream_t* stream);

/* The largest packet that may be written. */
size_t ipc__stream_packet_limit(ipc__stream_t* stream);

/* Ends our direction after all that was written. UV_ENOTSUP on Windows. */
int ipc__stream_shutdown(ipc__stream_t* stream);

/* Whether closing now would lose bytes that were written: Windows drops what
 * the peer hasn't read yet. POSIX: never. */
int ipc__stream_has_unread(ipc__stream_t* stream);

/* The effective sizes; 0 where the system won't say. */
void ipc__stream_buffer_sizes(ipc__stream_t* stream,
                              size_t* in_bytes,
                              size_t* out_bytes);

/* ipc__peer_get for a stream's handle. */
int ipc__stream_peer(const ipc__stream_t* stream,
                     int is_server,
                     ipc_peer_t* peer);

uv_os_fd_t ipc__stream_handle(const ipc__stream_t* stream);

/* Whether a stream that is OUTBOUND is to be read for the peer's end. POSIX:
 * unless the handle can't be read. Windows: never. */
int ipc__stream_sees_end(const ipc__stream_t* stream);

/* Another handle for the same connection, which stays when the stream is
 * closed. To be called where nothing is being written. Windows: UV_ENOTSUP,
 * since a handle can't leave libuv's completion port. */
int ipc__stream_duplicate(const ipc__stream_t* stream, uv_os_fd_t* handle);

/* Closes; the peer sees the end now. A write under way calls on_written with
 * UV_ECANCELED, or not at all; on_closed is last. Windows, of a handle that
 * isn't overlapped: blocks while another process writes to that same handle,
 * for 200 ms at most; or reads from it, as long as that takes. */
void ipc__stream_close(ipc__stream_t* stream);

/* ---- Foreign wait loops (pump.c) ---------------------------------------- */

/* What a program can wait for to learn that the system has something for a
 * loop; struct ipc__backend_s is in types.h. Times are not its business. All on
 * the loop's thread, and never inside a run, but for ipc__backend_handle. */
typedef struct ipc__backend_s ipc__backend_t;

/* `backend` comes zeroed and stays where it is; the loop outlives it. May watch
 * from a thread of its own. */
int ipc__backend_open(uv_loop_t* loop, ipc__backend_t* backend);

/* Signalled, or readable, from when the system has something for the loop at
 * the latest until the next run; now and then for nothing. */
uv_os_fd_t ipc__backend_handle(const ipc__backend_t* backend);

/* Around each run. After it the handle is signalled again only for what the run
 * has left, and what is new. */
void ipc__backend_before_run(ipc__backend_t* backend);
void ipc__backend_after_run(ipc__backend_t* backend);

/* Stops watching, at once, and takes nothing from the loop: whatever the handle
 * had announced is there for any later run. */
void ipc__backend_close(ipc__backend_t* backend);

#endif /* IPC_CHANNEL_PLATFORM_H */
