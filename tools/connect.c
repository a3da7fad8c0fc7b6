/* ipc-channel connect: the client of a name. */
#include "commands.h"
#include "report.h"
#include "talk.h"

static void on_connect(ipc_channel_t* channel, int status) {
  peer_t* peer = ipc_channel_data(channel);
  talk_t* talk = peer->talk;

  if (status == 0) {
    talk_begin(peer);
  } else {
    talk_fail(peer, report_connect(talk->name, status, channel,
                                   talk->arguments->timeout_ms));
  }
}

static int connect_to(talk_t* talk) {
  const arguments_t* arguments = talk->arguments;
  ipc_client_options_t options;
  ipc_channel_t* channel;
  peer_t* peer;
  int err;

  ipc_client_options_init(&options, talk->name);
  framing_set_client(&arguments->framing, &options);
  ipc_client_options_set_connect_timeout(&options, arguments->timeout_ms);
  ipc_client_options_set_wait_for_server(&options, arguments->wait);
  /* However slow the other side's reader is. */
  ipc_client_options_set_close_timeout(&options, IPC_CHANNEL_INFINITE);
  ipc_client_options_on_connect(&options, on_connect);
  ipc_client_options_on_message(&options, talk_on_message);
  ipc_client_options_on_drain(&options, talk_on_drain);
  ipc_client_options_on_end(&options, talk_on_end);
  ipc_client_options_on_close(&options, talk_on_close);
  peer = talk_add(talk);
  if (peer == NULL) {
    report(talk->name, "%s", uv_strerror(UV_ENOMEM));
    return STATUS_FAILED;
  }
  err = ipc_client_connect(talk->loop, &options, peer, &channel);
  if (err != 0) {
    talk_remove(peer);
    return report_options(talk->name, err, &options);
  }
  talk_bind(peer, channel);
  return 0;
}

int command_connect(char** words) {
  arguments_t arguments;
  talk_t talk;
  int status = arguments_connect(words, &arguments);

  if (status != 0) return status;
  talk_init(&talk, uv_default_loop(), &arguments, TALK_CLIENT);
  status = connect_to(&talk);
  if (status != 0) talk_stop(&talk, status);
  return talk_run(&talk);
}
