// Prints what an application and what it starts can see of how it was started,
// and has nothing to do then.
'use strict';
const { execFile, fork } = require('child_process');
const cluster = require('cluster');
const fs = require('fs');
const net = require('net');
const { isMainThread, parentPort, Worker } = require('worker_threads');

const internal = /^NODE_(UNIQUE|CHANNEL)|^NODEINIT_(CHANNEL|MODULES)/;

const look = () => ({
  options: process.env.NODE_OPTIONS ?? null,
  internal: Object.keys(process.env).filter((key) => internal.test(key)),
  execArgv: process.execArgv,
  argv: process.argv.slice(2),
  messages: process.listenerCount('message'),
});

const seen = (child) => new Promise((resolve, reject) => {
  const saw = { reported: [] };
  child.on('error', reject);
  child.on('internalMessage', ({ cmd }) => saw.reported.push(cmd));
  child.on('message', (message) => Object.assign(saw, message));
  child.on('exit', (code) => resolve({ ...saw, code }));
});

async function main() {
  const started = fs.readFileSync('/proc/self/environ', 'utf8').split('\0');
  const app = {
    ...look(),
    main: require.main === module,
    agent: started.some((line) => line.startsWith('NODE_OPTIONS=') && line.includes('by=nodeinit')),
    channel: started.some((line) => /^(NODE_CHANNEL_FD|NODEINIT_CHANNEL)=/.test(line)),
    connected: process.connected ?? false,
  };
  const server = net.createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  await new Promise((resolve) => { server.close(resolve); });
  const forked = await seen(fork(__filename, ['look']));
  const thread = await seen(new Worker(__filename, { argv: ['look'] }));
  const spawned = await new Promise((resolve, reject) => {
    execFile(process.execPath, [__filename, 'look'], (error, out) => (error ? reject(error) : resolve(JSON.parse(out))));
  });
  console.log(JSON.stringify({ app, forked, thread, spawned }));
  if (cluster.isWorker) process.disconnect(); // Node keeps a worker alive as long as it has its channel
}

if (process.argv[2] !== 'look') main();
else if (!isMainThread) parentPort.postMessage(look());
else if (process.send) process.send(look(), () => process.disconnect());
else console.log(JSON.stringify(look()));
