/* A command whose standard input gets what a channel receives, and what it says
 * on its standard output is sent. The end of one side becomes the end of the
 * other after all that came before it: the channel is closed when the command
 * has ended and all it said is sent; the command's input ends with the
 * channel's. A command that has closed its input loses nothing but that. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "report.h"

/* How long a command whose peer has left may take to notice the end of its
 * input, and then the signal to end. */
#define GRACE_MS 2000

/* As shells report a command that a signal has ended. */
#define SIGNALLED 128

struct run_s {
  peer_t* peer;
  ipc_child_t* child; /* NULL: never there, or released */
  ipc_channel_t* in;  /* what it reads; NULL: closed */
  ipc_channel_t* out; /* what it writes; NULL: closed */
  pass_t pass;        /* from the peer to `in` */
  input_t input;      /* from `out` to the peer; open only while that is */
  text_t text;        /* a message as the command gets it */
  /* Either comes first: it may close its output and live on, or leave with the
   * peer yet to take what it said. */
  unsigned int is_silent : 1; /* all that it said has been taken */
  unsigned int has_exited : 1;
};

/* The peer closes with the command, and goes with the last of both. */
static void settle(run_t* run) {
  if (run->has_exited && run->is_silent) talk_close(run->peer);
  talk_reap(run->peer);
}

/* Of either channel. */
static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  run_t* run = ipc_channel_data(channel);

  (void) result;
  if (channel == run->in) run->in = NULL;
  if (channel == run->out) run->out = NULL;
  talk_reap(run->peer);
}

/* ---- From the peer to the command --------------------------------------- */

static void on_in_sent(ipc_channel_t* channel,
                       void* arg,
                       int status,
                       size_t sent) {
  run_t* run = ipc_channel_data(channel);

  (void) arg, (void) sent;
  /* It doesn't read any more: what waits is dropped, as what follows. */
  if (status != 0) pass_drain(&run->pass);
}

static void on_in_drain(ipc_channel_t* channel) {
  run_t* run = ipc_channel_data(channel);

  pass_drain(&run->pass);
}

void run_message(run_t* run, const void* data, size_t size) {
  const arguments_t* arguments = run->peer->talk->arguments;

  if (run->in == NULL) return;
  text_clear(&run->text);
  output_format(&run->text, arguments, &run->peer->origin, data, size);
  if (run->text.has_failed ||
      pass_message(&run->pass, run->text.data, run->text.size) == UV_ENOMEM) {
    report(run->peer->talk->name, "%s", uv_strerror(UV_ENOMEM));
    talk_fail(run->peer, STATUS_FAILED);
  }
  if (run_is_blocked(run)) talk_settle(run->peer);
}

int run_is_blocked(const run_t* run) {
  return run->pass.kept != NULL;
}

void run_end(run_t* run) {
  if (run->in != NULL) ipc_channel_close(run->in);
}

/* ---- From the command to the peer --------------------------------------- */

static void on_out_message(ipc_channel_t* channel,
                           const void* data,
                           size_t size) {
  run_t* run = ipc_channel_data(channel);

  input_take(&run->input, data, size);
}

static void on_out_end(ipc_channel_t* channel, int status) {
  run_t* run = ipc_channel_data(channel);

  /* A broken pipe is an end like any other. */
  input_take_end(&run->input, status == UV_ECONNRESET ? 0 : status);
}

static int on_piece(void* arg, const char* data, size_t size) {
  run_t* run = arg;
  peer_t* peer = run->peer;
  int err;

  err = talk_check(&run->input, peer->talk, data, size);
  if (err != 0) return err;
  peer->owes = 1;
  talk_offer(peer, data, size);
  return peer->owes ? UV_EAGAIN : 0;
}

static void on_input_end(void* arg, int status) {
  run_t* run = arg;
  peer_t* peer = run->peer;

  run->is_silent = 1;
  if (status != 0) {
    talk_report_input(peer->talk, &run->input, "the command's output", status);
    talk_blame(peer, STATUS_FAILED);
    /* Nobody reads the rest of what it says. */
    if (run->out != NULL) ipc_channel_close(run->out);
  }
  /* Where a pipe has no half-close the end is that of the command. */
  ipc_channel_end(peer->channel);
  talk_settle(peer);
  settle(run);
}

void run_drain(run_t* run) {
  input_resume(&run->input);
}

int run_is_silent(const run_t* run) {
  return run->is_silent;
}

/* ---- Life --------------------------------------------------------------- */

static void on_child_close(ipc_child_t* child) {
  run_t* run = ipc_child_data(child);

  run->child = NULL;
  settle(run);
}

static void on_exit(ipc_child_t* child, int64_t exit_status, int term_signal) {
  run_t* run = ipc_child_data(child);
  peer_t* peer = run->peer;

  run->has_exited = 1;
  if (talk_is_single(peer->talk) && !peer->has_failed &&
      peer->talk->state != TALK_OVER) {
    peer->talk->status =
        term_signal != 0 ? SIGNALLED + term_signal : (int) exit_status;
  }
  /* It has said all, though its end may not have been told here yet. */
  input_take_end(&run->input, 0);
  if (ipc_child_close(child, on_child_close) != 0) run->child = NULL;
  settle(run);
}

static void open_input(run_t* run) {
  ipc_channel_info_t info;

  ipc_channel_info(run->peer->channel, &info);
  run->input.loop = run->peer->talk->loop;
  run->input.channel = run->out;
  talk_set_input(run->peer->talk, &run->input, info.max_message_bytes);
  run->input.on_piece = on_piece;
  run->input.on_end = on_input_end;
  run->input.arg = run;
  input_open(&run->input);
}

static int spawn(run_t* run, ipc_child_options_t* options) {
  ipc_channel_options_t in;
  ipc_channel_options_t out;
  int err;

  ipc_channel_options_init(&in);
  ipc_channel_options_set_framing(&in, IPC_CHANNEL_FRAMING_RAW);
  /* However slowly it reads. */
  ipc_channel_options_set_close_timeout(&in, IPC_CHANNEL_INFINITE);
  ipc_channel_options_on_drain(&in, on_in_drain);
  ipc_channel_options_on_close(&in, on_close);
  ipc_channel_options_init(&out);
  ipc_channel_options_set_framing(&out, IPC_CHANNEL_FRAMING_RAW);
  ipc_channel_options_on_message(&out, on_out_message);
  ipc_channel_options_on_end(&out, on_out_end);
  ipc_channel_options_on_close(&out, on_close);
  ipc_child_options_set_channel(options, IPC_CHILD_STDIN_SLOT, &in, run);
  ipc_child_options_set_channel(options, IPC_CHILD_STDOUT_SLOT, &out, run);
  /* However slowly the peer takes what it said. */
  ipc_child_options_set_drain_timeout(options, IPC_CHANNEL_INFINITE);
  ipc_child_options_on_exit(options, on_exit);
  err = ipc_child_spawn(run->peer->talk->loop, options, run, &run->child);
  if (err != 0) return err;
  run->in = ipc_child_channel(run->child, IPC_CHILD_STDIN_SLOT);
  run->out = ipc_child_channel(run->child, IPC_CHILD_STDOUT_SLOT);
  run->pass.from = run->peer->channel;
  run->pass.to = run->in;
  run->pass.on_sent = on_in_sent;
  return 0;
}

/* ---- The command line --------------------------------------------------- */

static void set_variables(const peer_t* peer) {
  text_t pid = {0};

  uv_os_setenv("IPC_CHANNEL_NAME", peer->talk->name);
  uv_os_unsetenv("IPC_CHANNEL_PEER_PID");
  if (peer->origin.pid <= 0) return;
  text_add_number(&pid, (unsigned long long) peer->origin.pid);
  text_add_byte(&pid, '\0');
  if (!pid.has_failed) uv_os_setenv("IPC_CHANNEL_PEER_PID", pid.data);
  text_release(&pid);
}

static int spawn_posix(run_t* run, const char* command) {
  const char* args[] = {"/bin/sh", "-c", NULL, NULL};
  ipc_child_options_t options;

  args[2] = command;
  ipc_child_options_init(&options, args[0], args);
  return spawn(run, &options);
}

/* libuv puts a backslash before each double quote, which cmd.exe doesn't
 * understand. A variable in the place of each gets through: they are replaced
 * before anything else is looked at. */
static int spawn_windows(run_t* run, const char* command) {
  const char* args[] = {"cmd", "/d", "/s", "/c", NULL, NULL};
  char shell[1024] = "cmd.exe";
  size_t size = sizeof(shell);
  ipc_child_options_t options;
  text_t line = {0};
  int err = UV_ENOMEM;

  for (; *command != '\0'; command++) {
    if (*command == '"') {
      text_add_string(&line, "%IPC_CHANNEL_QUOTE%");
    } else {
      text_add_byte(&line, *command);
    }
  }
  text_add_byte(&line, '\0');
  uv_os_setenv("IPC_CHANNEL_QUOTE", "\"");
  uv_os_getenv("ComSpec", shell, &size);
  args[4] = line.data;
  ipc_child_options_init(&options, shell, args);
  if (!line.has_failed) err = spawn(run, &options);
  text_release(&line);
  return err;
}

int run_begin(peer_t* peer) {
  const char* command = peer->talk->arguments->exec;
  run_t* run = calloc(1, sizeof(*run));
  int err = UV_ENOMEM;

  if (run != NULL) {
    run->peer = peer;
    set_variables(peer);
    err = talk_is_windows() ? spawn_windows(run, command)
                            : spawn_posix(run, command);
  }
  if (err != 0) {
    report(peer->talk->name, "can't start the command: %s", uv_strerror(err));
    free(run);
    return STATUS_FAILED;
  }
  peer->run = run;
  open_input(run);
  return 0;
}

void run_quit(run_t* run) {
  input_close(&run->input);
  pass_release(&run->pass);
  if (run->out != NULL) ipc_channel_close(run->out);
  if (run->child != NULL && !run->has_exited) {
    ipc_child_quit(run->child, GRACE_MS);
  }
}

int run_is_over(const run_t* run) {
  return run->child == NULL && run->in == NULL && run->out == NULL;
}

void run_release(run_t* run) {
  input_close(&run->input);
  pass_release(&run->pass);
  text_release(&run->text);
  free(run);
}
