// The smallest primary that one writes with node:cluster. NODE_CLUSTER_SCHED_POLICY says how it balances.
const cluster = require('node:cluster');
const path = require('node:path');

cluster.setupPrimary({ exec: path.join(__dirname, 'server.js') });
for (let i = 0; i < Number(process.env.BENCH_WORKERS); i++) cluster.fork();
