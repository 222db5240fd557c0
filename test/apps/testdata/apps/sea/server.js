// A server that is to be one file with Node. Its answers take as many milliseconds
// as their path says.
'use strict';
const http = require('http');

http.createServer((request, response) => {
  console.log(`asked ${request.url}`);
  setTimeout(() => response.end(`pid ${process.pid}\n`), Number(request.url.slice(1)));
}).listen(Number(process.env.PORT), '127.0.0.1');
