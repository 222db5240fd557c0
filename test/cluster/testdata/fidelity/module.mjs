console.log('module', import.meta.url, process.listenerCount('exit') > 0, import.meta.main);
process.nextTick(() => console.log('tick'));
Promise.resolve().then(() => console.log('promise'));
process.on('uncaughtException', (error, origin) => console.log(origin, error.message));
await new Promise(setImmediate);
throw new Error('as the test asked');
