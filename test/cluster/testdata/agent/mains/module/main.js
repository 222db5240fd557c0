import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

createRequire(import.meta.url)('../report.js')('module', fileURLToPath(import.meta.url));
