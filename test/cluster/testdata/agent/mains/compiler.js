// Teaches require other languages, as ts-node does: a new one, and TypeScript
// that Node itself does not run.
'use strict';
const fs = require('fs');

const teach = (extension, translate) => {
  require.extensions[extension] = (module, file) => module._compile(translate(fs.readFileSync(file, 'utf8')), file);
};
teach('.lang', (text) => text.replace('REPORT', 'require("./report.js")'));
teach('.ts', (text) => text.replace('enum Main { file = __filename }', 'const Main = { file: __filename };'));
