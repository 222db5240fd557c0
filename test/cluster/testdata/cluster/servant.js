// An application without a line of shutdown code, that does what its test tells
// it to.
'use strict';
const cluster = require('cluster');
const fs = require('fs');
const http = require('http');
const { tell, obey, stay } = require('./control.js');
const { listen, bind, close } = require('./servers.js');
const { identity } = require('./ipc.js');

const hoard = [];
if (cluster.isWorker) stay();
else setInterval(() => {}, 2 ** 30);

// beat is fulfilled once the agent has reported on the event loop.
const beat = new Promise((resolve) => {
  const { _send: send } = process; // what process.send calls
  process._send = (message, ...rest) => {
    if (message.act === 'heartbeat') resolve();
    return Reflect.apply(send, process, [message, ...rest]);
  };
});

// answer is the slot, or for /hold a body that never ends.
function answer({ url }, response) {
  response.write(`${process.env.NODEINIT_WORKER}\n`);
  if (url !== '/hold') response.end();
}

obey({
  listen,
  bind,
  close,
  identity,
  serve: (...args) => new Promise((resolve, reject) => {
    http.createServer(answer).on('error', reject).listen(...args, resolve);
  }),
  say: (word) => new Promise((resolve) => { process.send(word, resolve); }),
  handle: (signals = []) => { for (const signal of signals) process.on(signal, () => tell(signal)); },
  allocate: (bytes) => { hoard.push(Buffer.alloc(bytes, 1)); },
  exit: (code) => { setImmediate(() => process.exit(code)); },
  beaten: () => beat,
  // block stops the whole process until the test opens the FIFO.
  block: (fifo) => {
    setImmediate(() => {
      tell('blocking');
      fs.closeSync(fs.openSync(fifo, 'r'));
      tell('unblocked');
    });
  },
  // spin never comes back to the event loop.
  spin: () => {
    setImmediate(() => {
      tell('spinning');
      for (;;);
    });
  },
  // toil comes back to it now and then.
  toil: function toil() {
    const until = Date.now() + 200;
    while (Date.now() < until);
    setImmediate(toil);
  },
});
