// Joins a Node process to nodeinit in fork mode: part of the script of start.js. The
// channel is a descriptor that Node itself does not know of, because with
// NODE_CHANNEL_FD Node would load child_process, net, dgram and more before the script.
// It becomes Node's IPC channel, and the agent is run, when the application listens or
// uses process.send and the like, at the latest after a second: net has loaded most of
// that then. The program that nodeinit starts has what a process with a channel has.
// Below a wrapper (npm, tsx, sh -c) every Node process runs this, and the first that
// listens or sends its parent a message joins; the others (npm never listens) stay as
// they are.
const attachAfter = 1000; // ms, for a program that does not listen
const pollEvery = 100; // ms, where nothing announces that a server listens
const methods = ['send', 'disconnect', '_send', '_disconnect'];
const stacks = new WeakMap(); // of the calls that added listeners for signals
const lazy = {}; // what process has from here until it is attached
const node = {}; // Node's methods, once it has the channel
let fd, inode; // of the channel
let direct = false; // nodeinit has started this process
let forked = false; // it was started with a channel to a wrapper or the application
let announced = false; // nodeinit knows that there will be an agent
let attached; // false if it cannot be
let runAgent;
let files; // functions that the application may replace

// No error may reach the application: with what is not as Node has made it (a frozen
// process, a mocked module) there is no agent.
const guard = (f) => (...args) => {
  try {
    return f(...args);
  } catch {
    return undefined;
  }
};

// Is called by start.js before it loads the script.
function joinInForkMode(run) {
  const { closeSync, fstatSync, readSync, writeSync } = require('fs');
  files = { closeSync, fstatSync, readSync, writeSync };
  let id; // not there for the program that nodeinit starts
  [fd, inode, id] = env.NODEINIT_CHANNEL.split(':').map(Number);
  runAgent = run;
  direct = id === undefined;
  forked = process.connected;
  const tool = !direct && isTool();
  // Processes that the application starts do not join, even before it listens. A tool
  // may be a wrapper, and the application below it needs the variables.
  if (!tool) cleanEnvironment();
  // Worker threads run this too, if a module of --require has started them.
  if (process.moduleLoadList.includes('NativeModule internal/main/worker_thread') || !hasChannel()) return;
  process.on('newListener', rememberStack);
  if (direct) {
    defineChannel();
    setTimeout(attach, attachAfter).unref();
  } else if (!tool && !forked) define('send');
  onListen(guard((server) => {
    if (tool && !attached && typeof server.address() === 'string') return; // a path, as tsx has for its child
    // Several servers may begin to listen in one turn of the event loop.
    if (attach(server)) setImmediate(guard(reportListening), server).unref();
  }));
}

const rememberStack = guard((name, listener) => {
  if (typeof name === 'string' && name.startsWith('SIG') && !stacks.has(listener)) stacks.set(listener, new Error().stack);
});

// A wrapper or the program may have closed the descriptor, and another file may have its number.
function hasChannel() {
  try {
    return files.fstatSync(fd).ino === inode;
  } catch {
    return false;
  }
}

// Tells nodeinit, before the program listens, that there will be an agent and what signals
// have handlers: an order of the stop then waits in the channel. A signal that comes while
// the agent is attached, when there may be connections already, would end the program.
const announce = guard(() => {
  if (announced || attached !== undefined || !hasChannel()) return;
  announced = true;
  const handles = process.eventNames().filter((name) => typeof name === 'string' && name.startsWith('SIG'));
  files.writeSync(fd, `${JSON.stringify({ cmd: 'NODE_NODEINIT', act: 'handles', handles })}\n`);
});

// Opens the channel and runs the agent, which is to know server. Reports whether there
// is a channel.
function attach(server) {
  if (attached !== undefined) return attached;
  attached = false;
  attached = guard(open)() ?? false;
  guard(() => process.off('newListener', rememberStack))();
  if (attached) guard(runAgent)({ report, stacks, servers: server ? [server] : [], lastResponses: new WeakMap(), requests: 0 });
  else if (direct) guard(() => { process.connected = false; })();
  return attached;
}

// Makes the channel Node's. Reports whether that is possible.
function open() {
  if (!hasChannel()) return false;
  const before = Object.keys(lazy).map((name) => [name, Object.getOwnPropertyDescriptor(process, name)]);
  if (!Object.isExtensible(process) || before.some(([, own]) => own?.configurable === false)) {
    files.closeSync(fd); // nodeinit need not wait for it
    return false;
  }
  for (const [name] of before) delete process[name];
  let kept = before;
  try {
    takeChannel();
    for (const name of methods) node[name] = process[name];
    kept = before.filter(([name, own]) => own?.value !== lazy[name]); // the application's
  } finally {
    for (const [name, own] of kept) {
      if (own) Object.defineProperty(process, name, own);
      else delete process[name];
    }
  }
  return true;
}

function takeChannel() {
  if (!direct) {
    cleanEnvironment();
    discardInput();
  }
  if (forked) { // from here on the channel to its parent is not used
    process.channel.unref();
    process.removeAllListeners('internalMessage');
  }
  const events = ['newListener', 'removeListener'];
  const before = events.map((event) => process.listeners(event));
  require('child_process')._forkChild(fd, 'json');
  // With these "message" and "disconnect" listeners would keep the process alive.
  events.forEach((event, i) => {
    for (const listener of process.listeners(event)) {
      // lib/child_process.js, _forkChild
      if (/^on(New|Remove)Listener$/.test(listener.name) && !before[i].includes(listener)) process.off(event, listener);
    }
  });
  if (direct) return;
  process.send({ cmd: 'NODE_CLUSTER', act: 'online', pid: process.pid });
  const { disconnect } = process;
  process.disconnect = function () { // nodeinit sees no end of file while npm has the channel open too
    if (this.connected) node.send.call(this, { cmd: 'NODE_CLUSTER', act: 'disconnected' }, undefined, { swallowErrors: true });
    disconnect.call(this);
  };
}

// Discards what an earlier process (node migrate.js && node server.js) has not read.
function discardInput() {
  try {
    while (files.readSync(fd, Buffer.alloc(65536)) > 0);
  } catch { /* EAGAIN: no more */ }
}

function report(act, facts) {
  if (process.connected) node.send.call(process, { cmd: 'NODE_NODEINIT', act, ...facts }, undefined, { swallowErrors: true });
}

function reportListening(server) {
  if (!server.listening) return;
  const address = server.address() ?? 'descriptor'; // null for a Unix socket that was passed in
  report('listening', typeof address === 'string' ? { address, port: -1 } : { address: address.address, port: address.port });
}

function defineChannel() {
  methods.forEach(define);
  process.connected = lazy.connected = true;
  // Node itself reads channel.fd, when process.stdout is used first.
  process.channel = lazy.channel = { fd };
  for (const name of ['ref', 'unref', 'refCounted', 'unrefCounted']) lazy.channel[name] = () => { if (attach()) process.channel?.[name](); };
}

// Gives process a method that opens the channel first.
function define(name) {
  process[name] = lazy[name] = function (...args) {
    if (attach()) return node[name].apply(this, args);
    const callback = args.find((argument) => typeof argument === 'function');
    if (callback) process.nextTick(callback, Object.assign(new Error('Channel closed'), { code: 'ERR_IPC_CHANNEL_CLOSED' }));
    return false;
  };
}

// Whether the script is an installed package, and so perhaps a wrapper. That must not
// find a process.send that it would not have without nodeinit: some then relay messages.
function isTool() {
  try {
    return /\/(node_modules|corepack|\.yarn\/releases)\//.test(require('fs').realpathSync(argv[1]));
  } catch {
    return true; // node -e or standard input
  }
}

// Calls listened with each server that listens, also one of a module of --require.
function onListen(listened) {
  const known = new WeakSet();
  const see = (server) => {
    if (known.has(server) || !server?.listening) return;
    known.add(server);
    listened(server);
  };
  const seeAll = guard(() => {
    if (!process.moduleLoadList.includes('NativeModule net')) return;
    const { Server } = require('net');
    for (const handle of process._getActiveHandles()) if (handle instanceof Server) see(handle);
  });
  const { subscribe } = require('diagnostics_channel');
  const [major, minor] = version.slice(1).split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) {
    if (direct) subscribe('tracing:net.server.listen:asyncStart', announce);
    subscribe('tracing:net.server.listen:asyncEnd', ({ server }) => listened(server));
  } else {
    // A poll does not see the server before the event loop runs.
    if (direct) attach();
    subscribe('net.server.socket', guard(({ socket }) => see(socket.server)));
    setInterval(seeAll, pollEvery).unref();
  }
  seeAll();
}
