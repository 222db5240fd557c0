// Exits without listening or sending a message.
console.log('worker:', require('cluster').isWorker);
