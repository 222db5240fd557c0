const cluster = require('node:cluster');
const http = require('node:http');
const os = require('node:os');

if (cluster.isPrimary) {
  console.log('primary');
  for (const _ of os.cpus()) cluster.fork();
} else {
  http.createServer((request, response) => {
    response.end(`pid ${process.pid}\n`);
  }).listen(process.env.PORT || 3000);
}
