/* A pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) of deadlines, the
 * earliest at the root. It knows no clock and no loop. */
#include "deadline.h"

#include <stddef.h>

static int is_before(const ipc__deadline_t* a, const ipc__deadline_t* b) {
  if (a->at != b->at) return a->at < b->at;
  return (int32_t) (a->order - b->order) < 0; /* it may have wrapped */
}

/* Joins two heaps; the later root becomes the first child of the earlier. */
static ipc__deadline_t* meld(ipc__deadline_t* a, ipc__deadline_t* b) {
  ipc__deadline_t* later;

  if (a == NULL) return b;
  if (b == NULL) return a;
  if (is_before(b, a)) {
    later = a;
    a = b;
  } else {
    later = b;
  }
  later->next = a->child;
  later->previous = a;
  if (a->child != NULL) a->child->previous = later;
  a->child = later;
  a->next = NULL;
  a->previous = NULL;
  return a;
}

/* Joins a list of children: in pairs from the left, then from the right. */
static ipc__deadline_t* meld_children(ipc__deadline_t* first) {
  ipc__deadline_t* pairs = NULL;
  ipc__deadline_t* root = NULL;

  while (first != NULL) {
    ipc__deadline_t* second = first->next;
    ipc__deadline_t* rest = second == NULL ? NULL : second->next;
    ipc__deadline_t* pair;

    first->next = first->previous = NULL;
    if (second != NULL) second->next = second->previous = NULL;
    pair = meld(first, second);
    pair->next = pairs;
    pairs = pair;
    first = rest;
  }
  while (pairs != NULL) {
    ipc__deadline_t* rest = pairs->next;

    pairs->next = NULL;
    root = meld(root, pairs);
    pairs = rest;
  }
  return root;
}

ipc__deadline_t* ipc__deadline_insert(ipc__deadline_t* root,
                                      ipc__deadline_t* deadline) {
  deadline->child = deadline->next = deadline->previous = NULL;
  return meld(root, deadline);
}

ipc__deadline_t* ipc__deadline_remove(ipc__deadline_t* root,
                                      ipc__deadline_t* deadline) {
  ipc__deadline_t* children;

  children = meld_children(deadline->child);
  if (deadline != root) {
    if (deadline->previous->child == deadline) {
      deadline->previous->child = deadline->next;
    } else {
      deadline->previous->next = deadline->next;
    }
    if (deadline->next != NULL) deadline->next->previous = deadline->previous;
    children = meld(root, children);
  }
  deadline->child = deadline->next = deadline->previous = NULL;
  deadline->at = 0;
  return children;
}
