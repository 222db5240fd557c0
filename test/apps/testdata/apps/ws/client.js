// Says hello over one websocket after the other, three times each, and reports the answers. Ends with
// its stdin. Usage: node client.js URL
const fs = require('node:fs');
const WebSocket = require('ws');

const next = () => {
  const socket = new WebSocket(process.argv[2]);
  const answers = [];
  socket.on('open', () => socket.send('hello'));
  socket.on('message', (text) => {
    answers.push(String(text));
    if (answers.length < 3) {
      socket.send('hello');
      return;
    }
    fs.writeSync(3, `${JSON.stringify(answers)}\n`);
    socket.close();
  });
  socket.on('close', next);
};
next();
process.stdin.on('end', () => process.exit(0)).resume();
