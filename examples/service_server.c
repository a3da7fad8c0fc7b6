/* A clock that others may set: service_server [NAME]. Speaks JSON-RPC 2.0, a
 * line a message; what it offers is described, and asked for by rpc.discover.
 * Tells all its peers when it was set, and ends in good order by "stop". */
#include <ipc_service.h>
#include <stdio.h>

#define GRACE_MS 2000

static json_int_t offset;

static json_int_t now(ipc_service_t* service) {
  return (json_int_t) uv_now(ipc_service_loop(service)) + offset;
}

static void on_get(ipc_service_t* service,
                   ipc_service_peer_t* peer,
                   ipc_service_request_t request,
                   json_t* params,
                   void* arg) {
  (void) peer, (void) params, (void) arg;
  ipc_service_reply(service, request, json_integer(now(service)));
}

/* The parameters are there, and of the right type: its description says so. */
static void on_set(ipc_service_t* service,
                   ipc_service_peer_t* peer,
                   ipc_service_request_t request,
                   json_t* params,
                   void* arg) {
  json_int_t wanted = json_integer_value(json_object_get(params, "ms"));

  (void) peer, (void) arg;
  offset += wanted - now(service);
  ipc_service_push(service, NULL, NULL, "was set", json_pack("[I]", wanted),
                   NULL);
  ipc_service_reply(service, request, json_true());
}

static void on_quit(ipc_service_t* service) {
  ipc_service_close(service, NULL);
}

static void on_stop(ipc_service_t* service,
                    ipc_service_peer_t* peer,
                    const char* method,
                    json_t* params,
                    void* arg) {
  (void) peer, (void) method, (void) params, (void) arg;
  ipc_service_quit(service, GRACE_MS, on_quit);
}

static const ipc_service_param_t nothing[] = {{NULL, IPC_SERVICE_ANY, 0, NULL}};
static const ipc_service_param_t time_param[] = {
    {"ms", IPC_SERVICE_INTEGER, 1, "the time, in milliseconds"},
    {NULL, IPC_SERVICE_ANY, 0, NULL},
};
static const ipc_service_method_t get = {"get", "Tells the time.", nothing,
                                         "milliseconds"};
static const ipc_service_method_t set = {"set", "Sets it.", time_param, "true"};

int main(int argc, char** argv) {
  ipc_server_options_t endpoint;
  ipc_service_options_t options;
  ipc_service_t* service;

  ipc_service_options_init(&options);
  ipc_server_options_init(&endpoint, argc > 1 ? argv[1] : "clock");
  ipc_server_options_set_framing(&endpoint, IPC_CHANNEL_FRAMING_DELIMITER);
  if (ipc_service_create(uv_default_loop(), &options, NULL, &service) != 0 ||
      ipc_service_add_method(service, &get, on_get, NULL, NULL) != 0 ||
      ipc_service_add_method(service, &set, on_set, NULL, NULL) != 0 ||
      ipc_service_on(service, "stop", on_stop, NULL, NULL) != 0 ||
      ipc_service_listen(service, &endpoint) != 0) {
    return 1;
  }
  puts("listening");
  fflush(stdout);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
