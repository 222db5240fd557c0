// Listens on a port that only cap_net_bind_service gives (zigbee2mqtt#25385, nodejs/node#22081).
'use strict';
const http = require('http');
http.createServer((_, response) => response.end('ok')).listen(80, '127.0.0.1', () => {
  http.get('http://127.0.0.1/', (response) => {
    console.log(response.statusCode === 200 ? 'listening' : 'no answer');
    response.resume();
  });
});
