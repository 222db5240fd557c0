// Tells whether the agent is attached when the program starts, and ends when it is. With
// "listens" it is a server.
'use strict';
const { channel } = require('diagnostics_channel');
const isAttached = () => channel('tracing:net.server.listen:asyncStart').hasSubscribers;
console.log(isAttached());
if (process.argv[2] === 'listens') require('net').createServer().listen(0);
const poll = setInterval(() => {
  if (!isAttached()) return;
  clearInterval(poll);
  console.log(isAttached());
  process.exit();
}, 10);
