// Writes numbered lines as args say: how, how many, and of how many bytes each. A line
// says which worker wrote it.
'use strict';
const fs = require('fs');
const [how, count, size] = process.argv.slice(2);
const worker = process.env.NODEINIT_WORKER;
const line = (i) => `worker ${worker} pid ${process.pid} line ${i} `.padEnd(size - 1, 'x') + '\n';
const each = (write) => { for (let i = 0; i < count; i++) write(line(i)); };
const all = () => Array.from({ length: count }, (_, i) => line(i)).join('');

const ways = {
  // Each with a write of its own, as console.log.
  lines: () => each((text) => process.stdout.write(text)),
  // process.exit() with all still to be written, but what the pipe takes at once.
  exit: () => { process.stdout.write(all()); process.exit(0); },
  // The kernel has it all when the process dies.
  kill: () => { each((text) => fs.writeSync(1, text)); process.kill(process.pid, 'SIGKILL'); },
  // A touch of process.stdout sets O_NONBLOCK on the pipe, for a child too.
  touch: () => {
    process.stdout.write('');
    each((text) => process.stdout.write(text));
    process.stdout.write('', () => process.stderr.write('touched\n'));
    require('http').createServer().listen(0);
  },
};
ways[how]();
