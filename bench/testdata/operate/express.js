const express = require('express');

const body = `${process.env.BENCH_REPLICA || process.pid}\n`;
const app = express();
app.get('/', (request, response) => {
  response.send(body);
});
app.listen(process.env.PORT, () => console.log('the application listens'));
