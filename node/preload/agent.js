// What nodeinit has a Node process run before the application (start.js): it lets the
// process finish what it has in hand when it is to leave, and tells how it does.
// docs/lifecycle.md says who tells whom when. It replaces no function. In a process that
// serves it has subscriptions for new servers, connections and requests, listeners
// for events that are not the application's, and timers that keep nobody alive.
// What it needs later it loads later, so that Node starts faster. connections.js
// and handlers.js are part of it: Node runs the three as one (agent.go).
'use strict';
const { subscribe } = require('diagnostics_channel');

const beatEvery = 1000; // ms
const lookEvery = 100; // ms, for servers to come and connections to go
const resolution = 20; // ms, of the event loop's delay

// Worker threads, which run this too, have no channel.
if (late) process.once(Symbol.for('nodeinit.joined'), work);
else if (process.connected) work();

function work() {
  const { send } = process; // the application may have its own
  const tell = (act, report) => {
    if (process.connected) send.call(process, { cmd: 'NODE_NODEINIT', act, ...report }, undefined, { swallowErrors: true });
  };
  const { handlersOf, report } = trackHandlers();
  const { known, orders } = trackConnections(tell, handlersOf);
  orders.reportListening = () => lookForServers(known, (address) => tell('listening', address));
  process.on('internalMessage', (order) => {
    if (order.cmd === 'NODE_NODEINIT') orders[order.act]?.(order);
  });
  report((handles) => tell('handles', { handles }));
  reportLoop((loop) => tell('heartbeat', loop));
}

// In fork mode nobody sees that the application listens; found is told of the
// first servers it has.
function lookForServers(known, found) {
  const timer = setInterval(() => {
    const servers = known().filter((server) => server.listening);
    if (!servers.length) return;
    clearInterval(timer);
    for (const server of servers) {
      const address = server.address();
      found(typeof address === 'string' ? { address, port: -1 } : { address: address.address, port: address.port });
    }
  }, lookEvery).unref();
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
