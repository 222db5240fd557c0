// Removes the socket that its last run may have left (node-clustrap#2, mastodon#8978).
'use strict';
const fs = require('fs');
fs.rmSync(process.env.SOCKET, { force: true });
require('http').createServer((_, response) => response.end('served')).listen(process.env.SOCKET, () => console.log('listening'));
