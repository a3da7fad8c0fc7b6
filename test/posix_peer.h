/* What the tests of POSIX endpoints do by hand: sockets that aren't the
 * library's, processes that are forked, and a look at files. */
#ifndef IPC_CHANNEL_TEST_POSIX_PEER_H
#define IPC_CHANNEL_TEST_POSIX_PEER_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Whether the library was built with the calls that only Linux has. */
int posix_has_linux_features(void);

/* ---- Sockets ------------------------------------------------------------ */

/* Each returns a blocking socket, or fails the test. */
int posix_listen(const char* path);
int posix_bind_datagram(const char* path);
/* A socket, or minus errno. */
int posix_connect(const char* path);
/* Writes the bytes with so many descriptors of /dev/null attached. */
void posix_send_with_fds(int fd, const void* data, size_t size, int count);
/* Reads up to the end; returns how many bytes came, of which `data` gets the
 * first `size`. */
size_t posix_drain(int fd, void* data, size_t size);

/* ---- Processes ---------------------------------------------------------- */

/* A fork that runs `play` and exits with what it returns. It must not use the
 * test's loop. */
pid_t posix_fork(int (*play)(void* arg), void* arg);
/* Its exit status, or minus the signal. Runs the test's loop meanwhile. */
int posix_reap(pid_t pid);
/* In a fork: becomes another user for good, or exits. */
void posix_become(unsigned int uid, unsigned int gid);

/* ---- Files -------------------------------------------------------------- */

/* A file of any kind, as it is: what it is, and what is in it. */
typedef struct posix_file_s {
  struct stat status;
  char content[64];
} posix_file_t;

void posix_look(const char* path, posix_file_t* file);
/* Whether the same file is still there, with nothing changed. */
void posix_unchanged(const char* path, const posix_file_t* file);
int posix_exists(const char* path);
/* Entries of a directory. */
int posix_count(const char* directory);
void posix_write(const char* path, const char* text);

#endif /* IPC_CHANNEL_TEST_POSIX_PEER_H */
