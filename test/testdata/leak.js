// Keeps all it makes until it dies of it. The first argument says what: in V8's heap, small objects
// or one big map; outside it, the memory of buffers.
const kept = [];
const map = new Map();
const leak = {
  objects: () => kept.push(Array.from({ length: 1000 }, (_, i) => ({ i }))),
  map: () => { for (let i = 0; i < 10000; i++) map.set(map.size, i); },
  buffers: () => kept.push(Buffer.alloc(1 << 20, 1)),
}[process.argv[2]];

console.log(`heap limit ${require('node:v8').getHeapStatistics().heap_size_limit >> 20} MiB`);
for (;;) leak();
