// An application that is as healthy as the files in a directory say: one is named after
// the process, or "all", and has the status that it answers for /healthz, or "stopped".
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

function status() {
  for (const name of [String(process.pid), 'all']) {
    try {
      const file = path.join(process.env.SICK, name);
      const text = fs.readFileSync(file, 'utf8');
      if (text !== 'stopped') return Number(text);
      fs.unlinkSync(file); // once it is continued it goes on
      process.kill(process.pid, 'SIGSTOP');
    } catch {} // there is no file
  }
  return 200;
}

http.createServer((request, response) => {
  if (request.url === '/healthz') response.statusCode = status();
  response.end(`pid ${process.pid}\n`);
}).listen(process.env.PORT, '127.0.0.1');
