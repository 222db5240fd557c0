// Holds as many MiB of objects as its argument says (nodejs/node#64646, #35573).
'use strict';
const keep = [];
const timer = setInterval(() => {
  for (let i = 0; i < 12000; i++) keep.push({ i, key: `k${i}${Math.random()}`, list: [i, i, i, i] });
  if (process.memoryUsage().heapUsed < process.argv[2] * 2 ** 20) return;
  clearInterval(timer);
  console.log('holds it');
}, 1);
