/* A ring of links, each a member of what is in the list. */
#ifndef IPC_SERVICE_LIST_H
#define IPC_SERVICE_LIST_H

#include <stddef.h>

typedef struct ipc__link_s ipc__link_t;
struct ipc__link_s {
  ipc__link_t* previous;
  ipc__link_t* next;
};

/* What `link` is the member `member` of. */
#define IPC__HOLDER(type, member, link) \
  ((type*) (void*) ((char*) (link) -offsetof(type, member)))

static inline void ipc__list_init(ipc__link_t* list) {
  list->previous = list->next = list;
}

static inline int ipc__list_is_empty(const ipc__link_t* list) {
  return list->next == list;
}

static inline void ipc__list_append(ipc__link_t* list, ipc__link_t* link) {
  link->previous = list->previous;
  link->next = list;
  list->previous->next = link;
  list->previous = link;
}

/* Leaves it alone in a ring of its own, so that it can be removed twice. */
static inline void ipc__list_remove(ipc__link_t* link) {
  link->previous->next = link->next;
  link->next->previous = link->previous;
  ipc__list_init(link);
}

/* All that is in `from`, to the end of `list`. */
static inline void ipc__list_move(ipc__link_t* list, ipc__link_t* from) {
  if (ipc__list_is_empty(from)) return;
  from->next->previous = list->previous;
  list->previous->next = from->next;
  from->previous->next = list;
  list->previous = from->previous;
  ipc__list_init(from);
}

#endif /* IPC_SERVICE_LIST_H */
