/* A heap of times over one timer. The timer holds the loop while anything is
 * due: a call that waits for an answer keeps its program running. */
#include "due.h"

#include <ipc_channel.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 16u

static int is_before(const ipc__due_t* a, const ipc__due_t* b) {
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(ipc__agenda_t* agenda, size_t place, ipc__due_t* due) {
  agenda->heap[place] = due;
  due->place = place;
}

static void rise(ipc__agenda_t* agenda, size_t place, ipc__due_t* due) {
  while (place > 1 && is_before(due, agenda->heap[place / 2])) {
    put(agenda, place, agenda->heap[place / 2]);
    place /= 2;
  }
  put(agenda, place, due);
}

static void sink(ipc__agenda_t* agenda, size_t place, ipc__due_t* due) {
  size_t child;

  while ((child = 2 * place) <= agenda->count) {
    if (child < agenda->count &&
        is_before(agenda->heap[child + 1], agenda->heap[child])) {
      child++;
    }
    if (!is_before(agenda->heap[child], due)) break;
    put(agenda, place, agenda->heap[child]);
    place = child;
  }
  put(agenda, place, due);
}

static void arm(ipc__agenda_t* agenda) {
  uint64_t now = uv_now(agenda->timer.loop);
  uint64_t at;

  if (uv_is_closing((uv_handle_t*) &agenda->timer)) return;
  if (agenda->count == 0) {
    uv_timer_stop(&agenda->timer);
    return;
  }
  at = agenda->heap[1]->at;
  uv_timer_start(&agenda->timer, agenda->on_time, at > now ? at - now : 0, 0);
}

int ipc__agenda_init(ipc__agenda_t* agenda,
                     uv_loop_t* loop,
                     void (*on_time)(uv_timer_t* timer)) {
  /* A DLL may have a libuv of its own linked in, which this may be the first
   * call of; any time it is asked for initialises it. */
  uv_hrtime();
  memset(agenda, 0, sizeof(*agenda));
  agenda->on_time = on_time;
  return uv_timer_init(loop, &agenda->timer);
}

int ipc__agenda_reserve(ipc__agenda_t* agenda) {
  size_t room = agenda->room == 0 ? FIRST_ROOM : 2 * agenda->room;
  ipc__due_t** heap;

  if (agenda->reserved == agenda->room) {
    heap = realloc(agenda->heap, (room + 1) * sizeof(*heap));
    if (heap == NULL) return UV_ENOMEM;
    agenda->heap = heap;
    agenda->room = room;
  }
  agenda->reserved++;
  return 0;
}

void ipc__agenda_unreserve(ipc__agenda_t* agenda) {
  agenda->reserved--;
}

static void insert(ipc__agenda_t* agenda,
                   ipc__due_t* due,
                   uint64_t at,
                   void (*call)(ipc__due_t* due)) {
  due->at = at;
  due->order = agenda->order++;
  due->call = call;
  rise(agenda, ++agenda->count, due);
  if (due->place == 1) arm(agenda);
}

void ipc__agenda_set(ipc__agenda_t* agenda,
                     ipc__due_t* due,
                     int timeout_ms,
                     void (*call)(ipc__due_t* due)) {
  ipc__agenda_clear(agenda, due);
  if (timeout_ms == IPC_CHANNEL_INFINITE) return;
  /* The clock stands still during a turn, and cuts off fractions. */
  uv_update_time(agenda->timer.loop);
  insert(agenda, due, uv_now(agenda->timer.loop) + (uint64_t) timeout_ms + 1,
         call);
}

void ipc__agenda_set_soon(ipc__agenda_t* agenda,
                          ipc__due_t* due,
                          void (*call)(ipc__due_t* due)) {
  ipc__agenda_clear(agenda, due);
  insert(agenda, due, uv_now(agenda->timer.loop), call);
}

void ipc__agenda_clear(ipc__agenda_t* agenda, ipc__due_t* due) {
  size_t place = due->place;
  ipc__due_t* last;

  if (place == 0) return;
  due->place = 0;
  last = agenda->heap[agenda->count--];
  if (last != due) {
    if (place > 1 && is_before(last, agenda->heap[place / 2])) {
      rise(agenda, place, last);
    } else {
      sink(agenda, place, last);
    }
  }
  if (place == 1) arm(agenda);
}

void ipc__agenda_run(ipc__agenda_t* agenda) {
  uint64_t end = agenda->order;
  uint64_t now = uv_now(agenda->timer.loop);

  while (agenda->count > 0) {
    ipc__due_t* due = agenda->heap[1];

    if (due->at > now || due->order >= end) break;
    ipc__agenda_clear(agenda, due);
    due->call(due);
  }
  arm(agenda);
}

void ipc__agenda_release(ipc__agenda_t* agenda) {
  free(agenda->heap);
  agenda->heap = NULL;
}
