// A server without a line of shutdown code, as all in this directory. It answers with its process ID, or
// with the number that it was given.
const http = require('node:http');

const body = `${process.env.BENCH_REPLICA || process.pid}\n`;
http
  .createServer((request, response) => response.end(body))
  .listen(process.env.PORT, () => console.log('the application listens'));
