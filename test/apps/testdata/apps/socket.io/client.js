// Clients from several addresses of this machine, three of each: one that polls, one with a websocket,
// and one that polls first and then changes to a websocket, as is the default. For each line on stdin
// they ask which process they reach, and report the answers; a connection that is lost is reported as
// well. Ends with its stdin. Usage: node client.js URL ADDRESS...
const fs = require('node:fs');
const http = require('node:http');
const readline = require('node:readline');
const { io } = require('socket.io-client');

const say = (facts) => fs.writeSync(3, `${JSON.stringify(facts)}\n`);
const [url, ...addresses] = process.argv.slice(2);
const clients = new Map();
for (const localAddress of addresses) {
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    // One connection for each request.
    const agent = new http.Agent({ localAddress, keepAlive: false });
    const socket = io(url, { transports, agent, forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 10 });
    const name = `${localAddress} ${transports}`;
    clients.set(name, socket);
    socket.on('disconnect', () => say({ lost: name }));
    socket.on('connect_error', (error) => console.error(`${name}: ${error}`));
  }
}

readline.createInterface({ input: process.stdin }).on('line', async () => {
  const answers = {};
  await Promise.all([...clients].map(async ([name, socket]) => {
    answers[name] = await socket.emitWithAck('who');
  }));
  say({ answers });
}).on('close', () => process.exit(0));
