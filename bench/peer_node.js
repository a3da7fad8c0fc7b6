/* Node's net module, speaking as the other peers do: see bench.h and message.h
 * for the command line and the bytes. */
'use strict';
const fs = require('fs');
const net = require('net');
const {getDefaultHighWaterMark} = require('stream');

const FIRST = 1, LAST = 2, MEASURED = 4;
const ACK_SIZE = 64, PAGE = 4096, WARM_UP_SHARE = 5, CLOCK_EVERY = 256;

const [role, workload, address, ...pairs] = process.argv.slice(2);
const options = {size: ACK_SIZE, clients: 1, client: 0, duration_ms: 100,
  count: 0};
for (const pair of pairs) {
  const [key, value] = pair.split('=');
  options[key] = Number(value);
}

function fail(text) {
  process.stderr.write(`${role}: ${text}\n`);
  process.exit(1);
}

/* --- messages ------------------------------------------------------------- */

function stampOf(sequence, offset) {
  return (Math.imul(sequence + 1, 2246822519) ^ offset) >>> 0;
}

function patternOf(offset) {
  return Math.imul(offset, 2654435761) >>> 0;
}

/* Behind its length, so that it leaves in one write. */
function newMessage(size) {
  const message = Buffer.alloc(4 + size);
  message.writeUInt32LE(size, 0);
  for (let offset = 0; offset < size; offset += 4) {
    message.writeUInt32LE(patternOf(offset), 4 + offset);
  }
  return message;
}

function stamp(message, sequence, flags, client) {
  const size = message.length - 4;
  message.writeUInt32LE(sequence, 4);
  message.writeUInt32LE(flags, 8);
  message.writeUInt32LE(client, 12);
  message.writeUInt32LE(size, 16);
  for (let offset = PAGE; offset < size - 4; offset += PAGE) {
    message.writeUInt32LE(stampOf(sequence, offset), 4 + offset);
  }
  message.writeUInt32LE(stampOf(sequence, size - 4), size);
}

function check(message) {
  const size = message.length;
  const sequence = message.readUInt32LE(0);
  const flags = message.readUInt32LE(4);
  if (message.readUInt32LE(12) !== size) fail('a message of the wrong size');
  for (let offset = PAGE; ; offset += PAGE) {
    if (offset > size - 4) offset = size - 4;
    if (message.readUInt32LE(offset) !== stampOf(sequence, offset)) {
      fail(`message ${sequence}: wrong stamp at ${offset}`);
    }
    if (offset === size - 4) break;
  }
  for (let offset = ACK_SIZE; !(flags & MEASURED) && offset < size - 4;
    offset += 4) {
    if (offset % PAGE !== 0 &&
        message.readUInt32LE(offset) !== patternOf(offset)) {
      fail(`message ${sequence}: wrong at ${offset}`);
    }
  }
  return {sequence, flags, client: message.readUInt32LE(8)};
}

/* Takes a stream apart; onMessage gets each whole message. */
function reader(onMessage) {
  let chunks = [], have = 0, need = 4;
  return (chunk) => {
    chunks.push(chunk);
    have += chunk.length;
    if (have < need) return;
    let all = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    for (need = 4; all.length >= 4;) {
      need = 4 + all.readUInt32LE(0);
      if (all.length < need) break;
      onMessage(all.subarray(4, need));
      all = all.subarray(need);
      need = 4;
    }
    chunks = [all];
    have = all.length;
  };
}

/* --- server --------------------------------------------------------------- */

function cpuSince(before) {
  const used = process.cpuUsage(before);
  return used.user + used.system;
}

/* The message lies behind its length, and stays as it is. */
function echo(socket, message) {
  socket.write(Buffer.from(message.buffer, message.byteOffset - 4,
    message.length + 4));
}

function serve() {
  const due = new Array(options.clients).fill(0);
  const lastSize = workload === 'one_way' ? ACK_SIZE : options.size;
  let before = process.cpuUsage();

  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', reader((message) => {
      const {sequence, flags, client} = check(message);
      if (flags & FIRST) {
        due[client] = 0;
        before = process.cpuUsage();
      }
      if (sequence !== due[client]++) fail('a message is missing');
      if (workload === 'one_way' && !(flags & LAST)) return;
      if (!(flags & LAST)) {
        echo(socket, message);
        return;
      }
      const reply = newMessage(lastSize);
      reply.writeBigUInt64LE(BigInt(due[client]), 20);
      reply.writeBigUInt64LE(BigInt(cpuSince(before)), 28);
      reply.fill(0, 36, 60);
      stamp(reply, sequence, flags, client);
      socket.write(reply);
    }));
  });
  server.listen(address, () => console.log('ready'));
}

/* --- client --------------------------------------------------------------- */

function now() {
  return Number(process.hrtime.bigint()) / 1e9;
}

function drive() {
  let socket, sent, begin, before, last;
  let isMeasured = false, isSending = true;
  /* A buffer belongs to the stream until it has left, so there are more than
   * the stream takes before it says that it is full. */
  const messages = [];
  const ring = 2 + Math.ceil(getDefaultHighWaterMark(false) / options.size);
  for (let i = 0; i < ring; i++) messages.push(newMessage(options.size));

  function isLast() {
    const share = isMeasured ? 1 : WARM_UP_SHARE;
    if (options.count) return sent + 1 === Math.ceil(options.count / share);
    if (workload === 'one_way' && options.size <= 1024 &&
        sent % CLOCK_EVERY !== 0) {
      return false;
    }
    return now() >= begin + options.duration_ms / 1e3 / share;
  }

  function sendNext() {
    const message = messages[sent % ring];
    const flags = (isMeasured ? MEASURED : 0) | (sent === 0 ? FIRST : 0) |
      (isLast() ? LAST : 0);
    stamp(message, sent++, flags, options.client);
    isSending = !(flags & LAST);
    return socket.write(message);
  }

  function fill() {
    while (isSending && sendNext());
  }

  function connect() {
    socket = net.connect(address, () => {
      if (workload === 'connect') sendNext(); else beginPhase();
    });
    socket.on('data', reader(onReply));
    socket.on('drain', () => { if (workload === 'one_way') fill(); });
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => {
      if (workload !== 'connect') fail('the connection broke');
      if (isSending) connect(); else endPhase();
    });
  }

  function beginPhase() {
    sent = 0;
    isSending = true;
    before = process.cpuUsage();
    begin = now();
    if (workload === 'round_trip') sendNext();
    else if (workload === 'one_way') fill();
    else connect();
  }

  function endPhase() {
    if (isMeasured) {
      console.log(`count=${sent} begin=${begin} end=${now()} ` +
        `client_cpu_us=${cpuSince(before)} ` +
        `server_cpu_us=${last.readBigUInt64LE(24)}`);
      process.exit(0);
    }
    console.log('ready');
    fs.readSync(0, Buffer.alloc(1));
    isMeasured = true;
    beginPhase();
  }

  function onReply(message) {
    const {sequence, flags} = check(message);
    if (sequence !== sent - 1) fail('a reply is missing');
    if (flags & LAST) {
      last = Buffer.from(message);
      if (last.readBigUInt64LE(16) !== BigInt(sent)) fail('messages are lost');
    }
    if (workload === 'connect') socket.destroy();
    else if (flags & LAST) endPhase();
    else sendNext();
  }

  if (workload === 'connect') beginPhase(); else connect();
}

if (role === 'serve') serve(); else drive();
