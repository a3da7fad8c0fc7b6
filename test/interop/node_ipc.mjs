// @achrinza/node-ipc against an echo of this library's, or a client of it:
//
//   node node_ipc.mjs serve|join|answer PATH MODULE
//
// Its messages are JSON texts {type, data}, each with a form feed behind it.
// serve and join send many and a large one, and want them back in order; answer
// serves, and answers each "ask" with an "answer" to it.
import {pathToFileURL} from 'url';

const [role, path, module] = process.argv.slice(2);
const {default: ipc} = await import(pathToFileURL(module));

ipc.config.silent = true;
ipc.config.stopRetrying = true;

const items = [];
for (let number = 0; number < 1000; number++) {
  items.push({number, text: 'é"\\\n'.repeat(number % 50)});
}
items.push({number: 'large', text: 'x'.repeat(3 << 20)}, {number: 'last'});

function talk(emit, done) {
  let count = 0;
  for (const item of items) emit('item', item);
  return (item) => {
    if (JSON.stringify(item) !== JSON.stringify(items[count])) {
      console.log(`another item: ${JSON.stringify(item).slice(0, 200)}`);
      process.exit(1);
    }
    if (++count < items.length) return;
    console.log(`${count} items came back`);
    done();
  };
}

if (role === 'join') {
  ipc.connectTo('peer', path, () => {
    const peer = ipc.of.peer;
    peer.on('connect', () => peer.on('item',
        talk((type, data) => peer.emit(type, data),
            () => ipc.disconnect('peer'))));
  });
} else {
  ipc.serve(path, () => {
    const server = ipc.server;
    if (role === 'answer') {
      server.on('ask', (data, socket) =>
        server.emit(socket, 'answer', {to: data}));
    } else {
      server.on('connect', (socket) => server.on('item',
          talk((type, data) => server.emit(socket, type, data),
              () => socket.end())));
    }
    server.on('socket.disconnected', () => server.stop());
    console.log('listening');
  });
  ipc.server.start();
}
