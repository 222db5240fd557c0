// Runs a script in this process, as ts-node's own command does.
require('./compiler.js');
process.argv = [process.argv[0], ...process.argv.slice(2)];
require('module').runMain();
