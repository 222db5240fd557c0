const fs = require('node:fs');
const http2 = require('node:http2');

const body = `${process.pid}\n`;
const options = { key: fs.readFileSync(process.env.TLS_KEY), cert: fs.readFileSync(process.env.TLS_CERT) };
// It answers when it has the whole request.
http2
  .createSecureServer(options, (request, response) => {
    request.resume();
    request.on('end', () => response.end(body));
  })
  .listen(process.env.PORT, () => console.log('the application listens'));
