// Listens, reports its environment, and exits on disconnect.
const cluster = require('cluster');
const { execFileSync } = require('child_process');

const child = "console.log(require('cluster').isWorker, process.env.NODEINIT_CHANNEL, process.env.NODE_OPTIONS)";
require('net').createServer().listen(0, () => {
  const { NODE_OPTIONS, NODEINIT_CHANNEL, NODE_UNIQUE_ID } = process.env;
  process.send([process.pid, cluster.isWorker, cluster.worker.id, String(NODE_OPTIONS), String(NODEINIT_CHANNEL), String(NODE_UNIQUE_ID),
    execFileSync(process.execPath, ['-e', child]).toString().trim()].join(' '));
});
