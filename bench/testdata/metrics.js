// A server with metrics of its own, as many as prom-client has by default and an application adds: 60
// families, of which 10 are histograms.
const http = require('node:http');

let requests = 0;

function metrics() {
  let text = '# HELP app_requests_total Requests.\n# TYPE app_requests_total counter\n';
  text += `app_requests_total ${requests}\n`;
  for (let i = 0; i < 49; i++) {
    text += `# HELP app_gauge_${i} A gauge of the application.\n# TYPE app_gauge_${i} gauge\napp_gauge_${i} ${i + requests}\n`;
  }
  for (let i = 0; i < 10; i++) {
    text += `# HELP app_seconds_${i} Durations of the application.\n# TYPE app_seconds_${i} histogram\n`;
    for (const le of [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, '+Inf']) {
      text += `app_seconds_${i}_bucket{route="/",method="GET",le="${le}"} ${requests}\n`;
    }
    text += `app_seconds_${i}_sum{route="/",method="GET"} ${requests / 100}\napp_seconds_${i}_count{route="/",method="GET"} ${requests}\n`;
  }
  return text;
}

http
  .createServer((request, response) => {
    if (request.url === '/metrics') {
      response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
      response.end(metrics());
      return;
    }
    requests++;
    response.end(`${process.pid}\n`);
  })
  .listen(process.env.PORT);
