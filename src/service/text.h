/* JSON texts as bytes: what jansson's values don't tell any more. */
#ifndef IPC_SERVICE_TEXT_H
#define IPC_SERVICE_TEXT_H

#include <stddef.h>

/* A part of a text. */
typedef struct ipc__span_s {
  const char* data; /* NULL: none */
  size_t size;
} ipc__span_t;

/* The most arrays and objects that are open at the same time. Of any bytes. */
size_t ipc__text_depth(const char* data, size_t size);

/* Whether a NUL-terminated string is UTF-8. */
int ipc__text_is_utf8(const char* text);

/* The rest is for texts that have been parsed, and are known to be JSON; of
 * others the answer is wrong, but nothing is read beyond the end. */

/* The value of the last member of an object that is called `name` (ASCII); none
 * where there is no such one. */
ipc__span_t ipc__text_member(ipc__span_t object, const char* name);
/* The next element of an array: `*at` is 0 for the first. None: no more. */
ipc__span_t ipc__text_element(ipc__span_t array, size_t* at);
/* Without the white space around it. */
ipc__span_t ipc__text_trim(const char* data, size_t size);

#endif /* IPC_SERVICE_TEXT_H */
