// The part of agent.js that sees connections to their end.

const arriveFor = 1; // s that connections which were on their way may take to arrive
const idleFor = 5; // s that an idle connection may stay: Node's own keepAliveTimeout
const resendFor = 1.3; // s, in which a client asks again for a connection that was not answered
const signalFor = 1000; // ms that the signal may take after the end of the channel
const libraryFor = 3000; // ms after that, for libraries to do what they do at a signal

// Returns the servers of this process and what nodeinit may order about them.
function trackConnections(tell, handlersOf) {
  const servers = new Set(); // that have listened, or had a connection
  const sessions = new Map(); // of HTTP/2, to how many streams are open
  const answers = new WeakMap(); // sockets, to the last response that waits for others before it
  const closed = new WeakSet(); // sockets to listen on
  let shedding = false;
  let fresh = false; // a connection has come since that was last looked at
  const meetSession = (session) => {
    if (sessions.has(session)) return;
    sessions.set(session, 0);
    session.once('close', () => sessions.delete(session));
    if (shedding) sendAway(session);
  };
  const meetStream = (stream) => {
    const { session } = stream;
    meetSession(session); // the first may have come before this
    const count = (more) => { if (sessions.has(session)) sessions.set(session, sessions.get(session) + more); };
    count(1);
    stream.once('close', () => count(-1));
  };
  const meet = (server) => {
    if (!server || servers.has(server)) return;
    servers.add(server);
    server.once('close', () => servers.delete(server));
    server.on('session', meetSession);
    server.on('stream', meetStream);
  };
  subscribe('tracing:net.server.listen:asyncStart', ({ server }) => meet(server)); // not in 18 and 22.0
  subscribe('net.server.socket', ({ socket }) => {
    fresh = true;
    meet(socket.server);
  });
  subscribe('http.server.request.start', ({ response, socket }) => {
    const waits = Boolean(socket._httpMessage); // the client did not wait for the answer to that
    if (waits && shedding) isNotLast(lastAnswer(socket));
    if (waits) answers.set(socket, response);
    if (shedding) isLast(response);
  });
  const lastAnswer = (socket) => {
    const waiting = answers.get(socket);
    return waiting && !waiting.writableFinished ? waiting : socket._httpMessage;
  };
  // Closes the socket and not the server: the application may want to do that, and
  // Node calls a second time an error. An HTTP server's close would also cut off
  // those who are idle.
  const stopListening = ({ _handle }) => {
    if (closed.has(_handle)) return;
    closed.add(_handle);
    _handle.close();
  };
  const known = () => {
    listening().forEach(meet);
    return [...servers];
  };

  const closeAllIdle = (ofServers) => {
    for (const [session, streams] of sessions) if (!streams) session.destroy(); // it was sent away
    const left = [...sessions.keys()].some(({ destroyed }) => !destroyed);
    for (const server of ofServers) closeIdle(server, left);
  };

  // Each client is told with its next answer to take its next request elsewhere.
  const disableKeepAlives = () => {
    if (shedding) return;
    shedding = true;
    for (const server of known()) {
      for (const socket of answering(server)) isLast(lastAnswer(socket));
    }
    for (const session of sessions.keys()) sendAway(session);
    // Who has only its server closed would wait for those who say nothing.
    const since = process.uptime();
    setInterval(() => {
      if (process.uptime() - since < idleFor) return;
      closeAllIdle([...servers].filter((server) => !server.listening));
    }, 10 * lookEvery).unref();
  };

  // Nothing is closed. The application is to get the signal when it has no request
  // in hand, or when limit is over.
  const finish = ({ limit }) => {
    disableKeepAlives();
    const since = process.uptime();
    const look = () => {
      const inHand = [...servers].some((server) => answering(server).length) || [...sessions.values()].some(Boolean);
      if (inHand && process.uptime() - since < limit / 1000) setTimeout(look, lookEvery / 2).unref();
      else tell('finished');
    };
    look();
  };

  // The application has got the signal, and handles it. soon and late are the
  // milliseconds after which it should have begun to close its servers: late, if
  // its handlers look as if they would, but want to wait first.
  const watch = ({ signal, soon, late }) => {
    const before = known().filter(({ listening }) => listening);
    const patience = handlersOf(signal).some(closes) ? late : soon;
    if (!before.length || !patience) return;
    setTimeout(() => {
      if (before.every(({ listening }) => listening)) tell('serving');
    }, patience).unref();
  };

  // last: nobody else accepts from the sockets that this process has, so they must
  // not be closed while a connection waits in them.
  const drain = ({ last, signal }) => {
    disableKeepAlives();
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
      // Who came when the queue was full hears only the next time that it is refused,
      // and would hear nothing if the container were gone by then.
      if (busy) stayUntil = process.uptime() + resendFor;
      const look = () => {
        known().filter(hasSocket).forEach(stopListening);
        if (process.uptime() - since > idleFor) closeAllIdle(servers);
        countConnections(servers, (count) => {
          if (!count && process.uptime() > stayUntil) tell('drained');
        });
      };
      // Goes on until the signal comes: that is to end the process, and not that it
      // has nothing left to do. Where the application handles the signal, which
      // follows the end of the channel at once, it ends as it likes.
      const hold = setInterval(look, lookEvery);
      process.once('disconnect', () => setTimeout(() => {
        clearInterval(hold);
        if (signal) setTimeout(endBy, libraryFor, signal).unref();
      }, signalFor));
      look();
    };
    setTimeout(() => { // what has begun to arrive may take as long
      const own = last ? known().filter(hasSocket) : [];
      for (const server of own) server._handle.listen(0); // so that they come one at a time
      busy = fresh && own.length > 0;
      fresh = true;
      close();
    }, lookEvery);
  };

  // Libraries that listen for the signal have kept it from ending the process.
  const endBy = (signal) => {
    if (handlersOf(signal).some(isOwn)) return;
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  return { known, orders: { disableKeepAlives, finish, watch, drain } };
}

// The sockets on which a request is being answered, or waits for that.
const answering = (server) => socketsOf(server).filter(({ _httpMessage }) => _httpMessage);

// The connections of an HTTP server, as a list of Node's own has them.
function socketsOf(server) {
  const connections = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connections');
  const parsers = server[connections]?.all?.() ?? [];
  return parsers.map(({ socket }) => socket).filter(Boolean);
}

// The connection ends with this answer.
function isLast(response) {
  response.shouldKeepAlive = false;
  rewriteHead(response, true);
}

// Another request has come behind this one, and is to be answered too.
function isNotLast(response) {
  response.shouldKeepAlive = true;
  rewriteHead(response, false);
}

// An answer that waits for others before it may have its head already.
function rewriteHead(response, last) {
  if (!response._header) return;
  const [first] = response.outputData;
  if (!response.socket && typeof first?.data === 'string') {
    const end = first.data.indexOf('\r\n\r\n');
    const head = first.data.slice(0, end).replace(/\r\nConnection: (close|keep-alive(\r\nKeep-Alive: .*)?)/, `\r\nConnection: ${last ? 'close' : 'keep-alive'}`);
    first.data = head + first.data.slice(end);
    response._last = last;
  } else if (!last) response._last = false; // the client was told otherwise, but has sent it
}

// Node's closeIdleConnections passes over those on which nothing was ever sent
// (nodejs/node#63452), and knows nothing of those that only began with TLS.
// Sockets of servers that do not speak HTTP are none of ours. left: there is an
// HTTP/2 session yet; else what is open are ends that clients keep.
function closeIdle(server, left) {
  const isHTTP2 = server.updateSettings;
  if (!isHTTP2 && !server.closeIdleConnections) return;
  server.closeIdleConnections?.();
  const { Socket } = require('net');
  const own = process._getActiveHandles().filter((handle) => handle instanceof Socket && handle.server === server);
  const takesHTTP1 = Object.getOwnPropertySymbols(server).some((key) => server[key]?.allowHTTP1);
  const isOver = isHTTP2 && !takesHTTP1 && !left;
  for (const socket of [...socketsOf(server), ...own]) {
    if (isOver || socket.bytesRead === 0) socket.destroy();
  }
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

// Servers that listen and keep the process alive by that. Before Node 20 nothing
// tells of others, until a connection comes.
function listening() {
  const { Server } = require('net');
  return process._getActiveHandles().filter((handle) => handle instanceof Server && handle.listening);
}

// Not those whose connections nodeinit passes: what they have for a handle is
// none of libuv's.
const hasSocket = ({ _handle }) => Boolean(_handle?.getAsyncId);

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
