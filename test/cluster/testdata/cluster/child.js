// A child of an application's worker: it is none itself.
'use strict';
const cluster = require('cluster');
const net = require('net');

process.once('message', (question) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    process.send({
      question,
      isWorker: cluster.isWorker,
      internal: Object.keys(process.env).filter((key) => key === 'NODE_UNIQUE_ID' || key.startsWith('NODE_CHANNEL')),
      listens: server.address().port > 0,
    });
    server.close();
    process.disconnect();
  });
});
