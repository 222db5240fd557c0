// Adds a compiler to require.extensions, as ts-node does.
require.extensions['.lang'] = (module, file) =>
  module._compile(require('fs').readFileSync(file, 'utf8').replace('LISTEN', 'require("net").createServer().listen'), file);
