// Serves, and prints its user and what it reads on standard input.
const server = require('http').createServer((request, response) => response.end());
server.listen(0, () => console.log(`serving as ${process.getuid()}:${process.getgid()}:${process.getgroups()}`));
process.stdin.on('data', (text) => console.log(`${process.env.NODEINIT_WORKER} read ${JSON.stringify(String(text))}`)).on('error', () => {});
