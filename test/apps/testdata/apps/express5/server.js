const express = require('express');

const app = express();
app.get('/', (request, response) => {
  response.send(`pid ${process.pid}\n`);
});
const server = app.listen(process.env.PORT || 3000);

// It ends when nothing is left to do, as Node's documentation has it.
process.on('SIGTERM', () => server.close());
