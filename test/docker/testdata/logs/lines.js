// A worker that writes one line of each kind that is hard on the way to a log, and ends.
'use strict';
const fs = require('node:fs');

const put = (text) => fs.writeSync(1, text);
put('plain\n');
put('carriage return\r\n');
put(Buffer.from('bytes \xff\x00 end\n', 'latin1'));
put('\x1b[32mgreen\x1b[39m\n');
put(`text ${'é'.repeat(20000)}\n`); // 40,006 bytes
if (!process.env.NO_LARGE) put(`${JSON.stringify({ level: 30, msg: 'large', data: 'x'.repeat(40000) })}\n`);
put(`{"msg":"broken"\n`);
fs.writeSync(2, new Error('a trace').stack + '\n');
put('the last, without an end');
