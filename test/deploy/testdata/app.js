// Serves, and has metrics and a health path of its own.
const http = require('node:http')
let requests = 0
let sick = false

http.createServer((request, response) => {
  switch (request.url) {
    case '/crash':
      process.exit(1)
    case '/sick':
      sick = true
      break
    case '/health':
      response.statusCode = sick ? 500 : 200
      break
    case '/metrics':
      response.setHeader('Content-Type', 'text/plain; version=0.0.4')
      return response.end(`# HELP app_requests_total Requests.\n# TYPE app_requests_total counter\napp_requests_total ${requests}\n`)
    default:
      requests++
  }
  response.end('served\n')
}).listen(3000)
