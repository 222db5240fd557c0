// Writes log lines for "bench logs" as orders come over the socket BENCH_SOCKET: one JSON object in
// a line, answered with one when all is written. It ends when the socket does.
'use strict'
const fs = require('node:fs')
const net = require('node:net')

// Every line ends in a "~", which nothing else has: so the reader counts lines that were glued, too.
const samples = {
  text: fill(120, '10.1.2.3 - - [28/Nov/2026:11:13:08 +0000] "GET /api/orders/123456 HTTP/1.1" 200 5316 "-" "curl/8.5" 12ms ', '~'),
  pino: fill(311, '{"level":30,"time":1795864388123,"pid":4242,"hostname":"5f2c8d1b9e3a","reqId":"req-1a2b","req":{"method":"GET",' +
    '"url":"/api/orders/123456?page=2","headers":{"host":"example.com","user-agent":"curl/8.5.0"},"remoteAddress":"10.1.2.3"},' +
    '"responseTime":12.345,"msg":"request completed ', '~"}')
}

// fill pads a line to a length, its newline counted.
function fill (length, start, end) {
  return start.padEnd(length - end.length - 1, '.') + end + '\n'
}

// writeAll writes to the pipe past process.stdout, which would make it non-blocking.
function writeAll (bytes) {
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(1, bytes, at)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error // in raw mode another process may have made it non-blocking
    }
  }
}

// through writes a text by process.stdout: pm2 replaces its write with one that wants all arguments.
const through = text => new Promise(resolve => process.stdout.write(text, 'utf8', resolve))

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

// batches writes bytes in batches of 64 KiB, at a rate per second if there is one.
async function batches ({ kind, bytes, rate, stdout }) {
  const line = samples[kind]
  const perBatch = Math.floor(65536 / line.length)
  const text = line.repeat(perBatch)
  const buffer = Buffer.from(text)
  const began = Date.now()
  let written = 0
  while (written < bytes) {
    if (stdout) await through(text)
    else writeAll(buffer)
    written += buffer.length
    const early = rate ? written / rate * 1000 - (Date.now() - began) : 0
    if (early > 1) await pause(early)
  }
  return { lines: written / line.length, bytes: written }
}

// numbered writes lines that tell their writer, number and length, every other one a JSON object, as
// a program does that respects process.stdout's buffer. Every 499th is larger than what pipes take at once.
async function numbered ({ index, lines }) {
  const pad = 'x'.repeat(9000)
  let bytes = 0
  for (let n = 0; n < lines;) {
    let text = ''
    for (let end = Math.min(lines, n + 1 + n % 64); n < end; n++) {
      const length = n % 499 === 498 ? 9000 : n * 7919 % 160
      const said = `w=${index} n=${n} len=${length} ${pad.slice(0, length)} end`
      text += n % 2 ? `{"line":"${said}"}\n` : said + '\n'
    }
    bytes += text.length
    if (!process.stdout.write(text)) await new Promise(resolve => process.stdout.once('drain', resolve))
  }
  await through('')
  return { lines, bytes }
}

const socket = net.connect(process.env.BENCH_SOCKET)
socket.write(`{"pid":${process.pid}}\n`)
socket.on('close', () => process.exit())
let rest = ''
socket.on('data', async data => {
  rest += data
  if (!rest.endsWith('\n')) return
  const order = JSON.parse(rest)
  rest = ''
  const written = await (order.kind === 'numbered' ? numbered(order) : batches(order))
  socket.write(JSON.stringify(written) + '\n')
})
