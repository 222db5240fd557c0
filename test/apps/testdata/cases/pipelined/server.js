// Answers /1 when it gets SIGUSR2, and all else at once.
'use strict';
process.on('SIGUSR2', () => {}); // each worker gets it
const server = require('http').createServer((request, response) => {
  console.log(`asked ${request.url} of ${process.pid}`);
  if (request.url === '/1') process.once('SIGUSR2', () => response.end('answer 1'));
  else response.end(request.url === '/' ? `pid ${process.pid}` : `answer ${request.url.slice(1)}`);
});
server.listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'));
