// Gives a Node process below a wrapper (npm, tsx, sh -c) the channel to nodeinit,
// and makes it a cluster worker in per-core mode. Every Node process on the way
// runs this before its own code, through NODE_OPTIONS. The first to listen, or to
// say something to its parent, takes the channel; to the others (npm never
// listens) nothing happens.
'use strict';
const { fstatSync, readSync, realpathSync, statSync } = require('fs');
const { isMainThread } = require('worker_threads');

const { env } = process;
// id is cluster.worker.id, 0 in fork mode.
const [fd, inode, id] = (env.NODEINIT_CHANNEL ?? '').split(':').map(Number);
const forked = process.connected; // by a wrapper, or as a helper of the application

const command = id ? describe() : undefined; // as it is now: the application may change it

const tool = isTool();
// What the application itself starts is no worker, even before it has listened. A
// tool may be what stands before the application, which then needs these.
if (!tool) leaveEnvironment();
if (isMainThread && inode && wasPassed()) (id ? asWorker : asItself)(tool);

// A wrapper may have closed the descriptor, and its number may be another's now.
function wasPassed() {
  try {
    return fstatSync(fd).ino === inode;
  } catch {
    return false;
  }
}

// How this process was started, so that nodeinit can start others like it without
// what stands before it (cluster.Command).
function describe() {
  const { NODEINIT_CHANNEL, NODEINIT_MODULES, ...told } = env;
  const { execPath, argv0, execArgv, argv } = process;
  const files = [statSync('/', { bigint: true }), ...[1, 2].map(identify)].map((file) => (file ? `${file.dev} ${file.ino}` : ''));
  return { path: execPath, argv: [argv0, ...execArgv, ...argv.slice(1)], dir: process.cwd(), env: told, files, script: argv.length > 1 && process._eval === undefined };
}

function identify(descriptor) {
  try {
    return fstatSync(descriptor, { bigint: true });
  } catch {
    return undefined; // closed
  }
}

// Fork mode: the process stays what it is. That it listens is seen soon after.
function asItself(tool) {
  const { Server } = require('net');
  const isPath = (server) => typeof server.address() === 'string'; // as tsx has to talk to its child
  const serves = (handle) => handle instanceof Server && handle.listening && !(tool && isPath(handle));
  const timer = setInterval(() => {
    if (process._getActiveHandles().some(serves)) join();
  }, 100).unref();
  const join = once(() => {
    clearInterval(timer);
    take();
  });
  if (!tool) joinToSend(join);
}

function asWorker(tool) {
  const cluster = asForked(() => require('cluster')); // which half of it, it decides here
  if (cluster.isPrimary) { // loaded before this, by what NODE_OPTIONS requires
    process.emitWarning('no worker of nodeinit: a module of --require has loaded cluster (use --import for it)');
    return;
  }
  if (cluster.worker) return; // the application's own primary has started it
  const setUp = () => asForked(() => cluster._setupWorker());
  if (!forked) setUp();
  const join = once(() => take(forked ? setUp : undefined));

  const getServer = cluster._getServer; // of every listen that is not exclusive
  cluster._getServer = (server, options, callback) => {
    const { address, port, addressType, backlog, fd, flags } = options;
    if (tool && addressType === -1) { // a path
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
  if (!tool) joinToSend(join);
}

function once(f) {
  return () => {
    const now = f;
    f = () => {};
    now();
  };
}

// process.send is not there yet, unless it is another's.
function joinToSend(join) {
  if (forked) return;
  process.send = (...message) => {
    join();
    return process.send(...message);
  };
}

// Takes the channel.
function take(setUp = () => {}) {
  leaveEnvironment();
  forgetPredecessor();
  if (forked) { // its parent is nodeinit from here on
    process.channel.unref();
    process.removeAllListeners('internalMessage');
  }
  setUp();
  // The worker's own listeners are there already and so do not count: unlike in
  // a worker that Node starts, the channel does not keep the process alive.
  require('child_process')._forkChild(fd, 'json');
  process.send({ cmd: 'NODE_CLUSTER', act: 'online', pid: process.pid, command });
  const { disconnect } = process;
  process.disconnect = () => { // nodeinit sees no end of file while npm holds the channel too
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
    return /\/(node_modules|corepack|\.yarn\/releases)\//.test(realpathSync(process.argv[1]));
  } catch {
    return true; // node -e, or standard input
  }
}
