// An application that does what its test tells it to.
'use strict';
const fs = require('fs');
const { tell, obey, stay } = require('./control.js');
const { listen, relisten, listenMany, bind, close, servers } = require('./servers.js');
const ipc = require('./ipc.js');

const leave = stay();
process.on('SIGTERM', () => {
  tell('SIGTERM');
  leave();
  if (!process.argv.includes('--only-close')) process.exit(0);
  for (const server of servers.values()) server.close();
});

obey({
  listen,
  relisten,
  listenMany,
  bind,
  close,
  ...ipc,
  umask: (mask) => process.umask(mask),
  // What ends the process ends it after the answer.
  exit: (code) => { setImmediate(() => process.exit(code)); },
  throw: () => { setImmediate(() => { throw new Error('as the test asked'); }); },
  abort: () => { setImmediate(process.abort); },
  // block stops the whole process until the test opens the FIFO.
  block: (fifo) => {
    setImmediate(() => {
      tell('blocking');
      fs.closeSync(fs.openSync(fifo, 'r'));
      tell('unblocked');
    });
  },
});
