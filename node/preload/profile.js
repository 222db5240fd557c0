// Takes a profile, a heap snapshot or a report, and writes it to handle, a connection to
// the client, in frames (admin/frames.go). nodeinit sends this with the order, so that no
// start of Node pays for it: it is the body of a function of require, timers, agent, order
// and handle. It writes without a stream: a write that waits for a client that does not read
// would keep the process alive.
'use strict';
const { readSync, writeSync } = require('fs');
const { Buffer } = require('buffer');
const minDelay = 4; // ms, from write to write while the client reads
const maxDelay = 200; // ms, while it does not, or there is nothing to write

const { kind, seconds } = order;
const { fd } = handle;
const unread = Buffer.alloc(1);
const queue = []; // what is to be written
let delay = minDelay;
const refused = agent.profiling;
let complete = false; // the last frame is in the queue
let closed = false;
let stop = () => {};

function send(type, data = Buffer.alloc(0)) {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeUInt32BE(data.length, 1);
  queue.push(header);
  if (data.length) queue.push(data);
  complete ||= type === 'e' || type === '.';
  delay = minDelay;
}

function close() {
  if (closed) return;
  closed = true;
  queue.length = 0;
  handle.close();
  stop();
  if (!refused) agent.profiling = false;
}

// Calls f, and again later unless it throws or closes.
function repeat(f) {
  if (closed) return;
  try {
    f();
  } catch {
    close();
  }
  if (!closed) timers.setTimeout(repeat, delay, f).unref();
}

// What would block is undefined.
function nonblocking(f, ...args) {
  try {
    return f(...args);
  } catch (error) {
    if (error.code === 'EAGAIN') return undefined;
    throw error;
  }
}

function write() {
  if (nonblocking(readSync, fd, unread) === 0) return close(); // the client has gone
  delay = Math.min(2 * delay, maxDelay);
  while (queue.length) {
    const written = nonblocking(writeSync, fd, queue[0]);
    if (!written) return;
    delay = minDelay;
    if (written < queue[0].length) queue[0] = queue[0].subarray(written);
    else queue.shift();
  }
  if (complete) close();
}

function fail(error) {
  stop();
  send('e', Buffer.from(String(error?.message ?? error).slice(0, 1000)));
}

const expectSilence = (expected) => agent.report('silence', { expected });

// The event loop stands still while f runs.
function still(f) {
  expectSilence(true);
  try {
    return f();
  } finally {
    expectSilence(false);
  }
}

function sendAll(text) {
  send('d', Buffer.from(text));
  send('.');
}

function sample(domain, start, end, options) {
  const { Session } = require('inspector');
  const session = new Session();
  const post = (method, params) => {
    let failed;
    let answer;
    session.post(`${domain}.${method}`, params, (error, result) => { failed = error; answer = result; });
    if (failed) throw failed;
    return answer;
  };
  session.connect();
  stop = () => session.disconnect(); // this ends what was started
  post('enable');
  post(start, options);
  timers.setTimeout(() => {
    if (closed) return;
    try {
      still(() => sendAll(JSON.stringify(post(end).profile)));
      stop();
    } catch (error) {
      fail(error);
    }
  }, 1000 * seconds).unref();
}

const take = {
  cpu: () => sample('Profiler', 'start', 'stop'),
  // Not known to Node 18, which has only what is in use at the end.
  alloc: () => sample('HeapProfiler', 'startSampling', 'stopSampling', { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }),
  heap() {
    expectSilence(true);
    // All of it is made at once, and not in memory that the limit of the heap counts.
    const snapshot = require('v8').getHeapSnapshot();
    snapshot.on('data', (chunk) => { if (!closed) send('d', chunk); });
    snapshot.on('error', (error) => {
      expectSilence(false);
      fail(error);
    });
    snapshot.on('end', () => {
      expectSilence(false);
      send('.');
    });
  },
  report: () => still(() => {
    const { report } = process;
    const { excludeNetwork } = report;
    // Else Node looks up the names of all peers, one by one. Node 18 does so.
    if (excludeNetwork !== undefined) report.excludeNetwork = true;
    try {
      // Worker threads have a report in that of the process.
      sendAll(`${JSON.stringify(report.getReport(), (key, value) => (key === 'environmentVariables' ? undefined : value), 2)}\n`);
    } finally {
      if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork;
    }
  }),
};

if (refused) fail('another profile of it is being taken');
else {
  agent.profiling = true;
  send('b');
}
repeat(write);
if (!refused && !closed) {
  try {
    take[kind]();
  } catch (error) {
    fail(error);
  }
}
