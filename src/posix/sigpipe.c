/* Writing to what can't be told to raise no SIGPIPE: the signal is held back in
 * this thread alone, and what our write has raised is taken from the thread
 * before the mask is as it was. The process's disposition is never touched, and
 * no signal that isn't ours is lost.
 *
 * A SIGPIPE that a write raises goes to the thread that writes, so that it is
 * pending here, ignored or not, and nobody else can take it. */
#include <errno.h>

#include "posix.h"

static int is_pending(void) {
  sigset_t pending;

  return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void only_sigpipe(sigset_t* set) {
  sigemptyset(set);
  sigaddset(set, SIGPIPE);
}

void ipc__sigpipe_hold(ipc__sigpipe_t* held) {
  sigset_t set;

  only_sigpipe(&set);
  pthread_sigmask(SIG_BLOCK, &set, &held->before);
  /* What isn't blocked doesn't stay pending. */
  held->was_pending = sigismember(&held->before, SIGPIPE) == 1 && is_pending();
}

/* Asked after every write, also one that seems to have worked: a part may have
 * been taken before the reader went. */
void ipc__sigpipe_release(const ipc__sigpipe_t* held) {
  sigset_t set;
  int signal_number;
  int saved;

  saved = errno;
  if (!held->was_pending && is_pending()) {
    only_sigpipe(&set);
    while (sigwait(&set, &signal_number) == EINTR) continue;
  }
  pthread_sigmask(SIG_SETMASK, &held->before, NULL);
  errno = saved;
}
