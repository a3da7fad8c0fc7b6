/* What every test program shares: a loop that must close clean, names that are
 * nobody else's, a count of open handles, and child processes that are the test
 * program itself in another role. The same on every system. */
#ifndef IPC_CHANNEL_TEST_HARNESS_H
#define IPC_CHANNEL_TEST_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ipc_channel.h>

/* A role that a child process plays: its arguments, without the role's name,
 * and its exit status. */
typedef struct test_role_s {
  const char* name;
  int (*play)(int argc, char** argv);
} test_role_t;

/* The whole of main: plays a role when the first argument names one, else runs
 * the tests. Roles end with a NULL name; `roles` may be NULL. Each test gets a
 * fresh loop from test_loop and fails when it leaves a handle open. */
int test_main(int argc,
              char** argv,
              const struct CMUnitTest* tests,
              size_t count,
              const test_role_t* roles);

/* The size of an array of tests. */
#define TEST_COUNT(tests) (sizeof(tests) / sizeof((tests)[0]))

/* A test in the table; the harness opens and checks the loop around it. */
#define TEST(f) cmocka_unit_test_setup_teardown(f, test_setup, test_teardown)
int test_setup(void** state);
int test_teardown(void** state);

/* The loop of the running test. Closed, and checked to be empty, by the
 * harness. */
uv_loop_t* test_loop(void);

/* Runs the loop until nothing is left to do. A test that hangs is failed after
 * a minute. */
void test_run(void);
/* One turn, for loops that wait for something. UV_RUN_ONCE won't do: when a
 * timer did what is waited for, it still blocks until something else happens.
 * A test that waits while nothing is left to do has failed. */
void test_turn(void);
/* Runs until *flag is not 0. */
void test_run_until(const int* flag);
/* Runs for so long; only for "nothing happens", never for "by then it has". */
void test_run_for(int ms);

/* A bare name that no other test has; lives until the test ends. */
const char* test_name(void);

/* The directory of this program's endpoints on POSIX; NULL on Windows. */
const char* test_directory(void);

/* Open descriptors or handles of this process. */
unsigned int test_count_handles(void);

/* The native framing's bytes by hand, for peers that misbehave. Each returns
 * how many bytes it wrote. */
/* `verdict`: 0xff in a client's hello, 0 in that of a server that accepts. */
size_t test_put_hello(uint8_t* out, uint8_t verdict, uint32_t max_message);
size_t test_put_frame(uint8_t* out,
                      uint8_t kind,
                      const void* payload,
                      uint32_t size);

/* A child process in a role. Its standard output is a pipe that the harness
 * reads; test_wait_ready returns when it has printed a line. */
typedef struct test_child_s test_child_t;
test_child_t* test_spawn(const char* role, const char* a, const char* b);
void test_wait_ready(test_child_t* child);
void test_kill(test_child_t* child);
/* Waits for its exit, releases it, returns the exit status, or minus the signal
 * (Windows: 1 after test_kill). */
int test_wait(test_child_t* child);
/* In the child. */
void test_say_ready(void);

/* Waits without the loop: 1 when the handle is signalled or readable, 0 when
 * the time is over; -1 is no limit. */
int test_wait_handle(uv_os_fd_t handle, int timeout_ms);

/* Closes a handle that belongs to nobody. */
void test_close_handle(uv_os_fd_t handle);

/* What a program may be handed, made by hand. Windows: nothing at all. */
typedef enum test_kind_e {
  TEST_LISTENER,
  TEST_LISTENER_ABSTRACT, /* Linux alone; its path is a name */
  TEST_LISTENER_SEQPACKET,
  TEST_LISTENER_OF_A_NETWORK,
  TEST_BOUND_SOCKET,
  TEST_CONNECTED_SOCKET,
  TEST_DATAGRAM_SOCKET,
  TEST_FILE,
  TEST_PIPE
} test_kind_t;
/* 0, or a negative code where the system has no such thing. It is blocking,
 * and inherited. `path` is where it needs one. */
int test_make_handle(test_kind_t kind, const char* path, uv_os_fd_t* handle);
/* Gives it the place of the n-th descriptor (0 is the first) that a supervisor
 * passes, and closes what was there. */
uv_os_fd_t test_pass_handle(uv_os_fd_t handle, int n);
int test_handle_is_open(uv_os_fd_t handle);
int test_handle_is_inherited(uv_os_fd_t handle);
int test_handle_is_blocking(uv_os_fd_t handle);

/* An allocator that counts, and fails where it is told to. */
typedef struct test_memory_s {
  int64_t blocks;    /* allocated now */
  int64_t bytes;     /* allocated now */
  int64_t peak;      /* most bytes at any time */
  int64_t calls;     /* allocations and resizes so far */
  int64_t fail_from; /* calls from this one on fail, counting from 1; 0: none */
  int64_t fail_to;   /* and from this one on succeed again */
} test_memory_t;
ipc_allocator_t test_allocator(test_memory_t* memory);

/* True for the system that the test runs on: what can't be had there must be
 * asserted, not skipped. */
int test_is_windows(void);

#endif /* IPC_CHANNEL_TEST_HARNESS_H */
