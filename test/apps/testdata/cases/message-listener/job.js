// Has work to do, and would end early if its parent said so (Unitech/pm2#4848).
'use strict';
process.on('message', (word) => { if (word === 'shutdown') process.exit(1); });
setTimeout(() => console.log('work done'), 100);
