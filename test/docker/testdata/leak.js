// Keeps all it makes until it dies of it. The first argument says what: objects, which are in V8's
// heap, or buffers, whose memory is outside it. With "first" only the first worker does.
const kept = [];
const leak = {
  objects: () => kept.push(Array.from({ length: 1000 }, (_, i) => ({ i }))),
  buffers: () => kept.push(Buffer.alloc(1 << 20, 1)),
}[process.argv[2]];

if (process.argv[3] === 'first' && process.env.NODEINIT_WORKER > 0) setInterval(() => {}, 1e9);
else for (;;) leak();
