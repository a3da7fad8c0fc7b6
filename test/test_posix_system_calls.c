/* Linux: how many system calls messages cost. The calls that move bytes or wait
 * for them are defined here, where libuv and the library find them before the C
 * library's own, and counted on their way into the kernel. Both sides are on
 * the test's loop, so that the figures are the same on every machine. */
#include "harness.h"

#include "pair.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- Counting ----------------------------------------------------------- */

static uint64_t calls;

ssize_t read(int fd, void* data, size_t size) {
  calls++;
  return syscall(SYS_read, fd, data, size);
}

ssize_t readv(int fd, const struct iovec* pieces, int count) {
  calls++;
  return syscall(SYS_readv, fd, pieces, count);
}

ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  calls++;
  return syscall(SYS_recvmsg, fd, message, flags);
}

ssize_t write(int fd, const void* data, size_t size) {
  calls++;
  return syscall(SYS_write, fd, data, size);
}

ssize_t writev(int fd, const struct iovec* pieces, int count) {
  calls++;
  return syscall(SYS_writev, fd, pieces, count);
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  calls++;
  return syscall(SYS_sendmsg, fd, message, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event) {
  calls++;
  return (int) syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

int epoll_pwait(int epoll,
                struct epoll_event* events,
                int count,
                int timeout,
                const sigset_t* signals) {
  calls++;
  /* The size of the kernel's signal set. */
  return (int) syscall(SYS_epoll_pwait, epoll, events, count, timeout, signals,
                       8);
}

int epoll_wait(int epoll, struct epoll_event* events, int count, int timeout) {
  return epoll_pwait(epoll, events, count, timeout, NULL);
}

/* ---- What is counted ---------------------------------------------------- */

#define MESSAGES 1000

/* Beginnings and ends, whatever the number of messages. */
#define SLACK 16

static uint8_t message[64 << 10];
static size_t size;

static void assert_calls(uint64_t per_thousand) {
  assert_in_range(calls, 1, per_thousand + SLACK);
}

static void send_again(side_t* side) {
  if (side->asked == MESSAGES) return;
  assert_int_equal(side_send(side, message, size), 0);
}

static void on_reply(side_t* side, const void* data, size_t got) {
  (void) data;
  assert_int_equal(got, size);
  send_again(side);
}

static void on_one_way(side_t* side, const void* data, size_t got) {
  (void) data;
  assert_int_equal(got, size);
  send_again(&side->pair->client);
}

static void round_trips(uint64_t per_thousand) {
  pair_t pair;

  pair_init(&pair);
  pair.accepted.echoes = 1;
  pair.client.on_message = on_reply;
  pair_open(&pair);
  calls = 0;
  send_again(&pair.client);
  run_until(&pair.client.messages, MESSAGES);
  assert_calls(per_thousand);
  pair_finish(&pair);
}

/* Each side waits, reads and writes once. */
static void test_round_trips(void** state) {
  (void) state;
  size = 64;
  round_trips(6 * MESSAGES);
}

/* Each side also reads the few bytes that its buffer had no room for,
 * and then finds nothing. */
static void test_large_round_trips(void** state) {
  (void) state;
  size = sizeof(message);
  round_trips(10 * MESSAGES);
}

/* One by one: a write, a wait and a read each. */
static void test_one_by_one(void** state) {
  pair_t pair;

  (void) state;
  size = 64;
  pair_init(&pair);
  pair.accepted.on_message = on_one_way;
  pair_open(&pair);
  calls = 0;
  send_again(&pair.client);
  run_until(&pair.accepted.messages, MESSAGES);
  assert_calls(3 * MESSAGES);
  pair_finish(&pair);
}

/* Those of one turn leave together. */
static void test_one_turn(void** state) {
  pair_t pair;
  int i;

  (void) state;
  size = 64;
  pair_init(&pair);
  pair_open(&pair);
  calls = 0;
  for (i = 0; i < MESSAGES; i++) send_again(&pair.client);
  run_until(&pair.accepted.messages, MESSAGES);
  assert_calls(0);
  pair_finish(&pair);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_round_trips),
      TEST(test_large_round_trips),
      TEST(test_one_by_one),
      TEST(test_one_turn),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
