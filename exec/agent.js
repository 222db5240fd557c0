// What nodeinit has a Node process run before the application (start.js): it lets the
// process finish what it has in hand when it is to leave, and tells how it does.
// docs/lifecycle.md says who tells whom when. It patches nothing. In a process that
// serves it has subscriptions for new servers and connections, listeners for
// events that are not the application's, and timers that keep nobody alive. What
// it needs later it loads later, so that Node starts faster.
'use strict';
const { subscribe } = require('diagnostics_channel');

const beatEvery = 1000; // ms
const lookEvery = 100; // ms, for servers to come and connections to go
const arriveFor = 1; // s that connections which were on their way may take to arrive
const idleFor = 5; // s that an idle connection may stay: Node's own keepAliveTimeout
const resendFor = 1.3; // s, in which a client asks again for a connection that was not answered
const signalFor = 1000; // ms that the signal may take after the end of the channel
const resolution = 20; // ms, of the event loop's delay

// Worker threads, which run this too, have no channel.
if (process.env.NODEINIT_CHANNEL) process.once(Symbol.for('nodeinit.joined'), work);
else if (process.connected) work();

function work() {
  leaveEnvironment();
  const { send } = process; // the application may have its own
  const tell = (act, report) => {
    if (process.connected) send.call(process, { cmd: 'NODE_NODEINIT', act, ...report }, undefined, { swallowErrors: true });
  };
  const orders = { ...trackConnections(tell), look: () => lookForServers((address) => tell('listening', address)) };
  process.on('internalMessage', (order) => {
    if (order.cmd === 'NODE_NODEINIT') orders[order.act]?.(order);
  });
  reportSignals((handles) => tell('handles', { handles }));
  reportLoop((loop) => tell('beat', loop));
}

// What the application starts is no worker. (join.js has done it where it is.)
function leaveEnvironment() {
  const { env } = process;
  delete env.NODEINIT_MODULES;
  const options = (env.NODE_OPTIONS ?? '').replace(/--import=data:text\/javascript;by=nodeinit;\S+ ?/, '').trim();
  if (options) env.NODE_OPTIONS = options;
  else delete env.NODE_OPTIONS;
}

// Returns what ends the connections of this process.
function trackConnections(tell) {
  const servers = new Set(); // that have listened, or had a connection
  const sessions = new Set(); // of HTTP/2
  let shedding = false;
  let fresh = false; // a connection has come since that was last looked at
  const meetSession = (session) => {
    if (sessions.has(session)) return;
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    if (shedding) sendAway(session);
  };
  const meet = (server) => {
    if (!server || servers.has(server)) return;
    servers.add(server);
    server.once('close', () => servers.delete(server));
    server.on('session', meetSession);
    server.on('stream', ({ session }) => meetSession(session)); // the first may have come before this
  };
  subscribe('tracing:net.server.listen:asyncStart', ({ server }) => meet(server)); // not in 18 and 22.0
  subscribe('net.server.socket', ({ socket }) => {
    fresh = true;
    meet(socket.server);
  });

  // Each client is told with its next answer to take its next request elsewhere.
  const shed = () => {
    if (shedding) return;
    shedding = true;
    const last = (response) => { response.shouldKeepAlive = false; };
    subscribe('http.server.request.start', ({ response }) => last(response));
    for (const server of servers) responsesOf(server).forEach(last);
    for (const session of sessions) sendAway(session);
  };

  // last: nobody else accepts from the sockets that this process has, so they must
  // not be closed while a connection waits in them.
  const drain = ({ last }) => {
    shed();
    const since = process.uptime();
    let stayUntil = since;
    let busy = false;
    fresh = false;
    const close = () => {
      if (last && fresh && process.uptime() - since < arriveFor) {
        fresh = false;
        setImmediate(close); // after the next look for connections: Node accepts one each time
        return;
      }
      for (const server of listening()) {
        meet(server);
        require('net').Server.prototype.close.call(server); // an HTTP server's own would cut off who is idle
      }
      // Who came when the queue was full hears only the next time that it is refused,
      // and would hear nothing if the container were gone by then.
      if (busy) stayUntil = process.uptime() + resendFor;
      // Goes on until the signal comes: that is to end the process, and not that it
      // has nothing left to do. Where the application handles the signal, which
      // follows the end of the channel at once, it ends as it likes.
      const hold = setInterval(() => {
        if (process.uptime() - since > idleFor) {
          for (const server of servers) server.closeIdleConnections?.();
        }
        countConnections(servers, (count) => {
          if (!count && process.uptime() > stayUntil) tell('drained');
        });
      }, lookEvery);
      process.once('disconnect', () => setTimeout(clearInterval, signalFor, hold));
    };
    setTimeout(() => { // what has begun to arrive may take as long
      const own = last ? listening() : [];
      for (const server of own) server._handle.listen(0); // so that they come one at a time
      busy = fresh && own.length > 0;
      fresh = true;
      close();
    }, lookEvery);
  };
  return { shed, drain };
}

// What is being answered, as a list of Node's own has it.
function responsesOf(server) {
  const connections = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connections');
  const parsers = server[connections]?.all?.() ?? [];
  return parsers.map(({ socket }) => socket?._httpMessage).filter(Boolean);
}

// First the client is told to open no more streams, and then, when that should
// have arrived, from which one on they are not answered (RFC 9113, 6.8). Those
// that are open go on.
function sendAway(session) {
  if (session.destroyed) return;
  const open = 2 ** 31 - 1;
  session.goaway(0, open);
  setTimeout(() => session.close(), lookEvery);
}

// Servers with a socket of their own: not those whose connections nodeinit passes.
function listening() {
  const { Server } = require('net');
  return process._getActiveHandles().filter((handle) => handle instanceof Server && handle.listening);
}

function countConnections(servers, callback) {
  let sum = 0;
  let open = servers.size + 1;
  const add = (error, count) => {
    sum += count ?? 0;
    if (--open === 0) callback(sum);
  };
  for (const server of servers) server.getConnections(add);
  add(null, 0);
}

// In fork mode nobody sees that the application listens; found is told of the
// first servers it has.
function lookForServers(found) {
  const timer = setInterval(() => {
    const servers = listening();
    if (!servers.length) return;
    clearInterval(timer);
    for (const server of servers) {
      const address = server.address();
      found(typeof address === 'string' ? { address, port: -1 } : { address: address.address, port: address.port });
    }
  }, lookEvery).unref();
}

// Which signals the application handles decides how it is asked to stop.
function reportSignals(report) {
  let last;
  const look = () => {
    const handles = process.eventNames().filter((name) => typeof name === 'string' && name.startsWith('SIG'));
    if (String(handles) === last) return;
    last = String(handles);
    report(handles);
  };
  const changes = (name) => {
    if (typeof name === 'string' && name.startsWith('SIG')) process.nextTick(look);
  };
  process.on('newListener', changes);
  process.on('removeListener', changes);
  look();
}

function reportLoop(report) {
  setTimeout(() => {
    const { monitorEventLoopDelay, performance } = require('perf_hooks');
    const { getHeapStatistics } = require('v8');
    const delay = monitorEventLoopDelay({ resolution });
    delay.enable();
    let last = performance.eventLoopUtilization();
    const late = (percentile) => Math.max(0, Math.round(delay.percentile(percentile) / 1e3) - resolution * 1e3); // us
    setInterval(() => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      report({ utilization, p50: late(50), p99: late(99), heap: getHeapStatistics().used_heap_size });
      delay.reset();
    }, beatEvery).unref();
  }, beatEvery).unref();
}
