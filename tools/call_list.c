/* What a server offers, out of the OpenRPC document that it answers to
 * rpc.discover: a paragraph a method. The document is somebody else's: any part
 * of it may be missing, or of another type. */
#include <string.h>

#include "call.h"
#include "call_text.h"
#include "report.h"

/* The columns of what a method takes and gives. */
typedef struct columns_s {
  size_t name;
  size_t type;
} columns_t;

#define KIND_WIDTH 8 /* of "required" */

/* "" where there is no such text. */
static const char* text_of(const json_t* object, const char* key) {
  const char* text = json_string_value(json_object_get(object, key));

  return text == NULL ? "" : text;
}

static const char* words_about(const json_t* object) {
  const char* summary = text_of(object, "summary");

  return summary[0] != '\0' ? summary : text_of(object, "description");
}

/* A descriptor stands elsewhere in the document, or its schema does: the last
 * part of where. */
static const char* last_of_reference(const json_t* object) {
  const char* reference = text_of(object, "$ref");
  const char* slash = strrchr(reference, '/');

  return slash == NULL ? reference : slash + 1;
}

static const char* name_of(const json_t* descriptor) {
  const char* name = text_of(descriptor, "name");

  return name[0] != '\0' ? name : last_of_reference(descriptor);
}

/* A JSON schema in a word or two. */
static void put_type(text_t* text, const json_t* descriptor) {
  const json_t* schema = json_object_get(descriptor, "schema");
  const json_t* type = json_object_get(schema, "type");
  const json_t* one;
  size_t i;

  if (json_is_string(type)) {
    text_add_string(text, json_string_value(type));
  } else if (json_array_size(type) > 0) {
    json_array_foreach(type, i, one) {
      if (i > 0) text_add_string(text, "|");
      text_add_string(text,
                      json_is_string(one) ? json_string_value(one) : "any");
    }
  } else if (text_of(schema, "$ref")[0] != '\0') {
    text_add_string(text, last_of_reference(schema));
  } else {
    text_add_string(text, "any");
  }
  text_add(text, "", 1); /* the NUL */
}

/* Widens the columns as this one needs it. */
static void measure(const json_t* descriptor, columns_t* columns) {
  size_t width = call_width(name_of(descriptor));
  text_t type = {0};

  if (width > columns->name) columns->name = width;
  put_type(&type, descriptor);
  width = type.has_failed ? 0 : call_width(type.data);
  if (width > columns->type) columns->type = width;
  text_release(&type);
}

static void measure_all(const json_t* methods, columns_t* columns) {
  const json_t* method;
  const json_t* param;
  size_t i;
  size_t k;

  json_array_foreach(methods, i, method) {
    json_array_foreach(json_object_get(method, "params"), k, param) {
      measure(param, columns);
    }
    measure(json_object_get(method, "result"), columns);
  }
}

static void put_descriptor(text_t* text,
                           const json_t* descriptor,
                           const char* kind,
                           const columns_t* columns) {
  const char* words = words_about(descriptor);
  text_t type = {0};

  put_type(&type, descriptor);
  text_add_string(text, "    ");
  call_add_column(text, name_of(descriptor), columns->name);
  text_add_string(text, "  ");
  call_add_column(text, type.has_failed ? "" : type.data, columns->type);
  text_add_string(text, "  ");
  if (words[0] == '\0') {
    text_add_string(text, kind);
  } else {
    call_add_column(text, kind, KIND_WIDTH);
    text_add_string(text, "  ");
    call_add_plain(text, words);
  }
  text_add_string(text, "\n");
  text_release(&type);
}

static void put_line(text_t* text, const char* words) {
  if (words[0] == '\0') return;
  text_add_string(text, "    ");
  call_add_plain(text, words);
  text_add_string(text, "\n");
}

static void put_method(text_t* text,
                       const json_t* method,
                       const columns_t* columns) {
  const json_t* result = json_object_get(method, "result");
  const json_t* param;
  size_t i;

  call_add_plain(text, name_of(method));
  text_add_string(text, "\n");
  put_line(text, words_about(method));
  if (json_is_true(json_object_get(method, "deprecated"))) {
    put_line(text, "(deprecated)");
  }
  json_array_foreach(json_object_get(method, "params"), i, param) {
    put_descriptor(text, param,
                   json_is_true(json_object_get(param, "required"))
                       ? "required"
                       : "optional",
                   columns);
  }
  if (json_is_true(json_object_get(method, "x-undescribed"))) {
    put_line(text, "(its parameters aren't described)");
  }
  if (json_is_object(result)) {
    put_descriptor(text, result, "result", columns);
  } else {
    put_line(text, "(a notification: it has no answer)");
  }
}

static void put_title(text_t* text, const json_t* document) {
  const json_t* info = json_object_get(document, "info");

  if (text_of(info, "title")[0] == '\0') return;
  call_add_plain(text, text_of(info, "title"));
  text_add_string(text, " ");
  call_add_plain(text, text_of(info, "version"));
  text_add_string(text, "\n\n");
}

int call_print_list(const call_t* call, const json_t* document) {
  const json_t* methods = json_object_get(document, "methods");
  const json_t* method;
  columns_t columns = {0, 0};
  text_t text = {0};
  size_t i;

  if (call->json) return call_print(call, document);
  if (!json_is_array(methods)) {
    report(call->name, "what it says of itself is no OpenRPC document");
    return STATUS_FAILED;
  }
  measure_all(methods, &columns);
  put_title(&text, document);
  json_array_foreach(methods, i, method) {
    put_method(&text, method, &columns);
  }
  return call_write(&text);
}
