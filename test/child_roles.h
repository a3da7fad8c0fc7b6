/* The programs that the tests of child processes spawn, which are the test
 * program itself in a role. */
#ifndef IPC_CHANNEL_TEST_CHILD_ROLES_H
#define IPC_CHANNEL_TEST_CHILD_ROLES_H

#include "harness.h"

/*  exit N         ends with that status
 *  cat            copies its input to its output
 *  spam N         writes N bytes to both outputs, beside each other
 *  say            writes 1 and 3 to its output, 2 to its error output
 *  sleep          says ready and never ends
 *  stubborn       the same, and ignores SIGTERM
 *  parent         leaves a cat behind, which has its streams, ends with 3
 *  leave          the same with a nap, which says ready and then a few seconds
 *                 nothing
 *  nest           has a child of its own say, on its own streams
 *  inherit        echoes messages on the extra channel; 11: there is none
 *  environ NAME   writes a variable and its directory, a line each
 *  stdio FORMAT   echoes messages (lines, content), or raw bytes, on channels
 *                 that it has made of its streams; 21, 22: can't make them
 *  mourn FORMAT   the same, and tells of the end on its error output
 *  bereave        says ready, leaves one that mourns behind when it is killed
 */
extern const test_role_t child_roles[];

/* What spam writes to its output, and to its error output. */
#define SPAM_OUT 'o'
#define SPAM_ERR 'e'

/* The status of a parent, and of an inherit without a channel. */
#define PARENT_STATUS 3
#define NO_CHANNEL_STATUS 11

/* Fills a builder for a child in a role; lives until the next three. */
void child_options(ipc_child_options_t* options,
                   const char* role,
                   const char* argument);

#endif /* IPC_CHANNEL_TEST_CHILD_ROLES_H */
