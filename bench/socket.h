/* Unix sockets at bench.address, for the peers on the system's own calls. */
#ifndef BENCH_SOCKET_H
#define BENCH_SOCKET_H

#include <stddef.h>

#define SOCKET_READ_SIZE 65536

int socket_listen(void);
int socket_connect(void);
/* Writes a message behind its prefix, beginning at byte `done` of both; returns
 * how many bytes left, or -1 and errno. */
long socket_write(int fd, const char* data, size_t size, size_t done);

#endif /* BENCH_SOCKET_H */
