'use strict';
const { isWorker } = require('cluster');
require('http').createServer((_, res) => res.end('ok')).listen(0, () => {
  const heaps = (process.env.NODE_OPTIONS ?? '').match(/--max-old-space-size/g) ?? [];
  console.log(`up ${isWorker} ${heaps.length}`);
});
