// A server that says when it starts and when it ends.
'use strict';
const fs = require('fs');
const say = (what) => fs.writeSync(1, `${what} worker ${process.env.NODEINIT_WORKER} pid ${process.pid}\n`);
say('hello');
process.on('exit', () => say('bye'));
process.on('SIGTERM', () => process.exit(0));
require('http').createServer((request, response) => response.end(`pid ${process.pid}\n`)).listen(0, '127.0.0.1', () => say('serving'));
