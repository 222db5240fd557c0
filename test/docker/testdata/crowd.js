// Fills the container with processes, again and again as they end.
'use strict';
const { spawn } = require('child_process');

const more = () => spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] }).on('spawn', more).on('exit', more).on('error', () => {
  console.log('full');
  setTimeout(more, 50);
});
process.on('SIGUSR2', () => {});
require('http').createServer((_, res) => res.end('ok')).listen(3000, more);
