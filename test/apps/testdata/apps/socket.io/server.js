const http = require('node:http');
const { Server } = require('socket.io');

const server = http.createServer((request, response) => {
  response.end(`pid ${process.pid}\n`);
});
const io = new Server(server);
io.on('connection', (socket) => {
  socket.on('who', (answer) => answer(process.pid));
});
server.listen(process.env.PORT || 3000);
