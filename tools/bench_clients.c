/* The clients of bench: each keeps as many messages on their way as it may, and
 * each reply is the oldest of them, byte by byte, or else the end. A message
 * begins with its number, which no other has in this run, as far as it is long
 * enough; the rest is the same for all. */
#include <string.h>

#include "bench.h"
#include "report.h"

#define STAMP_BYTES 8

static void begin_run(bench_t* bench);

/* ---- Messages ----------------------------------------------------------- */

/* All are of the half of bytes that the delimiter is not of. */
unsigned char bench_byte(const bench_plan_t* plan, uint64_t bits) {
  unsigned int half = plan->framing.delimiter < 0x80 ? 0x80 : 0;

  return (unsigned char) (half | (bits & 0x7f));
}

static size_t size_of(const bench_t* bench) {
  return bench->plan->sizes[bench->run_count];
}

static void stamp(const client_t* client,
                  uint64_t sequence,
                  unsigned char bytes[STAMP_BYTES]) {
  const bench_plan_t* plan = client->bench->plan;
  uint64_t number = sequence * plan->clients + client->number;
  int i;

  for (i = 0; i < STAMP_BYTES; i++) {
    bytes[i] = bench_byte(plan, number >> 7 * i);
  }
}

/* The first byte that isn't what was sent; the size: there is none. */
static size_t find_difference(const client_t* client,
                              const unsigned char* data,
                              size_t size) {
  const unsigned char* pattern = client->bench->pattern;
  size_t stamped = size < STAMP_BYTES ? size : STAMP_BYTES;
  unsigned char bytes[STAMP_BYTES];
  size_t i = 0;

  stamp(client, client->received, bytes);
  while (i < stamped && data[i] == bytes[i]) i++;
  if (i < stamped) return i;
  if (memcmp(data + i, pattern + i, size - i) == 0) return size;
  while (data[i] == pattern[i]) i++;
  return i;
}

/* A status. */
static int check(const client_t* client, const void* data, size_t size) {
  const bench_t* bench = client->bench;
  const char* name = bench->name;
  size_t at;

  if (bench->state != BENCH_MEASURING || client->received == client->sent) {
    report(name, "no echo: a message came that answers none");
    return STATUS_FAILED;
  }
  if (size != size_of(bench)) {
    report(name, "no echo: %lu bytes came back, and %lu were sent",
           (unsigned long) size, (unsigned long) size_of(bench));
    return STATUS_FAILED;
  }
  at = size == 0 ? 0 : find_difference(client, data, size);
  if (at == size) return STATUS_OK;
  report(name, "no echo: byte %lu of reply %llu isn't what was sent",
         (unsigned long) at + 1, (unsigned long long) client->received + 1);
  return STATUS_FAILED;
}

/* ---- Traffic ------------------------------------------------------------ */

static int is_full(const bench_t* bench, uint64_t now) {
  const bench_plan_t* plan = bench->plan;

  if (plan->count > 0) return bench->started >= plan->count;
  return now - bench->begin_ns >= (uint64_t) plan->duration_ms * 1000000;
}

/* Each at least one, however short the time is. */
static int may_send(const client_t* client) {
  const bench_t* bench = client->bench;

  if (bench->plan->count == 0 && client->sent == 0) return 1;
  return !is_full(bench, uv_hrtime());
}

static int send_one(client_t* client) {
  bench_t* bench = client->bench;
  size_t size = size_of(bench);
  size_t stamped = size < STAMP_BYTES ? size : STAMP_BYTES;
  unsigned char bytes[STAMP_BYTES];
  uv_buf_t pieces[2];
  int err;

  stamp(client, client->sent, bytes);
  pieces[0] = uv_buf_init((char*) bytes, (unsigned int) stamped);
  pieces[1] = uv_buf_init((char*) bench->pattern + stamped,
                          (unsigned int) (size - stamped));
  client->times[client->sent % bench->plan->pipeline] = uv_hrtime();
  err = ipc_channel_send_vector(client->channel, pieces, 2,
                                IPC_CHANNEL_INFINITE, NULL, NULL);
  if (err != 0) return err;
  client->sent++;
  bench->started++;
  return 0;
}

/* Sends what may be sent; where the queue is full on_drain goes on. */
static void fill(client_t* client) {
  bench_t* bench = client->bench;
  int err = 0;

  while (err == 0 && client->sent - client->received < bench->plan->pipeline &&
         may_send(client)) {
    err = send_one(client);
  }
  /* Of a connection that has ended on_end tells. */
  if (err != 0 && err != UV_EAGAIN && err != UV_EPIPE) {
    report(bench->name, "can't send a message of %lu bytes: %s",
           (unsigned long) size_of(bench), uv_strerror(err));
    bench_finish(bench, STATUS_FAILED);
  }
}

static void on_message(ipc_channel_t* channel, const void* data, size_t size) {
  client_t* client = ipc_channel_data(channel);
  bench_t* bench = client->bench;
  uint64_t now = uv_hrtime();
  int status;

  if (bench->state == BENCH_OVER) return;
  status = check(client, data, size);
  if (status != STATUS_OK) {
    bench_finish(bench, status);
    return;
  }
  histogram_add(&bench->latencies,
                now - client->times[client->received % bench->plan->pipeline]);
  client->received++;
  bench->answered++;
  bench->last_ns = now;
  fill(client);
  if (bench->state == BENCH_OVER || bench->answered < bench->started) return;
  if (!is_full(bench, uv_hrtime())) return;
  bench_end_run(bench);
  begin_run(bench);
}

static void on_drain(ipc_channel_t* channel) {
  client_t* client = ipc_channel_data(channel);

  if (client->bench->state == BENCH_MEASURING) fill(client);
}

/* ---- Runs --------------------------------------------------------------- */

static void begin_run(bench_t* bench) {
  unsigned int i;

  if (bench->run_count == bench->plan->size_count) {
    bench_finish(bench, STATUS_OK);
    return;
  }
  memset(&bench->latencies, 0, sizeof(bench->latencies));
  bench->started = bench->answered = 0;
  bench->begin_ns = bench->last_ns = uv_hrtime();
  bench->state = BENCH_MEASURING;
  for (i = 0; i < bench->plan->clients; i++) {
    bench->clients[i].sent = bench->clients[i].received = 0;
  }
  for (i = 0; i < bench->plan->clients && bench->state != BENCH_OVER; i++) {
    fill(&bench->clients[i]);
  }
}

void bench_end_run(bench_t* bench) {
  const histogram_t* latencies = &bench->latencies;
  bench_run_t* run = &bench->runs[bench->run_count];

  if (bench->answered == 0) return;
  run->size = size_of(bench);
  run->messages = bench->answered;
  run->elapsed_ns = bench->last_ns - bench->begin_ns;
  run->p50_ns = histogram_at(latencies, 0.5);
  run->p90_ns = histogram_at(latencies, 0.9);
  run->p99_ns = histogram_at(latencies, 0.99);
  run->p99_9_ns = histogram_at(latencies, 0.999);
  run->max_ns = latencies->max;
  bench->run_count++;
  if (!bench->plan->json) bench_print_run(run);
}

/* ---- Connections -------------------------------------------------------- */

static void on_connect(ipc_channel_t* channel, int status) {
  client_t* client = ipc_channel_data(channel);
  bench_t* bench = client->bench;

  if (bench->state == BENCH_OVER) return;
  if (status != 0) {
    bench_finish(bench, report_connect(bench->name, status, channel,
                                       bench->plan->timeout_ms));
    return;
  }
  if (++bench->connected < bench->plan->clients) return;
  if (!bench->plan->json) bench_print_head();
  begin_run(bench);
}

static void on_end(ipc_channel_t* channel, int status) {
  client_t* client = ipc_channel_data(channel);
  bench_t* bench = client->bench;

  if (bench->state == BENCH_OVER) return;
  if (status == 0) {
    report(bench->name, "the server has left before it had sent all back");
    status = STATUS_FAILED;
  } else {
    status = report_end(bench->name, status);
  }
  bench_finish(bench, status);
}

static void on_close(ipc_channel_t* channel, const ipc_close_result_t* result) {
  client_t* client = ipc_channel_data(channel);

  (void) result;
  client->channel = NULL;
}

int bench_connect(bench_t* bench) {
  ipc_client_options_t options;
  unsigned int i;
  int err = 0;

  ipc_client_options_init(&options, bench->name);
  framing_set_client(&bench->plan->framing, &options);
  ipc_client_options_set_connect_timeout(&options, bench->plan->timeout_ms);
  ipc_client_options_on_connect(&options, on_connect);
  ipc_client_options_on_message(&options, on_message);
  ipc_client_options_on_drain(&options, on_drain);
  ipc_client_options_on_end(&options, on_end);
  ipc_client_options_on_close(&options, on_close);
  for (i = 0; err == 0 && i < bench->plan->clients; i++) {
    client_t* client = &bench->clients[i];

    client->bench = bench;
    client->number = i;
    client->times = bench->times + (size_t) i * bench->plan->pipeline;
    err = ipc_client_connect(bench->loop, &options, client, &client->channel);
  }
  return err == 0 ? 0 : report_options(bench->name, err, &options);
}
