/* Preloaded into a peer, counts what it asks of malloc and of the system,
 * without the peer's knowing. For glibc, which has its functions under second
 * names. */
#include <errno.h>
#include <dlfcn.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

extern void* __libc_malloc(size_t size);
extern void* __libc_calloc(size_t count, size_t size);
extern void* __libc_realloc(void* memory, size_t size);
extern void* __libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void* memory);

static atomic_uint_fast64_t allocations;
static atomic_uint_fast64_t system_calls;
static atomic_uint_fast64_t heap_bytes;

uint64_t counted_allocations(void) {
  return allocations;
}

uint64_t counted_system_calls(void) {
  return system_calls;
}

uint64_t counted_heap_bytes(void) {
  return heap_bytes;
}

/* --- memory --------------------------------------------------------------- */

/* With the word that malloc keeps in front of each. */
static uint64_t footprint(void* memory) {
  return memory == NULL ? 0 : malloc_usable_size(memory) + sizeof(size_t);
}

static void* allocated(void* memory) {
  allocations++;
  heap_bytes += footprint(memory);
  return memory;
}

void* malloc(size_t size) {
  return allocated(__libc_malloc(size));
}

void* calloc(size_t count, size_t size) {
  return allocated(__libc_calloc(count, size));
}

void* realloc(void* memory, size_t size) {
  heap_bytes -= footprint(memory);
  return allocated(__libc_realloc(memory, size));
}

void* memalign(size_t alignment, size_t size) {
  return allocated(__libc_memalign(alignment, size));
}

void* aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory == NULL ? ENOMEM : 0;
}

void free(void* memory) {
  heap_bytes -= footprint(memory);
  __libc_free(memory);
}

/* --- system calls that move messages or wait for them --------------------- */

/* next NAME: the system's own function, looked up once. */
#define NEXT(name)                             \
  static __typeof__(&name) next;               \
  if (next == NULL) {                          \
    *(void**) &next = dlsym(RTLD_NEXT, #name); \
  }                                            \
  system_calls++

ssize_t read(int fd, void* data, size_t size) {
  NEXT(read);
  return next(fd, data, size);
}

ssize_t write(int fd, const void* data, size_t size) {
  NEXT(write);
  return next(fd, data, size);
}

ssize_t readv(int fd, const struct iovec* pieces, int count) {
  NEXT(readv);
  return next(fd, pieces, count);
}

ssize_t writev(int fd, const struct iovec* pieces, int count) {
  NEXT(writev);
  return next(fd, pieces, count);
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  NEXT(send);
  return next(fd, data, size, flags);
}

ssize_t recv(int fd, void* data, size_t size, int flags) {
  NEXT(recv);
  return next(fd, data, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  NEXT(sendmsg);
  return next(fd, message, flags);
}

ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  NEXT(recvmsg);
  return next(fd, message, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event) {
  NEXT(epoll_ctl);
  return next(epoll, operation, fd, event);
}

int epoll_wait(int epoll, struct epoll_event* events, int count, int timeout) {
  NEXT(epoll_wait);
  return next(epoll, events, count, timeout);
}

int epoll_pwait(int epoll,
                struct epoll_event* events,
                int count,
                int timeout,
                const sigset_t* signals) {
  NEXT(epoll_pwait);
  return next(epoll, events, count, timeout, signals);
}
