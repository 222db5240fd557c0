// A worker that writes numbered lines, and into a file of its own how many the pipe has taken.
'use strict';
const fs = require('node:fs');

const worker = process.env.NODEINIT_WORKER;
const progress = fs.openSync(`/progress/${worker}`, 'w');
const pad = 'x'.repeat(100);
let n = 0;
function burst() {
  for (let i = 0; i < 50; i++, n++) {
    fs.writeSync(1, n % 2 ? `{"n":${n},"pad":"${pad}"}\n` : `n=${n} ${pad}\n`);
  }
  fs.writeSync(progress, String(n).padStart(12), 0);
  setImmediate(burst);
}
burst();
