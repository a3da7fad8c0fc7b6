/* ipc-channel listen: serves a name. */
#include <stdio.h>

#include "commands.h"
#include "report.h"
#include "stop.h"
#include "talk.h"

static void on_connection(ipc_server_t* server, ipc_channel_t* channel) {
  talk_t* talk = ipc_server_data(server);
  peer_t* peer = NULL;

  ipc_channel_set_data(channel, NULL);
  if (!talk_is_single(talk) || talk->peers == NULL) peer = talk_add(talk);
  if (peer == NULL) {
    ipc_channel_close(channel);
    return;
  }
  talk_bind(peer, channel);
  if (talk_is_single(talk)) {
    /* Whoever comes now finds nobody, rather than somebody who won't answer. */
    talk->server = NULL;
    ipc_server_close(server, NULL);
  }
  talk_begin(peer);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  if (ipc_channel_data(channel) != NULL) talk_on_close(channel, result);
}

static void on_error(ipc_server_t* server, int status) {
  talk_t* talk = ipc_server_data(server);

  report(talk->name, "can't take a client just now: %s", uv_strerror(status));
}

static void on_stop(void* arg) {
  talk_stop(arg, STATUS_OK);
}

static int listen_to(talk_t* talk) {
  const arguments_t* arguments = talk->arguments;
  ipc_server_options_t options;
  ipc_server_info_t info;
  int err;

  ipc_server_options_init(&options, talk->name);
  framing_set_server(&arguments->framing, &options);
  ipc_server_options_set_max_instances(&options, arguments->max_instances);
  /* However slow the other side's reader is. */
  ipc_server_options_set_close_timeout(&options, IPC_CHANNEL_INFINITE);
  ipc_server_options_on_connection(&options, on_connection);
  ipc_server_options_on_error(&options, on_error);
  ipc_server_options_on_message(&options, talk_on_message);
  ipc_server_options_on_drain(&options, talk_on_drain);
  ipc_server_options_on_end(&options, talk_on_end);
  ipc_server_options_on_close(&options, on_close);
  err = ipc_server_listen(talk->loop, &options, talk, &talk->server);
  if (err != 0) return report_listen(talk->name, err, &options);
  ipc_server_info(talk->server, &info);
  fprintf(stderr, "READY %s\n", info.os_name);
  fflush(stderr);
  return 0;
}

int command_listen(char** words) {
  arguments_t arguments;
  talk_t talk;
  int status = arguments_listen(words, &arguments);

  if (status != 0) return status;
  talk_init(&talk, uv_default_loop(), &arguments,
            arguments.once ? TALK_SERVER_ONCE : TALK_SERVER);
  status = listen_to(&talk);
  if (status != 0) {
    talk_stop(&talk, status);
  } else {
    stop_watch(talk.loop, on_stop, &talk);
  }
  return talk_run(&talk);
}
