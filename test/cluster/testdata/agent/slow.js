// Listens. Attaching the agent takes until its standard input ends.
'use strict';
const fs = require('fs');
const child = require('child_process');
const { _forkChild } = child;
child._forkChild = (...args) => {
  fs.writeSync(1, 'attaching\n');
  try { fs.readSync(0, Buffer.alloc(1)); } catch { /* EOF */ }
  _forkChild(...args);
};
require('http').createServer().listen(0);
