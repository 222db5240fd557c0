// Reports how a script was loaded: as the main one, and as which file.
'use strict';
const path = require('path');

module.exports = (main, file) => {
  console.log([main, path.relative(__dirname, file), path.relative(__dirname, process.argv[1]), ...process.argv.slice(2), globalThis.hooked ?? 'plain'].join(' '));
  if (require('cluster').isWorker) process.disconnect();
};
