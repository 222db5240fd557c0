// Serves in a worker thread, which is no cluster member.
const { isMainThread, Worker } = require('worker_threads');
if (isMainThread) new Worker(__filename);
else require('http').createServer((request, response) => response.end('thread')).listen(0, () => console.log('listening'));
