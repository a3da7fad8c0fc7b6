/* The builders: each option at the edges of its range, what is said about a bad
 * one, and that a builder is copied, not kept. */
#include "harness.h"

#include <limits.h>
#include <stdio.h>

static ipc_server_options_t server_options;
static ipc_client_options_t client_options;

/* ---- Helpers ------------------------------------------------------------ */

static void fresh(void) {
  const char* name = test_name();

  memset(&server_options, 0xa5, sizeof(server_options));
  memset(&client_options, 0xa5, sizeof(client_options));
  ipc_server_options_init(&server_options, name);
  ipc_client_options_init(&client_options, name);
  assert_string_equal(ipc_server_options_error(&server_options), "");
  assert_string_equal(ipc_client_options_error(&client_options), "");
}

static int listen_fails(void) {
  ipc_server_t* server = NULL;
  int err;

  err = ipc_server_listen(test_loop(), &server_options, NULL, &server);
  assert_int_not_equal(err, 0);
  assert_null(server);
  return err;
}

static int connect_fails(void) {
  ipc_channel_t* channel = NULL;
  int err;

  err = ipc_client_connect(test_loop(), &client_options, NULL, &channel);
  assert_int_not_equal(err, 0);
  assert_null(channel);
  return err;
}

/* The option's name may be written with blanks in the place of underscores. */
static void error_names(const char* error, const char* option) {
  char words[64];
  char* at;

  snprintf(words, sizeof(words), "%s", option);
  for (at = words; *at != '\0'; at++) {
    if (*at == '_') *at = ' ';
  }
  if (strstr(error, option) == NULL && strstr(error, words) == NULL) {
    fail_msg("no '%s' in: %s", option, error);
  }
  assert_true(strlen(error) > strlen(option));
}

/* After one call that was right; the builder is then fresh again. */
static void server_took(int err, const char* option) {
  if (err != 0) fail_msg("%s: %d", option, err);
  assert_string_equal(ipc_server_options_error(&server_options), "");
  fresh();
}

static void client_took(int err, const char* option) {
  if (err != 0) fail_msg("%s: %d", option, err);
  assert_string_equal(ipc_client_options_error(&client_options), "");
  fresh();
}

/* After one call that was wrong: it says so, listen or connect say so, and the
 * text says which. */
static void server_refused(int err, int expected, const char* option) {
  if (err != expected) fail_msg("%s: %d", option, err);
  error_names(ipc_server_options_error(&server_options), option);
  assert_int_equal(listen_fails(), expected);
  fresh();
}

static void client_refused(int err, int expected, const char* option) {
  if (err != expected) fail_msg("%s: %d", option, err);
  error_names(ipc_client_options_error(&client_options), option);
  assert_int_equal(connect_fails(), expected);
  fresh();
}

/* What isn't for this system says so, and that is all. */
static void server_passed_over(int err, const char* option) {
  if (err != UV_ENOTSUP) fail_msg("%s: %d", option, err);
  server_took(0, option);
}

static void client_passed_over(int err, const char* option) {
  if (err != UV_ENOTSUP) fail_msg("%s: %d", option, err);
  client_took(0, option);
}

/* ---- A conversation, to see that options are used ----------------------- */

static ipc_server_t* server;
static ipc_channel_t* client;
static ipc_channel_t* accepted;
static int messages;
static int closes;
static int server_closes;
static int connects;
static int connect_status;

static void on_connection(ipc_server_t* s, ipc_channel_t* channel) {
  (void) s;
  accepted = channel;
}

static void on_connect(ipc_channel_t* channel, int status) {
  (void) channel;
  connects++;
  connect_status = status;
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  (void) channel;
  (void) data;
  assert_true(size > 0);
  messages++;
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  (void) channel;
  (void) result;
  closes++;
}

static void on_server_close(ipc_server_t* s) {
  (void) s;
  server_closes++;
}

static void set_callbacks(void) {
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  assert_int_equal(ipc_server_options_on_connection(s, on_connection), 0);
  assert_int_equal(ipc_server_options_on_message(s, on_message), 0);
  assert_int_equal(ipc_server_options_on_close(s, on_close), 0);
  assert_int_equal(ipc_client_options_on_connect(c, on_connect), 0);
  assert_int_equal(ipc_client_options_on_close(c, on_close), 0);
}

static void open_both(void) {
  set_callbacks();
  messages = connects = closes = server_closes = 0;
  connect_status = 1;
  accepted = NULL;
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  assert_int_equal(
      ipc_client_connect(test_loop(), &client_options, NULL, &client), 0);
}

/* One byte goes over, and all is closed. */
static void talk(void) {
  assert_int_equal(ipc_channel_send_copy(client, "x", 1, NULL, NULL), 0);
  test_run_until(&messages);
  test_run_until(&connects);
  assert_int_equal(connect_status, 0);
  assert_non_null(accepted);
}

static void close_both(void) {
  assert_int_equal(ipc_channel_close(client), 0);
  if (accepted != NULL) assert_int_equal(ipc_channel_close(accepted), 0);
  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  test_run();
  assert_int_equal(closes, accepted != NULL ? 2 : 1);
  assert_int_equal(server_closes, 1);
}

/* ---- Defaults ----------------------------------------------------------- */

static void test_defaults(void** state) {
  ipc_server_info_t server_info;
  ipc_channel_info_t info;

  (void) state;
  fresh();
  open_both();
  talk();
  assert_int_equal(ipc_server_info(server, &server_info), 0);
  assert_int_equal(server_info.framing, IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(server_info.max_instances, IPC_CHANNEL_UNLIMITED);
  assert_int_equal(server_info.pending_instances, test_is_windows() ? 4 : 128);
  assert_int_equal(server_info.waiting_instances, 0);
  assert_int_equal(server_info.access, IPC_CHANNEL_ACCESS_DUPLEX);
  assert_int_equal(ipc_channel_info(client, &info), 0);
  assert_int_equal(info.framing, IPC_CHANNEL_FRAMING_NATIVE);
  assert_int_equal(info.access, IPC_CHANNEL_ACCESS_DUPLEX);
  assert_int_equal(info.max_message_bytes, 16 << 20);
  assert_int_equal(info.peer_max_message_bytes, 16 << 20);
  assert_int_equal(ipc_channel_info(accepted, &info), 0);
  assert_int_equal(info.max_message_bytes, 16 << 20);
  assert_int_equal(info.peer_max_message_bytes, 16 << 20);
  close_both();
}

/* ---- Timeouts ----------------------------------------------------------- */

typedef struct timeout_s {
  const char* option;
  int (*server)(ipc_server_options_t* options, int ms);
  int (*client)(ipc_client_options_t* options, int ms);
  int low;
} timeout_option_t;

static void test_timeouts(void** state) {
  static const timeout_option_t options[] = {
      {"handshake_timeout", ipc_server_options_set_handshake_timeout, NULL, 1},
      {"connect_timeout", NULL, ipc_client_options_set_connect_timeout, 1},
      {"close_timeout", ipc_server_options_set_close_timeout,
       ipc_client_options_set_close_timeout, 0},
      {"idle_timeout", ipc_server_options_set_idle_timeout,
       ipc_client_options_set_idle_timeout, 1},
      {"heartbeat", ipc_server_options_set_heartbeat,
       ipc_client_options_set_heartbeat, 10},
  };
  const timeout_option_t* o;
  size_t i;

  (void) state;
  fresh();
  for (i = 0; i < TEST_COUNT(options); i++) {
    o = &options[i];
    if (o->server != NULL) {
      server_took(o->server(&server_options, o->low), o->option);
      server_took(o->server(&server_options, INT_MAX), o->option);
      server_took(o->server(&server_options, IPC_CHANNEL_INFINITE), o->option);
      server_refused(o->server(&server_options, -2), UV_EINVAL, o->option);
      server_refused(o->server(&server_options, INT_MIN), UV_EINVAL, o->option);
    }
    if (o->client != NULL) {
      client_took(o->client(&client_options, o->low), o->option);
      client_took(o->client(&client_options, INT_MAX), o->option);
      client_took(o->client(&client_options, IPC_CHANNEL_INFINITE), o->option);
      client_refused(o->client(&client_options, -2), UV_EINVAL, o->option);
      client_refused(o->client(&client_options, INT_MIN), UV_EINVAL, o->option);
    }
    if (o->low == 0) continue;
    if (o->server != NULL) {
      server_refused(o->server(&server_options, 0), UV_EINVAL, o->option);
      server_refused(o->server(&server_options, o->low - 1), UV_EINVAL,
                     o->option);
    }
    if (o->client != NULL) {
      client_refused(o->client(&client_options, o->low - 1), UV_EINVAL,
                     o->option);
      client_refused(o->client(&client_options, 0), UV_EINVAL, o->option);
    }
  }
}

static void test_retry_interval(void** state) {
  static const char option[] = "retry_interval";
  ipc_client_options_t* o = &client_options;

  (void) state;
  fresh();
  client_took(ipc_client_options_set_retry_interval(o, 1), option);
  client_took(ipc_client_options_set_retry_interval(o, 60000), option);
  client_refused(ipc_client_options_set_retry_interval(o, 0), UV_EINVAL,
                 option);
  client_refused(ipc_client_options_set_retry_interval(o, 60001), UV_EINVAL,
                 option);
  /* There is no such thing as trying never. */
  client_refused(ipc_client_options_set_retry_interval(o, IPC_CHANNEL_INFINITE),
                 UV_EINVAL, option);
}

static void test_reconnect(void** state) {
  static const char option[] = "reconnect";
  static const int day = 24 * 60 * 60 * 1000;
  const struct {
    int first_ms;
    int max_ms;
  } wrong[] = {
      {0, 1},
      {0, 0},
      {1, 0},
      {2, 1},
      {day, day - 1},
      {1, day + 1},
      {day + 1, day + 1},
      {INT_MAX, INT_MAX},
      {-1, 1},
      {1, INT_MIN},
      {IPC_CHANNEL_INFINITE, IPC_CHANNEL_INFINITE},
      {1, IPC_CHANNEL_INFINITE},
  };
  ipc_client_options_t* o = &client_options;
  size_t i;

  (void) state;
  fresh();
  client_took(ipc_client_options_set_reconnect(o, 1, 1), option);
  client_took(ipc_client_options_set_reconnect(o, 1, day), option);
  client_took(ipc_client_options_set_reconnect(o, day, day), option);
  for (i = 0; i < TEST_COUNT(wrong); i++) {
    client_refused(
        ipc_client_options_set_reconnect(o, wrong[i].first_ms, wrong[i].max_ms),
        UV_EINVAL, option);
  }
  /* Which of the two it is, and how far it may go, is in the text. */
  ipc_client_options_set_reconnect(o, 300, 200);
  error_names(ipc_client_options_error(o), "max_ms");
  assert_non_null(strstr(ipc_client_options_error(o), "300"));
  assert_non_null(strstr(ipc_client_options_error(o), "200"));
  fresh();
  ipc_client_options_set_reconnect(o, 0, 200);
  error_names(ipc_client_options_error(o), "first_ms");
}

/* ---- Counts and sizes --------------------------------------------------- */

static void test_max_instances(void** state) {
  static const char option[] = "max_instances";
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  server_took(ipc_server_options_set_max_instances(o, 1), option);
  server_took(ipc_server_options_set_max_instances(o, 1000000), option);
  server_took(ipc_server_options_set_max_instances(o, IPC_CHANNEL_UNLIMITED),
              option);
  server_refused(ipc_server_options_set_max_instances(o, 1000001), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_max_instances(o, UINT_MAX), UV_EINVAL,
                 option);
}

static void test_waiting_instances(void** state) {
  static const char option[] = "waiting_instances";
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  server_took(ipc_server_options_set_waiting_instances(o, 0), option);
  server_took(ipc_server_options_set_waiting_instances(o, 1), option);
  server_took(ipc_server_options_set_waiting_instances(o, 1000000), option);
  server_refused(ipc_server_options_set_waiting_instances(o, 1000001),
                 UV_EINVAL, option);
  server_refused(ipc_server_options_set_waiting_instances(o, UINT_MAX),
                 UV_EINVAL, option);
}

static unsigned int waiting_in_force(void) {
  ipc_server_info_t info;

  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  assert_int_equal(ipc_server_info(server, &info), 0);
  assert_int_equal(ipc_server_close(server, NULL), 0);
  test_run();
  return info.waiting_instances;
}

/* Without an accept nobody waits, unless the option says so. */
static void test_waiting_instances_in_force(void** state) {
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  assert_int_equal(waiting_in_force(), 0);
  ipc_server_options_on_connection(o, on_connection);
  assert_int_equal(waiting_in_force(), 0);
  ipc_server_options_set_waiting_instances(o, 5);
  assert_int_equal(waiting_in_force(), 5);
  ipc_server_options_on_connection(o, NULL);
  assert_int_equal(waiting_in_force(), 5);
  ipc_server_options_set_waiting_instances(o, 0);
  assert_int_equal(waiting_in_force(), 0);
}

static void test_pending_instances(void** state) {
  static const char option[] = "pending_instances";
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  server_took(ipc_server_options_set_pending_instances(o, 1), option);
  server_took(ipc_server_options_set_pending_instances(o, 128), option);
  server_refused(ipc_server_options_set_pending_instances(o, 0), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_pending_instances(o, 129), UV_EINVAL,
                 option);
}

typedef struct size_s {
  const char* option;
  int (*server)(ipc_server_options_t* options, size_t bytes);
  int (*client)(ipc_client_options_t* options, size_t bytes);
  size_t low;
  size_t high;
  size_t too_high; /* 0: the header names no upper end */
} size_option_t;

static void test_sizes(void** state) {
  static const size_option_t options[] = {
      {"max_message_bytes", ipc_server_options_set_max_message_bytes,
       ipc_client_options_set_max_message_bytes, 1, 2147483647u, 2147483648u},
      {"max_queue_bytes", ipc_server_options_set_max_queue_bytes,
       ipc_client_options_set_max_queue_bytes, 1, 1u << 30, 0},
  };
  const size_option_t* o;
  size_t i;

  (void) state;
  fresh();
  for (i = 0; i < TEST_COUNT(options); i++) {
    o = &options[i];
    server_took(o->server(&server_options, o->low), o->option);
    client_took(o->client(&client_options, o->low), o->option);
    server_took(o->server(&server_options, o->high), o->option);
    client_took(o->client(&client_options, o->high), o->option);
    server_refused(o->server(&server_options, 0), UV_EINVAL, o->option);
    client_refused(o->client(&client_options, 0), UV_EINVAL, o->option);
    if (o->too_high == 0) continue;
    server_refused(o->server(&server_options, o->too_high), UV_EINVAL,
                   o->option);
    client_refused(o->client(&client_options, o->too_high), UV_EINVAL,
                   o->option);
    server_refused(o->server(&server_options, SIZE_MAX), UV_EINVAL, o->option);
    client_refused(o->client(&client_options, SIZE_MAX), UV_EINVAL, o->option);
  }
}

static void test_max_total_queue_bytes(void** state) {
  static const char option[] = "max_total_queue_bytes";
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  server_took(ipc_server_options_set_max_total_queue_bytes(o, 1), option);
  server_took(ipc_server_options_set_max_total_queue_bytes(o, SIZE_MAX),
              option);
  server_refused(ipc_server_options_set_max_total_queue_bytes(o, 0), UV_EINVAL,
                 option);
}

static void test_max_queue_messages(void** state) {
  static const char option[] = "max_queue_messages";
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  (void) state;
  fresh();
  server_took(ipc_server_options_set_max_queue_messages(s, 1), option);
  client_took(ipc_client_options_set_max_queue_messages(c, 1), option);
  server_took(ipc_server_options_set_max_queue_messages(s, UINT32_MAX), option);
  client_took(ipc_client_options_set_max_queue_messages(c, UINT32_MAX), option);
  server_refused(ipc_server_options_set_max_queue_messages(s, 0), UV_EINVAL,
                 option);
  client_refused(ipc_client_options_set_max_queue_messages(c, 0), UV_EINVAL,
                 option);
}

static void test_server_buffer_sizes(void** state) {
  static const char option[] = "buffer";
  static const size_t most = (size_t) 64 << 20;
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  server_took(ipc_server_options_set_buffer_sizes(o, 0, 0), option);
  server_took(ipc_server_options_set_buffer_sizes(o, 1, 1), option);
  server_took(ipc_server_options_set_buffer_sizes(o, most, most), option);
  server_took(ipc_server_options_set_buffer_sizes(o, 0, 4096), option);
  server_refused(ipc_server_options_set_buffer_sizes(o, most + 1, 1), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_buffer_sizes(o, 1, most + 1), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_buffer_sizes(o, SIZE_MAX, SIZE_MAX),
                 UV_EINVAL, option);
}

/* On Windows the server alone sizes the buffers. */
static void test_client_buffer_sizes(void** state) {
  static const char option[] = "buffer";
  static const size_t most = (size_t) 64 << 20;
  ipc_client_options_t* o = &client_options;

  (void) state;
  fresh();
  if (test_is_windows()) {
    client_passed_over(ipc_client_options_set_buffer_sizes(o, 4096, 4096),
                       option);
    return;
  }
  client_took(ipc_client_options_set_buffer_sizes(o, 0, 0), option);
  client_took(ipc_client_options_set_buffer_sizes(o, 1, 1), option);
  client_took(ipc_client_options_set_buffer_sizes(o, most, most), option);
  client_refused(ipc_client_options_set_buffer_sizes(o, most + 1, 1), UV_EINVAL,
                 option);
  client_refused(ipc_client_options_set_buffer_sizes(o, 1, most + 1), UV_EINVAL,
                 option);
}

/* The ends of the ranges work; what is in effect is more or less. */
static void test_buffer_sizes_work(void** state) {
  static const size_t sizes[] = {0, 1, 100000, (size_t) 64 << 20};
  ipc_channel_info_t info;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(sizes); i++) {
    fresh();
    ipc_server_options_set_buffer_sizes(&server_options, sizes[i], sizes[i]);
    if (!test_is_windows()) {
      ipc_client_options_set_buffer_sizes(&client_options, sizes[i], sizes[i]);
    }
    open_both();
    assert_int_equal(ipc_channel_info(client, &info), 0);
    assert_int_equal(info.in_buffer_bytes, 0);
    assert_int_equal(info.out_buffer_bytes, 0);
    talk();
    assert_int_equal(ipc_channel_info(client, &info), 0);
    assert_true(info.in_buffer_bytes > 0);
    assert_true(info.out_buffer_bytes > 0);
    assert_int_equal(ipc_channel_info(accepted, &info), 0);
    assert_true(info.in_buffer_bytes > 0);
    assert_true(info.out_buffer_bytes > 0);
    if (sizes[i] == 100000) assert_true(info.out_buffer_bytes >= 100000);
    close_both();
  }
}

static void test_limits_work(void** state) {
  ipc_server_info_t server_info;
  ipc_channel_info_t info;

  (void) state;
  fresh();
  ipc_server_options_set_max_instances(&server_options, 1000000);
  ipc_server_options_set_pending_instances(&server_options, 1);
  ipc_server_options_set_waiting_instances(&server_options, 1000000);
  ipc_server_options_set_max_message_bytes(&server_options, 1);
  ipc_server_options_set_max_queue_bytes(&server_options, 1);
  ipc_server_options_set_max_queue_messages(&server_options, 1);
  ipc_server_options_set_max_total_queue_bytes(&server_options, 1);
  ipc_client_options_set_max_message_bytes(&client_options, 2147483647);
  ipc_client_options_set_max_queue_bytes(&client_options, 1);
  ipc_client_options_set_max_queue_messages(&client_options, 1);
  open_both();
  talk();
  assert_int_equal(ipc_channel_send_copy(accepted, "y", 1, NULL, NULL), 0);
  assert_int_equal(ipc_server_info(server, &server_info), 0);
  assert_int_equal(server_info.max_instances, 1000000);
  assert_int_equal(server_info.pending_instances, 1);
  assert_int_equal(server_info.waiting_instances, 1000000);
  assert_int_equal(ipc_channel_info(client, &info), 0);
  assert_int_equal(info.max_message_bytes, 2147483647);
  assert_int_equal(info.peer_max_message_bytes, 1);
  assert_int_equal(ipc_channel_info(accepted, &info), 0);
  assert_int_equal(info.max_message_bytes, 1);
  assert_int_equal(info.peer_max_message_bytes, 2147483647);
  assert_int_equal(info.max_instances, 1000000);
  close_both();
}

/* ---- Choices ------------------------------------------------------------ */

static void test_framing(void** state) {
  static const char option[] = "framing";
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;
  int i;

  (void) state;
  fresh();
  for (i = IPC_CHANNEL_FRAMING_NATIVE; i <= IPC_CHANNEL_FRAMING_CONTENT_LENGTH;
       i++) {
    server_took(ipc_server_options_set_framing(s, (ipc_framing_t) i), option);
    client_took(ipc_client_options_set_framing(c, (ipc_framing_t) i), option);
  }
  /* A codec is more than a name. */
  server_refused(ipc_server_options_set_framing(s, IPC_CHANNEL_FRAMING_CODEC),
                 UV_EINVAL, option);
  client_refused(ipc_client_options_set_framing(c, IPC_CHANNEL_FRAMING_CODEC),
                 UV_EINVAL, option);
  for (i = -1; i <= IPC_CHANNEL_FRAMING_PACKET + 1;
       i += IPC_CHANNEL_FRAMING_PACKET + 2) {
    server_refused(ipc_server_options_set_framing(s, (ipc_framing_t) i),
                   UV_EINVAL, option);
    client_refused(ipc_client_options_set_framing(c, (ipc_framing_t) i),
                   UV_EINVAL, option);
  }
}

static void test_peers(void** state) {
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;
  int i;

  (void) state;
  fresh();
  for (i = IPC_CHANNEL_PEERS_SAME_USER; i <= IPC_CHANNEL_PEERS_ANYBODY; i++) {
    server_took(ipc_server_options_set_peers(s, (ipc_peers_t) i), "peers");
    client_took(ipc_client_options_set_server_peers(c, (ipc_peers_t) i),
                "server_peers");
  }
  for (i = -1; i <= 2; i += 3) {
    server_refused(ipc_server_options_set_peers(s, (ipc_peers_t) i), UV_EINVAL,
                   "peers");
    client_refused(ipc_client_options_set_server_peers(c, (ipc_peers_t) i),
                   UV_EINVAL, "server_peers");
  }
}

static void test_slow_reader(void** state) {
  static const char option[] = "slow_reader";
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;
  int i;

  (void) state;
  fresh();
  for (i = IPC_CHANNEL_SLOW_BLOCK; i <= IPC_CHANNEL_SLOW_DISCONNECT; i++) {
    server_took(ipc_server_options_set_slow_reader(s, (ipc_slow_reader_t) i),
                option);
    client_took(ipc_client_options_set_slow_reader(c, (ipc_slow_reader_t) i),
                option);
  }
  for (i = -1; i <= 4; i += 5) {
    server_refused(ipc_server_options_set_slow_reader(s, (ipc_slow_reader_t) i),
                   UV_EINVAL, option);
    client_refused(ipc_client_options_set_slow_reader(c, (ipc_slow_reader_t) i),
                   UV_EINVAL, option);
  }
}

static void test_access(void** state) {
  static const char option[] = "access";
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;
  ipc_server_info_t info;
  int i;

  (void) state;
  fresh();
  for (i = IPC_CHANNEL_ACCESS_DUPLEX; i <= IPC_CHANNEL_ACCESS_OUTBOUND; i++) {
    server_took(ipc_server_options_set_access(s, (ipc_access_t) i), option);
    client_took(ipc_client_options_set_access(c, (ipc_access_t) i), option);

    ipc_server_options_set_access(s, (ipc_access_t) i);
    assert_int_equal(ipc_server_listen(test_loop(), s, NULL, &server), 0);
    assert_int_equal(ipc_server_info(server, &info), 0);
    assert_int_equal(info.access, i);
    assert_int_equal(ipc_server_close(server, NULL), 0);
    test_run();
    fresh();
  }
  for (i = -1; i <= 3; i += 4) {
    server_refused(ipc_server_options_set_access(s, (ipc_access_t) i),
                   UV_EINVAL, option);
    client_refused(ipc_client_options_set_access(c, (ipc_access_t) i),
                   UV_EINVAL, option);
  }
}

/* Taken on POSIX too, where there is nothing to do. */
static void test_impersonation(void** state) {
  static const char option[] = "impersonation";
  ipc_client_options_t* o = &client_options;
  int i;

  (void) state;
  fresh();
  for (i = 0; i <= IPC_CHANNEL_IMPERSONATION_DELEGATION; i++) {
    client_took(
        ipc_client_options_set_impersonation(o, (ipc_impersonation_t) i),
        option);
  }
  for (i = -1; i <= 4; i += 5) {
    client_refused(
        ipc_client_options_set_impersonation(o, (ipc_impersonation_t) i),
        UV_EINVAL, option);
  }
}

static void test_switches(void** state) {
  static const int values[] = {0, 1, 2, -1, INT_MAX, INT_MIN};
  ipc_client_options_t* o = &client_options;
  size_t i;

  (void) state;
  fresh();
  for (i = 0; i < TEST_COUNT(values); i++) {
    client_took(ipc_client_options_set_wait_for_server(o, values[i]), "wait");
    client_took(ipc_client_options_set_wait_for_instance(o, values[i]), "wait");
    client_took(ipc_client_options_set_wait_for_backlog(o, values[i]), "wait");
    client_took(ipc_client_options_set_wait_when_busy(o, values[i]), "wait");
  }
}

/* Does a client come back that was told that the one instance is taken? */
static int second_client_comes_back(void) {
  ipc_client_options_t* o = &client_options;
  ipc_server_stats_t stats;
  ipc_channel_t* second;
  uint64_t refused;
  int comes_back;
  int before = closes;

  assert_int_equal(ipc_server_stats(server, &stats), 0);
  refused = stats.refused_busy;
  connects = 0;
  ipc_client_options_set_connect_timeout(o, IPC_CHANNEL_INFINITE);
  assert_int_equal(ipc_client_connect(test_loop(), o, NULL, &second), 0);
  do {
    test_turn();
    assert_int_equal(ipc_server_stats(server, &stats), 0);
  } while (connects == 0 && stats.refused_busy < refused + 2);
  comes_back = connects == 0;
  if (!comes_back) assert_int_equal(connect_status, UV_EBUSY);
  assert_int_equal(ipc_channel_close(second), 0);
  while (closes == before) test_turn();
  closes = before;
  return comes_back;
}

/* set_wait_when_busy is for both, and the last call counts. */
static void test_wait_for_instance(void** state) {
  ipc_client_options_t* o = &client_options;

  (void) state;
  fresh();
  ipc_server_options_set_max_instances(&server_options, 1);
  open_both();
  talk();
  assert_true(second_client_comes_back());
  ipc_client_options_set_wait_for_instance(o, 0);
  assert_false(second_client_comes_back());
  ipc_client_options_set_wait_when_busy(o, -1);
  assert_true(second_client_comes_back());
  ipc_client_options_set_wait_for_backlog(o, 0);
  assert_true(second_client_comes_back());
  ipc_client_options_set_wait_when_busy(o, 0);
  assert_false(second_client_comes_back());
  ipc_client_options_set_wait_for_backlog(o, 1);
  assert_false(second_client_comes_back());
  close_both();
}

/* ---- Texts -------------------------------------------------------------- */

static void test_texts(void** state) {
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  (void) state;
  fresh();
  server_refused(ipc_server_options_set_peer_group(s, NULL), UV_EINVAL,
                 "peer_group");
  server_refused(ipc_server_options_set_peer_group(s, ""), UV_EINVAL,
                 "peer_group");
  client_refused(ipc_client_options_set_server_user(c, NULL), UV_EINVAL,
                 "server_user");
  client_refused(ipc_client_options_set_server_user(c, ""), UV_EINVAL,
                 "server_user");

  /* Whether there is such a group only the system knows: listen asks it. */
  assert_int_equal(ipc_server_options_set_peer_group(s, "no such group"), 0);
  assert_int_equal(listen_fails(), UV_ENOENT);
}

/* A bad name is a bad option like any other, though _init answers nothing. */
static void test_bad_name(void** state) {
  (void) state;
  ipc_server_options_init(&server_options, NULL);
  ipc_client_options_init(&client_options, NULL);
  assert_int_equal(listen_fails(), UV_EINVAL);
  assert_int_equal(connect_fails(), UV_EINVAL);
  error_names(ipc_server_options_error(&server_options), "name");
  error_names(ipc_client_options_error(&client_options), "name");

  ipc_server_options_init(&server_options, "a/b");
  ipc_client_options_init(&client_options, "a/b");
  assert_int_equal(listen_fails(), UV_EINVAL);
  assert_int_equal(connect_fails(), UV_EINVAL);
  error_names(ipc_server_options_error(&server_options), "name");
  error_names(ipc_client_options_error(&client_options), "name");
}

/* ---- What only some systems have ---------------------------------------- */

static void test_posix_mode(void** state) {
  static const char option[] = "posix_mode";
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  if (test_is_windows()) {
    server_passed_over(ipc_server_options_set_posix_mode(o, 0600), option);
    return;
  }
  server_took(ipc_server_options_set_posix_mode(o, 0), option);
  server_took(ipc_server_options_set_posix_mode(o, 0777), option);
  server_refused(ipc_server_options_set_posix_mode(o, 01000), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_posix_mode(o, 04600), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_posix_mode(o, UINT_MAX), UV_EINVAL,
                 option);
}

static void test_posix_owner(void** state) {
  static const char option[] = "posix_owner";
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  if (test_is_windows()) {
    server_passed_over(ipc_server_options_set_posix_owner(o, -1, -1), option);
    return;
  }
  server_took(ipc_server_options_set_posix_owner(o, -1, -1), option);
  server_took(ipc_server_options_set_posix_owner(o, 0, 0), option);
  server_took(ipc_server_options_set_posix_owner(o, 4294967294, 4294967294),
              option);
  server_refused(ipc_server_options_set_posix_owner(o, -2, 0), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_posix_owner(o, 0, -2), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_posix_owner(o, 4294967295, 0),
                 UV_EINVAL, option);
  server_refused(ipc_server_options_set_posix_owner(o, 0, 4294967295),
                 UV_EINVAL, option);
  server_refused(ipc_server_options_set_posix_owner(o, INT64_MAX, INT64_MIN),
                 UV_EINVAL, option);
}

static void test_windows_sddl(void** state) {
  static const char option[] = "windows_sddl";
  ipc_server_options_t* o = &server_options;

  (void) state;
  fresh();
  if (!test_is_windows()) {
    server_passed_over(ipc_server_options_set_windows_sddl(o, "D:(A;;GA;;;WD)"),
                       option);
    return;
  }
  server_took(ipc_server_options_set_windows_sddl(o, "D:(A;;GA;;;WD)"), option);
  server_refused(ipc_server_options_set_windows_sddl(o, NULL), UV_EINVAL,
                 option);
  server_refused(ipc_server_options_set_windows_sddl(o, ""), UV_EINVAL, option);

  ipc_server_options_set_windows_sddl(o, "D:(A;;GA;;;WD)");
  open_both();
  talk();
  close_both();

  fresh();
  server_refused(ipc_server_options_set_windows_sddl(o, "rubbish"), UV_EINVAL,
                 "windows_sddl: is no security descriptor: ");
  server_refused(ipc_server_options_set_windows_sddl(o, "D:(A;;GA;;;WD"),
                 UV_EINVAL, option);
  server_refused(ipc_server_options_set_windows_sddl(o, "D:\xff"), UV_EINVAL,
                 option);
}

/* A program may set those of all systems. */
static void test_options_of_other_systems(void** state) {
  (void) state;
  fresh();
  if (test_is_windows()) {
    ipc_server_options_set_posix_mode(&server_options, 0660);
    ipc_server_options_set_posix_owner(&server_options, -1, 0);
    ipc_client_options_set_buffer_sizes(&client_options, 4096, 4096);
  } else {
    ipc_server_options_set_windows_sddl(&server_options, "D:(A;;GA;;;WD)");
  }
  open_both();
  talk();
  close_both();
}

/* ---- Allocator ---------------------------------------------------------- */

static void test_allocator_argument(void** state) {
  static const char option[] = "allocator";
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;
  test_memory_t memory;
  ipc_allocator_t bad;
  int i;

  (void) state;
  fresh();
  memset(&memory, 0, sizeof(memory));
  server_refused(ipc_server_options_set_allocator(s, NULL), UV_EINVAL, option);
  client_refused(ipc_client_options_set_allocator(c, NULL), UV_EINVAL, option);
  for (i = 0; i < 3; i++) {
    bad = test_allocator(&memory);
    if (i == 0) bad.allocate = NULL;
    if (i == 1) bad.resize = NULL;
    if (i == 2) bad.release = NULL;
    server_refused(ipc_server_options_set_allocator(s, &bad), UV_EINVAL,
                   option);
    client_refused(ipc_client_options_set_allocator(c, &bad), UV_EINVAL,
                   option);
  }
  bad = test_allocator(&memory);
  server_took(ipc_server_options_set_allocator(s, &bad), option);
  client_took(ipc_client_options_set_allocator(c, &bad), option);
  assert_int_equal(memory.calls, 0);
}

static void test_allocator_is_used(void** state) {
  test_memory_t memory[2];
  ipc_allocator_t allocator;

  (void) state;
  fresh();
  memset(memory, 0, sizeof(memory));
  allocator = test_allocator(&memory[0]);
  ipc_server_options_set_allocator(&server_options, &allocator);
  allocator = test_allocator(&memory[1]);
  ipc_client_options_set_allocator(&client_options, &allocator);
  /* The struct has been copied. */
  memset(&allocator, 0, sizeof(allocator));
  open_both();
  talk();
  assert_true(memory[0].blocks > 0);
  assert_true(memory[1].blocks > 0);
  close_both();
  assert_int_equal(memory[0].blocks, 0);
  assert_int_equal(memory[0].bytes, 0);
  assert_int_equal(memory[1].blocks, 0);
  assert_int_equal(memory[1].bytes, 0);
}

/* ---- Callbacks ---------------------------------------------------------- */

/* None is needed, and NULL takes one back. */
static void test_no_callbacks(void** state) {
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  (void) state;
  fresh();
  set_callbacks();
  server_took(ipc_server_options_on_admit(s, NULL), "on_admit");
  server_took(ipc_server_options_on_connection(s, NULL), "on_connection");
  server_took(ipc_server_options_on_error(s, NULL), "on_error");
  server_took(ipc_server_options_on_message(s, NULL), "on_message");
  server_took(ipc_server_options_on_request(s, NULL), "on_request");
  server_took(ipc_server_options_on_state(s, NULL), "on_state");
  server_took(ipc_server_options_on_drain(s, NULL), "on_drain");
  server_took(ipc_server_options_on_end(s, NULL), "on_end");
  server_took(ipc_server_options_on_close(s, NULL), "on_close");
  client_took(ipc_client_options_on_connect(c, NULL), "on_connect");
  client_took(ipc_client_options_on_message(c, NULL), "on_message");
  client_took(ipc_client_options_on_request(c, NULL), "on_request");
  client_took(ipc_client_options_on_state(c, NULL), "on_state");
  client_took(ipc_client_options_on_drain(c, NULL), "on_drain");
  client_took(ipc_client_options_on_end(c, NULL), "on_end");
  client_took(ipc_client_options_on_close(c, NULL), "on_close");
}

/* ---- The first bad value ------------------------------------------------ */

static void test_first_bad_value_stays(void** state) {
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;
  char first[512];

  (void) state;
  fresh();
  assert_int_equal(ipc_server_options_set_max_instances(s, 1000001), UV_EINVAL);
  snprintf(first, sizeof(first), "%s", ipc_server_options_error(s));
  /* The value is in the text. */
  assert_non_null(strstr(first, "1000001"));
  assert_int_equal(ipc_server_options_set_pending_instances(s, 129), UV_EINVAL);
  assert_string_equal(ipc_server_options_error(s), first);
  /* Neither does one of another kind take its place, nor a good one heal it. */
  if (test_is_windows()) {
    assert_int_equal(ipc_server_options_set_posix_mode(s, 0600), UV_ENOTSUP);
  } else {
    assert_int_equal(ipc_server_options_set_windows_sddl(s, "D:"), UV_ENOTSUP);
  }
  assert_int_equal(ipc_server_options_set_max_instances(s, 5), 0);
  assert_string_equal(ipc_server_options_error(s), first);
  assert_int_equal(listen_fails(), UV_EINVAL);
  assert_string_equal(ipc_server_options_error(s), first);

  assert_int_equal(ipc_client_options_set_retry_interval(c, 60001), UV_EINVAL);
  snprintf(first, sizeof(first), "%s", ipc_client_options_error(c));
  assert_non_null(strstr(first, "60001"));
  assert_int_equal(ipc_client_options_set_connect_timeout(c, 0), UV_EINVAL);
  assert_int_equal(ipc_client_options_set_retry_interval(c, 10), 0);
  assert_string_equal(ipc_client_options_error(c), first);
  assert_int_equal(connect_fails(), UV_EINVAL);

  /* _init makes it a new one. */
  fresh();
  open_both();
  talk();
  close_both();
}

/* ---- No builder --------------------------------------------------------- */

static void no_server_builder(ipc_server_options_t* o) {
  ipc_allocator_t allocator;
  test_memory_t memory;
  const char* error;

  memset(&memory, 0, sizeof(memory));
  allocator = test_allocator(&memory);
  error = ipc_server_options_error(o);
  assert_non_null(error);
  assert_string_not_equal(error, "");
#define REFUSED(call) assert_int_equal(ipc_server_options_##call, UV_EINVAL)
  REFUSED(set_max_instances(o, 1));
  REFUSED(set_waiting_instances(o, 1));
  REFUSED(set_max_total_queue_bytes(o, 1));
  REFUSED(set_pending_instances(o, 1));
  REFUSED(set_peers(o, IPC_CHANNEL_PEERS_SAME_USER));
  REFUSED(set_peer_group(o, "0"));
  REFUSED(on_admit(o, NULL));
  REFUSED(set_posix_mode(o, 0600));
  REFUSED(set_posix_owner(o, -1, -1));
  REFUSED(set_windows_sddl(o, "D:"));
  REFUSED(set_handshake_timeout(o, 1));
  REFUSED(on_connection(o, NULL));
  REFUSED(on_error(o, NULL));
  REFUSED(set_framing(o, IPC_CHANNEL_FRAMING_NATIVE));
  REFUSED(set_buffer_sizes(o, 1, 1));
  REFUSED(set_max_message_bytes(o, 1));
  REFUSED(set_max_queue_bytes(o, 1));
  REFUSED(set_max_queue_messages(o, 1));
  REFUSED(set_slow_reader(o, IPC_CHANNEL_SLOW_BLOCK));
  REFUSED(set_access(o, IPC_CHANNEL_ACCESS_DUPLEX));
  REFUSED(set_heartbeat(o, 10));
  REFUSED(set_close_timeout(o, 1));
  REFUSED(set_idle_timeout(o, 1));
  REFUSED(set_allocator(o, &allocator));
  REFUSED(on_message(o, NULL));
  REFUSED(on_request(o, NULL));
  REFUSED(on_state(o, NULL));
  REFUSED(on_drain(o, NULL));
  REFUSED(on_end(o, NULL));
  REFUSED(on_close(o, NULL));
#undef REFUSED
}

static void no_client_builder(ipc_client_options_t* o) {
  ipc_allocator_t allocator;
  test_memory_t memory;
  const char* error;

  memset(&memory, 0, sizeof(memory));
  allocator = test_allocator(&memory);
  error = ipc_client_options_error(o);
  assert_non_null(error);
  assert_string_not_equal(error, "");
#define REFUSED(call) assert_int_equal(ipc_client_options_##call, UV_EINVAL)
  REFUSED(set_connect_timeout(o, 1));
  REFUSED(set_wait_for_server(o, 1));
  REFUSED(set_wait_for_instance(o, 1));
  REFUSED(set_wait_for_backlog(o, 1));
  REFUSED(set_wait_when_busy(o, 1));
  REFUSED(set_retry_interval(o, 1));
  REFUSED(set_reconnect(o, 1, 1));
  REFUSED(set_server_user(o, "0"));
  REFUSED(set_server_peers(o, IPC_CHANNEL_PEERS_SAME_USER));
  REFUSED(set_impersonation(o, IPC_CHANNEL_IMPERSONATION_ANONYMOUS));
  REFUSED(on_connect(o, NULL));
  REFUSED(set_framing(o, IPC_CHANNEL_FRAMING_NATIVE));
  REFUSED(set_buffer_sizes(o, 1, 1));
  REFUSED(set_max_message_bytes(o, 1));
  REFUSED(set_max_queue_bytes(o, 1));
  REFUSED(set_max_queue_messages(o, 1));
  REFUSED(set_slow_reader(o, IPC_CHANNEL_SLOW_BLOCK));
  REFUSED(set_access(o, IPC_CHANNEL_ACCESS_DUPLEX));
  REFUSED(set_heartbeat(o, 10));
  REFUSED(set_close_timeout(o, 1));
  REFUSED(set_idle_timeout(o, 1));
  REFUSED(set_allocator(o, &allocator));
  REFUSED(on_message(o, NULL));
  REFUSED(on_request(o, NULL));
  REFUSED(on_state(o, NULL));
  REFUSED(on_drain(o, NULL));
  REFUSED(on_end(o, NULL));
  REFUSED(on_close(o, NULL));
#undef REFUSED
}

static void test_null_builders(void** state) {
  ipc_channel_t* channel = NULL;
  ipc_server_t* none = NULL;

  (void) state;
  ipc_server_options_init(NULL, "x");
  ipc_client_options_init(NULL, "x");
  no_server_builder(NULL);
  no_client_builder(NULL);
  assert_int_equal(ipc_server_listen(test_loop(), NULL, NULL, &none),
                   UV_EINVAL);
  assert_int_equal(ipc_client_connect(test_loop(), NULL, NULL, &channel),
                   UV_EINVAL);
}

/* Whatever the stack held, or the other side's builder. */
static void test_uninitialised_builders(void** state) {
  static const int fills[] = {0x00, 0xff, 0xa5};
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(fills); i++) {
    memset(&server_options, fills[i], sizeof(server_options));
    memset(&client_options, fills[i], sizeof(client_options));
    no_server_builder(&server_options);
    no_client_builder(&client_options);
    assert_int_equal(listen_fails(), UV_EINVAL);
    assert_int_equal(connect_fails(), UV_EINVAL);
  }
  fresh();
  no_server_builder((ipc_server_options_t*) &client_options);
  no_client_builder((ipc_client_options_t*) &server_options);
}

/* ---- Copied, and usable again ------------------------------------------- */

static void test_builders_again(void** state) {
  int i;

  (void) state;
  fresh();
  for (i = 0; i < 3; i++) {
    open_both();
    talk();
    close_both();
  }
}

/* A server of another name from the same options is made by _init; two servers
 * of one name can't be, and the one that failed does no harm. */
static void test_builder_for_two(void** state) {
  ipc_channel_t* second = NULL;
  ipc_server_t* none = NULL;

  (void) state;
  fresh();
  open_both();
  talk();
  assert_int_equal(ipc_server_listen(test_loop(), &server_options, NULL, &none),
                   UV_EADDRINUSE);
  assert_null(none);

  close_both();
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  ipc_server_options_on_connection(&server_options, NULL);
  assert_int_equal(ipc_server_close(server, NULL), 0);
  test_run();

  /* Two clients from one builder. */
  messages = connects = closes = server_closes = 0;
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  assert_int_equal(
      ipc_client_connect(test_loop(), &client_options, NULL, &client), 0);
  assert_int_equal(
      ipc_client_connect(test_loop(), &client_options, NULL, &second), 0);
  assert_ptr_not_equal(client, second);
  assert_int_equal(ipc_channel_send_copy(client, "1", 1, NULL, NULL), 0);
  assert_int_equal(ipc_channel_send_copy(second, "2", 1, NULL, NULL), 0);
  while (messages < 2) test_turn();
  assert_int_equal(ipc_channel_close(client), 0);
  assert_int_equal(ipc_channel_close(second), 0);
  assert_int_equal(ipc_server_close(server, on_server_close), 0);
  test_run();
  assert_int_equal(server_closes, 1);
  assert_int_equal(closes, 4);
}

/* A string in memory of its own, so that a sanitizer sees a late look at it. */
static char* own_copy(const char* text) {
  size_t size = strlen(text) + 1;
  char* copy = malloc(size);

  assert_non_null(copy);
  memcpy(copy, text, size);
  return copy;
}

static void spoil(char* text) {
  memset(text, '!', strlen(text));
  free(text);
}

/* A group and the user, in the system's own words, that let us in. */
static void find_us(char* group,
                    size_t group_size,
                    char* user,
                    size_t user_size) {
  uv_passwd_t me;

  assert_int_equal(uv_os_get_passwd(&me), 0);
  if (test_is_windows()) {
    snprintf(group, group_size, "S-1-1-0"); /* everyone */
  } else {
    snprintf(group, group_size, "%ld", (long) me.gid);
  }
  uv_os_free_passwd(&me);
  if (user != NULL) {
    ipc_peer_t peer;

    assert_int_equal(ipc_channel_peer(client, &peer), 0);
    snprintf(user, user_size, "%s", peer.user);
  }
}

/* The client looks for its server again and again, the server asks for the
 * group of each client: long after the strings are gone. */
static void test_strings_are_borrowed_for_the_call_only(void** state) {
  char user_text[IPC_CHANNEL_USER_SIZE];
  char group_text[64];
  ipc_channel_stats_t stats;
  char* name[2];
  char* group;
  char* user;

  (void) state;
  /* Who are we? */
  fresh();
  open_both();
  talk();
  find_us(group_text, sizeof(group_text), user_text, sizeof(user_text));
  close_both();

  name[0] = own_copy(test_name());
  name[1] = own_copy(name[0]);
  group = own_copy(group_text);
  user = own_copy(user_text);
  ipc_server_options_init(&server_options, name[0]);
  ipc_client_options_init(&client_options, name[1]);
  set_callbacks();
  messages = connects = closes = server_closes = 0;
  assert_int_equal(ipc_server_options_set_peer_group(&server_options, group),
                   0);
  assert_int_equal(ipc_client_options_set_server_user(&client_options, user),
                   0);
  assert_int_equal(ipc_client_options_set_wait_for_server(&client_options, 1),
                   0);
  assert_int_equal(ipc_client_options_set_retry_interval(&client_options, 1),
                   0);
  assert_int_equal(
      ipc_client_connect(test_loop(), &client_options, NULL, &client), 0);
  spoil(name[1]);
  spoil(user);
  memset(&client_options, 0xff, sizeof(client_options));
  do {
    test_turn();
    assert_int_equal(ipc_channel_stats(client, &stats), 0);
  } while (stats.connect_attempts < 2);

  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), 0);
  spoil(name[0]);
  spoil(group);
  memset(&server_options, 0xff, sizeof(server_options));
  talk();
  close_both();
}

/* What only the native framing has is refused with the raw one, whichever is
 * set first. */
static void test_native_only(void** state) {
  ipc_server_options_t s;
  ipc_client_options_t c;

  (void) state;
  ipc_server_options_init(&s, "x");
  ipc_server_options_set_framing(&s, IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(ipc_server_options_set_handshake_timeout(&s, 100),
                   UV_EINVAL);
  assert_non_null(strstr(ipc_server_options_error(&s), "handshake timeout"));
  ipc_server_options_init(&s, "x");
  assert_int_equal(ipc_server_options_set_max_message_bytes(&s, 100), 0);
  assert_int_equal(ipc_server_options_set_framing(&s, IPC_CHANNEL_FRAMING_RAW),
                   UV_EINVAL);
  assert_non_null(strstr(ipc_server_options_error(&s), "max_message_bytes"));
  ipc_client_options_init(&c, "x");
  ipc_client_options_set_framing(&c, IPC_CHANNEL_FRAMING_RAW);
  assert_int_equal(ipc_client_options_set_max_message_bytes(&c, 100),
                   UV_EINVAL);
}

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* data,
                       size_t size) {
  (void) data;
  assert_int_equal(ipc_channel_reply(channel, request, NULL, 0), 0);
  assert_int_equal(size, 0);
}

/* As above, for what both builders have. */
static void test_heartbeat_is_native_only(void** state) {
  static const ipc_framing_t raw = IPC_CHANNEL_FRAMING_RAW;
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  (void) state;
  fresh();
  ipc_server_options_set_framing(s, raw);
  server_refused(ipc_server_options_set_heartbeat(s, 10), UV_EINVAL,
                 "heartbeat");
  ipc_server_options_set_heartbeat(s, 10);
  server_refused(ipc_server_options_set_framing(s, raw), UV_EINVAL,
                 "heartbeat");
  ipc_client_options_set_framing(c, raw);
  client_refused(ipc_client_options_set_heartbeat(c, 10), UV_EINVAL,
                 "heartbeat");
  ipc_client_options_set_heartbeat(c, 10);
  client_refused(ipc_client_options_set_framing(c, raw), UV_EINVAL,
                 "heartbeat");
}

/* Nobody calls over a raw channel. NULL takes the callback back, and then there
 * is nothing against raw bytes. */
static void test_on_request_is_native_only(void** state) {
  static const ipc_framing_t raw = IPC_CHANNEL_FRAMING_RAW;
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;

  (void) state;
  fresh();
  ipc_server_options_set_framing(s, raw);
  server_refused(ipc_server_options_on_request(s, on_request), UV_EINVAL,
                 "on_request");
  ipc_server_options_on_request(s, on_request);
  server_refused(ipc_server_options_set_framing(s, raw), UV_EINVAL,
                 "on_request");
  ipc_client_options_set_framing(c, raw);
  client_refused(ipc_client_options_on_request(c, on_request), UV_EINVAL,
                 "on_request");
  ipc_client_options_on_request(c, on_request);
  client_refused(ipc_client_options_set_framing(c, raw), UV_EINVAL,
                 "on_request");

  ipc_server_options_on_request(s, on_request);
  ipc_server_options_set_framing(s, IPC_CHANNEL_FRAMING_NATIVE);
  ipc_server_options_on_request(s, NULL);
  server_took(ipc_server_options_set_framing(s, raw), "on_request");
  ipc_server_options_set_framing(s, raw);
  server_took(ipc_server_options_on_request(s, NULL), "on_request");
  ipc_client_options_on_request(c, on_request);
  ipc_client_options_on_request(c, NULL);
  client_took(ipc_client_options_set_framing(c, raw), "on_request");
}

/* All else goes with raw bytes too. */
static void test_not_native_only(void** state) {
  static const ipc_framing_t raw = IPC_CHANNEL_FRAMING_RAW;
  ipc_server_options_t* s = &server_options;
  ipc_client_options_t* c = &client_options;
  int i;

  (void) state;
  for (i = 0; i < 2; i++) { /* the framing first, then last */
    fresh();
    if (i == 0) ipc_server_options_set_framing(s, raw);
    ipc_server_options_set_max_queue_messages(s, 1);
    ipc_server_options_set_max_total_queue_bytes(s, 1);
    ipc_server_options_set_waiting_instances(s, 1);
    ipc_server_options_set_slow_reader(s, IPC_CHANNEL_SLOW_DROP_NEWEST);
    ipc_server_options_set_access(s, IPC_CHANNEL_ACCESS_INBOUND);
    assert_int_equal(ipc_server_options_set_framing(s, raw), 0);
    assert_string_equal(ipc_server_options_error(s), "");
    if (i == 0) ipc_client_options_set_framing(c, raw);
    ipc_client_options_set_max_queue_messages(c, 1);
    ipc_client_options_set_slow_reader(c, IPC_CHANNEL_SLOW_DROP_NEWEST);
    ipc_client_options_set_access(c, IPC_CHANNEL_ACCESS_OUTBOUND);
    ipc_client_options_set_wait_for_instance(c, 1);
    ipc_client_options_set_wait_for_backlog(c, 1);
    ipc_client_options_set_reconnect(c, 1, 1);
    assert_int_equal(ipc_client_options_set_framing(c, raw), 0);
    assert_string_equal(ipc_client_options_error(c), "");
  }
}

/* A user is an id as the kernel gives it; a name is not. */
static void test_server_user_that_is_none(void** state) {
  static const char* const wrong[] = {"root", "S-1-",       "-1",     "1x",
                                      " 1",   "4294967296", "S-1-5-x"};
  ipc_client_options_t c;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(wrong); i++) {
    ipc_client_options_init(&c, "x");
    assert_int_equal(ipc_client_options_set_server_user(&c, wrong[i]),
                     UV_EINVAL);
    assert_non_null(strstr(ipc_client_options_error(&c), wrong[i]));
  }
  ipc_client_options_init(&c, "x");
  assert_int_equal(ipc_client_options_set_server_user(
                       &c, test_is_windows() ? "S-1-5-18" : "0"),
                   0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_defaults),
      TEST(test_timeouts),
      TEST(test_retry_interval),
      TEST(test_reconnect),
      TEST(test_max_instances),
      TEST(test_waiting_instances),
      TEST(test_waiting_instances_in_force),
      TEST(test_pending_instances),
      TEST(test_sizes),
      TEST(test_max_total_queue_bytes),
      TEST(test_max_queue_messages),
      TEST(test_server_buffer_sizes),
      TEST(test_client_buffer_sizes),
      TEST(test_buffer_sizes_work),
      TEST(test_limits_work),
      TEST(test_framing),
      TEST(test_peers),
      TEST(test_slow_reader),
      TEST(test_access),
      TEST(test_impersonation),
      TEST(test_switches),
      TEST(test_wait_for_instance),
      TEST(test_texts),
      TEST(test_bad_name),
      TEST(test_posix_mode),
      TEST(test_posix_owner),
      TEST(test_windows_sddl),
      TEST(test_options_of_other_systems),
      TEST(test_allocator_argument),
      TEST(test_allocator_is_used),
      TEST(test_no_callbacks),
      TEST(test_first_bad_value_stays),
      TEST(test_null_builders),
      TEST(test_uninitialised_builders),
      TEST(test_builders_again),
      TEST(test_builder_for_two),
      TEST(test_strings_are_borrowed_for_the_call_only),
      TEST(test_native_only),
      TEST(test_heartbeat_is_native_only),
      TEST(test_on_request_is_native_only),
      TEST(test_not_native_only),
      TEST(test_server_user_that_is_none),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
