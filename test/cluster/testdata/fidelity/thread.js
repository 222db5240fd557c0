// Tells what a thread sees.
'use strict';
const { parentPort } = require('worker_threads');
const order = [];
process.nextTick(() => order.push('tick'));
Promise.resolve().then(() => order.push('promise'));
setImmediate(() => parentPort.postMessage([order, module.parent, require.main === module, process.argv.slice(2), process.execArgv,
  Object.keys(process.env).sort(), process.eventNames().length, typeof process.send]));
