/* Two services that are connected, calls that write down how they end, and a
 * peer that says any text at all: what the tests of ipc_service share. */
#ifndef IPC_CHANNEL_TEST_SERVICE_PAIR_H
#define IPC_CHANNEL_TEST_SERVICE_PAIR_H

#include <ipc_service.h>

#include "harness.h"

#define EVENTS (IPC_SERVICE_PEER_GONE + 1)
#define FOREVER IPC_CHANNEL_INFINITE

/* One side. */
typedef struct party_s {
  ipc_service_options_t options;
  ipc_service_t* service;   /* NULL: not yet, or closed */
  ipc_service_peer_t* peer; /* the other; the last that came; NULL: gone */
  int events[EVENTS];
  int status[EVENTS]; /* of the last */
  char text[EVENTS][256];
  int quits;
  int is_closing;
  int closes;
  void (*on_event)(struct party_s* party, ipc_service_event_t event);
} party_t;

typedef struct duo_s {
  const char* name;
  ipc_server_options_t server_options;
  ipc_client_options_t client_options;
  party_t server;
  party_t client;
} duo_t;

/* Fills in all options; the test may then change them. */
void duo_init(duo_t* duo, ipc_framing_t framing);
/* The services alone. */
void duo_create(duo_t* duo);
/* Those, listening and connected; runs until each knows the other. */
void duo_open(duo_t* duo);
/* Closes what is open, and runs the loop dry. */
void duo_finish(duo_t* duo);

void party_init(party_t* party);
void party_create(party_t* party);
void party_close(party_t* party);
void party_quit(party_t* party, int grace_ms);

/* How a call has ended. Zeroed is ready. */
typedef struct said_s {
  ipc_service_op_t op;
  int ends;
  int status;
  json_t* result; /* ours */
  json_t* data;   /* ours */
  int64_t code;
  char message[128];
  uint64_t began_at;
  uint64_t ended_at;
  void (*on_end)(struct said_s* said);
  void* arg;
} said_t;
/* With the timeout of half a minute. */
int say_call(said_t* said,
             ipc_service_peer_t* peer,
             const char* method,
             json_t* params);
int say_call_for(said_t* said,
                 ipc_service_peer_t* peer,
                 const char* method,
                 json_t* params,
                 int timeout_ms);
void on_said(ipc_service_t* service,
             void* arg,
             const ipc_service_answer_t* answer);
/* Runs until it is over, and asserts how. */
void said_ends(said_t* said, int status);
void said_free(said_t* said);
/* The value says this JSON text, the order of members aside. */
void assert_json(const json_t* value, const char* text);
json_t* json_of(const char* text);

/* Runs until *count is at least `target`. */
void run_until(const int* count, int target);

/* A peer without the library: a channel of the newline framing. */
typedef struct wire_s {
  ipc_channel_t* channel; /* NULL: closed */
  int connects;
  int lines;
  char* text[256];
  int ends;
  int end_status;
  int is_deaf; /* reads nothing, until it is told so by 0 and resumed */
} wire_t;
void wire_connect(wire_t* wire, const char* name);
void wire_say(wire_t* wire, const char* text);
/* What it has heard as line `n` (0 is the first); runs until it has. */
const char* wire_line(wire_t* wire, int n);
void wire_close(wire_t* wire);

/* Methods for most tests. "echo" answers its params, "sum" adds the numbers of
 * an array, "wait" isn't answered: its request is kept in `waiting`. */
extern ipc_service_request_t waiting[2048];
extern int waiting_count;
void offer_methods(ipc_service_t* service);

#endif /* IPC_CHANNEL_TEST_SERVICE_PAIR_H */
