// An application that brings its own primary: there is one already.
'use strict';
const cluster = require('cluster');

if (cluster.isPrimary) {
  for (let i = 0; i < 4; i++) cluster.fork();
} else {
  require('./puppet.js');
}
