/* The children's side. Most use plain blocking reads and writes of their
 * standard streams, as most programs do. */
#include "child_roles.h"

#include <signal.h>
#include <stdio.h>

#define CHUNK 8192

#define FAILED_STATUS 99

/* As good as for ever, and yet nothing stays when a test dies. */
#define SLEEP_MS 120000

/* Longer than any drain timeout here. */
#define NAP_MS 5000

static long read_some(int fd, char* data, size_t size) {
  uv_buf_t buffer = uv_buf_init(data, (unsigned int) size);
  uv_fs_t request;
  long result;

  result = uv_fs_read(NULL, &request, fd, &buffer, 1, -1, NULL);
  uv_fs_req_cleanup(&request);
  return result;
}

static void write_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    uv_buf_t buffer = uv_buf_init((char*) data, (unsigned int) size);
    uv_fs_t request;
    long result;

    result = uv_fs_write(NULL, &request, fd, &buffer, 1, -1, NULL);
    uv_fs_req_cleanup(&request);
    if (result <= 0) exit(FAILED_STATUS);
    data += result;
    size -= (size_t) result;
  }
}

static void write_text(int fd, const char* text) {
  write_all(fd, text, strlen(text));
}

static int play_exit(int argc, char** argv) {
  return argc > 0 ? atoi(argv[0]) : 0;
}

static int play_cat(int argc, char** argv) {
  char data[CHUNK];
  long size;

  (void) argc;
  (void) argv;
  while ((size = read_some(0, data, sizeof(data))) > 0) {
    write_all(1, data, (size_t) size);
  }
  return size == 0 ? 0 : FAILED_STATUS;
}

static int play_spam(int argc, char** argv) {
  size_t left = argc > 0 ? (size_t) atol(argv[0]) : 0;
  char out[CHUNK];
  char err[CHUNK];

  memset(out, SPAM_OUT, sizeof(out));
  memset(err, SPAM_ERR, sizeof(err));
  while (left > 0) {
    size_t size = left < CHUNK ? left : CHUNK;

    write_all(1, out, size);
    write_all(2, err, size);
    left -= size;
  }
  return 0;
}

static int play_say(int argc, char** argv) {
  (void) argc;
  (void) argv;
  write_text(1, "1");
  write_text(2, "2");
  write_text(1, "3");
  return 0;
}

static int play_sleep(int argc, char** argv) {
  (void) argc;
  (void) argv;
  write_text(1, "ready");
  uv_sleep(SLEEP_MS);
  return FAILED_STATUS;
}

static int play_nap(int argc, char** argv) {
  (void) argc;
  (void) argv;
  write_text(1, "ready");
  uv_sleep(NAP_MS);
  return 0;
}

static int play_stubborn(int argc, char** argv) {
  signal(SIGTERM, SIG_IGN);
  return play_sleep(argc, argv);
}

/* This program once more, detached, since on Windows libuv has children end
 * with their parent. args[0] is filled in. 0: it runs. */
static int spawn_detached(char* args[], uv_stdio_container_t stdio[3]) {
  uv_process_options_t options;
  static uv_process_t process;
  char path[1024];
  size_t size = sizeof(path);

  if (uv_exepath(path, &size) != 0) return -1;
  args[0] = path;
  memset(&options, 0, sizeof(options));
  options.file = path;
  options.args = args;
  options.stdio = stdio;
  options.stdio_count = 3;
  options.flags = UV_PROCESS_DETACHED;
  return uv_spawn(uv_default_loop(), &process, &options);
}

static int leave(const char* role) {
  uv_stdio_container_t stdio[3];
  char* args[3] = {NULL, (char*) role, NULL};
  int i;

  write_text(1, "left");
  for (i = 0; i < 3; i++) {
    stdio[i].flags = UV_INHERIT_FD;
    stdio[i].data.fd = i;
  }
  return spawn_detached(args, stdio) == 0 ? PARENT_STATUS : FAILED_STATUS;
}

static int play_parent(int argc, char** argv) {
  (void) argc;
  (void) argv;
  return leave("cat");
}

static int play_leave(int argc, char** argv) {
  (void) argc;
  (void) argv;
  return leave("nap");
}

static int play_complain(int argc, char** argv) {
  (void) argc;
  (void) argv;
  write_text(2, "oh");
  return leave("nap");
}

static void on_nested_exit(ipc_child_t* child, int64_t status, int signal) {
  *(int*) ipc_child_data(child) = signal != 0 ? FAILED_STATUS : (int) status;
  ipc_child_close(child, NULL);
}

static int play_nest(int argc, char** argv) {
  ipc_child_options_t options;
  ipc_child_t* child;
  int status = FAILED_STATUS;

  (void) argc;
  (void) argv;
  child_options(&options, "say", NULL);
  ipc_child_options_on_exit(&options, on_nested_exit);
  if (ipc_child_spawn(uv_default_loop(), &options, &status, &child) != 0) {
    return FAILED_STATUS;
  }
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return status;
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  if (ipc_channel_send_copy(channel, data, size, NULL, NULL) != 0) {
    exit(FAILED_STATUS);
  }
}

static void on_end(ipc_channel_t* channel, int status) {
  *(int*) ipc_channel_data(channel) = status == 0 ? 0 : FAILED_STATUS;
  ipc_channel_close(channel);
}

static int play_inherit(int argc, char** argv) {
  ipc_channel_options_t options;
  ipc_channel_t* channel;
  ipc_channel_t* second;
  char value[16];
  size_t size = sizeof(value);
  int status = FAILED_STATUS;
  int err;

  (void) argc;
  (void) argv;
  ipc_channel_options_init(&options);
  ipc_channel_options_on_message(&options, on_message);
  ipc_channel_options_set_max_queue_bytes(&options, (size_t) 64 << 20);
  ipc_channel_options_on_end(&options, on_end);
  err = ipc_channel_inherit(uv_default_loop(), &options, &status, &channel);
  if (err == UV_ENOENT) return NO_CHANNEL_STATUS;
  if (err != 0) return 12;
  if (ipc_channel_inherit(uv_default_loop(), &options, NULL, &second) !=
          UV_ENOENT ||
      second != NULL) {
    return 13;
  }
  if (uv_os_getenv("IPC_CHANNEL_INHERIT", value, &size) != UV_ENOENT) {
    return 14;
  }
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return status;
}

/* ---- Its own standard streams as channels ------------------------------- */

static ipc_channel_t* streams[2];
static int stream_status;

static void on_stream_message(ipc_channel_t* channel,
                              const void* data,
                              size_t size) {
  (void) channel;
  if (ipc_channel_send_copy(streams[1], data, size, NULL, NULL) != 0) {
    exit(FAILED_STATUS);
  }
}

static void on_stream_end(ipc_channel_t* channel, int status) {
  (void) channel;
  if (status != 0) stream_status = FAILED_STATUS;
  ipc_channel_close(streams[0]);
  ipc_channel_close(streams[1]);
}

static void on_stream_close(ipc_channel_t* channel,
                            const ipc_close_result_t* result) {
  (void) channel;
  if (result->status != 0) stream_status = FAILED_STATUS;
}

static ipc_framing_t stream_framing(const char* name) {
  if (strcmp(name, "lines") == 0) return IPC_CHANNEL_FRAMING_DELIMITER;
  if (strcmp(name, "raw") == 0) return IPC_CHANNEL_FRAMING_RAW;
  return IPC_CHANNEL_FRAMING_CONTENT_LENGTH;
}

static int open_stream(int fd, ipc_access_t access, const char* framing) {
  ipc_channel_options_t options;

  ipc_channel_options_init(&options);
  ipc_channel_options_set_framing(&options, stream_framing(framing));
  ipc_channel_options_set_access(&options, access);
  ipc_channel_options_set_max_queue_bytes(&options, (size_t) 64 << 20);
  ipc_channel_options_on_close(&options, on_stream_close);
  if (access == IPC_CHANNEL_ACCESS_INBOUND) {
    ipc_channel_options_on_message(&options, on_stream_message);
    ipc_channel_options_on_end(&options, on_stream_end);
  }
  return ipc_channel_open(uv_default_loop(), &options, uv_get_osfhandle(fd),
                          NULL, &streams[fd]);
}

static int play_stdio(int argc, char** argv) {
  if (argc < 1) return FAILED_STATUS;
  if (open_stream(0, IPC_CHANNEL_ACCESS_INBOUND, argv[0]) != 0) return 21;
  if (open_stream(1, IPC_CHANNEL_ACCESS_OUTBOUND, argv[0]) != 0) return 22;
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  if (uv_loop_close(uv_default_loop()) != 0) return 23;
  return stream_status;
}

/* Says on its error output when its input has ended. */
static int play_mourn(int argc, char** argv) {
  int status = play_stdio(argc, argv);

  write_text(2, status == 0 ? "ended" : "failed");
  return status;
}

/* Leaves one behind whose streams have nobody else at their other ends. */
static int play_bereave(int argc, char** argv) {
  uv_stdio_container_t stdio[3];
  static uv_pipe_t pipes[2];
  char* args[4] = {NULL, "mourn", "lines", NULL};
  int i;

  (void) argc;
  (void) argv;
  for (i = 0; i < 2; i++) {
    uv_pipe_init(uv_default_loop(), &pipes[i], 0);
    stdio[i].flags =
        UV_CREATE_PIPE | (i == 0 ? UV_READABLE_PIPE : UV_WRITABLE_PIPE);
    stdio[i].data.stream = (uv_stream_t*) &pipes[i];
  }
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  if (spawn_detached(args, stdio) != 0) return FAILED_STATUS;
  return play_sleep(0, NULL);
}

static int play_environ(int argc, char** argv) {
  char text[4096];
  size_t size = sizeof(text);

  if (argc < 1 || uv_os_getenv(argv[0], text, &size) != 0) strcpy(text, "-");
  write_text(1, text);
  size = sizeof(text);
  if (uv_cwd(text, &size) != 0) return FAILED_STATUS;
  write_text(1, "\n");
  write_text(1, text);
  return 0;
}

const test_role_t child_roles[] = {
    {"exit", play_exit},
    {"cat", play_cat},
    {"spam", play_spam},
    {"say", play_say},
    {"sleep", play_sleep},
    {"stubborn", play_stubborn},
    {"parent", play_parent},
    {"leave", play_leave},
    {"complain", play_complain},
    {"nap", play_nap},
    {"nest", play_nest},
    {"inherit", play_inherit},
    {"environ", play_environ},
    {"stdio", play_stdio},
    {"mourn", play_mourn},
    {"bereave", play_bereave},
    {NULL, NULL},
};

void child_options(ipc_child_options_t* options,
                   const char* role,
                   const char* argument) {
  static char path[1024];
  static const char* args[4][4];
  static unsigned int turn;
  const char** a = args[turn++ % 4];
  size_t size = sizeof(path);

  if (uv_exepath(path, &size) != 0) exit(FAILED_STATUS);
  a[0] = path;
  a[1] = role;
  a[2] = argument;
  a[3] = NULL;
  ipc_child_options_init(options, path, a);
}
