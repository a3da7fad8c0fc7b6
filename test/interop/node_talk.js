// Node's net against an echo of this library's:
//
//   node node_talk.js serve|join PATH raw|lines [no-half-close]
//
// Raw: writes more than all buffers hold, and doesn't read until it is stuck.
// Lines: of every length, many at a time. All must come back as it was, and the
// end after that; no-half-close: it leaves when all is back. Prints what it has
// seen.
'use strict';
const net = require('net');

const [role, path, format, noHalfClose] = process.argv.slice(2);

const PIECE = 1 << 16;
const PIECES = 256; // 16 MiB

// What piece number `index` holds: no two are the same.
function pieceOf(index) {
  const piece = Buffer.alloc(PIECE);
  for (let i = 0; i < PIECE; i += 4) {
    piece.writeUInt32LE(Math.imul(index * PIECE + i, 2654435761) >>> 0, i);
  }
  return piece;
}

function linesOf() {
  const lines = [];
  for (let i = 0; i < 3000; i++) lines.push(`${i} ` + 'x'.repeat(i * 7 % 900));
  lines.push('', 'y'.repeat(3 << 20), 'z');
  return Buffer.from(lines.join('\n') + '\n');
}

function fail(why) {
  console.log(why);
  process.exit(1);
}

const content = format === 'raw' ?
    Buffer.concat(Array.from({length: PIECES}, (_, i) => pieceOf(i))) :
    linesOf();

function listen(socket) {
  let seen = 0;
  socket.on('data', (data) => {
    if (!data.equals(content.subarray(seen, seen + data.length))) {
      fail(`other bytes after ${seen}`);
    }
    seen += data.length;
    if (seen === content.length && noHalfClose) socket.destroy();
  });
  socket.on('end', () => {
    if (seen !== content.length) fail(`the end after ${seen} bytes`);
    console.log('the end after all');
    socket.destroy();
  });
  socket.on('close', () => {
    if (seen !== content.length) fail(`closed after ${seen} bytes`);
    console.log('all came back');
  });
}

// Writes piece by piece; calls back when nothing moves any more, or at the end.
function writeUntilStuck(socket, stuck) {
  let written = 0;
  let before = -1;
  const timer = setInterval(() => {
    if (written !== before) {
      before = written;
      return;
    }
    clearInterval(timer);
    stuck(written);
  }, 100);
  (function next(at) {
    if (at >= content.length) {
      if (!noHalfClose) socket.end();
      return;
    }
    const piece = content.subarray(at, at + PIECE);
    socket.write(piece, (error) => {
      if (error) fail(`write: ${error}`);
      written += piece.length;
      next(at + piece.length);
    });
  })(0);
}

function talk(socket) {
  socket.on('error', (error) => fail(`error: ${error}`));
  if (format !== 'raw') {
    listen(socket);
    if (noHalfClose) socket.write(content);
    else socket.end(content);
    return;
  }
  writeUntilStuck(socket, (written) => {
    if (written === content.length) fail('nothing has held the writer up');
    console.log('the writer was held up');
    listen(socket);
  });
}

if (role === 'join') {
  const socket = net.connect({path, allowHalfOpen: true}, () => talk(socket));
} else {
  const server = net.createServer({allowHalfOpen: true}, (socket) => {
    server.close();
    talk(socket);
  });
  server.listen(path, () => console.log('listening'));
}
