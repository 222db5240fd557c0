import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

await new Promise((resolve) => { setImmediate(resolve); });
createRequire(import.meta.url)('./report.js')('module', fileURLToPath(import.meta.url));
