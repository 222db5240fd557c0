// Has a worker thread that listens, sends a message, and exits.
const { Worker } = require('worker_threads');
const listener = "require('net').createServer().listen(0, function () { this.close(); require('worker_threads').parentPort.postMessage('ready') })";
new Worker(listener, { eval: true }).on('message', (message) => process.send(message));
