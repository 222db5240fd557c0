// Listens, and keeps all it makes until it dies of it: objects in V8's heap, half of each, or buffers
// outside it. With "one" only the first worker does. Tells how much it holds.
const fs = require('node:fs');
const [, , kind, leaking] = process.argv;
const kept = [];
const leaks = {
  objects: () => { for (let i = 0; i < 4000; i++) kept.push({ i, key: `k${i}${Math.random()}`, list: [i, i, i, i] }); },
  buffers: () => kept.push(Buffer.alloc(1 << 20, 1)),
  mixed: () => { leaks.objects(); leaks.buffers(); },
};

let told = 0;
function leak() {
  leaks[kind]();
  const { heapUsed, external } = process.memoryUsage();
  const held = (heapUsed + external) >> 20;
  if (held > told) fs.writeSync(2, `held ${told = held}\n`);
}
const idle = leaking === 'one' && process.env.NODEINIT_WORKER > 0;
require('node:http').createServer().listen(0, '127.0.0.1', () => idle || setInterval(leak));
