/* Pending operations: their memory and their lists. It knows nothing of what
 * they wait for. */
#include "op.h"

#include <string.h>

#include "alloc.h"

ipc__op_t* ipc__op_create(ipc__hub_t* hub, void* owner, void* arg) {
  ipc__op_t* op = hub->spare_ops;

  if (op != NULL) {
    hub->spare_ops = op->next;
    hub->spare_op_count--;
    memset(op, 0, sizeof(*op));
  } else {
    op = ipc__calloc(&hub->settings.allocator, sizeof(*op));
    if (op == NULL) return NULL;
  }
  op->owner = owner;
  op->arg = arg;
  return op;
}

void ipc__op_release(ipc__hub_t* hub, ipc__op_t* op) {
  ipc__hub_clear_deadline(hub, &op->deadline);
  if (hub->spare_op_count >= IPC__OP_SPARES) {
    ipc__free(&hub->settings.allocator, op);
    return;
  }
  op->next = hub->spare_ops;
  hub->spare_ops = op;
  hub->spare_op_count++;
}

void ipc__ops_append(ipc__ops_t* ops, ipc__op_t* op) {
  op->next = NULL;
  op->previous = ops->last;
  if (ops->last == NULL) {
    ops->first = op;
  } else {
    ops->last->next = op;
  }
  ops->last = op;
}

void ipc__ops_append_all(ipc__ops_t* ops, ipc__ops_t* more) {
  if (more->first == NULL) return;
  if (ops->last == NULL) {
    ops->first = more->first;
  } else {
    ops->last->next = more->first;
    more->first->previous = ops->last;
  }
  ops->last = more->last;
  more->first = more->last = NULL;
}

ipc__op_t* ipc__ops_pop(ipc__ops_t* ops) {
  ipc__op_t* op = ops->first;

  if (op != NULL) ipc__ops_remove(ops, op);
  return op;
}

/* From both ends: most ask for one of the oldest, or of the latest. */
ipc__op_t* ipc__ops_find(const ipc__ops_t* ops, ipc_op_t id) {
  ipc__op_t* older = ops->first;
  ipc__op_t* later = ops->last;

  for (; older != NULL; older = older->next, later = later->previous) {
    if (older->id == id) return older;
    if (later->id == id) return later;
  }
  return NULL;
}

ipc__op_t* ipc__ops_find_call(const ipc__ops_t* ops, uint32_t call) {
  ipc__op_t* older = ops->first;
  ipc__op_t* later = ops->last;

  for (; older != NULL; older = older->next, later = later->previous) {
    if (older->call == call) return older;
    if (later->call == call) return later;
  }
  return NULL;
}

size_t ipc__ops_count(const ipc__ops_t* ops) {
  const ipc__op_t* op = ops->first;
  size_t count = 0;

  for (; op != NULL; op = op->next) count++;
  return count;
}

void ipc__ops_remove(ipc__ops_t* ops, ipc__op_t* op) {
  if (op->previous == NULL) {
    ops->first = op->next;
  } else {
    op->previous->next = op->next;
  }
  if (op->next == NULL) {
    ops->last = op->previous;
  } else {
    op->next->previous = op->previous;
  }
  op->next = op->previous = NULL;
}

int ipc__op_is_timeout(int timeout_ms) {
  return timeout_ms >= 0 || timeout_ms == IPC_CHANNEL_INFINITE;
}
