import { basename } from 'node:path'; // an ES module only by its syntax
console.log(basename(import.meta.url), import.meta.main);
