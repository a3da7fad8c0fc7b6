/* A ring of the sends that are under way, in the order in which they were made,
 * which is nearly that in which they end. It allocates only while it grows. */
#include "unsent.h"

#include <stdlib.h>

#define FIRST_ROOM 16u

static ipc_op_t* slot_of(const ipc__unsent_t* unsent, size_t place) {
  return &unsent->ops[place & (unsent->room - 1)];
}

int ipc__unsent_reserve(ipc__unsent_t* unsent) {
  ipc__unsent_t grown = *unsent;
  size_t place;

  if (unsent->end - unsent->begin < unsent->room) return 0;
  grown.room = unsent->room == 0 ? FIRST_ROOM : 2 * unsent->room;
  grown.ops = malloc(grown.room * sizeof(*grown.ops));
  if (grown.ops == NULL) return UV_ENOMEM;
  for (place = unsent->begin; place != unsent->end; place++) {
    *slot_of(&grown, place) = *slot_of(unsent, place);
  }
  free(unsent->ops);
  *unsent = grown;
  return 0;
}

void ipc__unsent_add(ipc__unsent_t* unsent, ipc_op_t op) {
  *slot_of(unsent, unsent->end++) = op;
}

void ipc__unsent_remove(ipc__unsent_t* unsent, size_t place) {
  *slot_of(unsent, place) = 0;
  while (unsent->begin != unsent->end && *slot_of(unsent, unsent->begin) == 0) {
    unsent->begin++;
  }
}

ipc_op_t ipc__unsent_get(const ipc__unsent_t* unsent, size_t place) {
  return *slot_of(unsent, place);
}

void ipc__unsent_release(ipc__unsent_t* unsent) {
  free(unsent->ops);
  unsent->ops = NULL;
}
