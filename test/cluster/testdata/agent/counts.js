// Servers of several kinds, for a test that counts what they are asked. It says the port
// of each over descriptor 3.
'use strict';
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const https = require('https');
const net = require('net');

const tls = JSON.parse(process.env.TEST_TLS);
const answer = (request, response) => {
  if (request.url === '/again') listenAgain(servers.h2c, response);
  else if (request.url !== '/never') response.end('answer');
};
const servers = {
  http: http.createServer(answer),
  https: https.createServer(tls, answer),
  h2c: http2.createServer(answer),
  h2: http2.createSecureServer({ ...tls, allowHTTP1: true }, answer),
  net: net.createServer((socket) => socket.on('error', () => {}).write('hello')),
};
servers.http.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: it\r\n\r\n');
  socket.on('error', () => {}).on('end', () => socket.end());
});
for (const [name, server] of Object.entries(servers)) {
  server.listen(0, '127.0.0.1', () => fs.writeSync(3, `${name} ${server.address().port}\n`));
}

function listenAgain(server, response) {
  server.close(() => server.listen(0, '127.0.0.1', () => response.end(String(server.address().port))));
}
