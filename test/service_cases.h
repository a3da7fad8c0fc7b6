/* What is said to a service, and what it must answer: JSON-RPC 2.0 as data. */
#ifndef IPC_CHANNEL_TEST_SERVICE_CASES_H
#define IPC_CHANNEL_TEST_SERVICE_CASES_H

#include <stddef.h>

typedef struct service_case_s {
  const char* about;
  const char* says;
  const char* hears; /* NULL: nothing at all */
} service_case_t;

/* The exchanges that section 7 of the standard shows, with other names. */
extern const service_case_t standard_cases[];
extern const size_t standard_case_count;
/* What else it demands, and what it leaves open. */
extern const service_case_t further_cases[];
extern const size_t further_case_count;

#endif /* IPC_CHANNEL_TEST_SERVICE_CASES_H */
