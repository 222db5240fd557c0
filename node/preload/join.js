// Makes a Node process below a wrapper (npm, tsx, sh -c) a cluster worker with the channel
// to nodeinit, in per-core mode (fork.js is for fork mode). Every Node process below the
// wrapper runs this before its own code, through NODE_OPTIONS. The first that listens or
// sends its parent a message takes the channel; the others (npm never listens) stay as
// they are.
'use strict';
const { fstatSync, readSync, realpathSync, statSync } = require('fs');
const { isMainThread } = require('worker_threads');

const { env } = process;
// id is cluster.worker.id.
const [fd, inode, id] = (env.NODEINIT_CHANNEL ?? '').split(':').map(Number);
const forked = process.connected; // started with a channel to a wrapper or the application

const command = describeCommand(); // now: the application may change it

const tool = isTool();
// Processes that the application starts are no workers, even before it listens. A tool
// may be a wrapper, and the application below it needs the variables.
if (!tool) cleanEnvironment();
if (isMainThread && inode && hasChannel()) joinAsWorker(tool);

// A wrapper may have closed the descriptor, and another file may have its number.
function hasChannel() {
  try {
    return fstatSync(fd).ino === inode;
  } catch {
    return false;
  }
}

// How this process was started, so that nodeinit can start others like it without the
// wrapper (cluster.Command).
function describeCommand() {
  const { NODEINIT_CHANNEL, NODEINIT_MODULES, ...variables } = env;
  const { execPath, argv0, execArgv, argv } = process;
  const files = [statSync('/', { bigint: true }), ...[1, 2].map(stat)].map((file) => (file ? `${file.dev} ${file.ino}` : ''));
  return { path: execPath, argv: [argv0, ...execArgv, ...argv.slice(1)], dir: process.cwd(), env: variables, files, script: argv.length > 1 && process._eval === undefined };
}

// undefined for a closed descriptor.
function stat(descriptor) {
  try {
    return fstatSync(descriptor, { bigint: true });
  } catch {
    return undefined;
  }
}

function joinAsWorker(tool) {
  const cluster = asForked(() => require('cluster')); // decides now between primary and worker
  if (cluster.isPrimary) { // loaded before, by --require in NODE_OPTIONS
    process.emitWarning('no worker of nodeinit: a module of --require has loaded cluster (use --import for it)');
    return;
  }
  if (cluster.worker) return; // the application's own primary has started it
  const setUp = () => asForked(() => cluster._setupWorker());
  if (!forked) setUp();
  const join = once(() => takeChannel(forked ? setUp : undefined));

  const getServer = cluster._getServer; // called by every listen that is not exclusive
  cluster._getServer = (server, options, callback) => {
    const { address, port, addressType, backlog, fd, flags } = options;
    if (tool && addressType === -1) { // a path
      server._listen2(address, port, addressType, backlog, fd, flags);
      return;
    }
    join();
    const pending = setInterval(() => {}, 2 ** 31 - 1); // keeps the process alive until the answer
    getServer.call(cluster, server, options, (...answer) => {
      clearInterval(pending);
      callback(...answer);
    });
  };
  if (!tool) joinOnSend(join);
}

function once(f) {
  return () => {
    const now = f;
    f = () => {};
    now();
  };
}

// A process without a channel has no process.send: gives it one that joins first.
function joinOnSend(join) {
  if (forked) return;
  process.send = (...message) => {
    join();
    return process.send(...message);
  };
}

function takeChannel(setUp = () => {}) {
  cleanEnvironment();
  discardInput();
  if (forked) { // from here on the channel to its parent is not used
    process.channel.unref();
    process.removeAllListeners('internalMessage');
  }
  setUp();
  // The worker's own listeners are not counted, since they are older than the channel:
  // unlike in a worker that Node starts, it does not keep the process alive.
  require('child_process')._forkChild(fd, 'json');
  process.send({ cmd: 'NODE_CLUSTER', act: 'online', pid: process.pid, command });
  const { disconnect } = process;
  process.disconnect = () => { // nodeinit sees no end of file while npm has the channel open too
    process.send({ cmd: 'NODE_CLUSTER', act: 'disconnected' }, undefined, { swallowErrors: true });
    disconnect.call(process);
  };
  process.emit(Symbol.for('nodeinit.joined')); // for agent.js
}

// Calls f as if a primary had started this process (lib/cluster.js, child.js).
function asForked(f) {
  env.NODE_UNIQUE_ID = id;
  try {
    return f();
  } finally {
    delete env.NODE_UNIQUE_ID;
  }
}

// Discards what an earlier process (node migrate.js && node server.js) has not read.
function discardInput() {
  try {
    while (readSync(fd, Buffer.alloc(65536)) > 0);
  } catch { /* EAGAIN: no more */ }
}

// Whether the script is an installed package, and so perhaps a wrapper. That must not
// find a process.send that it would not have without nodeinit: some then relay messages.
function isTool() {
  try {
    return /\/(node_modules|corepack|\.yarn\/releases)\//.test(realpathSync(process.argv[1]));
  } catch {
    return true; // node -e or standard input
  }
}
