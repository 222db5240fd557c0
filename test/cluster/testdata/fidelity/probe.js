// Prints facts that a program can observe of the process it runs in, one to a
// line: its name and its value.
'use strict';
const facts = { order: [] };
const did = (what) => facts.order.push(what);

facts.parent = module.parent;
facts.id = module.id;
facts.loaded = module.loaded;
facts.children = module.children.length;
facts.paths = module.paths;
facts.main = require.main === module;
facts.mainModule = process.mainModule === module;
facts.cache = Object.keys(require.cache);
facts.extensions = Object.keys(require.extensions);
facts.filename = __filename;
facts.this = this === module.exports;
facts.argv = process.argv;
facts.argv0 = process.argv0;
facts.execArgv = process.execArgv;
facts.execPath = process.execPath;
facts.title = process.title;
facts.cwd = process.cwd();
facts.umask = process.umask();
facts.env = Object.keys(process.env).sort();
facts.options = process.env.NODE_OPTIONS;
facts.listeners = process.eventNames().map((name) => `${String(name)} ${process.listenerCount(name)}`).sort();
facts.resources = process.getActiveResourcesInfo();
facts.handles = process._getActiveHandles().length;
facts.requests = process._getActiveRequests().length;
facts.channel = [typeof process.send, typeof process.disconnect, process.connected, typeof process.channel];
facts.keys = Object.getOwnPropertyNames(process).sort();
facts.symbols = Object.getOwnPropertySymbols(process).map(String).sort();
facts.globals = Object.getOwnPropertyNames(globalThis).sort();
facts.exitCode = process.exitCode;
facts.capture = process.hasUncaughtExceptionCaptureCallback();
facts.debugPort = process.debugPort;
facts.exiting = process._exiting;
facts.eval = process._eval;
facts.domain = process.domain;
facts.stackLimit = Error.stackTraceLimit;
facts.prepareStackTrace = typeof Error.prepareStackTrace;
facts.stack = new Error('here').stack.split('\n').slice(1).map((line) => line.trim().replace(/[:\d]+\)?$/, ''));
facts.warnings = process.listeners('warning').length;
facts.terminals = [0, 1, 2].map((fd) => require('tty').isatty(fd));
facts.descriptors = descriptors();
facts.tasks = require('fs').readdirSync('/proc/self/task').length > 0;

const Module = require('module');
facts.runMain = [Module.runMain.name, Module.runMain.length];
facts.load = [Module._load.name, Module._load.length];
facts.resolve = require.resolve('./probe.js') === __filename;
facts.maxListeners = process.getMaxListeners();
const { executionAsyncId, triggerAsyncId, AsyncLocalStorage } = require('async_hooks');
facts.asyncIds = [executionAsyncId(), triggerAsyncId()];
facts.store = new AsyncLocalStorage().getStore();
const { performance } = require('perf_hooks');
facts.loopStarted = performance.nodeTiming.loopStart !== -1;
facts.marks = performance.getEntries().length;
facts.threads = require('worker_threads').isMainThread;
facts.environmentData = require('worker_threads').getEnvironmentData('nodeinit');
const { channel } = require('diagnostics_channel');
facts.subscribers = ['http.server.request.start', 'net.server.socket', 'module.require'].filter((name) => channel(name).hasSubscribers);
const cluster = require('cluster');
facts.cluster = [cluster.isPrimary, cluster.isWorker, typeof cluster.worker];
facts.httpAgent = require('http').globalAgent.keepAlive;
facts.closeServer = closesServer();

process.nextTick(() => {
  did('tick');
  process.nextTick(did, 'tick of a tick');
  Promise.resolve().then(() => did('promise of a tick'));
});
Promise.resolve().then(() => {
  did('promise');
  process.nextTick(did, 'tick of a promise');
});
queueMicrotask(() => did('microtask'));
process.nextTick(did, 'second tick');
setImmediate(() => {
  did('immediate');
  setTimeout(() => { throw new Error('in a timer'); }, 0); // not before: which of the two comes first is chance
});
process.on('unhandledRejection', (error, promise) => did(`unhandledRejection ${error} ${promise instanceof Promise}`));
process.on('rejectionHandled', () => did('rejectionHandled'));
process.on('uncaughtException', (error, origin) => did(`${origin} ${error}`));
process.on('uncaughtExceptionMonitor', (error, origin) => did(`monitor ${origin} ${error}`));
process.on('warning', ({ name }) => did(`warning ${name}`));
process.on('message', () => did('message')); // and that is to keep nothing alive
process.once('beforeExit', (code) => {
  did(`beforeExit ${code}`);
  facts.later = [process.getActiveResourcesInfo(), process._getActiveHandles().length, process.listenerCount('exit'), process.hasUncaughtExceptionCaptureCallback()];
  facts.child = child('-p', 'Object.keys(process.env).sort() + " " + process.env.NODE_OPTIONS + process.execArgv');
  facts.childDescriptors = child(__dirname + '/descriptors.js');
  facts.thread = 'never';
  thread();
});
process.on('exit', (code) => {
  did(`exit ${code}`);
  for (const [name, value] of Object.entries(facts)) console.log(name, JSON.stringify(value) ?? 'undefined');
});
Promise.reject(new Error('nobody handles'));
process.emitWarning('to be seen', 'ProbeWarning');
throw new Error('at the top');

function child(...args) {
  return require('child_process').execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

function descriptors() {
  const { readdirSync, readlinkSync } = require('fs');
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).replace(/[:\d[\]]+$/, '');
    } catch {
      return []; // that of the directory
    }
  }).sort();
}

// What a server that was closed leaves behind holds nothing.
function closesServer() {
  const server = require('net').createServer().listen(0, () => server.close(() => { facts.closed = true; }));
  return server.listening;
}

function thread() {
  const { Worker } = require('worker_threads');
  const worker = new Worker(__dirname + '/thread.js', { argv: ['a'] });
  worker.on('message', (seen) => { facts.thread = seen; });
  worker.on('exit', (code) => did(`thread ${code}`));
}
