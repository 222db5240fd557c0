// A server with a hot function, and many small objects.
'use strict';
globalThis.many = Array.from({ length: 3e5 }, (_, i) => ({ i }));

// Recursive, so that it is not inlined.
function hotFunction(n) { return n < 2 ? n : hotFunction(n - 1) + hotFunction(n - 2); }

require('http').createServer().listen(3000, function work() {
  hotFunction(18);
  setImmediate(work);
});
