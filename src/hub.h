/* What the channels of one server, or of one connecting client, share: the
 * loop, the settings, the receive buffer, spare memory, one timer for all
 * deadlines, and the hooks that let staged bytes leave before the loop blocks.
 * So there is no global state, and a channel embeds none of it. */
#ifndef IPC_CHANNEL_HUB_H
#define IPC_CHANNEL_HUB_H

#include "deadline.h"
#include "loop.h"
#include "options.h"
#include "platform.h"

/* How far the search for the end of the frame in front has come. */
typedef struct ipc__search_s {
  size_t want;    /* the whole frame's size; 0: not known */
  size_t scanned; /* bytes in front in which no end of a message is */
  int is_least;   /* the frame has `want` bytes at least */
} ipc__search_t;

/* Spare blocks kept for the next taker, and the most bytes in them. */
#define IPC__HUB_SPARES 32
#define IPC__HUB_SPARE_BYTES ((size_t) 4 << 20)

/* The receive buffer's first size, and its last after doublings. */
#define IPC__HUB_READ_MIN ((size_t) 4 << 10)
#define IPC__HUB_READ_MAX ((size_t) 128 << 10)

typedef struct ipc__hub_s {
  uv_loop_t* loop;
  ipc__loop_t* own_loop; /* that is it; NULL: the caller's */
  ipc__settings_t settings;
  char* os_name;
  ipc__stream_kind_t stream_kind; /* the channels' */
  unsigned int references;
  unsigned int depth; /* library callbacks that are on the stack */

  /* Channels that have something to do once the stack is the user's no more,
   * and what their server has to do then. */
  ipc_channel_t* due_first;
  ipc_channel_t* due_last;
  ipc_server_t* due_server; /* NULL: nothing */

  char* read_buffer;
  size_t read_capacity;
  int read_error; /* why the read under way has no buffer */

  struct {
    void* memory;
    size_t capacity;
  } spares[IPC__HUB_SPARES];
  size_t spare_bytes;

  size_t queued_bytes;      /* in the send queues of all channels */
  uint32_t last_connection; /* the number of the newest */

  /* What is being decoded just now, so that a receive inside the callback finds
   * the rest. */
  struct {
    ipc_channel_t* channel; /* NULL: nothing */
    const uint8_t* data;
    size_t size;
    ipc__search_t search;
  } window;

  struct ipc__op_s* spare_ops;
  unsigned int spare_op_count;
  struct ipc__traffic_s* spare_traffics;
  unsigned int spare_traffic_count;

  ipc__deadline_t* deadlines;
  uint32_t deadline_order; /* of the next that is set */
  unsigned int keeping;    /* deadlines that keep the loop alive */
  uv_timer_t timer;
  uv_check_t check;
  uv_idle_t idle;
  int handles; /* of the three above, still open */
} ipc__hub_t;

/* With one reference. Copies the settings and the name. `loop` NULL: makes a
 * private one. */
int ipc__hub_create(uv_loop_t* loop,
                    const ipc__settings_t* settings,
                    const char* os_name,
                    ipc__hub_t** hub);
void ipc__hub_ref(ipc__hub_t* hub);
/* The last one closes the handles and releases the hub in a later turn. */
void ipc__hub_unref(ipc__hub_t* hub);
/* The same for one that nobody has used yet: a private loop goes too. */
void ipc__hub_abandon(ipc__hub_t* hub);

/* channel_traffic.c */
void ipc__hub_release_traffics(ipc__hub_t* hub);

/* Around everything that libuv or the seam calls. The outermost leave serves
 * the channels that are due. */
void ipc__hub_enter(ipc__hub_t* hub);
void ipc__hub_leave(ipc__hub_t* hub);

/* ipc__channel_serve comes when the outermost callback returns or, outside of
 * callbacks, before the loop next blocks. */
void ipc__hub_due(ipc__hub_t* hub, ipc_channel_t* channel);

/* The same for ipc__server_serve; the hub has one server at most. */
void ipc__hub_server_due(ipc__hub_t* hub, ipc_server_t* server);

/* Memory of at least `size` bytes, a spare one if there is a fitting one. */
void* ipc__hub_take(ipc__hub_t* hub, size_t size, size_t* capacity);
/* The same from the spares only, or NULL. */
void* ipc__hub_take_spare(ipc__hub_t* hub, size_t size, size_t* capacity);
void ipc__hub_give(ipc__hub_t* hub, void* memory, size_t capacity);

/* Room for at least `bytes` in the receive buffer, if memory allows and it is
 * not more than IPC__HUB_READ_MAX. Not while its contents are in use. */
void ipc__hub_grow_read(ipc__hub_t* hub, size_t bytes);

/* Sets `deadline` anew, never early; `expired` is called inside enter and
 * leave. IPC_CHANNEL_INFINITE clears it. */
void ipc__hub_set_deadline(ipc__hub_t* hub,
                           ipc__deadline_t* deadline,
                           int timeout_ms,
                           int keeps_loop,
                           ipc__deadline_cb expired);
void ipc__hub_clear_deadline(ipc__hub_t* hub, ipc__deadline_t* deadline);

#endif /* IPC_CHANNEL_HUB_H */
