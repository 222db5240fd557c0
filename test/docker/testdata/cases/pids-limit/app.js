// Serves, and starts processes until there can be no more (puppeteer#1825).
'use strict';
const { spawn } = require('child_process');
const more = () => spawn('sleep', ['1000000'], { stdio: 'ignore' })
  .on('spawn', more)
  .on('error', (error) => { console.log('full', error.code); });
require('http').createServer((_, response) => response.end('ok')).listen(3000, more);
