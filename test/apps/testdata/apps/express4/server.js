const express = require('express');

const app = express();
app.get('/', (request, response) => {
  response.send(`pid ${process.pid}\n`);
});
app.listen(process.env.PORT || 3000);
