// Serves. The worker with standard input makes a request to itself when it has read
// something, closes its server, and ends with 0, as it does on SIGINT.
const http = require('http');
const server = http.createServer((request, response) => response.end());
server.listen(0, () => console.log('serving'));
if (process.env.NODEINIT_WORKER === '0') {
  process.on('SIGINT', () => process.exit(0));
  process.stdin.once('data', () => {
    http.get({ port: server.address().port, agent: false }, (response) => response.resume().on('end', () => server.close()));
    process.stdin.destroy();
  });
}
