// Does its work and ends, with the status that it is given.
console.log(`working ${process.pid}`);
setImmediate(() => { process.exitCode = Number(process.argv[2]); });
