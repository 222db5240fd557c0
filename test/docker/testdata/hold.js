// Holds as many MiB of objects in V8's heap as the argument says, and ends. Only the first worker does.
const kept = [];
const wanted = process.argv[2] * 2 ** 20;

function more() {
  for (let i = 0; i < 12000; i++) kept.push({ i, key: `k${i}${Math.random()}`, list: [i, i, i, i] });
  if (process.memoryUsage().heapUsed < wanted) return setImmediate(more);
  console.log(`holds ${process.argv[2]} MiB`);
}
if (!(process.env.NODEINIT_WORKER > 0)) more();
