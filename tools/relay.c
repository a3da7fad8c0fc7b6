/* ipc-channel relay: each client of one name gets a connection of its own to
 * another. Bytes pass unchanged; nothing is framed, and an end on one side
 * becomes an end on the other after all that came before it. */
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "commands.h"
#include "monitor.h"
#include "pass.h"
#include "progress.h"
#include "report.h"
#include "stop.h"
#include "words.h"

typedef struct relay_s {
  const char* listen_name;
  const char* connect_name;
  ipc_server_t* server;
  struct pair_s* pairs;
  uint64_t connections; /* so far */
  int is_stopping;
} relay_t;

/* One end of a pair; it is its channel's data. */
typedef struct side_s {
  struct pair_s* pair;
  struct side_s* other;
  ipc_channel_t* channel; /* NULL: closed */
  pass_t pass;            /* what comes from here goes to the other */
  char direction;         /* of that, for the monitor */
  uint64_t passed_bytes;
  int has_ended;
  int is_broken; /* takes nothing any more; may still have something to say */
} side_t;

typedef struct pair_s {
  relay_t* relay;
  struct pair_s* next;
  uint64_t number;
  side_t front; /* the client */
  side_t back;  /* the server */
} pair_t;

/* What has been sent still arrives: a close writes the queue out first. */
static void close_pair(pair_t* pair) {
  if (pair->front.channel != NULL) ipc_channel_close(pair->front.channel);
  if (pair->back.channel != NULL) ipc_channel_close(pair->back.channel);
}

static void on_sent(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    size_t sent) {
  side_t* side = ipc_channel_data(channel);

  (void) arg, (void) sent;
  if (status == 0) return;
  /* What it has said before it left is still on its way here. */
  side->is_broken = 1;
  if (side->has_ended) close_pair(side->pair);
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  side_t* side = ipc_channel_data(channel);

  if (side->other->is_broken) return;
  progress_add(size);
  monitor_bytes(side->pair->number, side->direction, side->passed_bytes, data,
                size);
  side->passed_bytes += size;
  if (pass_message(&side->pass, data, size) == UV_ENOMEM) {
    close_pair(side->pair);
  }
}

static void on_drain(ipc_channel_t* channel) {
  side_t* side = ipc_channel_data(channel);

  if (pass_drain(&side->other->pass) == UV_ENOMEM) close_pair(side->pair);
}

static void on_end(ipc_channel_t* channel, int status) {
  side_t* side = ipc_channel_data(channel);

  side->has_ended = 1;
  monitor_ended(side->pair->number, side->direction, status);
  if (status < 0 || side->is_broken || side->other->has_ended) {
    close_pair(side->pair);
  } else if (ipc_channel_end(side->other->channel) == UV_ENOTSUP) {
    /* A pipe without half-close: what has ended can't be answered either. */
    close_pair(side->pair);
  }
}

static void remove_pair(pair_t* pair) {
  relay_t* relay = pair->relay;
  pair_t** link = &relay->pairs;

  while (*link != pair) link = &(*link)->next;
  *link = pair->next;
  monitor_closed(pair->number, pair->front.passed_bytes,
                 pair->back.passed_bytes);
  pass_release(&pair->front.pass);
  pass_release(&pair->back.pass);
  free(pair);
  if (relay->is_stopping && relay->pairs == NULL) monitor_stop();
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  side_t* side = ipc_channel_data(channel);

  (void) result;
  if (side == NULL) return;
  side->channel = NULL;
  if (side->other->channel == NULL) {
    remove_pair(side->pair);
  } else {
    close_pair(side->pair);
  }
}

static void on_connect(ipc_channel_t* channel, int status) {
  side_t* side = ipc_channel_data(channel);

  if (status == 0) return;
  if (status != UV_ECANCELED) {
    report_connect(side->pair->relay->connect_name, status, channel,
                   WORDS_TIMEOUT_MS);
  }
  close_pair(side->pair);
}

/* ---- Pairs -------------------------------------------------------------- */

static int connect_back(pair_t* pair) {
  const char* name = pair->relay->connect_name;
  ipc_client_options_t options;
  int err;

  ipc_client_options_init(&options, name);
  ipc_client_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_client_options_set_connect_timeout(&options, WORDS_TIMEOUT_MS);
  ipc_client_options_set_close_timeout(&options, IPC_CHANNEL_INFINITE);
  ipc_client_options_on_connect(&options, on_connect);
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_drain(&options, on_drain);
  ipc_client_options_on_end(&options, on_end);
  ipc_client_options_on_close(&options, on_close);
  err = ipc_client_connect(ipc_channel_loop(pair->front.channel), &options,
                           &pair->back, &pair->back.channel);
  if (err != 0) report_options(name, err, &options);
  return err;
}

static void init_side(side_t* side, pair_t* pair, side_t* other) {
  side->pair = pair;
  side->other = other;
  side->pass.from = side->channel;
  side->pass.to = other->channel;
  side->pass.on_sent = on_sent;
}

/* 0: unknown. */
static int64_t pid_of(const ipc_channel_t* channel) {
  ipc_peer_t peer;

  return ipc_channel_peer(channel, &peer) == 0 ? peer.pid : 0;
}

/* NULL: this client gets none. One that is the relay itself has come by another
 * spelling of the name it serves, and each pair would lead to the next. */
static pair_t* add_pair(relay_t* relay, ipc_channel_t* channel) {
  pair_t* pair;

  if (pid_of(channel) == uv_os_getpid()) {
    report(relay->connect_name, "it leads back to this relay");
    return NULL;
  }
  pair = calloc(1, sizeof(*pair));
  if (pair == NULL) return NULL;
  pair->relay = relay;
  pair->front.channel = channel;
  if (connect_back(pair) != 0) {
    free(pair);
    return NULL;
  }
  init_side(&pair->front, pair, &pair->back);
  init_side(&pair->back, pair, &pair->front);
  pair->front.direction = '>';
  pair->back.direction = '<';
  pair->next = relay->pairs;
  relay->pairs = pair;
  pair->number = ++relay->connections;
  return pair;
}

static void on_connection(ipc_server_t* server, ipc_channel_t* channel) {
  pair_t* pair = add_pair(ipc_server_data(server), channel);

  ipc_channel_set_data(channel, pair == NULL ? NULL : &pair->front);
  if (pair == NULL) {
    ipc_channel_close(channel);
  } else {
    monitor_opened(pair->number, pid_of(channel));
  }
}

/* ---- Life --------------------------------------------------------------- */

static void on_error(ipc_server_t* server, int status) {
  relay_t* relay = ipc_server_data(server);

  report(relay->listen_name, "can't take a client just now: %s",
         uv_strerror(status));
}

static void on_stop(void* arg) {
  relay_t* relay = arg;
  pair_t* pair;

  relay->is_stopping = 1;
  ipc_server_close(relay->server, NULL);
  for (pair = relay->pairs; pair != NULL; pair = pair->next) {
    if (pair->front.channel) ipc_channel_disconnect(pair->front.channel);
    if (pair->back.channel) ipc_channel_disconnect(pair->back.channel);
    close_pair(pair);
  }
  /* Else with the last pair. */
  if (relay->pairs == NULL) monitor_stop();
}

static int listen_to(relay_t* relay, uv_loop_t* loop) {
  ipc_server_options_t options;
  int err;

  ipc_server_options_init(&options, relay->listen_name);
  ipc_server_options_set_framing(&options, IPC_CHANNEL_FRAMING_RAW);
  ipc_server_options_set_close_timeout(&options, IPC_CHANNEL_INFINITE);
  ipc_server_options_on_connection(&options, on_connection);
  ipc_server_options_on_error(&options, on_error);
  ipc_server_options_on_message(&options, on_message);
  ipc_server_options_on_drain(&options, on_drain);
  ipc_server_options_on_end(&options, on_end);
  ipc_server_options_on_close(&options, on_close);
  err = ipc_server_listen(loop, &options, relay, &relay->server);
  return err == 0 ? 0 : report_listen(relay->listen_name, err, &options);
}

int command_relay(char** words) {
  uv_loop_t* loop = uv_default_loop();
  relay_t relay = {0};
  arguments_t arguments;
  int status = arguments_relay(words, &arguments);

  if (status != 0) return status;
  relay.listen_name = arguments.names[0];
  relay.connect_name = arguments.names[1];
  status = listen_to(&relay, loop);
  if (status != 0) return status;
  stop_watch(loop, on_stop, &relay);
  printf("READY\n");
  fflush(stdout);
  if (arguments.monitor) monitor_start(loop);
  uv_run(loop, UV_RUN_DEFAULT);
  progress_hide();
  if (monitor_is_stuck()) {
    /* exit would wait for the thread that writes. */
    fflush(NULL);
    _Exit(STATUS_OK);
  }
  return STATUS_OK;
}
