/* Posters: messages from other threads into a channel. Any thread copies its
 * message into a poster's ring, under its mutex; the loop's thread, woken by an
 * async handle, moves what is there into the channel's queue. Here alone do
 * several threads meet, so each member of a poster says whose it is. */
#include "poster.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "channel.h"

/* What max_bytes may be. */
#define RING_MIN_BYTES ((size_t) 1 << 10)
#define RING_MAX_BYTES ((size_t) 1 << 30)

/* A post in the ring is preceded by its size. */
#define HEAD_BYTES sizeof(uint32_t)

/* How often to look for the end of a wake before the processor is given up. */
#define WAKE_SPINS 1000

/* A lock inside an atomic would be one that a signal handler can hang on. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "int is not always lock-free");

/* Wakes the loop's thread. A block of its own: libuv needs it until the close
 * callback, when the poster and the channel may be gone. */
typedef struct bell_s {
  uv_async_t async;
  ipc__hub_t* hub;
  ipc_poster_t* poster; /* NULL: the handle is closing */
} bell_t;

struct ipc_poster_s {
  /* Never changed after create. */
  bell_t* bell;
  size_t capacity;
  size_t max_message_bytes;
  ipc__format_t format;
  int is_inbound;

  atomic_uint users;  /* references that the user has */
  atomic_uint owners; /* of this block: the users together, and the channel */
  atomic_int woken;   /* on_wake is due */
  atomic_int wakers;  /* wakes under way, which may use the bell */
  atomic_int closed;  /* the bell may not be used; set under the mutex */

  /* The mutex's. Of the ring only the free part may be written by those that
   * post, and only the loop's thread frees any: it reads without the lock. */
  uv_mutex_t mutex;
  uint8_t* ring;
  size_t first;
  size_t used;
  int is_notified; /* the bell was rung and not answered */
  int is_ended;    /* no more posts */

  /* The loop's thread's. */
  ipc_channel_t* channel;
  ipc_poster_t* next;
  ipc_wake_cb on_wake;
  void* arg;
};

/* ---- The ring ----------------------------------------------------------- */

/* The `size` bytes that begin `offset` bytes behind the first: in one piece, or
 * in two where the ring's end comes between. Returns how many. */
static unsigned int locate(const ipc_poster_t* poster,
                           size_t offset,
                           size_t size,
                           uv_buf_t pieces[2]) {
  size_t start = (poster->first + offset) % poster->capacity;
  size_t ahead = poster->capacity - start;
  char* ring = (char*) poster->ring;

  if (size <= ahead) {
    pieces[0] = uv_buf_init(ring + start, (unsigned int) size);
    return 1;
  }
  pieces[0] = uv_buf_init(ring + start, (unsigned int) ahead);
  pieces[1] = uv_buf_init(ring, (unsigned int) (size - ahead));
  return 2;
}

static void write_ring(ipc_poster_t* poster,
                       size_t offset,
                       const void* data,
                       size_t size) {
  uv_buf_t pieces[2];

  if (size == 0) return;
  if (locate(poster, offset, size, pieces) == 2) {
    memcpy(pieces[1].base, (const char*) data + pieces[0].len, pieces[1].len);
  }
  memcpy(pieces[0].base, data, pieces[0].len);
}

/* The size of the post whose head is at `offset`. */
static size_t size_at(const ipc_poster_t* poster, size_t offset) {
  uint8_t head[HEAD_BYTES];
  uv_buf_t pieces[2];
  uint32_t size;

  if (locate(poster, offset, HEAD_BYTES, pieces) == 2) {
    memcpy(head + pieces[0].len, pieces[1].base, pieces[1].len);
  }
  memcpy(head, pieces[0].base, pieces[0].len);
  memcpy(&size, head, sizeof(size));
  return size;
}

/* How much there is now, from which the loop's thread may read. */
static size_t answer_bell(ipc_poster_t* poster) {
  size_t used;

  uv_mutex_lock(&poster->mutex);
  poster->is_notified = 0;
  used = poster->used;
  uv_mutex_unlock(&poster->mutex);
  return used;
}

static void make_room(ipc_poster_t* poster, size_t bytes) {
  if (bytes == 0) return;
  uv_mutex_lock(&poster->mutex);
  poster->first = (poster->first + bytes) % poster->capacity;
  poster->used -= bytes;
  uv_mutex_unlock(&poster->mutex);
}

/* ---- Into the channel's queue ------------------------------------------- */

/* A queue that is full may be so only because nothing has been written in this
 * turn. Where a write doesn't help, what holds it up serves the channel again
 * when it is over. */
static int move_one(ipc_poster_t* poster, size_t offset, int force) {
  ipc_channel_t* channel = poster->channel;
  unsigned int count;
  uv_buf_t pieces[2];
  int err;

  count = locate(poster, offset + HEAD_BYTES, size_at(poster, offset), pieces);
  err = ipc__channel_post(channel, pieces, count, force);
  if (err == UV_EAGAIN) {
    ipc__channel_write(channel);
    err = ipc__channel_post(channel, pieces, count, force);
  }
  if (err == UV_EAGAIN) return err;
  if (err != 0) channel->unsent++;
  return 0;
}

/* Moves what was there when it began, so that those that post can't hold up the
 * loop. UV_EAGAIN: the queue has no room for all of it; `*moved` bytes have
 * gone. */
static int move_posts(ipc_poster_t* poster, int force, size_t* moved) {
  size_t used = answer_bell(poster);
  int err = 0;

  *moved = 0;
  while (*moved < used && err == 0) {
    size_t size = HEAD_BYTES + size_at(poster, *moved);

    err = move_one(poster, *moved, force);
    if (err == 0) *moved += size;
  }
  make_room(poster, *moved);
  return err;
}

static void count_unsent(ipc_poster_t* poster) {
  size_t used = answer_bell(poster);
  size_t offset;

  for (offset = 0; offset < used;) {
    offset += HEAD_BYTES + size_at(poster, offset);
    poster->channel->unsent++;
  }
}

/* ---- The end ------------------------------------------------------------ */

static void destroy(ipc_poster_t* poster) {
  uv_mutex_destroy(&poster->mutex);
  free(poster);
}

static void disown(ipc_poster_t* poster) {
  if (atomic_fetch_sub(&poster->owners, 1) == 1) destroy(poster);
}

static void on_bell_closed(uv_handle_t* handle) {
  bell_t* bell = (bell_t*) handle;
  ipc__hub_t* hub = bell->hub;

  ipc__free(&hub->settings.allocator, bell);
  ipc__hub_unref(hub);
}

static void end_posts(ipc_poster_t* poster, int deliver) {
  size_t moved;

  uv_mutex_lock(&poster->mutex);
  poster->is_ended = 1;
  uv_mutex_unlock(&poster->mutex);
  if (poster->ring == NULL) return;

  if (deliver) {
    move_posts(poster, 1, &moved);
  } else {
    count_unsent(poster);
  }
  ipc__free(&poster->channel->hub->settings.allocator, poster->ring);
  poster->ring = NULL;
  poster->used = 0;
}

/* A wake that came before `closed` was seen is a few instructions from its end,
 * unless its thread had to make room for another. One that has interrupted
 * this thread has ended. */
static void wait_for_wakers(ipc_poster_t* poster) {
  unsigned int spins = 0;

  while (atomic_load(&poster->wakers) != 0) {
    if (++spins > WAKE_SPINS) uv_sleep(1);
  }
}

static void unlink_poster(ipc_poster_t* poster) {
  ipc_poster_t** link = &poster->channel->posters;

  while (*link != poster) link = &(*link)->next;
  *link = poster->next;
}

static void close_poster(ipc_poster_t* poster, int deliver) {
  bell_t* bell = poster->bell;

  end_posts(poster, deliver);
  uv_mutex_lock(&poster->mutex);
  atomic_store(&poster->closed, 1);
  uv_mutex_unlock(&poster->mutex);
  wait_for_wakers(poster);
  unlink_poster(poster);
  poster->channel = NULL;
  bell->poster = NULL;
  uv_close((uv_handle_t*) &bell->async, on_bell_closed);
  disown(poster);
}

/* Nobody can post or wake any more, and all that was asked for is done. */
static int is_finished(ipc_poster_t* poster) {
  return atomic_load(&poster->users) == 0 && poster->used == 0 &&
         atomic_load(&poster->woken) == 0;
}

/* ---- For the channel ---------------------------------------------------- */

/* The list is to begin behind `poster` the next time. */
static void rotate(ipc_channel_t* channel, ipc_poster_t* poster) {
  ipc_poster_t* last = poster;

  if (poster->next == NULL) return;
  while (last->next != NULL) last = last->next;
  last->next = channel->posters;
  channel->posters = poster->next;
  poster->next = NULL;
}

/* They take turns: a full queue ends the turn of the one that has filled it,
 * and one that found no room for its first post is the first to be asked again,
 * so that a large post isn't kept out by small ones. */
void ipc__posters_drain(ipc_channel_t* channel) {
  ipc_poster_t* poster = channel->posters;
  size_t moved;

  while (poster != NULL) {
    ipc_poster_t* next = poster->next;

    if (move_posts(poster, 0, &moved) == UV_EAGAIN) {
      if (moved > 0) rotate(channel, poster);
      return;
    }
    if (is_finished(poster)) close_poster(poster, 1);
    poster = next;
  }
}

int ipc__posters_hold(const ipc_channel_t* channel) {
  ipc_poster_t* poster = channel->posters;
  size_t used = 0;

  for (; poster != NULL && used == 0; poster = poster->next) {
    uv_mutex_lock(&poster->mutex);
    used = poster->used;
    uv_mutex_unlock(&poster->mutex);
  }
  return used > 0;
}

void ipc__posters_end(ipc_channel_t* channel, int deliver) {
  ipc_poster_t* poster;

  for (poster = channel->posters; poster != NULL; poster = poster->next) {
    end_posts(poster, deliver);
  }
}

void ipc__posters_close(ipc_channel_t* channel, int deliver) {
  while (channel->posters != NULL) close_poster(channel->posters, deliver);
}

static void on_bell(uv_async_t* async) {
  bell_t* bell = (bell_t*) async;
  ipc_poster_t* poster = bell->poster;
  ipc_channel_t* channel = poster->channel;
  ipc__hub_t* hub = bell->hub;

  ipc__hub_enter(hub);
  ipc__posters_drain(channel);
  /* Each step may have been the poster's end. */
  if (bell->poster != NULL && atomic_exchange(&poster->woken, 0) &&
      poster->on_wake != NULL) {
    poster->on_wake(channel, poster->arg);
  }
  if (bell->poster != NULL && is_finished(poster)) close_poster(poster, 1);
  ipc__hub_due(hub, channel);
  ipc__hub_leave(hub);
}

/* ---- For the user ------------------------------------------------------- */

/* The block that any thread may release, and so not the allocator's. */
static ipc_poster_t* create_poster(void) {
  ipc_poster_t* poster = calloc(1, sizeof(*poster));

  if (poster == NULL) return NULL;
  if (uv_mutex_init(&poster->mutex) != 0) {
    free(poster);
    return NULL;
  }
  atomic_init(&poster->users, 1);
  atomic_init(&poster->owners, 2);
  atomic_init(&poster->woken, 0);
  atomic_init(&poster->wakers, 0);
  atomic_init(&poster->closed, 0);
  return poster;
}

static int open_bell(ipc_poster_t* poster, ipc__hub_t* hub) {
  bell_t* bell;
  int err;

  bell = ipc__calloc(&hub->settings.allocator, sizeof(*bell));
  if (bell == NULL) return UV_ENOMEM;
  err = uv_async_init(hub->loop, &bell->async, on_bell);
  if (err != 0) {
    ipc__free(&hub->settings.allocator, bell);
    return err;
  }
  uv_unref((uv_handle_t*) &bell->async);
  bell->hub = hub;
  bell->poster = poster;
  poster->bell = bell;
  ipc__hub_ref(hub);
  return 0;
}

static void tie(ipc_poster_t* poster, ipc_channel_t* channel) {
  ipc_poster_t** link = &channel->posters;

  while (*link != NULL) link = &(*link)->next;
  *link = poster;
  poster->channel = channel;
}

int ipc_poster_create(ipc_channel_t* channel,
                      size_t max_bytes,
                      ipc_wake_cb on_wake,
                      void* arg,
                      ipc_poster_t** out) {
  ipc_poster_t* poster;
  ipc__hub_t* hub;
  int err = UV_ENOMEM;

  if (channel == NULL || out == NULL) return UV_EINVAL;
  if (max_bytes < RING_MIN_BYTES || max_bytes > RING_MAX_BYTES) {
    return UV_EINVAL;
  }
  if (!ipc__channel_may_send(channel)) return UV_EPIPE;
  hub = channel->hub;
  poster = create_poster();
  if (poster == NULL) return UV_ENOMEM;
  poster->capacity = max_bytes;
  poster->max_message_bytes = hub->settings.max_message_bytes;
  poster->format = hub->settings.format;
  poster->is_inbound = hub->settings.access == IPC_CHANNEL_ACCESS_INBOUND;
  poster->on_wake = on_wake;
  poster->arg = arg;
  poster->ring = ipc__malloc(&hub->settings.allocator, max_bytes);
  if (poster->ring == NULL) goto failed;
  err = open_bell(poster, hub);
  if (err != 0) goto failed;
  tie(poster, channel);
  *out = poster;
  return 0;

failed:
  ipc__free(&hub->settings.allocator, poster->ring);
  destroy(poster);
  return err;
}

void ipc_poster_retain(ipc_poster_t* poster) {
  if (poster != NULL) atomic_fetch_add(&poster->users, 1);
}

/* The last one tells the loop's thread, so that a poster that nobody has goes
 * before its channel does. */
void ipc_poster_release(ipc_poster_t* poster) {
  if (poster == NULL || atomic_fetch_sub(&poster->users, 1) != 1) return;
  uv_mutex_lock(&poster->mutex);
  if (!atomic_load(&poster->closed)) uv_async_send(&poster->bell->async);
  uv_mutex_unlock(&poster->mutex);
  disown(poster);
}

/* With the mutex held. */
static int put(ipc_poster_t* poster, const void* data, size_t size) {
  uint32_t head = (uint32_t) size;

  if (poster->is_ended) return UV_EPIPE;
  if (size > poster->capacity - HEAD_BYTES ||
      (ipc__framing_has_messages(poster->format.framing) &&
       size > poster->max_message_bytes)) {
    return UV_EMSGSIZE;
  }
  if (size + HEAD_BYTES > poster->capacity - poster->used) return UV_EAGAIN;
  write_ring(poster, poster->used, &head, HEAD_BYTES);
  write_ring(poster, poster->used + HEAD_BYTES, data, size);
  poster->used += HEAD_BYTES + size;
  if (!poster->is_notified) uv_async_send(&poster->bell->async);
  poster->is_notified = 1;
  return 0;
}

/* Whether the framing has such a message. A codec's functions are for the
 * loop's thread, so that what it says comes later. */
static int check_message(const ipc_poster_t* poster,
                         const void* data,
                         size_t size) {
  ipc_framing_t framing = poster->format.framing;
  ipc__wrap_t wrap;
  uv_buf_t piece;

  if (framing == IPC_CHANNEL_FRAMING_NATIVE ||
      framing == IPC_CHANNEL_FRAMING_CODEC) {
    return 0;
  }
  if (size > poster->capacity) return UV_EMSGSIZE;
  piece = uv_buf_init((char*) data, (unsigned int) size);
  return ipc__framing_encode(&poster->format, &piece, 1, size, &wrap);
}

int ipc_poster_send(ipc_poster_t* poster, const void* data, size_t size) {
  int err;

  if (poster == NULL || (data == NULL && size > 0)) return UV_EINVAL;
  err = check_message(poster, data, size);
  if (err != 0) return err;
  if (poster->is_inbound) return UV_EACCES;
  uv_mutex_lock(&poster->mutex);
  err = put(poster, data, size);
  uv_mutex_unlock(&poster->mutex);
  return err;
}

/* Raises `wakers` before it looks at `closed`, and the closer does it the other
 * way round, so that one of them sees the other. */
void ipc_poster_wake(ipc_poster_t* poster) {
  int saved = errno;

  if (poster == NULL) return;
  atomic_fetch_add(&poster->wakers, 1);
  if (!atomic_load(&poster->closed) && !atomic_exchange(&poster->woken, 1)) {
    uv_async_send(&poster->bell->async);
  }
  atomic_fetch_sub(&poster->wakers, 1);
  errno = saved;
}
