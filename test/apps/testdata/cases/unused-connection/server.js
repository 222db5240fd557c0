// Has no shutdown code (nodejs/node#63452).
'use strict';
require('http').createServer((_, response) => response.end('served')).listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'));
