// What an application sees and does of cluster and of its channel.
'use strict';
const childProcess = require('child_process');
const cluster = require('cluster');
const dgram = require('dgram');
const net = require('net');
const path = require('path');
const { tell } = require('./control.js');

// The messages that the application gets: there should be none.
const messages = [];

// identity is what the application can see of its role.
function identity() {
  const { isWorker, isPrimary, isMaster, worker } = cluster;
  const { NODEINIT_WORKER, NODEINIT_WORKER_COUNT, NODE_APP_INSTANCE } = process.env;
  return {
    isWorker,
    isPrimary,
    isMaster,
    id: worker.id,
    isConnected: worker.isConnected(),
    isDead: worker.isDead(),
    isProcess: worker.process === process,
    exitedAfterDisconnect: worker.exitedAfterDisconnect ?? null,
    workers: cluster.workers ?? null,
    connected: process.connected,
    send: typeof process.send,
    slot: NODEINIT_WORKER,
    slots: NODEINIT_WORKER_COUNT,
    instance: NODE_APP_INSTANCE,
    internal: Object.keys(process.env).filter((key) => key === 'NODE_UNIQUE_ID' || key.startsWith('NODE_CHANNEL')),
    preload: globalThis.preload ?? null,
    argv: process.argv.slice(2),
    execArgv: process.execArgv.map((arg) => path.basename(arg)),
  };
}

// send sends value, or a handle along with it, and answers once that is done.
function send({ value, handle }) {
  return new Promise((resolve, reject) => {
    process.send(value, handle, (error) => (error ? reject(error) : resolve('sent')));
  });
}

const sendLong = ({ bytes }) => send({ value: 'x'.repeat(bytes) });

// Each makes a handle, or opens one.
const handles = {
  socket: ({ port, host }) => new Promise((resolve) => {
    const socket = net.connect(port, host, () => resolve(socket));
  }),
  server: () => new Promise((resolve) => {
    const server = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  }),
  dgram: () => new Promise((resolve) => {
    const socket = dgram.createSocket('udp4');
    socket.bind({ port: 0, address: '127.0.0.1', exclusive: true }, () => resolve(socket));
  }),
};

async function sendHandle({ kind, ...where }) {
  const handle = await handles[kind](where);
  const result = await send({ value: { take: kind }, handle });
  if (kind !== 'socket') await new Promise((resolve) => { handle.close(resolve); });
  return result;
}

// leave ends the application's part in the cluster, and tells what it sees of that.
function leave(way) {
  cluster.worker.on('disconnect', () => tell('worker disconnect', { connected: process.connected }));
  process.on('disconnect', () => tell('process disconnect', { connected: process.connected }));
  process.on('exit', (code) => tell('exit', { code, voluntary: cluster.worker.exitedAfterDisconnect ?? null }));
  const ways = {
    'process.disconnect': () => process.disconnect(),
    'worker.disconnect': () => cluster.worker.disconnect(),
    'worker.kill': () => cluster.worker.kill(),
    'worker.destroy': () => cluster.worker.destroy(),
    'process.exit': () => process.exit(0),
  };
  setImmediate(ways[way]);
}

// family starts a child with a channel of its own, and answers with what that
// has seen.
function family() {
  return new Promise((resolve, reject) => {
    const child = childProcess.fork(path.join(__dirname, 'child.js'));
    let seen;
    child.on('error', reject);
    child.on('message', (message) => { seen = message; });
    child.on('exit', (code, signal) => resolve({ seen, code, signal }));
    child.send('what do you see?');
  });
}

// passServer listens, sends the first connection to the parent, counts and closes.
function passServer() {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      process.send('take it', socket, (error) => {
        if (error) return reject(error);
        server.getConnections((failed, count) => {
          if (failed) return reject(failed);
          server.close(() => resolve(typeof count));
        });
      });
    });
    server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => tell('passing', { port: server.address().port }));
  });
}

// What the primary has answered to queries.
const replies = [];
const keepReplies = () => {
  process.on('internalMessage', (message) => {
    if ('ack' in message && 'errno' in message) replies.push(message.errno);
  });
};

// becomeUser gives up root, for good.
function becomeUser(id) {
  process.setgroups([]);
  process.setgid(id);
  process.setuid(id);
}

// tellPrimary says what a worker says that is not Node: the answer to it, if it
// has one.
let seq = 1e6;
function tellPrimary(fields) {
  const message = { cmd: 'NODE_CLUSTER', ...fields, seq: seq++ };
  return new Promise((resolve) => {
    process.on('internalMessage', (answer) => { if (answer.ack === message.seq) resolve(answer); });
    process.send(message, () => { if (fields.act !== 'queryServer') resolve(null); });
  });
}

module.exports = {
  identity,
  becomeUser,
  tellPrimary,
  passServer,
  keepReplies,
  replies: () => replies,
  send,
  sendLong,
  sendHandle,
  leave,
  family,
  listenForMessages: () => { process.on('message', (message) => messages.push(message)); },
  messages: () => messages,
};
