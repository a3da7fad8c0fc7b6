/* A command in the place of standard input and output, for one channel. */
#ifndef IPC_CHANNEL_TOOL_RUN_H
#define IPC_CHANNEL_TOOL_RUN_H

#include "talk.h"

/* Starts it; it is peer->run from then on. A failure is reported, and the exit
 * status for it returned. */
int run_begin(peer_t* peer);

/* What the channel has received, and its end. */
void run_message(run_t* run, const void* data, size_t size);
void run_end(run_t* run);

/* Whether the command has yet to read before the channel goes on. */
int run_is_blocked(const run_t* run);

/* The channel takes more. */
void run_drain(run_t* run);

/* Whether all that the command has said has been taken by the channel. */
int run_is_silent(const run_t* run);

/* The channel is done for: so is the command, which may take a moment to see
 * that. */
void run_quit(run_t* run);

/* Whether nothing is left of the command and its channels. */
int run_is_over(const run_t* run);

void run_release(run_t* run);

#endif /* IPC_CHANNEL_TOOL_RUN_H */
