/* A server and a client in one loop that count what happens to them, and
 * callbacks that must never come: what the tests of wrong calls share. */
#ifndef IPC_CHANNEL_TEST_ARGUMENTS_H
#define IPC_CHANNEL_TEST_ARGUMENTS_H

#include "harness.h"

typedef struct end_s {
  ipc_channel_t* channel;
  int opens;
  int status;
  int messages;
  size_t last_size;
  int ends;
  int end_status;
  int sent;
  int send_status;
  int closes;
  ipc_close_result_t result;
} end_t;

extern ipc_server_options_t server_options;
extern ipc_client_options_t client_options;
extern ipc_server_t* server; /* NULL: not yet, or closed */
extern int server_closes;
extern end_t ours; /* the client's */
extern end_t theirs;
extern int server_data; /* whose addresses the two are given */
extern int client_data;
extern int refusals; /* how often one that must never come has come */

/* Fills both builders, with one fresh name. */
void prepare(ipc_framing_t framing);
/* Listens and connects. */
void start(void);
/* Both, and runs until both sides are open. */
void open_both(ipc_framing_t framing);
/* Closes what the test has left open; each side has had one on_close then, and
 * nothing has come that must never come. */
void finish(void);

/* Nothing that was refused has left a trace. */
void expect_nothing_queued(ipc_channel_t* channel);

void on_connection(ipc_server_t* s, ipc_channel_t* channel);
void on_server_close(ipc_server_t* s);
/* `arg`: the end whose channel it is. */
void on_sent(ipc_channel_t* channel, void* arg, int status, size_t sent);

void never_sent(ipc_channel_t* channel, void* arg, int status, size_t sent);
void never_received(ipc_channel_t* channel,
                    void* arg,
                    int status,
                    const void* data,
                    size_t size);
void never_ready(ipc_channel_t* channel, void* arg, int status, int events);
void never_accepted(ipc_server_t* s,
                    void* arg,
                    int status,
                    ipc_channel_t* channel);

#endif /* IPC_CHANNEL_TEST_ARGUMENTS_H */
