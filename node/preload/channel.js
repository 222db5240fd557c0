// The channel to nodeinit holds nothing alive: a program that has done its work
// ends, as it does where nobody has given it a channel. Node's own rule is for
// children of a program: it counts listeners for "message" and "disconnect", and
// its cluster has one of these in each worker.
'use strict';

// Where a wrapper stands before the program, there is none before join.js has it.
if (late) process.once(Symbol.for('nodeinit.joined'), () => letGo(0));
else if (process.connected) letGo(process.listenerCount('message') + process.listenerCount('disconnect'));

// counted is how many listeners Node has counted.
function letGo(counted) {
  const { channel } = process;
  for (const event of ['newListener', 'removeListener']) {
    for (const listener of process.listeners(event)) {
      if (/^on(New|Remove)Listener$/.test(listener.name)) process.off(event, listener); // lib/child_process.js, _forkChild
    }
  }
  for (; counted > 0; counted--) channel.unrefCounted();
  if (!process.listenerCount('internalMessage')) return; // is no worker
  holdForAnswers(require('cluster'), channel);
  ownInspector(+process.env.NODEINIT_WORKER);
}

// What waits for nodeinit alone is to get its answer.
function holdForAnswers(cluster, channel) {
  const { _getServer, Worker: { prototype } } = cluster;
  cluster._getServer = (server, options, callback) => {
    channel.refCounted();
    _getServer.call(cluster, server, options, (...answer) => {
      channel.unrefCounted();
      callback(...answer);
    });
  };
  for (const name of ['disconnect', 'destroy']) {
    const leave = prototype[name];
    prototype[name] = function (...args) {
      process.channel?.refCounted();
      return leave.apply(this, args);
    };
  }
}

// SIGUSR1 starts the inspector: in each worker on a port of its own, as under
// Node's own primary. Options that name one have been seen to (worker.go).
function ownInspector(slot) {
  const words = [...process.execArgv, process.env.NODE_OPTIONS];
  if (slot > 0 && !/--(inspect|debug)\b/.test(words)) process.debugPort += slot;
}
