#!/usr/bin/env node
// Answers over HTTP with its process ID; closes when it is asked to.
const cluster = require('cluster');
const server = require('http').createServer((request, response) => {
  if (request.url === '/crash') process.kill(process.pid, 'SIGKILL');
  response.setHeader('Connection', 'close');
  response.end([process.pid, process.env.npm_package_version, cluster.isWorker].join(' '));
});
server.listen(0, () => console.log(`listening on ${server.address().port}`));
process.on('SIGTERM', () => server.close());
