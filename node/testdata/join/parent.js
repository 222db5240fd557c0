// Checks the environment of a child before it has listened.
const child = "process.exitCode = process.env.NODEINIT_CHANNEL || process.env.NODEINIT_MODULES || process.env.NODE_OPTIONS !== '--no-warnings' ? 1 : 0";
require('child_process').execFileSync(process.execPath, ['-e', child]);
