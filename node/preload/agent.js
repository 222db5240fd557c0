// The agent: a Node process runs it when the application has listened (worker.js) or, in
// fork mode, listens (fork.js), with agent, what is known by then. It reports signal
// handlers, the event loop's delay, open connections and the number of requests, and lets
// the process complete its requests before it exits; docs/lifecycle.md has the messages in
// their order. It replaces no function: it has subscriptions for new servers, connections
// and requests, listeners for events that are not the application's, and timers that keep
// no process alive. Modules are loaded when they are needed, so that Node starts faster.
// handlers.js, connections.js and this file are one module (preload.go).
const heartbeatEvery = 1000; // ms
const pollEvery = 100; // ms, for closed connections
const resolution = 20; // ms, of the event loop's delay

const { report, stacks, servers, lastResponses, requests } = agent;
const { handlersOf, reportHandlers } = trackHandlers(stacks);
const { orders, counts, expectOwn } = trackConnections(report, handlersOf, servers, lastResponses, requests);
// What is seldom needed comes with its order.
orders.run = ({ source, order }, handle) => {
  require('vm').compileFunction(source, ['require', 'timers', 'agent', 'order', 'handle'], { filename: 'nodeinit:profile.js' })(require, timers, agent, order, handle);
};
agent.onOrder = guard((order, handle) => {
  if (order.cmd === 'NODE_NODEINIT') orders[order.act]?.(order, handle);
  else if (order.own) expectOwn(handle); // a connection, of which Node's cluster hears next
});
process.prependListener('internalMessage', agent.onOrder);
reportHandlers((handles) => report('handles', { handles }));
reportLoop((loop) => report('heartbeat', loop));

function reportLoop(report) {
  setTimeout(() => {
    const { monitorEventLoopDelay, performance } = require('perf_hooks');
    const { getHeapStatistics } = require('v8');
    const histogram = monitorEventLoopDelay({ resolution });
    histogram.enable();
    let last = performance.eventLoopUtilization();
    const delay = (percentile) => Math.max(0, Math.round(histogram.percentile(percentile) / 1e3) - resolution * 1e3); // us
    setInterval(() => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      report({ utilization, p50: delay(50), p99: delay(99), heap: getHeapStatistics().used_heap_size, ...counts() });
      histogram.reset();
    }, heartbeatEvery).unref();
  }, Math.max(0, heartbeatEvery - 1000 * process.uptime())).unref();
}
