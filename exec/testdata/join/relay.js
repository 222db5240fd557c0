// Runs a script with a channel of its own, as babel-node does.
const child = require('child_process').fork(process.argv[2]);
child.on('message', () => { throw new Error('that was for nodeinit'); });
child.on('exit', (code) => { process.exitCode = code ?? 99; });
