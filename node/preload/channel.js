// Makes the channel to nodeinit keep no process alive: a program with nothing left to
// do exits, as it does without a channel. Node's own rule is for children of a program:
// the channel keeps them alive while there are listeners for "message" or "disconnect",
// and its cluster has one of these in each worker. In fork mode fork.js does this.
'use strict';

// Below a wrapper there is no channel before join.js has taken it.
if (late) process.once(Symbol.for('nodeinit.joined'), () => unrefChannel(0));
else if (process.connected) unrefChannel(process.listenerCount('message') + process.listenerCount('disconnect'));

// counted is the number of listeners that Node has counted.
function unrefChannel(counted) {
  const { channel } = process;
  for (const event of ['newListener', 'removeListener']) {
    for (const listener of process.listeners(event)) {
      // lib/child_process.js, _forkChild
      if (/^on(New|Remove)Listener$/.test(listener.name)) process.off(event, listener);
    }
  }
  for (; counted > 0; counted--) channel.unrefCounted();
  refWhileWaiting(require('cluster'), channel);
  setInspectorPort(+process.env.NODEINIT_WORKER);
}

// Keeps the process alive while it waits for an answer of nodeinit.
function refWhileWaiting(cluster, channel) {
  const { _getServer, Worker: { prototype } } = cluster;
  cluster._getServer = (server, options, callback) => {
    channel.refCounted();
    _getServer.call(cluster, server, options, (error, ...answer) => {
      channel.unrefCounted();
      callback(error, ...answer);
      if (!error) onListening(server);
    });
  };
  for (const name of ['disconnect', 'destroy']) {
    const original = prototype[name];
    prototype[name] = function (...args) {
      process.channel?.refCounted();
      return original.apply(this, args);
    };
  }
}

// SIGUSR1 starts the inspector: each worker has a port of its own, as under Node's own
// primary. Options that set a port are changed in inspector.go.
function setInspectorPort(slot) {
  const options = [...process.execArgv, process.env.NODE_OPTIONS];
  if (slot > 0 && !/--(inspect|debug)\b/.test(options)) process.debugPort += slot;
}
