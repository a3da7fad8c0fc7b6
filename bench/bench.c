/* main of every peer: the command line, what is sent when, and what is counted.
 * A client runs each workload twice, to warm up and, when its standard input
 * says so, to be measured; then it prints one line of figures and exits. */
#include "bench.h"
#include "message.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

bench_options_t bench;

/* Reading the clock costs as much as sending some small messages. */
#define CLOCK_EVERY 256

/* How much a client has in messages of its own, at least two. */
#define WINDOW_BYTES (1024 * 1024)

#define WARM_UP_SHARE 5 /* of the duration, or the count */

/* --- what the process has used ------------------------------------------- */

/* In bench/counting.c, where that is preloaded. */
static uint64_t counter(const char* name) {
  uint64_t (*read_counter)(void);
  *(void**) &read_counter = dlsym(RTLD_DEFAULT, name);
  return read_counter != NULL ? read_counter() : 0;
}

static uint64_t microseconds(const struct timeval* time) {
  return (uint64_t) time->tv_sec * 1000000 + (uint64_t) time->tv_usec;
}

static message_figures_t figures_now(uint64_t messages) {
  message_figures_t now;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  now.messages = messages;
  now.cpu_us = microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime);
  now.allocations = counter("counted_allocations");
  now.system_calls = counter("counted_system_calls");
  now.heap_bytes = counter("counted_heap_bytes");
  return now;
}

static message_figures_t figures_since(const message_figures_t* before,
                                       uint64_t messages) {
  message_figures_t now = figures_now(messages);
  now.cpu_us -= before->cpu_us;
  now.allocations -= before->allocations;
  now.system_calls -= before->system_calls;
  now.heap_bytes -= before->heap_bytes;
  return now;
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* --- server --------------------------------------------------------------- */

/* Of each client: which message is due, and the last reply, which may be
 * borrowed while others are served. */
static struct {
  uint32_t* due;
  char* last_replies;
  size_t last_size;
  /* At the first message of a phase, whichever client's. */
  message_figures_t before;
  uint32_t phase;
} server;

static void server_init(void) {
  server.last_size =
      bench.workload == BENCH_ONE_WAY ? BENCH_ACK_SIZE : bench.size;
  server.phase = UINT32_MAX;
  server.due = calloc(bench.clients, sizeof *server.due);
  server.last_replies = message_allocate(bench.clients, server.last_size);
  if (server.due == NULL) bench_fail("no memory");
}

static void begin_served_phase(uint32_t phase) {
  if (phase == server.phase) return;
  server.phase = phase;
  server.before = figures_now(0);
}

static void send_last_reply(void* connection, message_header_t header) {
  char* reply = server.last_replies + header.client * server.last_size;
  message_figures_t figures =
      figures_since(&server.before, server.due[header.client]);
  header.size = (uint32_t) server.last_size;
  message_set_figures(reply, &figures);
  message_stamp(reply, &header);
  if (peer_send(connection, reply, server.last_size) == BENCH_FULL) {
    bench_fail("no room for a reply");
  }
}

static void serve_message(void* connection, const char* data, size_t size) {
  message_header_t header = message_check(data, size);

  if (size != bench.size || header.client >= bench.clients) {
    bench_fail("not a message of this run");
  }
  if (header.flags & MESSAGE_FIRST) {
    server.due[header.client] = 0;
    begin_served_phase(header.flags & MESSAGE_MEASURED);
  }
  if (header.sequence != server.due[header.client]++) {
    bench_fail("message %u came when %u was due", header.sequence,
               server.due[header.client] - 1);
  }
  if (header.flags & MESSAGE_LAST) {
    send_last_reply(connection, header);
  } else if (bench.workload != BENCH_ONE_WAY) {
    peer_echo(connection, data, size);
  }
}

/* --- client --------------------------------------------------------------- */

static struct {
  void* connection;
  char* messages; /* a ring of those that may be borrowed */
  unsigned window;
  unsigned next;
  unsigned in_flight;
  uint32_t sent;
  uint64_t count; /* when to stop */
  double begin, deadline;
  int is_measured;
  int is_sending; /* the last one of the phase hasn't been sent */
  message_figures_t before;
} client;

static void client_init(void) {
  client.window = 1;
  if (bench.workload == BENCH_ONE_WAY) {
    client.window = (unsigned) (WINDOW_BYTES / bench.size);
    if (client.window < 2) client.window = 2;
  }
  client.messages = message_allocate(client.window, bench.size);
  /* There is nothing to warm up. */
  client.is_measured = bench.workload == BENCH_IDLE;
}

static int is_last(void) {
  if (client.count != 0) return client.sent + 1 == client.count;
  if (bench.workload == BENCH_ONE_WAY && bench.size <= 1024 &&
      client.sent % CLOCK_EVERY != 0) {
    return 0;
  }
  return seconds_now() >= client.deadline;
}

static int send_next(void) {
  message_header_t header = {client.sent, 0, bench.client,
                             (uint32_t) bench.size};
  char* message = client.messages + client.next * bench.size;

  if (client.is_measured) header.flags |= MESSAGE_MEASURED;
  if (client.sent == 0) header.flags |= MESSAGE_FIRST;
  if (is_last()) header.flags |= MESSAGE_LAST;
  message_stamp(message, &header);
  switch (peer_send(client.connection, message, bench.size)) {
    case BENCH_FULL:
      return 0;
    case BENCH_COPIED:
      break;
    case BENCH_BORROWED:
      client.in_flight++;
      client.next = (client.next + 1) % client.window;
      break;
  }
  client.sent++;
  client.is_sending = !(header.flags & MESSAGE_LAST);
  return 1;
}

/* Returns how many of `limit` were sent. */
static unsigned fill(unsigned limit) {
  unsigned count;
  for (count = 0;
       count < limit && client.is_sending && client.in_flight < client.window;
       count++) {
    if (!send_next()) break;
  }
  return count;
}

static void begin_phase(void) {
  unsigned share = client.is_measured ? 1 : WARM_UP_SHARE;
  client.sent = 0;
  client.is_sending = 1;
  client.count = bench.count == 0 ? 0 : (bench.count + share - 1) / share;
  client.before = figures_now(0);
  client.begin = seconds_now();
  client.deadline = client.begin + bench.duration_ms / 1e3 / share;
  switch (bench.workload) {
    case BENCH_ROUND_TRIP:
      send_next();
      break;
    case BENCH_ONE_WAY:
      if (bench.per_turn == 0) fill(UINT32_MAX);
      break;
    case BENCH_CONNECT:
    case BENCH_IDLE:
      peer_connect();
      break;
  }
}

static void print_side(const char* side, const message_figures_t* figures) {
  printf(" %s_cpu_us=%llu", side, (unsigned long long) figures->cpu_us);
  printf(" %s_allocations=%llu", side,
         (unsigned long long) figures->allocations);
  printf(" %s_system_calls=%llu", side,
         (unsigned long long) figures->system_calls);
  printf(" %s_heap_bytes=%llu", side, (unsigned long long) figures->heap_bytes);
}

static void print_figures(const message_figures_t* theirs) {
  double end = seconds_now();
  message_figures_t ours = figures_since(&client.before, client.sent);
  printf("count=%u begin=%.9f end=%.9f", client.sent, client.begin, end);
  print_side("client", &ours);
  print_side("server", theirs);
  printf("\n");
}

static void end_phase(const message_figures_t* theirs) {
  if (client.is_measured) {
    print_figures(theirs);
    exit(0);
  }
  /* All clients begin together. */
  printf("ready\n");
  fflush(stdout);
  if (getchar() == EOF) bench_fail("nobody says when to begin");
  client.is_measured = 1;
  begin_phase();
}

/* The last reply of a phase, kept until a connection is closed. */
static message_figures_t last_figures;

static void drive_message(void* connection, const char* data, size_t size) {
  message_header_t header = message_check(data, size);
  int is_over = (header.flags & MESSAGE_LAST) != 0;

  if (header.sequence != client.sent - 1 || header.client != bench.client) {
    bench_fail("reply %u came when %u was due", header.sequence,
               client.sent - 1);
  }
  if (is_over) {
    last_figures = message_get_figures(data);
    if (last_figures.messages != client.sent) {
      bench_fail("%llu messages of %u arrived",
                 (unsigned long long) last_figures.messages, client.sent);
    }
  }
  if (bench.workload == BENCH_CONNECT) {
    peer_close(connection);
  } else if (is_over) {
    end_phase(&last_figures);
  } else if (bench.workload == BENCH_IDLE) {
    peer_connect();
  } else {
    send_next();
  }
}

void bench_connected(void* connection) {
  client.connection = connection;
  if (bench.workload == BENCH_CONNECT || bench.workload == BENCH_IDLE) {
    send_next();
  } else {
    begin_phase();
  }
}

void bench_closed(void) {
  if (bench.is_server) return;
  if (client.is_sending) {
    peer_connect();
  } else {
    end_phase(&last_figures);
  }
}

void bench_message(void* connection, const char* data, size_t size) {
  if (bench.is_server) {
    serve_message(connection, data, size);
  } else {
    drive_message(connection, data, size);
  }
}

void bench_sent(void* connection) {
  if (bench.is_server) return;
  client.in_flight--;
  bench_writable(connection);
}

void bench_writable(void* connection) {
  (void) connection;
  if (bench.is_server || bench.workload != BENCH_ONE_WAY) return;
  if (bench.per_turn == 0) fill(UINT32_MAX);
}

int bench_turn(void* connection) {
  return connection != client.connection ||
         fill(bench.per_turn) == bench.per_turn;
}

/* --- the program ---------------------------------------------------------- */

_Noreturn void bench_fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "%s: ", bench.is_server ? "server" : "client");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  exit(1);
}

void bench_check(int status, const char* what) {
  if (status < 0) bench_fail("%s: error %d (errno %d)", what, status, errno);
}

static void parse_pair(const char* pair) {
  const char* equals = strchr(pair, '=');
  uint64_t value = equals != NULL ? strtoull(equals + 1, NULL, 10) : 0;
  size_t length = equals != NULL ? (size_t) (equals - pair) : 0;

  if (length == 4 && memcmp(pair, "size", length) == 0) {
    bench.size = (size_t) value;
  } else if (length == 7 && memcmp(pair, "clients", length) == 0) {
    bench.clients = (unsigned) value;
  } else if (length == 6 && memcmp(pair, "client", length) == 0) {
    bench.client = (unsigned) value;
  } else if (length == 8 && memcmp(pair, "per_turn", length) == 0) {
    bench.per_turn = (unsigned) value;
  } else if (length == 11 && memcmp(pair, "duration_ms", length) == 0) {
    bench.duration_ms = (unsigned) value;
  } else if (length == 5 && memcmp(pair, "count", length) == 0) {
    bench.count = value;
  } else {
    bench_fail("what is %s?", pair);
  }
}

static bench_workload_t parse_workload(const char* name) {
  static const char* const names[] = {"round_trip", "one_way", "connect",
                                      "idle"};
  unsigned i;
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(name, names[i]) == 0) return (bench_workload_t) i;
  }
  bench_fail("no such workload: %s", name);
}

int main(int argc, char** argv) {
  int i;
  if (argc < 4) bench_fail("usage: serve|drive WORKLOAD ADDRESS KEY=NUMBER...");
  bench.is_server = strcmp(argv[1], "serve") == 0;
  bench.workload = parse_workload(argv[2]);
  bench.address = argv[3];
  bench.size = BENCH_ACK_SIZE;
  bench.clients = 1;
  bench.duration_ms = 100;
  for (i = 4; i < argc; i++) parse_pair(argv[i]);

  if (bench.is_server) {
    server_init();
    peer_listen();
    printf("ready\n");
    fflush(stdout);
  } else {
    client_init();
    if (bench.workload == BENCH_CONNECT || bench.workload == BENCH_IDLE) {
      begin_phase();
    } else {
      peer_connect();
    }
  }
  peer_run();
  bench_fail("ended early");
}
