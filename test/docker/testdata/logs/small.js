// A worker that writes lines that each fit into a message of syslog, and ends.
'use strict';
const fs = require('node:fs');

fs.writeSync(1, `text ${'x'.repeat(12000)}\n`);
fs.writeSync(1, `${JSON.stringify({ level: 30, msg: 'from a logger' })}\n`);
fs.writeSync(1, `${JSON.stringify({ level: 50, msg: 'failed' })}\n`);
fs.writeSync(2, 'to stderr\n');
