/* ipc_service: JSON-RPC 2.0 over ipc_channel, as a library of its own.
 *
 * A service has peers. It offers them methods, calls theirs, and both sides
 * send each other notifications; who listened and who connected makes no
 * difference. JSON values are jansson's. A peer is any program that speaks
 * JSON-RPC 2.0, one JSON text a message, in any framing that has messages.
 *
 * Rules, beside those of ipc_channel.h (one loop and its thread, results, no
 * callback inside the call that asks for it, every function may be called from
 * every callback):
 *  1. A json_t* that you pass is taken ("a new reference" in jansson's words),
 *     whether the call succeeds or not: json_pack(...) can stand in its place.
 *     json_incref what you want to keep.
 *  2. A json_t* that you are handed is borrowed, until your callback returns:
 *     json_incref what you want to keep. It is yours to read, not to change.
 *  3. A peer is valid until the callbacks for IPC_SERVICE_PEER_GONE have
 *     returned. Handlers, calls and requests are numbers: an old one is an
 *     error code, never a crash. 0 is none.
 *  4. Strings are UTF-8, NUL-terminated, and copied, if not said otherwise.
 *
 * Numbers are those of jansson: integers of 64 bits, or doubles. A text with a
 * number outside of both, or with a NUL in the name of a member, is refused as
 * one that can't be parsed. Of members with the same name the last one counts.
 * The id of a request is given back byte by byte as it came.
 *
 * Want of memory: no peer waits for an answer that can't come. A request that
 * can't be taken or answered is answered with IPC_SERVICE_INTERNAL_ERROR; where
 * there is no memory for that either, or none to read a text, so that nobody
 * knows who waits for what, the peer is closed: IPC_SERVICE_PEER_GONE and our
 * calls to it with UV_ENOMEM. A notification that is lost so is
 * IPC_SERVICE_ERROR with UV_ENOMEM. Memory comes from malloc, that of values
 * from jansson's functions, that of channels from their allocators. A text that
 * comes is parsed by jansson, which may take want of memory for a wrong text.
 */
#ifndef IPC_SERVICE_H
#define IPC_SERVICE_H

#include <ipc_channel.h>
#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(IPC_SERVICE_STATIC)
#define IPC_SERVICE_EXTERN /* nothing */
#elif defined(_WIN32)
#if defined(IPC_SERVICE_BUILDING)
#define IPC_SERVICE_EXTERN __declspec(dllexport)
#else
#define IPC_SERVICE_EXTERN __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define IPC_SERVICE_EXTERN __attribute__((visibility("default")))
#else
#define IPC_SERVICE_EXTERN /* nothing */
#endif

/* The codes of the standard, and two of its range for servers. */
#define IPC_SERVICE_PARSE_ERROR (-32700)
#define IPC_SERVICE_INVALID_REQUEST (-32600)
#define IPC_SERVICE_METHOD_NOT_FOUND (-32601)
#define IPC_SERVICE_INVALID_PARAMS (-32602)
#define IPC_SERVICE_INTERNAL_ERROR (-32603)
#define IPC_SERVICE_SHUTTING_DOWN (-32000) /* after ipc_service_quit */
#define IPC_SERVICE_TOO_MANY (-32001)      /* see set_max_requests */

/* The longest name that a peer may claim in rpc.hello, in bytes. */
#define IPC_SERVICE_MAX_NAME 255

typedef struct ipc_service_s ipc_service_t;
typedef struct ipc_service_peer_s ipc_service_peer_t;
typedef struct ipc_service_batch_s ipc_service_batch_t;

/* What was registered, for ipc_service_remove. */
typedef uint64_t ipc_service_handler_t;
/* A call that is pending, for ipc_service_cancel. */
typedef uint64_t ipc_service_op_t;
/* A request of a peer that is to be answered. */
typedef uint64_t ipc_service_request_t;

/* ---- Options ------------------------------------------------------------ */

/* A builder as those of ipc_channel.h: on the stack, copied when it is used,
 * strings borrowed until then, the first bad value remembered. */
typedef struct ipc_service_options_s {
  uint64_t opaque[48];
} ipc_service_options_t;

IPC_SERVICE_EXTERN void ipc_service_options_init(
    ipc_service_options_t* options);
/* Which option is wrong and why; "" while all are right. */
IPC_SERVICE_EXTERN const char* ipc_service_options_error(
    const ipc_service_options_t* options);
/* The service's own name, 1 to IPC_SERVICE_MAX_NAME bytes: each peer is told it
 * by the notification "rpc.hello" with {"name": NAME} as soon as it is there,
 * and rpc.discover shows it. Default: none, and no such notification. Where it
 * can't be sent the peer isn't told. */
IPC_SERVICE_EXTERN int ipc_service_options_set_name(
    ipc_service_options_t* options, const char* name);
/* Whether the "rpc.hello" of a peer gives it a name; default 1. Such a name is
 * a claim: the channel has checked which user the peer runs as, and nothing
 * tells apart two programs of one user. With 0 only those that we connected to,
 * or that were added with a name, have one. */
IPC_SERVICE_EXTERN int ipc_service_options_set_accept_names(
    ipc_service_options_t* options, int accept);
/* Whether the method rpc.discover is answered; default 1. */
IPC_SERVICE_EXTERN int ipc_service_options_set_discover(
    ipc_service_options_t* options, int discover);
/* How many calls may be pending, 1 to 16,777,216; default 65,536. One more is
 * UV_EBUSY. */
IPC_SERVICE_EXTERN int ipc_service_options_set_max_calls(
    ipc_service_options_t* options, unsigned int count);
/* How many requests of one peer may wait for their answer, 1 to 16,777,216;
 * default 1,024. One more is answered with IPC_SERVICE_TOO_MANY. */
IPC_SERVICE_EXTERN int ipc_service_options_set_max_requests(
    ipc_service_options_t* options, unsigned int count);
/* The largest text to accept, 1 or more bytes; default 16 MiB. The channel has
 * a limit of its own, which ends it; this one answers
 * IPC_SERVICE_INVALID_REQUEST and goes on. */
IPC_SERVICE_EXTERN int ipc_service_options_set_max_message_bytes(
    ipc_service_options_t* options, size_t bytes);
/* How many arrays and objects may be inside each other, 1 to 1,000; default 64.
 * The request's own object counts, and so does the array of a batch. */
IPC_SERVICE_EXTERN int ipc_service_options_set_max_depth(
    ipc_service_options_t* options, unsigned int depth);
/* The most entries of a batch, 1 or more; default 1,000. A larger one is
 * answered by one IPC_SERVICE_INVALID_REQUEST. As with all that is refused
 * before its ids are known, that error has none: the sender is told by
 * IPC_SERVICE_ERROR, and its calls end by their timeouts. */
IPC_SERVICE_EXTERN int ipc_service_options_set_max_batch(
    ipc_service_options_t* options, unsigned int count);
/* How many bytes of answers a peer that doesn't read may have waiting, beyond
 * what its channel holds, before nothing more is read from it, 0 or more;
 * default 16 MiB. */
IPC_SERVICE_EXTERN int ipc_service_options_set_max_waiting_bytes(
    ipc_service_options_t* options, size_t bytes);
/* How long we go on with a peer that takes no answer, and with one that has
 * ended its side and still waits for answers; 1 ms or more, default 30,000 ms;
 * or IPC_CHANNEL_INFINITE. Then it is closed. */
IPC_SERVICE_EXTERN int ipc_service_options_set_linger_timeout(
    ipc_service_options_t* options, int timeout_ms);

/* ---- Service ------------------------------------------------------------ */

/* Makes a service without peers. `loop` is the caller's. UV_EINVAL: no loop, or
 * a bad option; UV_ENOMEM. */
IPC_SERVICE_EXTERN int ipc_service_create(uv_loop_t* loop,
                                          const ipc_service_options_t* options,
                                          void* data,
                                          ipc_service_t** service);
IPC_SERVICE_EXTERN void* ipc_service_data(const ipc_service_t* service);
IPC_SERVICE_EXTERN uv_loop_t* ipc_service_loop(const ipc_service_t* service);

typedef void (*ipc_service_close_cb)(ipc_service_t* service);

/* Ends in good order: stops listening, so that another may serve the name ahead
 * of our last answers, answers new requests with IPC_SERVICE_SHUTTING_DOWN, and
 * waits until every request has been answered,
 * every call of ours is over and all answers have left, but for `grace_ms` at
 * most (0 or more, or IPC_CHANNEL_INFINITE). What is unanswered by then is
 * answered with IPC_SERVICE_SHUTTING_DOWN, calls end with UV_ECANCELED. Then
 * all peers are closed, each when its answers have left or its linger timeout
 * is over, and as its channel's close timeout allows, and `cb` (which may be
 * NULL) is called. The service remains to be closed. New peers are refused with
 * UV_EPIPE from now on. UV_EALREADY: asked, or closed, before; UV_EINVAL: not a
 * time. */
IPC_SERVICE_EXTERN int ipc_service_quit(ipc_service_t* service,
                                        int grace_ms,
                                        ipc_service_close_cb cb);

/* The only destructor: stops listening, closes all peers without waiting for
 * answers, also those that were given and had no room in a channel yet, then
 * calls `cb` (which may be NULL); its memory is released when
 * that returns. Pending calls end with UV_ECANCELED before. A quit that isn't
 * over has its callback first. UV_EALREADY: closed before. */
IPC_SERVICE_EXTERN int ipc_service_close(ipc_service_t* service,
                                         ipc_service_close_cb cb);

typedef struct ipc_service_stats_s {
  uint64_t peers;               /* now, those that we are connecting to too */
  uint64_t calls;               /* made by us, ever */
  uint64_t calls_pending;       /* now */
  uint64_t requests;            /* received that reached a method, ever */
  uint64_t requests_pending;    /* not answered yet */
  uint64_t notifications;       /* received, ever */
  uint64_t late_replies;        /* to a call that was over; discarded */
  uint64_t unknown_replies;     /* to no call of ours to that peer; discarded */
  uint64_t invalid_messages;    /* not JSON, or not JSON-RPC 2.0 */
  uint64_t refused_requests;    /* answered by an error of this library */
  uint64_t unsent_answers;      /* that could not be sent */
  uint64_t answer_bytes_queued; /* kept for peers that don't read */
  uint64_t reserved[8];         /* zero */
} ipc_service_stats_t;

IPC_SERVICE_EXTERN int ipc_service_stats(const ipc_service_t* service,
                                         ipc_service_stats_t* stats);

/* ---- Peers over channels ------------------------------------------------- */

/* Listens as ipc_server_listen does; each client that gets in is a peer. Any
 * number of times. The options are copied. Their callbacks are replaced, all
 * but on_admit, in which ipc_server_data isn't yours. The errors of
 * ipc_server_listen; UV_EINVAL also: the raw framing, which has no messages;
 * UV_EPIPE: the service ends. */
IPC_SERVICE_EXTERN int ipc_service_listen(ipc_service_t* service,
                                          const ipc_server_options_t* options);

/* Connects as ipc_client_connect does; the peer can be sent to at once. `name`
 * is what we call it, or NULL. `peer` may be NULL. IPC_SERVICE_PEER_CAME tells
 * that it is there, IPC_SERVICE_PEER_GONE that it isn't, or no longer. With
 * reconnect a loss is IPC_SERVICE_PEER_LOST: our pending calls to it end with
 * an error, what it has asked is forgotten, what had not begun to leave is
 * dropped, since another process may hear it, and the peer goes on. The errors
 * of ipc_client_connect; UV_EINVAL also: the raw framing; UV_EPIPE. */
IPC_SERVICE_EXTERN int ipc_service_connect(ipc_service_t* service,
                                           const ipc_client_options_t* options,
                                           const char* name,
                                           ipc_service_peer_t** peer);

/* Channels that are made otherwise, by ipc_channel_open, ipc_channel_pair,
 * ipc_channel_inherit, or for a child (slot 3): fill in the callbacks of their
 * options by the first of these, make the channel, and give it to the service
 * by the second before the loop runs again. It is the service's to close then,
 * also as a child's: its data belongs to the service. `name` as for connect. */
IPC_SERVICE_EXTERN int ipc_service_channel_options(
    ipc_channel_options_t* options);
/* UV_EINVAL: a raw channel; UV_EPIPE: the service ends; UV_ENOMEM. The channel
 * is still yours then. */
IPC_SERVICE_EXTERN int ipc_service_add_channel(ipc_service_t* service,
                                               ipc_channel_t* channel,
                                               const char* name,
                                               ipc_service_peer_t** peer);

/* Prepares to connect to `name`, which somebody sends to or calls and no peer
 * has: `options` comes initialised with it, for the default framing; initialise
 * it anew where the endpoint has another name. 0, or a negative UV_E* code that
 * the sender is told. Called inside the send or call. */
typedef int (*ipc_service_dial_cb)(ipc_service_t* service,
                                   const char* name,
                                   ipc_client_options_t* options,
                                   void* arg);
/* Lets ipc_service_send and ipc_service_call_name connect to endpoints by
 * themselves; `cb` may be NULL, and then the options' defaults are good. */
IPC_SERVICE_EXTERN int ipc_service_set_dial(ipc_service_t* service,
                                            ipc_service_dial_cb cb,
                                            void* arg);

/* The channel of a peer, for ipc_channel_peer, _info and _stats; NULL: it is
 * reached in another way. Neither close it nor touch its data. */
IPC_SERVICE_EXTERN ipc_channel_t* ipc_service_peer_channel(
    const ipc_service_peer_t* peer);

/* ---- Peers --------------------------------------------------------------- */

IPC_SERVICE_EXTERN ipc_service_t* ipc_service_peer_service(
    const ipc_service_peer_t* peer);
/* The name that we gave it, else the one that it claims; NULL: none. */
IPC_SERVICE_EXTERN const char* ipc_service_peer_name(
    const ipc_service_peer_t* peer);
IPC_SERVICE_EXTERN void* ipc_service_peer_data(const ipc_service_peer_t* peer);
IPC_SERVICE_EXTERN void ipc_service_peer_set_data(ipc_service_peer_t* peer,
                                                  void* data);
/* The peer of that name: one that we named, else the oldest that claims it.
 * NULL: there is none (yet). */
IPC_SERVICE_EXTERN ipc_service_peer_t* ipc_service_find(
    const ipc_service_t* service, const char* name);
/* The first peer, with NULL, or the one after `peer`; NULL: no more. In the
 * order in which they came. */
IPC_SERVICE_EXTERN ipc_service_peer_t* ipc_service_next_peer(
    const ipc_service_t* service, const ipc_service_peer_t* peer);
/* Closes it when the answers that were given have left. Calls to it end with
 * UV_ECANCELED; its unanswered requests are forgotten; IPC_SERVICE_PEER_GONE
 * comes last. UV_EALREADY: closing, or gone. */
IPC_SERVICE_EXTERN int ipc_service_peer_close(ipc_service_peer_t* peer);

/* ---- Methods and notifications that come --------------------------------- */

typedef enum ipc_service_type_e {
  IPC_SERVICE_ANY,
  IPC_SERVICE_BOOLEAN,
  IPC_SERVICE_INTEGER, /* also 2.0, which is handed over as 2 */
  IPC_SERVICE_NUMBER,
  IPC_SERVICE_STRING,
  IPC_SERVICE_ARRAY,
  IPC_SERVICE_OBJECT
} ipc_service_type_t;

/* One parameter; its place in the table is its position. */
typedef struct ipc_service_param_s {
  const char* name; /* NULL ends the table */
  ipc_service_type_t type;
  int is_required; /* where it isn't, null is as good as not there */
  const char* text;
} ipc_service_param_t;

/* Lives, with all that it points to, until the method is removed or the service
 * is closed; as a rule it is static. */
typedef struct ipc_service_method_s {
  const char* name;
  const char* text; /* may be NULL */
  /* NULL: nothing is said, and anything is handed over as it came. Else
   * parameters that are missing, of another type, too many or unknown are
   * refused with IPC_SERVICE_INVALID_PARAMS and the data {"param": its name, or
   * its position, "problem": words}, and the handler always gets an object with
   * the names, whichever way the caller gave them. */
  const ipc_service_param_t* params;
  const char* result; /* what it answers, in words; may be NULL */
} ipc_service_method_t;

/* A peer calls: answer with ipc_service_reply or _reply_error, now or later.
 * `request` is 0 where the peer wants no answer (it came as a notification);
 * answering that is no error and does nothing. `params` is an array or object,
 * or NULL for none. */
typedef void (*ipc_service_method_cb)(ipc_service_t* service,
                                      ipc_service_peer_t* peer,
                                      ipc_service_request_t request,
                                      json_t* params,
                                      void* arg);

/* Offers a method. `handler` may be NULL, here and below. UV_EEXIST: there is
 * one of that name; UV_EINVAL: no name or callback, a name that begins with
 * "rpc.", or a description that is wrong (a name twice, a required parameter
 * after one that isn't, words that aren't UTF-8); UV_EPIPE: closed; UV_ENOMEM.
 */
IPC_SERVICE_EXTERN int ipc_service_add_method(
    ipc_service_t* service,
    const ipc_service_method_t* method,
    ipc_service_method_cb cb,
    void* arg,
    ipc_service_handler_t* handler);

/* A notification has come. */
typedef void (*ipc_service_notification_cb)(ipc_service_t* service,
                                            ipc_service_peer_t* peer,
                                            const char* method,
                                            json_t* params,
                                            void* arg);

/* Notifications go to all handlers of their method, in the order in which these
 * were registered, and to an offered method of that name; then to all of their
 * sender; and when there were neither, to those of ipc_service_on_rest. Those
 * that are registered meanwhile get the next one. UV_EINVAL: no name, one that
 * isn't UTF-8, or no callback; UV_EPIPE: closed; UV_ENOMEM. */
IPC_SERVICE_EXTERN int ipc_service_on(ipc_service_t* service,
                                      const char* method,
                                      ipc_service_notification_cb cb,
                                      void* arg,
                                      ipc_service_handler_t* handler);
IPC_SERVICE_EXTERN int ipc_service_on_from(ipc_service_t* service,
                                           const char* peer_name,
                                           ipc_service_notification_cb cb,
                                           void* arg,
                                           ipc_service_handler_t* handler);
IPC_SERVICE_EXTERN int ipc_service_on_rest(ipc_service_t* service,
                                           ipc_service_notification_cb cb,
                                           void* arg,
                                           ipc_service_handler_t* handler);

typedef enum ipc_service_event_e {
  /* It listens; `text` is the OS name. */
  IPC_SERVICE_READY,
  /* Something went wrong that no call has told of, in `status` and `text`: a
   * server can't accept (as ipc_server_error_cb), a peer says what isn't
   * JSON-RPC or answers an error to nothing that we asked (UV_EPROTO), or is
   * given up since it takes no answers, or got none (UV_ETIMEDOUT), or there
   * was no memory for a notification of its (UV_ENOMEM). */
  IPC_SERVICE_ERROR,
  /* A peer is there: it connected, we have, or have again. */
  IPC_SERVICE_PEER_CAME,
  /* A peer has said its name, and it had none. */
  IPC_SERVICE_PEER_NAMED,
  /* A send to it was UV_EAGAIN, and now there is room. */
  IPC_SERVICE_PEER_WRITABLE,
  /* It sends nothing more, and waits for the answers to what it has asked. */
  IPC_SERVICE_PEER_ENDED,
  /* The connection is lost, `status` says why (0: it was ended), and another is
   * being made. */
  IPC_SERVICE_PEER_LOST,
  /* It is no more, or could not be connected to. 0: by our close or its end;
   * else why, as ipc_connect_cb or ipc_end_cb say; UV_ENOMEM, UV_EMSGSIZE also:
   * it was closed since it could not be answered. */
  IPC_SERVICE_PEER_GONE
} ipc_service_event_t;

/* `peer` is NULL where the event has none; `text` is "" or lives until the
 * callback returns. */
typedef void (*ipc_service_event_cb)(ipc_service_t* service,
                                     ipc_service_event_t event,
                                     ipc_service_peer_t* peer,
                                     int status,
                                     const char* text,
                                     void* arg);
IPC_SERVICE_EXTERN int ipc_service_on_event(ipc_service_t* service,
                                            ipc_service_event_t event,
                                            ipc_service_event_cb cb,
                                            void* arg,
                                            ipc_service_handler_t* handler);

/* Takes back any of these; it isn't called again, also while it runs, or others
 * for the same message do. UV_ENOENT: not there (any more). */
IPC_SERVICE_EXTERN int ipc_service_remove(ipc_service_t* service,
                                          ipc_service_handler_t handler);

/* Answers a request, with NULL: UV_EINVAL, and it still waits. Entries of a
 * batch are answered together, when the last one is.
 * UV_ENOENT: it was answered, or its peer has gone, so that nobody waits;
 * UV_EINVAL: no result, or (error) a message that isn't UTF-8, and it still
 * waits; UV_EPIPE and what the transport says: it could not be sent, and is
 * over. A full queue is no error: the answer waits for room. An answer that is
 * too large for the peer is replaced by IPC_SERVICE_INTERNAL_ERROR, and
 * UV_EMSGSIZE; in a batch that is too large as a whole each is, and the last
 * reply says so. UV_ENOMEM: the same for want of memory (or for a value that
 * can't be written, such as a string that isn't UTF-8). Where even the error
 * can't be sent the peer is closed: IPC_SERVICE_PEER_GONE with that code. */
IPC_SERVICE_EXTERN int ipc_service_reply(ipc_service_t* service,
                                         ipc_service_request_t request,
                                         json_t* result);
/* `message` NULL: the standard's for its codes, or "error". `data` may be NULL.
 */
IPC_SERVICE_EXTERN int ipc_service_reply_error(ipc_service_t* service,
                                               ipc_service_request_t request,
                                               int code,
                                               const char* message,
                                               json_t* data);

/* What rpc.discover answers: a document as OpenRPC 1.3.2 has it, {"openrpc":
 * "1.3.2", "info": {"title": the service's name or "", "version": that of this
 * library}, "methods": [...]}. A method has "name", perhaps "description",
 * "paramStructure": "either", "params", [{"name", perhaps "description",
 * "required", "schema": {"type": "integer", ...} or {}}, ...] and "result"
 * {"name": "result", perhaps "description", "schema": {}}. A method that isn't
 * described has no params there and "x-undescribed": true. What
 * ipc_service_on takes has no "result", and is there once. A new reference, or
 * NULL for want of memory. */
IPC_SERVICE_EXTERN json_t* ipc_service_describe(const ipc_service_t* service);

/* ---- Notifications and calls that go --------------------------------------
 */

/* Params are an array or object, or NULL for none (others are UV_EINVAL, and so
 * is a method that isn't UTF-8). All of these answer, beside what the transport
 * says (for channels: ipc_channel_send):
 * UV_EAGAIN  the peer's queue is full, or answers wait for room in it:
 *     IPC_SERVICE_PEER_WRITABLE tells when to go on;
 * UV_EPIPE  the peer closes, or the service does; UV_ENOMEM. */

IPC_SERVICE_EXTERN int ipc_service_notify(ipc_service_peer_t* peer,
                                          const char* method,
                                          json_t* params);
/* To the peer of that name; connects where none has it (ipc_service_set_dial,
 * or a connector), and keeps it for the next. UV_ENOTCONN: there is none, and
 * none can be connected to; or what the dial says. */
IPC_SERVICE_EXTERN int ipc_service_send(ipc_service_t* service,
                                        const char* name,
                                        const char* method,
                                        json_t* params);

/* Is this peer to get it? Called inside the push. */
typedef int (*ipc_service_filter_cb)(ipc_service_peer_t* peer, void* arg);
/* To all peers that are there, or all that `filter` (which may be NULL) lets
 * through. `*reached`, which may be NULL: to how many it was sent. The others
 * had no room, as their slow-reader policies say, or there was no memory; for
 * them nothing is kept, and IPC_SERVICE_PEER_WRITABLE tells of room. */
IPC_SERVICE_EXTERN int ipc_service_push(ipc_service_t* service,
                                        ipc_service_filter_cb filter,
                                        void* arg,
                                        const char* method,
                                        json_t* params,
                                        size_t* reached);

/* How a call has ended. */
typedef struct ipc_service_answer_s {
  /* 0: `result` is there. UV_EREMOTEIO: the peer answers an error, which is in
   * the next three. UV_ETIMEDOUT: no answer in time; one that comes later is
   * discarded. UV_ECANCELED: by cancel, or our close. UV_EOF, UV_ECONNRESET, or
   * why there is no connection: the peer has gone before. UV_EPROTO: what came
   * is no answer as the standard has it. UV_ENOMEM: what came could not be
   * read, and the peer is closed. */
  int status;
  json_t* result;      /* NULL but with status 0 */
  int64_t code;        /* of the error, else 0 */
  const char* message; /* of the error, else "" */
  json_t* data;        /* of the error; NULL: none */
} ipc_service_answer_t;
typedef void (*ipc_service_answer_cb)(ipc_service_t* service,
                                      void* arg,
                                      const ipc_service_answer_t* answer);

/* Calls the peer. timeout_ms: 1 or more, or IPC_CHANNEL_INFINITE; it counts
 * from now, connecting included. `op` may be NULL. UV_EINVAL also: no callback,
 * not a timeout; UV_EBUSY: as many as max_calls are pending. */
IPC_SERVICE_EXTERN int ipc_service_call(ipc_service_peer_t* peer,
                                        const char* method,
                                        json_t* params,
                                        int timeout_ms,
                                        ipc_service_answer_cb cb,
                                        void* arg,
                                        ipc_service_op_t* op);
IPC_SERVICE_EXTERN int ipc_service_call_name(ipc_service_t* service,
                                             const char* name,
                                             const char* method,
                                             json_t* params,
                                             int timeout_ms,
                                             ipc_service_answer_cb cb,
                                             void* arg,
                                             ipc_service_op_t* op);
/* Ends the call: its callback comes with UV_ECANCELED in a next turn of the
 * loop. The peer isn't told; what it answers is discarded. UV_ENOENT: over. */
IPC_SERVICE_EXTERN int ipc_service_cancel(ipc_service_t* service,
                                          ipc_service_op_t op);

/* Several calls and notifications in one message. Nothing is pending, and no
 * time runs, until it is sent. A batch must be sent or discarded before its
 * service is closed. */
IPC_SERVICE_EXTERN int ipc_service_batch_create(ipc_service_t* service,
                                                ipc_service_batch_t** batch);
IPC_SERVICE_EXTERN int ipc_service_batch_notify(ipc_service_batch_t* batch,
                                                const char* method,
                                                json_t* params);
IPC_SERVICE_EXTERN int ipc_service_batch_call(ipc_service_batch_t* batch,
                                              const char* method,
                                              json_t* params,
                                              int timeout_ms,
                                              ipc_service_answer_cb cb,
                                              void* arg,
                                              ipc_service_op_t* op);
/* When this succeeds the batch is gone; else it is as it was. UV_EINVAL: it is
 * empty; UV_EBUSY: too many calls would be pending. */
IPC_SERVICE_EXTERN int ipc_service_batch_send(ipc_service_batch_t* batch,
                                              ipc_service_peer_t* peer);
IPC_SERVICE_EXTERN void ipc_service_batch_discard(ipc_service_batch_t* batch);

/* ---- Transports ---------------------------------------------------------- */

/* How the service reaches its peers. Channels are the first transport, made of
 * nothing but what stands here. A transport has a connection for each peer;
 * everything is on the service's loop and thread. */
typedef struct ipc_service_transport_s {
  /* Sends one JSON text, whole and in order; the bytes are the caller's again
   * when it returns. Also before a connection that is being made is there.
   * UV_EAGAIN: no room; ipc_service_peer_writable tells when. UV_EMSGSIZE: too
   * large, ever. Must not call the service. */
  int (*send)(void* connection, const void* data, size_t size);
  /* Ends the connection after what was sent has been delivered. Called once at
   * most; ipc_service_peer_gone must follow, never inside. */
  void (*close)(void* connection);
  /* Reads nothing more, or goes on; NULL: it can't. */
  void (*set_paused)(void* connection, int is_paused);
  /* Begins to connect to whom it knows by this name: makes `*peer` by
   * ipc_service_peer_connecting. NULL: it can't. `arg` is
   * ipc_service_set_connector's. */
  int (*connect)(void* arg,
                 ipc_service_t* service,
                 const char* name,
                 ipc_service_peer_t** peer);
} ipc_service_transport_t;

/* What a transport reports, from its own callbacks: all of these but
 * ipc_service_peer_connecting may call the service's handlers before they
 * return, which may do anything; the peer stays valid until
 * ipc_service_peer_gone, which is the last. `transport` lives as long as the
 * peer. */

/* A peer has connected; `name` as for ipc_service_connect. UV_EPIPE: the
 * service ends, and takes nobody; UV_ENOMEM. The peer may be closed already
 * when this returns, by a handler. */
IPC_SERVICE_EXTERN int ipc_service_peer_came(
    ipc_service_t* service,
    const ipc_service_transport_t* transport,
    void* connection,
    const char* name,
    ipc_service_peer_t** peer);
/* One JSON text has come. */
IPC_SERVICE_EXTERN void ipc_service_peer_received(ipc_service_peer_t* peer,
                                                  const void* data,
                                                  size_t size);
/* The connection is over, or was never made. */
IPC_SERVICE_EXTERN void ipc_service_peer_gone(ipc_service_peer_t* peer,
                                              int status);

/* Not every transport has these to tell. After a send said UV_EAGAIN there is
 * room again. */
IPC_SERVICE_EXTERN void ipc_service_peer_writable(ipc_service_peer_t* peer);
/* The peer sends nothing more, but still hears. */
IPC_SERVICE_EXTERN void ipc_service_peer_ended(ipc_service_peer_t* peer);
/* A peer that is being connected to: it can be sent to already, and is there
 * when ipc_service_peer_connected says so. Otherwise as ipc_service_peer_came.
 */
IPC_SERVICE_EXTERN int ipc_service_peer_connecting(
    ipc_service_t* service,
    const ipc_service_transport_t* transport,
    void* connection,
    const char* name,
    ipc_service_peer_t** peer);
/* The connection is lost, and the transport makes another one: connected. */
IPC_SERVICE_EXTERN void ipc_service_peer_lost(ipc_service_peer_t* peer,
                                              int status);
IPC_SERVICE_EXTERN void ipc_service_peer_connected(ipc_service_peer_t* peer);

/* Whom ipc_service_send and ipc_service_call_name connect by, in the place of
 * ipc_service_set_dial. NULL: nobody. */
IPC_SERVICE_EXTERN int ipc_service_set_connector(
    ipc_service_t* service,
    const ipc_service_transport_t* transport,
    void* arg);

#ifdef __cplusplus
}
#endif

#endif /* IPC_SERVICE_H */
