// A server with a hot function, unless another worker is to have it.
'use strict';
const { NODEINIT_WORKER: slot = '0', TEST_HOT: hot = '0' } = process.env;

class MarkedThing { constructor() { this.label = 'the marked label'; } }
globalThis.marked = new MarkedThing();

// These are recursive, so that they are not inlined.
function hotFunction(n) { return n < 2 ? n : hotFunction(n - 1) + hotFunction(n - 2); }

const kept = [];
function allocatingFunction(n) {
  kept.push(new Array(1000).fill(n));
  if (kept.length > 1000) kept.splice(0, 500);
  if (n > 0) allocatingFunction(n - 1);
}

function work() {
  hotFunction(25);
  allocatingFunction(10);
  setImmediate(work);
}

require('http').createServer((request, response) => response.end('hello\n')).listen(+process.env.TEST_PORT, '127.0.0.1', () => {
  if (slot === hot) work();
});
