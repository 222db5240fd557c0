// Node's own primary, for what an application observes under it.
// Usage: node primary.js '{"workers":2,"balance":"rr|shared","execArgv":[]}' APP [ARG...]
'use strict';
const cluster = require('cluster');

const [settings, app, ...args] = process.argv.slice(2);
const { workers, balance, execArgv } = JSON.parse(settings);
cluster.schedulingPolicy = balance === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
cluster.setupPrimary({ exec: app, args, execArgv, stdio: ['inherit', 'inherit', 'inherit', 'inherit', 'ipc'] });

// The status of the first worker that did not end with 0.
let status = 0;
cluster.on('exit', (worker, code, signal) => {
  status ||= signal ? 128 + require('os').constants.signals[signal] : code;
});
// What an application passes is not kept.
cluster.on('message', (worker, message, handle) => handle?.[handle.destroy ? 'destroy' : 'close']());
process.on('exit', () => { process.exitCode = status; });
process.on('SIGTERM', () => {
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
  process.removeAllListeners('SIGTERM');
  process.on('SIGTERM', () => {});
});
for (let slot = 0; slot < workers; slot++) {
  cluster.fork({ NODEINIT_WORKER: slot, NODEINIT_WORKER_COUNT: workers, NODE_APP_INSTANCE: slot });
}
