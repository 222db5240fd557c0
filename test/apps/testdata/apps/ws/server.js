const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ port: Number(process.env.PORT || 3000) });
server.on('connection', (socket) => {
  socket.on('message', (text) => socket.send(`pid ${process.pid}: ${text}`));
});
