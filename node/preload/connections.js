// The part of the agent that closes connections without losing a request, and counts connections and requests.

const maxArrival = 1; // s, for connections on their way when the worker stops accepting
const maxIdle = 5; // s, for an idle connection: Node's own keepAliveTimeout
const resendInterval = 1.3; // s, after which a client repeats a SYN that was not answered
const signalTimeout = 1000; // ms, from the end of the channel to the signal
const libraryTimeout = 3000; // ms after that, for libraries that act on the signal

// Returns the orders of nodeinit about the servers of this process, and a function that
// counts. listened are those that have listened before, lastResponses has by socket the
// last of several pipelined responses, and requests is the number of requests so far.
function trackConnections(report, handlersOf, listened, lastResponses, requests) {
  const servers = new Set(); // that have listened, or had a connection
  const sessions = new Map(); // HTTP/2 sessions, with the number of open streams
  const closedHandles = new WeakMap(); // of listening sockets, with the address
  let keepAlivesDisabled = false;
  let recentConnection = false; // since it was last set to false
  let ownHandle; // of the last connection that is nodeinit's own
  const own = new Set(); // sockets of such connections, which are not counted
  const trackSession = guard((session) => {
    if (sessions.has(session)) return;
    sessions.set(session, 0);
    session.once('close', () => sessions.delete(session));
    if (keepAlivesDisabled) goAway(session);
  });
  const trackStream = guard((stream) => {
    requests++;
    const { session } = stream;
    trackSession(session); // the first stream's event may precede the session's
    const count = (more) => { if (sessions.has(session)) sessions.set(session, sessions.get(session) + more); };
    count(1);
    stream.once('close', () => count(-1));
  });
  const track = (server) => {
    if (!server || servers.has(server)) return;
    servers.add(server);
    server.on('session', trackSession);
    server.on('stream', trackStream);
    server.once('close', () => { // it may listen again
      servers.delete(server);
      server.off('session', trackSession);
      server.off('stream', trackStream);
    });
  };
  listened.forEach(track);
  // Not in Node 18 and 22.0. The agent may be run between the two, while nodeinit is asked for the port.
  for (const event of ['asyncStart', 'asyncEnd']) subscribe(`tracing:net.server.listen:${event}`, ({ server }) => track(server));
  subscribe('net.server.socket', ({ socket }) => {
    if (ownHandle && socket._handle === ownHandle) {
      ownHandle = undefined;
      own.add(socket);
      socket.once('close', () => own.delete(socket));
      return;
    }
    recentConnection = true;
    track(socket.server);
  });
  subscribe('http.server.request.start', ({ response, socket }) => {
    if (own.size && own.has(socket)) return;
    requests++;
    const pipelined = Boolean(socket._httpMessage);
    if (pipelined && keepAlivesDisabled) keepAfter(lastResponse(socket));
    if (pipelined) lastResponses.set(socket, response);
    if (keepAlivesDisabled) closeAfter(response);
  });
  const lastResponse = (socket) => {
    const last = lastResponses.get(socket);
    return last && !last.writableFinished ? last : socket._httpMessage;
  };
  // Closes the listening socket and not the server: the application may want to close
  // that, and Node calls a second close an error. An HTTP server's close would also
  // cut off idle connections.
  const stopListening = (server) => {
    const { _handle } = server;
    if (closedHandles.has(_handle)) return;
    closedHandles.set(_handle, server.address());
    _handle.close();
  };
  const allServers = () => {
    listening().forEach(track);
    return [...servers];
  };

  const closeAllIdle = (ofServers) => {
    for (const [session, streams] of sessions) if (!streams) session.destroy(); // after its GOAWAY
    const left = [...sessions.keys()].some(({ destroyed }) => !destroyed);
    for (const server of ofServers) closeIdle(server, left);
  };

  // The next response on each connection tells the client to close it.
  const disableKeepAlives = () => {
    if (keepAlivesDisabled) return;
    // Where the first connection of a server told of it, the event of that one's session had been before.
    for (const server of allServers()) sessionsOf(server).forEach(trackSession);
    keepAlivesDisabled = true;
    for (const server of allServers()) {
      for (const socket of busySockets(server)) closeAfter(lastResponse(socket));
    }
    for (const session of sessions.keys()) goAway(session);
    // An application that only closes its server would wait for idle connections.
    const since = process.uptime();
    setInterval(() => {
      if (process.uptime() - since < maxIdle) return;
      closeAllIdle([...servers].filter((server) => !server.listening));
    }, 10 * pollEvery).unref();
  };

  // Reports when no request is open, or limit (ms) is over: the application gets the
  // signal then. Nothing is closed.
  const finish = ({ limit }) => {
    disableKeepAlives();
    const since = process.uptime();
    const poll = () => {
      const busy = [...servers].some((server) => busySockets(server).length) || [...sessions.values()].some(Boolean);
      if (busy && process.uptime() - since < limit / 1000) setTimeout(poll, pollEvery / 2).unref();
      else report('finished');
    };
    poll();
  };

  // Reports servers that still listen some time after the application has got a signal
  // that it handles: soon or late (ms), late if its handlers look as if they closed
  // servers, perhaps after a delay.
  const watch = ({ signal, soon, late }) => {
    const before = allServers().filter(({ listening }) => listening);
    const timeout = handlersOf(signal).some(closesServers) ? late : soon;
    if (!before.length || !timeout) return;
    setTimeout(() => {
      if (before.every(({ listening }) => listening)) report('serving');
    }, timeout).unref();
  };

  // Stops listening, waits for all connections and reports that. last: no other process
  // accepts from the listening sockets of this one, so that they must not be closed
  // while a connection is in their queues.
  const drain = ({ last, signal }) => {
    disableKeepAlives();
    const since = process.uptime();
    let stayUntil = since;
    let queued = false;
    recentConnection = false;
    const close = () => {
      if (last && recentConnection && process.uptime() - since < maxArrival) {
        recentConnection = false;
        setImmediate(close); // after the next poll phase, which accepts one connection
        return;
      }
      // The kernel drops a SYN where the queue is full. The client repeats it, and gets
      // a reset only if the container still exists then.
      if (queued) stayUntil = process.uptime() + resendInterval;
      const poll = () => {
        allServers().filter(hasSocket).forEach(stopListening);
        if (process.uptime() - since > maxIdle) closeAllIdle(servers);
        countConnections(servers, (count) => {
          if (!count && process.uptime() > stayUntil) report('drained');
        });
      };
      // Keeps the process alive until the signal, which is to end it. If the application
      // handles the signal, which follows the end of the channel, it exits by itself.
      const keepAlive = setInterval(poll, pollEvery);
      process.once('disconnect', () => setTimeout(() => {
        clearInterval(keepAlive);
        if (signal) setTimeout(exitBy, libraryTimeout, signal).unref();
      }, signalTimeout));
      poll();
    };
    // Connections that have begun to arrive may take as long.
    setTimeout(() => {
      const own = last ? allServers().filter(hasSocket) : [];
      for (const server of own) server._handle.listen(0); // a queue of one: they come one at a time
      queued = recentConnection && own.length > 0;
      recentConnection = true;
      close();
    }, pollEvery);
  };

  // Ends the process by the signal where only listeners of libraries have prevented that.
  const exitBy = (signal) => {
    if (handlersOf(signal).some(mayShutDown)) return;
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };

  // What follows is not to be counted.
  const expectOwn = (handle) => { ownHandle = handle; };

  // Gives a connection to the server on port, 0 for any, also one that does not listen
  // any more. An error that the application throws is its own.
  const connection = ({ port }, handle) => {
    const { setImmediate } = timers;
    const isOn = (address) => address?.port > 0 && (port === 0 || address.port === port);
    const server = allServers().find((one) => one._handle && isOn(closedHandles.get(one._handle) ?? one.address()));
    if (!server) return handle.close();
    setImmediate(() => {
      expectOwn(handle);
      if (server._handle) server._handle.onconnection(0, handle);
      else handle.close();
    });
  };

  // What is open, and how many requests were begun. getConnections would ask the processes
  // that a server has passed connections to.
  const counts = () => {
    let connections = 0;
    for (const { _connections } of servers) connections += _connections | 0;
    return { connections: Math.max(0, connections - own.size), requests };
  };
  return { orders: { disableKeepAlives, finish, watch, drain, connection }, counts, expectOwn };
}

// The sockets with a request that is not answered completely.
const busySockets = (server) => socketsOf(server).filter(({ _httpMessage }) => _httpMessage);

// The connections of an HTTP server, from Node's own list.
function socketsOf(server) {
  const connections = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connections');
  const parsers = server[connections]?.all?.() ?? [];
  return parsers.map(({ socket }) => socket).filter(Boolean);
}

// The open sockets of any server, if they are of this process.
function openSockets(server) {
  const { Socket } = require('net');
  return process._getActiveHandles().filter((handle) => handle instanceof Socket && handle.server === server);
}

// The sessions of an HTTP/2 server. A socket has its session under a symbol, in some versions of Node under "undefined".
function sessionsOf(server) {
  if (!server.updateSettings) return [];
  const values = openSockets(server).flatMap((socket) => Reflect.ownKeys(socket).map((key) => socket[key]));
  return values.filter((value) => value?.goaway);
}

// Makes the connection close after this response.
function closeAfter(response) {
  response.shouldKeepAlive = false;
  rewriteHead(response, true);
}

// Makes the connection stay open after this response: another request has followed.
function keepAfter(response) {
  response.shouldKeepAlive = true;
  rewriteHead(response, false);
}

// A pipelined response that waits for others may have its head already.
function rewriteHead(response, last) {
  if (!response._header) return;
  const [first] = response.outputData;
  if (!response.socket && typeof first?.data === 'string') {
    const end = first.data.indexOf('\r\n\r\n');
    const head = first.data.slice(0, end).replace(/\r\nConnection: (close|keep-alive(\r\nKeep-Alive: .*)?)/, `\r\nConnection: ${last ? 'close' : 'keep-alive'}`);
    first.data = head + first.data.slice(end);
    response._last = last;
  } else if (!last) response._last = false; // the head said close, but the client has sent another request
}

// Closes idle connections. Node's closeIdleConnections passes over those on which nothing
// was ever sent (nodejs/node#63452) and those in a TLS handshake. Servers without HTTP
// are left alone. left: there is an HTTP/2 session yet; without one, all open sockets of
// an HTTP/2 server are closing.
function closeIdle(server, left) {
  const isHTTP2 = server.updateSettings;
  if (!isHTTP2 && !server.closeIdleConnections) return;
  server.closeIdleConnections?.();
  const allowsHTTP1 = Object.getOwnPropertySymbols(server).some((key) => server[key]?.allowHTTP1);
  const isOver = isHTTP2 && !allowsHTTP1 && !left;
  for (const socket of [...socketsOf(server), ...openSockets(server)]) {
    if (isOver || socket.bytesRead === 0) socket.destroy();
  }
}

// Tells the client first to open no more streams, and when that should have arrived, which
// stream is the last to be answered (RFC 9113, 6.8). Open streams go on.
function goAway(session) {
  if (session.destroyed) return;
  const maxStream = 2 ** 31 - 1;
  session.goaway(0, maxStream);
  setTimeout(() => session.close(), pollEvery);
}

// Servers that listen and keep the process alive. Before Node 20 there is no event for
// the others until a connection comes.
function listening() {
  const { Server } = require('net');
  return process._getActiveHandles().filter((handle) => handle instanceof Server && handle.listening);
}

// Whether a server has a socket of its own. If nodeinit passes its connections its handle
// is not one of libuv.
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
