const fs = require('node:fs');
const https = require('node:https');

const body = `${process.env.BENCH_REPLICA || process.pid}\n`;
const options = { key: fs.readFileSync(process.env.TLS_KEY), cert: fs.readFileSync(process.env.TLS_CERT) };
https
  .createServer(options, (request, response) => response.end(body))
  .listen(process.env.PORT, () => console.log('the application listens'));
