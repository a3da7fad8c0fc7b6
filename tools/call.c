/* ipc-channel call: one call of a JSON-RPC server, or a notification to it, or
 * an ear for its own. The call is made once there is a connection, so that what
 * stands in the way of that is told as with the other commands. */
#include "call.h"

#include <stdio.h>

#include "call_text.h"
#include "commands.h"
#include "report.h"
#include "stop.h"

/* Nothing of ours is on its way when a call is over. */
#define CLOSE_TIMEOUT_MS 200

/*   CONNECTING -> CONNECTED       on_came
 *   CONNECTED -> NOTIFIED         notify
 *   all of these -> OVER          finish */
typedef enum life_state_e {
  LIFE_CONNECTING,
  LIFE_CONNECTED,
  LIFE_NOTIFIED, /* the notification is sent, as far as we go */
  LIFE_OVER
} life_state_t;

typedef struct life_s {
  const call_t* call;
  life_state_t state;
  ipc_service_t* service;
  ipc_service_peer_t* peer;
  uint64_t began;
  int status;
} life_t;

static void finish(life_t* life, int status) {
  if (life->state == LIFE_OVER) return;
  life->state = LIFE_OVER;
  life->status = status;
  stop_unwatch();
  ipc_service_close(life->service, NULL);
}

static void on_stop(void* arg) {
  finish(arg, STATUS_OK);
}

/* ---- Printing ----------------------------------------------------------- */

int call_print(const call_t* call, const json_t* value) {
  text_t text = {0};

  call_add_json(&text, value, call->pretty || uv_guess_handle(1) == UV_TTY);
  text_add_string(&text, "\n");
  return call_write(&text);
}

void call_print_error(const ipc_service_answer_t* answer) {
  json_t* error = json_pack("{s:I,s:s,s:O*}", "code", (json_int_t) answer->code,
                            "message", answer->message, "data", answer->data);
  text_t text = {0};

  call_add_json(&text, error, 0);
  if (!text.has_failed) {
    fwrite(text.data, 1, text.size, stderr);
    fputc('\n', stderr);
  }
  text_release(&text);
  json_decref(error);
}

static int print_notification(const char* method, json_t* params) {
  json_t* value = json_pack("{s:s,s:O*}", "method", method, "params", params);
  text_t text = {0};
  int status;

  /* One line each, also on a terminal. */
  call_add_json(&text, value, 0);
  text_add_string(&text, "\n");
  status = call_write(&text);
  json_decref(value);
  return status;
}

/* ---- What comes --------------------------------------------------------- */

static void on_notification(ipc_service_t* service,
                            ipc_service_peer_t* peer,
                            const char* method,
                            json_t* params,
                            void* arg) {
  life_t* life = arg;
  int status;

  (void) service, (void) peer;
  if (life->state == LIFE_OVER) return;
  status = print_notification(method, params);
  if (status != STATUS_OK) finish(life, status);
}

static int report_answer(const life_t* life,
                         const ipc_service_answer_t* answer) {
  const char* name = life->call->name;

  switch (answer->status) {
    case UV_EREMOTEIO:
      call_print_error(answer);
      return STATUS_ERROR_REPLY;
    case UV_ETIMEDOUT:
      return report_timeout(name, life->call->timeout_ms, "no answer");
    case UV_EOF:
      report(name, "the server has left without an answer");
      return STATUS_FAILED;
    case UV_EPROTO:
      report(name, "bad frame: what came is no answer of JSON-RPC 2.0");
      return STATUS_BAD_FRAME;
    default:
      return report_end(name, answer->status);
  }
}

static void on_answer(ipc_service_t* service,
                      void* arg,
                      const ipc_service_answer_t* answer) {
  life_t* life = arg;
  const call_t* call = life->call;
  int status;

  (void) service;
  if (life->state == LIFE_OVER) return;
  if (answer->status != 0) {
    finish(life, report_answer(life, answer));
    return;
  }
  status = call->list ? call_print_list(call, answer->result)
                      : call_print(call, answer->result);
  if (status != STATUS_OK || !call->watch) finish(life, status);
}

/* ---- What goes ---------------------------------------------------------- */

/* A call's deadline counts from the beginning. */
static int time_left(const life_t* life) {
  uint64_t passed = (uv_hrtime() - life->began) / 1000000;
  uint64_t most = (uint64_t) life->call->timeout_ms;

  return passed < most ? (int) (most - passed) : 1;
}

static int notify(life_t* life) {
  int err = ipc_service_notify(life->peer, life->call->method,
                               json_incref(life->call->params));

  if (err != 0) return err;
  life->state = LIFE_NOTIFIED;
  /* Delivers it first. */
  return ipc_service_peer_close(life->peer);
}

static int begin(life_t* life) {
  const call_t* call = life->call;

  if (call->watch) stop_watch(ipc_service_loop(life->service), on_stop, life);
  if (call->notify) return notify(life);
  if (call->list) {
    return ipc_service_call(life->peer, "rpc.discover", NULL, time_left(life),
                            on_answer, life, NULL);
  }
  if (call->method == NULL) return 0;
  return ipc_service_call(life->peer, call->method, json_incref(call->params),
                          time_left(life), on_answer, life, NULL);
}

static void on_came(ipc_service_t* service,
                    ipc_service_event_t event,
                    ipc_service_peer_t* peer,
                    int status,
                    const char* text,
                    void* arg) {
  life_t* life = arg;
  int err;

  (void) service, (void) event, (void) peer, (void) status, (void) text;
  if (life->state == LIFE_OVER) return;
  life->state = LIFE_CONNECTED;
  err = begin(life);
  if (err == 0) return;
  if (err == UV_EINVAL) {
    report(life->call->name,
           "can't send it: it isn't UTF-8, or the framing "
           "has no such message");
  } else {
    report(life->call->name, "can't send it: %s", uv_strerror(err));
  }
  finish(life, err == UV_EINVAL ? STATUS_USAGE : STATUS_FAILED);
}

/* Whether the notification has left us. */
static int has_left(ipc_service_peer_t* peer) {
  ipc_channel_stats_t stats;

  return ipc_channel_stats(ipc_service_peer_channel(peer), &stats) == 0 &&
         stats.messages_sent > 0;
}

static void on_gone(ipc_service_t* service,
                    ipc_service_event_t event,
                    ipc_service_peer_t* peer,
                    int status,
                    const char* text,
                    void* arg) {
  life_t* life = arg;
  const call_t* call = life->call;

  (void) service, (void) event, (void) text;
  if (life->state == LIFE_OVER) return;
  if (life->state == LIFE_CONNECTING) {
    finish(life,
           report_connect(call->name, status, ipc_service_peer_channel(peer),
                          call->timeout_ms));
  } else if (life->state == LIFE_NOTIFIED && !has_left(peer)) {
    report(call->name, "the server has left before it had taken it");
    finish(life, STATUS_FAILED);
  } else {
    finish(life, status == 0 ? STATUS_OK : report_end(call->name, status));
  }
}

/* What came isn't JSON-RPC, or says that what we sent isn't: nothing better
 * will follow. */
static void on_error(ipc_service_t* service,
                     ipc_service_event_t event,
                     ipc_service_peer_t* peer,
                     int status,
                     const char* text,
                     void* arg) {
  life_t* life = arg;
  text_t words = {0};

  (void) service, (void) event, (void) peer;
  if (life->state == LIFE_OVER || status != UV_EPROTO) return;
  call_add_plain(&words, text);
  report(life->call->name,
         "bad frame: what came is no answer of JSON-RPC 2.0: %.*s",
         (int) words.size, words.size > 0 ? words.data : "");
  text_release(&words);
  finish(life, STATUS_BAD_FRAME);
}

/* ---- Life --------------------------------------------------------------- */

static int add_handlers(life_t* life) {
  ipc_service_t* service = life->service;
  int err =
      ipc_service_on_event(service, IPC_SERVICE_PEER_CAME, on_came, life, NULL);

  if (err == 0) {
    err = ipc_service_on_event(service, IPC_SERVICE_PEER_GONE, on_gone, life,
                               NULL);
  }
  if (err == 0) {
    err =
        ipc_service_on_event(service, IPC_SERVICE_ERROR, on_error, life, NULL);
  }
  if (err == 0 && life->call->watch) {
    err = ipc_service_on_rest(service, on_notification, life, NULL);
  }
  return err;
}

static int connect_to(life_t* life) {
  const call_t* call = life->call;
  ipc_client_options_t options;
  int err;

  ipc_client_options_init(&options, call->name);
  framing_set_client(&call->framing, &options);
  ipc_client_options_set_connect_timeout(&options, call->timeout_ms);
  ipc_client_options_set_wait_for_server(&options, call->wait);
  ipc_client_options_set_close_timeout(
      &options, call->notify ? call->timeout_ms : CLOSE_TIMEOUT_MS);
  err = ipc_service_connect(life->service, &options, NULL, &life->peer);
  return err == 0 ? 0 : report_options(call->name, err, &options);
}

static int run(const call_t* call) {
  ipc_service_options_t options;
  life_t life = {0};
  int err;
  int status;

  life.call = call;
  life.began = uv_hrtime();
  ipc_service_options_init(&options);
  err = ipc_service_create(uv_default_loop(), &options, &life, &life.service);
  if (err != 0) {
    report(call->name, "%s", uv_strerror(err));
    return STATUS_FAILED;
  }
  err = add_handlers(&life);
  if (err != 0) report(call->name, "%s", uv_strerror(err));
  status = err == 0 ? connect_to(&life) : STATUS_FAILED;
  if (status != 0) finish(&life, status);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return life.status;
}

int command_call(char** words) {
  call_t call;
  int status = call_parse(words, &call);

  if (status == 0) status = run(&call);
  call_release(&call);
  return status;
}
