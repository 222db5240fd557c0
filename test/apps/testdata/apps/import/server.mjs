import { createServer } from 'node:http';

createServer((request, response) => {
  response.statusCode = response.hasHeader('X-Instrumented') ? 200 : 500;
  response.end(`pid ${process.pid}\n`);
}).listen(process.env.PORT || 3000);
