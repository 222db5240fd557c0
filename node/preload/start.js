// Node runs this first, by --import, as the body of a function of require. The module of
// that URL is only what calls this (preload_test.go): Node decodes a data: URL in
// JavaScript, and a long one keeps it busy for so many turns of a loop that V8 compiles
// the loop to machine code. The rest is in the fragment, which is not decoded.
// NODEINIT_MODULES has modules, each the body of a function too. The agent is run later:
// by fork.js, which stands before this in fork mode, or by worker.js.
const { argv, env, execArgv, features, version } = process;
const ownOption = '--import=data:text/javascript;by=nodeinit;';
const options = [...execArgv, ...(env.NODE_OPTIONS ?? '').split(' ')].filter((option) => !option.startsWith(ownOption));
const late = env.NODEINIT_CHANNEL !== undefined; // see join.js
const { compileFunction } = require('vm');
const { setTimeout, setInterval, setImmediate, clearInterval } = require('timers');
const timers = { setTimeout, setInterval, setImmediate, clearInterval }; // the application may replace them
const { Buffer } = globalThis; // this too
const modules = env.NODEINIT_MODULES?.split(' ') ?? [];
const agentModule = modules.find((module) => module.startsWith('nodeinit:agent.js='));
const run = (module, agent) => {
  const [filename, source] = module.split('=');
  const text = Buffer.from(source, 'base64url').toString();
  compileFunction(text, ['require', 'late', 'cleanEnvironment', 'timers', 'agent'], { filename })(require, late, cleanEnvironment, timers, agent);
};
const startAgent = (agent) => run(agentModule, agent);
if (typeof joinInForkMode === 'function') {
  if (late) joinInForkMode(startAgent);
} else for (const module of modules) if (module !== agentModule) run(module, startAgent);
if (!late) cleanEnvironment();

// Removes what makes a process a worker, for the children of this one.
function cleanEnvironment() {
  delete env.NODEINIT_CHANNEL;
  delete env.NODEINIT_MODULES;
  const rest = (env.NODE_OPTIONS ?? '').replace(/--import=data:text\/javascript;by=nodeinit;\S+ ?/, '').trim();
  if (rest) env.NODE_OPTIONS = rest;
  else delete env.NODE_OPTIONS;
}

// With an --import Node loads the script by its ES module loader, in a promise. In a
// CommonJS script promises then run before ticks, errors are rejections, there is no
// module.parent and require.extensions (ts-node) has no effect. So this loads such a
// script as Node does without --import: by the CommonJS loader
// (lib/internal/modules/run_main.js), with nothing but the event loop below it on the
// stack; and it keeps Node from loading the script again.
const Module = require('module');
const otherLoader = /^-([eipc]|pe)$|^--(eval|print|interactive|check|test$|watch|run$|run=|prof-process|import|(experimental-)?loader|experimental-(default-)?(type|config-file)|(experimental|es-module)-specifier-resolution|entry-url|vfs|build-snapshot|snapshot-blob)/m;
if (argv[1] && argv[1] !== '-' && !otherLoader.test(options.join('\n').replaceAll('_', '-')) && isCommonJS(argv[1])) return load();

// Where that cannot be found out (--permission hides files), it is left to Node.
function isCommonJS(script) {
  try {
    return isLoadedAsCommonJS(script);
  } catch {
    return false;
  }
}

function isLoadedAsCommonJS(script) {
  const { isAbsolute, resolve } = require('path');
  let file = Module._findPath(resolve(script), null, true);
  if (!file) return isAbsolute(script); // its loader reports the error; [worker eval] is no file
  if (!options.includes('--preserve-symlinks-main') && env.NODE_PRESERVE_SYMLINKS_MAIN !== '1') file = require('fs').realpathSync(file);
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
        return; // Node reports the error
      }
    }
    if (end === 0) return;
  }
}

// Loads the script and returns when Node may go on.
function load() {
  let again = false; // Module.runMain has loaded a script by the ES module loader
  const exitListeners = []; // Node's own, removed while Node loads nothing
  const { runMain } = Module; // the last call of commands like ts-node's
  Module.runMain = function executeUserEntryPoint(script = process.argv[1]) {
    if (isCommonJS(script)) return Module._load(script, null, true);
    again = true;
    return runMain(script);
  };
  setImmediate(Module._load.bind(Module), argv[1], null, true); // bound: no frame of nodeinit in stacks

  // If the script throws and the error is handled, its immediates must run after its
  // ticks. They do if an older immediate is pending.
  const after = (f) => setImmediate(f).unref();
  if (Module.registerHooks) { // Node 22.15
    after(() => {});
    const hooks = Module.registerHooks({
      resolve(specifier, context, next) {
        if (context.parentURL) return next(specifier, context);
        hooks.deregister();
        return { url: 'node:events', shortCircuit: true }; // instead of the script
      },
    });
    return;
  }
  for (const listener of process.listeners('exit')) {
    if (listener.name !== 'handleProcessExit') continue;
    process.off('exit', listener);
    exitListeners.push(listener);
  }
  return new Promise((resolve, reject) => after(() => setImmediate(() => { // after the immediates of the script
    if (again || process.mainModule === undefined) { // the script is an ES module after all
      for (const listener of exitListeners) process.on('exit', listener);
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
      // The application has set one. Node then finds the script in the cache, from which
      // a script that throws is removed.
      const { mainModule } = process;
      Module._cache[mainModule.filename] ??= Object.assign(mainModule, { loaded: true });
      return resolve();
    }
    const value = (name, ...args) => name !== 'uncaughtExceptionMonitor' && emit.call(process, name, ...args);
    Object.defineProperty(process, 'emit', { value, configurable: true });
    reject(new Error('nothing more to load'));
  })));
}
