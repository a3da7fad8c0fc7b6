/* What call prints is put together here: JSON as it is, and words of others
 * without what a terminal would obey. */
#include "call_page.h"

#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "report.h"

static int grow(page_t* page, size_t size) {
  size_t capacity = 2 * page->capacity + size;
  char* grown;

  if (page->capacity - page->size >= size) return 0;
  grown = realloc(page->data, capacity);
  if (grown == NULL) return UV_ENOMEM;
  page->data = grown;
  page->capacity = capacity;
  return 0;
}

void page_put(page_t* page, const char* data, size_t size) {
  if (size == 0 || page->has_failed) return;
  if (grow(page, size) != 0) {
    page->has_failed = 1;
    return;
  }
  memcpy(page->data + page->size, data, size);
  page->size += size;
}

void page_put_word(page_t* page, const char* word) {
  page_put(page, word, strlen(word));
}

static int on_json(const char* data, size_t size, void* arg) {
  page_t* page = arg;

  page_put(page, data, size);
  return page->has_failed ? -1 : 0;
}

void page_put_json(page_t* page, const json_t* value, int is_pretty) {
  size_t flags = is_pretty ? JSON_INDENT(2) : JSON_COMPACT;

  if (json_dump_callback(value, on_json, page, flags | JSON_ENCODE_ANY) != 0) {
    page->has_failed = 1;
  }
}

/* C0 and DEL, and C1, which UTF-8 writes as two bytes. */
static size_t control_size(const unsigned char* at) {
  if (at[0] < 0x20 || at[0] == 0x7f) return 1;
  return at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
}

void page_put_plain(page_t* page, const char* word) {
  size_t control;

  while (*word != '\0') {
    control = control_size((const unsigned char*) word);
    page_put(page, control > 0 ? " " : word, 1);
    word += control > 0 ? control : 1;
  }
}

size_t page_width(const char* word) {
  size_t width = 0;
  size_t control;

  while (*word != '\0') {
    control = control_size((const unsigned char*) word);
    width += control > 0 || ((unsigned char) *word & 0xc0) != 0x80;
    word += control > 0 ? control : 1;
  }
  return width;
}

void page_put_column(page_t* page, const char* word, size_t width) {
  size_t used = page_width(word);

  page_put_plain(page, word);
  for (; used < width; used++) page_put(page, " ", 1);
}

int page_print(page_t* page) {
  int err = UV_ENOMEM;
  uv_buf_t buffer;

  if (!page->has_failed) {
    buffer = uv_buf_init(page->data, (unsigned int) page->size);
    err = output_write(&buffer, 1);
  }
  free(page->data);
  memset(page, 0, sizeof(*page));
  if (err == 0) return STATUS_OK;
  report(NULL, "standard output: %s", uv_strerror(err));
  return STATUS_FAILED;
}
