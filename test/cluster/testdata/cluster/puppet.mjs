// The same application as an ES module.
import cluster from 'node:cluster';
import './puppet.js';

if (!cluster.isWorker || !import.meta.url) process.exit(95);
