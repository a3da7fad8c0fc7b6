/* The few socket calls that the blocking peer and the epoll one share. */
#include "socket.h"
#include "bench.h"
#include "frame.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static int new_socket(struct sockaddr_un* address) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  bench_check(fd, "socket");
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen(bench.address) >= sizeof address->sun_path) {
    bench_fail("the address is too long");
  }
  strcpy(address->sun_path, bench.address);
  return fd;
}

int socket_listen(void) {
  struct sockaddr_un address;
  int fd = new_socket(&address);
  bench_check(bind(fd, (struct sockaddr*) &address, sizeof address), "bind");
  bench_check(listen(fd, 128), "listen");
  return fd;
}

int socket_connect(void) {
  struct sockaddr_un address;
  int fd = new_socket(&address);
  bench_check(connect(fd, (struct sockaddr*) &address, sizeof address),
              "connect");
  return fd;
}

long socket_write(int fd, const char* data, size_t size, size_t done) {
  uint32_t prefix = (uint32_t) size;
  struct iovec pieces[2];
  if (done >= sizeof prefix) {
    done -= sizeof prefix;
    return send(fd, data + done, size - done, MSG_NOSIGNAL);
  }
  pieces[0].iov_base = (char*) &prefix + done;
  pieces[0].iov_len = sizeof prefix - done;
  pieces[1].iov_base = (char*) data;
  pieces[1].iov_len = size;
  return writev(fd, pieces, 2);
}
