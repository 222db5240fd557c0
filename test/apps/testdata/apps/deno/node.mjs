import { createServer } from 'node:http';
import process from 'node:process';

const server = createServer((request, response) => {
  response.end(`pid ${process.pid}\n`);
});
server.listen(process.env.PORT || 3000);
process.on('SIGTERM', () => server.close());
