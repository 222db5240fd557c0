// With --import, Node loads the main script as an ES module's, and then knows
// nothing of what ts-node and its kind have taught require. A script that they
// are for is loaded as it would be without us.
import Module from 'node:module';
import { realpathSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) keepCompilers();

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

//# sourceURL=nodeinit:compilers.js
