// Listens, with a handler of SIGTERM that is given as text, and is busy until its
// standard input ends.
'use strict';
const fs = require('fs');
const [, , text] = process.argv;
const server = require('http').createServer();
process.on('SIGTERM', Function('server', `return () => ${text}`)(server));
server.listen(0); // with a host it would listen later
fs.writeSync(1, 'listens\n');
try { fs.readSync(0, Buffer.alloc(1)); } catch { /* EOF */ }
