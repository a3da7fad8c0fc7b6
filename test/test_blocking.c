/* The *_wait functions: programs without a loop and, but for one test, without
 * a callback. The other end is a thread or a process that blocks too. */
#include "harness.h"

#include <stdio.h>

#include "pair.h"

#define LONG_MS 30000
#define LARGE_BYTES ((size_t) 8 << 20)

/* Shorter and longer than a turn of a system's clock. */
static const int timeouts[] = {0, 1, 20, 60};

/* Another thread. It can't fail a test by itself: it writes down the first line
 * that went wrong. */
typedef struct peer_s peer_t;
struct peer_s {
  uv_thread_t thread;
  uv_sem_t ready; /* main may go on */
  uv_sem_t go;    /* the peer may */
  void (*play)(peer_t* peer);
  int wrong;
  int number;
  int clients; /* to be served */
  ipc_server_t* server;
  ipc_client_options_t options;
};

#define CHECK(peer, condition)                                  \
  do {                                                          \
    if (!(condition) && !(peer)->wrong) {                       \
      (peer)->wrong = __LINE__;                                 \
      print_error("peer, line %d: %s\n", __LINE__, #condition); \
    }                                                           \
  } while (0)

/* What each test begins with. The allocators don't lock: one for each side. */
static const char* name;
static test_memory_t memories[2];
static ipc_server_options_t server_options;
static ipc_client_options_t client_options;
static ipc_server_t* server;
static ipc_channel_t* channel;
static peer_t peer;
static uint8_t large[LARGE_BYTES];

static void fresh(void) {
  ipc_allocator_t allocators[2];

  name = test_name();
  memset(memories, 0, sizeof(memories));
  memset(&peer, 0, sizeof(peer));
  allocators[0] = test_allocator(&memories[0]);
  allocators[1] = test_allocator(&memories[1]);
  ipc_server_options_init(&server_options, name);
  ipc_server_options_set_allocator(&server_options, &allocators[0]);
  ipc_client_options_init(&client_options, name);
  ipc_client_options_set_allocator(&client_options, &allocators[1]);
  ipc_client_options_set_connect_timeout(&client_options, LONG_MS);
}

static void nothing_is_left(void) {
  assert_int_equal(memories[0].blocks, 0);
  assert_int_equal(memories[1].blocks, 0);
}

static void run_peer(void* arg) {
  peer_t* self = arg;

  self->play(self);
}

static void start(peer_t* self, void (*play)(peer_t*)) {
  self->play = play;
  self->server = server;
  self->options = client_options;
  assert_int_equal(uv_sem_init(&self->ready, 0), 0);
  assert_int_equal(uv_sem_init(&self->go, 0), 0);
  assert_int_equal(uv_thread_create(&self->thread, run_peer, self), 0);
}

static void finish(peer_t* self) {
  assert_int_equal(uv_thread_join(&self->thread), 0);
  uv_sem_destroy(&self->ready);
  uv_sem_destroy(&self->go);
  assert_int_equal(self->wrong, 0);
}

static void listen_on_it(void) {
  assert_int_equal(ipc_server_listen(NULL, &server_options, NULL, &server), 0);
}

static void connect_to_it(void) {
  assert_int_equal(ipc_client_connect_wait(&client_options, NULL, &channel), 0);
}

/* Ends our side, waits for the end of the other and only then closes, so that
 * each side knows that all it sent was taken. */
static int leave(ipc_channel_t* from) {
  const void* data;
  size_t size;

  if (ipc_channel_end(from) == 0) { /* raw on Windows it can't */
    int err = ipc_channel_recv_wait(from, LONG_MS, &data, &size);

    if (err != UV_EOF) return err;
  }
  return ipc_channel_close_wait(from, NULL);
}

static void close_both(void) {
  if (channel != NULL) assert_int_equal(leave(channel), 0);
  if (server != NULL) assert_int_equal(ipc_server_close_wait(server), 0);
  channel = NULL;
  server = NULL;
}

static int say(ipc_channel_t* to, const char* text) {
  return ipc_channel_send_wait(to, text, strlen(text), LONG_MS, NULL);
}

/* Whether this is what comes next. */
static int hear(ipc_channel_t* from, const char* text) {
  const void* data;
  size_t size;

  if (ipc_channel_recv_wait(from, LONG_MS, &data, &size) != 0) return 0;
  return size == strlen(text) && memcmp(data, text, size) == 0;
}

static void assert_not_early(uint64_t from, int timeout_ms) {
  assert_true(uv_hrtime() - from >= (uint64_t) timeout_ms * 1000000);
}

/* ---- Peers -------------------------------------------------------------- */

/* Sends back what comes; the error that ends it. */
static int echo(ipc_channel_t* from) {
  const void* data;
  size_t size;
  int err;

  do {
    err = ipc_channel_recv_wait(from, IPC_CHANNEL_INFINITE, &data, &size);
    if (err == 0) {
      err = ipc_channel_send_wait(from, data, size, IPC_CHANNEL_INFINITE, NULL);
    }
  } while (err == 0);
  return err;
}

/* Echoes to so many clients, one after the other, then closes the server. */
static void serve(peer_t* self) {
  ipc_channel_t* client;

  while (self->clients-- > 0) {
    CHECK(self, ipc_server_accept_wait(self->server, LONG_MS, &client) == 0);
    if (self->wrong) return;
    CHECK(self, echo(client) == UV_EOF);
    CHECK(self, leave(client) == 0);
  }
  CHECK(self, ipc_server_close_wait(self->server) == 0);
}

static void serve_in_thread(int clients) {
  listen_on_it();
  peer.clients = clients;
  start(&peer, serve);
  server = NULL;
}

/* Takes one client and does nothing with it until told; then receives all. */
static void hold(peer_t* self) {
  ipc_channel_t* client;
  const void* data;
  size_t size;
  int err;

  CHECK(self, ipc_server_accept_wait(self->server, LONG_MS, &client) == 0);
  uv_sem_post(&self->ready);
  uv_sem_wait(&self->go);
  if (self->wrong) return;
  do {
    err = ipc_channel_recv_wait(client, LONG_MS, &data, &size);
    if (err == 0 && size == 3) {
      CHECK(self, memcmp(data, "bye", 3) == 0);
    } else if (err == 0) {
      CHECK(self, memcmp(data, large, size) == 0);
    }
    self->number += err == 0;
  } while (err == 0);
  ipc_channel_close_wait(client, NULL);
  CHECK(self, ipc_server_close_wait(self->server) == 0);
}

/* A client in the hold of that server. */
static void connect_to_holder(void) {
  listen_on_it();
  start(&peer, hold);
  server = NULL;
  connect_to_it();
  uv_sem_wait(&peer.ready);
}

static void close_to_holder(void) {
  uv_sem_post(&peer.go);
  close_both();
  finish(&peer);
  nothing_is_left();
}

/* A client that says its number and waits for the echo. */
static void ask(peer_t* self) {
  ipc_channel_t* to;
  char text[16];

  CHECK(self, ipc_client_connect_wait(&self->options, NULL, &to) == 0);
  if (self->wrong) return;
  snprintf(text, sizeof(text), "%d", self->number);
  CHECK(self, say(to, text) == 0);
  CHECK(self, hear(to, text));
  CHECK(self, leave(to) == 0);
}

/* ---- Messages ----------------------------------------------------------- */

static void echoes_come_back(void** state) {
  static const size_t sizes[] = {0, 1, 100, 5000, 70000, 3000000};
  const void* data;
  size_t size;
  size_t sent;
  size_t i;

  (void) state;
  fresh();
  serve_in_thread(1);
  connect_to_it();
  for (i = 0; i < TEST_COUNT(sizes); i++) {
    pattern_fill(large, sizes[i], (unsigned int) i);
    assert_int_equal(ipc_channel_send_wait(channel, large, sizes[i],
                                           IPC_CHANNEL_INFINITE, &sent),
                     0);
    assert_int_equal(sent, sizes[i]);
    assert_int_equal(ipc_channel_recv_wait(channel, LONG_MS, &data, &size), 0);
    assert_int_equal(size, sizes[i]);
    pattern_check(data, size, (unsigned int) i);
  }
  for (i = 0; i < 1000; i++) {
    assert_int_equal(say(channel, "again"), 0);
    assert_true(hear(channel, "again"));
  }
  close_both();
  finish(&peer);
  nothing_is_left();
}

static void raw_bytes_come_back(void** state) {
  const void* data;
  size_t size;
  size_t back;

  (void) state;
  fresh();
  ipc_server_options_set_framing(&server_options, IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_set_framing(&client_options, IPC_CHANNEL_FRAMING_RAW);
  serve_in_thread(1);
  connect_to_it();
  pattern_fill(large, 1000, 7);
  assert_int_equal(ipc_channel_send_wait(channel, large, 1000, LONG_MS, NULL),
                   0);
  for (back = 0; back < 1000; back += size) {
    assert_int_equal(ipc_channel_recv_wait(channel, LONG_MS, &data, &size), 0);
    assert_in_range(size, 1, 1000 - back);
    assert_memory_equal(data, large + back, size);
  }
  close_both();
  finish(&peer);
  nothing_is_left();
}

/* What is queued before a _wait goes with it, and many answers at once are
 * received one by one. */
static void bursts_are_received_one_by_one(void** state) {
  char text[16];
  int i;

  (void) state;
  fresh();
  serve_in_thread(1);
  connect_to_it();
  for (i = 0; i < 500; i++) {
    snprintf(text, sizeof(text), "%d", i);
    assert_int_equal(
        ipc_channel_send_copy(channel, text, strlen(text), NULL, NULL), 0);
  }
  for (i = 0; i < 500; i++) {
    snprintf(text, sizeof(text), "%d", i);
    assert_true(hear(channel, text));
  }
  close_both();
  finish(&peer);
  nothing_is_left();
}

static void on_asked(ipc_channel_t* client,
                     ipc_request_t request,
                     const void* data,
                     size_t size) {
  (void) data;
  (void) size;
  CHECK(&peer, ipc_channel_reply(client, request, "reply", 5) == 0);
}

static void say_and_answer(peer_t* self) {
  ipc_channel_t* client;

  CHECK(self, ipc_server_accept_wait(self->server, LONG_MS, &client) == 0);
  if (!self->wrong) {
    CHECK(self, say(client, "first") == 0);
    CHECK(self, echo(client) == UV_EOF);
    CHECK(self, ipc_channel_close_wait(client, NULL) == 0);
  }
  CHECK(self, ipc_server_close_wait(self->server) == 0);
}

/* A call takes nothing away from what was received, nor the other way round. */
static void a_call_leaves_what_was_received(void** state) {
  const void* received;
  const void* answer;
  size_t size;
  int i;

  (void) state;
  fresh();
  ipc_server_options_on_request(&server_options, on_asked);
  listen_on_it();
  start(&peer, say_and_answer);
  server = NULL;
  connect_to_it();
  assert_int_equal(ipc_channel_recv_wait(channel, LONG_MS, &received, &size),
                   0);
  for (i = 0; i < 3; i++) {
    assert_int_equal(
        ipc_channel_call_wait(channel, "?", 1, LONG_MS, &answer, &size), 0);
    assert_int_equal(size, 5);
    assert_memory_equal(answer, "reply", 5);
    assert_memory_equal(received, "first", 5);
  }
  assert_int_equal(say(channel, "again"), 0);
  assert_int_equal(ipc_channel_recv_wait(channel, LONG_MS, &received, &size),
                   0);
  assert_memory_equal(received, "again", 5);
  assert_memory_equal(answer, "reply", 5);
  assert_int_equal(leave(channel), 0);
  finish(&peer);
  nothing_is_left();
}

static int asked_of_us;
static int sent_by_us;

static void on_ours_asked(ipc_channel_t* client,
                          ipc_request_t request,
                          const void* data,
                          size_t size) {
  (void) data;
  (void) size;
  asked_of_us++;
  assert_int_equal(ipc_channel_reply(client, request, "yes", 3), 0);
}

static void on_ours_sent(ipc_channel_t* client,
                         void* arg,
                         int status,
                         size_t sent) {
  (void) sent;
  assert_int_equal(status, 0);
  sent_by_us++;
  if (arg == NULL) return;
  assert_int_equal(ipc_channel_send_copy(client, "two", 3, on_ours_sent, NULL),
                   0);
}

static void ignore(ipc_channel_t* client, const void* data, size_t size) {
  (void) client;
  (void) data;
  (void) size;
}

static void ask_and_say(peer_t* self) {
  const void* answer;
  ipc_channel_t* client;
  size_t size;

  CHECK(self, ipc_server_accept_wait(self->server, LONG_MS, &client) == 0);
  if (!self->wrong) {
    uv_sem_wait(&self->go);
    CHECK(self,
          ipc_channel_call_wait(client, "?", 1, LONG_MS, &answer, &size) == 0);
    CHECK(self, say(client, "at last") == 0);
    CHECK(self, leave(client) == 0);
  }
  CHECK(self, ipc_server_close_wait(self->server) == 0);
}

/* A wait that nothing could end says so, and takes nothing away from the next,
 * whatever callbacks have begun meanwhile. */
static void a_wait_without_hope(void** state) {
  const void* data;
  size_t size;

  (void) state;
  fresh();
  asked_of_us = sent_by_us = 0;
  ipc_client_options_on_request(&client_options, on_ours_asked);
  ipc_server_options_on_message(&server_options, ignore);
  listen_on_it();
  start(&peer, ask_and_say);
  server = NULL;
  connect_to_it();
  assert_int_equal(ipc_channel_pause(channel), 0);
  uv_sem_post(&peer.go);
  assert_int_equal(
      ipc_channel_send_copy(channel, "one", 3, on_ours_sent, &peer), 0);
  /* The request lies in front, and is not for a receive. */
  assert_int_equal(
      ipc_channel_recv_wait(channel, IPC_CHANNEL_INFINITE, &data, &size),
      UV_EAGAIN);
  assert_int_equal(sent_by_us, 2);
  assert_int_equal(asked_of_us, 0);
  assert_int_equal(ipc_channel_resume(channel), 0);
  assert_int_equal(ipc_channel_recv_wait(channel, LONG_MS, &data, &size), 0);
  assert_int_equal(size, 7);
  assert_memory_equal(data, "at last", 7);
  assert_int_equal(asked_of_us, 1);
  assert_int_equal(leave(channel), 0);
  finish(&peer);
  nothing_is_left();
}

static void say_three_and_end(peer_t* self) {
  ipc_channel_t* client;

  CHECK(self, ipc_server_accept_wait(self->server, LONG_MS, &client) == 0);
  if (!self->wrong) {
    CHECK(self, say(client, "one") == 0);
    CHECK(self, say(client, "two") == 0);
    CHECK(self, say(client, "three") == 0);
  }
  uv_sem_post(&self->ready);
  if (self->wrong) return;
  CHECK(self, ipc_channel_end(client) == 0);
  CHECK(self, echo(client) == UV_EOF);
  CHECK(self, ipc_channel_close_wait(client, NULL) == 0);
  CHECK(self, ipc_server_close_wait(self->server) == 0);
}

/* A receive without patience still takes what the system holds, and the end
 * comes after all of it, each time it is asked for. */
static void no_timeout_takes_what_is_there(void** state) {
  const void* data;
  size_t size;
  int i;

  (void) state;
  fresh();
  listen_on_it();
  start(&peer, say_three_and_end);
  server = NULL;
  connect_to_it();
  uv_sem_wait(&peer.ready);
  assert_int_equal(ipc_channel_recv_wait(channel, 0, &data, &size), 0);
  assert_int_equal(size, 3);
  assert_memory_equal(data, "one", 3);
  assert_int_equal(ipc_channel_recv_wait(channel, 0, &data, &size), 0);
  assert_memory_equal(data, "two", 3);
  assert_true(hear(channel, "three"));
  for (i = 0; i < 2; i++) {
    assert_int_equal(ipc_channel_recv_wait(channel, LONG_MS, &data, &size),
                     UV_EOF);
    assert_null(data);
    assert_int_equal(size, 0);
  }
  close_both();
  finish(&peer);
  nothing_is_left();
}

/* ---- Timeouts ----------------------------------------------------------- */

static void a_receive_is_not_early(void** state) {
  const void* data;
  size_t size;
  size_t i;

  (void) state;
  fresh();
  connect_to_holder();
  for (i = 0; i < TEST_COUNT(timeouts); i++) {
    uint64_t from = uv_hrtime();

    assert_int_equal(ipc_channel_recv_wait(channel, timeouts[i], &data, &size),
                     UV_ETIMEDOUT);
    assert_not_early(from, timeouts[i]);
  }
  close_to_holder();
}

static void take_long(ipc_channel_t* on, void* arg, int status, int events) {
  (void) on;
  (void) events;
  *(int*) arg = status;
  uv_sleep(100);
}

/* A callback takes so long that the deadline passes between two turns of the
 * loop: what is done then must not be followed by a wait without end. */
static void a_call_is_not_forgotten(void** state) {
  const void* data;
  size_t size;
  int status = 0;

  (void) state;
  fresh();
  connect_to_holder();
  assert_int_equal(
      ipc_channel_ready(channel, IPC_CHANNEL_READABLE, 20, take_long, &status),
      0);
  assert_int_equal(ipc_channel_call_wait(channel, "why?", 4, 60, &data, &size),
                   UV_ETIMEDOUT);
  assert_int_equal(status, UV_ETIMEDOUT);
  close_to_holder();
}

static void an_accept_is_not_early(void** state) {
  size_t i;

  (void) state;
  fresh();
  listen_on_it();
  for (i = 0; i < TEST_COUNT(timeouts); i++) {
    uint64_t from = uv_hrtime();

    assert_int_equal(ipc_server_accept_wait(server, timeouts[i], &channel),
                     UV_ETIMEDOUT);
    assert_null(channel);
    assert_not_early(from, timeouts[i]);
  }
  close_both();
  nothing_is_left();
}

static void connecting_is_not_early(void** state) {
  uint64_t from;
  size_t i;

  (void) state;
  fresh();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  for (i = 1; i < TEST_COUNT(timeouts); i++) {
    ipc_client_options_set_connect_timeout(&client_options, timeouts[i]);
    from = uv_hrtime();
    assert_int_equal(ipc_client_connect_wait(&client_options, NULL, &channel),
                     UV_ETIMEDOUT);
    assert_null(channel);
    assert_not_early(from, timeouts[i]);
  }
  nothing_is_left();
}

/* The first has begun to leave and is completed later; the second is withdrawn,
 * be it from the queue or for want of room there. */
static void send_to_one_who_does_not_read(size_t queue_bytes) {
  uint64_t from;
  size_t sent;

  fresh();
  ipc_client_options_set_max_queue_bytes(&client_options, queue_bytes);
  pattern_fill(large, LARGE_BYTES, 3);
  connect_to_holder();
  from = uv_hrtime();
  assert_int_equal(
      ipc_channel_send_wait(channel, large, LARGE_BYTES, 60, &sent),
      UV_ETIMEDOUT);
  assert_not_early(from, 60);
  assert_in_range(sent, 1, LARGE_BYTES - 1);
  from = uv_hrtime();
  assert_int_equal(ipc_channel_send_wait(channel, "late", 4, 60, &sent),
                   UV_ETIMEDOUT);
  assert_not_early(from, 60);
  assert_int_equal(sent, 0);
  assert_int_equal(ipc_channel_send_wait(channel, "late", 4, 0, &sent),
                   UV_ETIMEDOUT);
  assert_int_equal(sent, 0);

  uv_sem_post(&peer.go);
  assert_int_equal(
      ipc_channel_send_wait(channel, "bye", 3, IPC_CHANNEL_INFINITE, &sent), 0);
  assert_int_equal(sent, 3);
  close_both();
  finish(&peer);
  assert_int_equal(peer.number, 2);
  nothing_is_left();
}

static void a_late_send_is_completed_or_withdrawn(void** state) {
  (void) state;
  send_to_one_who_does_not_read(4 * LARGE_BYTES);
}

static void a_send_waits_for_room(void** state) {
  (void) state;
  send_to_one_who_does_not_read(1000);
}

static uint64_t processor_ms(void) {
  uv_rusage_t usage;

  assert_int_equal(uv_getrusage(&usage), 0);
  return (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
         (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* The queue is less than half full, which is writable, but not for a message of
 * this size: the wait for room must not be a busy one. */
static void a_large_send_waits_for_more_room(void** state) {
  uint64_t used;
  size_t sent;

  (void) state;
  fresh();
  ipc_client_options_set_max_queue_bytes(&client_options, LARGE_BYTES);
  pattern_fill(large, LARGE_BYTES, 3);
  connect_to_holder();
  assert_int_equal(
      ipc_channel_send_copy(channel, large, LARGE_BYTES / 3, NULL, NULL), 0);
  used = processor_ms();
  assert_int_equal(
      ipc_channel_send_wait(channel, large, LARGE_BYTES, 300, &sent),
      UV_ETIMEDOUT);
  assert_int_equal(sent, 0);
  assert_true(processor_ms() - used < 150);
  uv_sem_post(&peer.go);
  assert_int_equal(
      ipc_channel_send_wait(channel, large, LARGE_BYTES, LONG_MS, NULL), 0);
  close_both();
  finish(&peer);
  assert_int_equal(peer.number, 2);
  nothing_is_left();
}

static void a_close_waits_for_the_peer_as_long_as_it_may(void** state) {
  ipc_close_result_t result;
  uint64_t from;

  (void) state;
  fresh();
  ipc_client_options_set_close_timeout(&client_options, 60);
  connect_to_holder();
  assert_int_equal(say(channel, "bye"), 0);
  from = uv_hrtime();
  assert_int_equal(ipc_channel_close_wait(channel, &result), UV_ETIMEDOUT);
  assert_not_early(from, 60);
  assert_int_equal(result.status, UV_ETIMEDOUT);
  assert_int_equal(result.unsent, 0);
  assert_int_equal(result.unconfirmed, 1);
  channel = NULL;
  close_to_holder();
}

/* ---- Connecting and accepting ------------------------------------------- */

static void nobody_is_there(void** state) {
  (void) state;
  fresh();
  channel = (ipc_channel_t*) &peer;
  assert_int_equal(ipc_client_connect_wait(&client_options, NULL, &channel),
                   UV_ENOENT);
  assert_null(channel);
  nothing_is_left();
}

static void close_at_end(ipc_channel_t* dead, int status) {
  int* ends = ipc_channel_data(dead);

  assert_int_equal(status, UV_ENOENT);
  assert_int_equal(ipc_channel_close(dead), 0);
  ends[0]++;
}

static void count_close(ipc_channel_t* gone, const ipc_close_result_t* result) {
  int* ends = ipc_channel_data(gone);

  assert_int_equal(result->status, UV_ENOENT);
  ends[1]++;
}

/* Callbacks as a program with a loop has them do no harm. */
static void a_failure_is_closed_by_on_end(void** state) {
  int ends[2] = {0, 0};

  (void) state;
  fresh();
  ipc_client_options_on_end(&client_options, close_at_end);
  ipc_client_options_on_close(&client_options, count_close);
  assert_int_equal(ipc_client_connect_wait(&client_options, ends, &channel),
                   UV_ENOENT);
  assert_null(channel);
  assert_int_equal(ends[0], 1);
  assert_int_equal(ends[1], 1);
  nothing_is_left();
}

static void a_busy_server_says_so(void** state) {
  ipc_channel_t* none;

  (void) state;
  fresh();
  ipc_server_options_set_max_instances(&server_options, 1);
  ipc_server_options_set_waiting_instances(&server_options, 0);
  serve_in_thread(1);
  connect_to_it();
  assert_int_equal(say(channel, "mine"), 0);
  assert_true(hear(channel, "mine"));
  ipc_client_options_set_wait_for_instance(&client_options, 0);
  assert_int_equal(ipc_client_connect_wait(&client_options, NULL, &none),
                   UV_EBUSY);
  assert_null(none);
  close_both();
  finish(&peer);
  nothing_is_left();
}

static void a_client_waits_for_its_server(void** state) {
  (void) state;
  fresh();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  start(&peer, ask);
  listen_on_it();
  assert_int_equal(ipc_server_accept_wait(server, LONG_MS, &channel), 0);
  assert_int_equal(echo(channel), UV_EOF);
  /* The client has gone, and may not have confirmed the replies. */
  ipc_channel_close_wait(channel, NULL);
  channel = NULL;
  close_both();
  finish(&peer);
  nothing_is_left();
}

/* Three come at once; nobody is greeted before the last one is gone. */
static void one_client_at_a_time(void** state) {
  ipc_server_stats_t stats;
  peer_t clients[3];
  uint64_t i;

  (void) state;
  fresh();
  ipc_client_options_init(&client_options, name); /* in threads: no allocator */
  ipc_client_options_set_connect_timeout(&client_options, LONG_MS);
  listen_on_it();
  memset(clients, 0, sizeof(clients));
  for (i = 0; i < 3; i++) {
    clients[i].number = (int) i;
    start(&clients[i], ask);
  }
  for (i = 0; i < 3; i++) {
    assert_int_equal(
        ipc_server_accept_wait(server, IPC_CHANNEL_INFINITE, &channel), 0);
    assert_int_equal(echo(channel), UV_EOF);
    assert_int_equal(ipc_server_stats(server, &stats), 0);
    assert_int_equal(stats.accepted, i + 1);
    /* The client has gone, and may not have confirmed the replies. */
    assert_int_equal(leave(channel), 0);
  }
  channel = NULL;
  close_both();
  for (i = 0; i < 3; i++) finish(&clients[i]);
  nothing_is_left();
}

static int play_stay(int argc, char** argv) {
  ipc_client_options_t options;
  ipc_channel_t* mine;
  const void* data;
  size_t size;

  if (argc != 1) return 2;
  ipc_client_options_init(&options, argv[0]);
  if (ipc_client_connect_wait(&options, NULL, &mine) != 0) return 3;
  ipc_channel_recv_wait(mine, IPC_CHANNEL_INFINITE, &data, &size);
  return 4;
}

static test_child_t* child;

static void kill_child(peer_t* self) {
  (void) self;
  test_kill(child);
}

static void a_peer_is_killed_during_a_receive(void** state) {
  const void* data;
  size_t size;

  (void) state;
  fresh();
  listen_on_it();
  child = test_spawn("stay", name, NULL);
  assert_int_equal(ipc_server_accept_wait(server, LONG_MS, &channel), 0);
  start(&peer, kill_child);
  assert_int_equal(ipc_channel_recv_wait(channel, LONG_MS, &data, &size),
                   UV_ECONNRESET);
  assert_null(data);
  finish(&peer);
  assert_int_not_equal(test_wait(child), 4);
  assert_int_equal(ipc_channel_send_wait(channel, "x", 1, LONG_MS, NULL),
                   UV_EPIPE);
  ipc_channel_close_wait(channel, NULL);
  channel = NULL;
  close_both();
  nothing_is_left();
}

/* ---- Calls -------------------------------------------------------------- */

/* Replies with the request, unless that asks for silence. */
static void reply(ipc_channel_t* from,
                  ipc_request_t request,
                  const void* data,
                  size_t size) {
  if (size > 0 && *(const char*) data == '-') return;
  if (ipc_channel_reply(from, request, data, size) != 0) abort();
}

static void calls_are_replied_to(void** state) {
  static const size_t sizes[] = {0, 1, 5000, 300000};
  const void* data;
  size_t size;
  size_t i;

  (void) state;
  fresh();
  ipc_server_options_on_request(&server_options, reply);
  serve_in_thread(1);
  connect_to_it();
  pattern_fill(large, 300000, 1);
  for (i = 0; i < TEST_COUNT(sizes); i++) {
    assert_int_equal(
        ipc_channel_call_wait(channel, large, sizes[i], LONG_MS, &data, &size),
        0);
    assert_int_equal(size, sizes[i]);
    pattern_check(data, size, 1);
  }
  for (i = 1; i < TEST_COUNT(timeouts); i++) {
    uint64_t from = uv_hrtime();

    assert_int_equal(
        ipc_channel_call_wait(channel, "-", 1, timeouts[i], &data, &size),
        UV_ETIMEDOUT);
    assert_not_early(from, timeouts[i]);
    assert_null(data);
  }
  /* A reply outlives a send, and can be sent itself. */
  assert_int_equal(ipc_channel_call_wait(channel, "why?", 4,
                                         IPC_CHANNEL_INFINITE, &data, &size),
                   0);
  assert_int_equal(ipc_channel_send_wait(channel, data, size, LONG_MS, NULL),
                   0);
  assert_memory_equal(data, "why?", 4);
  assert_true(hear(channel, "why?"));
  close_both();
  finish(&peer);
  nothing_is_left();
}

static void nobody_replies(void** state) {
  const void* data;
  size_t size;

  (void) state;
  fresh();
  serve_in_thread(1);
  connect_to_it();
  assert_int_equal(
      ipc_channel_call_wait(channel, "why?", 4, LONG_MS, &data, &size),
      UV_ENOSYS);
  close_both();
  finish(&peer);
  nothing_is_left();
}

/* ---- Closing ------------------------------------------------------------ */

static void count_server_close(ipc_server_t* closed) {
  ++*(int*) ipc_server_data(closed);
}

static void a_close_that_was_begun_before_is_waited_for(void** state) {
  ipc_close_result_t result;
  int closes = 0;

  (void) state;
  fresh();
  connect_to_holder();
  assert_int_equal(ipc_channel_send_copy(channel, "bye", 3, NULL, NULL), 0);
  assert_int_equal(ipc_channel_close(channel), 0);
  uv_sem_post(&peer.go);
  memset(&result, 0xff, sizeof(result));
  assert_int_equal(ipc_channel_close_wait(channel, &result), 0);
  assert_int_equal(result.status, 0);
  assert_int_equal(result.unsent + result.unconfirmed, 0);
  channel = NULL;
  finish(&peer);
  assert_int_equal(peer.number, 1);

  assert_int_equal(ipc_server_listen(NULL, &server_options, &closes, &server),
                   0);
  assert_int_equal(ipc_server_close(server, count_server_close), 0);
  assert_int_equal(ipc_server_close_wait(server), 0);
  assert_int_equal(closes, 1);
  server = NULL;
  nothing_is_left();
}

/* A channel that was never connected closes too. */
static void a_close_gives_up_connecting(void** state) {
  (void) state;
  fresh();
  ipc_client_options_set_wait_for_server(&client_options, 1);
  assert_int_equal(ipc_client_connect(NULL, &client_options, NULL, &channel),
                   0);
  assert_int_equal(ipc_channel_close_wait(channel, NULL), UV_ECANCELED);
  channel = NULL;
  nothing_is_left();
}

static void a_channel_outlives_its_server(void** state) {
  (void) state;
  fresh();
  listen_on_it();
  start(&peer, ask);
  assert_int_equal(ipc_server_accept_wait(server, LONG_MS, &channel), 0);
  assert_int_equal(ipc_server_close_wait(server), 0);
  server = NULL;
  assert_null(ipc_channel_server(channel));
  assert_int_equal(echo(channel), UV_EOF);
  /* The client has gone, and may not have confirmed the replies. */
  ipc_channel_close_wait(channel, NULL);
  channel = NULL;
  close_both();
  finish(&peer);
  nothing_is_left();
}

/* ---- What is refused ---------------------------------------------------- */

/* The callbacks of one side: each tries all that blocks. */
typedef struct witness_s {
  unsigned int ran; /* which, by number */
  int calls;
  int other; /* answers that were not UV_EALREADY */
  ipc_server_t* server;
} witness_t;

enum {
  ON_CONNECT,
  ON_STATE,
  ON_MESSAGE,
  ON_REQUEST,
  ON_END,
  ON_CLOSE,
  ON_ADMIT,
  ON_SERVER_CLOSE
};

#define RAN(callback) (1u << (callback))

static void try_server(witness_t* witness, int callback) {
  ipc_channel_t* none;

  witness->ran |= RAN(callback);
  witness->calls++;
  if (witness->server == NULL) return;
  witness->other +=
      ipc_server_accept_wait(witness->server, 0, &none) != UV_EALREADY;
  witness->other += ipc_server_close_wait(witness->server) != UV_EALREADY;
}

static void try_all(ipc_channel_t* on, int callback) {
  witness_t* witness = ipc_channel_data(on);
  const void* data;
  size_t size;

  try_server(witness, callback);
  witness->other += ipc_channel_send_wait(on, "x", 1, 0, NULL) != UV_EALREADY;
  witness->other += ipc_channel_recv_wait(on, 0, &data, &size) != UV_EALREADY;
  witness->other +=
      ipc_channel_call_wait(on, "x", 1, 1, &data, &size) != UV_EALREADY;
  witness->other += ipc_channel_close_wait(on, NULL) != UV_EALREADY;
}

static void try_on_connect(ipc_channel_t* on, int status) {
  (void) status;
  try_all(on, ON_CONNECT);
}

static void try_on_state(ipc_channel_t* on,
                         ipc_channel_state_t state,
                         int status) {
  (void) state, (void) status;
  try_all(on, ON_STATE);
}

static void try_on_message(ipc_channel_t* on, const void* data, size_t size) {
  (void) data, (void) size;
  try_all(on, ON_MESSAGE);
}

static void try_on_request(ipc_channel_t* on,
                           ipc_request_t request,
                           const void* data,
                           size_t size) {
  try_all(on, ON_REQUEST);
  reply(on, request, data, size);
}

static void try_on_end(ipc_channel_t* on, int status) {
  (void) status;
  try_all(on, ON_END);
}

static void try_on_close(ipc_channel_t* on, const ipc_close_result_t* result) {
  (void) result;
  try_all(on, ON_CLOSE);
}

static int try_on_admit(ipc_server_t* on, const ipc_peer_t* who) {
  (void) who;
  try_server(ipc_server_data(on), ON_ADMIT);
  return 0;
}

static void try_on_server_close(ipc_server_t* on) {
  try_server(ipc_server_data(on), ON_SERVER_CLOSE);
}

/* Sends a message, serves one call, ends, and waits for the end. */
static void serve_callbacks(peer_t* self) {
  ipc_channel_t* client;
  witness_t* witness = ipc_server_data(self->server);

  witness->server = self->server;
  CHECK(self, ipc_server_accept_wait(self->server, LONG_MS, &client) == 0);
  if (self->wrong) return;
  CHECK(self, say(client, "message") == 0);
  CHECK(self, hear(client, "done"));
  CHECK(self, ipc_channel_end(client) == 0);
  CHECK(self, !hear(client, ""));
  CHECK(self, ipc_channel_close_wait(client, NULL) == 0);
  CHECK(self, ipc_server_close(self->server, try_on_server_close) == 0);
  CHECK(self, ipc_server_close_wait(self->server) == 0);
}

static void nothing_blocks_inside_callbacks(void** state) {
  witness_t ours;
  witness_t theirs;
  const void* data;
  size_t size;

  (void) state;
  fresh();
  memset(&ours, 0, sizeof(ours));
  memset(&theirs, 0, sizeof(theirs));
  ipc_server_options_on_admit(&server_options, try_on_admit);
  ipc_server_options_on_state(&server_options, try_on_state);
  ipc_server_options_on_request(&server_options, try_on_request);
  ipc_server_options_on_end(&server_options, try_on_end);
  ipc_server_options_on_close(&server_options, try_on_close);
  ipc_client_options_on_connect(&client_options, try_on_connect);
  ipc_client_options_on_state(&client_options, try_on_state);
  ipc_client_options_on_message(&client_options, try_on_message);
  ipc_client_options_on_end(&client_options, try_on_end);
  ipc_client_options_on_close(&client_options, try_on_close);
  assert_int_equal(ipc_server_listen(NULL, &server_options, &theirs, &server),
                   0);
  start(&peer, serve_callbacks);
  server = NULL;

  assert_int_equal(ipc_client_connect_wait(&client_options, &ours, &channel),
                   0);
  /* The message comes before the reply. */
  assert_int_equal(
      ipc_channel_call_wait(channel, "why?", 4, LONG_MS, &data, &size), 0);
  assert_int_equal(say(channel, "done"), 0);
  assert_int_equal(ipc_channel_recv_wait(channel, LONG_MS, &data, &size),
                   UV_EOF);
  close_both();
  finish(&peer);
  assert_int_equal(ours.ran, RAN(ON_CONNECT) | RAN(ON_STATE) | RAN(ON_MESSAGE) |
                                 RAN(ON_END) | RAN(ON_CLOSE));
  assert_int_equal(theirs.ran, RAN(ON_ADMIT) | RAN(ON_STATE) | RAN(ON_REQUEST) |
                                   RAN(ON_END) | RAN(ON_CLOSE) |
                                   RAN(ON_SERVER_CLOSE));
  assert_int_equal(ours.other, 0);
  assert_int_equal(theirs.other, 0);
  nothing_is_left();
}

static void loops_of_the_caller_s_are_not_run(void** state) {
  pair_t pair;
  ipc_channel_t* none;
  const void* data;
  size_t size;

  (void) state;
  pair_init(&pair);
  pair_open(&pair);
  channel = pair.client.channel;
  assert_int_equal(ipc_server_accept_wait(pair.server, 0, &none), UV_EINVAL);
  assert_int_equal(ipc_server_close_wait(pair.server), UV_EINVAL);
  assert_int_equal(ipc_channel_send_wait(channel, "x", 1, 0, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(channel, 0, &data, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, "x", 1, 1, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_close_wait(channel, NULL), UV_EINVAL);
  channel = NULL;
  pair_finish(&pair);
}

static void senseless_arguments_are_refused(void** state) {
  ipc_channel_t* none;
  const void* data;
  size_t size;

  (void) state;
  assert_int_equal(ipc_server_accept_wait(NULL, 0, &none), UV_EINVAL);
  assert_int_equal(ipc_server_close_wait(NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_send_wait(NULL, "x", 1, 0, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(NULL, 0, &data, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(NULL, "x", 1, 1, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_close_wait(NULL, NULL), UV_EINVAL);
  assert_int_equal(ipc_client_connect_wait(NULL, NULL, &none), UV_EINVAL);

  fresh();
  assert_int_equal(ipc_client_connect_wait(&client_options, NULL, NULL),
                   UV_EINVAL);
  connect_to_holder();
  assert_int_equal(ipc_channel_send_wait(channel, "x", 1, -2, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_send_wait(channel, NULL, 1, 0, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(channel, -2, &data, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(channel, 0, NULL, &size), UV_EINVAL);
  assert_int_equal(ipc_channel_recv_wait(channel, 0, &data, NULL), UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, "x", 1, 0, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, "x", 1, -2, &data, &size),
                   UV_EINVAL);
  assert_int_equal(ipc_channel_call_wait(channel, "x", 1, 1, NULL, &size),
                   UV_EINVAL);
  close_to_holder();
  assert_int_equal(peer.number, 0);

  fresh();
  listen_on_it();
  assert_int_equal(ipc_server_accept_wait(server, -2, &none), UV_EINVAL);
  assert_int_equal(ipc_server_accept_wait(server, 0, NULL), UV_EINVAL);
  close_both();
  nothing_is_left();
}

static void failures_leave_nothing_behind(void** state) {
  ipc_server_t* second;
  int64_t call;
  int err;

  (void) state;
  fresh();
  listen_on_it();
  assert_int_equal(ipc_server_listen(NULL, &server_options, NULL, &second),
                   UV_EADDRINUSE);
  assert_null(second);
  close_both();

  err = UV_ENOMEM;
  for (call = 1; err == UV_ENOMEM; call++) {
    nothing_is_left();
    memories[0].calls = 0;
    memories[0].fail_from = call;
    memories[0].fail_to = call + 1;
    err = ipc_server_listen(NULL, &server_options, NULL, &server);
  }
  assert_int_equal(err, 0);
  assert_true(call > 4);
  close_both();

  err = UV_ENOMEM;
  for (call = 1; err == UV_ENOMEM; call++) {
    nothing_is_left();
    memories[1].calls = 0;
    memories[1].fail_from = call;
    memories[1].fail_to = call + 1;
    err = ipc_client_connect_wait(&client_options, NULL, &channel);
    assert_null(channel);
  }
  assert_int_equal(err, UV_ENOENT);
  assert_true(call > 4);
  nothing_is_left();
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(echoes_come_back),
      TEST(raw_bytes_come_back),
      TEST(bursts_are_received_one_by_one),
      TEST(a_call_leaves_what_was_received),
      TEST(a_wait_without_hope),
      TEST(no_timeout_takes_what_is_there),
      TEST(a_receive_is_not_early),
      TEST(a_call_is_not_forgotten),
      TEST(an_accept_is_not_early),
      TEST(connecting_is_not_early),
      TEST(a_late_send_is_completed_or_withdrawn),
      TEST(a_send_waits_for_room),
      TEST(a_large_send_waits_for_more_room),
      TEST(a_close_waits_for_the_peer_as_long_as_it_may),
      TEST(nobody_is_there),
      TEST(a_failure_is_closed_by_on_end),
      TEST(a_busy_server_says_so),
      TEST(a_client_waits_for_its_server),
      TEST(one_client_at_a_time),
      TEST(a_peer_is_killed_during_a_receive),
      TEST(calls_are_replied_to),
      TEST(nobody_replies),
      TEST(a_close_that_was_begun_before_is_waited_for),
      TEST(a_close_gives_up_connecting),
      TEST(a_channel_outlives_its_server),
      TEST(nothing_blocks_inside_callbacks),
      TEST(loops_of_the_caller_s_are_not_run),
      TEST(senseless_arguments_are_refused),
      TEST(failures_leave_nothing_behind),
  };
  static const test_role_t roles[] = {{"stay", play_stay}, {NULL, NULL}};

  return test_main(argc, argv, tests, TEST_COUNT(tests), roles);
}
