// Closes at a signal, or at its parent's word (Unitech/pm2#2967). Nothing else ends it.
'use strict';
const server = require('http').createServer((_, response) => response.end('ok'));
server.listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'));
const stop = () => server.close(() => console.log('closed'));
process.on('SIGTERM', stop);
process.on('message', (word) => { if (word === 'shutdown') stop(); });
