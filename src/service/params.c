/* Parameters against their description: the table that is given with a method,
 * and what a caller sends. Pure functions. */
#include <stdio.h>
#include <string.h>

#include "service.h"

static size_t count_of(const ipc_service_param_t* table) {
  size_t count = 0;

  while (table[count].name != NULL) count++;
  return count;
}

int ipc__params_check_table(const ipc_service_param_t* table) {
  size_t count;
  size_t i;
  size_t k;

  if (table == NULL) return 0;
  count = count_of(table);
  for (i = 0; i < count; i++) {
    if (table[i].name[0] == '\0') return UV_EINVAL;
    if (!ipc__text_is_utf8(table[i].name)) return UV_EINVAL;
    if (table[i].text != NULL && !ipc__text_is_utf8(table[i].text)) {
      return UV_EINVAL;
    }
    if ((unsigned int) table[i].type > IPC_SERVICE_OBJECT) return UV_EINVAL;
    /* It could never be left out by a caller that counts. */
    if (i > 0 && table[i].is_required && !table[i - 1].is_required) {
      return UV_EINVAL;
    }
    for (k = 0; k < i; k++) {
      if (strcmp(table[i].name, table[k].name) == 0) return UV_EINVAL;
    }
  }
  return 0;
}

static const char* words_of(ipc_service_type_t type) {
  static const char* const words[] = {"any value", "a boolean", "an integer",
                                      "a number",  "a string",  "an array",
                                      "an object"};

  return words[type];
}

static const char* words_for(const json_t* value) {
  switch (json_typeof(value)) {
    case JSON_OBJECT:
      return "an object";
    case JSON_ARRAY:
      return "an array";
    case JSON_STRING:
      return "a string";
    case JSON_INTEGER:
      return "an integer";
    case JSON_REAL:
      return "a number";
    case JSON_NULL:
      return "null";
    default:
      return "a boolean";
  }
}

/* Doubles up to here are whole numbers without a doubt. */
#define EXACT 9007199254740992.0

static int is_whole(const json_t* value) {
  double real = json_real_value(value);

  return json_is_real(value) && real >= -EXACT && real <= EXACT &&
         real == (double) (json_int_t) real;
}

static int fits(ipc_service_type_t type, const json_t* value) {
  switch (type) {
    case IPC_SERVICE_BOOLEAN:
      return json_is_boolean(value);
    case IPC_SERVICE_INTEGER:
      return json_is_integer(value) || is_whole(value);
    case IPC_SERVICE_NUMBER:
      return json_is_number(value);
    case IPC_SERVICE_STRING:
      return json_is_string(value);
    case IPC_SERVICE_ARRAY:
      return json_is_array(value);
    case IPC_SERVICE_OBJECT:
      return json_is_object(value);
    default:
      return 1;
  }
}

/* UV_EINVAL, or UV_ENOMEM where not even that can be told. */
static int refuse(json_t** problem, json_t* param, const char* words) {
  *problem = json_pack("{s:o,s:s}", "param", param, "problem", words);
  return *problem == NULL ? UV_ENOMEM : UV_EINVAL;
}

/* Puts one value, or none (NULL), to the named ones. */
static int take_one(const ipc_service_param_t* param,
                    json_t* value,
                    json_t* named,
                    json_t** problem) {
  char words[96];
  int err;

  if (value != NULL && json_is_null(value) && !param->is_required) {
    value = NULL;
  }
  if (value == NULL) {
    if (!param->is_required) return 0;
    return refuse(problem, json_string(param->name), "is missing");
  }
  if (!fits(param->type, value)) {
    snprintf(words, sizeof(words), "is %s, not %s", words_for(value),
             words_of(param->type));
    return refuse(problem, json_string(param->name), words);
  }
  if (param->type == IPC_SERVICE_INTEGER && json_is_real(value)) {
    err = json_object_set_new(
        named, param->name, json_integer((json_int_t) json_real_value(value)));
  } else {
    err = json_object_set(named, param->name, value);
  }
  return err == 0 ? 0 : UV_ENOMEM;
}

static int is_known(const ipc_service_param_t* table, const char* name) {
  for (; table->name != NULL; table++) {
    if (strcmp(table->name, name) == 0) return 1;
  }
  return 0;
}

static int check_names(const ipc_service_param_t* table,
                       const json_t* params,
                       json_t** problem) {
  const char* name;
  json_t* value;

  json_object_foreach((json_t*) params, name, value) {
    if (!is_known(table, name)) {
      return refuse(problem, json_string(name), "is unknown");
    }
  }
  return 0;
}

static int take_all(const ipc_service_param_t* table,
                    const json_t* params,
                    json_t* named,
                    json_t** problem) {
  size_t count = count_of(table);
  size_t i;
  int err = 0;

  if (json_is_object(params)) err = check_names(table, params, problem);
  if (json_array_size(params) > count) {
    char words[64];

    snprintf(words, sizeof(words), "is one too many, %u are taken",
             (unsigned int) count);
    return refuse(problem, json_integer((json_int_t) count), words);
  }
  for (i = 0; err == 0 && i < count; i++) {
    json_t* value = json_is_array(params)
                        ? json_array_get(params, i)
                        : json_object_get(params, table[i].name);

    err = take_one(&table[i], value, named, problem);
  }
  return err;
}

int ipc__params_take(const ipc_service_param_t* table,
                     const json_t* params,
                     json_t** named,
                     json_t** problem) {
  int err;

  *problem = NULL;
  *named = json_object();
  if (*named == NULL) return UV_ENOMEM;
  err = take_all(table, params, *named, problem);
  if (err != 0) {
    json_decref(*named);
    *named = NULL;
  }
  return err;
}
