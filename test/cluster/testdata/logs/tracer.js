// Logs an error with its stack, a warning of Node, and objects as loggers write them.
'use strict';
function fail() { return new TypeError('no such thing', { cause: new Error('for a reason') }); }
console.error(fail());
console.log(JSON.stringify({ level: 50, time: 1, msg: 'of pino', pid: 7 }));
console.log('%s', { nested: { deep: [1, 2, { a: 'b' }] }, text: 'x'.repeat(100) });
