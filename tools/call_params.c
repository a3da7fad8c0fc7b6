/* Parameters out of words: one JSON text, or members one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "report.h"
#include "text.h"

/* The largest message is no larger. */
#define MOST_BYTES ((size_t) 16 << 20)

#define READ_BYTES (16 << 10)

/* Any value; also one with NULs in strings, which results may have too. */
#define DECODE (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

/* Says where JSON is wrong; its words may hold what was typed. */
static int report_json(const char* what, json_error_t* error) {
  char* at;

  for (at = error->text; *at != '\0'; at++) {
    if ((unsigned char) *at < 0x20 || *at == 0x7f) *at = '?';
  }
  return report_usage("%s: line %d, column %d: %s", what, error->line,
                      error->column, error->text);
}

static int take_whole(call_t* call, const char* text, size_t size) {
  json_error_t error;
  json_t* value;

  /* Also what is no container: it is told in words what is asked for. */
  value = json_loadb(text, size, DECODE, &error);
  if (value == NULL) return report_json("PARAMS", &error);
  if (!json_is_object(value) && !json_is_array(value)) {
    json_decref(value);
    return report_usage(
        "PARAMS: line 1, column 1: neither an object nor an "
        "array");
  }
  call->params = value;
  call->is_whole = 1;
  return 0;
}

/* One read, however long it takes. */
static ssize_t read_some(char* data, size_t size) {
  uv_buf_t buffer = uv_buf_init(data, (unsigned int) size);
  uv_fs_t request;
  ssize_t count;

  do {
    count = uv_fs_read(NULL, &request, 0, &buffer, 1, -1, NULL);
    uv_fs_req_cleanup(&request);
    if (count == UV_EAGAIN) uv_sleep(1);
  } while (count == UV_EAGAIN);
  return count == UV_EOF ? 0 : count;
}

static int take_input(call_t* call) {
  char piece[READ_BYTES];
  text_t text = {0};
  ssize_t count = 1;
  int status;

  while (count > 0 && text.size <= MOST_BYTES) {
    count = read_some(piece, sizeof(piece));
    if (count > 0) text_add(&text, piece, (size_t) count);
    if (text.has_failed) count = UV_ENOMEM;
  }
  if (count < 0) {
    report(NULL, "standard input: %s", uv_strerror((int) count));
    status = STATUS_FAILED;
  } else if (text.size > MOST_BYTES) {
    status = report_usage("standard input: more than %lu bytes of PARAMS",
                          (unsigned long) MOST_BYTES);
  } else {
    status = take_whole(call, text.size > 0 ? text.data : "", text.size);
  }
  text_release(&text);
  return status;
}

/* Owned; NULL after a line that says what is wrong. */
static json_t* member_of(const char* key, const char* text, int is_json) {
  json_error_t error;
  json_t* value;

  if (!is_json) {
    value = json_string(text);
    if (value == NULL) report_usage("the value of '%s' isn't UTF-8", key);
    return value;
  }
  value = json_loads(text, DECODE, &error);
  if (value == NULL) report_json(key, &error);
  return value;
}

/* `key` ends with a NUL here. */
static int add_member(call_t* call,
                      const char* key,
                      const char* text,
                      int is_json) {
  json_t* value;

  if (call->params == NULL) call->params = json_object();
  if (json_object_get(call->params, key) != NULL) {
    return report_usage("'%s' is given twice", key);
  }
  value = member_of(key, text, is_json);
  if (value == NULL) return STATUS_USAGE;
  if (json_object_set_new(call->params, key, value) != 0) {
    return report_usage("'%s' isn't UTF-8", key);
  }
  return 0;
}

static int take_member(call_t* call, const char* word) {
  size_t length = strcspn(word, "=");
  int is_json = length > 0 && word[length - 1] == ':';
  size_t key_size = length - (size_t) is_json;
  char* key;
  int status;

  if (word[length] == '\0' || key_size == 0) {
    return report_usage(
        "'%s' is neither a JSON object or array nor key=text or key:=JSON",
        word);
  }
  key = malloc(key_size + 1);
  if (key == NULL) {
    report(NULL, "%s", uv_strerror(UV_ENOMEM));
    return STATUS_FAILED;
  }
  memcpy(key, word, key_size);
  key[key_size] = '\0';
  status = add_member(call, key, word + length + 1, is_json);
  free(key);
  return status;
}

int call_take_param(call_t* call, const char* word) {
  const char* first = word + strspn(word, " \t\r\n");
  int is_whole = strcmp(word, "-") == 0 || *first == '{' || *first == '[';

  if (call->is_whole || (is_whole && call->params != NULL)) {
    return report_usage("one argument too many: '%s'", word);
  }
  if (!is_whole) return take_member(call, word);
  if (strcmp(word, "-") == 0) return take_input(call);
  return take_whole(call, word, strlen(word));
}
