// Listens on the socket that is its standard input.
'use strict';
require('http').createServer((request, response) => response.end('served\n')).listen({ fd: 0 });
