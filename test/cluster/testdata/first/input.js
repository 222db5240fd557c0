// Counts the lines on standard input, and those that are torn.
let lines = 0;
let torn = 0;
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  lines++;
  if (!/^line \d+ end$/.test(line)) torn++;
}).on('close', () => console.log(`${lines} lines, ${torn} torn`));
