// With --import, Node loads the main script as an ES module's, and then knows
// nothing of what ts-node and its kind have taught require. A script that they
// are for is loaded as it would be without us.
'use strict';
const Module = require('module');

// Only the main thread has a channel; and what a wrapper starts, before it has it.
if (process.connected || process.env.NODEINIT_CHANNEL && require('worker_threads').isMainThread) keepCompilers();

function keepCompilers() {
  const resolve = (script) => require('path').resolve(script);
  const find = (script) => Module._findPath(resolve(script), null, true);
  const foreign = (file) => {
    const extension = require('path').extname(file);
    const compiler = Module._extensions[extension]?.name.replace(/^load.?TS$/, 'node');
    return /^\.[cm]?ts$/.test(extension) ? compiler !== undefined && compiler !== 'node'
      : !/^(\.[cm]?js|\.json|\.node|\.wasm|)$/.test(extension);
  };
  const { runMain } = Module; // ts-node's own command ends with it
  Module.runMain = (script = process.argv[1]) =>
    foreign(find(script) || '') ? Module._load(resolve(script), null, true) : runMain(script);

  if (/\.[cm]?js$/.test(process.argv[1] ?? '.js')) return;
  const file = find(process.argv[1]);
  if (!file || !foreign(file)) return;
  const main = require('url').pathToFileURL(require('fs').realpathSync(file)).href;
  const load = (url, context, next) => next(url, url === main ? { ...context, format: 'commonjs' } : context);
  if (parseInt(process.versions.node) >= 25) Module.registerHooks({ load });
  else Module.register?.(`data:text/javascript,${encodeURIComponent(`const main = ${JSON.stringify(main)}; export const load = ${load}`)}`);
}
