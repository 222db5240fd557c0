// Uses the channel to its parent, before it listens, in the way that its argument names.
'use strict';
const fs = require('fs');
process.on('exit', (code) => console.log('exit', code));
const sent = (error) => console.log('sent', error ? error.code : null);
const ways = {
  send: () => { process.send({ any: 'thing' }, sent); },
  'send and exit': () => { process.send('ready'); process.exit(); },
  'send a handle': () => {
    const server = require('net').createServer().listen(0, '127.0.0.1', () => {
      process.send('server', server, (error) => { sent(error); server.close(); });
    });
  },
  disconnect: () => {
    process.on('disconnect', () => console.log('disconnect'));
    process.disconnect();
    console.log(process.connected);
  },
  'disconnect twice': () => {
    process.on('disconnect', () => console.log('disconnect'));
    process.on('error', ({ code }) => console.log(code));
    process.disconnect();
    setTimeout(() => process.disconnect(), 1);
  },
  'send after': () => {
    process.on('disconnect', () => console.log('disconnect'));
    process.disconnect();
    process.send('late', sent);
  },
  hold: () => {
    process.channel.ref();
    setTimeout(() => { console.log('held'); process.channel.unref(); }, 1).unref();
  },
  replace: () => {
    const { send } = process;
    process.send = function replaced(...args) { console.log('replaced'); return send.apply(process, args); };
    process.send('one', () => process.send('two'));
  },
  properties: () => console.log(typeof process.send, typeof process.disconnect, typeof process._send, typeof process.channel.unref, typeof process.channel, process.channel.fd > 2),
  close: () => {
    fs.closeSync(process.channel.fd);
    process.send('lost', (error) => { sent(error); console.log(process.connected); });
  },
  reuse: () => {
    const { fd } = process.channel;
    fs.closeSync(fd);
    const file = fs.openSync('file', 'w');
    if (file !== fd) throw new Error(`${file}`);
    process.send('lost', (error) => {
      sent(error);
      const server = require('net').createServer().listen(0, '127.0.0.1', () => setTimeout(() => {
        console.log('listens');
        console.log(fs.statSync('file').size, 'bytes');
        server.close();
      }, 300));
    });
  },
  thread: () => {
    const { Worker } = require('worker_threads');
    new Worker('require("worker_threads").parentPort.postMessage(`${typeof process.send} ${typeof process.channel} ${process.connected}`)', { eval: true })
      .on('message', (line) => console.log(line));
  },
  fork: () => {
    const { fork } = require('child_process');
    if (process.argv[3]) process.send('hello', () => process.disconnect());
    else fork(__filename, ['fork', 'child'], { silent: true }).on('message', (message) => console.log(message));
  },
  hang: () => {
    setTimeout(() => { for (;;); }, 5000);
  },
};
ways[process.argv[2]]();
