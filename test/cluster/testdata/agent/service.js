// A service without shutdown code, unless its test asks for some. Its test
// decides when a request is answered: all but / wait for it.
'use strict';
const http = require('http');
const http2 = require('http2');
const https = require('https');
const { tell, obey } = require('../cluster/control.js');

const held = new Map(); // responses, by path
let server;
const waiting = setInterval(() => {}, 2 ** 31 - 1); // for the test to say what to do

function answer({ url }, response) {
  if (url === '/') {
    response.end('served\n');
    return;
  }
  held.set(url, response);
  response.on('finish', () => tell('answered', { url }));
  if (url.startsWith('/stream')) response.write('begun\n');
  tell('asked', { url });
}

const kinds = {
  http: () => http.createServer(answer),
  https: (tls) => https.createServer(tls, answer),
  http2: () => http2.createServer(answer),
  'http2 over TLS': (tls) => http2.createSecureServer(tls, answer),
};

// What others do at SIGTERM.
const handlers = {
  exits: () => server.close(() => process.exit(0)),
  'exits at once': () => process.exit(0),
  closes: () => server.close(),
  'closes later': () => setTimeout(() => server.close(), 3500),
  nothing: () => {},
};

obey({
  // Without a keepAliveTimeout Node does not close idle connections by itself.
  listen: ({ kind, tls, port, unref, slow }) => new Promise((resolve, reject) => {
    server = Object.assign(kinds[kind](tls), { keepAliveTimeout: 0 });
    server.on('upgrade', (request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.on('error', () => {}).pipe(socket);
    });
    server.on('error', reject).listen(port, '127.0.0.1', () => {
      if (!unref) clearInterval(waiting);
      resolve();
    });
    if (unref) server.unref();
    while (slow && process.uptime() < 1.5); // until the agent is run in any case, before the answer to listen
  }),
  // A server that does not speak HTTP says back what it hears.
  listenPlain: ({ port }) => new Promise((resolve) => {
    require('net').createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(port, '127.0.0.1', resolve);
  }),
  more: (url) => { held.get(url).write('more\n'); },
  answer: (url) => { held.get(url).end('answered\n'); },
  // idle lets some time pass in which nothing is to happen.
  idle: () => new Promise((resolve) => { setTimeout(resolve, 300); }),
  handle: (how) => {
    process.on('SIGTERM', () => {
      tell('SIGTERM');
      handlers[how]();
    });
  },
  unhandle: () => { process.removeAllListeners('SIGTERM'); },
  ready: () => new Promise((resolve) => { process.send('ready', resolve); }),
  // Node's own cluster sends by what is called process.send.
  replaceSend: () => {
    const { send } = process;
    process.send = (message, ...more) => {
      if (message.cmd === 'NODE_CLUSTER') return send.call(process, message, ...more);
      throw new Error(`that was for the application: ${JSON.stringify(message)}`);
    };
  },
  change: (name) => { require('./changes.js')[name](); },
  listenForMessages: () => { process.on('message', (message) => tell('message', { message })); },
  channel: () => ({ connected: process.connected ?? null, send: typeof process.send, listeners: process.listenerCount('message') }),
});
