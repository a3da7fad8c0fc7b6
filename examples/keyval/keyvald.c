/* Keeps keys and their values, any JSON, in FOLDER/NAME.json: keyvald NAME
 * FOLDER. Speaks JSON-RPC 2.0, a line a message. What it tells, in an answer or
 * to those who watch, is in the file and outlives a kill: that is written anew,
 * beside itself and for all changes that wait, and renamed. The name, which one
 * daemon can have, guards it too. */
#include <ipc_service.h>
#include <stdio.h>
#include <string.h>

enum { NO_SUCH_KEY = 1, NOT_SAVED = 2, MOST_UNREAD_BYTES = 64 << 20 };

static ipc_service_t* keyval;
static json_t* entries; /* what is in the file */
static json_t* writing; /* changes: a "request", its "key", a "value" or none */
static json_t* waiting; /* the same, for the next time */
static int status, is_leaving;
static char path[8192], temp[8192], *folder;
static char* text; /* the thread's while it writes, as are status and fs */
static uv_fs_t fs;
static uv_work_t work;

/* Passes on what a call of libuv's said, and releases what it took. */
static int done(int result) {
  uv_fs_req_cleanup(&fs);
  return result;
}

/* Writes the data, if any, and waits until the disk has all of it. */
static int save(const char* name, int flags, char* data, size_t size) {
  uv_buf_t all = uv_buf_init(data, (unsigned int) size);
  int file = done(uv_fs_open(NULL, &fs, name, flags, 0600, NULL));
  int err = 0;

  if (file < 0) return file;
  if (data) err = done(uv_fs_write(NULL, &fs, file, &all, 1, -1, NULL));
  if (err >= 0 && (size_t) err < size) err = UV_ENOSPC;
  if (err >= 0) err = done(uv_fs_fsync(NULL, &fs, file, NULL));
  done(uv_fs_close(NULL, &fs, file, NULL));
  return err;
}

/* In the thread pool, where waiting for the disk holds up nobody. A folder that
 * can't be synced, as on Windows, could lose a rename only with the power. */
static void on_work(uv_work_t* request) {
  int flags = UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC;

  (void) request;
  status = text ? save(temp, flags, text, strlen(text)) : UV_ENOMEM;
  if (status == 0) status = done(uv_fs_rename(NULL, &fs, temp, path, NULL));
  if (status == 0) save(folder, UV_FS_O_RDONLY, NULL, 0);
}

static int is_asked(const json_t* params, const char* key) {
  const char* prefix = json_string_value(json_object_get(params, "prefix"));

  return params && (!prefix || strncmp(key, prefix, strlen(prefix)) == 0);
}

static int is_watching(ipc_service_peer_t* peer, void* key) {
  return is_asked(ipc_service_peer_data(peer), json_string_value(key));
}

static int apply(json_t* to, const json_t* change) {
  const char* key = json_string_value(json_object_get(change, "key"));
  json_t* value = json_object_get(change, "value");

  return value ? json_object_set(to, key, value) : json_object_del(to, key);
}

static void refuse(ipc_service_request_t request, int code, const char* why) {
  ipc_service_reply_error(keyval, request, code, why, NULL);
}

/* Answers what was written, writes what has come meanwhile. Ends only when that
 * is nothing: who gets the name then reads the file. */
static void write_next(uv_work_t* written, int err) {
  json_t *change, *next;
  size_t i;

  err = 0;
  if (written == NULL && writing != NULL) return;
  json_array_foreach(writing, i, change) {
    json_int_t request = json_integer_value(json_object_get(change, "request"));

    json_object_del(change, "request");
    if (status != 0) {
      refuse(request, NOT_SAVED, uv_strerror(status));
    } else if (apply(entries, change) != 0) {
      refuse(request, NO_SUCH_KEY, "no such key");
    } else {
      ipc_service_reply(keyval, request, json_true());
      ipc_service_push(keyval, is_watching, json_object_get(change, "key"),
                       "changed", json_incref(change), NULL);
    }
  }
  json_decref(writing);
  writing = NULL;
  if (json_array_size(waiting) == 0) {
    if (is_leaving) ipc_service_close(keyval, NULL);
    return;
  }
  writing = waiting;
  waiting = json_array();
  next = json_copy(entries);
  json_array_foreach(writing, i, change) {
    err |= apply(next, change) != 0 && json_object_get(change, "value");
  }
  free(text);
  text = err == 0 ? json_dumps(next, JSON_INDENT(2)) : NULL; /* no memory */
  json_decref(next);
  uv_queue_work(ipc_service_loop(keyval), &work, on_work, write_next);
}

static void on_signal(uv_signal_t* signal, int number) {
  (void) signal, (void) number;
  is_leaving = 1;
  write_next(NULL, 0);
}

static void on_request(ipc_service_t* service,
                       ipc_service_peer_t* peer,
                       ipc_service_request_t request,
                       json_t* params,
                       void* method) {
  const json_t* key = json_object_get(params, "key");
  const char* name = json_string_value(key);
  json_t *found, *value;

  if (key != NULL && (!*name || strlen(name) < json_string_length(key))) {
    refuse(request, IPC_SERVICE_INVALID_PARAMS, "the key is empty or has NULs");
  } else if (strcmp(method, "get") == 0) {
    value = json_incref(json_object_get(entries, name));
    if (ipc_service_reply(service, request, value) == UV_EINVAL) {
      refuse(request, NO_SUCH_KEY, "no such key");
    }
  } else if (key == NULL) {
    found = json_object();
    json_object_foreach(entries, name, value) {
      if (is_asked(params, name)) json_object_set(found, name, value);
    }
    ipc_service_reply(service, request, found);
    if (strcmp(method, "list") == 0) return;
    json_decref(ipc_service_peer_data(peer));
    ipc_service_peer_set_data(peer, json_incref(params));
  } else if (is_leaving) {
    refuse(request, IPC_SERVICE_SHUTTING_DOWN, "shutting down");
  } else {
    value = json_copy(params);
    json_object_set_new(value, "request", json_integer((json_int_t) request));
    json_array_append_new(waiting, value);
    write_next(NULL, 0);
  }
}

static void on_gone(ipc_service_t* service,
                    ipc_service_event_t event,
                    ipc_service_peer_t* peer,
                    int why,
                    const char* words,
                    void* arg) {
  (void) service, (void) event, (void) why, (void) words, (void) arg;
  json_decref(ipc_service_peer_data(peer));
}

static const ipc_service_param_t one[] = {
    {"key", IPC_SERVICE_STRING, 1, "not empty"}, {0}};
static const ipc_service_param_t both[] = {
    {"key", IPC_SERVICE_STRING, 1, "not empty"},
    {"value", IPC_SERVICE_ANY, 1, "of any kind"},
    {0}};
static const ipc_service_param_t some[] = {
    {"prefix", IPC_SERVICE_STRING, 0, "of the keys"}, {0}};
static const ipc_service_method_t methods[] = {
    {"get", "Tells a value.", one, "the value"},
    {"set", "Answers when it is saved.", both, "true"},
    {"delete", "Answers when it is saved.", one, "true"},
    {"list", "Tells all values.", some, "an object"},
    {"watch", "As list; then \"changed\" is told.", some, "an object"},
};

/* A file missing in the folder is an empty one; a bad one stays as it is. */
static int load(void) {
  int is_new = done(uv_fs_access(NULL, &fs, path, 0, NULL)) == UV_ENOENT &&
               done(uv_fs_scandir(NULL, &fs, folder, 0, NULL)) >= 0;
  json_error_t why = {0};

  entries = is_new ? json_object() : json_load_file(path, JSON_ALLOW_NUL, &why);
  if (json_is_object(entries)) return 0;
  fprintf(stderr, "keyvald: %s: %s\n", path, entries ? "no object" : why.text);
  return UV_EINVAL;
}

int main(int argc, char** argv) {
  uv_signal_t signals[2];
  ipc_server_options_t endpoint;
  ipc_service_options_t options;
  ipc_name_state_t state;
  ipc_peer_t who;
  int i, err;

  if (argc != 3 || strpbrk(argv[1], "/\\") != NULL)
    return fputs("usage: keyvald NAME FOLDER, no path as a name\n", stderr), 2;
  folder = argv[2];
  snprintf(path, sizeof(path), "%s/%s.json", folder, argv[1]);
  snprintf(temp, sizeof(temp), "%s/%s.tmp", folder, argv[1]);
  waiting = json_array();
  ipc_service_options_init(&options);
  ipc_server_options_init(&endpoint, argv[1]);
  ipc_server_options_set_framing(&endpoint, IPC_CHANNEL_FRAMING_DELIMITER);
  /* Who doesn't read is hung up on, and so knows that it misses something. */
  ipc_server_options_set_slow_reader(&endpoint, IPC_CHANNEL_SLOW_DISCONNECT);
  ipc_server_options_set_max_queue_bytes(&endpoint, MOST_UNREAD_BYTES);
  err = ipc_service_create(uv_default_loop(), &options, NULL, &keyval);
  for (i = 0; err == 0 && i < 5; i++) {
    err = ipc_service_add_method(keyval, &methods[i], on_request,
                                 (void*) methods[i].name, NULL);
  }
  ipc_service_on_event(keyval, IPC_SERVICE_PEER_GONE, on_gone, NULL, NULL);
  for (i = 0; i < 2; i++) {
    uv_signal_init(uv_default_loop(), &signals[i]);
    uv_signal_start(&signals[i], on_signal, i == 0 ? SIGINT : SIGTERM);
    uv_unref((uv_handle_t*) &signals[i]); /* they alone don't keep us */
  }
  if (err == 0) err = ipc_service_listen(keyval, &endpoint);
  if (err == UV_EADDRINUSE && ipc_name_probe(argv[1], &state, &who) == 0) {
    fprintf(stderr, "served by process %lld: ", (long long) who.pid);
  }
  if (err != 0) fprintf(stderr, "%s: %s\n", argv[1], uv_strerror(err));
  if (err == 0) err = load();
  if (err == 0) puts("ready"), fflush(stdout);
  if (err != 0) ipc_service_close(keyval, NULL);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return err != 0;
}
