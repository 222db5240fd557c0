// Listens, closes and ends by itself.
const server = require('net').createServer().listen(0, () => server.close());
