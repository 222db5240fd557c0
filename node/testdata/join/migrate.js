// Does its work and ends. Nobody is told.
console.log('worker:', require('cluster').isWorker);
