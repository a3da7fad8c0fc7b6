/* Deadlines in a pairing heap: no allocation, so that setting one can't fail,
 * and constant time to set one. */
#ifndef IPC_CHANNEL_DEADLINE_H
#define IPC_CHANNEL_DEADLINE_H

#include <stdint.h>

typedef struct ipc__deadline_s ipc__deadline_t;
typedef void (*ipc__deadline_cb)(ipc__deadline_t* deadline);

struct ipc__deadline_s {
  uint64_t at; /* on the loop's clock, ms; 0: not in the heap */
  ipc__deadline_cb expired;
  ipc__deadline_t* child;    /* the first of those that come later */
  ipc__deadline_t* next;     /* the next child of the same parent */
  ipc__deadline_t* previous; /* the child before, or the parent */
  uint32_t order;            /* of those that come at the same time */
  int keeps_loop;            /* the loop stays alive for it */
};

/* Both take the heap's root and give the new one; `at` and `order` are set. */
ipc__deadline_t* ipc__deadline_insert(ipc__deadline_t* root,
                                      ipc__deadline_t* deadline);
ipc__deadline_t* ipc__deadline_remove(ipc__deadline_t* root,
                                      ipc__deadline_t* deadline);

#endif /* IPC_CHANNEL_DEADLINE_H */
