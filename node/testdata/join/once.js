// Listens, closes and exits.
const server = require('net').createServer().listen(0, () => server.close());
