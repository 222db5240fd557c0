// Node's own cluster primary, to hold nodeinit's against: two workers of an unmodified application.
// It takes what node does, and says what nodeinit does where the tests look.
// Usage: node primary.js [--OPTION | --import MODULE]... script [arguments]
const cluster = require('node:cluster');

const words = process.argv.slice(2);
const script = words.findIndex((word, i) => !word.startsWith('-') && words[i - 1] !== '--import');
cluster.setupPrimary({ execArgv: words.slice(0, script), exec: words[script], args: words.slice(script + 1) });

const log = (msg, facts) => {
  console.log(JSON.stringify({ time: new Date(), level: 'info', logger: 'nodeinit', msg, ...facts }));
};
const result = { status: 0 };
for (let i = 0; i < 2; i++) {
  cluster.fork().on('error', (error) => { // it ended before the message
    if (error.code !== 'EPIPE') throw error;
  });
}
cluster.on('listening', (worker, { address, port }) => {
  log('worker listening', { worker: worker.id - 1, pid: worker.process.pid, address: `${address ?? '::'}:${port}` });
});
cluster.on('exit', (worker, code, signal) => {
  if (result.status === 0) result.status = signal ? 128 + require('node:os').constants.signals[signal] : code;
  if (Object.keys(cluster.workers).length > 0) return;
  log('exit', { cause: signal ? 'signal' : 'exit', requested: true, uptime_ms: 0, ...result });
  process.exit(result.status);
});
process.on('SIGTERM', () => {
  log('stopping');
  for (const worker of Object.values(cluster.workers)) {
    worker.process.kill('SIGTERM');
    worker.disconnect();
  }
});
