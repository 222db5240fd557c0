// Says over descriptor 3 which messages and signals it gets to stop. It has no handler for
// the signal but with "handles", and opens no server with "idle".
'use strict';
const fs = require('fs');
const http = require('http');

const { NODE_APP_INSTANCE, INSTANCE_ID, NODEINIT_WORKER } = process.env;
const how = process.argv[2];
const say = (text) => fs.writeSync(3, `${NODEINIT_WORKER ?? 'alone'} ${text}\n`);

say(`has ${NODE_APP_INSTANCE} ${INSTANCE_ID}`);
process.on('message', (message) => {
  say(JSON.stringify(message));
  if (how !== 'handles') process.on('disconnect', () => setTimeout(exit, 50)); // it closes a database, for example
});
if (how === 'handles') {
  process.on('SIGTERM', () => {
    say('SIGTERM');
    process.exit(0);
  });
}
if (how === 'idle') {
  say(process.channel.constructor.name);
  process.send('ready');
  setInterval(() => {}, 1e9);
} else http.createServer((request, response) => response.end()).listen(0, '127.0.0.1');

function exit() {
  say('exits');
  process.exit(7);
}
