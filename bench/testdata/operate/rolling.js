// A rolling restart with node:cluster as a good engineer writes it by hand: on SIGHUP, one worker after the
// other, the new one listens first, then the old one stops accepting, finishes, and has 9 s for that.
// Usage: node rolling.js APPLICATION
const cluster = require('node:cluster');
const { once } = require('node:events');

cluster.setupPrimary({ exec: process.argv[2] });

async function replace(old) {
  await once(cluster.fork(), 'listening');
  const exited = once(old, 'exit');
  const timer = setTimeout(() => old.process.kill('SIGKILL'), 9000);
  old.disconnect();
  await exited;
  clearTimeout(timer);
}

async function restart() {
  for (const old of Object.values(cluster.workers)) await replace(old);
  console.log('restart done');
}

let last = Promise.resolve();
process.on('SIGHUP', () => {
  last = last.then(restart);
});
for (let i = 0; i < 2; i++) cluster.fork();
