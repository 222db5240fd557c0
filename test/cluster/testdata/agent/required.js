// A module of --require that listens.
'use strict';
require('http').createServer().listen(0, '127.0.0.1');
