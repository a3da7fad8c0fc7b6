/* ipc-channel info and wait: who serves a name. Both probe it: that needs no
 * framing, and a server with the native framing doesn't surface it. One without
 * sees a client come and go, once, when the answer is that it is live. */
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "output.h"
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

static void add_text(text_t* text, const facts_t* facts) {
  text_add_string(text, "name     ");
  text_add_string(text, facts->name);
  text_add_string(text, "\nos name  ");
  text_add_string(text, facts->os.os_name);
  text_add_string(text, "\nlength   ");
  text_add_number(text, facts->os.os_name_length);
  text_add_string(text, " of ");
  text_add_number(text, facts->os.os_name_limit);
  text_add_string(text, "\nstate    ");
  text_add_string(text, facts->state);
  if (facts->peer.pid > 0) {
    text_add_string(text, "\npid      ");
    text_add_number(text, (unsigned long long) facts->peer.pid);
  }
  if (facts->peer.user[0] != '\0') {
    text_add_string(text, "\nuser     ");
    text_add_string(text, facts->peer.user);
  }
  text_add_byte(text, '\n');
}

static void add_member(text_t* text, const char* start, const char* value) {
  text_add_string(text, start);
  text_add_json_string(text, value, strlen(value));
}

/* One line; what isn't known is null. */
static void add_json(text_t* text, const facts_t* facts) {
  add_member(text, "{\"name\":", facts->name);
  add_member(text, ",\"os_name\":", facts->os.os_name);
  text_add_string(text, ",\"os_name_length\":");
  text_add_number(text, facts->os.os_name_length);
  text_add_string(text, ",\"os_name_limit\":");
  text_add_number(text, facts->os.os_name_limit);
  add_member(text, ",\"state\":", facts->state);
  if (facts->peer.pid > 0) {
    text_add_string(text, ",\"pid\":");
    text_add_number(text, (unsigned long long) facts->peer.pid);
  } else {
    text_add_string(text, ",\"pid\":null");
  }
  if (facts->peer.user[0] != '\0') {
    add_member(text, ",\"user\":", facts->peer.user);
  } else {
    text_add_string(text, ",\"user\":null");
  }
  text_add_string(text, "}\n");
}

int command_info(char** words) {
  arguments_t arguments;
  ipc_name_state_t state;
  facts_t facts;
  text_t text = {0};
  int status = arguments_info(words, &arguments);
  int err;

  if (status != 0) return status;
  memset(&facts, 0, sizeof(facts));
  facts.name = arguments.names[0];
  ipc_name_resolve(facts.name, &facts.os);
  err = ipc_name_probe(facts.name, &state, &facts.peer);
  if (err != 0 && err != UV_EACCES) {
    report(facts.name, "can't look: %s", uv_strerror(err));
    return STATUS_FAILED;
  }
  facts.state = err == 0 ? states[state] : "denied";
  if (arguments.json) {
    add_json(&text, &facts);
  } else {
    add_text(&text, &facts);
  }
  if (err != 0) {
    report(facts.name, "denied: it may not be opened");
    status = STATUS_DENIED;
  }
  err = output_text(&text);
  return err == 0 ? status : report_output(facts.name, err, "");
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
  switch (state) {
    case IPC_CHANNEL_NAME_BUSY:
      report_timeout(wait->name, wait->timeout_ms, "the server is busy");
      return STATUS_BUSY;
    case IPC_CHANNEL_NAME_STALE:
      return report_timeout(wait->name, wait->timeout_ms,
                            "its server has died");
    default:
      return report_timeout(wait->name, wait->timeout_ms, "nobody serves it");
  }
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

int command_wait(char** words) {
  uv_loop_t* loop = uv_default_loop();
  wait_t wait = {0};
  arguments_t arguments;
  uv_timer_t timer;
  int status = arguments_wait(words, &arguments);

  if (status != 0) return status;
  wait.name = arguments.names[0];
  wait.timeout_ms = arguments.timeout_ms;
  wait.deadline = uv_now(loop) + (uint64_t) wait.timeout_ms;
  uv_timer_init(loop, &timer);
  timer.data = &wait;
  uv_timer_start(&timer, on_timer, 0, INTERVAL_MS);
  uv_run(loop, UV_RUN_DEFAULT);
  return wait.status;
}
