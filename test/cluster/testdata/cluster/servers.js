// The servers of an application, by name. Each tells a client which worker it
// has reached, before it is asked.
'use strict';
const dgram = require('dgram');
const http = require('http');
const http2 = require('http2');
const https = require('https');
const net = require('net');
const { tell, describe } = require('./control.js');

const slot = process.env.NODEINIT_WORKER;
const servers = new Map();
const sockets = new Map(); // of the net servers, by server

const answer = (request, response) => response.end(`${slot}\n`);

const kinds = {
  net() {
    const open = new Set();
    const server = net.createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
      socket.write(`${slot}\n`);
      socket.pipe(socket);
    });
    sockets.set(server, open);
    return server;
  },
  http: () => http.createServer(answer),
  https: (tls) => https.createServer(tls, answer),
  http2: (tls) => http2.createSecureServer(tls, answer),
};

// listen makes a server and answers with its address, or with the error that
// it emitted or threw.
function listen({ name = 'main', kind = 'net', args, tls, settings }) {
  const server = Object.assign(kinds[kind](tls), settings);
  servers.set(name, server);
  return start(server, args);
}

// relisten lets a server that was closed listen again.
const relisten = ({ name = 'main', args }) => start(servers.get(name), args);

function start(server, args) {
  return new Promise((resolve) => {
    const listening = () => done({ address: addressOf(server) });
    const failed = (error) => done({ emitted: describe(error) });
    const done = (result) => {
      server.off('listening', listening).off('error', failed);
      resolve(result);
    };
    server.on('listening', listening).on('error', failed);
    try {
      server.listen(...args);
    } catch (error) {
      done({ thrown: describe(error) });
    }
  });
}

function addressOf(server) {
  const address = server.address();
  return typeof address === 'string' ? { path: address } : address;
}

// bind makes a UDP socket that answers each datagram with the worker's slot.
function bind({ name = 'main', type, options, settings }) {
  const socket = dgram.createSocket({ type, ...settings });
  servers.set(name, socket);
  socket.on('message', (text, from) => socket.send(`${slot}\n`, from.port, from.address));
  return new Promise((resolve) => {
    socket.once('listening', () => resolve({ address: socket.address() }));
    socket.once('error', (error) => resolve({ emitted: describe(error) }));
    socket.bind(options);
  });
}

// listenMany makes servers in one turn, and answers with how many listen and how
// many failed with what.
function listenMany({ count, options }) {
  const result = { listening: 0 };
  return new Promise((resolve) => {
    let left = count;
    const done = (what) => {
      result[what] = (result[what] ?? 0) + 1;
      if (--left === 0) resolve(result);
    };
    for (let i = 0; i < count; i++) {
      net.createServer().on('error', (error) => done(error.code)).listen(options, () => done('listening'));
    }
  });
}

// close closes a server, answers once it is closed, and tells so.
async function close({ name = 'main', hard = true } = {}) {
  const server = servers.get(name);
  const closed = new Promise((resolve) => { server.close(resolve); });
  if (hard) for (const socket of sockets.get(server) ?? []) socket.destroy();
  await closed;
  tell('closed', { name });
}

module.exports = { listen, relisten, listenMany, bind, close, servers };
