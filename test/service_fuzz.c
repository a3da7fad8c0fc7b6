/* The pure functions of the service against any bytes at all: what measures a
 * text, what finds values in it, and what reads and writes JSON-RPC. Built with
 * -DIPC_CHANNEL_FUZZER and -fsanitize=fuzzer it is a libFuzzer target; without,
 * an ordinary test over a small corpus and a fixed series of mutations.
 *
 *   clang -std=c11 -D_XOPEN_SOURCE=700 -DIPC_CHANNEL_FUZZER
 * -DIPC_SERVICE_STATIC -Iinclude -Isrc/service
 * -fsanitize=fuzzer,address,undefined test/service_fuzz.c
 * src/service/{buffer,jsonrpc,params,text}.c -ljansson
 */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc.h"
#include "service.h"
#include "text.h"

#define MAX_DEPTH 64

static const ipc_service_param_t table[] = {
    {"id", IPC_SERVICE_INTEGER, 1, NULL},
    {"name", IPC_SERVICE_STRING, 0, NULL},
    {"list", IPC_SERVICE_ARRAY, 0, NULL},
    {NULL, IPC_SERVICE_ANY, 0, NULL},
};

/* A part of a text lies in it, and is a value by itself. */
static void check_span(ipc__span_t span, ipc__span_t text, const json_t* is) {
  json_t* value;

  if (span.data < text.data || span.size > text.size ||
      span.data + span.size > text.data + text.size) {
    abort();
  }
  value =
      json_loadb(span.data, span.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  if (value == NULL || !json_equal(value, is)) abort();
  json_decref(value);
}

static void check_params(const json_t* params) {
  json_t* named;
  json_t* problem;
  int err = ipc__params_take(table, params, &named, &problem);

  if (err != 0 && err != UV_EINVAL) abort();
  if ((err == 0) != (named != NULL) || (err == 0) != (problem == NULL)) abort();
  json_decref(named);
  json_decref(problem);
}

/* What an answer to it would be is JSON, with the same id. */
static void check_answer(const ipc__rpc_t* rpc, const json_t* id) {
  ipc__buffer_t out = {0};
  json_t* answer;

  ipc__rpc_put_result(&out, rpc->id, json_null());
  answer = json_loadb(out.data, out.size, JSON_ALLOW_NUL, NULL);
  if (answer == NULL) abort();
  if (id != NULL && !json_equal(json_object_get(answer, "id"), id)) abort();
  json_decref(answer);
  ipc__buffer_release(&out);
}

static void check_one(const json_t* value, ipc__span_t text) {
  ipc__rpc_t rpc;

  ipc__rpc_read(value, text, &rpc);
  switch (rpc.kind) {
    case IPC__RPC_REQUEST:
      check_answer(&rpc, json_object_get(value, "id"));
      check_params(rpc.params);
      break;
    case IPC__RPC_NOTIFICATION:
      if (rpc.method == NULL) abort();
      check_params(rpc.params);
      break;
    case IPC__RPC_RESULT:
      if (rpc.result == NULL) abort();
      break;
    case IPC__RPC_ERROR:
      if (rpc.message == NULL) abort();
      break;
    default:
      if (rpc.reason == NULL) abort();
      check_answer(&rpc, NULL);
  }
}

static void check_batch(const json_t* entries, ipc__span_t text) {
  size_t count = json_array_size(entries);
  size_t at = 0;
  size_t i;

  for (i = 0; i < count; i++) {
    ipc__span_t span = ipc__text_element(text, &at);

    check_span(span, text, json_array_get(entries, i));
    check_one(json_array_get(entries, i), span);
  }
  if (ipc__text_element(text, &at).data != NULL) abort();
}

/* Of bytes that aren't JSON only that nothing beyond them is read. */
static void look_around(ipc__span_t text) {
  size_t at = 0;
  int i;

  ipc__text_member(text, "id");
  for (i = 0; i < 100; i++) {
    if (ipc__text_element(text, &at).data == NULL) break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  /* Of exactly this size, for the sanitizers. */
  char* copy = malloc(size + (size == 0));
  ipc__span_t text;
  json_t* root;

  if (copy == NULL) abort();
  if (size > 0) memcpy(copy, data, size);
  text = ipc__text_trim(copy, size);
  look_around(text);
  if (ipc__text_depth(copy, size) <= MAX_DEPTH) {
    root = json_loadb(copy, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (json_is_array(root)) {
      check_batch(root, text);
    } else if (root != NULL) {
      check_one(root, text);
    }
    json_decref(root);
  }
  free(copy);
  return 0;
}

#ifndef IPC_CHANNEL_FUZZER

#include "harness.h"
#include "service_cases.h"

#define MUTATIONS 100000

static uint32_t random_state = 1;

/* Of Numerical Recipes; the same series on every system. */
static uint32_t random_below(uint32_t n) {
  random_state = random_state * 1664525u + 1013904223u;
  return (random_state >> 8) % n;
}

static const char* case_number(uint32_t i) {
  return i < standard_case_count ? standard_cases[i].says
                                 : further_cases[i - standard_case_count].says;
}

static void test_corpus(void** state) {
  uint32_t i;

  (void) state;
  for (i = 0; i < standard_case_count + further_case_count; i++) {
    const char* says = case_number(i);

    LLVMFuzzerTestOneInput((const uint8_t*) says, strlen(says));
  }
  LLVMFuzzerTestOneInput(NULL, 0);
}

/* What makes a difference in JSON is put in more often than other bytes. */
static void mutate(uint8_t* text, size_t* size, size_t room) {
  static const char bytes[] = "{}[]\",:\\u0idntrue-1.5e \t\n\x80\xff";
  size_t at = random_below((uint32_t) *size + 1);

  switch (random_below(4)) {
    case 0: /* cut */
      *size = at;
      break;
    case 1: /* take out */
      if (at == *size) break;
      memmove(text + at, text + at + 1, *size - at - 1);
      (*size)--;
      break;
    case 2: /* put in */
      if (*size == room) break;
      memmove(text + at + 1, text + at, *size - at);
      (*size)++;
      text[at] = (uint8_t) bytes[random_below(sizeof(bytes) - 1)];
      break;
    default: /* change */
      if (at < *size) {
        text[at] = (uint8_t) bytes[random_below(sizeof(bytes) - 1)];
      }
  }
}

static void test_mutations(void** state) {
  uint8_t text[1024];
  size_t size;
  uint32_t changes;
  int i;

  (void) state;
  for (i = 0; i < MUTATIONS; i++) {
    const char* says = case_number(
        random_below((uint32_t) (standard_case_count + further_case_count)));

    size = strlen(says);
    if (size > sizeof(text)) continue;
    memcpy(text, says, size);
    for (changes = 1 + random_below(4); changes > 0; changes--) {
      mutate(text, &size, sizeof(text));
    }
    LLVMFuzzerTestOneInput(text, size);
  }
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_corpus),
      TEST(test_mutations),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}

#endif /* IPC_CHANNEL_FUZZER */
