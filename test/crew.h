/* A worker that writes down what happens to it; and what the tests have their
 * workers do. */
#ifndef IPC_CHANNEL_TEST_CREW_H
#define IPC_CHANNEL_TEST_CREW_H

#include "pair.h"

/*  work [TEXT]    sends TEXT, a variable and its directory, if it is given one;
 *                 replies to requests with what they are; leaves when its
 *                 channel ends, with the number of the messages that begin with
 *                 '#'. Other messages it echoes, but for
 *                   exit N   ends with that status
 *                   hang     does nothing more
 *                   leave    closes its channel, and stays
 *                   end      ends its side of it, and stays till the other does
 *  deaf           the same, but ignores SIGTERM, and its channel's end
 *  mute           never picks up its channel
 *  quit N         ends with that status at once */
extern const test_role_t crew_roles[];

/* Whose value a TEXT is sent with. */
#define CREW_VARIABLE "TEST_CREW"

#define CREW_EXITS 64

typedef struct hand_s hand_t;

struct hand_s {
  ipc_worker_options_t options;
  ipc_channel_options_t channel_options;
  ipc_worker_t* worker; /* NULL: not yet, or closed */

  int readies;
  int exits;
  ipc_worker_exit_t told[CREW_EXITS]; /* the first of them */
  uint64_t told_at[CREW_EXITS];       /* uv_hrtime */
  int closes;

  /* Of all lives' channels. */
  int messages;
  char last[1200]; /* message */
  int ends;
  int end_status;
  int gone;
  int replies;
  int failed_calls;

  /* What to do besides; NULL: nothing. */
  void (*on_ready)(hand_t* hand);
  void (*on_exit)(hand_t* hand);
  void (*on_message)(hand_t* hand);
  void (*on_connect)(hand_t* hand);
  void (*on_end)(hand_t* hand);
  void (*on_gone)(hand_t* hand);
  void (*on_reply)(hand_t* hand);
  int stays; /* the last exit doesn't close it */
};

/* Zeroes it and fills both builders, for a role. */
void hand_prepare(hand_t* hand, const char* role, const char* argument);
void hand_prepare_program(hand_t* hand,
                          const char* path,
                          const char* const* args);
void hand_spawn(hand_t* hand);
/* Both, and runs until it is ready. */
void hand_start(hand_t* hand, const char* role);
void hand_say(hand_t* hand, const char* text);
void hand_call(hand_t* hand, const char* text);
void hand_close(hand_t* hand);
/* Runs the loop dry; asserts that it has closed, and all its channels. */
void hand_finish(hand_t* hand);
/* The exit before now. */
const ipc_worker_exit_t* hand_told(const hand_t* hand);
/* Whether a wait is one of `nominal_ms`, give or take a quarter. */
int is_backoff(int ms, int nominal_ms);

#endif /* IPC_CHANNEL_TEST_CREW_H */
