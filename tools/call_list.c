/* What a server offers, out of the OpenRPC document that it answers to
 * rpc.discover: a paragraph a method. The document is somebody else's: any part
 * of it may be missing, or of another type. */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "call_page.h"
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
static void put_type(page_t* page, const json_t* descriptor) {
  const json_t* schema = json_object_get(descriptor, "schema");
  const json_t* type = json_object_get(schema, "type");
  const json_t* one;
  size_t i;

  if (json_is_string(type)) {
    page_put_word(page, json_string_value(type));
  } else if (json_array_size(type) > 0) {
    json_array_foreach(type, i, one) {
      if (i > 0) page_put_word(page, "|");
      page_put_word(page, json_is_string(one) ? json_string_value(one) : "any");
    }
  } else if (text_of(schema, "$ref")[0] != '\0') {
    page_put_word(page, last_of_reference(schema));
  } else {
    page_put_word(page, "any");
  }
  page_put(page, "", 1); /* the NUL */
}

/* Widens the columns as this one needs it. */
static void measure(const json_t* descriptor, columns_t* columns) {
  size_t width = page_width(name_of(descriptor));
  page_t type = {0};

  if (width > columns->name) columns->name = width;
  put_type(&type, descriptor);
  width = type.has_failed ? 0 : page_width(type.data);
  if (width > columns->type) columns->type = width;
  free(type.data);
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

static void put_descriptor(page_t* page,
                           const json_t* descriptor,
                           const char* kind,
                           const columns_t* columns) {
  const char* words = words_about(descriptor);
  page_t type = {0};

  put_type(&type, descriptor);
  page_put_word(page, "    ");
  page_put_column(page, name_of(descriptor), columns->name);
  page_put_word(page, "  ");
  page_put_column(page, type.has_failed ? "" : type.data, columns->type);
  page_put_word(page, "  ");
  if (words[0] == '\0') {
    page_put_word(page, kind);
  } else {
    page_put_column(page, kind, KIND_WIDTH);
    page_put_word(page, "  ");
    page_put_plain(page, words);
  }
  page_put_word(page, "\n");
  free(type.data);
}

static void put_line(page_t* page, const char* words) {
  if (words[0] == '\0') return;
  page_put_word(page, "    ");
  page_put_plain(page, words);
  page_put_word(page, "\n");
}

static void put_method(page_t* page,
                       const json_t* method,
                       const columns_t* columns) {
  const json_t* result = json_object_get(method, "result");
  const json_t* param;
  size_t i;

  page_put_plain(page, name_of(method));
  page_put_word(page, "\n");
  put_line(page, words_about(method));
  if (json_is_true(json_object_get(method, "deprecated"))) {
    put_line(page, "(deprecated)");
  }
  json_array_foreach(json_object_get(method, "params"), i, param) {
    put_descriptor(page, param,
                   json_is_true(json_object_get(param, "required"))
                       ? "required"
                       : "optional",
                   columns);
  }
  if (json_is_true(json_object_get(method, "x-undescribed"))) {
    put_line(page, "(its parameters aren't described)");
  }
  if (json_is_object(result)) {
    put_descriptor(page, result, "result", columns);
  } else {
    put_line(page, "(a notification: it has no answer)");
  }
}

static void put_title(page_t* page, const json_t* document) {
  const json_t* info = json_object_get(document, "info");

  if (text_of(info, "title")[0] == '\0') return;
  page_put_plain(page, text_of(info, "title"));
  page_put_word(page, " ");
  page_put_plain(page, text_of(info, "version"));
  page_put_word(page, "\n\n");
}

int call_print_list(const call_t* call, const json_t* document) {
  const json_t* methods = json_object_get(document, "methods");
  const json_t* method;
  columns_t columns = {0, 0};
  page_t page = {0};
  size_t i;

  if (call->json) return call_print(call, document);
  if (!json_is_array(methods)) {
    report(call->name, "what it says of itself is no OpenRPC document");
    return STATUS_FAILED;
  }
  measure_all(methods, &columns);
  put_title(&page, document);
  json_array_foreach(methods, i, method) {
    put_method(&page, method, &columns);
  }
  return page_print(&page);
}
