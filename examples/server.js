// A small HTTP server, as an application would write it.
const http = require('node:http');
const os = require('node:os');

const server = http.createServer((request, response) => {
  response.end(`hello from ${os.hostname()} pid ${process.pid}\n`);
});

server.listen(process.env.PORT || 3000, () => {
  console.log(`listening on port ${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    console.log(`${signal}: finishing what is under way`);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
