/* What to wait for: an event that a helper thread sets when a packet has come
 * to the loop's completion port, which can't be waited for like other handles.
 * The thread takes the packet, gives it back for uv_run to find, and then keeps
 * its hands off the port until a run is over. It never calls libuv with the
 * loop, and never ends with a packet in its hands. */
#include "win32.h"

/* Before it tries again to give a packet back, when the system had no memory
 * for that. */
#define REPOST_PAUSE_MS 1

static void give_back(HANDLE port, const OVERLAPPED_ENTRY* packet) {
  /* libuv reads a failed operation's status from its OVERLAPPED, where it still
   * is. Losing the packet would hang its channel, so there is no giving up. */
  while (!PostQueuedCompletionStatus(port, packet->dwNumberOfBytesTransferred,
                                     packet->lpCompletionKey,
                                     packet->lpOverlapped)) {
    Sleep(REPOST_PAUSE_MS);
  }
}

static int is_stopping(ipc__backend_t* backend) {
  return InterlockedCompareExchange(&backend->is_stopping, 0, 0) != 0;
}

static void watch_port(void* arg) {
  ipc__backend_t* backend = arg;
  OVERLAPPED_ENTRY packet;
  ULONG count;

  while (!is_stopping(backend)) {
    /* Alertable, here and below, so that the end can be told from the packets
     * without one more of them in the port. */
    if (!GetQueuedCompletionStatusEx(backend->loop->iocp, &packet, 1, &count,
                                     INFINITE, TRUE)) {
      if (GetLastError() == WAIT_IO_COMPLETION) continue;
      return; /* The port is gone: the loop was closed first. */
    }
    if (count == 1) give_back(backend->loop->iocp, &packet);
    /* First this and then the event: a run that resets the event is sure to
     * see that we wait for it. A run that is about to end may look too early
     * and cost one run for nothing. */
    InterlockedExchange(&backend->is_waiting, 1);
    /* In one call, because the port lets one running thread at a time have its
     * packets: while this one is still on its feet, the loop's gets none. */
    while (SignalObjectAndWait(backend->ready, backend->look_again, INFINITE,
                               TRUE) == WAIT_IO_COMPLETION) {
      if (is_stopping(backend)) return;
    }
  }
}

int ipc__backend_open(uv_loop_t* loop, ipc__backend_t* backend) {
  int err;

  backend->loop = loop;
  backend->ready = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (backend->ready == NULL) return ipc__win32_error(GetLastError());
  backend->look_again = CreateEventW(NULL, FALSE, FALSE, NULL);
  if (backend->look_again == NULL) {
    err = ipc__win32_error(GetLastError());
    goto close_ready;
  }
  err = uv_thread_create(&backend->helper, watch_port, backend);
  if (err != 0) goto close_look_again;
  return 0;

close_look_again:
  CloseHandle(backend->look_again);
close_ready:
  CloseHandle(backend->ready);
  return err;
}

uv_os_fd_t ipc__backend_handle(const ipc__backend_t* backend) {
  return backend->ready;
}

void ipc__backend_before_run(ipc__backend_t* backend) {
  ResetEvent(backend->ready);
}

void ipc__backend_after_run(ipc__backend_t* backend) {
  if (InterlockedExchange(&backend->is_waiting, 0))
    SetEvent(backend->look_again);
}

static void CALLBACK wake(ULONG_PTR arg) {
  (void) arg; /* Ending the wait is all. */
}

void ipc__backend_close(ipc__backend_t* backend) {
  InterlockedExchange(&backend->is_stopping, 1);
  /* One that comes before the thread waits ends the wait when it begins. Can
   * fail only where the thread has ended already, or for want of memory. */
  while (!QueueUserAPC(wake, backend->helper, 0) &&
         WaitForSingleObject(backend->helper, REPOST_PAUSE_MS) ==
             WAIT_TIMEOUT) {
  }
  uv_thread_join(&backend->helper);
  CloseHandle(backend->look_again);
  CloseHandle(backend->ready);
}
