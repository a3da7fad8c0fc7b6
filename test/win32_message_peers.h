/* Programs that know message pipes from the Win32 documentation and nothing of
 * this library or of libuv: roles for child processes. Each exits with 0, or
 * with a number that says where it found something wrong. */
#ifndef IPC_CHANNEL_TEST_WIN32_MESSAGE_PEERS_H
#define IPC_CHANNEL_TEST_WIN32_MESSAGE_PEERS_H

#include "harness.h"

/* The messages that both sides know: so many, of these sizes, each with its
 * number's pattern. */
#define PEER_MESSAGES 60
size_t peer_message_size(int n);

/* What the talkers send, small and many. */
#define TALK_MESSAGES 500
size_t talk_message_size(int n);

/* Roles, each with the name of a pipe:
 *  blocking_server    echoes one client's messages until that leaves
 *  overlapped_server  the same, by overlapped calls
 *  byte_server        makes a pipe of the type byte, and waits for its end
 *  client             sends PEER_MESSAGES and wants each back
 *  caller             the same, and connects anew for each
 *  talking_server     sends TALK_MESSAGES to its first client, and waits for
 *                     its end; a second argument, "empty", puts empty ones
 *                     between them; "hang" sends three and stays
 *  talking_client     the same to a server; leaves without waiting */
extern const test_role_t message_peers[];

#endif /* IPC_CHANNEL_TEST_WIN32_MESSAGE_PEERS_H */
