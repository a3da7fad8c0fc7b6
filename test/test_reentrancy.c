/* Every function may be called from every callback: a table of both, each entry
 * a small conversation in which the callback makes the call once. Whatever it
 * does to the conversation, everything closes, once, and nothing is left. */
#include "child_roles.h"
#include "reentrancy.h"

/* ---- One callback, every call -------------------------------------------- */

/* Not every callback is there in every manner. */
static int has_event(manner_t manner, event_t event, int is_far) {
  switch (event) {
    case ON_RECONNECTING:
    case ON_BROKEN:
    case ON_SEND_TIMED_OUT: /* what is due to the other end */
      return manner != BLOCKS;
    case ON_ACCEPT_TIMED_OUT:
    case ON_ACCEPT_CANCELLED:
      return manner == PULL;
    case ON_MESSAGE:
      return manner != PULL;
    case ON_CALL_TIMED_OUT: /* takes its time */
      return manner != OWNED;
    case ON_OPEN:
      return !is_far || manner == PUSH || manner == PULL;
    default:
      return 1;
  }
}

/* Nor does each make a difference to every call. */
static int has_entry(const talk_t* entry) {
  needs_t needs = entry->call->needs;

  /* Those have no other end. */
  if (needs != NEEDS_CHANNEL && entry->to_peer) return 0;
  switch (entry->manner) {
    case OWNED: /* to what is the server's */
      if (needs == NEEDS_CHANNEL) return entry->is_far != entry->to_peer;
      return needs == NEEDS_SERVER && entry->is_far;
    case PULL: /* the same; but some callbacks are only here */
      return needs != NEEDS_NOTHING || !has_event(PUSH, entry->event, 1);
    case BLOCKS: /* libuv runs it */
      return !entry->call->pumps;
    default:
      return 1;
  }
}

static void run_manner(manner_t manner,
                       event_t event,
                       int is_far,
                       int (*have)(const talk_t* entry)) {
  talk_t entry;
  size_t i;

  if (!has_event(manner, event, is_far)) return;
  memset(&entry, 0, sizeof(entry));
  entry.manner = manner;
  entry.event = event;
  entry.is_far = is_far;
  for (entry.to_peer = 0; entry.to_peer < 2; entry.to_peer++) {
    needs_t lacks = NEEDS_NOTHING;

    for (i = 0; i < call_count; i++) {
      entry.call = &calls[i];
      /* What isn't there for one call isn't for the next. */
      if (entry.call->needs == lacks && lacks != NEEDS_NOTHING) continue;
      if (!has_entry(&entry)) continue;
      if (!have(&entry)) lacks = entry.call->needs;
    }
  }
}

static void run_event(event_t event, int is_far) {
  run_manner(PUSH, event, is_far, converse);
  run_manner(OWNED, event, is_far, converse);
  run_manner(PULL, event, is_far, converse);
  run_manner(BLOCKS, event, is_far, converse_blocking);
}

#define EVENT_TEST(name, event, is_far) \
  static void name(void** state) {      \
    (void) state;                       \
    run_event(event, is_far);           \
  }
#define BOTH_TEST(name, event)           \
  EVENT_TEST(name##_of_client, event, 0) \
  EVENT_TEST(name##_of_server, event, 1)

EVENT_TEST(test_in_admit, ON_ADMIT, 1)
EVENT_TEST(test_in_server_error, ON_SERVER_ERROR, 1)
EVENT_TEST(test_in_server_close, ON_SERVER_CLOSE, 1)
EVENT_TEST(test_in_accept_timed_out, ON_ACCEPT_TIMED_OUT, 1)
EVENT_TEST(test_in_accept_cancelled, ON_ACCEPT_CANCELLED, 1)
EVENT_TEST(test_in_connect_failed, ON_CONNECT_FAILED, 0)
EVENT_TEST(test_in_reconnecting, ON_RECONNECTING, 0)
BOTH_TEST(test_in_open, ON_OPEN)
BOTH_TEST(test_in_connected, ON_CONNECTED)
BOTH_TEST(test_in_dead, ON_DEAD)
BOTH_TEST(test_in_closing, ON_CLOSING)
BOTH_TEST(test_in_message, ON_MESSAGE)
BOTH_TEST(test_in_request, ON_REQUEST)
BOTH_TEST(test_in_drain, ON_DRAIN)
BOTH_TEST(test_in_end, ON_END)
BOTH_TEST(test_in_broken, ON_BROKEN)
BOTH_TEST(test_in_close, ON_CLOSE)
BOTH_TEST(test_in_sent, ON_SENT)
BOTH_TEST(test_in_send_timed_out, ON_SEND_TIMED_OUT)
BOTH_TEST(test_in_received, ON_RECEIVED)
BOTH_TEST(test_in_receive_ended, ON_RECEIVE_ENDED)
BOTH_TEST(test_in_ready, ON_READY)
BOTH_TEST(test_in_reply, ON_REPLY)
BOTH_TEST(test_in_call_timed_out, ON_CALL_TIMED_OUT)
BOTH_TEST(test_in_cancelled, ON_CANCELLED)
BOTH_TEST(test_in_wake, ON_WAKE)

/* Says which entry it was that failed. */
static int teardown(void** state) {
  static const char* const manners[] = {"push", "owned", "pull", "blocking"};

  if (talk.is_going_on) {
    print_error("%s style: %s, for %s channel\n", manners[talk.manner],
                talk.call->name, talk.to_peer ? "the other end's" : "its own");
    talk.is_going_on = 0;
  }
  return test_teardown(state);
}

#define ENTRIES(f) cmocka_unit_test_setup_teardown(f, test_setup, teardown)
#define BOTH(f) ENTRIES(f##_of_client), ENTRIES(f##_of_server)

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      ENTRIES(test_in_admit),
      ENTRIES(test_in_server_error),
      ENTRIES(test_in_server_close),
      ENTRIES(test_in_accept_timed_out),
      ENTRIES(test_in_accept_cancelled),
      ENTRIES(test_in_connect_failed),
      ENTRIES(test_in_reconnecting),
      BOTH(test_in_open),
      BOTH(test_in_connected),
      BOTH(test_in_dead),
      BOTH(test_in_closing),
      BOTH(test_in_message),
      BOTH(test_in_request),
      BOTH(test_in_drain),
      BOTH(test_in_end),
      BOTH(test_in_broken),
      BOTH(test_in_close),
      BOTH(test_in_sent),
      BOTH(test_in_send_timed_out),
      BOTH(test_in_received),
      BOTH(test_in_receive_ended),
      BOTH(test_in_ready),
      BOTH(test_in_reply),
      BOTH(test_in_call_timed_out),
      BOTH(test_in_cancelled),
      BOTH(test_in_wake),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), child_roles);
}
