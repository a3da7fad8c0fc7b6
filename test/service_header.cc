/* See service_header.c. */
#include "service_header.c"
