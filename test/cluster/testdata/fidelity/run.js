// Runs another script in its stead, as ts-node's own command does.
require('./hook.js');
process.argv = [process.argv[0], require('path').resolve(process.argv[2])];
require('module').runMain();
