/* How long to wait before the next attempt, at something that many may be
 * attempting. */
#ifndef IPC_CHANNEL_BACKOFF_H
#define IPC_CHANNEL_BACKOFF_H

#include <stdint.h>

/* A state of the generator, of an object's own. */
uint32_t ipc__backoff_seed(const void* object);
/* `ms` give or take a quarter at random, 1 or more. */
int ipc__backoff_vary(int64_t ms, uint32_t* random);
/* The same of `*backoff_ms`, which doubles for the next time, up to `max_ms`.
 */
int ipc__backoff_next(int* backoff_ms, int max_ms, uint32_t* random);

#endif /* IPC_CHANNEL_BACKOFF_H */
