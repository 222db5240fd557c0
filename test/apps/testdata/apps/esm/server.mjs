import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

// Awaits before it listens, as what has to connect to a database does.
await readFile(new URL(import.meta.url));
const server = createServer((request, response) => {
  response.end(`pid ${process.pid}\n`);
});
server.listen(process.env.PORT || 3000);
