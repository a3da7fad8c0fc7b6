/* What call prints: JSON as it is, and words of others without what a terminal
 * would obey. */
#include "call_text.h"

#include "output.h"
#include "report.h"

static int on_json(const char* data, size_t size, void* arg) {
  text_t* text = arg;

  text_add(text, data, size);
  return text->has_failed ? -1 : 0;
}

void call_add_json(text_t* text, const json_t* value, int is_pretty) {
  size_t flags = is_pretty ? JSON_INDENT(2) : JSON_COMPACT;

  if (json_dump_callback(value, on_json, text, flags | JSON_ENCODE_ANY) != 0) {
    text->has_failed = 1;
  }
}

/* C0 and DEL, and C1, which UTF-8 writes as two bytes. */
static size_t control_size(const unsigned char* at) {
  if (at[0] < 0x20 || at[0] == 0x7f) return 1;
  return at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
}

void call_add_plain(text_t* text, const char* word) {
  size_t control;

  while (*word != '\0') {
    control = control_size((const unsigned char*) word);
    text_add_byte(text, control > 0 ? ' ' : *word);
    word += control > 0 ? control : 1;
  }
}

size_t call_width(const char* word) {
  size_t width = 0;
  size_t control;

  while (*word != '\0') {
    control = control_size((const unsigned char*) word);
    width += control > 0 || ((unsigned char) *word & 0xc0) != 0x80;
    word += control > 0 ? control : 1;
  }
  return width;
}

void call_add_column(text_t* text, const char* word, size_t width) {
  size_t used = call_width(word);

  call_add_plain(text, word);
  for (; used < width; used++) text_add_byte(text, ' ');
}

int call_write(text_t* text) {
  int err = output_text(text);

  return err == 0 ? STATUS_OK : report_output(NULL, err, "");
}
