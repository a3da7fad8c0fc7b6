/* What a service offers, as an OpenRPC document. */
#include <stdio.h>
#include <string.h>

#include "service.h"

#define OPENRPC_VERSION "1.3.2"

static json_t* schema_of(ipc_service_type_t type) {
  static const char* const types[] = {NULL,     "boolean", "integer", "number",
                                      "string", "array",   "object"};

  if (types[type] == NULL) return json_object();
  return json_pack("{s:s}", "type", types[type]);
}

static json_t* param_of(const ipc_service_param_t* param) {
  return json_pack("{s:s,s:s*,s:b,s:o}", "name", param->name, "description",
                   param->text, "required", param->is_required != 0, "schema",
                   schema_of(param->type));
}

/* An array; NULL: no memory. */
static json_t* params_of(const ipc_service_param_t* table) {
  json_t* params = json_array();

  for (; table != NULL && table->name != NULL; table++) {
    if (json_array_append_new(params, param_of(table)) != 0) {
      json_decref(params);
      return NULL;
    }
  }
  return params;
}

static json_t* method_of(const ipc_service_method_t* method) {
  json_t* result = json_pack("{s:s,s:s*,s:{}}", "name", "result", "description",
                             method->result, "schema");

  return json_pack("{s:s,s:s*,s:s,s:o,s:o,s:o*}", "name", method->name,
                   "description", method->text, "paramStructure", "either",
                   "params", params_of(method->params), "result", result,
                   "x-undescribed",
                   method->params == NULL ? json_true() : NULL);
}

static json_t* notification_of(const char* name) {
  return json_pack("{s:s,s:s,s:[],s:b}", "name", name, "paramStructure",
                   "either", "params", "x-undescribed", 1);
}

static int is_listed(const json_t* methods, const char* name) {
  const json_t* method;
  size_t i;

  json_array_foreach(methods, i, method) {
    if (strcmp(json_string_value(json_object_get(method, "name")), name) == 0) {
      return 1;
    }
  }
  return 0;
}

/* Methods first, so that a name that is both is one. An array; NULL: no
 * memory. */
static json_t* methods_of(const ipc_service_t* service) {
  json_t* methods = json_array();
  const ipc_service_method_t* method;
  const char* name;
  int notifications;

  for (notifications = 0; notifications < 2; notifications++) {
    const void* at = NULL;

    while ((name = ipc__handlers_next_offer(service, &at, &method)) != NULL) {
      if ((method == NULL) != notifications) continue;
      if (notifications && is_listed(methods, name)) continue;
      if (json_array_append_new(methods, method == NULL
                                             ? notification_of(name)
                                             : method_of(method)) != 0) {
        json_decref(methods);
        return NULL;
      }
    }
  }
  return methods;
}

json_t* ipc_service_describe(const ipc_service_t* service) {
  char version[40];

  if (service == NULL) return NULL;
  snprintf(version, sizeof(version), "%d.%d.%d", IPC_CHANNEL_VERSION_MAJOR,
           IPC_CHANNEL_VERSION_MINOR, IPC_CHANNEL_VERSION_PATCH);
  return json_pack("{s:s,s:{s:s,s:s},s:o}", "openrpc", OPENRPC_VERSION, "info",
                   "title", service->name == NULL ? "" : service->name,
                   "version", version, "methods", methods_of(service));
}
