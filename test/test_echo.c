/* A server and a client in one loop: the shortest way through everything. */
#include "harness.h"

typedef struct echo_s {
  ipc_server_t* server;
  int received;
  int connect_status;
  int ended;
  int closed;
  ipc_close_result_t client_result;
  ipc_close_result_t server_result;
} echo_t;

static echo_t echo;

static void echo_message(ipc_channel_t* channel, const void* data, size_t n) {
  assert_int_equal(ipc_channel_send_copy(channel, data, n, NULL, NULL), 0);
}

static void echo_close(ipc_channel_t* channel, const ipc_close_result_t* r) {
  (void) channel;
  echo.server_result = *r;
  assert_int_equal(ipc_server_close(echo.server, NULL), 0);
}

static void on_connect(ipc_channel_t* channel, int status) {
  (void) channel;
  echo.connect_status = status;
}

static void on_message(ipc_channel_t* channel, const void* data, size_t n) {
  assert_int_equal(n, 5);
  assert_memory_equal(data, "hello", 5);
  if (++echo.received == 3) assert_int_equal(ipc_channel_end(channel), 0);
}

static void on_end(ipc_channel_t* channel, int status) {
  echo.ended++;
  assert_int_equal(status, 0);
  assert_int_equal(ipc_channel_close(channel), 0);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* r) {
  (void) channel;
  echo.closed++;
  echo.client_result = *r;
}

static void test_three_messages(void** state) {
  const char* name = test_name();
  ipc_server_options_t server;
  ipc_client_options_t client;
  ipc_channel_t* channel;
  int i;

  (void) state;
  memset(&echo, 0, sizeof(echo));
  echo.connect_status = 1;
  ipc_server_options_init(&server, name);
  ipc_server_options_on_message(&server, echo_message);
  ipc_server_options_on_close(&server, echo_close);
  assert_int_equal(ipc_server_listen(test_loop(), &server, NULL, &echo.server),
                   0);

  ipc_client_options_init(&client, name);
  ipc_client_options_on_connect(&client, on_connect);
  ipc_client_options_on_message(&client, on_message);
  ipc_client_options_on_end(&client, on_end);
  ipc_client_options_on_close(&client, on_close);
  assert_int_equal(ipc_client_connect(test_loop(), &client, NULL, &channel), 0);
  for (i = 0; i < 3; i++) {
    assert_int_equal(ipc_channel_send_copy(channel, "hello", 5, NULL, NULL), 0);
  }
  test_run();

  assert_int_equal(echo.connect_status, 0);
  assert_int_equal(echo.received, 3);
  assert_int_equal(echo.ended, 1);
  assert_int_equal(echo.closed, 1);
  assert_int_equal(echo.client_result.status, 0);
  assert_int_equal(echo.client_result.unsent, 0);
  assert_int_equal(echo.client_result.unconfirmed, 0);
  assert_int_equal(echo.server_result.status, 0);
  assert_int_equal(echo.server_result.unconfirmed, 0);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_three_messages),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
