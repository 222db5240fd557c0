// Ends in the way that its argument names.
'use strict';
process.on('exit', (code) => console.log('exit', code));
const ways = {
  'at once': () => {},
  'a status': () => process.exit(3),
  'a status for later': () => { process.exitCode = 4; },
  'a status at the exit': () => process.on('exit', () => { process.exitCode = 5; }),
  'an error': () => { throw new Error('as the test asked'); },
  'no error': () => { throw null; },
  'an error in a tick': () => process.nextTick(() => { throw new Error('as the test asked'); }),
  'an error in a promise': () => Promise.reject(new Error('as the test asked')),
  'an error at the exit': () => process.on('exit', () => { throw new Error('as the test asked'); }),
  'an error in the handler': () => {
    process.on('uncaughtException', () => { throw new Error('another'); });
    throw new Error('as the test asked');
  },
  'an error that is handled': () => {
    process.on('uncaughtException', (error, origin) => console.log(origin, error.message));
    throw new Error('as the test asked');
  },
  'an error that is captured': () => {
    process.setUncaughtExceptionCaptureCallback((error) => console.log('captured', error.message));
    throw new Error('as the test asked');
  },
  'an error that is captured, and more work': () => {
    process.setUncaughtExceptionCaptureCallback((error) => console.log('captured', error.message));
    setTimeout(() => console.log('done'), 100);
    throw new Error('as the test asked');
  },
  'an error in a domain, and more work': () => {
    const domain = require('domain').create();
    domain.on('error', (error) => console.log('in the domain', error.message));
    domain.enter();
    setTimeout(() => console.log('done'), 100);
    throw new Error('as the test asked');
  },
  'more work': () => process.once('beforeExit', () => setTimeout(() => console.log('done'), 1)),
  'a signal': () => { process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 600000); },
  'a handled signal': () => {
    const work = setTimeout(() => {}, 600000);
    process.on('SIGTERM', () => { console.log('SIGTERM'); clearTimeout(work); });
    process.kill(process.pid, 'SIGTERM');
  },
  'a server closed': () => {
    const server = require('http').createServer().listen(0, () => server.close(() => console.log('closed')));
  },
  'words to a parent': () => {
    process.on('message', () => {});
    process.once('disconnect', () => {});
    setTimeout(() => console.log('done'), 1);
  },
  'the main script removed': () => { delete require.cache[__filename]; console.log('ran'); },
};
ways[process.argv[2]]();
