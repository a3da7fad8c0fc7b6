/* ipc-channel info and wait: who serves a name. Both probe it: that needs no
 * framing, and a server with the native framing doesn't surface it. One without
 * sees a client come and go, once, when the answer is that it is live. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "report.h"

/* As often as a client that waits tries. */
#define INTERVAL_MS 10

static const char* const states[] = {"absent", "live", "busy", "stale",
                                     "foreign"};

typedef struct facts_s {
  const char* name;
  ipc_name_info_t os;
  const char* state;
  ipc_peer_t peer;
} facts_t;

static void print_text(const facts_t* facts) {
  printf("name     %s\n", facts->name);
  printf("os name  %s\n", facts->os.os_name);
  printf("length   %zu of %zu\n", facts->os.os_name_length,
         facts->os.os_name_limit);
  printf("state    %s\n", facts->state);
  if (facts->peer.pid > 0) {
    printf("pid      %lld\n", (long long) facts->peer.pid);
  }
  if (facts->peer.user[0] != '\0') printf("user     %s\n", facts->peer.user);
}

static void print_json_string(const char* text) {
  putchar('"');
  for (; *text != '\0'; text++) {
    if ((unsigned char) *text < 0x20) {
      printf("\\u%04x", (unsigned int) *text);
    } else {
      if (*text == '"' || *text == '\\') putchar('\\');
      putchar(*text);
    }
  }
  putchar('"');
}

/* One line; what isn't known is null. */
static void print_json(const facts_t* facts) {
  printf("{\"name\":");
  print_json_string(facts->name);
  printf(",\"os_name\":");
  print_json_string(facts->os.os_name);
  printf(",\"os_name_length\":%zu,\"os_name_limit\":%zu,\"state\":\"%s\"",
         facts->os.os_name_length, facts->os.os_name_limit, facts->state);
  if (facts->peer.pid > 0) {
    printf(",\"pid\":%lld", (long long) facts->peer.pid);
  } else {
    printf(",\"pid\":null");
  }
  printf(",\"user\":");
  if (facts->peer.user[0] != '\0') {
    print_json_string(facts->peer.user);
  } else {
    printf("null");
  }
  printf("}\n");
}

int command_info(const arguments_t* arguments) {
  ipc_name_state_t state;
  facts_t facts;
  int status = STATUS_OK;
  int err;

  memset(&facts, 0, sizeof(facts));
  facts.name = arguments->names[0];
  ipc_name_resolve(facts.name, &facts.os);
  err = ipc_name_probe(facts.name, &state, &facts.peer);
  if (err != 0 && err != UV_EACCES) {
    report(facts.name, "can't look: %s", uv_strerror(err));
    return STATUS_FAILED;
  }
  facts.state = err == 0 ? states[state] : "denied";
  if (arguments->json) {
    print_json(&facts);
  } else {
    print_text(&facts);
  }
  if (err != 0) {
    report(facts.name, "denied: it may not be opened");
    status = STATUS_DENIED;
  }
  if (fflush(stdout) != 0) {
    report(facts.name, "standard output: can't be written");
    status = STATUS_FAILED;
  }
  return status;
}

/* ---- Waiting ------------------------------------------------------------ */

typedef struct wait_s {
  const char* name;
  int timeout_ms;
  uint64_t deadline;
  int status;
} wait_t;

/* The deadline has passed in this state. */
static int report_state(const wait_t* wait, ipc_name_state_t state) {
  if (state == IPC_CHANNEL_NAME_BUSY) {
    report(wait->name, "timed out after %d ms: the server is busy",
           wait->timeout_ms);
    return STATUS_BUSY;
  }
  report(wait->name, "timed out after %d ms: %s", wait->timeout_ms,
         state == IPC_CHANNEL_NAME_STALE ? "its server has died"
                                         : "nobody serves it");
  return STATUS_TIMED_OUT;
}

/* Whether the wait is over; its status is set then. */
static int look(wait_t* wait, uint64_t now) {
  ipc_name_state_t state;
  int err = ipc_name_probe(wait->name, &state, NULL);

  if (err == UV_EACCES) {
    report(wait->name, "denied: it may not be opened");
    wait->status = STATUS_DENIED;
  } else if (err != 0) {
    report(wait->name, "can't look: %s", uv_strerror(err));
    wait->status = STATUS_FAILED;
  } else if (state == IPC_CHANNEL_NAME_LIVE) {
    wait->status = STATUS_OK;
  } else if (state == IPC_CHANNEL_NAME_FOREIGN) {
    report(wait->name, "what is there is not a socket");
    wait->status = STATUS_FAILED;
  } else if (now >= wait->deadline) {
    wait->status = report_state(wait, state);
  } else {
    return 0;
  }
  return 1;
}

static void on_timer(uv_timer_t* timer) {
  if (look(timer->data, uv_now(timer->loop))) {
    uv_close((uv_handle_t*) timer, NULL);
  }
}

int command_wait(const arguments_t* arguments) {
  uv_loop_t* loop = uv_default_loop();
  wait_t wait = {arguments->names[0], arguments->timeout_ms, 0, 0};
  uv_timer_t timer;

  wait.deadline = uv_now(loop) + (uint64_t) wait.timeout_ms;
  uv_timer_init(loop, &timer);
  timer.data = &wait;
  uv_timer_start(&timer, on_timer, 0, INTERVAL_MS);
  uv_run(loop, UV_RUN_DEFAULT);
  return wait.status;
}
