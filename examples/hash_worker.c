/* A worker of hash_files: replies to each path, which comes with the 0 that
 * ends it, with the hash of that file, or why it can't be read. */
#include <ipc_channel.h>
#include <stdio.h>

#define FNV_BASIS 14695981039346656037u /* FNV-1a, 64 bits */
#define FNV_PRIME 1099511628211u

static int hash_file(const char* path, unsigned long long* hash) {
  char bytes[65536];
  uv_buf_t buffer = uv_buf_init(bytes, sizeof(bytes));
  uv_fs_t fs;
  int file = uv_fs_open(NULL, &fs, path, UV_FS_O_RDONLY, 0, NULL);
  int count;
  int i;

  uv_fs_req_cleanup(&fs);
  if (file < 0) return file;
  *hash = FNV_BASIS;
  while ((count = uv_fs_read(NULL, &fs, file, &buffer, 1, -1, NULL)) > 0) {
    for (i = 0; i < count; i++) {
      *hash = (*hash ^ (unsigned char) bytes[i]) * FNV_PRIME;
    }
  }
  uv_fs_close(NULL, &fs, file, NULL);
  return count;
}

static void on_request(ipc_channel_t* channel,
                       ipc_request_t request,
                       const void* path,
                       size_t size) {
  unsigned long long hash;
  char text[64];
  int err = hash_file(path, &hash);

  if (err == 0) {
    size = snprintf(text, sizeof(text), "%016llx", hash);
  } else {
    size = snprintf(text, sizeof(text), "%s", uv_strerror(err));
  }
  ipc_channel_reply(channel, request, text, size);
}

/* There is nothing more to do, or the parent has gone. */
static void on_end(ipc_channel_t* channel, int status) {
  (void) status;
  ipc_channel_close(channel);
}

int main(void) {
  ipc_channel_options_t options;
  ipc_channel_t* channel;
  int err;

  ipc_channel_options_init(&options);
  ipc_channel_options_on_request(&options, on_request);
  ipc_channel_options_on_end(&options, on_end);
  err = ipc_channel_inherit(uv_default_loop(), &options, NULL, &channel);
  if (err != 0) {
    fprintf(stderr, "not a worker: %s\n", uv_strerror(err));
    return 1;
  }
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
