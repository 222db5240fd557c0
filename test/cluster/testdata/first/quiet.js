// Serves, and leaves standard input alone.
const server = require('http').createServer((request, response) => response.end());
server.listen(0, () => console.log('serving'));
