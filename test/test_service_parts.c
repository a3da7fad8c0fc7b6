/* The parts of the service that know no peer: texts, the table of numbers, the
 * agenda, and the descriptions of parameters. */
#include <stdio.h>

#include "due.h"
#include "harness.h"
#include "jsonrpc.h"
#include "service.h"
#include "table.h"
#include "text.h"
#include "unsent.h"

/* ---- Texts -----------------------------------------------------------------
 */

static void test_depth(void** state) {
  static const struct {
    const char* text;
    size_t depth;
  } cases[] = {{"", 0},
               {"1", 0},
               {"[]", 1},
               {"[[],[]]", 2},
               {"{\"a\":[{}]}", 3},
               {"\"[[[\"", 0},
               {"\"\\\"[\"", 0},
               {"]]][", 1},
               {"\"\\\\\"[", 1},
               {"\"[", 0},
               {"\"\\", 0}};
  size_t i;

  (void) state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(ipc__text_depth(cases[i].text, strlen(cases[i].text)),
                     cases[i].depth);
  }
}

static ipc__span_t span_of(const char* text) {
  ipc__span_t span;

  span.data = text;
  span.size = strlen(text);
  return span;
}

static void member_is(const char* object, const char* id) {
  ipc__span_t found = ipc__text_member(span_of(object), "id");

  if (id == NULL) {
    assert_null(found.data);
    return;
  }
  assert_non_null(found.data);
  assert_int_equal(found.size, strlen(id));
  assert_memory_equal(found.data, id, found.size);
}

static void test_members(void** state) {
  (void) state;
  member_is("{}", NULL);
  member_is("{\"id\":1}", "1");
  member_is("{ \"id\" : \"a\\\"}b\" , \"x\":2}", "\"a\\\"}b\"");
  member_is("{\"x\":{\"id\":1},\"id\":2}", "2");
  member_is("{\"x\":[{\"id\":1}],\"y\":\"\\\"id\\\":3\"}", NULL);
  member_is("{\"id\":1,\"id\":{\"a\":[1,2]}}", "{\"a\":[1,2]}");
  member_is("{\"\\u0069\\u0064\":1E+5}", "1E+5");
  member_is("{\"ide\":1,\"i\":2,\"\":3,\"\\u0069\":4,\"\\n\":5}", NULL);
  member_is("{\"id\"", NULL);
}

static void test_elements(void** state) {
  static const char* const wanted[] = {"1", "\"a,]\"", "[2,[3]]", "{\"b\":[]}"};
  const char* text = "[ 1,\"a,]\" , [2,[3]],\n{\"b\":[]} ]";
  size_t at = 0;
  size_t i;

  (void) state;
  for (i = 0; i < 4; i++) {
    ipc__span_t found = ipc__text_element(span_of(text), &at);

    assert_int_equal(found.size, strlen(wanted[i]));
    assert_memory_equal(found.data, wanted[i], found.size);
  }
  assert_null(ipc__text_element(span_of(text), &at).data);
  at = 0;
  assert_null(ipc__text_element(span_of("[ ]"), &at).data);
}

/* ---- What is unsent ---------------------------------------------------------
 */

static void test_unsent(void** state) {
  ipc__unsent_t unsent = {0};
  size_t i;

  (void) state;
  for (i = 0; i < 100; i++) {
    assert_int_equal(ipc__unsent_reserve(&unsent), 0);
    ipc__unsent_add(&unsent, i + 1);
  }
  /* Those in the middle first. */
  for (i = 10; i < 90; i++) ipc__unsent_remove(&unsent, i);
  assert_int_equal(unsent.begin, 0);
  assert_int_equal(ipc__unsent_get(&unsent, 9), 10);
  assert_int_equal(ipc__unsent_get(&unsent, 10), 0);
  for (i = 0; i < 10; i++) ipc__unsent_remove(&unsent, i);
  assert_int_equal(unsent.begin, 90);
  /* And round. */
  for (i = 100; i < 300; i++) {
    assert_int_equal(ipc__unsent_reserve(&unsent), 0);
    ipc__unsent_add(&unsent, i + 1);
    assert_int_equal(ipc__unsent_get(&unsent, unsent.begin), unsent.begin + 1);
    ipc__unsent_remove(&unsent, unsent.begin);
  }
  assert_int_equal(unsent.end - unsent.begin, 10);
  assert_int_equal(unsent.room, 128);
  ipc__unsent_release(&unsent);
}

/* ---- The table
 * ---------------------------------------------------------------- */

#define ENTRIES 5000

static void test_table(void** state) {
  static ipc__entry_t entries[ENTRIES];
  ipc__table_t table = {0};
  uint64_t i;

  (void) state;
  assert_null(ipc__table_find(&table, 1));
  for (i = 0; i < ENTRIES; i++) {
    assert_int_equal(ipc__table_reserve(&table, 1), 0);
    entries[i].number = i * 7;
    ipc__table_add(&table, &entries[i]);
  }
  assert_int_equal(table.count, ENTRIES);
  for (i = 0; i < ENTRIES; i += 2) ipc__table_remove(&table, &entries[i]);
  for (i = 0; i < ENTRIES; i++) {
    ipc__entry_t* found = ipc__table_find(&table, i * 7);

    if (i % 2 == 0) assert_null(found);
    if (i % 2 != 0) assert_ptr_equal(found, &entries[i]);
    assert_null(ipc__table_find(&table, i * 7 + 1));
  }
  assert_int_equal(table.count, ENTRIES / 2);
  ipc__table_release(&table);
}

/* ---- The agenda
 * ----------------------------------------------------------------- */

#define DUES 300

typedef struct errand_s {
  ipc__due_t due;
  int ms;
  int runs;
} errand_t;

static ipc__agenda_t agenda;
static errand_t tasks[DUES];
static int run_count;

static void on_time(uv_timer_t* timer) {
  (void) timer;
  ipc__agenda_run(&agenda);
}

static void on_due(ipc__due_t* due) {
  errand_t* task = (errand_t*) (void*) due;

  task->runs++;
  run_count++;
}

/* Sets itself again: that is for the next turn. */
static void on_due_again(ipc__due_t* due) {
  run_count++;
  if (run_count < 3) ipc__agenda_set_soon(&agenda, due, on_due_again);
}

static void test_agenda(void** state) {
  int i;

  (void) state;
  memset(tasks, 0, sizeof(tasks));
  run_count = 0;
  assert_int_equal(ipc__agenda_init(&agenda, test_loop(), on_time), 0);
  for (i = 0; i < DUES; i++) {
    assert_int_equal(ipc__agenda_reserve(&agenda), 0);
    tasks[i].ms = i * 37 % 50 * 3;
  }
  for (i = 0; i < DUES; i++) {
    ipc__agenda_set(&agenda, &tasks[i].due, 1000, on_due);
  }
  /* Set anew, in an order that isn't that of the times. */
  uv_update_time(test_loop());
  for (i = 0; i < DUES; i++) {
    ipc__agenda_set(&agenda, &tasks[i].due, tasks[i].ms, on_due);
  }
  for (i = 0; i < DUES; i += 5) ipc__agenda_clear(&agenda, &tasks[i].due);
  ipc__agenda_clear(&agenda, &tasks[0].due);
  while (run_count < DUES - DUES / 5) test_turn();
  for (i = 0; i < DUES; i++) assert_int_equal(tasks[i].runs, i % 5 != 0);
  ipc__agenda_set(&agenda, &tasks[0].due, IPC_CHANNEL_INFINITE, on_due);
  assert_int_equal(tasks[0].due.place, 0);
  run_count = 0;
  ipc__agenda_set_soon(&agenda, &tasks[0].due, on_due_again);
  while (run_count < 3) test_turn();
  for (i = 0; i < DUES; i++) ipc__agenda_unreserve(&agenda);
  ipc__agenda_release(&agenda);
  uv_close((uv_handle_t*) &agenda.timer, NULL);
}

/* ---- Parameters
 * ------------------------------------------------------------------ */

static const ipc_service_param_t table[] = {
    {"name", IPC_SERVICE_STRING, 1, NULL},
    {"count", IPC_SERVICE_INTEGER, 0, NULL},
    {"share", IPC_SERVICE_NUMBER, 0, NULL},
    {"flag", IPC_SERVICE_BOOLEAN, 0, NULL},
    {"list", IPC_SERVICE_ARRAY, 0, NULL},
    {"map", IPC_SERVICE_OBJECT, 0, NULL},
    {"any", IPC_SERVICE_ANY, 0, NULL},
    {NULL, IPC_SERVICE_ANY, 0, NULL},
};

static void takes(const char* params, const char* named) {
  json_t* given = json_loads(params, JSON_DECODE_ANY, NULL);
  json_t* wanted = json_loads(named, JSON_DECODE_ANY, NULL);
  json_t* found;
  json_t* problem;

  assert_int_equal(ipc__params_take(table, given, &found, &problem), 0);
  assert_null(problem);
  assert_true(json_equal(found, wanted));
  json_decref(given);
  json_decref(wanted);
  json_decref(found);
}

static void refuses(const char* params, const char* param, const char* words) {
  json_t* given = json_loads(params, JSON_DECODE_ANY, NULL);
  json_t* found;
  json_t* problem;

  assert_int_equal(ipc__params_take(table, given, &found, &problem), UV_EINVAL);
  assert_null(found);
  assert_string_equal(json_string_value(json_object_get(problem, "param")),
                      param);
  assert_string_equal(json_string_value(json_object_get(problem, "problem")),
                      words);
  json_decref(given);
  json_decref(problem);
}

static void test_params(void** state) {
  (void) state;
  takes("[\"a\"]", "{\"name\":\"a\"}");
  takes("[\"a\",null,2]", "{\"name\":\"a\",\"share\":2}");
  takes("[\"a\",3.0,2.5,false,[1],{\"x\":1},null]",
        "{\"name\":\"a\",\"count\":3,\"share\":2.5,\"flag\":false,"
        "\"list\":[1],\"map\":{\"x\":1}}");
  takes("{\"any\":5,\"name\":\"\"}", "{\"any\":5,\"name\":\"\"}");
  refuses("{\"name\":null}", "name", "is null, not a string");
  refuses("{}", "name", "is missing");
  refuses("[\"a\",\"1\"]", "count", "is a string, not an integer");
  refuses("[\"a\",1,true]", "share", "is a boolean, not a number");
  refuses("[\"a\",1,1,0]", "flag", "is an integer, not a boolean");
  refuses("[\"a\",1,1,true,{}]", "list", "is an object, not an array");
  refuses("[\"a\",1,1,true,[],[]]", "map", "is an array, not an object");
  refuses("{\"name\":\"a\",\"b\":1}", "b", "is unknown");
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_depth),    TEST(test_unsent), TEST(test_members),
      TEST(test_elements), TEST(test_table),  TEST(test_agenda),
      TEST(test_params),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
