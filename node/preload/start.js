// What --import has Node run first: it runs the modules in NODEINIT_MODULES, each
// a function of require and of what else is passed below. They are not in the URL itself because one of that
// length costs Node a millisecond, and not ES modules because importing what is
// built in costs as much.
const { argv, env, execArgv, features, getBuiltinModule, version } = process;
const require = getBuiltinModule ?? (await import('node:module')).createRequire('file:///'); // not in 18 and 22.0
const words = [...execArgv, ...(env.NODE_OPTIONS ?? '').split(' ')];
const late = env.NODEINIT_CHANNEL !== undefined; // see join.js
for (const module of env.NODEINIT_MODULES?.split(' ') ?? []) {
  const [filename, source] = module.split('=');
  require('vm').compileFunction(Buffer.from(source, 'base64url').toString(), ['require', 'late', 'leaveEnvironment'], { filename })(require, late, leaveEnvironment);
}
if (!late) leaveEnvironment();

// What the application starts is no worker.
function leaveEnvironment() {
  delete env.NODEINIT_CHANNEL;
  delete env.NODEINIT_MODULES;
  const options = (env.NODE_OPTIONS ?? '').replace(/--import=data:text\/javascript;by=nodeinit;\S+ ?/, '').trim();
  if (options) env.NODE_OPTIONS = options;
  else delete env.NODE_OPTIONS;
}

// Where there is an --import, Node loads the script as an ES module's, in a
// promise: one that is CommonJS then has its promises before its ticks, errors
// that are rejections, no module.parent, and nothing of what ts-node and its kind
// have taught require. So such a script is loaded here as Node does it without:
// by its CommonJS loader (lib/internal/modules/run_main.js), with nothing below
// it on the stack but the event loop, and Node is kept from loading it again.
const Module = require('module');
const elsewhere = /^-([eipc]|pe)$|^--(eval|print|interactive|check|test$|watch|run$|run=|prof-process|import(?!=data:text\/javascript;by=nodeinit)|(experimental-)?loader|experimental-(default-)?(type|config-file)|(experimental|es-module)-specifier-resolution|entry-url|vfs|build-snapshot|snapshot-blob)/;
if (argv[1] && argv[1] !== '-' && !words.some((word) => elsewhere.test(word.replace(/_/g, '-'))) && isCommonJS(argv[1])) await load();

function isCommonJS(script) {
  const { isAbsolute, resolve } = require('path');
  let file = Module._findPath(resolve(script), null, true);
  if (!file) return isAbsolute(script); // then that is the error; and [worker eval] is no file
  if (!words.includes('--preserve-symlinks-main') && env.NODE_PRESERVE_SYMLINKS_MAIN !== '1') file = require('fs').realpathSync(file);
  if (/\.(mjs|wasm)$/.test(file)) return false;
  if (file.endsWith('.cjs')) return true;
  if (features.typescript && /\.[cm]ts$/.test(file)) return file.endsWith('.cts');
  return typeOf(file) !== 'module';
}

// The "type" of the nearest package.json.
function typeOf(file) {
  const { existsSync, readFileSync } = require('fs');
  for (let end = file.lastIndexOf('/'); end >= 0; end = file.lastIndexOf('/', end - 1)) {
    const directory = file.slice(0, end);
    if (directory.endsWith('/node_modules')) return;
    if (existsSync(`${directory}/package.json`)) {
      try {
        return JSON.parse(readFileSync(`${directory}/package.json`)).type;
      } catch {
        return; // Node says what is wrong with it
      }
    }
    if (end === 0) return;
  }
}

// Returns when Node may go on.
function load() {
  let again = false; // Node has been told to load a script after all, perhaps this one
  const ends = []; // listeners of Node's own that were taken off, for what it does not load
  const { runMain } = Module; // commands like ts-node's end with it
  Module.runMain = function executeUserEntryPoint(script = process.argv[1]) {
    if (isCommonJS(script)) return Module._load(script, null, true);
    again = true;
    return runMain(script);
  };
  setImmediate(Module._load.bind(Module), argv[1], null, true); // bound, so that stacks have nothing of ours

  // Where the script throws and the error is handled, the immediates that it has
  // made are to run after its ticks: as they do where one more was there before.
  const after = (f) => setImmediate(f).unref();
  if (Module.registerHooks) { // since 22.15
    after(() => {});
    const hooks = Module.registerHooks({
      resolve(specifier, context, next) {
        if (context.parentURL) return next(specifier, context);
        hooks.deregister();
        return { url: 'node:events', shortCircuit: true }; // in the script's stead
      },
    });
    return;
  }
  for (const listener of process.listeners('exit')) {
    if (listener.name !== 'handleProcessExit') continue;
    process.off('exit', listener);
    ends.push(listener);
  }
  return new Promise((resolve, reject) => after(() => setImmediate(() => { // when what the script has put off is done
    if (again || process.mainModule === undefined) { // the script has turned out to be an ES module
      for (const listener of ends) process.on('exit', listener);
      return resolve();
    }
    const { emit } = process;
    const own = Object.getOwnPropertyDescriptor(process, 'emit');
    try {
      process.setUncaughtExceptionCaptureCallback(() => {
        process.setUncaughtExceptionCaptureCallback(null);
        delete process.emit;
        if (own) Object.defineProperty(process, 'emit', own);
      });
    } catch {
      // Another has set it. Node is to find the script in its cache, where one that has thrown is not.
      const { mainModule } = process;
      Module._cache[mainModule.filename] ??= Object.assign(mainModule, { loaded: true });
      return resolve();
    }
    const value = (name, ...args) => name !== 'uncaughtExceptionMonitor' && emit.call(process, name, ...args);
    Object.defineProperty(process, 'emit', { value, configurable: true });
    reject(new Error('nothing more to load'));
  })));
}
//# sourceURL=nodeinit:start.js
