// The same as server.js, in what Node alone does not understand.
import cluster from 'node:cluster';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

enum Header { Connection = 'close' }

const server = http.createServer((request, response) => {
  response.setHeader('Connection', Header.Connection);
  response.end([process.pid, process.env.npm_package_version, cluster.isWorker].join(' '));
});
server.listen(0, () => console.log(`listening on ${(server.address() as AddressInfo).port}`));
process.on('SIGTERM', () => server.close());
