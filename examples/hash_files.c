/* Four workers hash a directory's files: hash_files DIRECTORY HASH_WORKER */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define WORKERS 4
#define MAX_FILES 10000

static ipc_worker_t* workers[WORKERS];
static char paths[MAX_FILES + 1][1024];
static char is_given[MAX_FILES + 1]; /* to a worker, or back from it */
static int total, done;

static void on_hash(
    ipc_channel_t* channel, void* path, int status, const void* hash, size_t n);

/* A worker is ready for the next one. */
static void give(ipc_worker_t* worker, ipc_channel_t* channel) {
  int i = 0;

  (void) worker;
  while (is_given[i]) i++;
  if (i == total) return;
  is_given[i] = ipc_channel_call(channel, paths[i], strlen(paths[i]) + 1,
                                 IPC_CHANNEL_INFINITE, on_hash, paths[i]) == 0;
}

static void on_hash(ipc_channel_t* channel,
                    void* path,
                    int status,
                    const void* hash,
                    size_t n) {
  int i;

  if (status != 0) { /* its worker has died: it is for another one */
    is_given[(char(*)[1024]) path - paths] = 0;
    for (i = 0; i < WORKERS; i++) give(NULL, ipc_worker_channel(workers[i]));
    return;
  }
  printf("\r%.*s  %s\n", (int) n, (const char*) hash, (char*) path);
  printf("%d of %d files", ++done, total);
  fflush(stdout);
  give(NULL, channel);
  for (i = 0; i < WORKERS && done == total; i++) {
    if (ipc_worker_quit(workers[i], 1000) == 0) continue;
    ipc_worker_close(workers[i], NULL); /* it had no process just now */
  }
}

static void on_exit_told(ipc_worker_t* worker, const ipc_worker_exit_t* told) {
  if (told->restart_ms == IPC_CHANNEL_INFINITE) ipc_worker_close(worker, NULL);
  if (done < total) fprintf(stderr, "\rlost a worker, but there are others\n");
}

int main(int argc, char** argv) {
  const char* const args[] = {"hash_worker", NULL};
  ipc_worker_options_t options;
  uv_dirent_t entry;
  uv_fs_t fs;
  int err, i;

  if (argc != 3) return 2;
  err = uv_fs_scandir(NULL, &fs, argv[1], 0, NULL);
  while (total < MAX_FILES && uv_fs_scandir_next(&fs, &entry) == 0) {
    if (entry.type == UV_DIRENT_DIR) continue;
    snprintf(paths[total++], sizeof(*paths), "%s/%s", argv[1], entry.name);
  }
  uv_fs_req_cleanup(&fs);
  ipc_worker_options_init(&options, argv[2], args);
  ipc_worker_options_on_ready(&options, give);
  ipc_worker_options_on_exit(&options, on_exit_told);
  for (i = 0; i < WORKERS && err >= 0 && total > 0; i++) {
    err = ipc_worker_spawn(uv_default_loop(), &options, NULL, &workers[i]);
  }
  if (err < 0) fprintf(stderr, "%s\n", uv_strerror(err));
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  printf("\n%d files hashed\n", done);
  return done < total || err < 0;
}
