// Looks, before it has listened, at what a child of its own finds.
const child = "process.exitCode = process.env.NODEINIT_CHANNEL || process.env.NODEINIT_MODULES || process.env.NODE_OPTIONS !== '--no-warnings' ? 1 : 0";
require('child_process').execFileSync(process.execPath, ['-e', child]);
