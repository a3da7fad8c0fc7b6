/* Sets the clock of service_server, reads it, and prints what all are told:
 * service_client NAME MILLISECONDS. */
#include <ipc_service.h>
#include <stdio.h>

#define CALL_TIMEOUT_MS 5000

static int status;

/* Somebody has set the clock; us too. */
static void on_was_set(ipc_service_t* service,
                       ipc_service_peer_t* peer,
                       const char* method,
                       json_t* params,
                       void* arg) {
  (void) service, (void) peer, (void) arg;
  printf("%s: %lld\n", method,
         (long long) json_integer_value(json_array_get(params, 0)));
}

static void finish(ipc_service_t* service, const ipc_service_answer_t* answer) {
  status = answer->status;
  if (status != 0) {
    printf("%s: %s\n", uv_strerror(status), answer->message);
    if (answer->data != NULL) json_dumpf(answer->data, stdout, 0);
  }
  ipc_service_close(service, NULL);
}

static void on_time(ipc_service_t* service,
                    void* arg,
                    const ipc_service_answer_t* answer) {
  if (answer->status == 0) {
    long long passed =
        (long long) json_integer_value(answer->result) - strtoll(arg, NULL, 10);

    puts(passed >= 0 ? "it runs" : "it runs backwards");
  }
  finish(service, answer);
}

static void on_set(ipc_service_t* service,
                   void* arg,
                   const ipc_service_answer_t* answer) {
  if (answer->status != 0 ||
      ipc_service_call(ipc_service_next_peer(service, NULL), "get", NULL,
                       CALL_TIMEOUT_MS, on_time, arg, NULL) != 0) {
    finish(service, answer);
  }
}

int main(int argc, char** argv) {
  ipc_client_options_t endpoint;
  ipc_service_options_t options;
  ipc_service_peer_t* clock;
  ipc_service_t* service;
  json_t* wanted;

  if (argc != 3) return 2;
  wanted = json_loads(argv[2], JSON_DECODE_ANY, NULL);
  ipc_service_options_init(&options);
  ipc_client_options_init(&endpoint, argv[1]);
  ipc_client_options_set_framing(&endpoint, IPC_CHANNEL_FRAMING_DELIMITER);
  if (ipc_service_create(uv_default_loop(), &options, NULL, &service) != 0 ||
      ipc_service_on(service, "was set", on_was_set, NULL, NULL) != 0 ||
      ipc_service_connect(service, &endpoint, "clock", &clock) != 0 ||
      ipc_service_call(clock, "set", json_pack("{s:O*}", "ms", wanted),
                       CALL_TIMEOUT_MS, on_set, wanted, NULL) != 0) {
    return 1;
  }
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  json_decref(wanted);
  return status != 0;
}
