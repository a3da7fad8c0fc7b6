/* A transport within a program. */
#include "service_loopback.h"

#include "harness.h"

typedef struct text_s text_t;
struct text_s {
  text_t* next;
  size_t size;
  char data[];
};

typedef struct side_s {
  loopback_t* loopback;
  ipc_service_t* service;
  ipc_service_peer_t* peer; /* NULL: not yet, or gone */
  const char* name;
  text_t* inbox;
  int waiting;   /* in the inbox */
  int is_paused; /* delivers nothing to it */
  int wants_room;
  int is_closing;
  int connects; /* its peer exists before it is connected */
} end_t;

struct loopback_s {
  uv_timer_t timer;
  end_t ends[2];
  int room;
  int is_held;
  int is_lost;
  int is_breaking;
  int status;
  int has_begun;
};

static end_t* other_of(end_t* end) {
  return &end->loopback->ends[end == &end->loopback->ends[0]];
}

static void on_turn(uv_timer_t* timer);

static void go_on(loopback_t* loopback) {
  if (!uv_is_closing((uv_handle_t*) &loopback->timer)) {
    uv_timer_start(&loopback->timer, on_turn, 0, 0);
  }
}

/* ---- The transport --------------------------------------------------------
 */

static int send_text(void* connection, const void* data, size_t size) {
  end_t* to = other_of(connection);
  text_t** at = &to->inbox;
  text_t* text;

  if (to->loopback->room > 0 && to->waiting >= to->loopback->room) {
    ((end_t*) connection)->wants_room = 1;
    return UV_EAGAIN;
  }
  text = malloc(sizeof(*text) + size);
  assert_non_null(text);
  text->next = NULL;
  text->size = size;
  memcpy(text->data, data, size);
  while (*at != NULL) at = &(*at)->next;
  *at = text;
  to->waiting++;
  go_on(to->loopback);
  return 0;
}

static void close_end(void* connection) {
  end_t* end = connection;

  assert_int_equal(end->is_closing, 0);
  end->is_closing = 1;
  go_on(end->loopback);
}

static void set_paused(void* connection, int is_paused) {
  end_t* end = connection;

  end->is_paused = is_paused;
  go_on(end->loopback);
}

static loopback_t* create(ipc_service_t* a, ipc_service_t* b, int room) {
  loopback_t* loopback = calloc(1, sizeof(*loopback));

  assert_non_null(loopback);
  loopback->ends[0].loopback = loopback->ends[1].loopback = loopback;
  loopback->ends[0].service = a;
  loopback->ends[1].service = b;
  loopback->room = room;
  loopback->timer.data = loopback;
  assert_int_equal(uv_timer_init(ipc_service_loop(a), &loopback->timer), 0);
  go_on(loopback);
  return loopback;
}

static void on_timer_closed(uv_handle_t* handle) {
  free(handle->data);
}

static int connect_by_name(void* arg,
                           ipc_service_t* service,
                           const char* name,
                           ipc_service_peer_t** peer) {
  loopback_t* loopback = create(service, arg, 0);
  end_t* end = &loopback->ends[0];
  int err = ipc_service_peer_connecting(service, &loopback_transport, end, name,
                                        &end->peer);

  if (err != 0) {
    uv_close((uv_handle_t*) &loopback->timer, on_timer_closed);
    return err;
  }
  end->connects = 1;
  *peer = end->peer;
  return 0;
}

const ipc_service_transport_t loopback_transport = {
    send_text, close_end, set_paused, connect_by_name};

/* ---- A turn ----------------------------------------------------------------
 */

static void begin(loopback_t* loopback) {
  int i;

  loopback->has_begun = 1;
  for (i = 0; i < 2; i++) {
    end_t* end = &loopback->ends[i];

    if (end->connects) {
      ipc_service_peer_connected(end->peer);
    } else if (ipc_service_peer_came(end->service, &loopback_transport, end,
                                     end->name, &end->peer) != 0) {
      loopback_break(loopback, UV_ECONNREFUSED);
      return;
    }
  }
}

/* One text; the sender may have more. */
static void deliver(end_t* end) {
  end_t* from = other_of(end);
  text_t* text = end->inbox;

  if (end->peer == NULL || end->is_paused) return;
  if (text != NULL) {
    end->inbox = text->next;
    end->waiting--;
    ipc_service_peer_received(end->peer, text->data, text->size);
    free(text);
    if (from->wants_room && from->peer != NULL) {
      from->wants_room = 0;
      ipc_service_peer_writable(from->peer);
    }
    go_on(end->loopback);
  } else if (from->is_closing && !end->is_closing) {
    ipc_service_peer_ended(end->peer);
  }
}

static void drop_inbox(end_t* end) {
  while (end->inbox != NULL) {
    text_t* next = end->inbox->next;

    free(end->inbox);
    end->inbox = next;
  }
  end->waiting = 0;
}

static void let_go(end_t* end, int status) {
  ipc_service_peer_t* peer = end->peer;

  end->peer = NULL;
  if (peer != NULL) ipc_service_peer_gone(peer, status);
  drop_inbox(end);
}

static void finish(loopback_t* loopback) {
  let_go(&loopback->ends[0], loopback->status);
  let_go(&loopback->ends[1], loopback->status);
  uv_close((uv_handle_t*) &loopback->timer, on_timer_closed);
}

static void on_turn(uv_timer_t* timer) {
  loopback_t* loopback = timer->data;
  end_t* ends = loopback->ends;

  if (!loopback->has_begun && !loopback->is_breaking) begin(loopback);
  if (loopback->is_breaking) {
    finish(loopback);
    return;
  }
  if (loopback->is_lost) {
    if (ends[0].is_closing || ends[1].is_closing) finish(loopback);
    return;
  }
  if (!loopback->is_held) {
    deliver(&ends[0]);
    deliver(&ends[1]);
  }
  if (ends[0].is_closing && ends[1].is_closing && ends[0].inbox == NULL &&
      ends[1].inbox == NULL) {
    finish(loopback);
  } else if (loopback->is_held && (ends[0].is_closing || ends[1].is_closing)) {
    finish(loopback);
  }
}

/* ---- For the tests ---------------------------------------------------------
 */

loopback_t* loopback_open(ipc_service_t* a,
                          ipc_service_t* b,
                          const char* const names[2],
                          int room) {
  loopback_t* loopback = create(a, b, room);

  loopback->ends[0].name = names[0];
  loopback->ends[1].name = names[1];
  return loopback;
}

ipc_service_peer_t* loopback_peer(const loopback_t* loopback, int side) {
  return loopback->ends[side].peer;
}

void loopback_hold(loopback_t* loopback, int is_held) {
  loopback->is_held = is_held;
  go_on(loopback);
}

void loopback_lose(loopback_t* loopback) {
  loopback->is_lost = 1;
  drop_inbox(&loopback->ends[0]);
  drop_inbox(&loopback->ends[1]);
  ipc_service_peer_lost(loopback->ends[0].peer, UV_ECONNRESET);
  ipc_service_peer_lost(loopback->ends[1].peer, UV_ECONNRESET);
}

void loopback_restore(loopback_t* loopback) {
  loopback->is_lost = 0;
  ipc_service_peer_connected(loopback->ends[0].peer);
  ipc_service_peer_connected(loopback->ends[1].peer);
  go_on(loopback);
}

void loopback_break(loopback_t* loopback, int status) {
  loopback->is_breaking = 1;
  loopback->status = status;
  go_on(loopback);
}
