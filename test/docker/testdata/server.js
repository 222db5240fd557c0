// An HTTP server that stops as an application should: it finishes what is under way.
const http = require('node:http');

const waiting = [];
const server = http.createServer((request, response) => {
  if (request.url === '/slow') {
    waiting.push(response);
    console.log('slow request');
    return;
  }
  response.end(`pid ${process.pid}\n`);
});

process.on('SIGTERM', () => {
  console.log('SIGTERM');
  server.close(() => process.exit(Number(process.env.EXIT_CODE || 0)));
  server.closeIdleConnections();
  // What is under way takes a while longer, and its connections are not kept.
  setTimeout(() => waiting.forEach((response) => {
    response.setHeader('Connection', 'close');
    response.end('finished\n');
  }), 200);
});

server.listen(process.env.PORT || 3000, () => {
  console.log(`port ${server.address().port}`);
  console.log('listening');
});
