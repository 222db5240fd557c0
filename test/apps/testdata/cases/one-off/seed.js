// Is to run once (node-cron#393, Unitech/pm2#4292, #1828).
'use strict';
console.log('a row');
setTimeout(() => {}, 100);
