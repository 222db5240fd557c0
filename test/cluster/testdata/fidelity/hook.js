console.log('hook', module.parent?.id, require.main === undefined);
require.extensions['.lang'] = (module, file) => module._compile('console.log("lang", require.main === module)', file);
