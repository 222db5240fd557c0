// What a worker has of the agent from the start on, in per-core mode. The first answer need
// not wait until the agent is decoded and compiled: it is run soon after the first listen,
// when nodeinit asks for something, and at the latest after a second. channel.js and this
// file are one module (preload.go).
const attachAfter = 1000; // ms, where nothing listens
const attachListening = 100; // ms from the first listen on
const attachHandling = 10; // ms, where there are handlers for signals: a library's may ask for another order of the stop
let onListening = () => {}; // called with each server that has listened

// No error of nodeinit's may reach the application.
const guard = (f) => (...args) => {
  try {
    return f(...args);
  } catch {
    return undefined;
  }
};

// Worker threads run this too, but have no channel.
if (late) process.once(Symbol.for('nodeinit.joined'), () => prepareAgent()()); // it listens
else if (process.connected) prepareAgent();

// Returns a function that runs the agent.
function prepareAgent() {
  const { send } = process; // the application may replace it
  const report = (act, facts) => {
    if (process.connected) send.call(process, { cmd: 'NODE_NODEINIT', act, ...facts }, undefined, { swallowErrors: true });
  };
  const servers = new Set(); // that have listened
  const stacks = new WeakMap(); // of the calls that added listeners for signals
  const lastResponses = new WeakMap(); // by socket, the last of several pipelined responses
  const known = { report, servers, stacks, lastResponses, requests: 0 };
  let attached = false;
  const { reportHandlers, hasHandlers, ...listeners } = trackSignals((handles) => attached || report('handles', { handles }), stacks);
  const subscribers = {
    'http.server.request.start': guard(({ response, socket }) => {
      known.requests++;
      if (socket._httpMessage) lastResponses.set(socket, response);
    }),
    // A server with a socket of its own (reusePort) is known by its first connection.
    'net.server.socket': ({ socket }) => onListening(socket.server),
  };
  const { subscribe, unsubscribe } = require('diagnostics_channel');
  let soon = false; // the timer for attachListening is set
  const attach = guard(() => {
    if (attached) return;
    attached = true;
    onListening = () => {};
    for (const [name, f] of Object.entries(listeners)) process.off(name, f);
    for (const [name, f] of Object.entries(subscribers)) unsubscribe(name, f);
    agent(known);
  });
  const attachIn = (delay) => timers.setTimeout(attach, delay).unref();
  listeners.internalMessage = guard((order, handle) => {
    if (order.cmd !== 'NODE_NODEINIT' && !order.own) return;
    attach();
    known.onOrder(order, handle);
  });
  onListening = guard((server) => {
    if (server?.getConnections) servers.add(server); // and not a socket for datagrams
    if (server?.updateSettings) attach(); // HTTP/2 sessions are known by their events only
    else if (!soon) attachIn(hasHandlers() ? attachHandling : attachListening);
    soon = true;
  });
  for (const [name, f] of Object.entries(listeners)) process.prependListener(name, f);
  for (const [name, f] of Object.entries(subscribers)) subscribe(name, f);
  reportHandlers();
  attachIn(attachAfter);
  return attach;
}

// Reports the signals that have handlers, a library's too: handlers.js finds out from
// stacks which they are.
function trackSignals(report, stacks) {
  const isSignal = (name) => typeof name === 'string' && name.startsWith('SIG');
  const handled = () => process.eventNames().filter(isSignal);
  let last;
  const reportHandlers = guard(() => {
    const handles = handled();
    if (String(handles) === last) return;
    last = String(handles);
    report(handles);
  });
  const onChange = guard((name, listener) => {
    if (!isSignal(name)) return;
    if (!stacks.has(listener)) stacks.set(listener, new Error().stack);
    process.nextTick(reportHandlers);
  });
  return { reportHandlers, hasHandlers: () => handled().length > 0, newListener: onChange, removeListener: onChange };
}
