/* Linux's epoll without a library: level-triggered, a write for each message,
 * large messages read straight into their memory. */
#include "bench.h"
#include "frame.h"
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64

typedef struct connection_s {
  int fd;
  frame_reader_t reader;
  /* A message that has left in part. */
  const char* data;
  size_t size;
  size_t done;
  char* copy; /* of an echo, kept for the next */
} connection_t;

static int epoll = -1;
static int listener;

static void watch(int operation, int fd, uint32_t events, void* arg) {
  struct epoll_event event;
  if (epoll < 0) epoll = epoll_create1(0);
  event.events = events;
  event.data.ptr = arg;
  bench_check(epoll_ctl(epoll, operation, fd, &event), "epoll_ctl");
}

static connection_t* new_connection(int fd) {
  connection_t* connection = calloc(1, sizeof *connection);
  if (connection == NULL) bench_fail("no memory");
  connection->fd = fd;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  watch(EPOLL_CTL_ADD, fd, EPOLLIN, connection);
  return connection;
}

void peer_listen(void) {
  listener = socket_listen();
  watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
}

void peer_connect(void) {
  bench_connected(new_connection(socket_connect()));
}

void peer_close(void* connection) {
  connection_t* it = connection;
  close(it->fd);
  frame_release(&it->reader);
  free(it->copy);
  free(it);
  bench_closed();
}

/* 1: the message in hand has left. */
static int write_more(connection_t* it) {
  long written = socket_write(it->fd, it->data, it->size, it->done);
  if (written < 0 && errno != EAGAIN) bench_check(-1, "write");
  if (written > 0) it->done += (size_t) written;
  if (it->done < it->size + FRAME_PREFIX_SIZE) return 0;
  it->data = NULL;
  return 1;
}

bench_send_t peer_send(void* connection, const char* data, size_t size) {
  connection_t* it = connection;
  if (it->data != NULL) return BENCH_FULL;
  it->data = data;
  it->size = size;
  it->done = 0;
  if (write_more(it)) return BENCH_COPIED;
  watch(EPOLL_CTL_MOD, it->fd, EPOLLIN | EPOLLOUT, it);
  return BENCH_BORROWED;
}

/* What the socket doesn't take at once is copied. */
void peer_echo(void* connection, const char* data, size_t size) {
  connection_t* it = connection;
  if (peer_send(it, data, size) != BENCH_BORROWED) return;
  it->copy = realloc(it->copy, size);
  if (it->copy == NULL) bench_fail("no memory");
  it->data = memcpy(it->copy, data, size);
}

static void on_writable(connection_t* it) {
  if (!write_more(it)) return;
  watch(EPOLL_CTL_MOD, it->fd, EPOLLIN, it);
  bench_sent(it);
}

static void on_readable(connection_t* it) {
  static char bytes[SOCKET_READ_SIZE];
  size_t room;
  char* place = frame_room(&it->reader, &room);
  ssize_t size = place != NULL ? read(it->fd, place, room)
                               : read(it->fd, bytes, sizeof bytes);
  if (size < 0 && errno == EAGAIN) return;
  bench_check((int) size, "read");
  if (size == 0) {
    if (!bench.is_server) bench_fail("the connection broke");
    peer_close(it);
  } else if (place != NULL) {
    frame_taken(&it->reader, it, (size_t) size);
  } else {
    frame_take(&it->reader, it, bytes, (size_t) size);
  }
}

static void on_event(const struct epoll_event* event) {
  connection_t* it = event->data.ptr;
  if (it == NULL) {
    int fd = accept(listener, NULL, NULL);
    bench_check(fd, "accept");
    new_connection(fd);
    return;
  }
  if (event->events & EPOLLOUT) on_writable(it);
  if (event->events & (EPOLLIN | EPOLLHUP)) on_readable(it);
}

void peer_run(void) {
  struct epoll_event events[EVENTS];
  for (;;) {
    int i, count = epoll_wait(epoll, events, EVENTS, -1);
    for (i = 0; i < count; i++) on_event(&events[i]);
  }
}
