// Joins a Node process to nodeinit in fork mode: part of the script of start.js. The
// channel is a descriptor that Node itself does not know of, because with
// NODE_CHANNEL_FD Node would load child_process, net, dgram and more before the script.
// It becomes Node's IPC channel when the application uses process.send and the like,
// and when it has listened and has its first request: net has loaded most of that then.
// Before, two lines written to it say that there is an agent and where the application
// listens. The agent is compiled when nodeinit has an order for it, or some time later.
// The program that nodeinit starts joins at its start. Below a wrapper (npm, tsx, sh -c)
// every Node process runs this, and the first that listens or sends its parent a message
// joins; the others (npm never listens) stay as they are.
const attachAfter = 1000; // ms, for a program that does not listen
const attachListening = 100; // ms from the first listen on
const openAfter = 10; // ms from the first listen on, without a request
const opening = ['_send', '_disconnect']; // properties of process that open the channel when they are read
const servers = new Set(); // that have listened
const stacks = new WeakMap(); // of the calls that added listeners for signals
const lastResponses = new WeakMap(); // by socket, the last of several pipelined responses
const agent = { report, servers, stacks, lastResponses }; // and onOrder, when it is attached
let fd, inode; // of the channel
let direct = false; // nodeinit has started this process
let forked = false; // it was started with a channel to a wrapper or the application
let tool = false;
let joined = false;
let listens = false; // nodeinit knows
let lazy = {}; // what process has until the channel is open
let send; // Node's, since it has the channel
let attached = false;
let runAgent;
let writeSync; // the application may replace it

// Is called by start.js before it loads the script.
function joinInForkMode(run) {
  let id; // not there for the program that nodeinit starts
  [fd, inode, id] = env.NODEINIT_CHANNEL.split(':').map(Number);
  runAgent = run;
  ({ writeSync } = require('fs'));
  joined = direct = id === undefined;
  forked = process.connected;
  tool = !direct && isTool();
  // Processes that the application starts do not join, even before it listens. A tool
  // may be a wrapper, and the application below it needs the variables.
  if (!tool) cleanEnvironment();
  // Worker threads run this too, if a module of --require has started them.
  if (process.moduleLoadList.includes('NativeModule internal/main/worker_thread') || !hasChannel()) return;
  const onChange = (name, listener) => {
    if (!isSignalName(name)) return;
    if (!stacks.has(listener)) stacks.set(listener, new Error().stack);
    if (listens && !attached) process.nextTick(reportHandlers);
  };
  process.on('newListener', onChange);
  process.on('removeListener', onChange);
  if (direct) {
    lazy = defineChannel();
    setTimeout(attach, attachAfter).unref();
  } else if (!tool && !forked) lazy = defineSend();
  onListen(listened);
}

const isSignalName = (name) => typeof name === 'string' && name.startsWith('SIG');

// A wrapper or the program may have closed the descriptor, and another file may have its number.
function hasChannel() {
  try {
    return require('fs').fstatSync(fd).ino === inode;
  } catch {
    return false;
  }
}

function listened(server) {
  const address = server.address();
  if (tool && !joined && typeof address === 'string') return; // a path, as tsx has for its child
  servers.add(server);
  if (listens || (!send && !hasChannel())) return;
  listens = true;
  join();
  reportHandlers();
  reportAddress(address);
  // HTTP/2 sessions are known by their events only.
  if (server.updateSettings) attach();
  else {
    setTimeout(attach, attachListening).unref();
    // Handlers may be libraries', which ask for another order of the stop.
    const settle = () => (process.eventNames().some(isSignalName) ? attach() : open());
    setTimeout(settle, openAfter).unref();
    onRequest(settle);
  }
}

function reportAddress(address) {
  report('listening', typeof address === 'string' ? { address, port: -1 } : { address: address.address, port: address.port });
}

// Which of the handlers are libraries' is found out later, by handlers.js.
function reportHandlers() {
  if (!attached) report('handles', { handles: process.eventNames().filter(isSignalName) });
}

function join() {
  if (joined) return;
  joined = true;
  cleanEnvironment();
  try { // what an earlier process (node migrate.js && node server.js) has not read
    while (require('fs').readSync(fd, Buffer.alloc(65536)) > 0);
  } catch { /* EAGAIN: no more */ }
  say({ cmd: 'NODE_CLUSTER', act: 'online', pid: process.pid });
}

function report(act, facts) {
  say({ cmd: 'NODE_NODEINIT', act, ...facts });
}

function say(message) {
  if (send) {
    if (process.connected) send.call(process, message, undefined, { swallowErrors: true });
    return;
  }
  try {
    writeSync(fd, `${JSON.stringify(message)}\n`);
  } catch { /* nodeinit has ended */ }
}

function attach() {
  if (attached || !open()) return;
  attached = true;
  runAgent(agent);
  if (!listens) return;
  for (const server of servers) if (server.listening) reportAddress(server.address());
}

// Makes the channel Node's. Reports whether it is there.
function open() {
  if (send) return true;
  if (!hasChannel()) {
    if (direct) process.connected = false;
    return false;
  }
  join();
  if (forked) { // from here on the channel to its parent is not used
    process.channel.unref();
    process.removeAllListeners('internalMessage');
  }
  if (direct) for (const name of opening) delete process[name];
  const own = { send: process.send, disconnect: process.disconnect };
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
  ({ send } = process);
  process.on('internalMessage', (order) => {
    if (attached || order.cmd !== 'NODE_NODEINIT') return;
    attach();
    agent.onOrder(order);
  });
  const { disconnect } = process;
  process.disconnect = function () { // nodeinit sees no end of file while npm has the channel open too
    if (process.connected) say({ cmd: 'NODE_CLUSTER', act: 'disconnected' });
    disconnect.call(this);
  };
  lazy.opened = { send, disconnect: process.disconnect };
  for (const name of ['send', 'disconnect']) {
    if (own[name] !== lazy[name] && !forked) process[name] = own[name]; // the application's
  }
  return true;
}

// What a process with a channel has, as functions that open it first.
function defineChannel() {
  const lazy = defineSend();
  process.connected = true;
  process.disconnect = lazy.disconnect = function () {
    if (open()) lazy.opened.disconnect.call(this);
    else if (lazy.lost) this.emit('error', closed());
    else {
      lazy.lost = true;
      process.nextTick(() => process.emit('disconnect'));
    }
  };
  // Node itself reads channel.fd, when process.stdout is used first.
  const channel = { fd };
  for (const name of ['ref', 'unref', 'refCounted', 'unrefCounted']) channel[name] = () => { if (open()) process.channel?.[name](); };
  process.channel = channel;
  for (const name of opening) {
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => (open() ? process[name] : undefined),
      set: (value) => Object.defineProperty(process, name, { value, configurable: true, enumerable: true, writable: true }),
    });
  }
  return lazy;
}

function defineSend() {
  const lazy = {};
  process.send = lazy.send = function (...message) {
    if (open()) return send.apply(this, message);
    const callback = message.find((argument) => typeof argument === 'function');
    if (callback) process.nextTick(callback, closed());
    return false;
  };
  return lazy;
}

function closed() {
  return Object.assign(new Error('Channel closed'), { code: 'ERR_IPC_CHANNEL_CLOSED' });
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

// Calls f soon after the first HTTP request has begun, and been answered if that is done
// at once. What is pipelined is remembered for the agent.
function onRequest(f) {
  let called = false;
  require('diagnostics_channel').subscribe('http.server.request.start', ({ response, socket }) => {
    if (socket._httpMessage) lastResponses.set(socket, response);
    if (called) return;
    called = true;
    setImmediate(f);
  });
}

// Calls listened with each server that has begun to listen.
function onListen(listened) {
  const { subscribe } = require('diagnostics_channel');
  const [major, minor] = version.slice(1).split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) {
    subscribe('tracing:net.server.listen:asyncEnd', ({ server }) => listened(server));
    return;
  }
  const known = new WeakSet();
  const see = (server) => {
    if (known.has(server) || !server.listening) return;
    known.add(server);
    listened(server);
  };
  let subscribed = false;
  const poll = () => {
    setTimeout(poll, process.uptime() < 10 ? 20 : 100).unref();
    if (!process.moduleLoadList.includes('NativeModule net')) return;
    const { Server } = require('net');
    if (!subscribed) subscribe('net.server.socket', ({ socket }) => socket.server && see(socket.server));
    subscribed = true;
    for (const handle of process._getActiveHandles()) if (handle instanceof Server) see(handle);
  };
  poll();
}
