/* Blocking Unix sockets, one client at a time. */
#include "bench.h"
#include "frame.h"
#include "socket.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener;

typedef struct connection_s {
  int fd;
  frame_reader_t reader;
} connection_t;

static connection_t connection;

void peer_listen(void) {
  listener = socket_listen();
}

void peer_connect(void) {
  connection.fd = socket_connect();
  bench_connected(&connection);
}

bench_send_t peer_send(void* to, const char* data, size_t size) {
  size_t done = 0;
  while (done < size + FRAME_PREFIX_SIZE) {
    long written = socket_write(((connection_t*) to)->fd, data, size, done);
    bench_check((int) written, "write");
    done += (size_t) written;
  }
  return BENCH_COPIED;
}

void peer_echo(void* to, const char* data, size_t size) {
  peer_send(to, data, size);
}

void peer_close(void* which) {
  close(((connection_t*) which)->fd);
  frame_release(&connection.reader);
  memset(&connection, 0, sizeof connection);
  bench_closed();
}

/* 0: the other side has closed. */
static int receive(void) {
  static char bytes[SOCKET_READ_SIZE];
  size_t room;
  char* place = frame_room(&connection.reader, &room);
  ssize_t size = place != NULL ? read(connection.fd, place, room)
                               : read(connection.fd, bytes, sizeof bytes);
  bench_check((int) size, "read");
  if (place != NULL && size > 0) {
    frame_taken(&connection.reader, &connection, (size_t) size);
  } else {
    frame_take(&connection.reader, &connection, bytes, (size_t) size);
  }
  return size > 0;
}

void peer_run(void) {
  for (;;) {
    if (bench.is_server) {
      connection.fd = accept(listener, NULL, NULL);
      bench_check(connection.fd, "accept");
    }
    while (receive()) continue;
    if (!bench.is_server) bench_fail("the connection broke");
    peer_close(&connection);
  }
}
