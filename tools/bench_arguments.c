/* The command line of bench. */
#include <string.h>

#include "bench.h"
#include "report.h"
#include "words.h"

#define DEFAULT_DURATION_MS 1000

/* The largest message that the library takes unless it is told otherwise. */
#define MAX_SIZE (16ul << 20)

static int set_size(void* target, const char* value) {
  bench_plan_t* plan = target;
  unsigned long number = 0;
  int status = 0;

  plan->size_count = 0;
  for (;;) {
    size_t length = strcspn(value, ",");

    if (plan->size_count == BENCH_MAX_SIZES) {
      return report_usage("--size takes %d sizes at most", BENCH_MAX_SIZES);
    }
    status = words_number("--size", value, length, 0, MAX_SIZE, &number);
    if (status != 0) return status;
    plan->sizes[plan->size_count++] = (size_t) number;
    if (value[length] == '\0') return 0;
    value += length + 1;
  }
}

static int set_frame(void* target, const char* value) {
  bench_plan_t* plan = target;

  plan->frame = value;
  return framing_parse_plain(value, &plan->framing);
}

static int set_small(const char* option,
                     const char* value,
                     unsigned long most,
                     unsigned int* out) {
  unsigned long number = 0;
  int status = words_number(option, value, strlen(value), 1, most, &number);

  if (status == 0) *out = (unsigned int) number;
  return status;
}

static int set_clients(void* target, const char* value) {
  bench_plan_t* plan = target;

  return set_small("--clients", value, 1000, &plan->clients);
}

static int set_pipeline(void* target, const char* value) {
  bench_plan_t* plan = target;

  return set_small("--pipeline", value, 10000, &plan->pipeline);
}

static int set_duration(void* target, const char* value) {
  bench_plan_t* plan = target;

  return words_milliseconds("--duration", value, &plan->duration_ms);
}

static int set_timeout(void* target, const char* value) {
  bench_plan_t* plan = target;

  return words_milliseconds("--timeout", value, &plan->timeout_ms);
}

static int set_count(void* target, const char* value) {
  bench_plan_t* plan = target;
  unsigned long number = 0;
  int status =
      words_number("--count", value, strlen(value), 1, 4000000000ul, &number);

  if (status == 0) plan->count = number;
  return status;
}

/* --serve is for bench itself. */
static const word_option_t options[] = {
    {"--frame", set_frame, 0},
    {"--size", set_size, 0},
    {"--clients", set_clients, 0},
    {"--pipeline", set_pipeline, 0},
    {"--duration", set_duration, 0},
    {"--count", set_count, 0},
    {"--timeout", set_timeout, 0},
    {"--json", NULL, offsetof(bench_plan_t, json)},
    {"--serve", NULL, offsetof(bench_plan_t, serve)},
    {NULL, NULL, 0},
};

static int take(void* target, const char* word) {
  bench_plan_t* plan = target;

  if (plan->name != NULL) {
    return report_usage("one argument too many: '%s'", word);
  }
  plan->name = word;
  return 0;
}

/* What can't be asked for together. */
static int check(const bench_plan_t* plan) {
  const char* refusal = framing_refuses(&plan->framing, "", 0);
  unsigned int i;

  if (plan->count != 0 && plan->duration_ms != 0) {
    return report_usage("--count and --duration don't go together");
  }
  for (i = 0; refusal != NULL && i < plan->size_count; i++) {
    if (plan->sizes[i] == 0) return report_usage("--size 0: %s", refusal);
  }
  return 0;
}

int bench_parse(char** words, bench_plan_t* plan) {
  int status;

  memset(plan, 0, sizeof(*plan));
  framing_init(&plan->framing);
  plan->frame = "native";
  plan->clients = plan->pipeline = 1;
  plan->timeout_ms = WORDS_TIMEOUT_MS;
  set_size(plan, "64,1024,65536");
  status = words_parse(words, options, plan, take);
  if (status == 0) status = check(plan);
  if (status != 0) return status;
  if (plan->duration_ms == 0) plan->duration_ms = DEFAULT_DURATION_MS;
  return plan->name == NULL ? 0 : words_check_name(plan->name);
}
