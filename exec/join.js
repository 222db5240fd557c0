// Makes a Node process below a wrapper (npm, tsx, sh -c) a cluster worker. Every
// Node process on the way runs this before its own code, through NODE_OPTIONS.
// The first to listen, or to say something to its primary, takes the channel;
// to the others (npm never listens) nothing happens.
import Module, { createRequire } from 'node:module';
import { fstatSync, readSync, realpathSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const { env } = process;
const require = createRequire('file:///');
const [fd, inode, id] = (env.NODEINIT_CHANNEL ?? '').split(':').map(Number);

if (isMainThread && inode && wasPassed()) {
  prepare();
  keepCompilers();
}

// A wrapper may have closed the descriptor, and its number may be another's now.
function wasPassed() {
  try {
    return fstatSync(fd).ino === inode;
  } catch {
    return false;
  }
}

function prepare() {
  const cluster = asWorker(() => require('cluster')); // which half of it, it decides here
  if (cluster.isPrimary) { // loaded before this, by what NODE_OPTIONS requires
    process.emitWarning('no worker of nodeinit: a module of --require has loaded cluster (use --import for it)');
    return;
  }
  if (cluster.worker) return; // the application's own primary has started it
  const forked = process.connected; // by a wrapper, or as a helper of the application
  const tool = isTool();
  if (!forked) asWorker(() => cluster._setupWorker());

  let join = () => {
    join = () => {};
    leaveEnvironment();
    forgetPredecessor();
    if (forked) { // its parent is nodeinit from here on
      process.channel.unref();
      process.removeAllListeners('internalMessage');
      asWorker(() => cluster._setupWorker());
    }
    // The worker's own listeners are there already and so do not count: unlike in
    // a worker that Node starts, the channel does not keep the process alive.
    require('child_process')._forkChild(fd, 'json');
    process.send({ cmd: 'NODE_CLUSTER', act: 'online', pid: process.pid });
    const { disconnect } = process;
    process.disconnect = () => { // nodeinit sees no end of file while npm holds the channel too
      process.send({ cmd: 'NODE_CLUSTER', act: 'disconnected' }, undefined, { swallowErrors: true });
      disconnect.call(process);
    };
  };

  const getServer = cluster._getServer; // of every listen that is not exclusive
  cluster._getServer = (server, options, callback) => {
    const { address, port, addressType, backlog, fd, flags } = options;
    if (tool && addressType === -1) { // a Unix socket, such as tsx has to talk to its child
      server._listen2(address, port, addressType, backlog, fd, flags);
      return;
    }
    join();
    const pending = setInterval(() => {}, 2 ** 31 - 1); // nothing else waits for the answer
    getServer.call(cluster, server, options, (...answer) => {
      clearInterval(pending);
      callback(...answer);
    });
  };
  if (!forked && !tool) {
    process.send = (...message) => {
      join();
      return process.send(...message);
    };
  }
}

// Calls f as if a primary had started this process (lib/cluster.js, child.js).
function asWorker(f) {
  env.NODE_UNIQUE_ID = id;
  try {
    return f();
  } finally {
    delete env.NODE_UNIQUE_ID;
  }
}

// What the application starts is no worker.
function leaveEnvironment() {
  delete env.NODEINIT_CHANNEL;
  const options = (env.NODE_OPTIONS ?? '').replace(`--import=${import.meta.url}`, '').trim();
  if (options) env.NODE_OPTIONS = options;
  else delete env.NODE_OPTIONS;
}

// What a process before this one (node migrate.js && node server.js) has not read.
function forgetPredecessor() {
  try {
    while (readSync(fd, Buffer.alloc(65536)) > 0);
  } catch { /* EAGAIN: that was all */ }
}

// A program that was installed may be a wrapper. It must not find a process.send
// that it would not have without us: some then make themselves a relay.
function isTool() {
  try {
    return realpathSync(process.argv[1]).includes('/node_modules/');
  } catch {
    return true; // node -e, or standard input
  }
}

// With --import, Node loads the main script as an ES module's, and then knows
// nothing of what ts-node and its kind have taught require. A script that they
// are for is loaded as it would be without us.
function keepCompilers() {
  const find = (script) => Module._findPath(resolve(script), null, true);
  const foreign = (file) => {
    const extension = extname(file);
    const compiler = Module._extensions[extension]?.name.replace(/^load.?TS$/, 'node');
    return /^\.[cm]?ts$/.test(extension) ? compiler !== undefined && compiler !== 'node'
      : !/^(\.[cm]?js|\.json|\.node|\.wasm|)$/.test(extension);
  };
  const { runMain } = Module; // ts-node's own command ends with it
  Module.runMain = (script = process.argv[1]) =>
    foreign(find(script) || '') ? Module._load(resolve(script), null, true) : runMain(script);

  const file = process.argv[1] && find(process.argv[1]);
  if (!file || !foreign(file)) return;
  const main = pathToFileURL(realpathSync(file)).href;
  const load = (url, context, next) => next(url, url === main ? { ...context, format: 'commonjs' } : context);
  if (parseInt(process.versions.node) >= 25) Module.registerHooks({ load });
  else Module.register?.(`data:text/javascript,${encodeURIComponent(`const main = ${JSON.stringify(main)}; export const load = ${load}`)}`);
}
