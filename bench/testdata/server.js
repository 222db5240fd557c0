// The server that every contender runs. It leaves a file named after its pid in BENCH_DIR when it
// listens: that is how the bench knows which processes are workers.
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const body = `${process.pid}\n`;
const answer = (request, response) => response.end(body);
// With BENCH_LOG each request is a line of about 120 bytes.
const logged = (request, response) => {
  console.log(`10.1.2.3 - - [28/Nov/2026:11:13:08 +0000] "${request.method} ${request.url} HTTP/1.1" 200 ${body.length} "-" "bench" 12ms ${'.'.repeat(24)}`);
  response.end(body);
};
const server = http.createServer(process.env.BENCH_LOG ? logged : answer);

// With BENCH_BLOCK the first worker there blocks its loop for 1 s of every 1.5 s.
function block() {
  for (const end = Date.now() + 1000; Date.now() < end; );
  setTimeout(block, 500);
}

server.listen(process.env.PORT, () => {
  const dir = process.env.BENCH_DIR;
  fs.writeFileSync(path.join(dir, String(process.pid)), '');
  if (!process.env.BENCH_BLOCK) return;
  try {
    fs.closeSync(fs.openSync(path.join(dir, 'blocked'), 'wx'));
  } catch {
    return; // another worker was first
  }
  setTimeout(block, 500);
});
