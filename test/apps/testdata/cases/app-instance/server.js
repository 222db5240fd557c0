// config reads the file that NODE_APP_INSTANCE names (node-config#244, #526, Unitech/pm2#4065).
'use strict';
const db = require('config').get('db');
require('http').createServer((_, response) => response.end(db)).listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'));
