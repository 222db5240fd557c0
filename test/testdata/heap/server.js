const http = require('node:http');
const v8 = require('node:v8');

http.createServer((request, response) => {
  const { heap_size_limit: heap } = v8.getHeapStatistics();
  response.end(JSON.stringify({ pid: process.pid, slot: process.env.NODEINIT_WORKER, heap, options: process.env.NODE_OPTIONS }));
}).listen(process.env.PORT || 3000);
