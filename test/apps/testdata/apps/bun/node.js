const http = require('node:http');

const server = http.createServer((request, response) => {
  response.end(`pid ${process.pid}\n`);
});
server.listen(process.env.PORT || 3000);
process.on('SIGTERM', () => server.close());
