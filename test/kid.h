/* A child process that writes down what happens to it, and to its channels. */
#ifndef IPC_CHANNEL_TEST_KID_H
#define IPC_CHANNEL_TEST_KID_H

#include "child_roles.h"
#include "pair.h"

typedef struct kid_s kid_t;

struct kid_s {
  ipc_child_options_t options;
  ipc_channel_options_t channels[4];
  side_t sides[4];
  ipc_child_t* child; /* NULL: not yet, or closed */
  int exits;
  int64_t status;
  int signal;
  int closes;
  int ends_at_exit; /* of its outputs, told before its exit */
  uint64_t bytes_at_exit;
  void (*on_exit)(kid_t* kid);
  int stays; /* on_exit doesn't close it */
};

/* Zeroes it and fills its builder: a role, without a limit to its drain time.
 */
void kid_prepare(kid_t* kid, const char* role, const char* argument);
/* Makes a slot a channel that kid->sides[slot] writes down, log included. */
void kid_use_channel(kid_t* kid, unsigned int slot);
void kid_spawn(kid_t* kid);
void kid_close(kid_t* kid);
/* Runs the loop dry; asserts that it is closed, and its channels. */
void kid_finish(kid_t* kid);
void kid_free(kid_t* kid);

/* Of one that is finished. */
void kid_assert_said(const kid_t* kid, unsigned int slot, const char* text);
void kid_assert_ended_well(const kid_t* kid);

#endif /* IPC_CHANNEL_TEST_KID_H */
