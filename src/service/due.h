/* What is due at a time: one timer for all of a service. */
#ifndef IPC_SERVICE_DUE_H
#define IPC_SERVICE_DUE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct ipc__due_s ipc__due_t;
struct ipc__due_s {
  uint64_t at; /* on the loop's clock */
  uint64_t order;
  size_t place; /* in the heap, from 1; 0: not in it */
  void (*call)(ipc__due_t* due);
};

typedef struct ipc__agenda_s {
  uv_timer_t timer;
  ipc__due_t** heap; /* from [1] on; the parent of [n] is [n / 2] */
  size_t count;
  size_t room;
  size_t reserved;
  uint64_t order;
  /* Runs all that is due; it calls ipc__agenda_run. */
  void (*on_time)(uv_timer_t* timer);
} ipc__agenda_t;

int ipc__agenda_init(ipc__agenda_t* agenda,
                     uv_loop_t* loop,
                     void (*on_time)(uv_timer_t* timer));
/* Whoever has something that may be due reserves its place as long as it lives,
 * so that setting it can't fail. UV_ENOMEM. */
int ipc__agenda_reserve(ipc__agenda_t* agenda);
void ipc__agenda_unreserve(ipc__agenda_t* agenda);
/* Sets it, or sets it anew; never before so many milliseconds have passed. With
 * IPC_CHANNEL_INFINITE it is never due. */
void ipc__agenda_set(ipc__agenda_t* agenda,
                     ipc__due_t* due,
                     int timeout_ms,
                     void (*call)(ipc__due_t* due));
/* In a next turn of the loop. */
void ipc__agenda_set_soon(ipc__agenda_t* agenda,
                          ipc__due_t* due,
                          void (*call)(ipc__due_t* due));
void ipc__agenda_clear(ipc__agenda_t* agenda, ipc__due_t* due);
/* Calls what is due, but not what becomes so meanwhile. */
void ipc__agenda_run(ipc__agenda_t* agenda);
void ipc__agenda_release(ipc__agenda_t* agenda);

#endif /* IPC_SERVICE_DUE_H */
