'use strict';
// No error of the agent may reach the application.
const guard = (f) => (...args) => {
  try {
    return f(...args);
  } catch {
    return undefined;
  }
};
const subscribe = (channel, f) => require('diagnostics_channel').subscribe(channel, guard(f));
// The application may replace the global ones.
const setTimeout = (f, ...args) => timers.setTimeout(guard(f), ...args);
const setInterval = (f, ...args) => timers.setInterval(guard(f), ...args);
const setImmediate = (f) => timers.setImmediate(guard(f));
const { clearInterval } = timers;

// The part of the agent that finds out which signals the application handles. Not every
// listener counts: a library's may only observe the exit and close no server.

// Packages that close no servers of others. Some exit the process at once.
const observers = new RegExp(`^(?:${[
  'signal-exit', 'exit-hook', 'async-exit-hook', 'foreground-child', 'node-cleanup', '@prisma/client',
  'puppeteer', 'puppeteer-core', '@puppeteer/browsers', 'playwright-core',
  'dd-trace', '@datadog/.*', 'newrelic', '@newrelic/.*', '@opentelemetry/.*', '@splunk/otel', '@honeycombio/.*',
  'elastic-apm-node', '@elastic/.*', '@sentry/.*', 'applicationinsights', '@azure/monitor-opentelemetry', 'appdynamics', '@instana/.*',
  '@appsignal/nodejs', '@google-cloud/(?:trace-agent|profiler|opentelemetry.*)', '@grpc/.*',
].join('|')})$`);

// Calls that close no server, as they stand before their parenthesis. The last are
// methods of telemetry clients.
const harmlessCalls = new RegExp(`^(?:${[
  'if', 'for', 'while', 'switch', 'catch', 'function', 'async', 'return', 'await', 'void',
  'console\\.\\w+', 'debug', '(?:\\w+\\.)*log(?:ger)?(?:\\.\\w+)?', '.*\\.then', '.*\\.catch', '.*\\.finally',
  'process\\.(?:exit|reallyExit|kill|abort|removeListener|off|removeAllListeners|(?:stdout|stderr)\\.write)',
  '(?:\\w+\\.)*\\w*(?:sdk|otel|telemetry|trac|apm|meter|provider|exporter|sentry)\\w*\\.(?:shutdown|forceFlush|flush|close|end)',
].join('|')})$`, 'i');

// stacks has, by listener, where those were added that are there already, as far as known.
function trackHandlers(stacks) {
  const handlersOf = (signal) => process.listeners(signal).map((listener) => ({ listener, origin: caller(stacks.get(listener)) }));
  let last;
  const reportChange = (report) => {
    const handles = process.eventNames().filter((name) => isSignal(name) && handlersOf(name).some(mayShutDown));
    if (String(handles) === last) return;
    last = String(handles);
    report(handles);
  };
  const reportHandlers = (report) => {
    const onChange = guard((name, listener) => {
      if (!isSignal(name)) return;
      if (!stacks.has(listener)) stacks.set(listener, new Error().stack);
      process.nextTick(guard(reportChange), report);
    });
    process.on('newListener', onChange);
    process.on('removeListener', onChange);
    reportChange(report);
  };
  return { handlersOf, reportHandlers };
}

const isSignal = (name) => typeof name === 'string' && name.startsWith('SIG');

// The package of the innermost caller that is not part of Node; undefined if it is in none.
function caller(stack) {
  const frame = String(stack).split('\n').slice(1).find((line) => !/\bnode:|\bnodeinit:/.test(line));
  return /.*\bnode_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/:]+)/.exec(frame)?.[1];
}

// Whether a handler may be there to shut the application down.
const mayShutDown = ({ listener, origin }) => !observers.test(origin) && !onlyExits(sourceOf(listener));

// Whether a handler, as far as its source shows, only logs, flushes telemetry and exits,
// if anything.
function onlyExits(source) {
  // The source of a bound function is not available.
  if (source.includes('[native code]')) return false;
  // signal-exit in a bundle: it exits if there is no other listener.
  if (/\.listeners\(/.test(source) && /\.kill\(/.test(source)) return true;
  // Without comments, strings and the parameters.
  const body = source
    .replace(/\/\*[^]*?\*\/|(['"`])(?:\\.|(?!\1)[^\\])*?\1|\/\/.*/g, ' ')
    .replace(/^[^{=]*(?:=>|\{)/, ' ');
  const calls = [...body.matchAll(/([\w$.?#]*[\w$\])])\s*\(/g)];
  return calls.every(([, name]) => harmlessCalls.test(name.replaceAll('?', '')));
}

// Whether a handler, by its source, closes servers, at once or after a delay.
const closesServers = ({ listener, origin }) => mayShutDown({ listener, origin })
  && /clos|stop|shut|terminat|destroy|drain|dispose|grace|clean|delay|timeout|sleep|wait|exit|quit/i.test(sourceOf(listener));

const sourceOf = (listener) => `${Function.prototype.toString.call(listener)} ${listener.name}`;
