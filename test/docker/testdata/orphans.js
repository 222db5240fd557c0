// Leaves so many orphans behind, each a child of a shell that has ended, then waits for its stop.
const { execFileSync } = require('node:child_process');

for (let i = 0; i < Number(process.argv[2]); i++) {
  execFileSync('sh', ['-c', 'true &']);
}
// One that lives on: its process ID, and that of the parent it has come to.
const pid = execFileSync('sh', ['-c', 'sleep 1000000 >/dev/null 2>&1 & echo $!']).toString().trim();
const stat = require('node:fs').readFileSync(`/proc/${pid}/stat`, 'utf8');
const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
process.on('SIGTERM', () => process.exit(0));
setInterval(() => {}, 1 << 30);
console.log(`orphan ${pid} came to ${parent}`);
