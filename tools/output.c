/* Writes to standard output at once and in full. uv_fs_write takes files, pipes
 * and terminals alike and translates no line ends on Windows. */
#include "output.h"

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
