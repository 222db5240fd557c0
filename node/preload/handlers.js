'use strict';
// The part of agent.js that sees which signals the application handles. A
// listener may be a library's that wants to hear of the end, and leaves the
// servers as they are.

// Packages that close no servers of others. Some end the process at once.
const bystanders = new RegExp(`^(?:${[
  'signal-exit', 'exit-hook', 'async-exit-hook', 'foreground-child', 'node-cleanup', '@prisma/client',
  'puppeteer', 'puppeteer-core', '@puppeteer/browsers', 'playwright-core',
  'dd-trace', '@datadog/.*', 'newrelic', '@newrelic/.*', '@opentelemetry/.*', '@splunk/otel', '@honeycombio/.*',
  'elastic-apm-node', '@elastic/.*', '@sentry/.*', 'applicationinsights', '@azure/monitor-opentelemetry', 'appdynamics', '@instana/.*',
  '@appsignal/nodejs', '@google-cloud/(?:trace-agent|profiler|opentelemetry.*)', '@grpc/.*',
].join('|')})$`);

// Calls that close no server, as they stand before their parenthesis.
const harmless = new RegExp(`^(?:${[
  'if', 'for', 'while', 'switch', 'catch', 'function', 'async', 'return', 'await', 'void',
  'console\\.\\w+', 'debug', '(?:\\w+\\.)*log(?:ger)?(?:\\.\\w+)?', '.*\\.then', '.*\\.catch', '.*\\.finally',
  'process\\.(?:exit|reallyExit|kill|abort|removeListener|off|removeAllListeners|(?:stdout|stderr)\\.write)',
  '(?:\\w+\\.)*\\w*(?:sdk|otel|telemetry|trac|apm|meter|provider|exporter|sentry)\\w*\\.(?:shutdown|forceFlush|flush|close|end)', // theirs, not the server's
].join('|')})$`, 'i');

function trackHandlers() {
  const origins = new WeakMap(); // listeners, to the package that they are of
  const handlersOf = (signal) => process.listeners(signal).map((listener) => ({ listener, origin: origins.get(listener) }));
  let last;
  const look = (report) => {
    const handles = process.eventNames().filter((name) => isSignal(name) && handlersOf(name).some(isOwn));
    if (String(handles) === last) return;
    last = String(handles);
    report(handles);
  };
  const report = (tell) => {
    const changes = (name, listener) => {
      if (!isSignal(name)) return;
      if (!origins.has(listener)) origins.set(listener, caller());
      process.nextTick(look, tell);
    };
    process.on('newListener', changes);
    process.on('removeListener', changes);
    look(tell);
  };
  return { handlersOf, report };
}

const isSignal = (name) => typeof name === 'string' && name.startsWith('SIG');

// The package whose code is the first that is not Node's; undefined if none is.
function caller() {
  const frame = String(new Error().stack).split('\n').slice(1).find((line) => !/\bnode:|\bnodeinit:/.test(line));
  return /.*\bnode_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/:]+)/.exec(frame)?.[1];
}

// Whether a handler may be there to shut the application down.
const isOwn = ({ listener, origin }) => !bystanders.test(origin) && !endsOnly(textOf(listener));

// Whether all that a handler does, as far as one sees, is to write, to say goodbye
// to those who watch, and to end the process, if anything.
function endsOnly(text) {
  if (text.includes('[native code]')) return false; // of a bound function nothing is seen
  if (/\.listeners\(/.test(text) && /\.kill\(/.test(text)) return true; // signal-exit in a bundle: it ends if nobody else listens
  const body = text
    .replace(/\/\*[^]*?\*\/|(['"`])(?:\\.|(?!\1)[^\\])*?\1|\/\/.*/g, ' ') // comments and strings
    .replace(/^[^{=]*(?:=>|\{)/, ' ');
  const calls = [...body.matchAll(/([\w$.?#]*[\w$\])])\s*\(/g)];
  return calls.every(([, name]) => harmless.test(name.replaceAll('?', '')));
}

// Whether a handler looks as if it closed servers, now or when it has waited.
const closes = ({ listener, origin }) => isOwn({ listener, origin })
  && /clos|stop|shut|terminat|destroy|drain|dispose|grace|clean|delay|timeout|sleep|wait|exit|quit/i.test(textOf(listener));

const textOf = (listener) => `${Function.prototype.toString.call(listener)} ${listener.name}`;
