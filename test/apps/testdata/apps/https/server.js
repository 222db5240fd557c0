const fs = require('node:fs');
const https = require('node:https');

const server = https.createServer({
  key: fs.readFileSync(process.env.TLS_KEY),
  cert: fs.readFileSync(process.env.TLS_CERT),
}, (request, response) => {
  response.end(`pid ${process.pid}\n`);
});
server.listen(process.env.PORT || 3000);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
