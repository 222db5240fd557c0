// A server with metrics that it writes by hand: TEST_PORT is where, and the query of /metrics
// says for a worker how its answer is wrong. It says over descriptor 3 when it listens.
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');

const worker = process.env.NODEINIT_WORKER ?? '0';
let hits = 0;

const answers = {
  status: (response) => { response.statusCode = 500; response.end('no'); },
  stop: () => process.kill(process.pid, 'SIGSTOP'),
  garbage: (response) => response.end('<html>'),
  endless: (response) => {
    const more = () => { while (response.write('a 1\n'.repeat(10000))); };
    response.on('drain', more);
    more();
  },
};
const serve = (request, response) => {
  if (!request.url.startsWith('/metrics')) {
    hits++;
    return response.end(worker);
  }
  const wrong = new URLSearchParams(request.url.split('?')[1]).get(worker);
  if (wrong) return answers[wrong](response);
  response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
  response.end(`# HELP app_hits_total Requests.\n# TYPE app_hits_total counter\napp_hits_total{from="${request.socket.remoteAddress}"} ${hits}\n`);
};
const server = process.env.TEST_TLS ? https.createServer(JSON.parse(process.env.TEST_TLS), serve) : http.createServer(serve);
server.listen(+process.env.TEST_PORT, () => fs.writeSync(3, `${worker}\n`));
