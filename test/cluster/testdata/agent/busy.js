// Listens, with a handler of SIGTERM that is given as text, and is busy until a file exists.
'use strict';
const fs = require('fs');
const [, , text, file] = process.argv;
const server = require('http').createServer();
process.on('SIGTERM', Function('server', `return () => ${text}`)(server));
server.listen(0, '127.0.0.1');
fs.writeSync(1, 'listens\n');
while (!fs.existsSync(file));
