// What applications change of Node, by name. As a script it makes the change that its
// argument names, listens, is asked once and ends.
'use strict';
const fs = require('fs');
const http = require('http');
const { Server } = require('net');
const { setTimeout: later } = require('timers');

const fail = () => { throw new Error('changed'); };
let timers = 0;
const numeric = (f, delay, ...args) => {
  later(f, delay, ...args);
  return ++timers;
};

const changes = {
  'numeric timers': () => {
    const replaced = { setTimeout: numeric, setInterval: (f) => numeric(f, 1), setImmediate: (f) => numeric(f, 0) };
    Object.assign(globalThis, replaced);
    Object.assign(require('timers'), replaced);
  },
  'a mocked fs': () => Object.assign(fs, { closeSync: fail, fstatSync: fail, readSync: fail, realpathSync: fail, writeSync: fail }),
  'prepareStackTrace throws': () => { Error.prepareStackTrace = fail; },
  'no stack traces': () => { Error.stackTraceLimit = 0; },
  'a frozen process': () => Object.freeze(process),
  'a sealed process': () => Object.seal(process),
  'a process that cannot be extended': () => Object.preventExtensions(process),
  'process.send cannot be replaced': () => Object.defineProperty(process, 'send', { value: fail, writable: false, configurable: false }),
  'no process.channel': () => { delete process.channel; },
  'process.channel is something else': () => Object.defineProperty(process, 'channel', { get: () => null, configurable: true }),
  'no address': () => { Server.prototype.address = () => null; },
  'address throws': () => { Server.prototype.address = fail; },
  'listeners throw': () => { Server.prototype.once = Server.prototype.on = fail; },
  'process.listeners throws': () => { process.listeners = fail; },
  '_forkChild throws': () => { require('child_process')._forkChild = fail; },
  '_getActiveHandles throws': () => { process._getActiveHandles = fail; },
};
module.exports = changes;

if (require.main === module) {
  const server = http.createServer((request, response) => response.end('served'));
  server.on('listening', () => { // before the change
    later(() => {
      http.get({ port, agent: false }, (response) => {
        response.on('data', (data) => console.log(`${data}`)).on('end', () => server.close());
      });
    }, 200);
  });
  const port = Number(process.argv[3]);
  console.log('starts'); // Node opens its output
  changes[process.argv[2]]();
  // A process that is frozen or sealed takes no listener.
  if (Object.isExtensible(process)) process.on('SIGTERM', () => {});
  server.listen(port, '127.0.0.1');
}
