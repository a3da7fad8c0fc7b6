/* Entries are put together in one buffer while another one is being written by
 * a thread of libuv's, so the loop never waits for whoever reads the output. */
#include "monitor.h"

#include <stdio.h>

#include "report.h"
#include "text.h"

/* What may wait to be written; more is left out. */
#define MAX_WAITING_BYTES ((size_t) 16 << 20)

/* How long an output without room may take at the end of the program. */
#define FLUSH_MS 1000

/* How soon to try again an output that somebody made non-blocking. */
#define RETRY_MS 10

#define BYTES_A_LINE 16

/*   NONE -> ON               monitor_start
 *   ON -> FAILED             give_up: the output takes nothing more
 *   ON, FAILED -> STOPPING   monitor_stop
 *   STOPPING -> STUCK        on_flush_timeout */
typedef enum monitor_state_e {
  MONITOR_NONE,
  MONITOR_ON,
  MONITOR_FAILED,
  MONITOR_STOPPING, /* what waits is still written */
  MONITOR_STUCK     /* in a write */
} monitor_state_t;

static struct {
  monitor_state_t state;
  uv_loop_t* loop;
  uv_timer_t timer;
  uv_fs_t request;
  text_t waiting;
  text_t leaving;
  size_t left; /* of `leaving` */
  uint64_t omitted_entries;
  uint64_t omitted_bytes;
  int is_writing; /* or waits to try again */
} monitor;

/* ---- Writing ------------------------------------------------------------ */

static void write_more(void);

static void on_retry(uv_timer_t* timer) {
  (void) timer;
  monitor.is_writing = 0;
  write_more();
}

static void release(void) {
  text_release(&monitor.waiting);
  text_release(&monitor.leaving);
  if (monitor.state == MONITOR_STOPPING &&
      !uv_is_closing((uv_handle_t*) &monitor.timer)) {
    uv_close((uv_handle_t*) &monitor.timer, NULL);
  }
}

static void give_up(int error) {
  report_output(NULL, error, "; the relay goes on without the monitor");
  if (monitor.state == MONITOR_ON) monitor.state = MONITOR_FAILED;
  monitor.left = 0;
  release();
}

static void on_written(uv_fs_t* request) {
  ssize_t result = request->result;

  uv_fs_req_cleanup(request);
  if (result == UV_EAGAIN && monitor.state == MONITOR_ON) {
    uv_timer_start(&monitor.timer, on_retry, RETRY_MS, 0);
    return;
  }
  monitor.is_writing = 0;
  if (result < 0) {
    give_up((int) result);
  } else {
    monitor.left -= (size_t) result;
    write_more();
  }
}

static void swap(void) {
  text_t done = monitor.leaving;

  text_clear(&done);
  monitor.leaving = monitor.waiting;
  monitor.waiting = done;
  monitor.left = monitor.leaving.size;
}

static void write_more(void) {
  uv_buf_t buffer;
  int err;

  if (monitor.is_writing) return;
  if (monitor.left == 0) swap();
  if (monitor.left == 0) {
    if (monitor.state == MONITOR_STOPPING) release();
    return;
  }
  buffer =
      uv_buf_init(monitor.leaving.data + monitor.leaving.size - monitor.left,
                  (unsigned int) monitor.left);
  monitor.is_writing = 1;
  err = uv_fs_write(monitor.loop, &monitor.request, 1, &buffer, 1, -1,
                    on_written);
  if (err != 0) {
    monitor.is_writing = 0;
    give_up(err);
  }
}

/* ---- Entries ------------------------------------------------------------ */

/* Whether the next entry, about so many bytes, has room. What had none is told
 * of first. */
static int begin_entry(uint64_t connection, size_t bytes) {
  text_t* text = &monitor.waiting;

  if (monitor.state != MONITOR_ON) return 0;
  if (text->size >= MAX_WAITING_BYTES) {
    monitor.omitted_entries++;
    monitor.omitted_bytes += bytes;
    return 0;
  }
  if (monitor.omitted_entries > 0) {
    text_add_time(text);
    text_add_string(text, " left out: ");
    text_add_number(text, monitor.omitted_entries);
    text_add_string(text, " entries, ");
    text_add_number(text, monitor.omitted_bytes);
    text_add_string(text, " bytes: the output is too slow\n");
    monitor.omitted_entries = monitor.omitted_bytes = 0;
  }
  text_add_time(text);
  text_add_string(text, " #");
  text_add_number(text, connection);
  return 1;
}

static void end_entry(size_t bytes) {
  if (monitor.waiting.has_failed) {
    monitor.waiting.has_failed = 0;
    monitor.omitted_entries++;
    monitor.omitted_bytes += bytes;
  }
  write_more();
}

static void add_direction(char direction) {
  text_add_byte(&monitor.waiting, ' ');
  text_add_byte(&monitor.waiting, direction);
  text_add_byte(&monitor.waiting, ' ');
}

void monitor_opened(uint64_t connection, int64_t pid) {
  if (!begin_entry(connection, 0)) return;
  text_add_string(&monitor.waiting, " opened");
  if (pid > 0) {
    text_add_string(&monitor.waiting, " by process ");
    text_add_number(&monitor.waiting, (unsigned long long) pid);
  }
  text_add_byte(&monitor.waiting, '\n');
  end_entry(0);
}

void monitor_ended(uint64_t connection, char direction, int status) {
  if (!begin_entry(connection, 0)) return;
  add_direction(direction);
  text_add_string(&monitor.waiting, "end");
  if (status != 0) {
    text_add_string(&monitor.waiting, ": ");
    text_add_string(&monitor.waiting, uv_strerror(status));
  }
  text_add_byte(&monitor.waiting, '\n');
  end_entry(0);
}

void monitor_closed(uint64_t connection, uint64_t there, uint64_t back) {
  if (!begin_entry(connection, 0)) return;
  text_add_string(&monitor.waiting, " closed,");
  add_direction('>');
  text_add_number(&monitor.waiting, there);
  text_add_string(&monitor.waiting, " bytes,");
  add_direction('<');
  text_add_number(&monitor.waiting, back);
  text_add_string(&monitor.waiting, " bytes\n");
  end_entry(0);
}

/* One line as `hexdump -C` has it. */
static void add_line(uint64_t offset, const unsigned char* bytes, size_t size) {
  static const char digits[] = "0123456789abcdef";
  char hex[3 * BYTES_A_LINE + 2];
  char start[24];
  char* at = hex;
  size_t i;

  for (i = 0; i < BYTES_A_LINE; i++) {
    if (i == BYTES_A_LINE / 2) *at++ = ' ';
    *at++ = i < size ? digits[bytes[i] >> 4] : ' ';
    *at++ = i < size ? digits[bytes[i] & 15] : ' ';
    *at++ = ' ';
  }
  snprintf(start, sizeof(start), "%08llx  ", (unsigned long long) offset);
  text_add_string(&monitor.waiting, start);
  text_add(&monitor.waiting, hex, (size_t) (at - hex));
  text_add_string(&monitor.waiting, " |");
  for (i = 0; i < size; i++) {
    text_add_byte(&monitor.waiting,
                  bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.');
  }
  text_add_string(&monitor.waiting, "|\n");
}

void monitor_bytes(uint64_t connection,
                   char direction,
                   uint64_t offset,
                   const void* data,
                   size_t size) {
  const unsigned char* bytes = data;
  size_t done;
  size_t part;

  if (!begin_entry(connection, size)) return;
  add_direction(direction);
  text_add_number(&monitor.waiting, size);
  text_add_string(&monitor.waiting, " bytes\n");
  for (done = 0; done < size; done += part) {
    part = size - done < BYTES_A_LINE ? size - done : BYTES_A_LINE;
    add_line(offset + done, bytes + done, part);
  }
  end_entry(size);
}

/* ---- Life --------------------------------------------------------------- */

void monitor_start(uv_loop_t* loop) {
  monitor.loop = loop;
  uv_timer_init(loop, &monitor.timer);
  monitor.state = MONITOR_ON;
}

static void on_flush_timeout(uv_timer_t* timer) {
  if (!monitor.is_writing) return;
  monitor.state = MONITOR_STUCK;
  uv_stop(timer->loop);
}

void monitor_stop(void) {
  if (monitor.state != MONITOR_ON && monitor.state != MONITOR_FAILED) return;
  monitor.state = MONITOR_STOPPING;
  if (monitor.is_writing) {
    uv_timer_start(&monitor.timer, on_flush_timeout, FLUSH_MS, 0);
  } else {
    write_more();
  }
}

int monitor_is_stuck(void) {
  return monitor.state == MONITOR_STUCK;
}
