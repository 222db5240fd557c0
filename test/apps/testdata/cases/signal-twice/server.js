// Ends at once at the second signal (close-with-grace), with a request in hand
// (remy/nodemon#2152, kentcdodds/cross-env#227). A signal that is passed on has the time of an
// answer to arrive.
'use strict';
const grace = require('close-with-grace');
const server = require('http').createServer((request, response) => {
  if (request.url !== '/slow') return response.end('ok');
  console.log('asked');
  setTimeout(() => response.end('slow answer'), 1500);
});
grace({ delay: 3600000 }, () => new Promise((done) => { server.close(done); }));
server.listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'));
