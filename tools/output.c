/* Writes to standard output at once and in full. uv_fs_write takes files, pipes
 * and terminals alike and translates no line ends on Windows. */
#include "output.h"

#include <limits.h>

/* A partial write leaves the rest in the buffers. */
static void skip(uv_buf_t** buffers, unsigned int* count, size_t bytes) {
  while (*count > 0 && bytes >= (*buffers)->len) {
    bytes -= (*buffers)->len;
    ++*buffers;
    --*count;
  }
  if (*count > 0) {
    (*buffers)->base += bytes;
    (*buffers)->len -= (unsigned int) bytes;
  }
}

int output_write(uv_buf_t* buffers, unsigned int count) {
  uv_fs_t request;
  int result;

  skip(&buffers, &count, 0);
  while (count > 0) {
    result = uv_fs_write(NULL, &request, 1, buffers, count, -1, NULL);
    uv_fs_req_cleanup(&request);
    if (result == UV_EAGAIN) {
      /* Somebody made it non-blocking, as libuv does with standard input where
       * both are the same terminal or socket. */
      uv_sleep(1);
    } else if (result < 0) {
      return result;
    } else {
      skip(&buffers, &count, (size_t) result);
    }
  }
  return 0;
}

int output_text(text_t* text) {
  uv_buf_t buffer;
  int err = UV_ENOMEM;

  /* What a buffer can't tell the length of: half a GiB of message. */
  if (text->size > UINT_MAX) text->has_failed = 1;
  if (!text->has_failed) {
    buffer = uv_buf_init(text->data, (unsigned int) text->size);
    err = output_write(&buffer, 1);
  }
  text_release(text);
  return err;
}

void output_format(text_t* text,
                   const arguments_t* arguments,
                   const origin_t* origin,
                   const void* data,
                   size_t size) {
  if (arguments->output != FORMAT_RAW) {
    format_encode(text, arguments->output, origin, data, size);
    return;
  }
  text_add(text, data, size);
  if (framing_has_messages(&arguments->framing)) text_add_byte(text, '\n');
}

int output_message(const arguments_t* arguments,
                   const origin_t* origin,
                   const void* data,
                   size_t size) {
  uv_buf_t buffers[2];
  text_t text = {0};

  if (arguments->output == FORMAT_RAW) {
    buffers[0] = uv_buf_init((char*) data, (unsigned int) size);
    buffers[1] =
        uv_buf_init("\n", framing_has_messages(&arguments->framing) ? 1 : 0);
    return output_write(buffers, 2);
  }
  output_format(&text, arguments, origin, data, size);
  return output_text(&text);
}
