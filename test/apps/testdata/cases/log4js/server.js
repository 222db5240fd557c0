// A worker's lines go to the primary, as log4js has it (log4js-node#265, Unitech/pm2#3215).
'use strict';
const log4js = require('log4js');
log4js.configure({ appenders: { out: { type: 'stdout' } }, categories: { default: { appenders: ['out'], level: 'info' } } });
const log = log4js.getLogger();
require('http').createServer((request, response) => {
  log.info('a request for', request.url);
  response.end('ok');
}).listen(+process.env.PORT, '127.0.0.1', () => {
  log.info('application is up');
  console.log('listening');
});
