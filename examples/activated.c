/* Sends back what comes to sockets that a supervisor has made: activated
 * [NAME...]. The supervisor starts it when the first client comes:
 *
 *   systemd-socket-activate -l /tmp/a -l /tmp/b --fdname=a:b activated a b
 *   systemd-socket-activate -l /tmp/a --accept activated
 *
 * With names, each answer begins with the one that the socket has; without
 * any, all sockets are served. It runs until it is killed or, of one connection
 * (--accept), until that ends. Exit status 1: nothing has been passed on, as
 * always on Windows, where nobody does that. */
#include <ipc_channel.h>
#include <stdio.h>
#include <string.h>

#define MAX_HANDLES 16

/* Clients that don't take their answers are dropped. */
static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  char* name = ipc_channel_data(channel);
  uv_buf_t pieces[2];

  pieces[0] = uv_buf_init(name, (unsigned int) strlen(name));
  pieces[1] = uv_buf_init((char*) data, (unsigned int) size);
  if (ipc_channel_try_send_vector(channel, pieces, 2, NULL) != 0)
    ipc_channel_disconnect(channel);
}

static void on_end(ipc_channel_t* channel, int status) {
  (void) status;
  ipc_channel_close(channel);
}

/* A socket that listens, or else one that is connected. */
static int serve(uv_os_fd_t handle, char* name) {
  ipc_server_options_t options;
  ipc_channel_options_t connected;
  ipc_channel_t* channel;
  ipc_server_t* server;
  int err;

  ipc_server_options_init(&options, NULL);
  ipc_server_options_set_listener(&options, handle);
  ipc_server_options_on_message(&options, on_message);
  err = ipc_server_listen(uv_default_loop(), &options, name, &server);
  if (err != UV_EINVAL) return err;
  ipc_channel_options_init(&connected);
  ipc_channel_options_on_message(&connected, on_message);
  ipc_channel_options_on_end(&connected, on_end);
  return ipc_channel_open(uv_default_loop(), &connected, handle, name,
                          &channel);
}

/* `name`: NULL for all. */
static int serve_all(char* name) {
  static char none[] = "";
  uv_os_fd_t handles[MAX_HANDLES];
  size_t count = MAX_HANDLES;
  size_t i;
  int err;

  err = ipc_activation_handles(name, handles, &count);
  for (i = 0; err == 0 && i < count; i++) {
    err = serve(handles[i], name == NULL ? none : name);
  }
  return err;
}

int main(int argc, char** argv) {
  int err = 0;
  int i;

  if (argc == 1) err = serve_all(NULL);
  for (i = 1; err == 0 && i < argc; i++) err = serve_all(argv[i]);
  if (err != 0) {
    fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
    return 1;
  }
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
