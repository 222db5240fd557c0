// Connects an application to its test, which tells it what to do and hears of
// what happens. Neither this connection nor its listeners keep a process alive.
'use strict';
const net = require('net');

const socket = net.connect(process.env.TEST_CONTROL).unref();

// tell reports an event to the test.
function tell(event, facts = {}) {
  socket.write(JSON.stringify({ event, ...facts }) + '\n');
}

// obey runs what the test asks for: commands are functions, maybe async, of one
// argument. A function that throws answers with its error.
function obey(commands) {
  let text = '';
  socket.setEncoding('utf8').on('data', async (chunk) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop();
    for (const { n, command, argument } of lines.map((line) => JSON.parse(line))) {
      let answer;
      try {
        answer = { n, result: await commands[command](argument ?? undefined) };
      } catch (error) {
        answer = { n, error: describe(error) };
      }
      socket.write(JSON.stringify(answer) + '\n');
    }
  });
  tell('hello', { slot: Number(process.env.NODEINIT_WORKER ?? -1), node: process.version });
}

// describe is what a program can see of an error.
function describe(error) {
  const { name, code, errno, syscall, address, port, message } = error;
  return { name, code, errno, syscall, address, port, message };
}

// stay keeps the process alive until its channel has ended, or the function that
// is returned is called. nodeinit's channel keeps none alive.
function stay() {
  const hold = setInterval(() => {}, 2 ** 31 - 1);
  const leave = () => clearInterval(hold);
  process.once('disconnect', leave);
  return leave;
}

socket.on('error', () => process.exit(96)); // the test is gone

module.exports = { tell, obey, describe, stay };
