// Runs a script in this process, as ts-node's own command does.
require('./compiler.js');
process.argv = [process.argv[0], require('path').resolve(process.argv[2])];
require('module').runMain();
